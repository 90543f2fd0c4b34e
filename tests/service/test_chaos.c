/* A bad day at Discord and at home: deferred payments through the signed endpoint while Discord
 * answers with 429s, 502s, resets and silence, and the bot is killed with SIGKILL again and again.
 *
 * Whoever was told to wait gets the edit, and it says what the ledger says; nothing is lost or
 * doubled, and no rule of Discord's is broken. A connection that breaks is tried again with the
 * same interaction, as Discord's and nginx's repeats would be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/bot_process.h"
#include "harness/http_client.h"
#include "harness/interaction_json.h"
#include "harness/lookup.h"
#include "harness/memory.h"
#include "simulator/rest_server.h"

#include "core/thread.h"

#include "payments.h"

#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif

#ifdef IS_SANITIZED /* many times slower */
#define COMMANDS   2000
#define PER_SECOND 150
#define KILLS      5
#else
#define COMMANDS   20000
#define PER_SECOND 500
#define KILLS      20
#endif
#define PEOPLE      2000
#define DEADLINE_MS 3000 /* Discord's, for the answer */
#define CLIENTS     16
#define REPLAYED    500    /* of the edits, compared byte for byte */
#define EDIT_MS     120000 /* far longer than it takes: nothing is asserted on time */

/* In a thousand requests. Together some 5 %: a very bad day. */
static const struct rest_chaos bad_day = {
    .seed = 20261124,
    .rate_limited = 4,
    .retry_after_ms = 400,
    .server_error = 20,
    .reset_before = 10,
    .reset_after = 10,
    .stall = 2,
    .stall_ms = 1500,
};

struct chaos {
    struct harness_bot bot;
    struct rest_server *discord;
    char database_url[128];
    int64_t ids[COMMANDS];
    bool is_told[COMMANDS]; /* "deferred" came in time: an edit is owed */
    int64_t started_us;
    int next;     /* atomic */
    int repeated; /* atomic: requests sent again */
};

static void sleep_us(int64_t microseconds)
{
    const struct timespec pause = { microseconds / 1000000, microseconds % 1000000 * 1000 };
    if (microseconds > 0)
        nanosleep(&pause, NULL);
}

/* --- Payments --- */

static int post(struct chaos *chaos, struct http_client *client, int number,
                struct http_answer *answer)
{
    CLEANUP(json_release)
    json_object *interaction = payment(number, chaos->ids[number], PEOPLE, 500 + number % 50);
    CLEANUP(buf_free) struct buf body = { 0 };
    struct harness_signature signature;
    interaction_bytes(interaction, &body);
    harness_sign(&chaos->bot.keys, harness_bot_now_ms(&chaos->bot) / 1000, buf_view(&body),
                 &signature);
    return http_client_post_signed(client, &signature, buf_view(&body), answer, NULL);
}

static void pay(struct chaos *chaos, struct http_client *client, int number)
{
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    chaos->ids[number] = snowflake_at(harness_bot_now_ms(&chaos->bot), 0) + (number & 0x3fffff);
    const struct rest_interaction asked = {
        .id = chaos->ids[number],
        .type = 2,
        .channel_id = 501,
        .person = { .id = PAYMENTS_FIRST_PERSON + number % PEOPLE, .name = "payer" },
    };
    rest_server_ask(chaos->discord, &asked);
    int64_t give_up_ms = harness_bot_now_ms(&chaos->bot) + DEADLINE_MS;
    bool is_answered = false;
    while (!is_answered && harness_bot_now_ms(&chaos->bot) < give_up_ms) {
        is_answered = post(chaos, client, number, &answer) == 0 && answer.status == 200;
        if (!is_answered) {
            __atomic_fetch_add(&chaos->repeated, 1, __ATOMIC_RELAXED);
            sleep_us(5000);
        }
    }
    chaos->is_told[number] = is_answered && harness_bot_now_ms(&chaos->bot) < give_up_ms &&
                             str_starts_with(buf_view(&answer.body), STR("{\"type\":5"));
    if (chaos->is_told[number])
        rest_server_answered(chaos->discord, chaos->ids[number], buf_view(&answer.body));
    else
        rest_server_unanswered(chaos->discord, chaos->ids[number]);
}

