// What Swift cannot import of libuv and of the socket calls that libuv has no name for.
#pragma once
#include <errno.h>
#include <fcntl.h>
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
