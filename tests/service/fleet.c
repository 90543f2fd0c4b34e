#include "fleet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/memory.h"
#include "harness/metric.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_MS       20
/* On the way of a private reply to a public deferral, and where nobody knows whether it came. */
#define NOTICE_WORDS  "Only the person who asked can see"
#define APOLOGY_WORDS "Only the person who asked could see"
/* Longer than fleet_ask takes to say what came of an interaction. */
#define CLOSE_MS      (HTTP_CLIENT_TIMEOUT_MS + FLEET_DEADLINE_MS)

static const struct timespec look_pause = { .tv_nsec = LOOK_MS * 1000000L };

/* All sign with one key: to Discord they are one application. */
static const unsigned char key_seed[HARNESS_SEED_BYTES] = { 2, 7, 1, 8 };

static void must_work(int result, const struct err *err)
{
    if (result != 0)
        fail_msg("%s", err->message);
}

/* --- Life --- */

static void set_environment(struct fleet *fleet, const char *const *more)
{
    char redis_url[128];
    size_t count = 0;
    harness_redis_url(&fleet->redis, 0, redis_url, sizeof(redis_url));
    snprintf(fleet->lines[0], sizeof(fleet->lines[0]), "DATABASE_URL=%s", fleet->database_url);
    snprintf(fleet->lines[1], sizeof(fleet->lines[1]), "REDIS_URL=%s", redis_url);
    snprintf(fleet->lines[2], sizeof(fleet->lines[2]), "DISCORD_API_URL=%s",
             rest_server_url(fleet->discord));
    for (; count < ARRAY_LENGTH(fleet->lines); count++)
        fleet->environment[count] = fleet->lines[count];
    for (; more && *more; more++) {
        assert_true(count < FLEET_LINES_MAX - 1);
        fleet->environment[count++] = *more;
    }
}

void fleet_open(struct fleet *fleet, const struct fleet_options *options)
{
    struct err err = { 0 };
    *fleet = (struct fleet){ .bot_count = options->bot_count };
    const struct rest_server_settings discord = { .close_ms = CLOSE_MS, .limits = options->limits };
    const struct harness_redis_options redis = { 0 };
    const struct harness_bot_options bot = { .binary = options->binary,
                                             .key_seed = key_seed,
                                             .environment = fleet->environment,
                                             .keeps_socket = true };
    assert_true(sodium_init() >= 0);
    assert_in_range(fleet->bot_count, 1, FLEET_BOTS_MAX);
    assert_true(harness_postgres_start(&fleet->postgres, false));
    snprintf(fleet->database_url, sizeof(fleet->database_url),
             "postgresql://bronxbot@/postgres?host=%s", fleet->postgres.folder);
    must_work(harness_redis_init(&fleet->redis, &redis, &err), &err);
    fleet_start_redis(fleet);
    must_work(rest_server_start(&fleet->discord, &discord, &err), &err);
    set_environment(fleet, options->environment);
    for (int i = 0; i < fleet->bot_count; i++)
        must_work(harness_bot_init(&fleet->bots[i], &bot, &err), &err);
}

void fleet_close(struct fleet *fleet)
{
    for (int i = 0; i < fleet->bot_count; i++)
        harness_bot_fini(&fleet->bots[i]);
    rest_server_stop(fleet->discord);
    harness_redis_fini(&fleet->redis);
    harness_postgres_fini(&fleet->postgres);
}

void fleet_launch(struct fleet *fleet, int bot)
{
    struct err err = { 0 };
    must_work(harness_bot_launch(&fleet->bots[bot], &err), &err);
}

void fleet_launch_all(struct fleet *fleet)
{
    for (int i = 0; i < fleet->bot_count; i++)
        fleet_launch(fleet, i);
}

void fleet_kill(struct fleet *fleet, int bot)
{
    harness_bot_kill(&fleet->bots[bot], SIGKILL);
    rest_server_bot_was_killed(fleet->discord);
}

void fleet_stop(struct fleet *fleet, int bot)
{
    struct err err = { 0 };
    int exit_code = -1;
    must_work(harness_bot_stop(&fleet->bots[bot], &exit_code, &err), &err);
    if (exit_code != 0)
        fail_msg("bot %d left with %d", bot, exit_code);
}

void fleet_restart(struct fleet *fleet, int bot)
{
    fleet_stop(fleet, bot);
    fleet_launch(fleet, bot);
}

void fleet_start_redis(struct fleet *fleet)
{
    struct err err = { 0 };
    must_work(harness_redis_launch(&fleet->redis, &err), &err);
}

void fleet_start_postgres(struct fleet *fleet)
{
    assert_true(harness_postgres_restart(&fleet->postgres));
}

/* --- What bots say of themselves --- */

