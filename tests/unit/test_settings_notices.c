/* What is told about a save, to whom, and in which language. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/clock.h"
#include "bronx/language.h"
#include "bronx/settings.h"

#include "fake_outbox.h"
#include "reply_checker.h"
#include "service_fixture.h"

#include <stdlib.h>
#include <string.h>

#define ALICE     INT64_C(412345678901234567)
#define HARLEM    INT64_C(300000000000000001)
#define JSON_SAFE 10000 /* bytes: larger messages have failed at Discord */

struct fixture {
    struct service_fixture base;
    struct outbox outbox;
    int64_t revision;
    struct field_values values;
    struct str_view guild_locale;
};

static int open_fixture(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    if (!fixture || service_fixture_open(&fixture->base) != 0)
        return 1;
    fake_outbox_init(&fixture->outbox);
    fixture->base.services.outbox = &fixture->outbox;
    fixture->guild_locale = STR("en-US");
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    fake_outbox_fini(&fixture->outbox);
    service_fixture_close(&fixture->base);
    free(fixture);
    return 0;
}

static void save(struct fixture *fixture, struct settings_owner owner)
{
    static const struct command none = { .name = "none" };
    static int64_t serial;
    struct service_call call;
    struct err err = { 0 };
    int64_t id = ((fixture->base.now_ms - DISCORD_EPOCH_MS) << 22) + ++serial;
    service_call_begin(&call, &fixture->base, &none, id, ALICE);
    call.interaction.guild_id = HARLEM;
    call.interaction.guild_locale = fixture->guild_locale;
    int result = settings_save(&call.call, owner, fixture->revision, &fixture->values, &err);
    if (result != SETTINGS_SAVED)
        fail_msg("%d: %s", result, err.message);
    fixture->revision++;
    service_call_end(&call);
}

static void set(struct fixture *fixture, const char *key, const char *value)
{
    const struct field *field = field_find(server_fields, str_from(key));
    assert_non_null(field);
    fixture->values.values[field - server_fields] = str_from(value);
}

static void save_server(struct fixture *fixture)
{
    save(fixture, (struct settings_owner){ SETTINGS_OF_SERVER, HARLEM });
}

/* The one that was told since the last save; `count` of them since the test began. Who is named can
 * have it withdrawn. */
static const char *told(const struct fixture *fixture, int count, int64_t channel_id)
{
    assert_int_equal(fixture->outbox.channel_message_count, count);
    const struct fake_channel_message *last = &fixture->outbox.channel_messages[count - 1];
    assert_int_equal(last->channel_id, channel_id);
    assert_int_equal(last->names_author, strstr(last->body.data, "412345678901234567") != NULL);
    return last->body.data;
}

static void assert_says(const char *body, const char *sentence)
{
    if (!strstr(body, sentence))
        fail_msg("\"%s\" is not in %s", sentence, body);
}

static void nobody_is_told_where_no_channel_is_chosen(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, "games", "off");
    save_server(fixture);
    assert_int_equal(fixture->outbox.channel_message_count, 0);
}

static void what_people_set_for_themselves_is_told_to_nobody(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, "log_channel", "11");
    save_server(fixture);
    assert_int_equal(fixture->outbox.channel_message_count, 1);
    fixture->revision = 0;
    fixture->values = (struct field_values){ 0 };
    fixture->values.values[0] = STR("Europe/Madrid");
    save(fixture, (struct settings_owner){ SETTINGS_OF_USER, ALICE });
    assert_int_equal(fixture->outbox.channel_message_count, 1);
}

static void the_log_tells_who_and_what_and_pings_nobody(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, "log_channel", "11");
    save_server(fixture);
    set(fixture, "max_bet", "0");
    set(fixture, "currency_name", "*@everyone*");
    save_server(fixture);
    const char *body = told(fixture, 2, 11);
    assert_says(body, "<@412345678901234567> has changed the settings");
    assert_says(body, "**Highest bet**: 100,000 coins → no limit");
    assert_says(body, "**Name of the currency**: coins → \\\\*");
    assert_null(strstr(body, "→ *@everyone*"));
    assert_null(strstr(body, "Log channel"));
    assert_says(body, "\"allowed_mentions\":{\"parse\":[],\"users\":[],\"roles\":[]}");
}

