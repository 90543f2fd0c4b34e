/* One thread, epoll, blocking nothing: it must never be what is measured. Requests come whole or in
 * pieces; each is answered when its body is complete. */
#include "sink.h"

#include "harness/memory.h"
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define REQUEST_MAX ((size_t)64 * 1024)
#define EVENTS      64

static const char taken[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                            "Via: 1.1 google\r\nX-RateLimit-Bucket: bench\r\n"
                            "X-RateLimit-Limit: 5\r\nX-RateLimit-Remaining: 4\r\n"
                            "X-RateLimit-Reset-After: 2.0\r\nContent-Length: 13\r\n\r\n"
                            "{\"id\":\"1\"}   ";
static const char refused[] = "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n"
                              "Via: 1.1 google\r\nRetry-After: 3600\r\nContent-Length: 43\r\n\r\n"
                              "{\"retry_after\":3600.0,\"global\":true}       ";

struct connection {
    int fd;
    size_t length;
    char bytes[REQUEST_MAX];
};

/* The length of the request at the beginning of what has come; 0 while it is not complete. */
static size_t whole_request(const struct connection *connection)
{
    static const char name[] = "\r\nContent-Length:";
    const char *end = memmem(connection->bytes, connection->length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end - connection->bytes) + 4, body = 0;
    for (const char *at = connection->bytes; at + sizeof(name) < end; at++)
        if (strncasecmp(at, name, sizeof(name) - 1) == 0)
            body = strtoul(at + sizeof(name) - 1, NULL, 10);
    return connection->length >= head + body ? head + body : 0;
}

static void note(struct sink_notes *notes, const struct connection *connection)
{
    const char *at =
        memmem(connection->bytes, connection->length, SINK_TOKEN_PREFIX, strlen(SINK_TOKEN_PREFIX));
    unsigned long token = at ? strtoul(at + strlen(SINK_TOKEN_PREFIX), NULL, 10) : SINK_TOKENS;
    if (token < SINK_TOKENS)
        notes->arrived_us[token] = load_now_us();
    notes->requests++;
}

static void answer_all(struct sink_notes *notes, struct connection *connection)
{
    size_t length;
    while ((length = whole_request(connection)) > 0) {
        bool is_taken = notes->mood == SINK_TAKES;
        note(notes, connection);
        if (send(connection->fd, is_taken ? taken : refused,
                 is_taken ? sizeof(taken) - 1 : sizeof(refused) - 1, MSG_NOSIGNAL) < 0)
            return;
        connection->length -= length;
        memmove(connection->bytes, connection->bytes + length, connection->length);
    }
}

static void serve_connection(struct sink_notes *notes, struct connection *connection)
{
    ssize_t got = recv(connection->fd, connection->bytes + connection->length,
                       REQUEST_MAX - connection->length, MSG_DONTWAIT);
    if (got > 0) {
        connection->length += (size_t)got;
        answer_all(notes, connection);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(connection->fd);
        free(connection);
    }
}

static void take_connection(int epoll_fd, int listen_fd)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct connection *connection = must_allocate(1, sizeof(*connection));
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
    int on = 1;
    connection->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static _Noreturn void run(struct sink_notes *notes, int listen_fd, int core)
{
    load_run_on_core(core);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event listening = { .events = EPOLLIN }, events[EVENTS];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &listening);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr)
                serve_connection(notes, events[i].data.ptr);
            else
                take_connection(epoll_fd, listen_fd);
        }
    }
}

static int listen_on_free_port(struct sink *sink, struct err *err)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        if (fd >= 0)
            close(fd);
        return err_set_errno(err, ERR_IO, errno, "a socket for the sink");
    }
    snprintf(sink->url, sizeof(sink->url), "http://127.0.0.1:%d/api/v10", ntohs(address.sin_port));
    return fd;
}

int sink_start(struct sink *sink, int core, struct err *err)
{
    sink->notes =
        mmap(NULL, sizeof(*sink->notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sink->notes == MAP_FAILED)
        return err_set(err, ERR_MEMORY, "the sink's notes");
    int fd = listen_on_free_port(sink, err);
    if (fd < 0)
        return fd;
    sink->pid = fork();
    if (sink->pid == 0)
        run(sink->notes, fd, core);
    close(fd);
    return sink->pid > 0 ? 0 : err_set_errno(err, ERR_IO, errno, "fork");
}

void sink_stop(struct sink *sink)
{
    if (sink->pid > 0) {
        kill(sink->pid, SIGKILL);
        waitpid(sink->pid, NULL, 0);
    }
    if (sink->notes && sink->notes != MAP_FAILED)
        munmap(sink->notes, sizeof(*sink->notes));
}
