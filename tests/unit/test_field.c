/* Fields: what may be typed for each kind, how values are shown, and that a form or a page made of
 * them is within Discord's limits whatever the values and the language. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/clock.h"
#include "bronx/services.h"
#include "bronx/settings.h"
#include "bronx/time_zone.h"

#include "reply_checker.h"
#include "services/field_internal.h"
#include "services/time_zones.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS  INT64_C(1790000000000)
#define CHANNEL INT64_C(700000000000000001)
#define VOICE   INT64_C(700000000000000002)
#define ROLE    INT64_C(700000000000000003)
#define HERE    INT64_C(700000000000000004)

/* A call in a channel, with what was picked in a form beside it. */
struct scene {
    struct arena arena;
    struct interaction interaction;
    struct field_value answer;
    struct services services;
    struct call call;
};

static void begin(struct scene *scene, const struct language *language)
{
    static const struct channel channels[] = { { .id = CHANNEL, .type = 0 },
                                               { .id = VOICE, .type = 2 } };
    static const struct role roles[] = { { .id = ROLE } };
    static const struct clock clock;
    *scene = (struct scene){ .services = { .clock = &clock } };
    scene->interaction = (struct interaction){
        .id = (NOW_MS - DISCORD_EPOCH_MS) << 22,
        .type = INTERACTION_COMMAND,
        .guild_id = 1,
        .channel = { .id = HERE, .type = 0 },
        .channel_id = HERE,
        .locale = STR("en-US"),
        .resolved = { .channels = channels, .channel_count = 2, .roles = roles, .role_count = 1 },
    };
    scene->call = (struct call){
        .interaction = &scene->interaction,
        .reply = reply_new(&scene->arena, &scene->interaction),
        .arena = &scene->arena,
        .services = &scene->services,
        .language = language,
        .now_ms = NOW_MS,
        .effect_id = scene->interaction.id,
    };
    settings_defaults(&scene->call);
}

static void end(struct scene *scene)
{
    arena_free(&scene->arena);
}

/* --- One field of each kind --- */

static const struct field_choice colours[] = {
    { "red", "Red", "Like a rose" },
    { "green", "Green", NULL },
    { "blue", "Blue", NULL },
    { NULL, NULL, NULL },
};
static const struct field_choice lengths[] = {
    { "0", "None", NULL }, { "1", "1 day", NULL }, { "7", "7 days", NULL }, { NULL, NULL, NULL }
};
static const int text_channels[] = { 0, -1 };

#define LETTERS_32 "abcdefghijklmnopqrstuvwxyz_ABCDE"

#define COMMON     .label = "Label", .help = "Help"

static const struct field text = { .key = "text", COMMON, .kind = FIELD_TEXT, .min = 2, .max = 8 };
static const struct field optional_text = { .key = "optional",
                                            COMMON,
                                            .kind = FIELD_TEXT,
                                            .min = 1,
                                            .max = 8,
                                            .is_optional = true,
                                            .none = "nothing" };
static const struct field sign = {
    .key = "sign", COMMON, .kind = FIELD_TEXT, .min = 1, .max = 3, .may_be_emoji = true
};
static const struct field number = {
    .key = "number", COMMON, .kind = FIELD_NUMBER, .min = 5, .max = 2500000, .unit = UNIT_COINS
};
static const struct field optional_number = { .key = "limit",
                                              COMMON,
                                              .kind = FIELD_NUMBER,
                                              .min = 1,
                                              .max = 365,
                                              .is_optional = true,
                                              .none = "no limit",
                                              .unit = UNIT_DAYS };
static const struct field duration = {
    .key = "duration", COMMON, .kind = FIELD_DURATION, .min = 1, .max = 40320
};
static const struct field until = {
    .key = "until", COMMON, .kind = FIELD_UNTIL, .is_optional = true, .choices = lengths
};
static const struct field toggle = { .key = "toggle", COMMON, .kind = FIELD_TOGGLE };
static const struct field choice = {
    .key = "choice", COMMON, .kind = FIELD_CHOICE, .choices = colours
};
static const struct field radio = {
    .key = "radio", COMMON, .kind = FIELD_RADIO, .choices = colours
};
static const struct field boxes = {
    .key = "boxes", COMMON, .kind = FIELD_CHECKBOXES, .choices = colours, .min = 1, .max = 2
};
static const struct field user = { .key = "user", COMMON, .kind = FIELD_USER, .min = 1, .max = 1 };
static const struct field role = { .key = "role", COMMON, .kind = FIELD_ROLE, .min = 1, .max = 1 };
static const struct field channel = { .key = "channel",
                                      COMMON,
                                      .kind = FIELD_CHANNEL,
                                      .min = 1,
                                      .max = 2,
                                      .channel_types = text_channels };
static const struct field zone = { .key = "zone", COMMON, .kind = FIELD_TIME_ZONE };

static const struct field *const kinds[] = {
    &text,  &optional_text, &sign, &number, &optional_number, &duration, &until, &toggle, &choice,
    &radio, &boxes,         &user, &role,   &channel,         &zone
};

/* --- Parsing --- */

