// TCP between the sockets of this process: segments, acknowledgements, windows, ends and resets, as Linux does them.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

// tcp(7): a SYN that is not answered is sent again after 1, 3, 7, … seconds, and given up after 127.
#define SYN_PATIENCE 127000000ull
// What libuv sets: ten probes, a second apart.
#define KEEPALIVE_PROBES 10000000ull
#define WAITING_MAX 4096
#define PORTS 65536

static simulated_socket **sockets;
static size_t socket_count, socket_capacity;
static connection **connections;
static size_t connection_count, connection_capacity;
// Who connected from a port.
static simulated_socket *by_port[PORTS];
static uint16_t next_port;
static sim_link links[SIM_NETWORKS];
static uint64_t deaf_until[SIM_NETWORKS];
static struct { uint64_t since, until; int share; } holes[SIM_NETWORKS];
uint64_t emfile_count;
static uint64_t severed_count;

void tcp_begin(void) {
    next_port = 32768;
    emfile_count = severed_count = 0;
    memset(by_port, 0, sizeof by_port);
    memset(deaf_until, 0, sizeof deaf_until);
    memset(holes, 0, sizeof holes);
    sim_link near = {
        .latency = 20, .jitter = 10, .rate = 1000000, .segment_max = 65536, .send_buffer = 65536, .receive_buffer = 65536,
    };
    for (int network = 0; network < SIM_NETWORKS; network++) links[network] = near;
}

void tcp_end(void) {
    for (size_t i = 0; i < socket_count; i++) {
        free(sockets[i]->waiting);
        free(sockets[i]);
    }
    for (size_t i = 0; i < connection_count; i++) {
        free(connections[i]->flows[0].ring);
        free(connections[i]->flows[1].ring);
        free(connections[i]);
    }
    socket_count = connection_count = 0;
}

void sim_set_link(int network, sim_link link) { links[network] = link; }
uint64_t sim_emfile_count(void) { return emfile_count; }
uint64_t sim_severed_count(void) { return severed_count; }

// MARK: Sockets

simulated_socket *socket_make(simulated_loop *loop) {
    simulated_socket *made = checked(calloc(1, sizeof *made));
    if (socket_count == socket_capacity) {
        socket_capacity = socket_capacity ? socket_capacity * 2 : 256;
        sockets = checked(realloc(sockets, socket_capacity * sizeof *sockets));
    }
    made->descriptor = FIRST_DESCRIPTOR + (int)socket_count;
    made->loop = loop;
    sockets[socket_count++] = made;
    return made;
}

simulated_socket *socket_of(int descriptor) {
    size_t place = (size_t)(descriptor - FIRST_DESCRIPTOR);
    return descriptor < FIRST_DESCRIPTOR || place >= socket_count ? NULL : sockets[place];
}

void socket_mark(simulated_socket *socket) {
    if (!socket->is_owned || socket->is_marked) return;
    if (socket->loop) {
        socket->is_marked = true;
        loop_mark(socket->loop, socket->descriptor);
    } else if (socket->token) {
        socket->is_marked = true;
        token_ready(socket->token);
    }
}

static simulated_socket *listener_at(uint32_t ip, uint16_t port) {
    for (size_t i = 0; i < socket_count; i++) {
        simulated_socket *socket = sockets[i];
        if (socket->state == SOCKET_LISTENING && socket->ip == ip && socket->port == port) return socket;
    }
    return NULL;
}

static uint16_t free_port(void) {
    uint16_t port = next_port;
    next_port = next_port == 65535 ? 10000 : next_port + 1;
    return port;
}

int socket_bind(simulated_socket *socket, uint32_t ip, uint16_t port) {
    if (port == 0) port = free_port();
    if (listener_at(ip, port)) return -EADDRINUSE;
    socket->ip = ip;
    socket->port = port;
    return 0;
}

