/* A reply that one person may see to a deferral that everybody sees: it arrives and @original goes
 * away, or @original apologises and the job is dead; it is never sent twice, whoever dies or stops
 * in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/memory.h"
#include "outbox/outbox_admin.h"
#include "sender_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- What Discord does --- */

/* What becomes of each request in turn, and then well: '4' 429, '5' 502, 'x' refused, 'g' the
 * message is gone, 'd' the token is dead, 'r' reset before the effect, 'R' after it. */
struct private_case {
    const char *fates;
    const char *methods, *last; /* the requests, and the last message Discord took in */
    int posts;                  /* that it took in */
    const char *state;          /* of the row, with its reason */
};

static const struct private_case private_cases[] = {
    { "", "PpD", "answer", 1, "done" },
    { "4", "PPpD", "answer", 1, "done" },
    { ".4", "PppD", "answer", 1, "done" },
    { "..4", "PpDD", "answer", 1, "done" },
    { "5r", "PPPpD", "answer", 1, "done" },
    { "..5R", "PpDDD", "answer", 1, "done" },
    { ".R", "PpP", "sorry", 1, "dead uncertain" },
    { ".r", "PpP", "sorry", 0, "dead uncertain" },
    { ".5", "PpP", "sorry", 0, "dead uncertain" },
    { ".x", "PpP", "sorry", 0, "dead refused" },
    { ".R5r4", "PpPPPP", "sorry", 1, "dead uncertain" },
    { "g", "PpD", "answer", 1, "done" },
    { "..g", "PpD", "answer", 1, "done" },
    { ".Rg", "PpP", "answer", 1, "dead uncertain" },
    { ".Rx", "PpP", "answer", 1, "dead uncertain" },
    { "x", "P", "", 0, "dead refused" },
    { "..x", "PpD", "answer", 1, "done" },
    { "d", "P", "", 0, "dead token_dead" },
    { ".d", "Pp", "notice", 0, "dead token_dead" },
    { "..d", "PpD", "answer", 1, "done" },
    { ".Rd", "PpP", "answer", 1, "dead uncertain" },
};

static void meet_its_fate(struct token *token, struct script_answer *answer, bool *has_effect)
{
    const char *fates = private_cases[token->number].fates;
    switch ((size_t)token->tries <= strlen(fates) ? fates[token->tries - 1] : '.') {
    case '4':
        answer->headers = "Via: 1.1 google\r\nRetry-After: 1\r\nContent-Type: application/json\r\n";
        refuse_with(answer, has_effect, 429, "{\"retry_after\":0.02,\"global\":false}");
        break;
    case '5':
        refuse_with(answer, has_effect, 502, "<html>502</html>");
        break;
    case 'x':
        refuse_with(answer, has_effect, 400, "{\"code\":50035}");
        break;
    case 'g':
        refuse_with(answer, has_effect, 404, GONE);
        break;
    case 'd':
        refuse_with(answer, has_effect, 401, DEAD);
        break;
    case 'r':
        *has_effect = false;
        answer->fate = SCRIPT_RESET;
        break;
    case 'R':
        answer->fate = SCRIPT_RESET;
        break;
    default:
        break;
    }
}

static bool is_over_as(struct sender_fixture *fixture, int token, const char *state)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "SELECT COUNT(*) FROM outbox WHERE interaction_id = %lld "
             "AND state || COALESCE(' ' || reason, '') = '%s'",
             (long long)id_of_token(fixture, token), state);
    return db_fixture_number(fixture->base.db, sql) == 1;
}

