/* The webhook and admin endpoints, with a parser and a router of the test's own: what is let
 * through to them, and what becomes of their answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discord/interaction_parse.h"
#include "discord/webhook_event.h"
#include "http/admin.h"
#include "http/webhook.h"
#include "raw_client.h"
#include "router/events.h"
#include "router/router.h"
#include "server_fixture.h"

#include <inttypes.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- the parser and the router --- */

int interaction_parse(struct str_view body, struct interaction **interaction, struct err *err)
{
    const struct str_view mark = STR("{\"type\":");
    if (!str_starts_with(body, mark))
        return err_set(err, ERR_INVALID, "type: a \"number\" is needed");
    *interaction = calloc(1, sizeof(**interaction));
    if (!*interaction)
        return err_set(err, ERR_MEMORY, "interaction");
    (*interaction)->id = (int64_t)1 << 22;
    (*interaction)->type = (int)strtol(body.data + mark.length, NULL, 10);
    return 0;
}

void interaction_free(struct interaction *interaction)
{
    free(interaction);
}

struct routed {
    router_done *done;
    void *context;
    int type;
};

/* Posted for every answer that was written out. */
static sem_t answers_sent;

static void note_sent(void *ticket, bool is_complete)
{
    if (is_complete)
        sem_post(ticket);
}

static void *answer_routed(void *context)
{
    struct routed *routed = context;
    struct router_answer answer = { .sent = note_sent, .ticket = &answers_sent };
    if (routed->type == INTERACTION_MODAL_SUBMIT)
        answer.body.has_failed = true; /* as if memory had run out */
    else
        buf_append_format(&answer.body, "{\"routed\":%d}", routed->type);
    routed->done(routed->context, &answer);
    free(routed);
    return NULL;
}

/* Commands are answered at once, everything else from a thread. */
void router_dispatch(struct router *router, struct interaction *interaction,
                     const char request_id[REQUEST_ID_SIZE], router_done *done, void *context)
{
    (void)router;
    assert_int_equal(strlen(request_id), REQUEST_ID_SIZE - 1);
    struct routed *routed = calloc(1, sizeof(*routed));
    assert_non_null(routed);
    *routed = (struct routed){ .done = done, .context = context, .type = interaction->type };
    interaction_free(interaction);
    if (routed->type == INTERACTION_COMMAND)
        answer_routed(routed);
    else {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, answer_routed, routed), 0);
        pthread_detach(thread);
    }
}

void events_dispatch(const struct events *events, struct webhook_event *event,
                     const char request_id[REQUEST_ID_SIZE], events_done *done, void *context)
{
    (void)events, (void)request_id;
    webhook_event_free(event);
    done(context, EVENT_TAKEN);
}

/* --- a webhook that listens --- */

struct place {
    struct fixture fixture;
    struct webhook webhook;
    struct http_route routes[WEBHOOK_ROUTES];
    unsigned char secret[crypto_sign_SECRETKEYBYTES];
    int fd;
};

static void place_open(struct place *place)
{
    struct err err;
    assert_true(sodium_init() >= 0);
    fixture_start(&place->fixture, "127.0.0.1:0", 1, NULL);
    server_free(place->fixture.server);
    place->webhook = (struct webhook){
        .admission = { .policy = { .max_age_seconds = 300, .max_skew_seconds = 30 },
                       .clock = &place->fixture.clock.clock,
                       .metrics = place->fixture.metrics },
        .max_body = 512,
        .clock = &place->fixture.clock.clock,
        .metrics = place->fixture.metrics,
        .log = place->fixture.log,
    };
    crypto_sign_keypair(place->webhook.admission.policy.keys.bytes[0], place->secret);
    place->webhook.admission.policy.keys.count = 1;
    webhook_routes(&place->webhook, place->routes);
    const struct server_settings settings = {
        .listen_fd = place->fixture.listen_fd,
        .threads = 1,
        .connections = 64,
        .routes = place->routes,
        .route_count = WEBHOOK_ROUTES,
        .timeouts = HTTP_TIMEOUTS_DEFAULT,
        .clock = &place->fixture.clock.clock,
        .log = place->fixture.log,
        .metrics = place->fixture.metrics,
    };
    assert_int_equal(server_new(&place->fixture.server, &settings, &err), 0);
    place->fd = fixture_connect(&place->fixture);
}

