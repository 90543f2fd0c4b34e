/* A subscription that is watched. Whoever holds one knows of changes by nothing else, so one that
 * died silently has to be noticed: it is asked for a sign of life when it is quiet. For one thread;
 * the context belongs to whoever opened it. */
#ifndef REDIS_SUBSCRIPTION_H
#define REDIS_SUBSCRIPTION_H

#include "bronx/clock.h"

#include "redis/connection.h"

struct redis_subscription {
    redisContext *context;
    int64_t ping_at_us; /* monotonic: when it is asked, or, while a pong is due, given up */
    int64_t pong_within_us;
    bool awaits_pong;
};

/* Subscribes at `address`, whose host is a number, and connects there once more for `*commands`. On
 * a failure either context may have been opened, for the caller to free. */
int redis_subscription_open(struct redis_subscription *subscription,
                            const struct redis_address *address, struct str_view channel,
                            const struct clock *clock, redisContext **commands,
                            char run_id[REDIS_RUN_ID_SIZE], struct err *err) MUST_CHECK;

/* Waits until messages have come, which `heard` gets, `wake_fd` (an eventfd, which is emptied) was
 * written to, or it is time to look after the connection. An error is its end. */
int redis_subscription_wait(struct redis_subscription *subscription, const struct clock *clock,
                            int wake_fd, redis_heard *heard, void *heard_context,
                            struct err *err) MUST_CHECK;

#endif
