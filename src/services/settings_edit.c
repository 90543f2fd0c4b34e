/* Saving settings: one transaction of the row, a line of history for each setting that differs, and
 * the messages about it. Any thread.
 *
 *     row at revision n --save(n)--> row at n + 1
 *                       --save(n)--> conflict, unless it is a replay of the one before
 *
 * The row's statement comes first and holds only at revision n. Whoever is second waits there for
 * the first one's end; so it is never too early to say that it is the second, and a commit of
 * unknown outcome can be tried again. */
#include "services/field_internal.h"
#include "services/settings_internal.h"

#include "bronx/services.h"

#include <assert.h>

#define HISTORY_MAX 500

/* The same for both scopes but for names. */
struct scope_sql {
    const char *read;   /* $1 the owner, $2 an interaction: whether it has saved already */
    const char *insert; /* $1 the owner, $2 content */
    const char *update; /* $3 the revision before */
    const char *change; /* $1 the owner, $2 revision, $3 key, $4 old, $5 new, $6 time, $7
                           interaction, $8 who, for servers */
    const char *trim;   /* $1 the owner, $2 how many stay */
};

#define READ(table, owner)                                                                         \
    "SELECT revision, content, CASE WHEN EXISTS (SELECT 1 FROM " table "_change c "                \
    "WHERE c." owner " = $1 AND c.interaction_id = $2) THEN 1 ELSE 0 END FROM " table              \
    " WHERE " owner " = $1"
#define INSERT(table, owner)                                                                       \
    "INSERT INTO " table " (" owner ", revision, content) VALUES ($1, 1, $2) "                     \
    "ON CONFLICT (" owner ") DO NOTHING"
#define UPDATE(table, owner)                                                                       \
    "UPDATE " table " SET revision = revision + 1, content = $2 "                                  \
    "WHERE " owner " = $1 AND revision = $3"
#define CHANGE(table, owner, by, by_value)                                                         \
    "INSERT INTO " table "_change (" owner ", revision, key, old_value, new_value, changed_at, "   \
    "interaction_id" by ") VALUES ($1, $2, $3, $4, $5, $6, $7" by_value ")"
#define TRIM(table, owner)                                                                         \
    "DELETE FROM " table "_change WHERE " owner " = $1 AND (revision, key) <= "                    \
    "(SELECT revision, key FROM " table "_change WHERE " owner " = $1 "                            \
    "ORDER BY revision DESC, key DESC LIMIT 1 OFFSET $2)"

static const struct scope_sql sql_of[] = {
    [SETTINGS_OF_SERVER] = { READ("server_settings", "guild_id"),
                             INSERT("server_settings", "guild_id"),
                             UPDATE("server_settings", "guild_id"),
                             CHANGE("server_settings", "guild_id", ", changed_by", ", $8"),
                             TRIM("server_settings", "guild_id") },
    [SETTINGS_OF_USER] = { READ("user_settings", "user_id"), INSERT("user_settings", "user_id"),
                           UPDATE("user_settings", "user_id"),
                           CHANGE("user_settings", "user_id", "", ""),
                           TRIM("user_settings", "user_id") },
};

/* --- The row --- */

struct row {
    int64_t revision; /* 0: there is none */
    struct field_values values;
    bool is_saved; /* by this very interaction */
};

/* A time that has come is as if it had never been set. */
static void drop_what_is_over(const struct call *call, const struct field *fields,
                              struct field_values *values)
{
    for (int i = 0; fields[i].key; i++)
        if (fields[i].kind == FIELD_UNTIL && field_number_of(values->values[i]) <= call->now_ms)
            values->values[i] = STR_NONE;
}

static int read_row(struct call *call, struct settings_owner owner, struct row *row,
                    struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = {
        .sql = sql_of[owner.scope].read,
        .parameters = { DB_INT(owner.id), DB_INT(call->effect_id) },
        .parameter_count = 2,
    };
    *row = (struct row){ 0 };
    int result = db_query(call->services->db, &statement, &rows, err);
    if (result != 0)
        return err_wrap(err, "reading settings");
    if (db_rows_count(rows) == 0)
        return 0;
    struct str_view content = db_rows_text(rows, 0, 1);
    struct str_view kept = content.length > 0 ? arena_copy(call->arena, content) : STR("");
    if (!kept.data)
        return err_set(err, ERR_MEMORY, "settings");
    row->revision = db_rows_int(rows, 0, 0);
    row->is_saved = db_rows_int(rows, 0, 2) != 0;
    field_lines_read(settings_fields(owner.scope), kept, &row->values);
    field_drop_invalid(settings_fields(owner.scope), &row->values);
    drop_what_is_over(call, settings_fields(owner.scope), &row->values);
    return 0;
}

int settings_read(struct call *call, struct settings_owner owner, int64_t *revision,
                  struct field_values *values, struct err *err)
{
    struct row row;
    int result = read_row(call, owner, &row, err);
    if (result != 0)
        return result;
    *revision = row.revision;
    *values = row.values;
    return 0;
}

/* --- Saving --- */

#define SAVE_STATEMENTS_MAX (2 + FIELDS_MAX + SETTINGS_NOTICES_MAX)

static_assert(SAVE_STATEMENTS_MAX <= DB_MAX_STATEMENTS, "a save fits one transaction");

struct save {
    struct call *call;
    struct settings_owner owner;
    const struct field *fields;
    struct row before;
    struct field_values after;
    int change_count;
    struct db_statement statements[SAVE_STATEMENTS_MAX];
    int count;
};

