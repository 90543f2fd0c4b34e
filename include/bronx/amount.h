/* Amounts as people type them: `250`, `1,000`, `1.000`, `1k`, `2.5m`, `2,5m`, `10%`, `half`, `all`;
 * and as they read them. */
#ifndef BRONX_AMOUNT_H
#define BRONX_AMOUNT_H

#include "bronx/text.h"

struct call;

enum amount_refusal {
    AMOUNT_OK = 0,
    AMOUNT_NOT_UNDERSTOOD,
    AMOUNT_NOT_POSITIVE, /* zero, negative, or a share that rounds down to nothing */
    AMOUNT_TOO_LARGE,    /* above LEDGER_AMOUNT_MAX */
};

/* `whole` (>= 0) is what `all`, `half` and percentages are shares of; shares round down. */
enum amount_refusal amount_parse(struct str_view text, int64_t whole, int64_t *amount);

/* As the reader's language writes it: "1,234,567"; in the call's arena. amount_parse understands
 * every language's. */
struct str_view amount_show(const struct call *call, int64_t amount);

#endif
