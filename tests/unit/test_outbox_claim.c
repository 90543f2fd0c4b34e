/* Processes that take waiting jobs at the same time from one PostgreSQL: each job goes to one of
 * them, and none waits for another's transaction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbox_store_fixture.h"

#include <libpq-fe.h>
#include <pthread.h>

#define CLAIMERS    4 /* as many as the fixture's pool has connections */
#define JOBS        400
#define AT_ONCE     7
#define HELD        10
#define DEAD        INT64_C(99)
#define FIRST_ALIVE INT64_C(100)

static const struct outbox_content content = { .token = { "a-token", 7 },
                                               .json = { "{\"a\":1}", 7 } };

static int64_t now_ms(const struct db_fixture *fixture)
{
    return clock_wall_ms(&fixture->clock.clock);
}

/* What a dead process held; earlier tokens have lower numbers. */
static void leave_behind(struct db_fixture *fixture, int count)
{
    for (int64_t number = 1; number <= count; number++) {
        struct outbox_record record = outbox_store_fixture_record(fixture, OUTBOX_KIND_RUN, number);
        CLEANUP(buf_free) struct buf sealed = outbox_store_fixture_seal(&content);
        record.expires_at_ms = now_ms(fixture) + MS_PER_HOUR + number;
        struct db_statement store =
            outbox_store_run(&record, buf_view(&sealed), DEAD, now_ms(fixture));
        assert_int_equal(db_query(fixture->db, &store, NULL, NULL), 0);
    }
}

static void live(struct db_fixture *fixture, int64_t id)
{
    const struct outbox_instance instance = { .id = id, .role = "worker", .host = "here" };
    struct db_statement beat = outbox_store_heartbeat(&instance, now_ms(fixture) + MS_PER_HOUR);
    assert_int_equal(db_query(fixture->db, &beat, NULL, NULL), 0);
}

struct claimer {
    struct db_fixture *fixture;
    pthread_t thread;
    int64_t id;
    pthread_barrier_t *start;
    bool has[JOBS + 1]; /* by the job's number */
    int count, result;
};

static void note(struct claimer *claimer, const struct db_rows *rows)
{
    for (int i = 0; i < db_rows_count(rows); i++) {
        claimer->has[db_rows_int(rows, i, 0)] = true;
        claimer->count++;
    }
}

static void *claim_all(void *argument)
{
    struct claimer *claimer = argument;
    int taken = AT_ONCE;
    pthread_barrier_wait(claimer->start);
    while (claimer->result == 0 && taken > 0) {
        CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
        struct db_statement claim = outbox_store_claim(claimer->fixture->db, claimer->id, AT_ONCE,
                                                       now_ms(claimer->fixture));
        claimer->result = db_query(claimer->fixture->db, &claim, &rows, NULL);
        note(claimer, rows);
        taken = db_rows_count(rows);
    }
    return NULL;
}

/* A round in which a claimer finds all that is left locked by others ends it; what those take is
 * taken. */
static void no_job_is_claimed_twice(void **state)
{
    struct db_fixture *fixture = *state;
    static struct claimer claimers[CLAIMERS];
    pthread_barrier_t start;
    int sum = 0;
    leave_behind(fixture, JOBS);
    pthread_barrier_init(&start, NULL, CLAIMERS);
    for (int i = 0; i < CLAIMERS; i++) {
        claimers[i] =
            (struct claimer){ .fixture = fixture, .id = FIRST_ALIVE + i, .start = &start };
        live(fixture, claimers[i].id);
    }
    for (int i = 0; i < CLAIMERS; i++)
        assert_int_equal(pthread_create(&claimers[i].thread, NULL, claim_all, &claimers[i]), 0);
    for (int i = 0; i < CLAIMERS; i++)
        pthread_join(claimers[i].thread, NULL);
    for (int i = 0; i < CLAIMERS; i++) {
        assert_int_equal(claimers[i].result, 0);
        sum += claimers[i].count;
    }
    assert_int_equal(sum, JOBS);
    for (int job = 1; job <= JOBS; job++) {
        int owners = 0;
        for (int i = 0; i < CLAIMERS; i++)
            owners += claimers[i].has[job];
        assert_int_equal(owners, 1);
    }
    pthread_barrier_destroy(&start);
}

/* Somebody's claim of the first HELD jobs that is not committed yet. */
static PGconn *begin_claim(struct db_fixture *fixture)
{
    PGconn *connection = PQconnectdb(fixture->database.url);
    assert_int_equal(PQstatus(connection), CONNECTION_OK);
    PGresult *result =
        PQexec(connection, "BEGIN; UPDATE outbox SET owner = 101 WHERE id IN (SELECT id FROM "
                           "outbox ORDER BY expires_at LIMIT 10 FOR UPDATE)");
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    return connection;
}

/* Waiting would end in the server's lock_timeout: an error, whatever the machine's speed. */
static void no_claimer_waits_for_what_another_is_taking(void **state)
{
    struct db_fixture *fixture = *state;
    static struct claimer claimer;
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    leave_behind(fixture, JOBS / 10);
    live(fixture, FIRST_ALIVE);
    PGconn *other = begin_claim(fixture);
    struct db_statement claim = outbox_store_claim(fixture->db, FIRST_ALIVE, JOBS, now_ms(fixture));
    assert_int_equal(db_query(fixture->db, &claim, &rows, NULL), 0);
    claimer = (struct claimer){ .fixture = fixture };
    note(&claimer, rows);
    assert_int_equal(claimer.count, JOBS / 10 - HELD);
    for (int job = 1; job <= HELD; job++)
        assert_false(claimer.has[job]);
    PQfinish(other);
}

int main(void)
{
#define TEST(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, outbox_store_fixture_setup, db_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(no_job_is_claimed_twice),
        TEST(no_claimer_waits_for_what_another_is_taking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