simulated_socket *socket_find(uint32_t ip, uint16_t port, uint32_t peer_ip, uint16_t peer_port) {
    for (int turn = 0; turn < 2; turn++) {
        simulated_socket *socket = by_port[turn ? peer_port : port];
        if (!socket || !socket->link) continue;
        if (turn) socket = socket->link->ends[!socket->side];
        if (socket && socket->ip == ip && socket->port == port && socket->peer_ip == peer_ip
            && socket->peer_port == peer_port)
            return socket;
    }
    return NULL;
}

// MARK: Connecting

static int network_of(uint32_t ip) {
    if (ip >> 24 == 127) return SIM_LOCAL;
    return ip >> 16 == (10 << 8 | 1) ? SIM_UPSTREAM : SIM_POD;
}

static uint64_t delay(connection *link) { return link->link.latency + random_below(link->link.jitter + 1); }

void socket_connect(simulated_socket *socket, uint32_t ip, uint16_t port) {
    connection *link = checked(calloc(1, sizeof *link));
    if (connection_count == connection_capacity) {
        connection_capacity = connection_capacity ? connection_capacity * 2 : 256;
        connections = checked(realloc(connections, connection_capacity * sizeof *connections));
    }
    link->number = (int)++connection_count;
    connections[connection_count - 1] = link;
    link->network = network_of(ip);
    link->link = links[link->network];
    link->ends[0] = socket;
    link->flows[0].cut_at = link->flows[1].cut_at = NEVER;
    socket->state = SOCKET_CONNECTING;
    socket->link = link;
    socket->side = 0;
    socket->peer_ip = ip;
    socket->peer_port = port;
    if (socket->port == 0) socket->port = free_port();
    by_port[socket->port] = socket;
    say("connection %d (network %d): %u connects to port %u", link->number, link->network, socket->port, port);
    event_push((event){.at = sim_now() + delay(link), .kind = EVENT_SYN, .link = link, .subject = socket, .count = 0});
}

// The n-th SYN comes after 2^n - 1 seconds.
static void syn_again(const event *item) {
    uint64_t tries = item->count + 1, since = item->at - (((1ull << item->count) - 1) * 1000000);
    uint64_t at = since + ((1ull << tries) - 1) * 1000000;
    event again = *item;
    again.count = tries;
    again.at = at;
    if (at - since >= SYN_PATIENCE) {
        again.kind = EVENT_SYN_ANSWER;
        again.error = ETIMEDOUT;
    }
    event_push(again);
}

static void syn_arrives(const event *item) {
    connection *link = item->link;
    simulated_socket *client = link->ends[0];
    if (client->state != SOCKET_CONNECTING || !client->is_owned) return;
    simulated_socket *listener = listener_at(client->peer_ip, client->peer_port);
    bool is_unreachable = link->network == SIM_UPSTREAM && !listener && client->peer_ip != (10 << 24 | 1 << 16 | 1);
    if (is_unreachable || deaf_until[link->network] > sim_now()
        || (listener && listener->waiting_count >= WAITING_MAX)) {
        syn_again(item);
        return;
    }
    event answer = {.at = sim_now() + delay(link), .kind = EVENT_SYN_ANSWER, .link = link};
    if (!listener) {
        answer.error = ECONNREFUSED;
        event_push(answer);
        return;
    }
    simulated_socket *server = socket_make(listener->loop);
    server->state = SOCKET_OPEN;
    server->resets_on_close = listener->resets_on_close;
    server->keepalive = listener->keepalive;
    server->ip = client->peer_ip;
    server->port = client->peer_port;
    server->peer_ip = client->ip;
    server->peer_port = client->port;
    server->link = link;
    server->side = 1;
    server->last_heard = sim_now();
    link->ends[1] = server;
    link->flows[1].last_arrival = answer.at;
    if (holes[link->network].until > sim_now() && (int)random_below(256) < holes[link->network].share) {
        link->hole_since = sim_now();
        link->hole_until = holes[link->network].until;
    }
    if (listener->waiting_count == listener->waiting_capacity) {
        listener->waiting_capacity = listener->waiting_capacity ? listener->waiting_capacity * 2 : 16;
        listener->waiting = checked(
            realloc(listener->waiting, listener->waiting_capacity * sizeof *listener->waiting)
        );
    }
    listener->waiting[listener->waiting_count++] = server;
    socket_mark(listener);
    event_push(answer);
}

