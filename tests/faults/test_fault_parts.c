/* Single parts without memory: every allocation fails in turn, once alone and once with all that
 * follow. A part either does what it does without the fault, or says that it could not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/custom_id.h"
#include "bronx/reply.h"

#include "commands.h"
#include "core/config.h"
#include "core/metrics.h"
#include "discord/command_json.h"
#include "discord/interaction_parse.h"
#include "fault_loop.h"
#include "router/router.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Runs `attempt` with faults until it runs without one. It returns whether it succeeded, after
 * having asserted that the success is a right one. */
static void run_out_of_memory(const char *name, bool (*attempt)(void))
{
    assert_true(attempt()); /* also makes what libraries keep for ever */
    for (int is_lasting = 0; is_lasting < 2; is_lasting++) {
        int64_t count = 0;
        for (int64_t nth = 1;; nth = fault_next(nth)) {
            faults_arm(FAULT_ALLOCATION, nth, is_lasting);
            bool has_succeeded = attempt();
            if (!faults_disarm()) {
                assert_true(has_succeeded);
                break;
            }
            count++;
        }
        print_message("%s: %lld faults%s\n", name, (long long)count, is_lasting ? ", lasting" : "");
        assert_true(count > 0);
    }
    assert_true(attempt());
}

/* --- Interactions ------------------------------------------------------------------------------
 */

static struct buf interaction_text;

/* Parsed with all the memory there is. */
static struct interaction *reference;

static void assert_same(const struct interaction *interaction)
{
    assert_true(str_equal(interaction->token, reference->token));
    assert_true(str_equal(interaction->locale, reference->locale));
    assert_true(str_equal(interaction->user.username, reference->user.username));
    assert_int_equal(interaction->command.option_count, reference->command.option_count);
    for (int i = 0; i < interaction->command.option_count; i++)
        assert_true(
            str_equal(interaction->command.options[i].text, reference->command.options[i].text));
    assert_int_equal(interaction->resolved.user_count, reference->resolved.user_count);
    for (int i = 0; i < interaction->resolved.user_count; i++)
        assert_true(str_equal(interaction->resolved.users[i].user.username,
                              reference->resolved.users[i].user.username));
}

static bool parse(void)
{
    struct interaction *interaction, *stored = NULL;
    struct err err = { 0 };
    int result = interaction_parse(buf_view(&interaction_text), &interaction, &err);
    if (result != 0) {
        assert_int_equal(result, ERR_MEMORY);
        assert_null(interaction);
        return false;
    }
    assert_same(interaction);
    CLEANUP(buf_free) struct buf data = { 0 };
    interaction_data_json(interaction, &data);
    result = data.has_failed ? ERR_MEMORY
                             : interaction_parse_data(buf_view(&data), interaction, &stored, &err);
    assert_true(result == 0 || result == ERR_MEMORY);
    if (stored)
        assert_same(stored);
    interaction_free(stored);
    interaction_free(interaction);
    return result == 0;
}

static void an_interaction_is_parsed_or_memory_is_named(void **state)
{
    (void)state;
    FILE *file = fopen(TEST_DATA_DIR "/command_guild.json", "re");
    char block[8192];
    assert_non_null(file);
    buf_append_bytes(&interaction_text, block, fread(block, 1, sizeof(block), file));
    fclose(file);
    assert_int_equal(interaction_parse(buf_view(&interaction_text), &reference, NULL), 0);
    run_out_of_memory("interaction", parse);
    interaction_free(reference);
    buf_free(&interaction_text);
}

/* --- Replies -----------------------------------------------------------------------------------
 */

static struct str_view expected_reply;

static void build_reply(struct reply *reply)
{
    static char long_text[3000];
    memset(long_text, 'x', sizeof(long_text));
    const struct reply_select_option options[] = {
        { .label = STR("One"), .value = STR("1") },
        { .label = STR("Two"), .value = STR("2"), .description = STR("the second") }
    };
    reply_ephemeral(reply);
    reply_container_begin(reply, 0x123456);
    reply_text(reply, "### Title %d", 1);
    reply_text_view(reply, (struct str_view){ long_text, sizeof(long_text) });
    reply_text_view(reply, (struct str_view){ long_text, sizeof(long_text) });
    reply_section_begin(reply);
    reply_text(reply, "beside");
    reply_thumbnail(reply, STR("https://example.com/t.png"), STR("t"));
    reply_section_end(reply);
    reply_row_begin(reply);
    reply_button(reply, &(struct reply_button){ .style = BUTTON_PRIMARY,
                                                .label = STR("Go"),
                                                .custom_id = STR("a:1:0:go") });
    reply_row_end(reply);
    reply_row_begin(reply);
    reply_select(reply, &(struct reply_select){ .type = COMPONENT_STRING_SELECT,
                                                .custom_id = STR("a:1:0:s"),
                                                .options = options,
                                                .option_count = 2,
                                                .min_values = 1 });
    reply_row_end(reply);
    reply_picture(reply, STR("https://example.com/p.png"), STR_NONE);
    reply_container_end(reply);
    reply_mention_user(reply, 5);
}

