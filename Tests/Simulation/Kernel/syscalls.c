// The socket calls, the clock and the randomness that the library uses without libuv. What concerns no simulated descriptor
// goes to the kernel.
#define _GNU_SOURCE
#define OPENSSL_SUPPRESS_DEPRECATED
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernel.h"

static int result(long code) {
    if (code >= 0) return (int)code;
    errno = (int)-code;
    return -1;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size) {
    simulated_socket *socket = socket_of(fd);
    if (fd == DIAG_DESCRIPTOR) return 0;
    if (!socket) return (int)syscall(SYS_setsockopt, fd, level, name, value, size);
    if (level == SOL_SOCKET && name == SO_LINGER) {
        const struct linger *linger = value;
        socket->resets_on_close = linger->l_onoff && linger->l_linger == 0;
    }
    return 0;
}

int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict size) {
    simulated_socket *socket = socket_of(fd);
    if (!socket) return (int)syscall(SYS_getsockopt, fd, level, name, value, size);
    if (level == SOL_SOCKET && name == SO_ERROR && *size >= sizeof(int)) {
        // Told once, as the kernel does.
        *(int *)value = socket->error;
        socket->error = 0;
        return 0;
    }
    if (level != IPPROTO_TCP || name != TCP_INFO || *size < sizeof(struct tcp_info)) return result(-ENOPROTOOPT);
    struct tcp_info *info = value;
    memset(info, 0, sizeof *info);
    info->tcpi_state = socket_is_over(socket) ? TCP_CLOSE : socket->state == SOCKET_CONNECTING ? TCP_SYN_SENT : TCP_ESTABLISHED;
    info->tcpi_last_ack_recv = (uint32_t)((sim_now() - socket->last_heard) / 1000);
    if (socket->link && socket->state == SOCKET_OPEN) {
        const flow *way = &socket->link->flows[socket->side];
        info->tcpi_unacked = way->sent > way->acked || (way->end_sent && !way->end_acked);
        bool is_probing = way->written > way->sent && socket->link->hole_until > sim_now()
            && sim_now() - socket->link->hole_since > 2000000;
        info->tcpi_probes = is_probing ? 3 : 0;
    }
    return 0;
}

int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    simulated_socket *socket = socket_of(fd);
    if (!socket) return (int)syscall(SYS_ioctl, fd, request, argument);
    if (request != SIOCOUTQ) return result(-EINVAL);
    *(int *)argument = 0;
    if (socket->link && socket->state != SOCKET_CONNECTING) {
        const flow *way = &socket->link->flows[socket->side];
        *(int *)argument = (int)(way->written - way->acked) + (way->has_end && !way->end_acked);
    }
    return 0;
}

int shutdown(int fd, int how) {
    simulated_socket *socket = socket_of(fd);
    if (!socket) return (int)syscall(SYS_shutdown, fd, how);
    return how == SHUT_WR ? result(socket_shut(socket)) : result(-EINVAL);
}

int poll(struct pollfd *asked, nfds_t count, int timeout) { return (int)syscall(SYS_poll, asked, count, timeout); }

// MARK: sock_diag(7)

static struct {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
} question;

int socket(int domain, int type, int protocol) {
    if (is_active && domain == AF_NETLINK && protocol == NETLINK_SOCK_DIAG) return DIAG_DESCRIPTOR;
    // The network of the host that runs the simulation is no part of it.
    if (is_active && domain == AF_NETLINK) return result(-EPERM);
    return (int)syscall(SYS_socket, domain, type, protocol);
}

// Only asked whether an address is the host's own: the simulated one keeps its addresses.
int bind(int fd, const struct sockaddr *address, socklen_t size) {
    return is_active ? 0 : (int)syscall(SYS_bind, fd, address, size);
}

ssize_t send(int fd, const void *bytes, size_t count, int flags) {
    if (fd != DIAG_DESCRIPTOR) return syscall(SYS_sendto, fd, bytes, count, flags, NULL, 0);
    if (count != sizeof question) return result(-EINVAL);
    memcpy(&question, bytes, count);
    return (ssize_t)count;
}

ssize_t recv(int fd, void *bytes, size_t count, int flags) {
    if (fd != DIAG_DESCRIPTOR) return syscall(SYS_recvfrom, fd, bytes, count, flags, NULL, NULL);
    const struct inet_diag_sockid *id = &question.request.id;
    simulated_socket *found =
        socket_find(ntohl(id->idiag_src[0]), ntohs(id->idiag_sport), ntohl(id->idiag_dst[0]), ntohs(id->idiag_dport));
    struct {
        struct nlmsghdr header;
        union {
            struct nlmsgerr error;
            struct inet_diag_msg message;
        } body;
    } answer;
    memset(&answer, 0, sizeof answer);
    if (!found || socket_is_over(found)) {
        answer.header.nlmsg_type = NLMSG_ERROR;
        answer.header.nlmsg_len = NLMSG_LENGTH(sizeof answer.body.error);
        answer.body.error.error = -ENOENT;
    } else {
        answer.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
        answer.header.nlmsg_len = NLMSG_LENGTH(sizeof answer.body.message);
        answer.body.message.idiag_inode = found->is_owned ? (uint32_t)found->descriptor : 0;
        answer.body.message.idiag_rqueue = (uint32_t)socket_unread(found);
    }
    if (count > answer.header.nlmsg_len) count = answer.header.nlmsg_len;
    memcpy(bytes, &answer, count);
    return (ssize_t)count;
}

int close(int fd) { return fd == DIAG_DESCRIPTOR ? 0 : (int)syscall(SYS_close, fd); }

// MARK: Clock and randomness

// Some day, so that wall-clock times of a run are the same each time.
#define EPOCH_SECONDS 1700000000ll

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!is_active || clock != CLOCK_REALTIME) return (int)syscall(SYS_clock_gettime, clock, time);
    time->tv_sec = EPOCH_SECONDS + (time_t)(sim_now() / 1000000);
    time->tv_nsec = (long)(sim_now() % 1000000) * 1000;
    return 0;
}

int uv_gettimeofday(uv_timeval64_t *time) {
    time->tv_sec = EPOCH_SECONDS + (int64_t)(sim_now() / 1000000);
    time->tv_usec = (int32_t)(sim_now() % 1000000);
    return 0;
}

// OpenSSL's, of a sequence of its own, so that a seed's other draws are the same with TLS and without.
static uint64_t secrets;

static int random_seed(const void *bytes, int count) { return (void)bytes, (void)count, 1; }
static int random_add(const void *bytes, int count, double entropy) { return (void)bytes, (void)count, (void)entropy, 1; }
static int random_status(void) { return 1; }

static int random_bytes(unsigned char *bytes, int count) {
    for (int i = 0; i < count; i++) bytes[i] = (unsigned char)(mixed(secrets += 0x9e3779b97f4a7c15) >> 56);
    return 1;
}

void secrets_begin(uint64_t seed) {
    static const RAND_METHOD method = {
        .seed = random_seed, .bytes = random_bytes, .add = random_add, .pseudorand = random_bytes, .status = random_status,
    };
    secrets = mixed(seed);
    RAND_set_rand_method(&method);
}

int uv_random(uv_loop_t *loop, uv_random_t *request, void *bytes, size_t count, unsigned flags, uv_random_cb callback) {
    (void)loop, (void)request, (void)flags, (void)callback;
    for (size_t i = 0; i < count; i++) ((uint8_t *)bytes)[i] = (uint8_t)sim_random();
    return 0;
}
