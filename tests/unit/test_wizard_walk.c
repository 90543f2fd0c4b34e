/* Walks through wizards at random: every button, old ones too, every kind of field, values as long
 * and as odd as they can be, time that passes, in every language. Whatever happens, each answer is
 * one that Discord takes, there is a way on from each page, and no answer is a fault of ours.
 *
 * A walk is a function of its seed alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/clock.h"
#include "bronx/settings.h"
#include "bronx/wizard.h"

#include "commands.h"
#include "wizard_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALKS     4 /* of each wizard in each language */
#define CLICKS    120
#define OLD_IDS   16
#define IDS_MAX   25
#define FIRST_ID  INT64_C(1234567890123456701)
#define TYPED_MAX 6000 /* bytes; more than any form lets through */
#define LABEL_45  "A label that is as long as a label may be.45."
#define HELP_100                                                                                   \
    "A help text of one hundred characters, which is what the description of a label in a form "   \
    "may have."

/* --- A wizard with a field of every kind, each as large as it can be --- */

#define CHOICE(n)                                                                                  \
    {                                                                                              \
        "choice_" #n,                                                                              \
            "The label of choice " #n                                                              \
            " which is as long as the label of an option in a select can be, "                     \
            "all hundred",                                                                         \
            HELP_100                                                                               \
    }
