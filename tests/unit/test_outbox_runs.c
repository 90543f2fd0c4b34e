/* Deferred commands, and what outlives a process: who runs them, when their reply is sent, and what
 * the next process makes of what the last one left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sender_fixture.h"

#include <pthread.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MESSAGES 20

static void finish(struct sender_fixture *fixture, struct outbox_deferred *deferred,
                   const char *body)
{
    const struct outbox_message message = { .method = OUTBOX_EDIT, .body = str_from(body) };
    outbox_finish_run(fixture->outbox, deferred, body ? &message : NULL);
}

static void await_told(struct sender_fixture *fixture, enum outbox_stored stored, int count)
{
    while (atomic_load(&fixture->told[stored]) < count)
        usleep(1000);
}

/* --- Deferrals --- */

static void a_reply_is_sent_when_the_run_has_ended_and_the_answer_is_out(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, no_fault);
    sender_open(&fixture);
    struct outbox_deferred *unanswered = defer(&fixture, 0, OUTBOX_RUNS_HERE);
    struct outbox_deferred *unfinished = defer(&fixture, 1, OUTBOX_RUNS_HERE);
    finish(&fixture, unanswered, "{}");
    outbox_answered(fixture.outbox, unfinished);
    send_reply(&fixture, 2, OUTBOX_EDIT, "{}");
    AWAIT_ROWS(&fixture, "state = 'done'", 1);
    assert_int_equal(fixture.requests, 1);
    outbox_answered(fixture.outbox, unanswered);
    finish(&fixture, unfinished, "{}");
    sender_close(&fixture);
    assert_int_equal(fixture.requests, 3);
    sender_end(&fixture);
}

static void a_run_with_nothing_to_say_is_done(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, no_fault);
    sender_open(&fixture);
    struct outbox_deferred *deferred = defer(&fixture, 0, OUTBOX_RUNS_HERE);
    outbox_answered(fixture.outbox, deferred);
    finish(&fixture, deferred, NULL);
    AWAIT_ROWS(&fixture, "state = 'done' AND content IS NULL", 1);
    sender_close(&fixture);
    assert_int_equal(fixture.requests, 0);
    sender_end(&fixture);
}

static void of_a_repeated_request_nothing_is_sent_and_the_first_goes_on(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, no_fault);
    sender_open(&fixture);
    struct outbox_deferred *first = defer(&fixture, 0, OUTBOX_RUNS_HERE);
    await_told(&fixture, OUTBOX_STORED, 1);
    struct outbox_deferred *second = defer(&fixture, 0, OUTBOX_RUNS_HERE);
    await_told(&fixture, OUTBOX_DUPLICATE, 1);
    finish(&fixture, second, "{\"of\":\"the second\"}");
    outbox_answered(fixture.outbox, second);
    outbox_answered(fixture.outbox, first);
    finish(&fixture, first, "{\"of\":\"the first\"}");
    AWAIT_ROWS(&fixture, "state = 'done'", 1);
    struct outbox_deferred *third = defer(&fixture, 0, OUTBOX_RUNS_HERE);
    outbox_answered(fixture.outbox, third);
    finish(&fixture, third, "{\"of\":\"the third\"}");
    sender_close(&fixture);
    assert_int_equal(fixture.requests, 1);
    assert_string_equal(fixture.tokens[0].last, "{\"of\":\"the first\"}");
    sender_end(&fixture);
}

static void what_can_not_be_kept_is_said_at_once(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, no_fault);
    fixture.rules.count_max = 1;
    sender_open(&fixture);
    struct outbox_deferred *kept[2];
    for (int i = 0; i < 2; i++)
        kept[i] = defer(&fixture, i, OUTBOX_RUNS_HERE);
    await_told(&fixture, OUTBOX_STORED, 2);
    assert_null(defer(&fixture, 2, OUTBOX_RUNS_HERE));
    assert_int_equal(atomic_load(&fixture.told[OUTBOX_NOT_STORED]), 1);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_NOT_STORED), 1);
    outbox_answered(fixture.outbox, NULL);
    finish(&fixture, NULL, "{}");
    for (int i = 0; i < 2; i++) {
        outbox_answered(fixture.outbox, kept[i]);
        finish(&fixture, kept[i], NULL);
    }
    sender_close(&fixture);
    sender_end(&fixture);
}

