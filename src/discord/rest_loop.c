/* libcurl's sockets are in an epoll set, level-triggered, with what libcurl wants of each; its one
 * timer is the longest sleep. Of a socket that can't be watched for want of memory nothing is
 * heard: its request times out, as on a network that is silent.
 *
 * Between two requests libcurl wants nothing of a connection. The sockets that are opened and
 * closed here stay in the set meanwhile, which spares two system calls a request; one that has
 * something to say in that time leaves it. Others (the resolver's) may be closed unseen and their
 * number used again, so they leave the set when libcurl says so. */
#include "discord/rest_loop.h"

#include "core/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Looked at in one turn. */
#define EVENTS_MAX  128

/* Those with a higher number are treated like the resolver's. */
#define SOCKETS_MAX 4096

/* Of one that is ours. */
struct watched {
    bool is_ours;
    uint32_t wanted; /* by libcurl; 0: nothing */
    uint32_t events; /* in the set with these; 0: not in it */
};

struct rest_loop {
    CURLM *multi;
    int epoll_fd, wake_fd;
    int started;      /* requests libcurl has ... */
    int running;      /* ... and those of them that have not ended */
    int64_t timer_us; /* when libcurl wants to be called, monotonic; INT64_MAX: not by time */
    int host_connections_max;
    bool is_multiplexing;                /* the latest answer came by HTTP/2 */
    struct watched sockets[SOCKETS_MAX]; /* by descriptor */
};

/* --- What libcurl asks for --- */

static uint32_t events_of(int what)
{
    static const uint32_t events[] = {
        [CURL_POLL_IN] = EPOLLIN,
        [CURL_POLL_OUT] = EPOLLOUT,
        [CURL_POLL_INOUT] = EPOLLIN | EPOLLOUT,
    };
    return what >= CURL_POLL_IN && what <= CURL_POLL_INOUT ? events[what] : 0;
}

/* NULL when it is not ours. */
static struct watched *watched_of(struct rest_loop *loop, int fd)
{
    return fd >= 0 && fd < SOCKETS_MAX && loop->sockets[fd].is_ours ? &loop->sockets[fd] : NULL;
}

static bool set_events(struct rest_loop *loop, int fd, bool is_known, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.fd = fd };
    int change = !is_known ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    return epoll_ctl(loop->epoll_fd, change, fd, &event) == 0;
}

static void watch(struct rest_loop *loop, int fd, struct watched *watched, uint32_t events)
{
    if (events != watched->events && set_events(loop, fd, watched->events != 0, events))
        watched->events = events;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
    struct rest_loop *loop = context;
    struct watched *watched = watched_of(loop, fd);
    uint32_t events = events_of(what);
    (void)easy;
    if (watched) {
        watched->wanted = events;
        if (events != 0)
            watch(loop, fd, watched, events);
    } else if ((known || events != 0) && set_events(loop, fd, known, events) && !known) {
        curl_multi_assign(loop->multi, fd, loop);
    }
    return 0;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct rest_loop *loop = context;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    (void)purpose;
    if (fd >= 0 && fd < SOCKETS_MAX)
        loop->sockets[fd] = (struct watched){ .is_ours = true };
    return fd;
}

static int close_socket(void *context, curl_socket_t fd)
{
    struct rest_loop *loop = context;
    if (watched_of(loop, fd))
        loop->sockets[fd] = (struct watched){ 0 };
    return close(fd); /* which takes it out of the set */
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct rest_loop *loop = context;
    (void)multi;
    loop->timer_us = timeout_ms < 0 ? INT64_MAX : thread_now_us() + timeout_ms * INT64_C(1000);
    return 0;
}

/* --- Making --- */

static bool set_multi(struct rest_loop *loop, const struct rest_loop_settings *settings)
{
    CURLM *multi = loop->multi = curl_multi_init();
    return multi &&
           curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)settings->connections_max) == 0 &&
           curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                             (long)settings->host_connections_max) == 0 &&
           curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX) == 0 &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) == 0 &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, (void *)loop) == 0 &&
           curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) == 0 &&
           curl_multi_setopt(multi, CURLMOPT_TIMERDATA, (void *)loop) == 0;
}

static int open_descriptors(struct rest_loop *loop, struct err *err)
{
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = { .events = EPOLLIN, .data.fd = loop->wake_fd };
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) != 0)
        return err_set_errno(err, ERR_IO, errno, "a loop for requests");
    return 0;
}

