/* Slow commands against the real program, in the way they get slow for real: somebody else holds
 * the database's lock. Two hundred people ask at the same instant, 100 ms away from Discord; each
 * is acknowledged within 3 s of the interaction's snowflake, and each gets the edit with the reply.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/bot_process.h"
#include "harness/http_client.h"
#include "harness/interaction_json.h"
#include "harness/memory.h"
#include "harness/script_server.h"

#include <pthread.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PEOPLE       200
#define FIRST_PERSON INT64_C(7000000000000000001)
#define LOOK_MS      10
#define DISTANCE_MS  100 /* between Discord and us, one way */
#define DEADLINE_MS  3000

/* What Discord has seen of one person's interaction. */
struct asked {
    struct slow *slow;
    pthread_t thread;
    int number;
    int64_t id;
    char token[64];
    bool is_acknowledged;    /* Discord has taken the deferred answer in */
    int64_t acknowledged_ms; /* after the snowflake, distance included */
    bool was_deferred;
    int edits;
};

struct slow {
    struct harness_bot bot;
    struct script_server *discord;
    pthread_mutex_t lock;
    struct asked asked[PEOPLE];
    int early; /* edits that came before their answer */
};

static void sleep_ms(long milliseconds)
{
    struct timespec pause = { .tv_sec = milliseconds / 1000,
                              .tv_nsec = milliseconds % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

/* What a reply for one person is announced with, to all. */
static bool is_notice(const struct script_request *request)
{
    static const char words[] = "Only the person who asked can see";
    return memmem(request->body.data, request->body.length, words, sizeof(words) - 1) != NULL;
}

/* Discord's side of the message an interaction comes to: an edit of @original or, when a handler
 * gave up on the database, what takes its place. */
static void take_edit(void *context, const struct script_request *request,
                      struct script_answer *answer)
{
    struct slow *slow = context;
    pthread_mutex_lock(&slow->lock);
    answer->status = 404;
    for (int i = 0; i < PEOPLE; i++) {
        struct asked *asked = &slow->asked[i];
        if (!memmem(request->path.data, request->path.length, asked->token, strlen(asked->token)))
            continue;
        if (!asked->is_acknowledged) {
            /* It overtook the answer: not known yet. */
            slow->early++;
            buf_append(&answer->body, STR("{\"message\":\"Unknown Webhook\",\"code\":10015}"));
            break;
        }
        answer->status = 200;
        asked->edits += !str_equal(request->method, STR("DELETE")) && !is_notice(request);
        buf_append(&answer->body, STR("{\"id\":\"1\"}"));
    }
    pthread_mutex_unlock(&slow->lock);
}

static struct envelope envelope_of(const struct slow *slow, int number, unsigned sequence)
{
    return (struct envelope){
        .id = snowflake_at(harness_bot_now_ms(&slow->bot), sequence),
        .application_id = HARNESS_APPLICATION_ID,
        .person = { .id = FIRST_PERSON + number, .name = "somebody" },
        .place = { .guild_id = 500,
                   .channel_id = 501,
                   .channel_name = "general",
                   .guild_locale = "en-US" },
    };
}

static void *ask(void *argument)
{
    struct asked *asked = argument;
    struct slow *slow = asked->slow;
    struct envelope envelope = envelope_of(slow, asked->number, (unsigned)asked->number);
    envelope.token = asked->token;
    CLEANUP(json_release)
    json_object *command = command_interaction(&envelope, 42, "daily", NULL, NULL);
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    interaction_bytes(command, &body);
    struct harness_signature signature;
    harness_sign(&slow->bot.keys, harness_bot_now_ms(&slow->bot) / 1000, buf_view(&body),
                 &signature);
    struct http_client *client = http_client_new(&slow->bot.listen);
    sleep_ms(DISTANCE_MS);
    int result = http_client_post_signed(client, &signature, buf_view(&body), &answer, NULL);
    sleep_ms(DISTANCE_MS);
    pthread_mutex_lock(&slow->lock);
    asked->is_acknowledged = result == 0 && answer.status == 200;
    asked->acknowledged_ms =
        harness_bot_now_ms(&slow->bot) - ((envelope.id >> 22) + SNOWFLAKE_EPOCH_MS);
    asked->was_deferred =
        asked->is_acknowledged && str_starts_with(buf_view(&answer.body), STR("{\"type\":5"));
    pthread_mutex_unlock(&slow->lock);
    http_client_free(client);
    return NULL;
}

static sqlite3 *open_database(const struct slow *slow)
{
    char path[128];
    sqlite3 *database = NULL;
    snprintf(path, sizeof(path), "%s/bronxbot.db", slow->bot.folder);
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    sqlite3_busy_timeout(database, 5000);
    return database;
}

/* Nobody is asked for the terms. */
static void accept_for_all(sqlite3 *database)
{
    char sql[512];
    assert_int_equal(sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < PEOPLE; i++) {
        snprintf(
            sql, sizeof(sql),
            "INSERT INTO tos_decision (interaction_id, user_id, version, text_sha256, decision, "
            "decided_at) VALUES (%d, %lld, '1.0', '', 'accepted', 1)",
            i + 1, (long long)(FIRST_PERSON + i));
        assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    }
    assert_int_equal(sqlite3_exec(database, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
}

static bool everybody_has_an_edit(void *context)
{
    struct slow *slow = context;
    bool is_true = true;
    pthread_mutex_lock(&slow->lock);
    for (int i = 0; i < PEOPLE; i++)
        is_true = is_true && (slow->asked[i].edits > 0 || !slow->asked[i].was_deferred);
    pthread_mutex_unlock(&slow->lock);
    return is_true;
}

static void start(struct slow *slow, const char *budget)
{
    static char api_url[128];
    static const char *environment[3];
    struct err err = { 0 };
    *slow = (struct slow){ 0 };
    pthread_mutex_init(&slow->lock, NULL);
    slow->discord = script_server_start(0, take_edit, slow);
    snprintf(api_url, sizeof(api_url), "DISCORD_API_URL=%s", script_server_url(slow->discord));
    environment[0] = api_url;
    environment[1] = budget;
    const struct harness_bot_options options = { .binary = BRONXBOT_BINARY,
                                                 .environment = environment };
    if (harness_bot_init(&slow->bot, &options, &err) != 0 ||
        harness_bot_launch(&slow->bot, &err) != 0)
        fail_msg("%s", err.message);
}

static void ask_all(struct slow *slow)
{
    pthread_mutex_lock(&slow->lock); /* edits for the first come before the last has asked */
    for (int i = 0; i < PEOPLE; i++) {
        slow->asked[i].slow = slow;
        slow->asked[i].number = i;
        snprintf(slow->asked[i].token, sizeof(slow->asked[i].token), "token-of-number-%d-", i);
    }
    pthread_mutex_unlock(&slow->lock);
    for (int i = 0; i < PEOPLE; i++)
        assert_int_equal(pthread_create(&slow->asked[i].thread, NULL, ask, &slow->asked[i]), 0);
}

/* Notices may still be on their way to be deleted. */
static int count_wrong_edits(struct slow *slow)
{
    int wrong = 0;
    pthread_mutex_lock(&slow->lock);
    for (int i = 0; i < PEOPLE; i++)
        wrong += slow->asked[i].edits != (slow->asked[i].was_deferred ? 1 : 0);
    pthread_mutex_unlock(&slow->lock);
    return wrong;
}

static int count_deferred(struct slow *slow)
{
    int deferred = 0;
    pthread_mutex_lock(&slow->lock);
    for (int i = 0; i < PEOPLE; i++)
        deferred += slow->asked[i].was_deferred;
    pthread_mutex_unlock(&slow->lock);
    return deferred;
}

/* Holds the lock for as long as it takes: usually a bit longer than DEFER_AFTER_MS. Whose handler
 * loses its patience with the lock meanwhile, is told so by the edit. */
static void hold_until_most_are_deferred(struct slow *slow, sqlite3 *database)
{
    assert_int_equal(sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ask_all(slow);
    while (count_deferred(slow) <= PEOPLE / 2)
        sleep_ms(LOOK_MS);
    assert_int_equal(sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
}

/* Returns how many were deferred; each of those has had one edit. */
static int hear_all(struct slow *slow)
{
    int64_t latest_ms = 0;
    int deferred = 0;
    for (int i = 0; i < PEOPLE; i++) {
        pthread_join(slow->asked[i].thread, NULL);
        assert_true(slow->asked[i].is_acknowledged);
        deferred += slow->asked[i].was_deferred;
        if (slow->asked[i].acknowledged_ms > latest_ms)
            latest_ms = slow->asked[i].acknowledged_ms;
    }
    script_server_wait(slow->discord, everybody_has_an_edit);
    pthread_mutex_lock(&slow->lock);
    int early = slow->early;
    pthread_mutex_unlock(&slow->lock);
    print_message("%d of %d deferred; the latest acknowledged %lld ms after its snowflake (Discord "
                  "waits %d); %d edits overtook their answer\n",
                  deferred, PEOPLE, (long long)latest_ms, DEADLINE_MS, early);
    assert_int_equal(count_wrong_edits(slow), 0);
    return deferred;
}

static void stop(struct slow *slow)
{
    int exit_code = -1;
    struct err err = { 0 };
    assert_int_equal(harness_bot_stop(&slow->bot, &exit_code, &err), 0);
    assert_int_equal(exit_code, 0);
    harness_bot_fini(&slow->bot);
    script_server_stop(slow->discord);
    pthread_mutex_destroy(&slow->lock);
}

static void two_hundred_slow_commands_are_acknowledged_in_time_and_edited(void **state)
{
    (void)state;
    static struct slow slow;
    start(&slow, NULL);
    sqlite3 *database = open_database(&slow);
    accept_for_all(database);
    hold_until_most_are_deferred(&slow, database);
    sqlite3_close(database);
    assert_true(hear_all(&slow) > PEOPLE / 2);
    stop(&slow);
}

static void without_a_budget_two_hundred_commands_are_deferred_and_edited(void **state)
{
    (void)state;
    static struct slow slow;
    start(&slow, "DEFER_AFTER_MS=0");
    sqlite3 *database = open_database(&slow);
    accept_for_all(database);
    sqlite3_close(database);
    ask_all(&slow);
    assert_int_equal(hear_all(&slow), PEOPLE);
    stop(&slow);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hundred_slow_commands_are_acknowledged_in_time_and_edited),
        cmocka_unit_test(without_a_budget_two_hundred_commands_are_deferred_and_edited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