static void reset_peer(connection *link, int to, uint64_t not_before) {
    uint64_t at = sim_now() + delay(link);
    event_push((event){.at = at > not_before ? at : not_before, .kind = EVENT_RESET, .link = link, .side = to});
}

static void syn_answered(const event *item) {
    simulated_socket *client = item->link->ends[0];
    if (client->state != SOCKET_CONNECTING) return;
    if (!client->is_owned) {
        client->state = SOCKET_OVER;
        if (!item->error) reset_peer(item->link, 1, 0);
        return;
    }
    client->last_heard = sim_now();
    client->error = item->error;
    client->state = item->error ? SOCKET_OVER : SOCKET_OPEN;
    say("connection %d (network %d): %s", item->link->number, item->link->network,
        item->error ? strerror(item->error) : "connected");
    socket_mark(client);
}

// MARK: Sending

static void pump(connection *link, int side);

static void pump_at(connection *link, int side, uint64_t at) {
    if (link->flows[side].is_pumping) return;
    link->flows[side].is_pumping = true;
    event_push((event){.at = at, .kind = EVENT_PUMP, .link = link, .side = side});
}

static void pump(connection *link, int side) {
    flow *way = &link->flows[side];
    if (way->is_pumping || !link->ends[0] || !link->ends[1]) return;
    for (;;) {
        simulated_socket *sender = link->ends[side];
        if (sender->state != SOCKET_OPEN) return;
        if (link->is_severed) {
            if (way->written > way->sent) reset_peer(link, side, 0);
            return;
        }
        uint64_t count = way->written - way->sent, under_way = way->sent - way->read;
        uint64_t room = under_way < link->link.receive_buffer ? link->link.receive_buffer - under_way : 0;
        if (count > room) {
            count = room;
            way->owes_window = true;
        }
        uint64_t segment = 1 + random_below(link->link.segment_max);
        if (count > segment) count = segment;
        bool is_last = way->has_end && !way->end_sent && way->sent + count == way->written;
        if (count == 0 && !is_last) return;
        if (way->free_at > sim_now()) {
            pump_at(link, side, way->free_at);
            return;
        }
        way->sent += count;
        way->end_sent |= is_last;
        way->free_at = sim_now() + count * 1000 / link->link.rate;
        uint64_t at = way->free_at + delay(link);
        if (at < way->last_arrival) at = way->last_arrival;
        way->last_arrival = at;
        event_push((event){
            .at = at, .kind = EVENT_ARRIVAL, .link = link, .side = side, .count = count, .has_end = is_last,
        });
    }
}

size_t socket_room(const simulated_socket *socket) {
    if (socket->state != SOCKET_OPEN) return 0;
    const flow *way = &socket->link->flows[socket->side];
    uint64_t used = way->written - way->acked, most = socket->link->link.send_buffer;
    return used < most ? most - used : 0;
}

long socket_send(simulated_socket *socket, const void *bytes, size_t count) {
    socket->is_marked = socket->loop ? socket->is_marked : false;
    if (socket->error) {
        int error = socket->error;
        socket->error = 0;
        return -error;
    }
    if (socket->state == SOCKET_CONNECTING) return -EAGAIN;
    if (socket->state != SOCKET_OPEN) return -EPIPE;
    flow *way = &socket->link->flows[socket->side];
    if (way->has_end) return -EPIPE;
    size_t room = socket_room(socket);
    if (room == 0) return -EAGAIN;
    if (count > room) count = room;
    uint64_t kept = way->written - way->read;
    if (kept + count > way->capacity) {
        size_t capacity = way->capacity ? way->capacity : 2048;
        while (capacity < kept + count) capacity *= 2;
        uint8_t *ring = checked(malloc(capacity));
        for (uint64_t at = way->read; at < way->written; at++)
            ring[at & (capacity - 1)] = way->ring[at & (way->capacity - 1)];
        free(way->ring);
        way->ring = ring;
        way->capacity = capacity;
    }
    size_t start = way->written & (way->capacity - 1);
    size_t first = way->capacity - start < count ? way->capacity - start : count;
    memcpy(way->ring + start, bytes, first);
    memcpy(way->ring, (const uint8_t *)bytes + first, count - first);
    way->written += count;
    if (sim_verbosity > 1) say("connection %d: side %d sends %zu", socket->link->number, socket->side, count);
    pump(socket->link, socket->side);
    return (long)count;
}

