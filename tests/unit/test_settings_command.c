/* /settings where a scene can't go: somebody saves between a form's opening and its end,
 * permissions go away between two clicks, values are as long as they may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/clock.h"
#include "bronx/db.h"
#include "bronx/language.h"
#include "bronx/settings.h"

#include "commands.h"
#include "reply_checker.h"
#include "router_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALICE     INT64_C(412345678901234567)
#define BOB       INT64_C(498765432109876543)
#define CHANNELS  25
#define CHANGES   60
#define JSON_SAFE 10000 /* bytes: larger messages have failed at Discord */

static const struct settings_owner server = { SETTINGS_OF_SERVER, FIXTURE_GUILD };
static const struct settings_owner alice = { SETTINGS_OF_USER, ALICE };

/* A time that can be now: lengths begin with the interaction's snowflake. */
static int64_t fresh_id(const struct router_fixture *fixture)
{
    static int64_t sequence;
    return snowflake_first_of(fixture->base.now_ms) + ++sequence;
}

static int open_fixture(void **state)
{
    struct router_fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    return fixture ? router_fixture_open(fixture, NULL, 1, 4) : 1;
}

static int close_fixture(void **state)
{
    router_fixture_close(*state);
    free(*state);
    return 0;
}

/* --- Asking --- */

static const char *ask(struct router_fixture *fixture, struct ask ask)
{
    static struct buf body;
    ask.id = fresh_id(fixture);
    ask.user_id = ask.user_id ? ask.user_id : ALICE;
    buf_free(&body);
    router_fixture_ask(fixture, &ask, &body);
    assert_non_null(body.data);
    const char *problem = checked_answer(body.data);
    if (problem)
        fail_msg("%s: %s", problem, body.data);
    if (strstr(body.data, "Error id"))
        fail_msg("a fault: %s", body.data);
    return body.data;
}

static void assert_shows(const char *body, const char *sentence)
{
    if (!strstr(body, sentence))
        fail_msg("\"%s\" is not in %s", sentence, body);
}

static void assert_hides(const char *body, const char *sentence)
{
    if (strstr(body, sentence))
        fail_msg("\"%s\" is in %s", sentence, body);
}

/* `options` are those of the sub-command, as JSON. */
static const char *run_in(struct router_fixture *fixture, const char *locale,
                          const char *sub_command, const char *options)
{
    char data[2048];
    snprintf(data, sizeof(data),
             "{\"id\":\"1\",\"type\":1,\"name\":\"settings\",\"options\":[{\"type\":1,\"name\":"
             "\"%s\",\"options\":[%s]}]}",
             sub_command, options);
    return ask(fixture, (struct ask){ .type = INTERACTION_COMMAND,
                                      .guild_id = FIXTURE_GUILD,
                                      .permissions = PERMISSION_MANAGE_GUILD,
                                      .locale = locale,
                                      .data = data });
}

static const char *run(struct router_fixture *fixture, const char *sub_command, const char *options)
{
    return run_in(fixture, NULL, sub_command, options);
}

static const char *click_as(struct router_fixture *fixture, const char *custom_id,
                            uint64_t permissions, const char *last_text)
{
    char data[512];
    snprintf(data, sizeof(data), "{\"component_type\":2,\"custom_id\":\"%s\"}", custom_id);
    return ask(fixture, (struct ask){ .type = INTERACTION_COMPONENT,
                                      .guild_id = FIXTURE_GUILD,
                                      .permissions = permissions,
                                      .invoker_id = ALICE,
                                      .last_text = last_text,
                                      .data = data });
}

static const char *click(struct router_fixture *fixture, const char *custom_id)
{
    return click_as(fixture, custom_id, PERMISSION_MANAGE_GUILD, NULL);
}

