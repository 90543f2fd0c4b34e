/* The limiter, the holding and the way to Redis put together. An ask is made when its time has
 * come, earlier when requests wait for a larger part. */
#include "outbox/limit_keeper.h"

#define ASK_EVERY_US    INT64_C(500000) /* a grant survives three that are lost */
#define ASK_SHORT_US    INT64_C(50000)  /* when requests wait for a larger part */
#define LESSONS_AT_ONCE 64

void limit_keeper_init(struct limit_keeper *keeper, struct limiter *limiter,
                       struct limit_share *share, const struct limit_rules *rules)
{
    *keeper = (struct limit_keeper){ .limiter = limiter, .share = share };
    limit_holding_init(&keeper->holding, rules);
    limit_keeper_keep(keeper, INT64_MIN / 2);
}

/* --- From other threads --- */

void limit_keeper_count(struct limit_keeper *keeper, int instances)
{
    atomic_store(&keeper->instances, instances);
    atomic_store(&keeper->has_count, true);
}

void limit_keeper_lose(struct limit_keeper *keeper)
{
    atomic_store(&keeper->is_lost, true);
}

bool limit_keeper_is_shared(const struct limit_keeper *keeper)
{
    return atomic_load(&keeper->is_shared);
}

/* --- A turn --- */

static void take_count(struct limit_keeper *keeper, int64_t now_us)
{
    if (atomic_exchange(&keeper->is_lost, false))
        limit_holding_restart(&keeper->holding);
    if (atomic_exchange(&keeper->has_count, false))
        limit_holding_count(&keeper->holding, atomic_load(&keeper->instances), now_us);
}

static void carry_lessons(struct limit_keeper *keeper, int64_t now_us)
{
    struct limiter_lesson lessons[LESSONS_AT_ONCE];
    size_t count;
    do {
        count = limiter_take_lessons(keeper->limiter, now_us, lessons, LESSONS_AT_ONCE);
        limit_share_tell(keeper->share, lessons, count);
    } while (count == LESSONS_AT_ONCE);
    do {
        count = limit_share_hear(keeper->share, lessons, LESSONS_AT_ONCE);
        for (size_t i = 0; i < count; i++)
            limiter_learn(keeper->limiter, &lessons[i], now_us);
    } while (count == LESSONS_AT_ONCE);
}

static void take_answer(struct limit_keeper *keeper)
{
    struct limit_answer answer;
    int64_t attempted_us;
    bool has_answer = limit_share_answer(keeper->share, &answer, &attempted_us);
    limit_holding_attempted(&keeper->holding, attempted_us);
    if (has_answer)
        limit_holding_answered(&keeper->holding, &answer);
}

static void note_use(struct limit_keeper *keeper, int64_t now_us)
{
    struct limiter_use use = limiter_use(keeper->limiter, now_us);
    struct limiter_use *noted = &keeper->use;
    use.is_global_short |= noted->is_global_short;
    use.is_invalid_short |= noted->is_invalid_short;
    *noted = use;
}

static bool can_ask(const struct limit_keeper *keeper)
{
    return keeper->share && limit_share_is_up(keeper->share) && !keeper->holding.is_asking;
}

static int64_t ask_at_us(const struct limit_keeper *keeper)
{
    bool is_short = keeper->use.is_global_short || keeper->use.is_invalid_short;
    return keeper->asked_us + (is_short ? ASK_SHORT_US : ASK_EVERY_US);
}

static void ask_when_due(struct limit_keeper *keeper, int64_t now_us)
{
    struct limit_ask ask;
    if (!can_ask(keeper) || now_us < ask_at_us(keeper))
        return;
    keeper->asked_us = now_us;
    limit_holding_ask(&keeper->holding, &keeper->use, now_us, &ask);
    keeper->use.is_global_short = keeper->use.is_invalid_short = false;
    limit_share_ask(keeper->share, &ask);
}

void limit_keeper_keep(struct limit_keeper *keeper, int64_t now_us)
{
    struct limiter_part part;
    limit_holding_part(&keeper->holding, now_us, &part);
    limiter_set_part(keeper->limiter, &part);
    keeper->part = part;
}

void limit_keeper_turn(struct limit_keeper *keeper, int64_t now_us)
{
    take_count(keeper, now_us);
    if (keeper->share) {
        carry_lessons(keeper, now_us);
        take_answer(keeper);
        note_use(keeper, now_us);
        ask_when_due(keeper, now_us);
    }
    limit_keeper_keep(keeper, now_us);
    atomic_store(&keeper->is_shared, limit_holding_is_shared(&keeper->holding, now_us));
}

int64_t limit_keeper_next_us(const struct limit_keeper *keeper)
{
    return can_ask(keeper) ? ask_at_us(keeper) : INT64_MAX;
}
