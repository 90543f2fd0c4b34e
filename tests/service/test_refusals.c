/* Forged requests against the real program: ten thousand mutations of a good one are all refused
 * with 401, genuine ones in between are answered, and the process leaves cleanly (under ASan and
 * UBSan too). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/bot_process.h"
#include "harness/http_client.h"
#include "harness/interaction_json.h"
#include "harness/memory.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#ifndef BRONXBOT_BINARY
#error "the build says where the binary is"
#endif

#define MUTATIONS     10000
#define GENUINE_EVERY 250
#define HEADERS_MAX   6

/* A request in parts, so that a mutation can break any of them. */
struct parts {
    struct harness_signature signature;
    struct buf body;
    const char *headers[HEADERS_MAX];
    struct buf lines[HEADERS_MAX];
    int header_count;
};

struct refusals {
    struct harness_bot bot;
    struct http_client *client;
    uint64_t random_state;
};

/* xorshift64: the same mutations at every run. */
static uint32_t random_below(struct refusals *refusals, uint32_t bound)
{
    uint64_t x = refusals->random_state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    refusals->random_state = x;
    return (uint32_t)(x >> 32) % bound;
}

static void add_header(struct parts *parts, const char *name, const char *value)
{
    struct buf *line = &parts->lines[parts->header_count];
    buf_clear(line);
    buf_append_format(line, "%s: %s", name, value);
    parts->headers[parts->header_count++] = line->data;
    parts->headers[parts->header_count] = NULL;
}

static void add_headers(struct parts *parts)
{
    add_header(parts, "Content-Type", "application/json");
    add_header(parts, "X-Signature-Ed25519", parts->signature.hex);
    add_header(parts, "X-Signature-Timestamp", parts->signature.timestamp);
}

/* A PING signed `age_seconds` ago. */
static void make_ping(struct refusals *refusals, struct parts *parts, int64_t age_seconds)
{
    int64_t now_ms = harness_bot_now_ms(&refusals->bot);
    const struct envelope envelope = {
        .id = snowflake_at(now_ms, 1),
        .application_id = HARNESS_APPLICATION_ID,
        .person = { .id = 7, .name = "alice" },
        .place = { .channel_id = 8 },
    };
    CLEANUP(json_release) json_object *ping = ping_interaction(&envelope);
    buf_clear(&parts->body);
    interaction_bytes(ping, &parts->body);
    harness_sign(&refusals->bot.keys, now_ms / 1000 - age_seconds, buf_view(&parts->body),
                 &parts->signature);
    parts->header_count = 0;
}

static void flip_a_bit_of_the_body(struct refusals *refusals, struct parts *parts)
{
    size_t at = random_below(refusals, (uint32_t)parts->body.length);
    parts->body.data[at] = (char)(parts->body.data[at] ^ 1 << random_below(refusals, 8));
    add_headers(parts);
}

static void change_a_digit_of_the_signature(struct refusals *refusals, struct parts *parts)
{
    char *digit = &parts->signature.hex[random_below(refusals, HARNESS_SIGNATURE_HEX)];
    *digit = *digit == '0' ? '1' : '0';
    add_headers(parts);
}

static void put_a_letter_into_the_signature(struct refusals *refusals, struct parts *parts)
{
    parts->signature.hex[random_below(refusals, HARNESS_SIGNATURE_HEX)] =
        "gG :xZ-+"[random_below(refusals, 8)];
    add_headers(parts);
}

static void shorten_the_signature(struct refusals *refusals, struct parts *parts)
{
    parts->signature.hex[random_below(refusals, HARNESS_SIGNATURE_HEX)] = '\0';
    add_headers(parts);
}

static void change_a_digit_of_the_timestamp(struct refusals *refusals, struct parts *parts)
{
    char *digit =
        &parts->signature
             .timestamp[random_below(refusals, (uint32_t)strlen(parts->signature.timestamp))];
    uint32_t changed = (uint32_t)(*digit - '0') + 1 + random_below(refusals, 9);
    *digit = (char)('0' + changed % 10);
    add_headers(parts);
}

/* Nothing but digits is a timestamp. */
static void put_a_sign_into_the_timestamp(struct refusals *refusals, struct parts *parts)
{
    char *timestamp = parts->signature.timestamp;
    size_t length = strlen(timestamp);
    assert_true(length + 2 <= sizeof(parts->signature.timestamp));
    size_t at = random_below(refusals, (uint32_t)length + 1);
    memmove(timestamp + at + 1, timestamp + at, length + 1 - at);
    timestamp[at] = "+-.xe,_"[random_below(refusals, 7)];
    add_headers(parts);
}

