/* The outbox against a Discord that misbehaves: every edit arrives at every fault, no follow-up
 * arrives twice, dead tokens and bans are respected, nothing is lost without a line, a count and a
 * row that says why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/bot_process.h"
#include "harness/interaction_json.h"
#include "harness/memory.h"
#include "sender_fixture.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGES 20

/* --- Faults: each token meets them once or thrice, then all is well --- */

static void not_yet_thrice(struct token *token, struct script_answer *answer, bool *has_effect)
{
    if (token->tries <= 3)
        refuse_with(answer, has_effect, 404, NOT_YET);
}

static void rate_limited_first(struct token *token, struct script_answer *answer, bool *has_effect)
{
    if (token->tries > 1)
        return;
    answer->headers = "Via: 1.1 google\r\nRetry-After: 1\r\nContent-Type: application/json\r\n";
    refuse_with(answer, has_effect, 429, "{\"retry_after\":0.02,\"global\":false}");
}

static void banned_first(struct token *token, struct script_answer *answer, bool *has_effect)
{
    if (token->tries > 1)
        return;
    answer->headers = "Retry-After: 0.02\r\nContent-Type: text/html\r\n";
    refuse_with(answer, has_effect, 429, "<html>error 1015</html>");
}

static void bad_gateway_thrice(struct token *token, struct script_answer *answer, bool *has_effect)
{
    if (token->tries <= 3)
        refuse_with(answer, has_effect, 502, "<html>502</html>");
}

static void bad_gateway_after_the_effect(struct token *token, struct script_answer *answer,
                                         bool *has_effect)
{
    if (token->tries == 1)
        refuse_with(answer, has_effect, 502, "<html>502</html>");
    *has_effect = true;
}

static void reset_before_the_effect(struct token *token, struct script_answer *answer,
                                    bool *has_effect)
{
    *has_effect = token->tries > 1;
    answer->fate = *has_effect ? SCRIPT_ANSWER : SCRIPT_RESET;
}

static void reset_after_the_effect(struct token *token, struct script_answer *answer,
                                   bool *has_effect)
{
    (void)has_effect;
    answer->fate = token->tries > 1 ? SCRIPT_ANSWER : SCRIPT_RESET;
}

static void stall_first(struct token *token, struct script_answer *answer, bool *has_effect)
{
    *has_effect = token->tries > 1;
    answer->fate = *has_effect ? SCRIPT_ANSWER : SCRIPT_STALL;
}

static void always_dead(struct token *token, struct script_answer *answer, bool *has_effect)
{
    (void)token;
    refuse_with(answer, has_effect, 401, DEAD);
}

static void never_known(struct token *token, struct script_answer *answer, bool *has_effect)
{
    (void)token;
    refuse_with(answer, has_effect, 404, NOT_YET);
}

static void always_stalled(struct token *token, struct script_answer *answer, bool *has_effect)
{
    (void)token;
    *has_effect = false;
    answer->fate = SCRIPT_STALL;
}

static void always_wrong(struct token *token, struct script_answer *answer, bool *has_effect)
{
    (void)token;
    refuse_with(answer, has_effect, 400, "{\"message\":\"Invalid Form Body\",\"code\":50035}");
}

static void send_all(struct sender_fixture *fixture, enum outbox_method method)
{
    for (int i = 0; i < MESSAGES; i++)
        send_reply(fixture, i, method, "{}");
}

/* --- Edits --- */

struct fault_case {
    const char *name;
    fault *fault;
    int effects;      /* of each edit */
    int retry;        /* the reason counted, at least once for each message; -1: none */
    int64_t total_ms; /* 0: the usual time-out */
};

