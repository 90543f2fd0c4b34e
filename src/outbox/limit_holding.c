/* See the header. What each wait consists of stands where it is added up: a lease, grants, and the
 * window in which Discord still counts what was sent before. */
#include "outbox/limit_holding.h"

#include "outbox/outbox_journal.h"
#include "redis/connection.h"

#include <limits.h>

#define MS_US      INT64_C(1000)
#define SECOND_US  INT64_C(1000000)
#define NEVER_US   (INT64_MIN / 2)
/* A process starts ten times in ten minutes before the reserve is used up. */
#define RESERVE_OF 10

const struct limit_rules limit_rules_default = {
    .of = {
        [LIMIT_GLOBAL] = { .total = LIMITER_GLOBAL_PER_SECOND,
                           .kept = LIMITER_GLOBAL_PER_SECOND / 4,
                           .spare = 2,
                           .window_us = SECOND_US },
        [LIMIT_INVALID] = { .total = LIMITER_INVALID_MAX * LIMITER_BRAKE_PERCENT / 100,
                            .least = LIMITER_INVALID_MAX * (100 - LIMITER_BRAKE_PERCENT) / 100 /
                                     RESERVE_OF,
                            .kept = 512,
                            .spare = 512, /* twice what can be under way */
                            .window_us = LIMITER_INVALID_WINDOW_MS * MS_US },
    },
    .grant_us = 2 * SECOND_US,
    .unknown_us = JOURNAL_LEASE_MS * MS_US,
};

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* --- How many there are --- */

void limit_holding_init(struct limit_holding *holding, const struct limit_rules *rules)
{
    *holding = (struct limit_holding){ .rules = rules,
                                       .instances = 1,
                                       .members = 1,
                                       .shared_until_us = NEVER_US,
                                       .attempted_us = NEVER_US };
    limit_holding_restart(holding);
}

void limit_holding_restart(struct limit_holding *holding)
{
    holding->was_counted = false;
    for (int kind = 0; kind < LIMIT_KINDS; kind++)
        holding->of[kind].settled_us = INT64_MAX;
}

/* The others' grants were made before they counted us, and hold for a while; then what they have
 * used of them is to leave the window. */
static int64_t settled_us(const struct limit_holding *holding, int kind, int64_t now_us)
{
    const struct limit_rules *rules = holding->rules;
    return now_us + rules->unknown_us + rules->grant_us + REDIS_TIMEOUT_MS * MS_US +
           rules->of[kind].window_us;
}

/* Who is gone may have used its share up to the end of the window. */
static void keep_most(struct limit_holding *holding, int kind, int64_t now_us)
{
    int count = holding->instances;
    if (count >= holding->of[kind].most) {
        holding->of[kind].most = holding->of[kind].next_most = count;
        holding->of[kind].most_us = now_us;
    } else if (now_us - holding->of[kind].most_us <= holding->rules->of[kind].window_us) {
        holding->of[kind].next_most = larger(holding->of[kind].next_most, count);
    } else {
        holding->of[kind].most = larger(holding->of[kind].next_most, count);
        holding->of[kind].next_most = count;
        holding->of[kind].most_us = now_us;
    }
}

void limit_holding_count(struct limit_holding *holding, int instances, int64_t now_us)
{
    bool is_first = !holding->was_counted;
    holding->was_counted = true;
    holding->instances = larger(instances, 1);
    for (int kind = 0; kind < LIMIT_KINDS; kind++) {
        if (is_first)
            holding->of[kind].settled_us =
                instances > 1 ? settled_us(holding, kind, now_us) : now_us;
        keep_most(holding, kind, now_us);
    }
}

/* --- Alone --- */

static int share_of(const struct limit_holding *holding, int kind)
{
    int most = larger(holding->of[kind].most, 1);
    return larger(holding->rules->of[kind].total / most, 1);
}

bool limit_holding_is_shared(const struct limit_holding *holding, int64_t now_us)
{
    return now_us < holding->shared_until_us;
}

void limit_holding_attempted(struct limit_holding *holding, int64_t at_us)
{
    if (at_us > holding->attempted_us)
        holding->attempted_us = at_us;
}

