/* The outbox against a Discord that misbehaves: every edit arrives at every fault, no follow-up
 * arrives twice, dead tokens and bans are respected, nothing is lost without a line and a count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/system_clock.h"
#include "harness/bot_process.h"
#include "harness/interaction_json.h"
#include "harness/memory.h"
#include "harness/script_server.h"
#include "outbox/outbox_internal.h"

#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MESSAGES       20
#define TOKENS_MAX     32
#define APPLICATION_ID INT64_C(4242)
#define FREE_MS        60000 /* longer than anything here takes */
#define NOT_YET        "{\"message\":\"Unknown Webhook\",\"code\":10015}"
#define DEAD           "{\"message\":\"Invalid Webhook Token\",\"code\":50027}"

/* What the fake Discord knows about one token. */
struct token {
    int tries;
    int effects;   /* messages that Discord has taken in */
    char last[32]; /* the last of them */
    bool is_disordered;
};

typedef void fault(struct token *token, struct script_answer *answer, bool *has_effect);

struct fixture {
    struct system_clock clock;
    struct metrics *metrics;
    struct log_sink *log;
    int log_fd;
    struct outbox_rules rules;
    struct outbox *outbox;
    struct script_server *server;
    struct token tokens[TOKENS_MAX];
    fault *fault;
    int64_t begun_ms;
    int64_t answered_ago_us; /* how long ago interactions were answered */
    int requests;
    int bans_elsewhere;      /* on other connections than the first */
    bool has_other_requests; /* not made by this test's messages */
};

/* A path is /api/webhooks/APPLICATION/token-N, with /messages/@original for an edit. */
static struct token *token_of(struct fixture *fixture, const struct script_request *request)
{
    static const struct str_view before = { "/api/webhooks/4242/token-", 25 };
    int64_t number;
    struct str_view rest = request->path, digits;
    if (!str_starts_with(rest, before))
        return NULL;
    rest = (struct str_view){ rest.data + before.length, rest.length - before.length };
    if (!str_split(&rest, '/', &digits) || str_to_uint63(digits, &number) != 0 ||
        number >= TOKENS_MAX)
        return NULL;
    bool is_edit = str_equal(rest, STR("messages/@original"));
    if (!str_equal(request->method, is_edit ? STR("PATCH") : STR("POST")))
        return NULL;
    return &fixture->tokens[number];
}

static void discord(void *context, const struct script_request *request,
                    struct script_answer *answer)
{
    struct fixture *fixture = context;
    struct token *token = token_of(fixture, request);
    fixture->requests++;
    if (!token) {
        fixture->has_other_requests = true;
        answer->status = 400;
        return;
    }
    bool has_effect = true;
    token->tries++;
    fixture->fault(token, answer, &has_effect);
    if (has_effect) {
        token->effects++;
        token->is_disordered |= strncmp(request->body.data, token->last, request->body.length) < 0;
        snprintf(token->last, sizeof(token->last), "%.*s", STR_ARGS(request->body));
    }
    if (answer->fate == SCRIPT_ANSWER && answer->body.length == 0)
        buf_append(&answer->body, STR("{\"id\":\"1\"}"));
}

static void refuse_with(struct script_answer *answer, bool *has_effect, int status,
                        const char *body)
{
    answer->status = status;
    buf_append(&answer->body, str_from(body));
    *has_effect = false;
}

/* --- Faults: each token meets them once or thrice, then all is well --- */

static void no_fault(struct token *token, struct script_answer *answer, bool *has_effect)
{
    (void)token, (void)answer, (void)has_effect;
}

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

/* --- The fixture --- */

