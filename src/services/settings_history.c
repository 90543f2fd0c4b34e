/* What was changed, by whom and when. Any thread. */
#include "services/settings_internal.h"

#include "bronx/services.h"

#define CHANGES(table, owner, by, which)                                                           \
    "SELECT revision, changed_at, " by ", key, old_value, new_value FROM " table "_change "        \
    "WHERE " owner " = $1 " which

#define NEWEST_FIRST   "ORDER BY revision DESC, key LIMIT $2 OFFSET $3"
#define OF_INTERACTION "AND interaction_id = $2 ORDER BY key"

static const char *const sql_history[] = {
    [SETTINGS_OF_SERVER] = CHANGES("server_settings", "guild_id", "changed_by", NEWEST_FIRST),
    [SETTINGS_OF_USER] = CHANGES("user_settings", "user_id", "user_id", NEWEST_FIRST),
};

static const char *const sql_saved[] = {
    [SETTINGS_OF_SERVER] = CHANGES("server_settings", "guild_id", "changed_by", OF_INTERACTION),
    [SETTINGS_OF_USER] = CHANGES("user_settings", "user_id", "user_id", OF_INTERACTION),
};

/* False without memory. NULL stays absent, "" stays empty. */
static bool keep(const struct db_rows *rows, int row, int column, struct arena *arena,
                 struct str_view *kept)
{
    struct str_view text = db_rows_text(rows, row, column);
    *kept = db_rows_is_null(rows, row, column) ? STR_NONE
            : text.length == 0                 ? STR("")
                                               : arena_copy(arena, text);
    return kept->data || db_rows_is_null(rows, row, column);
}

static bool read_change(const struct db_rows *rows, int row, struct arena *arena,
                        struct settings_change *change)
{
    *change = (struct settings_change){
        .revision = db_rows_int(rows, row, 0),
        .changed_at_ms = db_rows_int(rows, row, 1),
        .changed_by = db_rows_int(rows, row, 2),
    };
    return keep(rows, row, 3, arena, &change->key) &&
           keep(rows, row, 4, arena, &change->old_value) &&
           keep(rows, row, 5, arena, &change->new_value);
}

static int read_changes(struct call *call, const struct db_statement *statement,
                        struct settings_change **changes, int *count, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    int result = db_query(call->services->db, statement, &rows, err);
    if (result != 0)
        return err_wrap(err, "reading the history of settings");
    *count = db_rows_count(rows);
    *changes = arena_allocate_array(call->arena, (size_t)*count + 1, sizeof(**changes));
    for (int i = 0; *changes && i < *count; i++)
        if (!read_change(rows, i, call->arena, &(*changes)[i]))
            *changes = NULL;
    if (*changes)
        return 0;
    err_set(err, ERR_MEMORY, "the history of settings");
    return ERR_MEMORY;
}

int settings_history(struct call *call, struct settings_owner owner, int offset, int limit,
                     struct settings_change **changes, int *count, struct err *err)
{
    const struct db_statement statement = {
        .sql = sql_history[owner.scope],
        .parameters = { DB_INT(owner.id), DB_INT(limit), DB_INT(offset) },
        .parameter_count = 3,
    };
    return read_changes(call, &statement, changes, count, err);
}

int settings_saved(struct call *call, struct settings_owner owner, struct settings_change **changes,
                   int *count, struct err *err)
{
    const struct db_statement statement = {
        .sql = sql_saved[owner.scope],
        .parameters = { DB_INT(owner.id), DB_INT(call->effect_id) },
        .parameter_count = 2,
    };
    return read_changes(call, &statement, changes, count, err);
}

int settings_last_change(struct call *call, struct settings_owner owner,
                         struct settings_change *change, struct err *err)
{
    struct settings_change *changes = NULL;
    int count = 0;
    int result = settings_history(call, owner, 0, 1, &changes, &count, err);
    if (result != 0)
        return result;
    if (count > 0)
        *change = changes[0];
    return count;
}
