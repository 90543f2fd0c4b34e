/* The front of every engine: finds the engine for a URL, checks what does not depend on one, and
 * counts the calls under way, so that an engine is closed only when nobody is inside it. */
#include "db/engine.h"

#include "db/postgres.h"
#include "db/postgres_listener.h"
#include "db/rows.h"
#include "db/rules.h"
#include "db/sqlite.h"

/* The pool waits for the server before each, so more would be no use within an interaction. */
#define SETTLE_RUNS_MAX 4

struct scheme {
    struct str_view prefix;
    int (*open)(struct db **db, const struct db_settings *settings, struct str_view rest,
                struct err *err);
};

static const struct scheme schemes[] = {
    { { "sqlite:", 7 }, sqlite_open },
    { { "postgresql://", 13 }, postgres_open },
    { { "postgres://", 11 }, postgres_open },
};

/* Lines of this function never show the URL: it may hold a password. */
int db_open(struct db **out, const struct db_settings *settings, struct err *err)
{
    *out = NULL;
    struct str_view url = str_from(settings->url);
    const struct scheme *scheme = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(schemes) && !scheme; i++)
        if (str_starts_with(url, schemes[i].prefix))
            scheme = &schemes[i];
    if (!scheme)
        return err_set(err, ERR_CONFIG,
                       "DATABASE_URL: unknown scheme; accepted is sqlite:PATH or "
                       "postgresql://...");
    if (settings->pool_min < 0 || settings->pool_max < 1 || settings->pool_min > settings->pool_max)
        return err_set(err, ERR_CONFIG,
                       "DB_POOL_MIN=%d, DB_POOL_MAX=%d: accepted is 0 <= min <= "
                       "max, max >= 1",
                       settings->pool_min, settings->pool_max);
    struct db *db;
    struct str_view rest = { url.data + scheme->prefix.length, url.length - scheme->prefix.length };
    struct err unread;
    int result = scheme->open(&db, settings, rest, err ? err : &unread);
    if (result == ERR_CONFIG)
        err_wrap(err, "DATABASE_URL");
    if (result != 0)
        return result;
    db->metrics = settings->metrics;
    db->log = settings->log;
    write_health_init(&db->write_health);
    pthread_mutex_init(&db->lock, NULL);
    pthread_cond_init(&db->is_quiet, NULL);
    *out = db;
    return 0;
}

void db_stop(struct db *db)
{
    pthread_mutex_lock(&db->lock);
    db->is_stopping = true;
    while (db->calls > 0)
        pthread_cond_wait(&db->is_quiet, &db->lock);
    pthread_mutex_unlock(&db->lock);
}

void db_close(struct db *db)
{
    if (!db)
        return;
    db_stop(db);
    pthread_mutex_destroy(&db->lock);
    pthread_cond_destroy(&db->is_quiet);
    write_health_fini(&db->write_health);
    db->engine->close(db);
}

static int enter(struct db *db, struct err *err)
{
    pthread_mutex_lock(&db->lock);
    bool is_stopping = db->is_stopping;
    if (!is_stopping)
        db->calls++;
    pthread_mutex_unlock(&db->lock);
    return is_stopping ? err_set(err, ERR_STOPPED, "the database is closing") : 0;
}

/* Nothing of `db` may be touched afterwards: it may be gone. */
static int leave(struct db *db, int result, bool is_write, const struct err *err)
{
    if (is_write)
        write_health_note(&db->write_health, result, err, db->log);
    bool is_failure =
        result != 0 && result != ERR_DUPLICATE && result != ERR_CHECK && result != ERR_EXPECTATION;
    if (is_failure)
        metrics_add(db->metrics, METRIC_DB_FAILURES, 1);
    pthread_mutex_lock(&db->lock);
    db->calls--;
    /* Several may wait: db_stop may be called before db_close. */
    if (db->calls == 0 && db->is_stopping)
        pthread_cond_broadcast(&db->is_quiet);
    pthread_mutex_unlock(&db->lock);
    return result;
}

