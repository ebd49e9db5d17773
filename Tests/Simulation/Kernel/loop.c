// libuv's loop: its phases in their order, timers, handles and their ends (libuv 1.44.2, src/unix/core.c and src/timer.c).
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

#define LOOPS_MAX 8

bool is_active;
static simulated_loop *loops[LOOPS_MAX];
static int loop_count;

void loops_begin(void) { loop_count = 0; }

simulated_loop *loop_of(const uv_loop_t *loop) { return loop->internal_fields; }

int uv_loop_init(uv_loop_t *loop) {
    memset(loop, 0, sizeof *loop);
    if (loop_count == LOOPS_MAX) return UV_ENOMEM;
    simulated_loop *made = checked(calloc(1, sizeof *made));
    made->uv = loop;
    made->number = loop_count;
    made->descriptor_limit = INT32_MAX;
    made->takes_hangups_for_ends = true;
    loops[loop_count++] = made;
    loop->internal_fields = made;
    return 0;
}

int uv_loop_close(uv_loop_t *loop) {
    simulated_loop *inner = loop_of(loop);
    for (uv_handle_t *handle = inner->handles; handle; handle = handle->handle_queue[0])
        say("a handle of type %d is left (flags %x, timer %zu)", (int)handle->type, handle->flags,
            handle->type == UV_TIMER ? (size_t)((uv_timer_t *)handle)->heap_node[1] : 0);
    if (loop->active_reqs.count > 0) say("%u requests are left", loop->active_reqs.count);
    if (inner->handles || loop->active_reqs.count > 0) return UV_EBUSY;
    loops[inner->number] = NULL;
    free(inner->marked);
    free(inner->timers);
    free(inner->pending);
    free(inner);
    loop->internal_fields = NULL;
    return 0;
}

uint64_t uv_now(const uv_loop_t *loop) { return loop->timer_counter; }
// The field of libuv that nothing else needs here.
static void update_time(uv_loop_t *loop) { loop->timer_counter = sim_now() / 1000; }
void uv_stop(uv_loop_t *loop) { loop->stop_flag = 1; }

// MARK: Handles

void handle_init(uv_loop_t *loop, uv_handle_t *handle, uv_handle_type type) {
    handle->loop = loop;
    handle->type = type;
    handle->flags = HANDLE_REFERENCED;
    handle->next_closing = NULL;
    simulated_loop *inner = loop_of(loop);
    handle->handle_queue[0] = inner->handles;
    handle->handle_queue[1] = NULL;
    if (inner->handles) inner->handles->handle_queue[1] = handle;
    inner->handles = handle;
}

static void forget(uv_handle_t *handle) {
    uv_handle_t *next = handle->handle_queue[0], *before = handle->handle_queue[1];
    if (next) next->handle_queue[1] = before;
    if (before) before->handle_queue[0] = next; else loop_of(handle->loop)->handles = next;
}

void handle_start(uv_handle_t *handle) {
    if (handle->flags & HANDLE_ACTIVE) return;
    handle->flags |= HANDLE_ACTIVE;
    if (handle->flags & HANDLE_REFERENCED) handle->loop->active_handles++;
}

void handle_stop(uv_handle_t *handle) {
    if (!(handle->flags & HANDLE_ACTIVE)) return;
    handle->flags &= ~(unsigned)HANDLE_ACTIVE;
    if (handle->flags & HANDLE_REFERENCED) handle->loop->active_handles--;
}

void uv_ref(uv_handle_t *handle) {
    if (handle->flags & HANDLE_REFERENCED) return;
    handle->flags |= HANDLE_REFERENCED;
    if (handle->flags & HANDLE_ACTIVE) handle->loop->active_handles++;
}

void uv_unref(uv_handle_t *handle) {
    if (!(handle->flags & HANDLE_REFERENCED)) return;
    handle->flags &= ~(unsigned)HANDLE_REFERENCED;
    if (handle->flags & HANDLE_ACTIVE) handle->loop->active_handles--;
}

int uv_is_closing(const uv_handle_t *handle) { return (handle->flags & (HANDLE_CLOSING | HANDLE_CLOSED)) != 0; }

void uv_walk(uv_loop_t *loop, uv_walk_cb callback, void *argument) {
    for (uv_handle_t *handle = loop_of(loop)->handles, *next; handle; handle = next) {
        next = handle->handle_queue[0];
        callback(handle, argument);
    }
}