static void place_close(struct place *place)
{
    close(place->fd);
    fixture_stop(&place->fixture);
}

/* `wrong_by` is added to the signature's first byte; `head` receives the answer's head. */
static int post(struct place *place, const char *path, const char *body, int wrong_by,
                const char *more_headers, struct buf *head, struct buf *answer)
{
    unsigned char signature[crypto_sign_BYTES];
    char message[1024], hex[2 * crypto_sign_BYTES + 1], request[2048];
    long long now = (long long)(clock_wall_ms(&place->fixture.clock.clock) / MS_PER_SECOND);
    int length = snprintf(message, sizeof(message), "%lld%s", now, body);
    crypto_sign_detached(signature, NULL, (const unsigned char *)message,
                         (unsigned long long)length, place->secret);
    signature[0] = (unsigned char)(signature[0] + wrong_by);
    sodium_bin2hex(hex, sizeof(hex), signature, sizeof(signature));
    snprintf(request, sizeof(request),
             "POST %s HTTP/1.1\r\nHost: bot\r\nContent-Length: %zu\r\n"
             "X-Signature-Ed25519: %s\r\nX-Signature-Timestamp: %lld\r\n%s\r\n%s",
             path, strlen(body), hex, now, more_headers, body);
    assert_true(client_send(place->fd, request));
    return client_read(place->fd, head, answer);
}

static void a_ping_is_answered_exactly(void **state)
{
    (void)state;
    struct place place;
    CLEANUP(buf_free) struct buf head = { 0 }, body = { 0 };
    place_open(&place);
    assert_int_equal(post(&place, "/interactions", "{\"type\":1}", 0, "", &head, &body), 200);
    assert_string_equal(body.data, "{\"type\":1}");
    assert_non_null(strstr(head.data, "\r\nContent-Type: application/json\r\n"));
    assert_int_equal(metrics_read(place.fixture.metrics, METRIC_INTERACTIONS, 0), 1);
    place_close(&place);
}

static void every_refusal_is_a_401_and_looks_the_same(void **state)
{
    (void)state;
    struct place place;
    CLEANUP(buf_free) struct buf body = { 0 };
    const char *const expected = "{\"error\":\"invalid request signature\"}";
    const char *const paths[] = { "/interactions", "/events" };
    place_open(&place);
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        char bare[256];
        snprintf(bare, sizeof(bare), "POST %s HTTP/1.1\r\nHost: bot\r\nContent-Length: 2\r\n\r\n{}",
                 paths[i]);
        assert_int_equal(client_ask(place.fd, bare, &body), 401);
        assert_string_equal(body.data, expected);
        assert_int_equal(post(&place, paths[i], "{\"type\":1}", 1, "", NULL, &body), 401);
        assert_string_equal(body.data, expected);
        assert_int_equal(post(&place, paths[i], "", 0, "", NULL, &body), 401);
        assert_int_equal(post(&place, paths[i], "nonsense", 1, "", NULL, &body), 401);
        assert_int_equal(
            post(&place, paths[i], "{\"type\":1}", 0, "x-signature-timestamp: 1\r\n", NULL, &body),
            401);
    }
    const struct {
        enum signature_refusal refusal;
        int count;
    } counted[] = {
        { REFUSED_HEADER_MISSING, 2 },
        { REFUSED_SIGNATURE_WRONG, 4 },
        { REFUSED_BODY_EMPTY, 2 },
        { REFUSED_HEADER_REPEATED, 2 },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(counted); i++)
        assert_int_equal(
            metrics_read(place.fixture.metrics, METRIC_REFUSED, (int)counted[i].refusal - 1),
            counted[i].count);
    place_close(&place);
}

static void what_is_too_large_is_a_413_and_counted(void **state)
{
    (void)state;
    struct place place;
    place_open(&place);
    assert_int_equal(client_ask(place.fd,
                                "POST /interactions HTTP/1.1\r\nHost: bot\r\n"
                                "Content-Length: 513\r\n\r\n",
                                NULL),
                     413);
    assert_int_equal(
        metrics_read(place.fixture.metrics, METRIC_REFUSED, (int)REFUSED_BODY_SIZE - 1), 1);
    place_close(&place);
}

