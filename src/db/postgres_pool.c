/* Connections are given out last in, first out: the one used most recently is warm on both sides,
 * and those at the bottom show by their age that they aren't needed.
 *
 * One thread, the keeper, opens what callers wait for and what is missing to the minimum, asks
 * connections that nobody used for a while whether they live, and closes those not needed. When
 * opening fails it pauses: full jitter, from BACKOFF_MIN_MS doubling to BACKOFF_MAX_MS. A caller
 * never opens a connection itself: a hundred callers would knock at once at a server that is just
 * coming back.
 *
 * Threads: postgres_pool_take and _return from any. The lock guards everything that changes; it is
 * held for a few instructions only. A connection belongs to whoever has taken it, the keeper too.
 */
#include "db/postgres_pool.h"

#include "core/backoff.h"
#include "core/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_AFTER_MS     15000 /* without use */
#define UNNEEDED_AFTER_MS  60000
#define BACKOFF_MIN_MS     50
#define BACKOFF_MAX_MS     5000
#define THREAD_STACK_BYTES ((size_t)512 * 1024) /* TLS and name resolution happen on it */

struct idle {
    struct postgres_connection *connection;
    int64_t used_ms;    /* when it was returned by a caller */
    int64_t checked_ms; /* when it was known to live */
};

struct postgres_pool {
    struct postgres_pool_settings settings;
    struct postgres_target *target;
    pthread_t keeper;
    bool has_keeper;
    pthread_mutex_t lock;
    pthread_cond_t has_idle;
    pthread_cond_t has_work; /* for the keeper */
    bool is_stopping;
    int open;              /* idle, taken, or with the keeper */
    int opening;           /* of these, not open yet: 0 or 1 */
    int waiting;           /* callers */
    int failures;          /* to open, in a row */
    int64_t open_at_ms;    /* not before */
    int64_t down_since_ms; /* when the first of them failed */
    struct err down_reason;
    int idle_count;
    struct idle idle[]; /* pool_max places, the longest unused one first */
};

static int64_t now_ms(void)
{
    return thread_now_us() / 1000;
}

/* --- Opening; with the lock held unless it says otherwise --- */

static void put_idle(struct postgres_pool *pool, struct idle idle)
{
    pool->idle[pool->idle_count++] = idle;
    pthread_cond_signal(&pool->has_idle);
}

static void note_failure(struct postgres_pool *pool, const struct err *err)
{
    int64_t now = now_ms();
    pool->open_at_ms = now + 1 + backoff_draw(BACKOFF_MIN_MS, BACKOFF_MAX_MS, pool->failures);
    pool->open--;
    if (pool->failures++ == 0)
        pool->down_since_ms = now;
    pool->down_reason = *err;
    /* Callers see for themselves whether they wait on. */
    pthread_cond_broadcast(&pool->has_idle);
}

static void tell(struct postgres_pool *pool, bool is_open, int failures, const struct err *err)
{
    if (!pool->settings.log)
        return;
    struct log log = log_of(pool->settings.log);
    if (!is_open && failures == 1)
        log_warning(&log, "PostgreSQL can't be reached", LOG_TEXT("why", str_from(err->message)));
    if (is_open && failures > 0)
        log_info(&log, "PostgreSQL is back", LOG_INT("failed_attempts", failures));
}

/* Opens one, for which `open` was counted already. Gives the lock away while it waits. */
static void open_one(struct postgres_pool *pool)
{
    struct postgres_connection *connection = NULL;
    struct err err = { 0 };
    pool->opening++;
    pthread_mutex_unlock(&pool->lock);
    int result = postgres_connection_open(&connection, pool->target, &err);
    metrics_add(pool->settings.metrics, result == 0 ? METRIC_DB_POOL_OPENED : METRIC_DB_POOL_FAILED,
                1);
    pthread_mutex_lock(&pool->lock);
    pool->opening--;
    int failures = pool->failures;
    if (result == 0) {
        int64_t now = now_ms();
        pool->failures = 0;
        put_idle(pool, (struct idle){ connection, now, now });
    } else {
        note_failure(pool, &err);
        failures = pool->failures;
    }
    metrics_gauge_set(pool->settings.metrics, METRIC_DB_POOL_OPEN, pool->open);
    pthread_mutex_unlock(&pool->lock);
    tell(pool, result == 0, failures, &err);
    pthread_mutex_lock(&pool->lock);
}

/* --- The keeper --- */

static bool wants_one(const struct postgres_pool *pool)
{
    return pool->open < pool->settings.pool_min ||
           (pool->waiting > 0 && pool->idle_count == 0 && pool->open < pool->settings.pool_max);
}

