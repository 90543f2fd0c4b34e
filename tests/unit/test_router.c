/* What the router answers to interactions that don't reach their handler, or whose handler fails:
 * one sentence for the person, the cause in the log, under one id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/clock.h"
#include "bronx/cooldown.h"
#include "bronx/tos.h"

#include "discord/interaction_parse.h"
#include "router_fixture.h"

#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#define USER  INT64_C(11)
#define OTHER INT64_C(12)

/* --- Commands made for these tests -------------------------------------------------------------
 */

static sem_t is_held, may_go;

static int run_ok(struct call *call, struct err *err)
{
    (void)err;
    struct str_view word = call_text(call, "word");
    reply_text(call->reply, "done %.*s %" PRId64, STR_ARGS(word), call_integer(call, "count", -1));
    return 0;
}

static int run_fail(struct call *call, struct err *err)
{
    reply_text(call->reply, "half an answer");
    return err_set(err, ERR_UNAVAILABLE, "the cause of it all");
}

static int run_hold(struct call *call, struct err *err)
{
    (void)err;
    sem_post(&is_held);
    sem_wait(&may_go);
    reply_text(call->reply, "held");
    return 0;
}

static int run_nothing(struct call *call, struct err *err)
{
    (void)call;
    (void)err;
    return 0;
}

static int run_query(struct call *call, struct err *err)
{
    const struct db_statement statement = { .sql = "SELECT COUNT(*) FROM daily_streak" };
    reply_text(call->reply, "counted");
    return db_query(call->services->db, &statement, NULL, err);
}

static int run_refuse(struct call *call, struct err *err)
{
    (void)err;
    reply_text(call->reply, "never shown");
    return call_refuse(call, "You can't %s that.", "do");
}

static int component_ok(struct call *call, struct err *err)
{
    (void)err;
    reply_text(call->reply, "row %" PRId64 " %.*s", call->custom_id.row_id,
               STR_ARGS(call->custom_id.argument));
    return 0;
}

static int suggest(struct call *call, struct err *err)
{
    struct str_view typed;
    struct str_view name = call_focused(call, &typed);
    if (str_equal(typed, STR("fail")))
        return err_set(err, ERR_INTERNAL, "no suggestions");
    if (str_equal(typed, STR("refuse")))
        return call_refuse(call, "no");
    reply_suggest(call->reply, name, STR("v"));
    return 0;
}

static const struct option all_options[] = {
    { .name = "word",
      .description = "a text",
      .type = OPTION_STRING,
      .is_required = true,
      .has_min = true,
      .min = 2,
      .has_max = true,
      .max = 5 },
    { .name = "count",
      .description = "a number",
      .type = OPTION_INTEGER,
      .has_min = true,
      .min = 1,
      .has_max = true,
      .max = 9 },
    { .name = "share",
      .description = "a fraction",
      .type = OPTION_NUMBER,
      .has_min = true,
      .min = 0,
      .has_max = true,
      .max = 1 },
    { .name = "colour",
      .description = "one of two",
      .type = OPTION_STRING,
      .choices = (const struct choice[]){ { .name = "Red", .text = "red" },
                                          { .name = "Blue", .text = "blue" },
                                          { .name = NULL } } },
    { .name = "level",
      .description = "one of two numbers",
      .type = OPTION_INTEGER,
      .choices = (const struct choice[]){ { .name = "One", .integer = 1 },
                                          { .name = "Two", .integer = 2 },
                                          { .name = NULL } } },
    { .name = "rate",
      .description = "one of two fractions",
      .type = OPTION_NUMBER,
      .choices = (const struct choice[]){ { .name = "Half", .number = 0.5 },
                                          { .name = "Whole", .number = 1 },
                                          { .name = NULL } } },
    { .name = "who", .description = "somebody", .type = OPTION_USER },
    { .name = NULL },
};

static const struct command plain_command = { .name = "plain",
                                              .description = "with options",
                                              .options = all_options,
                                              .run = run_ok,
                                              .component = component_ok,
                                              .component_version = 3 };
