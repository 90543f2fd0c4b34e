/* Messages to channels, sent as the bot: no interaction's token, one channel's order, each shown
 * once: Discord knows a repeat by its nonce. On both engines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sender_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHANNEL 40 /* tokens are below */

static bool is_channel(const struct token *token)
{
    return token->number >= CHANNEL;
}

static void a_message_to_a_channel_goes_as_the_bot(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, no_fault);
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 0, CHANNEL, "hello"), 0);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[CHANNEL].posts, 1);
    assert_int_equal(fixture.tokens[CHANNEL].nonce_count, 1);
    assert_string_equal(fixture.tokens[CHANNEL].last, "hello");
    assert_int_equal(metrics_read(fixture.base.metrics, METRIC_OUTBOX_SENT, OUTBOX_CHANNEL_MESSAGE),
                     1);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'done' AND content IS NULL"), 1);
    sender_end(&fixture);
}

static void it_needs_no_young_interaction_and_has_a_day(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, no_fault);
    fixture.begun_ms -= MS_PER_HOUR; /* when its interaction was */
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 0, CHANNEL, "hello"), 0);
    AWAIT_ROWS(&fixture, "state = 'done'", 1);
    assert_int_equal(ROWS_WHERE(&fixture, "expires_at - created_at = 24 * 3600000"), 1);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[CHANNEL].effects, 1);
    sender_end(&fixture);
}

static void limit_first(struct token *token, struct script_answer *answer, bool *has_effect)
{
    if (token->tries == 1)
        refuse_with(answer, has_effect, 429, "{\"retry_after\":0.05,\"global\":false}");
}

static void messages_of_a_channel_arrive_in_their_order_whoever_caused_them(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    char text[16];
    sender_begin(&fixture, limit_first);
    sender_open(&fixture);
    for (int i = 0; i < 10; i++) {
        snprintf(text, sizeof(text), "number %d", i);
        assert_int_equal(post(&fixture, i, CHANNEL, text), 0);
    }
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[CHANNEL].effects, 10);
    assert_string_equal(fixture.tokens[CHANNEL].last, "number 9");
    assert_false(fixture.tokens[CHANNEL].is_disordered);
    assert_int_equal(retried(&fixture, OUTBOX_RETRY_RATE_LIMITED), 1);
    sender_end(&fixture);
}

static void stall_channels(struct token *token, struct script_answer *answer, bool *has_effect)
{
    *has_effect = !is_channel(token);
    answer->fate = *has_effect ? SCRIPT_ANSWER : SCRIPT_STALL;
}

static bool channel_was_tried(void *context)
{
    return ((const struct sender_fixture *)context)->tokens[CHANNEL].tries == 1;
}

static void an_answer_does_not_wait_for_the_channel_its_interaction_wrote_to(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, stall_channels);
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 0, CHANNEL, "hello"), 0);
    script_server_wait(fixture.server, channel_was_tried);
    assert_int_equal(act(&fixture, 0, FOLLOW, "answer"), 0);
    AWAIT_ROWS(&fixture, "kind = 'follow_up' AND state = 'done'", 1);
    outbox_free(STEAL(fixture.outbox), 0);
    assert_string_equal(fixture.tokens[0].last, "answer");
    sender_end(&fixture);
}

/* What stands in the way of `channel`; of another nothing is known. */
static struct outbox_channel asked_about(struct sender_fixture *fixture, int channel,
                                         int64_t before_ms)
{
    struct outbox_channel channels[OUTBOX_CHANNELS_ASKED] = { { .id = 1 }, { .id = channel } };
    assert_int_equal(outbox_ask_channels(fixture->base.db, channels, before_ms, NULL), 0);
    assert_int_equal(channels[0].obstacle, OUTBOX_NO_OBSTACLE);
    return channels[1];
}

/* --- What can't be sent --- */

static void close_channels(struct token *token, struct script_answer *answer, bool *has_effect)
{
    static const struct {
        int status;
        const char *body;
    } answers[] = {
        { 403, "{\"message\":\"Missing Permissions\",\"code\":50013}" },
        { 403, "{\"message\":\"Missing Access\",\"code\":50001}" },
        { 404, "{\"message\":\"Unknown Channel\",\"code\":10003}" },
    };
    int number = token->number - CHANNEL;
    refuse_with(answer, has_effect, answers[number].status, answers[number].body);
}

