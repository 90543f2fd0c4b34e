/* What authors ask of the outbox: edits that coalesce and keep the floor, the final one last,
 * deletions, messages sent anew, messages that belong to a transaction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sender_fixture.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define FRAMES   100
#define FLOOR_MS 40

/* --- Coalescing --- */

static void of_a_burst_of_frames_few_are_sent_and_the_last_one_is(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    char text[32];
    sender_begin(&fixture, no_fault);
    fixture.edit_floor_ms = 1000;
    sender_open(&fixture);
    for (int i = 0; i < FRAMES; i++) {
        snprintf(text, sizeof(text), "frame %03d", i);
        assert_int_equal(act(&fixture, 0, FRAME, text), 0);
    }
    sender_close(&fixture);
    assert_string_equal(fixture.tokens[0].last, "frame 099");
    assert_in_range(fixture.tokens[0].effects, 1, FRAMES / 4);
    assert_false(fixture.tokens[0].is_disordered);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'done'"), 1);
    sender_end(&fixture);
}

static void edits_of_a_message_never_arrive_closer_than_the_floor(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    char text[32];
    sender_begin(&fixture, no_fault);
    fixture.edit_floor_ms = FLOOR_MS;
    sender_open(&fixture);
    for (int i = 0; i < 300; i++) {
        snprintf(text, sizeof(text), "frame %03d", i);
        assert_int_equal(act(&fixture, i % 3, FRAME, text), 0);
    }
    sender_close(&fixture);
    for (int token = 0; token < 3; token++) {
        assert_true(fixture.tokens[token].closest_us >= FLOOR_MS * 1000);
        assert_true(fixture.tokens[token].effects >= 1);
    }
    sender_end(&fixture);
}

/* --- The final edit --- */

static void a_frame_after_the_final_edit_is_dropped(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, no_fault);
    sender_open(&fixture);
    assert_int_equal(act(&fixture, 0, FRAME, "a frame"), 0);
    assert_int_equal(act(&fixture, 0, FINAL, "the result"), 0);
    assert_int_equal(act(&fixture, 0, FRAME, "too late"), 0);
    AWAIT_ROWS(&fixture, "state = 'done'", 1);
    assert_int_equal(act(&fixture, 0, FRAME, "much too late"), 0);
    sender_close(&fixture);
    assert_string_equal(fixture.tokens[0].last, "the result");
    sender_end(&fixture);
}

struct racer {
    struct sender_fixture *fixture;
    int token;
    int failures;
};

#define RACERS       8
#define RACE_TOKENS  4
#define RACER_FRAMES 25

/* Every token has frames from all threads; amid them the token's own thread ends it. */
static void *race(void *argument)
{
    struct racer *racer = argument;
    char text[32];
    for (int i = 0; i < RACER_FRAMES; i++) {
        int token = (racer->token + i) % RACE_TOKENS;
        snprintf(text, sizeof(text), "frame %d", i);
        racer->failures += act(racer->fixture, token, FRAME, text) != 0;
        if (i == RACER_FRAMES / 2 && racer->token < RACE_TOKENS)
            racer->failures += act(racer->fixture, racer->token, FINAL, "z final") != 0;
    }
    return NULL;
}

static void bad_gateway_now_and_then(struct token *token, struct script_answer *answer,
                                     bool *has_effect)
{
    if (token->tries % 3 == 1)
        refuse_with(answer, has_effect, 502, "<html>502</html>");
}

static void the_final_edit_is_last_whoever_races_with_it(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    pthread_t threads[RACERS];
    struct racer racers[RACERS];
    sender_begin(&fixture, bad_gateway_now_and_then);
    fixture.edit_floor_ms = 2;
    sender_open(&fixture);
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){ .fixture = &fixture, .token = i };
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(racers[i].failures, 0);
    }
    sender_close(&fixture);
    for (int token = 0; token < RACE_TOKENS; token++)
        assert_string_equal(fixture.tokens[token].last, "z final");
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'done' AND is_final = 1"), RACE_TOKENS);
    sender_end(&fixture);
}

