/* Many callers at once: groups, isolation of failures, full queues, stopping. Whether batches meet
 * in one group depends on the machine, so what needs a group is repeated until one was seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/sqlite_writer.h"
#include "db_fixture.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#define WRITERS    16
#define READERS    8
#define ROUNDS_MAX 100

static void start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    assert_int_equal(pthread_create(thread, NULL, run, argument), 0);
}

/* Somebody else's connection that holds the write lock, so that the queue fills meanwhile. */
static sqlite3 *hold_write_lock(const char *path)
{
    sqlite3 *handle;
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    sqlite3_busy_timeout(handle, 5000);
    assert_int_equal(sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return handle;
}

static void let_go(sqlite3 *handle)
{
    sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(handle);
}

struct poisoned {
    struct db *db;
    int64_t id;
    const char *poison; /* the second statement */
    int result;
    int index;
};

/* Two rows and, in between, perhaps something that fails. */
static void *write_poisoned(void *argument)
{
    struct poisoned *self = argument;
    struct db_statement statements[] = {
        { .sql = "INSERT INTO entry (id) VALUES ($1)",
          .parameters = { DB_INT(self->id) },
          .parameter_count = 1,
          .expect = DB_ONE_ROW },
        { .sql = self->poison },
        { .sql = "INSERT INTO entry (id) VALUES (-$1) RETURNING id",
          .parameters = { DB_INT(self->id) },
          .parameter_count = 1,
          .expect = DB_ONE_ROW },
    };
    struct db_rows *results[3];
    struct err err = { .index = -1 };
    self->result = db_atomic(self->db, statements, 3, results, &err);
    self->index = err.index;
    if (self->result == 0 && db_rows_int(results[2], 0, 0) != -self->id)
        self->result = 1;
    for (int i = 0; i < 3; i++)
        db_rows_free(results[i]);
    return NULL;
}

static const char entry_tables[] = "CREATE TABLE entry (id BIGINT PRIMARY KEY)";
static const char trap_table[] = "CREATE TABLE trap (id BIGINT, owner BIGINT REFERENCES entry (id)"
                                 " DEFERRABLE INITIALLY DEFERRED)";
static const char trap_trigger[] =
    "CREATE TRIGGER spring BEFORE INSERT ON trap WHEN NEW.id = 13 BEGIN"
    " SELECT raise(ROLLBACK, 'sprung'); END";

/* One of the writers carries `poison`; all others must succeed, and it alone must fail. A poison
 * that undoes the whole group makes all of it run again, each batch with a commit of its own, so
 * that no group is to be seen in the counts. */
static void one_fails_alone(struct db_fixture *fixture, const char *poison, int code, int index,
                            bool undoes_group)
{
    struct db *db = fixture->db;
    assert_int_equal(db_fixture_run(db, entry_tables), 0);
    assert_int_equal(db_fixture_run(db, trap_table), 0);
    assert_int_equal(db_fixture_run(db, trap_trigger), 0);
    int groups_seen = 0;
    int64_t id = 0;
    for (int round = 0; round < ROUNDS_MAX && groups_seen < 3; round++) {
        int64_t commits = metrics_read(fixture->metrics, METRIC_DB_COMMITS, 0);
        struct poisoned writers[WRITERS];
        pthread_t threads[WRITERS];
        int64_t rows = db_fixture_number(db, "SELECT count(*) FROM entry");
        sqlite3 *holder = hold_write_lock(fixture->database.path);
        for (int i = 0; i < WRITERS; i++) {
            writers[i] = (struct poisoned){ .db = db, .id = ++id, .poison = "SELECT 1" };
            if (i == WRITERS / 2)
                writers[i].poison = poison;
            start(&threads[i], write_poisoned, &writers[i]);
        }
        usleep(20000); /* likely enough for them to gather; nothing depends on it */
        let_go(holder);
        for (int i = 0; i < WRITERS; i++)
            pthread_join(threads[i], NULL);
        for (int i = 0; i < WRITERS; i++) {
            assert_int_equal(writers[i].result, i == WRITERS / 2 ? code : 0);
            if (i == WRITERS / 2)
                assert_int_equal(writers[i].index, index);
        }
        assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM entry"),
                         rows + 2 * (WRITERS - 1));
        commits = metrics_read(fixture->metrics, METRIC_DB_COMMITS, 0) - commits;
        groups_seen += undoes_group || commits < WRITERS - 1;
    }
    assert_true(groups_seen > 0);
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM trap"), 0);
}

