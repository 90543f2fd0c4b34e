/* Duties: one process has one at a time, another takes it over when that is silent, and whoever
 * stood still and comes back changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbox_store_fixture.h"

#include "harness/child.h"
#include "outbox/duty.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ME          INT64_C(100)
#define OTHER       INT64_C(200)
#define NOW         INT64_C(1800000000000)
#define HOLD_MS     1000
#define RIVALS      4 /* as many as the fixture's pool has connections */
#define ROUNDS      50
#define STAND_STILL "stand-still" /* what this program is told as another process */
#define EXIT_FENCED 42

extern char **environ;

static void alive(struct db_fixture *fixture, int64_t id, int64_t until_ms)
{
    const struct outbox_instance instance = { .id = id, .role = "serve", .host = "here" };
    struct db_statement beat = outbox_store_heartbeat(&instance, until_ms);
    assert_int_equal(db_query(fixture->db, &beat, NULL, NULL), 0);
}

static void both_alive(struct db_fixture *fixture)
{
    alive(fixture, ME, NOW + 9999);
    alive(fixture, OTHER, NOW + 9999);
}

static struct duty duty_of(int64_t instance_id)
{
    return (struct duty){ .name = "sweep", .instance_id = instance_id };
}

/* The number it is held by, 0 when it is not. */
static int64_t hold(struct db_fixture *fixture, struct duty *duty, int64_t now_ms)
{
    struct err err = { 0 };
    if (duty_hold(fixture->db, duty, now_ms, HOLD_MS, &err) != 0)
        fail_msg("%s", err.message);
    return duty->number;
}

/* What a duty is held for: 0, or the error's code. */
static int work(struct db_fixture *fixture, const struct duty *duty)
{
    struct err err = { 0 };
    const struct db_statement statements[] = {
        duty_fence(duty),
        { .sql = "INSERT INTO bot_state (key, value) SELECT CAST(COUNT(*) AS TEXT), $1 "
                 "FROM bot_state",
          .parameters = { DB_TEXT(STR("x")) },
          .parameter_count = 1 },
    };
    int result = db_atomic(fixture->db, statements, ARRAY_LENGTH(statements), NULL, &err);
    if (result != 0)
        assert_int_equal(err.index, 0);
    return result;
}

static int64_t work_done(struct db_fixture *fixture)
{
    return db_fixture_number(fixture->db, "SELECT COUNT(*) FROM bot_state");
}

static void who_holds_a_duty_keeps_it_from_others(void **state)
{
    struct duty mine = duty_of(ME), others = duty_of(OTHER);
    both_alive(*state);
    assert_int_equal(hold(*state, &mine, NOW), 1);
    assert_int_equal(hold(*state, &others, NOW), 0);
    assert_false(duty_is_held(&others));
    assert_int_equal(hold(*state, &mine, NOW + HOLD_MS - 1), 1);
    assert_int_equal(hold(*state, &others, NOW + HOLD_MS + 1), 0);
    assert_int_equal(work(*state, &mine), 0);
    assert_int_equal(work_done(*state), 1);
}

static void a_duty_that_is_not_renewed_is_anybodys(void **state)
{
    struct duty mine = duty_of(ME), others = duty_of(OTHER);
    both_alive(*state);
    assert_int_equal(hold(*state, &mine, NOW), 1);
    assert_int_equal(hold(*state, &others, NOW + HOLD_MS - 1), 0);
    assert_int_equal(hold(*state, &others, NOW + HOLD_MS), 2);
    assert_int_equal(hold(*state, &mine, NOW + HOLD_MS), 0);
}

static void the_duty_of_the_dead_is_taken_over_before_its_time(void **state)
{
    struct db_fixture *fixture = *state;
    struct duty mine = duty_of(ME), others = duty_of(OTHER);
    alive(fixture, ME, NOW + 10);
    alive(fixture, OTHER, NOW + 9999);
    assert_int_equal(hold(fixture, &mine, NOW), 1);
    assert_int_equal(hold(fixture, &others, NOW + 9), 0);
    assert_int_equal(hold(fixture, &others, NOW + 10), 2);
    struct db_statement leave = outbox_store_leave(OTHER);
    assert_int_equal(db_query(fixture->db, &leave, NULL, NULL), 0);
    assert_int_equal(hold(fixture, &mine, NOW + 10), 3);
}