int rest_loop_new(struct rest_loop **out, const struct rest_loop_settings *settings,
                  struct err *err)
{
    struct rest_loop *loop = calloc(1, sizeof(*loop));
    if (!loop)
        return err_set(err, ERR_MEMORY, "a loop for requests");
    loop->epoll_fd = loop->wake_fd = -1;
    loop->timer_us = INT64_MAX;
    loop->host_connections_max = settings->host_connections_max;
    int result = open_descriptors(loop, err);
    if (result == 0 && !set_multi(loop, settings))
        result = err_set(err, ERR_MEMORY, "a loop for requests: libcurl");
    if (result != 0) {
        rest_loop_free(loop);
        return result;
    }
    *out = loop;
    return 0;
}

void rest_loop_free(struct rest_loop *loop)
{
    if (!loop)
        return;
    if (loop->multi)
        curl_multi_cleanup(loop->multi); /* tells on_socket of what it closes */
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    free(loop);
}

/* --- Requests --- */

bool rest_loop_has_room(const struct rest_loop *loop)
{
    return loop->is_multiplexing || loop->started < loop->host_connections_max;
}

bool rest_loop_start(struct rest_loop *loop, struct rest_transfer *transfer)
{
    CURL *easy = transfer->easy;
    if (curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *)transfer) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, (void *)loop) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, (void *)loop) != CURLE_OK ||
        curl_multi_add_handle(loop->multi, easy) != CURLM_OK)
        return false;
    loop->started++;
    loop->running++;
    return true;
}

void rest_loop_stop(struct rest_loop *loop, struct rest_transfer *transfer)
{
    curl_multi_remove_handle(loop->multi, transfer->easy);
    loop->started--;
    loop->running--;
}

struct rest_transfer *rest_loop_take(struct rest_loop *loop)
{
    int left;
    CURLMsg *message = curl_multi_info_read(loop->multi, &left);
    if (!message)
        return NULL;
    struct rest_transfer *transfer = NULL;
    CURL *easy = message->easy_handle;
    CURLcode code = message->data.result; /* `message` is gone after the next call */
    long version = 0;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
    curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
    if (version != 0) /* there was an answer */
        loop->is_multiplexing = version >= CURL_HTTP_VERSION_2_0;
    curl_multi_remove_handle(loop->multi, easy);
    loop->started--;
    rest_transfer_finish(transfer, code);
    return transfer;
}

/* --- Waiting --- */

static void act(struct rest_loop *loop, curl_socket_t fd, int what)
{
    curl_multi_socket_action(loop->multi, fd, what, &loop->running);
}

static void end_timer(struct rest_loop *loop)
{
    if (loop->timer_us > thread_now_us())
        return;
    loop->timer_us = INT64_MAX;
    act(loop, CURL_SOCKET_TIMEOUT, 0);
}

static int sleep_ms(const struct rest_loop *loop, int timeout_ms)
{
    if (loop->running < loop->started)
        return 0;
    int64_t left_us = loop->timer_us == INT64_MAX ? INT64_MAX : loop->timer_us - thread_now_us();
    if (left_us <= 0)
        return 0;
    return left_us / 1000 < timeout_ms ? (int)((left_us + 999) / 1000) : timeout_ms;
}

static void serve(struct rest_loop *loop, const struct epoll_event *event)
{
    int what = 0;
    if (event->data.fd == loop->wake_fd) {
        uint64_t times;
        (void)!read(loop->wake_fd, &times, sizeof(times));
        return;
    }
    struct watched *watched = watched_of(loop, event->data.fd);
    if (watched && watched->wanted == 0) {
        watch(loop, event->data.fd, watched, 0);
        return;
    }
    if (event->events & (EPOLLIN | EPOLLHUP))
        what |= CURL_CSELECT_IN;
    if (event->events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (event->events & EPOLLERR)
        what |= CURL_CSELECT_ERR;
    act(loop, event->data.fd, what);
}

void rest_loop_wait(struct rest_loop *loop, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    end_timer(loop); /* what was started begins here */
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, sleep_ms(loop, timeout_ms));
    for (int i = 0; i < count; i++)
        serve(loop, &events[i]);
    end_timer(loop);
}

void rest_loop_wake(struct rest_loop *loop)
{
    const uint64_t once = 1;
    (void)!write(loop->wake_fd, &once, sizeof(once)); /* full only when it is woken anyway */
}