static void *pay_in_turn(void *argument)
{
    struct chaos *chaos = argument;
    struct http_client *client = http_client_new(&chaos->bot.listen);
    int number;
    while ((number = __atomic_fetch_add(&chaos->next, 1, __ATOMIC_RELAXED)) < COMMANDS) {
        sleep_us(chaos->started_us + (int64_t)number * 1000000 / PER_SECOND - thread_now_us());
        pay(chaos, client, number);
    }
    http_client_free(client);
    return NULL;
}

/* --- The day --- */

/* Accepted, rich, and never asked to wait: every command is a payment. */
static void make_everybody_rich(struct chaos *chaos)
{
    struct service_fixture fixture;
    struct db_statement lift = {
        .sql = "CREATE TRIGGER nobody_waits AFTER INSERT ON cooldown "
               "BEGIN DELETE FROM cooldown WHERE user_id = NEW.user_id; END",
    };
    assert_int_equal(
        service_fixture_open_at(&fixture, chaos->database_url, harness_bot_now_ms(&chaos->bot)), 0);
    assert_int_equal(db_query(fixture.db, &lift, NULL, NULL), 0);
    payments_prepare(&fixture, PEOPLE);
    service_fixture_close(&fixture);
}

static void launch(struct chaos *chaos)
{
    struct err err = { 0 };
    if (harness_bot_launch(&chaos->bot, &err) != 0)
        fail_msg("%s", err.message);
}

static void stop(struct chaos *chaos)
{
    int exit_code = -1;
    struct err err = { 0 };
    assert_int_equal(harness_bot_stop(&chaos->bot, &exit_code, &err), 0);
    assert_int_equal(exit_code, 0);
}

static void kill_now_and_then(struct chaos *chaos)
{
    const int64_t life_us = (int64_t)COMMANDS * 1000000 / PER_SECOND / (KILLS + 1);
    for (int kill = 1; kill <= KILLS; kill++) {
        sleep_us(chaos->started_us + kill * life_us - thread_now_us());
        harness_bot_kill(&chaos->bot, SIGKILL);
        rest_server_bot_was_killed(chaos->discord);
        launch(chaos);
    }
}

static void live_through_the_day(struct chaos *chaos)
{
    pthread_t clients[CLIENTS];
    launch(chaos);
    rest_server_set_chaos(chaos->discord, &bad_day);
    chaos->started_us = thread_now_us();
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&clients[i], NULL, pay_in_turn, chaos), 0);
    kill_now_and_then(chaos);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(clients[i], NULL);
}

/* --- What is left of it --- */

static void assert_every_edit_arrives(struct chaos *chaos)
{
    int missing = 0, told = 0;
    for (int i = 0; i < COMMANDS; i++) {
        told += chaos->is_told[i];
        if (chaos->is_told[i] &&
            !rest_server_wait_edits(chaos->discord, chaos->ids[i], 1, missing ? 1 : EDIT_MS))
            missing++;
    }
    print_message("%d of %d were told to wait within 3 s\n", told, COMMANDS);
    assert_true(told > COMMANDS / 2);
    if (missing > 0) {
        CLEANUP(buf_free) struct buf tail = { 0 };
        harness_bot_log_tail(&chaos->bot, 20, &tail);
        fail_msg("%d of %d edits are missing; %.*s", missing, told, STR_ARGS(buf_view(&tail)));
    }
}

static void assert_no_rule_was_broken(struct chaos *chaos)
{
    CLEANUP(buf_free) struct buf violation = { 0 };
    struct rest_statistics statistics;
    rest_server_first_violation(chaos->discord, &violation);
    if (violation.length > 0)
        fail_msg("%s", violation.data);
    rest_server_statistics(chaos->discord, &statistics);
    print_message("%d commands, %d sent again, %zu requests to Discord, %zu of them got 429\n",
                  COMMANDS, chaos->repeated, statistics.requests, statistics.limited);
    assert_true(statistics.limited * 100 < statistics.requests);
}

/* Of those who were told to wait, everybody's says what the ledger says. */
static int assert_edits_say_what_the_ledger_says(struct chaos *chaos,
                                                 struct service_fixture *fixture)
{
    struct lookup paid = { 0 };
    int receipts = 0;
    payments_read(fixture, &paid);
    for (int i = 0; i < COMMANDS; i++) {
        CLEANUP(buf_free) struct buf edit = { 0 };
        if (!chaos->is_told[i])
            continue;
        assert_true(rest_server_original(chaos->discord, chaos->ids[i], &edit));
        bool has_receipt = strstr(edit.data, "receipt") != NULL;
        bool is_paid = lookup_find(&paid, (uint64_t)chaos->ids[i]) != NULL;
        if (has_receipt != is_paid)
            fail_msg("the ledger %s a payment, but the edit says: %s",
                     is_paid ? "has" : "does not have", edit.data);
        if (!has_receipt)
            fail_msg("nobody is refused today, but the edit says: %s", edit.data);
        receipts++;
    }
    lookup_free(&paid);
    return receipts;
}

