/* The simulated REST REST_API over real HTTP: what it takes, what it refuses and how, what it
 * records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/memory.h"
#include "simulator/rest_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define BOUNDARY "Content-Type: multipart/form-data; boundary=xyz"

static const char *const form[] = { REST_AGENT, BOUNDARY, NULL };

/* One request to a fresh server whose interaction was deferred, and that has channel 7. */
struct request_case {
    const char *method, *path;
    const char *const *headers;
    const char *body;
    int status;
    const char *answer;    /* part of the body */
    const char *violation; /* part of the first; NULL: none */
};

static void check_request(const struct request_case *wanted)
{
    struct rest_fixture fixture;
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(buf_free) struct buf violation = { 0 };
    rest_fixture_start(&fixture, NULL, "{\"type\":5}");
    rest_server_add_channel(fixture.server, 7);
    int status = rest_fixture_request(&fixture, wanted->method, wanted->path, wanted->headers,
                                      wanted->body, &body);
    rest_server_first_violation(fixture.server, &violation);
    const char *got = body.data ? body.data : "", *broken = violation.data ? violation.data : "";
    if (status != wanted->status || !strstr(got, wanted->answer) ||
        (wanted->violation ? !strstr(broken, wanted->violation) : *broken != '\0'))
        fail_msg("%s %s %s\ngives %d %s\nviolation: %s", wanted->method, wanted->path,
                 wanted->body ? wanted->body : "", status, got, broken);
    rest_fixture_finish(&fixture);
}

static void check_requests(const struct request_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_request(&cases[i]);
}

#define MESSAGE(more) "{\"content\":\"x\",\"allowed_mentions\":{\"parse\":[]}" more "}"

static void messages_are_taken_or_refused_as_discord_does(void **state)
{
    (void)state;
    static const struct request_case cases[] = {
        { "PATCH", REST_ORIGINAL, rest_plain, REST_GOOD, 200, "\"content\":\"done\"", NULL },
        { "GET", REST_ORIGINAL, rest_plain, NULL, 200, "\"channel_id\":\"7\"", NULL },
        { "DELETE", REST_ORIGINAL, rest_plain, NULL, 204, "", NULL },
        { "POST", REST_APP "tok", rest_plain, REST_GOOD, 200, "\"id\"",
          "still thinks: edit @original" },
        { "PATCH", REST_APP "tok/messages/12", rest_plain, REST_GOOD, 404, "\"code\":10008",
          "no message of this" },
        { "GET", REST_APP "tok/messages/12", rest_plain, NULL, 404, "\"code\":10008", NULL },
        { "PATCH", REST_APP "tok/messages/x", rest_plain, REST_GOOD, 404, "\"code\":10015",
          "or no id" },
        { "PATCH", REST_APP "nope/messages/@original", rest_plain, REST_GOOD, 404, "\"code\":10015",
          "never given" },
        { "PATCH", REST_API "/webhooks/12/tok/messages/@original", rest_plain, REST_GOOD, 404,
          "Unknown Webhook", "another application" },
        { "PUT", REST_ORIGINAL, rest_plain, REST_GOOD, 405, "405: Method Not Allowed",
          "no such method" },
        { "POST", REST_API "/guilds/7/messages", rest_plain, REST_GOOD, 404, "404: Not Found",
          "no such route" },
        { "POST", "/webhooks/1000000000000000001/tok", rest_plain, REST_GOOD, 404, "\"code\":0",
          "no such route" },
        { "PATCH", REST_ORIGINAL, rest_plain, "{\"content\":\"x\"}", 400,
          "\"errors\":{\"allowed_mentions\":{\"_errors\":", "allowed_mentions: is missing" },
        { "PATCH", REST_ORIGINAL, rest_plain, MESSAGE(",\"nonsense\":1"), 400,
          "\"nonsense\":{\"_errors\"", "nonsense: is not a field" },
        { "PATCH", REST_ORIGINAL, rest_plain, MESSAGE(",\"flags\":64"), 400,
          "\"flags\":{\"_errors\"", "can't be set here" },
        { "PATCH", REST_ORIGINAL, rest_plain,
          MESSAGE(",\"components\":[{\"type\":1,\"components\":[]}]"), 400,
          "\"components\":{\"0\":{", "components[0]" },
        { "PATCH", REST_ORIGINAL, rest_plain, "{\"allowed_mentions\":{\"parse\":[\"everyone\"]}}",
          400, "50035", "mass ping" },
        { "PATCH", REST_ORIGINAL, rest_plain, "{'content':'x'}", 400, "\"code\":50109",
          "not JSON at byte" },
        { "PATCH", REST_ORIGINAL, rest_plain, NULL, 400, "\"code\":50109", "the body is empty" },
        { "PATCH", REST_ORIGINAL, rest_plain,
          MESSAGE(",\"attachments\":[{\"id\":0,\"filename\":\"a\"}]"), 400, "50035",
          "there is no files[0]" },
    };
    check_requests(cases, ARRAY_LENGTH(cases));
}

