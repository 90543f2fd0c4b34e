/* The front door: a real nginx with the configuration of nginx/ and a certificate of its own. What
 * it lets through, what it refuses and how, and what it writes down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/bot_process.h"
#include "harness/front.h"
#include "harness/interaction_json.h"
#include "harness/memory.h"
#include "harness/metric.h"

#include "malformed.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BODY_MAX       262144
#define RAW_TIMEOUT_MS 8000
#define RESTARTS       4
#define FLOOD          1500
#define TOKEN          "aW50ZXJhY3Rpb246a-token-that-must-not-be-logged"

struct door {
    struct harness_bot bot;
    struct harness_front front;
    struct http_client *client;
};

static const char *text_of(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

/* A PING signed now. */
static void make_ping(const struct door *door, struct buf *body,
                      struct harness_signature *signature)
{
    int64_t now_ms = harness_bot_now_ms(&door->bot);
    const struct envelope envelope = {
        .id = snowflake_at(now_ms, 1),
        .application_id = HARNESS_APPLICATION_ID,
        .token = TOKEN,
        .person = { .id = 7, .name = "alice" },
        .place = { .channel_id = 8 },
    };
    CLEANUP(json_release) json_object *ping = ping_interaction(&envelope);
    buf_clear(body);
    interaction_bytes(ping, body);
    harness_sign(&door->bot.keys, now_ms / 1000, buf_view(body), signature);
}

static void expect_pong(const struct door *door, struct http_client *client, int http_version)
{
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    struct harness_signature signature;
    struct err err = { 0 };
    make_ping(door, &body, &signature);
    if (http_client_post_signed(client, &signature, buf_view(&body), &answer, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body.data, "{\"type\":1}");
    assert_int_equal(answer.http_version, http_version);
}

/* --- TLS and HTTP --- */

static void discord_is_served_with_tls_1_2_and_with_1_3_alone_and_never_with_less(void **state)
{
    struct door *door = *state;
    static const struct {
        int version;
        bool is_served;
    } rows[] = { { 12, true }, { 13, true }, { 0, true }, { 11, false } };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct http_tls tls = door->front.tls;
        tls.only_version = rows[i].version;
        CLEANUP(http_client_release)
        struct http_client *client = http_client_new(&door->front.address);
        http_client_use_tls(client, &tls);
        if (rows[i].is_served) {
            expect_pong(door, client, 11);
            continue;
        }
        CLEANUP(http_answer_free) struct http_answer answer = { 0 };
        const struct http_request request = { .method = "GET", .path = "/" };
        assert_int_equal(http_client_send(client, &request, &answer, NULL), ERR_UNAVAILABLE);
    }
}

static void http_2_is_spoken(void **state)
{
    struct door *door = *state;
    struct http_tls tls = door->front.tls;
    tls.uses_http2 = true;
    CLEANUP(http_client_release)
    struct http_client *client = http_client_new(&door->front.address);
    http_client_use_tls(client, &tls);
    expect_pong(door, client, 20);
}

static void only_the_two_paths_and_only_post_are_passed_on(void **state)
{
    struct door *door = *state;
    static const struct {
        const char *method, *path;
        int status;
    } rows[] = {
        { "GET", "/interactions", 405 },
        { "PUT", "/interactions", 405 },
        { "DELETE", "/events", 405 },
        { "GET", "/events", 405 },
        { "PATCH", "/interactions", 405 },
        { "OPTIONS", "/interactions", 405 },
        { "GET", "/", 404 },
        { "POST", "/", 404 },
        { "POST", "/interactions/", 404 },
        { "POST", "//interactions", 404 },
        { "POST", "/Interactions", 404 },
        { "GET", "/metrics", 404 },
        { "GET", "/readyz", 404 },
        { "GET", "/healthz", 404 },
        { "POST", "/interactions/x", 404 },
        { "POST", "/.env", 404 },
        { "POST", "/events/../metrics", 404 },
        { "GET", "/bronxbot.db", 404 },
    };
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    struct err err = { 0 };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct http_request request = { .method = rows[i].method, .path = rows[i].path };
        if (http_client_send(door->client, &request, &answer, &err) != 0)
            fail_msg("%s", err.message);
        if (answer.status != rows[i].status)
            fail_msg("%s %s got %d", rows[i].method, rows[i].path, answer.status);
    }
    CLEANUP(buf_free) struct buf raw = { 0 };
    assert_int_equal(http_raw_exchange_tls(&door->front.address, &door->front.tls,
                                           STR("GET /interactions HTTP/1.1\r\nHost: bot\r\n"
                                               "Connection: close\r\n\r\n"),
                                           RAW_TIMEOUT_MS, &raw, &err),
                     0);
    assert_non_null(strstr(text_of(&raw), "\r\nAllow: POST\r\n"));
}

