// SPDY/3.1 in WebSocket messages, both ways.
//
// To the pod: clients are read straight into the staging buffer, each behind a gap for the head of its data frame; at
// the end of a turn, or when the buffer is full, it becomes one message. From the pod: a batch of plaintext is walked
// once, and each payload becomes a slice of it for its client.
#include "reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

enum { fin = 1, pairs_max = 1 << 24, control_bytes_max = 64, reads_per_turn_max = 4 };

// By pair; never reused, as the kernel gives memory only for what is touched.
static struct connection **connections;
static uint32_t next_pair;

static char staging_memory[message_header_bytes + batch_bytes];
static char *const staging = staging_memory + message_header_bytes;
static size_t staged;

static struct batch *batch;
static int hold_count;

static void put16(char *target, uint32_t value) {
    target[0] = (char)(value >> 8);
    target[1] = (char)value;
}

static void put32(char *target, uint32_t value) {
    value = __builtin_bswap32(value);
    memcpy(target, &value, 4);
}

static uint32_t get32(const char *source) {
    uint32_t value;
    memcpy(&value, source, 4);
    return __builtin_bswap32(value);
}

// MARK: To the pod

static uint32_t next_key(void) {
    static uint32_t keys[1024];
    static size_t left;
    if (left == 0) {
        for (size_t got = 0; got < sizeof keys;) {
            ssize_t count = getrandom((char *)keys + got, sizeof keys - got, 0);
            if (count < 0) die("no random bytes");
            got += (size_t)count;
        }
        left = sizeof keys / sizeof *keys;
    }
    return keys[--left];
}

static void mask(char *bytes, size_t count, uint32_t key) {
    typedef uint64_t vector __attribute__((vector_size(32)));
    uint64_t word = (uint64_t)key << 32 | key;
    vector wide = {word, word, word, word};
    for (; count >= 2 * sizeof wide; bytes += 2 * sizeof wide, count -= 2 * sizeof wide) {
        vector first, second;
        memcpy(&first, bytes, sizeof first);
        memcpy(&second, bytes + sizeof first, sizeof second);
        first ^= wide;
        second ^= wide;
        memcpy(bytes, &first, sizeof first);
        memcpy(bytes + sizeof first, &second, sizeof second);
    }
    for (; count >= 8; bytes += 8, count -= 8) {
        uint64_t some;
        memcpy(&some, bytes, 8);
        some ^= word;
        memcpy(bytes, &some, 8);
    }
    for (; count > 0; bytes++, count--, word >>= 8) *bytes ^= (char)word;
}

// Makes what is staged one masked message (RFC 6455 §5.2) and encrypts it.
static void seal(void) {
    if (staged == 0) return;
    uint32_t key = next_key();
    mask(staging, staged, key);
    char *head = staging - 4;
    memcpy(head, &key, 4);
    if (staged < 126) {
        *--head = (char)(0x80 | staged);
    } else if (staged < 1 << 16) {
        put16(head -= 2, (uint32_t)staged);
        *--head = (char)(0x80 | 126);
    } else {
        put32(head -= 4, (uint32_t)staged);
        put32(head -= 4, 0);
        *--head = (char)(0x80 | 127);
    }
    *--head = (char)0x82;
    size_t bytes = (size_t)(staging - head) + staged;
    staged = 0;
    tls_write(head, bytes);
}

static char *stage(size_t bytes) {
    if (staged + bytes > batch_bytes) seal();
    char *target = staging + staged;
    staged += bytes;
    return target;
}

// SPDY/3.1 §2.2.2; length and flags share a word.
static void put_data_head(char *target, uint32_t pair, uint32_t flags, size_t bytes) {
    put32(target, 4 * pair + 3);
    put32(target + 4, flags << 24 | (uint32_t)bytes);
}

static char *put_control_head(char *target, uint32_t type, uint32_t flags, size_t bytes) {
    put32(target, 0x80030000u | type);
    put32(target + 4, flags << 24 | (uint32_t)bytes);
    return target + 8;
}

static char *put_header(char *target, const char *name, const char *value) {
    for (const char *text = name; text; text = text == name ? value : NULL) {
        size_t bytes = strlen(text);
        put32(target, (uint32_t)bytes);
        memcpy(target + 4, text, bytes);
        target += 4 + bytes;
    }
    return target;
}