static void a_failed_statement_fails_its_batch_alone(void **state)
{
    one_fails_alone(*state, "INSERT INTO entry SELECT max(id) FROM entry", ERR_DUPLICATE, 1, false);
}

static void wrong_sql_fails_its_batch_alone(void **state)
{
    one_fails_alone(*state, "INSERT INTO nowhere VALUES (1)", ERR_INTERNAL, 1, false);
}

static void a_trigger_that_rolls_back_everything_fails_its_batch_alone(void **state)
{
    one_fails_alone(*state, "INSERT INTO trap (id) VALUES (13)", ERR_CHECK, 1, true);
}

static void a_constraint_that_fails_at_commit_fails_its_batch_alone(void **state)
{
    one_fails_alone(*state, "INSERT INTO trap (id, owner) VALUES (1, 123456789)", ERR_CHECK, -1,
                    true);
}

#define ACCOUNTS  8
#define TRANSFERS 60
#define MONEY     (ACCOUNTS * 1000)

struct mover {
    struct db *db;
    int number;
    int transfers_done, refused, wrong;
};

static void *move_money(void *argument)
{
    struct mover *self = argument;
    unsigned seed = (unsigned)self->number;
    for (int i = 0; i < TRANSFERS; i++) {
        int64_t from = rand_r(&seed) % ACCOUNTS, to = rand_r(&seed) % ACCOUNTS;
        int64_t amount = rand_r(&seed) % 900;
        struct db_statement statements[] = {
            { .sql = "UPDATE account SET balance = balance + $1 WHERE id = $2",
              .parameters = { DB_INT(amount), DB_INT(to) },
              .parameter_count = 2,
              .expect = DB_ONE_ROW },
            { .sql = "UPDATE account SET balance = balance - $1 WHERE id = $2",
              .parameters = { DB_INT(amount), DB_INT(from) },
              .parameter_count = 2,
              .expect = DB_ONE_ROW },
            { .sql = "INSERT INTO movement (id, amount) VALUES ($1, $2)",
              .parameters = { DB_INT(self->number * 1000 + i), DB_INT(amount) },
              .parameter_count = 2,
              .expect = DB_ONE_ROW },
        };
        struct err err = { 0 };
        int result;
        do /* rows are locked in any order: a deadlock may outlast the engine's own tries */
            result = db_atomic(self->db, statements, 3, NULL, &err);
        while (result == ERR_BUSY);
        if (result != 0 && result != ERR_CHECK)
            print_error("%s: %s\n", err_code_word(result), err.message);
        self->transfers_done += result == 0;
        self->refused += result == ERR_CHECK;
        self->wrong += result != 0 && result != ERR_CHECK;
    }
    return NULL;
}

struct watcher {
    struct db *db;
    bool *is_over;
    int looks, wrong;
};

/* What all accounts hold together; -1 when nobody says. */
static int64_t look_at_money(struct db *db)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = { .sql = "SELECT sum(balance) FROM account" };
    struct err err = { 0 };
    int result;
    do /* deadlocked movers may have all connections for longer than a caller waits */
        result = db_query(db, &statement, &rows, &err);
    while (result == ERR_BUSY && test_engine_is_postgres());
    if (result != 0)
        print_error("%s: %s\n", err_code_word(result), err.message);
    return result == 0 ? db_rows_int(rows, 0, 0) : -1;
}

static void *watch_money(void *argument)
{
    struct watcher *self = argument;
    do {
        self->wrong += look_at_money(self->db) != MONEY;
        self->looks++;
    } while (!__atomic_load_n(self->is_over, __ATOMIC_ACQUIRE));
    return NULL;
}

