/* The life of a server: its event threads (event_loop.c), each with a libmicrohttpd daemon of its
 * own, all accepting from one listening socket. server_new, server_stop_accepting, server_drain and
 * server_free belong to one thread, usually the main one.
 *
 * Why the daemons are driven from outside. With its own polling thread, libmicrohttpd 0.9.75 calls
 * epoll_wait again whenever a call returned exactly 128 events (its MAX_EVENTS), to collect the
 * rest - with the full time-out, before it serves any of the 128. If no more come, because every
 * client waits for one of the 128, the server sleeps until a time-out. Measured: 256 keep-alive
 * connections fall from 75,000 to 88 requests a second. MHD_run asks with time-out 0, so the second
 * call returns at once; our loop does the sleeping on the daemon's epoll descriptor.
 *
 * Driven from outside, a daemon has no wake-up descriptor (MHD_start_daemon takes MHD_USE_ITC
 * away), so MHD_resume_connection from another thread would be noticed only by chance. Answers
 * therefore travel through struct answer_queue, and only event threads call libmicrohttpd. */
#include "http/server_internal.h"

#include "core/log_sink.h"
#include "core/thread.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Memory libmicrohttpd keeps for each connection: headers and what was read of a body. The read
 * buffer is half of it, so headers and body of nearly all interactions come with one recv. Headers
 * that don't fit get 431. */
#define CONNECTION_MEMORY_BYTES ((size_t)16 * 1024)
#define DRAIN_LOOK_MS           2
/* Whoever connected just before the end is about to send: nginx does so in the same turn of its
 * loop. A connection that stays silent does not hold up a restart. */
#define DRAIN_UNSPOKEN_MS       200
#define EVENT_THREADS_MAX       256

static struct answer_queue *answer_queue_new(void)
{
    struct answer_queue *answers = calloc(1, sizeof(*answers));
    if (!answers)
        return NULL;
    answers->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (answers->wake_fd < 0) {
        free(answers);
        return NULL;
    }
    pthread_mutex_init(&answers->lock, NULL);
    atomic_init(&answers->references, 1);
    return answers;
}

void answer_queue_release(struct answer_queue *answers)
{
    if (!answers || atomic_fetch_sub_explicit(&answers->references, 1, memory_order_acq_rel) > 1)
        return;
    close(answers->wake_fd);
    pthread_mutex_destroy(&answers->lock);
    free(answers);
}

void answer_queue_wake(struct answer_queue *answers)
{
    const uint64_t one = 1;
    /* Can only fail when the counter is full, and then the thread is being woken already. */
    ssize_t written = write(answers->wake_fd, &one, sizeof(one));
    (void)written;
}

static void log_library_line(void *context, const char *format, va_list arguments)
    PRINTF_LIKE(2, 0);

static void log_library_line(void *context, const char *format, va_list arguments)
{
    struct event_thread *thread = context;
    struct log_sink *sink = thread->server->settings.log;
    if (!log_sink_is_on(sink, LOG_LEVEL_DEBUG))
        return;
    CLEANUP(buf_free) struct buf line = { 0 };
    struct log log = log_of(sink);
    buf_append_format_list(&line, format, arguments);
    log_debug(&log, "http library", LOG_TEXT("line", str_trim(buf_view(&line))));
}

