// What Swift cannot import of libuv and of the socket calls that libuv has no name for.
#pragma once
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <pthread.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

// Whether a close of this socket, also by the death of the process, sends RST and drops what the kernel has not sent.
// (uv_tcp_close_reset refuses while a shutdown is pending.)
static inline int ffwd_set_reset_on_close(int fd, int resets) {
    struct linger option = {.l_onoff = resets, .l_linger = 0};
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, sizeof option) == 0 ? 0 : -errno;
}

// The error that a socket has met and nobody has been told of; 0: none, or it is no socket.
static inline int ffwd_socket_error(int fd) {
    int code = 0;
    socklen_t size = sizeof code;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? -code : 0;
}

// Bytes in the send queue that the other side has not acknowledged; negative: an error.
static inline int ffwd_unsent_bytes(int fd) {
    int bytes = 0;
    return ioctl(fd, SIOCOUTQ, &bytes) == 0 ? bytes : -errno;
}

// What the kernel knows of a TCP socket; negative: an error.
static inline int ffwd_tcp_info(int fd, struct tcp_info *info) {
    socklen_t size = sizeof *info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size) == 0 ? 0 : -errno;
}

// Whether a TCP connection is over in both directions, as after a reset that nobody has read yet.
static inline int ffwd_is_tcp_closed(int fd) {
    struct tcp_info info;
    int code = ffwd_tcp_info(fd, &info);
    if (code < 0) return code;
    return info.tcpi_state == TCP_CLOSE;
}

// Whether the other side has ended its direction and nothing of it is left to read.
static inline int ffwd_is_read_to_end(int fd) {
    struct tcp_info info;
    int unread = 0;
    int code = ffwd_tcp_info(fd, &info);
    if (code < 0) return code;
    if (info.tcpi_state != TCP_CLOSE_WAIT) return 0;
    return ioctl(fd, SIOCINQ, &unread) == 0 ? unread == 0 : -errno;
}

// For how many milliseconds a TCP peer has owed us an acknowledgement without sending any; 0: it owes none.
// A peer with a full receive buffer answers the kernel's probes, however long it takes no data: three unanswered ones
// are no coincidence.
static inline int ffwd_tcp_silence(int fd) {
    struct tcp_info info;
    int code = ffwd_tcp_info(fd, &info);
    if (code < 0) return code;
    if (info.tcpi_unacked == 0 && info.tcpi_probes < 3) return 0;
    return info.tcpi_last_ack_recv > 0x7fffffff ? 0x7fffffff : (int)info.tcpi_last_ack_recv;
}

// How many connections wait for an accept on a listening socket, and how many may; for such a socket these fields of
// TCP_INFO mean that.
static inline int ffwd_listen_queue(int fd, uint32_t *length, uint32_t *most) {
    struct tcp_info info;
    int code = ffwd_tcp_info(fd, &info);
    if (code < 0) return code;
    if (info.tcpi_state != TCP_LISTEN) return -EINVAL;
    *length = info.tcpi_unacked;
    *most = info.tcpi_sacked;
    return 0;
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

// Whether a program is text that does not name its interpreter (or nothing): execve(2) refuses it, and execvp(3) would
// run it by /bin/sh. What else there is, the kernel knows best.
static inline int ffwd_is_script_without_interpreter(const char *path) {
    char head[128];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return 0;
    ssize_t count = read(fd, head, sizeof head);
    close(fd);
    if (count < 0 || (count >= 2 && head[0] == '#' && head[1] == '!')) return 0;
    if (count >= 4 && memcmp(head, "\177ELF", 4) == 0) return 0;
    for (ssize_t index = 0; index < count && head[index] != '\n'; index++) {
        if (head[index] == 0) return 0;
    }
    return 1;
}

static inline int ffwd_last_error(void) { return errno; }

// Whether a write would not block: there is room, or an error that it would tell.
static inline int ffwd_has_room(int fd) {
    struct pollfd asked = {.fd = fd, .events = POLLOUT};
    return poll(&asked, 1, 0) > 0;
}

// The terminal of a descriptor once more, for writes that do not block, whoever shares the other one; -1: it is none, or
// belongs to somebody else.
static inline int ffwd_reopen_terminal(int fd) {
    if (!isatty(fd)) return -1;
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

// Not closed on exec: it stands in for a standard descriptor.
static inline int ffwd_open_null(void) { return open("/dev/null", O_RDWR); }

// A socket that tells of links, addresses and routes that come, change and go (rtnetlink(7)); needs no privilege.
static inline int ffwd_route_open(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0) return -errno;
    struct sockaddr_nl address = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
    };
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        int code = -errno;
        close(fd);
        return code;
    }
    return fd;
}

