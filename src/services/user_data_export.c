/* The export: one JSON document, written table by table as the register says. Rows come in pages by
 * key, one query for most people and tables. A row that does not fit any more ends the document,
 * which then says that it is not whole. */
#include "bronx/user_data.h"

#include "bronx/clock.h"
#include "bronx/services.h"

#include "core/json_out.h"

#include <string.h>
#include <time.h>

#define TAIL_RESERVE ((size_t)32 * 1024) /* for the tables whose rows don't fit, and the end */
#define ISO_SIZE     32

struct writing {
    struct db *db;
    struct erasure_fingerprint fingerprint;
    const struct user_data_request *request;
    struct user_data_result *result;
    struct json_out out;
    size_t rows_max; /* bytes: no row ends behind it */
};

static struct str_view iso_time(char text[ISO_SIZE], int64_t ms)
{
    time_t seconds = (time_t)(ms / MS_PER_SECOND);
    struct tm utc;
    gmtime_r(&seconds, &utc); /* fails for years beyond INT_MAX only: no int64_t of ms is one */
    return (struct str_view){ text, strftime(text, ISO_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc) };
}

static struct str_view iso_day(char text[ISO_SIZE], int64_t day)
{
    struct str_view time = iso_time(text, day * MS_PER_DAY);
    return (struct str_view){ time.data, time.length - strlen("T00:00:00Z") };
}

/* --- A command without what it says of other people --- */

/* Behind the string that begins at `at`. */
static size_t skip_string(struct str_view json, size_t at)
{
    for (at++; at < json.length && json.data[at] != '"'; at++)
        if (json.data[at] == '\\')
            at++;
    return at < json.length ? at + 1 : json.length;
}

/* Behind the value that begins at `at`: at the next comma or closing bracket of its level. */
static size_t skip_value(struct str_view json, size_t at)
{
    for (int depth = 0; at < json.length;) {
        char character = json.data[at];
        bool is_closing = character == '}' || character == ']';
        if (depth == 0 && (is_closing || character == ','))
            break;
        depth += (character == '{' || character == '[') - is_closing;
        at = character == '"' ? skip_string(json, at) : at + 1;
    }
    return at < json.length ? at : json.length;
}

/* Copies the object but for its member "resolved": the names and faces of those whose ids the
 * options name. Discord's JSON has been parsed before it was stored, so it is well made. */
static void copy_command(struct str_view json, struct buf *copy)
{
    static const struct str_view unwanted = STR("\"resolved\"");
    bool is_first = true;
    buf_append_char(copy, '{');
    size_t at = 0;
    while (at < json.length && json.data[at] != '"') /* to the first key */
        at++;
    while (at < json.length && json.data[at] == '"') {
        size_t end = skip_value(json, at);
        const struct str_view member = { json.data + at, end - at };
        if (!str_starts_with(member, unwanted)) {
            if (!is_first)
                buf_append_char(copy, ',');
            buf_append(copy, member);
            is_first = false;
        }
        for (at = end; at < json.length && json.data[at] != '"'; at++)
            ;
    }
    buf_append_char(copy, '}');
}

static void write_command(struct json_out *out, struct str_view json)
{
    CLEANUP(buf_free) struct buf copy = { 0 };
    copy_command(json, &copy);
    if (copy.has_failed)
        out->buf->has_failed = true;
    json_text(out, buf_view(&copy));
}

/* --- Rows --- */

static void write_time(struct json_out *out, const char *name, int64_t ms)
{
    char text[ISO_SIZE], key[ISO_SIZE * 2];
    size_t length = strnlen(name, ISO_SIZE);
    memcpy(key, name, length);
    memcpy(key + length, "_ms", sizeof("_ms"));
    json_text(out, iso_time(text, ms));
    json_key(out, key);
    json_int(out, ms);
}

/* A field that is NULL in the database is left out. */
static void write_field(struct json_out *out, const struct user_data_field *field,
                        const struct db_rows *rows, int row, int column)
{
    char text[ISO_SIZE];
    if (field->kind == USER_DATA_HIDDEN || db_rows_is_null(rows, row, column))
        return;
    json_key(out, field->name);
    switch (field->kind) {
    case USER_DATA_HIDDEN:
        break;
    case USER_DATA_INTEGER:
        json_int(out, db_rows_int(rows, row, column));
        break;
    case USER_DATA_TEXT:
        json_text(out, db_rows_text(rows, row, column));
        break;
    case USER_DATA_ID:
        json_id(out, db_rows_int(rows, row, column));
        break;
    case USER_DATA_TIME:
        write_time(out, field->name, db_rows_int(rows, row, column));
        break;
    case USER_DATA_DAY:
        json_text(out, iso_day(text, db_rows_int(rows, row, column)));
        break;
    case USER_DATA_COMMAND:
        write_command(out, db_rows_text(rows, row, column));
        break;
    }
}

/* False when the row does not fit: nothing of it is there then. */
static bool write_row(struct writing *writing, const struct user_data_export *export,
                      const struct db_rows *rows, int row)
{
    struct buf *buf = writing->out.buf;
    const struct json_out before = writing->out;
    size_t length = buf->length;
    json_object_begin(&writing->out);
    for (int i = 0; export->fields[i].name; i++)
        write_field(&writing->out, &export->fields[i], rows, row, i);
    json_object_end(&writing->out);
    if (buf->length <= writing->rows_max || buf->has_failed)
        return true;
    buf->length = length;
    buf->data[length] = '\0';
    writing->out = before;
    return false;
}