static const struct {
    const struct field *field;
    const char *typed, *value; /* NULL: refused */
    const char *shown;         /* NULL: not asked */
} parsings[] = {
    { &text, "gems", "gems", "gems" },
    { &text, "  gems \t and ", "gems and", NULL },
    { &text, "g", NULL, NULL },
    { &text, "", NULL, NULL },
    { &text, "123456789", NULL, NULL },
    { &text, "12345678", "12345678", NULL },
    { &text, "two\nlines", NULL, NULL }, /* nine */
    { &text, "a\nb", "a b", NULL },
    { &text, "a\u2028b", "a b", NULL },
    { &text, "\u202eevil", "evil", NULL }, /* would turn what follows */
    { &text, "\u200bz\u200b\ufeffw", "zw", NULL },
    { &text, "\u200b\u200b\u200b", NULL, NULL },
    { &text, "\u3164\u2800\u200d", NULL, NULL }, /* nothing to see */
    { &text, "مرحبا", "مرحبا", "مرحبا" },
    { &text, "שלום\u200f", "שלום\u200f", NULL },
    { &text, "👩‍👩‍👧", "👩‍👩‍👧", "👩‍👩‍👧" },
    { &text, "🇪🇸", "🇪🇸", NULL },
    { &text, "👍🏽👍🏽👍🏽👍🏽", "👍🏽👍🏽👍🏽👍🏽", NULL },
    { &text, "👍🏽👍🏽👍🏽👍🏽👍🏽", NULL, NULL },
    { &text, "**b**", "**b**", "\\*\\*b\\*\\*" },
    { &text, "<@1>", "<@1>", "\\<\\@1\\>" },
    { &text, "a=b", "a=b", NULL },
    { &text, "\xff\xfe", NULL, NULL },
    { &optional_text, "", "", "nothing" },
    { &optional_text, "Nothing", "", NULL },
    { &optional_text, "none", "", NULL },
    { &sign, "$", "$", "$" },
    { &sign, "<:gem:412345678901234567>", "<:gem:412345678901234567>",
      "<:gem:412345678901234567>" },
    { &sign, " <a:Gem_2:412345678901234567> ", "<a:Gem_2:412345678901234567>",
      "<a:Gem_2:412345678901234567>" },
    { &sign, "<:" LETTERS_32 ":9223372036854775807>", "<:" LETTERS_32 ":9223372036854775807>",
      NULL },
    { &sign, "<:" LETTERS_32 "a:1>", NULL, NULL },
    { &sign, "<:g:412345678901234567>", NULL, NULL },
    { &sign, "<:gem:0>", NULL, NULL },
    { &sign, "<:gem:99999999999999999999>", NULL, NULL },
    { &sign, "<:gem:412345678901234567", NULL, NULL },
    { &sign, "<:gem>", NULL, NULL },
    { &sign, "<b:gem:412345678901234567>", NULL, NULL },
    { &sign, "<:g*m:412345678901234567>", NULL, NULL },
    { &sign, "<:gem:412345678901234567>$", NULL, NULL },
    { &sign, "<:gem:1><:gem:1>", NULL, NULL },
    { &sign, "<@412345678901234567>", NULL, NULL },
    { &sign, "</pay:412345678901234567>", NULL, NULL },
    { &sign, "<t:1790000000:R>", NULL, NULL },
    { &sign, ":gem:", NULL, NULL },                  /* no more than its name */
    { &text, "<:a:1>", "<:a:1>", "\\<\\:a\\:1\\>" }, /* where it may be none */
    { &number, "5", "5", "5 coins" },
    { &number, "4", NULL, NULL },
    { &number, "2.5m", "2500000", "2,500,000 coins" },
    { &number, "1,000", "1000", NULL },
    { &number, " 1k ", "1000", NULL },
    { &number, "2500001", NULL, NULL },
    { &number, "99999999999999999999999", NULL, NULL },
    { &number, "-5", NULL, NULL },
    { &number, "0", NULL, NULL },
    { &number, "007", "7", NULL },
    { &number, "all", NULL, NULL },
    { &number, "ten", NULL, NULL },
    { &number, "", NULL, NULL },
    { &optional_number, "", "0", "no limit" },
    { &optional_number, "0", "0", NULL },
    { &optional_number, "NO LIMIT", "0", NULL },
    { &optional_number, "1", "1", "1 day" },
    { &optional_number, "365", "365", "365 days" },
    { &optional_number, "366", NULL, NULL },
    { &optional_number, "7 days", "7", NULL },
    { &optional_number, "1 Day", "1", NULL },
    { &optional_number, "0 days", "0", NULL },
    { &optional_number, "7 votes", NULL, NULL },
    { &optional_number, "days", NULL, NULL },
    { &optional_number, "\u200b", NULL, NULL }, /* not empty: a mistake */
    { &number, "500 coins", "500", NULL },
    { &number, "1k coins", "1000", NULL },
    { &number, "5\u200b00", "500", NULL },
    { &duration, "90m", "90", "1 hour 30 minutes" },
    { &duration, "7 days", "10080", "7 days" },
    { &duration, "1d12h", "2160", "1 day 12 hours" },
    { &duration, "1 day, 12 hours", "2160", NULL },
    { &duration, "4w", "40320", "28 days" },
    { &duration, "15", "15", "15 minutes" },
    { &duration, "29d", NULL, NULL },
    { &duration, "0", NULL, NULL },
    { &duration, "99999999999999999d", NULL, NULL },
    { &duration, "30 seconds", NULL, NULL },
    { &duration, "1 month", NULL, NULL },
    { &duration, "2 meses", NULL, NULL },
    { &duration, "1 semana 30 minutos", "10110", NULL },
    { &until, "1", "1790086400000", "until <t:1790086400:f>" },
    { &until, "7 days", "1790604800000", NULL },
    { &until, "None", "0", "none" },
    { &until, "", "0", NULL },
    { &until, "1790000000001", "1790000000001", NULL }, /* as the form sends it back */
    { &until, "1890000000000", NULL, NULL },            /* longer than can be chosen */
    { &until, "2", NULL, NULL },
    { &toggle, "on", "on", "On" },
    { &toggle, "YES", "on", NULL },
    { &toggle, "disabled", "off", "Off" },
    { &toggle, "enable", "on", NULL },
    { &toggle, "disable", "off", NULL },
    { &toggle, "Sí", "on", NULL }, /* whatever the reader's language */
    { &toggle, "SI\u0301", "on", NULL },
    { &toggle, "si", "on", NULL },
    { &toggle, "maybe", NULL, NULL },
    { &toggle, "", NULL, NULL },
    { &choice, "red", "red", "Red" },
    { &choice, "GREEN", "green", NULL },
    { &choice, "pink", NULL, NULL },
    { &radio, "Blue", "blue", "Blue" },
    { &radio, "", NULL, NULL },
    { &boxes, "blue,red", "red,blue", "Red, Blue" },
    { &boxes, "Blue", "blue", NULL },
    { &boxes, "red,green,blue", NULL, NULL },
    { &boxes, "red, pink", NULL, NULL },
    { &boxes, "", NULL, NULL },
    { &user, "<@123>", "123", "<@123>" },
    { &user, "<@!123>", "123", NULL },
    { &user, "123,124", NULL, NULL },
    { &user, "bob", NULL, NULL },
    { &user, "-1", NULL, NULL },
    { &role, "700000000000000003", "700000000000000003", "<@&700000000000000003>" },
    { &role, "700000000000000009", NULL, NULL },
    { &channel, "<#700000000000000001>", "700000000000000001", "<#700000000000000001>" },
    { &channel, "700000000000000004", "700000000000000004", NULL }, /* where this happens */
    { &channel, "<#700000000000000001><#700000000000000004>",
      "700000000000000001,700000000000000004", "<#700000000000000001>, <#700000000000000004>" },
    { &channel, "700000000000000001, 700000000000000001", "700000000000000001", NULL },
    { &channel, "700000000000000002", NULL, NULL }, /* of another kind */
    { &channel, "700000000000000009", NULL, NULL }, /* perhaps of another server */
    { &channel, "general", NULL, NULL },
    { &zone, "New York", "America/New_York", "America/New\\_York" },
    { &zone, "utc", "UTC", "UTC" },
    { &zone, "Moon", NULL, NULL },
};

