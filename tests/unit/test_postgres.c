/* What the PostgreSQL engine promises beside what both do: its pool, a server that goes away in
 * several ways, conflicts, and values only PostgreSQL has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/migrate.h"
#include "db_fixture.h"

#include <libpq-fe.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOW_MS    INT64_C(1790000000000)
#define DEADLOCKS 10

static void start(pthread_t *thread, void *(*function)(void *argument), void *argument)
{
    if (pthread_create(thread, NULL, function, argument) != 0)
        abort();
}

/* A connection of a stranger's, to the same schema. */
static PGconn *stranger(struct db_fixture *fixture)
{
    PGconn *connection = PQconnectdb(fixture->database.url);
    assert_int_equal(PQstatus(connection), CONNECTION_OK);
    return connection;
}

static void stranger_runs(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    assert_true(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK);
    PQclear(result);
}

/* Closes and opens with other settings; `options` are added to the URL. */
static void reopen_with(struct db_fixture *fixture, const char *options, int pool_min, int pool_max)
{
    static char url[2 * TEST_DATABASE_MAX];
    snprintf(url, sizeof(url), "%s%s", fixture->database.url, options);
    fixture->settings.url = url;
    fixture->settings.pool_min = pool_min;
    fixture->settings.pool_max = pool_max;
    assert_int_equal(db_fixture_reopen(fixture, NULL), 0);
}

static int64_t number(struct db_fixture *fixture, const char *sql)
{
    return db_fixture_number(fixture->db, sql);
}

static int run(struct db_fixture *fixture, const char *sql)
{
    return db_fixture_run(fixture->db, sql);
}

/* --- Values --- */

