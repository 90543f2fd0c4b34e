#include "economy.h"

#include "bronx/amount.h"
#include "bronx/language.h"

struct str_view coins(const struct call *call, int64_t amount)
{
    struct str_view number = amount_format(call->arena, amount);
    return arena_format(call->arena, tr_plural(call, "%.*s coin", "%.*s coins", amount),
                        STR_ARGS(number));
}

int refuse_posting(struct call *call, enum ledger_refusal refusal, struct err *err)
{
    switch (refusal) {
    case LEDGER_ON_COOLDOWN:
        return call_refuse_cooldown(call, err);
    case LEDGER_TOO_POOR:
        return call_refuse(call, tr(call, "You don't have that many coins any more."));
    case LEDGER_ABOVE_LIMIT:
        return call_refuse(call, tr(call, "That account can't hold that many coins."));
    default:
        return err_wrap(err, "a posting was refused for reason %d", (int)refusal);
    }
}