int socket_shut(simulated_socket *socket) {
    if (socket->state != SOCKET_OPEN) return -ENOTCONN;
    socket->link->flows[socket->side].has_end = true;
    pump(socket->link, socket->side);
    return 0;
}

// MARK: Receiving

uint64_t socket_unread(const simulated_socket *socket) {
    if (!socket->link || !socket->link->ends[1]) return 0;
    const flow *way = &socket->link->flows[!socket->side];
    return way->delivered - way->read;
}

long socket_receive(simulated_socket *socket, void *bytes, size_t count) {
    socket->is_marked = socket->loop ? socket->is_marked : false;
    uint64_t unread = socket_unread(socket);
    if (unread > 0) {
        flow *way = &socket->link->flows[!socket->side];
        if (count > unread) count = unread;
        size_t start = way->read & (way->capacity - 1);
        size_t first = way->capacity - start < count ? way->capacity - start : count;
        memcpy(bytes, way->ring + start, first);
        memcpy((uint8_t *)bytes + first, way->ring, count - first);
        way->read += count;
        if (sim_verbosity > 1) say("connection %d: side %d reads %zu", socket->link->number, socket->side, count);
        // The sender learns of the room a moment later.
        if (way->owes_window && way->delivered - way->read <= socket->link->link.receive_buffer / 2) {
            way->owes_window = false;
            pump_at(socket->link, !socket->side, sim_now() + delay(socket->link));
        }
        return (long)count;
    }
    if (socket->error) {
        int error = socket->error;
        socket->error = 0;
        return -error;
    }
    if (socket->state == SOCKET_OVER) return 0;
    if (socket->state != SOCKET_OPEN) return -EAGAIN;
    return socket->link->flows[!socket->side].end_delivered ? 0 : -EAGAIN;
}

// MARK: What poll(2) and TCP_INFO would say

bool socket_is_readable(const simulated_socket *socket) {
    if (socket->state == SOCKET_LISTENING) return socket->waiting_count > 0;
    if (socket->state == SOCKET_OVER || socket->error || socket_unread(socket) > 0) return true;
    return socket->state == SOCKET_OPEN && socket->link->flows[!socket->side].end_delivered;
}

bool socket_is_writable(const simulated_socket *socket) {
    if (socket->state == SOCKET_OVER || socket->error) return true;
    if (socket->state != SOCKET_OPEN) return false;
    const flow *way = &socket->link->flows[socket->side];
    uint64_t used = way->written - way->acked, most = socket->link->link.send_buffer;
    return way->has_end || (used < most && most - used >= used / 2);
}

bool socket_is_hung_up(const simulated_socket *socket) {
    if (socket->state == SOCKET_OVER) return true;
    if (socket->state != SOCKET_OPEN) return false;
    return socket->link->flows[!socket->side].end_delivered && socket->link->flows[socket->side].has_end;
}

bool socket_is_over(const simulated_socket *socket) {
    if (socket->state != SOCKET_OPEN) return socket->state == SOCKET_OVER;
    return socket->link->flows[!socket->side].end_delivered && socket->link->flows[socket->side].end_acked;
}

// MARK: Ends

static void become_reset(simulated_socket *socket, int error) {
    if (socket->state != SOCKET_OPEN && socket->state != SOCKET_CONNECTING) return;
    say("connection %d (network %d): side %d is reset", socket->link->number, socket->link->network, socket->side);
    socket->state = SOCKET_OVER;
    socket->was_reset = true;
    socket->error = error;
    socket_mark(socket);
}