/* A form with one text in it. */
static const char *submit_as(struct router_fixture *fixture, const char *custom_id,
                             uint64_t permissions, const char *key, const char *typed)
{
    char data[2048];
    snprintf(
        data, sizeof(data),
        "{\"custom_id\":\"%s\",\"components\":[{\"type\":18,\"id\":1,\"component\":{\"type\":4,"
        "\"id\":2,\"custom_id\":\"%s\",\"value\":\"%s\"}}]}",
        custom_id, key, typed);
    return ask(fixture, (struct ask){ .type = INTERACTION_MODAL_SUBMIT,
                                      .guild_id = FIXTURE_GUILD,
                                      .permissions = permissions,
                                      .data = data });
}

static const char *submit(struct router_fixture *fixture, const char *custom_id, const char *key,
                          const char *typed)
{
    return submit_as(fixture, custom_id, PERMISSION_MANAGE_GUILD, key, typed);
}

/* --- What is stored --- */

/* As somebody else's /setup would, past every check of what was typed. */
static void save(struct router_fixture *fixture, struct settings_owner owner, int64_t by,
                 const char *key, const char *value)
{
    static const struct command none = { .name = "none" };
    struct service_call call;
    struct field_values values;
    int64_t revision;
    const struct field *field = field_find(settings_fields(owner.scope), str_from(key));
    service_call_begin(&call, &fixture->base, &none, fresh_id(fixture), by);
    assert_int_equal(settings_read(&call.call, owner, &revision, &values, NULL), 0);
    values.values[field - settings_fields(owner.scope)] = str_from(value);
    assert_int_equal(settings_save(&call.call, owner, revision, &values, NULL), SETTINGS_SAVED);
    service_call_end(&call);
}

static void assert_stored(struct router_fixture *fixture, struct settings_owner owner,
                          const char *key, const char *value)
{
    static const struct command none = { .name = "none" };
    struct service_call call;
    struct field_values values;
    int64_t revision;
    const struct field *fields = settings_fields(owner.scope);
    service_call_begin(&call, &fixture->base, &none, fresh_id(fixture), ALICE);
    assert_int_equal(settings_read(&call.call, owner, &revision, &values, NULL), 0);
    struct str_view stored =
        field_value_of(fields, &values, (int)(field_find(fields, str_from(key)) - fields));
    if (!str_equal(stored, str_from(value)))
        fail_msg("%s is %.*s", key, STR_ARGS(stored));
    service_call_end(&call);
}

/* --- Concurrent edits --- */

static void a_form_that_somebody_else_overtook_saves_nothing_and_says_who(void **state)
{
    struct router_fixture *fixture = *state;
    const char *body =
        run(fixture, "edit", "{\"type\":3,\"name\":\"field\",\"value\":\"server.max_bet\"}");
    assert_shows(body, "settings:1:0:edit.server.max_bet");
    save(fixture, server, BOB, "max_bet", "777");
    body = submit(fixture, "settings:1:0:edit.server.max_bet", "max_bet", "5000");
    assert_shows(body, "<@498765432109876543> changed these settings meanwhile");
    assert_shows(body, "777");
    assert_shows(body, "> 5000");
    assert_shows(body, "settings:1:1:retry.server.max_bet");
    assert_stored(fixture, server, "max_bet", "777");
    /* Having been told, they may. */
    body = submit(fixture, "settings:1:1:edit.server.max_bet", "max_bet", "5000");
    assert_shows(body, "### Saved");
    assert_stored(fixture, server, "max_bet", "5000");
}