static struct idle remove_idle(struct postgres_pool *pool, int position)
{
    struct idle removed = pool->idle[position];
    pool->idle_count--;
    memmove(&pool->idle[position], &pool->idle[position + 1],
            (size_t)(pool->idle_count - position) * sizeof(pool->idle[0]));
    return removed;
}

static bool is_unneeded(const struct postgres_pool *pool, int64_t now)
{
    return pool->open > pool->settings.pool_min && pool->idle_count > 1 &&
           now - pool->idle[0].used_ms >= UNNEEDED_AFTER_MS;
}

/* The one that has gone longest without a sign of life; -1 without any. */
static int oldest_unchecked(const struct postgres_pool *pool)
{
    int oldest = -1;
    for (int i = 0; i < pool->idle_count; i++)
        if (oldest < 0 || pool->idle[i].checked_ms < pool->idle[oldest].checked_ms)
            oldest = i;
    return oldest;
}

static void close_one(struct postgres_pool *pool, struct postgres_connection *connection)
{
    pool->open--;
    metrics_gauge_set(pool->settings.metrics, METRIC_DB_POOL_OPEN, pool->open);
    pthread_mutex_unlock(&pool->lock);
    postgres_connection_close(connection);
    pthread_mutex_lock(&pool->lock);
}

/* It goes back to its place at the bottom: a check is no use. */
static void put_back(struct postgres_pool *pool, struct idle idle)
{
    int position = 0;
    while (position < pool->idle_count && pool->idle[position].used_ms <= idle.used_ms)
        position++;
    memmove(&pool->idle[position + 1], &pool->idle[position],
            (size_t)(pool->idle_count - position) * sizeof(pool->idle[0]));
    pool->idle[position] = idle;
    pool->idle_count++;
    pthread_cond_signal(&pool->has_idle);
}

static void check_one(struct postgres_pool *pool, int position)
{
    struct idle checked = remove_idle(pool, position);
    struct err unread;
    pthread_mutex_unlock(&pool->lock);
    bool is_alive = postgres_connection_ping(checked.connection, &unread) == 0;
    pthread_mutex_lock(&pool->lock);
    if (!is_alive) {
        close_one(pool, checked.connection);
        return;
    }
    checked.checked_ms = now_ms();
    put_back(pool, checked);
}

/* Does what is most urgent; false, and when to look again, when nothing is. */
static bool keep_once(struct postgres_pool *pool, int64_t *next_ms)
{
    int64_t now = now_ms();
    *next_ms = now + CHECK_AFTER_MS;
    if (wants_one(pool)) {
        if (now >= pool->open_at_ms || pool->failures == 0) {
            pool->open++;
            open_one(pool);
            return true;
        }
        *next_ms = pool->open_at_ms;
    }
    if (is_unneeded(pool, now)) {
        close_one(pool, remove_idle(pool, 0).connection);
        return true;
    }
    int oldest = oldest_unchecked(pool);
    if (oldest < 0)
        return false;
    int64_t due_ms = pool->idle[oldest].checked_ms + CHECK_AFTER_MS;
    if (now >= due_ms) {
        check_one(pool, oldest);
        return true;
    }
    *next_ms = *next_ms < due_ms ? *next_ms : due_ms;
    return false;
}

