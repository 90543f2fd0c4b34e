/* The rules of the outbox by themselves: what becomes of a message after each kind of answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbox/outbox_record.h"
#include "outbox/outbox_rules.h"

#include <sodium.h>
#include <stdio.h>

/* An end of a try, and what it means for an edit and for a follow-up. */
struct row {
    int status; /* 0: no answer */
    enum rest_result result;
    const char *body;
    int64_t since_answer_ms;
    int kind_of_edit, reason_of_edit;
    int kind_of_follow_up, reason_of_follow_up;
};

#define AGAIN(why) OUTBOX_AGAIN, OUTBOX_RETRY_##why
#define LOST(why)  OUTBOX_LOST, OUTBOX_LOSS_##why
#define SENT       OUTBOX_SENT, 0

static const struct row rows[] = {
    { 200, 0, "{}", 0, SENT, SENT },
    { 204, 0, "", 0, SENT, SENT },
    { 404, 0, "{\"code\":10015}", 0, AGAIN(NOT_YET), AGAIN(NOT_YET) },
    { 404, 0, "{\"code\":10015}", 9999, AGAIN(NOT_YET), AGAIN(NOT_YET) },
    { 404, 0, "{\"code\":10015}", 10000, LOST(TOKEN_DEAD), LOST(TOKEN_DEAD) },
    { 401, 0, "{\"code\":50027}", 0, LOST(TOKEN_DEAD), LOST(TOKEN_DEAD) },
    { 404, 0, "{\"code\":10008}", 0, LOST(MESSAGE_GONE), LOST(MESSAGE_GONE) },
    { 401, 0, "{\"code\":0}", 0, LOST(REFUSED), LOST(REFUSED) },
    { 400, 0, "{\"code\":50035}", 0, LOST(REFUSED), LOST(REFUSED) },
    { 404, 0, "no json", 0, LOST(REFUSED), LOST(REFUSED) },
    { 302, 0, "", 0, LOST(REFUSED), LOST(REFUSED) },
    { 429, 0, "{\"retry_after\":1,\"global\":false}", 0, AGAIN(RATE_LIMITED), AGAIN(RATE_LIMITED) },
    { 429, 0, "<html>", 0, AGAIN(BANNED), AGAIN(BANNED) },
    { 500, 0, "", 0, AGAIN(SERVER_ERROR), LOST(UNCERTAIN) },
    { 502, 0, "<html>", 0, AGAIN(SERVER_ERROR), LOST(UNCERTAIN) },
    { 0, REST_NOT_CONNECTED, "", 0, AGAIN(NETWORK), AGAIN(NETWORK) },
    { 0, REST_LOST_BEFORE_SENDING, "", 0, AGAIN(NETWORK), AGAIN(NETWORK) },
    { 0, REST_LOST_AFTER_SENDING, "", 0, AGAIN(NETWORK), LOST(UNCERTAIN) },
    { 0, REST_TIMED_OUT, "", 0, AGAIN(NETWORK), LOST(UNCERTAIN) },
};

static struct outbox_verdict judge(const struct row *row, enum outbox_method method,
                                   int not_yet_count, int failure_count)
{
    struct rest_response response = { .result = row->result,
                                      .status = row->status,
                                      .retry_after_ms = -1 };
    struct rest_error error;
    buf_append(&response.body, str_from(row->body));
    rest_read_error(&response, &error);
    const struct outbox_try attempt = {
        .method = method,
        .since_answer_ms = row->since_answer_ms,
        .not_yet_count = not_yet_count,
        .failure_count = failure_count,
        .response = &response,
        .error = &error,
    };
    struct outbox_verdict verdict = outbox_judge(&outbox_rules_default, &attempt);
    rest_response_free(&response);
    return verdict;
}

static void expect(const struct row *row, enum outbox_method method, int kind, int reason)
{
    struct outbox_verdict verdict = judge(row, method, 0, 0);
    int seen = verdict.kind == OUTBOX_AGAIN  ? (int)verdict.retry
               : verdict.kind == OUTBOX_LOST ? (int)verdict.loss
                                             : 0;
    if ((int)verdict.kind != kind || seen != reason)
        fail_msg("row %td, method %d: kind %d, reason %d", row - rows, method, (int)verdict.kind,
                 seen);
}

