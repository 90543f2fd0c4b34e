/* The PostgreSQL engine: a pool of connections (postgres_pool.c), batches in pipeline mode
 * (postgres_batch.c), migrations (postgres_script.c), listeners (postgres_listener.c). Everything
 * but listening runs on the caller's thread with a connection taken for one batch.
 *
 * Isolation is READ COMMITTED: what must not happen is refused by constraints and conditional
 * updates, so a batch hardly ever meets a conflict; when it does (a deadlock, a serialisation
 * failure), nothing has happened and it is run again a few times. The same when its connection was
 * lost before COMMIT was sent, once. A commit of unknown outcome is never repeated here: only the
 * caller knows a key that makes repeating harmless.
 *
 * Through PgBouncer in transaction mode every batch still works, for it is one transaction; see
 * postgres_connection.c for what is given up. */
#include "db/postgres.h"

#include "db/postgres_batch.h"
#include "db/postgres_listener.h"
#include "db/postgres_pool.h"
#include "db/postgres_script.h"

#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#define CONFLICT_RUNS_MAX 5
#define CONFLICT_PAUSE_MS 10 /* doubles; full jitter */
#define ANEW_RUNS_MAX     2

struct postgres_db {
    struct db db; /* first: the engine's functions get a pointer to it */
    const struct clock *clock;
    struct metrics *metrics;
    struct log_sink *log;
    struct postgres_pool *pool;
    struct db_listener *listeners; /* guarded by db.lock */
};

static struct postgres_db *of(struct db *db)
{
    return CONTAINER_OF(db, struct postgres_db, db);
}

static int run_once(struct postgres_db *self, const struct postgres_work *work,
                    struct postgres_outcome *outcome, struct err *err)
{
    struct postgres_connection *connection;
    *outcome = (struct postgres_outcome){ .again = POSTGRES_FINAL };
    int result = postgres_pool_take(self->pool, &connection, err);
    if (result != 0)
        return result;
    result = postgres_batch_run(connection, work, outcome, err);
    postgres_pool_return(self->pool, connection);
    return result;
}

static void pause_before_run(int conflicts)
{
    uint32_t limit_us = (uint32_t)CONFLICT_PAUSE_MS * 1000 << conflicts;
    struct timespec pause = { .tv_nsec = (long)randombytes_uniform(limit_us) * 1000 };
    nanosleep(&pause, NULL);
}

static int run_until_final(struct postgres_db *self, const struct postgres_work *work,
                           struct postgres_outcome *outcome, struct err *err)
{
    int conflicts = 0, fresh_starts = 0;
    for (;;) {
        int result = run_once(self, work, outcome, err);
        if (outcome->again == POSTGRES_CONFLICT && ++conflicts < CONFLICT_RUNS_MAX) {
            metrics_add_by(self->metrics, METRIC_DB_RETRIES, 0, 1);
            pause_before_run(conflicts);
        } else if (outcome->again == POSTGRES_ANEW && ++fresh_starts < ANEW_RUNS_MAX) {
            metrics_add_by(self->metrics, METRIC_DB_RETRIES, 1, 1);
        } else {
            return result;
        }
    }
}

static int run(struct postgres_db *self, const struct postgres_work *work, struct err *err)
{
    struct postgres_outcome outcome;
    int64_t begin_us = clock_monotonic_us(self->clock);
    int result = run_until_final(self, work, &outcome, err);
    int64_t took_us = clock_monotonic_us(self->clock) - begin_us;
    if (outcome.has_committed) {
        metrics_observe_us(self->metrics, METRIC_DB_COMMIT, took_us);
        metrics_add(self->metrics, METRIC_DB_COMMITS, 1);
        metrics_add(self->metrics, METRIC_DB_BATCHES, 1);
    } else if (result == 0) {
        metrics_observe_us(self->metrics, METRIC_DB_READ, took_us);
    } else if (result == ERR_UNKNOWN) {
        metrics_add(self->metrics, METRIC_DB_UNKNOWN, 1);
    }
    return result;
}

static int query(struct db *db, const struct db_statement *statement, struct db_rows **rows,
                 struct err *err)
{
    struct postgres_work work = { .statements = statement, .count = 1, .results = rows };
    return run(of(db), &work, err);
}

static int atomic(struct db *db, const struct db_statement *statements, int count,
                  struct db_rows **results, struct err *err)
{
    struct postgres_work work = { .statements = statements, .count = count, .results = results };
    return run(of(db), &work, err);
}

static int run_script(struct db *db, const char *script, const struct db_statement *record,
                      struct err *err)
{
    struct postgres_db *self = of(db);
    struct postgres_connection *connection;
    int result = postgres_pool_take(self->pool, &connection, err);
    if (result != 0)
        return result;
    result = postgres_script_run(connection, script, record, err);
    postgres_pool_return(self->pool, connection);
    return result;
}

static int listen_to(struct db *db, const char *channel, db_heard *heard, void *context,
                     struct db_listener **listener, struct err *err)
{
    struct postgres_db *self = of(db);
    const struct postgres_listener_settings settings = {
        .target = postgres_pool_target(self->pool),
        .channel = channel,
        .heard = heard,
        .context = context,
        .metrics = self->metrics,
        .log = self->log,
    };
    pthread_mutex_lock(&db->lock);
    int result = postgres_listener_new(&self->listeners, &settings, err);
    if (result == 0)
        *listener = self->listeners;
    pthread_mutex_unlock(&db->lock);
    return result;
}

static void close_all(struct db *db)
{
    struct postgres_db *self = of(db);
    postgres_listener_free_all(self->listeners);
    postgres_pool_free(self->pool);
    free(self);
}

static const struct db_engine postgres_engine = {
    .query = query,
    .atomic = atomic,
    .run_script = run_script,
    .listen = listen_to,
    /* A row of a type that is read as any other, unlike what pg_notify returns. */
    .call_sql = "SELECT COUNT(*) FROM pg_notify($1, CAST($2 AS TEXT))",
    .close = close_all,
    .name = "postgres",
    .check_sql = "SELECT 1",
    .has_row_locks = true,
};

int postgres_open(struct db **out, const struct db_settings *settings, struct str_view rest,
                  struct err *err)
{
    (void)rest;
    struct postgres_db *self = calloc(1, sizeof(*self));
    if (!self)
        return err_set(err, ERR_MEMORY, "database");
    self->db.engine = &postgres_engine;
    self->clock = settings->clock;
    self->metrics = settings->metrics;
    self->log = settings->log;
    const struct postgres_pool_settings pool = {
        .url = settings->url,
        .pool_min = settings->pool_min,
        .pool_max = settings->pool_max,
        .metrics = settings->metrics,
        .log = settings->log,
    };
    int result = postgres_pool_new(&self->pool, &pool, err);
    if (result != 0) {
        close_all(&self->db);
        return result;
    }
    *out = &self->db;
    return 0;
}