static void a_duty_that_is_given_up_is_taken_at_once(void **state)
{
    struct db_fixture *fixture = *state;
    struct duty mine = duty_of(ME), others = duty_of(OTHER);
    both_alive(fixture);
    assert_int_equal(hold(fixture, &mine, NOW), 1);
    struct db_statement release = duty_release(&mine), no_more = duty_release(&mine);
    assert_int_equal(db_query(fixture->db, &release, NULL, NULL), 0);
    assert_int_equal(hold(fixture, &others, NOW), 2);
    assert_int_equal(db_query(fixture->db, &no_more, NULL, NULL), 0);
    assert_int_equal(hold(fixture, &mine, NOW), 0);
}

static void who_stood_still_and_comes_back_changes_nothing(void **state)
{
    struct db_fixture *fixture = *state;
    struct duty mine = duty_of(ME), others = duty_of(OTHER);
    both_alive(fixture);
    assert_int_equal(hold(fixture, &mine, NOW), 1);
    assert_int_equal(hold(fixture, &others, NOW + HOLD_MS), 2);
    assert_true(duty_is_held(&mine)); /* as far as it knows */
    assert_int_equal(work(fixture, &mine), ERR_EXPECTATION);
    assert_int_equal(work_done(fixture), 0);
    assert_int_equal(work(fixture, &others), 0);
    assert_int_equal(work_done(fixture), 1);
    /* Nor under the number of an earlier time. */
    assert_int_equal(hold(fixture, &mine, NOW + 2 * HOLD_MS), 3);
    mine.number = 1;
    assert_int_equal(work(fixture, &mine), ERR_EXPECTATION);
}

static void a_duty_that_is_not_held_lets_nothing_be_done(void **state)
{
    struct duty mine = duty_of(ME);
    assert_int_equal(work(*state, &mine), ERR_EXPECTATION);
    assert_int_equal(work_done(*state), 0);
}

struct rival {
    struct db_fixture *fixture;
    pthread_t thread;
    pthread_barrier_t *start;
    int64_t id;
    int64_t numbers[ROUNDS];
    int failures;
};

static void *take_part(void *argument)
{
    struct rival *rival = argument;
    for (int round = 0; round < ROUNDS; round++) {
        struct duty duty = duty_of(rival->id);
        pthread_barrier_wait(rival->start);
        rival->failures +=
            duty_hold(rival->fixture->db, &duty, NOW + round * HOLD_MS, HOLD_MS, NULL) != 0;
        rival->numbers[round] = duty.number;
    }
    return NULL;
}

/* In each round the time is over. A holder of the round before may go on under its number. */
static void of_many_at_once_one_gets_it(void **state)
{
    struct db_fixture *fixture = *state;
    static struct rival rivals[RIVALS];
    pthread_barrier_t start;
    int64_t last = 0;
    pthread_barrier_init(&start, NULL, RIVALS);
    for (int i = 0; i < RIVALS; i++) {
        rivals[i] = (struct rival){ .fixture = fixture, .start = &start, .id = ME + i };
        alive(fixture, rivals[i].id, INT64_MAX);
    }
    for (int i = 0; i < RIVALS; i++)
        assert_int_equal(pthread_create(&rivals[i].thread, NULL, take_part, &rivals[i]), 0);
    for (int i = 0; i < RIVALS; i++)
        pthread_join(rivals[i].thread, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        int holders = 0;
        for (int i = 0; i < RIVALS; i++) {
            if (rivals[i].numbers[round] == 0)
                continue;
            holders++;
            assert_true(rivals[i].numbers[round] == last || rivals[i].numbers[round] == last + 1);
            last = rivals[i].numbers[round];
        }
        assert_int_equal(holders, 1);
    }
    for (int i = 0; i < RIVALS; i++)
        assert_int_equal(rivals[i].failures, 0);
    pthread_barrier_destroy(&start);
}

/* A fence whose transaction is still open. */
static PGconn *begin_work(struct db_fixture *fixture, const struct duty *duty)
{
    char sql[160];
    PGconn *connection = PQconnectdb(fixture->database.url);
    snprintf(sql, sizeof(sql), "BEGIN; UPDATE duty SET number = %d WHERE name = '%s'",
             (int)duty->number, duty->name);
    PGresult *result = PQexec(connection, sql);
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    return connection;
}