static void a_follow_up_is_repeated_only_when_it_certainly_had_no_effect(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        expect(&rows[i], OUTBOX_EDIT, rows[i].kind_of_edit, rows[i].reason_of_edit);
        expect(&rows[i], OUTBOX_FOLLOW_UP, rows[i].kind_of_follow_up, rows[i].reason_of_follow_up);
    }
}

/* A channel that is not there, or closed, has no later. All else is as with a follow-up, but what
 * may have arrived is repeated: after a pause, and by who knows that it may be. */
static void a_message_to_a_channel_has_a_nonce_and_no_token(void **state)
{
    (void)state;
    static const struct row closed[] = {
        { 403, 0, "{\"code\":50013}", 0, LOST(REFUSED), LOST(REFUSED) },
        { 403, 0, "{\"code\":50001}", 0, LOST(REFUSED), LOST(REFUSED) },
        { 404, 0, "{\"code\":10003}", 0, LOST(REFUSED), LOST(REFUSED) },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(closed); i++) {
        expect(&closed[i], OUTBOX_FOLLOW_UP, closed[i].kind_of_follow_up,
               closed[i].reason_of_follow_up);
        expect(&closed[i], OUTBOX_CHANNEL_MESSAGE, LOST(CHANNEL_CLOSED));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct outbox_verdict verdict = judge(&rows[i], OUTBOX_CHANNEL_MESSAGE, 0, 0);
        bool is_uncertain = rows[i].kind_of_follow_up == OUTBOX_LOST &&
                            rows[i].reason_of_follow_up == OUTBOX_LOSS_UNCERTAIN;
        if (is_uncertain)
            expect(&rows[i], OUTBOX_CHANNEL_MESSAGE, rows[i].kind_of_edit, rows[i].reason_of_edit);
        else if (rows[i].status != 404)
            expect(&rows[i], OUTBOX_CHANNEL_MESSAGE, rows[i].kind_of_follow_up,
                   rows[i].reason_of_follow_up);
        assert_int_equal(verdict.may_have_arrived, is_uncertain);
        if (is_uncertain)
            assert_true(verdict.delay_ms >= outbox_rules_default.backoff_base_ms);
    }
}

static void a_token_discord_does_not_know_yet_is_tried_at_growing_pauses(void **state)
{
    (void)state;
    static const int64_t pauses[] = { 250, 500, 1000, 2000, 4000 };
    struct row row = { 404, 0, "{\"code\":10015}", 0, 0, 0, 0, 0 };
    for (int i = 0; i < (int)ARRAY_LENGTH(pauses); i++) {
        struct outbox_verdict verdict = judge(&row, OUTBOX_FOLLOW_UP, i, 0);
        assert_int_equal(verdict.delay_ms, pauses[i]);
        row.since_answer_ms += pauses[i];
    }
    /* The last word is spoken at the end of the window, wherever the pauses have led. */
    assert_int_equal(judge(&row, OUTBOX_FOLLOW_UP, 5, 0).delay_ms, 10000 - 7750);
    row.since_answer_ms = 9000;
    assert_int_equal(judge(&row, OUTBOX_FOLLOW_UP, 4, 0).delay_ms, 1000);
}

static void backoff_doubles_up_to_its_cap_and_jitters_fully(void **state)
{
    (void)state;
    static const int64_t steps[] = { 1000,  2000,  4000,  8000,  16000,
                                     32000, 60000, 60000, 60000, 60000 };
    const struct row row = { 503, 0, "", 0, 0, 0, 0, 0 };
    for (int failures = 0; failures < (int)ARRAY_LENGTH(steps); failures++) {
        int64_t least = INT64_MAX, most = 0;
        for (int i = 0; i < 500; i++) {
            int64_t delay = judge(&row, OUTBOX_EDIT, 0, failures).delay_ms;
            least = delay < least ? delay : least;
            most = delay > most ? delay : most;
        }
        /* Of 500 draws all within nine tenths: once in 10^22 runs. */
        assert_in_range(least, 0, steps[failures] / 10);
        assert_in_range(most, steps[failures] * 9 / 10, steps[failures]);
    }
    int64_t much_later = judge(&row, OUTBOX_EDIT, 0, 1000000).delay_ms;
    assert_in_range(much_later, 0, 60000);
}

