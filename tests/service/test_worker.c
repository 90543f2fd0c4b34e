/* `bronxbot worker` as a process of its own: it finishes what another one has stored, and says why
 * it can't run beside `bronxbot serve` on an SQLite file. */
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

#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>

#define EXIT_UNAVAILABLE 69

static struct stage {
    struct harness_bot bot;
    struct script_server *discord;
    char api_url[128];
    const char *environment[3];
    atomic_bool is_down; /* Discord is */
    int tries, edits;
} stage;

static void take_edit(void *context, const struct script_request *request,
                      struct script_answer *answer)
{
    (void)context;
    (void)request;
    bool is_down = atomic_load(&stage.is_down);
    answer->status = is_down ? 503 : 200;
    stage.tries++;
    stage.edits += !is_down;
    buf_append(&answer->body, is_down ? STR("{}") : STR("{\"id\":\"1\"}"));
}

static bool has_try(void *context)
{
    (void)context;
    return stage.tries > 0;
}

static bool has_edit(void *context)
{
    (void)context;
    return stage.edits > 0;
}

static void launch(void)
{
    struct err err = { 0 };
    if (harness_bot_launch(&stage.bot, &err) != 0)
        fail_msg("%s", err.message);
}

static int begin(void **state)
{
    (void)state;
    struct err err = { 0 };
    stage = (struct stage){ .environment = { "DEFER_AFTER_MS=0", stage.api_url } };
    stage.discord = script_server_start(0, take_edit, NULL);
    snprintf(stage.api_url, sizeof(stage.api_url), "DISCORD_API_URL=%s",
             script_server_url(stage.discord));
    const struct harness_bot_options options = { .binary = BRONXBOT_BINARY,
                                                 .environment = stage.environment };
    return harness_bot_init(&stage.bot, &options, &err);
}

static int end(void **state)
{
    (void)state;
    harness_bot_fini(&stage.bot);
    script_server_stop(stage.discord);
    return 0;
}

static void ask_for_help(void)
{
    const struct envelope envelope = {
        .id = snowflake_at(harness_bot_now_ms(&stage.bot), 1),
        .application_id = HARNESS_APPLICATION_ID,
        .person = { .id = 7, .name = "somebody" },
        .place = { .guild_id = 500, .channel_id = 501, .channel_name = "general" },
    };
    CLEANUP(json_release)
    json_object *command = command_interaction(&envelope, 42, "help", NULL, NULL);
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    struct harness_signature signature;
    interaction_bytes(command, &body);
    harness_sign(&stage.bot.keys, harness_bot_now_ms(&stage.bot) / 1000, buf_view(&body),
                 &signature);
    struct http_client *client = http_client_new(&stage.bot.listen);
    assert_int_equal(http_client_post_signed(client, &signature, buf_view(&body), &answer, NULL),
                     0);
    assert_int_equal(answer.status, 200);
    assert_true(str_starts_with(buf_view(&answer.body), STR("{\"type\":5")));
    http_client_free(client);
}

static void a_worker_finishes_what_a_killed_bot_has_stored(void **state)
{
    (void)state;
    struct err err = { 0 };
    int exit_code = -1;
    atomic_store(&stage.is_down, true);
    launch();
    ask_for_help();
    script_server_wait(stage.discord, has_try);
    harness_bot_kill(&stage.bot, SIGKILL);
    atomic_store(&stage.is_down, false);
    stage.bot.options.is_worker = true;
    launch();
    script_server_wait(stage.discord, has_edit);
    assert_int_equal(harness_bot_stop(&stage.bot, &exit_code, &err), 0);
    assert_int_equal(exit_code, 0);
    assert_int_equal(stage.edits, 1);
}

static void beside_a_serving_bot_a_worker_has_no_file(void **state)
{
    (void)state;
    static const char *const arguments[] = { "worker", NULL };
    static const char *const more[] = { "ADMIN_LISTEN=127.0.0.1:0", NULL };
    struct err err = { 0 };
    CLEANUP(buf_free) struct buf out = { 0 };
    launch();
    assert_int_equal(harness_bot_run(&stage.bot, BRONXBOT_BINARY, arguments, more, &out, &err),
                     EXIT_UNAVAILABLE);
    assert_true(harness_bot_is_running(&stage.bot));
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_worker_finishes_what_a_killed_bot_has_stored, begin, end),
        cmocka_unit_test_setup_teardown(beside_a_serving_bot_a_worker_has_no_file, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