/* Waiting would end in the server's lock_timeout: an error. */
static void who_finds_it_held_does_not_wait_for_the_work(void **state)
{
    struct duty mine = duty_of(ME), others = duty_of(OTHER);
    if (!test_engine_is_postgres())
        skip();
    alive(*state, ME, NOW + 9999);
    assert_int_equal(hold(*state, &mine, NOW), 1);
    PGconn *work_under_way = begin_work(*state, &mine);
    assert_int_equal(hold(*state, &others, NOW), 0);
    PQfinish(work_under_way);
}

static void nobody_takes_over_in_the_middle_of_the_work(void **state)
{
    struct db_fixture *fixture = *state;
    struct duty mine = duty_of(ME), others = duty_of(OTHER);
    if (!test_engine_is_postgres())
        skip();
    alive(fixture, ME, NOW + 9999);
    assert_int_equal(hold(fixture, &mine, NOW), 1);
    PGconn *work_under_way = begin_work(fixture, &mine);
    assert_int_equal(duty_hold(fixture->db, &others, NOW + HOLD_MS, HOLD_MS, NULL), ERR_BUSY);
    assert_false(duty_is_held(&others));
    PQfinish(work_under_way);
    assert_int_equal(hold(fixture, &others, NOW + HOLD_MS), 2);
}

/* --- A process that is really stopped --- */

static int stand_still(const char *url)
{
    struct system_clock clock;
    struct db_fixture fixture = { 0 };
    struct duty duty = duty_of(ME);
    const struct db_settings settings = { .url = url, .pool_max = 1, .clock = &clock.clock };
    if (system_clock_init(&clock, NULL, NULL) != 0 || db_open(&fixture.db, &settings, NULL) != 0 ||
        hold(&fixture, &duty, NOW) == 0)
        return 1;
    raise(SIGSTOP);
    int result = work(&fixture, &duty);
    db_close(fixture.db);
    return result == ERR_EXPECTATION ? EXIT_FENCED : 1;
}

static pid_t start_and_wait_for_its_stop(const char *url)
{
    const char *const arguments[] = { "test_duty", STAND_STILL, url, NULL };
    const struct harness_child child = { .binary = "/proc/self/exe",
                                         .arguments = (char *const *)arguments,
                                         .environment = environ,
                                         .output = STDERR_FILENO,
                                         .end_signal = SIGKILL };
    int status = 0;
    pid_t process = harness_child_start(&child);
    assert_int_equal(waitpid(process, &status, WUNTRACED), process);
    assert_true(WIFSTOPPED(status));
    return process;
}

static void a_stopped_process_that_goes_on_changes_nothing(void **state)
{
    struct db_fixture *fixture = *state;
    struct duty others = duty_of(OTHER);
    int status = 0;
    if (!test_engine_is_postgres())
        skip(); /* a second process can't have the file */
    both_alive(fixture);
    pid_t stopped = start_and_wait_for_its_stop(fixture->database.url);
    assert_int_equal(hold(fixture, &others, NOW), 0);
    assert_int_equal(hold(fixture, &others, NOW + HOLD_MS), 2);
    kill(stopped, SIGCONT);
    assert_int_equal(waitpid(stopped, &status, 0), stopped);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FENCED);
    assert_int_equal(work_done(fixture), 0);
    assert_int_equal(work(fixture, &others), 0);
}

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], STAND_STILL) == 0)
        return stand_still(arguments[2]);
#define TEST(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, outbox_store_fixture_setup, db_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_holds_a_duty_keeps_it_from_others),
        TEST(a_duty_that_is_not_renewed_is_anybodys),
        TEST(the_duty_of_the_dead_is_taken_over_before_its_time),
        TEST(a_duty_that_is_given_up_is_taken_at_once),
        TEST(who_stood_still_and_comes_back_changes_nothing),
        TEST(a_duty_that_is_not_held_lets_nothing_be_done),
        TEST(of_many_at_once_one_gets_it),
        TEST(who_finds_it_held_does_not_wait_for_the_work),
        TEST(nobody_takes_over_in_the_middle_of_the_work),
        TEST(a_stopped_process_that_goes_on_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