/* --- Runs that are handed on --- */

struct runner {
    struct sender_fixture *fixture;
    atomic_int calls;
    int busy_calls; /* so many first calls are refused */
    int result;
};

static int run_now(void *context, struct outbox_deferred *deferred, struct str_view json,
                   const char request_id[REQUEST_ID_SIZE], bool is_started, struct err *err)
{
    struct runner *runner = context;
    char body[64];
    if (is_started) /* of replies that are POSTs only */
        return err_set(err, ERR_INVALID, "a run that ended before");
    if (atomic_fetch_add(&runner->calls, 1) < runner->busy_calls)
        return ERR_BUSY;
    if (runner->result != 0)
        return err_set(err, runner->result, "not understood");
    snprintf(body, sizeof(body), "%.*s of %s", STR_ARGS(json), request_id);
    finish(runner->fixture, deferred, body);
    return 0;
}

static void a_run_for_later_is_handed_on_once_it_is_answered(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    struct runner runner = { .fixture = &fixture, .busy_calls = 2 };
    sender_begin(&fixture, no_fault);
    sender_open(&fixture);
    outbox_open_runs(fixture.outbox, run_now, &runner);
    struct outbox_deferred *later = defer(&fixture, 0, OUTBOX_RUN_LATER);
    send_reply(&fixture, 1, OUTBOX_EDIT, "{}");
    AWAIT_ROWS(&fixture, "state = 'done'", 1);
    assert_int_equal(atomic_load(&runner.calls), 0);
    outbox_answered(fixture.outbox, later);
    AWAIT_ROWS(&fixture, "state = 'done'", 2);
    outbox_close_runs(fixture.outbox);
    sender_close(&fixture);
    assert_int_equal(atomic_load(&runner.calls), 3);
    assert_string_equal(fixture.tokens[0].last, "token-0 of request-000");
    sender_end(&fixture);
}

static void a_run_nobody_understands_is_dead(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    struct runner runner = { .fixture = &fixture, .result = ERR_INVALID };
    sender_begin(&fixture, no_fault);
    sender_open(&fixture);
    outbox_answered(fixture.outbox, defer(&fixture, 0, OUTBOX_RUN_LATER));
    outbox_open_runs(fixture.outbox, run_now, &runner);
    AWAIT_ROWS(&fixture, "state = 'dead' AND reason = 'run_failed'", 1);
    sender_close(&fixture);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_RUN_FAILED), 1);
    sender_end(&fixture);
}

struct blocker {
    sem_t has_begun, may_end;
    struct runner runner;
};

static int block_the_sender(void *context, struct outbox_deferred *deferred, struct str_view json,
                            const char request_id[REQUEST_ID_SIZE], bool is_started,
                            struct err *err)
{
    struct blocker *blocker = context;
    sem_post(&blocker->has_begun);
    sem_wait(&blocker->may_end);
    return run_now(&blocker->runner, deferred, json, request_id, is_started, err);
}

