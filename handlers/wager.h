/* Bets: what every game asks before it takes one, so that the server's limit and the player's own
 * hold in all of them. A game reads the bet with wager_read, posts the stake together with
 * wager_stake (`.also` of the entry), and what it pays out together with wager_payout. */
#ifndef HANDLERS_WAGER_H
#define HANDLERS_WAGER_H

#include "economy.h"

struct wager {
    int64_t stake;        /* coins */
    int64_t placed_at_ms; /* kept with an open game */
};

/* The bet that was typed, of `wallet` coins: 1 when it may be placed, 0 when it was refused, and
 * answered; or negative. */
int wager_read(struct call *call, struct str_view typed, int64_t wallet, struct wager *wager,
               struct err *err);

/* Counts the stake as lost today. Expects one row: of several bets at once none passes the player's
 * limit of losses, which for a day that has begun can be made lower only. When the posting is
 * refused for it: wager_refuse_losses. */
struct db_statement wager_stake(const struct call *call, const struct wager *wager);
int wager_refuse_losses(struct call *call, struct err *err);

/* Takes what a game paid out off the losses of the day the stake was placed, unless another one has
 * begun. */
struct db_statement wager_payout(int64_t user_id, int64_t placed_at_ms, int64_t amount);

#endif
