/* /daily: a reward once a day, 5 % more for each day in a row up to 50 %. */
#include "commands.h"
#include "economy.h"

#include "bronx/chance.h"
#include "bronx/clock.h"
#include "bronx/language.h"
#include "bronx/services.h"
#include "bronx/settings.h"

#include <inttypes.h>

#define OPERATION            "daily"
#define REWARD_MIN           INT64_C(1000)
#define REWARD_MAX           INT64_C(5000)
#define BONUS_PERCENT_A_DAY  INT64_C(5)
#define BONUS_PERCENT_MAX    INT64_C(50)
#define STREAK_ENDS_AFTER_MS (2 * MS_PER_DAY) /* a whole day was left out */

/* Days in a row, this one included, and what the stored row must still say when it is written. */
struct streak {
    int64_t days;
    int64_t claimed_before_ms; /* 0: never */
};

/* Leaves `streak` as it is for somebody's first day. */
static int read_streak(struct call *call, struct streak *streak, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct db_statement statement = {
        .sql = "SELECT days, claimed_at FROM daily_streak WHERE user_id = $1",
        .parameters = { DB_INT(call->interaction->user.id) },
        .parameter_count = 1,
    };
    int result = db_query(call->services->db, &statement, &rows, err);
    if (result != 0)
        return err_wrap(err, "reading a streak");
    if (db_rows_count(rows) > 0) {
        streak->claimed_before_ms = db_rows_int(rows, 0, 1);
        if (call->now_ms - streak->claimed_before_ms < STREAK_ENDS_AFTER_MS)
            streak->days = db_rows_int(rows, 0, 0) + 1;
    }
    return 0;
}

static struct db_statement streak_statement(const struct call *call, const struct streak *streak)
{
    return (struct db_statement){
        .sql = "INSERT INTO daily_streak (user_id, days, claimed_at) VALUES ($1, $2, $3) "
               "ON CONFLICT (user_id) DO UPDATE SET days = excluded.days, "
               "claimed_at = excluded.claimed_at WHERE daily_streak.claimed_at = $4",
        .parameters = { DB_INT(call->interaction->user.id), DB_INT(streak->days),
                        DB_INT(call->now_ms), DB_INT(streak->claimed_before_ms) },
        .parameter_count = 4,
        .expect = DB_ONE_ROW,
    };
}

static int64_t bonus_percent(int64_t days)
{
    int64_t percent = (days - 1) * BONUS_PERCENT_A_DAY;
    return percent < BONUS_PERCENT_MAX ? percent : BONUS_PERCENT_MAX;
}

/* From the receipt alone, so that a replay shows the same. Its first transfer is the reward, the
 * second, if any, the bonus; the detail is the days in a row. */
static int show(struct call *call, const struct ledger_receipt *receipt)
{
    int last = receipt->transfer_count - 1;
    int64_t total = 0, days = 1;
    for (int i = 0; i <= last; i++)
        total += receipt->transfers[i].amount;
    if (str_to_int64(receipt->detail, &days) != 0)
        days = 1;
    reply_container_begin(call->reply, COLOUR_GREEN);
    reply_text(call->reply, tr(call, "### Your daily reward: %.*s"),
               STR_ARGS(currency_show(call, total)));
    if (last > 0)
        reply_text(call->reply,
                   tr(call, "Day %" PRId64 " in a row: %.*s of it are your streak bonus."), days,
                   STR_ARGS(currency_show(call, receipt->transfers[last].amount)));
    else
        reply_text(call->reply,
                   tr(call, "Come back tomorrow for a streak bonus of %" PRId64 " %%."),
                   bonus_percent(days + 1));
    int64_t next_at = (receipt->created_at_ms + MS_PER_DAY) / MS_PER_SECOND + 1;
    if (call->person->privacy == PRIVACY_PRIVATE)
        reply_text(call->reply, tr(call, "Next reward <t:%" PRId64 ":R>."), next_at);
    else
        reply_text(call->reply, tr(call, "Your wallet: **%.*s**. Next reward <t:%" PRId64 ":R>."),
                   STR_ARGS(currency_show(call, receipt->transfers[last].to_balance)), next_at);
    reply_container_end(call->reply);
    return 0;
}

static int run(struct call *call, struct err *err)
{
    struct ledger_receipt receipt;
    int result = ledger_find(call, OPERATION, &receipt, err);
    if (result != 0)
        return result < 0 ? result : show(call, &receipt);
    struct streak streak = { .days = 1 };
    result = read_streak(call, &streak, err);
    if (result != 0)
        return result;
    const int64_t user_id = call->interaction->user.id;
    int64_t reward =
        chance_between(call->services->chance, call->effect_id, 0, REWARD_MIN, REWARD_MAX);
    int64_t bonus = reward * bonus_percent(streak.days) / 100;
    struct db_statement keep_streak = streak_statement(call, &streak);
    const struct ledger_entry entry = {
        .operation = OPERATION,
        .transfers = { { HOUSE(HOUSE_REWARDS), WALLET_OF(user_id), reward },
                       { HOUSE(HOUSE_REWARDS), WALLET_OF(user_id), bonus } },
        .transfer_count = bonus > 0 ? 2 : 1,
        .detail = arena_format(call->arena, "%" PRId64, streak.days),
        .also = &keep_streak,
        .also_count = 1,
    };
    if (!entry.detail.data)
        return err_set(err, ERR_MEMORY, "a receipt of /daily");
    result = ledger_post(call, &entry, &receipt, err);
    if (result == LEDGER_DONE)
        return show(call, &receipt);
    return result < 0 ? result : refuse_posting(call, (enum ledger_refusal)result, err);
}

const struct command daily_command = {
    .name = "daily",
    .description = TR("Take your daily reward"),
    .details =
        TR("Once in 24 hours: 1,000 to 5,000 coins. Every day in a row adds 5 %, up to 50 %."),
    .category = CATEGORY_ECONOMY,
    .needs_tos = true,
    .cooldown_ms = MS_PER_DAY,
    .run = run,
};
