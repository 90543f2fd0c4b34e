/* Planted secrets at LOG_LEVEL=debug: after traffic of every kind, a crash and refused starts they
 * are in no log, no metric, no answer for operators, no argument list and no crash output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/bot_process.h"
#include "harness/front.h"
#include "harness/interaction_json.h"
#include "harness/memory.h"

#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define BOT_TOKEN         "MTAwMDAw.planted.bot-token-7d1f"
#define SERVER_SECRET     "planted-server-secret-93ac"
#define REDIS_PASSWORD    "planted-redis-password-51e0"
#define DATABASE_PASSWORD "planted-database-password-c4b2"
#define DATABASE_URL      "postgresql://bronx:" DATABASE_PASSWORD "@127.0.0.1:1/bronx"
#define INTERACTION_TOKEN "aW50ZXJhY3Rpb246planted-interaction-token-2b"
#define CRASH_MS          10000

static const char *const secrets[] = {
    BOT_TOKEN, SERVER_SECRET, REDIS_PASSWORD, DATABASE_PASSWORD, INTERACTION_TOKEN,
};

struct stage {
    struct harness_bot bot;
    struct harness_front front;
    struct http_client *client;
    char *secret_file, *server_secret_line;
};

/* --- Looking for them --- */

static void expect_no_secret(const char *place, struct str_view text)
{
    /* An empty place would prove nothing. */
    if (text.length == 0)
        fail_msg("%s is empty", place);
    for (size_t i = 0; i < ARRAY_LENGTH(secrets); i++)
        if (memmem(text.data, text.length, secrets[i], strlen(secrets[i])))
            fail_msg("%s holds %s", place, secrets[i]);
}

static void read_file(const char *path, struct buf *text)
{
    FILE *file = fopen(path, "re");
    if (!file)
        fail_msg("%s can't be read", path);
    char block[4096];
    size_t got;
    while ((got = fread(block, 1, sizeof(block), file)) > 0)
        buf_append_bytes(text, block, got);
    fclose(file);
    must_hold(text);
}

static void expect_no_secret_in_file(const char *path)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    read_file(path, &text);
    expect_no_secret(path, buf_view(&text));
}

static void expect_no_secret_at(const struct stage *stage, const char *path)
{
    CLEANUP(http_client_release)
    struct http_client *client = http_client_new(&stage->bot.admin_listen);
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    const struct http_request request = { .method = "GET", .path = path };
    struct err err = { 0 };
    if (http_client_send(client, &request, &answer, &err) != 0)
        fail_msg("%s", err.message);
    expect_no_secret(path, buf_view(&answer.body));
}

/* --- Traffic --- */

static int post(const struct stage *stage, struct str_view body, bool is_genuine)
{
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    struct harness_signature signature;
    struct err err = { 0 };
    harness_sign(&stage->bot.keys, harness_bot_now_ms(&stage->bot) / 1000, body, &signature);
    if (!is_genuine)
        signature.hex[0] = signature.hex[0] == '0' ? '1' : '0';
    if (http_client_post_signed(stage->client, &signature, body, &answer, &err) != 0)
        fail_msg("%s", err.message);
    return answer.status;
}

static struct envelope envelope_now(const struct stage *stage, unsigned number)
{
    return (struct envelope){
        .id = snowflake_at(harness_bot_now_ms(&stage->bot), number),
        .application_id = HARNESS_APPLICATION_ID,
        .token = INTERACTION_TOKEN,
        .person = { .id = 7, .name = "alice" },
        .place = { .guild_id = 500,
                   .channel_id = 501,
                   .channel_name = "general",
                   .guild_locale = "en-US" },
    };
}

static void use_commands(const struct stage *stage)
{
    static const char *const names[] = { "help", "balance", "daily", "tos", "no-such-command" };
    for (unsigned i = 0; i < ARRAY_LENGTH(names); i++) {
        const struct envelope envelope = envelope_now(stage, i);
        CLEANUP(json_release)
        json_object *interaction = command_interaction(&envelope, 42, names[i], NULL, NULL);
        CLEANUP(buf_free) struct buf body = { 0 };
        interaction_bytes(interaction, &body);
        assert_int_equal(post(stage, buf_view(&body), true), 200);
        assert_int_equal(post(stage, buf_view(&body), false), 401);
    }
}

/* The token in places where nobody expects one. */
static void send_nonsense(const struct stage *stage)
{
    static const char *const bodies[] = {
        "{\"token\":\"" INTERACTION_TOKEN "\"",
        "{\"type\":\"" INTERACTION_TOKEN "\"}",
        "{\"type\":2,\"id\":\"" INTERACTION_TOKEN "\",\"token\":\"" INTERACTION_TOKEN "\"}",
        "{\"type\":99,\"token\":\"" INTERACTION_TOKEN "\"}",
        "\"" INTERACTION_TOKEN "\"",
        INTERACTION_TOKEN,
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++)
        assert_int_equal(post(stage, str_from(bodies[i]), true), 400);
    CLEANUP(buf_free) struct buf large = { 0 };
    while (large.length <= 262144)
        buf_append(&large, STR(INTERACTION_TOKEN));
    assert_int_equal(post(stage, buf_view(&large), true), 413);
}

static void expect_no_secret_while_running(const struct stage *stage)
{
    char *arguments = must_format("/proc/%d/cmdline", (int)stage->bot.pid);
    expect_no_secret_in_file(arguments);
    free(arguments);
    expect_no_secret_at(stage, "/metrics");
    expect_no_secret_at(stage, "/readyz");
    expect_no_secret_at(stage, "/healthz");
    expect_no_secret_in_file(stage->bot.log_path);
    expect_no_secret_in_file(stage->front.access_log);
}