static void whole_numbers_are_read_whatever_their_type(void **state)
{
    struct db_fixture *fixture = *state;
    static const struct {
        const char *sql;
        int64_t value;
    } cases[] = {
        { "SELECT CAST(-2 AS SMALLINT)", -2 },
        { "SELECT CAST(-70000 AS INTEGER)", -70000 },
        { "SELECT 1 = 1", 1 },
        { "SELECT 1 = 2", 0 },
        { "SELECT CAST(0 AS NUMERIC)", 0 },
        { "SELECT CAST(10000 AS NUMERIC)", 10000 },
        { "SELECT CAST(1.000 AS NUMERIC)", 1 },
        { "SELECT sum(CAST(n AS BIGINT)) FROM generate_series(1, 100000) n", 5000050000 },
        { "SELECT CAST(9223372036854775807 AS NUMERIC)", INT64_MAX },
        { "SELECT CAST(-9223372036854775808 AS NUMERIC)", INT64_MIN },
        { "SELECT CAST(4294967295 AS OID)", 4294967295 },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_true(number(fixture, cases[i].sql) == cases[i].value);
}

static void what_is_no_whole_number_or_text_is_refused(void **state)
{
    struct db_fixture *fixture = *state;
    static const char *const texts[] = {
        "SELECT CAST(0.5 AS NUMERIC)",          "SELECT CAST(9223372036854775808 AS NUMERIC)",
        "SELECT CAST('NaN' AS NUMERIC)",        "SELECT CAST('Infinity' AS NUMERIC)",
        "SELECT CAST(0.5 AS DOUBLE PRECISION)", "SELECT now()",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct db_statement statement = { .sql = texts[i] };
        struct db_rows *rows;
        assert_int_equal(db_query(fixture->db, &statement, &rows, NULL), ERR_INTERNAL);
        assert_null(rows);
        assert_int_equal(number(fixture, "SELECT 1"), 1);
    }
}

static void one_text_serves_every_mixture_of_nulls(void **state)
{
    struct db_fixture *fixture = *state;
    assert_int_equal(run(fixture, "CREATE TABLE t (a BIGINT, b TEXT, c BYTEA)"), 0);
    for (int mixture = 0; mixture < 16; mixture++) {
        struct db_statement statement = {
            .sql = "INSERT INTO t (a, b, c) VALUES ($1, $2, $3)",
            .parameters = { mixture & 1 ? DB_INT(mixture) : DB_NULL,
                            mixture & 2 ? DB_TEXT(STR("x")) : DB_NULL,
                            mixture & 4 ? DB_BLOB(STR("\0")) : DB_NULL },
            .parameter_count = 3,
            .expect = mixture & 8 ? DB_ONE_ROW : DB_ANY_ROWS,
        };
        assert_int_equal(db_query(fixture->db, &statement, NULL, NULL), 0);
    }
    assert_int_equal(number(fixture, "SELECT count(*) FROM t WHERE a IS NOT NULL"), 8);
    assert_int_equal(number(fixture, "SELECT count(*) FROM t WHERE b = 'x'"), 8);
    assert_int_equal(number(fixture, "SELECT count(*) FROM t WHERE length(c) = 1"), 8);
}

/* --- Time-outs and conflicts --- */

static void a_lock_is_waited_for_no_longer_than_told(void **state)
{
    struct db_fixture *fixture = *state;
    assert_int_equal(run(fixture, "CREATE TABLE t (id BIGINT PRIMARY KEY)"), 0);
    assert_int_equal(run(fixture, "INSERT INTO t VALUES (1)"), 0);
    reopen_with(fixture, "%20-clock_timeout%3D100", 1, 4);
    PGconn *holder = stranger(fixture);
    stranger_runs(holder, "BEGIN");
    stranger_runs(holder, "UPDATE t SET id = id");
    assert_int_equal(run(fixture, "UPDATE t SET id = id"), ERR_BUSY);
    stranger_runs(holder, "ROLLBACK");
    assert_int_equal(run(fixture, "UPDATE t SET id = id"), 0);
    PQfinish(holder);
}

static void a_slow_statement_is_cancelled(void **state)
{
    struct db_fixture *fixture = *state;
    reopen_with(fixture, "%20-cstatement_timeout%3D100", 1, 4);
    assert_int_equal(run(fixture, "SELECT pg_sleep(30)"), ERR_BUSY);
    assert_int_equal(number(fixture, "SELECT 1"), 1);
}

static void our_limits_hold_unless_the_url_says_otherwise(void **state)
{
    struct db_fixture *fixture = *state;
    static const char query[] =
        "SELECT count(*) FROM pg_settings WHERE (name, setting) IN (('statement_timeout', '5000'), "
        "('lock_timeout', '2000'), ('idle_in_transaction_session_timeout', '10000'), "
        "('default_transaction_isolation', 'read committed'), ('client_encoding', 'UTF8'))";
    assert_int_equal(number(fixture, query), 5);
    reopen_with(fixture, "%20-clock_timeout%3D100", 1, 4);
    assert_int_equal(number(fixture, query), 4);
}

struct crosser {
    struct db *db;
    int64_t first, second;
    const bool *is_over;
    int done, wrong;
};

static void *cross(void *argument)
{
    struct crosser *self = argument;
    while (!__atomic_load_n(self->is_over, __ATOMIC_ACQUIRE)) {
        static const char update[] = "UPDATE t SET n = n + 1 WHERE id = $1";
        struct db_statement statements[] = {
            { .sql = update, .parameters = { DB_INT(self->first) }, .parameter_count = 1 },
            { .sql = "SELECT pg_sleep(0.002)" },
            { .sql = update, .parameters = { DB_INT(self->second) }, .parameter_count = 1 },
        };
        int result = db_atomic(self->db, statements, 3, NULL, NULL);
        self->done += result == 0;
        self->wrong += result != 0 && result != ERR_BUSY;
    }
    return NULL;
}

/* Two that lock the same rows in opposite order, until they have met some times. */
static void a_deadlock_is_run_again(void **state)
{
    struct db_fixture *fixture = *state;
    bool is_over = false;
    assert_int_equal(run(fixture, "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)"), 0);
    assert_int_equal(run(fixture, "INSERT INTO t VALUES (1, 0), (2, 0)"), 0);
    reopen_with(fixture, "%20-cdeadlock_timeout%3D5", 2, 4);
    pthread_t threads[2];
    struct crosser crossers[] = { { fixture->db, 1, 2, &is_over, 0, 0 },
                                  { fixture->db, 2, 1, &is_over, 0, 0 } };
    for (int i = 0; i < 2; i++)
        start(&threads[i], cross, &crossers[i]);
    while (metrics_read(fixture->metrics, METRIC_DB_RETRIES, 0) < DEADLOCKS)
        usleep(1000);
    __atomic_store_n(&is_over, true, __ATOMIC_RELEASE);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crossers[0].wrong + crossers[1].wrong, 0);
    assert_int_equal(number(fixture, "SELECT min(n) FROM t"), crossers[0].done + crossers[1].done);
    assert_int_equal(number(fixture, "SELECT max(n) FROM t"), crossers[0].done + crossers[1].done);
}