static void headers_are_demanded(void **state)
{
    (void)state;
    static const char *const no_agent[] = { REST_TYPE, "User-Agent:", NULL };
    static const char *const bad_agent[] = { REST_TYPE, "User-Agent: curl/8", NULL };
    static const char *const half_agent[] = { REST_TYPE, "User-Agent: DiscordBot (bot, 1)", NULL };
    static const char *const no_type[] = { REST_AGENT, "Content-Type: text/plain", NULL };
    static const char *const bad_bot[] = { REST_AGENT, "Authorization: Bot nope", NULL };
    static const char *const bearer[] = { REST_AGENT,
                                          "Authorization: Bearer " REST_SERVER_BOT_TOKEN, NULL };
    static const struct request_case cases[] = {
        { "PATCH", REST_ORIGINAL, no_agent, REST_GOOD, 403, "40333", "User-Agent is ''" },
        { "PATCH", REST_ORIGINAL, bad_agent, REST_GOOD, 403, "40333", "User-Agent is 'curl/8'" },
        { "PATCH", REST_ORIGINAL, half_agent, REST_GOOD, 403, "40333", "User-Agent" },
        { "PATCH", REST_ORIGINAL, no_type, REST_GOOD, 400, "50109", "Content-Type is neither" },
        { "PATCH", REST_ORIGINAL, rest_as_bot, REST_GOOD, 200, "done", "needs no Authorization" },
        { "GET", REST_OWN "commands", rest_plain, NULL, 401,
          "{\"message\":\"401: Unauthorized\",\"code\":0}", "Authorization is missing" },
        { "GET", REST_OWN "commands", bad_bot, NULL, 401, "\"code\":0", "not 'Bot'" },
        { "GET", REST_OWN "commands", bearer, NULL, 401, "\"code\":0", "not 'Bot'" },
        { "GET", REST_API "/users/@me", rest_as_bot, NULL, 200, "\"id\":\"1000000000000000001\"",
          NULL },
        { "GET", REST_API "/applications/@me", rest_as_bot, NULL, 200, "\"verify_key\"", NULL },
        { "GET", REST_API "/applications/12/commands", rest_as_bot, NULL, 404, "10002",
          "another app" },
    };
    check_requests(cases, ARRAY_LENGTH(cases));
}

#define CHANNEL(number) REST_API "/channels/" number "/messages"