static void what_is_typed_becomes_canonical_or_is_refused_with_a_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(parsings); i++) {
        struct scene scene;
        struct str_view value, problem;
        begin(&scene, NULL);
        bool is_good = field_parse(parsings[i].field, &scene.call, str_from(parsings[i].typed),
                                   &value, &problem);
        if (is_good != !!parsings[i].value || !str_equal(value, str_from(parsings[i].value)))
            fail_msg("%s: \"%s\" becomes \"%.*s\", %.*s", parsings[i].field->key, parsings[i].typed,
                     STR_ARGS(value), STR_ARGS(problem));
        assert_true(is_good ? !problem.data : problem.length > 10);
        assert_true(!is_good || field_is_valid(parsings[i].field, &scene.call, value));
        struct str_view shown = is_good && parsings[i].shown
                                    ? field_show(parsings[i].field, &scene.call, value)
                                    : str_from(parsings[i].shown);
        if (!str_equal(shown, str_from(parsings[i].shown)))
            fail_msg("%s: \"%.*s\" is shown as \"%.*s\"", parsings[i].field->key, STR_ARGS(value),
                     STR_ARGS(shown));
        end(&scene);
    }
}

/* What is kept can be typed again: an edit that changes nothing changes nothing. */
static void a_canonical_value_parses_to_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(parsings); i++) {
        struct scene scene;
        struct str_view value, problem, again;
        begin(&scene, NULL);
        if (field_parse(parsings[i].field, &scene.call, str_from(parsings[i].typed), &value,
                        &problem)) {
            assert_true(field_parse(parsings[i].field, &scene.call, value, &again, &problem));
            assert_true(str_equal(again, value));
        }
        end(&scene);
    }
}

static const char *form_of(struct scene *scene, const struct field *field, struct str_view present,
                           struct str_view problem);

static const char *only_even(const struct call *call, struct str_view value)
{
    (void)call;
    return (value.data[value.length - 1] - '0') % 2 == 0 ? NULL : "It must be even.";
}

static void a_rule_of_its_own_is_asked_last(void **state)
{
    (void)state;
    struct field even = number;
    struct scene scene;
    struct str_view value, problem;
    even.reject = only_even;
    begin(&scene, NULL);
    assert_true(field_parse(&even, &scene.call, STR("6"), &value, &problem));
    assert_false(field_parse(&even, &scene.call, STR("7"), &value, &problem));
    assert_true(str_equal(problem, STR("It must be even.")));
    assert_null(value.data);
    assert_false(field_is_valid(&even, &scene.call, STR("7")));
    end(&scene);
}

static void a_break_that_runs_is_refused_a_shorter_one_in_words(void **state)
{
    (void)state;
    const struct field *cool_off = field_find(user_fields, STR("cool_off"));
    struct user_settings person = { .cool_off_until_ms = NOW_MS + 7 * MS_PER_DAY };
    struct scene scene;
    struct str_view value, problem;
    begin(&scene, NULL);
    scene.call.person = &person;
    assert_false(field_parse(cool_off, &scene.call, STR("3 days"), &value, &problem));
    assert_false(field_parse(cool_off, &scene.call, STR("none"), &value, &problem));
    assert_true(problem.length > 20);
    assert_true(field_parse(cool_off, &scene.call, STR("30 days"), &value, &problem));
    assert_true(field_parse(cool_off, &scene.call, STR("1790604800000"), &value, &problem));
    person.cool_off_until_ms = NOW_MS;
    assert_true(field_parse(cool_off, &scene.call, STR("none"), &value, &problem));
    end(&scene);
}

