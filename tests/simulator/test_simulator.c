/* The simulator against a bot with canned answers (FAKE_BOT): a scene that should pass does, and
 * one that should fail does so for the right reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/memory.h"
#include "harness/yardstick.h"
#include "simulator/prompt.h"
#include "simulator/session.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scene_case {
    const char *text;
    const char *failure; /* part of the reason; NULL: the scene passes */
};

static void run_scene(const struct catalogue *catalogue, const struct scene_case *scene)
{
    CLEANUP(script_free) struct script script = { 0 };
    CLEANUP(buf_free) struct buf out = { 0 };
    struct session session = { 0 };
    struct err err = { 0 }, end_err = { 0 };
    int result = script_parse(&script, "test", str_from(scene->text), &err);
    if (result == 0)
        result = session_start(&session, getenv("FAKE_BOT"), catalogue, &err);
    if (!strstr(scene->text, "/slow")) /* which is late on every machine */
        session.yardstick = yardstick_start(NULL);
    if (result == 0)
        result = session_run(&session, &script, false, &out, NULL, &err);
    if (session.bot.folder[0])
        assert_int_equal(session_end(&session, &end_err), 0);
    if (!scene->failure && result != 0)
        fail_msg("%s\nfails: %s\n%s", scene->text, err.message, out.data ? out.data : "");
    if (scene->failure && (result == 0 || !strstr(err.message, scene->failure)))
        fail_msg("%s\ndoes not fail for '%s' but: %s", scene->text, scene->failure,
                 result == 0 ? "passes" : err.message);
}

static void run_all(void **state, const struct scene_case *scenes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        run_scene(*state, &scenes[i]);
}

static void people_see_what_is_meant_for_them(void **state)
{
    static const struct scene_case scenes[] = {
        { "/hello\nexpect public \"Hello dear @alice\"\nexpect button \"Again\"\n"
          "expect no button \"Off\"\nexpect not \"**\"",
          NULL },
        { "/hello\nexpect ephemeral \"Hello\"", "expected ephemeral" },
        { "/hello\nexpect \"Goodbye\"", "expected text \"Goodbye\"; there is: bronxbot" },
        { "/secret\nexpect ephemeral \"for your eyes\"\nexpect public \"eyes\"",
          "expected public" },
        { "/hello\nas bob click \"Again\"\nexpect \"Hello again\"\nexpect \"(edited)\"", NULL },
        { "/secret\nas bob\nclick \"Again\"", "bob sees no button \"Again\"" },
        { "/hello\nclick \"Off\"\nexpect refused \"disabled\"", NULL },
        { "/hello\nclick \"Off\"", "is disabled" },
        { "/hello\nclick \"Again\"\nselect \"Pick one\" \"Two\"\nexpect ephemeral \"You picked 2\"",
          NULL },
        { "/hello\nclick \"Again\"\nselect \"Pick one\" \"Three\"", "no option \"Three\"" },
        { "as alice in dm\n/hello\nexpect \"@alice\"\nas bob\nclick \"Again\"", "bob sees no" },
        { "/later\nexpect thinking", NULL },
        { "/hello\nexpect no file \"report\"", NULL },
        { "/hello\nexpect file \"report\"", "expected a file with \"report\"" },
        { "/hello\nexpect file", "usage: expect [no] file" },
        { "/fault\nexpect error \"Something broke\"", NULL },
        { "/secret\nexpect error \"eyes\"", "expected error" },
        { "/hello\n/hello\nclick \"Again\" on message 1\nclick \"Again\" on message 2\n"
          "click \"Again\" on message 2",
          "sees no button" },
    };
    run_all(state, scenes, ARRAY_LENGTH(scenes));
}

static void commands_are_sent_as_declared(void **state)
{
    static const struct scene_case scenes[] = {
        { "/hello who:@bob times:5", NULL },
        { "/hello times:6", "option times: '6' is not within the bounds" },
        { "/hello times:x\nexpect refused \"an integer\"", NULL },
        { "/hello whom:@bob", "no option whom" },
        { "/hello @bob", "an option is written name:value" },
        { "/nothing", "no command /nothing" },
        { "/set\nexpect refused \"needs a sub-command\"", NULL },
        { "/set colour\nexpect refused \"value is required\"", NULL },
        { "/set colour value:\"Dark red\"\nexpect \"set to r\"", NULL },
        { "/set colour value:blue\nexpect refused \"one of the choices\"", NULL },
        { "complete /find word:da\nexpect choices \"daily\"", NULL },
        { "complete /find word:da\nexpect choices \"weekly\"", "expected the choice" },
        { "complete /find word:da\nexpect choices", "expected no choices" },
        { "/find\nexpect refused \"word is required\"", NULL },
    };
    run_all(state, scenes, ARRAY_LENGTH(scenes));
}