static void a_closed_channel_is_not_tried_again(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, close_channels);
    sender_open(&fixture);
    for (int i = 0; i < 3; i++)
        assert_int_equal(post(&fixture, i, CHANNEL + i, "hello"), 0);
    AWAIT_ROWS(&fixture, "state = 'dead' AND reason = 'channel_closed'", 3);
    sender_close(&fixture);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fixture.tokens[CHANNEL + i].tries, 1);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_CHANNEL_CLOSED), 3);
    CLEANUP(cleanup_free) char *log = read_log(&fixture);
    assert_int_equal(count_lines_with(log, "message given up", "channel=41"), 1);
    assert_int_equal(count_lines_with(log, "message given up", "code=50001"), 1);
    assert_null(strstr(log, BOT_TOKEN));
    sender_end(&fixture);
}

static void without_the_bots_token_nothing_is_sent(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, no_fault);
    fixture.bot_token = "";
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 0, CHANNEL, "hello"), 0);
    AWAIT_ROWS(&fixture, "state = 'dead' AND reason = 'no_bot_token'", 1);
    assert_int_equal(asked_about(&fixture, CHANNEL, INT64_MAX).obstacle, OUTBOX_NEEDS_BOT_TOKEN);
    sender_close(&fixture);
    assert_int_equal(fixture.requests, 0);
    sender_end(&fixture);
}

/* The token dies while the channel's message waits for its 429. */
static void kill_tokens(struct token *token, struct script_answer *answer, bool *has_effect)
{
    if (!is_channel(token))
        refuse_with(answer, has_effect, 401, DEAD);
    else
        limit_first(token, answer, has_effect);
}

static void a_dead_token_takes_no_message_to_a_channel_along(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, kill_tokens);
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 0, CHANNEL, "before"), 0);
    script_server_wait(fixture.server, channel_was_tried);
    assert_int_equal(act(&fixture, 0, FOLLOW, "answer"), 0);
    AWAIT_ROWS(&fixture, "state = 'dead' AND reason = 'token_dead'", 1);
    assert_int_equal(post(&fixture, 0, CHANNEL + 1, "after"), 0);
    sender_close(&fixture);
    assert_string_equal(fixture.tokens[CHANNEL].last, "before");
    assert_string_equal(fixture.tokens[CHANNEL + 1].last, "after");
    sender_end(&fixture);
}

/* --- What may have arrived --- */

enum { CUT_OFF = CHANNEL, FAILED, FAILED_BEFORE };

/* As the channel's number says, with or without an effect. */
static void break_always(struct token *token, struct script_answer *answer, bool *has_effect)
{
    if (token->number == CUT_OFF)
        answer->fate = SCRIPT_RESET;
    else
        answer->status = 502;
    *has_effect = token->number != FAILED_BEFORE;
}

static void break_first(struct token *token, struct script_answer *answer, bool *has_effect)
{
    if (token->tries == 1)
        break_always(token, answer, has_effect);
}

static void what_may_have_arrived_is_repeated_and_shown_once(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, break_first);
    sender_open(&fixture);
    for (int channel = CUT_OFF; channel <= FAILED_BEFORE; channel++)
        assert_int_equal(post(&fixture, 0, channel, "hello"), 0);
    sender_close(&fixture);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'done'"), 3);
    for (int channel = CUT_OFF; channel <= FAILED_BEFORE; channel++) {
        assert_int_equal(fixture.tokens[channel].tries, 2);
        assert_int_equal(fixture.tokens[channel].effects, 1);
        assert_int_equal(fixture.tokens[channel].repeats, channel != FAILED_BEFORE);
    }
    assert_int_equal(retried(&fixture, OUTBOX_RETRY_NETWORK), 1);
    assert_int_equal(retried(&fixture, OUTBOX_RETRY_SERVER_ERROR), 2);
    sender_end(&fixture);
}