/* The journal looks again and again while nobody takes what it has brought. */
static void what_was_claimed_counts_before_the_sender_has_seen_it(void **state)
{
    (void)state;
    static const struct timespec several_polls = { .tv_nsec = 200 * 1000000 };
    struct sender_fixture fixture;
    struct blocker blocker = { .runner.fixture = &fixture };
    sem_init(&blocker.has_begun, 0, 0);
    sem_init(&blocker.may_end, 0, 0);
    sender_begin(&fixture, no_fault);
    fixture.rules.under_way_max = 0;
    sender_open(&fixture);
    for (int i = 1; i <= MESSAGES; i++)
        assert_int_equal(act(&fixture, i, FINAL, "text"), 0);
    outbox_free(STEAL(fixture.outbox), 0);
    assert_int_equal(
        db_fixture_run(fixture.base.db, "UPDATE outbox SET available_at = available_at + 60000"),
        0);

    fixture.rules = outbox_rules_default;
    fixture.rules.count_max = 3;
    fixture.rules.heartbeat_ms = 20;
    fixture.rules.poll_ms = 10;
    sender_open(&fixture);
    outbox_open_runs(fixture.outbox, block_the_sender, &blocker);
    outbox_answered(fixture.outbox, defer(&fixture, 0, OUTBOX_RUN_LATER));
    sem_wait(&blocker.has_begun);
    assert_int_equal(
        db_fixture_run(fixture.base.db, "UPDATE outbox SET available_at = available_at - 60000"),
        0);
    AWAIT_ROWS(&fixture, "state = 'leased'", 3);
    nanosleep(&several_polls, NULL);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'leased'"), 3);
    sem_post(&blocker.may_end);
    AWAIT_ROWS(&fixture, "state = 'done'", MESSAGES + 1);
    outbox_close_runs(fixture.outbox);
    sender_close(&fixture);
    sem_destroy(&blocker.has_begun);
    sem_destroy(&blocker.may_end);
    sender_end(&fixture);
}

/* --- The end --- */

struct holder {
    sem_t has_begun, may_end;
    atomic_bool has_held;
};

static int hold_the_sender(void *context, struct outbox_deferred *deferred, struct str_view json,
                           const char request_id[REQUEST_ID_SIZE], bool is_started, struct err *err)
{
    struct holder *holder = context;
    (void)deferred, (void)json, (void)request_id, (void)is_started, (void)err;
    if (!atomic_exchange(&holder->has_held, true)) {
        sem_post(&holder->has_begun);
        sem_wait(&holder->may_end);
    }
    return ERR_BUSY;
}

static void *stop(void *outbox)
{
    outbox_free(outbox, FREE_MS);
    return NULL;
}

static bool is_stopping(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool is_true = outbox->is_stopping;
    pthread_mutex_unlock(&outbox->lock);
    return is_true;
}

/* It comes after the sender has looked for news, and before it asks whether all is done. */
static void what_is_loaded_at_the_last_moment_is_sent(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    struct holder holder = { .has_held = false };
    pthread_t stopper;
    sem_init(&holder.has_begun, 0, 0);
    sem_init(&holder.may_end, 0, 0);
    sender_begin(&fixture, no_fault);
    sender_open(&fixture);
    struct outbox *outbox = fixture.outbox;
    outbox_open_runs(outbox, hold_the_sender, &holder);
    struct outbox_deferred *later = defer(&fixture, 0, OUTBOX_RUN_LATER);
    await_told(&fixture, OUTBOX_STORED, 1);
    atomic_fetch_add(&outbox->changing, 1); /* it does not end before we say so */
    assert_int_equal(pthread_create(&stopper, NULL, stop, outbox), 0);
    while (!is_stopping(outbox))
        usleep(1000);
    outbox_answered(outbox, later);
    sem_wait(&holder.has_begun);
    assert_int_equal(act(&fixture, 1, FOLLOW, "text"), 0);
    while (atomic_load(&outbox->changing) > 1)
        usleep(1000);
    atomic_fetch_sub(&outbox->changing, 1);
    sem_post(&holder.may_end);
    pthread_join(stopper, NULL);
    fixture.outbox = NULL;
    assert_int_equal(fixture.tokens[1].posts, 1);
    sem_destroy(&holder.has_begun);
    sem_destroy(&holder.may_end);
    sender_end(&fixture);
}

/* --- The next process --- */

static void all_that_was_stored_arrives_after_a_restart(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    struct runner runner = { .fixture = &fixture };
    sender_begin(&fixture, no_fault);
    fixture.rules.poll_ms = 10;
    sender_open(&fixture);
    for (int i = 0; i < MESSAGES; i++)
        assert_int_equal(act(&fixture, i, FINAL, "text"), 0);
    outbox_answered(fixture.outbox, defer(&fixture, MESSAGES, OUTBOX_RUN_LATER));
    await_told(&fixture, OUTBOX_STORED, 1);
    outbox_free(STEAL(fixture.outbox), 0);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'leased'"), 0);
    sender_open(&fixture);
    outbox_open_runs(fixture.outbox, run_now, &runner);
    AWAIT_ROWS(&fixture, "state = 'done'", MESSAGES + 1);
    for (int i = 0; i <= MESSAGES; i++)
        assert_true(fixture.tokens[i].effects >= 1);
    sender_close(&fixture);
    sender_end(&fixture);
}