static void forms_are_checked_before_they_go(void **state)
{
    static const struct scene_case scenes[] = {
        { "/form\nexpect modal \"A form\"\ntype \"Name\" \"Eve\"\ncheck \"I agree\"\nsubmit\n"
          "expect ephemeral \"Thank you, Eve\"",
          NULL },
        { "/form\nsubmit\nexpect refused \"required\"\ntype \"Name\" \"Eve\"\nsubmit",
          "\"Terms\" is required" },
        { "/form\ntype \"Name\" \"Evelyn\"\ncheck \"I agree\"\nsubmit", "has 6 characters" },
        { "/form\ncheck \"I agree\"\nuncheck \"I agree\"\ntype \"Name\" \"E\"\nsubmit",
          "\"Terms\" is required" },
        { "/form\ntype \"Nmae\" \"E\"", "no text field \"Nmae\" in this form; there is \"Name\"" },
        { "/form\ncancel\nsubmit", "alice has no form open" },
        { "submit", "alice has no form open" },
        { "/form\ntype \"Name\" \"E\"\ncheck \"I agree\"\ntogether 6 submit\nexpect \"Thank\"\n"
          "expect not \"Goodbye\"\nsubmit",
          "alice has no form open" },
    };
    run_all(state, scenes, ARRAY_LENGTH(scenes));
}

static void broken_rules_fail_a_scene_unless_expected(void **state)
{
    static const struct scene_case scenes[] = {
        { "/bad", "allowed_mentions: is missing" },
        { "/bad\nexpect violation \"allowed_mentions\"", NULL },
        { "/bad\nexpect violation \"nonsense\"", "expected a violation" },
        { "/bad\n/hello", "allowed_mentions: is missing" },
        { "/hello\nexpect no violations", NULL },
        { "/silent", "HTTP status 500" },
        { "/silent\nexpect status 500", NULL },
        { "/slow\nexpect violation \"the deadline\"", NULL },
        { "forged /hello", "HTTP status 401" },
        { "forged /hello\nexpect status 401", NULL },
        { "/hello\nexpect status 401", "it is 200" },
    };
    run_all(state, scenes, ARRAY_LENGTH(scenes));
}

static void replays_must_not_differ(void **state)
{
    static const struct scene_case scenes[] = {
        { "/hello\nreplay\nreplay 50 times 8 at once", NULL },
        { "/count\nreplay", "1 of 1 answers" },
        { "/count\nreplay 50 times 8 at once", "50 of 50 answers" },
        { "/hello\nkill\nreplay 10 times 2 at once\nrestart\n/hello\nexpect \"Hello\"", NULL },
        { "together\n/count\nas bob /count\nend\nexpect once \"request 1\"\n"
          "expect once \"request 2\"",
          NULL },
        { "together\n/count\n/count\nend\nexpect once \"request\"", "it is in 2 of 2 answers" },
        { "together\n/count", "without `end`" },
        { "together\nwait 5s\nend", "only what sends" },
    };
    run_all(state, scenes, ARRAY_LENGTH(scenes));
}

static void late_answers_arrive(void **state)
{
    static const struct scene_case scenes[] = {
        { "/think\nexpect thinking\nawait \"Thought it over\"\nexpect public \"Thought\"\n"
          "expect not \"(edited)\"\nexpect not \"thinking\"\nexpect no violations",
          NULL },
        { "/think\nexpect \"Thought\"", "there is: bronxbot is thinking" },
        { "/think\nawait ephemeral \"Thought\" within 1s", "did not come within 1000 ms" },
        { "/later\nawait \"Godot\" within 100ms",
          "\"Godot\" did not come within 100 ms; there is: bronxbot is thinking" },
        { "/whisper\nawait ephemeral \"Between us\"", NULL },
        { "/whisper\nas bob await ephemeral \"Between us\"", NULL },
        { "/chain\nawait \"First, corrected\"\nexpect \"(edited)\"\nawait public \"Second\"\n"
          "await ephemeral \"only for you\"",
          NULL },
        { "/chain\nas bob await \"Second\"\n", NULL },
        { "/chain\nas bob await \"only for you\" within 2s", "did not come" },
        { "/offer\nclick \"Soon\"\nexpect \"Soon?\"\nawait \"Now\"\nexpect no button \"Soon\"",
          NULL },
        { "/vanish\nawait \"(deleted)\"", NULL },
        { "fault edits status 503\n/think\nkill\nfault none\nawait \"Thought\" within 1s",
          "did not come" },
        { "await \"x\"", "there is no answer yet" },
        { "/think\nawait Thought", "usage: await" },
        { "/think\nawait \"Thought\" within 3 days", "usage: await" },
        { "/think\nawait \"Thought\" within 1h", "usage: await" },
    };
    run_all(state, scenes, ARRAY_LENGTH(scenes));
}

