// What Swift cannot import of libuv and of the socket calls that libuv has no name for.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

// Whether a close of this socket, also by the death of the process, sends RST and drops what the kernel has not sent.
// (uv_tcp_close_reset refuses while a shutdown is pending.)
static inline int ffwd_set_reset_on_close(int fd, int resets) {
    struct linger option = {.l_onoff = resets, .l_linger = 0};
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, sizeof option) == 0 ? 0 : -errno;
}

// Bytes in the send queue that the other side has not acknowledged; negative: an error.
static inline int ffwd_unsent_bytes(int fd) {
    int bytes = 0;
    return ioctl(fd, SIOCOUTQ, &bytes) == 0 ? bytes : -errno;
}

// Whether a TCP connection is over in both directions, as after a reset that nobody has read yet.
static inline int ffwd_is_tcp_closed(int fd) {
    struct tcp_info info;
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return -errno;
    return info.tcpi_state == TCP_CLOSE;
}

static inline int ffwd_shutdown_write(int fd) { return shutdown(fd, SHUT_WR) == 0 ? 0 : -errno; }

// A write to a connection that is gone is an error, not a signal.
static inline void ffwd_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

static inline int ffwd_is_ignored(int number) {
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static inline void ffwd_die_by_signal(int number) {
    sigset_t set;
    signal(number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
}

static inline int ffwd_last_error(void) { return errno; }

// Not closed on exec: it stands in for a standard descriptor.
static inline int ffwd_open_null(void) { return open("/dev/null", O_RDWR); }

// A socket for questions about other sockets (sock_diag(7)); needs no privilege.
static inline int ffwd_diag_open(void) {
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0) return -errno;
    // The kernel answers within the call that asks; this only bounds what should not happen.
    struct timeval wait = {.tv_sec = 0, .tv_usec = 100000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    return fd;
}

// Whether the TCP socket that is bound to `source` and connected to `target` still belongs to a process.
// 1: yes; 0: no, or there is no such socket; negative: the question could not be asked.
static inline int ffwd_diag_is_owned(int fd, const struct sockaddr *source, const struct sockaddr *target) {
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } question;
    memset(&question, 0, sizeof question);
    question.header.nlmsg_len = sizeof question;
    question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    question.header.nlmsg_flags = NLM_F_REQUEST;
    question.request.sdiag_family = source->sa_family;
    question.request.sdiag_protocol = IPPROTO_TCP;
    question.request.idiag_states = -1;
    question.request.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    question.request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    if (source->sa_family == AF_INET) {
        const struct sockaddr_in *from = (const void *)source, *to = (const void *)target;
        question.request.id.idiag_sport = from->sin_port;
        question.request.id.idiag_dport = to->sin_port;
        question.request.id.idiag_src[0] = from->sin_addr.s_addr;
        question.request.id.idiag_dst[0] = to->sin_addr.s_addr;
    } else {
        const struct sockaddr_in6 *from = (const void *)source, *to = (const void *)target;
        question.request.id.idiag_sport = from->sin6_port;
        question.request.id.idiag_dport = to->sin6_port;
        memcpy(question.request.id.idiag_src, &from->sin6_addr, 16);
        memcpy(question.request.id.idiag_dst, &to->sin6_addr, 16);
    }
    if (send(fd, &question, sizeof question, 0) < 0) return -errno;
    union {
        struct nlmsghdr header;
        char bytes[4096];
    } answer;
    ssize_t count = recv(fd, &answer, sizeof answer, 0);
    if (count < 0) return -errno;
    if (!NLMSG_OK(&answer.header, (size_t)count)) return -EPROTO;
    if (answer.header.nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = (const void *)NLMSG_DATA(&answer.header);
        return error->error == -ENOENT ? 0 : error->error < 0 ? error->error : -EPROTO;
    }
    if (answer.header.nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg))) return -EPROTO;
    const struct inet_diag_msg *message = (const void *)NLMSG_DATA(&answer.header);
    return message->idiag_inode != 0;
}