static void channels_are_written_to_as_the_bot(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    static const struct {
        const char *path;
        const char *const *headers;
        const char *body;
        int status;
        const char *violation; /* NULL: none */
    } cases[] = {
        { CHANNEL("7"), rest_as_bot, REST_GOOD, 200, NULL },
        { CHANNEL("8"), rest_as_bot, REST_GOOD, 404, NULL },
        { CHANNEL("7"), rest_plain, REST_GOOD, 401, "Authorization is missing" },
        { CHANNEL("x"), rest_as_bot, REST_GOOD, 404, "or no id" },
        { CHANNEL("7"), rest_as_bot, "{\"content\":\"x\"}", 400, "allowed_mentions: is missing" },
        { CHANNEL("7"), rest_as_bot, MESSAGE(",\"flags\":64"), 400, "no ephemeral messages" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        rest_fixture_start(&fixture, NULL, NULL);
        rest_server_add_channel(fixture.server, 7);
        assert_int_equal(rest_fixture_request(&fixture, "POST", cases[i].path, cases[i].headers,
                                              cases[i].body, NULL),
                         cases[i].status);
        if (cases[i].violation)
            rest_assert_violation(&fixture, cases[i].violation);
        else
            rest_assert_no_violation(&fixture);
        assert_int_equal(rest_server_channel_messages(fixture.server, 7), cases[i].status == 200);
        rest_fixture_finish(&fixture);
    }
}

#define NONCE(text)    MESSAGE(",\"nonce\":" text)
#define ENFORCED(text) MESSAGE(",\"nonce\":" text ",\"enforce_nonce\":true")

static void a_nonce_that_is_enforced_makes_one_message(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        int64_t apart_ms;
        size_t messages;
    } cases[] = {
        { ENFORCED("\"a\""), ENFORCED("\"a\""), 0, 1 },
        { ENFORCED("12"), ENFORCED("12"), 0, 1 },
        { NONCE("\"a\""), ENFORCED("\"a\""), 0, 1 },
        { ENFORCED("\"a\""), ENFORCED("\"a\""), REST_SERVER_NONCE_MS - 60000, 1 },
        { ENFORCED("\"a\""), ENFORCED("\"a\""), REST_SERVER_NONCE_MS, 2 },
        { ENFORCED("\"a\""), ENFORCED("\"b\""), 0, 2 },
        { ENFORCED("\"a\""), NONCE("\"a\""), 0, 2 },
        { NONCE("\"a\""), NONCE("\"a\""), 0, 2 },
        { REST_GOOD, REST_GOOD, 0, 2 },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct rest_fixture fixture;
        CLEANUP(buf_free) struct buf first = { 0 };
        CLEANUP(buf_free) struct buf second = { 0 };
        rest_fixture_start(&fixture, NULL, NULL);
        rest_server_add_channel(fixture.server, 7);
        assert_int_equal(rest_fixture_request(&fixture, "POST", CHANNEL("7"), rest_as_bot,
                                              cases[i].first, &first),
                         200);
        __atomic_store_n(&fixture.shift_ms, cases[i].apart_ms, __ATOMIC_RELAXED);
        assert_int_equal(rest_fixture_request(&fixture, "POST", CHANNEL("7"), rest_as_bot,
                                              cases[i].second, &second),
                         200);
        assert_int_equal(rest_server_channel_messages(fixture.server, 7), cases[i].messages);
        assert_int_equal(strcmp(first.data, second.data) == 0, cases[i].messages == 1);
        rest_assert_no_violation(&fixture);
        rest_fixture_finish(&fixture);
    }
}

static void a_nonce_is_short_and_only_for_channels(void **state)
{
    (void)state;
    static const struct request_case cases[] = {
        { "POST", CHANNEL("7"), rest_as_bot, ENFORCED("\"1234567890123456789012345\""), 200,
          "\"nonce\":\"1234567890123456789012345\"", NULL },
        { "POST", CHANNEL("7"), rest_as_bot, ENFORCED("\"12345678901234567890123456\""), 400,
          "50035", "nonce: is longer than 25 characters" },
        { "POST", CHANNEL("7"), rest_as_bot, ENFORCED("true"), 400, "50035",
          "nonce: is neither an integer nor a text" },
        { "POST", CHANNEL("7"), rest_as_bot, MESSAGE(",\"enforce_nonce\":true"), 400, "50035",
          "nonce: is missing" },
        { "PATCH", REST_ORIGINAL, rest_plain, NONCE("\"a\""), 400, "50035",
          "nonce: is not a field" },
    };
    check_requests(cases, ARRAY_LENGTH(cases));
}

#define PART(head, data)                                                                           \
    "--xyz\r\nContent-Disposition: form-data; name=\"" head "\r\n\r\n" data "\r\n"
