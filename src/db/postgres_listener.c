/* One thread that waits on one connection, which is none of the pool's: LISTEN belongs to a session
 * for as long as that lives. When it is lost the thread pauses and connects anew, with full jitter
 * from BACKOFF_MIN_MS doubling to BACKOFF_MAX_MS. What was said in between is lost, so each
 * beginning and each interruption is told to `heard`, which then looks for itself.
 *
 * A pooler may give each transaction another process of the server, and what one of those hears
 * reaches whoever has it just then. So behind a pooler the thread says so once and ends: nothing is
 * heard, and who waits for something has to look.
 *
 * Threads: the lock is held while `heard` is called, so that none is when `stop` has returned. */
#include "db/postgres_listener.h"

#include "core/backoff.h"
#include "core/thread.h"
#include "db/postgres_error.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CHECK_AFTER_MS     15000 /* of silence: a connection that died unseen is found */
#define BACKOFF_MIN_MS     50
#define BACKOFF_MAX_MS     5000
#define THREAD_STACK_BYTES ((size_t)512 * 1024) /* TLS and name resolution happen on it */
#define LISTEN_BYTES       80

struct db_listener {
    struct db_listener *next;
    struct postgres_listener_settings settings;
    pthread_t thread;
    int wake_fd; /* readable once it is to stop */
    atomic_bool is_hearing;
    pthread_mutex_t lock; /* guards the following, and calls of `heard` */
    bool is_stopping;
};

/* --- What is heard --- */

static bool is_stopping(struct db_listener *self)
{
    pthread_mutex_lock(&self->lock);
    bool is_stopping = self->is_stopping;
    pthread_mutex_unlock(&self->lock);
    return is_stopping;
}

static void tell(struct db_listener *self, int64_t caller)
{
    pthread_mutex_lock(&self->lock);
    if (!self->is_stopping)
        self->settings.heard(self->settings.context, caller);
    pthread_mutex_unlock(&self->lock);
}

static void take_notifications(struct db_listener *self, PGconn *handle)
{
    PGnotify *notification;
    while ((notification = PQnotifies(handle))) {
        int64_t caller;
        if (str_to_int64(str_from(notification->extra), &caller) != 0)
            caller = 0;
        PQfreemem(notification);
        metrics_add(self->settings.metrics, METRIC_DB_HEARD, 1);
        tell(self, caller);
    }
}

static int wait_for_more(struct db_listener *self, struct postgres_connection *connection,
                         struct err *err)
{
    struct pollfd watched[] = {
        { .fd = PQsocket(connection->handle), .events = POLLIN },
        { .fd = self->wake_fd, .events = POLLIN },
    };
    int ready = poll(watched, ARRAY_LENGTH(watched), CHECK_AFTER_MS);
    if (ready < 0 && errno != EINTR)
        return err_set_errno(err, ERR_IO, errno, "poll");
    if (ready == 0)
        return postgres_connection_ping(connection, err);
    if (watched[0].revents != 0 && PQconsumeInput(connection->handle) != 1)
        return postgres_connection_fail(connection->handle, ERR_UNAVAILABLE, err);
    return 0;
}

static void set_hearing(struct db_listener *self, bool is_hearing)
{
    atomic_store(&self->is_hearing, is_hearing);
    metrics_gauge_add(self->settings.metrics, METRIC_DB_HEARING, is_hearing ? 1 : -1);
}

/* Until the connection is lost, or it is time to stop. */
static int hear(struct db_listener *self, struct postgres_connection *connection, struct err *err)
{
    int result = 0;
    set_hearing(self, true);
    tell(self, 0);
    while (result == 0 && !is_stopping(self)) {
        take_notifications(self, connection->handle);
        result = wait_for_more(self, connection, err);
    }
    set_hearing(self, false);
    tell(self, 0);
    return result;
}

/* --- Connecting --- */

/* The statement's result, none more (of which libpq says FATAL_ERROR), and the end of the
 * transaction, after which it is in force. */
static int read_listening(struct postgres_connection *connection, struct err *err)
{
    static const ExecStatusType expected[] = { PGRES_COMMAND_OK, PGRES_FATAL_ERROR,
                                               PGRES_PIPELINE_SYNC };
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        CLEANUP(cleanup_pgresult) PGresult *result = NULL;
        int status = postgres_connection_read(connection, POSTGRES_SILENCE_MS, &result, err);
        if (status != 0)
            return status;
        if (PQresultStatus(result) != expected[i])
            return postgres_result_fail(result, err);
    }
    return 0;
}

