/* Cooldowns: one row for each person and command. The row also names the interaction that used it,
 * so that running that interaction again is not refused by its own cooldown. */
#include "bronx/cooldown.h"

#include "bronx/services.h"

struct str_view cooldown_key(const struct call *call)
{
    CLEANUP(buf_free) struct buf key = { 0 };
    const struct interaction *interaction = call->interaction;
    if (interaction->command.path_length <= 1)
        return str_from(call->command->name);
    for (int i = 0; i < interaction->command.path_length; i++) {
        if (i > 0)
            buf_append_char(&key, ' ');
        buf_append(&key, interaction->command.path[i]);
    }
    /* A part of it would be the key of another command; none is refused by NOT NULL. */
    return key.has_failed ? STR_NONE : arena_copy(call->arena, buf_view(&key));
}

/* A replayed interaction may pass: it used the cooldown itself, or has posted its money already and
 * will be answered from the ledger. */
static const char sql_ready_at[] =
    "SELECT ready_at FROM cooldown "
    "WHERE user_id = $1 AND command = $2 AND ready_at > $3 AND interaction_id <> $4 "
    "AND NOT EXISTS (SELECT 1 FROM ledger_entry WHERE ledger_entry.interaction_id = $4)";

int cooldown_ready_at(struct call *call, int64_t *ready_at_ms, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct str_view key = cooldown_key(call);
    if (!key.data)
        return err_set(err, ERR_MEMORY, "the key of a cooldown");
    struct db_statement statement = {
        .sql = sql_ready_at,
        .parameters = { DB_INT(call->interaction->user.id), DB_TEXT(key), DB_INT(call->now_ms),
                        DB_INT(call->effect_id) },
        .parameter_count = 4,
    };
    int result = db_query(call->services->db, &statement, &rows, err);
    if (result != 0)
        return err_wrap(err, "reading a cooldown");
    *ready_at_ms = db_rows_count(rows) > 0 ? db_rows_int(rows, 0, 0) : 0;
    return 0;
}

static const char sql_use[] =
    "INSERT INTO cooldown (user_id, command, ready_at, interaction_id) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (user_id, command) DO UPDATE SET "
    "ready_at = CASE WHEN cooldown.interaction_id = excluded.interaction_id "
    "THEN cooldown.ready_at ELSE excluded.ready_at END, "
    "interaction_id = excluded.interaction_id "
    "WHERE cooldown.ready_at <= $5 OR cooldown.interaction_id = excluded.interaction_id";

struct db_statement cooldown_statement(const struct call *call)
{
    return (struct db_statement){
        .sql = sql_use,
        .parameters = { DB_INT(call->interaction->user.id), DB_TEXT(cooldown_key(call)),
                        DB_INT(call->now_ms + command_cooldown_ms(call)), DB_INT(call->effect_id),
                        DB_INT(call->now_ms) },
        .parameter_count = 5,
        .expect = DB_ONE_ROW,
    };
}

int cooldown_use(struct call *call, struct err *err)
{
    struct db_statement statement = cooldown_statement(call);
    int result = db_settle(call->services->db, &statement, 1, NULL, err);
    if (result == 0)
        call->is_cooldown_used = true;
    return result;
}
