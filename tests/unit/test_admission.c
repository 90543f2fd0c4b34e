/* Who is let in at the webhook endpoints, over real sockets with stand-ins for what is behind them:
 * forgers, their peers, what a probe's key may sign, how events are answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/system_clock.h"
#include "discord/interaction_parse.h"
#include "discord/webhook_event.h"
#include "http/listener.h"
#include "http/webhook.h"
#include "raw_client.h"
#include "router/events.h"
#include "router/router.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PING "{\"id\":\"1\",\"application_id\":\"2\",\"type\":1,\"token\":\"t\",\"version\":1}"
#define COMMAND                                                                                    \
    "{\"id\":\"1\",\"application_id\":\"2\",\"type\":2,\"token\":\"t\",\"user\":{\"id\":\"3\","    \
    "\"username\":\"a\"},\"data\":{\"id\":\"4\",\"name\":\"balance\",\"type\":1}}"

/* --- what stands in for the router --- */

static enum event_outcome next_outcome;
static enum webhook_event_kind last_kind;
static int command_count;

void events_dispatch(const struct events *events, struct webhook_event *event,
                     const char request_id[REQUEST_ID_SIZE], events_done *done, void *context)
{
    (void)events, (void)request_id;
    last_kind = event->kind;
    webhook_event_free(event);
    done(context, next_outcome);
}

void router_dispatch(struct router *router, struct interaction *interaction,
                     const char request_id[REQUEST_ID_SIZE], router_done *done, void *context)
{
    struct router_answer answer = { 0 };
    (void)router, (void)request_id;
    command_count++;
    interaction_free(interaction);
    buf_append(&answer.body, STR("{\"type\":4}"));
    done(context, &answer);
}

/* --- the server --- */

struct bench {
    struct system_clock clock;
    struct metrics *metrics;
    struct log_sink *log;
    struct probe probe;
    struct webhook webhook;
    struct http_route routes[WEBHOOK_ROUTES];
    struct listen_address address;
    int listen_fd, client;
    struct server *server;
    unsigned char discord_key[crypto_sign_SECRETKEYBYTES];
};

static int bench_open(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct listen_address asked;
    *state = bench;
    if (!bench || sodium_init() < 0 || system_clock_init(&bench->clock, NULL, NULL) != 0 ||
        listen_address_parse(STR("127.0.0.1:0"), &asked) != 0)
        return 1;
    bench->metrics = metrics_new();
    bench->log = log_sink_new(-1, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, &bench->clock.clock);
    probe_init(&bench->probe);
    bench->webhook = (struct webhook){
        .admission = { .policy = { .max_age_seconds = 300, .max_skew_seconds = 30 },
                       .limiter = peer_limiter_new(),
                       .probe = &bench->probe,
                       .clock = &bench->clock.clock,
                       .metrics = bench->metrics },
        .max_body = 65536,
        .clock = &bench->clock.clock,
        .metrics = bench->metrics,
        .log = bench->log,
    };
    crypto_sign_keypair(bench->webhook.admission.policy.keys.bytes[0], bench->discord_key);
    bench->webhook.admission.policy.keys.count = 1;
    webhook_routes(&bench->webhook, bench->routes);
    if (listener_open(&asked, &bench->listen_fd, NULL) != 0 ||
        listener_address(bench->listen_fd, &bench->address, NULL) != 0)
        return 1;
    const struct server_settings settings = {
        .listen_fd = bench->listen_fd,
        .threads = 1,
        .connections = 16,
        .routes = bench->routes,
        .route_count = WEBHOOK_ROUTES,
        .timeouts = HTTP_TIMEOUTS_DEFAULT,
        .clock = &bench->clock.clock,
        .log = bench->log,
        .metrics = bench->metrics,
    };
    if (server_new(&bench->server, &settings, NULL) != 0)
        return 1;
    bench->client = client_connect(&bench->address);
    command_count = 0;
    next_outcome = EVENT_TAKEN;
    return bench->client < 0;
}

static int bench_close(void **state)
{
    struct bench *bench = *state;
    close(bench->client);
    server_free(bench->server);
    close(bench->listen_fd);
    peer_limiter_free(bench->webhook.admission.limiter);
    log_sink_free(bench->log);
    metrics_free(bench->metrics);
    probe_fini(&bench->probe);
    free(bench);
    return 0;
}

/* --- requests --- */

struct request {
    const char *path, *body;
    const char *real_ip;      /* NULL: the header is left out */
    const unsigned char *key; /* signs; NULL: a random signature */
    int64_t age_s;
};

