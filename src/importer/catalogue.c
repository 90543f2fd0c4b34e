/* Names come from a file that anybody may have made: those that would need quoting are refused, so
 * that no text of a query can be another one. */
#include "importer/catalogue.h"

#include "db/sqlite_statement.h"

#include "bronx/cleanup.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TABLES                                                                                     \
    "(SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' "         \
    "ESCAPE '\\') AS t"

static const char sql_columns[] = "SELECT t.name, c.name, c.pk FROM " TABLES
                                  ", pragma_table_info(t.name) AS c ORDER BY t.name, c.cid";

static const char sql_references[] =
    "SELECT DISTINCT t.name, r.\"table\" FROM " TABLES ", pragma_foreign_key_list(t.name) AS r "
    "WHERE r.\"table\" <> t.name";

/* What is about the database or the processes on it, and would be wrong about the new one. */
static const struct {
    const char *table, *reason;
} left_behind[] = {
    { "schema_migration", "the new database has its own" },
    { "instance", "processes of the old database" },
    { "duty", "held by processes of the old database" },
};

static int copy_name(char place[IMPORT_NAME_SIZE], struct str_view name, struct err *err)
{
    static const char accepted[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    char text[IMPORT_NAME_SIZE];
    if (name.length == 0 || name.length >= sizeof(text))
        return err_set(err, ERR_CONFIG, "the source has a table or column with a name too long");
    memcpy(text, name.data, name.length);
    text[name.length] = '\0';
    if (strspn(text, accepted) != name.length)
        return err_set(err, ERR_CONFIG, "the source has a table or column that is none of ours: %s",
                       text);
    memcpy(place, text, name.length + 1);
    return 0;
}

struct import_table *import_catalogue_find(struct import_catalogue *catalogue, struct str_view name)
{
    for (int i = 0; i < catalogue->count; i++)
        if (str_equal(str_from(catalogue->tables[i].name), name))
            return &catalogue->tables[i];
    return NULL;
}

struct import_column *import_table_find(struct import_table *table, struct str_view name)
{
    for (int i = 0; i < table->column_count; i++)
        if (str_equal(str_from(table->columns[i].name), name))
            return &table->columns[i];
    return NULL;
}

/* The table's place, a free one at first; NULL when there is none left. */
static struct import_table *place_of(struct import_catalogue *catalogue, struct str_view name)
{
    struct import_table *table = import_catalogue_find(catalogue, name);
    if (table || catalogue->count == IMPORT_TABLES_MAX)
        return table;
    table = &catalogue->tables[catalogue->count++];
    for (size_t i = 0; i < ARRAY_LENGTH(left_behind); i++)
        if (str_equal(name, str_from(left_behind[i].table)))
            table->left_because = left_behind[i].reason;
    return table;
}

static int add_column(struct import_catalogue *catalogue, const struct db_rows *rows, int row,
                      struct err *err)
{
    struct str_view name = db_rows_text(rows, row, 0);
    struct import_table *table = place_of(catalogue, name);
    if (!table)
        return err_set(err, ERR_LIMIT, "the source has more than %d tables", IMPORT_TABLES_MAX);
    int result = copy_name(table->name, name, err);
    if (result != 0)
        return result;
    if (table->column_count == IMPORT_COLUMNS_MAX)
        return err_set(err, ERR_LIMIT, "table %s has more than %d columns", table->name,
                       IMPORT_COLUMNS_MAX);
    struct import_column *column = &table->columns[table->column_count++];
    column->key = (int)db_rows_int(rows, row, 2);
    return copy_name(column->name, db_rows_text(rows, row, 1), err);
}

static int read_tables(struct import_catalogue *catalogue, struct sqlite_connection *source,
                       struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = { .sql = sql_columns };
    int result = sqlite_statement_run(source, &statement, 0, &rows, err);
    for (int row = 0; row < db_rows_count(rows) && result == 0; row++)
        result = add_column(catalogue, rows, row, err);
    return result;
}

/* Whether `table` refers to one that `placed` does not have yet. */
static bool must_wait(const struct import_table *table, struct import_catalogue *placed,
                      const struct db_rows *references)
{
    for (int row = 0; row < db_rows_count(references); row++)
        if (str_equal(db_rows_text(references, row, 0), str_from(table->name)) &&
            !import_catalogue_find(placed, db_rows_text(references, row, 1)))
            return true;
    return false;
}

static int put_in_order(const struct import_catalogue *found, struct import_catalogue *placed,
                        const struct db_rows *references, struct err *err)
{
    while (placed->count < found->count) {
        int before = placed->count;
        for (int i = 0; i < found->count; i++) {
            const struct import_table *table = &found->tables[i];
            if (!import_catalogue_find(placed, str_from(table->name)) &&
                !must_wait(table, placed, references))
                placed->tables[placed->count++] = *table;
        }
        if (placed->count == before)
            return err_set(err, ERR_CONFIG, "the source's tables refer to each other in a circle");
    }
    return 0;
}

static int read_in_order(struct import_catalogue *found, struct import_catalogue *placed,
                         struct sqlite_connection *source, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *references = NULL;
    const struct db_statement statement = { .sql = sql_references };
    int result = read_tables(found, source, err);
    if (result == 0)
        result = sqlite_statement_run(source, &statement, 0, &references, err);
    return result == 0 ? put_in_order(found, placed, references, err) : result;
}

int import_catalogue_read(struct import_catalogue *catalogue, struct sqlite_connection *source,
                          struct err *err)
{
    struct import_catalogue *found = calloc(1, sizeof(*found));
    if (!found)
        return err_set(err, ERR_MEMORY, "the list of tables");
    catalogue->count = 0;
    int result = read_in_order(found, catalogue, source, err);
    free(found);
    return result;
}

void import_table_columns(const struct import_table *table, struct buf *sql)
{
    for (int i = 0; i < table->column_count; i++)
        buf_append_format(sql, "%s\"%s\"", i > 0 ? ", " : "", table->columns[i].name);
}

static int key_length(const struct import_table *table)
{
    int length = 0;
    for (int i = 0; i < table->column_count; i++)
        length += table->columns[i].key > 0;
    return length;
}

/* SQLite compares texts byte by byte, PostgreSQL as its locale says unless told otherwise. */
static void append_order(const struct import_column *column, enum import_dialect dialect,
                         bool is_first, struct buf *sql)
{
    bool needs_collation = dialect == IMPORT_FROM_POSTGRES && column->type == IMPORT_TEXT;
    buf_append_format(sql, "%s\"%s\"%s", is_first ? "" : ", ", column->name,
                      needs_collation ? " COLLATE \"C\"" : "");
}

void import_table_select(const struct import_table *table, enum import_dialect dialect,
                         int64_t limit, struct buf *sql)
{
    int keys = key_length(table);
    buf_append(sql, STR("SELECT "));
    import_table_columns(table, sql);
    buf_append_format(sql, " FROM \"%s\" ORDER BY ", table->name);
    for (int key = 1; key <= keys; key++)
        for (int i = 0; i < table->column_count; i++)
            if (table->columns[i].key == key)
                append_order(&table->columns[i], dialect, key == 1, sql);
    /* Without a key: by everything, and the engines do not agree where NULLs go. */
    for (int i = 0; keys == 0 && i < table->column_count; i++) {
        append_order(&table->columns[i], dialect, i == 0, sql);
        buf_append(sql, STR(" NULLS FIRST"));
    }
    if (limit > 0)
        buf_append_format(sql, " LIMIT %" PRId64, limit);
}