static void a_table_that_changes_under_prepared_statements_does_no_harm(void **state)
{
    struct db_fixture *fixture = *state;
    static const char select[] = "SELECT * FROM t";
    assert_int_equal(run(fixture, "CREATE TABLE t (a BIGINT)"), 0);
    assert_int_equal(run(fixture, "INSERT INTO t VALUES (7)"), 0);
    PGconn *other = stranger(fixture);
    for (int i = 0; i < 3; i++) {
        char sql[64];
        assert_int_equal(number(fixture, select), 7);
        snprintf(sql, sizeof(sql), "ALTER TABLE t ADD b%d BIGINT", i);
        stranger_runs(other, sql);
    }
    assert_int_equal(number(fixture, select), 7);
    PQfinish(other);
}

/* --- The pool --- */

struct sleeper {
    struct db *db;
    const char *sql;
    int result;
};

static void *sleep_in_database(void *argument)
{
    struct sleeper *self = argument;
    __atomic_store_n(&self->result, db_fixture_run(self->db, self->sql), __ATOMIC_RELEASE);
    return NULL;
}

#define ASLEEP INT_MIN /* its result, until it returns */

static int count_returned(const struct sleeper *sleepers, int count)
{
    int returned = 0;
    for (int i = 0; i < count; i++)
        returned += __atomic_load_n(&sleepers[i].result, __ATOMIC_ACQUIRE) != ASLEEP;
    return returned;
}

/* A table that somebody has locked: whoever reads it waits until that ends. */
static PGconn *lock_table(struct db_fixture *fixture)
{
    PGconn *holder = stranger(fixture);
    stranger_runs(holder, "CREATE TABLE IF NOT EXISTS t (id BIGINT)");
    stranger_runs(holder, "BEGIN");
    stranger_runs(holder, "LOCK TABLE t");
    return holder;
}

#define PATIENT "%20-clock_timeout%3D60000%20-cstatement_timeout%3D60000"

static void the_pool_grows_no_further_than_its_limit(void **state)
{
    enum { CALLERS = 12, LIMIT = 3 };
    struct db_fixture *fixture = *state;
    reopen_with(fixture, PATIENT "&application_name=grows", 1, LIMIT);
    PGconn *holder = lock_table(fixture);
    pthread_t threads[CALLERS];
    struct sleeper callers[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        callers[i] = (struct sleeper){ fixture->db, "SELECT count(*) FROM t", ASLEEP };
    for (int i = 0; i < CALLERS; i++) {
        start(&threads[i], sleep_in_database, &callers[i]);
    }
    /* Nobody else can be served meanwhile; on a slow machine some give up before it has grown. */
    int64_t held = 0;
    while (held < LIMIT && held + count_returned(callers, CALLERS) < CALLERS) {
        usleep(1000);
        held = metrics_read(fixture->metrics, METRIC_DB_POOL_IN_USE, 0);
    }
    stranger_runs(holder, "ROLLBACK");
    PQfinish(holder);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(callers[i].result == 0 || callers[i].result == ERR_BUSY);
    }
    assert_in_range(number(fixture, "SELECT count(*) FROM pg_stat_activity "
                                    "WHERE application_name = 'grows'"),
                    held, LIMIT);
    assert_in_range(metrics_read(fixture->metrics, METRIC_DB_POOL_OPEN, 0), held, LIMIT);
    assert_int_equal(metrics_read(fixture->metrics, METRIC_DB_POOL_IN_USE, 0), 0);
    assert_int_equal(metrics_read(fixture->metrics, METRIC_DB_POOL_WAITING, 0), 0);
}

