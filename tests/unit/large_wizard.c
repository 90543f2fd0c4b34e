#include "large_wizard.h"

#include "bronx/wizard.h"

#include <stdio.h>

#define HELP_100                                                                                   \
    "A help text of one hundred characters, which is what the description of a label in a form "   \
    "may have."

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

const struct field large_fields[] = {
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
    const struct field *toggle = field_find(large_fields, STR("toggle"));
    return str_equal(field_value_of(large_fields, values, (int)(toggle - large_fields)), STR("on"));
}

/* What it has saved; the walks of one test come one after the other. */
static struct {
    char lines[FIELDS_MAX * FIELD_VALUE_MAX];
    int64_t revision, effect_id, save_count;
} saved;

int64_t large_wizard_revision(void)
{
    return saved.revision;
}

static int load_large(struct call *call, int about, int64_t *revision, struct field_values *values,
                      struct err *err)
{
    (void)about;
    struct str_view lines = arena_copy(call->arena, str_from(saved.lines));
    if (!lines.data)
        return err_set(err, ERR_MEMORY, "what was saved");
    field_lines_read(large_fields, lines, values);
    *revision = saved.revision;
    return 0;
}

/* Every fifth time somebody was faster. */
static int save_large(struct call *call, int about, int64_t revision,
                      const struct field_values *values, struct err *err)
{
    (void)about;
    if (call->effect_id == saved.effect_id)
        return WIZARD_SAVED;
    if (revision != saved.revision || ++saved.save_count % 5 == 0) {
        saved.revision += revision == saved.revision;
        return WIZARD_CONFLICT;
    }
    struct str_view lines = field_lines(large_fields, values, call->arena);
    if (!lines.data || lines.length >= sizeof(saved.lines))
        return err_set(err, ERR_LIMIT, "what is to be saved");
    for (int i = 0; large_fields[i].key; i++)
        if (!field_is_valid(&large_fields[i], call, field_value_of(large_fields, values, i)))
            return err_set(err, ERR_INVALID, "%s", large_fields[i].key);
    snprintf(saved.lines, sizeof(saved.lines), "%.*s", STR_ARGS(lines));
    saved.revision++;
    saved.effect_id = call->effect_id;
    return WIZARD_SAVED;
}

static int explain_large(struct call *call, int about, struct str_view *sentence, struct err *err)
{
    (void)call, (void)about, (void)err;
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
    .fields = large_fields,
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

static const struct option large_options[] = {
    { .name = "wizard", .description = "Opens it", .type = OPTION_SUB_COMMAND, .run = run_large },
    { .name = NULL },
};
const struct command large_command = {
    .name = "large",
    .description = "A wizard with everything",
    .category = CATEGORY_SETTINGS,
    .options = large_options,
    .is_ephemeral = true,
    .wizards = wizards,
    .component = wizard_click,
    .modal = wizard_click,
    .component_version = 1,
};