static void crash(struct stage *stage)
{
    harness_bot_kill(&stage->bot, SIGABRT);
    for (int waited = 0; harness_bot_is_running(&stage->bot); waited += 10) {
        const struct timespec pause = { .tv_nsec = 10000000 };
        if (waited > CRASH_MS)
            fail_msg("SIGABRT did not end the bot");
        nanosleep(&pause, NULL);
    }
}

static void planted_secrets_are_found_nowhere_outside_of_the_process(void **state)
{
    struct stage *stage = *state;
    use_commands(stage);
    send_nonsense(stage);
    expect_no_secret_while_running(stage);
    crash(stage);
    expect_no_secret_in_file(stage->bot.log_path);
    /* The only request whose failure nginx notes: the bot is gone. */
    assert_int_equal(post(stage, STR("{\"token\":\"" INTERACTION_TOKEN "\"}"), true), 502);
    expect_no_secret_in_file(stage->front.access_log);
    expect_no_secret_in_file(stage->front.error_log);
}

/* --- Refused starts --- */

static void a_refused_start_does_not_show_the_settings_it_refuses(void **state)
{
    static const char *const lines[][3] = {
        { "DATABASE_URL=" DATABASE_URL },
        { "REDIS_URL=http://:" REDIS_PASSWORD "@127.0.0.1/" },
        { "DISCORD_BOT_TOKEN=" BOT_TOKEN " " },
        { "SERVER_SECRET=" SERVER_SECRET "\t" },
        { "DISCORD_BOT_TOKEN=" BOT_TOKEN, "DISCORD_BOT_TOKEN_FILE=/etc/hostname" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        const struct harness_bot_options options = { .binary = BRONXBOT_BINARY,
                                                     .environment = lines[i] };
        CLEANUP(harness_bot_fini) struct harness_bot bot;
        struct err err = { 0 };
        assert_int_equal(harness_bot_init(&bot, &options, &err), 0);
        assert_int_not_equal(harness_bot_launch(&bot, &err), 0);
        expect_no_secret("the reason", str_from(err.message));
        expect_no_secret_in_file(bot.log_path);
    }
}

static void check_shows_that_a_secret_is_set_and_not_which(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf output = { 0 };
    const char *const arguments[] = { "check", NULL };
    struct err err = { 0 };
    setenv("DATABASE_URL", DATABASE_URL, 1);
    setenv("DISCORD_BOT_TOKEN", BOT_TOKEN, 1);
    setenv("SERVER_SECRET", SERVER_SECRET, 1);
    setenv("REDIS_URL", "redis://:" REDIS_PASSWORD "@127.0.0.1/", 1);
    int result = harness_run(BRONXBOT_BINARY, arguments, "/", &output, &err);
    unsetenv("DATABASE_URL");
    unsetenv("DISCORD_BOT_TOKEN");
    unsetenv("SERVER_SECRET");
    unsetenv("REDIS_URL");
    assert_true(result >= 0);
    expect_no_secret("check", buf_view(&output));
    assert_non_null(strstr(output.data, "(set, hidden)"));
}

/* --- The stage --- */

/* One secret comes from a file, as systemd's credentials do. */
static char *write_server_secret(const struct stage *stage)
{
    char *path = must_format("%s/server_secret", stage->bot.folder);
    FILE *file = fopen(path, "we");
    if (!file || fputs(SERVER_SECRET "\n", file) < 0 || fclose(file) != 0)
        abort();
    return path;
}

static int start_stage(struct stage *stage, struct err *err)
{
    static const struct harness_bot_options options = { .binary = BRONXBOT_BINARY };
    const struct harness_front_options front = { .nginx_folder = NGINX_FOLDER,
                                                 .instances = { &stage->bot.listen } };
    int result = harness_bot_init(&stage->bot, &options, err);
    if (result != 0)
        return result;
    stage->secret_file = write_server_secret(stage);
    stage->server_secret_line = must_format("SERVER_SECRET_FILE=%s", stage->secret_file);
    const char *const environment[] = { "LOG_LEVEL=debug", "DISCORD_BOT_TOKEN=" BOT_TOKEN,
                                        "REDIS_URL=redis://:" REDIS_PASSWORD "@127.0.0.1:1/",
                                        stage->server_secret_line, NULL };
    stage->bot.options.environment = environment;
    result = harness_bot_launch(&stage->bot, err);
    stage->bot.options.environment = NULL;
    if (result == 0)
        result = harness_front_init(&stage->front, &front, err);
    if (result == 0)
        result = harness_front_launch(&stage->front, err);
    return result;
}

static int open_stage(void **state)
{
    static struct stage stage;
    struct err err = { 0 };
    *state = &stage;
    if (sodium_init() < 0 || start_stage(&stage, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    stage.client = harness_front_client(&stage.front);
    return 0;
}

static int close_stage(void **state)
{
    struct stage *stage = *state;
    http_client_free(stage->client);
    harness_front_fini(&stage->front);
    harness_bot_fini(&stage->bot);
    free(stage->secret_file);
    free(stage->server_secret_line);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(planted_secrets_are_found_nowhere_outside_of_the_process,
                                        open_stage, close_stage),
        cmocka_unit_test(a_refused_start_does_not_show_the_settings_it_refuses),
        cmocka_unit_test(check_shows_that_a_secret_is_set_and_not_which),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
