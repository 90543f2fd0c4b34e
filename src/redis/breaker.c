/* See the picture in breaker.h. */
#include "redis/breaker.h"

#include "core/backoff.h"

static bool breaker_transition(struct breaker *breaker, enum breaker_state to)
{
    static const bool is_allowed[3][3] = {
        [BREAKER_OPEN] = { [BREAKER_HALF_OPEN] = true },
        [BREAKER_HALF_OPEN] = { [BREAKER_OPEN] = true, [BREAKER_CLOSED] = true },
        [BREAKER_CLOSED] = { [BREAKER_OPEN] = true },
    };
    if (!is_allowed[breaker->state][to])
        return false;
    breaker->state = to;
    return true;
}

bool breaker_open(struct breaker *breaker, int64_t now_us)
{
    bool was_proven =
        breaker->state == BREAKER_CLOSED && now_us - breaker->closed_at_us >= BREAKER_PROVEN_US;
    if (!breaker_transition(breaker, BREAKER_OPEN))
        return false;
    breaker->failures = was_proven ? 1 : breaker->failures + 1;
    breaker->retry_at_us = now_us + backoff_draw(BREAKER_BACKOFF_FIRST_US, BREAKER_BACKOFF_MAX_US,
                                                 breaker->failures - 1);
    return true;
}

bool breaker_try(struct breaker *breaker, int64_t now_us)
{
    return now_us >= breaker->retry_at_us && breaker_transition(breaker, BREAKER_HALF_OPEN);
}

bool breaker_close(struct breaker *breaker, int64_t now_us)
{
    if (!breaker_transition(breaker, BREAKER_CLOSED))
        return false;
    breaker->period++;
    breaker->closed_at_us = now_us;
    return true;
}
