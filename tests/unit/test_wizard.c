/* Wizards where a scene can't go: other people's clicks on one's private page, clicks at the same
 * instant, a process that ends in the middle of saving, a clock that stands where it is put. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/clock.h"
#include "bronx/settings.h"
#include "bronx/wizard.h"

#include "wizard_fixture.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OTHER_GUILD     (FIXTURE_GUILD + 1)
#define AT_ONCE         6

#define COUNT_DRAFTS    "SELECT COUNT(*) FROM wizard_draft"
#define COUNT_CHANGES   "SELECT COUNT(*) FROM server_settings_change"
#define REVISION        "SELECT revision FROM server_settings"
#define COUNT_IN(state) "SELECT COUNT(*) FROM wizard_draft WHERE state = '" state "'"

struct test {
    struct router_fixture fixture;
    struct visitor alice, bob;
};

static int open_test(void **state)
{
    struct test *test = calloc(1, sizeof(*test));
    *state = test;
    if (!test || router_fixture_open(&test->fixture, NULL, AT_ONCE, 2 * AT_ONCE) != 0)
        return 1;
    visitor_init(&test->alice, &test->fixture, ALICE);
    visitor_init(&test->bob, &test->fixture, BOB);
    return 0;
}

static int close_test(void **state)
{
    struct test *test = *state;
    visitor_fini(&test->alice);
    visitor_fini(&test->bob);
    router_fixture_close(&test->fixture);
    free(test);
    return 0;
}

static int64_t count(struct test *test, const char *sql)
{
    return service_fixture_count(&test->fixture.base, sql);
}

static void run_sql(struct test *test, const char *sql)
{
    const struct db_statement statement = { .sql = sql, .expect = DB_SOME_ROWS };
    assert_int_equal(db_query(test->fixture.base.db, &statement, NULL, NULL), 0);
}

/* On the first page; its form opened and answered. */
static void name_currency(struct visitor *visitor, const char *name)
{
    visitor_press(visitor, "edit");
    visitor_type(visitor, "currency_name", name);
}

static void go_to_review(struct visitor *visitor)
{
    while (!visitor_button(visitor, "save"))
        visitor_press(visitor, "next");
}

/* --- Whose it is --- */

static void only_its_owner_may_click(void **state)
{
    struct test *test = *state;
    visitor_run(&test->alice, "setup", "server");
    name_currency(&test->alice, "gems");
    visitor_press_id(&test->bob, visitor_button(&test->alice, "next"));
    visitor_assert_shows(&test->bob, "This belongs to somebody else. Run `/setup server`");
    visitor_press_id(&test->bob, visitor_button(&test->alice, "cancel"));
    visitor_assert_shows(&test->bob, "This belongs to somebody else");
    test->bob.form = json_object_get(test->alice.form);
    visitor_type(&test->bob, "currency_name", "rocks");
    visitor_assert_shows(&test->bob, "This belongs to somebody else");
    visitor_press(&test->alice, "back");
    visitor_assert_shows(&test->alice, "gems");
}

static void without_the_permission_no_click_counts(void **state)
{
    struct test *test = *state;
    struct visitor *alice = &test->alice;
    visitor_run(alice, "setup", "server");
    visitor_press(alice, "edit");
    alice->ask.permissions = 0;
    visitor_type(alice, "currency_name", "gems");
    visitor_assert_shows(alice, "is for members with the permission");
    static const char *const actions[] = { "edit", "next", "skip", "cancel" };
    for (size_t i = 0; i < ARRAY_LENGTH(actions); i++) {
        visitor_press(alice, actions[i]);
        visitor_assert_shows(alice, "is for members with the permission");
    }
    alice->ask.permissions = PERMISSION_MANAGE_GUILD;
    name_currency(alice, "gems");
    go_to_review(alice);
    alice->ask.permissions = 0;
    visitor_press(alice, "save");
    visitor_assert_shows(alice, "is for members with the permission");
    assert_int_equal(count(test, COUNT_CHANGES), 0);
    visitor_run(alice, "setup", "server");
    visitor_assert_shows(alice, "is for members with the permission");
    alice->ask.permissions = PERMISSION_ADMINISTRATOR;
    visitor_press(alice, "save");
    visitor_assert_shows(alice, "Saved, and in force");
}