static const struct command open_command = { .name = "open",
                                             .description = "anybody's buttons",
                                             .run = run_ok,
                                             .component = component_ok,
                                             .modal = component_ok,
                                             .is_open_to_everyone = true };
static const struct command tree_command = {
    .name = "tree",
    .description = "sub-commands",
    .options =
        (const struct option[]){
            { .name = "leaf",
              .description = "a sub-command",
              .type = OPTION_SUB_COMMAND,
              .run = run_ok,
              .cooldown_ms = MS_PER_MINUTE },
            { .name = "branch",
              .description = "a group",
              .type = OPTION_SUB_COMMAND_GROUP,
              .options = (const struct option[]){ { .name = "twig",
                                                    .description = "a sub-command",
                                                    .type = OPTION_SUB_COMMAND,
                                                    .run = run_ok },
                                                  { .name = NULL } } },
            { .name = NULL } },
};
static const struct command owner_command = {
    .name = "owner", .description = "for owners", .is_owner_only = true, .run = run_ok
};
static const struct command manage_command = { .name = "manage",
                                               .description = "for managers",
                                               .default_member_permissions =
                                                   PERMISSION_MANAGE_GUILD,
                                               .run = run_ok };
static const struct command guild_command = {
    .name = "guild", .description = "in servers", .contexts = IN_GUILD, .run = run_ok
};
static const struct command dm_command = {
    .name = "dm", .description = "in direct messages", .contexts = IN_BOT_DM, .run = run_ok
};
static const struct command fail_command = { .name = "fail",
                                             .description = "fails",
                                             .cooldown_ms = MS_PER_MINUTE,
                                             .run = run_fail,
                                             .component = run_fail };
static const struct command query_command = { .name = "query",
                                              .description = "asks the database",
                                              .run = run_query };
static const struct command nothing_command = { .name = "nothing",
                                                .description = "answers nothing",
                                                .run = run_nothing };
static const struct command hold_command = { .name = "hold",
                                             .description = "takes its time",
                                             .run = run_hold };
static const struct command refuse_command = {
    .name = "refuse", .description = "says no", .cooldown_ms = MS_PER_MINUTE, .run = run_refuse
};
static const struct command cool_command = {
    .name = "cool", .description = "once a minute", .cooldown_ms = MS_PER_MINUTE, .run = run_ok
};
static const struct command suggest_command = {
    .name = "suggest",
    .description = "suggests",
    .options = (const struct option[]){ { .name = "word",
                                          .description = "a text",
                                          .type = OPTION_STRING,
                                          .has_autocomplete = true },
                                        { .name = NULL } },
    .run = run_ok,
    .autocomplete = suggest,
};

static const struct command *const commands[] = {
    &plain_command, &open_command,   &tree_command, &owner_command,   &manage_command,
    &guild_command, &dm_command,     &fail_command, &query_command,   &nothing_command,
    &hold_command,  &refuse_command, &cool_command, &suggest_command, NULL,
};

static int open_fixture(void **state)
{
    static struct router_fixture fixture;
    *state = &fixture;
    return router_fixture_open(&fixture, commands, 1, 1);
}

static int close_fixture(void **state)
{
    router_fixture_close(*state);
    return 0;
}

/* --- Asking ------------------------------------------------------------------------------------
 */

static int64_t fresh_id(void)
{
    static int64_t id = 1000;
    return ++id;
}

/* Asks and returns the answer; static, until the next one. */
static const char *answer_to(struct router_fixture *fixture, struct ask ask)
{
    static char text[16 * 1024];
    CLEANUP(buf_free) struct buf body = { 0 };
    ask.id = ask.id ? ask.id : fresh_id();
    ask.user_id = ask.user_id ? ask.user_id : USER;
    router_fixture_ask(fixture, &ask, &body);
    snprintf(text, sizeof(text), "%s", body.data ? body.data : "");
    return text;
}

static const char *command_answer(struct router_fixture *fixture, const char *data)
{
    return answer_to(
        fixture,
        (struct ask){ .type = INTERACTION_COMMAND, .guild_id = FIXTURE_GUILD, .data = data });
}

