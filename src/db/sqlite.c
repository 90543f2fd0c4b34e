/* The SQLite engine: one writer thread (sqlite_writer.c), a pool of readers (sqlite_reader.c), one
 * locked file (sqlite_file.c). Statements that only read run on the caller's thread with a reader's
 * connection; everything else goes to the writer. Whoever has been told of a commit finds it: a
 * reader's transaction begins with its statement, after the commit. */
#include "db/sqlite.h"

#include "db/rules.h"
#include "db/sqlite_file.h"
#include "db/sqlite_reader.h"
#include "db/sqlite_statement.h"
#include "db/sqlite_writer.h"

#include <stdlib.h>

/* Far more than callers there are: each waits for its own batch. */
#define QUEUE_MAX 1024

struct sqlite_db {
    struct db db; /* first: the engine's functions get a pointer to it */
    const struct clock *clock;
    struct metrics *metrics;
    struct sqlite_file file;
    struct sqlite_writer *writer;
    struct sqlite_readers *readers;
};

static struct sqlite_db *of(struct db *db)
{
    return CONTAINER_OF(db, struct sqlite_db, db);
}

/* `*is_write` becomes true, and nothing has happened, when the statement belongs to the writer. */
static int read_rows(struct sqlite_db *self, const struct db_statement *statement,
                     struct db_rows **rows, bool *is_write, struct err *err)
{
    struct sqlite_connection *connection;
    int result = sqlite_readers_take(self->readers, &connection, err);
    if (result != 0)
        return result;
    struct sqlite_statement *prepared;
    result = sqlite_statement_find(connection, statement->sql, &prepared, err);
    *is_write = result == 0 && !prepared->is_readonly;
    if (result != 0)
        err->index = 0;
    else if (!*is_write)
        result = sqlite_statement_run(connection, statement, 0, rows, err);
    sqlite_readers_return(self->readers, connection, result);
    return result;
}

static int query(struct db *db, const struct db_statement *statement, struct db_rows **rows,
                 struct err *err)
{
    struct sqlite_db *self = of(db);
    if (rules_may_only_read(statement->sql)) {
        bool is_write = false;
        int64_t begin_us = clock_monotonic_us(self->clock);
        int result = read_rows(self, statement, rows, &is_write, err);
        if (!is_write) {
            metrics_observe_us(self->metrics, METRIC_DB_READ,
                               clock_monotonic_us(self->clock) - begin_us);
            return result;
        }
    }
    struct sqlite_work work = { .statements = statement, .count = 1, .results = rows };
    return sqlite_writer_run(self->writer, &work, err);
}

static int atomic(struct db *db, const struct db_statement *statements, int count,
                  struct db_rows **results, struct err *err)
{
    struct sqlite_work work = { .statements = statements, .count = count, .results = results };
    return sqlite_writer_run(of(db)->writer, &work, err);
}

static int run_script(struct db *db, const char *script, const struct db_statement *record,
                      struct err *err)
{
    struct sqlite_work work = { .script = script, .statements = record, .count = 1 };
    return sqlite_writer_run(of(db)->writer, &work, err);
}

/* The writer goes last: the last connection to be closed removes the WAL, and only the writer may
 * touch it. */
static void close_all(struct db *db)
{
    struct sqlite_db *self = of(db);
    sqlite_readers_free(self->readers);
    sqlite_writer_stop(self->writer);
    sqlite_file_release(&self->file);
    free(self);
}

static const struct db_engine sqlite_engine = {
    .query = query,
    .atomic = atomic,
    .run_script = run_script,
    .close = close_all,
    .name = "sqlite",
    .check_sql = "SELECT count(*) FROM sqlite_schema",
    .is_exclusive = true,
};

int sqlite_open(struct db **out, const struct db_settings *settings, struct str_view path,
                struct err *err)
{
    struct sqlite_db *self = calloc(1, sizeof(*self));
    if (!self)
        return err_set(err, ERR_MEMORY, "database");
    /* Counting every allocation under one lock is what threads of SQLite wait for most. Refused,
     * and no harm, when SQLite runs already. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    /* Old pages, for undoing a savepoint, would go to a temporary file after the first 64 KiB. A
     * batch is small, so memory holds them. */
    sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
    self->db.engine = &sqlite_engine;
    self->clock = settings->clock;
    self->metrics = settings->metrics;
    struct sqlite_writer_settings writer = {
        .path = self->file.path,
        .queue_max = QUEUE_MAX,
        .clock = settings->clock,
        .metrics = settings->metrics,
        .log = settings->log,
    };
    int result = sqlite_file_claim(&self->file, path, err);
    if (result == 0)
        result = sqlite_writer_start(&self->writer, &writer, err);
    if (result == 0)
        result = sqlite_readers_new(&self->readers, self->file.path, settings->pool_min,
                                    settings->pool_max, err);
    if (result != 0) {
        close_all(&self->db);
        return result;
    }
    *out = &self->db;
    return 0;
}
