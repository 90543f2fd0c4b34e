/* Prepared statements are found by the address of their text, for texts are literals; the text is
 * compared too, so an address that came to hold something else does no harm. Values are bound
 * without copies: parameters outlive the run, and bindings are cleared after it. */
#include "db/sqlite_statement.h"

#include "db/rows.h"
#include "db/rules.h"

#include <assert.h>
#include <string.h>

#define BLANKS " \t\r\n;"

static_assert(SQLITE_CACHE_SETS == 64, "the hash gives six bits");

static struct sqlite_statement *cache_set(struct sqlite_connection *connection, const char *sql)
{
    uint64_t hash = (uint64_t)(uintptr_t)sql * UINT64_C(0x9e3779b97f4a7c15);
    return connection->cache[hash >> 58];
}

static bool is_blank(const char *text)
{
    return text[strspn(text, BLANKS)] == '\0';
}

static bool is_same(const struct sqlite_statement *kept, const char *sql)
{
    return kept->text == sql && strncmp(sqlite3_sql(kept->handle), sql, kept->length) == 0 &&
           is_blank(sql + kept->length);
}

/* SQLite numbers $names in the order it meets them. Fails unless they are exactly $1 ... $n. */
static int number_parameters(struct sqlite_statement *statement, struct err *err)
{
    int count = sqlite3_bind_parameter_count(statement->handle);
    if (count > DB_MAX_PARAMETERS)
        return err_set(err, ERR_INTERNAL, "%d parameters; at most %d", count, DB_MAX_PARAMETERS);
    for (int i = 0; i < count; i++) {
        const char *name = sqlite3_bind_parameter_name(statement->handle, i + 1);
        int64_t number;
        /* "$01" would be another parameter to SQLite and the same to PostgreSQL. */
        if (!name || name[0] != '$' || name[1] == '0' ||
            str_to_uint63(str_from(name + 1), &number) != 0 || number < 1 || number > count)
            return err_set(err, ERR_INTERNAL, "parameter %s: accepted are $1 to $%d, all used",
                           name ? name : "?", count);
        statement->numbers[i] = (uint8_t)number;
    }
    statement->parameter_count = count;
    return 0;
}

static int prepare(struct sqlite_connection *connection, const char *sql,
                   struct sqlite_statement *statement, struct err *err)
{
    const char *rest = sql;
    if (sqlite3_prepare_v3(connection->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
                           &statement->handle, &rest) != SQLITE_OK)
        return sqlite_connection_fail(connection, err);
    if (!statement->handle)
        return err_set(err, ERR_INTERNAL, "a statement without SQL");
    if (!is_blank(rest))
        return err_set(err, ERR_INTERNAL, "more than one statement in a text");
    statement->text = sql;
    statement->length = (size_t)(rest - sql);
    statement->is_readonly = sqlite3_stmt_readonly(statement->handle);
    return number_parameters(statement, err);
}

int sqlite_statement_find(struct sqlite_connection *connection, const char *sql,
                          struct sqlite_statement **found, struct err *err)
{
    struct sqlite_statement *set = cache_set(connection, sql);
    struct sqlite_statement *place = set; /* the free or longest unused one */
    for (size_t way = 0; way < SQLITE_CACHE_WAYS; way++) {
        if (set[way].text == sql && is_same(&set[way], sql)) {
            place = &set[way];
            place->last_used = ++connection->uses;
            *found = place;
            return 0;
        }
        /* A text that changed under its address is never asked for again. */
        if (set[way].text == sql)
            set[way].last_used = 0;
        if (set[way].last_used < place->last_used)
            place = &set[way];
    }
    struct sqlite_statement fresh = { 0 };
    int result = prepare(connection, sql, &fresh, err);
    if (result != 0) {
        sqlite3_finalize(fresh.handle);
        return result;
    }
    sqlite3_finalize(place->handle);
    *place = fresh;
    place->last_used = ++connection->uses;
    *found = place;
    return 0;
}

static int bind_value(sqlite3_stmt *handle, int position, const struct db_value *value)
{
    switch (value->type) {
    case DB_TYPE_INT:
        return sqlite3_bind_int64(handle, position, value->integer);
    case DB_TYPE_TEXT: /* absent bytes bind NULL, as NULL reads as absent */
        return sqlite3_bind_text64(handle, position, value->bytes.data, value->bytes.length,
                                   SQLITE_STATIC, SQLITE_UTF8);
    case DB_TYPE_BLOB:
        return sqlite3_bind_blob64(handle, position, value->bytes.data, value->bytes.length,
                                   SQLITE_STATIC);
    case DB_TYPE_NULL:
        break;
    }
    return sqlite3_bind_null(handle, position);
}

static int bind(struct sqlite_connection *connection, const struct sqlite_statement *prepared,
                const struct db_statement *statement, struct err *err)
{
    if (prepared->parameter_count != statement->parameter_count)
        return err_set(err, ERR_INTERNAL, "the SQL has %d parameters, %d were given",
                       prepared->parameter_count, statement->parameter_count);
    for (int i = 0; i < prepared->parameter_count; i++) {
        const struct db_value *value = &statement->parameters[prepared->numbers[i] - 1];
        if (bind_value(prepared->handle, i + 1, value) != SQLITE_OK)
            return sqlite_connection_fail(connection, err);
    }
    return 0;
}