#define PAYLOAD(data)  PART("payload_json\"", data)
#define FILES(n)       PART("files[" n "]\"; filename=\"a.txt\"", "hello")
#define ATTACHED(list) MESSAGE(",\"attachments\":[" list "]")
#define ENDED          "--xyz--\r\n"
#define ONE            "{\"id\":0,\"filename\":\"a.txt\"}"

static void files_must_match_their_attachments(void **state)
{
    (void)state;
    static const struct request_case cases[] = {
        { "PATCH", REST_ORIGINAL, form, PAYLOAD(ATTACHED(ONE)) FILES("0") ENDED, 200, "\"size\":5",
          NULL },
        { "PATCH", REST_ORIGINAL, form, PAYLOAD(REST_GOOD) ENDED, 200, "done", NULL },
        { "PATCH", REST_ORIGINAL, form, PAYLOAD(ATTACHED(ONE)) ENDED, 400, "50035",
          "there is no files[0]" },
        { "PATCH", REST_ORIGINAL, form, PAYLOAD(REST_GOOD) FILES("0") ENDED, 400, "50035",
          "files[0] needs one attachment" },
        { "PATCH", REST_ORIGINAL, form, PAYLOAD(ATTACHED(ONE)) FILES("1") ENDED, 400, "50035",
          "there is no files[0]" },
        { "PATCH", REST_ORIGINAL, form, FILES("0") ENDED, 400, "50109", "payload_json is missing" },
        { "PATCH", REST_ORIGINAL, form,
          PAYLOAD(ATTACHED(ONE)) PART("file\"; filename=\"a\"", "x") ENDED, 400, "50109",
          "neither payload_json nor files[n]" },
        { "PATCH", REST_ORIGINAL, form, PAYLOAD(ATTACHED(ONE)) PART("files[0]\"", "x") ENDED, 400,
          "50109", "no filename" },
        { "PATCH", REST_ORIGINAL, form, PAYLOAD(ATTACHED(ONE)) FILES("0"), 400, "50109",
          "cut off" },
        { "PATCH", REST_ORIGINAL, form,
          PAYLOAD("{\"flags\":32768,\"allowed_mentions\":{\"parse\":[]},\"attachments\":[" ONE
                  "],\"components\":[{\"type\":13,\"file\":{\"url\":\"attachment://b.txt\"}}]}")
              FILES("0") ENDED,
          400, "50035", "attachment://b.txt names no attachment" },
    };
    check_requests(cases, ARRAY_LENGTH(cases));
}

#define COMMAND(more) "[{\"name\":\"a\",\"description\":\"d\"" more "}]"
#define OPTION(more)  "{\"type\":3,\"name\":\"o\",\"description\":\"d\"" more "}"