static struct MHD_Daemon *start_daemon(struct event_thread *thread, unsigned connections)
{
    /* No Date header: nginx writes its own, and formatting one for each answer is for nobody. */
    const unsigned flags = MHD_USE_EPOLL | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME |
                           MHD_USE_SUPPRESS_DATE_NO_CLOCK | MHD_USE_ERROR_LOG;
    return MHD_start_daemon(flags, 0, NULL, NULL, exchange_on_request,
                            thread, /* the logger must come first */
                            MHD_OPTION_EXTERNAL_LOGGER, log_library_line, thread,           /* */
                            MHD_OPTION_LISTEN_SOCKET, thread->server->settings.listen_fd,   /* */
                            MHD_OPTION_NOTIFY_COMPLETED, exchange_on_completed, thread,     /* */
                            MHD_OPTION_NOTIFY_CONNECTION, event_loop_on_connection, thread, /* */
                            MHD_OPTION_CONNECTION_LIMIT, connections,                       /* */
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES,    /* */
                            MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

static int start_thread(struct event_thread *thread, unsigned connections, struct err *err)
{
    thread->answers = answer_queue_new();
    if (!thread->answers)
        return err_set(err, ERR_MEMORY, "HTTP answer queue");
    thread->daemon = start_daemon(thread, connections);
    if (!thread->daemon)
        return err_set(err, ERR_IO, "libmicrohttpd could not start");
    thread->epoll_fd = MHD_get_daemon_info(thread->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    int result = thread_start(&thread->thread, THREAD_JOINED, 0, event_loop_run, thread);
    if (result != 0)
        return err_set_errno(err, ERR_IO, result, "starting an HTTP thread");
    thread->is_started = true;
    return 0;
}

static int cores_of_this_process(void)
{
    cpu_set_t cores;
    return sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

int server_new(struct server **out, const struct server_settings *settings, struct err *err)
{
    int count = settings->threads > 0 ? settings->threads : cores_of_this_process();
    if (count > EVENT_THREADS_MAX)
        count = EVENT_THREADS_MAX;
    struct server *server = calloc(1, sizeof(*server) + (size_t)count * sizeof(server->threads[0]));
    if (!server)
        return err_set(err, ERR_MEMORY, "HTTP server");
    server->settings = *settings;
    server->thread_count = count;
    int result = 0;
    for (int i = 0; i < count; i++)
        server->threads[i].server = server;
    for (int i = 0; i < count && result == 0; i++)
        result = start_thread(&server->threads[i],
                              (unsigned)((settings->connections + count - 1) / count), err);
    if (result != 0) {
        server_free(server);
        return result;
    }
    *out = server;
    return 0;
}

static void set_state(struct server *server, enum server_state state)
{
    atomic_store(&server->state, state);
    for (int i = 0; i < server->thread_count; i++)
        if (server->threads[i].is_started)
            answer_queue_wake(server->threads[i].answers);
}

void server_stop_accepting(struct server *server)
{
    set_state(server, SERVER_DRAINING);
}

/* What was accepted is about to become a request, or may still be accepted. */
static bool is_expecting(struct server *server)
{
    bool result = false;
    for (int i = 0; i < server->thread_count; i++)
        if (!atomic_load(&server->threads[i].is_quiesced) ||
            atomic_load(&server->threads[i].unspoken) > 0)
            result = true;
    return result;
}

static int in_flight(struct server *server)
{
    int total = 0;
    for (int i = 0; i < server->thread_count; i++)
        total += atomic_load(&server->threads[i].in_flight);
    return total;
}

bool server_drain(struct server *server, int64_t deadline_ms)
{
    const struct timespec pause = { .tv_nsec = DRAIN_LOOK_MS * 1000000L };
    const struct clock *clock = server->settings.clock;
    int64_t now_us = clock_monotonic_us(clock);
    int64_t until_us = now_us + deadline_ms * 1000;
    int64_t expecting_until_us = now_us + DRAIN_UNSPOKEN_MS * INT64_C(1000);
    for (;;) {
        /* In this order: a connection is counted as in flight before it is no longer expected. */
        bool must_wait = is_expecting(server) && now_us < expecting_until_us;
        if (in_flight(server) == 0 && !must_wait)
            return true;
        if (now_us >= until_us)
            return false;
        nanosleep(&pause, NULL);
        now_us = clock_monotonic_us(clock);
    }
}

void server_free(struct server *server)
{
    if (!server)
        return;
    set_state(server, SERVER_STOPPING);
    for (int i = 0; i < server->thread_count; i++) {
        struct event_thread *thread = &server->threads[i];
        if (thread->is_started)
            pthread_join(thread->thread, NULL);
        if (thread->daemon) {
            /* Else libmicrohttpd would close the listening socket, which is not its own. */
            if (!atomic_load(&thread->is_quiesced))
                MHD_quiesce_daemon(thread->daemon);
            MHD_stop_daemon(thread->daemon);
            event_loop_take_answers(thread->answers);
            exchange_free_kept_responses(thread);
        }
        answer_queue_release(thread->answers);
    }
    free(server);
}
