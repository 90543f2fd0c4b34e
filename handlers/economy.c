#include "economy.h"

#include "bronx/language.h"
#include "bronx/settings.h"

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

int refuse_amount(struct call *call, enum amount_refusal refusal)
{
    switch (refusal) {
    case AMOUNT_NOT_POSITIVE:
        return call_refuse(call, tr(call, "The amount must be at least %.*s."),
                           STR_ARGS(currency_show(call, 1)));
    case AMOUNT_TOO_LARGE:
        return call_refuse(call, tr(call, "That is more than all the coins there are."));
    default:
        return call_refuse(call, tr(call, "I don't understand that amount. Try `250`, `1k`, "
                                          "`2.5m`, `10%%`, `half` or `all`."));
    }
}

int is_ping_wanted(struct call *call, int64_t user_id, enum importance importance, struct err *err)
{
    static const enum importance least[] = {
        [NOTIFY_ALL] = ORDINARY, [NOTIFY_IMPORTANT] = IMPORTANT, [NOTIFY_NONE] = NEVER
    };
    const struct user_settings *settings;
    int result = settings_of_user(call, user_id, &settings, err);
    return result != 0 ? result : importance >= least[settings->notifications];
}