static void the_pool_fills_itself_to_its_minimum(void **state)
{
    struct db_fixture *fixture = *state;
    reopen_with(fixture, "", 4, 8);
    while (metrics_read(fixture->metrics, METRIC_DB_POOL_OPEN, 0) < 4)
        usleep(1000);
    assert_int_equal(number(fixture, "SELECT 1"), 1);
}

static void a_caller_waits_for_a_connection_only_so_long(void **state)
{
    struct db_fixture *fixture = *state;
    reopen_with(fixture, PATIENT, 1, 1);
    PGconn *holder = lock_table(fixture);
    pthread_t thread;
    struct sleeper sleeper = { fixture->db, "SELECT count(*) FROM t", ASLEEP };
    start(&thread, sleep_in_database, &sleeper);
    while (metrics_read(fixture->metrics, METRIC_DB_POOL_IN_USE, 0) == 0)
        usleep(1000);
    assert_int_equal(run(fixture, "SELECT 1"), ERR_BUSY);
    stranger_runs(holder, "ROLLBACK");
    PQfinish(holder);
    pthread_join(thread, NULL);
    assert_int_equal(sleeper.result, 0);
    assert_int_equal(run(fixture, "SELECT 1"), 0);
}

static void connections_cut_while_idle_are_replaced_unnoticed(void **state)
{
    struct db_fixture *fixture = *state;
    PGconn *other = stranger(fixture);
    assert_int_equal(run(fixture, "CREATE TABLE t (id BIGINT PRIMARY KEY)"), 0);
    for (int i = 0; i < 5; i++) {
        char sql[64];
        stranger_runs(other, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                             "WHERE application_name = 'bronxbot'");
        snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%d)", i);
        assert_int_equal(run(fixture, sql), 0);
    }
    assert_int_equal(number(fixture, "SELECT count(*) FROM t"), 5);
    PQfinish(other);
}

/* --- A server that goes away --- */

static int wait_for_recovery(struct db_fixture *fixture)
{
    int result = -1;
    for (int i = 0; i < 3000 && result != 0; i++) {
        result = db_check(fixture->db, NULL);
        usleep(10000);
    }
    return result;
}

static void a_stopped_server_is_reported_and_found_again(void **state)
{
    struct db_fixture *fixture = *state;
    struct err err;
    assert_int_equal(run(fixture, "CREATE TABLE t (id BIGINT PRIMARY KEY)"), 0);
    harness_postgres_stop(test_database_server());
    for (int i = 0; i < 3; i++) {
        struct db_statement insert = { .sql = "INSERT INTO t VALUES (1)" };
        assert_int_equal(db_query(fixture->db, &insert, NULL, &err), ERR_UNAVAILABLE);
    }
    assert_int_equal(db_fixture_reopen(fixture, &err), ERR_UNAVAILABLE);
    assert_true(harness_postgres_restart(test_database_server()));
    assert_int_equal(db_open(&fixture->db, &fixture->settings, &err), 0);
    harness_postgres_stop(test_database_server());
    assert_int_equal(run(fixture, "INSERT INTO t VALUES (2)"), ERR_UNAVAILABLE);
    assert_true(harness_postgres_restart(test_database_server()));
    assert_int_equal(wait_for_recovery(fixture), 0);
    assert_int_equal(run(fixture, "INSERT INTO t VALUES (3)"), 0);
    assert_int_equal(number(fixture, "SELECT sum(id) FROM t"), 3);
}