static void signed_nonsense_is_a_400_with_the_reason(void **state)
{
    (void)state;
    const struct {
        const char *path, *body, *expected;
    } rows[] = {
        { "/interactions", "nonsense", "{\"error\":\"type: a \\\"number\\\" is needed\"}" },
        { "/interactions", "{\"type\":6}",
          "{\"error\":\"type: interactions of type 6 are not supported\"}" },
        { "/interactions", "{\"type\":-3}",
          "{\"error\":\"type: interactions of type -3 are not supported\"}" },
        { "/events", "nonsense", "{\"error\":\"a JSON object is needed at byte 0\"}" },
        { "/events", "{\"type\":0} x", "{\"error\":\"text after the JSON at byte 11\"}" },
        { "/events", "[0]", "{\"error\":\"a JSON object is needed at byte 0\"}" },
        { "/events", "{\"type\":\"0\"}", "{\"error\":\"type: a whole number is needed\"}" },
        { "/events", "{}", "{\"error\":\"type: missing\"}" },
        { "/events", "{\"type\":2}", "{\"error\":\"type: events of type 2 are not supported\"}" },
    };
    struct place place;
    CLEANUP(buf_free) struct buf body = { 0 };
    place_open(&place);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_int_equal(post(&place, rows[i].path, rows[i].body, 0, "", NULL, &body), 400);
        assert_string_equal(body.data, rows[i].expected);
    }
    place_close(&place);
}

static void interactions_are_answered_by_the_router_from_any_thread(void **state)
{
    (void)state;
    struct place place;
    CLEANUP(buf_free) struct buf body = { 0 };
    place_open(&place);
    for (int type = INTERACTION_COMMAND; type < INTERACTION_MODAL_SUBMIT; type++) {
        char request[32], expected[32];
        snprintf(request, sizeof(request), "{\"type\":%d}", type);
        snprintf(expected, sizeof(expected), "{\"routed\":%d}", type);
        assert_int_equal(post(&place, "/interactions", request, 0, "", NULL, &body), 200);
        assert_string_equal(body.data, expected);
        assert_int_equal(metrics_read(place.fixture.metrics, METRIC_INTERACTIONS, type - 1), 1);
    }
    /* The end of the last answer is counted after the client has it. */
    assert_true(server_drain(place.fixture.server, 60 * MS_PER_SECOND));
    server_free(place.fixture.server);
    place.fixture.server = NULL;
    assert_int_equal(metrics_read(place.fixture.metrics, METRIC_ACKNOWLEDGE, 0), 3);
    assert_int_equal(metrics_read(place.fixture.metrics, METRIC_HANDLING, 0), 3);
    /* The router was told of each. */
    for (int i = 0; i < 3; i++)
        assert_int_equal(sem_trywait(&answers_sent), 0);
    place_close(&place);
}

static void an_answer_without_memory_is_a_500_with_the_request_id(void **state)
{
    (void)state;
    struct place place;
    CLEANUP(buf_free) struct buf body = { 0 };
    place_open(&place);
    assert_int_equal(post(&place, "/interactions", "{\"type\":5}", 0, "", NULL, &body), 500);
    assert_true(
        str_starts_with(buf_view(&body), STR("{\"error\":\"internal error\",\"request\":\"")));
    place_close(&place);
}

static void events_get_204_without_a_body(void **state)
{
    (void)state;
    struct place place;
    CLEANUP(buf_free) struct buf head = { 0 }, body = { 0 };
    place_open(&place);
    const char *const events[] = { "{\"version\":1,\"application_id\":\"1\",\"type\":0}",
                                   "{\"type\":1,\"event\":{\"type\":\"ENTITLEMENT_CREATE\"}}" };
    for (size_t i = 0; i < ARRAY_LENGTH(events); i++) {
        assert_int_equal(post(&place, "/events", events[i], 0, "", &head, &body), 204);
        /* https://docs.discord.com/developers/events/webhook-events#acknowledging-ping-requests */
        assert_non_null(strstr(head.data, "\r\nContent-Type: application/json\r\n"));
        assert_null(strstr(head.data, "Content-Length"));
        assert_int_equal(body.length, 0);
        assert_int_equal(
            metrics_read(place.fixture.metrics, METRIC_EVENTS, EVENT_ENTITLEMENT_CREATE), (int)i);
    }
    place_close(&place);
}

