/* The thread: it connects, subscribes, recalls what is in force, and then waits for messages, asks
 * and lessons in turn. A lesson that comes between the subscription and the recall is heard twice,
 * which changes nothing. What others say to it is in `lock`'s hands; all else is its own.
 *
 * Redis is used only while the subscription stands: an answer means that lessons are heard, too. */
#include "outbox/limit_share.h"

#include "core/thread.h"
#include "outbox/limit_script.h"
#include "redis/breaker.h"
#include "redis/subscription.h"

#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define IDLE_WAIT_MS   60000
#define THREAD_STACK   ((size_t)256 * 1024)
#define NAME_SPACE_MAX 40
#define CHANNEL_SIZE   (NAME_SPACE_MAX + 24)
/* An ask that waited longer is given up: what it says may be untrue by now. */
#define ASK_AGE_MAX_US INT64_C(300000)

struct lesson_list {
    size_t count;
    struct limiter_lesson list[LIMIT_SHARE_LESSONS_MAX];
};

struct limit_share {
    struct limit_share_settings settings;
    struct log log;
    pthread_t thread;
    int wake_fd; /* an eventfd: the thread looks up */
    atomic_bool is_stopping, is_up;

    pthread_mutex_t lock; /* over the following */
    bool has_ask, has_answer;
    struct limit_ask ask;
    struct limit_answer answer;
    int64_t attempted_us;
    struct lesson_list told, heard;

    /* The thread's. */
    char name_space[NAME_SPACE_MAX], channel[CHANNEL_SIZE], member[LIMIT_MEMBER_SIZE];
    struct redis_address address;
    struct breaker breaker;
    struct limit_server server;
    struct redis_subscription subscription;
    bool was_told_away, was_told_up;
};

static int64_t now_us(const struct limit_share *share)
{
    return clock_monotonic_us(share->settings.clock);
}

static void wake_owner(const struct limit_share *share)
{
    share->settings.wake(share->settings.context);
}

/* What is about more than a bucket always finds room. */
static void list_add(struct lesson_list *list, const struct limiter_lesson *lesson)
{
    size_t room = LIMIT_SHARE_LESSONS_MAX - (lesson->kind == LESSON_BUCKET ? LESSON_KINDS : 0);
    if (list->count < room)
        list->list[list->count++] = *lesson;
}

static size_t list_take(struct lesson_list *list, struct limiter_lesson *lessons, size_t max)
{
    size_t count = list->count < max ? list->count : max;
    memcpy(lessons, list->list, count * sizeof(*lessons));
    list->count -= count;
    memmove(list->list, list->list + count, list->count * sizeof(*lessons));
    return count;
}

/* --- life --- */

static int set_up(struct limit_share *share, const struct limit_share_settings *settings,
                  struct err *err)
{
    unsigned char random[(LIMIT_MEMBER_SIZE - 1) / 2];
    share->settings = *settings;
    share->log = log_of(settings->log);
    int result = redis_address_parse(str_from(settings->url), &share->address, err);
    if (result != 0)
        return err_wrap(err, "REDIS_URL");
    int length = snprintf(share->name_space, NAME_SPACE_MAX, "%s", settings->name_space);
    if (length >= NAME_SPACE_MAX)
        return err_set(err, ERR_LIMIT, "a name space has less than %d bytes", NAME_SPACE_MAX);
    /* Databases have keys of their own, channels are everybody's. */
    snprintf(share->channel, CHANNEL_SIZE, "%s:%d:limits", share->name_space,
             share->address.database);
    randombytes_buf(random, sizeof(random));
    sodium_bin2hex(share->member, sizeof(share->member), random, sizeof(random));
    share->attempted_us = INT64_MIN;
    share->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return share->wake_fd < 0 ? err_set(err, ERR_IO, "an eventfd") : 0;
}

static void clean_up(struct limit_share *share)
{
    close(share->wake_fd);
    pthread_mutex_destroy(&share->lock);
    sodium_memzero(&share->address, sizeof(share->address));
    free(share);
}

static void *run(void *argument);

