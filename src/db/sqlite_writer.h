/* The one thread that writes. */
#ifndef DB_SQLITE_WRITER_H
#define DB_SQLITE_WRITER_H

#include "bronx/clock.h"
#include "bronx/db.h"

#include "core/log_sink.h"
#include "core/metrics.h"

struct sqlite_writer;

struct sqlite_writer_settings {
    const char *path; /* borrowed for the writer's life */
    int queue_max;    /* batches waiting; more get ERR_BUSY */
    const struct clock *clock;
    struct metrics *metrics; /* may be NULL */
    struct log_sink *log;
};

/* What is committed as a whole or not at all. */
struct sqlite_work {
    const char *script; /* NULL, or a migration, run before the statements */
    const struct db_statement *statements;
    int count;
    struct db_rows **results; /* NULL, or `count` places */
};

/* Opens the writer's connection, which creates the WAL, and starts the thread. */
int sqlite_writer_start(struct sqlite_writer **writer,
                        const struct sqlite_writer_settings *settings, struct err *err) MUST_CHECK;

/* Returns when `work` is on disk or has failed. `err` is not NULL. */
int sqlite_writer_run(struct sqlite_writer *writer, const struct sqlite_work *work,
                      struct err *err) MUST_CHECK;

/* Writes what waits, brings the WAL into the file and closes. Later calls of sqlite_writer_run that
 * came before the end get ERR_STOPPED. NULL allowed. */
void sqlite_writer_stop(struct sqlite_writer *writer);

#endif