static void readers_never_see_half_a_transfer(void **state)
{
    struct db_fixture *fixture = *state;
    struct db *db = fixture->db;
    assert_int_equal(db_fixture_run(db, "CREATE TABLE account (id BIGINT PRIMARY KEY, balance "
                                        "BIGINT NOT NULL CHECK (balance >= 0))"),
                     0);
    assert_int_equal(
        db_fixture_run(db, "CREATE TABLE movement (id BIGINT PRIMARY KEY, amount BIGINT)"), 0);
    for (int i = 0; i < ACCOUNTS; i++) {
        struct db_statement statement = { .sql = "INSERT INTO account VALUES ($1, 1000)",
                                          .parameters = { DB_INT(i) },
                                          .parameter_count = 1 };
        assert_int_equal(db_query(db, &statement, NULL, NULL), 0);
    }
    pthread_t mover_threads[WRITERS], watcher_threads[READERS];
    struct mover movers[WRITERS];
    struct watcher watchers[READERS];
    bool is_over = false;
    for (int i = 0; i < READERS; i++) {
        watchers[i] = (struct watcher){ .db = db, .is_over = &is_over };
        start(&watcher_threads[i], watch_money, &watchers[i]);
    }
    for (int i = 0; i < WRITERS; i++) {
        movers[i] = (struct mover){ .db = db, .number = i };
        start(&mover_threads[i], move_money, &movers[i]);
    }
    int done = 0, refused = 0;
    for (int i = 0; i < WRITERS; i++)
        pthread_join(mover_threads[i], NULL);
    __atomic_store_n(&is_over, true, __ATOMIC_RELEASE);
    for (int i = 0; i < READERS; i++)
        pthread_join(watcher_threads[i], NULL);
    /* Only now: a failure leaves this function, whose memory the threads use. */
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(movers[i].wrong, 0);
        done += movers[i].transfers_done;
        refused += movers[i].refused;
    }
    for (int i = 0; i < READERS; i++)
        assert_int_equal(watchers[i].wrong, 0);
    assert_int_equal(done + refused, WRITERS * TRANSFERS);
    assert_true(done > 0 && refused > 0);
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM movement"), done);
    assert_int_equal(db_fixture_number(db, "SELECT sum(balance) FROM account"), MONEY);
    int64_t commits = metrics_read(fixture->metrics, METRIC_DB_COMMITS, 0);
    int64_t batches = metrics_read(fixture->metrics, METRIC_DB_BATCHES, 0);
    assert_int_equal(batches, done + 2 + ACCOUNTS);
    assert_true(test_engine_is_postgres() ? commits == batches : commits < batches);
}

struct busy_caller {
    struct db *db;
    int64_t first_id;
    int acknowledged, wrong;
    bool *has_begun;
};

static void *write_until_stopped(void *argument)
{
    struct busy_caller *self = argument;
    for (;;) {
        struct db_statement insert = {
            .sql = "INSERT INTO entry (id) VALUES ($1)",
            .parameters = { DB_INT(self->first_id + self->acknowledged) },
            .parameter_count = 1,
        };
        struct db_statement select = { .sql = "SELECT count(*) FROM entry" };
        int result = db_query(self->db, &insert, NULL, NULL);
        self->acknowledged += result == 0;
        __atomic_store_n(self->has_begun, true, __ATOMIC_RELEASE);
        if (result == 0)
            result = db_query(self->db, &select, NULL, NULL);
        self->wrong += result != 0 && result != ERR_STOPPED;
        if (result != 0)
            return NULL;
    }
}

static int64_t entries_in_file(const char *path)
{
    sqlite3 *handle;
    sqlite3_stmt *count;
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(handle, "SELECT count(*) FROM entry", -1, &count, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(count), SQLITE_ROW);
    int64_t entries = sqlite3_column_int64(count, 0);
    sqlite3_finalize(count);
    sqlite3_close(handle);
    return entries;
}

static void *let_go_later(void *handle)
{
    usleep(50000); /* likely enough for db_stop to be waiting by then */
    let_go(handle);
    return NULL;
}

/* Writers are held up while db_stop is called, so that there is something to wait for. */
static void stopping_keeps_all_that_was_acknowledged_and_no_more(void **state)
{
    struct db_fixture *fixture = *state;
    assert_int_equal(db_fixture_run(fixture->db, entry_tables), 0);
    pthread_t threads[WRITERS];
    struct busy_caller callers[WRITERS];
    bool has_begun[WRITERS] = { false };
    for (int i = 0; i < WRITERS; i++) {
        callers[i] = (struct busy_caller){ .db = fixture->db,
                                           .first_id = i * INT64_C(1000000),
                                           .has_begun = &has_begun[i] };
        start(&threads[i], write_until_stopped, &callers[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        while (!__atomic_load_n(&has_begun[i], __ATOMIC_ACQUIRE))
            usleep(100);
    pthread_t releaser;
    start(&releaser, let_go_later, hold_write_lock(fixture->database.path));
    db_stop(fixture->db);
    int64_t entries = entries_in_file(fixture->database.path);
    pthread_join(releaser, NULL);
    int acknowledged = 0;
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].wrong, 0);
        acknowledged += callers[i].acknowledged;
    }
    assert_int_equal(entries, acknowledged);
    assert_int_equal(db_fixture_reopen(fixture, NULL), 0);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT count(*) FROM entry"), acknowledged);
}