void uv_close(uv_handle_t *handle, uv_close_cb callback) {
    if (uv_is_closing(handle)) {
        misused("a handle was closed twice");
        return;
    }
    handle->flags |= HANDLE_CLOSING;
    handle->close_cb = callback;
    switch (handle->type) {
    case UV_TCP: stream_close((uv_stream_t *)handle); break;
    case UV_TIMER: uv_timer_stop((uv_timer_t *)handle); break;
    case UV_PREPARE: loop_of(handle->loop)->prepare = NULL; handle_stop(handle); break;
    case UV_CHECK: loop_of(handle->loop)->check = NULL; handle_stop(handle); break;
    default: break;
    }
    handle->next_closing = handle->loop->closing_handles;
    handle->loop->closing_handles = handle;
}

static void run_closing(uv_loop_t *loop) {
    uv_handle_t *handle = loop->closing_handles;
    loop->closing_handles = NULL;
    for (uv_handle_t *next; handle; handle = next) {
        next = handle->next_closing;
        handle->flags |= HANDLE_CLOSED;
        if (handle->type == UV_TCP) stream_destroy((uv_stream_t *)handle);
        uv_unref(handle);
        forget(handle);
        if (handle->close_cb) handle->close_cb(handle);
    }
}

// MARK: Prepare and check

int uv_prepare_init(uv_loop_t *loop, uv_prepare_t *prepare) {
    handle_init(loop, (uv_handle_t *)prepare, UV_PREPARE);
    prepare->prepare_cb = NULL;
    return 0;
}

int uv_prepare_start(uv_prepare_t *prepare, uv_prepare_cb callback) {
    prepare->prepare_cb = callback;
    loop_of(prepare->loop)->prepare = prepare;
    handle_start((uv_handle_t *)prepare);
    return 0;
}

int uv_check_init(uv_loop_t *loop, uv_check_t *check) {
    handle_init(loop, (uv_handle_t *)check, UV_CHECK);
    check->check_cb = NULL;
    return 0;
}

int uv_check_start(uv_check_t *check, uv_check_cb callback) {
    check->check_cb = callback;
    loop_of(check->loop)->check = check;
    handle_start((uv_handle_t *)check);
    return 0;
}

// MARK: Timers: a heap by due time, then by when they were started

static bool is_earlier(const uv_timer_t *left, const uv_timer_t *right) {
    return left->timeout != right->timeout ? left->timeout < right->timeout : left->start_id < right->start_id;
}

static void put(simulated_loop *loop, size_t place, uv_timer_t *timer) {
    loop->timers[place] = timer;
    timer->heap_node[0] = (void *)place;
}

