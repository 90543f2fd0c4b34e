/* /settings reset: shows what would be the default again, and does it at the click on a button,
 * whose custom_id has the revision that was shown. */
#include "settings.h"

#include "economy.h"

/* Whether it is meant, and not the default already; `why` (may be NULL) says why it must stay. */
static bool is_to_reset(const struct call *call, const struct setting *setting,
                        const struct field_values *values, int place, const char **why)
{
    const struct field *fields = settings_fields(setting->owner.scope);
    const struct field *field = &fields[place];
    struct str_view initial = str_from(field->initial);
    if ((setting->field && setting->field != field) ||
        str_equal(field_value_of(fields, values, place), initial))
        return false;
    const char *reason = field->reject ? field->reject(call, initial) : NULL;
    if (reason && why)
        *why = reason;
    return !reason;
}

/* Takes out of `values` what is to be the default again; returns how many. */
static int drop_values(const struct call *call, const struct setting *setting,
                       struct field_values *values, const char **why)
{
    const struct field *fields = settings_fields(setting->owner.scope);
    int count = 0;
    for (int i = 0; fields[i].key; i++) {
        if (!is_to_reset(call, setting, values, i, why))
            continue;
        values->values[i] = STR_NONE;
        count++;
    }
    return count;
}

static void show_plan(struct call *call, const struct setting *setting,
                      const struct field_values *values)
{
    const struct field *fields = settings_fields(setting->owner.scope);
    for (int i = 0; fields[i].key; i++) {
        if (!is_to_reset(call, setting, values, i, NULL))
            continue;
        const struct settings_change change = { .key = str_from(fields[i].key),
                                                .old_value = values->values[i] };
        reply_text_view(call->reply, settings_show_change(call, setting->owner.scope, &change));
    }
}

static int say_nothing_to_reset(struct call *call, const char *why)
{
    call_begin_private_answer(call);
    reply_text_view(call->reply, tr_view(call, why ? why
                                                   : TR("Nothing to reset: that is the default "
                                                        "already.")));
    return 0;
}

int settings_run_reset(struct call *call, struct err *err)
{
    struct setting setting;
    struct field_values values;
    int64_t revision;
    if (!settings_find(call, call_text(call, "field"), &setting))
        return call_refuse(call, tr(call, "There is no setting of that name. Choose one from the "
                                          "list that opens as you type."));
    if (!settings_may_change(call, setting.owner.scope))
        return settings_refuse_change(call);
    int result = settings_read(call, setting.owner, &revision, &values, err);
    if (result != 0)
        return result;
    struct field_values after = values;
    const char *why = NULL;
    if (drop_values(call, &setting, &after, &why) == 0)
        return say_nothing_to_reset(call, why);
    call_begin_private_answer(call);
    reply_container_begin(call->reply, COLOUR_GOLD);
    reply_text_view(call->reply, tr_view(call, "### Back to the default?"));
    show_plan(call, &setting, &values);
    reply_row_begin(call->reply);
    settings_show_button(call, BUTTON_DANGER, TR("Reset"),
                         settings_custom_id(call, revision, "reset", &setting));
    settings_show_button(call, BUTTON_SECONDARY, TR("Cancel"),
                         settings_custom_id(call, revision, "keep", &setting));
    reply_row_end(call->reply);
    reply_container_end(call->reply);
    return 0;
}

static int show_reset_conflict(struct call *call, const struct setting *setting, struct err *err)
{
    struct str_view sentence;
    int result = settings_explain_conflict(call, setting->owner, &sentence, err);
    if (result != 0)
        return result;
    call->outcome = OUTCOME_USER_ERROR;
    call_begin_private_answer(call);
    reply_text_view(call->reply, sentence);
    reply_text_view(call->reply, tr_view(call, "`/settings reset` shows what it would be now."));
    return 0;
}

int settings_click_reset(struct call *call, const struct setting *setting, struct err *err)
{
    struct field_values values;
    int64_t revision;
    int result = settings_answer_saved(call, setting->owner, err);
    if (result != 0)
        return result < 0 ? result : 0;
    result = settings_read(call, setting->owner, &revision, &values, err);
    if (result != 0)
        return result;
    drop_values(call, setting, &values, NULL);
    result = settings_save(call, setting->owner, call->custom_id.row_id, &values, err);
    if (result == SETTINGS_CONFLICT)
        return show_reset_conflict(call, setting, err);
    if (result < 0)
        return result;
    if (result == SETTINGS_UNCHANGED)
        return say_nothing_to_reset(call, NULL);
    result = settings_answer_saved(call, setting->owner, err);
    return result == 1 ? 0 : err_set(err, ERR_INTERNAL, "saved, and not in the history");
}