/* What was begun for a time goes on until then, whatever anybody wishes meanwhile. */
static void keep_what_runs(struct save *save)
{
    for (int i = 0; save->fields[i].key; i++) {
        int64_t until_ms = field_number_of(save->before.values.values[i]);
        if (save->fields[i].kind == FIELD_UNTIL && until_ms > save->call->now_ms &&
            field_number_of(save->after.values[i]) < until_ms)
            save->after.values[i] = save->before.values.values[i];
    }
}

static bool is_changed(const struct save *save, int place)
{
    return !str_equal(field_value_of(save->fields, &save->before.values, place),
                      field_value_of(save->fields, &save->after, place));
}

static int check_changes(struct save *save, struct err *err)
{
    for (int i = 0; save->fields[i].key; i++) {
        struct str_view value = save->after.values[i];
        if (!is_changed(save, i))
            continue;
        if (value.data && !field_is_valid(&save->fields[i], save->call, value))
            return err_set(err, ERR_INVALID, "not a value of the setting %s", save->fields[i].key);
        save->change_count++;
    }
    return 0;
}

static struct db_value text_or_null(struct str_view value)
{
    return value.data ? DB_TEXT(value) : DB_NULL;
}

static void add(struct save *save, struct db_statement statement)
{
    save->statements[save->count++] = statement;
}

static void add_row(struct save *save, struct str_view content)
{
    const struct scope_sql *sql = &sql_of[save->owner.scope];
    bool is_first = save->before.revision == 0;
    add(save, (struct db_statement){
                  .sql = is_first ? sql->insert : sql->update,
                  .parameters = { DB_INT(save->owner.id), DB_TEXT(content),
                                  DB_INT(save->before.revision) },
                  .parameter_count = is_first ? 2 : 3,
                  .expect = DB_ONE_ROW,
              });
}

static void add_changes(struct save *save)
{
    const struct call *call = save->call;
    for (int i = 0; save->fields[i].key; i++) {
        if (!is_changed(save, i))
            continue;
        add(save, (struct db_statement){
                      .sql = sql_of[save->owner.scope].change,
                      .parameters = { DB_INT(save->owner.id), DB_INT(save->before.revision + 1),
                                      DB_TEXT(str_from(save->fields[i].key)),
                                      text_or_null(save->before.values.values[i]),
                                      text_or_null(save->after.values[i]), DB_INT(call->now_ms),
                                      DB_INT(call->effect_id), DB_INT(call->interaction->user.id) },
                      .parameter_count = save->owner.scope == SETTINGS_OF_SERVER ? 8 : 7,
                  });
    }
    add(save, (struct db_statement){
                  .sql = sql_of[save->owner.scope].trim,
                  .parameters = { DB_INT(save->owner.id), DB_INT(HISTORY_MAX) },
                  .parameter_count = 2,
              });
}

static int build(struct save *save, struct err *err)
{
    int notices = 0;
    struct str_view content = field_lines(save->fields, &save->after, save->call->arena);
    if (!content.data)
        return err_set(err, ERR_MEMORY, "settings");
    add_row(save, content);
    add_changes(save);
    int result = settings_notices_stage(save->call, save->owner, &save->before.values, &save->after,
                                        save->statements + save->count, &notices, err);
    assert(notices <= SETTINGS_NOTICES_MAX);
    save->count += notices;
    return result;
}

/* SETTINGS_SAVED when the one who was first was this interaction itself, at another time. */
static int explain_second(struct save *save, struct err *err)
{
    int result = read_row(save->call, save->owner, &save->before, err);
    if (result != 0)
        return result;
    save->after = save->before.values;
    return save->before.is_saved ? SETTINGS_SAVED : SETTINGS_CONFLICT;
}

static int commit(struct save *save, struct err *err)
{
    int result = build(save, err);
    if (result != 0)
        return result;
    result = db_settle(save->call->services->db, save->statements, save->count, NULL, err);
    /* After a failure, too: the commit may have happened and its answer been lost. */
    settings_forget(save->call->services, save->owner);
    if (result == ERR_EXPECTATION && err && err->index == 0)
        return explain_second(save, err);
    if (result != 0)
        return err_wrap(err, "saving settings");
    save->before.revision++;
    return SETTINGS_SAVED;
}

/* Fills `save`; an enum settings_saving, or SAVE_GOES_ON when there is something to commit. */
enum { SAVE_GOES_ON = 100 };

static int prepare(struct save *save, int64_t revision, struct err *err)
{
    int result = read_row(save->call, save->owner, &save->before, err);
    if (result != 0)
        return result;
    if (save->before.is_saved) {
        /* Whoever saved may have died before anybody was told. */
        settings_forget(save->call->services, save->owner);
        save->after = save->before.values;
        return SETTINGS_SAVED;
    }
    if (save->before.revision != revision)
        return SETTINGS_CONFLICT;
    save->after.unknown = save->before.values.unknown;
    drop_what_is_over(save->call, save->fields, &save->after);
    keep_what_runs(save);
    result = check_changes(save, err);
    if (result != 0)
        return result;
    return save->change_count > 0 ? SAVE_GOES_ON : SETTINGS_UNCHANGED;
}

int settings_save(struct call *call, struct settings_owner owner, int64_t revision,
                  const struct field_values *values, struct err *err)
{
    struct err unread = { 0 };
    struct err *reason = err ? err : &unread;
    struct save *save = arena_allocate(call->arena, sizeof(*save));
    if (!save)
        return err_set(reason, ERR_MEMORY, "saving settings");
    *save = (struct save){
        .call = call, .owner = owner, .fields = settings_fields(owner.scope), .after = *values
    };
    int result = prepare(save, revision, reason);
    if (result == SAVE_GOES_ON)
        result = commit(save, reason);
    if (result == SETTINGS_SAVED) {
        int adopted = settings_adopt(call, owner, save->before.revision, &save->after, reason);
        return adopted != 0 ? adopted : SETTINGS_SAVED;
    }
    return result;
}