static void a_break_that_runs_is_offered_only_longer_ones(void **state)
{
    (void)state;
    const struct field *cool_off = field_find(user_fields, STR("cool_off"));
    struct user_settings person = { .cool_off_until_ms = NOW_MS + 7 * MS_PER_DAY,
                                    .time_zone = STR("Europe/Madrid") };
    struct scene scene;
    begin(&scene, NULL);
    scene.call.person = &person;
    const char *json = form_of(&scene, cool_off, STR("1790604800000"), STR_NONE);
    assert_non_null(strstr(json, "\"value\":\"1790604800000\",\"default\":true"));
    assert_non_null(strstr(json, "until 2026-09-28 16:13 Europe/Madrid"));
    assert_non_null(strstr(json, "\"value\":\"30\""));
    static const char *const sooner[] = { "\"value\":\"0\"", "\"value\":\"1\"", "\"value\":\"3\"" };
    for (size_t i = 0; i < ARRAY_LENGTH(sooner); i++)
        assert_null(strstr(json, sooner[i]));
    end(&scene);

    begin(&scene, NULL);
    scene.call.person = &person;
    person.cool_off_until_ms = NOW_MS + 90 * MS_PER_DAY; /* of a version with longer ones */
    form_of(&scene, cool_off, STR("0"), STR_NONE);
    end(&scene);

    begin(&scene, NULL);
    scene.call.person = &person;
    person.cool_off_until_ms = 0;
    assert_non_null(strstr(form_of(&scene, cool_off, STR("0"), STR_NONE), "\"value\":\"1\""));
    end(&scene);
}

static void an_answer_that_was_refused_is_quoted_as_it_was_given(void **state)
{
    (void)state;
    static const struct {
        const struct field *field;
        const char *answer, *quoted;
    } quotes[] = {
        { &until, "1", "1 day" },
        { &until, "0", "None" },
        { &until, "soon", "soon" },
        { &number, "0", "0" },
        { &number, "1000", "1000" },
        { &number, "*lots*", "\\*lots\\*" },
        { &toggle, "off", "Off" },
        { &toggle, "maybe", "maybe" },
        { &boxes, "red,blue", "Red, Blue" },
        { &channel, "700000000000000001", "<#700000000000000001>" },
        { &channel, "<#1>", "\\<\\#1\\>" },
    };
    struct scene scene;
    begin(&scene, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(quotes); i++) {
        struct str_view quoted =
            field_quote(quotes[i].field, &scene.call, str_from(quotes[i].answer));
        if (!str_equal(quoted, str_from(quotes[i].quoted)))
            fail_msg("%s is quoted as %.*s", quotes[i].answer, STR_ARGS(quoted));
    }
    end(&scene);
}

static void a_number_has_the_unit_that_its_reader_sees(void **state)
{
    (void)state;
    struct server_settings gems = { .currency_name = STR("gems"), .currency_symbol = STR("💎") };
    struct server_settings k = { .currency_name = STR("k"), .currency_symbol = STR("") };
    struct server_settings emoji = { .currency_name = STR("gems"),
                                     .currency_symbol = STR("<:gem:412345678901234567>") };
    static const struct {
        const struct field *field;
        const char *typed, *value;
    } typed[] = {
        { &number, "500 gems", "500" },      { &number, "💎 500 gems", "500" },
        { &number, "💎500", "500" },          { &number, "500 stones", NULL },
        { &optional_number, "7 días", "7" }, { &optional_number, "1 dia", "1" },
        { &optional_number, "7 days", "7" },
    };
    struct scene scene;
    struct str_view value, problem;
    begin(&scene, language_of(STR("es-ES")));
    scene.call.server = &gems;
    for (size_t i = 0; i < ARRAY_LENGTH(typed); i++) {
        field_parse(typed[i].field, &scene.call, str_from(typed[i].typed), &value, &problem);
        if (!str_equal(value, str_from(typed[i].value)))
            fail_msg("%s is %.*s", typed[i].typed, STR_ARGS(value));
    }
    static const char *const with_emoji[] = { "<:gem:412345678901234567> 500 gems", "500 gems",
                                              "<:gem:412345678901234567>500", ":gem: 500 gems" };
    scene.call.server = &emoji;
    for (size_t i = 0; i < ARRAY_LENGTH(with_emoji); i++) {
        assert_true(field_parse(&number, &scene.call, str_from(with_emoji[i]), &value, &problem));
        assert_true(str_equal(value, STR("500")));
    }
    assert_false(field_parse(&number, &scene.call, STR("<:ruby:1> 500"), &value, &problem));
    scene.call.server = &k;
    assert_true(field_parse(&number, &scene.call, STR("5k"), &value, &problem));
    assert_true(str_equal(value, STR("5000")));
    end(&scene);
}

/* What a problem says can be typed is accepted. */
static void the_example_in_a_problem_is_good(void **state)
{
    (void)state;
    for (int i = 0; server_fields[i].key; i++) {
        const struct field *field = &server_fields[i];
        struct scene scene;
        struct str_view value, problem, rest, part;
        if (field->kind != FIELD_NUMBER)
            continue;
        begin(&scene, NULL);
        assert_false(field_parse(field, &scene.call, STR("lots"), &value, &problem));
        const char *like = strstr(arena_copy(&scene.arena, problem).data, "like ");
        assert_non_null(like);
        rest = str_from(like + strlen("like "));
        assert_true(str_split(&rest, ',', &part));
        while (part.length > 0 && part.data[part.length - 1] == '.')
            part.length--;
        assert_true(field_parse(field, &scene.call, part, &value, &problem));
        end(&scene);
    }
}