static void begin(struct fixture *fixture, fault *wrong)
{
    *fixture = (struct fixture){ .fault = wrong, .rules = outbox_rules_default };
    for (int i = 0; i < OUTBOX_NOT_YET_TRIES; i++)
        fixture->rules.not_yet_ms[i] = 2 << i;
    fixture->rules.backoff_base_ms = 4;
    fixture->rules.backoff_cap_ms = 30;
    fixture->rules.ban_ms = 20;
    assert_int_equal(system_clock_init(&fixture->clock, NULL, NULL), 0);
    fixture->begun_ms = clock_wall_ms(&fixture->clock.clock);
    fixture->log_fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(fixture->log_fd >= 0);
    fixture->metrics = metrics_new();
    fixture->log =
        log_sink_new(fixture->log_fd, LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, &fixture->clock.clock);
    assert_true(fixture->metrics && fixture->log);
    fixture->server = script_server_start(0, discord, fixture);
}

static void open_outbox_at(struct fixture *fixture, const char *url)
{
    const struct outbox_settings settings = { .api_url = url,
                                              .clock = &fixture->clock.clock,
                                              .metrics = fixture->metrics,
                                              .log = fixture->log };
    struct err err = { 0 };
    if (outbox_new_with_rules(&fixture->outbox, &settings, &fixture->rules, &err) != 0)
        fail_msg("%s", err.message);
}

static void open_outbox(struct fixture *fixture)
{
    open_outbox_at(fixture, script_server_url(fixture->server));
}

/* Sends what waits. */
static void close_outbox(struct fixture *fixture)
{
    outbox_free(STEAL(fixture->outbox), FREE_MS);
    assert_int_equal(metrics_read(fixture->metrics, METRIC_OUTBOX_WAITING, 0), 0);
}

static void end(struct fixture *fixture)
{
    outbox_free(fixture->outbox, 0);
    script_server_stop(fixture->server);
    assert_false(fixture->has_other_requests);
    metrics_free(fixture->metrics);
    log_sink_free(fixture->log);
    system_clock_fini(&fixture->clock);
    close(fixture->log_fd);
}

static int64_t id_of_token(const struct fixture *fixture, int token)
{
    return snowflake_at(fixture->begun_ms, (unsigned)token);
}

static int send_message(struct fixture *fixture, int token, enum outbox_method method,
                        const char *body)
{
    char name[16];
    snprintf(name, sizeof(name), "token-%d", token);
    struct outbox_message message = {
        .interaction_id = id_of_token(fixture, token),
        .application_id = APPLICATION_ID,
        .token = str_from(name),
        .method = method,
        .body = str_from(body),
        .answered_us = clock_monotonic_us(&fixture->clock.clock) - fixture->answered_ago_us,
    };
    snprintf(message.request_id, sizeof(message.request_id), "request-%03d", token);
    return outbox_send(fixture->outbox, &message, NULL);
}

static void send_all(struct fixture *fixture, enum outbox_method method)
{
    for (int i = 0; i < MESSAGES; i++)
        assert_int_equal(send_message(fixture, i, method, "{}"), 0);
}

static int64_t sent(const struct fixture *fixture)
{
    return metrics_read(fixture->metrics, METRIC_OUTBOX_SENT, 0);
}

static int64_t given_up(const struct fixture *fixture, enum outbox_loss loss)
{
    return metrics_read(fixture->metrics, METRIC_OUTBOX_GIVEN_UP, (int)loss);
}

static int64_t retried(const struct fixture *fixture, enum outbox_retry retry)
{
    return metrics_read(fixture->metrics, METRIC_OUTBOX_RETRIES, (int)retry);
}

static void await_given_up(const struct fixture *fixture, enum outbox_loss loss, int64_t count)
{
    while (given_up(fixture, loss) < count)
        sched_yield();
}

/* The whole log; freed by the caller. */
static char *read_log(const struct fixture *fixture)
{
    struct buf text = { 0 };
    char bytes[4096];
    off_t at = 0;
    for (ssize_t got; (got = pread(fixture->log_fd, bytes, sizeof(bytes), at)) > 0; at += got)
        buf_append_bytes(&text, bytes, (size_t)got);
    buf_append_char(&text, '\n');
    must_hold(&text);
    return text.data;
}