// A SYN_STREAM whose header block is stored, not deflated: 00, length, ~length, text; then an empty stored block.
static void syn_stream(uint32_t id, uint32_t flags, const char *type, const char *port, const char *request) {
    char text[128];
    put32(text, 3);
    char *end = put_header(text + 4, "streamtype", type);
    end = put_header(end, "port", port);
    end = put_header(end, "requestid", request);
    uint32_t bytes = (uint32_t)(end - text);
    bool is_first = id == 1;
    size_t block = (is_first ? 6u : 0u) + 5 + bytes + 5;
    char *target = put_control_head(stage(8 + 10 + block), 1, flags, 10 + block);
    put32(target, id);
    put32(target + 4, 0);
    put16(target + 8, 0);
    target += 10;
    if (is_first) { // zlib's head, with the dictionary's checksum (RFC 1950 §2.2)
        memcpy(target, "\x78\x20\xe3\xc6\xa7\xc2", 6);
        target += 6;
    }
    const char head[5] = {0, (char)bytes, (char)(bytes >> 8), (char)~bytes, (char)(~bytes >> 8)};
    memcpy(target, head, 5);
    memcpy(target + 5, text, bytes);
    memcpy(target + 5 + bytes, "\0\0\0\xff\xff", 5);
}

void tunnel_open(struct connection *connection, const char *port) {
    if (next_pair == pairs_max) die("more connections than this is made for");
    uint32_t pair = connection->pair = next_pair++;
    connections[pair] = connection;
    char digits[12], *request = digits + sizeof digits - 1;
    *request = 0;
    uint32_t number = pair;
    do *--request = (char)('0' + number % 10);
    while (number /= 10);
    syn_stream(4 * pair + 1, fin, "error", port, request);
    syn_stream(4 * pair + 3, 0, "data", port, request);
}

char *tunnel_room(size_t *bytes) {
    if (tls_backlog_bytes() > to_pod_high_bytes) return NULL;
    if (batch_bytes - staged < read_bytes_min) {
        seal();
        if (tls_backlog_bytes() > to_pod_high_bytes) return NULL;
    }
    *bytes = batch_bytes - staged - data_header_bytes;
    return staging + staged + data_header_bytes;
}

void tunnel_send(const struct connection *connection, size_t bytes) {
    put_data_head(staging + staged, connection->pair, 0, bytes);
    staged += data_header_bytes + bytes;
}

void tunnel_send_end(const struct connection *connection) {
    put_data_head(stage(data_header_bytes), connection->pair, fin, 0);
}

void tunnel_send_reset(const struct connection *connection) {
    char *target = put_control_head(stage(16), 3, 0, 8);
    put32(target, 4 * connection->pair + 3);
    put32(target + 4, 5); // CANCEL
}

void tunnel_end_turn(void) {
    seal();
    tls_flush();
    if (tls_backlog_bytes() <= to_pod_low_bytes) local_wake_parked();
}

// MARK: From the pod

// What is under way: a message, and in it a frame.
static uint64_t message_left;
static uint32_t frame_left;
static uint32_t frame_id, frame_flags, control_type; // id 0: a control frame
static struct connection *frame_connection;
static char head_start[message_header_bytes], frame_start[8], control[control_bytes_max];
static uint32_t head_count, frame_count, control_count;

void tunnel_forget(const struct connection *connection) {
    connections[connection->pair] = NULL;
    if (frame_connection == connection) frame_connection = NULL;
}

static struct connection *find(uint32_t id) {
    uint32_t pair = id >> 2;
    return id & 1 && pair < next_pair ? connections[pair] : NULL;
}

static void mark(struct connection *connection, uint16_t flags) {
    if (!connection) return;
    connection->flags |= flags;
    local_touch(connection);
}

static void end_frame(void) {
    if (frame_id) {
        if (frame_flags & fin) mark(frame_connection, frame_id & 2 ? data_ended : error_ended);
        return;
    }
    if (control_type == 3 && control_count >= 4) {
        uint32_t id = get32(control);
        mark(find(id), id & 2 ? failed : error_ended);
    } else if (control_type == 6 && control_count >= 4 && !(control[3] & 1)) {
        put32(put_control_head(stage(12), 6, 0, 4), get32(control));
    } else if (control_type == 7) {
        die("the server goes away");
    }
}