static void a_currencys_symbol_has_no_digits(void **state)
{
    (void)state;
    const struct field *symbol = field_find(server_fields, STR("currency_symbol"));
    static const char *const bad[] = { "5", "$1", "1\ufe0f\u20e3" };
    struct scene scene;
    struct str_view value, problem;
    begin(&scene, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_false(field_parse(symbol, &scene.call, str_from(bad[i]), &value, &problem));
        assert_true(str_starts_with(problem, STR("A symbol with digits")));
    }
    assert_true(field_parse(symbol, &scene.call, STR("$"), &value, &problem));
    assert_true(
        field_parse(symbol, &scene.call, STR("<:gem:412345678901234567>"), &value, &problem));
    end(&scene);
}

static void a_currencys_name_begins_with_no_digit(void **state)
{
    (void)state;
    const struct field *name = field_find(server_fields, STR("currency_name"));
    struct scene scene;
    struct str_view value, problem;
    begin(&scene, NULL);
    assert_false(field_parse(name, &scene.call, STR("000 gems"), &value, &problem));
    assert_true(str_starts_with(problem, STR("A name that begins with a digit")));
    assert_true(field_parse(name, &scene.call, STR("gems of 1999"), &value, &problem));
    assert_true(field_parse(name, &scene.call, STR(""), &value, &problem));
    end(&scene);
}

/* --- Lines and members --- */

static const struct field table[] = {
    { .key = "a", .kind = FIELD_TEXT, .initial = "x", .min = 1, .max = 5 },
    { .key = "b", .kind = FIELD_NUMBER, .initial = "7", .max = 10 },
    { .key = "c", .kind = FIELD_TOGGLE, .initial = "on" },
    { .key = NULL },
};

static void lines_are_read_as_they_were_written(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct field_values values = { .values = { STR("x=y"), STR_NONE, STR("") } }, read;
    struct str_view lines = field_lines(table, &values, &arena);
    assert_true(str_equal(lines, STR("a=x=y\nc=\n")));
    field_lines_read(table, lines, &read);
    assert_true(str_equal(read.values[0], STR("x=y")));
    assert_null(read.values[1].data);
    assert_true(read.values[2].data && read.values[2].length == 0);
    assert_true(str_equal(field_value_of(table, &read, 1), STR("7")));
    assert_true(str_equal(field_value_of(table, &read, 2), STR("")));
    arena_free(&arena);
}

static void unknown_lines_are_kept_wherever_they_stand(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct field_values read;
    field_lines_read(table, STR("u=1\nb=3\nnonsense\nv=2\nc=off\nw="), &read);
    read.values[1] = STR("4");
    assert_true(str_equal(field_lines(table, &read, &arena), STR("b=4\nc=off\nu=1\nv=2\nw=\n")));
    arena_free(&arena);
}

/* What somebody typed may be kept, too, until it is right. */
static void a_line_break_in_a_value_makes_no_line(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct field_values values = { .values = { STR("x\nb=9") } }, read;
    field_lines_read(table, field_lines(table, &values, &arena), &read);
    assert_true(str_equal(read.values[0], STR("x b=9")));
    assert_null(read.values[1].data);
    arena_free(&arena);
}

struct all {
    struct str_view text, zone;
    int64_t number, minutes, until;
    bool is_on;
    int colour;
    uint64_t colours;
    struct field_ids channels;
};

static void members_get_values_and_defaults_where_there_is_no_good_one(void **state)
{
    (void)state;
    const struct field fields[] = {
        { .key = "a",
          .kind = FIELD_TEXT,
          .initial = "x",
          .min = 1,
          .max = 5,
          .member = offsetof(struct all, text) },
        { .key = "b",
          .kind = FIELD_NUMBER,
          .initial = "7",
          .max = 10,
          .member = offsetof(struct all, number) },
        { .key = "c",
          .kind = FIELD_TOGGLE,
          .initial = "on",
          .member = offsetof(struct all, is_on) },
        { .key = "d",
          .kind = FIELD_CHOICE,
          .initial = "red",
          .choices = colours,
          .member = offsetof(struct all, colour) },
        { .key = "e",
          .kind = FIELD_CHECKBOXES,
          .initial = "",
          .is_optional = true,
          .max = 3,
          .choices = colours,
          .member = offsetof(struct all, colours) },
        { .key = "f",
          .kind = FIELD_CHANNEL,
          .initial = "",
          .is_optional = true,
          .max = 3,
          .member = offsetof(struct all, channels) },
        { .key = "g",
          .kind = FIELD_TIME_ZONE,
          .initial = "UTC",
          .member = offsetof(struct all, zone) },
        { .key = "h",
          .kind = FIELD_DURATION,
          .initial = "60",
          .min = 1,
          .max = 100,
          .member = offsetof(struct all, minutes) },
        { .key = "i",
          .kind = FIELD_UNTIL,
          .initial = "0",
          .is_optional = true,
          .choices = lengths,
          .member = offsetof(struct all, until) },
        { .key = NULL },
    };
    struct arena arena = { 0 };
    struct field_values values;
    struct all all;
    field_lines_read(fields,
                     STR("a=yes\nb=10\nc=off\nd=blue\ne=red,blue\nf=5,6\ng=Asia/Tokyo\nh=90\ni=8"),
                     &values);
    assert_int_equal(field_fill(fields, &values, &arena, &all, NULL), 0);
    assert_true(str_equal(all.text, STR("yes")) && str_equal(all.zone, STR("Asia/Tokyo")));
    assert_true(all.number == 10 && all.minutes == 90 && all.until == 8 && !all.is_on);
    assert_true(all.colour == 2 && all.colours == 5);
    assert_true(all.channels.count == 2 && all.channels.ids[0] == 5 && all.channels.ids[1] == 6);

    static const char *const bad[] = { "", "a=\nb=11\nc=yes\nd=pink\ne=blue,red\nf=5,x\ng=Moon\n"
                                           "h=0\ni=-1" };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        field_lines_read(fields, str_from(bad[i]), &values);
        assert_int_equal(field_fill(fields, &values, &arena, &all, NULL), 0);
        assert_true(str_equal(all.text, STR("x")) && str_equal(all.zone, STR("UTC")));
        assert_true(all.number == 7 && all.minutes == 60 && all.until == 0 && all.is_on);
        assert_true(all.colour == 0 && all.colours == 0 && all.channels.count == 0);
    }
    arena_free(&arena);
}