static void all_edits_arrive_at_each_fault(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        { "none", no_fault, 1, -1, 0 },
        { "404/10015 first", not_yet_thrice, 1, OUTBOX_RETRY_NOT_YET, 0 },
        { "429", rate_limited_first, 1, OUTBOX_RETRY_RATE_LIMITED, 0 },
        { "429 of Cloudflare", banned_first, 1, OUTBOX_RETRY_BANNED, 0 },
        { "502", bad_gateway_thrice, 1, OUTBOX_RETRY_SERVER_ERROR, 0 },
        { "502 after the effect", bad_gateway_after_the_effect, 2, OUTBOX_RETRY_SERVER_ERROR, 0 },
        { "reset", reset_before_the_effect, 1, OUTBOX_RETRY_NETWORK, 0 },
        { "reset after the effect", reset_after_the_effect, 2, OUTBOX_RETRY_NETWORK, 0 },
        { "stall", stall_first, 1, OUTBOX_RETRY_NETWORK, 500 },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct sender_fixture fixture;
        sender_begin(&fixture, cases[i].fault);
        if (cases[i].total_ms)
            fixture.rules.total_ms = cases[i].total_ms;
        sender_open(&fixture);
        send_all(&fixture, OUTBOX_EDIT);
        sender_close(&fixture);
        print_message("%s: %d of %d edits arrived, %d requests\n", cases[i].name,
                      (int)sent(&fixture), MESSAGES, fixture.requests);
        assert_int_equal(sent(&fixture), MESSAGES);
        for (int token = 0; token < MESSAGES; token++)
            assert_in_range(fixture.tokens[token].effects, cases[i].effects, 10);
        if (cases[i].retry >= 0)
            assert_true(retried(&fixture, (enum outbox_retry)cases[i].retry) > 0);
        assert_int_equal(metrics_read(fixture.base.metrics, METRIC_OUTBOX_DELAY, 0), MESSAGES);
        assert_int_equal(ROWS_WHERE(&fixture, "state = 'done' AND content IS NULL"), MESSAGES);
        assert_int_equal(atomic_load(&fixture.told[OUTBOX_STORED]) +
                             atomic_load(&fixture.told[OUTBOX_LATE]),
                         MESSAGES);
        sender_end(&fixture);
    }
}

static void edits_arrive_when_discord_comes_back(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    char url[64];
    sender_begin(&fixture, no_fault);
    script_server_stop(fixture.server);
    uint16_t port = harness_free_port();
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/api", port);
    sender_open_at(&fixture, url);
    send_all(&fixture, OUTBOX_EDIT);
    send_reply(&fixture, MESSAGES, OUTBOX_FOLLOW_UP, "{}");
    while (retried(&fixture, OUTBOX_RETRY_NETWORK) < 2 * MESSAGES)
        usleep(1000);
    fixture.server = script_server_start(port, sender_discord, &fixture);
    sender_close(&fixture);
    assert_int_equal(sent(&fixture), MESSAGES + 1);
    assert_int_equal(fixture.tokens[MESSAGES].effects, 1);
    sender_end(&fixture);
}

static void files_arrive_with_their_message(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, bad_gateway_thrice);
    sender_open(&fixture);
    char bytes[] = "the file";
    const struct reply_attachment file = { STR("a.txt"), { bytes, 8 } };
    const struct outbox_message message = {
        .method = OUTBOX_EDIT,
        .body = STR("{\"attachments\":[]}"),
        .files = &file,
        .file_count = 1,
    };
    struct outbox_deferred *deferred = defer(&fixture, 0, OUTBOX_RUNS_HERE);
    outbox_finish_run(fixture.outbox, deferred, &message);
    memset(bytes, 'x', sizeof(bytes)); /* what is sent is a copy */
    outbox_answered(fixture.outbox, deferred);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[0].effects, 1);
    assert_true(str_starts_with(str_from(fixture.tokens[0].last), STR("---")));
    sender_end(&fixture);
}

/* --- Follow-ups --- */

static void no_follow_up_arrives_twice(void **state)
{
    (void)state;
    static const struct {
        fault *fault;
        int effects, requests; /* of each */
        bool is_lost;
    } cases[] = {
        { no_fault, 1, 1, false },
        { not_yet_thrice, 1, 4, false },
        { rate_limited_first, 1, 2, false },
        { banned_first, 1, 2, false },
        { bad_gateway_thrice, 0, 1, true },
        { bad_gateway_after_the_effect, 1, 1, true },
        { reset_before_the_effect, 0, 1, true },
        { reset_after_the_effect, 1, 1, true },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct sender_fixture fixture;
        sender_begin(&fixture, cases[i].fault);
        sender_open(&fixture);
        for (int token = 0; token < MESSAGES; token++)
            assert_int_equal(act(&fixture, token, FOLLOW, "hello"), 0);
        sender_close(&fixture);
        assert_int_equal(sent(&fixture), cases[i].is_lost ? 0 : MESSAGES);
        assert_int_equal(given_up(&fixture, OUTBOX_LOSS_UNCERTAIN),
                         cases[i].is_lost ? MESSAGES : 0);
        assert_int_equal(ROWS_WHERE(&fixture, "state = 'dead' AND reason = 'uncertain'"),
                         cases[i].is_lost ? MESSAGES : 0);
        for (int token = 0; token < MESSAGES; token++) {
            assert_int_equal(fixture.tokens[token].effects, cases[i].effects);
            assert_int_equal(fixture.tokens[token].tries, cases[i].requests);
        }
        sender_end(&fixture);
    }
}

