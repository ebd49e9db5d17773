// What the parts of the simulated kernel know of each other.
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <uv.h>

#include "simulated_kernel.h"

// The lowest simulated descriptor: a real one is never as large.
#define FIRST_DESCRIPTOR 1000000
#define DIAG_DESCRIPTOR 999999
#define NEVER UINT64_MAX

typedef struct simulated_socket simulated_socket;
typedef struct simulated_loop simulated_loop;

// The bytes of one direction. Positions count from the first byte: acked <= delivered <= sent <= written, read <= delivered.
typedef struct {
    uint8_t *ring;
    size_t capacity;
    uint64_t written, sent, delivered, read, acked;
    bool has_end, end_sent, end_delivered, end_acked;
    bool is_pumping, owes_window;
    uint64_t last_arrival, free_at;
    // Where the connection is cut; NEVER: nowhere.
    uint64_t cut_at;
} flow;

typedef struct {
    int number, network;
    sim_link link;
    simulated_socket *ends[2];
    // By the side that sends.
    flow flows[2];
    uint64_t stalled_until, hole_since, hole_until;
    bool is_severed, cut_resets;
} connection;

typedef enum { SOCKET_NEW, SOCKET_LISTENING, SOCKET_CONNECTING, SOCKET_OPEN, SOCKET_OVER } socket_state;

struct simulated_socket {
    int descriptor;
    socket_state state;
    // Whether a process has it.
    bool is_owned;
    bool is_marked;
    bool resets_on_close;
    int error;
    bool was_reset;
    uint64_t token;
    simulated_loop *loop;
    uv_stream_t *stream;
    uint32_t ip, peer_ip;
    uint16_t port, peer_port;
    connection *link;
    int side;
    uint64_t last_heard;
    uint64_t keepalive;
    // Of a listener: who waits to be accepted.
    simulated_socket **waiting;
    size_t waiting_count, waiting_capacity;
};

struct simulated_loop {
    int number;
    uv_loop_t *uv;
    uint64_t stopped_until;
    bool is_kicked;
    bool takes_hangups_for_ends;
    int descriptor_limit, descriptors;
    // Sockets that may be ready.
    int *marked;
    size_t marked_count, marked_capacity;
    uv_timer_t **timers;
    size_t timer_count, timer_capacity, timers_made;
    uint64_t timer_starts;
    uv_handle_t *handles;
    // Streams whose callbacks are due in the pending phase.
    int *pending;
    size_t pending_count, pending_capacity;
    uv_prepare_t *prepare;
    uv_check_t *check;
    uv_getaddrinfo_t *resolved;
};

typedef enum {
    EVENT_ARRIVAL, EVENT_ACK, EVENT_PUMP, EVENT_RESET, EVENT_SYN, EVENT_SYN_ANSWER, EVENT_KEEPALIVE, EVENT_TOKEN,
    EVENT_RESOLVED,
} event_kind;

typedef struct {
    uint64_t at, order;
    event_kind kind;
    connection *link;
    int side;
    uint64_t count;
    bool has_end;
    int error;
    void *subject;
} event;

// MARK: clock.c

extern int sim_verbosity;
void event_push(event item);
void event_happens(const event *item);
void trace(uint64_t what);
void token_ready(uint64_t token);
// A number that looks like no other.
uint64_t mixed(uint64_t value);
// What OpenSSL draws from now on follows from the seed too.
void secrets_begin(uint64_t seed);
uint64_t random_below(uint64_t bound);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *checked(void *memory);
uint64_t loops_next_timer(void);
// What libuv does not bear: an assertion of its own would end the program.
void misused(const char *what);

// MARK: tcp.c

simulated_socket *socket_make(simulated_loop *loop);
simulated_socket *socket_of(int descriptor);
int socket_bind(simulated_socket *socket, uint32_t ip, uint16_t port);
void socket_connect(simulated_socket *socket, uint32_t ip, uint16_t port);
void socket_close(simulated_socket *socket);
size_t socket_room(const simulated_socket *socket);
long socket_send(simulated_socket *socket, const void *bytes, size_t count);
long socket_receive(simulated_socket *socket, void *bytes, size_t count);
int socket_shut(simulated_socket *socket);
bool socket_is_readable(const simulated_socket *socket);
bool socket_is_writable(const simulated_socket *socket);
bool socket_is_hung_up(const simulated_socket *socket);
bool socket_is_over(const simulated_socket *socket);
uint64_t socket_unread(const simulated_socket *socket);
void socket_mark(simulated_socket *socket);
simulated_socket *socket_find(uint32_t ip, uint16_t port, uint32_t peer_ip, uint16_t peer_port);
void tcp_event(const event *item);
void tcp_begin(void);
void tcp_end(void);
extern uint64_t emfile_count;

// MARK: loop.c

simulated_loop *loop_of(const uv_loop_t *loop);
void loop_mark(simulated_loop *loop, int descriptor);
void loop_pend(simulated_loop *loop, int descriptor);
void loops_begin(void);
void loop_resolved(simulated_loop *loop, uv_getaddrinfo_t *request);
extern bool is_active;

// MARK: handles

enum {
    HANDLE_ACTIVE = 1, HANDLE_REFERENCED = 2, HANDLE_CLOSING = 4, HANDLE_CLOSED = 8, HANDLE_READING = 16,
    HANDLE_READABLE = 32, HANDLE_WRITABLE = 64, HANDLE_WANTS_ROOM = 128, HANDLE_ENDED = 256, HANDLE_PARTIAL = 512,
};
void handle_init(uv_loop_t *loop, uv_handle_t *handle, uv_handle_type type);
void handle_start(uv_handle_t *handle);
void handle_stop(uv_handle_t *handle);
// What a stream can do now, as poll(2) says it.
int stream_events(simulated_socket *socket);
void stream_serve(simulated_socket *socket, int events);
void stream_pending(simulated_socket *socket);
void stream_close(uv_stream_t *stream);
void stream_destroy(uv_stream_t *stream);