static const char *click_answer(struct router_fixture *fixture, const char *custom_id,
                                int64_t invoker_id)
{
    char data[256];
    snprintf(data, sizeof(data), "{\"component_type\":2,\"custom_id\":\"%s\"}", custom_id);
    return answer_to(fixture, (struct ask){ .type = INTERACTION_COMPONENT,
                                            .guild_id = FIXTURE_GUILD,
                                            .invoker_id = invoker_id,
                                            .data = data });
}

static void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in %s", part, text);
}

static void assert_ephemeral(const char *answer)
{
    assert_contains(answer, "\"type\":4");
    assert_contains(answer, "\"flags\":32832");
}

/* One sentence with an error id, and a line of the log that has the id and the cause. */
static void assert_fault(struct router_fixture *fixture, const char *answer, const char *sentence,
                         const char *cause)
{
    CLEANUP(buf_free) struct buf log = { 0 };
    char request[64];
    assert_ephemeral(answer);
    assert_contains(answer, sentence);
    const char *mark = strstr(answer, "Error id: `");
    assert_non_null(mark);
    snprintf(request, sizeof(request), "request=%.*s ", REQUEST_ID_SIZE - 1,
             mark + strlen("Error id: `"));
    router_fixture_log(fixture, &log);
    const char *line = strstr(log.data, request);
    assert_non_null(line);
    while (line > log.data && line[-1] != '\n')
        line--;
    *strchr(line, '\n') = '\0';
    assert_contains(line, cause);
}

/* What came of all that was answered: counted after the answer, before the one thread goes on. */
static int64_t outcomes(struct router_fixture *fixture, enum outcome outcome)
{
    (void)command_answer(fixture, "{\"id\":\"1\",\"type\":1,\"name\":\"open\"}");
    return metrics_read(fixture->metrics, METRIC_OUTCOMES, (int)outcome);
}

/* --- Tests -------------------------------------------------------------------------------------
 */

static void an_unknown_command_is_named_in_the_log(void **state)
{
    int64_t before = outcomes(*state, OUTCOME_USER_ERROR);
    assert_fault(*state, command_answer(*state, "{\"id\":\"1\",\"type\":1,\"name\":\"gone\"}"),
                 "I don't know this command any more", "command=gone");
    assert_int_equal(outcomes(*state, OUTCOME_USER_ERROR), before + 1);
}

static void an_interaction_of_a_newer_type_has_no_answer(void **state)
{
    assert_string_equal(answer_to(*state, (struct ask){ .type = 9, .guild_id = FIXTURE_GUILD }),
                        "");
}

#define PLAIN(options) "{\"id\":\"1\",\"type\":1,\"name\":\"plain\",\"options\":[" options "]}"
#define WORD           "{\"type\":3,\"name\":\"word\",\"value\":\"abc\"}"

static void options_that_fit_the_table_reach_the_handler(void **state)
{
    assert_contains(
        command_answer(*state, PLAIN(WORD ",{\"type\":4,\"name\":\"count\",\"value\":9},"
                                          "{\"type\":10,\"name\":\"share\",\"value\":0.25},"
                                          "{\"type\":3,\"name\":\"colour\",\"value\":\"blue\"},"
                                          "{\"type\":4,\"name\":\"level\",\"value\":2},"
                                          "{\"type\":10,\"name\":\"rate\",\"value\":0.5}")),
        "done abc 9");
}