/* --- Forms --- */

/* What Discord would be sent; fails the test when it would refuse. Freed by the next. */
static const char *answer_of(struct scene *scene, const char *what)
{
    static struct buf json;
    struct err err = { 0 };
    buf_clear(&json);
    if (reply_serialize(scene->call.reply, &json, &err) != 0)
        fail_msg("%s: %s", what, err.message);
    const char *fault = checked_answer(json.data);
    if (fault)
        fail_msg("%s: %s in %s", what, fault, json.data);
    return json.data;
}

static const char *form_of(struct scene *scene, const struct field *field, struct str_view present,
                           struct str_view problem)
{
    reply_modal(scene->call.reply, STR("test:1"), STR("Title"));
    field_ask(field, &scene->call, present, problem);
    return answer_of(scene, field->key);
}

static void assert_form(const struct field *field, const char *present, const char *part)
{
    struct scene scene;
    begin(&scene, NULL);
    const char *json = form_of(&scene, field, str_from(present), STR_NONE);
    if (!strstr(json, part))
        fail_msg("no %s in %s", part, json);
    end(&scene);
}

static void a_form_is_filled_in_with_what_is_there(void **state)
{
    (void)state;
    assert_form(&text, "gems", "\"value\":\"gems\"");
    assert_form(&sign, "<:gem:412345678901234567>", "\"value\":\"<:gem:412345678901234567>\"");
    assert_form(&sign, "$", "\"max_length\":56");
    assert_form(&number, "1000", "\"value\":\"1000\"");
    assert_form(&optional_number, "0", "\"placeholder\":\"no limit\"");
    assert_form(&duration, "90", "\"value\":\"1 hour 30 minutes\"");
    assert_form(&toggle, "on", "\"default\":true");
    assert_form(&choice, "green", "\"value\":\"green\",\"default\":true");
    assert_form(&radio, "blue", "\"value\":\"blue\",\"default\":true");
    assert_form(&boxes, "red,blue", "\"value\":\"blue\",\"default\":true");
    assert_form(&channel, "700000000000000001", "\"id\":\"700000000000000001\"");
    assert_form(&zone, "Europe/Madrid", "\"value\":\"Europe/Madrid\"");
    assert_form(&until, "1790086400000", "\"label\":\"until 2026-09-22 14:13 UTC\"");
    assert_form(&until, "1789999999999", "\"value\":\"0\",\"default\":true"); /* it is over */
}

static void a_problem_takes_the_place_of_the_help_and_what_was_typed_stays(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, NULL);
    const char *json = form_of(&scene, &text, STR("much too long a text"), STR("Too long."));
    assert_non_null(strstr(json, "much too long a text"));
    assert_non_null(strstr(json, "Too long."));
    assert_null(strstr(json, "Help"));
    end(&scene);
}

static void assert_answer(const struct field *field, struct field_value answer,
                          const char *expected)
{
    struct scene scene;
    begin(&scene, NULL);
    answer.custom_id = str_from(field->key);
    scene.interaction.fields = &answer;
    scene.interaction.field_count = 1;
    struct str_view got = field_answer(field, &scene.call);
    if (!got.data || !str_equal(got, str_from(expected)))
        fail_msg("%s: \"%.*s\"", field->key, STR_ARGS(got));
    assert_null(field_answer(field == &text ? &number : &text, &scene.call).data);
    end(&scene);
}

static void the_answers_of_a_form_are_text_to_parse(void **state)
{
    (void)state;
    const struct str_view two[] = { STR("blue"), STR("red") };
    assert_answer(&text, (struct field_value){ .value = STR("gems") }, "gems");
    assert_answer(&text, (struct field_value){ .value = STR_NONE }, "");
    assert_answer(&toggle, (struct field_value){ .is_checked = true }, "on");
    assert_answer(&toggle, (struct field_value){ .is_checked = false }, "off");
    assert_answer(&radio, (struct field_value){ .value = STR("red") }, "red");
    assert_answer(&boxes, (struct field_value){ .values = two, .value_count = 2 }, "blue,red");
    assert_answer(&channel, (struct field_value){ .value_count = 0 }, "");
    assert_answer(&choice, (struct field_value){ .values = two, .value_count = 1 }, "blue");
}

/* --- Suggestions --- */