static void a_429_waits_as_long_as_it_says(void **state)
{
    (void)state;
    struct row row = { 429, 0, "{\"retry_after\":1.5,\"global\":false}", 0, 0, 0, 0, 0 };
    struct outbox_verdict verdict = judge(&row, OUTBOX_FOLLOW_UP, 0, 0);
    assert_int_equal(verdict.delay_ms, 1500);
    row.body = "{\"retry_after\":0,\"global\":false}";
    assert_int_equal(judge(&row, OUTBOX_FOLLOW_UP, 0, 0).delay_ms, 0);
    row.body = "{\"global\":false}";
    assert_in_range(judge(&row, OUTBOX_FOLLOW_UP, 0, 0).delay_ms, 0, 1000);
}

static void a_ban_is_waited_for_even_if_it_does_not_say_how_long(void **state)
{
    (void)state;
    const struct row row = { 429, 0, "<html>error 1015</html>", 0, 0, 0, 0, 0 };
    assert_int_equal(judge(&row, OUTBOX_FOLLOW_UP, 0, 0).delay_ms, 60000);
}

static struct outbox_verdict judge_gone(enum outbox_method method, bool is_reposted)
{
    struct rest_response response = { .status = 404, .retry_after_ms = -1 };
    const struct rest_error error = { .is_json = true, .code = REST_UNKNOWN_MESSAGE };
    const struct outbox_try attempt = {
        .method = method, .is_reposted = is_reposted, .response = &response, .error = &error
    };
    return outbox_judge(&outbox_rules_default, &attempt);
}

static void an_edit_of_a_deleted_message_is_sent_anew_where_wanted(void **state)
{
    (void)state;
    assert_int_equal(judge_gone(OUTBOX_EDIT, true).kind, OUTBOX_REPOST);
    assert_int_equal(judge_gone(OUTBOX_EDIT, false).kind, OUTBOX_LOST);
    assert_int_equal(judge_gone(OUTBOX_FOLLOW_UP, true).kind, OUTBOX_LOST);
}

static void to_delete_what_is_gone_is_done(void **state)
{
    (void)state;
    assert_int_equal(judge_gone(OUTBOX_DELETE, false).kind, OUTBOX_SENT);
    assert_int_equal(judge_gone(OUTBOX_DELETE, true).kind, OUTBOX_SENT);
}

static void a_token_ends_fifteen_minutes_after_its_snowflake(void **state)
{
    (void)state;
    /* The example of https://docs.discord.com/developers/reference#snowflakes */
    assert_int_equal(outbox_token_end_ms(INT64_C(175928847299117063)),
                     INT64_C(1462015105796) + 15 * 60 * 1000);
}

static int start_sodium(void **state)
{
    (void)state;
    return sodium_init() < 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_follow_up_is_repeated_only_when_it_certainly_had_no_effect),
        cmocka_unit_test(a_message_to_a_channel_has_a_nonce_and_no_token),
        cmocka_unit_test(a_token_discord_does_not_know_yet_is_tried_at_growing_pauses),
        cmocka_unit_test(backoff_doubles_up_to_its_cap_and_jitters_fully),
        cmocka_unit_test(a_429_waits_as_long_as_it_says),
        cmocka_unit_test(a_ban_is_waited_for_even_if_it_does_not_say_how_long),
        cmocka_unit_test(an_edit_of_a_deleted_message_is_sent_anew_where_wanted),
        cmocka_unit_test(to_delete_what_is_gone_is_done),
        cmocka_unit_test(a_token_ends_fifteen_minutes_after_its_snowflake),
    };
    return cmocka_run_group_tests(tests, start_sodium, NULL);
}