static void command_sets_are_judged(void **state)
{
    (void)state;
    static const struct request_case cases[] = {
        { "PUT", REST_OWN "commands", rest_as_bot, "[]", 200, "[]", NULL },
        { "PUT", REST_OWN "commands", rest_as_bot, COMMAND(""), 200, "\"version\"", NULL },
        { "PUT", REST_OWN "guilds/9/commands", rest_as_bot, COMMAND(""), 200, "\"guild_id\":\"9\"",
          NULL },
        { "PUT", REST_OWN "commands", rest_as_bot, "{}", 400, "50109", "no JSON array" },
        { "PUT", REST_OWN "commands", rest_as_bot, "[{\"name\":\"A\",\"description\":\"d\"}]", 400,
          "\"errors\":{\"0\":{\"name\":{\"_errors\"", "does not match" },
        { "PUT", REST_OWN "commands", rest_as_bot, "[{\"name\":\"a b\",\"description\":\"d\"}]",
          400, "50035", "does not match" },
        { "PUT", REST_OWN "commands", rest_as_bot, "[{\"name\":\"a\"}]", 400, "50035",
          "description is missing" },
        { "PUT", REST_OWN "commands", rest_as_bot,
          "[{\"name\":\"a\",\"description\":\"d\"},{\"name\":\"a\",\"description\":\"e\"}]", 400,
          "50035", "the name 'a' is used twice" },
        { "PUT", REST_OWN "commands", rest_as_bot, COMMAND(",\"nonsense\":1"), 400, "50035",
          "not a field" },
        { "PUT", REST_OWN "commands", rest_as_bot,
          COMMAND(",\"options\":[" OPTION("") ",{\"type\":4,\"name\":\"p\",\"description\":\"d\","
                                              "\"required\":true}]"),
          400, "50035", "required options must come first" },
        { "PUT", REST_OWN "commands", rest_as_bot,
          COMMAND(",\"options\":[" OPTION(",\"autocomplete\":true,\"choices\":[{\"name\":\"n\","
                                          "\"value\":\"v\"}]") "]"),
          400, "50035", "exclude each other" },
        { "PUT", REST_OWN "commands", rest_as_bot,
          COMMAND(",\"options\":[" OPTION(",\"choices\":[{\"name\":\"n\",\"value\":1}]") "]"), 400,
          "\"choices\":{\"0\":", "does not fit the type" },
        { "PUT", REST_OWN "commands", rest_as_bot,
          COMMAND(",\"options\":[" OPTION(",\"min_value\":1") "]"), 400, "50035",
          "min_value can't be" },
        { "PUT", REST_OWN "commands", rest_as_bot,
          COMMAND(
              ",\"options\":[{\"type\":1,\"name\":\"s\",\"description\":\"d\"}," OPTION("") "]"),
          400, "50035", "type 3 can't be here" },
        { "PUT", REST_OWN "commands", rest_as_bot,
          COMMAND(",\"options\":[{\"type\":2,\"name\":\"g\",\"description\":\"d\",\"options\":[{"
                  "\"type\":2,\"name\":\"h\",\"description\":\"d\"}]}]"),
          400, "50035", "type 2 can't be here" },
        { "PUT", REST_OWN "commands", rest_as_bot,
          COMMAND(
              ",\"options\":[{\"type\":2,\"name\":\"g\",\"description\":\"d\",\"options\":[{"
              "\"type\":1,\"name\":\"s\",\"description\":\"d\",\"options\":[" OPTION("") "]}]}]"),
          200, "\"options\"", NULL },
    };
    check_requests(cases, ARRAY_LENGTH(cases));
}

static void more_than_a_hundred_commands_are_refused(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(buf_free) struct buf answer = { 0 };
    rest_fixture_start(&fixture, NULL, NULL);
    for (int i = 0; i < 101; i++)
        buf_append_format(&body, "%s{\"name\":\"c%d\",\"description\":\"d\"}", i ? "," : "[", i);
    buf_append_char(&body, ']');
    assert_int_equal(
        rest_fixture_request(&fixture, "PUT", REST_OWN "commands", rest_as_bot, body.data, &answer),
        400);
    assert_non_null(strstr(answer.data, "101 commands of type 1, at most 100"));
    assert_null(rest_server_commands(fixture.server, 0));
    rest_fixture_finish(&fixture);
}

static void registered_commands_keep_their_ids(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    rest_fixture_start(&fixture, NULL, NULL);
    assert_int_equal(
        rest_fixture_request(&fixture, "PUT", REST_OWN "commands", rest_as_bot, COMMAND(""), NULL),
        200);
    json_object *first = rest_server_commands(fixture.server, 0);
    assert_int_equal(
        rest_fixture_request(
            &fixture, "PUT", REST_OWN "commands", rest_as_bot,
            "[{\"name\":\"b\",\"description\":\"d\"},{\"name\":\"a\",\"description\":\"e\"}]",
            NULL),
        200);
    json_object *second = rest_server_commands(fixture.server, 0);
    json_object *old = json_object_array_get_idx(first, 0);
    json_object *kept = json_object_array_get_idx(second, 1);
    assert_string_equal(json_object_get_string(json_object_object_get(old, "id")),
                        json_object_get_string(json_object_object_get(kept, "id")));
    assert_string_equal(json_object_get_string(json_object_object_get(kept, "description")), "e");
    json_object_put(first);
    json_object_put(second);
    rest_fixture_finish(&fixture);
}

