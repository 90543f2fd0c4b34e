/* Languages: which one a locale is, texts and plurals in it, and that no translation is longer than
 * the place it is for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/command.h"
#include "bronx/language.h"
#include "bronx/settings.h"
#include "language/catalogue.h"

#include "commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct language *spanish(void)
{
    return language_of(STR("es-ES"));
}

static void a_locale_has_its_language_and_others_are_english(void **state)
{
    (void)state;
    static const char *const others[] = { "en-US", "en-GB", "de", "es", "es-XX", "", "pt-BR" };
    const struct language *english = language_of(STR_NONE);
    assert_string_equal(spanish()->code, "es");
    assert_ptr_equal(language_of(STR("es-419")), spanish());
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        assert_ptr_equal(language_of(str_from(others[i])), english);
    assert_string_equal(language_text(english, "Try again"), "Try again");
    assert_string_equal(language_name(english, "daily"), "daily");
}

static void a_call_without_a_language_is_english(void **state)
{
    (void)state;
    const struct call call = { .now_ms = 1 };
    assert_string_equal(tr(&call, "Try again"), "Try again");
    assert_string_equal(tr_name(&call, "daily"), "daily");
    assert_string_equal(tr_plural(&call, "%lld day", "%lld days", 1), "%lld day");
    assert_string_equal(tr_plural(&call, "%lld day", "%lld days", 2), "%lld days");
}

static void every_text_of_a_catalogue_is_found(void **state)
{
    (void)state;
    for (const struct language *const *at = languages; *at; at++) {
        const struct language *language = *at;
        assert_true(language->text_count > 100);
        for (size_t i = 0; i < language->text_count; i++) {
            const struct catalogue_text *text = &language->texts[i];
            assert_ptr_equal(language_text(language, text->english), text->forms[0]);
        }
        for (size_t i = 0; i < language->name_count; i++)
            assert_ptr_equal(language_name(language, language->names[i].english),
                             language->names[i].translated);
    }
}

static void what_is_not_in_the_catalogue_stays_english(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "!", "zzz", "Back to the roots", "%lld centuries" };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        assert_ptr_equal(language_text(spanish(), texts[i]), texts[i]);
    assert_null(language_text(spanish(), NULL));
    assert_string_equal(language_name(spanish(), "frobnicate"), "frobnicate");
    assert_string_equal(language_plural(spanish(), "%d whale", "%d whales", 1), "%d whale");
    assert_string_equal(language_plural(spanish(), "%d whale", "%d whales", 0), "%d whales");
}

static void plurals_follow_the_languages_rule(void **state)
{
    (void)state;
    static const struct {
        int64_t count;
        const char *english, *spanish;
    } cases[] = {
        { 0, "0 hours", "0 horas" },          { 1, "1 hour", "1 hora" },
        { 2, "2 hours", "2 horas" },          { 1000, "1000 hours", "1000 horas" },
        { 1001, "1001 hours", "1001 horas" }, { -1, "-1 hour", "-1 hora" },
        { -2, "-2 hours", "-2 horas" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        long long count = cases[i].count;
        char text[64];
        snprintf(text, sizeof(text), language_plural(NULL, "%lld hour", "%lld hours", count),
                 count);
        assert_string_equal(text, cases[i].english);
        snprintf(text, sizeof(text), language_plural(spanish(), "%lld hour", "%lld hours", count),
                 count);
        assert_string_equal(text, cases[i].spanish);
    }
}

/* --- Places --- */

static void assert_fits(const char *text, size_t max)
{
    for (const struct language *const *language = languages; text && *language; language++) {
        const char *translated = language_text(*language, text);
        size_t units = utf8_units(str_from(translated));
        if (units < 1 || units > max)
            fail_msg("%s: %zu characters, at most %zu: %s", (*language)->code, units, max,
                     translated);
    }
    if (text && utf8_units(str_from(text)) > max)
        fail_msg("more than %zu characters: %s", max, text);
}

/* https://docs.discord.com/developers/components/reference#label and #string-select */
static void settings_fit_forms_in_every_language(void **state)
{
    (void)state;
    const struct field *const tables[] = { server_fields, user_fields };
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++)
        for (const struct field *field = tables[i]; field->key; field++) {
            assert_fits(field->label, 45);
            assert_fits(field->help, 100);
            assert_fits(field->none, 45);
            for (const struct field_choice *choice = field->choices; choice && choice->value;
                 choice++) {
                assert_fits(choice->label, 100);
                assert_fits(choice->description, 100);
            }
        }
}

static void commands_fit_discord_in_every_language(void **state)
{
    (void)state;
    struct err err = { 0 };
    if (command_list_check(all_commands, &err) != 0)
        fail_msg("%s", err.message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_locale_has_its_language_and_others_are_english),
        cmocka_unit_test(a_call_without_a_language_is_english),
        cmocka_unit_test(every_text_of_a_catalogue_is_found),
        cmocka_unit_test(what_is_not_in_the_catalogue_stays_english),
        cmocka_unit_test(plurals_follow_the_languages_rule),
        cmocka_unit_test(settings_fit_forms_in_every_language),
        cmocka_unit_test(commands_fit_discord_in_every_language),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
