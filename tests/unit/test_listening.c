/* Calls from process to process by LISTEN and NOTIFY: who hears what, and that whoever was cut off
 * listens again and is told so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define CHANNEL    "bronxbot_test"
#define PAUSE_MS   5
#define PAUSES_MAX 12000 /* a wait that would be longer fails the test */
#define HEARD_MAX  100

struct ear {
    struct db_listener *listener;
    pthread_mutex_t lock; /* guards the following */
    int64_t heard[HEARD_MAX];
    int count, changes; /* beginnings and interruptions */
};

static void on_heard(void *context, int64_t caller)
{
    struct ear *ear = context;
    pthread_mutex_lock(&ear->lock);
    if (caller == 0)
        ear->changes++;
    else if (ear->count < HEARD_MAX)
        ear->heard[ear->count++] = caller;
    pthread_mutex_unlock(&ear->lock);
}

static int read_locked(struct ear *ear, const int *number)
{
    pthread_mutex_lock(&ear->lock);
    int value = *number;
    pthread_mutex_unlock(&ear->lock);
    return value;
}

static void wait_for(struct ear *ear, const int *number, int wanted)
{
    const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000 };
    for (int i = 0; i < PAUSES_MAX && read_locked(ear, number) < wanted; i++)
        nanosleep(&pause, NULL);
    assert_int_equal(read_locked(ear, number), wanted);
}

static void listen_to(struct ear *ear, struct db *db, const char *channel)
{
    *ear = (struct ear){ 0 };
    pthread_mutex_init(&ear->lock, NULL);
    assert_int_equal(db_listen(db, channel, on_heard, ear, &ear->listener, NULL), 0);
    assert_non_null(ear->listener);
    wait_for(ear, &ear->changes, 1);
    assert_true(db_is_listening(ear->listener));
}

static void call(struct db *db, const char *channel, int64_t caller)
{
    struct db_statement statement;
    assert_true(db_call(db, channel, caller, &statement));
    assert_int_equal(db_query(db, &statement, NULL, NULL), 0);
}

static void everybody_on_the_channel_hears_a_call(void **state)
{
    struct db_fixture *fixture = *state;
    struct ear one, two, elsewhere;
    listen_to(&one, fixture->db, CHANNEL);
    listen_to(&two, fixture->db, CHANNEL);
    listen_to(&elsewhere, fixture->db, CHANNEL "_2");
    call(fixture->db, CHANNEL, 7);
    call(fixture->db, CHANNEL, INT64_MAX);
    call(fixture->db, CHANNEL "_2", 9);
    wait_for(&one, &one.count, 2);
    wait_for(&two, &two.count, 2);
    wait_for(&elsewhere, &elsewhere.count, 1);
    assert_true(one.heard[0] == 7 && one.heard[1] == INT64_MAX);
    assert_true(elsewhere.heard[0] == 9);
    assert_true(metrics_read(fixture->metrics, METRIC_DB_HEARD, 0) == 5);
    db_unlisten(one.listener);
    db_unlisten(two.listener);
    db_unlisten(elsewhere.listener);
}

/* The second batch's call is there to end the wait: calls keep their order. */
static void a_call_is_heard_when_its_transaction_commits(void **state)
{
    struct db_fixture *fixture = *state;
    struct ear ear;
    struct db_statement statements[2];
    assert_int_equal(db_fixture_run(fixture->db, "CREATE TABLE t (id BIGINT PRIMARY KEY)"), 0);
    listen_to(&ear, fixture->db, CHANNEL);
    for (int64_t caller = 1; caller <= 2; caller++) {
        assert_true(db_call(fixture->db, CHANNEL, caller, &statements[0]));
        statements[1] = (struct db_statement){
            .sql = caller == 1 ? "DELETE FROM t" : "INSERT INTO t (id) VALUES (1)",
            .expect = DB_ONE_ROW,
        };
        assert_int_equal(db_atomic(fixture->db, statements, 2, NULL, NULL),
                         caller == 1 ? ERR_EXPECTATION : 0);
    }
    wait_for(&ear, &ear.count, 1);
    assert_true(ear.heard[0] == 2);
    db_unlisten(ear.listener);
}

static void who_is_cut_off_listens_again_and_is_told(void **state)
{
    struct db_fixture *fixture = *state;
    struct ear ear;
    listen_to(&ear, fixture->db, CHANNEL);
    for (int cut = 1; cut <= 3; cut++) {
        assert_true(db_fixture_number(fixture->db,
                                      "SELECT COUNT(pg_terminate_backend(pid)) FROM "
                                      "pg_stat_activity WHERE query LIKE 'LISTEN%'") >= 1);
        wait_for(&ear, &ear.changes, 1 + 2 * cut);
        call(fixture->db, CHANNEL, cut);
        wait_for(&ear, &ear.count, cut);
    }
    db_unlisten(ear.listener);
}

static void a_server_that_comes_back_is_listened_to(void **state)
{
    struct db_fixture *fixture = *state;
    struct ear ear;
    listen_to(&ear, fixture->db, CHANNEL);
    harness_postgres_stop(test_database_server());
    wait_for(&ear, &ear.changes, 2);
    assert_false(db_is_listening(ear.listener));
    assert_int_equal(metrics_read(fixture->metrics, METRIC_DB_HEARING, 0), 0);
    assert_true(harness_postgres_restart(test_database_server()));
    wait_for(&ear, &ear.changes, 3);
    assert_true(db_is_listening(ear.listener));
    db_unlisten(ear.listener);
}

static void nothing_is_heard_after_the_end(void **state)
{
    struct db_fixture *fixture = *state;
    struct ear gone, there;
    listen_to(&gone, fixture->db, CHANNEL);
    listen_to(&there, fixture->db, CHANNEL);
    db_unlisten(gone.listener);
    call(fixture->db, CHANNEL, 7);
    wait_for(&there, &there.count, 1);
    assert_int_equal(read_locked(&gone, &gone.count), 0);
    db_unlisten(there.listener);
}

static void a_stop_while_the_server_is_away_ends(void **state)
{
    struct db_fixture *fixture = *state;
    struct ear ear;
    listen_to(&ear, fixture->db, CHANNEL);
    harness_postgres_kill(test_database_server());
    db_unlisten(ear.listener);
    db_close(fixture->db);
    fixture->db = NULL;
    assert_true(harness_postgres_restart(test_database_server()));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, db_fixture_setup, db_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(everybody_on_the_channel_hears_a_call),
        TEST(a_call_is_heard_when_its_transaction_commits),
        TEST(who_is_cut_off_listens_again_and_is_told),
        TEST(a_server_that_comes_back_is_listened_to),
        TEST(nothing_is_heard_after_the_end),
        TEST(a_stop_while_the_server_is_away_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
