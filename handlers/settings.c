/* /settings view | edit | reset | history: of the server, and of oneself.
 *
 * A setting is written "server.max_bet" or "me.time_zone", in the commands' options as in the
 * custom_ids of buttons and forms. Everybody may see a server's settings; only those with Manage
 * Server change them or see who did, which is asked at every command, click and form anew. */
#include "settings.h"

#include "commands.h"

#define FIELD_MAX 100 /* of a suggestion's value */
#define VALUE_MAX FIELD_VALUE_MAX

static int complete_edit(struct call *call, struct err *err)
{
    struct str_view typed;
    struct setting setting;
    if (str_equal(call_focused(call, &typed), STR("field")))
        return settings_suggest(call, typed, false, err);
    reply_suggest_nothing(call->reply);
    if (settings_find(call, call_text(call, "field"), &setting) && setting.field &&
        settings_may_change(call, setting.owner.scope))
        field_suggest(setting.field, call, typed);
    return 0;
}

static int complete_reset(struct call *call, struct err *err)
{
    struct str_view typed;
    call_focused(call, &typed);
    return settings_suggest(call, typed, true, err);
}

/* --- Commands --- */

/* The option `of`; without it the server's, where there is one. */
static int chosen_scope(const struct call *call, enum settings_scope *scope)
{
    struct str_view of = call_text(call, "of");
    bool is_in_server = call->interaction->guild_id != 0;
    *scope = is_in_server ? SETTINGS_OF_SERVER : SETTINGS_OF_USER;
    if (of.data)
        *scope = str_equal(of, STR("server")) ? SETTINGS_OF_SERVER : SETTINGS_OF_USER;
    return *scope == SETTINGS_OF_USER || is_in_server;
}

static int run_view(struct call *call, struct err *err)
{
    enum settings_scope scope;
    if (!chosen_scope(call, &scope))
        return settings_refuse_change(call);
    reply_ephemeral(call->reply);
    return settings_show_view(call, scope, err);
}

static int run_history(struct call *call, struct err *err)
{
    enum settings_scope scope;
    if (!chosen_scope(call, &scope))
        return settings_refuse_change(call);
    reply_ephemeral(call->reply);
    return settings_show_history(call, scope, 0, err);
}

/* --- Buttons and forms --- */

static int click_view(struct call *call, const struct setting *setting, struct err *err)
{
    reply_update(call->reply);
    return settings_show_view(call, setting->owner.scope, err);
}

static int click_history(struct call *call, const struct setting *setting, struct err *err)
{
    reply_update(call->reply);
    return settings_show_history(call, setting->owner.scope, call->custom_id.row_id, err);
}

static int click_keep(struct call *call, const struct setting *setting, struct err *err)
{
    (void)setting, (void)err;
    reply_update(call->reply);
    reply_text_view(call->reply, tr_view(call, "Nothing was changed."));
    return 0;
}

static const struct verb {
    const char *name;
    bool is_form;      /* else a button */
    bool is_of_all;    /* needs no field */
    bool is_only_read; /* by everybody */
    settings_click *run;
} verbs[] = {
    { "view", .is_of_all = true, .is_only_read = true, .run = click_view },
    { "history", .is_of_all = true, .run = click_history },
    { "newer", .is_of_all = true, .run = click_history },
    { "older", .is_of_all = true, .run = click_history },
    { "edit", .run = settings_click_edit },
    { "retry", .run = settings_click_retry },
    { "edit", .is_form = true, .run = settings_submit },
    { "reset", .is_of_all = true, .run = settings_click_reset },
    { "keep", .is_of_all = true, .is_only_read = true, .run = click_keep },
};

static int run_verb(struct call *call, bool is_form, struct err *err)
{
    struct str_view name, rest = call->custom_id.argument;
    struct setting setting;
    bool is_known = str_split(&rest, '.', &name) && settings_find(call, rest, &setting);
    for (size_t i = 0; i < ARRAY_LENGTH(verbs) && is_known; i++) {
        const struct verb *verb = &verbs[i];
        if (verb->is_form != is_form || !str_equal(name, str_from(verb->name)) ||
            (!setting.field && !verb->is_of_all))
            continue;
        if (!verb->is_only_read && !settings_may_change(call, setting.owner.scope))
            return settings_refuse_change(call);
        return verb->run(call, &setting, err);
    }
    return call_refuse(call, tr(call, "That setting is no longer there. `/settings view` shows "
                                      "those there are."));
}

static int component(struct call *call, struct err *err)
{
    return run_verb(call, false, err);
}

static int modal(struct call *call, struct err *err)
{
    return run_verb(call, true, err);
}

/* --- The tables --- */

static const struct choice of_choices[] = {
    { .name = TR("This server"), .text = "server" },
    { .name = TR("Me"), .text = "me" },
    { .name = NULL },
};

static const struct option of_options[] = {
    { .name = "of",
      .description = TR("Whose settings; in a server, that server's unless you say so"),
      .type = OPTION_STRING,
      .choices = of_choices },
    { .name = NULL },
};

static const struct option edit_options[] = {
    { .name = "field",
      .description = TR("The setting"),
      .type = OPTION_STRING,
      .is_required = true,
      .has_autocomplete = true,
      .has_max = true,
      .max = FIELD_MAX },
    { .name = "value",
      .description = TR("What it shall be; without it a form opens, filled in with what it is"),
      .type = OPTION_STRING,
      .has_autocomplete = true,
      .has_max = true,
      .max = VALUE_MAX },
    { .name = NULL },
};

static const struct option reset_options[] = {
    { .name = "field",
      .description = TR("The setting, or all of them"),
      .type = OPTION_STRING,
      .is_required = true,
      .has_autocomplete = true,
      .has_max = true,
      .max = FIELD_MAX },
    { .name = NULL },
};

static const struct option settings_options[] = {
    { .name = "view",
      .description = TR("See the settings of this server, or your own"),
      .type = OPTION_SUB_COMMAND,
      .options = of_options,
      .run = run_view },
    { .name = "edit",
      .description = TR("Change one setting"),
      .type = OPTION_SUB_COMMAND,
      .options = edit_options,
      .run = settings_run_edit,
      .autocomplete = complete_edit },
    { .name = "reset",
      .description = TR("Put one setting, or all, back to the default"),
      .type = OPTION_SUB_COMMAND,
      .options = reset_options,
      .run = settings_run_reset,
      .autocomplete = complete_reset },
    { .name = "history",
      .description = TR("See what was changed, when and by whom"),
      .type = OPTION_SUB_COMMAND,
      .options = of_options,
      .run = run_history },
    { .name = NULL },
};

const struct command settings_command = {
    .name = "settings",
    .description = TR("See and change settings, of this server and your own"),
    .details =
        TR("Those of a server are changed by members with the permission Manage Server; your own "
           "by you alone, in a direct message as well. `/setup` asks for all of them in order."),
    .category = CATEGORY_SETTINGS,
    .options = settings_options,
    .contexts = IN_ALL,
    .is_ephemeral = true,
    .component = component,
    .modal = modal,
    .component_version = 1,
};