static int ask(struct bench *bench, const struct request *request, struct buf *answer)
{
    unsigned char signature[crypto_sign_BYTES];
    char hex[2 * crypto_sign_BYTES + 1], timestamp[24], message[2048], text[4096], peer[64] = "";
    snprintf(timestamp, sizeof(timestamp), "%" PRId64,
             clock_wall_ms(&bench->clock.clock) / 1000 - request->age_s);
    int length = snprintf(message, sizeof(message), "%s%s", timestamp, request->body);
    if (request->key)
        crypto_sign_detached(signature, NULL, (const unsigned char *)message,
                             (unsigned long long)length, request->key);
    else
        randombytes_buf(signature, sizeof(signature));
    sodium_bin2hex(hex, sizeof(hex), signature, sizeof(signature));
    if (request->real_ip)
        snprintf(peer, sizeof(peer), "X-Real-IP: %s\r\n", request->real_ip);
    snprintf(text, sizeof(text),
             "POST %s HTTP/1.1\r\nHost: x\r\n%sX-Signature-Ed25519: %s\r\n"
             "X-Signature-Timestamp: %s\r\nContent-Length: %zu\r\n\r\n%s",
             request->path, peer, hex, timestamp, strlen(request->body), request->body);
    return client_ask(bench->client, text, answer);
}

static int ask_as(struct bench *bench, const unsigned char *key, const char *path, const char *body,
                  int64_t age_s)
{
    const struct request request = { path, body, NULL, key, age_s };
    return ask(bench, &request, NULL);
}

static int64_t refused(const struct bench *bench, enum signature_refusal refusal)
{
    return metrics_read(bench->metrics, METRIC_REFUSED, (int)refusal - 1);
}

/* --- probes --- */

static void a_probe_gets_a_pong_and_is_counted_apart(void **state)
{
    struct bench *bench = *state;
    CLEANUP(buf_free) struct buf answer = { 0 };
    const struct request request = { "/interactions", PROBE_BODY, NULL, bench->probe.secret_key,
                                     0 };
    assert_int_equal(ask(bench, &request, &answer), 200);
    assert_true(str_equal(buf_view(&answer), STR("{\"type\":1}")));
    assert_int_equal(metrics_read(bench->metrics, METRIC_PROBES, 0), 1);
    assert_int_equal(metrics_read(bench->metrics, METRIC_INTERACTIONS, 0), 0);
}

static void the_probe_key_signs_nothing_but_its_ping(void **state)
{
    struct bench *bench = *state;
    const unsigned char *key = bench->probe.secret_key;
    assert_int_equal(ask_as(bench, key, "/interactions", COMMAND, 0), 401);
    assert_int_equal(ask_as(bench, key, "/interactions", PING, 0), 401);
    assert_int_equal(ask_as(bench, key, "/interactions", PROBE_BODY " ", 0), 401);
    assert_int_equal(ask_as(bench, key, "/events", PROBE_BODY, 0), 401);
    assert_int_equal(ask_as(bench, key, "/events", "{\"version\":1,\"type\":0}", 0), 401);
    assert_int_equal(ask_as(bench, key, "/interactions", PROBE_BODY, 400), 401);
    assert_int_equal(command_count, 0);
    assert_int_equal(metrics_read(bench->metrics, METRIC_PROBES, 0), 0);
    assert_int_equal(ask_as(bench, bench->discord_key, "/interactions", COMMAND, 0), 200);
    assert_int_equal(command_count, 1);
}

static void another_process_knows_nothing_of_this_probe(void **state)
{
    struct bench *bench = *state;
    struct probe other;
    probe_init(&other);
    assert_int_equal(ask_as(bench, other.secret_key, "/interactions", PROBE_BODY, 0), 401);
}

static void what_a_probe_writes_is_what_is_accepted(void **state)
{
    struct bench *bench = *state;
    CLEANUP(buf_free) struct buf json = { 0 };
    probe_write(&bench->probe, 1700000000, &json);
    const char *signature = strstr(json.data, "\"signature\":\"");
    assert_non_null(strstr(json.data, "\"timestamp\":\"1700000000\""));
    assert_non_null(signature);
    char text[] = "1700000000" PROBE_BODY;
    struct signed_message message = { .text = str_from(text), .timestamp_length = 10 };
    assert_int_equal(sodium_hex2bin(message.signature, sizeof(message.signature),
                                    signature + strlen("\"signature\":\""), SIGNATURE_HEX_LENGTH,
                                    NULL, NULL, NULL),
                     0);
    assert_true(probe_accepts(&bench->probe, &message));
    text[0] = '2';
    assert_false(probe_accepts(&bench->probe, &message));
}

/* --- peers --- */

