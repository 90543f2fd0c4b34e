/* A circuit breaker: whether something far away is used, and when it is tried again.
 *
 *               a call failed                 its time has come
 *     CLOSED ────────────────────► OPEN ─────────────────────────► HALF_OPEN
 *        ▲                          ▲                                │    │
 *        │                          └──────── the trial failed ──────┘    │
 *        └──────────────────────────────────── the trial succeeded ───────┘
 *
 * Calls go through while it is CLOSED. In HALF_OPEN one thread tries, nobody else. The time to the
 * next trial is drawn evenly between 0 and a bound that doubles with each failure ("full jitter"),
 * so that many processes do not come back at the same moment; it begins anew only after it was
 * CLOSED for a while. Not thread-safe: the owner locks. */
#ifndef REDIS_BREAKER_H
#define REDIS_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_BACKOFF_FIRST_US INT64_C(100000)
#define BREAKER_BACKOFF_MAX_US   INT64_C(1000000)
#define BREAKER_PROVEN_US        INT64_C(5000000) /* CLOSED for so long: failures are forgotten */

enum breaker_state { BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_CLOSED };

struct breaker {
    enum breaker_state state;
    int64_t period; /* the number of times it was closed: tells one CLOSED from the next */
    int failures;   /* in a row */
    int64_t closed_at_us, retry_at_us;
};

/* Zeroed is a good start: OPEN, to be tried at once. Each step returns false, and changes nothing,
 * where the picture has no such arrow. */
bool breaker_open(struct breaker *breaker, int64_t now_us);
bool breaker_try(struct breaker *breaker, int64_t now_us);
bool breaker_close(struct breaker *breaker, int64_t now_us);

#endif