// Ends a connection from its one side without a word more.
static void abort_connection(simulated_socket *socket) {
    connection *link = socket->link;
    flow *way = &link->flows[socket->side];
    socket->state = SOCKET_OVER;
    way->written = way->sent;
    reset_peer(link, !socket->side, way->last_arrival);
}

void socket_close(simulated_socket *socket) {
    if (!socket->is_owned) return;
    if (socket->link)
        say("connection %d (network %d): side %d closes%s, %llu unread", socket->link->number, socket->link->network,
            socket->side, socket->resets_on_close ? " with a reset" : "", (unsigned long long)socket_unread(socket));
    socket->is_owned = false;
    socket->token = 0;
    socket->stream = NULL;
    if (socket->loop) socket->loop->descriptors--;
    switch (socket->state) {
    case SOCKET_LISTENING:
        for (size_t i = 0; i < socket->waiting_count; i++) abort_connection(socket->waiting[i]);
        socket->waiting_count = 0;
        socket->state = SOCKET_OVER;
        break;
    case SOCKET_OPEN:
        if (socket->resets_on_close || socket_unread(socket) > 0) {
            abort_connection(socket);
        } else {
            socket->link->flows[socket->side].has_end = true;
            pump(socket->link, socket->side);
        }
        break;
    case SOCKET_NEW: socket->state = SOCKET_OVER; break;
    case SOCKET_CONNECTING: case SOCKET_OVER: break;
    }
}

// A middlebox or the far process is gone in the middle of a byte stream.
static void sever(connection *link) {
    link->is_severed = true;
    severed_count++;
    say("connection %d (network %d) is cut by %s", link->number, link->network, link->cut_resets ? "a reset" : "an end");
    for (int side = 0; side < 2; side++) {
        flow *way = &link->flows[side];
        way->sent = way->written = way->delivered;
        if (link->cut_resets) {
            become_reset(link->ends[side], ECONNRESET);
        } else {
            way->has_end |= false;
            link->flows[side].end_delivered = true;
            socket_mark(link->ends[!side]);
        }
    }
}

static void segment_arrives(const event *item) {
    connection *link = item->link;
    flow *way = &link->flows[item->side];
    simulated_socket *receiver = link->ends[!item->side];
    if (link->is_severed) return;
    bool is_gone = receiver->state != SOCKET_OPEN || (!receiver->is_owned && link->flows[!item->side].has_end);
    if (is_gone && (item->count > 0 || receiver->state != SOCKET_OPEN)) {
        // Nobody will read it.
        if (receiver->was_reset) return;
        if (item->count > 0) {
            receiver->state = SOCKET_OVER;
            reset_peer(link, item->side, 0);
        }
        return;
    }
    uint64_t count = item->count;
    bool is_cut = way->cut_at != NEVER && way->delivered + count >= way->cut_at;
    if (is_cut) count = way->cut_at - way->delivered;
    way->delivered += count;
    receiver->last_heard = sim_now();
    if (is_cut) {
        sever(link);
        return;
    }
    way->end_delivered |= item->has_end;
    event_push((event){
        .at = sim_now() + delay(link), .kind = EVENT_ACK, .link = link, .side = item->side, .count = way->delivered,
        .has_end = way->end_delivered,
    });
    socket_mark(receiver);
}

static void acknowledged(const event *item) {
    flow *way = &item->link->flows[item->side];
    simulated_socket *sender = item->link->ends[item->side];
    if (item->link->is_severed) return;
    sender->last_heard = sim_now();
    if (item->count > way->acked) way->acked = item->count;
    way->end_acked |= item->has_end;
    socket_mark(sender);
    pump(item->link, item->side);
}