/* A bot that had no time for it in time says later what it would have said at once. */
static void what_only_the_machine_deferred_is_waited_for(void **state)
{
    static const struct scene_case scenes[] = {
        { "/tardy\nexpect thinking\nexpect public \"Awake at last\"\nexpect no violations", NULL },
        { "/tardy\nreplay\nremember \"(Awake) at\" as WHEN\nexpect \"$WHEN at last\"", NULL },
        { "/tardy\nexpect \"Asleep\"", "there is: bronxbot Awake at last" },
    };
    run_all(state, scenes, ARRAY_LENGTH(scenes));
}

static void a_channel_is_looked_into_by_name(void **state)
{
    static const struct scene_case scenes[] = {
        { "/hello\nexpect in #general \"Hello dear\"\nexpect once in #general \"Hello\"\n"
          "expect not in #other \"Hello\"\nas bob in guild harlem\nawait in #general \"Hello\"\n"
          "expect button \"Again\"",
          NULL },
        { "/secret\nexpect in #general \"eyes\"", "it is in 0 messages" },
        { "/hello\n/hello\nexpect once in #general \"Hello\"", "it is in 2 messages" },
        { "/hello\nexpect not in #general \"Hello\"", "expected not in #general" },
        { "/hello\nawait in #other \"Hello\" within 100ms", "did not come within 100 ms" },
        { "await in #general \"Hello\" within 100ms", "did not come within 100 ms" },
        { "await in general \"Hello\"", "'general' is no #channel" },
        { "as alice in dm\n/hello\nexpect in #general \"Hello\"", "'#general' is no #channel" },
    };
    run_all(state, scenes, ARRAY_LENGTH(scenes));
}

static void what_is_sent_later_is_judged(void **state)
{
    static const struct scene_case scenes[] = {
        { "/early\nexpect violation \"before the interaction was answered\"", NULL },
        { "/early", "PATCH of a message: sent before the interaction was answered" },
        { "/clumsy\nawait violation \"allowed_mentions: is missing\"\nexpect thinking", NULL },
        { "/clumsy\nawait \"Godot\" within 1s", "did not come" },
        { "/hasty\nawait \"A follow-up instead\"\nexpect violation \"edit @original instead\"",
          NULL },
        { "/greedy\nawait violation \"Retry-After of a 429\"\nexpect \"5\"\n"
          "expect not \"6\"",
          NULL },
        { "fault edits status 503\n/think\nwait 16m\nfault none\n"
          "await violation \"15 minutes are over\"",
          NULL },
        { "/think\nawait violation \"15 minutes\" within 600ms", "did not come" },
        { "/think\nawait \"Thought\"\nexpect no violations", NULL },
    };
    run_all(state, scenes, ARRAY_LENGTH(scenes));
}

static void faults_are_survived_by_those_who_try_again(void **state)
{
    static const struct scene_case scenes[] = {
        { "fault 3 edits status 502\n/think\nawait \"Thought it over\"\nexpect no violations",
          NULL },
        { "fault 1 edit status 429 after 300ms\n/think\nawait \"Thought\"\nexpect no violations",
          NULL },
        { "fault 2 edits reset before effect\nfault 1 edit reset after effect\n/think\n"
          "await \"Thought\"",
          NULL },
        { "fault answers delay 700ms\n/think\nawait \"Thought\"\nexpect no violations", NULL },
        { "fault edits delay 200ms\n/think\nexpect thinking\nawait \"Thought\"", NULL },
        { "fault edits status 500\n/think\nawait \"Thought\" within 1s", "did not come" },
        { "fault edits status 500\nfault none\n/think\nawait \"Thought\"", NULL },
        { "fault 1 edit stall\n/think\nawait \"Thought\" within 1s", "did not come" },
        { "fault 3 edits explode", "'explode' in a fault is not status, delay, reset or stall" },
        { "fault", "usage: fault" },
    };
    run_all(state, scenes, ARRAY_LENGTH(scenes));
}

