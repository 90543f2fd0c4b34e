#include "wager.h"

#include "bronx/clock.h"
#include "bronx/language.h"
#include "bronx/services.h"
#include "bronx/settings.h"
#include "bronx/time_zone.h"

static int64_t limit_or_all(int64_t limit)
{
    return limit > 0 ? limit : LEDGER_AMOUNT_MAX;
}

int wager_read(struct call *call, struct str_view typed, int64_t wallet, struct wager *wager,
               struct err *err)
{
    int64_t of_server = limit_or_all(call->server->max_bet);
    int64_t of_person = limit_or_all(call->person->max_bet);
    enum amount_refusal refusal = amount_parse(typed, wallet, &wager->stake);
    if (refusal != AMOUNT_OK)
        return refuse_amount(call, refusal);
    if (wager->stake > wallet)
        return call_refuse(call, tr(call, "You have %.*s in your wallet."),
                           STR_ARGS(currency_show(call, wallet)));
    if (wager->stake > of_person && of_person <= of_server)
        return call_refuse(call, tr(call, "Your own limit for a bet is %.*s."),
                           STR_ARGS(currency_show(call, of_person)));
    if (wager->stake > of_server)
        return call_refuse(call, tr(call, "The highest bet in this server is %.*s."),
                           STR_ARGS(currency_show(call, of_server)));
    if (wager->stake > limit_or_all(call->person->loss_limit))
        return wager_refuse_losses(call, err);
    wager->placed_at_ms = call->now_ms;
    return 1;
}

/* The next midnight of the player's time zone. */
static int64_t day_ends_at(const struct call *call)
{
    struct str_view zone = call->person->time_zone;
    int64_t midnight_ms = (time_zone_day(zone, call->now_ms) + 1) * MS_PER_DAY;
    int64_t ends_at_ms = midnight_ms - time_zone_offset(zone, call->now_ms) * MS_PER_SECOND;
    /* Clocks may be changed until then. */
    ends_at_ms = midnight_ms - time_zone_offset(zone, ends_at_ms) * MS_PER_SECOND;
    return ends_at_ms > call->now_ms ? ends_at_ms : call->now_ms + 1;
}

struct db_statement wager_stake(const struct call *call, const struct wager *wager)
{
    return (struct db_statement){
        .sql = "INSERT INTO game_losses (user_id, began_at, ends_at, lost, loss_limit) "
               "VALUES ($1, $2, $3, $4, $5) "
               "ON CONFLICT (user_id) DO UPDATE SET "
               "began_at = CASE WHEN game_losses.ends_at > $2 THEN game_losses.began_at "
               "ELSE excluded.began_at END, "
               "ends_at = CASE WHEN game_losses.ends_at > $2 THEN game_losses.ends_at "
               "ELSE excluded.ends_at END, "
               "lost = CASE WHEN game_losses.ends_at > $2 THEN game_losses.lost + excluded.lost "
               "ELSE excluded.lost END, "
               "loss_limit = CASE WHEN game_losses.ends_at > $2 AND (excluded.loss_limit IS NULL "
               "OR game_losses.loss_limit < excluded.loss_limit) THEN game_losses.loss_limit "
               "ELSE excluded.loss_limit END "
               "WHERE game_losses.ends_at <= $2 OR ("
               "(game_losses.loss_limit IS NULL "
               "OR game_losses.lost + excluded.lost <= game_losses.loss_limit) AND "
               "(excluded.loss_limit IS NULL "
               "OR game_losses.lost + excluded.lost <= excluded.loss_limit))",
        .parameters = { DB_INT(call->interaction->user.id), DB_INT(wager->placed_at_ms),
                        DB_INT(day_ends_at(call)), DB_INT(wager->stake),
                        call->person->loss_limit > 0 ? DB_INT(call->person->loss_limit) : DB_NULL },
        .parameter_count = 5,
        .expect = DB_ONE_ROW,
    };
}

/* The day's own limit when it is lower than what the player has set since, else 0; or negative. */
static int64_t lower_limit_of_day(const struct call *call, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = {
        .sql = "SELECT loss_limit FROM game_losses "
               "WHERE user_id = $1 AND ends_at > $2 AND loss_limit < $3",
        .parameters = { DB_INT(call->interaction->user.id), DB_INT(call->now_ms),
                        DB_INT(limit_or_all(call->person->loss_limit)) },
        .parameter_count = 3,
    };
    int result = db_query(call->services->db, &statement, &rows, err);
    if (result != 0)
        return result;
    return db_rows_count(rows) > 0 ? db_rows_int(rows, 0, 0) : 0;
}

int wager_refuse_losses(struct call *call, struct err *err)
{
    int64_t of_day = lower_limit_of_day(call, err);
    if (of_day < 0)
        return (int)of_day;
    if (of_day > 0)
        return call_refuse(call,
                           tr(call, "With this bet you could lose more today than the %.*s you "
                                    "allowed yourself. Your higher limit counts from midnight in "
                                    "%.*s on."),
                           STR_ARGS(currency_show(call, of_day)),
                           STR_ARGS(call->person->time_zone));
    return call_refuse(call,
                       tr(call, "With this bet you could lose more today than the %.*s you allow "
                                "yourself. Your day ends at midnight in %.*s."),
                       STR_ARGS(currency_show(call, call->person->loss_limit)),
                       STR_ARGS(call->person->time_zone));
}

struct db_statement wager_payout(int64_t user_id, int64_t placed_at_ms, int64_t amount)
{
    return (struct db_statement){
        .sql = "UPDATE game_losses SET lost = lost - $3 "
               "WHERE user_id = $1 AND began_at <= $2 AND ends_at > $2",
        .parameters = { DB_INT(user_id), DB_INT(placed_at_ms), DB_INT(amount) },
        .parameter_count = 3,
    };
}
