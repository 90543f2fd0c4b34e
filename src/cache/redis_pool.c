/* Connections lent to the threads that ask, and the breaker. A connection belongs to the period of
 * the breaker in which it was made: one of an earlier period is closed when it comes back. */
#include "cache/redis_internal.h"

#include "core/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

void redis_connection_free(struct redis_connection *connection)
{
    if (!connection)
        return;
    if (connection->context)
        redisFree(connection->context);
    free(connection);
}

void redis_close_idle(struct redis *redis)
{
    pthread_mutex_lock(&redis->lock);
    struct redis_connection *idle = STEAL(redis->idle);
    for (struct redis_connection *each = idle; each; each = each->next)
        redis->connection_count--;
    pthread_mutex_unlock(&redis->lock);
    for (struct redis_connection *next; idle; idle = next) {
        next = idle->next;
        redis_connection_free(idle);
    }
}

/* --- the breaker; the lock is held --- */

/* Whether it is worth a line in the log. */
static bool open_breaker(struct redis *redis)
{
    bool was_closed = redis->breaker.state == BREAKER_CLOSED;
    if (!breaker_open(&redis->breaker, clock_monotonic_us(redis->settings.clock)))
        return false;
    atomic_store(&redis->is_up, false);
    pthread_cond_broadcast(&redis->available);
    eventfd_write(redis->wake_fd, 1);
    metrics_add(redis->settings.metrics, METRIC_CACHE_BREAKER_OPENED, was_closed);
    bool is_news = !redis->was_told_away;
    redis->was_told_away = true;
    redis->was_told_up = false;
    return is_news;
}

static void tell_away(const struct redis *redis, const struct err *why)
{
    log_warning(&redis->log, "Redis is away: the cache keeps to this process's memory",
                LOG_TEXT("reason", str_from(why->message)));
}

void redis_give_up(struct redis *redis, const struct err *why)
{
    pthread_mutex_lock(&redis->lock);
    bool is_news = open_breaker(redis);
    pthread_mutex_unlock(&redis->lock);
    if (is_news)
        tell_away(redis, why);
}

/* What failed in an earlier period says nothing about this one, nor about a trial under way. */
static void give_up_period(struct redis *redis, int64_t period, const struct err *why)
{
    pthread_mutex_lock(&redis->lock);
    bool is_news = redis->breaker.state == BREAKER_CLOSED && redis->breaker.period == period &&
                   open_breaker(redis);
    pthread_mutex_unlock(&redis->lock);
    if (is_news)
        tell_away(redis, why);
}

void redis_lose(struct redis *redis, const struct err *why)
{
    pthread_mutex_lock(&redis->lock);
    redis->lost++;
    /* A trial under way looks at `lost` before it closes the breaker. */
    bool is_news = redis->breaker.state == BREAKER_CLOSED && open_breaker(redis);
    pthread_mutex_unlock(&redis->lock);
    if (is_news)
        tell_away(redis, why);
}

static struct timespec wait_until(const struct redis *redis)
{
    return thread_time_at(thread_now_us() + redis_timeout_ms(&redis->address) * INT64_C(1000));
}

void redis_await_healing(struct redis *redis)
{
    int waited = 0;
    struct timespec until = wait_until(redis);
    pthread_mutex_lock(&redis->lock);
    while (redis->is_healing && waited == 0)
        waited = pthread_cond_timedwait(&redis->available, &redis->lock, &until);
    pthread_mutex_unlock(&redis->lock);
}

/* --- lending --- */

/* An idle connection, or the right to make one: then it returns 0 and NULL. `*period` is set also
 * when it fails. */
static int reserve(struct redis *redis, struct redis_connection **connection, int64_t *period,
                   struct err *err)
{
    int result = 0, waited = 0;
    struct timespec until = wait_until(redis);
    pthread_mutex_lock(&redis->lock);
    while (redis->breaker.state == BREAKER_CLOSED && !redis->idle &&
           redis->connection_count >= REDIS_CONNECTIONS && waited == 0)
        waited = pthread_cond_timedwait(&redis->available, &redis->lock, &until);
    *period = redis->breaker.period;
    if (redis->breaker.state != BREAKER_CLOSED) {
        result = err_set(err, ERR_UNAVAILABLE, "Redis is away");
    } else if (redis->idle) {
        *connection = redis->idle;
        redis->idle = (*connection)->next;
    } else if (redis->connection_count < REDIS_CONNECTIONS) {
        redis->connection_count++;
    } else {
        result = err_set(err, ERR_BUSY, "all connections to Redis are in use");
    }
    pthread_mutex_unlock(&redis->lock);
    return result;
}

static void give_back(struct redis *redis, struct redis_connection *connection)
{
    pthread_mutex_lock(&redis->lock);
    if (connection && connection->period == redis->breaker.period &&
        redis->breaker.state == BREAKER_CLOSED) {
        connection->next = redis->idle;
        redis->idle = STEAL(connection);
    } else {
        redis->connection_count--;
    }
    pthread_cond_signal(&redis->available);
    pthread_mutex_unlock(&redis->lock);
    redis_connection_free(connection);
}

/* NULL and a reason in `err`. */
static struct redis_connection *make(struct redis *redis, int64_t period, struct err *err)
{
    struct redis_address address;
    char run_id[REDIS_RUN_ID_SIZE], expected[REDIS_RUN_ID_SIZE];
    pthread_mutex_lock(&redis->lock);
    address = redis->resolved;
    memcpy(expected, redis->run_id, sizeof(expected));
    pthread_mutex_unlock(&redis->lock);
    struct redis_connection *connection = calloc(1, sizeof(*connection));
    if (!connection) {
        err_set(err, ERR_MEMORY, "a connection to Redis");
        return NULL;
    }
    connection->period = period;
    int result = redis_connect(&address, &connection->context, run_id, err);
    if (result == 0 && strcmp(run_id, expected) != 0)
        result = err_set(err, ERR_UNAVAILABLE, "another Redis answers than before");
    if (result != 0) {
        redis_connection_free(connection);
        return NULL;
    }
    return connection;
}

int redis_run(struct redis *redis, const struct redis_command *commands, size_t count,
              redisReply **replies, struct err *err)
{
    struct err own = { 0 };
    struct redis_connection *connection = NULL;
    int64_t period;
    if (!err)
        err = &own;
    int result = reserve(redis, &connection, &period, err);
    if (result != 0)
        return result;
    bool was_idle = connection != NULL;
    if (was_idle)
        result = redis_exchange(connection->context, commands, count, replies, err);
    /* Redis closes connections that were idle for long; so one that breaks says little, one that
     * is slow says enough. */
    if (!was_idle || result == ERR_UNAVAILABLE) {
        redis_connection_free(connection);
        connection = make(redis, period, err);
        result = connection ? redis_exchange(connection->context, commands, count, replies, err)
                            : err->code;
    }
    if (result != 0) {
        redis_connection_free(STEAL(connection));
        give_up_period(redis, period, err);
    }
    give_back(redis, connection);
    return result;
}
