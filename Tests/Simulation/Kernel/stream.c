// libuv's TCP handles (libuv 1.44.2, src/unix/stream.c and src/unix/tcp.c).
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

// How often libuv reads or writes one stream in a row.
#define TURNS_IN_A_ROW 32
#define SLICES_MAX 1024

static simulated_socket *socket_behind(const uv_stream_t *stream) { return socket_of(stream->io_watcher.fd); }

static uint32_t ip_of(const struct sockaddr *address) {
    return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr);
}
static uint16_t port_of(const struct sockaddr *address) {
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

int uv_tcp_init(uv_loop_t *loop, uv_tcp_t *tcp) {
    handle_init(loop, (uv_handle_t *)tcp, UV_TCP);
    uv_stream_t *stream = (uv_stream_t *)tcp;
    stream->write_queue_size = 0;
    stream->alloc_cb = NULL;
    stream->read_cb = NULL;
    stream->connect_req = NULL;
    stream->connection_cb = NULL;
    stream->delayed_error = 0;
    stream->accepted_fd = -1;
    stream->write_queue[0] = stream->write_queue[1] = NULL;
    stream->write_completed_queue[0] = stream->write_completed_queue[1] = NULL;
    memset(&stream->io_watcher, 0, sizeof stream->io_watcher);
    stream->io_watcher.fd = -1;
    return 0;
}

static simulated_socket *open_socket(uv_stream_t *stream) {
    if (stream->io_watcher.fd >= 0) return socket_behind(stream);
    simulated_loop *loop = loop_of(stream->loop);
    if (loop->descriptors >= loop->descriptor_limit) return NULL;
    simulated_socket *socket = socket_make(loop);
    loop->descriptors++;
    socket->is_owned = true;
    socket->stream = stream;
    stream->io_watcher.fd = socket->descriptor;
    return socket;
}

int uv_fileno(const uv_handle_t *handle, uv_os_fd_t *descriptor) {
    if (handle->type != UV_TCP) return UV_EINVAL;
    int found = ((const uv_stream_t *)handle)->io_watcher.fd;
    if (uv_is_closing(handle) || found < 0) return UV_EBADF;
    *descriptor = found;
    return 0;
}

int uv_tcp_nodelay(uv_tcp_t *tcp, int enable) { return (void)tcp, (void)enable, 0; }

int uv_tcp_keepalive(uv_tcp_t *tcp, int enable, unsigned int delay) {
    simulated_socket *socket = socket_behind((uv_stream_t *)tcp);
    if (socket) socket->keepalive = enable ? (uint64_t)delay * 1000000 : 0;
    return 0;
}

static int tell_address(uint32_t ip, uint16_t port, struct sockaddr *name, int *size) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip)};
    memcpy(name, &address, sizeof address);
    *size = sizeof address;
    return 0;
}

int uv_tcp_getsockname(const uv_tcp_t *tcp, struct sockaddr *name, int *size) {
    simulated_socket *socket = socket_behind((const uv_stream_t *)tcp);
    return socket ? tell_address(socket->ip, socket->port, name, size) : UV_EBADF;
}

int uv_tcp_getpeername(const uv_tcp_t *tcp, struct sockaddr *name, int *size) {
    simulated_socket *socket = socket_behind((const uv_stream_t *)tcp);
    if (!socket || socket->state == SOCKET_OVER || !socket->link) return UV_ENOTCONN;
    return tell_address(socket->peer_ip, socket->peer_port, name, size);
}

// MARK: Listening

int uv_tcp_bind(uv_tcp_t *tcp, const struct sockaddr *address, unsigned int flags) {
    (void)flags;
    if (address->sa_family != AF_INET) return UV_EADDRNOTAVAIL;
    simulated_socket *socket = open_socket((uv_stream_t *)tcp);
    if (!socket) return UV_EMFILE;
    return socket_bind(socket, ip_of(address), port_of(address));
}

int uv_listen(uv_stream_t *stream, int backlog, uv_connection_cb callback) {
    (void)backlog;
    simulated_socket *socket = socket_behind(stream);
    if (!socket) return UV_EINVAL;
    socket->state = SOCKET_LISTENING;
    stream->connection_cb = callback;
    handle_start((uv_handle_t *)stream);
    return 0;
}

static simulated_socket *accept_one(simulated_socket *listener) {
    simulated_socket *socket = listener->waiting[0];
    listener->waiting_count--;
    memmove(listener->waiting, listener->waiting + 1, listener->waiting_count * sizeof *listener->waiting);
    return socket;
}

