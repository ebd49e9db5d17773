// A kernel for one thread: a clock that stands still while anybody has work, and TCP between sockets of this process.
//
// Linked into a program, it takes the place of libuv and of the socket calls, so that the library's code runs on it as it
// is. Everything that happens follows from the seed: delays, cuts of segments, the order in which ready sockets are served.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Whose socket it is: a loop's, in the order in which the loops were made, or an actor's, which needs no loop.
#define SIM_ACTOR (-1)

// What an actor learns of a socket.
enum {
    SIM_AGAIN = -11,
    SIM_RESET = -104,
    SIM_REFUSED = -111,
};

typedef struct {
    // One way, in microseconds; of each segment a random part of `jitter` more.
    uint64_t latency, jitter;
    // Bytes in a millisecond.
    uint64_t rate;
    // A segment has 1 to this many bytes.
    uint32_t segment_max;
    uint32_t send_buffer, receive_buffer;
} sim_link;

// Which of the networks a connection uses, by the address that is connected to.
enum { SIM_LOCAL, SIM_UPSTREAM, SIM_POD, SIM_NETWORKS };

// MARK: A run

// `verbosity` 1: what happens to connections is printed; 2: and what each call sends and gets.
void sim_begin(uint64_t seed, int verbosity);
// Frees what is left.
void sim_end(void);
// In microseconds since the run began.
uint64_t sim_now(void);
// A number that stands for all that has happened so far.
uint64_t sim_trace(void);
// Adds something that an actor saw to what has happened.
void sim_note(uint64_t what);
uint64_t sim_random(void);
// The socket of an actor, or the timer, that has something to do; 0: there is none.
uint64_t sim_next_ready(void);
// Lets the next event happen, if it is not later than `until`; 0: there was none.
int sim_advance(uint64_t until);
uint64_t sim_event_count(void);
// What was done to libuv that it does not bear; NULL: nothing.
const char *sim_misuse(void);

// MARK: Loops

// Whether a loop has something to do now.
int sim_loop_is_ready(int loop);
// Makes a loop do one iteration, since something was done to it from outside.
void sim_loop_kick(int loop);
// The process of a loop does nothing until then.
void sim_loop_stop(int loop, uint64_t until);
// A loop that, other than libuv, tells of a reset that comes right behind bytes: what a server in Go sees.
void sim_loop_reads_on(int loop);
// How many descriptors the process of a loop may have, and has.
void sim_loop_limit(int loop, int descriptors);
int sim_loop_descriptors(int loop);
// How often libuv closed accepted clients since it had no descriptor (its EMFILE trick).
uint64_t sim_emfile_count(void);
// How many connections were cut so far.
uint64_t sim_severed_count(void);

// MARK: Actors

// Calls back by its token, through sim_next_ready.
void sim_timer(uint64_t token, uint64_t at);
int sim_listen(uint32_t ip, uint16_t port, uint64_t token);
// Or SIM_AGAIN.
int sim_accept(int listener, uint64_t token);
// `source`: the address of the client.
int sim_connect(uint32_t source, uint32_t ip, uint16_t port, uint64_t token);
// 0: connecting; 1: connected; negative: the error.
int sim_connected(int socket);
// How many bytes sim_send takes at most; 0: it takes none, or has an error to tell.
size_t sim_room(int socket);
// How many bytes were taken, or an error.
long sim_send(int socket, const void *bytes, size_t count);
// How many bytes were read; 0: the end; or an error.
long sim_recv(int socket, void *bytes, size_t count);
void sim_shutdown(int socket);
void sim_close(int socket, int resets);

// MARK: Networks and what goes wrong in them

void sim_set_link(int network, sim_link link);
// Nothing moves on the connections of a network until then, though both kernels are alive.
void sim_stall(int network, uint64_t until);
// What is sent is lost until then, and sent again later. `share` of 256 of the connections, and new ones too.
void sim_hole(int network, uint64_t until, int share);
// Of each connection of a network `share` of 256 are cut within the next `bytes` bytes of one direction, by a reset or an end.
// Returns how many.
int sim_cut(int network, int share, uint64_t bytes, int resets);
// Connections that have not been cut yet will not be.
void sim_uncut(void);
// New connections to an address of the network get no answer until then.
void sim_deaf(int network, uint64_t until);
// How many connections a network has.
int sim_connection_count(int network);
