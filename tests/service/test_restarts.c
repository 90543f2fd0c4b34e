/* Restarts, deaths and a freeze under load, through a real nginx with the configuration of nginx/:
 * nobody notices. The harness holds the listening socket as systemd does.
 *
 * BRONX_LONG_TESTS=1 makes the load of the restarts a minute instead of some seconds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/front.h"
#include "harness/interaction_json.h"
#include "harness/load.h"
#include "harness/memory.h"
#include "harness/metric.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Sanitizers look for other things than throughput, and take most of it. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define IS_SANITIZED
#endif
#endif
#ifdef IS_SANITIZED
#define PER_SECOND 10
#else
#define PER_SECOND 150
#endif
#define RESTARTS       10
#define SECONDS        20
#define SECONDS_LONG   60
#define GAP_MS         1000
#define ATTEMPTS       3
#define OUTAGE_SECONDS 8
#define PEOPLE         50
#define FIRST_PERSON   INT64_C(7000000000000000001)
#define LOOK_MS        5
#define PATIENCE_MS    8000
#define IN_TIME_MS     150 /* less than the bot's DRAIN_UNSPOKEN_MS */
#define ANSWER_MAX     1024

static void pause_ms(long milliseconds)
{
    const struct timespec pause = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

static const char *text_of(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

/* --- What is sent --- */

static json_object *command(int number, int64_t id, const char *name)
{
    const struct envelope envelope = {
        .id = id,
        .application_id = HARNESS_APPLICATION_ID,
        .person = { .id = FIRST_PERSON + number % PEOPLE, .name = "somebody" },
        .place = { .guild_id = 500,
                   .channel_id = 501,
                   .channel_name = "general",
                   .guild_locale = "en-US" },
    };
    return strcmp(name, "ping") == 0 ? ping_interaction(&envelope)
                                     : command_interaction(&envelope, 42, name, NULL, NULL);
}

static void write_command(int number, int64_t id, const char *name, struct buf *body)
{
    CLEANUP(json_release) json_object *interaction = command(number, id, name);
    interaction_bytes(interaction, body);
}

static void write_help_or_balance(int number, int64_t id, struct buf *body)
{
    write_command(number, id, number % 2 ? "help" : "balance", body);
}

static bool is_message(int number, struct str_view body)
{
    (void)number;
    return str_starts_with(body, STR("{\"type\":4,"));
}

/* What needs no state that two instances would have to share. */
static void write_help_or_ping(int number, int64_t id, struct buf *body)
{
    write_command(number, id, number % 2 ? "help" : "ping", body);
}

static bool is_message_or_pong(int number, struct str_view body)
{
    return number % 2 ? is_message(number, body) : str_equal(body, STR("{\"type\":1}"));
}

static void expect_no_failure(const char *what, const struct harness_load_result *result)
{
    print_message("%s: %d sent, %d failed; median %.1f ms, p99 %.1f ms, longest %.1f ms\n", what,
                  result->sent, result->failed, (double)result->median_us / 1000,
                  (double)result->p99_us / 1000, (double)result->longest_us / 1000);
    if (result->failed > 0)
        fail_msg("%d of %d failed, first: %s", result->failed, result->sent, result->first_failure);
}

/* --- One instance --- */

struct street {
    struct harness_bot bots[HARNESS_FRONT_INSTANCES];
    struct harness_front front;
};

static void must_work(int result, const struct err *err)
{
    if (result != 0)
        fail_msg("%s", err->message);
}

static void open_street(struct street *street, int bot_count, bool keeps_socket)
{
    static const unsigned char seed[HARNESS_SEED_BYTES] = { 3, 1, 4 };
    const struct harness_bot_options options = { .binary = BRONXBOT_BINARY,
                                                 .key_seed = seed,
                                                 .keeps_socket = keeps_socket };
    struct harness_front_options front = { .nginx_folder = NGINX_FOLDER };
    struct err err = { 0 };
    *street = (struct street){ 0 };
    for (int i = 0; i < bot_count; i++) {
        must_work(harness_bot_init(&street->bots[i], &options, &err), &err);
        must_work(harness_bot_launch(&street->bots[i], &err), &err);
        front.instances[i] = &street->bots[i].listen;
    }
    must_work(harness_front_init(&street->front, &front, &err), &err);
    must_work(harness_front_launch(&street->front, &err), &err);
}

static void shut_street(struct street *street)
{
    harness_front_fini(&street->front);
    for (int i = 0; i < HARNESS_FRONT_INSTANCES; i++)
        harness_bot_fini(&street->bots[i]);
}

static int close_street(void **state)
{
    shut_street(*state);
    return 0;
}

static int new_street(void **state)
{
    static struct street street;
    *state = &street;
    street = (struct street){ 0 };
    return sodium_init() < 0;
}

static void wait_for(struct harness_load *load, int count)
{
    while (harness_load_progress(load) < count)
        pause_ms(LOOK_MS);
}

/* An outage, once: what it did to the load, and how long nobody served at most. */
struct outage {
    struct harness_load_result result;
    int64_t longest_gap_ms;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void note_gap(struct outage *outage, int64_t since_ms)
{
    int64_t gap_ms = now_ms() - since_ms;
    if (gap_ms > outage->longest_gap_ms)
        outage->longest_gap_ms = gap_ms;
}

static struct harness_load_options load_on(const struct street *street, int seconds)
{
    return (struct harness_load_options){
        .front = &street->front,
        .bot = &street->bots[0],
        .per_second = PER_SECOND,
        .count = PER_SECOND * seconds,
        .write = write_help_or_balance,
        .is_answer = is_message,
    };
}

static void restart_ten_times(struct street *street, struct outage *outage)
{
    struct err err = { 0 };
    bool is_long = getenv("BRONX_LONG_TESTS") != NULL;
    const struct harness_load_options options = load_on(street, is_long ? SECONDS_LONG : SECONDS);
    struct harness_load *load = harness_load_start(&options);
    int restarted = 0;
    for (; restarted < RESTARTS; restarted++) {
        wait_for(load, options.count * (restarted + 1) / (RESTARTS + 2));
        int64_t since_ms = now_ms();
        if (harness_bot_restart(&street->bots[0], &err) != 0)
            break;
        note_gap(outage, since_ms);
    }
    harness_load_finish(load, &outage->result);
    must_work(restarted < RESTARTS ? ERR_UNAVAILABLE : 0, &err);
}

/* systemd would start it again at once; here the harness does. */
static void kill_once(struct street *street, struct outage *outage)
{
    struct err err = { 0 };
    const struct harness_load_options options = load_on(street, OUTAGE_SECONDS / 2);
    struct harness_load *load = harness_load_start(&options);
    wait_for(load, options.count / 3);
    int64_t since_ms = now_ms();
    harness_bot_kill(&street->bots[0], SIGKILL);
    int launched = harness_bot_launch(&street->bots[0], &err);
    note_gap(outage, since_ms);
    harness_load_finish(load, &outage->result);
    must_work(launched, &err);
}

/* nginx waits 2.6 s for an answer in all. On a machine so busy that a start, usually a tenth of a
 * second, takes a large part of that, failures say nothing about the bot: once more. */
static void expect_no_failure_of(void (*run)(struct street *, struct outage *),
                                 struct street *street, const char *what)
{
    for (int attempt = 1;; attempt++) {
        struct outage outage = { 0 };
        open_street(street, 1, true);
        run(street, &outage);
        print_message("%s: nobody served for %d ms at most\n", what, (int)outage.longest_gap_ms);
        if (outage.result.failed == 0 || outage.longest_gap_ms <= GAP_MS || attempt == ATTEMPTS) {
            expect_no_failure(what, &outage.result);
            return;
        }
        print_message("%d failed; this machine is too busy to tell\n", outage.result.failed);
        shut_street(street);
    }
}

static void ten_restarts_under_load_fail_no_interaction(void **state)
{
    expect_no_failure_of(restart_ten_times, *state, "ten restarts");
}

static void a_kill_of_the_only_instance_fails_no_interaction_when_it_is_started_again(void **state)
{
    expect_no_failure_of(kill_once, *state, "killed and started again");
}

/* --- Two instances -----------------------------------------------------------------------------
 *
 * An SQLite file belongs to one process, so each has a database of its own, and only what needs
 * none is asked: PING and /help. */

static void hurt_one_of_two(struct street *street, int signal_number, const char *what)
{
    struct harness_load_result result;
    open_street(street, 2, false);
    const struct harness_load_options options = {
        .front = &street->front,
        .bot = &street->bots[0],
        .per_second = PER_SECOND,
        .count = PER_SECOND * OUTAGE_SECONDS,
        .write = write_help_or_ping,
        .is_answer = is_message_or_pong,
    };
    struct harness_load *load = harness_load_start(&options);
    wait_for(load, options.count / 4);
    harness_bot_kill(&street->bots[1], signal_number);
    harness_load_finish(load, &result);
    expect_no_failure(what, &result);
}

static void a_kill_of_one_of_two_instances_fails_no_interaction(void **state)
{
    hurt_one_of_two(*state, SIGKILL, "one of two killed");
}

static void a_freeze_of_one_of_two_instances_fails_no_interaction(void **state)
{
    hurt_one_of_two(*state, SIGSTOP, "one of two frozen");
}

/* --- The drain, seen directly --- */

/* A signed /help in two parts: everything but the last byte, then the last byte. */
static int begin_request(const struct harness_bot *bot, struct buf *last)
{
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(buf_free) struct buf request = { 0 };
    struct harness_signature signature;
    struct err err = { 0 };
    int64_t now_ms = harness_bot_now_ms(bot);
    write_command(0, snowflake_at(now_ms, 1), "help", &body);
    harness_sign(&bot->keys, now_ms / 1000, buf_view(&body), &signature);
    buf_append_format(&request,
                      "POST /interactions HTTP/1.1\r\nHost: bot\r\nX-Signature-Ed25519: %s\r\n"
                      "X-Signature-Timestamp: %s\r\nContent-Length: %zu\r\n\r\n%.*s",
                      signature.hex, signature.timestamp, body.length, (int)body.length - 1,
                      body.data);
    buf_append_bytes(last, body.data + body.length - 1, 1);
    must_hold(&request);
    int fd = http_raw_connect(&bot->listen, &err);
    if (fd < 0 || send(fd, request.data, request.length, MSG_NOSIGNAL) != (ssize_t)request.length)
        fail_msg("%s", err.message);
    return fd;
}

/* GET /readyz until it says `state`; returns the status. */
static int wait_for_readiness(const struct harness_bot *bot, const char *state)
{
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    CLEANUP(http_client_release) struct http_client *client = http_client_new(&bot->admin_listen);
    const struct http_request request = { .method = "GET", .path = "/readyz" };
    for (int waited = 0; waited < PATIENCE_MS; waited += LOOK_MS) {
        if (http_client_send(client, &request, &answer, NULL) == 0 &&
            strstr(text_of(&answer.body), state))
            return answer.status;
        pause_ms(LOOK_MS);
    }
    fail_msg("/readyz never said %s", state);
    return 0;
}

/* Until it has accepted a connection. What was sent by then, it reads before it leaves. */
static void wait_for_connection(const struct harness_bot *bot)
{
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    CLEANUP(http_client_release) struct http_client *client = http_client_new(&bot->admin_listen);
    const struct http_request request = { .method = "GET", .path = "/metrics" };
    int64_t connections = 0;
    for (int waited = 0; waited < PATIENCE_MS && connections == 0; waited += LOOK_MS) {
        if (http_client_send(client, &request, &answer, NULL) != 0 ||
            !metric_find(answer.body.data, "bronxbot_http_connections", &connections) ||
            connections == 0)
            pause_ms(LOOK_MS);
    }
    assert_int_equal(connections, 1);
}

static void a_stop_finishes_what_is_in_flight_and_leaves_the_rest_in_the_socket(void **state)
{
    struct street *street = *state;
    struct harness_bot *bot = &street->bots[0];
    const struct harness_bot_options options = { .binary = BRONXBOT_BINARY, .keeps_socket = true };
    struct err err = { 0 };
    must_work(harness_bot_init(bot, &options, &err), &err);
    must_work(harness_bot_launch(bot, &err), &err);
    CLEANUP(buf_free) struct buf last = { 0 };
    CLEANUP(buf_free) struct buf later_last = { 0 };
    CLEANUP(buf_free) struct buf answer = { 0 };
    CLEANUP(buf_free) struct buf later_answer = { 0 };
    char block[8192];
    int fd = begin_request(bot, &last);
    wait_for_connection(bot);
    harness_bot_kill(bot, SIGTERM);
    assert_int_equal(wait_for_readiness(bot, "\"draining\""), 503);
    int later = begin_request(bot, &later_last);
    assert_int_equal(send(later, later_last.data, 1, MSG_NOSIGNAL), 1);

    assert_int_equal(send(fd, last.data, 1, MSG_NOSIGNAL), 1);
    for (ssize_t got; (got = recv(fd, block, sizeof(block), 0)) > 0;)
        buf_append_bytes(&answer, block, (size_t)got);
    close(fd);
    must_hold(&answer);
    assert_non_null(strstr(text_of(&answer), "HTTP/1.1 200"));
    assert_non_null(strstr(text_of(&answer), "Connection: close"));
    assert_non_null(strstr(text_of(&answer), "{\"type\":4,"));

    int exit_code = -1;
    must_work(harness_bot_stop(bot, &exit_code, &err), &err);
    assert_int_equal(exit_code, 0);
    must_work(harness_bot_launch(bot, &err), &err);
    ssize_t got = recv(later, block, sizeof(block), 0);
    buf_append_bytes(&later_answer, block, got > 0 ? (size_t)got : 0);
    close(later);
    assert_non_null(strstr(text_of(&later_answer), "HTTP/1.1 200"));
}

/* Until it says so, or has left. */
static void wait_until_it_leaves(const struct harness_bot *bot)
{
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    CLEANUP(http_client_release) struct http_client *client = http_client_new(&bot->admin_listen);
    const struct http_request request = { .method = "GET", .path = "/readyz" };
    while (http_client_send(client, &request, &answer, NULL) == 0 &&
           !strstr(text_of(&answer.body), "\"draining\""))
        pause_ms(1);
}

/* Connects, and sends a request when the bot is leaving: its answer, "" when it has left.
 * `*late_ms` is how long after SIGTERM. */
static void ask_while_it_leaves(struct harness_bot *bot, char answer[static ANSWER_MAX],
                                int64_t *late_ms)
{
    static const char request[] =
        "POST /interactions HTTP/1.1\r\nHost: bot\r\nContent-Length: 0\r\n\r\n";
    struct err err = { 0 };
    int fd = http_raw_connect(&bot->listen, &err);
    assert_true(fd >= 0);
    wait_for_connection(bot);
    int64_t began_ms = now_ms();
    harness_bot_kill(bot, SIGTERM);
    wait_until_it_leaves(bot);
    (void)!send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
    *late_ms = now_ms() - began_ms;
    ssize_t got = recv(fd, answer, ANSWER_MAX - 1, 0);
    answer[got > 0 ? got : 0] = '\0';
    close(fd);
}

/* A connection accepted in the last moment, whose request is still on its way. The bot gives it
 * 200 ms; nothing is learned when this machine takes as long: once more. */
static void a_request_just_after_its_connection_was_accepted_is_answered(void **state)
{
    struct street *street = *state;
    struct harness_bot *bot = &street->bots[0];
    const struct harness_bot_options options = { .binary = BRONXBOT_BINARY, .keeps_socket = true };
    struct err err = { 0 };
    char answer[ANSWER_MAX];
    int64_t late_ms;
    must_work(harness_bot_init(bot, &options, &err), &err);
    for (;;) {
        must_work(harness_bot_launch(bot, &err), &err);
        ask_while_it_leaves(bot, answer, &late_ms);
        if (strstr(answer, "HTTP/1.1 401"))
            return;
        if (late_ms < IN_TIME_MS)
            fail_msg("sent %d ms after SIGTERM: '%s'", (int)late_ms, answer);
        print_message("sent %d ms after SIGTERM: too late to tell\n", (int)late_ms);
        must_work(harness_bot_stop(bot, NULL, &err), &err);
    }
}

/* --- What systemd is told --- */

static void expect_notification(int fd, const char *first_line)
{
    char text[256] = { 0 };
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    text[strcspn(text, "\n")] = '\0';
    assert_string_equal(text, first_line);
}

static void the_supervisor_is_told_of_readiness_and_of_the_stop(void **state)
{
    struct street *street = *state;
    struct harness_bot *bot = &street->bots[0];
    const struct harness_bot_options options = { .binary = BRONXBOT_BINARY, .keeps_socket = true };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct err err = { 0 };
    must_work(harness_bot_init(bot, &options, &err), &err);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", bot->folder);
    char *line = must_format("NOTIFY_SOCKET=%s", address.sun_path);
    const char *const environment[] = { line, NULL };
    bot->options.environment = environment;
    const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    must_work(harness_bot_launch(bot, &err), &err);
    expect_notification(fd, "READY=1");
    must_work(harness_bot_stop(bot, NULL, &err), &err);
    expect_notification(fd, "STOPPING=1");
    close(fd);
    free(line);
}

int main(void)
{
#define ON_A_STREET(test) cmocka_unit_test_setup_teardown(test, new_street, close_street)
    const struct CMUnitTest tests[] = {
        ON_A_STREET(a_stop_finishes_what_is_in_flight_and_leaves_the_rest_in_the_socket),
        ON_A_STREET(a_request_just_after_its_connection_was_accepted_is_answered),
        ON_A_STREET(the_supervisor_is_told_of_readiness_and_of_the_stop),
        ON_A_STREET(ten_restarts_under_load_fail_no_interaction),
        ON_A_STREET(a_kill_of_the_only_instance_fails_no_interaction_when_it_is_started_again),
        ON_A_STREET(a_kill_of_one_of_two_instances_fails_no_interaction),
        ON_A_STREET(a_freeze_of_one_of_two_instances_fails_no_interaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