static void serve_listener(simulated_socket *listener) {
    while (listener->stream && listener->waiting_count > 0) {
        uv_stream_t *stream = listener->stream;
        if (stream->accepted_fd != -1) return;
        simulated_loop *loop = loop_of(stream->loop);
        if (loop->descriptors >= loop->descriptor_limit) {
            // libuv gives up its spare descriptor, to accept and close everybody: uv__emfile_trick.
            say("no descriptor is left: %zu clients are closed", listener->waiting_count);
            while (listener->waiting_count > 0) {
                simulated_socket *refused = accept_one(listener);
                refused->is_owned = true;
                loop->descriptors++;
                socket_close(refused);
                emfile_count++;
            }
            return;
        }
        simulated_socket *socket = accept_one(listener);
        socket->is_owned = true;
        loop->descriptors++;
        stream->accepted_fd = socket->descriptor;
        stream->connection_cb(stream, 0);
    }
}

int uv_accept(uv_stream_t *server, uv_stream_t *client) {
    if (server->accepted_fd == -1) return UV_EAGAIN;
    client->io_watcher.fd = server->accepted_fd;
    client->flags |= HANDLE_READABLE | HANDLE_WRITABLE;
    socket_behind(client)->stream = client;
    server->accepted_fd = -1;
    socket_mark(socket_behind(server));
    return 0;
}

// MARK: Connecting

int uv_tcp_connect(uv_connect_t *request, uv_tcp_t *tcp, const struct sockaddr *address, uv_connect_cb callback) {
    uv_stream_t *stream = (uv_stream_t *)tcp;
    if (stream->connect_req) return UV_EALREADY;
    if (address->sa_family != AF_INET) return UV_ENETUNREACH;
    simulated_socket *socket = open_socket(stream);
    if (!socket) return UV_EMFILE;
    stream->flags |= HANDLE_READABLE | HANDLE_WRITABLE;
    // Every process has an address of its own.
    if (socket->ip == 0) socket->ip = 10u << 24 | 9 << 16 | (uint32_t)(socket->loop->number + 1);
    request->type = UV_CONNECT;
    request->handle = stream;
    request->cb = callback;
    stream->connect_req = request;
    stream->loop->active_reqs.count++;
    socket_connect(socket, ip_of(address), port_of(address));
    return 0;
}

static void end_requests(uv_stream_t *stream, int error);
static void call_written(uv_stream_t *stream);

static void serve_connect(simulated_socket *socket) {
    uv_stream_t *stream = socket->stream;
    uv_connect_t *request = stream->connect_req;
    if (socket->state == SOCKET_CONNECTING) return;
    int error = -socket->error;
    socket->error = 0;
    stream->connect_req = NULL;
    stream->loop->active_reqs.count--;
    // What was written meanwhile goes when there is room.
    if (error >= 0 && stream->write_queue[0]) stream->flags |= HANDLE_WANTS_ROOM;
    request->cb(request, error);
    if (stream->io_watcher.fd >= 0 && error < 0) {
        end_requests(stream, UV_ECANCELED);
        call_written(stream);
    }
}

// MARK: Reading

int uv_read_start(uv_stream_t *stream, uv_alloc_cb allocate, uv_read_cb callback) {
    if (uv_is_closing((uv_handle_t *)stream)) return UV_EINVAL;
    if (stream->flags & HANDLE_READING) return UV_EALREADY;
    if (!(stream->flags & HANDLE_READABLE)) return UV_ENOTCONN;
    stream->flags |= HANDLE_READING;
    stream->alloc_cb = allocate;
    stream->read_cb = callback;
    handle_start((uv_handle_t *)stream);
    socket_mark(socket_behind(stream));
    return 0;
}

int uv_read_stop(uv_stream_t *stream) {
    if (!(stream->flags & HANDLE_READING)) return 0;
    stream->flags &= ~(unsigned)HANDLE_READING;
    if (!(stream->flags & HANDLE_WANTS_ROOM)) handle_stop((uv_handle_t *)stream);
    return 0;
}

static void tell_end(uv_stream_t *stream, const uv_buf_t *buffer) {
    stream->flags |= HANDLE_ENDED;
    uv_read_stop(stream);
    stream->read_cb(stream, UV_EOF, buffer);
}