/* --- Deleting, and what was deleted --- */

static void a_deleted_message_gets_no_more_edits(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    sender_begin(&fixture, no_fault);
    fixture.edit_floor_ms = 1000;
    sender_open(&fixture);
    assert_int_equal(act(&fixture, 0, FRAME, "a frame"), 0);
    AWAIT_ROWS(&fixture, "state = 'done'", 1);
    assert_int_equal(act(&fixture, 0, FRAME, "it waits"), 0);
    assert_int_equal(act(&fixture, 0, DELETE, ""), 0);
    assert_int_equal(act(&fixture, 0, FRAME, "too late"), 0);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[0].deletes, 1);
    assert_string_equal(fixture.tokens[0].last, "a frame");
    sender_end(&fixture);
}

static void gone(struct token *token, struct script_answer *answer, bool *has_effect)
{
    if (token->tries == 1)
        refuse_with(answer, has_effect, 404, GONE);
}

static void a_message_somebody_has_deleted_is_sent_anew_where_wanted(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    char name[16];
    sender_begin(&fixture, gone);
    sender_open(&fixture);
    struct outbox_target target = target_of_token(&fixture, 0, name);
    target.is_reposted = true;
    assert_int_equal(act_on(&fixture, &target, FINAL, "the result"), 0);
    assert_int_equal(act(&fixture, 1, FINAL, "the result"), 0);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[0].posts, 1);
    assert_string_equal(fixture.tokens[0].last, "the result");
    assert_int_equal(fixture.tokens[1].posts, 0);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_MESSAGE_GONE), 1);
    assert_int_equal(ROWS_WHERE(&fixture, "reason = 'message_gone'"), 1);
    sender_end(&fixture);
}

/* --- Targets --- */

static void a_target_comes_back_from_its_seal_as_it_was(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    struct outbox_target opened;
    struct str_view sealed;
    struct arena arena = { 0 };
    sender_begin(&fixture, no_fault);
    sender_open(&fixture);
    const struct outbox_target target = {
        .interaction_id = 11,
        .application_id = 22,
        .guild_id = 33,
        .message_id = 44,
        .message_key = 55,
        .is_reposted = true,
        .token = STR("secret-token"),
    };
    assert_int_equal(outbox_target_seal(fixture.outbox, &target, &arena, &sealed, NULL), 0);
    assert_null(memmem(sealed.data, sealed.length, "secret-token", 12));
    assert_int_equal(outbox_target_open(fixture.outbox, sealed, &arena, &opened, NULL), 0);
    assert_null(opened.call);
    assert_int_equal(opened.interaction_id, 11);
    assert_int_equal(opened.application_id, 22);
    assert_int_equal(opened.guild_id, 33);
    assert_int_equal(opened.message_id, 44);
    assert_int_equal(opened.message_key, 55);
    assert_true(opened.is_reposted);
    assert_true(str_equal(opened.token, STR("secret-token")));
    char *bytes = (char *)arena_copy(&arena, sealed).data;
    bytes[sealed.length - 1] ^= 1;
    const struct str_view forged = { bytes, sealed.length };
    assert_int_equal(outbox_target_open(fixture.outbox, forged, &arena, &opened, NULL),
                     ERR_INVALID);
    arena_free(&arena);
    sender_end(&fixture);
}

static void a_message_is_known_by_one_key_to_all_tokens_that_reach_it(void **state)
{
    (void)state;
    const struct message answer = { .id = 7, .answers_id = 5 }, follow_up = { .id = 8 };
    const struct interaction command = { .id = 5 };
    const struct interaction click = { .id = 6, .message = &answer };
    const struct interaction other_click = { .id = 9, .message = &follow_up };
    assert_int_equal(outbox_key_of_original(&command), 5);
    assert_int_equal(outbox_key_of_original(&click), 5);
    assert_int_equal(outbox_key_of_original(&other_click), 8);
}