static int begin_listening(struct db_listener *self, struct postgres_connection *connection,
                           struct err *err)
{
    char sql[LISTEN_BYTES];
    PGconn *handle = connection->handle;
    int length = snprintf(sql, sizeof(sql), "LISTEN %s", self->settings.channel);
    if (length < 0 || (size_t)length >= sizeof(sql))
        return err_set(err, ERR_LIMIT, "the channel's name is too long");
    if (PQsendQueryParams(handle, sql, 0, NULL, NULL, NULL, NULL, 1) != 1 ||
        PQpipelineSync(handle) != 1)
        return postgres_connection_fail(handle, ERR_UNAVAILABLE, err);
    return read_listening(connection, err);
}

static void log_state(const struct db_listener *self, bool is_hearing, int failures,
                      const struct err *err)
{
    if (!self->settings.log)
        return;
    struct log log = log_of(self->settings.log);
    if (is_hearing && failures > 0)
        log_info(&log, "other processes are heard again", LOG_INT("failed_attempts", failures));
    if (!is_hearing && failures == 1)
        log_warning(&log, "other processes are not heard for now",
                    LOG_TEXT("why", str_from(err->message)));
}

static void log_pooler(const struct db_listener *self)
{
    if (!self->settings.log)
        return;
    struct log log = log_of(self->settings.log);
    log_warning(&log, "a pooler stands before PostgreSQL: other processes are not heard",
                LOG_NOTHING);
}

/* `*failures` in a row. False when it is of no use to try again. */
static bool listen_once(struct db_listener *self, int *failures)
{
    struct postgres_connection *connection = NULL;
    struct err err = { 0 };
    int result = postgres_connection_open(&connection, self->settings.target, &err);
    bool is_pooled = result == 0 && connection->is_behind_pooler;
    if (result == 0 && !is_pooled)
        result = begin_listening(self, connection, &err);
    if (is_pooled) {
        log_pooler(self);
    } else if (result == 0) {
        log_state(self, true, *failures, &err);
        *failures = 0;
        result = hear(self, connection, &err);
    }
    postgres_connection_close(connection);
    if (result != 0)
        log_state(self, false, ++*failures, &err);
    return !is_pooled;
}

static void pause_after(struct db_listener *self, int failures)
{
    struct pollfd watched = { .fd = self->wake_fd, .events = POLLIN };
    int64_t pause_ms = 1 + backoff_draw(BACKOFF_MIN_MS, BACKOFF_MAX_MS, failures);
    (void)poll(&watched, 1, (int)pause_ms);
}

static void *run(void *argument)
{
    struct db_listener *self = argument;
    int failures = 0;
    while (!is_stopping(self) && listen_once(self, &failures))
        pause_after(self, failures);
    return NULL;
}

/* --- Beginning and end --- */

static void destroy(struct db_listener *self)
{
    if (self->wake_fd >= 0)
        close(self->wake_fd);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

int postgres_listener_new(struct db_listener **listeners,
                          const struct postgres_listener_settings *settings, struct err *err)
{
    struct db_listener *self = calloc(1, sizeof(*self));
    if (!self)
        return err_set(err, ERR_MEMORY, "a listener");
    self->settings = *settings;
    pthread_mutex_init(&self->lock, NULL);
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int number = self->wake_fd < 0
                     ? errno
                     : thread_start(&self->thread, THREAD_JOINED, THREAD_STACK_BYTES, run, self);
    if (number != 0) {
        destroy(self);
        return err_set_errno(err, ERR_IO, number, "starting to listen");
    }
    self->next = *listeners;
    *listeners = self;
    return 0;
}

void postgres_listener_stop(struct db_listener *self)
{
    pthread_mutex_lock(&self->lock);
    self->is_stopping = true;
    pthread_mutex_unlock(&self->lock);
    (void)eventfd_write(self->wake_fd, 1);
}

void postgres_listener_free_all(struct db_listener *listeners)
{
    for (struct db_listener *self = listeners; self; self = self->next)
        postgres_listener_stop(self);
    for (struct db_listener *self = listeners, *next; self; self = next) {
        next = self->next;
        pthread_join(self->thread, NULL);
        destroy(self);
    }
}

bool postgres_listener_is_hearing(const struct db_listener *self)
{
    return atomic_load(&self->is_hearing);
}