static int put_bytes(struct sqlite_connection *connection, sqlite3_stmt *handle, int column,
                     enum db_type type, struct db_rows *rows, struct err *err)
{
    const void *data = type == DB_TYPE_TEXT ? (const void *)sqlite3_column_text(handle, column)
                                            : sqlite3_column_blob(handle, column);
    int length = sqlite3_column_bytes(handle, column);
    /* An empty blob has no data; a text always has, unless memory ran out. */
    if (!data && (type == DB_TYPE_TEXT || length > 0))
        return sqlite_connection_fail(connection, err);
    struct str_view bytes = { data ? data : "", (size_t)length };
    return rows_put_bytes(rows, type, bytes, err);
}

static int put_column(struct sqlite_connection *connection, sqlite3_stmt *handle, int column,
                      struct db_rows *rows, struct err *err)
{
    switch (sqlite3_column_type(handle, column)) {
    case SQLITE_INTEGER:
        return rows_put_int(rows, sqlite3_column_int64(handle, column), err);
    case SQLITE_TEXT:
        return put_bytes(connection, handle, column, DB_TYPE_TEXT, rows, err);
    case SQLITE_BLOB:
        return put_bytes(connection, handle, column, DB_TYPE_BLOB, rows, err);
    case SQLITE_NULL:
        return rows_put_null(rows, err);
    default:
        return err_set(err, ERR_INTERNAL, "column %d is a fraction; db.h has integers only",
                       column);
    }
}

static int put_row(struct sqlite_connection *connection, sqlite3_stmt *handle, int columns,
                   struct db_rows *rows, struct err *err)
{
    int result = rows_begin_row(rows, err);
    for (int column = 0; column < columns && result == 0; column++)
        result = put_column(connection, handle, column, rows, err);
    return result;
}

/* `rows` may be NULL. */
static int step_all(struct sqlite_connection *connection, sqlite3_stmt *handle,
                    struct db_rows *rows, int64_t *touched, struct err *err)
{
    int columns = sqlite3_column_count(handle);
    int64_t returned = 0;
    int64_t total_before = sqlite3_total_changes64(connection->handle);
    int status;
    while ((status = sqlite3_step(handle)) == SQLITE_ROW) {
        returned++;
        int result = rows ? put_row(connection, handle, columns, rows, err) : 0;
        if (result != 0)
            return result;
    }
    if (status != SQLITE_DONE)
        return sqlite_connection_fail(connection, err);
    /* A statement that is no INSERT, UPDATE or DELETE leaves the count of an earlier one. */
    bool has_changed = sqlite3_total_changes64(connection->handle) != total_before;
    int64_t changed = has_changed ? sqlite3_changes64(connection->handle) : 0;
    *touched = columns > 0 ? returned : changed;
    return 0;
}

static int run_prepared(struct sqlite_connection *connection,
                        const struct sqlite_statement *prepared,
                        const struct db_statement *statement, struct db_rows **rows,
                        struct err *err)
{
    int result = bind(connection, prepared, statement, err);
    if (result != 0)
        return result;
    int columns = sqlite3_column_count(prepared->handle);
    bool is_counted = columns == 0 && statement->expect == DB_ANY_ROWS;
    if (rows && (columns > 0 || is_counted)) {
        *rows = rows_new(columns);
        if (!*rows)
            return err_set(err, ERR_MEMORY, "a result");
    }
    int64_t touched = 0;
    result = step_all(connection, prepared->handle, rows ? *rows : NULL, &touched, err);
    if (rows && is_counted)
        rows_set_written(*rows, touched);
    return result == 0 ? rules_check_touched(statement, touched, err) : result;
}

int sqlite_statement_run(struct sqlite_connection *connection, const struct db_statement *statement,
                         int index, struct db_rows **rows, struct err *err)
{
    struct sqlite_statement *prepared;
    int result = sqlite_statement_find(connection, statement->sql, &prepared, err);
    if (result == 0) {
        result = run_prepared(connection, prepared, statement, rows, err);
        sqlite3_reset(prepared->handle); /* repeats the error step had */
        sqlite3_clear_bindings(prepared->handle);
    }
    if (result != 0) {
        err->index = index;
        rows_free_all(rows, 1);
    }
    return result;
}

static int line_of(const char *script, const char *place)
{
    int line = 1;
    for (const char *at = script; at < place; at++)
        line += *at == '\n';
    return line;
}

int sqlite_script_run(struct sqlite_connection *connection, const char *script, struct err *err)
{
    int result = 0;
    const char *rest = script;
    connection->is_script = true;
    while (*rest != '\0' && result == 0) {
        const char *begin = rest + strspn(rest, BLANKS);
        sqlite3_stmt *statement = NULL;
        int status = sqlite3_prepare_v2(connection->handle, begin, -1, &statement, &rest);
        while (statement && status != SQLITE_DONE && (status == SQLITE_OK || status == SQLITE_ROW))
            status = sqlite3_step(statement);
        if (status != SQLITE_OK && status != SQLITE_DONE) {
            (void)sqlite_connection_fail(connection, err);
            result = err_wrap(err, "statement at line %d", line_of(script, begin));
        }
        sqlite3_finalize(statement);
    }
    connection->is_script = false;
    return result;
}