/* --- In calls and transactions --- */

static int stage(struct sender_fixture *fixture, const struct outbox_target *target,
                 struct arena *arena, struct db_statement statements[2])
{
    static const struct interaction interaction = { .type = INTERACTION_COMMAND };
    struct reply *reply = reply_new(arena, &interaction);
    assert_non_null(reply);
    reply_text(reply, "staged");
    int result = outbox_stage_final(fixture->outbox, target, reply, arena, &statements[0], NULL);
    return result != 0
               ? result
               : outbox_stage_followup(fixture->outbox, target, reply, arena, &statements[1], NULL);
}

static void staged_messages_are_sent_when_their_transaction_commits(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    char name[16];
    struct arena arena = { 0 };
    struct db_statement statements[3] = { { 0 } };
    sender_begin(&fixture, no_fault);
    sender_open(&fixture);
    const struct outbox_target target = target_of_token(&fixture, 0, name);
    assert_int_equal(stage(&fixture, &target, &arena, statements), 0);
    statements[2] = (struct db_statement){ .sql = "UPDATE outbox SET state = 'nonsense'" };
    assert_true(db_atomic(fixture.base.db, statements, 3, NULL, NULL) < 0);
    outbox_hand_over(fixture.outbox, target.interaction_id);
    assert_int_equal(ROWS_WHERE(&fixture, "1 = 1"), 0);
    assert_int_equal(fixture.requests, 0);
    assert_int_equal(db_atomic(fixture.base.db, statements, 2, NULL, NULL), 0);
    outbox_hand_over(fixture.outbox, target.interaction_id);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[0].effects, 2);
    assert_int_equal(fixture.tokens[0].posts, 1);
    arena_free(&arena);
    sender_end(&fixture);
}

static void what_a_call_stores_waits_for_its_answer(void **state)
{
    (void)state;
    struct sender_fixture fixture;
    char name[16];
    sender_begin(&fixture, no_fault);
    sender_open(&fixture);
    const struct interaction interaction = sender_interaction(&fixture, 0, name);
    struct call call = { .interaction = &interaction, .log.request_id = "request-000" };
    const struct outbox_target target = outbox_target_of(&call);
    assert_int_equal(act_on(&fixture, &target, FOLLOW, "text"), 0);
    assert_true(call.has_messages);
    assert_int_equal(act(&fixture, 1, FRAME, "another"), 0);
    AWAIT_ROWS(&fixture, "state = 'done'", 1);
    assert_int_equal(fixture.tokens[0].tries, 0);
    assert_int_equal(ROWS_WHERE(&fixture, "state = 'leased' AND request_id = 'request-000'"), 1);
    outbox_hand_over(fixture.outbox, interaction.id);
    sender_close(&fixture);
    assert_int_equal(fixture.tokens[0].posts, 1);
    sender_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_burst_of_frames_few_are_sent_and_the_last_one_is),
        cmocka_unit_test(edits_of_a_message_never_arrive_closer_than_the_floor),
        cmocka_unit_test(a_frame_after_the_final_edit_is_dropped),
        cmocka_unit_test(the_final_edit_is_last_whoever_races_with_it),
        cmocka_unit_test(a_deleted_message_gets_no_more_edits),
        cmocka_unit_test(a_message_somebody_has_deleted_is_sent_anew_where_wanted),
        cmocka_unit_test(a_target_comes_back_from_its_seal_as_it_was),
        cmocka_unit_test(a_message_is_known_by_one_key_to_all_tokens_that_reach_it),
        cmocka_unit_test(staged_messages_are_sent_when_their_transaction_commits),
        cmocka_unit_test(what_a_call_stores_waits_for_its_answer),
    };
    return cmocka_run_group_tests(tests, sender_setup, NULL);
}