static void read_stream(simulated_socket *socket) {
    uv_stream_t *stream = socket->stream;
    stream->flags &= ~(unsigned)HANDLE_PARTIAL;
    for (int turn = 0; turn < TURNS_IN_A_ROW && socket->stream && stream->flags & HANDLE_READING; turn++) {
        uv_buf_t buffer = {.base = NULL, .len = 0};
        stream->alloc_cb((uv_handle_t *)stream, 65536, &buffer);
        // libuv's `uv__read` reads from its descriptor next, and asserts that there is one.
        if (!socket->stream || uv_is_closing((uv_handle_t *)stream)) {
            misused("a stream was closed while it was asked where to read to");
            return;
        }
        if (!buffer.base || buffer.len == 0) {
            stream->read_cb(stream, UV_ENOBUFS, &buffer);
            return;
        }
        long count = socket_receive(socket, buffer.base, buffer.len);
        if (count == -EAGAIN) {
            stream->read_cb(stream, 0, &buffer);
            return;
        }
        if (count < 0) {
            stream->flags &= ~(unsigned)(HANDLE_READABLE | HANDLE_WRITABLE);
            stream->read_cb(stream, count, &buffer);
            if (socket->stream) uv_read_stop(stream);
            return;
        }
        if (count == 0) {
            tell_end(stream, &buffer);
            return;
        }
        size_t asked = buffer.len;
        stream->read_cb(stream, count, &buffer);
        if ((size_t)count < asked) {
            if (socket->stream) stream->flags |= HANDLE_PARTIAL;
            return;
        }
    }
}

// MARK: Writing. A request's place in the queue: `queue[0]` is the next one.

static long write_slices(uv_stream_t *stream, const uv_buf_t slices[], unsigned int count) {
    simulated_socket *socket = socket_behind(stream);
    long sum = 0;
    for (unsigned int i = 0; i < count && i < SLICES_MAX; i++) {
        if (slices[i].len == 0) continue;
        long taken = socket_send(socket, slices[i].base, slices[i].len);
        if (taken < 0) return sum > 0 ? sum : taken;
        sum += taken;
        if ((size_t)taken < slices[i].len) break;
    }
    return sum;
}

int uv_try_write(uv_stream_t *stream, const uv_buf_t slices[], unsigned int count) {
    if (stream->connect_req || stream->write_queue_size != 0) return UV_EAGAIN;
    if (stream->io_watcher.fd < 0) return UV_EBADF;
    if (!(stream->flags & HANDLE_WRITABLE)) return UV_EPIPE;
    return (int)write_slices(stream, slices, count);
}

static void finish_request(uv_stream_t *stream, uv_write_t *request) {
    stream->write_queue[0] = request->queue[0];
    if (!stream->write_queue[0]) stream->write_queue[1] = NULL;
    request->queue[0] = NULL;
    uv_write_t *last = stream->write_completed_queue[1];
    if (last) last->queue[0] = request; else stream->write_completed_queue[0] = request;
    stream->write_completed_queue[1] = request;
    loop_pend(loop_of(stream->loop), stream->io_watcher.fd);
}

static void write_stream(uv_stream_t *stream) {
    for (int turn = 0; turn < TURNS_IN_A_ROW && stream->write_queue[0]; turn++) {
        uv_write_t *request = stream->write_queue[0];
        long count =
            write_slices(stream, request->bufs + request->write_index, request->nbufs - request->write_index);
        if (count < 0 && count != -EAGAIN) {
            request->error = (int)count;
            finish_request(stream, request);
            stream->flags &= ~(unsigned)HANDLE_WANTS_ROOM;
            return;
        }
        for (size_t left = count > 0 ? (size_t)count : 0; left > 0;) {
            uv_buf_t *slice = &request->bufs[request->write_index];
            size_t part = left < slice->len ? left : slice->len;
            slice->base += part;
            slice->len -= part;
            left -= part;
            stream->write_queue_size -= part;
            if (slice->len == 0) request->write_index++;
        }
        if (request->write_index < request->nbufs) {
            stream->flags |= HANDLE_WANTS_ROOM;
            handle_start((uv_handle_t *)stream);
            return;
        }
        finish_request(stream, request);
    }
    if (!stream->write_queue[0]) stream->flags &= ~(unsigned)HANDLE_WANTS_ROOM;
}

int uv_write(uv_write_t *request, uv_stream_t *stream, const uv_buf_t slices[], unsigned int count, uv_write_cb callback) {
    if (stream->io_watcher.fd < 0) return UV_EBADF;
    if (!(stream->flags & HANDLE_WRITABLE)) return UV_EPIPE;
    request->type = UV_WRITE;
    request->handle = stream;
    request->cb = callback;
    request->error = 0;
    request->write_index = 0;
    request->nbufs = count;
    request->bufs = checked(malloc(count * sizeof *slices));
    request->queue[0] = NULL;
    memcpy(request->bufs, slices, count * sizeof *slices);
    stream->loop->active_reqs.count++;
    bool was_empty = stream->write_queue_size == 0;
    for (unsigned int i = 0; i < count; i++) stream->write_queue_size += slices[i].len;
    uv_write_t *last = stream->write_queue[1];
    if (last) last->queue[0] = request; else stream->write_queue[0] = request;
    stream->write_queue[1] = request;
    if (stream->connect_req) return 0;
    if (was_empty) {
        write_stream(stream);
    } else {
        stream->flags |= HANDLE_WANTS_ROOM;
    }
    return 0;
}

