/* The operator's three statements, and rows as JSON. No memory of its own; any thread that may wait
 * for the database. */
#include "outbox/outbox_admin.h"

#include "core/json_out.h"

#include <inttypes.h>

#define ALIVE " (SELECT id FROM instance WHERE lease_until > "

/* --- List --- */

bool outbox_admin_is_state(struct str_view word)
{
    static const char *const words[] = { "queued", "leased", "done", "expired", "dead" };
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        if (str_equal(word, str_from(words[i])))
            return true;
    return false;
}

static const char sql_list[] =
    "SELECT id, kind, word, reason, tries, is_started, interaction_id, guild_id, request_id, "
    "created_at, changed_at, expires_at FROM (SELECT id, kind, reason, tries, is_started, "
    "interaction_id, guild_id, request_id, created_at, changed_at, expires_at, "
    "CASE WHEN state = 'leased' AND owner NOT IN" ALIVE "$1) THEN 'queued' ELSE state END AS word "
    "FROM outbox) AS job WHERE word = $2 OR ($2 = '' AND word <> 'done') "
    "ORDER BY changed_at DESC, id LIMIT $3";

enum column_kind { COLUMN_ID, COLUMN_TEXT, COLUMN_INT, COLUMN_BOOL };

static const struct {
    const char *name;
    enum column_kind kind;
} columns[] = {
    { "id", COLUMN_ID },
    { "kind", COLUMN_TEXT },
    { "state", COLUMN_TEXT },
    { "reason", COLUMN_TEXT },
    { "tries", COLUMN_INT },
    { "is_started", COLUMN_BOOL },
    { "interaction_id", COLUMN_ID },
    { "guild_id", COLUMN_ID },
    { "request_id", COLUMN_TEXT },
    { "created_at", COLUMN_INT },
    { "changed_at", COLUMN_INT },
    { "expires_at", COLUMN_INT },
};

static void write_value(struct json_out *out, enum column_kind kind, const struct db_rows *rows,
                        int row, int column)
{
    switch (kind) {
    case COLUMN_ID:
        json_id(out, db_rows_int(rows, row, column));
        break;
    case COLUMN_TEXT:
        json_text(out, db_rows_text(rows, row, column));
        break;
    case COLUMN_INT:
        json_int(out, db_rows_int(rows, row, column));
        break;
    case COLUMN_BOOL:
        json_bool(out, db_rows_int(rows, row, column) != 0);
        break;
    }
}

static void write_job(struct json_out *out, const struct db_rows *rows, int row)
{
    json_object_begin(out);
    for (int i = 0; i < (int)ARRAY_LENGTH(columns); i++) {
        if (db_rows_is_null(rows, row, i))
            continue;
        json_key(out, columns[i].name);
        write_value(out, columns[i].kind, rows, row, i);
    }
    json_object_end(out);
}

static void write_jobs(struct buf *json, const struct db_rows *rows)
{
    struct json_out out = { .buf = json };
    int count = db_rows_count(rows);
    json_object_begin(&out);
    json_key(&out, "jobs");
    json_array_begin(&out);
    for (int i = 0; i < count && i < OUTBOX_LIST_MAX; i++)
        write_job(&out, rows, i);
    json_array_end(&out);
    json_key(&out, "has_more");
    json_bool(&out, count > OUTBOX_LIST_MAX);
    json_object_end(&out);
}

int outbox_admin_list(struct db *db, struct str_view state, int64_t now_ms, struct buf *json,
                      struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    if (state.data && !outbox_admin_is_state(state))
        return err_set(err, ERR_INVALID, "state: queued, leased, done, expired or dead");
    const struct db_statement statement = {
        .sql = sql_list,
        .parameters = { DB_INT(now_ms), DB_TEXT(state.data ? state : STR("")),
                        DB_INT(OUTBOX_LIST_MAX + 1) },
        .parameter_count = 3,
    };
    int result = db_query(db, &statement, &rows, err);
    if (result != 0)
        return result;
    write_jobs(json, rows);
    return json->has_failed ? err_set(err, ERR_MEMORY, "the jobs as JSON") : 0;
}

/* --- Changes --- */

/* Why a statement found nothing to do. */
static int explain(struct db *db, int64_t id, int code, const char *rule, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = {
        .sql = "SELECT state FROM outbox WHERE id = $1",
        .parameters = { DB_INT(id) },
        .parameter_count = 1,
    };
    int result = db_query(db, &statement, &rows, err);
    if (result != 0)
        return result;
    if (db_rows_count(rows) == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no job %" PRId64, id);
    return err_set(err, code, "job %" PRId64 " is %.*s: %s", id, STR_ARGS(db_rows_text(rows, 0, 0)),
                   rule);
}

static int change(struct db *db, const char *sql, int64_t id, int64_t now_ms, struct err *err,
                  bool *is_done)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = {
        .sql = sql,
        .parameters = { DB_INT(id), DB_INT(now_ms) },
        .parameter_count = 2,
    };
    int result = db_query(db, &statement, &rows, err);
    *is_done = db_rows_count(rows) > 0;
    return result;
}

static const char sql_retry[] =
    "UPDATE outbox SET state = 'queued', reason = NULL, is_started = 0, tries = 0, "
    "available_at = $2, changed_at = $2 WHERE id = $1 AND state = 'dead' AND content IS NOT NULL "
    "AND expires_at > $2 RETURNING id";

int outbox_admin_retry(struct db *db, int64_t id, int64_t now_ms, struct err *err)
{
    bool is_done;
    int result = change(db, sql_retry, id, now_ms, err, &is_done);
    if (result != 0 || is_done)
        return result;
    return explain(db, id, ERR_INVALID,
                   "only a dead job whose token's 15 minutes are not over can be tried again", err);
}

static const char sql_drop[] = "DELETE FROM outbox WHERE id = $1 AND (state <> 'leased' "
                               "OR owner NOT IN" ALIVE "$2)) RETURNING id";

int outbox_admin_drop(struct db *db, int64_t id, int64_t now_ms, struct err *err)
{
    bool is_done;
    int result = change(db, sql_drop, id, now_ms, err, &is_done);
    if (result != 0 || is_done)
        return result;
    return explain(db, id, ERR_BUSY, "a process is sending it", err);
}
