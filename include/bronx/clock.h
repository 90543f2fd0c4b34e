/* Time: UTC epoch milliseconds for what is stored or shown, the monotonic clock for intervals.
 * Everything takes its clock from outside, so tests decide what time it is. */
#ifndef BRONX_CLOCK_H
#define BRONX_CLOCK_H

#include "bronx/err.h"

#include <stdint.h>

struct clock {
    int64_t (*wall_ms)(const struct clock *clock);      /* UTC, milliseconds since 1970 */
    int64_t (*monotonic_us)(const struct clock *clock); /* microseconds since an arbitrary start */
};

static inline int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock);
}

static inline int64_t clock_monotonic_us(const struct clock *clock)
{
    return clock->monotonic_us(clock);
}

#define MS_PER_SECOND INT64_C(1000)
#define MS_PER_MINUTE (60 * MS_PER_SECOND)
#define MS_PER_HOUR   (60 * MS_PER_MINUTE)
#define MS_PER_DAY    (24 * MS_PER_HOUR)

#endif
