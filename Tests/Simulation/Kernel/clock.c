// The clock, the events to come, randomness, and the trace of what happened.
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel.h"

int sim_verbosity;
static uint64_t now;
static uint64_t random_state;
static uint64_t trace_hash;
static uint64_t events_made, events_over;
static event *heap;
static size_t heap_count, heap_capacity;
// Tokens that are due, as a ring.
static uint64_t *tokens;
static size_t token_first, token_count, token_capacity;
static const char *misuse;
// For what tells of the end of the program.
static volatile sig_atomic_t is_running;
static char last_words[64];
static size_t last_words_count;

void *checked(void *memory) {
    if (memory) return memory;
    fputs("simulation: out of memory\n", stderr);
    abort();
}

void say(const char *format, ...) {
    if (sim_verbosity == 0) return;
    va_list arguments;
    va_start(arguments, format);
    printf("%12.6f  kernel: ", (double)now / 1e6);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}

// MARK: Randomness (splitmix64)

uint64_t mixed(uint64_t value) {
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
}

uint64_t sim_random(void) { return mixed(random_state += 0x9e3779b97f4a7c15); }

uint64_t random_below(uint64_t bound) { return bound < 2 ? 0 : sim_random() % bound; }

void trace(uint64_t what) {
    trace_hash = (trace_hash ^ what) * 0x100000001b3;
    trace_hash ^= trace_hash >> 29;
}

uint64_t sim_trace(void) { return trace_hash; }
void sim_note(uint64_t what) {
    trace(now);
    trace(what);
}
uint64_t sim_now(void) { return now; }
uint64_t sim_event_count(void) { return events_over; }

// MARK: Events, the earliest first; of the same time in the order in which they were made

static bool is_before(const event *left, const event *right) {
    return left->at != right->at ? left->at < right->at : left->order < right->order;
}

void event_push(event item) {
    if (item.at == NEVER) return;
    if (item.at < now) item.at = now;
    item.order = events_made++;
    if (heap_count == heap_capacity) {
        heap_capacity = heap_capacity ? heap_capacity * 2 : 256;
        heap = checked(realloc(heap, heap_capacity * sizeof *heap));
    }
    size_t place = heap_count++;
    while (place > 0 && is_before(&item, &heap[(place - 1) / 2])) {
        heap[place] = heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap[place] = item;
}

static event event_pop(void) {
    event first = heap[0], last = heap[--heap_count];
    size_t place = 0;
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= heap_count) break;
        if (child + 1 < heap_count && is_before(&heap[child + 1], &heap[child])) child++;
        if (!is_before(&heap[child], &last)) break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = last;
    return first;
}

int sim_advance(uint64_t until) {
    uint64_t next = heap_count > 0 ? heap[0].at : NEVER;
    uint64_t timer = loops_next_timer();
    if (timer < next) next = timer;
    if (next == NEVER || next > until) {
        if (until > now && until != NEVER) now = until;
        return 0;
    }
    if (next > now) now = next;
    // All of this moment, as an interrupt that comes later than the packets that it tells of.
    while (heap_count > 0 && heap[0].at <= now) {
        event item = event_pop();
        events_over++;
        event_happens(&item);
    }
    return 1;
}

void event_happens(const event *item) {
    trace(item->at);
    trace((uint64_t)item->kind << 56 ^ (uint64_t)(item->link ? item->link->number : 0) << 24
          ^ (uint64_t)item->side << 63 ^ item->count);
    switch (item->kind) {
    case EVENT_TOKEN: token_ready(item->count); break;
    case EVENT_RESOLVED: loop_resolved(loop_of(((uv_getaddrinfo_t *)item->subject)->loop), item->subject); break;
    default: tcp_event(item);
    }
}

// MARK: Tokens

void token_ready(uint64_t token) {
    if (token_count == token_capacity) {
        size_t capacity = token_capacity ? token_capacity * 2 : 64;
        uint64_t *larger = checked(malloc(capacity * sizeof *larger));
        for (size_t i = 0; i < token_count; i++) larger[i] = tokens[(token_first + i) % token_capacity];
        free(tokens);
        tokens = larger;
        token_first = 0;
        token_capacity = capacity;
    }
    tokens[(token_first + token_count++) % token_capacity] = token;
}

uint64_t sim_next_ready(void) {
    if (token_count == 0) return 0;
    uint64_t token = tokens[token_first];
    token_first = (token_first + 1) % token_capacity;
    token_count--;
    return token;
}

void sim_timer(uint64_t token, uint64_t at) {
    event_push((event){.at = at > now ? at : now, .kind = EVENT_TOKEN, .count = token});
}

// MARK: A run

static void crashed(int signal) {
    if (is_running && write(STDOUT_FILENO, last_words, last_words_count) < 0) _exit(1);
    raise(signal);
}

// Says which seed it was, where the library ends the program: its last words are not the seed's.
static void tell_of_crashes(uint64_t seed) {
    static const int signals[] = {SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE};
    is_running = 0;
    last_words_count = (size_t)snprintf(
        last_words, sizeof last_words, "seed %llu: the program crashed\n", (unsigned long long)seed
    );
    is_running = 1;
    struct sigaction action = {.sa_handler = crashed, .sa_flags = SA_RESETHAND};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
}

void misused(const char *what) {
    if (!misuse) misuse = what;
}

const char *sim_misuse(void) { return misuse; }

void sim_begin(uint64_t seed, int verbosity) {
    fflush(stdout);
    tell_of_crashes(seed);
    misuse = NULL;
    sim_verbosity = verbosity;
    // Not at 0: nothing of the library should depend on a clock that has just begun.
    now = 1000000;
    random_state = seed;
    random_state = sim_random() + 0x5851f42d4c957f2d;
    trace_hash = 0xcbf29ce484222325;
    events_made = events_over = 0;
    heap_count = 0;
    token_first = token_count = 0;
    is_active = true;
    secrets_begin(seed);
    tcp_begin();
    loops_begin();
}

void sim_end(void) {
    is_active = false;
    is_running = 0;
    heap_count = 0;
    token_count = 0;
    tcp_end();
}