static void registered_commands_are_known_to_the_client(void **state)
{
    static const struct scene_case scenes[] = {
        { "/hello tone:Warm", "no option tone" },
        { "/register\nawait \"registered\" within 1s", "did not come" },
    };
    run_all(state, scenes, ARRAY_LENGTH(scenes));
    struct session session = { 0 };
    struct err err = { 0 };
    CLEANUP(script_free) struct script script = { 0 };
    CLEANUP(buf_free) struct buf out = { 0 };
    assert_int_equal(session_start(&session, getenv("FAKE_BOT"), *state, &err), 0);
    session.yardstick = yardstick_start(NULL);
    assert_int_equal(script_parse(&script, "test", STR("/register"), &err), 0);
    assert_int_equal(session_run(&session, &script, false, &out, NULL, &err), 0);
    assert_true(rest_server_wait_arrivals(session.rest, 1, 5000));
    session_take_changes(&session, 0);
    script_free(&script);
    assert_int_equal(
        script_parse(&script, "test", STR("/hello tone:Warm\nexpect \"Hello dear\""), &err), 0);
    if (session_run(&session, &script, false, &out, NULL, &err) != 0)
        fail_msg("%s", err.message);
    assert_null(catalogue_command(session.catalogue, STR("think"), "en-US"));
    assert_int_equal(session_end(&session, &err), 0);
}

static void the_language_explains_its_errors(void **state)
{
    static const struct scene_case scenes[] = {
        { "# nothing\n\n", NULL },
        { "\n/hello who:\"@bob", "test:2: a quote is not closed" },
        { "dance", "'dance' is not a word" },
        { "wait", "usage: wait 24h" },
        { "wait 5 weeks", "usage: wait 24h" },
        { "wait 5w", "is not a time" },
        { "as Bob", "'Bob' is not a name" },
        { "as bob with superpowers", "is not a permission" },
        { "expect \"x\"", "there is no answer yet" },
        { "/count\nremember \"request ([0-9]+)\" as FIRST\nexpect \"request $FIRST\"", NULL },
        { "/count\nremember \"answer ([0-9]+)\" as FIRST", "expected a match" },
        { "as alice in guild bronx channel #bets with manage_guild\n/hello\nas alice in guild "
          "harlem",
          NULL },
    };
    run_all(state, scenes, ARRAY_LENGTH(scenes));
}

static void texts_are_shown_as_people_read_them(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        { "plain", "plain" },
        { "# Title\nbody", "Title\nbody" },
        { "-# small", "small" },
        { "**bold** and *slanted* and `code`", "bold and slanted and code" },
        { "2 * 3 * 4", "2 * 3 * 4" },
        { "\\*kept\\*", "*kept*" },
        { "<t:1000060:R> <t:999880:R> <t:1086400:R>", "in a minute 2 minutes ago in a day" },
        { "<t:1086399:R> <t:1043200:R> <t:1003599:R> <t:1000000:R>",
          "in a day in 12 hours in an hour in 0 seconds" },
        { "<t:1000000:t>", "13:46" },
        { "<@1> <@&2> <#3> <nonsense> 1 < 2",
          "@unknown-user @unknown-role #unknown <nonsense> 1 < 2" },
        { "</pay:12> <:coin:34> <a:coin:34> <also> <a>", "/pay :coin: :coin: <also> <a>" },
        { "<t:x:R> <", "<t:x:R> <" },
        { "```\n**raw**\n```", "**raw**" },
    };
    struct world world = { 0 };
    const struct view view = { .world = &world, .now_ms = 1000000000 };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP(buf_free) struct buf out = { 0 };
        render_text(&view, str_from(cases[i].text), &out);
        assert_string_equal(out.data, cases[i].shown);
    }
}

/* Runs `before`, then compares what completes `line` and what is hinted at. */
static void check_completion(struct session *session, const char *before, const char *line,
                             const char *expected, const char *hint)
{
    CLEANUP(script_free) struct script script = { 0 };
    CLEANUP(buf_free) struct buf words = { 0 };
    CLEANUP(buf_free) struct buf out = { 0 };
    CLEANUP(buf_free) struct buf hinted = { 0 };
    CLEANUP(completions_free) struct completions found = { 0 };
    struct err err = { 0 };
    assert_int_equal(script_parse(&script, "test", str_from(before), &err), 0);
    assert_int_equal(session_run(session, &script, false, &out, NULL, &err), 0);
    const char *space = strrchr(line, ' ');
    completions_find(session, str_from(line), space ? (size_t)(space - line) + 1 : 0, &found);
    for (size_t i = 0; i < found.count; i++)
        buf_append_format(&words, "%s|", found.words[i]);
    assert_string_equal(words.data ? words.data : "", expected);
    hint_find(session, &hinted);
    assert_string_equal(hinted.data ? hinted.data : "", hint);
}