int fleet_get(struct fleet *fleet, int bot, const char *path, struct buf *body)
{
    CLEANUP(http_client_release)
    struct http_client *client = http_client_new(&fleet->bots[bot].admin_listen);
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    const struct http_request request = { .method = "GET", .path = path };
    struct err err = { 0 };
    must_work(http_client_send(client, &request, &answer, &err), &err);
    buf_append(body, buf_view(&answer.body));
    must_hold(body);
    return answer.status;
}

int64_t fleet_metric(struct fleet *fleet, int bot, const char *name)
{
    CLEANUP(buf_free) struct buf body = { 0 };
    assert_int_equal(fleet_get(fleet, bot, "/metrics", &body), 200);
    int64_t value;
    return metric_find(body.data, name, &value) ? value : 0;
}

static bool is_part(struct fleet *fleet, int bot, const char *part, const char *state)
{
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(buf_free) struct buf wanted = { 0 };
    fleet_get(fleet, bot, "/readyz", &body);
    buf_append_format(&wanted, "\"%s\":{\"state\":\"%s\"", part, state);
    must_hold(&wanted);
    return strstr(body.data, wanted.data) != NULL;
}

void fleet_await_part(struct fleet *fleet, int bot, const char *part, const char *state)
{
    for (int waited = 0; !is_part(fleet, bot, part, state); waited += LOOK_MS) {
        if (waited >= FLEET_PATIENCE_MS)
            fail_msg("/readyz never said that %s is %s", part, state);
        nanosleep(&look_pause, NULL);
    }
}

/* --- The database --- */

enum fleet_reply fleet_await_reply(struct fleet *fleet, int64_t interaction_id, struct buf *text)
{
    for (int waited = 0; waited < FLEET_PATIENCE_MS; waited += LOOK_MS) {
        buf_clear(text);
        if (rest_server_follow_ups(fleet->discord, interaction_id) > 0)
            return FLEET_REPLY_PRIVATE;
        if (rest_server_edits(fleet->discord, interaction_id) > 0 &&
            rest_server_original(fleet->discord, interaction_id, text)) {
            if (strstr(text->data, APOLOGY_WORDS))
                return FLEET_REPLY_PRIVATE;
            if (!strstr(text->data, NOTICE_WORDS))
                return FLEET_REPLY_SHOWN;
        }
        nanosleep(&look_pause, NULL);
    }
    return FLEET_REPLY_MISSING;
}

void fleet_open_database(const struct fleet *fleet, struct service_fixture *fixture)
{
    assert_int_equal(
        service_fixture_open_at(fixture, fleet->database_url, harness_bot_now_ms(&fleet->bots[0])),
        0);
}

void fleet_lift_cooldowns(struct service_fixture *fixture)
{
    static const char *const statements[] = {
        "CREATE OR REPLACE FUNCTION forget_cooldown() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN DELETE FROM cooldown WHERE user_id = NEW.user_id AND command = NEW.command; "
        "RETURN NULL; END'",
        "CREATE TRIGGER nobody_waits AFTER INSERT ON cooldown FOR EACH ROW "
        "WHEN (NEW.command <> 'daily') EXECUTE FUNCTION forget_cooldown()",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(statements); i++) {
        struct err err = { 0 };
        const struct db_statement statement = { .sql = statements[i] };
        must_work(db_query(fixture->db, &statement, NULL, &err), &err);
    }
}

/* --- Interactions --- */

int64_t fleet_interaction_id(const struct fleet *fleet, unsigned sequence)
{
    return snowflake_at(harness_bot_now_ms(&fleet->bots[0]), sequence);
}

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool fleet_ask(struct fleet *fleet, struct http_client *client, const struct envelope *envelope,
               json_object *interaction, struct http_answer *answer)
{
    const struct rest_interaction asked = {
        .id = envelope->id,
        .type = json_object_get_int(json_object_object_get(interaction, "type")),
        .channel_id = envelope->place.channel_id,
        .person = envelope->person,
    };
    CLEANUP(buf_free) struct buf body = { 0 };
    struct harness_signature signature;
    interaction_bytes(interaction, &body);
    harness_sign(&fleet->bots[0].keys, harness_bot_now_ms(&fleet->bots[0]) / 1000, buf_view(&body),
                 &signature);
    rest_server_ask(fleet->discord, &asked);
    int64_t began_ms = monotonic_ms();
    bool is_answered =
        http_client_post_signed(client, &signature, buf_view(&body), answer, NULL) == 0 &&
        answer->status == 200 && monotonic_ms() - began_ms < FLEET_DEADLINE_MS;
    if (is_answered)
        rest_server_answered(fleet->discord, envelope->id, buf_view(&answer->body));
    else
        rest_server_unanswered(fleet->discord, envelope->id);
    return is_answered;
}

void fleet_assert_no_violation(struct fleet *fleet)
{
    CLEANUP(buf_free) struct buf violation = { 0 };
    rest_server_first_violation(fleet->discord, &violation);
    if (violation.length > 0)
        fail_msg("%s", violation.data);
}