static void what_follows_in_the_channel_waits_for_the_repeat(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, break_first);
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 0, FAILED_BEFORE, "first"), 0);
    assert_int_equal(post(&fixture, 1, FAILED_BEFORE, "second"), 0);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[FAILED_BEFORE].effects, 2);
    assert_string_equal(fixture.tokens[FAILED_BEFORE].last, "second");
    assert_false(fixture.tokens[FAILED_BEFORE].is_disordered);
    sender_end(&fixture);
}

static void after_the_window_it_is_not_repeated(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, break_always);
    fixture.rules.repeat_window_ms = 1; /* less than any pause before a repeat */
    sender_open(&fixture);
    for (int channel = CUT_OFF; channel <= FAILED_BEFORE; channel++)
        assert_int_equal(post(&fixture, 0, channel, "hello"), 0);
    AWAIT_ROWS(&fixture, "state = 'dead' AND reason = 'uncertain'", 3);
    sender_close(&fixture);
    for (int channel = CUT_OFF; channel <= FAILED_BEFORE; channel++)
        assert_int_equal(fixture.tokens[channel].tries, 1);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_UNCERTAIN), 3);
    sender_end(&fixture);
}

/* A 429 had no effect, but what came before it may have. */
static void break_then_limit(struct token *token, struct script_answer *answer, bool *has_effect)
{
    if (token->tries == 1)
        break_always(token, answer, has_effect);
    else if (token->tries == 2)
        refuse_with(answer, has_effect, 429, "{\"retry_after\":0.05,\"global\":false}");
    else if (token->tries == 3)
        answer->status = 502;
}

static void the_window_counts_from_the_first_try_whatever_comes_between(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, break_then_limit);
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 0, CUT_OFF, "hello"), 0);
    AWAIT_ROWS(&fixture, "is_started = 1 AND available_at > started_at", 1);
    int64_t started_ms = db_fixture_number(fixture.base.db, "SELECT started_at FROM outbox");
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[CUT_OFF].tries, 4);
    assert_int_equal(fixture.tokens[CUT_OFF].effects, 1);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'done' AND is_started = 1"), 1);
    assert_int_equal(db_fixture_number(fixture.base.db, "SELECT started_at FROM outbox"),
                     started_ms);
    sender_end(&fixture);
}

static void break_then_limit_for_long(struct token *token, struct script_answer *answer,
                                      bool *has_effect)
{
    if (token->tries == 1)
        break_always(token, answer, has_effect);
    else
        refuse_with(answer, has_effect, 429, "{\"retry_after\":3600,\"global\":false}");
}

static void a_wait_that_is_longer_than_the_window_ends_it(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, break_then_limit_for_long);
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 0, CUT_OFF, "hello"), 0);
    AWAIT_ROWS(&fixture, "state = 'dead' AND reason = 'uncertain'", 1);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[CUT_OFF].tries, 2);
    sender_end(&fixture);
}

static void break_then_tell_of_a_deletion(struct token *token, struct script_answer *answer,
                                          bool *has_effect)
{
    if (token->tries == 1)
        break_always(token, answer, has_effect);
    else
        refuse_with(answer, has_effect, 404, GONE);
}

static void a_message_that_was_deleted_before_its_repeat_had_arrived(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, break_then_tell_of_a_deletion);
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 0, CUT_OFF, "hello"), 0);
    sender_close(&fixture);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'done'"), 1);
    assert_int_equal(asked_about(&fixture, CUT_OFF, INT64_MAX).obstacle, OUTBOX_NO_OBSTACLE);
    sender_end(&fixture);
}

/* --- What is withdrawn --- */

/* While the first is under way, the second, which is in memory behind it, is withdrawn. */
static void withdraw_the_second(struct token *token, struct script_answer *answer, bool *has_effect)
{
    struct sender_fixture *fixture =
        CONTAINER_OF(token - token->number, struct sender_fixture, tokens);
    char sql[256];
    (void)answer, (void)has_effect;
    if (token->tries > 1)
        return;
    while (metrics_read(fixture->base.metrics, METRIC_OUTBOX_WAITING, 0) < 3)
        usleep(1000);
    snprintf(sql, sizeof(sql),
             "UPDATE outbox SET state = 'dead', reason = 'withdrawn', owner = NULL, "
             "content = NULL WHERE interaction_id = %lld",
             (long long)id_of_token(fixture, 1));
    if (db_fixture_run(fixture->base.db, sql) != 0)
        abort();
}