/* Whoever may set up one server must not reach another with it. */
static void a_draft_stays_in_its_server(void **state)
{
    struct test *test = *state;
    struct visitor *alice = &test->alice;
    visitor_run(alice, "setup", "server");
    name_currency(alice, "gems");
    go_to_review(alice);
    alice->ask.guild_id = OTHER_GUILD;
    visitor_press(alice, "save");
    visitor_assert_shows(alice, "This has expired");
    assert_int_equal(count(test, COUNT_CHANGES), 0);
    assert_int_equal(count(test, COUNT_IN("open")), 1);
}

/* --- How long it lives --- */

static void a_draft_is_over_five_minutes_after_its_last_click(void **state)
{
    struct test *test = *state;
    struct visitor *alice = &test->alice;
    visitor_run(alice, "setup", "server");
    test->fixture.base.now_ms += WIZARD_EXPIRY_MS - 1;
    visitor_press(alice, "next");
    visitor_assert_shows(alice, "Step 2 of");
    test->fixture.base.now_ms += WIZARD_EXPIRY_MS - 1;
    visitor_press(alice, "edit");
    assert_true(alice->is_form);
    test->fixture.base.now_ms += WIZARD_EXPIRY_MS - 1;
    visitor_press(alice, "next");
    visitor_assert_shows(alice, "Step 3 of");
    test->fixture.base.now_ms += WIZARD_EXPIRY_MS;
    visitor_press(alice, "next");
    visitor_assert_shows(alice, "This has expired: nobody clicked here for 5 minutes.");
    visitor_replay(alice);
}

static void expired_drafts_go_when_another_is_opened(void **state)
{
    struct test *test = *state;
    visitor_run(&test->alice, "setup", "server");
    test->fixture.base.now_ms += WIZARD_EXPIRY_MS;
    visitor_run(&test->bob, "setup", "server");
    assert_int_equal(count(test, COUNT_DRAFTS), 2); /* its last instant */
    test->fixture.base.now_ms += 1;
    visitor_run(&test->bob, "setup", "user");
    assert_int_equal(count(test, COUNT_DRAFTS), 2);
    visitor_press(&test->alice, "next");
    visitor_assert_shows(&test->alice, "This has expired");
}

/* --- Replays --- */

static void every_click_answers_its_replay_alike(void **state)
{
    struct test *test = *state;
    struct visitor *alice = &test->alice;
    visitor_run(alice, "setup", "server");
    visitor_replay(alice);
    visitor_press(alice, "edit");
    visitor_replay(alice);
    visitor_type(alice, "currency_symbol", "far too long");
    visitor_replay(alice);
    visitor_press(alice, "edit");
    visitor_replay(alice);
    visitor_type(alice, "currency_symbol", "*");
    visitor_replay(alice);
    for (const char *const *action =
             (const char *const[]){ "back", "next", "skip", "next", "next", NULL };
         *action; action++) {
        visitor_press(alice, *action);
        visitor_replay(alice);
    }
    visitor_press(alice, "save");
    visitor_assert_shows(alice, "Saved, and in force");
    visitor_replay(alice);
    assert_int_equal(count(test, COUNT_CHANGES), 1);
    visitor_run(alice, "setup", "server");
    visitor_press(alice, "cancel");
    visitor_replay(alice);
}

static void an_older_page_changes_nothing_and_is_brought_up_to_date(void **state)
{
    struct test *test = *state;
    struct visitor *alice = &test->alice;
    char next[128], cancel[128];
    visitor_run(alice, "setup", "server");
    snprintf(next, sizeof(next), "%s", visitor_button(alice, "next"));
    snprintf(cancel, sizeof(cancel), "%s", visitor_button(alice, "cancel"));
    visitor_press_id(alice, next);
    visitor_assert_shows(alice, "Step 2 of");
    visitor_press_id(alice, next);
    visitor_assert_shows(alice, "Step 2 of");
    visitor_assert_shows(alice, "Something was clicked here before");
    visitor_replay(alice);
    visitor_press_id(alice, cancel);
    visitor_assert_shows(alice, "Step 2 of");
}

