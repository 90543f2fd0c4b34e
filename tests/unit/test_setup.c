/* /setup as a whole: every setting is asked for, on pages that fit a form, and a server is set up
 * in twelve clicks, the command and each form's submission counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/settings.h"
#include "bronx/wizard.h"

#include "commands.h"
#include "settings.h"
#include "wizard_fixture.h"

#include <stdio.h>
#include <string.h>

#define CLICKS_MAX 12

/* Only with it are vote-bans asked about. */
static int say_nothing(struct call *call, struct err *err)
{
    (void)err;
    reply_text(call->reply, "Nothing.");
    return 0;
}

static const struct command voteban_command = { .name = "voteban",
                                                .description = "For the fifth page",
                                                .category = CATEGORY_VOTING,
                                                .run = say_nothing };
static const struct command *const commands[] = { &setup_command, &voteban_command, NULL };

static int open_fixture(void **state)
{
    static struct router_fixture fixture;
    *state = &fixture;
    return router_fixture_open(&fixture, commands, 1, 4);
}

static int close_fixture(void **state)
{
    router_fixture_close(*state);
    return 0;
}

/* --- The tables --- */

static int count_on_page(const struct field *fields, int page)
{
    int count = 0;
    for (int i = 0; fields[i].key; i++)
        count += fields[i].step == page;
    return count;
}

static void every_setting_is_asked_for_on_a_page_that_fits_a_form(void **state)
{
    (void)state;
    static const enum settings_scope scopes[] = { SETTINGS_OF_SERVER, SETTINGS_OF_USER };
    for (size_t i = 0; i < ARRAY_LENGTH(scopes); i++) {
        const struct field *fields = settings_fields(scopes[i]);
        const struct wizard_step *steps = settings_steps(scopes[i]);
        int asked = 0;
        for (int page = 0; steps[page].title; page++) {
            assert_in_range(count_on_page(fields, page), 1, WIZARD_FIELDS_MAX);
            assert_non_null(steps[page].help);
            asked += count_on_page(fields, page);
        }
        assert_int_equal(asked, field_count(fields));
    }
}

/* --- Straight through --- */

#define LABELLED(field) "{\"type\":18,\"id\":1,\"component\":" field "}"
#define TYPED(key, text)                                                                           \
    LABELLED("{\"type\":4,\"id\":2,\"custom_id\":\"" key "\",\"value\":\"" text "\"}")
#define TICKED(key, value)                                                                         \
    LABELLED("{\"type\":23,\"id\":2,\"custom_id\":\"" key "\",\"value\":" value "}")
#define PICKED(key, ids)                                                                           \
    LABELLED("{\"type\":8,\"id\":2,\"custom_id\":\"" key "\",\"values\":[" ids "]}")
#define CHANNEL(id) "\"" id "\":{\"id\":\"" id "\",\"type\":0}"

static const char *const pages[] = {
    TYPED("currency_name", "gems") "," TYPED("currency_symbol", "*"),
    TICKED("economy", "false") "," TICKED("games", "false") "," TICKED("shop", "false") "," TICKED(
        "voting", "false"),
    TYPED("max_bet", "5k") "," TYPED("pay_daily_cap", "1,000") "," TYPED("min_account_age_days",
                                                                         "30"),
    PICKED("channels", "\"71\",\"72\"") "," PICKED("announcement_channel",
                                                   "\"72\"") "," PICKED("log_channel", "\"73\""),
    TICKED("voteban", "true") "," TYPED("voteban_votes", "10") "," TYPED(
        "voteban_score", "5") "," TYPED("voteban_minutes", "1 day"),
};

static const char saved[] = "currency_name=gems\ncurrency_symbol=*\neconomy=off\ngames=off\n"
                            "shop=off\nvoting=off\nmax_bet=5000\npay_daily_cap=1000\n"
                            "min_account_age_days=30\nchannels=71,72\nannouncement_channel=72\n"
                            "log_channel=73\nvoteban=on\nvoteban_votes=10\nvoteban_score=5\n"
                            "voteban_minutes=1440\n";

static void assert_saved(struct router_fixture *fixture, const char *lines)
{
    static const struct command none = { .name = "none" };
    struct service_call call;
    struct field_values values;
    int64_t revision;
    service_call_begin(&call, &fixture->base, &none, visitor_fresh_id(fixture), ALICE);
    const struct settings_owner owner = { SETTINGS_OF_SERVER, FIXTURE_GUILD };
    assert_int_equal(settings_read(&call.call, owner, &revision, &values, NULL), 0);
    struct str_view stored = field_lines(server_fields, &values, &call.arena);
    assert_int_equal(stored.length, strlen(lines));
    assert_memory_equal(stored.data, lines, stored.length);
    service_call_end(&call);
}

static void a_server_is_set_up_in_twelve_clicks(void **state)
{
    struct visitor alice;
    visitor_init(&alice, *state, ALICE);
    alice.resolved = "{\"channels\":{" CHANNEL("71") "," CHANNEL("72") "," CHANNEL("73") "}}";
    visitor_run(&alice, "setup", "server");
    int clicks = 1;
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++, clicks += 2) {
        visitor_press(&alice, "edit");
        visitor_submit(&alice, pages[i]);
    }
    visitor_press(&alice, "save");
    clicks++;
    visitor_assert_shows(&alice, "Saved, and in force");
    assert_in_range(clicks, 1, CLICKS_MAX);
    assert_saved(*state, saved);
    visitor_fini(&alice);
}

static void a_server_is_set_up_quickly_by_one_confirmation(void **state)
{
    struct visitor alice;
    visitor_init(&alice, *state, ALICE);
    visitor_run(&alice, "setup", "quick");
    visitor_press(&alice, "save");
    visitor_assert_shows(&alice, "Saved, and in force");
    assert_saved(*state, "min_account_age_days=7\n");
    visitor_fini(&alice);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_is_asked_for_on_a_page_that_fits_a_form),
        TEST(a_server_is_set_up_in_twelve_clicks),
        TEST(a_server_is_set_up_quickly_by_one_confirmation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
