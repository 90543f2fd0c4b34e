/* What was changed, by whom and when. Any thread.
 *
 * Changes of one save are told in the order of the table, which the database does not know: it
 * gives them by their keys. So a few more rows are read on both sides of what is asked for, as many
 * as one save can have, and every save that is asked for comes whole and can be put in order. */
#include "services/settings_internal.h"

#include "bronx/services.h"

#define CHANGES(table, owner, by, which)                                                           \
    "SELECT revision, changed_at, " by ", key, old_value, new_value, interaction_id FROM " table   \
    "_change "                                                                                     \
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
        .interaction_id = db_rows_int(rows, row, 6),
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

/* Fields that this version does not know come last. */
static int place_of(enum settings_scope scope, const struct settings_change *change)
{
    const struct field *field = field_find(settings_fields(scope), change->key);
    return field ? (int)(field - settings_fields(scope)) : FIELDS_MAX;
}

/* They are few, and only move within their save. */
static void put_in_order(enum settings_scope scope, struct settings_change *changes, int count)
{
    for (int i = 1; i < count; i++) {
        struct settings_change change = changes[i];
        int place = place_of(scope, &change), at = i;
        for (; at > 0 && changes[at - 1].revision == change.revision &&
               place_of(scope, &changes[at - 1]) > place;
             at--)
            changes[at] = changes[at - 1];
        changes[at] = change;
    }
}

/* As the database has them. */
static int read_history(struct call *call, struct settings_owner owner, int64_t offset,
                        int64_t limit, struct settings_change **changes, int *count,
                        struct err *err)
{
    const struct db_statement statement = {
        .sql = sql_history[owner.scope],
        .parameters = { DB_INT(owner.id), DB_INT(limit), DB_INT(offset) },
        .parameter_count = 3,
    };
    return read_changes(call, &statement, changes, count, err);
}

int settings_history(struct call *call, struct settings_owner owner, int offset, int limit,
                     struct settings_change **changes, int *count, struct err *err)
{
    int before = offset < FIELDS_MAX ? offset : FIELDS_MAX;
    int result = read_history(call, owner, offset - before, (int64_t)before + limit + FIELDS_MAX,
                              changes, count, err);
    if (result != 0)
        return result;
    put_in_order(owner.scope, *changes, *count);
    before = *count < before ? *count : before;
    *changes += before;
    *count -= before;
    *count = *count < limit ? *count : limit;
    return 0;
}

int settings_saved(struct call *call, struct settings_owner owner, struct settings_change **changes,
                   int *count, struct err *err)
{
    const struct db_statement statement = {
        .sql = sql_saved[owner.scope],
        .parameters = { DB_INT(owner.id), DB_INT(call->effect_id) },
        .parameter_count = 2,
    };
    int result = read_changes(call, &statement, changes, count, err);
    if (result == 0)
        put_in_order(owner.scope, *changes, *count);
    return result;
}

int settings_last_change(struct call *call, struct settings_owner owner,
                         struct settings_change *change, struct err *err)
{
    struct settings_change *changes = NULL;
    int count = 0;
    int result = read_history(call, owner, 0, 1, &changes, &count, err);
    if (result != 0)
        return result;
    if (count > 0)
        *change = changes[0];
    return count;
}
