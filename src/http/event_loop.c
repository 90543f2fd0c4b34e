/* The loop of an event thread: sleep until a socket is ready, an answer has come or a time-out is
 * due; let libmicrohttpd do what is to do; shut down what was too slow. See server.c for why the
 * sleeping is done here.
 *
 * libmicrohttpd's own time-outs start again with every byte, so a peer that trickles could hold a
 * connection for ever; ours count from the start of a phase. */
#include "http/server_internal.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Which label of METRIC_HTTP_TIMEOUTS counts a phase's time-outs; -1: an idle connection may go. */
static const int timeout_labels[] = {
    [PHASE_HEADER] = 0,
    [PHASE_BODY] = 1,
    [PHASE_ANSWER] = 2,
    [PHASE_IDLE] = -1,
};

static int64_t timeout_of(const struct http_timeouts *timeouts, enum phase phase)
{
    switch (phase) {
    case PHASE_HEADER:
        return timeouts->header;
    case PHASE_BODY:
        return timeouts->body;
    case PHASE_ANSWER:
        return timeouts->answer;
    case PHASE_IDLE:
        return timeouts->idle;
    default:
        return 0;
    }
}

static void leave_phase(struct connection *connection)
{
    if (connection->phase == PHASE_COUNT)
        return;
    struct connection_list *list = &connection->thread->phases[connection->phase];
    if (connection->phase == PHASE_HEADER)
        atomic_fetch_sub(&connection->thread->unspoken, 1);
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        list->first = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    else
        list->last = connection->previous;
    connection->phase = PHASE_COUNT;
}

void connection_enter(struct connection *connection, enum phase phase)
{
    struct event_thread *thread = connection->thread;
    struct connection_list *list = &thread->phases[phase];
    leave_phase(connection);
    if (phase == PHASE_HEADER)
        atomic_fetch_add(&thread->unspoken, 1);
    connection->phase = (int)phase;
    connection->deadline_us =
        thread->now_us + timeout_of(&thread->server->settings.timeouts, phase) * 1000;
    connection->next = NULL;
    connection->previous = list->last;
    if (list->last)
        list->last->next = connection;
    else
        list->first = connection;
    list->last = connection;
}

void event_loop_on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                              enum MHD_ConnectionNotificationCode code)
{
    struct event_thread *thread = context;
    struct connection *connection = *socket_context;
    struct metrics *metrics = thread->server->settings.metrics;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        connection = calloc(1, sizeof(*connection));
        if (!connection) {
            /* Nothing would ever time it out. */
            shutdown(fd, SHUT_RDWR);
            return;
        }
        connection->thread = thread;
        connection->fd = fd;
        connection->phase = PHASE_COUNT;
        connection_enter(connection, PHASE_HEADER);
        *socket_context = connection;
        metrics_gauge_add(metrics, METRIC_HTTP_CONNECTIONS, 1);
    } else if (connection) {
        leave_phase(connection);
        free(connection);
        *socket_context = NULL;
        thread->has_room = true;
        metrics_gauge_add(metrics, METRIC_HTTP_CONNECTIONS, -1);
    }
}

static void sweep(struct event_thread *thread)
{
    for (int phase = 0; phase < PHASE_WORKING; phase++) {
        struct connection *connection;
        while ((connection = thread->phases[phase].first) &&
               connection->deadline_us <= thread->now_us) {
            leave_phase(connection);
            /* Before the hang-up: whoever sees that, finds it counted. */
            metrics_add_by(thread->server->settings.metrics, METRIC_HTTP_TIMEOUTS,
                           timeout_labels[phase], 1);
            /* It reaches libmicrohttpd as an event of the socket, and that cleans up. */
            shutdown(connection->fd, SHUT_RDWR);
        }
    }
}

/* Milliseconds the loop may sleep; -1: until something happens. */
static int patience(struct event_thread *thread)
{
    MHD_UNSIGNED_LONG_LONG daemon_ms;
    /* At its limit, a daemon watches the listening socket again only from its next run on. */
    if (thread->has_room)
        return 0;
    if (MHD_get_timeout(thread->daemon, &daemon_ms) == MHD_YES && daemon_ms == 0)
        return 0;
    int64_t next_us = INT64_MAX;
    for (int phase = 0; phase < PHASE_WORKING; phase++) {
        const struct connection *first = thread->phases[phase].first;
        if (first && first->deadline_us < next_us)
            next_us = first->deadline_us;
    }
    if (next_us == INT64_MAX)
        return -1;
    if (next_us <= thread->now_us)
        return 0;
    int64_t milliseconds = (next_us - thread->now_us + 999) / 1000;
    return milliseconds < INT_MAX ? (int)milliseconds : INT_MAX;
}

/* Says that the owner is going to sleep; false when an answer has come, so that it must not. */
static bool may_sleep(struct answer_queue *answers)
{
    pthread_mutex_lock(&answers->lock);
    bool is_empty = !answers->first;
    answers->is_owner_asleep = is_empty;
    pthread_mutex_unlock(&answers->lock);
    return is_empty;
}

static void sleep_until_event(struct event_thread *thread)
{
    int milliseconds = patience(thread);
    if (milliseconds != 0 && may_sleep(thread->answers)) {
        struct pollfd events[] = {
            { .fd = thread->epoll_fd, .events = POLLIN },
            { .fd = thread->answers->wake_fd, .events = POLLIN },
        };
        uint64_t count;
        if (poll(events, 2, milliseconds) > 0 && events[1].revents) {
            /* Empty when somebody's wake-up was read already. */
            ssize_t got = read(thread->answers->wake_fd, &count, sizeof(count));
            (void)got;
        }
    }
    thread->now_us = clock_monotonic_us(thread->server->settings.clock);
}

void event_loop_take_answers(struct answer_queue *answers)
{
    pthread_mutex_lock(&answers->lock);
    struct http_exchange *exchange = answers->first;
    answers->first = answers->last = NULL;
    answers->is_owner_asleep = false;
    pthread_mutex_unlock(&answers->lock);
    while (exchange) {
        struct http_exchange *next = exchange->next;
        exchange_answered(exchange);
        exchange = next;
    }
}

/* Connections whose answer has not come are woken only to be closed: libmicrohttpd refuses to stop
 * while one sleeps. */
static void abandon_sleepers(struct event_thread *thread)
{
    struct connection *connection = thread->phases[PHASE_WORKING].first;
    for (; connection; connection = connection->next) {
        shutdown(connection->fd, SHUT_RDWR);
        if (connection->exchange && connection->exchange->is_suspended)
            MHD_resume_connection(connection->exchange->mhd);
    }
}

void *event_loop_run(void *context)
{
    struct event_thread *thread = context;
    struct server *server = thread->server;
    thread->answers->owner = pthread_self();
    thread->now_us = clock_monotonic_us(server->settings.clock);
    while (atomic_load(&server->state) < SERVER_STOPPING) {
        if (!atomic_load(&thread->is_quiesced) && atomic_load(&server->state) == SERVER_DRAINING) {
            MHD_quiesce_daemon(thread->daemon);
            atomic_store(&thread->is_quiesced, true);
        }
        sleep_until_event(thread);
        event_loop_take_answers(thread->answers);
        thread->has_room = false;
        MHD_run(thread->daemon);
        sweep(thread);
    }
    abandon_sleepers(thread);
    return NULL;
}