/* What somebody typed is not lost because they turned a page elsewhere meanwhile. */
static void a_form_of_an_older_page_counts(void **state)
{
    struct test *test = *state;
    struct visitor *alice = &test->alice;
    visitor_run(alice, "setup", "server");
    visitor_press(alice, "edit");
    visitor_press(alice, "next");
    visitor_press(alice, "next");
    visitor_type(alice, "currency_name", "gems");
    visitor_assert_shows(alice, "Step 2 of");
    visitor_press(alice, "back");
    visitor_assert_shows(alice, "gems");
}

/* Requests can come twice, and the second time late. */
static void a_form_that_comes_again_late_takes_no_later_answer_back(void **state)
{
    struct test *test = *state;
    struct visitor *alice = &test->alice;
    CLEANUP(buf_free) struct buf data = { 0 };
    CLEANUP(buf_free) struct buf late = { 0 };
    visitor_run(alice, "setup", "server");
    name_currency(alice, "gems");
    struct ask first = alice->ask;
    buf_append(&data, buf_view(&alice->data));
    first.data = data.data;
    visitor_press(alice, "back");
    name_currency(alice, "cookies");
    visitor_press(alice, "next");
    router_fixture_ask(&test->fixture, &first, &late);
    assert_non_null(strstr(late.data, "Something was clicked here before"));
    assert_non_null(strstr(late.data, "Step 3 of"));
    go_to_review(alice);
    visitor_assert_shows(alice, "**cookies**");
}

/* Its sender did not wait for the answer. */
static void a_form_that_a_click_overtook_counts(void **state)
{
    struct test *test = *state;
    struct visitor *alice = &test->alice;
    visitor_run(alice, "setup", "server");
    visitor_press(alice, "edit");
    test->fixture.base.now_ms += MS_PER_SECOND;
    visitor_press(alice, "next");
    test->fixture.base.now_ms -= MS_PER_SECOND;
    visitor_type(alice, "currency_name", "gems");
    go_to_review(alice);
    visitor_assert_shows(alice, "**gems**");
}

/* --- At the same instant --- */

struct press {
    pthread_t thread;
    struct router_fixture *fixture;
    struct ask ask;
    struct buf body;
};

static void *press(void *context)
{
    struct press *press = context;
    router_fixture_ask(press->fixture, &press->ask, &press->body);
    return NULL;
}

/* All of them are interactions of their own with what the visitor would send next. */
static void press_at_once(struct visitor *visitor, const char *action,
                          struct press presses[AT_ONCE])
{
    char data[256];
    snprintf(data, sizeof(data), "{\"component_type\":2,\"custom_id\":\"%s\"}",
             visitor_button(visitor, action));
    for (int i = 0; i < AT_ONCE; i++) {
        presses[i] = (struct press){ .fixture = visitor->fixture, .ask = visitor->ask };
        presses[i].ask.type = INTERACTION_COMPONENT;
        presses[i].ask.invoker_id = visitor->ask.user_id;
        presses[i].ask.id = visitor_fresh_id(visitor->fixture);
        presses[i].ask.data = data;
        assert_int_equal(pthread_create(&presses[i].thread, NULL, press, &presses[i]), 0);
    }
    for (int i = 0; i < AT_ONCE; i++)
        pthread_join(presses[i].thread, NULL);
}

static void assert_all_show(struct press presses[AT_ONCE], const char *text)
{
    for (int i = 0; i < AT_ONCE; i++) {
        if (!strstr(presses[i].body.data, text))
            fail_msg("\"%s\" is not in %s", text, presses[i].body.data);
        buf_free(&presses[i].body);
    }
}

static void of_clicks_at_once_one_counts(void **state)
{
    struct test *test = *state;
    struct press presses[AT_ONCE];
    visitor_run(&test->alice, "setup", "server");
    press_at_once(&test->alice, "next", presses);
    assert_all_show(presses, "Step 2 of");
    assert_int_equal(count(test, "SELECT version FROM wizard_draft"), 2);
}

static void of_saves_at_once_one_saves_and_all_say_so(void **state)
{
    struct test *test = *state;
    struct press presses[AT_ONCE];
    visitor_run(&test->alice, "setup", "server");
    name_currency(&test->alice, "gems");
    go_to_review(&test->alice);
    press_at_once(&test->alice, "save", presses);
    assert_all_show(presses, "Saved, and in force");
    assert_int_equal(count(test, COUNT_CHANGES), 1);
    assert_int_equal(count(test, REVISION), 1);
    assert_int_equal(count(test, COUNT_IN("saved")), 1);
}