static void a_private_reply_arrives_once_or_is_apologised_for(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    int arrived = 0;
    sender_begin(&fixture, meet_its_fate);
    sender_open(&fixture);
    for (int i = 0; i < (int)ARRAY_LENGTH(private_cases); i++)
        send_private_reply(&fixture, i);
    sender_close(&fixture);
    CLEANUP(cleanup_free) char *log = read_log(&fixture);
    for (int i = 0; i < (int)ARRAY_LENGTH(private_cases); i++) {
        const struct private_case *expected = &private_cases[i];
        const struct token *token = &fixture.tokens[i];
        char request_id[16];
        bool is_done = strcmp(expected->state, "done") == 0;
        print_message("%-6s %s\n", expected->fates, token->methods);
        assert_string_equal(token->methods, expected->methods);
        assert_string_equal(token->last, expected->last);
        assert_int_equal(token->posts, expected->posts);
        assert_true(is_over_as(&fixture, i, expected->state));
        snprintf(request_id, sizeof(request_id), "request-%03d", i);
        assert_int_equal(count_lines_with(log, "message given up", request_id), is_done ? 0 : 1);
        arrived += is_done;
    }
    assert_int_equal(sent(&fixture), arrived);
    assert_int_equal(metrics_read(fixture.base.metrics, METRIC_OUTBOX_DELAY, 0), arrived);
    sender_end(&fixture);
}

static void refuse_the_first_answer(struct token *token, struct script_answer *answer,
                                    bool *has_effect)
{
    if (token->tries == 2)
        refuse_with(answer, has_effect, 400, "{\"code\":50035}");
}

static void an_apology_keeps_its_distance_from_the_notice(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, refuse_the_first_answer);
    fixture.edit_floor_ms = 200;
    sender_open(&fixture);
    send_private_reply(&fixture, 0);
    sender_close(&fixture);
    assert_string_equal(fixture.tokens[0].methods, "PpP");
    assert_in_range(fixture.tokens[0].closest_us, 200000, INT64_MAX);
    sender_end(&fixture);
}

static struct {
    const struct db_engine *lower;
    struct db_engine upper;
    atomic_bool is_mute; /* heartbeats fail */
} heart;

static int query_with_heart(struct db *db, const struct db_statement *statement,
                            struct db_rows **rows, struct err *err)
{
    if (atomic_load(&heart.is_mute) && strstr(statement->sql, "INSERT INTO instance"))
        return err_set(err, ERR_UNAVAILABLE, "away for a test");
    return heart.lower->query(db, statement, rows, err);
}

/* The first has to wait for a limit, of the second nothing is heard. */
static void hold_the_clearing(struct token *token, struct script_answer *answer, bool *has_effect)
{
    if (strcmp(token->methods, "PpD") != 0)
        return;
    *has_effect = false;
    answer->fate = token->number == 1 ? SCRIPT_STALL : SCRIPT_ANSWER;
    if (token->number == 1)
        return;
    answer->headers = "Via: 1.1 google\r\nRetry-After: 60\r\nContent-Type: application/json\r\n";
    refuse_with(answer, has_effect, 429, "{\"retry_after\":60,\"global\":false}");
}

static bool clearing_is_held(void *context)
{
    const struct sender_fixture *fixture = context;
    return fixture->tokens[0].tries == 3 && fixture->tokens[1].tries == 3;
}

/* Nobody has taken them over, and nobody is to apologise for what has arrived. */
static void a_private_answer_that_arrived_is_done_when_the_lease_is_lost(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, hold_the_clearing);
    heart.lower = fixture.base.db->engine;
    heart.upper = *heart.lower;
    heart.upper.query = query_with_heart;
    fixture.base.db->engine = &heart.upper;
    fixture.rules.lease_ms = SENDER_LEASE_MS;
    fixture.rules.heartbeat_ms = 20;
    fixture.rules.poll_ms = 10;
    fixture.rules.total_ms = 2000;
    sender_open(&fixture);
    for (int i = 0; i < 2; i++)
        send_private_reply(&fixture, i);
    script_server_wait(fixture.server, clearing_is_held);
    atomic_store(&heart.is_mute, true);
    sender_end_lease(&fixture, fixture.outbox);
    AWAIT_ROWS(&fixture, "state = 'done' AND is_started = 1", 2);
    atomic_store(&heart.is_mute, false);
    sender_close(&fixture);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fixture.tokens[i].posts, 1);
    sender_end(&fixture);
}