static void begin_frame(const char *head) {
    uint32_t word = get32(head), size = get32(head + 4);
    frame_flags = size >> 24;
    frame_left = size & 0xffffff;
    frame_id = 0;
    if (word >> 31) {
        control_type = word & 0xffff;
        control_count = 0;
    } else {
        frame_id = word;
        frame_connection = find(word);
    }
    if (frame_left == 0) end_frame();
}

static void take_payload(char *bytes, uint32_t count) {
    if (!frame_id) {
        uint32_t room = control_bytes_max - control_count, kept = count < room ? count : room;
        memcpy(control + control_count, bytes, kept);
        control_count += kept;
    } else if (frame_connection) {
        if (frame_id & 2) local_append(frame_connection, bytes, count);
        else mark(frame_connection, failed);
    }
    frame_left -= count;
    if (frame_left == 0) end_frame();
}

static void take_spdy(char *at, char *end) {
    while (at < end) {
        size_t there = (size_t)(end - at);
        if (frame_left > 0) {
            uint32_t count = there < frame_left ? (uint32_t)there : frame_left;
            take_payload(at, count);
            at += count;
        } else if (frame_count == 0 && there >= 8) {
            begin_frame(at);
            at += 8;
        } else {
            frame_start[frame_count++] = *at++;
            if (frame_count < 8) continue;
            frame_count = 0;
            begin_frame(frame_start);
        }
    }
}

// Takes one byte or more of a message's head; RFC 6455 §5.2. The server does not mask.
static char *take_head(char *at, const char *end) {
    while (at < end) {
        head_start[head_count++] = *at++;
        if (head_count < 2) continue;
        uint32_t length = (uint8_t)head_start[1];
        if (head_count < (length == 126 ? 4u : length == 127 ? 10u : 2u)) continue;
        head_count = 0;
        message_left = length;
        if (length == 126) message_left = get32(head_start + 2) >> 16;
        else if (length == 127) message_left = (uint64_t)get32(head_start + 2) << 32 | get32(head_start + 6);
        if (length > 127 || head_start[0] & 8) die("a masked or a control frame from the server");
        break;
    }
    return at;
}

static void take_apart(char *at, char *end) {
    while (at < end) {
        if (message_left == 0) {
            at = take_head(at, end);
            continue;
        }
        size_t there = (size_t)(end - at), count = there < message_left ? there : (size_t)message_left;
        take_spdy(at, at + count);
        message_left -= count;
        at += count;
    }
}

void tunnel_readable(void) {
    for (int turns = 0; turns < reads_per_turn_max && hold_count == 0; turns++) {
        tls_fill();
        size_t count = 0, more;
        while ((more = tls_read(batch->bytes + count, sizeof batch->bytes - count)) > 0) count += more;
        take_apart(batch->bytes, batch->bytes + count);
        batch = local_flush(batch);
        // Less than was asked for: the socket is empty, which needs no asking.
        if (tls_is_drained()) break;
    }
}

void tunnel_hold(bool is_held) {
    hold_count += is_held ? 1 : -1;
    tls_poll_reading(hold_count == 0);
}

// MARK: The upgrade

void tunnel_upgrade(const char *path, const char *host, const char *token) {
    connections = mmap(NULL, pairs_max * sizeof *connections, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (connections == MAP_FAILED) die("no memory");
    batch = local_flush(NULL);
    int bytes = snprintf(staging, batch_bytes,
                         "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: cmVmZXJlbmNlIHlhcmRzdA==\r\n"
                         "Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n%s%s%s\r\n",
                         path, host, token ? "Authorization: Bearer " : "", token ? token : "", token ? "\r\n" : "");
    tls_write(staging, (size_t)bytes);
    tls_flush();
    size_t count = 0;
    char *end = NULL;
    while (!end) {
        count += tls_read(batch->bytes + count, batch_bytes - count);
        end = memmem(batch->bytes, count, "\r\n\r\n", 4);
    }
    if (memcmp(batch->bytes, "HTTP/1.1 101 ", 13) != 0) die("the server refused: %.*s", (int)count, batch->bytes);
    take_apart(end + 4, batch->bytes + count);
}