/* Until the last ask that may have reached Redis is forgotten there, and the last grant that was
 * made before that has lapsed and left the window. */
static int64_t own_share_us(const struct limit_holding *holding, int kind)
{
    const struct limit_rules *rules = holding->rules;
    int64_t forgotten_us = holding->attempted_us + LIMIT_LATE_MS * MS_US + 2 * rules->grant_us +
                           2 * (int64_t)REDIS_TIMEOUT_MS * MS_US + rules->of[kind].window_us;
    int64_t since_us = holding->of[kind].settled_us;
    return since_us > forgotten_us ? since_us : forgotten_us;
}

/* An ask under way says what we have: that may not grow before it is answered. */
static void keep_to_share(struct limit_holding *holding, int kind, int64_t now_us)
{
    int share = share_of(holding, kind);
    bool is_own = !holding->is_asking && now_us >= own_share_us(holding, kind);
    if (is_own || holding->of[kind].part > share)
        holding->of[kind].part = share;
}

/* --- Together --- */

static int wanted(const struct limit_holding *holding, int kind, int used, bool is_short)
{
    const struct limit_rule *rule = &holding->rules->of[kind];
    int kept = smaller(rule->kept, larger(share_of(holding, kind) / 2, 1));
    int want = is_short ? rule->total : larger(kept, used + used / 2 + rule->spare);
    return smaller(want, rule->total);
}

void limit_holding_ask(struct limit_holding *holding, const struct limiter_use *use, int64_t now_us,
                       struct limit_ask *ask)
{
    const int used[LIMIT_KINDS] = { use->global, use->invalid };
    const bool is_short[LIMIT_KINDS] = { use->is_global_short, use->is_invalid_short };
    *ask = (struct limit_ask){ .made_us = now_us, .instances = holding->instances };
    for (int kind = 0; kind < LIMIT_KINDS; kind++) {
        if (!limit_holding_is_shared(holding, now_us))
            keep_to_share(holding, kind, now_us);
        int want = larger(wanted(holding, kind, used[kind], is_short[kind]), used[kind]);
        holding->of[kind].part = smaller(holding->of[kind].part, want);
        ask->of[kind].most = larger(holding->of[kind].most, 1);
        ask->of[kind].have = larger(holding->of[kind].part, used[kind]);
        ask->of[kind].want = want;
        ask->of[kind].used = used[kind];
        ask->of[kind].is_settled = now_us >= holding->of[kind].settled_us;
    }
    holding->is_asking = true;
}

void limit_holding_answered(struct limit_holding *holding, const struct limit_answer *answer)
{
    holding->is_asking = false;
    if (!answer->is_given)
        return;
    holding->shared_until_us = answer->sent_us + holding->rules->grant_us;
    holding->members = larger(answer->members, 1);
    holding->invalid = answer->invalid;
    for (int kind = 0; kind < LIMIT_KINDS; kind++)
        holding->of[kind].part = answer->parts[kind];
}

/* --- For the limiter --- */

void limit_holding_part(struct limit_holding *holding, int64_t now_us, struct limiter_part *part)
{
    bool is_shared = limit_holding_is_shared(holding, now_us);
    for (int kind = 0; kind < LIMIT_KINDS && !is_shared; kind++)
        keep_to_share(holding, kind, now_us);
    const struct limit_rule *invalid = &holding->rules->of[LIMIT_INVALID];
    int max = larger(holding->of[LIMIT_INVALID].part, invalid->least);
    bool are_many = holding->invalid >= limiter_brake(invalid->total);
    int others = is_shared ? holding->members : holding->instances;
    *part = (struct limiter_part){
        .global_per_second =
            larger(holding->of[LIMIT_GLOBAL].part, holding->rules->of[LIMIT_GLOBAL].least),
        .invalid_max = max,
        .invalid_brake = limiter_brake(max),
        .brake_us = others * SECOND_US,
    };
    if (is_shared)
        part->invalid_brake = are_many ? 0 : INT_MAX;
}