/* --- Saving --- */

/* The process ended between claiming the save and noting it, before or after saving. */
static void a_claimed_save_is_finished_by_the_next_click(void **state)
{
    struct test *test = *state;
    struct visitor *alice = &test->alice;
    visitor_run(alice, "setup", "server");
    name_currency(alice, "gems");
    run_sql(test, "UPDATE wizard_draft SET state = 'saving'");
    visitor_press(alice, "cancel");
    visitor_assert_shows(alice, "Saved, and in force");
    assert_int_equal(count(test, REVISION), 1);
    run_sql(test, "UPDATE wizard_draft SET state = 'saving'");
    test->fixture.base.now_ms += WIZARD_EXPIRY_MS;
    visitor_replay(alice);
    assert_int_equal(count(test, REVISION), 1);
    assert_int_equal(count(test, COUNT_CHANGES), 1);
}

static void who_saves_second_hears_of_the_first_and_loses_nothing(void **state)
{
    struct test *test = *state;
    struct visitor *alice = &test->alice, *bob = &test->bob;
    visitor_run(alice, "setup", "server");
    visitor_run(bob, "setup", "server");
    name_currency(alice, "gems");
    name_currency(bob, "cookies");
    go_to_review(alice);
    go_to_review(bob);
    visitor_press(alice, "save");
    visitor_press(bob, "save");
    visitor_assert_shows(bob, "<@412345678901234567> changed these settings meanwhile");
    visitor_replay(bob);
    assert_null(visitor_button(bob, "save"));
    assert_int_equal(count(test, REVISION), 1);
    visitor_press(bob, "rebase");
    visitor_assert_shows(bob, "gems → **cookies**");
    visitor_replay(bob);
    visitor_press(bob, "save");
    visitor_assert_shows(bob, "Saved, and in force");
    assert_int_equal(count(test, REVISION), 2);
}

/* Both want the same: after the look at what is there, nothing is left to change. */
static void an_answer_that_is_in_force_already_is_no_change(void **state)
{
    struct test *test = *state;
    struct visitor *alice = &test->alice, *bob = &test->bob;
    visitor_run(alice, "setup", "server");
    visitor_run(bob, "setup", "server");
    name_currency(alice, "gems");
    name_currency(bob, "gems");
    go_to_review(alice);
    go_to_review(bob);
    visitor_press(alice, "save");
    visitor_press(bob, "save");
    visitor_press(bob, "rebase");
    visitor_assert_hides(bob, "→");
    visitor_press(bob, "save");
    visitor_assert_shows(bob, "You changed nothing");
    assert_int_equal(count(test, REVISION), 1);
}

#define BREAK(days)                                                                                \
    "{\"type\":18,\"id\":1,\"component\":{\"type\":3,\"id\":2,\"custom_id\":\"cool_off\","         \
    "\"values\":[\"" days "\"]}}"

/* The same person in each window: the form with the break is open. */
static void open_limits(struct test *test, struct visitor *window)
{
    visitor_init(window, &test->fixture, ALICE);
    visitor_run(window, "setup", "user");
    visitor_press(window, "next");
    visitor_press(window, "edit");
}

static void an_answer_that_is_possible_no_more_comes_back_at_saving(void **state)
{
    struct visitor here, elsewhere;
    open_limits(*state, &here);
    open_limits(*state, &elsewhere);
    visitor_submit(&here, BREAK("1"));
    visitor_submit(&elsewhere, BREAK("7"));
    visitor_press(&elsewhere, "save");
    visitor_assert_shows(&elsewhere, "Saved, and in force");
    visitor_press(&here, "save");
    visitor_assert_shows(&here, "can't be made shorter");
    visitor_assert_shows(&here, "You answered: until <t:");
    assert_null(visitor_button(&here, "next"));
    visitor_press(&here, "skip");
    visitor_press(&here, "save");
    visitor_press(&here, "rebase");
    visitor_press(&here, "save");
    visitor_assert_shows(&here, "You changed nothing");
    visitor_fini(&here);
    visitor_fini(&elsewhere);
}