static void keepalive_over(const event *item) {
    connection *link = item->link;
    simulated_socket *socket = link->ends[item->side];
    const flow *way = &link->flows[item->side];
    if (link->hole_until <= sim_now() || way->sent != way->acked || !socket->is_owned) return;
    if (socket->last_heard + socket->keepalive + KEEPALIVE_PROBES > sim_now()) return;
    say("connection %d: no answer to keep-alive", link->number);
    become_reset(socket, ETIMEDOUT);
    simulated_socket *peer = link->ends[!item->side];
    if (!peer || peer->keepalive == 0) return;
    // The other side asks too, once the way is there again, and is told that there is no such connection.
    uint64_t at = peer->last_heard + peer->keepalive;
    if (at < link->hole_until) at = link->hole_until;
    event_push((event){.at = at + delay(link), .kind = EVENT_RESET, .link = link, .side = !item->side});
}

void tcp_event(const event *item) {
    connection *link = item->link;
    bool is_packet = item->kind != EVENT_PUMP && item->kind != EVENT_KEEPALIVE;
    if (is_packet && link->hole_until > sim_now() && item->kind != EVENT_SYN) {
        // Sent again when the way is there again.
        event again = *item;
        again.at = link->hole_until;
        event_push(again);
        return;
    }
    switch (item->kind) {
    case EVENT_SYN: syn_arrives(item); break;
    case EVENT_SYN_ANSWER: syn_answered(item); break;
    case EVENT_ARRIVAL: segment_arrives(item); break;
    case EVENT_ACK: acknowledged(item); break;
    case EVENT_PUMP:
        link->flows[item->side].is_pumping = false;
        pump(link, item->side);
        break;
    case EVENT_RESET:
        if (link->ends[item->side])
            become_reset(link->ends[item->side],
                         link->flows[!item->side].end_delivered ? EPIPE : ECONNRESET);
        break;
    case EVENT_KEEPALIVE: keepalive_over(item); break;
    case EVENT_TOKEN: case EVENT_RESOLVED: break;
    }
}

// MARK: Faults

static bool is_live(const connection *link) {
    return link->ends[0] && link->ends[1] && link->ends[0]->state == SOCKET_OPEN && link->ends[1]->state == SOCKET_OPEN
        && !link->is_severed;
}

void sim_hole(int network, uint64_t until, int share) {
    holes[network].since = sim_now();
    holes[network].until = until;
    holes[network].share = share;
    for (size_t i = 0; i < connection_count; i++) {
        connection *link = connections[i];
        if (link->network != network || !is_live(link) || (int)random_below(256) >= share) continue;
        link->hole_since = sim_now();
        link->hole_until = until;
        say("connection %d (network %d) is in a hole until %.3f s", link->number, network, (double)until / 1e6);
        for (int side = 0; side < 2; side++) {
            simulated_socket *end = link->ends[side];
            if (end->keepalive == 0) continue;
            uint64_t at = end->last_heard + end->keepalive;
            if (at < sim_now()) at = sim_now();
            event_push((event){.at = at + KEEPALIVE_PROBES, .kind = EVENT_KEEPALIVE, .link = link, .side = side});
        }
    }
}

void sim_stall(int network, uint64_t until) { sim_hole(network, until, 256); }

int sim_cut(int network, int share, uint64_t bytes, int resets) {
    int count = 0;
    for (size_t i = 0; i < connection_count; i++) {
        connection *link = connections[i];
        if (link->network != network || !is_live(link) || (int)random_below(256) >= share) continue;
        flow *way = &link->flows[random_below(2)];
        way->cut_at = way->delivered + 1 + random_below(bytes);
        link->cut_resets = resets;
        count++;
    }
    return count;
}

void sim_uncut(void) {
    for (size_t i = 0; i < connection_count; i++)
        connections[i]->flows[0].cut_at = connections[i]->flows[1].cut_at = NEVER;
}

void sim_deaf(int network, uint64_t until) { deaf_until[network] = until; }

int sim_connection_count(int network) {
    int count = 0;
    for (size_t i = 0; i < connection_count; i++) count += connections[i]->network == network && is_live(connections[i]);
    return count;
}
