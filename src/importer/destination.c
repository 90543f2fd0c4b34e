#include "importer/destination.h"

#include "db/postgres_error.h"

#include <string.h>

static const struct {
    const char *name; /* of the type a domain is based on */
    enum import_type type;
} types[] = {
    { "integer", IMPORT_INT4 },
    { "bigint", IMPORT_INT8 },
    { "text", IMPORT_TEXT },
    { "bytea", IMPORT_BYTES },
};

static const char sql_columns[] =
    "SELECT c.relname, a.attname, "
    "CASE WHEN t.typbasetype <> 0 THEN t.typbasetype ELSE t.oid END::regtype::text "
    "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = "
    "a.atttypid "
    "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') "
    "AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum";

/* A sequence that nothing was drawn from stays as it is. */
static const char sql_sequences[] =
    "SELECT format('SELECT setval(%L, max(%I)) FROM %I HAVING max(%I) IS NOT NULL', s.name, "
    "s.column_name, s.table_name, s.column_name) FROM (SELECT table_name, column_name, "
    "pg_get_serial_sequence(quote_ident(table_name), column_name) AS name "
    "FROM information_schema.columns WHERE table_schema = current_schema()) AS s "
    "WHERE s.name IS NOT NULL";

int import_destination_open(struct import_destination *destination,
                            const struct postgres_target *target, struct err *err)
{
    int result = postgres_connection_open(&destination->connection, target, err);
    return result == 0 ? postgres_load_begin(destination->connection, err) : result;
}

void import_destination_close(struct import_destination *destination)
{
    postgres_connection_close(destination->connection);
    destination->connection = NULL;
}

static int match_column(struct import_catalogue *catalogue, const PGresult *rows, int row,
                        struct err *err)
{
    const char *table_name = PQgetvalue(rows, row, 0), *column_name = PQgetvalue(rows, row, 1);
    struct import_table *table = import_catalogue_find(catalogue, str_from(table_name));
    if (!table)
        return err_set(err, ERR_CONFIG,
                       "the new database has table %s, which the old one does not have",
                       table_name);
    struct import_column *column = import_table_find(table, str_from(column_name));
    if (!column)
        return err_set(err, ERR_CONFIG,
                       "the new database has column %s.%s, which the old one does not have",
                       table_name, column_name);
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if (strcmp(types[i].name, PQgetvalue(rows, row, 2)) == 0)
            column->type = types[i].type;
    if (column->type == IMPORT_UNKNOWN)
        return err_set(err, ERR_INTERNAL, "column %s.%s: type %s can't be imported", table_name,
                       column_name, PQgetvalue(rows, row, 2));
    return 0;
}

int import_destination_match(struct import_destination *destination,
                             struct import_catalogue *catalogue, struct err *err)
{
    CLEANUP(cleanup_pgresult) PGresult *rows = NULL;
    int result = postgres_load_run(destination->connection, sql_columns, &rows, err);
    for (int row = 0; result == 0 && row < PQntuples(rows); row++)
        result = match_column(catalogue, rows, row, err);
    for (int i = 0; result == 0 && i < catalogue->count; i++) {
        const struct import_table *table = &catalogue->tables[i];
        for (int j = 0; result == 0 && j < table->column_count; j++)
            if (table->columns[j].type == IMPORT_UNKNOWN)
                result = err_set(err, ERR_CONFIG,
                                 "the old database has %s.%s, which the new one does not have",
                                 table->name, table->columns[j].name);
    }
    return result;
}

static int run(struct import_destination *destination, struct buf *sql, struct err *err)
{
    if (sql->has_failed)
        return err_set(err, ERR_MEMORY, "a statement for the new database");
    return postgres_load_run(destination->connection, sql->data, NULL, err);
}