int limit_share_new(struct limit_share **out, const struct limit_share_settings *settings,
                    struct err *err)
{
    if (sodium_init() < 0)
        return err_set(err, ERR_INTERNAL, "libsodium does not start");
    struct limit_share *share = calloc(1, sizeof(*share));
    if (!share)
        return err_set(err, ERR_MEMORY, "shared rate limits");
    int result = set_up(share, settings, err);
    if (result != 0) {
        free(share);
        return result;
    }
    pthread_mutex_init(&share->lock, NULL);
    int number = thread_start(&share->thread, THREAD_JOINED, THREAD_STACK, run, share);
    if (number != 0) {
        clean_up(share);
        return err_set_errno(err, ERR_MEMORY, number, "a thread for shared rate limits");
    }
    *out = share;
    return 0;
}

void limit_share_free(struct limit_share *share)
{
    if (!share)
        return;
    atomic_store(&share->is_stopping, true);
    eventfd_write(share->wake_fd, 1);
    pthread_join(share->thread, NULL);
    clean_up(share);
}

/* --- from other threads --- */

bool limit_share_is_up(const struct limit_share *share)
{
    return atomic_load(&share->is_up);
}

void limit_share_ask(struct limit_share *share, const struct limit_ask *ask)
{
    pthread_mutex_lock(&share->lock);
    share->ask = *ask;
    share->has_ask = true;
    pthread_mutex_unlock(&share->lock);
    eventfd_write(share->wake_fd, 1);
}

bool limit_share_answer(struct limit_share *share, struct limit_answer *answer,
                        int64_t *attempted_us)
{
    pthread_mutex_lock(&share->lock);
    bool has_answer = share->has_answer;
    share->has_answer = false;
    *answer = share->answer;
    *attempted_us = share->attempted_us;
    pthread_mutex_unlock(&share->lock);
    return has_answer;
}

void limit_share_tell(struct limit_share *share, const struct limiter_lesson *lessons, size_t count)
{
    /* Who comes back to Redis has nothing to tell: most of it is over. */
    if (count == 0 || !limit_share_is_up(share))
        return;
    pthread_mutex_lock(&share->lock);
    for (size_t i = 0; i < count; i++)
        list_add(&share->told, &lessons[i]);
    pthread_mutex_unlock(&share->lock);
    eventfd_write(share->wake_fd, 1);
}

size_t limit_share_hear(struct limit_share *share, struct limiter_lesson *lessons, size_t max)
{
    pthread_mutex_lock(&share->lock);
    size_t count = list_take(&share->heard, lessons, max);
    pthread_mutex_unlock(&share->lock);
    return count;
}

/* --- asks --- */

static void give_answer(struct limit_share *share, const struct limit_answer *answer)
{
    pthread_mutex_lock(&share->lock);
    share->answer = *answer;
    share->has_answer = true;
    pthread_mutex_unlock(&share->lock);
    metrics_add_by(share->settings.metrics, METRIC_LIMITS_ASKED, !answer->is_given, 1);
    wake_owner(share);
}

/* `is_sent`: from now on it may reach Redis. */
static bool take_ask(struct limit_share *share, bool is_sent, struct limit_ask *ask,
                     int64_t time_us)
{
    pthread_mutex_lock(&share->lock);
    bool has_ask = share->has_ask;
    *ask = share->ask;
    share->has_ask = false;
    if (has_ask && is_sent)
        share->attempted_us = time_us;
    pthread_mutex_unlock(&share->lock);
    return has_ask;
}

static void give_up_ask(struct limit_share *share)
{
    struct limit_ask ask;
    int64_t time_us = now_us(share);
    if (take_ask(share, false, &ask, time_us))
        give_answer(share, &(struct limit_answer){ .sent_us = time_us });
}

static int pass_on_ask(struct limit_share *share, struct err *err)
{
    struct limit_ask ask;
    int64_t time_us = now_us(share);
    struct limit_answer answer = { .sent_us = time_us };
    if (!take_ask(share, true, &ask, time_us))
        return 0;
    int result = 0;
    if (time_us - ask.made_us <= ASK_AGE_MAX_US)
        result =
            limit_server_deal(&share->server, share->settings.rules, &ask, time_us, &answer, err);
    give_answer(share, &answer);
    return result < 0 ? result : 0;
}

/* --- lessons --- */

static int pass_on_lessons(struct limit_share *share, struct err *err)
{
    struct limiter_lesson lessons[LIMIT_TOLD_MAX];
    for (;;) {
        pthread_mutex_lock(&share->lock);
        size_t count = list_take(&share->told, lessons, LIMIT_TOLD_MAX);
        pthread_mutex_unlock(&share->lock);
        if (count == 0)
            return 0;
        int result = limit_server_tell(&share->server, lessons, count, now_us(share), err);
        if (result != 0)
            return result;
        metrics_add_by(share->settings.metrics, METRIC_LIMITS_LESSONS, 0, (int64_t)count);
    }
}

