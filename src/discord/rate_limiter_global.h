/* What stops more than one bucket: the bot's own limit, global 429s, bans and the budget of invalid
 * requests. Like a bucket, each counts what is under way as if Discord had counted it already. */
#ifndef DISCORD_RATE_LIMITER_GLOBAL_H
#define DISCORD_RATE_LIMITER_GLOBAL_H

#include "discord/rate_limiter.h"
#include "discord/rate_limiter_gate.h"

/* A slice more than the window has: the one that is filling does not stand for a whole one. */
#define INVALID_SLICES   61
#define INVALID_SLICE_US (INT64_C(1000) * LIMITER_INVALID_WINDOW_MS / (INVALID_SLICES - 1))

struct invalid_budget {
    int max;
    int brake;        /* from so many on ... */
    int64_t pause_us; /* ... one request in so long */
    bool was_short;   /* a request was put off because they might reach `max` */
    int count;        /* of all slices */
    int slices[INVALID_SLICES];
    int64_t slice;    /* the number of the present one, since the clock's zero */
    int64_t taken_us; /* the last time a request was let through */
};

struct global_limit {
    int room;       /* of the ring */
    int per_second; /* at most `room` */
    bool was_short; /* a request was put off because of `per_second` */
    int under_way;
    int64_t *heard_us; /* a ring */
    int oldest, count; /* in the ring: those of the last second */
    int64_t closed_until_us;
};

void invalid_budget_init(struct invalid_budget *budget, int max);
void invalid_budget_take(struct invalid_budget *budget, int64_t now_us);
void invalid_budget_add(struct invalid_budget *budget, int64_t now_us);
int invalid_budget_count(const struct invalid_budget *budget, int64_t now_us);
bool invalid_budget_is_braked(const struct invalid_budget *budget, int64_t now_us);
/* When a request may go, `under_way` others being so: `now_us` for at once. */
int64_t invalid_budget_opens_us(struct invalid_budget *budget, int64_t under_way, int64_t now_us);

/* ERR_MEMORY. */
int global_limit_init(struct global_limit *global, int per_second, struct err *err) MUST_CHECK;
void global_limit_fini(struct global_limit *global);
int64_t global_limit_opens_us(struct global_limit *global, int64_t now_us);
/* Those Discord may count now. */
int global_limit_use(struct global_limit *global, int64_t now_us);
void global_limit_take(struct global_limit *global);
void global_limit_heard(struct global_limit *global, bool may_be_counted, int64_t now_us);

#endif