/* --- The next process --- */

struct runner {
    struct sender_fixture *fixture;
    bool is_silent; /* about what may not have arrived */
};

/* Whatever else the message has is not sent. */
static void apologise(struct runner *runner, struct outbox_deferred *deferred)
{
    const struct outbox_message message = { .method = OUTBOX_FOLLOW_UP,
                                            .body = STR("{\"content\":\"again\"}"),
                                            .notice = STR("{\"content\":\"notice\"}"),
                                            .apology = STR("{\"content\":\"sorry\"}") };
    outbox_finish_run(runner->fixture->outbox, deferred, runner->is_silent ? NULL : &message);
}

static int run_again(void *context, struct outbox_deferred *deferred, struct str_view json,
                     const char request_id[REQUEST_ID_SIZE], bool is_started, struct err *err)
{
    struct runner *runner = context;
    const struct outbox_message message = { .method = OUTBOX_EDIT,
                                            .body = STR("{\"content\":\"again\"}") };
    (void)json, (void)request_id, (void)err;
    if (is_started)
        apologise(runner, deferred);
    else
        outbox_finish_run(runner->fixture->outbox, deferred, &message);
    return 0;
}

static void stall_the_answer(struct token *token, struct script_answer *answer, bool *has_effect)
{
    (void)has_effect;
    if (strcmp(token->methods, "Pp") == 0)
        answer->fate = SCRIPT_STALL;
}

static void stall_the_clearing(struct token *token, struct script_answer *answer, bool *has_effect)
{
    (void)has_effect;
    if (strcmp(token->methods, "PpD") == 0)
        answer->fate = SCRIPT_STALL;
}

static void reset_the_answer(struct token *token, struct script_answer *answer, bool *has_effect)
{
    *has_effect = strcmp(token->methods, "Pp") != 0;
    answer->fate = *has_effect ? SCRIPT_ANSWER : SCRIPT_RESET;
}

static bool answer_was_tried(void *context)
{
    return ((const struct sender_fixture *)context)->tokens[0].tries == 2;
}

static bool clearing_was_tried(void *context)
{
    return ((const struct sender_fixture *)context)->tokens[0].tries == 3;
}

/* The process that was sending dies with its request under way, without a word; the next finds its
 * rows at once. */
static void next_process_apologises(fault *stall, bool (*is_stalled)(void *context),
                                    const char *methods, bool is_silent)
{
    struct sender_fixture fixture;
    struct runner runner = { .fixture = &fixture, .is_silent = is_silent };
    sender_begin(&fixture, stall);
    fixture.rules.heartbeat_ms = FREE_MS;
    sender_open(&fixture);
    send_private_reply(&fixture, 0);
    script_server_wait(fixture.server, is_stalled);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'leased' AND is_started = 1"), 1);
    struct outbox *killed = STEAL(fixture.outbox);
    assert_int_equal(db_fixture_run(fixture.base.db, "DELETE FROM instance"), 0);
    fixture.rules.heartbeat_ms = 20;
    fixture.rules.poll_ms = 10;
    sender_open(&fixture);
    outbox_open_runs(fixture.outbox, run_again, &runner);
    AWAIT_ROWS(&fixture, "state = 'dead' AND reason = 'uncertain'", 1);
    outbox_free(killed, 0);
    outbox_close_runs(fixture.outbox);
    sender_close(&fixture);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'dead' AND reason = 'uncertain'"), 1);
    assert_string_equal(fixture.tokens[0].methods, methods);
    assert_int_equal(fixture.tokens[0].posts, 1);
    assert_string_equal(fixture.tokens[0].last, is_silent ? "answer" : "sorry");
    sender_end(&fixture);
}

static void a_private_answer_under_way_in_a_killed_process_is_apologised_for(void **state)
{
    (void)state;
    next_process_apologises(stall_the_answer, answer_was_tried, "PpP", false);
}

