/* Tables of fields and wizards: what a form of Discord's, a page or storage would not take stops
 * the start, with the place in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/wizard.h"

#include "language/catalogue.h"

#define TEN        "0123456789"
#define FORTY_FIVE TEN TEN TEN TEN "01234"
#define HUNDRED    TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* In place of the program's own catalogues. */
static const char *french_locales[] = { "fr", NULL };
static const char *const longer[] = { FORTY_FIVE "5" };
static const struct catalogue_text french_texts[] = { { "long in French", longer } };
static struct language french = {
    .code = "fr",
    .locales = french_locales,
    .texts = french_texts,
    .text_count = ARRAY_LENGTH(french_texts),
};
const struct language *const languages[] = { &french, NULL };

/* What a case says comes after what is good, and in its place. */
#pragma GCC diagnostic ignored "-Woverride-init"

/* --- Fields --- */

#define GOOD(...)                                                                                  \
    {                                                                                              \
        .key = "good", .label = "Good", .help = "Helps.", .kind = FIELD_NUMBER, .initial = "1",    \
        .min = 1, .max = 9, __VA_ARGS__                                                            \
    }

static const struct field_choice two[] = {
    { .value = "one", .label = "One" },
    { .value = "two", .label = "Two" },
    { .value = NULL },
};
static const struct field_choice odd[] = { { .value = "One", .label = "One" }, { .value = NULL } };
static const struct field_choice nameless[] = { { .value = "one" }, { .value = NULL } };
static const struct field_choice wordy[] = {
    { .value = "one", .label = HUNDRED "1" },
    { .value = NULL },
};

static const struct {
    struct field field;
    const char *reason; /* NULL: good */
} fields[] = {
    { GOOD(.label = FORTY_FIVE), NULL },
    { GOOD(.help = HUNDRED), NULL },
    { GOOD(.kind = FIELD_RADIO, .initial = "two", .choices = two), NULL },
    { GOOD(.is_optional = true, .none = "nothing", .initial = "0"), NULL },

    { GOOD(.key = "Good"), "Good: a key is made of a-z and _" },
    { GOOD(.label = NULL), "good: it needs a label and a help" },
    { GOOD(.help = NULL), "good: it needs a label and a help" },
    { GOOD(.label = FORTY_FIVE "5"), "good: its label has 46 characters in English, 45 fit" },
    { GOOD(.label = "long in French"), "good: its label has 46 characters in fr, 45 fit" },
    { GOOD(.help = HUNDRED "1"), "good: its help has 101 characters in English, 100 fit" },
    { GOOD(.none = HUNDRED "1"), "good: its none has 101 characters in English, 100 fit" },
    { GOOD(.is_optional = true), "good: it is optional, so it needs a text for none" },
    { GOOD(.initial = NULL), "good: its default is not what it allows" },
    { GOOD(.initial = "10"), "good: its default is not what it allows" },
    { GOOD(.choices = two), "good: it has 2 choices; its kind takes 0 to 0" },
    { GOOD(.kind = FIELD_RADIO, .initial = "one", .choices = wordy),
      "good: it has 1 choices; its kind takes 2 to 10" },
    { GOOD(.kind = FIELD_CHOICE, .initial = "one"),
      "good: it has 0 choices; its kind takes 1 to 25" },
    { GOOD(.kind = FIELD_CHOICE, .initial = "One", .choices = odd),
      "good: the choice 'One' is not made of a-z, 0-9 and _" },
    { GOOD(.kind = FIELD_CHOICE, .initial = "one", .choices = wordy),
      "good: one has 101 characters in English, 100 fit" },
    { GOOD(.kind = FIELD_CHOICE, .initial = "one", .choices = nameless),
      "good: the choice 'one' needs a label" },
};

static void a_field_that_no_form_takes_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        const struct field table[] = { fields[i].field, { .key = NULL } };
        struct err err = { 0 };
        int result = field_list_check(table, &err);
        assert_string_equal(err.message, fields[i].reason ? fields[i].reason : "");
        assert_int_equal(result, fields[i].reason ? ERR_INVALID : 0);
    }
}

static void two_fields_of_one_name_are_refused(void **state)
{
    (void)state;
    static const struct field table[] = { GOOD(), GOOD(), { .key = NULL } };
    struct err err = { 0 };
    assert_int_equal(field_list_check(table, &err), ERR_INVALID);
    assert_string_equal(err.message, "good: its key is there twice");
}

static void a_table_has_no_more_fields_than_there_is_room_for_values(void **state)
{
    (void)state;
    char keys[FIELDS_MAX + 1][3];
    struct field table[FIELDS_MAX + 2] = { 0 };
    struct err err = { 0 };
    for (int i = 0; i <= FIELDS_MAX; i++) {
        keys[i][0] = (char)('a' + i / 26);
        keys[i][1] = (char)('a' + i % 26);
        keys[i][2] = '\0';
        table[i] = (struct field)GOOD(.key = keys[i]);
    }
    assert_int_equal(field_list_check(table, &err), ERR_INVALID);
    assert_string_equal(err.message, "33 fields; a table has 32 at most");
    table[FIELDS_MAX].key = NULL;
    assert_int_equal(field_list_check(table, &err), 0);
}

/* --- Wizards --- */

