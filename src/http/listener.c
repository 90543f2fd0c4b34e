/* Making a listening socket, or taking over one. Runs on the main thread before the event threads
 * start and after they have ended; nothing is kept between calls.
 *
 * A socket of a supervisor outlives this process: what comes while nobody serves waits in its
 * backlog for the next one. SO_REUSEPORT would not do: each listener has a queue of its own, and
 * what waits in it is lost when that listener closes. */
#include "http/listener.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Connections that were made but not accepted yet. A full backlog of a unix socket is an instant
 * EAGAIN for nginx and a 502 for Discord, so a burst must fit while an event thread is busy for
 * some milliseconds. The kernel cuts it to net.core.somaxconn (4096 since Linux 5.4). */
#define LISTEN_BACKLOG   4096

/* nginx reaches the socket through its group; others have no business there. */
#define UNIX_SOCKET_MODE 0660

union socket_address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_un path;
};

static socklen_t fill_unix(const struct listen_address *address, union socket_address *target)
{
    static_assert(UNIX_SOCKET_PATH_MAX < sizeof(target->path.sun_path), "a path fits");
    target->path.sun_family = AF_UNIX;
    memcpy(target->path.sun_path, address->text, strlen(address->text) + 1);
    return sizeof(target->path);
}

static socklen_t fill_address(const struct listen_address *address, union socket_address *target)
{
    memset(target, 0, sizeof(*target));
    if (address->is_unix)
        return fill_unix(address, target);
    if (address->is_ipv6) {
        target->ipv6.sin6_family = AF_INET6;
        target->ipv6.sin6_port = htons(address->port);
        return inet_pton(AF_INET6, address->text, &target->ipv6.sin6_addr) == 1
                   ? sizeof(target->ipv6)
                   : 0;
    }
    target->ipv4.sin_family = AF_INET;
    target->ipv4.sin_port = htons(address->port);
    return inet_pton(AF_INET, address->text, &target->ipv4.sin_addr) == 1 ? sizeof(target->ipv4)
                                                                          : 0;
}

/* Removes the socket of a process that died without removing it. Only ECONNREFUSED proves that
 * nobody listens; a live server, a regular file and a path of somebody else all stay. */
static int remove_stale_socket(const union socket_address *target, socklen_t size, struct err *err)
{
    const char *path = target->path.sun_path;
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? 0 : err_set_errno(err, ERR_IO, errno, "%s", path);
    if (!S_ISSOCK(status.st_mode))
        return err_set(err, ERR_IO, "%s exists and is not a socket", path);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return err_set_errno(err, ERR_IO, errno, "socket");
    int result = connect(probe, &target->any, size);
    int reason = errno;
    close(probe);
    if (result == 0 || reason == EAGAIN)
        return err_set(err, ERR_UNAVAILABLE, "another process listens on %s", path);
    if (reason != ECONNREFUSED)
        return err_set_errno(err, ERR_IO, reason, "%s", path);
    if (unlink(path) != 0 && errno != ENOENT)
        return err_set_errno(err, ERR_IO, errno, "removing %s", path);
    return 0;
}

static int cannot_listen(const struct listen_address *address, int code, struct err *err)
{
    int reason = errno;
    if (address->is_unix)
        return err_set_errno(err, code, reason, "listening on %s", address->text);
    return err_set_errno(err, code, reason, "listening on port %u of %s", (unsigned)address->port,
                         address->text);
}