static void a_private_answer_that_arrived_is_not_repeated_after_a_kill(void **state)
{
    (void)state;
    next_process_apologises(stall_the_clearing, clearing_was_tried, "PpDP", false);
}

/* As for a click, whose message is not ours to overwrite. */
static void without_words_for_it_an_uncertain_run_is_dead_all_the_same(void **state)
{
    (void)state;
    next_process_apologises(stall_the_answer, answer_was_tried, "Pp", true);
}

static void a_private_answer_under_way_at_the_end_is_apologised_for_by_the_next(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    struct runner runner = { .fixture = &fixture };
    sender_begin(&fixture, stall_the_answer);
    fixture.rules.poll_ms = 10;
    sender_open(&fixture);
    send_private_reply(&fixture, 0);
    script_server_wait(fixture.server, answer_was_tried);
    outbox_free(STEAL(fixture.outbox), 0);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'queued' AND is_started = 1"), 1);
    sender_open(&fixture);
    outbox_open_runs(fixture.outbox, run_again, &runner);
    AWAIT_ROWS(&fixture, "state = 'dead' AND reason = 'uncertain'", 1);
    outbox_close_runs(fixture.outbox);
    sender_close(&fixture);
    assert_string_equal(fixture.tokens[0].methods, "PpP");
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_UNCERTAIN), 1);
    sender_end(&fixture);
}

static void a_private_answer_that_arrived_is_done_when_the_process_ends(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, stall_the_clearing);
    sender_open(&fixture);
    send_private_reply(&fixture, 0);
    script_server_wait(fixture.server, clearing_was_tried);
    outbox_free(STEAL(fixture.outbox), 0);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'done'"), 1);
    assert_string_equal(fixture.tokens[0].methods, "PpD");
    sender_end(&fixture);
}

/* An operator's retry is the whole once more. */
static void a_private_reply_that_was_lost_can_be_tried_again(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    struct runner runner = { .fixture = &fixture };
    sender_begin(&fixture, reset_the_answer);
    fixture.rules.heartbeat_ms = 20;
    fixture.rules.poll_ms = 10;
    sender_open(&fixture);
    outbox_open_runs(fixture.outbox, run_again, &runner);
    send_private_reply(&fixture, 0);
    AWAIT_ROWS(&fixture, "state = 'dead' AND reason = 'uncertain'", 1);
    int64_t id = db_fixture_number(fixture.base.db, "SELECT id FROM outbox");
    int64_t now_ms = clock_wall_ms(&fixture.base.clock.clock);
    assert_int_equal(outbox_admin_retry(fixture.base.db, id, now_ms, NULL), 0);
    AWAIT_ROWS(&fixture, "state = 'done'", 1);
    outbox_close_runs(fixture.outbox);
    sender_close(&fixture);
    assert_string_equal(fixture.tokens[0].methods, "PpPP");
    assert_string_equal(fixture.tokens[0].last, "again");
    sender_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_private_reply_arrives_once_or_is_apologised_for),
        cmocka_unit_test(an_apology_keeps_its_distance_from_the_notice),
        cmocka_unit_test(a_private_answer_that_arrived_is_done_when_the_lease_is_lost),
        cmocka_unit_test(a_private_answer_under_way_in_a_killed_process_is_apologised_for),
        cmocka_unit_test(a_private_answer_that_arrived_is_not_repeated_after_a_kill),
        cmocka_unit_test(without_words_for_it_an_uncertain_run_is_dead_all_the_same),
        cmocka_unit_test(a_private_answer_under_way_at_the_end_is_apologised_for_by_the_next),
        cmocka_unit_test(a_private_answer_that_arrived_is_done_when_the_process_ends),
        cmocka_unit_test(a_private_reply_that_was_lost_can_be_tried_again),
    };
    return cmocka_run_group_tests(tests, sender_setup, NULL);
}
