/* The keeper: one thread that holds the subscription, hears of changes elsewhere, and tries Redis
 * again after trouble; no thread that asks ever pays for a trial.
 *
 * A trial subscribes first, then empties memory (words may have been missed), then advances the
 * epoch if a change was lost, and only then closes the breaker. Changes that are lost meanwhile are
 * counted under the lock under which it is closed, so none slips between; should one come between,
 * the trial advances again, and further changes wait for it.
 *
 * Messages: the sender's instance, a space, and
 *     d category:key     it has changed
 *     c pattern          all that matches is to be dropped
 *     e epoch            the epoch was advanced */
#include "cache/redis_internal.h"

#include "redis/subscription.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#define IDLE_WAIT_MS 60000
#define LEAD_LENGTH  (REDIS_INSTANCE_SIZE + 2) /* "instance d " */

static int64_t now_us(const struct redis *redis)
{
    return clock_monotonic_us(redis->settings.clock);
}

/* --- messages --- */

static void changed_all(struct redis *redis)
{
    redis->settings.changed(redis->settings.context, NULL, STR("*"));
}

void redis_adopt_epoch(struct redis *redis, int64_t epoch)
{
    pthread_mutex_lock(&redis->lock);
    bool is_news = redis->epoch != epoch;
    redis->epoch = epoch;
    pthread_mutex_unlock(&redis->lock);
    if (is_news)
        changed_all(redis);
}

static void hear_change(struct redis *redis, struct str_view text)
{
    const char *colon = text.length ? memchr(text.data, ':', text.length) : NULL;
    if (!colon)
        return;
    size_t length = (size_t)(colon - text.data);
    struct str_view word = { text.data, length };
    struct cache_name name = { .key = { colon + 1, text.length - length - 1 } };
    for (int i = 0; i < CACHE_CATEGORY_COUNT; i++) {
        name.category = (enum cache_category)i;
        if (str_equal(word, str_from(cache_category_info(name.category)->word)))
            redis->settings.changed(redis->settings.context, &name, STR_NONE);
    }
}

static void hear(void *context, struct str_view message)
{
    struct redis *redis = context;
    int64_t epoch;
    if (message.length < LEAD_LENGTH ||
        memcmp(message.data, redis->instance, REDIS_INSTANCE_SIZE - 1) == 0)
        return;
    char kind = message.data[REDIS_INSTANCE_SIZE];
    struct str_view text = { message.data + LEAD_LENGTH, message.length - LEAD_LENGTH };
    if (kind == 'd')
        hear_change(redis, text);
    else if (kind == 'c')
        redis->settings.changed(redis->settings.context, NULL, text);
    else if (kind == 'e' && str_to_uint63(text, &epoch) == 0)
        redis_adopt_epoch(redis, epoch);
}

/* --- the trial --- */

static int tell_epoch(const struct redis *redis, redisContext *context, int64_t epoch,
                      struct err *err)
{
    char text[64];
    struct redis_words words = { 0 };
    redisReply *reply;
    snprintf(text, sizeof(text), "%s e %" PRId64, redis->instance, epoch);
    redis_word(&words, STR("PUBLISH"));
    redis_word(&words, str_from(redis->channel));
    redis_word(&words, str_from(text));
    const struct redis_command command = redis_command_of(&words);
    int result = redis_exchange(context, &command, 1, &reply, err);
    if (result == 0)
        redis_free_replies(&reply, 1);
    return result;
}

static int ask_epoch(const struct redis *redis, redisContext *context, bool advances,
                     int64_t *epoch, struct err *err)
{
    struct redis_words words = { 0 };
    redisReply *reply;
    redis_word(&words, advances ? STR("INCR") : STR("GET"));
    redis_word(&words, str_from(redis->epoch_key));
    const struct redis_command command = redis_command_of(&words);
    int result = redis_exchange(context, &command, 1, &reply, err);
    if (result != 0)
        return result;
    *epoch = 0;
    if (reply->type == REDIS_REPLY_INTEGER)
        *epoch = reply->integer;
    else if (reply->type == REDIS_REPLY_ERROR)
        result = err_set(err, ERR_UNAVAILABLE, "Redis: %s", reply->str);
    else if (reply->type == REDIS_REPLY_STRING &&
             str_to_uint63((struct str_view){ reply->str, reply->len }, epoch) != 0)
        result = err_set(err, ERR_UNAVAILABLE, "the epoch in Redis is no number");
    redis_free_replies(&reply, 1);
    return result == 0 && advances ? tell_epoch(redis, context, *epoch, err) : result;
}