static void sift(simulated_loop *loop, size_t place) {
    uv_timer_t *timer = loop->timers[place];
    while (place > 0 && is_earlier(timer, loop->timers[(place - 1) / 2])) {
        put(loop, place, loop->timers[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= loop->timer_count) break;
        if (child + 1 < loop->timer_count && is_earlier(loop->timers[child + 1], loop->timers[child])) child++;
        if (!is_earlier(loop->timers[child], timer)) break;
        put(loop, place, loop->timers[child]);
        place = child;
    }
    put(loop, place, timer);
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer) {
    handle_init(loop, (uv_handle_t *)timer, UV_TIMER);
    timer->timer_cb = NULL;
    timer->heap_node[1] = (void *)++loop_of(loop)->timers_made;
    if (sim_verbosity > 1) say("loop %d makes timer %zu", loop_of(loop)->number, loop_of(loop)->timers_made);
    return 0;
}

int uv_timer_stop(uv_timer_t *timer) {
    if (!(timer->flags & HANDLE_ACTIVE)) return 0;
    simulated_loop *loop = loop_of(timer->loop);
    size_t place = (size_t)timer->heap_node[0];
    uv_timer_t *last = loop->timers[--loop->timer_count];
    if (last != timer) {
        put(loop, place, last);
        sift(loop, place);
    }
    handle_stop((uv_handle_t *)timer);
    return 0;
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb callback, uint64_t timeout, uint64_t repeat) {
    if (uv_is_closing((uv_handle_t *)timer) || !callback) return UV_EINVAL;
    uv_timer_stop(timer);
    simulated_loop *loop = loop_of(timer->loop);
    timer->timer_cb = callback;
    timer->timeout = uv_now(timer->loop) + timeout;
    timer->repeat = repeat;
    timer->start_id = loop->timer_starts++;
    if (loop->timer_count == loop->timer_capacity) {
        loop->timer_capacity = loop->timer_capacity ? loop->timer_capacity * 2 : 64;
        loop->timers = checked(realloc(loop->timers, loop->timer_capacity * sizeof *loop->timers));
    }
    put(loop, loop->timer_count++, timer);
    sift(loop, loop->timer_count - 1);
    handle_start((uv_handle_t *)timer);
    return 0;
}

static void run_timers(uv_loop_t *loop) {
    simulated_loop *inner = loop_of(loop);
    while (inner->timer_count > 0 && inner->timers[0]->timeout <= uv_now(loop)) {
        uv_timer_t *timer = inner->timers[0];
        uv_timer_stop(timer);
        if (timer->repeat) uv_timer_start(timer, timer->timer_cb, timer->repeat, timer->repeat);
        trace(0x7431ull << 32 ^ (uint64_t)inner->number << 24 ^ timer->start_id);
        timer->timer_cb(timer);
    }
}

uint64_t loops_next_timer(void) {
    uint64_t next = NEVER;
    for (int i = 0; i < loop_count; i++) {
        if (!loops[i]) continue;
        uint64_t at = loops[i]->timer_count > 0 ? loops[i]->timers[0]->timeout * 1000 : NEVER;
        if (loops[i]->stopped_until > sim_now() && at < loops[i]->stopped_until) at = loops[i]->stopped_until;
        // A stopped process goes on with what has come meanwhile, too.
        if (loops[i]->stopped_until > sim_now() && loops[i]->stopped_until < at) at = loops[i]->stopped_until;
        if (at < next) next = at;
    }
    return next;
}

// MARK: One iteration

void loop_mark(simulated_loop *loop, int descriptor) {
    if (loop->marked_count == loop->marked_capacity) {
        loop->marked_capacity = loop->marked_capacity ? loop->marked_capacity * 2 : 64;
        loop->marked = checked(realloc(loop->marked, loop->marked_capacity * sizeof *loop->marked));
    }
    loop->marked[loop->marked_count++] = descriptor;
}

void loop_pend(simulated_loop *loop, int descriptor) {
    for (size_t i = 0; i < loop->pending_count; i++)
        if (loop->pending[i] == descriptor) return;
    if (loop->pending_count == loop->pending_capacity) {
        loop->pending_capacity = loop->pending_capacity ? loop->pending_capacity * 2 : 16;
        loop->pending = checked(realloc(loop->pending, loop->pending_capacity * sizeof *loop->pending));
    }
    loop->pending[loop->pending_count++] = descriptor;
}

// Drops from the list who is not ready after all.
static bool has_ready(simulated_loop *loop) {
    size_t kept = 0;
    for (size_t i = 0; i < loop->marked_count; i++) {
        simulated_socket *socket = socket_of(loop->marked[i]);
        if (socket->is_owned && socket->stream && stream_events(socket)) {
            loop->marked[kept++] = loop->marked[i];
        } else {
            socket->is_marked = false;
        }
    }
    loop->marked_count = kept;
    return kept > 0;
}

static void run_pending(simulated_loop *loop) {
    size_t count = loop->pending_count;
    int *due = loop->pending;
    if (count == 0) return;
    loop->pending = NULL;
    loop->pending_count = loop->pending_capacity = 0;
    for (size_t i = 0; i < count; i++) {
        simulated_socket *socket = socket_of(due[i]);
        if (socket->stream) stream_pending(socket);
    }
    free(due);
}

static void poll_sockets(simulated_loop *loop) {
    if (!has_ready(loop)) return;
    size_t count = loop->marked_count;
    int *ready = loop->marked;
    loop->marked = NULL;
    loop->marked_count = loop->marked_capacity = 0;
    int *events = checked(malloc(count * sizeof *events));
    // The kernel promises no order.
    for (size_t i = count - 1; i > 0; i--) {
        size_t other = random_below(i + 1);
        int kept = ready[i];
        ready[i] = ready[other];
        ready[other] = kept;
    }
    for (size_t i = 0; i < count; i++) {
        simulated_socket *socket = socket_of(ready[i]);
        socket->is_marked = false;
        events[i] = stream_events(socket);
    }
    for (size_t i = 0; i < count; i++) {
        simulated_socket *socket = socket_of(ready[i]);
        if (!socket->stream) continue;
        trace(0x696full << 32 ^ (uint64_t)loop->number << 28 ^ (uint64_t)ready[i]);
        stream_serve(socket, events[i]);
        if (socket->stream && stream_events(socket)) socket_mark(socket);
    }
    free(events);
    free(ready);
}

static void run_resolved(simulated_loop *loop) {
    while (loop->resolved) {
        uv_getaddrinfo_t *request = loop->resolved;
        loop->resolved = request->work_req.wq[0];
        loop->uv->active_reqs.count--;
        request->cb(request, request->retcode, request->addrinfo);
    }
}

static bool is_alive(const uv_loop_t *loop) {
    return loop->active_handles > 0 || loop->active_reqs.count > 0 || loop->closing_handles;
}

int uv_run(uv_loop_t *loop, uv_run_mode mode) {
    simulated_loop *inner = loop_of(loop);
    inner->is_kicked = false;
    bool alive = is_alive(loop);
    if (!alive) update_time(loop);
    while (alive && !loop->stop_flag) {
        update_time(loop);
        run_timers(loop);
        run_pending(inner);
        if (inner->prepare) inner->prepare->prepare_cb(inner->prepare);
        bool waits = mode != UV_RUN_NOWAIT && !loop->closing_handles && is_alive(loop) && !loop->stop_flag;
        // Only when everybody else has gone: the driver lets loops do single iterations.
        while (waits && !has_ready(inner) && !inner->resolved && inner->pending_count == 0
               && !(inner->timer_count > 0 && inner->timers[0]->timeout <= sim_now() / 1000))
            waits = sim_advance(NEVER);
        update_time(loop);
        poll_sockets(inner);
        run_resolved(inner);
        if (inner->check) inner->check->check_cb(inner->check);
        run_closing(loop);
        if (mode == UV_RUN_ONCE) {
            update_time(loop);
            run_timers(loop);
        }
        alive = is_alive(loop);
        if (mode != UV_RUN_DEFAULT) break;
    }
    loop->stop_flag = 0;
    return alive;
}

// MARK: What the driver asks

static simulated_loop *loop_number(int number) { return number < loop_count ? loops[number] : NULL; }

int sim_loop_is_ready(int number) {
    simulated_loop *loop = loop_number(number);
    if (!loop || loop->stopped_until > sim_now()) return 0;
    return loop->is_kicked || loop->uv->closing_handles || loop->pending_count > 0 || loop->resolved
        || (loop->timer_count > 0 && loop->timers[0]->timeout <= sim_now() / 1000) || has_ready(loop);
}

void sim_loop_kick(int number) {
    loops[number]->is_kicked = true;
    update_time(loops[number]->uv);
}

void sim_loop_stop(int number, uint64_t until) { loops[number]->stopped_until = until; }
void sim_loop_reads_on(int number) { loops[number]->takes_hangups_for_ends = false; }
void sim_loop_limit(int number, int descriptors) { loops[number]->descriptor_limit = descriptors; }
int sim_loop_descriptors(int number) { return loop_number(number) ? loops[number]->descriptors : 0; }

// MARK: Names

// One whose addresses are the server's and one where nobody is.
int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb callback, const char *node,
                   const char *service, const struct addrinfo *hints) {
    (void)node, (void)service, (void)hints;
    request->type = UV_GETADDRINFO;
    request->loop = loop;
    request->cb = callback;
    request->addrinfo = NULL;
    request->retcode = 0;
    loop->active_reqs.count++;
    event_push((event){
        .at = sim_now() + 1000 + random_below(50000), .kind = EVENT_RESOLVED, .subject = request,
    });
    return 0;
}