static void without_tls_there_is_only_the_challenge_of_the_certificate(void **state)
{
    struct door *door = *state;
    CLEANUP(http_client_release)
    struct http_client *client = http_client_new(&door->front.http_address);
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    static const struct http_request requests[] = {
        { .method = "POST", .path = "/interactions", .body = STR("{}") },
        { .method = "GET", .path = "/" },
        { .method = "GET", .path = "/.well-known/acme-challenge/absent" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
        assert_int_equal(http_client_send(client, &requests[i], &answer, NULL), 0);
        assert_int_equal(answer.status, 404);
    }
    char *command = must_format("mkdir -p %s/acme/.well-known/acme-challenge && echo proof > "
                                "%s/acme/.well-known/acme-challenge/file",
                                door->front.folder, door->front.folder);
    assert_int_equal(system(command), 0);
    free(command);
    const struct http_request challenge = { .method = "GET",
                                            .path = "/.well-known/acme-challenge/file" };
    assert_int_equal(http_client_send(client, &challenge, &answer, NULL), 0);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body.data, "proof\n");
}

static void a_body_of_256_kib_is_passed_on_and_a_larger_one_gets_413(void **state)
{
    struct door *door = *state;
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    struct harness_signature signature;
    struct err err = { 0 };
    make_ping(door, &body, &signature);
    while (body.length < BODY_MAX)
        buf_append(&body, STR(" "));
    /* Whitespace is not signed: the bot, not nginx, refuses it. */
    if (http_client_post_signed(door->client, &signature, buf_view(&body), &answer, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(answer.status, 401);
    assert_string_equal(answer.content_type, "application/json");
    buf_append(&body, STR(" "));
    if (http_client_post_signed(door->client, &signature, buf_view(&body), &answer, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(answer.status, 413);
}

/* --- Malformed headers --- */

struct way {
    const struct door *door;
    bool is_through_nginx;
};

static int status_of(const struct buf *answer)
{
    return answer->length > 12 && strncmp(answer->data, "HTTP/1.1 ", 9) == 0
               ? atoi(answer->data + 9) /* NOLINT(cert-err34-c): 0 is as wrong as any */
               : 0;
}

/* NULL, or what went wrong; owned by the caller. */
static char *try_row(const struct way *way, const struct malformed *row)
{
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(buf_free) struct buf request = { 0 };
    CLEANUP(buf_free) struct buf answer = { 0 };
    const struct door *door = way->door;
    struct harness_signature signature;
    struct err err = { 0 };
    make_ping(door, &body, &signature);
    malformed_request(row, &signature, buf_view(&body), &request);
    int result = way->is_through_nginx
                     ? http_raw_exchange_tls(&door->front.address, &door->front.tls,
                                             buf_view(&request), RAW_TIMEOUT_MS, &answer, &err)
                     : http_raw_exchange(&door->bot.listen, buf_view(&request), false,
                                         RAW_TIMEOUT_MS, &answer, &err);
    if (result == 0 && status_of(&answer) == 401)
        return NULL;
    return must_format("%s, %s: %.60s %s", row->name,
                       way->is_through_nginx ? "through nginx" : "direct", text_of(&answer),
                       result == 0 ? "" : err.message);
}

static char *try_all_rows(const struct way *way)
{
    for (size_t i = 0; malformed_rows[i].name; i++) {
        if (malformed_rows[i].is_for_nginx && !way->is_through_nginx)
            continue;
        char *failure = try_row(way, &malformed_rows[i]);
        if (failure)
            return failure;
    }
    return NULL;
}

static void expect_none(char *failure)
{
    if (failure)
        fail_msg("%s", failure);
}

static void malformed_headers_get_401_directly(void **state)
{
    const struct way way = { *state, .is_through_nginx = false };
    int count = 0;
    for (; malformed_rows[count].name; count++)
        ;
    assert_true(count >= 40);
    expect_none(try_all_rows(&way));
}

static void malformed_headers_get_401_through_nginx(void **state)
{
    const struct way way = { *state, .is_through_nginx = true };
    expect_none(try_all_rows(&way));
}

struct prober {
    struct way way;
    pthread_t thread;
    int is_over; /* atomic */
    int rounds;
    char *failure;
};

static void *probe_until_over(void *context)
{
    struct prober *prober = context;
    while (!prober->failure && !__atomic_load_n(&prober->is_over, __ATOMIC_ACQUIRE)) {
        prober->failure = try_all_rows(&prober->way);
        prober->rounds++;
    }
    return NULL;
}

static void malformed_headers_get_401_while_the_bot_restarts(void **state)
{
    struct door *door = *state;
    struct prober probers[] = { { .way = { door, false } }, { .way = { door, true } } };
    struct err err = { 0 };
    int restarted = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(probers); i++)
        assert_int_equal(pthread_create(&probers[i].thread, NULL, probe_until_over, &probers[i]),
                         0);
    for (; restarted < RESTARTS; restarted++) {
        const struct timespec pause = { .tv_nsec = 300000000 };
        nanosleep(&pause, NULL);
        if (harness_bot_restart(&door->bot, &err) != 0)
            break;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(probers); i++) {
        __atomic_store_n(&probers[i].is_over, 1, __ATOMIC_RELEASE);
        pthread_join(probers[i].thread, NULL);
    }
    if (restarted < RESTARTS)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < ARRAY_LENGTH(probers); i++)
        expect_none(probers[i].failure);
}

/* --- Limits --- */

static int64_t refused_by_the_bot(const struct door *door)
{
    CLEANUP(http_client_release)
    struct http_client *client = http_client_new(&door->bot.admin_listen);
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    const struct http_request request = { .method = "GET", .path = "/metrics" };
    int64_t refused = 0;
    assert_int_equal(http_client_send(client, &request, &answer, NULL), 0);
    assert_true(metric_find(
        answer.body.data, "bronxbot_refused_requests_total{reason=\"header_missing\"}", &refused));
    return refused;
}

/* All from one address, as Discord's own requests may be. */
static void a_flood_without_signatures_is_kept_from_the_bot_and_hits_no_signed_request(void **state)
{
    struct door *door = *state;
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    const struct http_request request = { .method = "POST",
                                          .path = "/interactions",
                                          .body = STR("{\"type\":1}") };
    int64_t before = refused_by_the_bot(door);
    for (int i = 0; i < FLOOD; i++) {
        struct err err = { 0 };
        if (http_client_send(door->client, &request, &answer, &err) != 0)
            fail_msg("%s", err.message);
        assert_int_equal(answer.status, 401);
        if (i % 50 == 0)
            expect_pong(door, door->client, 11);
    }
    int64_t passed_on = refused_by_the_bot(door) - before;
    print_message("%d of %d unsigned requests reached the bot\n", (int)passed_on, FLOOD);
    assert_true(passed_on < FLOOD);
}

/* --- What is written down --- */

static void read_log(const char *path, struct buf *text)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char block[4096];
    size_t got;
    while ((got = fread(block, 1, sizeof(block), file)) > 0)
        buf_append_bytes(text, block, got);
    fclose(file);
    must_hold(text);
}

static size_t longest_run_of_hex(const struct buf *text)
{
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < text->length; i++) {
        run = text->data[i] && strchr("0123456789abcdefABCDEF", text->data[i]) ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void expect_nothing_secret(const char *path)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    read_log(path, &text);
    assert_null(strstr(text_of(&text), TOKEN));
    assert_null(strstr(text_of(&text), "X-Signature"));
    if (longest_run_of_hex(&text) >= 64)
        fail_msg("%s holds something like a signature", path);
}

static void the_logs_hold_no_signature_token_or_query(void **state)
{
    struct door *door = *state;
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    CLEANUP(buf_free) struct buf text = { 0 };
    const struct http_request with_query = { .method = "POST",
                                             .path = "/interactions?token=" TOKEN,
                                             .body = STR("{\"token\":\"" TOKEN "\"}") };
    const struct http_request with_path = { .method = "GET", .path = "/x/" TOKEN };
    assert_int_equal(http_client_send(door->client, &with_query, &answer, NULL), 0);
    assert_int_equal(http_client_send(door->client, &with_path, &answer, NULL), 0);
    expect_pong(door, door->client, 11);
    expect_nothing_secret(door->front.access_log);
    expect_nothing_secret(door->front.error_log);
    read_log(door->front.access_log, &text);
    int lines = 0;
    for (char *rest = text.data, *line; (line = strsep(&rest, "\n")) && *line; lines++) {
        CLEANUP(json_release) json_object *parsed = json_tokener_parse(line);
        json_object *value;
        assert_non_null(parsed);
        assert_true(json_object_object_get_ex(parsed, "status", &value));
        assert_true(json_object_object_get_ex(parsed, "route", &value));
        const char *route = json_object_get_string(value);
        assert_true(strcmp(route, "interactions") == 0 || strcmp(route, "events") == 0 ||
                    strcmp(route, "other") == 0);
    }
    assert_true(lines > FLOOD);
}

/* --- The door --- */

static int open_door(void **state)
{
    static struct door door;
    static const struct harness_bot_options options = { .binary = BRONXBOT_BINARY,
                                                        .keeps_socket = true };
    const struct harness_front_options front = { .nginx_folder = NGINX_FOLDER,
                                                 .instances = { &door.bot.listen } };
    struct err err = { 0 };
    *state = &door;
    if (sodium_init() < 0 || harness_bot_init(&door.bot, &options, &err) != 0 ||
        harness_bot_launch(&door.bot, &err) != 0 ||
        harness_front_init(&door.front, &front, &err) != 0 ||
        harness_front_check(&door.front, &err) != 0 ||
        harness_front_launch(&door.front, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    door.client = harness_front_client(&door.front);
    return 0;
}

static int close_door(void **state)
{
    struct door *door = *state;
    int exit_code = -1;
    struct err err = { 0 };
    http_client_free(door->client);
    int result = harness_bot_stop(&door->bot, &exit_code, &err);
    harness_front_fini(&door->front);
    harness_bot_fini(&door->bot);
    if (result != 0 || exit_code != 0)
        fprintf(stderr, "the bot left with %d: %s\n", exit_code, err.message);
    return result != 0 || exit_code != 0;
}

static void nginx_accepts_the_configuration_for_several_instances_too(void **state)
{
    struct door *door = *state;
    struct harness_front front;
    const struct harness_front_options options = {
        .nginx_folder = NGINX_FOLDER, .instances = { &door->bot.listen, &door->bot.admin_listen }
    };
    struct err err = { 0 };
    int result = harness_front_init(&front, &options, &err);
    if (result == 0)
        result = harness_front_check(&front, &err);
    harness_front_fini(&front);
    if (result != 0)
        fail_msg("%s", err.message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nginx_accepts_the_configuration_for_several_instances_too),
        cmocka_unit_test(discord_is_served_with_tls_1_2_and_with_1_3_alone_and_never_with_less),
        cmocka_unit_test(http_2_is_spoken),
        cmocka_unit_test(only_the_two_paths_and_only_post_are_passed_on),
        cmocka_unit_test(without_tls_there_is_only_the_challenge_of_the_certificate),
        cmocka_unit_test(a_body_of_256_kib_is_passed_on_and_a_larger_one_gets_413),
        cmocka_unit_test(malformed_headers_get_401_directly),
        cmocka_unit_test(malformed_headers_get_401_through_nginx),
        cmocka_unit_test(malformed_headers_get_401_while_the_bot_restarts),
        cmocka_unit_test(
            a_flood_without_signatures_is_kept_from_the_bot_and_hits_no_signed_request),
        cmocka_unit_test(the_logs_hold_no_signature_token_or_query),
    };
    return cmocka_run_group_tests(tests, open_door, close_door);
}