static void the_log_that_was_hears_where_it_went(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, "log_channel", "11");
    save_server(fixture);
    told(fixture, 1, 11);
    set(fixture, "log_channel", "12");
    save_server(fixture);
    told(fixture, 3, 12);
    assert_int_equal(fixture->outbox.channel_messages[1].channel_id, 11);
    set(fixture, "log_channel", "");
    save_server(fixture);
    assert_says(told(fixture, 4, 12), "**Log channel**: <#12> → none");
}

static void what_concerns_all_is_announced_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *key, *value;
        bool is_announced;
    } changes[] = {
        { "announcement_channel", "21", false },
        { "currency_name", "gems", false },
        { "currency_symbol", "$", false },
        { "economy", "off", true },
        { "games", "off", true },
        { "shop", "off", true },
        { "voting", "off", true },
        { "max_bet", "5", true },
        { "pay_daily_cap", "5", true },
        { "min_account_age_days", "5", true },
        { "channels", "31,32", false },
        { "economy", "on", true },
    };
    int count = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        set(fixture, changes[i].key, changes[i].value);
        save_server(fixture);
        count += changes[i].is_announced;
        assert_int_equal(fixture->outbox.channel_message_count, count);
    }
    const char *body = told(fixture, count, 21);
    assert_says(body, "**Economy**: Off → On");
    assert_null(strstr(body, "412345678901234567"));
}

static void a_channel_is_told_in_the_language_of_its_server(void **state)
{
    struct fixture *fixture = *state;
    fixture->guild_locale = STR("es-ES");
    set(fixture, "announcement_channel", "21");
    set(fixture, "games", "off");
    save_server(fixture);
    const char *body = told(fixture, 1, 21);
    assert_says(body, "Algo ha cambiado en este servidor");
    assert_null(strstr(body, "Games"));
}

/* Of the kinds there are among a server's settings; appended. */
static void longest_of(const struct field *field, struct buf *text)
{
    if (field->kind == FIELD_TOGGLE)
        buf_append(text, strcmp(field->initial, "on") == 0 ? STR("off") : STR("on"));
    else if (field->kind == FIELD_TEXT)
        for (int64_t i = 0; i < field->max; i++)
            buf_append_char(text, '*');
    else if (field->kind == FIELD_CHANNEL)
        for (int64_t i = 0; i < field->max; i++)
            buf_append_format(text, "%s%lld", i > 0 ? "," : "",
                              9223372036854775000LL + (long long)i);
    else
        buf_append_format(text, "%lld", (long long)field->max);
}

static void assert_possible(const struct buf *body)
{
    CLEANUP(buf_free) struct buf answer = { 0 };
    buf_append_format(&answer, "{\"type\":7,\"data\":%s}", body->data);
    const char *problem = checked_answer(answer.data);
    if (problem)
        fail_msg("%s: %s", problem, answer.data);
    assert_true(body->length < JSON_SAFE);
}

static void the_longest_notice_fits_in_every_language(void **state)
{
    struct fixture *fixture = *state;
    struct buf texts[FIELDS_MAX] = { 0 };
    for (int i = 0; server_fields[i].key; i++) {
        longest_of(&server_fields[i], &texts[i]);
        fixture->values.values[i] = buf_view(&texts[i]);
    }
    set(fixture, "log_channel", "11");
    const struct field_values all = fixture->values;
    for (int i = -1; i < 0 || languages[i]; i++) {
        fixture->guild_locale = i < 0 ? STR("en-US") : str_from(language_locales(languages[i])[0]);
        fixture->values = all;
        save_server(fixture);
        fixture->values = (struct field_values){ 0 }; /* and all back */
        save_server(fixture);
    }
    assert_true(fixture->outbox.channel_message_count >= 6);
    for (int i = 0; i < fixture->outbox.channel_message_count; i++)
        assert_possible(&fixture->outbox.channel_messages[i].body);
    for (int i = 0; i < FIELDS_MAX; i++)
        buf_free(&texts[i]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_told_where_no_channel_is_chosen),
        TEST(what_people_set_for_themselves_is_told_to_nobody),
        TEST(the_log_tells_who_and_what_and_pings_nobody),
        TEST(the_log_that_was_hears_where_it_went),
        TEST(what_concerns_all_is_announced_and_nothing_else),
        TEST(a_channel_is_told_in_the_language_of_its_server),
        TEST(the_longest_notice_fits_in_every_language),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
