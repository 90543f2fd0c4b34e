/* What a limiter has to tell other processes, until it is taken. A lesson is kept with the moment
 * it holds to, and given away with the time that is left. */
#ifndef DISCORD_RATE_LIMITER_LESSONS_H
#define DISCORD_RATE_LIMITER_LESSONS_H

#include "discord/rate_limiter.h"

struct lessons {
    size_t count;
    struct limiter_lesson list[LIMITER_LESSONS_MAX]; /* `wait_us`: until when, monotonic */
};

/* `until_us` of a lesson that is known already becomes the later one. */
void lessons_add(struct lessons *lessons, const struct limiter_lesson *lesson, int64_t until_us);

size_t lessons_take(struct lessons *lessons, int64_t now_us, struct limiter_lesson *taken,
                    size_t max);

#endif