/* --- Tokens --- */

static void an_edit_before_the_answer_is_a_violation(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    rest_fixture_start(&fixture, NULL, NULL);
    assert_int_equal(rest_fixture_edit(&fixture), 404);
    rest_assert_violation(&fixture, "sent before the interaction was answered");
    rest_server_answered(fixture.server, fixture.id, STR("{\"type\":5}"));
    assert_int_equal(rest_fixture_edit(&fixture), 200);
    rest_fixture_finish(&fixture);
}

static void a_token_is_unknown_until_its_answer_was_taken_in(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    rest_fixture_start(&fixture, NULL, NULL);
    rest_server_set_intake(fixture.server, 60000);
    rest_server_answered(fixture.server, fixture.id, STR("{\"type\":5}"));
    assert_int_equal(rest_fixture_edit(&fixture), 404);
    rest_assert_no_violation(&fixture);
    rest_fixture_finish(&fixture);
}

static void a_token_dies_after_fifteen_minutes(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    CLEANUP(buf_free) struct buf body = { 0 };
    rest_fixture_start(&fixture, NULL, "{\"type\":5}");
    assert_int_equal(rest_fixture_edit(&fixture), 200);
    __atomic_store_n(&fixture.shift_ms, REST_SERVER_TOKEN_MS, __ATOMIC_RELAXED);
    assert_int_equal(
        rest_fixture_request(&fixture, "PATCH", REST_ORIGINAL, rest_plain, REST_GOOD, &body), 401);
    assert_non_null(strstr(body.data, "\"code\":50027"));
    rest_assert_violation(&fixture, "15 minutes are over");
    rest_fixture_finish(&fixture);
}

static void a_late_answer_never_makes_a_token(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    rest_fixture_start(&fixture, NULL, NULL);
    rest_server_unanswered(fixture.server, fixture.id);
    assert_int_equal(rest_fixture_edit(&fixture), 404);
    rest_fixture_finish(&fixture);
}

static void edits_change_what_the_interaction_shows(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    CLEANUP(buf_free) struct buf shown = { 0 };
    struct rest_change change = { 0 };
    rest_fixture_start(&fixture, NULL, "{\"type\":5,\"data\":{\"flags\":64}}");
    assert_false(rest_server_original(fixture.server, fixture.id, &shown));
    assert_int_equal(rest_fixture_edit(&fixture), 200);
    assert_true(rest_server_wait_edits(fixture.server, fixture.id, 1, 0));
    assert_true(rest_server_original(fixture.server, fixture.id, &shown));
    assert_non_null(strstr(shown.data, "\"content\":\"done\""));
    assert_non_null(strstr(shown.data, "\"flags\":64"));
    assert_true(rest_server_take_change(fixture.server, 0, &change));
    assert_int_equal(change.kind, CHANGE_EDIT);
    rest_change_free(&change);

    assert_int_equal(rest_fixture_request(&fixture, "POST", REST_APP "tok", rest_plain,
                                          MESSAGE(",\"flags\":64"), NULL),
                     200);
    assert_int_equal(rest_server_follow_ups(fixture.server, fixture.id), 1);
    assert_true(rest_server_take_change(fixture.server, 0, &change));
    assert_int_equal(change.kind, CHANGE_NEW);
    assert_int_equal(change.message.viewer_id, 5);
    rest_change_free(&change);

    assert_int_equal(
        rest_fixture_request(&fixture, "DELETE", REST_ORIGINAL, rest_plain, NULL, NULL), 204);
    assert_int_equal(rest_fixture_edit(&fixture), 404);
    rest_assert_no_violation(&fixture);
    rest_fixture_finish(&fixture);
}

/* --- Limits --- */