/* The form was open while the break began. */
static void a_length_that_is_too_short_is_quoted_and_not_offered_again(void **state)
{
    struct visitor here, elsewhere;
    open_limits(*state, &here);
    open_limits(*state, &elsewhere);
    visitor_submit(&elsewhere, BREAK("7"));
    visitor_press(&elsewhere, "save");
    visitor_submit(&here, BREAK("1"));
    visitor_assert_shows(&here, "can't be made shorter");
    visitor_assert_shows(&here, "You answered: 1 day");
    visitor_press(&here, "edit");
    assert_true(here.is_form);
    assert_non_null(strstr(here.body.data, "\"30 days\""));
    assert_null(strstr(here.body.data, "\"1 day\""));
    assert_null(strstr(here.body.data, "\"No break\""));
    visitor_fini(&here);
    visitor_fini(&elsewhere);
}

static void what_nobody_can_see_is_refused_as_that_and_typed_anew(void **state)
{
    struct test *test = *state;
    struct visitor visitor;
    visitor_init(&visitor, &test->fixture, ALICE);
    visitor_run(&visitor, "setup", "server");
    visitor_press(&visitor, "edit");
    visitor_type(&visitor, "currency_name", "\u200b \u2060");
    visitor_assert_shows(&visitor, "There is nothing to see in that.");
    visitor_assert_hides(&visitor, "You answered");
    assert_null(visitor_button(&visitor, "next"));
    visitor_replay(&visitor);
    visitor_press(&visitor, "edit");
    assert_non_null(strstr(visitor.body.data, "There is nothing to see in that."));
    assert_null(strstr(visitor.body.data, "\u200b"));
    visitor_fini(&visitor);
}

/* --- What nobody drew --- */

static void custom_ids_that_nobody_made_do_nothing(void **state)
{
    struct test *test = *state;
    static const char *const arguments[] = {
        "",
        ":",
        "server",
        "server:",
        "server:1",
        "server:1:",
        "server:x:next",
        "server:1:dance",
        "server:1:form",
        "server:1:form:0",
        "nobody:1:next",
        "user:1:next",
        "server:99:next",
        "server:1:rebase",
        "server:1:save",
    };
    visitor_run(&test->alice, "setup", "server");
    int64_t id = count(test, "SELECT id FROM wizard_draft");
    for (size_t i = 0; i < ARRAY_LENGTH(arguments); i++) {
        char custom_id[128];
        snprintf(custom_id, sizeof(custom_id), "setup:1:%" PRId64 ":%s", id, arguments[i]);
        visitor_press_id(&test->alice, custom_id);
        snprintf(custom_id, sizeof(custom_id), "setup:1:1:%s", arguments[i]);
        visitor_press_id(&test->alice, custom_id);
    }
    assert_int_equal(count(test, "SELECT version FROM wizard_draft"), 1);
    assert_int_equal(count(test, COUNT_IN("open")), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_test, close_test)
    const struct CMUnitTest tests[] = {
        TEST(only_its_owner_may_click),
        TEST(without_the_permission_no_click_counts),
        TEST(a_draft_stays_in_its_server),
        TEST(a_draft_is_over_five_minutes_after_its_last_click),
        TEST(expired_drafts_go_when_another_is_opened),
        TEST(every_click_answers_its_replay_alike),
        TEST(an_older_page_changes_nothing_and_is_brought_up_to_date),
        TEST(a_form_of_an_older_page_counts),
        TEST(a_form_that_comes_again_late_takes_no_later_answer_back),
        TEST(a_form_that_a_click_overtook_counts),
        TEST(of_clicks_at_once_one_counts),
        TEST(of_saves_at_once_one_saves_and_all_say_so),
        TEST(a_claimed_save_is_finished_by_the_next_click),
        TEST(who_saves_second_hears_of_the_first_and_loses_nothing),
        TEST(an_answer_that_is_in_force_already_is_no_change),
        TEST(an_answer_that_is_possible_no_more_comes_back_at_saving),
        TEST(a_length_that_is_too_short_is_quoted_and_not_offered_again),
        TEST(what_nobody_can_see_is_refused_as_that_and_typed_anew),
        TEST(custom_ids_that_nobody_made_do_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
