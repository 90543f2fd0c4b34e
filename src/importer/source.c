#include "importer/source.h"

#include "db/migrate.h"
#include "db/sqlite_statement.h"

#include <string.h>

static const char engine_name[] = "sqlite";

static int check_version(struct import_source *source, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct migration_result result = { 0 };
    int64_t tables = 0;
    int status = import_source_number(
        source, "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'schema_migration'", &tables, err);
    if (status == 0 && tables == 0)
        status =
            err_set(err, ERR_CONFIG, "%s is not a database of this program", source->file.path);
    const struct db_statement statement = { .sql = db_migrations_applied_sql };
    if (status == 0)
        status = sqlite_statement_run(&source->connection, &statement, 0, &rows, err);
    if (status == 0)
        status = db_migrations_compare(built_in_migrations, engine_name, rows, &result, err);
    if (status == 0 && result.applied_count > 0)
        status = err_set(err, ERR_CONFIG,
                         "its schema is at version %d of %d: run "
                         "`DATABASE_URL=sqlite:%s bronxbot migrate` first",
                         result.version_before, result.version_after, source->file.path);
    return status;
}

/* The authorizer lets nobody else open a transaction on a reader. */
static int begin(struct sqlite_connection *connection, struct err *err)
{
    connection->is_control = true;
    int status = sqlite3_exec(connection->handle, "BEGIN", NULL, NULL, NULL);
    connection->is_control = false;
    return status == SQLITE_OK ? 0 : sqlite_connection_fail(connection, err);
}

int import_source_open(struct import_source *source, struct str_view path, struct err *err)
{
    *source = (struct import_source){ .file.lock_fd = -1 };
    int result = sqlite_file_claim_existing(&source->file, path, err);
    if (result == 0)
        result =
            sqlite_connection_open(&source->connection, source->file.path, SQLITE_ROLE_READER, err);
    if (result == 0)
        result = begin(&source->connection, err);
    return result == 0 ? check_version(source, err) : result;
}

int import_source_open_new(struct import_source *source, struct err *err)
{
    *source = (struct import_source){ .file.lock_fd = -1 };
    struct sqlite_connection *connection = &source->connection;
    int status = sqlite3_open_v2(":memory:", &connection->handle,
                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    int result = status == SQLITE_OK ? 0 : sqlite_connection_fail(connection, err);
    for (const struct migration *migration = built_in_migrations;
         migration->version != 0 && result == 0; migration++)
        if (!migration->engine || strcmp(migration->engine, engine_name) == 0)
            result = sqlite_script_run(connection, migration->sql, err);
    return result;
}

void import_source_close(struct import_source *source)
{
    sqlite_connection_close(&source->connection);
    sqlite_file_release(&source->file);
}

static int stream_rows(struct sqlite_connection *connection, const struct import_table *table,
                       sqlite3_stmt *statement, struct import_stream *stream, struct err *err)
{
    int status;
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        int result = import_stream_row(stream, table, statement, err);
        if (result != 0)
            return result;
    }
    return status == SQLITE_DONE ? 0 : sqlite_connection_fail(connection, err);
}

static void finalize(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
}

int import_source_stream(struct import_source *source, const struct import_table *table,
                         import_stream_send *send, void *context, struct import_digest *digest,
                         struct err *err)
{
    CLEANUP(buf_free) struct buf sql = { 0 };
    CLEANUP(finalize) sqlite3_stmt *statement = NULL;
    struct sqlite_connection *connection = &source->connection;
    struct import_stream stream;
    import_table_select(table, IMPORT_FROM_SQLITE, 0, &sql);
    if (sql.has_failed)
        return err_set(err, ERR_MEMORY, "reading a table");
    if (sqlite3_prepare_v2(connection->handle, sql.data, -1, &statement, NULL) != SQLITE_OK)
        return sqlite_connection_fail(connection, err);
    int result = import_stream_begin(&stream, send, context, err);
    if (result == 0)
        result = stream_rows(connection, table, statement, &stream, err);
    return result == 0 ? import_stream_end(&stream, digest, err) : result;
}

int import_source_number(struct import_source *source, const char *sql, int64_t *number,
                         struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = { .sql = sql, .expect = DB_ONE_ROW };
    int result = sqlite_statement_run(&source->connection, &statement, 0, &rows, err);
    if (result == 0)
        *number = db_rows_int(rows, 0, 0);
    return result;
}
