/* What keeps a limiter within this process's part of Discord's limits: it holds the part, asks
 * Redis for another when that is due, and carries lessons between the limiter and the other
 * processes.
 *
 * The limiter and all here are for one thread, which never waits; but limit_keeper_count, _lose and
 * _is_shared are for any. */
#ifndef OUTBOX_LIMIT_KEEPER_H
#define OUTBOX_LIMIT_KEEPER_H

#include "outbox/limit_share.h"

#include <stdatomic.h>

struct limit_keeper {
    struct limiter *limiter;   /* borrowed */
    struct limit_share *share; /* borrowed; NULL: there is no Redis */
    atomic_int instances;      /* as they were last counted */
    atomic_bool has_count, is_lost, is_shared;

    struct limit_holding holding;
    struct limiter_use use; /* as it was in this turn; short: since the last ask */
    struct limiter_part part;
    int64_t asked_us;
};

void limit_keeper_init(struct limit_keeper *keeper, struct limiter *limiter,
                       struct limit_share *share, const struct limit_rules *rules);

/* How many instances are alive, this one included; as often as limit_holding_count wants it. */
void limit_keeper_count(struct limit_keeper *keeper, int instances);
/* The others may take this instance for dead: it sends nothing until it is counted again. */
void limit_keeper_lose(struct limit_keeper *keeper);

/* Before requests are started, once a turn. */
void limit_keeper_turn(struct limit_keeper *keeper, int64_t now_us);
/* Before each request: a grant may have lapsed since. */
void limit_keeper_keep(struct limit_keeper *keeper, int64_t now_us);
/* When there is to be a turn at the latest; INT64_MAX: not before `wake`. */
int64_t limit_keeper_next_us(const struct limit_keeper *keeper);

bool limit_keeper_is_shared(const struct limit_keeper *keeper); /* as of the last turn */

#endif