// Drops what the socket has told so far, at most so many messages; whether it told anything.
static inline int ffwd_route_drain(int fd, int most) {
    char bytes[8192];
    int heard = 0;
    while (most-- > 0) {
        // What did not fit into the socket (ENOBUFS) was told as well.
        if (recv(fd, bytes, sizeof bytes, 0) >= 0 || errno == ENOBUFS) heard = 1;
        else if (errno != EINTR) break;
    }
    return heard;
}

// Whether an address is one of this host's: only such a one can be bound. Doubtful cases are its own.
static inline int ffwd_is_own_address(const struct sockaddr *address) {
    struct sockaddr_storage any;
    socklen_t size = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    memcpy(&any, address, size);
    // The port stands at the same place in both families.
    ((struct sockaddr_in *)&any)->sin_port = 0;
    int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return 1;
    int isOwn = bind(fd, (const struct sockaddr *)&any, size) == 0 || errno != EADDRNOTAVAIL;
    close(fd);
    return isOwn;
}

// For how many milliseconds this host has slept since it was started.
static inline int64_t ffwd_slept_milliseconds(void) {
    struct timespec all, awake;
    if (clock_gettime(CLOCK_MONOTONIC, &awake) != 0 || clock_gettime(CLOCK_BOOTTIME, &all) != 0) return 0;
    return (int64_t)(all.tv_sec - awake.tv_sec) * 1000 + (all.tv_nsec - awake.tv_nsec) / 1000000;
}

// How often the kernel repeats the question whether a silent peer is there, and how often it may go unanswered.
static inline void ffwd_set_keepalive_pace(int fd, int seconds, int count) {
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

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
// `unread` gets how many bytes it has received that no process has read.
static inline int ffwd_diag_is_owned(
    int fd, const struct sockaddr *source, const struct sockaddr *target, uint32_t *unread
) {
    *unread = 0;
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
    *unread = message->idiag_rqueue;
    return message->idiag_inode != 0;
}

// The environment of this process.
static inline char **ffwd_environment(void) {
    extern char **environ;
    return environ;
}

// Whether this process may run a file: 0, or a negated errno. As Go's os/exec decides it.
static inline int ffwd_is_executable(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) return -errno;
    if (S_ISDIR(status.st_mode)) return -EISDIR;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : -errno;
}

// A process, told from a later one of the same number by when it began (in ticks since the machine did).
struct ffwd_process {
    pid_t id, parent;
    unsigned long long start;
    int is_alive;
};

// What /proc tells of a process; 0 where there is none.
static inline int ffwd_read_process(pid_t id, struct ffwd_process *process) {
    char text[1024], path[32];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t count = read(fd, text, sizeof text - 1);
    close(fd);
    if (count <= 0) return 0;
    text[count] = 0;
    // The name, in brackets, may hold anything; then come the state, the parent and, as the 22nd field, the start.
    const char *name_end = strrchr(text, ')');
    char state = 0;
    *process = (struct ffwd_process){.id = id};
    if (!name_end
        || sscanf(
               name_end + 1,
               " %c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
               &state, &process->parent, &process->start
           ) != 3)
        return 0;
    process->is_alive = state != 'Z' && state != 'X';
    return 1;
}

// Lists a process and all that descend from it now, but for those that were given up to init.
static inline int ffwd_list_tree(pid_t root, struct ffwd_process *tree, int most) {
    if (most < 1 || !ffwd_read_process(root, tree)) return 0;
    int count = 1;
    // /proc is in no order that helps: until a pass finds nobody new.
    for (int before = 0; before < count && count < most;) {
        before = count;
        DIR *directory = opendir("/proc");
        if (!directory) break;
        for (struct dirent *entry; count < most && (entry = readdir(directory));) {
            struct ffwd_process process;
            pid_t id = atoi(entry->d_name);
            if (id <= 0 || !ffwd_read_process(id, &process)) continue;
            int is_child = 0, is_known = 0;
            for (int i = 0; i < count; i++) {
                is_child = is_child || tree[i].id == process.parent;
                is_known = is_known || tree[i].id == id;
            }
            if (is_child && !is_known) tree[count++] = process;
        }
        closedir(directory);
    }
    return count;
}

// The linker's names for the first byte of the program and the end of its code: what is between is never written to.
extern const char __executable_start[], etext[];

// Unmaps the pages of this program's own code; the next call of each brings it back from the page cache.
static inline void ffwd_drop_code_pages(void) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = (uintptr_t)__executable_start & ~(page - 1);
    uintptr_t end = (uintptr_t)etext & ~(page - 1);
    madvise((void *)start, end - start, MADV_DONTNEED);
}

static inline void ffwd_run_work(void *work) { ((void (*)(void))work)(); }

// A thread that nobody joins, and that takes no signals: those are for the loop's thread.
static inline int ffwd_start_thread(void (*work)(void)) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    uv_thread_t thread;
    int code = uv_thread_create(&thread, ffwd_run_work, (void *)work);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0) pthread_detach(thread);
    return code;
}