/* A request can come twice, and the second time late: by then it is not what anybody wants. */
static void a_command_that_comes_again_late_takes_nothing_back(void **state)
{
    struct router_fixture *fixture = *state;
    static const char option[] = "{\"type\":3,\"name\":\"field\",\"value\":\"server.max_bet\"},"
                                 "{\"type\":3,\"name\":\"value\",\"value\":\"100000\"}";
    char data[512];
    CLEANUP(buf_free) struct buf body = { 0 };
    snprintf(data, sizeof(data),
             "{\"id\":\"1\",\"type\":1,\"name\":\"settings\",\"options\":[{\"type\":1,\"name\":"
             "\"edit\",\"options\":[%s]}]}",
             option);
    struct ask ask = { .type = INTERACTION_COMMAND,
                       .id = fresh_id(fixture),
                       .user_id = ALICE,
                       .guild_id = FIXTURE_GUILD,
                       .permissions = PERMISSION_MANAGE_GUILD,
                       .data = data };
    router_fixture_ask(fixture, &ask, &body);
    assert_shows(body.data, "Nothing to change");
    save(fixture, server, BOB, "max_bet", "777");
    buf_free(&body);
    router_fixture_ask(fixture, &ask, &body);
    assert_shows(body.data, "<@498765432109876543> changed these settings meanwhile");
    assert_stored(fixture, server, "max_bet", "777");
    /* Who knows what is there now may have it so. */
    assert_shows(run(fixture, "edit", option), "### Saved");
}

static void a_reset_that_somebody_else_overtook_resets_nothing(void **state)
{
    struct router_fixture *fixture = *state;
    save(fixture, server, ALICE, "max_bet", "777");
    assert_shows(run(fixture, "reset", "{\"type\":3,\"name\":\"field\",\"value\":\"server\"}"),
                 "settings:1:1:reset.server");
    save(fixture, server, BOB, "games", "off");
    assert_shows(click(fixture, "settings:1:1:reset.server"),
                 "<@498765432109876543> changed these settings meanwhile");
    assert_stored(fixture, server, "max_bet", "777");
    assert_shows(click(fixture, "settings:1:2:reset.server"), "### Saved");
    assert_stored(fixture, server, "max_bet", "100000");
    assert_stored(fixture, server, "games", "on");
}

/* --- Permissions --- */

static void whoever_has_lost_the_permission_changes_nothing_by_old_buttons(void **state)
{
    struct router_fixture *fixture = *state;
    static const char *const buttons[] = {
        "settings:1:1:edit.server.max_bet",  "settings:1:1:retry.server.max_bet",
        "settings:1:1:reset.server.max_bet", "settings:1:1:reset.server",
        "settings:1:0:history.server",       "settings:1:10:older.server",
    };
    save(fixture, server, ALICE, "max_bet", "777");
    for (size_t i = 0; i < ARRAY_LENGTH(buttons); i++)
        assert_shows(click_as(fixture, buttons[i], 0, "> 5"), "**Manage Server**");
    assert_shows(submit_as(fixture, "settings:1:1:edit.server.max_bet", 0, "max_bet", "5000"),
                 "**Manage Server**");
    assert_stored(fixture, server, "max_bet", "777");
    /* It is for the server's settings that it is needed. */
    assert_shows(submit_as(fixture, "settings:1:0:edit.me.max_bet", 0, "max_bet", "5000"),
                 "### Saved");
    assert_stored(fixture, alice, "max_bet", "5000");
}

static void servers_settings_are_not_suggested_to_those_who_may_not_change_them(void **state)
{
    struct router_fixture *fixture = *state;
    struct ask typing = {
        .type = INTERACTION_AUTOCOMPLETE,
        .guild_id = FIXTURE_GUILD,
        .data = "{\"id\":\"1\",\"type\":1,\"name\":\"settings\",\"options\":[{\"type\":1,\"name\":"
                "\"edit\",\"options\":[{\"type\":3,\"name\":\"field\",\"focused\":true,"
                "\"value\":\"bet\"}]}]}"
    };
    const char *body = ask(fixture, typing);
    assert_shows(body, "me.max_bet");
    assert_hides(body, "server.max_bet");
    typing.permissions = PERMISSION_MANAGE_GUILD;
    assert_shows(ask(fixture, typing), "server.max_bet");
}

/* --- What was typed --- */

