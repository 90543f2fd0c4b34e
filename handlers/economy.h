/* What the economy's commands share: how a refused amount or posting is worded, who is
 * pinged. */
#ifndef HANDLERS_ECONOMY_H
#define HANDLERS_ECONOMY_H

#include "bronx/amount.h"
#include "bronx/currency.h"
#include "bronx/ledger.h"

#define COLOUR_GOLD  0xf1c40f
#define COLOUR_GREEN 0x2ecc71

/* The answer to a posting that was refused for a reason any command can meet. */
int refuse_posting(struct call *call, enum ledger_refusal refusal, struct err *err);

/* The answer to an amount that can't be. */
int refuse_amount(struct call *call, enum amount_refusal refusal);

/* How much it matters to somebody that they learn of it. */
enum importance { ORDINARY, IMPORTANT, NEVER };

/* 1 when a message that mentions this user may ping them (reply_mention_user), 0 when they don't
 * want to be pinged about what matters no more than this. Asked before anything is done, for it may
 * fail. */
int is_ping_wanted(struct call *call, int64_t user_id, enum importance importance,
                   struct err *err) MUST_CHECK;

#endif