static int count_lines_with(const char *log, const char *first, const char *second)
{
    int count = 0;
    struct str_view rest = str_from(log), line;
    while (str_split(&rest, '\n', &line))
        count += line.length > 0 && memmem(line.data, line.length, first, strlen(first)) &&
                 memmem(line.data, line.length, second, strlen(second));
    return count;
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
        struct fixture fixture;
        begin(&fixture, cases[i].fault);
        if (cases[i].total_ms)
            fixture.rules.total_ms = cases[i].total_ms;
        open_outbox(&fixture);
        send_all(&fixture, OUTBOX_EDIT_ORIGINAL);
        close_outbox(&fixture);
        print_message("%s: %d of %d edits arrived, %d requests\n", cases[i].name,
                      (int)sent(&fixture), MESSAGES, fixture.requests);
        assert_int_equal(sent(&fixture), MESSAGES);
        for (int token = 0; token < MESSAGES; token++)
            assert_in_range(fixture.tokens[token].effects, cases[i].effects, 10);
        if (cases[i].retry >= 0)
            assert_true(retried(&fixture, (enum outbox_retry)cases[i].retry) > 0);
        assert_int_equal(metrics_read(fixture.metrics, METRIC_OUTBOX_DELAY, 0), MESSAGES);
        end(&fixture);
    }
}

static void edits_arrive_when_discord_comes_back(void **state)
{
    (void)state;
    struct fixture fixture;
    char url[64];
    begin(&fixture, no_fault);
    script_server_stop(fixture.server);
    uint16_t port = harness_free_port();
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/api", port);
    open_outbox_at(&fixture, url);
    send_all(&fixture, OUTBOX_EDIT_ORIGINAL);
    send_message(&fixture, MESSAGES, OUTBOX_FOLLOW_UP, "{}");
    while (retried(&fixture, OUTBOX_RETRY_NETWORK) < 2 * MESSAGES)
        sched_yield();
    fixture.server = script_server_start(port, discord, &fixture);
    close_outbox(&fixture);
    assert_int_equal(sent(&fixture), MESSAGES + 1);
    assert_int_equal(fixture.tokens[MESSAGES].effects, 1);
    end(&fixture);
}

static void files_arrive_with_their_message(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, bad_gateway_thrice);
    open_outbox(&fixture);
    char bytes[] = "the file";
    const struct reply_attachment file = { STR("a.txt"), { bytes, 8 } };
    struct outbox_message message = {
        .interaction_id = id_of_token(&fixture, 0),
        .application_id = APPLICATION_ID,
        .token = STR("token-0"),
        .body = STR("{\"attachments\":[]}"),
        .files = &file,
        .file_count = 1,
        .answered_us = clock_monotonic_us(&fixture.clock.clock),
    };
    assert_int_equal(outbox_send(fixture.outbox, &message, NULL), 0);
    memset(bytes, 'x', sizeof(bytes)); /* what is sent is a copy */
    close_outbox(&fixture);
    assert_int_equal(fixture.tokens[0].effects, 1);
    assert_true(str_starts_with(str_from(fixture.tokens[0].last), STR("---")));
    end(&fixture);
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
        struct fixture fixture;
        begin(&fixture, cases[i].fault);
        open_outbox(&fixture);
        send_all(&fixture, OUTBOX_FOLLOW_UP);
        close_outbox(&fixture);
        assert_int_equal(sent(&fixture), cases[i].is_lost ? 0 : MESSAGES);
        assert_int_equal(given_up(&fixture, OUTBOX_LOSS_UNCERTAIN),
                         cases[i].is_lost ? MESSAGES : 0);
        for (int token = 0; token < MESSAGES; token++) {
            assert_int_equal(fixture.tokens[token].effects, cases[i].effects);
            assert_int_equal(fixture.tokens[token].tries, cases[i].requests);
        }
        end(&fixture);
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
    struct fixture fixture;
    begin(&fixture, reset_a_second_message);
    open_outbox(&fixture);
    send_message(&fixture, 0, OUTBOX_EDIT_ORIGINAL, "{}");
    send_message(&fixture, 0, OUTBOX_FOLLOW_UP, "{}");
    close_outbox(&fixture);
    assert_int_equal(fixture.tokens[0].tries, 2);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_UNCERTAIN), 1);
    end(&fixture);
}