int db_query(struct db *db, const struct db_statement *statement, struct db_rows **rows,
             struct err *err)
{
    struct err unread;
    if (!err)
        err = &unread;
    if (rows)
        *rows = NULL;
    int result = rules_check_statement(statement, 0, err);
    if (result == 0)
        result = enter(db, err);
    if (result != 0)
        return result;
    return leave(db, db->engine->query(db, statement, rows, err),
                 !rules_may_only_read(statement->sql), err);
}

int db_atomic(struct db *db, const struct db_statement *statements, int count,
              struct db_rows **results, struct err *err)
{
    struct err unread;
    if (!err)
        err = &unread;
    if (count < 1 || count > DB_MAX_STATEMENTS)
        return err_set(err, ERR_INTERNAL, "%d statements; 1 to %d", count, DB_MAX_STATEMENTS);
    for (int i = 0; results && i < count; i++)
        results[i] = NULL;
    int result = 0;
    for (int i = 0; i < count && result == 0; i++)
        result = rules_check_statement(&statements[i], i, err);
    if (result == 0)
        result = enter(db, err);
    if (result != 0)
        return result;
    return leave(db, db->engine->atomic(db, statements, count, results, err), true, err);
}

/* The statements were judged, so an earlier run is over and was judged as well. */
static bool is_decided(int code)
{
    return code == 0 || code == ERR_DUPLICATE || code == ERR_CHECK || code == ERR_EXPECTATION;
}

int db_settle(struct db *db, const struct db_statement *statements, int count, bool *was_unknown,
              struct err *err)
{
    bool is_in_doubt = false;
    int result = ERR_UNKNOWN;
    for (int run = 0; run < SETTLE_RUNS_MAX && result == ERR_UNKNOWN; run++) {
        result = db_atomic(db, statements, count, NULL, err);
        is_in_doubt |= result == ERR_UNKNOWN;
        if (is_in_doubt && result != ERR_UNKNOWN && !is_decided(result)) {
            result = err_set(err, ERR_UNKNOWN, "a commit of unknown outcome can't be settled now");
            break;
        }
    }
    if (was_unknown)
        *was_unknown = is_in_doubt;
    return result;
}

int db_run_script(struct db *db, const char *script, const struct db_statement *record,
                  struct err *err)
{
    struct err unread;
    if (!err)
        err = &unread;
    int result = rules_check_statement(record, 0, err);
    if (result == 0)
        result = enter(db, err);
    if (result != 0)
        return result;
    return leave(db, db->engine->run_script(db, script, record, err), true, err);
}

int db_check(struct db *db, struct err *err)
{
    struct db_statement statement = { .sql = db->engine->check_sql, .expect = DB_ONE_ROW };
    return db_query(db, &statement, NULL, err);
}

int db_listen(struct db *db, const char *channel, db_heard *heard, void *context,
              struct db_listener **listener, struct err *err)
{
    *listener = NULL;
    return db->engine->listen ? db->engine->listen(db, channel, heard, context, listener, err) : 0;
}

/* Only one engine has listeners. */
void db_unlisten(struct db_listener *listener)
{
    if (listener)
        postgres_listener_stop(listener);
}

bool db_is_listening(const struct db_listener *listener)
{
    return listener && postgres_listener_is_hearing(listener);
}

bool db_call(const struct db *db, const char *channel, int64_t caller,
             struct db_statement *statement)
{
    if (!db->engine->call_sql)
        return false;
    *statement = (struct db_statement){
        .sql = db->engine->call_sql,
        .parameters = { DB_TEXT(str_from(channel)), DB_INT(caller) },
        .parameter_count = 2,
    };
    return true;
}

bool db_takes_writes(const struct db *db)
{
    return write_health_is_good(&db->write_health);
}

bool db_is_exclusive(const struct db *db)
{
    return db->engine->is_exclusive;
}

bool db_has_row_locks(const struct db *db)
{
    return db->engine->has_row_locks;
}

const char *db_engine_name(const struct db *db)
{
    return db->engine->name;
}