static void interactions_are_still_answered_while_draining(void **state)
{
    (void)state;
    struct place place;
    CLEANUP(buf_free) struct buf head = { 0 }, body = { 0 };
    place_open(&place);
    assert_int_equal(post(&place, "/interactions", "{\"type\":1}", 0, "", NULL, NULL), 200);
    server_stop_accepting(place.fixture.server);
    assert_int_equal(post(&place, "/interactions", "{\"type\":3}", 0, "", &head, &body), 200);
    assert_string_equal(body.data, "{\"routed\":3}");
    assert_non_null(strstr(head.data, "\r\nConnection: close\r\n"));
    place_close(&place);
}

/* --- the admin endpoints --- */

static enum part_state probe(void *context, struct buf *detail)
{
    atomic_int *state = context;
    if (atomic_load(state) != PART_OK)
        buf_append(detail, STR("says \"no\""));
    return (enum part_state)atomic_load(state);
}

/* In place of the fixture's own server. */
static void start_admin(struct fixture *fixture, struct admin *admin,
                        struct http_route routes[ADMIN_ROUTES])
{
    struct err err;
    server_free(fixture->server);
    admin_routes(admin, routes);
    const struct server_settings settings = {
        .listen_fd = fixture->listen_fd,
        .threads = 1,
        .connections = 8,
        .routes = routes,
        .route_count = ADMIN_ROUTES,
        .timeouts = HTTP_TIMEOUTS_DEFAULT,
        .clock = &fixture->clock.clock,
        .log = fixture->log,
    };
    assert_int_equal(server_new(&fixture->server, &settings, &err), 0);
}