static void assert_suggestion(const struct field *field, const char *typed, const char *part,
                              bool is_there)
{
    struct scene scene;
    begin(&scene, NULL);
    scene.interaction.type = INTERACTION_AUTOCOMPLETE;
    field_suggest(field, &scene.call, str_from(typed));
    const char *json = answer_of(&scene, field->key);
    if (!strstr(json, part) == is_there)
        fail_msg("%s: \"%s\" gives %s", field->key, typed, json);
    end(&scene);
}

static void suggestions_fit_what_is_typed(void **state)
{
    (void)state;
    assert_suggestion(&toggle, "", "\"name\":\"On\",\"value\":\"on\"", true);
    assert_suggestion(&toggle, "of", "\"value\":\"on\"", false);
    assert_suggestion(&choice, "gre", "\"value\":\"green\"", true);
    assert_suggestion(&choice, "gre", "\"value\":\"red\"", false);
    assert_suggestion(&zone, "new y", "\"value\":\"America/New_York\"", true);
    assert_suggestion(&sign, "<a:gem:41>", "\"name\":\":gem:\",\"value\":\"<a:gem:41>\"", true);
    assert_suggestion(&number, "1k", "\"name\":\"1,000\",\"value\":\"1k\"", true);
    assert_suggestion(&number, "x", "\"choices\":[]", true);
    assert_suggestion(&optional_number, "", "\"name\":\"no limit\",\"value\":\"none\"", true);
    assert_suggestion(&until, "7", "\"name\":\"7 days\",\"value\":\"7\"", true);
}

/* --- Whatever the value --- */

#define TRIES 150

static const char *const pieces[] = {
    "a",  "Z",      "0",         "9",       "k",      ",",      ".",
    " ",  "*",      "_",         "<#",      "7",      ">",      "\n",
    "\"", "\\",     "é",         "م",       "\u202e", "\u200b", "👩‍👩‍👧",
    "🇪🇸", "\u0301", "@everyone", "<:gem:1>"
};

static struct str_view random_text(struct arena *arena, unsigned *seed)
{
    CLEANUP(buf_free) struct buf made = { 0 };
    size_t length = (size_t)rand_r(seed) % (rand_r(seed) % 8 == 0 ? 6500 : 40);
    for (size_t units = 0; units < length;) {
        struct str_view piece = str_from(pieces[(size_t)rand_r(seed) % ARRAY_LENGTH(pieces)]);
        units += utf8_units(piece);
        buf_append(&made, piece);
    }
    return made.length > 0 ? arena_copy(arena, buf_view(&made)) : STR("");
}

/* The longest of each kind: as many of the longest characters, ids and choices as there may be. */
static struct str_view longest_value(const struct field *field, struct arena *arena)
{
    CLEANUP(buf_free) struct buf made = { 0 };
    bool has_ids =
        field->kind == FIELD_USER || field->kind == FIELD_ROLE || field->kind == FIELD_CHANNEL;
    struct str_view longest = STR("UTC");
    if (field->kind == FIELD_NUMBER || field->kind == FIELD_DURATION)
        return arena_format(arena, "%" PRId64, field->max);
    if (field->kind == FIELD_UNTIL)
        return arena_format(arena, "%" PRId64, DISCORD_INTEGER_MAX);
    if (field->kind == FIELD_TOGGLE)
        return STR("off");
    if (field->may_be_emoji)
        return STR("<a:" LETTERS_32 ":9223372036854775807>");
    for (int i = 0; field->kind == FIELD_TEXT && i < field->max; i++)
        buf_append(&made, STR("_\u200d"));
    for (int i = 0; has_ids && i < field_most(field); i++)
        buf_append_format(&made, "%s%" PRId64, i > 0 ? "," : "", INT64_MAX - i);
    for (int i = 0; field->kind == FIELD_CHECKBOXES && i < field_most(field); i++)
        buf_append_format(&made, "%s%s", i > 0 ? "," : "", field->choices[i].value);
    for (int i = 0; field->kind == FIELD_TIME_ZONE && i < time_zone_count; i++)
        if (strlen(time_zone_names[i]) > longest.length)
            longest = str_from(time_zone_names[i]);
    if (field->kind == FIELD_CHOICE || field->kind == FIELD_RADIO)
        return str_from(field->choices[0].value);
    return field->kind == FIELD_TIME_ZONE ? longest : arena_copy(arena, buf_view(&made));
}

/* Asked for, shown and suggested with `value` present, whether or not it is a good one. */
static void assert_within_limits(const struct field *field, const struct language *language,
                                 struct str_view value)
{
    struct scene scene;
    struct str_view canonical, problem;
    begin(&scene, language);
    bool is_good = field_parse(field, &scene.call, value, &canonical, &problem);
    form_of(&scene, field, value, problem);
    reply_reset(scene.call.reply);
    struct str_view shown = field_show(field, &scene.call, is_good ? canonical : value);
    struct str_view plain = field_show_plain(field, &scene.call, is_good ? canonical : value);
    assert_true(shown.data && utf8_is_valid(shown) && !memchr(plain.data, '\0', plain.length));
    assert_true(plain.data && utf8_units(plain) <= 100);
    /* Pages of five of them, and the reason why not: within 4,000 characters. */
    assert_true(!is_good || utf8_units(shown) <= 700);
    assert_true(utf8_units(problem) <= 300);
    reply_text(scene.call.reply, "x%.*s", STR_ARGS(is_good ? shown : problem));
    answer_of(&scene, field->key);
    reply_reset(scene.call.reply);
    scene.interaction.type = INTERACTION_AUTOCOMPLETE;
    field_suggest(field, &scene.call, value);
    answer_of(&scene, field->key);
    end(&scene);
}