static void what_was_typed_comes_back_whole_into_the_form(void **state)
{
    struct router_fixture *fixture = *state;
    static const char typed[] = "a *lot* of <@1> & `coins` \xf0\x9f\x8e\xb2 1_000_000 https://x.y "
                                "~~more than sixty characters~~ back\\\\slash # end";
    char options[512], last_text[512];
    snprintf(options, sizeof(options),
             "{\"type\":3,\"name\":\"field\",\"value\":\"server.max_bet\"},"
             "{\"type\":3,\"name\":\"value\",\"value\":\"%s\"}",
             typed);
    const char *body = run(fixture, "edit", options);
    assert_shows(body, "settings:1:0:retry.server.max_bet");
    const char *begin = strstr(body, "\"> ") + 1;
    snprintf(last_text, sizeof(last_text), "%.*s", (int)(strstr(begin, "\"}") - begin), begin);
    body =
        click_as(fixture, "settings:1:0:retry.server.max_bet", PERMISSION_MANAGE_GUILD, last_text);
    assert_shows(body, typed);
    assert_shows(body, "\"custom_id\":\"settings:1:0:edit.server.max_bet\"");
}

static void settings_that_are_gone_are_said_to_be_gone(void **state)
{
    static const char *const custom_ids[] = {
        "settings:1:0:edit.server.colour",
        "settings:1:0:edit.server",
        "settings:1:0:edit",
        "settings:1:0:paint.server.max_bet",
        "settings:1:0:",
        "settings:1:0:view.us",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(custom_ids); i++) {
        assert_shows(click(*state, custom_ids[i]), "no longer there");
        assert_shows(submit(*state, custom_ids[i], "max_bet", "1"), "no longer there");
    }
    assert_shows(run(*state, "edit", "{\"type\":3,\"name\":\"field\",\"value\":\"colour\"}"),
                 "There is no setting of that name");
}

static void a_form_without_its_field_changes_nothing(void **state)
{
    struct router_fixture *fixture = *state;
    assert_shows(submit(fixture, "settings:1:0:edit.server.max_bet", "other", "1"),
                 "That form is empty");
    assert_stored(fixture, server, "max_bet", "100000");
}

static void a_break_that_runs_is_not_reset(void **state)
{
    struct router_fixture *fixture = *state;
    assert_shows(run(fixture, "edit",
                     "{\"type\":3,\"name\":\"field\",\"value\":\"me.cool_off\"},"
                     "{\"type\":3,\"name\":\"value\",\"value\":\"3\"}"),
                 "### Saved");
    assert_shows(run(fixture, "reset", "{\"type\":3,\"name\":\"field\",\"value\":\"me.cool_off\"}"),
                 "can't be made shorter");
    assert_hides(run(fixture, "reset", "{\"type\":3,\"name\":\"field\",\"value\":\"me\"}"),
                 "reset.me");
    fixture->base.now_ms += 3 * MS_PER_DAY;
    assert_shows(run(fixture, "reset", "{\"type\":3,\"name\":\"field\",\"value\":\"me\"}"),
                 "Nothing to reset");
    assert_shows(run(fixture, "edit",
                     "{\"type\":3,\"name\":\"field\",\"value\":\"me.cool_off\"},"
                     "{\"type\":3,\"name\":\"value\",\"value\":\"1\"}"),
                 "### Saved");
}

/* --- Channels that were closed to the bot --- */

#define LOG  INT64_C(4001)
#define NEWS INT64_C(4002)