static void an_exhausted_bucket_answers_429(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    CLEANUP(buf_free) struct buf answer = { 0 };
    rest_fixture_start(&fixture, &(struct rest_limits){ .burst_ms = 60000 }, "{\"type\":5}");
    for (int left = REST_SERVER_BURST - 1; left >= 0; left--) {
        char header[48];
        rest_fixture_raw(&fixture, REST_ORIGINAL, "", &answer);
        snprintf(header, sizeof(header), "X-RateLimit-Remaining: %d\r\n", left);
        assert_non_null(strstr(answer.data, header));
        assert_non_null(strstr(answer.data, "X-RateLimit-Limit: 5\r\n"));
        assert_non_null(strstr(answer.data, "X-RateLimit-Reset-After: "));
        assert_non_null(strstr(answer.data, "X-RateLimit-Bucket: "));
    }
    rest_fixture_raw(&fixture, REST_ORIGINAL, "", &answer);
    assert_non_null(strstr(answer.data, "HTTP/1.1 429"));
    assert_non_null(strstr(answer.data, "Retry-After: "));
    assert_non_null(strstr(answer.data, "X-RateLimit-Scope: user\r\n"));
    assert_non_null(strstr(answer.data, "\"global\":false"));
    rest_fixture_raw(&fixture, REST_ORIGINAL, "", &answer);
    rest_assert_violation(&fixture, "sent");
    rest_fixture_finish(&fixture);
}

/* --- Faults --- */

/* Adds a fault by its words, sends an edit, looks whether it had its effect. */
struct fault_case {
    const char *words;
    int status;
    size_t edits;
    const char *answer;
};

static void faults_hit_what_they_name(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        { "1 edit status 502", 502, 0, "{\"message\":\"502: Bad Gateway\",\"code\":0}" },
        { "1 request status 500", 500, 0, "500" },
        { "1 edit status 404 code 10015", 404, 0, "Unknown Webhook" },
        { "1 edit status 429 after 300ms", 429, 0, "\"retry_after\":0.300" },
        { "1 edit status 429 after 300ms global", 429, 0, "\"global\":true" },
        { "1 edit status 429 after 2s cloudflare", 429, 0, "error code: 1015" },
        { "1 edit reset before effect", 0, 0, "" },
        { "1 edit reset after effect", 0, 1, "" },
        { "edits delay 30ms", 200, 1, "done" },
        { "1 follow-up status 502", 200, 1, "done" },
        { "3 registers stall", 200, 1, "done" },
        { "none", 200, 1, "done" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct rest_fixture fixture;
        struct err err = { 0 };
        CLEANUP(buf_free) struct buf body = { 0 };
        rest_fixture_start(&fixture, NULL, "{\"type\":5}");
        if (rest_fixture_fault(&fixture, cases[i].words, &err) != 0)
            fail_msg("%s: %s", cases[i].words, err.message);
        int status =
            rest_fixture_request(&fixture, "PATCH", REST_ORIGINAL, rest_plain, REST_GOOD, &body);
        size_t edits = rest_server_edits(fixture.server, fixture.id);
        if (status != cases[i].status || edits != cases[i].edits ||
            !strstr(body.data ? body.data : "", cases[i].answer))
            fail_msg("%s: %d, %zu edits, %s", cases[i].words, status, edits, body.data);
        rest_assert_no_violation(&fixture);
        rest_fixture_finish(&fixture);
    }
}

static void a_fault_is_used_up(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    struct err err = { 0 };
    rest_fixture_start(&fixture, NULL, "{\"type\":5}");
    assert_int_equal(rest_fixture_fault(&fixture, "2 edits status 502", &err), 0);
    assert_int_equal(rest_fixture_edit(&fixture), 502);
    assert_int_equal(rest_fixture_edit(&fixture), 502);
    assert_int_equal(rest_fixture_edit(&fixture), 200);
    rest_fixture_finish(&fixture);
}

static void sending_within_a_retry_after_is_a_violation(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    struct err err = { 0 };
    rest_fixture_start(&fixture, NULL, "{\"type\":5}");
    assert_int_equal(rest_fixture_fault(&fixture, "1 edit status 429 after 60s", &err), 0);
    assert_int_equal(rest_fixture_edit(&fixture), 429);
    rest_assert_no_violation(&fixture);
    assert_int_equal(rest_fixture_edit(&fixture), 429);
    rest_assert_violation(&fixture, "before the Retry-After of a 429 was over");
    rest_fixture_finish(&fixture);
}