static void what_is_withdrawn_before_its_turn_is_not_sent(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, withdraw_the_second);
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 0, CHANNEL, "first"), 0);
    AWAIT_ROWS(&fixture, "is_started = 1", 1);
    assert_int_equal(post(&fixture, 1, CHANNEL, "second"), 0);
    assert_int_equal(post(&fixture, 2, CHANNEL, "third"), 0);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[CHANNEL].effects, 2);
    assert_string_equal(fixture.tokens[CHANNEL].last, "third");
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'done'"), 2);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'dead' AND reason = 'withdrawn'"), 1);
    sender_end(&fixture);
}

static void withdraw_and_fail(struct token *token, struct script_answer *answer, bool *has_effect)
{
    struct sender_fixture *fixture =
        CONTAINER_OF(token - token->number, struct sender_fixture, tokens);
    if (db_fixture_run(fixture->base.db,
                       "UPDATE outbox SET state = 'dead', reason = 'withdrawn', owner = NULL, "
                       "content = NULL WHERE state = 'leased'") != 0)
        abort();
    break_always(token, answer, has_effect);
}

static void what_is_withdrawn_while_it_is_tried_is_not_repeated(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, withdraw_and_fail);
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 0, FAILED_BEFORE, "hello"), 0);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[FAILED_BEFORE].tries, 1);
    assert_int_equal(fixture.tokens[FAILED_BEFORE].effects, 0);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'dead' AND reason = 'withdrawn'"), 1);
    sender_end(&fixture);
}

/* --- What is told of it --- */

static void close_first(struct token *token, struct script_answer *answer, bool *has_effect)
{
    if (token->tries == 1)
        close_channels(token, answer, has_effect);
}

static void the_newest_message_tells_whether_a_channel_is_open(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, close_first);
    sender_open(&fixture);
    assert_int_equal(asked_about(&fixture, CHANNEL, INT64_MAX).obstacle, OUTBOX_NO_OBSTACLE);
    assert_int_equal(post(&fixture, 0, CHANNEL, "hello"), 0);
    AWAIT_ROWS(&fixture, "state = 'dead'", 1);
    struct outbox_channel closed = asked_about(&fixture, CHANNEL, INT64_MAX);
    assert_int_equal(closed.obstacle, OUTBOX_CHANNEL_CLOSED);
    assert_int_equal(
        db_fixture_number(fixture.base.db, "SELECT changed_at FROM outbox WHERE state = 'dead'"),
        closed.told_at_ms);
    assert_int_equal(asked_about(&fixture, CHANNEL, closed.told_at_ms).obstacle,
                     OUTBOX_NO_OBSTACLE);
    assert_int_equal(asked_about(&fixture, CHANNEL + 1, INT64_MAX).obstacle, OUTBOX_NO_OBSTACLE);
    /* So that what follows is later. */
    assert_int_equal(
        db_fixture_run(fixture.base.db, "UPDATE outbox SET changed_at = changed_at - 1000"), 0);
    assert_int_equal(post(&fixture, 1, CHANNEL, "hello"), 0);
    AWAIT_ROWS(&fixture, "state = 'done'", 1);
    assert_int_equal(asked_about(&fixture, CHANNEL, INT64_MAX).obstacle, OUTBOX_NO_OBSTACLE);
    sender_close(&fixture);
    sender_end(&fixture);
}

static void what_may_have_arrived_tells_nothing_of_its_channel(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, close_channels);
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 0, CHANNEL, "hello"), 0);
    AWAIT_ROWS(&fixture, "state = 'dead'", 1);
    assert_int_equal(
        db_fixture_run(fixture.base.db, "UPDATE outbox SET changed_at = changed_at - 1000"), 0);
    sender_close(&fixture);
    fixture.fault = break_always;
    fixture.rules.repeat_window_ms = 1;
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 1, CHANNEL, "hello"), 0);
    AWAIT_ROWS(&fixture, "reason = 'uncertain'", 1);
    assert_int_equal(asked_about(&fixture, CHANNEL, INT64_MAX).obstacle, OUTBOX_CHANNEL_CLOSED);
    sender_close(&fixture);
    sender_end(&fixture);
}