static void call_written(uv_stream_t *stream) {
    uv_write_t *request = stream->write_completed_queue[0];
    stream->write_completed_queue[0] = stream->write_completed_queue[1] = NULL;
    for (uv_write_t *next; request; request = next) {
        next = request->queue[0];
        stream->loop->active_reqs.count--;
        for (unsigned int i = request->write_index; i < request->nbufs; i++)
            stream->write_queue_size -= request->bufs[i].len;
        free(request->bufs);
        request->bufs = NULL;
        if (request->cb) request->cb(request, request->error);
    }
}

static void end_requests(uv_stream_t *stream, int error) {
    while (stream->write_queue[0]) {
        uv_write_t *request = stream->write_queue[0];
        request->error = error;
        finish_request(stream, request);
    }
}

static void serve_writing(simulated_socket *socket) {
    uv_stream_t *stream = socket->stream;
    write_stream(stream);
    call_written(stream);
    if (socket->stream && !(stream->flags & (HANDLE_READING | HANDLE_WANTS_ROOM)) && !stream->connection_cb)
        handle_stop((uv_handle_t *)stream);
}

// MARK: What the loop asks

int stream_events(simulated_socket *socket) {
    uv_stream_t *stream = socket->stream;
    if (!stream) return 0;
    if (stream->connection_cb) return stream->accepted_fd == -1 && socket->waiting_count > 0 ? POLLIN : 0;
    if (stream->connect_req) return socket->state != SOCKET_CONNECTING ? POLLOUT : 0;
    int wanted = (stream->flags & HANDLE_READING ? POLLIN : 0) | (stream->flags & HANDLE_WANTS_ROOM ? POLLOUT : 0);
    if (!wanted) return 0;
    int events = 0;
    if (wanted & POLLIN && socket_is_readable(socket)) events |= POLLIN;
    if (wanted & POLLOUT && socket_is_writable(socket)) events |= POLLOUT;
    if (socket->error) events |= POLLERR;
    if (socket_is_hung_up(socket)) events |= POLLHUP;
    return events;
}

void stream_serve(simulated_socket *socket, int events) {
    uv_stream_t *stream = socket->stream;
    if (stream->connection_cb) {
        serve_listener(socket);
        return;
    }
    if (stream->connect_req) {
        serve_connect(socket);
        return;
    }
    if (events & (POLLIN | POLLERR | POLLHUP)) read_stream(socket);
    if (!socket->stream) return;
    // libuv does not read once more where poll(2) has said that this was the end. Servers are no libuv programs.
    if (loop_of(stream->loop)->takes_hangups_for_ends && events & POLLHUP && stream->flags & HANDLE_READING && stream->flags & HANDLE_PARTIAL
        && !(stream->flags & HANDLE_ENDED)) {
        uv_buf_t nothing = {.base = NULL, .len = 0};
        tell_end(stream, &nothing);
    }
    if (socket->stream && events & (POLLOUT | POLLERR | POLLHUP)) serve_writing(socket);
}

void stream_pending(simulated_socket *socket) {
    if (socket->stream->connect_req || socket->stream->connection_cb) return;
    serve_writing(socket);
}

void stream_close(uv_stream_t *stream) {
    uv_read_stop(stream);
    handle_stop((uv_handle_t *)stream);
    if (stream->accepted_fd != -1) socket_close(socket_of(stream->accepted_fd));
    stream->accepted_fd = -1;
    if (stream->io_watcher.fd >= 0) socket_close(socket_behind(stream));
    stream->io_watcher.fd = -1;
}

void stream_destroy(uv_stream_t *stream) {
    if (stream->connect_req) {
        stream->loop->active_reqs.count--;
        uv_connect_t *request = stream->connect_req;
        stream->connect_req = NULL;
        request->cb(request, UV_ECANCELED);
    }
    while (stream->write_queue[0]) {
        uv_write_t *request = stream->write_queue[0];
        request->error = UV_ECANCELED;
        stream->write_queue[0] = request->queue[0];
        request->queue[0] = NULL;
        uv_write_t *last = stream->write_completed_queue[1];
        if (last) last->queue[0] = request; else stream->write_completed_queue[0] = request;
        stream->write_completed_queue[1] = request;
    }
    call_written(stream);
}