static void reset_a_second_message(struct token *token, struct script_answer *answer,
                                   bool *has_effect)
{
    (void)has_effect;
    answer->fate = token->tries > 1 ? SCRIPT_RESET : SCRIPT_ANSWER;
}

/* libcurl repeats by itself what is lost on a connection that was used before. */
static void a_follow_up_on_a_connection_that_dies_arrives_once(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, reset_a_second_message);
    sender_open(&fixture);
    assert_int_equal(act(&fixture, 0, FRAME, "edit"), 0);
    AWAIT_ROWS(&fixture, "state = 'done'", 1);
    assert_int_equal(act(&fixture, 0, FOLLOW, "follow-up"), 0);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[0].tries, 2);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_UNCERTAIN), 1);
    sender_end(&fixture);
}

/* A database whose commits of marks are not heard of: every other is made all the same. */
static struct {
    const struct db_engine *lower;
    struct db_engine upper;
    atomic_int unheard; /* so far */
    bool was_early;     /* a request came before its mark was known */
} marks;

#define UNHEARD_MARKS 4

static int commit_unheard(struct db *db, const struct db_statement *statements, int count,
                          struct db_rows **results, struct err *err)
{
    bool has_mark = false;
    for (int i = 0; i < count; i++)
        has_mark |= strstr(statements[i].sql, "SET is_started") != NULL;
    if (!has_mark || atomic_load(&marks.unheard) == UNHEARD_MARKS)
        return marks.lower->atomic(db, statements, count, results, err);
    struct db_rows *unread[DB_MAX_STATEMENTS] = { 0 };
    if (atomic_fetch_add(&marks.unheard, 1) % 2 == 0 &&
        marks.lower->atomic(db, statements, count, unread, err) == 0)
        for (int i = 0; i < count; i++)
            db_rows_free(unread[i]);
    return err_set(err, ERR_UNKNOWN, "the answer was lost");
}

static void look_whether_the_mark_is_known(struct token *token, struct script_answer *answer,
                                           bool *has_effect)
{
    (void)token, (void)answer, (void)has_effect;
    marks.was_early |= atomic_load(&marks.unheard) < UNHEARD_MARKS;
}

static void a_follow_up_waits_until_its_mark_is_known(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, look_whether_the_mark_is_known);
    marks.lower = fixture.base.db->engine;
    marks.upper = *marks.lower;
    marks.upper.atomic = commit_unheard;
    fixture.base.db->engine = &marks.upper;
    sender_open(&fixture);
    assert_int_equal(act(&fixture, 0, FOLLOW, "text"), 0);
    AWAIT_ROWS(&fixture, "state = 'done'", 1);
    sender_close(&fixture);
    assert_int_equal(atomic_load(&marks.unheard), UNHEARD_MARKS);
    assert_false(marks.was_early);
    assert_int_equal(fixture.tokens[0].posts, 1);
    sender_end(&fixture);
}

/* --- Order --- */

static void messages_of_a_token_arrive_in_their_order(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    char text[16];
    sender_begin(&fixture, not_yet_thrice);
    sender_open(&fixture);
    for (int i = 0; i < 10; i++) {
        snprintf(text, sizeof(text), "number %d", i);
        assert_int_equal(act(&fixture, 0, FOLLOW, text), 0);
    }
    sender_close(&fixture);
    assert_int_equal(sent(&fixture), 10);
    assert_int_equal(fixture.tokens[0].effects, 10);
    assert_string_equal(fixture.tokens[0].last, "number 9");
    assert_false(fixture.tokens[0].is_disordered);
    sender_end(&fixture);
}

static bool second_token_is_done(void *context)
{
    const struct sender_fixture *fixture = context;
    return fixture->tokens[1].effects == 1;
}

static void stall_the_first_token(struct token *token, struct script_answer *answer,
                                  bool *has_effect)
{
    if (strcmp(token->last, "first") != 0)
        return;
    *has_effect = false;
    answer->fate = SCRIPT_STALL;
}