/* --- The next process --- */

static void stall_after_the_effect(struct token *token, struct script_answer *answer,
                                   bool *has_effect)
{
    (void)token, (void)has_effect;
    answer->fate = SCRIPT_STALL;
}

/* Killed with a message under way and two that wait; the next process has them when the first was
 * begun `ago_ms` earlier than it was. */
static void pass_on_at_a_kill(struct sender_fixture *fixture, fault *stall, int64_t ago_ms)
{
    char shift[80];
    sender_begin(fixture, stall);
    struct outbox *killed = sender_open_mortal(fixture);
    assert_int_equal(post(fixture, 0, CHANNEL, "first"), 0);
    script_server_wait(fixture->server, channel_was_tried);
    assert_int_equal(post(fixture, 1, CHANNEL, "second"), 0);
    assert_int_equal(post(fixture, 2, CHANNEL, "third"), 0);
    assert_int_equal(ROWS_WHERE(fixture, "state = 'leased' AND is_started = 1"), 1);
    sender_kill(fixture, killed);
    snprintf(shift, sizeof(shift), "UPDATE outbox SET started_at = started_at - %lld",
             (long long)ago_ms);
    assert_int_equal(db_fixture_run(fixture->base.db, shift), 0);
    fixture->fault = no_fault;
    sender_open(fixture);
    AWAIT_ROWS(fixture, "state IN ('done', 'dead')", 3);
    outbox_free(killed, 0);
    sender_close(fixture);
    assert_string_equal(fixture->tokens[CHANNEL].last, "third");
    assert_false(fixture->tokens[CHANNEL].is_disordered);
}

static void what_was_under_way_at_a_kill_is_repeated_by_the_next_process(void **state)
{
    (void)state;
    static fault *const stalls[] = { stall_channels, stall_after_the_effect };
    for (size_t i = 0; i < ARRAY_LENGTH(stalls); i++) {
        struct sender_fixture fixture;
        pass_on_at_a_kill(&fixture, stalls[i], 0);
        assert_int_equal(ROWS_WHERE(&fixture, "state = 'done'"), 3);
        assert_int_equal(fixture.tokens[CHANNEL].tries, 4);
        assert_int_equal(fixture.tokens[CHANNEL].effects, 3);
        sender_end(&fixture);
    }
}

static void after_the_window_the_next_process_does_not_repeat_it(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    pass_on_at_a_kill(&fixture, stall_after_the_effect, OUTBOX_REPEAT_WINDOW_MS);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'done'"), 2);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'dead' AND reason = 'uncertain'"), 1);
    assert_int_equal(fixture.tokens[CHANNEL].tries, 3);
    sender_end(&fixture);
}

static void what_an_older_version_left_under_way_is_not_repeated(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, stall_channels);
    struct outbox *killed = sender_open_mortal(&fixture);
    assert_int_equal(post(&fixture, 0, CHANNEL, "hello"), 0);
    script_server_wait(fixture.server, channel_was_tried);
    sender_kill(&fixture, killed);
    assert_int_equal(db_fixture_run(fixture.base.db, "UPDATE outbox SET started_at = NULL"), 0);
    sender_open(&fixture);
    AWAIT_ROWS(&fixture, "state = 'dead' AND reason = 'uncertain'", 1);
    outbox_free(killed, 0);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[CHANNEL].tries, 1);
    sender_end(&fixture);
}

static void what_is_under_way_at_a_stop_is_handed_on(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, stall_after_the_effect);
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 0, CHANNEL, "hello"), 0);
    script_server_wait(fixture.server, channel_was_tried);
    outbox_free(STEAL(fixture.outbox), 0);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'queued' AND is_started = 1"), 1);
    fixture.fault = no_fault;
    sender_open(&fixture);
    AWAIT_ROWS(&fixture, "state = 'done'", 1);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[CHANNEL].tries, 2);
    assert_int_equal(fixture.tokens[CHANNEL].effects, 1);
    sender_end(&fixture);
}