void loop_resolved(simulated_loop *loop, uv_getaddrinfo_t *request) {
    struct addrinfo **end = &request->addrinfo;
    int first = (int)random_below(2);
    for (int i = 0; i < 2 && request->retcode == 0; i++) {
        struct addrinfo *info = checked(calloc(1, sizeof *info + sizeof(struct sockaddr_in)));
        struct sockaddr_in *address = (void *)(info + 1);
        address->sin_family = AF_INET;
        address->sin_addr.s_addr = htonl(10u << 24 | 1 << 16 | (uint32_t)((i ^ first) + 1));
        info->ai_family = AF_INET;
        info->ai_addr = (struct sockaddr *)address;
        info->ai_addrlen = sizeof *address;
        *end = info;
        end = &info->ai_next;
    }
    request->work_req.wq[0] = loop->resolved;
    loop->resolved = request;
}

void uv_freeaddrinfo(struct addrinfo *addresses) {
    for (struct addrinfo *next; addresses; addresses = next) {
        next = addresses->ai_next;
        free(addresses);
    }
}

int uv_cancel(uv_req_t *request) {
    if (request->type != UV_GETADDRINFO) return UV_EINVAL;
    ((uv_getaddrinfo_t *)request)->retcode = UV_ECANCELED;
    return 0;
}