/* Where the first page begins: before everything, or with the interaction asked for. */
static struct db_statement first_page(const struct writing *writing,
                                      const struct user_data_table *table)
{
    const struct user_data_export *export = table->export;
    int64_t from = writing->request->from;
    struct db_statement page = {
        .sql = export->sql,
        .parameters = { table->is_fingerprinted ? erasure_value(&writing->fingerprint)
                                                : DB_INT(writing->request->user_id),
                        DB_INT(export->page_rows) },
        .parameter_count = 2 + export->key_columns,
    };
    for (int i = 0; i < export->key_columns; i++)
        page.parameters[2 + i] =
            export->fields[i].kind == USER_DATA_TEXT ? DB_TEXT(STR("")) : DB_INT(-1);
    if (from > 0)
        page.parameters[2] = DB_INT(from);
    return page;
}

/* Borrows the texts of `rows`. */
static void next_page(struct db_statement *page, const struct user_data_export *export,
                      const struct db_rows *rows)
{
    int last = db_rows_count(rows) - 1;
    for (int i = 0; i < export->key_columns; i++)
        page->parameters[2 + i] = export->fields[i].kind == USER_DATA_TEXT
                                      ? DB_TEXT(db_rows_text(rows, last, i))
                                      : DB_INT(db_rows_int(rows, last, i));
}

/* 1 when all rows were written, 0 when the document is full. */
static int write_page(struct writing *writing, const struct user_data_table *table,
                      const struct db_rows *rows)
{
    for (int row = 0; row < db_rows_count(rows); row++) {
        if (write_row(writing, table->export, rows, row))
            continue;
        /* Only when nothing else is missing would the rest of the ledger be all of the rest. */
        if (table->export->is_continuable && writing->result->is_whole)
            writing->result->next_from = db_rows_int(rows, row, 0);
        writing->result->is_whole = false;
        return 0;
    }
    return 1;
}

static int write_rows(struct writing *writing, const struct user_data_table *table, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct user_data_export *export = table->export;
    struct db_statement page = first_page(writing, table);
    for (;;) {
        struct db_rows *next = NULL;
        int result = db_query(writing->db, &page, &next, err);
        db_rows_free(rows); /* `page` borrowed the key from it */
        rows = next;
        if (result != 0)
            return err_wrap(err, "exporting %s", table->name);
        bool is_last = db_rows_count(rows) < export->page_rows || export->key_columns == 0;
        if (!write_page(writing, table, rows) || is_last)
            return 0;
        next_page(&page, export, rows);
    }
}

/* --- The document --- */

static int write_table(struct writing *writing, const struct user_data_table *table,
                       struct err *err)
{
    struct json_out *out = &writing->out;
    json_key(out, table->name);
    json_object_begin(out);
    json_key(out, "purpose");
    json_text(out, str_from(table->purpose));
    json_key(out, "kept");
    json_text(out, str_from(table->retention));
    json_key(out, "rows");
    json_array_begin(out);
    int result = write_rows(writing, table, err);
    json_array_end(out);
    json_object_end(out);
    return result;
}

static void write_head(struct writing *writing)
{
    struct json_out *out = &writing->out;
    const struct user_data_request *request = writing->request;
    json_key(out, "user_id");
    json_id(out, request->user_id);
    json_key(out, "made_at");
    write_time(out, "made_at", request->now_ms);
    if (request->from > 0) {
        json_key(out, "ledger_from");
        json_id(out, request->from);
    }
}

static void write_end(struct writing *writing)
{
    struct json_out *out = &writing->out;
    const struct user_data_result *result = writing->result;
    json_key(out, "is_whole");
    json_bool(out, result->is_whole);
    if (result->next_from > 0) {
        json_key(out, "continue_from");
        json_id(out, result->next_from);
    }
}

int user_data_export(const struct services *services, const struct user_data_request *request,
                     struct buf *json, struct user_data_result *result, struct err *err)
{
    *result = (struct user_data_result){ .is_whole = true };
    if (request->max_bytes <= TAIL_RESERVE)
        return err_set(err, ERR_LIMIT, "an export of %zu bytes", request->max_bytes);
    struct writing writing = { .db = services->db,
                               .request = request,
                               .result = result,
                               .out = { .buf = json },
                               .rows_max = json->length + request->max_bytes - TAIL_RESERVE };
    erasure_fingerprint(services->erasure_key, request->user_id, &writing.fingerprint);
    json_object_begin(&writing.out);
    write_head(&writing);
    json_key(&writing.out, "data");
    json_object_begin(&writing.out);
    for (const struct user_data_table *table = user_data_tables; table->name; table++) {
        if (!table->export || (request->from > 0 && !table->export->is_continuable))
            continue;
        int code = write_table(&writing, table, err);
        if (code != 0)
            return code;
    }
    json_object_end(&writing.out);
    write_end(&writing);
    json_object_end(&writing.out);
    return json->has_failed ? err_set(err, ERR_MEMORY, "an export") : 0;
}
