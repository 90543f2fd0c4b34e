/* /settings edit. A value comes with the command or by a form; the form's custom_id has the
 * revision it was opened on, so that what somebody saved meanwhile is told, not overwritten.
 *
 * Nothing is kept between two clicks. A value that was refused stands whole in the message that
 * says so, and "Try again" takes it from there into the form. What was saved is shown from the
 * history, by the interaction that saved it: a replay shows the same. */
#include "settings.h"

#include <string.h>

static int place_of(const struct setting *setting)
{
    return (int)(setting->field - settings_fields(setting->owner.scope));
}

static struct str_view present_value(const struct setting *setting,
                                     const struct field_values *values)
{
    return field_value_of(settings_fields(setting->owner.scope), values, place_of(setting));
}

/* --- What was typed, there and back --- */

#define QUOTE "> "

/* The message's last text, and behind it the way back into the form. */
static void show_typed(struct call *call, const struct setting *setting, int64_t revision,
                       struct str_view typed)
{
    struct str_view quoted = field_quote(setting->field, call, typed);
    if (typed.length > 0)
        reply_text(call->reply, QUOTE "%.*s", STR_ARGS(quoted));
    reply_row_begin(call->reply);
    settings_show_button(
        call, BUTTON_PRIMARY, TR("Try again"),
        settings_custom_id(call, revision, typed.length > 0 ? "retry" : "edit", setting));
    reply_row_end(call->reply);
}

static bool is_word(char character)
{
    return (character >= '0' && character <= '9') || (character >= 'a' && character <= 'z') ||
           (character >= 'A' && character <= 'Z') || (unsigned char)character >= 0x80;
}

/* What was typed, or the label of what was picked. */
static struct str_view read_typed(struct call *call)
{
    const struct message *message = call->interaction->message;
    struct str_view quoted = message ? message->last_text : STR_NONE;
    if (!str_starts_with(quoted, STR(QUOTE)))
        return STR_NONE;
    char *text = arena_allocate(call->arena, quoted.length);
    size_t length = 0;
    for (size_t i = strlen(QUOTE); text && i < quoted.length; i++) {
        if (quoted.data[i] == '\\' && i + 1 < quoted.length && !is_word(quoted.data[i + 1]))
            i++;
        text[length++] = quoted.data[i];
    }
    return (struct str_view){ text, text ? length : 0 };
}

/* --- Saving --- */

static int show_conflict(struct call *call, const struct setting *setting, struct str_view typed,
                         struct err *err)
{
    struct str_view sentence;
    struct field_values values;
    int64_t revision;
    int result = settings_explain_conflict(call, setting->owner, &sentence, err);
    if (result == 0)
        result = settings_read(call, setting->owner, &revision, &values, err);
    if (result != 0)
        return result;
    struct str_view present = field_show(setting->field, call, present_value(setting, &values));
    call->outcome = OUTCOME_USER_ERROR;
    call_begin_private_answer(call);
    reply_text_view(call->reply, sentence);
    reply_text(call->reply, tr(call, "**%s** is now: %.*s"), tr(call, setting->field->label),
               STR_ARGS(present));
    show_typed(call, setting, revision, typed);
    return 0;
}

static int show_unchanged(struct call *call, const struct setting *setting, struct str_view value)
{
    call_begin_private_answer(call);
    reply_text(call->reply, tr(call, "Nothing to change. **%s**: %.*s"),
               tr(call, setting->field->label), STR_ARGS(field_show(setting->field, call, value)));
    return 0;
}

static int show_problem(struct call *call, const struct setting *setting, int64_t revision,
                        struct str_view typed, struct str_view problem, struct err *err)
{
    if (!problem.data)
        return err_set(err, ERR_MEMORY, "a setting's value");
    call->outcome = OUTCOME_USER_ERROR;
    call_begin_private_answer(call);
    reply_text(call->reply, "**%s**: %.*s", tr(call, setting->field->label), STR_ARGS(problem));
    show_typed(call, setting, revision, typed);
    return 0;
}

/* Saves against `revision` what is stored, with one value changed. */
static int try_value(struct call *call, const struct setting *setting, int64_t revision,
                     struct field_values *values, struct str_view typed, struct err *err)
{
    struct str_view value, problem;
    if (!field_parse(setting->field, call, typed, &value, &problem))
        return show_problem(call, setting, revision, typed, problem, err);
    values->values[place_of(setting)] = value;
    int result = settings_save(call, setting->owner, revision, values, err);
    if (result == SETTINGS_CONFLICT)
        return show_conflict(call, setting, typed, err);
    if (result == SETTINGS_UNCHANGED)
        return show_unchanged(call, setting, value);
    if (result < 0)
        return result;
    result = settings_answer_saved(call, setting->owner, err);
    return result == 1 ? 0 : err_set(err, ERR_INTERNAL, "saved, and not in the history");
}