struct writer {
    struct db *db;
    int64_t next_id;
    int64_t acknowledged[100000];
    int count, wrong;
    bool *is_over;
};

static void *write_until_over(void *argument)
{
    struct writer *self = argument;
    while (!__atomic_load_n(self->is_over, __ATOMIC_ACQUIRE) && self->count < 100000) {
        struct db_statement insert = { .sql = "INSERT INTO t (id) VALUES ($1)",
                                       .parameters = { DB_INT(self->next_id) },
                                       .parameter_count = 1,
                                       .expect = DB_ONE_ROW };
        int result = db_query(self->db, &insert, NULL, NULL);
        if (result == 0) {
            self->acknowledged[self->count] = self->next_id;
            __atomic_add_fetch(&self->count, 1, __ATOMIC_RELEASE);
        }
        self->wrong +=
            result != 0 && result != ERR_UNAVAILABLE && result != ERR_UNKNOWN && result != ERR_BUSY;
        self->next_id++;
    }
    return NULL;
}

static bool has_row(struct db *db, int64_t id)
{
    struct db_statement select = { .sql = "SELECT id FROM t WHERE id = $1",
                                   .parameters = { DB_INT(id) },
                                   .parameter_count = 1,
                                   .expect = DB_ONE_ROW };
    return db_query(db, &select, NULL, NULL) == 0;
}

static int count_acknowledged(const struct writer *writers, int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += __atomic_load_n(&writers[i].count, __ATOMIC_ACQUIRE);
    return sum;
}

/* Of one more write than before, and the writers are amid others. */
static void await_acknowledgement(const struct writer *writers, int count)
{
    int before = count_acknowledged(writers, count);
    do
        usleep(20000);
    while (count_acknowledged(writers, count) == before);
}

static void what_was_acknowledged_survives_the_servers_death(void **state)
{
    enum { WRITERS = 4, DEATHS = 3 };
    struct db_fixture *fixture = *state;
    bool is_over = false;
    struct writer *writers = calloc(WRITERS, sizeof(*writers));
    pthread_t threads[WRITERS];
    assert_non_null(writers);
    assert_int_equal(run(fixture, "CREATE TABLE t (id BIGINT PRIMARY KEY)"), 0);
    for (int i = 0; i < WRITERS; i++) {
        writers[i].db = fixture->db;
        writers[i].next_id = i * INT64_C(10000000);
        writers[i].is_over = &is_over;
        start(&threads[i], write_until_over, &writers[i]);
    }
    for (int i = 0; i < DEATHS; i++) {
        await_acknowledgement(writers, WRITERS);
        harness_postgres_kill(test_database_server());
        usleep(20000);
        assert_true(harness_postgres_restart(test_database_server()));
        assert_int_equal(wait_for_recovery(fixture), 0);
    }
    __atomic_store_n(&is_over, true, __ATOMIC_RELEASE);
    int acknowledged = 0;
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(writers[i].wrong, 0);
        for (int j = 0; j < writers[i].count; j++)
            assert_true(has_row(fixture->db, writers[i].acknowledged[j]));
        acknowledged += writers[i].count;
    }
    assert_true(acknowledged > 0);
    free(writers);
}

/* It accepts connections and says nothing. */
static void a_frozen_server_holds_nobody_for_ever(void **state)
{
    struct db_fixture *fixture = *state;
    reopen_with(fixture, "", 1, 1);
    harness_postgres_freeze(test_database_server());
    int result = run(fixture, "SELECT 1");
    struct err err;
    int opened = db_fixture_reopen(fixture, &err);
    harness_postgres_thaw(test_database_server());
    assert_int_equal(result, ERR_UNAVAILABLE);
    assert_int_equal(opened, ERR_UNAVAILABLE);
    assert_int_equal(db_open(&fixture->db, &fixture->settings, &err), 0);
    assert_int_equal(number(fixture, "SELECT 1"), 1);
}

/* --- Settings --- */

