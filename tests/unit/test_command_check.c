/* Command tables: what Discord or the router would refuse stops the start, with the path in words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/command.h"

#include "language/catalogue.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* In place of the program's own catalogues. */
static const char *french_locales[] = { "fr", NULL };
static const char *const blank[] = { " " };
static const struct catalogue_text french_texts[] = { { "blank", blank } };
static const struct catalogue_name french_names[] = {
    { "amount", "montant\xc3\xa9" }, { "spaced", "a b" }, { "twin", "zone" }, { "upper", "Payer" }
};
static struct language french = {
    .code = "fr",
    .locales = french_locales,
    .texts = french_texts,
    .text_count = ARRAY_LENGTH(french_texts),
    .names = french_names,
    .name_count = ARRAY_LENGTH(french_names),
};
const struct language *const languages[] = { &french, NULL };

static int run(struct call *call, struct err *err)
{
    (void)call;
    (void)err;
    return 0;
}

static int check_one(const struct command *command, struct err *err)
{
    const struct command *const list[] = { command, NULL };
    return command_list_check(list, err);
}

static void assert_refused(const struct command *command, const char *reason)
{
    struct err err = { 0 };
    assert_int_equal(check_one(command, &err), ERR_INVALID);
    assert_string_equal(err.message, reason);
}

static const struct choice good_choices[] = {
    { .name = "One", .text = "1", .integer = 1, .number = 1 },
    { .name = "Two", .text = "2", .integer = 2, .number = 2 },
    { .name = NULL },
};
static const int channel_types[] = { 0, 5, -1 };

static const struct option pay_options[] = {
    { .name = "user", .description = "Whom", .type = OPTION_USER, .is_required = true },
    { .name = "amount",
      .description = "How much",
      .type = OPTION_STRING,
      .is_required = true,
      .has_min = true,
      .min = 0,
      .has_max = true,
      .max = 6000 },
    { .name = "kind", .description = "Which", .type = OPTION_INTEGER, .choices = good_choices },
    { .name = "share", .description = "s", .type = OPTION_NUMBER, .choices = good_choices },
    { .name = "place", .description = "p", .type = OPTION_CHANNEL, .channel_types = channel_types },
    { .name = "zone", .description = "z", .type = OPTION_STRING, .has_autocomplete = true },
    { .name = NULL },
};
static const struct option inner_options[] = {
    { .name = "limits", .description = "l", .type = OPTION_SUB_COMMAND, .options = pay_options },
    { .name = "places", .description = "p", .type = OPTION_SUB_COMMAND, .run = run },
    { .name = NULL },
};
static const struct option setup_options[] = {
    { .name = "quick", .description = "q", .type = OPTION_SUB_COMMAND, .run = run },
    { .name = "server",
      .description = "s",
      .type = OPTION_SUB_COMMAND_GROUP,
      .options = inner_options },
    { .name = NULL },
};
static const struct command pay = { .name = "pay",
                                    .description = "Give coins",
                                    .options = pay_options,
                                    .run = run,
                                    .autocomplete = run };
static const struct command setup = { .name = "setup",
                                      .description = "Set up",
                                      .category = CATEGORY_SETTINGS,
                                      .options = setup_options,
                                      .run = run,
                                      .autocomplete = run };
static const struct command menu = { .name = "Report User", .type = COMMAND_USER, .run = run };
static const struct command *const good[] = { &pay, &setup, &menu, NULL };

static void good_tables_pass(void **state)
{
    (void)state;
    struct err err = { 0 };
    if (command_list_check(good, &err) < 0)
        fail_msg("%s", err.message);
    assert_ptr_equal(command_find(good, STR("setup")), &setup);
    assert_ptr_equal(command_find(good, STR("Report User")), &menu);
    assert_null(command_find(good, STR("set")));
    assert_null(command_find(good, STR_NONE));
    assert_string_equal(command_category_name(CATEGORY_ECONOMY), "Economy");
    assert_string_equal(command_category_name((enum command_category)99), "Other");
}

static const char long_name[] = "abcdefghijklmnopqrstuvwxyzabcdefg";
static const char long_text[] =
    "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
    "5678901";

#define NAME_RULE "a name is 1-32 of a-z, 0-9, '_', '-'"