static void *stalled_edit(void *context)
{
    struct rest_fixture *fixture = context;
    rest_fixture_edit(fixture);
    return NULL;
}

static void a_stalled_request_ends_with_the_server(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    struct err err = { 0 };
    pthread_t thread;
    rest_fixture_start(&fixture, NULL, "{\"type\":5}");
    assert_int_equal(rest_fixture_fault(&fixture, "1 edit stall", &err), 0);
    assert_int_equal(pthread_create(&thread, NULL, stalled_edit, &fixture), 0);
    while (rest_server_arrivals(fixture.server) == 0)
        rest_fixture_sleep(1);
    rest_server_stop(fixture.server);
    pthread_join(thread, NULL);
    http_client_free(fixture.client);
}

static void wrong_faults_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *words, *reason;
    } cases[] = {
        { "3 edits", "status, delay, reset or stall is missing" },
        { "101% of edits stall", "'101%' in a fault is not a count, a share" },
        { "clocks ahead", "a time such as 300ms or 2s is missing" },
        { "clocks stopped", "'stopped' in a fault is not ahead or behind" },
        { "limit token 3 for 2s", "'for' in a fault is not in" },
        { "limit shared in 2s", "'in' in a fault is not a number" },
        { "ban after 3 for 2s now", "'now' in a fault is not the end" },
        { "edits stall for good", "'good' in a fault is not a time" },
        { "3 edits status", "a status (400 to 599) is missing" },
        { "3 edits status 200", "'200' in a fault is not a status" },
        { "3 edits status 502 after 1s", "only status 429" },
        { "3 edits status 429 after soon", "'soon' in a fault is not a time" },
        { "edits delay 300", "'300' in a fault is not a time" },
        { "edits delay 3h", "not a time" },
        { "1 edit reset", "'before effect' or 'after effect' is missing" },
        { "1 edit reset after lunch", "'lunch' in a fault is not" },
        { "1 edit status 502 now", "'now' in a fault is not the end" },
        { "0 edits stall", "'0' in a fault is not a count" },
        { "1 editing stall", "'editing' in a fault is not status" },
        { "answers stall", "'stall' in a fault is not delay" },
        { "stall", "'stall' in a fault is not a count" },
    };
    struct rest_fixture fixture;
    rest_fixture_start(&fixture, NULL, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct err err = { 0 };
        if (rest_fixture_fault(&fixture, cases[i].words, &err) != ERR_INVALID ||
            !strstr(err.message, cases[i].reason))
            fail_msg("%s: %s", cases[i].words, err.message);
    }
    rest_fixture_finish(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_taken_or_refused_as_discord_does),
        cmocka_unit_test(headers_are_demanded),
        cmocka_unit_test(channels_are_written_to_as_the_bot),
        cmocka_unit_test(a_nonce_that_is_enforced_makes_one_message),
        cmocka_unit_test(a_nonce_is_short_and_only_for_channels),
        cmocka_unit_test(files_must_match_their_attachments),
        cmocka_unit_test(command_sets_are_judged),
        cmocka_unit_test(more_than_a_hundred_commands_are_refused),
        cmocka_unit_test(registered_commands_keep_their_ids),
        cmocka_unit_test(an_edit_before_the_answer_is_a_violation),
        cmocka_unit_test(a_token_is_unknown_until_its_answer_was_taken_in),
        cmocka_unit_test(a_token_dies_after_fifteen_minutes),
        cmocka_unit_test(a_late_answer_never_makes_a_token),
        cmocka_unit_test(edits_change_what_the_interaction_shows),
        cmocka_unit_test(an_exhausted_bucket_answers_429),
        cmocka_unit_test(faults_hit_what_they_name),
        cmocka_unit_test(a_fault_is_used_up),
        cmocka_unit_test(sending_within_a_retry_after_is_a_violation),
        cmocka_unit_test(a_stalled_request_ends_with_the_server),
        cmocka_unit_test(wrong_faults_are_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