static void truncate_the_body(struct refusals *refusals, struct parts *parts)
{
    parts->body.length = random_below(refusals, (uint32_t)parts->body.length);
    add_headers(parts);
}

static void swap_two_bytes_of_the_body(struct refusals *refusals, struct parts *parts)
{
    uint32_t length = (uint32_t)parts->body.length;
    uint32_t first, second;
    do {
        first = random_below(refusals, length);
        second = random_below(refusals, length);
    } while (parts->body.data[first] == parts->body.data[second]);
    char kept = parts->body.data[first];
    parts->body.data[first] = parts->body.data[second];
    parts->body.data[second] = kept;
    add_headers(parts);
}

static void repeat_a_header(struct refusals *refusals, struct parts *parts)
{
    add_headers(parts);
    if (random_below(refusals, 2))
        add_header(parts, "X-Signature-Ed25519", parts->signature.hex);
    else
        add_header(parts, "x-signature-timestamp", parts->signature.timestamp);
}

static void leave_a_header_out(struct refusals *refusals, struct parts *parts)
{
    if (random_below(refusals, 2))
        add_header(parts, "X-Signature-Ed25519", parts->signature.hex);
    else
        add_header(parts, "X-Signature-Timestamp", parts->signature.timestamp);
}

/* What is signed has no separator: "170" + "0{...}" must not pass for "1700" + "{...}". */
static void move_the_split(struct refusals *refusals, struct parts *parts)
{
    struct buf moved = { 0 };
    size_t length = strlen(parts->signature.timestamp);
    size_t keep = 1 + random_below(refusals, (uint32_t)length - 1);
    buf_append(&moved, str_from(parts->signature.timestamp + keep));
    buf_append(&moved, buf_view(&parts->body));
    parts->signature.timestamp[keep] = '\0';
    buf_free(&parts->body);
    parts->body = moved;
    add_headers(parts);
}

static void sign_long_ago(struct refusals *refusals, struct parts *parts)
{
    make_ping(refusals, parts, 302 + random_below(refusals, 100000));
    add_headers(parts);
}

static void sign_in_the_future(struct refusals *refusals, struct parts *parts)
{
    make_ping(refusals, parts, -33 - (int64_t)random_below(refusals, 100000));
    add_headers(parts);
}

static void sign_with_another_key(struct refusals *refusals, struct parts *parts)
{
    struct harness_keys other;
    unsigned char seed[HARNESS_SEED_BYTES] = { (unsigned char)random_below(refusals, 256), 99 };
    harness_keys_make(&other, seed);
    harness_sign(&other, harness_bot_now_ms(&refusals->bot) / 1000, buf_view(&parts->body),
                 &parts->signature);
    add_headers(parts);
}

typedef void mutation(struct refusals *refusals, struct parts *parts);

static mutation *const mutations[] = {
    flip_a_bit_of_the_body,
    change_a_digit_of_the_signature,
    put_a_letter_into_the_signature,
    shorten_the_signature,
    change_a_digit_of_the_timestamp,
    put_a_sign_into_the_timestamp,
    truncate_the_body,
    swap_two_bytes_of_the_body,
    repeat_a_header,
    leave_a_header_out,
    move_the_split,
    sign_long_ago,
    sign_in_the_future,
    sign_with_another_key,
};

static void free_parts(struct parts *parts)
{
    buf_free(&parts->body);
    for (size_t i = 0; i < HEADERS_MAX; i++)
        buf_free(&parts->lines[i]);
}

static int send_parts(struct refusals *refusals, const struct parts *parts, const char *path,
                      struct http_answer *answer)
{
    const struct http_request request = {
        .method = "POST", .path = path, .headers = parts->headers, .body = buf_view(&parts->body)
    };
    struct err err = { 0 };
    if (http_client_send(refusals->client, &request, answer, &err) != 0)
        fail_msg("no answer: %s", err.message);
    return answer->status;
}

static void expect_pong(struct refusals *refusals, struct parts *parts, struct http_answer *answer)
{
    make_ping(refusals, parts, 0);
    add_headers(parts);
    assert_int_equal(send_parts(refusals, parts, "/interactions", answer), 200);
    assert_string_equal(answer->content_type, "application/json");
    assert_string_equal(answer->body.data, "{\"type\":1}");
}