static void look_at_the_books(struct chaos *chaos)
{
    struct service_fixture fixture;
    assert_int_equal(
        service_fixture_open_at(&fixture, chaos->database_url, harness_bot_now_ms(&chaos->bot)), 0);
    assert_books_balance(&fixture, PEOPLE);
    assert_int_equal(
        service_fixture_count(&fixture, "SELECT COUNT(*) FROM outbox WHERE state NOT IN ('done', "
                                        "'dead') OR (state = 'done' AND content IS NOT NULL)"),
        0);
    int receipts = assert_edits_say_what_the_ledger_says(chaos, &fixture);
    print_message("%d edits are receipts, as the ledger says\n", receipts);
    service_fixture_close(&fixture);
}

static void assert_same_components(struct str_view edit, struct str_view answer)
{
    CLEANUP(json_release) json_object *sent = json_tokener_parse(edit.data);
    CLEANUP(json_release) json_object *asked = json_tokener_parse(answer.data);
    json_object *then = json_object_object_get(sent, "components");
    json_object *now = json_object_object_get(json_object_object_get(asked, "data"), "components");
    store_number(now); /* as the simulator numbers what it stores */
    if (!now || strcmp(json_object_to_json_string(then), json_object_to_json_string(now)) != 0)
        fail_msg("the edit was %s, the answer is %s", edit.data, answer.data);
}

/* Asked again when nothing is slow, the bot answers at once, and with the same message. */
static void assert_edits_are_the_answers(struct chaos *chaos)
{
    struct http_client *client = http_client_new(&chaos->bot.listen);
    int compared = 0;
    for (int i = 0; i < COMMANDS && compared < REPLAYED; i += 7) {
        if (!chaos->is_told[i])
            continue;
        CLEANUP(http_answer_free) struct http_answer answer = { 0 };
        CLEANUP(buf_free) struct buf edit = { 0 };
        assert_true(rest_server_original(chaos->discord, chaos->ids[i], &edit));
        assert_int_equal(post(chaos, client, i, &answer), 0);
        assert_same_components(str_from(edit.data), str_from(answer.body.data));
        compared++;
    }
    http_client_free(client);
    print_message("%d edits are what the bot answers to the same interaction later\n", compared);
    assert_true(compared > 0);
}

static void every_edit_arrives_on_a_bad_day(void **state)
{
    (void)state;
    static struct chaos chaos;
    static char api_url[128];
    static const char *environment[] = { api_url, "DEFER_AFTER_MS=0", "LOG_LEVEL=warning", NULL };
    /* As long as may be, for a machine that is slow now and then. */
    static const char *quiet[] = { api_url, "DEFER_AFTER_MS=2500", NULL };
    const struct harness_bot_options options = { .binary = BRONXBOT_BINARY,
                                                 .environment = environment,
                                                 .keeps_socket = true };
    const struct rest_server_settings settings = { .close_ms = DEADLINE_MS };
    struct err err = { 0 };
    assert_int_equal(rest_server_start(&chaos.discord, &settings, &err), 0);
    snprintf(api_url, sizeof(api_url), "DISCORD_API_URL=%s", rest_server_url(chaos.discord));
    assert_int_equal(harness_bot_init(&chaos.bot, &options, &err), 0);
    snprintf(chaos.database_url, sizeof(chaos.database_url), "sqlite:%s/bronxbot.db",
             chaos.bot.folder);
    make_everybody_rich(&chaos);
    live_through_the_day(&chaos);
    assert_every_edit_arrives(&chaos);
    stop(&chaos);
    assert_no_rule_was_broken(&chaos);
    look_at_the_books(&chaos);
    chaos.bot.options.environment = quiet;
    launch(&chaos);
    assert_edits_are_the_answers(&chaos);
    stop(&chaos);
    harness_bot_fini(&chaos.bot);
    rest_server_stop(chaos.discord);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_edit_arrives_on_a_bad_day) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