/* Closes the breaker unless another change was lost since `lost` was read. */
static bool close_breaker(struct redis *redis, uint64_t lost, int64_t epoch, const char *run_id,
                          struct redis_connection *connection, bool *is_news)
{
    pthread_mutex_lock(&redis->lock);
    bool is_closed = redis->lost == lost && breaker_close(&redis->breaker, now_us(redis));
    if (is_closed) {
        redis->healed = lost;
        redis->epoch = epoch;
        memcpy(redis->run_id, run_id, REDIS_RUN_ID_SIZE);
        connection->period = redis->breaker.period;
        connection->next = redis->idle;
        redis->idle = connection;
        redis->connection_count++;
        atomic_store(&redis->trusted_at_us,
                     redis->was_told_away ? now_us(redis) + REDIS_REUNION_US : 0);
        atomic_store(&redis->is_up, true);
        *is_news = !redis->was_told_up;
        redis->was_told_up = true;
        redis->was_told_away = false;
    }
    pthread_mutex_unlock(&redis->lock);
    return is_closed;
}

static void set_healing(struct redis *redis, bool is_healing)
{
    pthread_mutex_lock(&redis->lock);
    redis->is_healing = is_healing;
    pthread_cond_broadcast(&redis->available);
    pthread_mutex_unlock(&redis->lock);
}

static int heal(struct redis *redis, const char *run_id, struct redis_connection *connection,
                struct err *err)
{
    bool is_closed = false, is_news = false;
    int result = 0;
    while (!is_closed && result == 0) {
        int64_t epoch;
        pthread_mutex_lock(&redis->lock);
        uint64_t lost = redis->lost;
        bool advances = lost != redis->healed;
        pthread_mutex_unlock(&redis->lock);
        result = ask_epoch(redis, connection->context, advances, &epoch, err);
        if (result == 0)
            is_closed = close_breaker(redis, lost, epoch, run_id, connection, &is_news);
        if (result == 0 && !is_closed)
            set_healing(redis, true);
    }
    set_healing(redis, false);
    if (is_news)
        log_info(&redis->log, "Redis is used", LOG_NOTHING);
    return result;
}

static int try_redis(struct redis *redis, struct redis_subscription *subscription, struct err *err)
{
    struct redis_address resolved;
    char run_id[REDIS_RUN_ID_SIZE];
    int result = redis_resolve(&redis->address, &resolved, err);
    if (result != 0)
        return result;
    pthread_mutex_lock(&redis->lock);
    redis->resolved = resolved;
    pthread_mutex_unlock(&redis->lock);
    struct redis_connection *connection = calloc(1, sizeof(*connection));
    if (!connection)
        return err_set(err, ERR_MEMORY, "a connection to Redis");
    result = redis_subscription_open(subscription, &resolved, str_from(redis->channel),
                                     redis->settings.clock, &connection->context, run_id, err);
    if (result == 0) {
        changed_all(redis);
        result = heal(redis, run_id, connection, err);
    }
    if (result != 0)
        redis_connection_free(connection);
    return result;
}

/* --- the subscription --- */

static void forget_wake(const struct redis *redis)
{
    eventfd_t ignored;
    eventfd_read(redis->wake_fd, &ignored);
}

/* Until the subscription breaks, the breaker opens, or the end. */
static int listen_to(struct redis *redis, struct redis_subscription *subscription, struct err *err)
{
    int result = 0;
    while (result == 0 && atomic_load(&redis->is_up) && !atomic_load(&redis->is_stopping))
        result = redis_subscription_wait(subscription, redis->settings.clock, redis->wake_fd, hear,
                                         redis, err);
    return result;
}

/* Waits for the time of the next trial; false at the end. */
static bool wait_for_turn(struct redis *redis)
{
    while (!atomic_load(&redis->is_stopping)) {
        pthread_mutex_lock(&redis->lock);
        bool is_due = breaker_try(&redis->breaker, now_us(redis));
        int64_t wait_us = redis->breaker.retry_at_us - now_us(redis);
        pthread_mutex_unlock(&redis->lock);
        if (is_due)
            return true;
        struct pollfd polled = { .fd = redis->wake_fd, .events = POLLIN };
        int wait_ms = wait_us < 0 ? 0 : (int)(wait_us / 1000) + 1;
        if (poll(&polled, 1, wait_ms < IDLE_WAIT_MS ? wait_ms : IDLE_WAIT_MS) > 0)
            forget_wake(redis);
    }
    return false;
}

void *redis_keep(void *argument)
{
    struct redis *redis = argument;
    while (wait_for_turn(redis)) {
        struct redis_subscription subscription = { 0 };
        struct err err = { 0 };
        int result = try_redis(redis, &subscription, &err);
        if (result == 0)
            result = listen_to(redis, &subscription, &err);
        if (result != 0)
            redis_give_up(redis, &err);
        if (subscription.context)
            redisFree(subscription.context);
        redis_close_idle(redis);
    }
    return NULL;
}
