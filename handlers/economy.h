/* What the economy's commands share: how coins are shown, how a refused posting is worded. */
#ifndef HANDLERS_ECONOMY_H
#define HANDLERS_ECONOMY_H

#include "bronx/ledger.h"

#define COLOUR_GOLD  0xf1c40f
#define COLOUR_GREEN 0x2ecc71

/* "1,234 coins", "1 coin"; in the call's arena. */
struct str_view coins(const struct call *call, int64_t amount);

/* The answer to a posting that was refused for a reason any command can meet. */
int refuse_posting(struct call *call, enum ledger_refusal refusal, struct err *err);

#endif