static void flood(struct bench *bench, const char *real_ip, int count)
{
    const struct request forged = { "/interactions", PING, real_ip, NULL, 0 };
    for (int i = 0; i < count; i++)
        assert_int_equal(ask(bench, &forged, NULL), 401);
}

static int ask_genuinely(struct bench *bench, const char *real_ip)
{
    const struct request genuine = { "/interactions", PING, real_ip, bench->discord_key, 0 };
    return ask(bench, &genuine, NULL);
}

static void a_forger_is_refused_unverified_and_others_are_answered(void **state)
{
    struct bench *bench = *state;
    flood(bench, "192.0.2.1", 3 * PEER_FAILURES_MAX);
    /* The budget grows back by one a second while this goes on. */
    assert_true(refused(bench, REFUSED_SIGNATURE_WRONG) >= PEER_FAILURES_MAX);
    assert_true(refused(bench, REFUSED_PEER_LIMITED) > 0);
    assert_true(metrics_read(bench->metrics, METRIC_PEERS_LIMITED, 0) >= 1);
    assert_int_equal(ask_genuinely(bench, "192.0.2.2"), 200);
    assert_int_equal(ask_genuinely(bench, NULL), 200);
}

static void a_peer_that_was_genuine_is_never_refused_unverified(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(ask_genuinely(bench, "192.0.2.1"), 200);
    flood(bench, "192.0.2.1", 3 * PEER_FAILURES_MAX);
    assert_int_equal(refused(bench, REFUSED_PEER_LIMITED), 0);
    assert_int_equal(ask_genuinely(bench, "192.0.2.1"), 200);
}

static void peers_the_front_does_not_name_are_not_limited(void **state)
{
    struct bench *bench = *state;
    flood(bench, NULL, 2 * PEER_FAILURES_MAX);
    flood(bench, "not an address", 2 * PEER_FAILURES_MAX);
    assert_int_equal(refused(bench, REFUSED_PEER_LIMITED), 0);
    assert_int_equal(ask_genuinely(bench, NULL), 200);
}

static void a_probe_is_no_sign_of_discord(void **state)
{
    struct bench *bench = *state;
    const struct request probe = { "/interactions", PROBE_BODY, "192.0.2.1",
                                   bench->probe.secret_key, 0 };
    assert_int_equal(ask(bench, &probe, NULL), 200);
    flood(bench, "192.0.2.1", 3 * PEER_FAILURES_MAX);
    assert_true(refused(bench, REFUSED_PEER_LIMITED) > 0);
}

/* --- events --- */

static int tell(struct bench *bench, const char *body)
{
    return ask_as(bench, bench->discord_key, "/events", body, 0);
}

static void events_are_answered_by_what_became_of_them(void **state)
{
    struct bench *bench = *state;
    static const char gone[] = "{\"type\":1,\"event\":{\"type\":\"APPLICATION_DEAUTHORIZED\","
                               "\"timestamp\":\"2024-10-18T14:42:53.064834\","
                               "\"data\":{\"user\":{\"id\":\"7\"}}}}";
    assert_int_equal(tell(bench, "{\"version\":1,\"type\":0}"), 204);
    assert_int_equal(tell(bench, gone), 204);
    assert_int_equal(last_kind, EVENT_APPLICATION_DEAUTHORIZED);
    next_outcome = EVENT_RETRY;
    assert_int_equal(tell(bench, gone), 503);
    next_outcome = EVENT_TAKEN;
    assert_int_equal(tell(bench, "{\"type\":1,\"event\":{\"type\":\"NEW\"}}"), 204);
    assert_int_equal(last_kind, EVENT_OTHER);
    assert_int_equal(metrics_read(bench->metrics, METRIC_EVENTS, EVENT_OTHER), 1);
    assert_int_equal(metrics_read(bench->metrics, METRIC_EVENTS, EVENT_APPLICATION_DEAUTHORIZED),
                     2);
    assert_int_equal(tell(bench, "{\"type\":1}"), 400);
    assert_int_equal(ask_as(bench, NULL, "/events", gone, 0), 401);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(a_probe_gets_a_pong_and_is_counted_apart),
        BENCH_TEST(the_probe_key_signs_nothing_but_its_ping),
        BENCH_TEST(another_process_knows_nothing_of_this_probe),
        BENCH_TEST(what_a_probe_writes_is_what_is_accepted),
        BENCH_TEST(a_forger_is_refused_unverified_and_others_are_answered),
        BENCH_TEST(a_peer_that_was_genuine_is_never_refused_unverified),
        BENCH_TEST(peers_the_front_does_not_name_are_not_limited),
        BENCH_TEST(a_probe_is_no_sign_of_discord),
        BENCH_TEST(events_are_answered_by_what_became_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