struct queued {
    struct sqlite_writer *writer;
    int64_t id;
    bool *is_full; /* somebody was refused */
    int result;
};

static void *write_queued(void *argument)
{
    struct queued *self = argument;
    struct db_statement insert = { .sql = "INSERT INTO entry (id) VALUES ($1)",
                                   .parameters = { DB_INT(self->id) },
                                   .parameter_count = 1 };
    struct sqlite_work work = { .statements = &insert, .count = 1 };
    struct err err;
    self->result = sqlite_writer_run(self->writer, &work, &err);
    if (self->result == ERR_BUSY)
        __atomic_store_n(self->is_full, true, __ATOMIC_RELEASE);
    return NULL;
}

/* The writer has at most a queue of them in hand and a queue of them waiting, for as long as the
 * lock is held: of all others one is refused. */
static void a_full_queue_refuses_and_keeps_what_it_has(void **state)
{
    enum { QUEUE = 2, CALLERS = 8 };
    bool is_full = false;
    struct db_fixture *fixture = *state;
    assert_int_equal(db_fixture_run(fixture->db, entry_tables), 0);
    db_close(STEAL(fixture->db));
    struct sqlite_writer_settings settings = {
        .path = fixture->database.path,
        .queue_max = QUEUE,
        .clock = fixture->settings.clock,
        .log = fixture->log,
    };
    struct sqlite_writer *writer;
    assert_int_equal(sqlite_writer_start(&writer, &settings, NULL), 0);
    sqlite3 *holder = hold_write_lock(fixture->database.path);
    pthread_t threads[CALLERS];
    struct queued callers[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct queued){ .writer = writer, .id = i, .is_full = &is_full };
        start(&threads[i], write_queued, &callers[i]);
    }
    while (!__atomic_load_n(&is_full, __ATOMIC_ACQUIRE))
        usleep(100);
    let_go(holder);
    int written = 0, refused = 0;
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        written += callers[i].result == 0;
        refused += callers[i].result == ERR_BUSY;
    }
    sqlite_writer_stop(writer);
    assert_int_equal(written + refused, CALLERS);
    assert_true(written > 0 && refused > 0);
    assert_int_equal(db_fixture_reopen(fixture, NULL), 0);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT count(*) FROM entry"), written);
}

static void a_lock_held_by_a_stranger_is_reported_not_waited_for_for_ever(void **state)
{
    struct db_fixture *fixture = *state;
    assert_int_equal(db_fixture_run(fixture->db, entry_tables), 0);
    sqlite3 *holder = hold_write_lock(fixture->database.path);
    assert_int_equal(db_fixture_run(fixture->db, "INSERT INTO entry VALUES (1)"), ERR_BUSY);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT count(*) FROM entry"), 0);
    let_go(holder);
    assert_int_equal(db_fixture_run(fixture->db, "INSERT INTO entry VALUES (1)"), 0);
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, db_fixture_setup, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_failed_statement_fails_its_batch_alone),
        TEST(wrong_sql_fails_its_batch_alone),
        TEST(a_trigger_that_rolls_back_everything_fails_its_batch_alone),
        TEST(a_constraint_that_fails_at_commit_fails_its_batch_alone),
        TEST(readers_never_see_half_a_transfer),
        TEST(stopping_keeps_all_that_was_acknowledged_and_no_more),
        TEST(a_full_queue_refuses_and_keeps_what_it_has),
        TEST(a_lock_held_by_a_stranger_is_reported_not_waited_for_for_ever),
    };
    const struct CMUnitTest tests_of_any_engine[] = {
        TEST(readers_never_see_half_a_transfer),
    };
    if (test_engine_is_postgres())
        return cmocka_run_group_tests(tests_of_any_engine, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
