/* Opening a database, bringing its schema up to date, and what an engine must offer.
 * What services use is bronx/db.h. */
#ifndef DB_ENGINE_H
#define DB_ENGINE_H

#include "bronx/clock.h"
#include "bronx/db.h"

#include "core/log_sink.h"
#include "core/metrics.h"
#include "db/write_health.h"

#include <pthread.h>

struct db_settings {
    const char *url;        /* sqlite:PATH, postgresql://... */
    int pool_min, pool_max; /* SQLite: readers, PostgreSQL: connections kept / at most */
    const struct clock *clock;
    struct metrics *metrics; /* may be NULL */
    struct log_sink *log;
};

/* Opens and, for SQLite, creates the file. ERR_CONFIG for a URL no engine takes, ERR_UNAVAILABLE
 * when the file or server can't be used or another process holds the file. */
int db_open(struct db **db, const struct db_settings *settings, struct err *err) MUST_CHECK;

/* From now on calls get ERR_STOPPED; returns when those that were under way have ended. */
void db_stop(struct db *db);

/* Stops (db_stop) and closes. No call may begin after this returned. NULL allowed. */
void db_close(struct db *db);

/* One cheap statement through a reader: 0 while the database answers. */
int db_check(struct db *db, struct err *err) MUST_CHECK;

/* False while it answers but takes no writes (its disk is full, it is a standby), as far as the
 * latest writes have shown. */
bool db_takes_writes(const struct db *db);

/* Runs a whole migration script and `record` (its row in schema_migration) as one transaction.
 * ERR_DUPLICATE when another process, which did the same, was faster. */
int db_run_script(struct db *db, const char *script, const struct db_statement *record,
                  struct err *err) MUST_CHECK;

/* Whether this process alone can have the database: then all others are known to be dead. */
bool db_is_exclusive(const struct db *db);

/* Whether transactions run beside each other and lock rows: then SELECT takes FOR UPDATE SKIP
 * LOCKED. Else writers come one after another, and the words are unknown. */
bool db_has_row_locks(const struct db *db);

/* --- Calls from process to process --- */

/* Somebody has called: `caller` is who said so. 0: perhaps, for listening has just begun or was
 * interrupted. On a thread of the database's; must not block. */
typedef void db_heard(void *context, int64_t caller);

/* Listens to `channel` (an SQL identifier; static storage) from soon on until db_unlisten; an
 * interruption is mended by itself. `*listener` stays NULL on an engine that no other process can
 * reach: nobody calls. ERR_MEMORY, ERR_IO. */
struct db_listener;
int db_listen(struct db *db, const char *channel, db_heard *heard, void *context,
              struct db_listener **listener, struct err *err) MUST_CHECK;

/* `heard` is not called any more. Before db_close, which frees the listener. NULL allowed. */
void db_unlisten(struct db_listener *listener);

/* Whether a call of now would be heard. False for NULL. */
bool db_is_listening(const struct db_listener *listener);

/* The statement that calls all who listen to `channel` (borrowed) once its transaction is
 * committed. A caller's number is positive; 0 is nobody's. False, and no statement, where nobody
 * listens. Not for what is done often: the server lets such transactions commit one after another.
 */
bool db_call(const struct db *db, const char *channel, int64_t caller,
             struct db_statement *statement);

/* The engine word in migration file names: "sqlite", "postgres". */
const char *db_engine_name(const struct db *db);

/* The functions of one engine. They are called with checked statements, a non-NULL `err` and result
 * places set to NULL; places must be NULL again after a failure. */
struct db_engine {
    int (*query)(struct db *db, const struct db_statement *statement, struct db_rows **rows,
                 struct err *err);
    int (*atomic)(struct db *db, const struct db_statement *statements, int count,
                  struct db_rows **results, struct err *err);
    int (*run_script)(struct db *db, const char *script, const struct db_statement *record,
                      struct err *err);
    /* As db_listen, and what db_call's statement is with $1, the channel, and $2, the caller; NULL:
     * there are no others. */
    int (*listen)(struct db *db, const char *channel, db_heard *heard, void *context,
                  struct db_listener **listener, struct err *err);
    const char *call_sql;
    void (*close)(struct db *db); /* no call is under way */
    const char *name;
    const char *check_sql; /* for db_check: cheap, but touches the data */
    bool is_exclusive;     /* no second process can have the same database */
    bool has_row_locks;
};

/* What every engine's database begins with. The engine sets `engine`; the rest is db.c's. */
struct db {
    const struct db_engine *engine;
    struct metrics *metrics;
    struct log_sink *log;
    struct write_health write_health;
    pthread_mutex_t lock; /* guards the following */
    pthread_cond_t is_quiet;
    int calls; /* under way */
    bool is_stopping;
};

#endif