/* --- Order --- */

static void messages_of_a_token_arrive_in_their_order(void **state)
{
    (void)state;
    struct fixture fixture;
    char body[16];
    begin(&fixture, bad_gateway_thrice);
    open_outbox(&fixture);
    for (int i = 0; i < 10; i++) {
        snprintf(body, sizeof(body), "{\"n\":%d}", i);
        assert_int_equal(send_message(&fixture, 0, OUTBOX_EDIT_ORIGINAL, body), 0);
    }
    close_outbox(&fixture);
    assert_int_equal(sent(&fixture), 10);
    assert_int_equal(fixture.tokens[0].effects, 10);
    assert_string_equal(fixture.tokens[0].last, "{\"n\":9}");
    assert_false(fixture.tokens[0].is_disordered);
    end(&fixture);
}

static bool second_token_is_done(void *context)
{
    const struct fixture *fixture = context;
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
    struct fixture fixture;
    begin(&fixture, stall_the_first_token);
    snprintf(fixture.tokens[0].last, sizeof(fixture.tokens[0].last), "first");
    open_outbox(&fixture);
    for (int i = 0; i < 5; i++)
        send_message(&fixture, 0, OUTBOX_EDIT_ORIGINAL, "{}");
    send_message(&fixture, 1, OUTBOX_EDIT_ORIGINAL, "{}");
    script_server_wait(fixture.server, second_token_is_done);
    outbox_free(STEAL(fixture.outbox), 0);
    assert_in_range(fixture.tokens[0].tries, 0, 1);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_STOPPED) + sent(&fixture), 6);
    end(&fixture);
}

/* --- Dead tokens --- */

static void a_dead_token_is_never_tried_again(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, always_dead);
    open_outbox(&fixture);
    for (int i = 0; i < 5; i++)
        assert_int_equal(send_message(&fixture, 7, OUTBOX_EDIT_ORIGINAL, "{}"), 0);
    await_given_up(&fixture, OUTBOX_LOSS_TOKEN_DEAD, 5);
    assert_int_equal(send_message(&fixture, 7, OUTBOX_FOLLOW_UP, "{}"), 0);
    close_outbox(&fixture);
    assert_int_equal(fixture.tokens[7].tries, 1);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_TOKEN_DEAD), 6);
    CLEANUP(cleanup_free) char *log = read_log(&fixture);
    assert_int_equal(count_lines_with(log, "request-007", "given up"), 6);
    end(&fixture);
}

static void a_token_unknown_after_ten_seconds_is_dead(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, never_known);
    fixture.answered_ago_us = fixture.rules.not_yet_window_ms * 1000;
    open_outbox(&fixture);
    send_all(&fixture, OUTBOX_EDIT_ORIGINAL);
    close_outbox(&fixture);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_TOKEN_DEAD), MESSAGES);
    assert_int_equal(fixture.requests, MESSAGES);
    end(&fixture);
}

static void what_is_older_than_its_token_is_not_sent(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, no_fault);
    open_outbox(&fixture);
    struct outbox_message message = {
        .interaction_id = snowflake_at(clock_wall_ms(&fixture.clock.clock) - 15 * MS_PER_MINUTE, 0),
        .application_id = APPLICATION_ID,
        .token = STR("token-0"),
        .body = STR("{}"),
    };
    assert_int_equal(outbox_send(fixture.outbox, &message, NULL), 0);
    close_outbox(&fixture);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_EXPIRED), 1);
    assert_int_equal(fixture.requests, 0);
    end(&fixture);
}

