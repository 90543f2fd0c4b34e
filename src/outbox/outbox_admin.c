/* What operators ask for and get, and rows as JSON. No memory of its own; any thread that may wait
 * for the database. */
#include "outbox/outbox_admin.h"

#include "core/json_out.h"
#include "outbox/outbox_store.h"

#include <inttypes.h>

/* --- List --- */

bool outbox_admin_is_state(struct str_view word)
{
    static const char *const words[] = { "queued", "leased", "done", "expired", "dead" };
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        if (str_equal(word, str_from(words[i])))
            return true;
    return false;
}

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
    { "channel_id", COLUMN_ID },
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
    const struct db_statement statement = outbox_store_list(state, OUTBOX_LIST_MAX + 1, now_ms);
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

/* Says why in `rule` when there is nothing the statement could do. */
static int change(struct db *db, struct db_statement statement, int64_t id, int code,
                  const char *rule, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    int result = db_query(db, &statement, &rows, err);
    if (result != 0 || db_rows_count(rows) > 0)
        return result;
    return explain(db, id, code, rule, err);
}

/* Unheard, they find it by themselves a little later. */
static void call_processes(struct db *db)
{
    struct db_statement call;
    struct err unread;
    if (outbox_store_call(db, 0, &call))
        (void)!db_query(db, &call, NULL, &unread);
}

int outbox_admin_retry(struct db *db, int64_t id, int64_t now_ms, struct err *err)
{
    int result = change(db, outbox_store_retry(id, now_ms), id, ERR_INVALID,
                        "only a dead job whose time (15 minutes; a day for a channel) is not over "
                        "can be tried again",
                        err);
    if (result == 0)
        call_processes(db);
    return result;
}

int outbox_admin_drop(struct db *db, int64_t id, int64_t now_ms, struct err *err)
{
    return change(db, outbox_store_drop(id, now_ms), id, ERR_BUSY, "a process is sending it", err);
}
