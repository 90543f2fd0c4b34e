/* Blocks in poll only: for as long as REDIS_TIMEOUT_MS it may wait for the server besides. */
#include "redis/subscription.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

/* A subscription that died silently is noticed within the sum. */
#define PING_EVERY_US  INT64_C(1000000)
#define PONG_WITHIN_US INT64_C(1000000)

int redis_subscription_open(struct redis_subscription *subscription,
                            const struct redis_address *address, struct str_view channel,
                            const struct clock *clock, redisContext **commands,
                            char run_id[REDIS_RUN_ID_SIZE], struct err *err)
{
    char subscribed_to[REDIS_RUN_ID_SIZE];
    int64_t timeout_us = redis_timeout_ms(address) * INT64_C(1000);
    subscription->awaits_pong = false;
    subscription->pong_within_us = timeout_us > PONG_WITHIN_US ? timeout_us : PONG_WITHIN_US;
    int result = redis_connect(address, &subscription->context, subscribed_to, err);
    if (result == 0)
        result = redis_subscribe(subscription->context, channel, err);
    if (result == 0)
        result = redis_connect(address, commands, run_id, err);
    if (result == 0 && strcmp(run_id, subscribed_to) != 0)
        result = err_set(err, ERR_UNAVAILABLE, "two Redis servers answer in turn");
    subscription->ping_at_us = clock_monotonic_us(clock) + PING_EVERY_US;
    return result;
}

static int hear(struct redis_subscription *subscription, int64_t now_us, redis_heard *heard,
                void *heard_context, struct err *err)
{
    bool has_pong = false;
    int result = redis_read_messages(subscription->context, heard, heard_context, &has_pong, err);
    if (has_pong) {
        subscription->awaits_pong = false;
        subscription->ping_at_us = now_us + PING_EVERY_US;
    }
    return result;
}

static int ask_for_sign_of_life(struct redis_subscription *subscription, int64_t now_us,
                                struct err *err)
{
    if (subscription->awaits_pong)
        return err_set(err, ERR_BUSY, "the subscription is silent");
    subscription->awaits_pong = true;
    subscription->ping_at_us = now_us + subscription->pong_within_us;
    return redis_send_ping(subscription->context, err);
}

int redis_subscription_wait(struct redis_subscription *subscription, const struct clock *clock,
                            int wake_fd, redis_heard *heard, void *heard_context, struct err *err)
{
    eventfd_t unread;
    int64_t wait_us = subscription->ping_at_us - clock_monotonic_us(clock);
    struct pollfd polled[] = { { .fd = subscription->context->fd, .events = POLLIN },
                               { .fd = wake_fd, .events = POLLIN } };
    poll(polled, ARRAY_LENGTH(polled), wait_us > 0 ? (int)(wait_us / 1000) + 1 : 0);
    int64_t now_us = clock_monotonic_us(clock);
    if (polled[1].revents)
        eventfd_read(wake_fd, &unread);
    if (polled[0].revents)
        return hear(subscription, now_us, heard, heard_context, err);
    return now_us >= subscription->ping_at_us ? ask_for_sign_of_life(subscription, now_us, err) : 0;
}
