// The clients: accepted, read into the tunnel's staging buffer, written from its batch of plaintext.
#include "reference.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { slices_max = (batch_bytes + record_bytes) / data_header_bytes, slices_per_write_max = 1024 };

// All slices of a batch in the order in which they came; those of one client are chained by next_slice.
static uv_buf_t slices[slices_max];
static uint32_t next_slice[slices_max];
static uint32_t slice_count;

static struct connection **touched;
static size_t touched_count, touched_room;

static struct connection *free_connections, *parked_connections;
static struct batch *free_batches;

static void received(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer);
static void prepare_read(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer);

static void closed(uv_handle_t *handle) {
    struct connection *connection = (struct connection *)handle;
    connection->flags |= is_closed;
    // It is in the list of those that wait; whoever takes it from there frees it.
    if (connection->flags & parked) return;
    connection->next = free_connections;
    free_connections = connection;
}

static void close_connection(struct connection *connection, bool by_reset) {
    if (uv_is_closing((uv_handle_t *)connection)) return;
    if (connection->flags & holding) tunnel_hold(false);
    connection->flags &= (uint16_t)~holding;
    if (by_reset) {
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        setsockopt(connection->tcp.io_watcher.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    tunnel_forget(connection);
    uv_close((uv_handle_t *)connection, closed);
}

// The client is gone: the server is told to stop.
static void client_gone(struct connection *connection) {
    if (uv_is_closing((uv_handle_t *)connection)) return;
    tunnel_send_reset(connection);
    close_connection(connection, true);
}

// MARK: To the pod

static void prepare_read(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    (void)handle, (void)suggested;
    size_t room = 0;
    buffer->base = tunnel_room(&room);
    buffer->len = room;
}

static void received(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
    (void)buffer;
    struct connection *connection = (struct connection *)stream;
    if (count > 0) {
        tunnel_send(connection, (size_t)count);
        return;
    }
    if (count == 0) return;
    uv_read_stop(stream);
    if (count == UV_ENOBUFS) {
        connection->flags |= parked;
        connection->next = parked_connections;
        parked_connections = connection;
    } else if (count == UV_EOF) {
        connection->flags |= client_ended;
        tunnel_send_end(connection);
    } else {
        client_gone(connection);
    }
}

void local_wake_parked(void) {
    struct connection *connection = parked_connections;
    parked_connections = NULL;
    while (connection) {
        struct connection *next = connection->next;
        connection->flags &= (uint16_t)~parked;
        if (connection->flags & is_closed) closed((uv_handle_t *)connection);
        else if (!uv_is_closing((uv_handle_t *)connection))
            check_uv(uv_read_start((uv_stream_t *)connection, prepare_read, received), "read");
        connection = next;
    }
}

static void accept_one(uv_stream_t *listener, int status) {
    check_uv(status, "listen");
    struct connection *connection = free_connections;
    if (connection) free_connections = connection->next;
    else if (!(connection = malloc(sizeof *connection))) die("no memory");
    memset((char *)connection + sizeof connection->tcp, 0, sizeof *connection - sizeof connection->tcp);
    uv_tcp_init(listener->loop, &connection->tcp);
    check_uv(uv_accept(listener, (uv_stream_t *)connection), "accept");
    tunnel_open(connection, listener->data);
    check_uv(uv_read_start((uv_stream_t *)connection, prepare_read, received), "read");
}

int local_listen(uv_loop_t *loop, int port, const char *remote_port) {
    uv_tcp_t *listener = malloc(sizeof *listener);
    if (!listener) die("no memory");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    uv_tcp_init(loop, listener);
    listener->data = (void *)(uintptr_t)remote_port;
    check_uv(uv_tcp_bind(listener, (struct sockaddr *)&address, 0), "bind");
    uv_tcp_nodelay(listener, 1); // accepted sockets inherit it
    check_uv(uv_listen((uv_stream_t *)listener, 65535, accept_one), "listen");
    int size = sizeof address;
    check_uv(uv_tcp_getsockname(listener, (struct sockaddr *)&address, &size), "getsockname");
    return ntohs(address.sin_port);
}

// MARK: From the pod

// Bytes that a client has not taken: copied, or the whole batch.
struct piece {
    uv_write_t request;
    struct batch *batch;
    uint32_t byte_count;
    char bytes[];
};

static void give_back(struct batch *batch) {
    batch->next = free_batches;
    free_batches = batch;
}

static struct batch *take_batch(void) {
    struct batch *batch = free_batches;
    if (batch) free_batches = batch->next;
    else if (!(batch = malloc(sizeof *batch))) die("no memory");
    return batch;
}

static void settle(struct connection *connection);

static void written(uv_write_t *request, int status) {
    struct piece *piece = (struct piece *)request;
    struct connection *connection = (struct connection *)request->handle;
    connection->backlog_bytes -= piece->byte_count;
    if (piece->batch) give_back(piece->batch);
    free(piece);
    if (uv_is_closing((uv_handle_t *)connection)) return;
    if (status < 0) client_gone(connection);
    else settle(connection);
}

// Obeys what the backlog and the ends ask for.
static void settle(struct connection *connection) {
    if (connection->backlog_bytes > from_pod_high_bytes && !(connection->flags & holding)) {
        connection->flags |= holding;
        tunnel_hold(true);
    } else if (connection->backlog_bytes <= from_pod_low_bytes && connection->flags & holding) {
        connection->flags &= (uint16_t)~holding;
        tunnel_hold(false);
    }
    if (connection->backlog_bytes > 0) return;
    if (connection->flags & failed) {
        close_connection(connection, true);
    } else if ((connection->flags & (data_ended | error_ended)) == (data_ended | error_ended)) {
        close_connection(connection, false);
    } else if ((connection->flags & (data_ended | shut)) == data_ended) {
        connection->flags |= shut;
        shutdown(connection->tcp.io_watcher.fd, SHUT_WR);
    }
}

void local_touch(struct connection *connection) {
    if (connection->is_touched) return;
    connection->is_touched = true;
    connection->slice_count = 0;
    if (touched_count == touched_room) {
        touched_room = touched_room ? 2 * touched_room : 1024;
        if (!(touched = realloc(touched, touched_room * sizeof *touched))) die("no memory");
    }
    touched[touched_count++] = connection;
}

void local_append(struct connection *connection, char *bytes, size_t count) {
    local_touch(connection);
    uint32_t slice = slice_count++;
    slices[slice] = (uv_buf_t){.base = bytes, .len = count};
    if (connection->slice_count++ == 0) connection->first_slice = slice;
    else next_slice[connection->last_slice] = slice;
    connection->last_slice = slice;
}

// Queues what the kernel did not take of a client's slices. True: the client wants the whole batch.
static void queue_rest(struct connection *connection, uv_buf_t *rest, uint32_t count, size_t bytes, struct batch *batch) {
    struct piece *piece = malloc(sizeof *piece + (batch ? 0 : bytes));
    if (!piece) die("no memory");
    piece->byte_count = (uint32_t)bytes;
    piece->batch = batch;
    uv_buf_t whole = {.base = piece->bytes, .len = bytes};
    if (!batch) {
        char *target = piece->bytes;
        for (uint32_t i = 0; i < count; i++) {
            memcpy(target, rest[i].base, rest[i].len);
            target += rest[i].len;
        }
        rest = &whole;
        count = 1;
    }
    connection->backlog_bytes += piece->byte_count;
    check_uv(uv_write(&piece->request, (uv_stream_t *)connection, rest, count, written), "write");
}

// Writes a client's slices. True: the rest is worth the whole batch, which must be given by the caller.
static bool flush(struct connection *connection, struct batch *batch, bool is_alone) {
    uint32_t count = connection->slice_count;
    uv_buf_t *own = slices + connection->first_slice;
    static uv_buf_t gathered[slices_max];
    if (!is_alone) {
        uint32_t slice = connection->first_slice;
        for (uint32_t i = 0; i < count; i++, slice = next_slice[slice]) gathered[i] = slices[slice];
        own = gathered;
    }
    size_t rest_bytes = 0;
    for (uint32_t i = 0; i < count; i++) rest_bytes += own[i].len;
    while (rest_bytes > 0) {
        uint32_t now = count < slices_per_write_max ? count : slices_per_write_max;
        int taken = uv_try_write((uv_stream_t *)connection, own, now);
        if (taken == UV_EAGAIN) break;
        if (taken < 0) {
            client_gone(connection);
            return false;
        }
        rest_bytes -= (size_t)taken;
        size_t left = (size_t)taken;
        while (count > 0 && left >= own->len) {
            left -= own->len;
            own++;
            count--;
        }
        if (left > 0) {
            own->base += left;
            own->len -= left;
        }
    }
    if (rest_bytes == 0) return false;
    bool takes_batch = rest_bytes * 2 > batch_bytes && is_alone;
    queue_rest(connection, own, count, rest_bytes, takes_batch ? batch : NULL);
    return takes_batch;
}

struct batch *local_flush(struct batch *batch) {
    bool is_taken = false;
    for (size_t i = 0; i < touched_count; i++) {
        struct connection *connection = touched[i];
        connection->is_touched = false;
        if (uv_is_closing((uv_handle_t *)connection)) continue;
        if (connection->slice_count > 0 && flush(connection, batch, touched_count == 1)) is_taken = true;
        if (!uv_is_closing((uv_handle_t *)connection)) settle(connection);
    }
    touched_count = 0;
    slice_count = 0;
    return is_taken || !batch ? take_batch() : batch;
}