static void limit_for_long(struct token *token, struct script_answer *answer, bool *has_effect)
{
    (void)token;
    refuse_with(answer, has_effect, 429, "{\"retry_after\":3600,\"global\":false}");
}

static void a_channels_wait_outlives_the_process_and_holds_what_is_behind(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, limit_for_long);
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 0, CHANNEL, "first"), 0);
    assert_int_equal(post(&fixture, 1, CHANNEL, "second"), 0);
    AWAIT_ROWS(&fixture, "available_at > created_at + 3500000 AND is_started = 0", 1);
    sender_close(&fixture);
    fixture.fault = no_fault;
    fixture.rules.poll_ms = 10;
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 2, CHANNEL + 1, "elsewhere"), 0);
    AWAIT_ROWS(&fixture, "state = 'done'", 1);
    outbox_free(STEAL(fixture.outbox), 0);
    assert_int_equal(fixture.tokens[CHANNEL].tries, 1);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'queued'"), 2);
    sender_end(&fixture);
}

/* --- The bot's own limit --- */

static void limit_the_bot(struct token *token, struct script_answer *answer, bool *has_effect)
{
    if (is_channel(token))
        refuse_with(answer, has_effect, 429, "{\"retry_after\":3600,\"global\":true}");
}

static void a_global_429_holds_all_channels_and_no_answer(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, limit_the_bot);
    sender_open(&fixture);
    assert_int_equal(post(&fixture, 0, CHANNEL, "hello"), 0);
    AWAIT_ROWS(&fixture, "available_at > created_at + 3500000", 1);
    assert_int_equal(post(&fixture, 1, CHANNEL + 1, "hello"), 0);
    assert_int_equal(act(&fixture, 1, FOLLOW, "answer"), 0);
    AWAIT_ROWS(&fixture, "kind = 'follow_up' AND state = 'done'", 1);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[CHANNEL].tries, 1);
    assert_int_equal(fixture.tokens[CHANNEL + 1].tries, 0);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'queued'"), 2);
    sender_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_to_a_channel_goes_as_the_bot),
        cmocka_unit_test(it_needs_no_young_interaction_and_has_a_day),
        cmocka_unit_test(messages_of_a_channel_arrive_in_their_order_whoever_caused_them),
        cmocka_unit_test(an_answer_does_not_wait_for_the_channel_its_interaction_wrote_to),
        cmocka_unit_test(a_closed_channel_is_not_tried_again),
        cmocka_unit_test(what_may_have_arrived_is_repeated_and_shown_once),
        cmocka_unit_test(what_follows_in_the_channel_waits_for_the_repeat),
        cmocka_unit_test(after_the_window_it_is_not_repeated),
        cmocka_unit_test(the_window_counts_from_the_first_try_whatever_comes_between),
        cmocka_unit_test(a_wait_that_is_longer_than_the_window_ends_it),
        cmocka_unit_test(a_message_that_was_deleted_before_its_repeat_had_arrived),
        cmocka_unit_test(what_is_withdrawn_before_its_turn_is_not_sent),
        cmocka_unit_test(what_is_withdrawn_while_it_is_tried_is_not_repeated),
        cmocka_unit_test(without_the_bots_token_nothing_is_sent),
        cmocka_unit_test(the_newest_message_tells_whether_a_channel_is_open),
        cmocka_unit_test(what_may_have_arrived_tells_nothing_of_its_channel),
        cmocka_unit_test(a_dead_token_takes_no_message_to_a_channel_along),
        cmocka_unit_test(what_was_under_way_at_a_kill_is_repeated_by_the_next_process),
        cmocka_unit_test(after_the_window_the_next_process_does_not_repeat_it),
        cmocka_unit_test(what_an_older_version_left_under_way_is_not_repeated),
        cmocka_unit_test(what_is_under_way_at_a_stop_is_handed_on),
        cmocka_unit_test(a_channels_wait_outlives_the_process_and_holds_what_is_behind),
        cmocka_unit_test(a_global_429_holds_all_channels_and_no_answer),
    };
    return cmocka_run_group_tests(tests, sender_setup, NULL);
}