static const struct field six[] = {
    GOOD(.key = "a"), GOOD(.key = "b"), GOOD(.key = "c"),
    GOOD(.key = "d"), GOOD(.key = "e"), GOOD(.key = "f", .step = 1),
    { .key = NULL },
};
static const struct field crowded[] = {
    GOOD(.key = "a"), GOOD(.key = "b"), GOOD(.key = "c"), GOOD(.key = "d"),
    GOOD(.key = "e"), GOOD(.key = "f"), { .key = NULL },
};
static const struct field lost[] = { GOOD(.step = 2), { .key = NULL } };
static const struct field early[] = { GOOD(.step = -1), { .key = NULL } };
static const struct field wrong[] = { GOOD(.initial = "0"), { .key = NULL } };
static const struct wizard_step steps[] = {
    { "First", "Help." },
    { FORTY_FIVE, "Help." },
    { NULL, NULL },
};
static const struct wizard_step wide_steps[] = { { FORTY_FIVE "5", "Help." }, { NULL, NULL } };
static const struct wizard_step french_steps[] = { { "long in French", "Help." }, { NULL, NULL } };

static int load(struct call *call, int about, int64_t *revision, struct field_values *values,
                struct err *err)
{
    (void)call, (void)about, (void)values;
    *revision = 0;
    return err_set(err, ERR_INTERNAL, "a check loads nothing");
}

static int save(struct call *call, int about, int64_t revision, const struct field_values *values,
                struct err *err)
{
    (void)call, (void)about, (void)revision, (void)values;
    return err_set(err, ERR_INTERNAL, "a check saves nothing");
}

static int explain(struct call *call, int about, struct str_view *sentence, struct err *err)
{
    (void)call, (void)about;
    *sentence = STR_NONE;
    return err_set(err, ERR_INTERNAL, "a check explains nothing");
}

#define WIZARD(...)                                                                                \
    {                                                                                              \
        .name = "open", .title = "Title", .fields = six, .steps = steps, .done = "Done.",          \
        .load = load, .save = save, .explain_conflict = explain, __VA_ARGS__                       \
    }

static const struct {
    struct wizard wizard;
    const char *reason;
} cases[] = {
    { WIZARD(), NULL },
    { WIZARD(.name = "other"), "ask.other: no sub-command of that name opens it" },
    { WIZARD(.save = NULL), "ask.open: title, done, load, save or explain_conflict is missing" },
    { WIZARD(.done = NULL), "ask.open: title, done, load, save or explain_conflict is missing" },
    { WIZARD(.fields = wrong), "ask.open: good: its default is not what it allows" },
    { WIZARD(.fields = crowded), "ask.open: 'First' asks for 6 fields; a form holds 5" },
    { WIZARD(.fields = lost), "ask.open: good: there is no step 2" },
    { WIZARD(.fields = early), "ask.open: good: there is no step -1" },
    { WIZARD(.steps = wide_steps),
      "ask.open: '" FORTY_FIVE "5' has 46 characters in English; a form's title has 45" },
    { WIZARD(.steps = french_steps),
      "ask.open: 'long in French' has 46 characters in fr; a form's title has 45" },
};

static const struct option options[] = {
    { .name = "open", .description = "Opens it", .type = OPTION_SUB_COMMAND },
    { .name = NULL },
};

static int check(struct command command, const struct wizard *wizard, struct err *err)
{
    const struct wizard *const wizards[] = { wizard, NULL };
    command.wizards = wizards;
    const struct command *const list[] = { &command, NULL };
    return wizard_list_check(list, err);
}

static void a_wizard_that_no_form_takes_stops_the_start(void **state)
{
    (void)state;
    static const struct command command = {
        .name = "ask", .options = options, .component = wizard_click, .modal = wizard_click
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct err err = { 0 };
        int result = check(command, &cases[i].wizard, &err);
        assert_string_equal(err.message, cases[i].reason ? cases[i].reason : "");
        assert_int_equal(result, cases[i].reason ? ERR_INVALID : 0);
    }
}

static void a_wizard_whose_clicks_go_elsewhere_stops_the_start(void **state)
{
    (void)state;
    static const struct command without_forms = { .name = "ask",
                                                  .options = options,
                                                  .component = wizard_click };
    static const struct command without_options = { .name = "ask",
                                                    .component = wizard_click,
                                                    .modal = wizard_click };
    struct err err = { 0 };
    assert_int_equal(check(without_forms, &cases[0].wizard, &err), ERR_INVALID);
    assert_string_equal(err.message, "ask: its wizards need wizard_click for clicks and forms");
    assert_int_equal(check(without_options, &cases[0].wizard, &err), ERR_INVALID);
    assert_string_equal(err.message, "ask.open: no sub-command of that name opens it");
}

static void clicks_of_no_wizard_stop_the_start(void **state)
{
    (void)state;
    static const struct command command = { .name = "ask",
                                            .component = wizard_click,
                                            .modal = wizard_click };
    const struct command *const list[] = { &command, NULL };
    struct err err = { 0 };
    assert_int_equal(wizard_list_check(list, &err), ERR_INVALID);
    assert_string_equal(err.message, "ask: wizard_click needs wizards");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_that_no_form_takes_is_named),
        cmocka_unit_test(two_fields_of_one_name_are_refused),
        cmocka_unit_test(a_table_has_no_more_fields_than_there_is_room_for_values),
        cmocka_unit_test(a_wizard_that_no_form_takes_stops_the_start),
        cmocka_unit_test(a_wizard_whose_clicks_go_elsewhere_stops_the_start),
        cmocka_unit_test(clicks_of_no_wizard_stop_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