static void the_prompt_knows_what_could_come_next(void **state)
{
    static const struct {
        const char *before, *line, *expected, *hint;
    } cases[] = {
        { "", "/s", "/secret|/slow|/silent|/set|", "" },
        { "", "cl", "click|", "" },
        { "", "/hello ", "who:|times:|", "" },
        { "as bob\nas alice", "/hello who:@b", "who:@bob|", "" },
        { "", "/set ", "colour|", "" },
        { "", "/set colour value:", "value:\"Dark red\"|", "" },
        { "", "/find word:da", "word:daily|", "" },
        { "/hello", "click ", "\"Again\"|\"Off\"|", "click \"Again\"" },
        { "click \"Again\"", "as bo", "bob|", "select \"Pick one\" \"One\"" },
        { "/form", "type \"N", "\"Name\"|", "type \"Name\" \"...\"" },
        { "type \"Name\" \"E\"", "check ", "\"Name\"|\"I agree\"|", "check \"I agree\"" },
        { "check \"I agree\"", "sub", "submit|", "submit" },
    };
    struct session session = { 0 };
    struct err err = { 0 };
    assert_int_equal(session_start(&session, getenv("FAKE_BOT"), *state, &err), 0);
    session.yardstick = yardstick_start(NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        check_completion(&session, cases[i].before, cases[i].line, cases[i].expected,
                         cases[i].hint);
    assert_int_equal(session_end(&session, &err), 0);
}

static void bytes_that_are_no_http_can_be_sent(void **state)
{
    (void)state;
    CLEANUP(harness_bot_fini) struct harness_bot bot = { 0 };
    CLEANUP(buf_free) struct buf answer = { 0 };
    struct err err = { 0 };
    const struct harness_bot_options options = { .binary = getenv("FAKE_BOT") };
    assert_int_equal(harness_bot_init(&bot, &options, &err), 0);
    assert_int_equal(http_raw_exchange(&bot.listen, STR("x"), true, 1000, &answer, &err),
                     ERR_UNAVAILABLE);
    assert_int_equal(harness_bot_launch(&bot, &err), 0);
    assert_int_equal(http_raw_exchange(&bot.listen, STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), true,
                                       5000, &answer, &err),
                     0);
    assert_true(str_starts_with(buf_view(&answer), STR("HTTP/1.1 404 ")));
    harness_bot_kill(&bot, SIGKILL);
    assert_false(harness_bot_is_running(&bot));
}

static void a_bot_that_can_not_start_is_reported(void **state)
{
    (void)state;
    CLEANUP(harness_bot_fini) struct harness_bot bot = { 0 };
    struct err err = { 0 };
    const struct harness_bot_options options = { .binary = "/bin/false" };
    assert_int_equal(harness_bot_init(&bot, &options, &err), 0);
    assert_int_equal(harness_bot_launch(&bot, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "ended before it was ready"));
}

static int load_catalogue(void **state)
{
    static struct catalogue catalogue;
    struct err err = { 0 };
    const char *bot = getenv("FAKE_BOT");
    if (!bot || catalogue_load(&catalogue, bot, &err) != 0) {
        fprintf(stderr, "FAKE_BOT: %s\n", err.message);
        return -1;
    }
    *state = &catalogue;
    return 0;
}

static int drop_catalogue(void **state)
{
    catalogue_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_see_what_is_meant_for_them),
        cmocka_unit_test(commands_are_sent_as_declared),
        cmocka_unit_test(forms_are_checked_before_they_go),
        cmocka_unit_test(broken_rules_fail_a_scene_unless_expected),
        cmocka_unit_test(replays_must_not_differ),
        cmocka_unit_test(late_answers_arrive),
        cmocka_unit_test(what_only_the_machine_deferred_is_waited_for),
        cmocka_unit_test(a_channel_is_looked_into_by_name),
        cmocka_unit_test(what_is_sent_later_is_judged),
        cmocka_unit_test(faults_are_survived_by_those_who_try_again),
        cmocka_unit_test(registered_commands_are_known_to_the_client),
        cmocka_unit_test(the_language_explains_its_errors),
        cmocka_unit_test(texts_are_shown_as_people_read_them),
        cmocka_unit_test(the_prompt_knows_what_could_come_next),
        cmocka_unit_test(bytes_that_are_no_http_can_be_sent),
        cmocka_unit_test(a_bot_that_can_not_start_is_reported),
    };
    return cmocka_run_group_tests(tests, load_catalogue, drop_catalogue);
}