static void stall_first(struct token *token, struct script_answer *answer, bool *has_effect)
{
    *has_effect = token->tries > 1;
    answer->fate = *has_effect ? SCRIPT_ANSWER : SCRIPT_STALL;
}

static bool first_token_was_tried(void *context)
{
    return ((const struct sender_fixture *)context)->tokens[0].tries == 1;
}

static void what_a_killed_process_had_is_taken_over(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    struct runner runner = { .fixture = &fixture };
    sender_begin(&fixture, stall_first);
    struct outbox *killed = sender_open_mortal(&fixture);
    assert_int_equal(act(&fixture, 0, FINAL, "an edit"), 0);
    struct outbox_deferred *running = defer(&fixture, 1, OUTBOX_RUNS_HERE);
    await_told(&fixture, OUTBOX_STORED, 1);
    outbox_answered(fixture.outbox, running);
    script_server_wait(fixture.server, first_token_was_tried);
    sender_kill(&fixture, killed);
    fixture.tokens[1].tries = 1; /* only the edit's first request stalls */
    sender_open(&fixture);
    outbox_open_runs(fixture.outbox, run_now, &runner);
    AWAIT_ROWS(&fixture, "state = 'done'", 2);
    assert_string_equal(fixture.tokens[0].last, "an edit");
    assert_string_equal(fixture.tokens[1].last, "token-1 of request-001");
    /* It was only asleep: what it still says is not heard. */
    struct outbox *successor = fixture.outbox;
    fixture.outbox = killed;
    finish(&fixture, running, "{\"of\":\"the dead\"}");
    outbox_free(killed, 0);
    fixture.outbox = successor;
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[1].effects, 1);
    sender_end(&fixture);
}

static void a_follow_up_that_was_under_way_is_not_repeated_by_the_next_process(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, stall_first);
    struct outbox *killed = sender_open_mortal(&fixture);
    assert_int_equal(act(&fixture, 0, FOLLOW, "text"), 0);
    script_server_wait(fixture.server, first_token_was_tried);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'leased' AND is_started = 1"), 1);
    sender_kill(&fixture, killed);
    sender_open(&fixture);
    AWAIT_ROWS(&fixture, "state = 'dead' AND reason = 'uncertain'", 1);
    outbox_free(killed, 0);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[0].tries, 1);
    sender_end(&fixture);
}

static void a_follow_up_under_way_at_the_end_is_reported(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, stall_first);
    sender_open(&fixture);
    assert_int_equal(act(&fixture, 0, FOLLOW, "text"), 0);
    script_server_wait(fixture.server, first_token_was_tried);
    outbox_free(STEAL(fixture.outbox), 0);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_UNCERTAIN), 1);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'dead' AND reason = 'uncertain'"), 1);
    sender_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_sent_when_the_run_has_ended_and_the_answer_is_out),
        cmocka_unit_test(a_run_with_nothing_to_say_is_done),
        cmocka_unit_test(of_a_repeated_request_nothing_is_sent_and_the_first_goes_on),
        cmocka_unit_test(what_can_not_be_kept_is_said_at_once),
        cmocka_unit_test(a_run_for_later_is_handed_on_once_it_is_answered),
        cmocka_unit_test(a_run_nobody_understands_is_dead),
        cmocka_unit_test(what_was_claimed_counts_before_the_sender_has_seen_it),
        cmocka_unit_test(what_is_loaded_at_the_last_moment_is_sent),
        cmocka_unit_test(all_that_was_stored_arrives_after_a_restart),
        cmocka_unit_test(what_a_killed_process_had_is_taken_over),
        cmocka_unit_test(a_follow_up_that_was_under_way_is_not_repeated_by_the_next_process),
        cmocka_unit_test(a_follow_up_under_way_at_the_end_is_reported),
    };
    return cmocka_run_group_tests(tests, sender_setup, NULL);
}