/* --- Edit --- */

static int open_form(struct call *call, const struct setting *setting, int64_t revision,
                     struct str_view present, struct str_view problem)
{
    reply_modal(call->reply, settings_custom_id(call, revision, "edit", setting),
                tr_view(call, setting->owner.scope == SETTINGS_OF_SERVER
                                  ? TR("Settings of this server")
                                  : TR("Your own settings")));
    field_ask(setting->field, call, present, problem);
    return 0;
}

static int refuse_unused(struct call *call)
{
    return call_refuse(call, tr(call, "That setting has no effect here at present."));
}

/* A command names no revision. But whoever asked for something later, and has it, is not overruled
 * by a request that came late, or twice. 1, 0 or negative. */
static int is_overtaken(struct call *call, const struct setting *setting, struct err *err)
{
    struct settings_change newest;
    int found = settings_last_change(call, setting->owner, &newest, err);
    return found == 1 ? newest.interaction_id > call->effect_id : found;
}

static int take_value(struct call *call, const struct setting *setting, int64_t revision,
                      struct field_values *values, struct err *err)
{
    struct str_view typed = call_text(call, "value");
    int result = is_overtaken(call, setting, err);
    if (result < 0)
        return result;
    return result == 1 ? show_conflict(call, setting, typed, err)
                       : try_value(call, setting, revision, values, typed, err);
}

int settings_run_edit(struct call *call, struct err *err)
{
    struct setting setting;
    struct field_values values;
    int64_t revision;
    if (!settings_find(call, call_text(call, "field"), &setting) || !setting.field)
        return call_refuse(call, tr(call, "There is no setting of that name. Choose one from the "
                                          "list that opens as you type."));
    if (!settings_may_change(call, setting.owner.scope))
        return settings_refuse_change(call);
    int result = settings_answer_saved(call, setting.owner, err);
    if (result != 0)
        return result < 0 ? result : 0;
    result = settings_read(call, setting.owner, &revision, &values, err);
    if (result != 0)
        return result;
    if (!field_applies(setting.field, call, &values))
        return refuse_unused(call);
    if (call_has_option(call, "value"))
        return take_value(call, &setting, revision, &values, err);
    struct str_view present = present_value(&setting, &values);
    return open_form(call, &setting, revision, present, STR_NONE);
}

int settings_click_edit(struct call *call, const struct setting *setting, struct err *err)
{
    struct field_values values;
    int64_t revision;
    int result = settings_read(call, setting->owner, &revision, &values, err);
    if (result != 0)
        return result;
    struct str_view present = present_value(setting, &values);
    return open_form(call, setting, revision, present, STR_NONE);
}

/* The form is opened on the revision the message was about: whoever has not seen a newer one is
 * told of it again. */
int settings_click_retry(struct call *call, const struct setting *setting, struct err *err)
{
    struct str_view typed = read_typed(call), value, problem;
    struct field_values values;
    int64_t revision;
    if (!typed.data)
        return settings_click_edit(call, setting, err);
    bool is_good = field_parse(setting->field, call, typed, &value, &problem); /* a conflict */
    if (!field_is_picked(setting->field))
        return open_form(call, setting, call->custom_id.row_id, typed, problem);
    int result = settings_read(call, setting->owner, &revision, &values, err);
    if (result != 0)
        return result;
    struct str_view present = present_value(setting, &values);
    return open_form(call, setting, call->custom_id.row_id, is_good ? value : present, problem);
}

int settings_submit(struct call *call, const struct setting *setting, struct err *err)
{
    struct field_values values;
    int64_t revision;
    int result = settings_answer_saved(call, setting->owner, err);
    if (result != 0)
        return result < 0 ? result : 0;
    struct str_view typed = field_answer(setting->field, call);
    if (!typed.data)
        return call_refuse(call, tr(call, "That form is empty. Run `/settings edit` again."));
    result = settings_read(call, setting->owner, &revision, &values, err);
    if (result != 0)
        return result;
    if (!field_applies(setting->field, call, &values))
        return refuse_unused(call);
    return try_value(call, setting, call->custom_id.row_id, &values, typed, err);
}