static void no_error_shows_the_password(void **state)
{
    struct db_fixture *fixture = *state;
    static const struct {
        const char *url;
        int code;
    } cases[] = {
        { "postgresql://bot:Hunter22@/nowhere?host=/nonexistent", ERR_UNAVAILABLE },
        { "postgresql://bot:Hunter22@127.0.0.1:1/nowhere", ERR_UNAVAILABLE },
        { "postgres://bot:Hunter22%zz@localhost/nowhere", ERR_CONFIG },
        { "postgres://bot:Hunter22@localhost:port:port/nowhere", ERR_UNAVAILABLE },
        { "postgresql://bot@localhost/x?password=Hunter22&wrong=1", ERR_CONFIG },
        { "postgresql://bot@[Hunter22/x", ERR_CONFIG },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct err err = { 0 };
        struct db *db;
        fixture->settings.url = cases[i].url;
        assert_int_equal(db_open(&db, &fixture->settings, &err), cases[i].code);
        assert_null(strstr(err.message, "Hunter22"));
        assert_null(strchr(err.message, '\n'));
    }
}

static void a_database_that_is_not_utf8_is_refused(void **state)
{
    struct db_fixture *fixture = *state;
    struct err err;
    struct db *db;
    char url[TEST_DATABASE_MAX];
    PGconn *other = stranger(fixture);
    stranger_runs(other, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    PQfinish(other);
    snprintf(url, sizeof(url), "postgresql://bronxbot@/latin?host=%s",
             test_database_server()->folder);
    fixture->settings.url = url;
    assert_int_equal(db_open(&db, &fixture->settings, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "LATIN1"));
}

struct migrator {
    const struct db_settings *settings;
    int result;
    int applied_count;
};

static void *migrate_at_once(void *argument)
{
    struct migrator *self = argument;
    struct db *db;
    struct err err = { 0 };
    struct migration_result result = { 0 };
    self->result = db_open(&db, self->settings, &err);
    if (self->result == 0)
        self->result = db_migrate(db, built_in_migrations, NOW_MS, &result, &err);
    self->applied_count = result.applied_count;
    if (self->result != 0)
        fprintf(stderr, "%s\n", err.message);
    db_close(db);
    return NULL;
}

static void instances_that_start_at_once_migrate_one_after_another(void **state)
{
    enum { INSTANCES = 6 };
    struct db_fixture *fixture = *state;
    pthread_t threads[INSTANCES];
    struct migrator migrators[INSTANCES];
    int applied = 0;
    for (int i = 0; i < INSTANCES; i++) {
        migrators[i] = (struct migrator){ .settings = &fixture->settings };
        start(&threads[i], migrate_at_once, &migrators[i]);
    }
    for (int i = 0; i < INSTANCES; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(migrators[i].result, 0);
        applied += migrators[i].applied_count;
    }
    assert_int_equal(number(fixture, "SELECT count(*) FROM schema_migration"), applied);
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, db_fixture_setup, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whole_numbers_are_read_whatever_their_type),
        TEST(what_is_no_whole_number_or_text_is_refused),
        TEST(one_text_serves_every_mixture_of_nulls),
        TEST(a_lock_is_waited_for_no_longer_than_told),
        TEST(a_slow_statement_is_cancelled),
        TEST(our_limits_hold_unless_the_url_says_otherwise),
        TEST(a_deadlock_is_run_again),
        TEST(a_table_that_changes_under_prepared_statements_does_no_harm),
        TEST(the_pool_grows_no_further_than_its_limit),
        TEST(the_pool_fills_itself_to_its_minimum),
        TEST(a_caller_waits_for_a_connection_only_so_long),
        TEST(connections_cut_while_idle_are_replaced_unnoticed),
        TEST(a_stopped_server_is_reported_and_found_again),
        TEST(what_was_acknowledged_survives_the_servers_death),
        TEST(a_frozen_server_holds_nobody_for_ever),
        TEST(no_error_shows_the_password),
        TEST(a_database_that_is_not_utf8_is_refused),
        TEST(instances_that_start_at_once_migrate_one_after_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