static void *keep(void *argument)
{
    struct postgres_pool *pool = argument;
    pthread_mutex_lock(&pool->lock);
    while (!pool->is_stopping) {
        int64_t next_ms;
        if (keep_once(pool, &next_ms))
            continue;
        struct timespec until = thread_time_at(next_ms * 1000);
        pthread_cond_timedwait(&pool->has_work, &pool->lock, &until);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* --- The pool --- */

static int open_first(struct postgres_pool *pool, struct err *err)
{
    struct postgres_connection *connection;
    int result = postgres_connection_open(&connection, pool->target, err);
    metrics_add(pool->settings.metrics, result == 0 ? METRIC_DB_POOL_OPENED : METRIC_DB_POOL_FAILED,
                1);
    if (result != 0)
        return result;
    int64_t now = now_ms();
    pool->open = 1;
    pool->idle[pool->idle_count++] = (struct idle){ connection, now, now };
    return 0;
}

static int start_keeper(struct postgres_pool *pool, struct err *err)
{
    int status = thread_start(&pool->keeper, THREAD_JOINED, THREAD_STACK_BYTES, keep, pool);
    if (status != 0)
        return err_set_errno(err, ERR_IO, status, "starting the keeper of connections");
    pool->has_keeper = true;
    return 0;
}

int postgres_pool_new(struct postgres_pool **out, const struct postgres_pool_settings *settings,
                      struct err *err)
{
    size_t places = (size_t)settings->pool_max * sizeof(struct idle);
    struct postgres_pool *pool = calloc(1, sizeof(*pool) + places);
    if (!pool)
        return err_set(err, ERR_MEMORY, "a pool of %d connections", settings->pool_max);
    pool->settings = *settings;
    pthread_mutex_init(&pool->lock, NULL);
    thread_cond_init(&pool->has_idle);
    thread_cond_init(&pool->has_work);
    int result = postgres_target_new(&pool->target, settings->url, err);
    if (result == 0)
        result = open_first(pool, err);
    if (result == 0)
        result = start_keeper(pool, err);
    if (result != 0) {
        postgres_pool_free(pool);
        return result;
    }
    *out = pool;
    return 0;
}

void postgres_pool_free(struct postgres_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->is_stopping = true;
    pthread_cond_signal(&pool->has_work);
    pthread_mutex_unlock(&pool->lock);
    if (pool->has_keeper)
        pthread_join(pool->keeper, NULL);
    for (int i = 0; i < pool->idle_count; i++)
        postgres_connection_close(pool->idle[i].connection);
    metrics_gauge_set(pool->settings.metrics, METRIC_DB_POOL_OPEN, 0);
    postgres_target_free(pool->target);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->has_idle);
    pthread_cond_destroy(&pool->has_work);
    free(pool);
}

const struct postgres_target *postgres_pool_target(const struct postgres_pool *pool)
{
    return pool->target;
}

static bool is_down(const struct postgres_pool *pool)
{
    return pool->open == pool->opening;
}

/* Until when a caller that came at `began_ms` waits. */
static int64_t patience_ends_ms(const struct postgres_pool *pool, int64_t began_ms)
{
    int64_t ends_ms = began_ms + POSTGRES_WAIT_MS;
    if (is_down(pool) && pool->failures > 0 && pool->down_since_ms + POSTGRES_WAIT_MS < ends_ms)
        ends_ms = pool->down_since_ms + POSTGRES_WAIT_MS;
    return ends_ms;
}

/* With the lock held and no idle connection. */
static int wait_for_idle(struct postgres_pool *pool, struct err *err)
{
    int64_t began_ms = now_ms();
    pool->waiting++;
    metrics_gauge_add(pool->settings.metrics, METRIC_DB_POOL_WAITING, 1);
    while (pool->idle_count == 0 && now_ms() < patience_ends_ms(pool, began_ms)) {
        struct timespec until = thread_time_at(patience_ends_ms(pool, began_ms) * 1000);
        pthread_cond_signal(&pool->has_work);
        pthread_cond_timedwait(&pool->has_idle, &pool->lock, &until);
    }
    pool->waiting--;
    metrics_gauge_add(pool->settings.metrics, METRIC_DB_POOL_WAITING, -1);
    metrics_observe_us(pool->settings.metrics, METRIC_DB_POOL_WAIT, (now_ms() - began_ms) * 1000);
    if (pool->idle_count > 0)
        return 0;
    if (is_down(pool))
        return err_set(err, ERR_UNAVAILABLE, "PostgreSQL can't be reached: %s",
                       pool->failures > 0 ? pool->down_reason.message : "it does not answer");
    return err_set(err, ERR_BUSY, "no database connection came free within %d ms; %d are open",
                   POSTGRES_WAIT_MS, pool->open);
}

static int take_one(struct postgres_pool *pool, struct postgres_connection **connection,
                    struct err *err)
{
    pthread_mutex_lock(&pool->lock);
    int result = 0;
    if (pool->idle_count == 0)
        result = wait_for_idle(pool, err);
    else
        metrics_observe_us(pool->settings.metrics, METRIC_DB_POOL_WAIT, 0);
    if (result == 0)
        *connection = pool->idle[--pool->idle_count].connection;
    pthread_mutex_unlock(&pool->lock);
    return result;
}

static void drop(struct postgres_pool *pool, struct postgres_connection *connection)
{
    pthread_mutex_lock(&pool->lock);
    close_one(pool, connection);
    pthread_cond_signal(&pool->has_work);
    pthread_mutex_unlock(&pool->lock);
}

int postgres_pool_take(struct postgres_pool *pool, struct postgres_connection **connection,
                       struct err *err)
{
    *connection = NULL;
    for (;;) {
        int result = take_one(pool, connection, err);
        if (result != 0)
            return result;
        if (postgres_connection_is_alive(*connection))
            break;
        drop(pool, *connection);
    }
    metrics_gauge_add(pool->settings.metrics, METRIC_DB_POOL_IN_USE, 1);
    return 0;
}

void postgres_pool_return(struct postgres_pool *pool, struct postgres_connection *connection)
{
    metrics_gauge_add(pool->settings.metrics, METRIC_DB_POOL_IN_USE, -1);
    if (connection->is_broken) {
        drop(pool, connection);
        return;
    }
    int64_t now = now_ms();
    pthread_mutex_lock(&pool->lock);
    put_idle(pool, (struct idle){ connection, now, now });
    pthread_mutex_unlock(&pool->lock);
}
