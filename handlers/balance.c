/* /balance [user]: what somebody owns. */
#include "commands.h"
#include "economy.h"

#include "bronx/amount.h"
#include "bronx/language.h"
#include "bronx/settings.h"

#include <inttypes.h>

/* 1 when it is one's own or public, 0 when that was refused. */
static int may_see(struct call *call, int64_t user_id, struct err *err)
{
    if (user_id == call->interaction->user.id)
        return 1;
    const struct user_settings *settings;
    int result = settings_of_user(call, user_id, &settings, err);
    if (result != 0)
        return result;
    if (settings->privacy == PRIVACY_PUBLIC)
        return 1;
    return call_refuse(call, tr(call, "<@%" PRId64 "> keeps their balance private."), user_id);
}

static int run(struct call *call, struct err *err)
{
    const struct resolved_user *other = call_user(call, "user");
    const struct user *user = other ? &other->user : &call->interaction->user;
    if (user->is_bot)
        return call_refuse(call, tr(call, "Bots have no coins."));
    int result = may_see(call, user->id, err);
    if (result <= 0)
        return result;
    struct balances balances;
    result = ledger_balances(call, user->id, &balances, err);
    if (result != 0)
        return result;
    struct str_view bank = amount_show(call, balances.bank);
    struct str_view limit = amount_show(call, balances.bank_limit);
    struct str_view wallet = currency_show(call, balances.wallet);
    struct str_view worth = currency_show(call, balances.wallet + balances.bank);
    if (call->person->privacy == PRIVACY_PRIVATE && user->id == call->interaction->user.id)
        reply_ephemeral(call->reply);
    reply_container_begin(call->reply, COLOUR_GOLD);
    reply_text(call->reply, tr(call, "### Balance of <@%" PRId64 ">"), user->id);
    reply_text(call->reply,
               tr(call, "Wallet: **%.*s**\nBank: **%.*s** / %.*s\nNet worth: **%.*s**"),
               STR_ARGS(wallet), STR_ARGS(bank), STR_ARGS(limit), STR_ARGS(worth));
    reply_container_end(call->reply);
    return 0;
}

const struct command balance_command = {
    .name = "balance",
    .description = TR("See your coins, or somebody else's"),
    .category = CATEGORY_ECONOMY,
    .needs_tos = true,
    .options =
        (const struct option[]){
            { .name = "user",
              .description = TR("Whose coins (yours when left out)"),
              .type = OPTION_USER },
            { .name = NULL },
        },
    .run = run,
};