int import_destination_lock(struct import_destination *destination,
                            const struct import_catalogue *catalogue, struct err *err)
{
    CLEANUP(buf_free) struct buf sql = { 0 };
    buf_append(&sql, STR("LOCK TABLE "));
    for (int i = 0; i < catalogue->count; i++)
        buf_append_format(&sql, "%s\"%s\"", i > 0 ? ", " : "", catalogue->tables[i].name);
    buf_append(&sql, STR(" IN SHARE ROW EXCLUSIVE MODE"));
    return run(destination, &sql, err);
}

int import_destination_clear(struct import_destination *destination,
                             const struct import_table *table, struct err *err)
{
    CLEANUP(buf_free) struct buf sql = { 0 };
    buf_append_format(&sql, "DELETE FROM \"%s\"", table->name);
    return run(destination, &sql, err);
}

static int send_piece(void *context, const void *bytes, size_t length, struct err *err)
{
    return postgres_load_put(context, bytes, length, err);
}

int import_destination_fill(struct import_destination *destination,
                            const struct import_table *table, struct import_source *source,
                            struct import_digest *digest, struct err *err)
{
    CLEANUP(buf_free) struct buf sql = { 0 };
    struct postgres_connection *connection = destination->connection;
    buf_append_format(&sql, "COPY \"%s\" (", table->name);
    import_table_columns(table, &sql);
    buf_append(&sql, STR(") FROM STDIN (FORMAT binary)"));
    if (sql.has_failed)
        return err_set(err, ERR_MEMORY, "a statement for the new database");
    int64_t rows = 0;
    int result = postgres_load_copy_in(connection, sql.data, err);
    if (result == 0)
        result = import_source_stream(source, table, send_piece, connection, digest, err);
    if (result == 0)
        result = postgres_load_end(connection, &rows, err);
    if (result == 0 && rows != digest->rows)
        result = err_set(err, ERR_INTERNAL, "the new database took %lld of %lld rows",
                         (long long)rows, (long long)digest->rows);
    return result;
}

static void digest_piece(void *context, const void *bytes, size_t length)
{
    crypto_generichash_update(context, bytes, length);
}

int import_destination_digest(struct import_destination *destination,
                              const struct import_table *table, int64_t limit,
                              struct import_digest *digest, struct err *err)
{
    CLEANUP(buf_free) struct buf sql = { 0 };
    crypto_generichash_state state;
    buf_append(&sql, STR("COPY ("));
    import_table_select(table, IMPORT_FROM_POSTGRES, limit, &sql);
    buf_append(&sql, STR(") TO STDOUT (FORMAT binary)"));
    if (sql.has_failed)
        return err_set(err, ERR_MEMORY, "a statement for the new database");
    int64_t rows = 0;
    import_digest_begin(&state);
    int result =
        postgres_load_copy_out(destination->connection, sql.data, digest_piece, &state, &rows, err);
    import_digest_end(&state, rows, digest);
    return result;
}

int import_destination_advance(struct import_destination *destination, struct err *err)
{
    CLEANUP(cleanup_pgresult) PGresult *statements = NULL;
    int result = postgres_load_run(destination->connection, sql_sequences, &statements, err);
    for (int row = 0; result == 0 && row < PQntuples(statements); row++)
        result =
            postgres_load_run(destination->connection, PQgetvalue(statements, row, 0), NULL, err);
    return result;
}

int import_destination_number(struct import_destination *destination, const char *sql,
                              int64_t *number, struct err *err)
{
    CLEANUP(cleanup_pgresult) PGresult *rows = NULL;
    int result = postgres_load_run(destination->connection, sql, &rows, err);
    if (result == 0 &&
        (PQntuples(rows) != 1 || str_to_int64(str_from(PQgetvalue(rows, 0, 0)), number) != 0))
        result = err_set(err, ERR_INTERNAL, "not a number: %s", sql);
    return result;
}

int import_destination_commit(struct import_destination *destination, struct err *err)
{
    return postgres_load_commit(destination->connection, err);
}