static void try_field(const struct field *field, unsigned *seed)
{
    struct arena arena = { 0 };
    for (size_t i = 0; i == 0 || languages[i - 1]; i++) {
        const struct language *language = i == 0 ? NULL : languages[i - 1]; /* English first */
        struct str_view longest = longest_value(field, &arena);
        assert_true(field_is_allowed(field, longest));
        assert_within_limits(field, language, longest);
        assert_within_limits(field, language, STR(""));
        assert_within_limits(field, language, str_from(field->initial));
        for (int k = 0; k < TRIES; k++)
            assert_within_limits(field, language, random_text(&arena, seed));
        arena_free(&arena);
    }
}

static void whatever_the_value_and_language_discord_takes_it(void **state)
{
    (void)state;
    unsigned seed = 5;
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        try_field(kinds[i], &seed);
    for (enum settings_scope scope = SETTINGS_OF_SERVER; scope <= SETTINGS_OF_USER; scope++)
        for (const struct field *field = settings_fields(scope); field->key; field++)
            try_field(field, &seed);
}

/* --- The tables of settings --- */

/* As field_fill writes it. */
static size_t member_size(const struct field *field)
{
    switch (field->kind) {
    case FIELD_TOGGLE:
        return sizeof(bool);
    case FIELD_NUMBER:
    case FIELD_DURATION:
    case FIELD_UNTIL:
        return sizeof(int64_t);
    case FIELD_CHOICE:
    case FIELD_RADIO:
        return sizeof(int);
    case FIELD_CHECKBOXES:
        return sizeof(uint64_t);
    case FIELD_TEXT:
    case FIELD_TIME_ZONE:
        return sizeof(struct str_view);
    case FIELD_USER:
    case FIELD_ROLE:
    case FIELD_CHANNEL:
        return sizeof(struct field_ids);
    }
    return 0;
}

/* A forgotten member is the revision; one of another kind's type reaches into its neighbour. */
static void assert_has_room(const struct field *fields, const struct field *field, size_t size)
{
    if (field->member < sizeof(int64_t) || field->member + member_size(field) > size)
        fail_msg("%s has no member of its own", field->key);
    for (const struct field *other = fields; other->key; other++)
        if (other != field && other->member >= field->member &&
            other->member < field->member + member_size(field))
            fail_msg("the member of %s is too small for its kind", field->key);
}

static void every_setting_has_a_member_that_holds_it(void **state)
{
    (void)state;
    for (const struct field *field = server_fields; field->key; field++)
        assert_has_room(server_fields, field, sizeof(struct server_settings));
    for (const struct field *field = user_fields; field->key; field++)
        assert_has_room(user_fields, field, sizeof(struct user_settings));
}

static void every_setting_is_a_sound_field(void **state)
{
    (void)state;
    struct err err = { 0 };
    for (enum settings_scope scope = SETTINGS_OF_SERVER; scope <= SETTINGS_OF_USER; scope++)
        if (field_list_check(settings_fields(scope), &err) != 0)
            fail_msg("%s", err.message);
}

static void vote_ban_is_asked_for_only_where_there_is_one(void **state)
{
    (void)state;
    static const struct command voteban = { .name = "voteban" };
    static const struct command *const with[] = { &voteban, NULL };
    static const struct command *const without[] = { NULL };
    const struct field *field = field_find(server_fields, STR("voteban_votes"));
    const struct field_values values = { 0 };
    struct scene scene;
    begin(&scene, NULL);
    assert_false(field->applies(&scene.call, &values));
    scene.services.commands = without;
    assert_false(field->applies(&scene.call, &values));
    scene.services.commands = with;
    assert_true(field->applies(&scene.call, &values));
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_typed_becomes_canonical_or_is_refused_with_a_reason),
        cmocka_unit_test(a_canonical_value_parses_to_itself),
        cmocka_unit_test(a_rule_of_its_own_is_asked_last),
        cmocka_unit_test(a_break_that_runs_is_refused_a_shorter_one_in_words),
        cmocka_unit_test(a_break_that_runs_is_offered_only_longer_ones),
        cmocka_unit_test(an_answer_that_was_refused_is_quoted_as_it_was_given),
        cmocka_unit_test(a_number_has_the_unit_that_its_reader_sees),
        cmocka_unit_test(the_example_in_a_problem_is_good),
        cmocka_unit_test(a_currencys_symbol_has_no_digits),
        cmocka_unit_test(a_currencys_name_begins_with_no_digit),
        cmocka_unit_test(lines_are_read_as_they_were_written),
        cmocka_unit_test(unknown_lines_are_kept_wherever_they_stand),
        cmocka_unit_test(a_line_break_in_a_value_makes_no_line),
        cmocka_unit_test(members_get_values_and_defaults_where_there_is_no_good_one),
        cmocka_unit_test(a_form_is_filled_in_with_what_is_there),
        cmocka_unit_test(a_problem_takes_the_place_of_the_help_and_what_was_typed_stays),
        cmocka_unit_test(the_answers_of_a_form_are_text_to_parse),
        cmocka_unit_test(suggestions_fit_what_is_typed),
        cmocka_unit_test(whatever_the_value_and_language_discord_takes_it),
        cmocka_unit_test(every_setting_is_a_sound_field),
        cmocka_unit_test(every_setting_has_a_member_that_holds_it),
        cmocka_unit_test(vote_ban_is_asked_for_only_where_there_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