static int bind_and_listen(int fd, const struct listen_address *address,
                           const union socket_address *target, socklen_t size, struct err *err)
{
    const int on = 1;
    if (!address->is_unix && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
        return err_set_errno(err, ERR_IO, errno, "SO_REUSEADDR");
    /* [::] means IPv6 here, whatever the system's default: a second bot may hold 0.0.0.0. */
    if (address->is_ipv6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0)
        return err_set_errno(err, ERR_IO, errno, "IPV6_V6ONLY");
    if (bind(fd, &target->any, size) != 0)
        return cannot_listen(address, errno == EADDRINUSE ? ERR_UNAVAILABLE : ERR_IO, err);
    if (address->is_unix && chmod(address->text, UNIX_SOCKET_MODE) != 0)
        return err_set_errno(err, ERR_IO, errno, "mode of %s", address->text);
    if (listen(fd, LISTEN_BACKLOG) != 0)
        return cannot_listen(address, ERR_IO, err);
    return 0;
}

int listener_open(const struct listen_address *address, int *fd, struct err *err)
{
    union socket_address target;
    socklen_t size = fill_address(address, &target);
    if (size == 0)
        return err_set(err, ERR_INVALID, "%s is not an address", address->text);
    int result = address->is_unix ? remove_stale_socket(&target, size, err) : 0;
    if (result != 0)
        return result;
    int made = socket(target.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made < 0)
        return err_set_errno(err, ERR_IO, errno, "socket");
    result = bind_and_listen(made, address, &target, size, err);
    if (result != 0) {
        close(made);
        return result;
    }
    *fd = made;
    return 0;
}

void listener_close(const struct listen_address *address, int fd)
{
    close(fd);
    if (address->is_unix)
        unlink(address->text);
}

int listener_address(int fd, struct listen_address *address, struct err *err)
{
    union socket_address bound = { 0 };
    socklen_t size = sizeof(bound);
    if (getsockname(fd, &bound.any, &size) != 0)
        return err_set_errno(err, ERR_IO, errno, "getsockname");
    *address = (struct listen_address){ 0 };
    switch (bound.any.sa_family) {
    case AF_INET:
        address->port = ntohs(bound.ipv4.sin_port);
        inet_ntop(AF_INET, &bound.ipv4.sin_addr, address->text, sizeof(address->text));
        return 0;
    case AF_INET6:
        address->is_ipv6 = true;
        address->port = ntohs(bound.ipv6.sin6_port);
        inet_ntop(AF_INET6, &bound.ipv6.sin6_addr, address->text, sizeof(address->text));
        return 0;
    case AF_UNIX:
        address->is_unix = true;
        memcpy(address->text, bound.path.sun_path,
               strnlen(bound.path.sun_path, UNIX_SOCKET_PATH_MAX));
        return 0;
    default:
        return err_set(err, ERR_INVALID, "descriptor %d is not a socket we can serve", fd);
    }
}

/* --- Inherited sockets --- */

/* The protocol's first descriptor; the others follow. */
#define INHERITED_FIRST 3
/* More than any unit file of ours asks for, and less than would overflow. */
#define INHERITED_MAX   64

static struct str_view environment_text(const char *name)
{
    const char *value = secure_getenv(name);
    return value ? str_from(value) : STR_NONE;
}

/* How many descriptors are meant for this process. Whoever inherits the variables but is not the
 * addressee, a child of a bot for example, has another process id. */
static int count_inherited(int *count, struct err *err)
{
    int64_t pid, given;
    *count = 0;
    if (str_to_uint63(environment_text("LISTEN_PID"), &pid) != 0 || pid != getpid())
        return 0;
    if (str_to_uint63(environment_text("LISTEN_FDS"), &given) != 0 || given > INHERITED_MAX)
        return err_set(err, ERR_CONFIG, "LISTEN_FDS: accepted is 0 to %d", INHERITED_MAX);
    *count = (int)given;
    return 0;
}

static enum listener_use use_of(struct str_view name)
{
    return str_equal(name, STR("admin")) ? LISTENER_ADMIN : LISTENER_WEBHOOK;
}

static int prepare_inherited(int fd, struct err *err)
{
    int type = 0, is_listening = 0;
    socklen_t size = sizeof(type);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) != 0 ||
        type != SOCK_STREAM || !is_listening)
        return err_set(err, ERR_CONFIG,
                       "LISTEN_FDS: descriptor %d is not a listening stream socket", fd);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return err_set_errno(err, ERR_IO, errno, "LISTEN_FDS: descriptor %d", fd);
    return 0;
}

int listener_inherit(enum listener_use use, int *fd, struct err *err)
{
    int count, found = 0;
    struct str_view names = environment_text("LISTEN_FDNAMES");
    *fd = -1;
    int result = count_inherited(&count, err);
    for (int i = 0; i < count; i++) {
        struct str_view name = STR_NONE;
        (void)!str_split(&names, ':', &name);
        if (use_of(name) != use)
            continue;
        *fd = INHERITED_FIRST + i;
        found++;
    }
    if (result != 0 || found == 0)
        return result;
    if (found > 1)
        return err_set(err, ERR_CONFIG, "LISTEN_FDS: %d sockets for one use, accepted is one",
                       found);
    return prepare_inherited(*fd, err);
}

int listener_acquire(struct listener *listener, enum listener_use use,
                     const struct listen_address *setting, struct err *err)
{
    *listener = LISTENER_NONE;
    int fd, result = listener_inherit(use, &fd, err);
    if (result != 0)
        return result;
    listener->is_inherited = fd >= 0;
    if (fd < 0)
        result = listener_open(setting, &fd, err);
    if (result != 0)
        return result;
    listener->fd = fd;
    listener->address = *setting;
    return listener_address(fd, &listener->address, err);
}

void listener_release(struct listener *listener)
{
    if (listener->fd >= 0 && listener->is_inherited)
        close(listener->fd);
    else if (listener->fd >= 0)
        listener_close(&listener->address, listener->fd);
    *listener = LISTENER_NONE;
}

int listener_raise_file_limit(int64_t connections, int64_t reserved, struct err *err)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)(connections + reserved);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return err_set_errno(err, ERR_IO, errno, "RLIMIT_NOFILE");
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < needed) {
        if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < needed)
            return err_set(err, ERR_CONFIG,
                           "HTTP_CONNECTIONS=%" PRId64 " needs %" PRIu64 " open files, the limit "
                           "of this process is %" PRIu64 " (ulimit -n, LimitNOFILE=)",
                           connections, (uint64_t)needed, (uint64_t)limit.rlim_max);
        limit.rlim_cur = needed;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            return err_set_errno(err, ERR_IO, errno, "RLIMIT_NOFILE");
    }
    return 0;
}