static bool answer(void)
{
    static const struct interaction question = { .id = 1, .type = INTERACTION_COMMAND };
    CLEANUP(arena_free) struct arena arena = { 0 };
    CLEANUP(buf_free) struct buf out = { 0 };
    struct err err = { 0 };
    struct reply *reply = reply_new(&arena, &question);
    if (!reply)
        return false;
    build_reply(reply);
    int result = reply_serialize(reply, &out, &err);
    if (result != 0) {
        assert_int_equal(result, ERR_MEMORY);
        assert_int_equal(out.length, 0);
        return false;
    }
    if (!expected_reply.data)
        expected_reply = (struct str_view){ STEAL(out.data), out.length };
    else
        assert_true(str_equal(buf_view(&out), expected_reply));
    return true;
}

static void a_reply_is_whole_or_memory_is_named(void **state)
{
    (void)state;
    run_out_of_memory("reply", answer);
    free((char *)expected_reply.data);
}

/* --- Small parts -------------------------------------------------------------------------------
 */

static bool make_custom_id(void)
{
    CLEANUP(arena_free) struct arena arena = { 0 };
    const struct custom_id id = { .route = STR("tos"), .version = 1, .argument = STR("read") };
    struct str_view text = custom_id_format(&arena, &id);
    assert_true(!text.data || str_equal(text, STR("tos:1:0:read")));
    return text.data;
}

static void a_custom_id_is_whole_or_absent(void **state)
{
    (void)state;
    run_out_of_memory("custom_id", make_custom_id);
}

#define KEY "DISCORD_PUBLIC_KEY=d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

static bool load_good_settings(void)
{
    static const char *const environment[] = { "DISCORD_APPLICATION_ID=1", KEY, NULL };
    const struct config_sources sources = { .environment = environment,
                                            .dotenv = STR("UNKNOWN=1\nLOG_LEVEL=debug\n") };
    struct config config;
    struct config_report report = { 0 };
    struct err err = { 0 };
    assert_int_equal(config_load(&config, &sources, true, &report, &err), 0);
    assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
    CLEANUP(buf_free) struct buf printed = { 0 };
    config_print(&config, &printed);
    bool is_whole = !report.warnings.has_failed && !printed.has_failed;
    config_report_free(&report);
    return is_whole;
}

static void good_settings_need_no_memory(void **state)
{
    (void)state;
    run_out_of_memory("settings", load_good_settings);
}

static bool refuse_bad_settings(void)
{
    static const char *const environment[] = { "DISCORD_APPLICATION_ID=x", KEY, NULL };
    const struct config_sources sources = { .environment = environment };
    struct config config;
    struct config_report report = { 0 };
    struct err err = { 0 };
    assert_int_equal(config_load(&config, &sources, true, &report, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "DISCORD_APPLICATION_ID"));
    bool is_whole = !report.errors.has_failed;
    config_report_free(&report);
    return is_whole;
}

static void bad_settings_are_never_accepted_for_want_of_memory(void **state)
{
    (void)state;
    run_out_of_memory("bad settings", refuse_bad_settings);
}

static bool refuse_a_pool(void)
{
    static const char *const environment[] = { "DISCORD_APPLICATION_ID=1", KEY, "DB_POOL_MIN=9",
                                               "DB_POOL_MAX=3", NULL };
    const struct config_sources sources = { .environment = environment };
    struct config config;
    struct err err = { 0 };
    assert_int_equal(config_load(&config, &sources, true, NULL, &err), ERR_CONFIG);
    return err.code == ERR_CONFIG;
}

static void settings_that_misfit_are_never_accepted_for_want_of_memory(void **state)
{
    (void)state;
    run_out_of_memory("settings that misfit", refuse_a_pool);
}

static int64_t no_time(const struct clock *clock)
{
    (void)clock;
    return 0;
}