static void admin_endpoints_say_how_each_part_is_and_sign_probes(void **state)
{
    (void)state;
    const struct {
        enum readiness readiness;
        enum part_state own, shared;
        int status;
        const char *expected;
    } rows[] = {
        { READINESS_STARTING, PART_OK, PART_OK, 503, "{\"state\":\"starting\"" },
        { READINESS_READY, PART_OK, PART_OK, 200,
          "{\"state\":\"ready\",\"parts\":{\"database\":{\"state\":\"ok\",\"detail\":\"\"},"
          "\"cache\":{\"state\":\"ok\",\"detail\":\"\"}}}" },
        { READINESS_READY, PART_OK, PART_DOWN, 200,
          "\"cache\":{\"state\":\"down\",\"detail\":\"says \\\"no\\\"\"}" },
        { READINESS_READY, PART_DEGRADED, PART_OK, 200, "\"database\":{\"state\":\"degraded\"" },
        { READINESS_READY, PART_DOWN, PART_OK, 503, "\"database\":{\"state\":\"down\"" },
        { READINESS_DRAINING, PART_OK, PART_OK, 503, "{\"state\":\"draining\"" },
    };
    struct fixture fixture;
    CLEANUP(buf_free) struct buf body = { 0 };
    atomic_int own = PART_OK, shared = PART_OK;
    const struct admin_part parts[] = { { "database", probe, &own, true },
                                        { "cache", probe, &shared, false } };
    struct http_route routes[ADMIN_ROUTES];
    fixture_start(&fixture, "127.0.0.1:0", 1, NULL);
    struct probe key;
    probe_init(&key);
    struct admin admin = { .parts = parts,
                           .part_count = 2,
                           .metrics = fixture.metrics,
                           .started_ms = 1700000000123,
                           .probe = &key,
                           .clock = &fixture.clock.clock };
    start_admin(&fixture, &admin, routes);
    int fd = fixture_connect(&fixture);
    assert_int_equal(client_ask(fd, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", &body), 200);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        atomic_store(&admin.readiness, (int)rows[i].readiness);
        atomic_store(&own, (int)rows[i].own);
        atomic_store(&shared, (int)rows[i].shared);
        assert_int_equal(client_ask(fd, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", &body),
                         rows[i].status);
        assert_non_null(strstr(body.data, rows[i].expected));
    }
    assert_int_equal(client_ask(fd, "GET /probe HTTP/1.1\r\nHost: a\r\n\r\n", &body), 200);
    assert_non_null(strstr(body.data, "\"signature\":\""));
    const char *const ages[] = { "-1", "x", "", "200001" };
    for (size_t i = 0; i < ARRAY_LENGTH(ages); i++) {
        char request[96];
        snprintf(request, sizeof(request), "GET /probe?age=%s HTTP/1.1\r\nHost: a\r\n\r\n",
                 ages[i]);
        assert_int_equal(client_ask(fd, request, &body), 400);
    }
    assert_int_equal(client_ask(fd, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", &body), 200);
    const char *const lines[] = {
        "bronxbot_http_connections 0\n", /* of LISTEN, not of this server */
        "\nprocess_start_time_seconds 1700000000.123\n",
        "\nbronxbot_build_info{version=\"" BRONX_VERSION "\"} 1\n",
        "\nprocess_resident_memory_bytes ",
        "\nprocess_open_fds ",
        "\nprocess_threads ",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        assert_non_null(strstr(body.data, lines[i]));
    close(fd);
    fixture_stop(&fixture);
}

struct jobs {
    struct err fault; /* what the next request meets; 0: none */
    char seen[64];
};

static int meet_fault(const struct jobs *jobs, struct err *err)
{
    *err = jobs->fault;
    return jobs->fault.code;
}

static int list_jobs(void *context, struct str_view state, struct buf *json, struct err *err)
{
    struct jobs *jobs = context;
    snprintf(jobs->seen, sizeof(jobs->seen), "list %.*s", STR_ARGS(state));
    buf_append(json, STR("{\"jobs\":[]}"));
    return meet_fault(jobs, err);
}

static int retry_job(void *context, int64_t id, struct err *err)
{
    struct jobs *jobs = context;
    snprintf(jobs->seen, sizeof(jobs->seen), "retry %" PRId64, id);
    return meet_fault(jobs, err);
}

static int drop_job(void *context, int64_t id, struct err *err)
{
    struct jobs *jobs = context;
    snprintf(jobs->seen, sizeof(jobs->seen), "drop %" PRId64, id);
    return meet_fault(jobs, err);
}

struct admin_row {
    const char *request, *header;
    int code; /* of the fault met */
    int status;
    const char *seen, *body;
};

/* `admin` has what acts on `jobs`. */
static void ask_admin(struct admin *admin, struct jobs *jobs, const struct admin_row *rows,
                      size_t count)
{
    struct fixture fixture;
    CLEANUP(buf_free) struct buf body = { 0 };
    struct http_route routes[ADMIN_ROUTES];
    fixture_start(&fixture, "127.0.0.1:0", 1, NULL);
    admin->clock = &fixture.clock.clock;
    start_admin(&fixture, admin, routes);
    int fd = fixture_connect(&fixture);
    for (size_t i = 0; i < count; i++) {
        char request[160];
        *jobs = (struct jobs){ .fault = { .code = rows[i].code, .message = "why" } };
        snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: a\r\n%s\r\n", rows[i].request,
                 rows[i].header);
        assert_int_equal(client_ask(fd, request, &body), rows[i].status);
        assert_string_equal(jobs->seen, rows[i].seen);
        if (rows[i].body)
            assert_string_equal(body.data, rows[i].body);
    }
    close(fd);
    fixture_stop(&fixture);
}

static void admin_endpoints_change_jobs_for_operators_alone(void **state)
{
    (void)state;
    static const struct admin_row rows[] = {
        { "GET /outbox", "", 0, 200, "list ", "{\"jobs\":[]}" },
        { "GET /outbox?state=dead", "", 0, 200, "list dead", "{\"jobs\":[]}" },
        { "GET /outbox?state=x", "", ERR_INVALID, 400, "list x", "{\"error\":\"why\"}" },
        { "GET /outbox", "", ERR_UNAVAILABLE, 503, "list ", "{\"error\":\"why\"}" },
        { "POST /outbox", "", 0, 405, "", NULL },
        { "POST /outbox/17/retry", ADMIN_HEADER ": 1\r\n", 0, 200, "retry 17", "{}" },
        { "POST /outbox/17/drop", ADMIN_HEADER ": 1\r\n", 0, 200, "drop 17", "{}" },
        { "POST /outbox/17/retry", "", 0, 400, "", NULL },
        { "POST /outbox/17/retry", ADMIN_HEADER ": 0\r\n", 0, 400, "", NULL },
        { "POST /outbox/17/retry", ADMIN_HEADER ": 1\r\n", ERR_INVALID, 409, "retry 17",
          "{\"error\":\"why\"}" },
        { "POST /outbox/17/drop", ADMIN_HEADER ": 1\r\n", ERR_BUSY, 409, "drop 17", NULL },
        { "POST /outbox/17/drop", ADMIN_HEADER ": 1\r\n", ERR_NOT_FOUND, 404, "drop 17", NULL },
        { "GET /outbox/17/retry", "", 0, 405, "", NULL },
        { "POST /outbox/", ADMIN_HEADER ": 1\r\n", 0, 404, "", NULL },
        { "POST /outbox/17", ADMIN_HEADER ": 1\r\n", 0, 404, "", NULL },
        { "POST /outbox/17/", ADMIN_HEADER ": 1\r\n", 0, 404, "", NULL },
        { "POST /outbox/17/send", ADMIN_HEADER ": 1\r\n", 0, 404, "", NULL },
        { "POST /outbox/17/drop/", ADMIN_HEADER ": 1\r\n", 0, 404, "", NULL },
        { "POST /outbox/-17/drop", ADMIN_HEADER ": 1\r\n", 0, 404, "", NULL },
        { "POST /outboxes/17/drop", ADMIN_HEADER ": 1\r\n", 0, 404, "", NULL },
    };
    struct jobs jobs = { 0 };
    struct admin admin = { .outbox = { list_jobs, retry_job, drop_job, &jobs } };
    ask_admin(&admin, &jobs, rows, ARRAY_LENGTH(rows));
}

static int list_nothing(void *context, struct buf *json, struct err *err)
{
    (void)context;
    (void)err;
    buf_append(json, STR("{\"state\":\"ok\"}"));
    return 0;
}

static int clear_pattern(void *context, struct str_view pattern, struct buf *json, struct err *err)
{
    struct jobs *jobs = context;
    snprintf(jobs->seen, sizeof(jobs->seen), "clear %.*s", STR_ARGS(pattern));
    buf_append(json, STR("{\"memory\":1}"));
    return meet_fault(jobs, err);
}

static void admin_endpoints_clear_the_cache_for_operators_alone(void **state)
{
    (void)state;
    static const struct admin_row rows[] = {
        { "GET /cache", "", 0, 200, "", "{\"state\":\"ok\"}" },
        { "POST /cache/clear?pattern=temp%3A%2A", ADMIN_HEADER ": 1\r\n", 0, 200, "clear temp:*",
          "{\"memory\":1}" },
        { "POST /cache/clear?pattern=x", "", 0, 400, "", NULL },
        { "GET /cache/clear?pattern=x", ADMIN_HEADER ": 1\r\n", 0, 405, "", NULL },
        { "POST /cache/clear", ADMIN_HEADER ": 1\r\n", ERR_INVALID, 400, "clear ",
          "{\"error\":\"why\"}" },
        { "POST /cache/clear?pattern=x", ADMIN_HEADER ": 1\r\n", ERR_UNAVAILABLE, 503, "clear x",
          "{\"error\":\"why\"}" },
    };
    struct jobs jobs = { 0 };
    struct admin admin = { .cache = { list_nothing, clear_pattern, &jobs } };
    ask_admin(&admin, &jobs, rows, ARRAY_LENGTH(rows));
}

int main(void)
{
    sem_init(&answers_sent, 0, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ping_is_answered_exactly),
        cmocka_unit_test(every_refusal_is_a_401_and_looks_the_same),
        cmocka_unit_test(what_is_too_large_is_a_413_and_counted),
        cmocka_unit_test(signed_nonsense_is_a_400_with_the_reason),
        cmocka_unit_test(interactions_are_answered_by_the_router_from_any_thread),
        cmocka_unit_test(an_answer_without_memory_is_a_500_with_the_request_id),
        cmocka_unit_test(events_get_204_without_a_body),
        cmocka_unit_test(interactions_are_still_answered_while_draining),
        cmocka_unit_test(admin_endpoints_say_how_each_part_is_and_sign_probes),
        cmocka_unit_test(admin_endpoints_change_jobs_for_operators_alone),
        cmocka_unit_test(admin_endpoints_clear_the_cache_for_operators_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