static void options_that_misfit_the_table_are_refused_with_their_reason(void **state)
{
    static const struct {
        const char *data, *reason;
    } rows[] = {
        { PLAIN(""), "option word is missing" },
        { PLAIN("{\"type\":3,\"name\":\"other\",\"value\":\"x\"}"), "option 'other' is unknown" },
        { PLAIN("{\"type\":4,\"name\":\"word\",\"value\":1}"), "option word has type 4, not 3" },
        { PLAIN("{\"type\":3,\"name\":\"word\",\"value\":\"a\"}"), "option word is out of bounds" },
        { PLAIN("{\"type\":3,\"name\":\"word\",\"value\":\"elevenchars\"}"),
          "option word is out of bounds" },
        { PLAIN(WORD ",{\"type\":4,\"name\":\"count\",\"value\":0}"),
          "option count is out of bounds" },
        { PLAIN(WORD ",{\"type\":4,\"name\":\"count\",\"value\":10}"),
          "option count is out of bounds" },
        { PLAIN(WORD ",{\"type\":10,\"name\":\"share\",\"value\":1.5}"),
          "option share is out of bounds" },
        { PLAIN(WORD ",{\"type\":10,\"name\":\"share\",\"value\":-0.5}"),
          "option share is out of bounds" },
        { PLAIN(WORD ",{\"type\":3,\"name\":\"colour\",\"value\":\"green\"}"),
          "option colour is none of its choices" },
        { PLAIN(WORD ",{\"type\":4,\"name\":\"level\",\"value\":3}"),
          "option level is none of its choices" },
        { PLAIN(WORD ",{\"type\":10,\"name\":\"rate\",\"value\":0.75}"),
          "option rate is none of its choices" },
        { PLAIN(WORD ",{\"type\":6,\"name\":\"who\",\"value\":\"77\"}"),
          "option who names a user that was not resolved" },
        { "{\"id\":\"1\",\"type\":1,\"name\":\"tree\"}", "/tree was sent without its sub-command" },
        { "{\"id\":\"1\",\"type\":1,\"name\":\"tree\",\"options\":"
          "[{\"type\":1,\"name\":\"root\"}]}",
          "/tree has no sub-command 'root'" },
        { "{\"id\":\"1\",\"type\":1,\"name\":\"plain\",\"options\":"
          "[{\"type\":1,\"name\":\"word\"}]}",
          "/plain has no sub-command 'word'" },
        { "{\"id\":\"1\",\"type\":1,\"name\":\"tree\",\"options\":[{\"type\":2,\"name\":\"branch\","
          "\"options\":[{\"type\":1,\"name\":\"leaf\"}]}]}",
          "/tree has no sub-command 'leaf'" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_fault(*state, command_answer(*state, rows[i].data), "This command has changed",
                     rows[i].reason);
}

static void sub_commands_run_through_their_group(void **state)
{
    assert_contains(command_answer(*state, "{\"id\":\"1\",\"type\":1,\"name\":\"tree\",\"options\":"
                                           "[{\"type\":2,\"name\":\"branch\",\"options\":"
                                           "[{\"type\":1,\"name\":\"twig\"}]}]}"),
                    "done");
}

static void a_sub_command_has_its_own_cooldown(void **state)
{
    struct router_fixture *fixture = *state;
    const char *data = "{\"id\":\"1\",\"type\":1,\"name\":\"tree\",\"options\":"
                       "[{\"type\":1,\"name\":\"leaf\"}]}";
    int64_t before = outcomes(fixture, OUTCOME_COOLDOWN);
    assert_contains(command_answer(*state, data), "done");
    const char *second = command_answer(*state, data);
    assert_ephemeral(second);
    assert_contains(second, "You can use `/tree leaf` again <t:1790000060:R>.");
    assert_int_equal(outcomes(fixture, OUTCOME_COOLDOWN), before + 1);
}

static void owner_commands_are_for_owners(void **state)
{
    struct ask ask = { .type = INTERACTION_COMMAND,
                       .guild_id = FIXTURE_GUILD,
                       .permissions = PERMISSION_ADMINISTRATOR,
                       .data = "{\"id\":\"1\",\"type\":1,\"name\":\"owner\"}" };
    int64_t before = outcomes(*state, OUTCOME_GATED);
    const char *refusal = answer_to(*state, ask);
    assert_ephemeral(refusal);
    assert_contains(refusal, "`/owner` is for the people who run this bot.");
    assert_int_equal(outcomes(*state, OUTCOME_GATED), before + 1);
    ask.user_id = FIXTURE_OWNER;
    assert_contains(answer_to(*state, ask), "done");
}

static void a_permission_is_checked_here_too(void **state)
{
    static const struct {
        int64_t guild_id;
        uint64_t permissions;
        bool may;
    } rows[] = {
        { FIXTURE_GUILD, 0, false },
        { FIXTURE_GUILD, PERMISSION_MODERATE_MEMBERS, false },
        { FIXTURE_GUILD, PERMISSION_MANAGE_GUILD, true },
        { FIXTURE_GUILD, PERMISSION_ADMINISTRATOR, true },
        { 0, 0, true }, /* permissions are a matter of servers */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const char *answer =
            answer_to(*state, (struct ask){ .type = INTERACTION_COMMAND,
                                            .guild_id = rows[i].guild_id,
                                            .permissions = rows[i].permissions,
                                            .data = "{\"id\":\"1\",\"type\":1,\"name\":"
                                                    "\"manage\"}" });
        assert_contains(answer, rows[i].may ? "done" : "is for members with the permission");
    }
}

static void a_command_stays_where_it_belongs(void **state)
{
    const char *guild = "{\"id\":\"1\",\"type\":1,\"name\":\"guild\"}";
    const char *dm = "{\"id\":\"1\",\"type\":1,\"name\":\"dm\"}";
    struct ask ask = { .type = INTERACTION_COMMAND, .data = guild };
    assert_contains(answer_to(*state, ask), "`/guild` works in servers only.");
    ask.guild_id = FIXTURE_GUILD;
    assert_contains(answer_to(*state, ask), "done");
    ask.data = dm;
    assert_contains(answer_to(*state, ask), "`/dm` works in direct messages only.");
    ask.guild_id = 0;
    assert_contains(answer_to(*state, ask), "done");
}

static void a_component_reaches_its_command(void **state)
{
    assert_contains(click_answer(*state, "plain:3:42:a:b", USER), "row 42 a:b");
}

static void a_component_nobody_knows_is_refused(void **state)
{
    static const char *const custom_ids[] = { "gone:1:0:x", "nonsense", "cool:0:0:x", ":::" };
    for (size_t i = 0; i < ARRAY_LENGTH(custom_ids); i++)
        assert_fault(*state, click_answer(*state, custom_ids[i], USER),
                     "something I no longer offer", "unknown component");
}

static void a_component_of_another_version_is_refused(void **state)
{
    assert_fault(*state, click_answer(*state, "plain:2:42:a", USER), "an older version of me",
                 "custom_id=plain:2:42:a");
}

static void the_components_of_others_are_theirs(void **state)
{
    assert_fault(*state, click_answer(*state, "plain:3:1:a", OTHER), "belongs to somebody else",
                 "component of somebody else's message");
    assert_contains(click_answer(*state, "open:0:1:a", OTHER), "row 1 a");
}

static void a_modal_reaches_its_command_or_is_refused(void **state)
{
    struct ask ask = { .type = INTERACTION_MODAL_SUBMIT,
                       .guild_id = FIXTURE_GUILD,
                       .data = "{\"custom_id\":\"open:0:5:m\",\"components\":[]}" };
    assert_contains(answer_to(*state, ask), "row 5 m");
    ask.data = "{\"custom_id\":\"plain:3:5:m\",\"components\":[]}";
    assert_fault(*state, answer_to(*state, ask), "something I no longer offer",
                 "unknown component");
}

static void a_handler_that_fails_is_one_sentence_and_one_line(void **state)
{
    int64_t before = outcomes(*state, OUTCOME_INTERNAL_ERROR);
    const char *data = "{\"id\":\"1\",\"type\":1,\"name\":\"fail\"}";
    const char *answer = command_answer(*state, data);
    assert_null(strstr(answer, "half an answer"));
    assert_null(strstr(answer, "the cause"));
    assert_fault(*state, answer, "Something went wrong on my side", "the cause of it all");
    assert_fault(*state, click_answer(*state, "fail:0:0:x", USER), "Something went wrong",
                 "code=unavailable");
    assert_int_equal(outcomes(*state, OUTCOME_INTERNAL_ERROR), before + 2);
    /* What failed has used up no cooldown. */
    assert_contains(command_answer(*state, data), "Something went wrong");
}

static void a_reply_discord_would_refuse_is_a_fault(void **state)
{
    assert_fault(*state, command_answer(*state, "{\"id\":\"1\",\"type\":1,\"name\":\"nothing\"}"),
                 "Something went wrong", "code=limit");
}

static void a_table_that_is_gone_is_a_fault(void **state)
{
    struct router_fixture *fixture = *state;
    const struct db_statement drop = { .sql = "ALTER TABLE daily_streak RENAME TO away" };
    const struct db_statement back = { .sql = "ALTER TABLE away RENAME TO daily_streak" };
    const char *data = "{\"id\":\"1\",\"type\":1,\"name\":\"query\"}";
    assert_contains(command_answer(fixture, data), "counted");
    assert_int_equal(db_query(fixture->base.db, &drop, NULL, NULL), 0);
    assert_fault(fixture, command_answer(fixture, data), "Something went wrong",
                 test_engine_is_postgres() ? "relation \\\"daily_streak\\\" does not exist"
                                           : "no such table: daily_streak");
    assert_int_equal(db_query(fixture->base.db, &back, NULL, NULL), 0);
    assert_contains(command_answer(fixture, data), "counted");
}

static void a_refusal_uses_up_no_cooldown(void **state)
{
    const char *data = "{\"id\":\"1\",\"type\":1,\"name\":\"refuse\"}";
    for (int i = 0; i < 2; i++) {
        const char *answer = command_answer(*state, data);
        assert_ephemeral(answer);
        assert_contains(answer, "You can't do that.");
        assert_null(strstr(answer, "never shown"));
    }
}

static void a_success_uses_up_the_cooldown_but_for_its_replay(void **state)
{
    struct router_fixture *fixture = *state;
    struct ask ask = { .type = INTERACTION_COMMAND,
                       .id = fresh_id(),
                       .guild_id = FIXTURE_GUILD,
                       .data = "{\"id\":\"1\",\"type\":1,\"name\":\"cool\"}" };
    assert_contains(answer_to(fixture, ask), "done");
    assert_contains(answer_to(fixture, ask), "done");
    ask.id = fresh_id();
    assert_contains(answer_to(fixture, ask), "You can use `/cool` again");
    fixture->base.now_ms += MS_PER_MINUTE;
    assert_contains(answer_to(fixture, ask), "done");
}

#define TYPED(name, text)                                                                          \
    "{\"id\":\"1\",\"type\":1,\"name\":\"" name "\",\"options\":[{\"type\":3,\"name\":\"word\","   \
    "\"value\":\"" text "\",\"focused\":true}]}"

static void autocomplete_never_answers_with_a_sentence(void **state)
{
    struct ask ask = { .type = INTERACTION_AUTOCOMPLETE,
                       .guild_id = FIXTURE_GUILD,
                       .data = TYPED("suggest", "x") };
    assert_contains(answer_to(*state, ask), "{\"name\":\"word\",\"value\":\"v\"}");
    static const char *const faulty[] = { TYPED("suggest", "fail"), TYPED("suggest", "refuse"),
                                          TYPED("gone", "x"), TYPED("plain", "x"),
                                          TYPED("owner", "x") };
    for (size_t i = 0; i < ARRAY_LENGTH(faulty); i++) {
        ask.data = faulty[i];
        assert_string_equal(answer_to(*state, ask), "{\"type\":8,\"data\":{\"choices\":[]}}");
    }
}

struct late {
    sem_t is_answered;
    struct buf body;
};

static void on_late(void *context, struct router_answer *answer)
{
    struct late *late = context;
    late->body = answer->body;
    sem_post(&late->is_answered);
}

/* Sends without waiting. */
static void send_hold(struct router_fixture *fixture, struct late *late)
{
    CLEANUP(buf_free) struct buf json = { 0 };
    struct interaction *interaction;
    char request_id[REQUEST_ID_SIZE];
    const struct ask ask = { .type = INTERACTION_COMMAND,
                             .id = fresh_id(),
                             .user_id = USER,
                             .guild_id = FIXTURE_GUILD,
                             .data = "{\"id\":\"1\",\"type\":1,\"name\":\"hold\"}" };
    sem_init(&late->is_answered, 0, 0);
    router_fixture_json(&ask, &json);
    assert_int_equal(interaction_parse(buf_view(&json), &interaction, NULL), 0);
    request_id_new(request_id);
    router_dispatch(fixture->router, interaction, request_id, on_late, late);
}

static void a_full_executor_defers_at_once(void **state)
{
    struct router_fixture *fixture = *state;
    struct late running, waiting;
    sem_init(&is_held, 0, 0);
    sem_init(&may_go, 0, 0);
    send_hold(fixture, &running);
    sem_wait(&is_held); /* the one thread is taken */
    send_hold(fixture, &waiting);
    assert_string_equal(command_answer(fixture, PLAIN(WORD)), "{\"type\":5}");
    assert_int_equal(fixture->outbox.runs[0].mode, OUTBOX_RUN_LATER);
    fixture->outbox.stores = OUTBOX_NOT_STORED;
    assert_fault(fixture, command_answer(fixture, PLAIN(WORD)), "I'm very busy just now",
                 "too busy");
    sem_post(&may_go);
    sem_post(&may_go);
    sem_wait(&running.is_answered);
    sem_wait(&waiting.is_answered);
    assert_contains(running.body.data, "held");
    assert_contains(waiting.body.data, "held");
    buf_free(&running.body);
    buf_free(&waiting.body);
    assert_contains(command_answer(fixture, PLAIN(WORD)), "done");
}

static void a_broken_command_table_stops_the_start(void **state)
{
    const struct router_fixture *fixture = *state;
    static const struct command broken = { .name = "No Good", .description = "x", .run = run_ok };
    static const struct command *const list[] = { &broken, NULL };
    struct router *router = NULL;
    struct err err = { 0 };
    const struct router_settings settings = { .commands = list,
                                              .services = &fixture->base.services };
    assert_int_equal(router_new(&router, &settings, &err), ERR_INVALID);
    assert_contains(err.message, "command tables: ");
    router_free(router);
}

static void no_token_is_in_the_log(void **state)
{
    CLEANUP(buf_free) struct buf log = { 0 };
    router_fixture_log(*state, &log);
    assert_true(log.length > 0);
    assert_null(strstr(log.data, "a-secret-token"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_command_is_named_in_the_log),
        cmocka_unit_test(an_interaction_of_a_newer_type_has_no_answer),
        cmocka_unit_test(options_that_fit_the_table_reach_the_handler),
        cmocka_unit_test(options_that_misfit_the_table_are_refused_with_their_reason),
        cmocka_unit_test(sub_commands_run_through_their_group),
        cmocka_unit_test(a_sub_command_has_its_own_cooldown),
        cmocka_unit_test(owner_commands_are_for_owners),
        cmocka_unit_test(a_permission_is_checked_here_too),
        cmocka_unit_test(a_command_stays_where_it_belongs),
        cmocka_unit_test(a_component_reaches_its_command),
        cmocka_unit_test(a_component_nobody_knows_is_refused),
        cmocka_unit_test(a_component_of_another_version_is_refused),
        cmocka_unit_test(the_components_of_others_are_theirs),
        cmocka_unit_test(a_modal_reaches_its_command_or_is_refused),
        cmocka_unit_test(a_handler_that_fails_is_one_sentence_and_one_line),
        cmocka_unit_test(a_reply_discord_would_refuse_is_a_fault),
        cmocka_unit_test(a_table_that_is_gone_is_a_fault),
        cmocka_unit_test(a_refusal_uses_up_no_cooldown),
        cmocka_unit_test(a_success_uses_up_the_cooldown_but_for_its_replay),
        cmocka_unit_test(autocomplete_never_answers_with_a_sentence),
        cmocka_unit_test(a_full_executor_defers_at_once),
        cmocka_unit_test(a_broken_command_table_stops_the_start),
        cmocka_unit_test(no_token_is_in_the_log),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
