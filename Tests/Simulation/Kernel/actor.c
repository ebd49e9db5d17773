// Sockets without a loop: clients and pods.
#include <errno.h>

#include "kernel.h"

static simulated_socket *own(simulated_socket *socket, uint64_t token) {
    socket->is_owned = true;
    socket->token = token;
    return socket;
}

int sim_listen(uint32_t ip, uint16_t port, uint64_t token) {
    simulated_socket *socket = socket_make(NULL);
    int code = socket_bind(socket, ip, port);
    if (code < 0) {
        socket->state = SOCKET_OVER;
        return code;
    }
    socket->state = SOCKET_LISTENING;
    return own(socket, token)->descriptor;
}

int sim_accept(int descriptor, uint64_t token) {
    simulated_socket *listener = socket_of(descriptor);
    listener->is_marked = false;
    if (listener->waiting_count == 0) return SIM_AGAIN;
    simulated_socket *socket = listener->waiting[0];
    listener->waiting_count--;
    for (size_t i = 0; i < listener->waiting_count; i++) listener->waiting[i] = listener->waiting[i + 1];
    own(socket, token);
    if (socket_is_readable(socket)) socket_mark(socket);
    return socket->descriptor;
}

int sim_connect(uint32_t source, uint32_t ip, uint16_t port, uint64_t token) {
    simulated_socket *socket = own(socket_make(NULL), token);
    socket->ip = source;
    socket_connect(socket, ip, port);
    return socket->descriptor;
}

int sim_connected(int descriptor) {
    simulated_socket *socket = socket_of(descriptor);
    socket->is_marked = false;
    if (socket->state == SOCKET_CONNECTING) return 0;
    if (socket->error) return -socket->error;
    return 1;
}

size_t sim_room(int descriptor) { return socket_room(socket_of(descriptor)); }

long sim_send(int descriptor, const void *bytes, size_t count) {
    return socket_send(socket_of(descriptor), bytes, count);
}

long sim_recv(int descriptor, void *bytes, size_t count) {
    return socket_receive(socket_of(descriptor), bytes, count);
}

void sim_shutdown(int descriptor) { (void)socket_shut(socket_of(descriptor)); }

void sim_close(int descriptor, int resets) {
    simulated_socket *socket = socket_of(descriptor);
    if (resets) socket->resets_on_close = true;
    socket_close(socket);
}