static void hear_lesson(void *context, const struct limiter_lesson *lesson)
{
    struct limit_share *share = context;
    pthread_mutex_lock(&share->lock);
    list_add(&share->heard, lesson);
    pthread_mutex_unlock(&share->lock);
    metrics_add_by(share->settings.metrics, METRIC_LIMITS_LESSONS, 1, 1);
    wake_owner(share);
}

static void hear_message(void *context, struct str_view message)
{
    struct limit_share *share = context;
    struct limiter_lesson lesson;
    if (limit_message_read(message, share->member, &lesson))
        hear_lesson(share, &lesson);
}

/* --- the connections --- */

static void forget_wake(const struct limit_share *share)
{
    eventfd_t ignored;
    eventfd_read(share->wake_fd, &ignored);
}

static void disconnect(struct limit_share *share)
{
    if (share->subscription.context)
        redisFree(share->subscription.context);
    if (share->server.context)
        redisFree(share->server.context);
    share->subscription.context = share->server.context = NULL;
}

static int connect_both(struct limit_share *share, struct err *err)
{
    struct redis_address resolved;
    char run_id[REDIS_RUN_ID_SIZE];
    share->server = (struct limit_server){ .member = share->member, .channel = share->channel };
    int result = redis_resolve(&share->address, &resolved, err);
    if (result == 0)
        result =
            redis_subscription_open(&share->subscription, &resolved, str_from(share->channel),
                                    share->settings.clock, &share->server.context, run_id, err);
    if (result == 0)
        result = limit_server_meet(&share->server, share->name_space, run_id, now_us(share), err);
    if (result == 0)
        result = limit_server_recall(&share->server, hear_lesson, share, err);
    sodium_memzero(&resolved, sizeof(resolved));
    return result;
}

/* Writes what is to be said, and hears what is said; until trouble or the end. */
static int serve(struct limit_share *share, struct err *err)
{
    int result = 0;
    while (result == 0 && !atomic_load(&share->is_stopping)) {
        result = redis_subscription_wait(&share->subscription, share->settings.clock,
                                         share->wake_fd, hear_message, share, err);
        if (result == 0)
            result = pass_on_lessons(share, err);
        if (result == 0)
            result = pass_on_ask(share, err);
    }
    return result;
}

/* Waits for the time of the next trial; false at the end. */
static bool wait_for_turn(struct limit_share *share)
{
    while (!atomic_load(&share->is_stopping)) {
        if (breaker_try(&share->breaker, now_us(share)))
            return true;
        int64_t wait_us = share->breaker.retry_at_us - now_us(share);
        int wait_ms = wait_us < 0 ? 0 : (int)(wait_us / 1000) + 1;
        struct pollfd polled = { .fd = share->wake_fd, .events = POLLIN };
        poll(&polled, 1, wait_ms < IDLE_WAIT_MS ? wait_ms : IDLE_WAIT_MS);
        forget_wake(share);
        give_up_ask(share);
    }
    return false;
}

static void begin_use(struct limit_share *share)
{
    breaker_close(&share->breaker, now_us(share));
    atomic_store(&share->is_up, true);
    if (!share->was_told_up)
        log_info(&share->log, "rate limits are shared by Redis", LOG_NOTHING);
    share->was_told_up = true;
    share->was_told_away = false;
    wake_owner(share);
}

static void end_use(struct limit_share *share, const struct err *why)
{
    atomic_store(&share->is_up, false);
    breaker_open(&share->breaker, now_us(share));
    if (!share->was_told_away)
        log_warning(&share->log,
                    "rate limits are divided by the number of processes: Redis does not answer",
                    LOG_TEXT("reason", str_from(why->message)));
    share->was_told_away = true;
    share->was_told_up = false;
    pthread_mutex_lock(&share->lock);
    share->told.count = 0;
    pthread_mutex_unlock(&share->lock);
    give_up_ask(share);
}

static void *run(void *argument)
{
    struct limit_share *share = argument;
    while (wait_for_turn(share)) {
        struct err err = { 0 };
        int result = connect_both(share, &err);
        if (result == 0) {
            begin_use(share);
            result = serve(share, &err);
        }
        if (result != 0)
            end_use(share, &err);
        disconnect(share);
    }
    return NULL;
}
