/* Opening a database, bringing its schema up to date, and what an engine must offer.
 * What services use is bronx/db.h. */
#ifndef DB_ENGINE_H
#define DB_ENGINE_H

#include "bronx/clock.h"
#include "bronx/db.h"

#include "core/log_sink.h"
#include "core/metrics.h"

struct db_settings {
    const char *url;        /* sqlite:PATH */
    int pool_min, pool_max; /* readers kept / at most */
    const struct clock *clock;
    struct metrics *metrics; /* may be NULL */
    struct log_sink *log;
};

/* Opens and, for SQLite, creates the file. ERR_CONFIG for a URL no engine takes, ERR_UNAVAILABLE
 * when the file or server can't be used or another process holds the file. */
int db_open(struct db **db, const struct db_settings *settings, struct err *err) MUST_CHECK;

/* Finishes what was submitted, then closes. NULL allowed. */
void db_close(struct db *db);

/* One cheap statement through a reader: 0 while the database answers. */
int db_check(struct db *db, struct err *err) MUST_CHECK;

/* The functions of one engine; `struct db` of an engine begins with a pointer to this. */
struct db_engine {
    int (*query)(struct db *db, const struct db_statement *statement, struct db_rows **rows,
                 struct err *err);
    int (*atomic)(struct db *db, const struct db_statement *statements, int count,
                  struct db_rows **results, struct err *err);
    /* Runs a whole migration script and `record` (its row in schema_migration) as one transaction.
     */
    int (*run_script)(struct db *db, const char *script, const struct db_statement *record,
                      struct err *err);
    void (*close)(struct db *db);
    const char *name; /* "sqlite", "postgres": the engine word in migration file names */
};

#endif