/* A message there was given up at `at_ms`; the row as the outbox leaves it. */
static void give_up(struct router_fixture *fixture, int64_t channel_id, const char *reason,
                    int64_t at_ms)
{
    const struct db_statement statement = {
        .sql = "INSERT INTO outbox (id, kind, interaction_id, application_id, guild_id, "
               "request_id, version, is_final, is_reposted, is_started, state, reason, tries, "
               "available_at, expires_at, created_at, changed_at, channel_id) "
               "VALUES ($1, 'channel_message', $1, 1, 1, 'r', 1, 1, 0, 0, 'dead', $2, 1, $3, $3, "
               "$3, $3, $4)",
        .parameters = { DB_INT(fresh_id(fixture)), DB_TEXT(str_from(reason)), DB_INT(at_ms),
                        DB_INT(channel_id) },
        .parameter_count = 4,
    };
    assert_int_equal(db_query(fixture->base.db, &statement, NULL, NULL), 0);
}

/* The fixture's clock stands still: what is over before a call was so a second ago. */
static void close_both(struct router_fixture *fixture)
{
    save(fixture, server, ALICE, "log_channel", "4001");
    save(fixture, server, ALICE, "announcement_channel", "4002");
    give_up(fixture, LOG, "channel_closed", fixture->base.now_ms - 1000);
    give_up(fixture, NEWS, "no_bot_token", fixture->base.now_ms - 2000);
}

static void assert_warns(struct router_fixture *fixture, const char *body, bool is_of_log)
{
    char warning[128];
    snprintf(warning, sizeof(warning), "I couldn't post there <t:%lld:R>%s",
             (long long)((fixture->base.now_ms - (is_of_log ? 1000 : 2000)) / MS_PER_SECOND),
             is_of_log ? ": check my permissions." : ". The people who run this bot must give");
    assert_shows(body, warning);
}

static void a_closed_channel_is_told_to_those_who_can_open_it(void **state)
{
    struct router_fixture *fixture = *state;
    close_both(fixture);
    const char *body = run(fixture, "view", "");
    assert_shows(body, "Log channel: **<#4001>**\\n⚠️ I");
    assert_shows(body, "Channel for announcements: **<#4002>**\\n⚠️ I");
    assert_warns(fixture, body, true);
    assert_warns(fixture, body, false);
    assert_hides(click_as(fixture, "settings:1:0:view.server", 0, NULL), "couldn't post");
    save(fixture, server, ALICE, "log_channel", "4003");
    body = run(fixture, "view", "");
    assert_hides(body, "check my permissions");
    assert_warns(fixture, body, false);
}

static const char edit_max_bet[] = "{\"id\":\"1\",\"type\":1,\"name\":\"settings\",\"options\":"
                                   "[{\"type\":1,\"name\":\"edit\",\"options\":[{\"type\":3,"
                                   "\"name\":\"field\",\"value\":\"server.max_bet\"},{\"type\":3,"
                                   "\"name\":\"value\",\"value\":\"5k\"}]}]}";

static void the_answer_about_a_save_tells_what_was_known_then(void **state)
{
    struct router_fixture *fixture = *state;
    CLEANUP(buf_free) struct buf first = { 0 }, again = { 0 };
    close_both(fixture);
    struct ask edit = { .type = INTERACTION_COMMAND,
                        .id = fresh_id(fixture),
                        .user_id = ALICE,
                        .guild_id = FIXTURE_GUILD,
                        .permissions = PERMISSION_MANAGE_GUILD,
                        .data = edit_max_bet };
    router_fixture_ask(fixture, &edit, &first);
    assert_shows(first.data, "**Log channel**: <#4001>\\n⚠️ I");
    assert_shows(first.data, "**Channel for announcements**: <#4002>\\n⚠️ I");
    assert_warns(fixture, first.data, true);
    /* Its own message comes to the same end, and somebody chooses other channels. */
    fixture->base.now_ms += 5000;
    give_up(fixture, LOG, "channel_closed", fixture->base.now_ms - 1000);
    save(fixture, server, BOB, "log_channel", "");
    save(fixture, server, BOB, "announcement_channel", "4001");
    router_fixture_ask(fixture, &edit, &again);
    assert_string_equal(again.data, first.data);
}

/* --- Limits --- */

