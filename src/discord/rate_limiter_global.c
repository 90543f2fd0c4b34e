/* Invalid requests are counted by slices of the window, which are forgotten one at a time; the
 * bot's limit by the time each of its last requests was heard of, which is not before Discord
 * counted it. Both never count less than Discord does. */
#include "discord/rate_limiter_global.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US    INT64_C(1000000)
/* When only an answer under way can change something. */
#define POLL_US      INT64_C(10000)
/* When others may leave us a larger part. */
#define PART_POLL_US INT64_C(100000)

static_assert(INVALID_SLICE_US * (INVALID_SLICES - 1) == LIMITER_INVALID_WINDOW_MS * INT64_C(1000),
              "slices fill the window");

/* --- Invalid requests --- */

void invalid_budget_init(struct invalid_budget *budget, int max)
{
    *budget = (struct invalid_budget){
        .max = max, .brake = limiter_brake(max), .pause_us = SECOND_US, .taken_us = INT64_MIN
    };
}

static void advance(struct invalid_budget *budget, int64_t now_us)
{
    int64_t slice = now_us / INVALID_SLICE_US;
    if (slice - budget->slice >= INVALID_SLICES) {
        memset(budget->slices, 0, sizeof(budget->slices));
        budget->count = 0;
        budget->slice = slice;
    }
    while (budget->slice < slice) {
        int *next = &budget->slices[++budget->slice % INVALID_SLICES];
        budget->count -= *next;
        *next = 0;
    }
}

void invalid_budget_take(struct invalid_budget *budget, int64_t now_us)
{
    budget->taken_us = now_us;
}

void invalid_budget_add(struct invalid_budget *budget, int64_t now_us)
{
    advance(budget, now_us);
    budget->slices[budget->slice % INVALID_SLICES]++;
    budget->count++;
}

int invalid_budget_count(const struct invalid_budget *budget, int64_t now_us)
{
    struct invalid_budget copy = *budget;
    advance(&copy, now_us);
    return copy.count;
}

bool invalid_budget_is_braked(const struct invalid_budget *budget, int64_t now_us)
{
    return invalid_budget_count(budget, now_us) >= budget->brake;
}

int64_t invalid_budget_opens_us(struct invalid_budget *budget, int64_t under_way, int64_t now_us)
{
    advance(budget, now_us);
    if (budget->count + under_way + 1 >= budget->max) { /* should all of them be refused */
        budget->was_short = true;
        return now_us + (under_way > 0 ? POLL_US : SECOND_US);
    }
    if (budget->count < budget->brake || budget->taken_us == INT64_MIN)
        return now_us;
    int64_t opens_us = budget->taken_us + budget->pause_us;
    return opens_us > now_us ? opens_us : now_us;
}

/* --- The bot's own limit --- */

int global_limit_init(struct global_limit *global, int per_second, struct err *err)
{
    *global = (struct global_limit){
        .room = per_second,
        .per_second = per_second,
        .heard_us = calloc((size_t)per_second, sizeof(int64_t)),
    };
    return global->heard_us ? 0 : err_set(err, ERR_MEMORY, "rate limiter");
}

void global_limit_fini(struct global_limit *global)
{
    free(global->heard_us);
    global->heard_us = NULL;
}

static void forget_old(struct global_limit *global, int64_t now_us)
{
    while (global->count > 0 && now_us - global->heard_us[global->oldest] >= SECOND_US) {
        global->oldest = (global->oldest + 1) % global->room;
        global->count--;
    }
}

int global_limit_use(struct global_limit *global, int64_t now_us)
{
    forget_old(global, now_us);
    return global->under_way + global->count;
}

int64_t global_limit_opens_us(struct global_limit *global, int64_t now_us)
{
    if (global->closed_until_us > now_us)
        return global->closed_until_us;
    if (global_limit_use(global, now_us) < global->per_second)
        return now_us;
    global->was_short = true;
    int64_t opens_us = now_us + (global->under_way > 0 ? POLL_US : PART_POLL_US);
    if (global->count > 0)
        opens_us = global->heard_us[global->oldest] + SECOND_US;
    bool may_grow = global->per_second < global->room;
    return may_grow && opens_us > now_us + PART_POLL_US ? now_us + PART_POLL_US : opens_us;
}

void global_limit_take(struct global_limit *global)
{
    global->under_way++;
}

void global_limit_heard(struct global_limit *global, bool may_be_counted, int64_t now_us)
{
    global->under_way--;
    if (!may_be_counted)
        return;
    forget_old(global, now_us);
    global->heard_us[(global->oldest + global->count) % global->room] = now_us;
    global->count++;
}