#define TEN(n)                                                                                     \
    CHOICE(n##0), CHOICE(n##1), CHOICE(n##2), CHOICE(n##3), CHOICE(n##4), CHOICE(n##5),            \
        CHOICE(n##6), CHOICE(n##7), CHOICE(n##8), CHOICE(n##9)

static const struct field_choice ten_choices[] = { TEN(1), { NULL, NULL, NULL } };
static const struct field_choice many_choices[] = {
    TEN(1), TEN(2), CHOICE(30), CHOICE(31), CHOICE(32), CHOICE(33), CHOICE(34), { NULL, NULL, NULL }
};
static const struct field_choice lengths[] = { { "0", "No", NULL },
                                               { "1", "1 day", NULL },
                                               { NULL, NULL, NULL } };

static bool is_switched_on(const struct call *call, const struct field_values *values);

#define LARGE(name, its_kind, its_step, its_initial)                                               \
    .key = name, .label = LABEL_45, .help = HELP_100, .kind = its_kind, .step = its_step,          \
    .is_optional = true, .none = "none", .initial = its_initial
#define TEXT(name, its_step, its_rule)                                                             \
    {                                                                                              \
        LARGE(name, FIELD_TEXT, its_step, ""), .min = 1, .max = 240, .applies = its_rule           \
    }

static const struct field fields[] = {
    TEXT("text_a", 0, NULL),
    { LARGE("number", FIELD_NUMBER, 0, "0"), .min = 1, .max = DISCORD_INTEGER_MAX },
    { LARGE("duration", FIELD_DURATION, 0, "0"), .min = 1, .max = 40320 },
    { .key = "toggle",
      .label = LABEL_45,
      .help = HELP_100,
      .kind = FIELD_TOGGLE,
      .initial = "on",
      .step = 0 },
    { .key = "zone",
      .label = LABEL_45,
      .help = HELP_100,
      .kind = FIELD_TIME_ZONE,
      .initial = "UTC",
      .step = 0 },
    { LARGE("choice", FIELD_CHOICE, 1, ""), .choices = many_choices },
    { LARGE("radio", FIELD_RADIO, 1, ""), .choices = ten_choices },
    { LARGE("boxes", FIELD_CHECKBOXES, 1, ""), .choices = ten_choices, .min = 1, .max = 10 },
    { LARGE("until", FIELD_UNTIL, 1, "0"), .choices = lengths },
    { LARGE("people", FIELD_USER, 2, ""), .min = 1, .max = IDS_MAX },
    { LARGE("roles", FIELD_ROLE, 2, ""), .min = 1, .max = IDS_MAX },
    { LARGE("channels", FIELD_CHANNEL, 2, ""), .min = 1, .max = IDS_MAX },
    TEXT("text_b", 2, NULL),
    TEXT("text_c", 2, NULL),
    TEXT("text_d", 3, is_switched_on),
    TEXT("text_e", 3, is_switched_on),
    TEXT("text_f", 3, is_switched_on),
    TEXT("text_g", 3, is_switched_on),
    TEXT("text_h", 3, is_switched_on),
    { .key = NULL },
};

static bool is_switched_on(const struct call *call, const struct field_values *values)
{
    (void)call;
    const struct field *toggle = field_find(fields, STR("toggle"));
    return str_equal(field_value_of(fields, values, (int)(toggle - fields)), STR("on"));
}

/* What it has saved; the walks of one test come one after the other. */
static struct {
    char lines[FIELDS_MAX * FIELD_VALUE_MAX];
    int64_t revision, effect_id, save_count;
} saved;

static int load_large(struct call *call, int64_t *revision, struct field_values *values,
                      struct err *err)
{
    struct str_view lines = arena_copy(call->arena, str_from(saved.lines));
    if (!lines.data)
        return err_set(err, ERR_MEMORY, "what was saved");
    field_lines_read(fields, lines, values);
    *revision = saved.revision;
    return 0;
}

/* Every fifth time somebody was faster. */
static int save_large(struct call *call, int64_t revision, const struct field_values *values,
                      struct err *err)
{
    if (call->effect_id == saved.effect_id)
        return WIZARD_SAVED;
    if (revision != saved.revision || ++saved.save_count % 5 == 0) {
        saved.revision += revision == saved.revision;
        return WIZARD_CONFLICT;
    }
    struct str_view lines = field_lines(fields, values, call->arena);
    if (!lines.data || lines.length >= sizeof(saved.lines))
        return err_set(err, ERR_LIMIT, "what is to be saved");
    for (int i = 0; fields[i].key; i++)
        if (!field_is_valid(&fields[i], call, field_value_of(fields, values, i)))
            return err_set(err, ERR_INVALID, "%s", fields[i].key);
    snprintf(saved.lines, sizeof(saved.lines), "%.*s", STR_ARGS(lines));
    saved.revision++;
    saved.effect_id = call->effect_id;
    return WIZARD_SAVED;
}

static int explain_large(struct call *call, struct str_view *sentence, struct err *err)
{
    (void)call, (void)err;
    *sentence = STR("Somebody was faster.");
    return 0;
}

static const struct wizard_step steps[] = {
    { LABEL_45, HELP_100 }, { LABEL_45, HELP_100 }, { LABEL_45, HELP_100 },
    { LABEL_45, HELP_100 }, { NULL, NULL },
};
static const struct wizard large_wizard = {
    .name = "wizard",
    .title = LABEL_45,
    .fields = fields,
    .steps = steps,
    .done = HELP_100,
    .load = load_large,
    .save = save_large,
    .explain_conflict = explain_large,
};
static const struct wizard *const wizards[] = { &large_wizard, NULL };

static int run_large(struct call *call, struct err *err)
{
    return wizard_start(call, &large_wizard, NULL, err);
}

static int click_large(struct call *call, struct err *err)
{
    return wizard_component(call, wizards, err);
}

static int submit_large(struct call *call, struct err *err)
{
    return wizard_modal(call, wizards, err);
}

static const struct option large_options[] = {
    { .name = "wizard", .description = "Opens it", .type = OPTION_SUB_COMMAND, .run = run_large },
    { .name = NULL },
};
static const struct command large_command = {
    .name = "large",
    .description = "A wizard with everything",
    .category = CATEGORY_SETTINGS,
    .options = large_options,
    .is_ephemeral = true,
    .component = click_large,
    .modal = submit_large,
    .component_version = 1,
};
static const struct command *const commands[] = { &large_command, &setup_command, NULL };

/* --- Chance --- */

static uint64_t chance_state;

/* https://prng.di.unimi.it/splitmix64.c */
static uint64_t draw(uint64_t below)
{
    uint64_t z = (chance_state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

/* --- Filling in forms --- */

static json_object *get(json_object *object, const char *key)
{
    json_object *value = NULL;
    json_object_object_get_ex(object, key, &value);
    return value;
}

static const char *const good_texts[] = { "1k",   "250",  "7 days", "Europe/Madrid",
                                          "none", "gems", "2",      "" };
static const char *const odd_pieces[] = { "*",
                                          "\\",
                                          "\"",
                                          "`",
                                          "_",
                                          "|",
                                          "~",
                                          "<@1234567890>",
                                          "x",
                                          " ",
                                          "7",
                                          "\xf0\x9f\x92\x8e",
                                          "\xd9\x82",
                                          "e\xcc\x81",
                                          "\xe5\x86\x86",
                                          "[a](https://b.c)",
                                          "\n",
                                          "\xe2\x80\xae",
                                          "=",
                                          "@everyone",
                                          "\xe2\x80\x8b" };

/* As many pieces of one kind, or of all, as the form lets through; now and then more. */
static json_object *typed_text(int64_t max)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    if (draw(3) == 0)
        return json_object_new_string(good_texts[draw(ARRAY_LENGTH(good_texts))]);
    size_t wanted = draw(8) == 0 ? TYPED_MAX : draw(2) ? (size_t)max : (size_t)draw((uint64_t)max);
    bool is_mixed = draw(2);
    uint64_t kind = draw(ARRAY_LENGTH(odd_pieces));
    buf_append(&text, STR(""));
    while (utf8_units(buf_view(&text)) < wanted)
        buf_append(&text, str_from(odd_pieces[is_mixed ? draw(ARRAY_LENGTH(odd_pieces)) : kind]));
    struct str_view cut =
        wanted == TYPED_MAX ? buf_view(&text) : utf8_prefix(buf_view(&text), wanted);
    return json_object_new_string_len(cut.data, (int)cut.length);
}

static json_object *picked_options(json_object *field, bool is_single)
{
    json_object *options = get(field, "options"), *list = json_object_new_array();
    size_t count = json_object_array_length(options), only = draw(count);
    bool is_all = !is_single && draw(2);
    for (size_t i = 0; i < count; i++)
        if (is_all || (is_single ? i == only : draw(2)))
            json_object_array_add(
                list, json_object_get(get(json_object_array_get_idx(options, i), "value")));
    return list;
}

static json_object *picked_ids(void)
{
    json_object *list = json_object_new_array();
    char text[32];
    size_t count = draw(2) ? IDS_MAX : draw(IDS_MAX);
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "%" PRId64, FIRST_ID + (int64_t)i);
        json_object_array_add(list, json_object_new_string(text));
    }
    return list;
}

static void fill_in(json_object *field)
{
    json_object *max = get(field, "max_length");
    switch (json_object_get_int(get(field, "type"))) {
    case COMPONENT_TEXT_INPUT:
        json_object_object_add(field, "value", typed_text(max ? json_object_get_int64(max) : 4000));
        break;
    case COMPONENT_STRING_SELECT:
        json_object_object_add(field, "values", picked_options(field, true));
        break;
    case COMPONENT_CHECKBOX_GROUP:
        json_object_object_add(field, "values", picked_options(field, false));
        break;
    case COMPONENT_RADIO_GROUP: {
        json_object *list = picked_options(field, true);
        json_object_object_add(field, "value", json_object_get(json_object_array_get_idx(list, 0)));
        json_object_put(list);
        break;
    }
    case COMPONENT_CHECKBOX:
        json_object_object_add(field, "value", json_object_new_boolean(draw(2) != 0));
        break;
    default:
        json_object_object_add(field, "values", picked_ids());
    }
    json_object_object_del(field, "options");
}

static void fill_in_and_submit(struct visitor *visitor)
{
    CLEANUP(buf_free) struct buf filled = { 0 };
    json_object *labels = get(visitor->form, "components");
    for (size_t i = 0; i < json_object_array_length(labels); i++) {
        json_object *field = NULL;
        json_object_deep_copy(get(json_object_array_get_idx(labels, i), "component"), &field, NULL);
        json_object_object_add(field, "id", json_object_new_int((int)i + 10));
        fill_in(field);
        buf_append_format(&filled, "%s{\"type\":18,\"id\":%zu,\"component\":%s}", i ? "," : "",
                          i + 1, json_object_to_json_string_ext(field, JSON_C_TO_STRING_PLAIN));
        json_object_put(field);
    }
    visitor_submit(visitor, filled.data);
}

static void append_resolved(struct buf *resolved)
{
    buf_append(resolved, STR("{\"roles\":{"));
    for (int i = 0; i < IDS_MAX; i++)
        buf_append_format(resolved, "%s\"%" PRId64 "\":{\"id\":\"%" PRId64 "\",\"name\":\"r\"}",
                          i ? "," : "", FIRST_ID + i, FIRST_ID + i);
    buf_append(resolved, STR("},\"channels\":{"));
    for (int i = 0; i < IDS_MAX; i++)
        buf_append_format(resolved, "%s\"%" PRId64 "\":{\"id\":\"%" PRId64 "\",\"type\":0}",
                          i ? "," : "", FIRST_ID + i, FIRST_ID + i);
    buf_append(resolved, STR("}}"));
}

/* --- Walking --- */

struct walk {
    struct visitor visitor;
    const char *command, *sub_command;
    char old_ids[OLD_IDS][128];
    size_t old_count;
    int end_count;
};

static const char *const actions[] = { "edit", "edit", "edit",   "next", "next",  "save",
                                       "save", "back", "cancel", "skip", "rebase" };

static bool has_a_way_on(const struct visitor *visitor)
{
    for (size_t i = 0; i < ARRAY_LENGTH(actions); i++)
        if (visitor_button(visitor, actions[i]))
            return true;
    return false;
}

static void press_something(struct walk *walk)
{
    struct visitor *visitor = &walk->visitor;
    const char *custom_id = NULL;
    while (!custom_id) {
        size_t choice = draw(ARRAY_LENGTH(actions));
        /* The way to the end is long: fewer walks stop in the middle. */
        if (strcmp(actions[choice], "cancel") != 0 || draw(8) == 0)
            custom_id = visitor_button(visitor, actions[choice]);
    }
    snprintf(walk->old_ids[walk->old_count++ % OLD_IDS], sizeof(walk->old_ids[0]), "%s", custom_id);
    visitor_press_id(visitor, custom_id);
}

static void step(struct walk *walk)
{
    struct visitor *visitor = &walk->visitor;
    if (draw(40) == 0)
        visitor->fixture->base.now_ms += WIZARD_EXPIRY_MS;
    else
        visitor->fixture->base.now_ms += (int64_t)draw(60) * MS_PER_SECOND;
    if (visitor->is_form)
        fill_in_and_submit(visitor);
    else if (walk->old_count > 0 && draw(20) == 0)
        visitor_press_id(
            visitor, walk->old_ids[draw(walk->old_count < OLD_IDS ? walk->old_count : OLD_IDS)]);
    else if (has_a_way_on(visitor))
        press_something(walk);
    else {
        walk->end_count++;
        visitor_run(visitor, walk->command, walk->sub_command);
    }
    visitor_replay(visitor);
}

static void go(struct router_fixture *fixture, const char *command, const char *sub_command,
               const char *locale, uint64_t seed)
{
    CLEANUP(buf_free) struct buf resolved = { 0 };
    struct walk walk = { .command = command, .sub_command = sub_command };
    append_resolved(&resolved);
    chance_state = seed;
    visitor_init(&walk.visitor, fixture, ALICE);
    walk.visitor.ask.locale = locale;
    walk.visitor.resolved = resolved.data;
    print_message("/%s %s in %s, seed %" PRIu64 "\n", command, sub_command, locale, seed);
    visitor_run(&walk.visitor, command, sub_command);
    for (int i = 0; i < CLICKS; i++)
        step(&walk);
    assert_true(walk.end_count > 0);
    visitor_fini(&walk.visitor);
}

static int64_t count_drafts(struct router_fixture *fixture, const char *sql)
{
    return service_fixture_count(&fixture->base, sql);
}

static void every_answer_of_a_walk_is_whole(void **state)
{
    static const char *const locales[] = { "en-US", "es-ES" };
    static const char *const of_setup[] = { "server", "user", "quick" };
    struct router_fixture *fixture = *state;
    uint64_t seed = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(locales) * WALKS; i++) {
        const char *locale = locales[i % ARRAY_LENGTH(locales)];
        go(fixture, "large", "wizard", locale, ++seed);
        for (size_t j = 0; j < ARRAY_LENGTH(of_setup); j++)
            go(fixture, "setup", of_setup[j], locale, ++seed);
    }
    assert_true(saved.revision > 0);
    assert_true(count_drafts(fixture, "SELECT COUNT(*) FROM server_settings_change") > 0);
    assert_true(count_drafts(fixture, "SELECT COUNT(*) FROM user_settings_change") > 0);
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_answer_of_a_walk_is_whole, open_fixture,
                                        close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