static void a_token_has_one_request_under_way_and_others_go_on(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, stall_the_first_token);
    snprintf(fixture.tokens[0].last, sizeof(fixture.tokens[0].last), "first");
    sender_open(&fixture);
    for (int i = 0; i < 5; i++)
        assert_int_equal(act(&fixture, 0, i == 0 ? FRAME : FOLLOW, "text"), 0);
    assert_int_equal(act(&fixture, 1, FRAME, "text"), 0);
    script_server_wait(fixture.server, second_token_is_done);
    AWAIT_ROWS(&fixture, "state = 'done'", 1);
    outbox_free(STEAL(fixture.outbox), 0);
    assert_in_range(fixture.tokens[0].tries, 0, 1);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'queued'"), 5); /* handed back */
    sender_end(&fixture);
}

/* --- Dead tokens --- */

static void a_dead_token_is_never_tried_again(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, always_dead);
    sender_open(&fixture);
    for (int i = 0; i < 5; i++)
        assert_int_equal(act(&fixture, 7, i == 0 ? FRAME : FOLLOW, "text"), 0);
    AWAIT_ROWS(&fixture, "state = 'dead' AND reason = 'token_dead'", 5);
    assert_int_equal(act(&fixture, 7, FOLLOW, "text"), 0);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[7].tries, 1);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_TOKEN_DEAD), 6);
    CLEANUP(cleanup_free) char *log = read_log(&fixture);
    assert_int_equal(count_lines_with(log, "given up", "reason=token_dead"), 6);
    assert_null(strstr(log, "token-"));
    sender_end(&fixture);
}

static void a_token_unknown_after_the_window_is_dead(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, never_known);
    fixture.rules.not_yet_window_ms = 0;
    sender_open(&fixture);
    send_all(&fixture, OUTBOX_EDIT);
    sender_close(&fixture);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_TOKEN_DEAD), MESSAGES);
    assert_int_equal(fixture.requests, MESSAGES);
    sender_end(&fixture);
}

static void what_is_older_than_its_token_is_not_sent(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, no_fault);
    fixture.begun_ms -= 15 * MS_PER_MINUTE;
    sender_open(&fixture);
    send_reply(&fixture, 0, OUTBOX_EDIT, "{}");
    assert_int_equal(act(&fixture, 1, FOLLOW, "text"), 0);
    sender_close(&fixture);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_EXPIRED), 2);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'expired' AND content IS NULL"), 2);
    assert_int_equal(fixture.requests, 0);
    sender_end(&fixture);
}

static void limited_for_long(struct token *token, struct script_answer *answer, bool *has_effect)
{
    (void)token;
    refuse_with(answer, has_effect, 429, "{\"retry_after\":901,\"global\":false}");
}

static void a_wait_beyond_the_tokens_end_is_not_waited_for(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, limited_for_long);
    sender_open(&fixture);
    send_all(&fixture, OUTBOX_EDIT);
    sender_close(&fixture);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_EXPIRED), MESSAGES);
    assert_int_equal(fixture.requests, MESSAGES);
    sender_end(&fixture);
}

/* --- Bans --- */

#define BANS 5

static void banned_discord(void *context, const struct script_request *request,
                           struct script_answer *answer)
{
    struct sender_fixture *fixture = context;
    sender_discord(context, request, answer);
    if (fixture->requests > BANS)
        return;
    bool has_effect;
    buf_clear(&answer->body);
    answer->headers = "Retry-After: 0.02\r\n";
    refuse_with(answer, &has_effect, 429, "error code: 1015");
}

static bool is_banned_once(void *context)
{
    return ((const struct sender_fixture *)context)->requests >= 1;
}

static void a_ban_lets_one_probe_at_a_time_pass(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, no_fault);
    script_server_stop(fixture.server);
    fixture.server = script_server_start(0, banned_discord, &fixture);
    sender_open(&fixture);
    send_reply(&fixture, 0, OUTBOX_EDIT, "{}");
    script_server_wait(fixture.server, is_banned_once);
    while (retried(&fixture, OUTBOX_RETRY_BANNED) < 1)
        usleep(1000);
    for (int token = 1; token <= MESSAGES; token++)
        send_reply(&fixture, token, OUTBOX_EDIT, "{}");
    sender_close(&fixture);
    /* Were the gate open, many would have met it at the same time. */
    assert_int_equal(retried(&fixture, OUTBOX_RETRY_BANNED), BANS);
    assert_int_equal(fixture.requests, BANS + MESSAGES + 1);
    assert_int_equal(sent(&fixture), MESSAGES + 1);
    sender_end(&fixture);
}

/* --- Bounds and the end --- */

static void what_is_too_much_is_left_to_others(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, always_stalled);
    fixture.rules.count_max = 3;
    sender_open(&fixture);
    for (int i = 0; i < 10; i++)
        assert_int_equal(act(&fixture, i, FRAME, "text"), 0);
    AWAIT_ROWS(&fixture, "state = 'queued'", 7);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'leased'"), 3);
    outbox_free(STEAL(fixture.outbox), 0);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'queued'"), 10);
    sender_end(&fixture);
}