static void every_mutation_is_refused_and_every_genuine_ping_answered(void **state)
{
    struct refusals *refusals = *state;
    struct parts parts = { 0 };
    struct http_answer answer = { 0 };
    for (int i = 0; i < MUTATIONS; i++) {
        int which = i % (int)ARRAY_LENGTH(mutations);
        make_ping(refusals, &parts, 0);
        mutations[which](refusals, &parts);
        const char *path = random_below(refusals, 4) ? "/interactions" : "/events";
        if (send_parts(refusals, &parts, path, &answer) != 401)
            fail_msg("mutation %d (kind %d) got %d", i, which, answer.status);
        if (i % GENUINE_EVERY == 0)
            expect_pong(refusals, &parts, &answer);
    }
    expect_pong(refusals, &parts, &answer);
    free_parts(&parts);
    http_answer_free(&answer);
    assert_true(harness_bot_is_running(&refusals->bot));
}

static void a_body_above_the_limit_gets_413(void **state)
{
    struct refusals *refusals = *state;
    struct parts parts = { 0 };
    struct http_answer answer = { 0 };
    make_ping(refusals, &parts, 0);
    add_headers(&parts);
    while (parts.body.length <= 262144)
        buf_append(&parts.body, STR("                                                "));
    assert_int_equal(send_parts(refusals, &parts, "/interactions", &answer), 413);
    expect_pong(refusals, &parts, &answer);
    free_parts(&parts);
    http_answer_free(&answer);
}

static void signed_nonsense_gets_400_with_a_reason(void **state)
{
    static const char *const nonsense[] = {
        "{",
        "[]",
        "null",
        "{\"type\":2}",
        "{\"type\":\"1\"}",
        "{}{}",
        "{\"type\":1}x",
        "\"text\"",
        "{\"type\":2,\"id\":\"1\",\"application_id\":\"1\"}",
        "{\"type\":99}",
    };
    struct refusals *refusals = *state;
    struct parts parts = { 0 };
    struct http_answer answer = { 0 };
    for (size_t i = 0; i < ARRAY_LENGTH(nonsense); i++) {
        buf_clear(&parts.body);
        buf_append(&parts.body, str_from(nonsense[i]));
        parts.header_count = 0;
        harness_sign(&refusals->bot.keys, harness_bot_now_ms(&refusals->bot) / 1000,
                     buf_view(&parts.body), &parts.signature);
        add_headers(&parts);
        if (send_parts(refusals, &parts, "/interactions", &answer) != 400)
            fail_msg("%s got %d", nonsense[i], answer.status);
        assert_string_equal(answer.content_type, "application/json");
        assert_true(answer.body.length > 10);
    }
    free_parts(&parts);
    http_answer_free(&answer);
}

static void events_answer_a_ping_with_204_and_nothing_else(void **state)
{
    struct refusals *refusals = *state;
    struct parts parts = { 0 };
    struct http_answer answer = { 0 };
    buf_append(&parts.body, STR("{\"version\":1,\"application_id\":\"1234\",\"type\":0}"));
    harness_sign(&refusals->bot.keys, harness_bot_now_ms(&refusals->bot) / 1000,
                 buf_view(&parts.body), &parts.signature);
    add_headers(&parts);
    assert_int_equal(send_parts(refusals, &parts, "/events", &answer), 204);
    assert_int_equal(answer.body.length, 0);
    free_parts(&parts);
    http_answer_free(&answer);
}

static int start_bot(void **state)
{
    static struct refusals refusals;
    static const struct harness_bot_options options = { .binary = BRONXBOT_BINARY };
    struct err err = { 0 };
    refusals.random_state = UINT64_C(0x9e3779b97f4a7c15);
    *state = &refusals;
    if (sodium_init() < 0 || harness_bot_init(&refusals.bot, &options, &err) != 0 ||
        harness_bot_launch(&refusals.bot, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    refusals.client = http_client_new(&refusals.bot.listen);
    return 0;
}

static int stop_bot(void **state)
{
    struct refusals *refusals = *state;
    int exit_code = -1;
    struct err err = { 0 };
    http_client_free(refusals->client);
    int result = harness_bot_stop(&refusals->bot, &exit_code, &err);
    harness_bot_fini(&refusals->bot);
    if (result != 0 || exit_code != 0)
        fprintf(stderr, "the bot left with %d: %s\n", exit_code, err.message);
    return result != 0 || exit_code != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mutation_is_refused_and_every_genuine_ping_answered),
        cmocka_unit_test(a_body_above_the_limit_gets_413),
        cmocka_unit_test(signed_nonsense_gets_400_with_a_reason),
        cmocka_unit_test(events_answer_a_ping_with_204_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, start_bot, stop_bot);
}