static void fill_with_the_longest(struct router_fixture *fixture, int number)
{
    char channels[CHANNELS * 24] = "";
    for (int i = 0; i < CHANNELS; i++)
        snprintf(channels + strlen(channels), sizeof(channels) - strlen(channels), "%s%" PRId64,
                 i > 0 ? "," : "", INT64_MAX - i - number);
    save(fixture, server, ALICE, "channels", channels);
    save(fixture, server, ALICE, "currency_name",
         number % 2 ? "********************" : "____________________");
}

static void assert_fits(const char *body)
{
    assert_in_range(strlen(body), 1, JSON_SAFE);
}

static void assert_pages_fit(struct router_fixture *fixture, const char *locale)
{
    assert_fits(run_in(fixture, locale, "view", ""));
    assert_fits(run_in(fixture, locale, "view", "{\"type\":3,\"name\":\"of\",\"value\":\"me\"}"));
    assert_fits(run_in(fixture, locale, "history", ""));
    assert_fits(
        run_in(fixture, locale, "reset", "{\"type\":3,\"name\":\"field\",\"value\":\"server\"}"));
    for (enum settings_scope scope = SETTINGS_OF_SERVER; scope <= SETTINGS_OF_USER; scope++)
        for (const struct field *field = settings_fields(scope); field->key; field++) {
            char options[128];
            snprintf(options, sizeof(options),
                     "{\"type\":3,\"name\":\"field\",\"value\":\"%s.%s\"}",
                     scope == SETTINGS_OF_SERVER ? "server" : "me", field->key);
            assert_fits(run_in(fixture, locale, "edit", options));
        }
}

static void the_longest_values_are_within_discords_limits_in_every_language(void **state)
{
    struct router_fixture *fixture = *state;
    for (int i = 0; i < CHANGES / 2; i++)
        fill_with_the_longest(fixture, i);
    close_both(fixture);
    assert_pages_fit(fixture, NULL);
    for (const struct language *const *language = languages; *language; language++)
        assert_pages_fit(fixture, language_locales(*language)[0]);
}

/* Every page goes on where the one before ended, however few changes it has room for. */
static void the_history_is_shown_to_its_end(void **state)
{
    struct router_fixture *fixture = *state;
    int64_t offset = 0;
    for (int i = 0; i < CHANGES / 2; i++)
        fill_with_the_longest(fixture, i);
    const char *body = run(fixture, "history", "");
    for (const char *older; (older = strstr(body, ":older.server"));) {
        char custom_id[64];
        const char *begin = older;
        while (*begin != '"')
            begin--;
        int64_t next = strtoll(begin + strlen("\"settings:1:"), NULL, 10);
        assert_fits(body);
        if (next == offset)
            break;
        assert_true(next > offset && next <= offset + 10);
        offset = next;
        snprintf(custom_id, sizeof(custom_id), "settings:1:%" PRId64 ":older.server", next);
        body = click(fixture, custom_id);
    }
    assert_int_equal(offset, CHANGES);
    assert_shows(body, "Nothing older is kept");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_form_that_somebody_else_overtook_saves_nothing_and_says_who),
        TEST(a_command_that_comes_again_late_takes_nothing_back),
        TEST(a_reset_that_somebody_else_overtook_resets_nothing),
        TEST(whoever_has_lost_the_permission_changes_nothing_by_old_buttons),
        TEST(servers_settings_are_not_suggested_to_those_who_may_not_change_them),
        TEST(what_was_typed_comes_back_whole_into_the_form),
        TEST(settings_that_are_gone_are_said_to_be_gone),
        TEST(a_form_without_its_field_changes_nothing),
        TEST(a_break_that_runs_is_not_reset),
        TEST(a_closed_channel_is_told_to_those_who_can_open_it),
        TEST(the_answer_about_a_save_tells_what_was_known_then),
        TEST(the_longest_values_are_within_discords_limits_in_every_language),
        TEST(the_history_is_shown_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