static void limited_for_long(struct token *token, struct script_answer *answer, bool *has_effect)
{
    (void)token;
    refuse_with(answer, has_effect, 429, "{\"retry_after\":901,\"global\":false}");
}

static void a_wait_beyond_the_tokens_end_is_not_waited_for(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, limited_for_long);
    open_outbox(&fixture);
    send_all(&fixture, OUTBOX_EDIT_ORIGINAL);
    close_outbox(&fixture);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_EXPIRED), MESSAGES);
    assert_int_equal(fixture.requests, MESSAGES);
    end(&fixture);
}

/* --- Bans --- */

#define BANS 5

static void banned_discord(void *context, const struct script_request *request,
                           struct script_answer *answer)
{
    struct fixture *fixture = context;
    discord(context, request, answer);
    if (fixture->requests > BANS)
        return;
    bool has_effect;
    buf_clear(&answer->body);
    answer->headers = "Retry-After: 0.02\r\n";
    refuse_with(answer, &has_effect, 429, "error code: 1015");
    /* Were the gate open, the others' requests would be under way at the same time, on connections
     * of their own. */
    fixture->bans_elsewhere += request->connection != 1;
}

static bool is_banned_once(void *context)
{
    return ((const struct fixture *)context)->requests >= 1;
}

static void a_ban_lets_one_probe_at_a_time_pass(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, no_fault);
    script_server_stop(fixture.server);
    fixture.server = script_server_start(0, banned_discord, &fixture);
    open_outbox(&fixture);
    send_message(&fixture, 0, OUTBOX_EDIT_ORIGINAL, "{}");
    script_server_wait(fixture.server, is_banned_once);
    while (retried(&fixture, OUTBOX_RETRY_BANNED) < 1)
        sched_yield();
    send_all(&fixture, OUTBOX_EDIT_ORIGINAL);
    close_outbox(&fixture);
    assert_int_equal(retried(&fixture, OUTBOX_RETRY_BANNED), BANS);
    assert_int_equal(fixture.bans_elsewhere, 0);
    assert_int_equal(sent(&fixture), MESSAGES + 1);
    end(&fixture);
}

/* --- Bounds and the end --- */

static void a_full_outbox_says_so(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, always_stalled);
    fixture.rules.count_max = 3;
    open_outbox(&fixture);
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_message(&fixture, i, OUTBOX_EDIT_ORIGINAL, "{}"), 0);
    assert_int_equal(send_message(&fixture, 3, OUTBOX_EDIT_ORIGINAL, "{}"), ERR_BUSY);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_NOT_TAKEN), 1);
    outbox_free(STEAL(fixture.outbox), 0);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_STOPPED), 3);
    end(&fixture);
}

static void memory_is_bounded_whatever_a_message_says(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, always_stalled);
    fixture.rules.bytes_max = 64 * 1024;
    open_outbox(&fixture);
    CLEANUP(cleanup_free) char *body = must_allocate(40000, 1);
    memset(body, 'x', 39999);
    assert_int_equal(send_message(&fixture, 0, OUTBOX_EDIT_ORIGINAL, body), 0);
    assert_int_equal(send_message(&fixture, 1, OUTBOX_EDIT_ORIGINAL, body), ERR_BUSY);
    const struct reply_attachment endless = { STR("a"), { body, SIZE_MAX - 10 } };
    struct outbox_message message = { .body = STR("{}"), .files = &endless, .file_count = 1 };
    assert_int_equal(outbox_send(fixture.outbox, &message, NULL), ERR_LIMIT);
    message.file_count = -1;
    assert_int_equal(outbox_send(fixture.outbox, &message, NULL), ERR_LIMIT);
    end(&fixture);
}

