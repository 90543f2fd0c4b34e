/* Somebody takes the application away from their account, as the real program is told by
 * POST /events: the command that waited for their acceptance of the terms is forgotten, that of
 * others is not, and neither is what they do from then on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/bot_process.h"
#include "harness/http_client.h"
#include "harness/interaction_json.h"
#include "harness/memory.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#ifndef BRONXBOT_BINARY
#error "the build says where the binary is"
#endif

#define ALICE         INT64_C(7001)
#define BOB           INT64_C(7002)
#define COMMAND_ID    42
#define CHECKBOXES    22
#define HEADERS_COUNT 3
#define LINE_SIZE     192

struct test {
    struct harness_bot bot;
    struct http_client *client;
    unsigned sequence;
};

static int64_t fresh_id(struct test *test)
{
    return snowflake_at(harness_bot_now_ms(&test->bot), ++test->sequence);
}

static struct envelope envelope_of(int64_t id, int64_t person_id)
{
    return (struct envelope){
        .id = id,
        .application_id = HARNESS_APPLICATION_ID,
        .person = { .id = person_id, .name = "somebody" },
        .place = { .guild_id = 500, .channel_id = 501, .channel_name = "general" },
    };
}

static int post(struct test *test, const char *path, struct str_view body,
                struct http_answer *answer)
{
    struct harness_signature signature;
    char lines[HEADERS_COUNT][LINE_SIZE];
    struct err err = { 0 };
    harness_sign(&test->bot.keys, harness_bot_now_ms(&test->bot) / 1000, body, &signature);
    snprintf(lines[0], LINE_SIZE, "Content-Type: application/json");
    snprintf(lines[1], LINE_SIZE, "X-Signature-Ed25519: %s", signature.hex);
    snprintf(lines[2], LINE_SIZE, "X-Signature-Timestamp: %s", signature.timestamp);
    const char *const headers[] = { lines[0], lines[1], lines[2], NULL };
    const struct http_request request = {
        .method = "POST", .path = path, .headers = headers, .body = body
    };
    if (http_client_send(test->client, &request, answer, &err) != 0)
        fail_msg("%s: %s", path, err.message);
    return answer->status;
}

static void assert_shown(struct test *test, json_object *interaction_taken, const char *sentence)
{
    CLEANUP(json_release) json_object *interaction = interaction_taken;
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    interaction_bytes(interaction, &body);
    assert_int_equal(post(test, "/interactions", buf_view(&body), &answer), 200);
    if (!strstr(answer.body.data, sentence))
        fail_msg("\"%s\" is not in %s", sentence, answer.body.data);
}

/* Returns the id that the prompt's buttons carry. */
static int64_t run_into_the_terms(struct test *test, int64_t person_id)
{
    int64_t id = fresh_id(test);
    const struct envelope envelope = envelope_of(id, person_id);
    assert_shown(test, command_interaction(&envelope, COMMAND_ID, "balance", NULL, NULL),
                 "please read and accept");
    return id;
}

static void assert_accepting_shows(struct test *test, int64_t person_id, int64_t blocked_id,
                                   const char *sentence)
{
    const struct envelope envelope = envelope_of(fresh_id(test), person_id);
    json_object *values = must_array(), *components = must_array();
    char custom_id[64];
    must_append(values, must_text(STR("accepted")));
    must_append(components,
                submitted_label(1, submitted_field(CHECKBOXES, 2, "agreement", "values", values)));
    snprintf(custom_id, sizeof(custom_id), "tos:1:%" PRId64 ":accept", blocked_id);
    assert_shown(test, modal_interaction(&envelope, custom_id, components, NULL, NULL), sentence);
}

static void tell_that_it_was_taken_away(struct test *test, int64_t person_id, int64_t at_ms)
{
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    time_t seconds = (time_t)(at_ms / 1000);
    struct tm utc;
    char time[64];
    assert_non_null(gmtime_r(&seconds, &utc));
    assert_true(strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", &utc) > 0);
    buf_append_format(&body,
                      "{\"version\":1,\"application_id\":\"1\",\"type\":1,\"event\":{\"type\":"
                      "\"APPLICATION_DEAUTHORIZED\",\"timestamp\":\"%s.%03d\",\"data\":{\"user\":"
                      "{\"id\":\"%" PRId64 "\",\"username\":\"somebody\"}}}}",
                      time, (int)(at_ms % 1000), person_id);
    assert_int_equal(post(test, "/events", buf_view(&body), &answer), 204);
}

static void what_waited_for_somebody_who_took_the_application_away_is_forgotten(void **state)
{
    struct test *test = *state;
    int64_t of_alice = run_into_the_terms(test, ALICE), of_bob = run_into_the_terms(test, BOB);
    int64_t gone_ms = harness_bot_now_ms(&test->bot) + 1;
    tell_that_it_was_taken_away(test, ALICE, gone_ms);
    assert_accepting_shows(test, BOB, of_bob, "### Balance of");
    assert_accepting_shows(test, ALICE, of_alice, "Your command waited too long");
    const struct envelope again = envelope_of(fresh_id(test), ALICE);
    assert_shown(test, command_interaction(&again, COMMAND_ID, "balance", NULL, NULL), "1,000");
}

static void the_same_event_once_more_forgets_nothing_newer(void **state)
{
    struct test *test = *state;
    int64_t gone_ms = harness_bot_now_ms(&test->bot);
    harness_bot_shift(&test->bot, 1000);
    tell_that_it_was_taken_away(test, ALICE + 2, gone_ms);
    int64_t blocked = run_into_the_terms(test, ALICE + 2);
    tell_that_it_was_taken_away(test, ALICE + 2, gone_ms);
    assert_accepting_shows(test, ALICE + 2, blocked, "### Balance of");
}

static int start_bot(void **state)
{
    static struct test test;
    static const char *const environment[] = { "DEFER_AFTER_MS=2500", NULL };
    static const struct harness_bot_options options = { .binary = BRONXBOT_BINARY,
                                                        .environment = environment };
    struct err err = { 0 };
    *state = &test;
    if (sodium_init() < 0 || harness_bot_init(&test.bot, &options, &err) != 0 ||
        harness_bot_launch(&test.bot, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    test.client = http_client_new(&test.bot.listen);
    return 0;
}

static int stop_bot(void **state)
{
    struct test *test = *state;
    int exit_code = -1;
    struct err err = { 0 };
    http_client_free(test->client);
    int result = harness_bot_stop(&test->bot, &exit_code, &err);
    harness_bot_fini(&test->bot);
    return result != 0 || exit_code != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waited_for_somebody_who_took_the_application_away_is_forgotten),
        cmocka_unit_test(the_same_event_once_more_forgets_nothing_newer),
    };
    return cmocka_run_group_tests(tests, start_bot, stop_bot);
}