static void bad_commands_are_named(void **state)
{
    (void)state;
    const struct {
        struct command command;
        const char *reason;
    } cases[] = {
        { { .run = run }, "(a command without a name): " NAME_RULE },
        { { .name = "", .description = "d", .run = run }, ": " NAME_RULE },
        { { .name = "Pay", .description = "d", .run = run }, "Pay: " NAME_RULE },
        { { .name = "a:b", .description = "d", .run = run }, "a:b: " NAME_RULE },
        { { .name = "a b", .description = "d", .run = run }, "a b: " NAME_RULE },
        { { .name = "p\xc3\xa4y", .description = "d", .run = run }, "p\xc3\xa4y: " NAME_RULE },
        { { .name = long_name, .description = "d", .run = run },
          "abcdefghijklmnopqrstuvwxyzabcdefg: " NAME_RULE },
        { { .name = "a", .run = run }, "a: a description of 1-100 characters is needed" },
        { { .name = "a", .description = "", .run = run },
          "a: a description of 1-100 characters is needed" },
        { { .name = "a", .description = long_text, .run = run },
          "a: a description of 1-100 characters is needed" },
        { { .name = "a", .description = "d" }, "a: no run handler" },
        { { .name = "a", .description = "d", .run = run, .type = (enum command_type)9 },
          "a: 9 is no type of command" },
        { { .name = "a", .description = "d", .run = run, .component_version = -1 },
          "a: a negative component_version" },
        { { .name = "a", .description = "d", .run = run, .cooldown_ms = -1 },
          "a: a negative cooldown" },
        { { .name = "a", .description = "d", .run = run, .contexts = 8 }, "a: an unknown context" },
        { { .name = "a", .description = "d", .run = run, .integration_types = 4 },
          "a: an unknown type of installation" },
        { { .name = "a", .description = "d", .run = run, .category = (enum command_category)77 },
          "a: an unknown category" },
        { { .name = "upper", .description = "d", .run = run },
          "upper: a bad translation of the name for fr" },
        { { .name = "spaced", .description = "d", .run = run },
          "spaced: a bad translation of the name for fr" },
        { { .name = "a", .description = "blank", .run = run },
          "a: a bad translation of the description for fr" },
        { { .name = "Report: User", .type = COMMAND_USER, .run = run },
          "Report: User: a name is 1-32 characters without ':'" },
        { { .name = "Who", .type = COMMAND_USER, .run = run, .description = "d" },
          "Who: only chat commands have a description" },
        { { .name = "Who", .type = COMMAND_MESSAGE, .run = run, .options = pay_options },
          "Who: only chat commands have options" },
        { { .name = "Who", .type = COMMAND_MESSAGE }, "Who: no run handler" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_refused(&cases[i].command, cases[i].reason);
}

static const struct choice choice_without_text[] = { { .name = "One" }, { .name = NULL } };
static const struct choice choice_twice[] = { { .name = "One", .text = "1" },
                                              { .name = "One", .text = "2" },
                                              { .name = NULL } };
static const struct choice value_twice[] = { { .name = "One", .integer = 1 },
                                             { .name = "Two", .integer = 1 },
                                             { .name = NULL } };
static const struct choice choice_large[] = { { .name = "One", .integer = INT64_C(1) << 53 },
                                              { .name = NULL } };
static const struct choice choice_nan[] = { { .name = "One", .number = NAN }, { .name = NULL } };
static const struct choice choice_long[] = { { .name = long_text, .text = "1" }, { .name = NULL } };
static const struct choice choice_blank[] = { { .name = "", .text = "1" }, { .name = NULL } };

static void bad_options_are_named(void **state)
{
    (void)state;
    const struct {
        struct option option;
        const char *reason;
    } cases[] = {
        { { .name = "A", .description = "d", .type = OPTION_STRING }, "pay.A: " NAME_RULE },
        { { .name = "a", .type = OPTION_STRING },
          "pay.a: a description of 1-100 characters is needed" },
        { { .name = "a", .description = "d" }, "pay.a: 0 is no type of option" },
        { { .name = "a", .description = "d", .type = (enum option_type)12 },
          "pay.a: 12 is no type of option" },
        { { .name = "first", .description = "d", .type = OPTION_STRING },
          "pay.first: two options of that name" },
        { { .name = "a", .description = "d", .type = OPTION_STRING, .is_required = true },
          "pay.a: required after an optional option" },
        { { .name = "a", .description = "d", .type = OPTION_SUB_COMMAND, .run = run },
          "pay.a: a sub-command has no place here" },
        { { .name = "a", .description = "d", .type = OPTION_STRING, .has_autocomplete = true },
          "pay.a: autocomplete without a handler" },
        { { .name = "a", .description = "d", .type = OPTION_USER, .has_autocomplete = true },
          "pay.a: autocomplete is for texts and numbers" },
        { { .name = "a",
            .description = "d",
            .type = OPTION_STRING,
            .has_autocomplete = true,
            .autocomplete = run },
          "pay.a: only a sub-command has options, handlers, cooldown or deferral" },
        { { .name = "a", .description = "d", .type = OPTION_STRING, .run = run },
          "pay.a: only a sub-command has options, handlers, cooldown or deferral" },
        { { .name = "a", .description = "d", .type = OPTION_USER, .has_min = true },
          "pay.a: min and max are for texts and numbers" },
        { { .name = "a",
            .description = "d",
            .type = OPTION_INTEGER,
            .has_min = true,
            .min = 2,
            .has_max = true,
            .max = 1 },
          "pay.a: min is larger than max" },
        { { .name = "a",
            .description = "d",
            .type = OPTION_INTEGER,
            .has_max = true,
            .max = INT64_C(1) << 53 },
          "pay.a: max 9007199254740992 is out of range" },
        { { .name = "a",
            .description = "d",
            .type = OPTION_NUMBER,
            .has_min = true,
            .min = -(INT64_C(1) << 53) },
          "pay.a: min -9007199254740992 is out of range" },
        { { .name = "a", .description = "d", .type = OPTION_STRING, .has_min = true, .min = -1 },
          "pay.a: min -1 is out of range" },
        { { .name = "a", .description = "d", .type = OPTION_STRING, .has_max = true, .max = 6001 },
          "pay.a: max 6001 is out of range" },
        { { .name = "a", .description = "d", .type = OPTION_STRING, .has_max = true },
          "pay.a: max 0 is out of range" },
        { { .name = "a", .description = "d", .type = OPTION_ROLE, .channel_types = channel_types },
          "pay.a: channel types are for channels" },
        { { .name = "a", .description = "d", .type = OPTION_ROLE, .choices = good_choices },
          "pay.a: choices are for texts and numbers" },
        { { .name = "a",
            .description = "d",
            .type = OPTION_STRING,
            .choices = choice_without_text },
          "pay.a: choice \"One\" needs a value of 1-100 characters" },
        { { .name = "a", .description = "d", .type = OPTION_STRING, .choices = choice_twice },
          "pay.a: choice \"One\" is there twice" },
        { { .name = "a", .description = "d", .type = OPTION_INTEGER, .choices = value_twice },
          "pay.a: choice \"Two\" is there twice" },
        { { .name = "a", .description = "d", .type = OPTION_INTEGER, .choices = choice_large },
          "pay.a: choice \"One\" is beyond 2^53-1" },
        { { .name = "a", .description = "d", .type = OPTION_NUMBER, .choices = choice_nan },
          "pay.a: choice \"One\" is beyond 2^53-1" },
        { { .name = "a", .description = "d", .type = OPTION_STRING, .choices = choice_long },
          "pay.a: choice 0 needs a name of 1-100 characters" },
        { { .name = "a", .description = "d", .type = OPTION_STRING, .choices = choice_blank },
          "pay.a: choice 0 needs a name of 1-100 characters" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct option options[] = {
            { .name = "first", .description = "d", .type = OPTION_STRING },
            cases[i].option,
            { .name = NULL },
        };
        const struct command command = {
            .name = "pay", .description = "d", .options = options, .run = run
        };
        assert_refused(&command, cases[i].reason);
    }
}

static void choices_and_autocomplete_exclude_each_other(void **state)
{
    (void)state;
    const struct option options[] = { { .name = "a",
                                        .description = "d",
                                        .type = OPTION_STRING,
                                        .has_autocomplete = true,
                                        .choices = good_choices },
                                      { .name = NULL } };
    const struct command command = {
        .name = "pay", .description = "d", .options = options, .run = run, .autocomplete = run
    };
    assert_refused(&command, "pay.a: choices and autocomplete exclude each other");
}

static void bad_sub_commands_are_named(void **state)
{
    (void)state;
    static const struct option leaf[] = {
        { .name = "leaf", .description = "d", .type = OPTION_SUB_COMMAND, .run = run },
        { .name = NULL }
    };
    static const struct option plain[] = {
        { .name = "plain", .description = "d", .type = OPTION_STRING, .has_autocomplete = true },
        { .name = NULL }
    };
    static const struct option group[] = {
        { .name = "group", .description = "d", .type = OPTION_SUB_COMMAND_GROUP, .options = leaf },
        { .name = NULL }
    };
    const struct {
        struct option option;
        const char *reason;
    } cases[] = {
        { { .name = "b", .description = "d", .type = OPTION_STRING },
          "setup.b: sub-commands and plain options exclude each other" },
        { { .name = "b", .description = "d", .type = OPTION_SUB_COMMAND },
          "setup.b: no run handler" },
        { { .name = "b",
            .description = "d",
            .type = OPTION_SUB_COMMAND,
            .run = run,
            .options = leaf },
          "setup.b.leaf: a sub-command has no place here" },
        { { .name = "b",
            .description = "d",
            .type = OPTION_SUB_COMMAND,
            .run = run,
            .options = plain },
          "setup.b.plain: autocomplete without a handler" },
        { { .name = "b", .description = "d", .type = OPTION_SUB_COMMAND_GROUP },
          "setup.b: a group without sub-commands" },
        { { .name = "b",
            .description = "d",
            .type = OPTION_SUB_COMMAND_GROUP,
            .run = run,
            .options = leaf },
          "setup.b: a group has no handler" },
        { { .name = "b", .description = "d", .type = OPTION_SUB_COMMAND_GROUP, .options = group },
          "setup.b.group: a group inside a group" },
        { { .name = "b", .description = "d", .type = OPTION_SUB_COMMAND_GROUP, .options = plain },
          "setup.b.plain: sub-commands and plain options exclude each other" },
        { { .name = "b",
            .description = "d",
            .type = OPTION_SUB_COMMAND,
            .run = run,
            .is_required = true },
          "setup.b: a sub-command is no value" },
        { { .name = "b",
            .description = "d",
            .type = OPTION_SUB_COMMAND,
            .run = run,
            .cooldown_ms = -5 },
          "setup.b: a negative cooldown" },
        { { .name = "a", .description = "d", .type = OPTION_SUB_COMMAND, .run = run },
          "setup.a: two options of that name" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct option options[] = {
            { .name = "a", .description = "d", .type = OPTION_SUB_COMMAND, .run = run },
            cases[i].option,
            { .name = NULL },
        };
        const struct command command = { .name = "setup", .description = "d", .options = options };
        assert_refused(&command, cases[i].reason);
    }
}

static void lists_have_discords_length(void **state)
{
    (void)state;
    char names[27][8];
    struct option options[27] = { 0 };
    struct choice choices[27] = { 0 };
    for (int i = 0; i < 26; i++) {
        snprintf(names[i], sizeof(names[i]), "n%d", i);
        options[i] = (struct option){ .name = names[i], .description = "d", .type = OPTION_ROLE };
        choices[i] = (struct choice){ .name = names[i], .text = names[i] };
    }
    const struct command command = {
        .name = "a", .description = "d", .options = options, .run = run
    };
    assert_refused(&command, "a.n25: more than 25 options");
    options[25].name = NULL;
    assert_int_equal(check_one(&command, NULL), 0);
    options[1].name = NULL;
    options[0].type = OPTION_STRING;
    options[0].choices = choices;
    assert_refused(&command, "a.n0: more than 25 choices");
    choices[25].name = NULL;
    assert_int_equal(check_one(&command, NULL), 0);
}

static void a_command_has_8000_characters_in_all(void **state)
{
    (void)state;
    char names[25][101];
    struct choice choices[26] = { 0 };
    for (int i = 0; i < 25; i++) {
        memset(names[i], 'x', 100);
        names[i][0] = (char)('a' + i);
        names[i][100] = '\0';
        choices[i] = (struct choice){ .name = names[i], .text = names[i] };
    }
    struct option options[3] = {
        { .name = "a", .description = "d", .type = OPTION_STRING, .choices = choices },
        { .name = NULL },
    };
    const struct command command = {
        .name = "a", .description = "d", .options = options, .run = run
    };
    assert_int_equal(check_one(&command, NULL), 0);
    options[1] = options[0];
    options[1].name = "b";
    assert_refused(&command, "a: 10006 characters in all, at most 8000");
    /* Of a text and its translations the longest counts. */
    struct choice short_ones[26] = { 0 };
    struct catalogue_text texts[25];
    const char *forms[25];
    for (int i = 0; i < 25; i++) {
        short_ones[i] = (struct choice){ .name = names[i] + 98, .text = names[i] };
        forms[i] = names[0];
        names[i][98] = (char)('a' + i);
        texts[i] = (struct catalogue_text){ short_ones[i].name, &forms[i] };
    }
    options[1].choices = short_ones;
    assert_int_equal(check_one(&command, NULL), 0);
    french.texts = texts;
    french.text_count = ARRAY_LENGTH(texts);
    assert_refused(&command, "a: 10006 characters in all, at most 8000");
    french.texts = french_texts;
    french.text_count = ARRAY_LENGTH(french_texts);
}

static void no_two_have_one_name_in_any_language(void **state)
{
    (void)state;
    const struct option options[] = {
        { .name = "zone", .description = "d", .type = OPTION_STRING },
        { .name = "twin", .description = "d", .type = OPTION_STRING },
        { .name = NULL },
    };
    const struct command command = {
        .name = "a", .description = "d", .options = options, .run = run
    };
    assert_refused(&command, "a.twin: called \"zone\" like zone for fr");
    const struct command zone = { .name = "zone", .description = "d", .run = run };
    const struct command twin = { .name = "twin", .description = "d", .run = run };
    const struct command *const both[] = { &twin, &zone, NULL };
    struct err err = { 0 };
    assert_int_equal(command_list_check(both, &err), ERR_INVALID);
    assert_string_equal(err.message, "zone: called \"zone\" like twin for fr");
}

static void languages_speak_locales_discord_has(void **state)
{
    (void)state;
    french_locales[0] = "xx";
    assert_refused(&pay, "pay: Discord has no locale \"xx\"");
    french_locales[0] = "fr";
    assert_int_equal(check_one(&pay, NULL), 0);
}

static void names_are_unique_and_scopes_bounded(void **state)
{
    (void)state;
    struct err err = { 0 };
    const struct command *const twice[] = { &pay, &menu, &pay, NULL };
    const struct command other_pay = { .name = "pay", .type = COMMAND_MESSAGE, .run = run };
    const struct command *const other_type[] = { &pay, &other_pay, NULL };
    assert_int_equal(command_list_check(other_type, &err), ERR_INVALID);
    assert_string_equal(err.message, "pay: two commands of that name");
    assert_int_equal(command_list_check(twice, &err), ERR_INVALID);
    char names[202][8];
    struct command commands[202];
    const struct command *list[203] = { 0 };
    for (int i = 0; i < 202; i++) {
        snprintf(names[i], sizeof(names[i]), "c%d", i);
        commands[i] = (struct command){
            .name = names[i], .description = "d", .run = run, .is_owner_only = i % 2 == 1
        };
        list[i] = &commands[i];
    }
    assert_int_equal(command_list_check(list, &err), ERR_INVALID);
    assert_string_equal(err.message, "c200: more than 100 chat commands in one scope");
    list[200] = NULL;
    assert_int_equal(command_list_check(list, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_tables_pass),
        cmocka_unit_test(bad_commands_are_named),
        cmocka_unit_test(bad_options_are_named),
        cmocka_unit_test(choices_and_autocomplete_exclude_each_other),
        cmocka_unit_test(bad_sub_commands_are_named),
        cmocka_unit_test(lists_have_discords_length),
        cmocka_unit_test(a_command_has_8000_characters_in_all),
        cmocka_unit_test(no_two_have_one_name_in_any_language),
        cmocka_unit_test(languages_speak_locales_discord_has),
        cmocka_unit_test(names_are_unique_and_scopes_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