static void what_is_left_at_the_end_is_logged_without_its_token(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, always_stalled);
    open_outbox(&fixture);
    send_all(&fixture, OUTBOX_FOLLOW_UP);
    send_message(&fixture, 0, OUTBOX_EDIT_ORIGINAL, "{}");
    outbox_free(STEAL(fixture.outbox), 0);
    CLEANUP(cleanup_free) char *log = read_log(&fixture);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_STOPPED), MESSAGES + 1);
    assert_int_equal(count_lines_with(log, "request-000", "reason=stopped"), 2);
    for (int i = 1; i < MESSAGES; i++) {
        char request[16];
        snprintf(request, sizeof(request), "request-%03d", i);
        assert_int_equal(count_lines_with(log, request, "reason=stopped"), 1);
    }
    assert_null(strstr(log, "token-"));
    end(&fixture);
}

static void a_refusal_is_logged_with_discords_reason(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, always_wrong);
    open_outbox(&fixture);
    send_message(&fixture, 3, OUTBOX_EDIT_ORIGINAL, "{}");
    close_outbox(&fixture);
    CLEANUP(cleanup_free) char *log = read_log(&fixture);
    assert_int_equal(given_up(&fixture, OUTBOX_LOSS_REFUSED), 1);
    assert_int_equal(count_lines_with(log, "reason=refused", "Invalid Form Body"), 1);
    assert_int_equal(count_lines_with(log, "request-003", "code=50035"), 1);
    assert_null(strstr(log, "token-"));
    end(&fixture);
}

/* --- Many senders --- */

#define THREADS    4
#define PER_THREAD 100

struct sender {
    struct fixture *fixture;
    int number;
    int taken;
};

static void *send_many(void *argument)
{
    struct sender *sender = argument;
    for (int i = 0; i < PER_THREAD; i++)
        sender->taken += send_message(sender->fixture, sender->number * 4 + i % 4,
                                      OUTBOX_EDIT_ORIGINAL, "{}") == 0;
    return NULL;
}

static void many_threads_may_hand_messages_over(void **state)
{
    (void)state;
    struct fixture fixture;
    pthread_t threads[THREADS];
    struct sender senders[THREADS];
    begin(&fixture, rate_limited_first);
    open_outbox(&fixture);
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){ &fixture, i, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, &senders[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(senders[i].taken, PER_THREAD);
    }
    close_outbox(&fixture);
    assert_int_equal(sent(&fixture), THREADS * PER_THREAD);
    end(&fixture);
}

static int start_sodium(void **state)
{
    (void)state;
    return sodium_init() < 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_edits_arrive_at_each_fault),
        cmocka_unit_test(edits_arrive_when_discord_comes_back),
        cmocka_unit_test(files_arrive_with_their_message),
        cmocka_unit_test(no_follow_up_arrives_twice),
        cmocka_unit_test(a_follow_up_on_a_connection_that_dies_arrives_once),
        cmocka_unit_test(messages_of_a_token_arrive_in_their_order),
        cmocka_unit_test(a_token_has_one_request_under_way_and_others_go_on),
        cmocka_unit_test(a_dead_token_is_never_tried_again),
        cmocka_unit_test(a_token_unknown_after_ten_seconds_is_dead),
        cmocka_unit_test(what_is_older_than_its_token_is_not_sent),
        cmocka_unit_test(a_wait_beyond_the_tokens_end_is_not_waited_for),
        cmocka_unit_test(a_ban_lets_one_probe_at_a_time_pass),
        cmocka_unit_test(a_full_outbox_says_so),
        cmocka_unit_test(memory_is_bounded_whatever_a_message_says),
        cmocka_unit_test(what_is_left_at_the_end_is_logged_without_its_token),
        cmocka_unit_test(a_refusal_is_logged_with_discords_reason),
        cmocka_unit_test(many_threads_may_hand_messages_over),
    };
    return cmocka_run_group_tests(tests, start_sodium, NULL);
}
