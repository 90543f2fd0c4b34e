/* /setup server | user | quick: the settings, asked for page by page.
 *
 * What is asked is the tables of settings; here are only the pages' titles and the way to the
 * settings service. Everybody may set up themself; a server needs Manage Server, asked for anew at
 * every click. */
#include "commands.h"
#include "settings.h"

/* --- From and to the settings: what a wizard is about is their scope --- */

static struct settings_owner owner_of(const struct call *call, int scope)
{
    return settings_owner_of(call, (enum settings_scope)scope);
}

static int load(struct call *call, int scope, int64_t *revision, struct field_values *values,
                struct err *err)
{
    return settings_read(call, owner_of(call, scope), revision, values, err);
}

static int save(struct call *call, int scope, int64_t revision, const struct field_values *values,
                struct err *err)
{
    static const int words[] = { [SETTINGS_SAVED] = WIZARD_SAVED,
                                 [SETTINGS_UNCHANGED] = WIZARD_UNCHANGED,
                                 [SETTINGS_CONFLICT] = WIZARD_CONFLICT };
    int result = settings_save(call, owner_of(call, scope), revision, values, err);
    return result < 0 ? result : words[result];
}

static int explain_conflict(struct call *call, int scope, struct str_view *sentence,
                            struct err *err)
{
    return settings_explain_conflict(call, owner_of(call, scope), sentence, err);
}

static int add_closed_channels(struct call *call, int scope, struct err *err)
{
    struct settings_change *changes;
    int count;
    int result = settings_saved(call, owner_of(call, scope), &changes, &count, err);
    return result == 0 && count > 0 ? settings_show_closed_channels(call, &changes[0], err)
                                    : result;
}

/* --- The wizards --- */

static const struct wizard server_wizard = {
    .name = "server",
    .title = TR("Set up this server"),
    .fields = server_fields,
    .steps = server_steps,
    .needed_permissions = PERMISSION_MANAGE_GUILD,
    .done = TR("Saved, and in force from now on. `/settings view` shows all of it."),
    .about = SETTINGS_OF_SERVER,
    .load = load,
    .save = save,
    .add_saved = add_closed_channels,
    .explain_conflict = explain_conflict,
};

static const struct wizard quick_wizard = {
    .name = "quick",
    .title = TR("Set up this server quickly"),
    .fields = server_fields,
    .steps = server_steps,
    .needed_permissions = PERMISSION_MANAGE_GUILD,
    .is_reviewed_at_once = true,
    .done = TR("Saved, and in force from now on. `/settings view` shows all of it."),
    .about = SETTINGS_OF_SERVER,
    .load = load,
    .save = save,
    .add_saved = add_closed_channels,
    .explain_conflict = explain_conflict,
};

static const struct wizard user_wizard = {
    .name = "user",
    .title = TR("Set up your own settings"),
    .fields = user_fields,
    .steps = user_steps,
    .done = TR("Saved, and in force from now on. `/settings view` shows all of it."),
    .about = SETTINGS_OF_USER,
    .load = load,
    .save = save,
    .explain_conflict = explain_conflict,
};

static const struct wizard *const wizards[] = { &server_wizard, &quick_wizard, &user_wizard, NULL };

/* --- /setup quick --- */

/* What a new server is well served with, where that is not the default of the setting. */
static const struct {
    const char *key, *value;
} sensible_values[] = {
    { "min_account_age_days", "7" },
};

/* Everything but the places, for which there is no sensible default: those stay as they are. */
static void propose(struct field_values *proposal)
{
    *proposal = (struct field_values){ 0 };
    for (int i = 0; server_fields[i].key; i++)
        if (server_fields[i].step != SERVER_PLACES)
            proposal->values[i] = str_from(server_fields[i].initial);
    for (size_t i = 0; i < ARRAY_LENGTH(sensible_values); i++) {
        const struct field *field = field_find(server_fields, str_from(sensible_values[i].key));
        if (field)
            proposal->values[field - server_fields] = str_from(sensible_values[i].value);
    }
}

/* --- The command --- */

static int run_server(struct call *call, struct err *err)
{
    return wizard_start(call, &server_wizard, NULL, err);
}

static int run_quick(struct call *call, struct err *err)
{
    struct field_values proposal;
    propose(&proposal);
    return wizard_start(call, &quick_wizard, &proposal, err);
}

static const struct field *time_zone_field(void)
{
    return field_find(user_fields, STR("time_zone"));
}

static int run_user(struct call *call, struct err *err)
{
    struct field_values answers = { 0 };
    answers.values[time_zone_field() - user_fields] = call_text(call, "time_zone");
    return wizard_start(call, &user_wizard, &answers, err);
}

static int complete_user(struct call *call, struct err *err)
{
    struct str_view typed;
    (void)err;
    call_focused(call, &typed);
    field_suggest(time_zone_field(), call, typed);
    return 0;
}

static const struct option user_options[] = {
    { .name = "time_zone",
      .description = TR("Where you live: a city, or a name like Europe/Madrid"),
      .type = OPTION_STRING,
      .has_autocomplete = true,
      .has_max = true,
      .max = 100 },
    { .name = NULL },
};

static const struct option setup_options[] = {
    { .name = "server",
      .description = TR("Set up this server step by step (needs Manage Server)"),
      .type = OPTION_SUB_COMMAND,
      .run = run_server,
      .needed_permissions = PERMISSION_MANAGE_GUILD },
    { .name = "quick",
      .description = TR("Set up this server with sensible defaults (needs Manage Server)"),
      .type = OPTION_SUB_COMMAND,
      .run = run_quick,
      .needed_permissions = PERMISSION_MANAGE_GUILD },
    { .name = "user",
      .description = TR("Set up your own settings step by step"),
      .type = OPTION_SUB_COMMAND,
      .options = user_options,
      .run = run_user,
      .autocomplete = complete_user },
    { .name = NULL },
};

const struct command setup_command = {
    .name = "setup",
    .description = TR("Set up this server, or your own settings, step by step"),
    .details =
        TR("A few short pages, each with a form: **Edit** opens it, **Next** and **Back** turn "
           "the page, **Skip** leaves a page as it was. Nothing is saved before the last page. "
           "`/settings edit` changes a single setting."),
    .category = CATEGORY_SETTINGS,
    .options = setup_options,
    .is_ephemeral = true,
    .wizards = wizards,
    .component = wizard_click,
    .modal = wizard_click,
    .component_version = 1,
};