static bool log_a_line(enum log_format format)
{
    static const struct clock clock = { no_time, no_time };
    char line[2048];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct log_sink *sink = log_sink_new(ends[1], LOG_LEVEL_INFO, format, &clock);
    int hidden = sink ? log_sink_hide(sink, STR("hunter22")) : ERR_MEMORY;
    struct log log = log_of_request(sink, "abcdefghijk");
    static char long_text[600];
    memset(long_text, 'y', sizeof(long_text) - 1);
    if (hidden == 0)
        log_warning(&log, "event", LOG_TEXT("secret", STR("a hunter22 b")),
                    LOG_TEXT("long", str_from(long_text)));
    log_sink_free(sink);
    close(ends[1]);
    ssize_t got = read(ends[0], line, sizeof(line) - 1);
    close(ends[0]);
    assert_true(got >= 0);
    line[got] = '\0';
    assert_null(strstr(line, "hunter22"));
    /* A whole line, one that says it is not, or none. */
    assert_true(got == 0 || line[got - 1] == '\n');
    return got > 0 && strstr(line, long_text);
}

static bool log_a_text_line(void)
{
    return log_a_line(LOG_FORMAT_TEXT);
}

static bool log_a_json_line(void)
{
    return log_a_line(LOG_FORMAT_JSON);
}

static void a_log_line_is_whole_or_says_so_and_hides_its_secrets(void **state)
{
    (void)state;
    run_out_of_memory("text line", log_a_text_line);
    run_out_of_memory("JSON line", log_a_json_line);
}

static bool write_commands(void)
{
    CLEANUP(buf_free) struct buf json = { 0 };
    struct err err = { 0 };
    assert_int_equal(command_list_check(all_commands, &err), 0);
    command_list_json(all_commands, SCOPE_GLOBAL, &json);
    assert_true(json.has_failed || json.data[json.length - 1] == ']');
    return !json.has_failed;
}

static void the_command_list_is_whole_or_failed(void **state)
{
    (void)state;
    run_out_of_memory("commands", write_commands);
}

static bool expose_metrics(void)
{
    CLEANUP(buf_free) struct buf out = { 0 };
    struct metrics *metrics = metrics_new();
    if (!metrics)
        return false;
    metrics_add(metrics, METRIC_EVENTS, 1);
    metrics_expose(metrics, &out);
    metrics_free(metrics);
    return !out.has_failed;
}

static void metrics_are_whole_or_failed(void **state)
{
    (void)state;
    run_out_of_memory("metrics", expose_metrics);
}

static void count_run(struct task *task)
{
    (void)task;
}

static bool run_a_task(void)
{
    struct task task = { .run = count_run };
    struct executor *executor;
    struct err err = { 0 };
    const struct clock clock = { no_time, no_time };
    const struct executor_settings settings = {
        .threads_min = 2, .threads_max = 2, .queue_max = 4, .clock = &clock
    };
    if (executor_new(&executor, &settings, &err) != 0)
        return false;
    assert_int_equal(executor_submit(executor, &task), 0);
    executor_free(executor);
    return true;
}

static void an_executor_starts_or_says_why_not(void **state)
{
    (void)state;
    run_out_of_memory("executor", run_a_task);
}

static bool make_a_router(void)
{
    struct router *router = NULL;
    struct err err = { 0 };
    static const struct clock clock = { no_time, no_time };
    static const struct services services = { .clock = &clock };
    const struct router_settings settings = { .commands = all_commands,
                                              .services = &services,
                                              .defer_after_ms = 1000 };
    int result = router_new(&router, &settings, &err);
    assert_true(result == 0 || result == ERR_MEMORY || result == ERR_IO);
    router_free(router);
    return result == 0;
}

static void a_router_is_made_or_memory_is_named(void **state)
{
    (void)state;
    run_out_of_memory("router", make_a_router);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interaction_is_parsed_or_memory_is_named),
        cmocka_unit_test(a_reply_is_whole_or_memory_is_named),
        cmocka_unit_test(a_custom_id_is_whole_or_absent),
        cmocka_unit_test(good_settings_need_no_memory),
        cmocka_unit_test(bad_settings_are_never_accepted_for_want_of_memory),
        cmocka_unit_test(settings_that_misfit_are_never_accepted_for_want_of_memory),
        cmocka_unit_test(a_log_line_is_whole_or_says_so_and_hides_its_secrets),
        cmocka_unit_test(the_command_list_is_whole_or_failed),
        cmocka_unit_test(metrics_are_whole_or_failed),
        cmocka_unit_test(an_executor_starts_or_says_why_not),
        cmocka_unit_test(a_router_is_made_or_memory_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
