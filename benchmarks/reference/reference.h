// The yardstick: a port-forwarder with nothing in it but the way of a byte. README.md says what it leaves out.
#ifndef REFERENCE_H
#define REFERENCE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum {
    // What one receive, one local read, one WebSocket message and one write hold at most. Measured: 256 KiB costs an
    // eighth more processor time for uploads, 128 KiB and 1 MiB more than that for one of the ways.
    batch_bytes = 512 << 10,
    record_bytes = 16 << 10,
    // The least room that a local connection is read into.
    read_bytes_min = 64 << 10,
    data_header_bytes = 8,
    message_header_bytes = 14,
    // Ciphertext that is gathered before it is written within a turn.
    gathered_bytes = 256 << 10,
    // Ciphertext that the kernel has not taken: above the high mark local connections are not read.
    to_pod_low_bytes = 256 << 10,
    to_pod_high_bytes = 1 << 20,
    // What one client has not taken: above the high mark the tunnel is not read.
    from_pod_low_bytes = 64 << 10,
    from_pod_high_bytes = 256 << 10,
};

// A buffer for one batch of plaintext: the tunnel reads into it, a slow client may take it over whole.
struct batch {
    struct batch *next;
    char bytes[batch_bytes + record_bytes];
};

// What is known of the server's two streams of a connection.
enum {
    data_ended = 1,   // FIN on the data stream
    error_ended = 2,  // FIN or RST on the error stream
    failed = 4,       // RST on the data stream, or text on the error stream
    client_ended = 8, // the client has ended its direction
    shut = 16,        // the client has got its end
    parked = 32,      // waits until it may be read
    holding = 64,     // its backlog holds the tunnel up
    is_closed = 128,  // libuv is done with it
};

// One client and its pair of streams.
struct connection {
    uv_tcp_t tcp;
    uint32_t pair; // its error stream is 4 * pair + 1, its data stream 4 * pair + 3
    uint16_t flags;
    bool is_touched;
    uint32_t backlog_bytes;
    uint32_t slice_count, first_slice, last_slice;
    struct connection *next; // parked, or free
};

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void check_uv(int code, const char *attempt);

// tls.c: ciphertext
struct credentials {
    char *authority_pem, *certificate_pem, *key_pem, *token;
};
void tls_connect(const char *host, int port, const struct credentials *credentials);
// Receives once.
void tls_fill(void);
// Whether that has emptied the socket.
bool tls_is_drained(void);
// Decrypts into `target`; 0: nothing more was received.
size_t tls_read(char *target, size_t room);
// Encrypts all of it; it leaves with tls_flush.
void tls_write(const char *plaintext, size_t bytes);
// Writes what the kernel takes.
void tls_flush(void);
// Ciphertext that waits for the kernel.
size_t tls_backlog_bytes(void);
// From here on the socket is not waited for but polled.
void tls_start_polling(uv_loop_t *loop);
void tls_poll_reading(bool is_on);

// tunnel.c: frames
void tunnel_upgrade(const char *path, const char *host, const char *token);
// Reads and takes apart what has come.
void tunnel_readable(void);
// Sends what has gathered.
void tunnel_end_turn(void);
void tunnel_open(struct connection *connection, const char *remote_port);
// Room for a client's next bytes behind the gap for their header; NULL: not now.
char *tunnel_room(size_t *bytes);
void tunnel_send(const struct connection *connection, size_t bytes);
void tunnel_send_end(const struct connection *connection);
void tunnel_send_reset(const struct connection *connection);
void tunnel_forget(const struct connection *connection);
// A client's backlog went above or below its mark.
void tunnel_hold(bool is_held);

// local.c: clients
int local_listen(uv_loop_t *loop, int port, const char *remote_port);
// Slices of the batch for its clients.
void local_append(struct connection *connection, char *bytes, size_t count);
void local_touch(struct connection *connection);
// Writes all slices. May take the batch over; then it gives another one.
struct batch *local_flush(struct batch *batch);
void local_wake_parked(void);

#endif
