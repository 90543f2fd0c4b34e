/* /pay user amount [note]: coins from one person to another. */
#include "commands.h"
#include "economy.h"

#include "bronx/clock.h"
#include "bronx/language.h"
#include "bronx/markdown.h"
#include "bronx/settings.h"

#include <inttypes.h>

#define OPERATION "pay"
#define NOTE_MAX  200

/* Of what was done from the receipt and the options alone, so that a replay shows the same; how it
 * is shown (currency, privacy, the ping) is as people have set it at present. */
static int show(struct call *call, const struct ledger_receipt *receipt, bool is_pinged)
{
    int64_t payee_id = call_user(call, "user")->user.id;
    struct str_view note = receipt->detail;
    reply_container_begin(call->reply, COLOUR_GREEN);
    reply_text(call->reply, tr(call, "### <@%" PRId64 "> paid <@%" PRId64 "> %.*s"),
               call->interaction->user.id, payee_id,
               STR_ARGS(currency_show(call, receipt->transfers[0].amount)));
    if (note.length > 0)
        reply_text(call->reply, "> %.*s", STR_ARGS(markdown_disarm(call->arena, note)));
    if (call->person->privacy == PRIVACY_PRIVATE)
        reply_text(call->reply, tr(call, "-# Receipt %" PRId64), call->effect_id);
    else
        reply_text(call->reply, tr(call, "-# <@%" PRId64 "> has %.*s left · receipt %" PRId64),
                   call->interaction->user.id,
                   STR_ARGS(currency_show(call, receipt->transfers[0].from_balance)),
                   call->effect_id);
    reply_container_end(call->reply);
    if (is_pinged)
        reply_mention_user(call->reply, payee_id);
    return 0;
}

/* What one person can pay to others in this server on one day (UTC). */
static int64_t daily_cap(const struct call *call)
{
    int64_t cap = call->server->pay_daily_cap;
    return cap > 0 ? cap : LEDGER_AMOUNT_MAX;
}

/* Adds to what was paid today; does nothing, which is refused, when that would pass the cap. */
static struct db_statement cap_statement(const struct call *call, int64_t amount)
{
    return (struct db_statement){
        .sql = "INSERT INTO pay_day (user_id, guild_id, day, sent) VALUES ($1, $2, $3, $4) "
               "ON CONFLICT (user_id, guild_id, day) DO UPDATE SET sent = pay_day.sent + "
               "excluded.sent "
               "WHERE pay_day.sent + excluded.sent <= $5",
        .parameters = { DB_INT(call->interaction->user.id), DB_INT(call->interaction->guild_id),
                        DB_INT(call->now_ms / MS_PER_DAY), DB_INT(amount),
                        DB_INT(daily_cap(call)) },
        .parameter_count = 5,
        .expect = DB_ONE_ROW,
    };
}

/* Of other days nobody asks again. Only the payer's own: no payment waits for another's. */
static struct db_statement forget_statement(const struct call *call)
{
    return (struct db_statement){
        .sql = "DELETE FROM pay_day WHERE user_id = $1 AND day < $2",
        .parameters = { DB_INT(call->interaction->user.id), DB_INT(call->now_ms / MS_PER_DAY) },
        .parameter_count = 2,
    };
}

static int refuse_cap(struct call *call)
{
    return call_refuse(call,
                       tr(call, "You can pay others %.*s a day here, and this would be more."),
                       STR_ARGS(currency_show(call, daily_cap(call))));
}

static int post(struct call *call, int64_t amount, struct ledger_receipt *receipt, struct err *err)
{
    int64_t payee_id = call_user(call, "user")->user.id;
    const struct db_statement also[] = { cap_statement(call, amount), forget_statement(call) };
    const struct ledger_entry entry = {
        .operation = OPERATION,
        .transfers = { { WALLET_OF(call->interaction->user.id), WALLET_OF(payee_id), amount } },
        .transfer_count = 1,
        .detail = call_text(call, "note"),
        .also = also,
        .also_count = ARRAY_LENGTH(also),
    };
    return ledger_post(call, &entry, receipt, err);
}

static int run(struct call *call, struct err *err)
{
    const struct user *payee = &call_user(call, "user")->user;
    int is_pinged = is_ping_wanted(call, payee->id, ORDINARY, err);
    if (is_pinged < 0)
        return is_pinged;
    struct ledger_receipt receipt;
    int result = ledger_find(call, OPERATION, &receipt, err);
    if (result != 0)
        return result < 0 ? result : show(call, &receipt, is_pinged);

    if (payee->id == call->interaction->user.id)
        return call_refuse(call, tr(call, "You can't pay yourself."));
    if (payee->is_bot)
        return call_refuse(call, tr(call, "Bots have no use for coins."));
    struct balances balances;
    result = ledger_balances(call, call->interaction->user.id, &balances, err);
    if (result != 0)
        return result;
    int64_t amount;
    enum amount_refusal refusal = amount_parse(call_text(call, "amount"), balances.wallet, &amount);
    bool is_all_of_nothing = refusal == AMOUNT_NOT_POSITIVE && balances.wallet == 0;
    if (refusal != AMOUNT_OK && !is_all_of_nothing)
        return refuse_amount(call, refusal);
    if (is_all_of_nothing || amount > balances.wallet)
        return call_refuse(call, tr(call, "You have %.*s in your wallet."),
                           STR_ARGS(currency_show(call, balances.wallet)));
    if (amount > daily_cap(call))
        return refuse_cap(call);

    result = post(call, amount, &receipt, err);
    if (result == LEDGER_DONE)
        return show(call, &receipt, is_pinged);
    if (result == LEDGER_ALSO_REFUSED)
        return refuse_cap(call);
    return result < 0 ? result : refuse_posting(call, (enum ledger_refusal)result, err);
}

const struct command pay_command = {
    .name = "pay",
    .description = TR("Give coins from your wallet to somebody"),
    .details =
        TR("Amounts can be typed as `250`, `1k`, `2.5m`, `10%`, `half` or `all` of your wallet. "
           "Each server limits what one person can pay in a day. Payments are final."),
    .category = CATEGORY_ECONOMY,
    .needs_tos = true,
    .cooldown_ms = 3 * MS_PER_SECOND,
    .options =
        (const struct option[]){
            { .name = "user",
              .description = TR("Who gets the coins"),
              .type = OPTION_USER,
              .is_required = true },
            { .name = "amount",
              .description = TR("How many: 250, 1k, 2.5m, 10%, half or all"),
              .type = OPTION_STRING,
              .is_required = true,
              .has_min = true,
              .min = 1,
              .has_max = true,
              .max = 32 },
            { .name = "note",
              .description = TR("A line for the receipt"),
              .type = OPTION_STRING,
              .has_min = true,
              .min = 1,
              .has_max = true,
              .max = NOTE_MAX },
            { .name = NULL },
        },
    .run = run,
};