static void what_was_left_for_want_of_room_is_sent_later(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, no_fault);
    fixture.rules.count_max = 3;
    fixture.rules.poll_ms = 10;
    fixture.rules.heartbeat_ms = 50;
    sender_open(&fixture);
    for (int i = 0; i < MESSAGES; i++)
        assert_int_equal(act(&fixture, i, FRAME, "text"), 0);
    AWAIT_ROWS(&fixture, "state = 'done'", MESSAGES);
    for (int i = 0; i < MESSAGES; i++)
        assert_int_equal(fixture.tokens[i].effects, 1);
    sender_close(&fixture);
    sender_end(&fixture);
}

/* Of what was claimed nothing is handed back, to be claimed again. */
static void what_is_larger_than_the_room_is_sent_at_once(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, no_fault);
    fixture.rules.bytes_max = 1;
    fixture.rules.poll_ms = 10;
    fixture.rules.heartbeat_ms = 20;
    assert_int_equal(db_fixture_run(fixture.base.db, "CREATE TABLE handed_back (id BIGINT)"), 0);
    assert_int_equal(db_fixture_run(fixture.base.db,
                                    "CREATE TRIGGER back AFTER UPDATE ON outbox "
                                    "WHEN OLD.state = 'leased' AND NEW.state = 'queued' "
                                    "BEGIN INSERT INTO handed_back VALUES (NEW.id); END"),
                     0);
    sender_open(&fixture);
    for (int i = 0; i < MESSAGES; i++)
        assert_int_equal(act(&fixture, i, FRAME, "text"), 0);
    AWAIT_ROWS(&fixture, "state = 'done'", MESSAGES);
    sender_close(&fixture);
    assert_int_equal(db_fixture_number(fixture.base.db, "SELECT COUNT(*) FROM handed_back"), 0);
    sender_end(&fixture);
}

static void no_size_overflows(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, no_fault);
    sender_open(&fixture);
    const struct reply_attachment endless = { STR("a"), { "x", SIZE_MAX - 10 } };
    struct outbox_message message = { .body = STR("{}"), .files = &endless, .file_count = 1 };
    size_t size;
    assert_null(job_copy_reply(&message, &size));
    message.file_count = -1;
    assert_null(job_copy_reply(&message, &size));
    sender_end(&fixture);
}

static void a_refusal_is_logged_with_discords_reason(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, always_wrong);
    sender_open(&fixture);
    send_reply(&fixture, 3, OUTBOX_EDIT, "{}");
    sender_close(&fixture);
    CLEANUP(cleanup_free) char *log = read_log(&fixture);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_REFUSED), 1);
    assert_int_equal(count_lines_with(log, "reason=refused", "Invalid Form Body"), 1);
    assert_int_equal(count_lines_with(log, "request-003", "code=50035"), 1);
    assert_null(strstr(log, "token-"));
    sender_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_edits_arrive_at_each_fault),
        cmocka_unit_test(edits_arrive_when_discord_comes_back),
        cmocka_unit_test(files_arrive_with_their_message),
        cmocka_unit_test(no_follow_up_arrives_twice),
        cmocka_unit_test(a_follow_up_on_a_connection_that_dies_arrives_once),
        cmocka_unit_test(a_follow_up_waits_until_its_mark_is_known),
        cmocka_unit_test(messages_of_a_token_arrive_in_their_order),
        cmocka_unit_test(a_token_has_one_request_under_way_and_others_go_on),
        cmocka_unit_test(a_dead_token_is_never_tried_again),
        cmocka_unit_test(a_token_unknown_after_the_window_is_dead),
        cmocka_unit_test(what_is_older_than_its_token_is_not_sent),
        cmocka_unit_test(a_wait_beyond_the_tokens_end_is_not_waited_for),
        cmocka_unit_test(a_ban_lets_one_probe_at_a_time_pass),
        cmocka_unit_test(what_is_too_much_is_left_to_others),
        cmocka_unit_test(what_was_left_for_want_of_room_is_sent_later),
        cmocka_unit_test(what_is_larger_than_the_room_is_sent_at_once),
        cmocka_unit_test(no_size_overflows),
        cmocka_unit_test(a_refusal_is_logged_with_discords_reason),
    };
    return cmocka_run_group_tests(tests, sender_setup, NULL);
}
