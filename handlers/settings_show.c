/* /settings view and history: what is in force, and who made it so. They only read; what a page
 * shows and where the next begins is in its buttons. */
#include "settings.h"

#include "economy.h"

#include "bronx/clock.h"
#include "bronx/markdown.h"
#include "bronx/wizard.h"

#include <inttypes.h>

#define HISTORY_PAGE      10
#define HISTORY_TEXT_MAX  2500 /* UTF-16 units of a page, whatever lists of channels are in it */
#define UNKNOWN_VALUE_MAX 100  /* units shown of a value that this version has no words for */

static const char *const titles[] = {
    [SETTINGS_OF_SERVER] = TR("Settings of this server"),
    [SETTINGS_OF_USER] = TR("Your own settings"),
};

static struct str_view id_for(const struct call *call, enum settings_scope scope, const char *verb,
                              int64_t number)
{
    const struct setting all = { .owner.scope = scope };
    return settings_custom_id(call, number, verb, &all);
}

static void grey_button(struct call *call, const char *label, struct str_view custom_id,
                        bool is_disabled)
{
    reply_button(call->reply, &(struct reply_button){ .style = BUTTON_SECONDARY,
                                                      .label = tr_view(call, label),
                                                      .custom_id = custom_id,
                                                      .is_disabled = is_disabled });
}

/* --- View --- */

/* All pages of somebody's settings show these. */
struct view {
    const struct field *fields;
    struct field_values values;
    struct settings_channels channels; /* none but for those who can put them right */
};

static void add_setting(struct call *call, const struct view *view, int place, struct buf *lines)
{
    const struct field *field = &view->fields[place];
    struct str_view value =
        field_show(field, call, field_value_of(view->fields, &view->values, place));
    struct str_view warning = settings_channel_warning(call, &view->channels, field);
    buf_append_format(lines, "\n%s: **%.*s**", tr(call, field->label), STR_ARGS(value));
    if (warning.data)
        buf_append_format(lines, "\n%.*s", STR_ARGS(warning));
}

static int show_step(struct call *call, const struct view *view, const struct wizard_step *step,
                     int number, struct err *err)
{
    const struct field *fields = view->fields;
    CLEANUP(buf_free) struct buf lines = { 0 };
    for (int i = 0; fields[i].key; i++) {
        const struct field *field = &fields[i];
        if (field->step == number && field_applies(field, call, &view->values))
            add_setting(call, view, i, &lines);
    }
    if (lines.has_failed)
        return err_set(err, ERR_MEMORY, "settings to show");
    if (lines.length > 0)
        reply_text(call->reply, "### %s%s", tr(call, step->title), lines.data);
    return 0;
}

/* Who may change it, and who did. */
static int show_authority(struct call *call, struct settings_owner owner, struct err *err)
{
    struct settings_change change;
    int found = settings_last_change(call, owner, &change, err);
    if (found < 0)
        return found;
    reply_text(call->reply, "-# %s",
               tr(call, owner.scope == SETTINGS_OF_SERVER
                            ? TR("Members with the permission Manage Server can change these: "
                                 "`/settings edit`, `/setup server`.")
                            : TR("They hold in all servers. Only you can see and change them: "
                                 "`/settings edit`, `/setup user`.")));
    bool may_know = owner.scope == SETTINGS_OF_SERVER && settings_may_change(call, owner.scope);
    if (found && may_know && change.changed_by != 0)
        reply_text(call->reply, tr(call, "-# Last changed by <@%lld>, <t:%lld:R>."),
                   (long long)change.changed_by, (long long)(change.changed_at_ms / MS_PER_SECOND));
    else if (found)
        reply_text(call->reply, tr(call, "-# Last changed <t:%lld:R>."),
                   (long long)(change.changed_at_ms / MS_PER_SECOND));
    return 0;
}

static void show_view_buttons(struct call *call, enum settings_scope scope)
{
    reply_row_begin(call->reply);
    if (call->interaction->guild_id != 0) {
        grey_button(call, TR("This server"), id_for(call, SETTINGS_OF_SERVER, "view", 0),
                    scope == SETTINGS_OF_SERVER);
        grey_button(call, TR("My own"), id_for(call, SETTINGS_OF_USER, "view", 0),
                    scope == SETTINGS_OF_USER);
    }
    if (settings_may_change(call, scope))
        grey_button(call, TR("History"), id_for(call, scope, "history", 0), false);
    reply_row_end(call->reply);
}

int settings_show_view(struct call *call, enum settings_scope scope, struct err *err)
{
    struct settings_owner owner = settings_owner_of(call, scope);
    const struct wizard_step *steps = settings_steps(scope);
    struct view view = { .fields = settings_fields(scope) };
    int64_t revision;
    int result = settings_read(call, owner, &revision, &view.values, err);
    if (result == 0 && scope == SETTINGS_OF_SERVER && settings_may_change(call, scope))
        result = settings_ask_channels(call, &view.values, call->now_ms, &view.channels, err);
    reply_container_begin(call->reply, COLOUR_GOLD);
    reply_text(call->reply, "## %s", tr(call, titles[scope]));
    for (int i = 0; result == 0 && steps[i].title; i++)
        result = show_step(call, &view, &steps[i], i, err);
    if (result == 0)
        result = show_authority(call, owner, err);
    show_view_buttons(call, scope);
    reply_container_end(call->reply);
    return result;
}

/* --- Changes --- */

/* Of a field that this version does not know. */
static struct str_view show_unknown(struct call *call, struct str_view value)
{
    if (value.length == 0)
        return tr_view(call, value.data ? TR("none") : TR("default"));
    return markdown_disarm(call->arena, utf8_prefix(value, UNKNOWN_VALUE_MAX));
}

struct str_view settings_show_change(struct call *call, enum settings_scope scope,
                                     const struct settings_change *change)
{
    const struct field *field = field_find(settings_fields(scope), change->key);
    if (!field)
        return arena_format(call->arena, "`%.*s`: %.*s → %.*s", STR_ARGS(change->key),
                            STR_ARGS(show_unknown(call, change->old_value)),
                            STR_ARGS(show_unknown(call, change->new_value)));
    struct str_view initial = str_from(field->initial);
    struct str_view before = change->old_value.data ? change->old_value : initial;
    struct str_view after = change->new_value.data ? change->new_value : initial;
    int64_t at_ms = change->changed_at_ms != 0 ? change->changed_at_ms : call->now_ms;
    return arena_format(call->arena, "**%s**: %.*s → %.*s", tr(call, field->label),
                        STR_ARGS(field_show_at(field, call, before, at_ms)),
                        STR_ARGS(field_show_at(field, call, after, at_ms)));
}

static struct str_view show_author(struct call *call, int64_t user_id)
{
    return user_id != 0 ? arena_format(call->arena, "<@%" PRId64 ">", user_id)
                        : tr_view(call, "Somebody");
}

int settings_explain_conflict(struct call *call, struct settings_owner owner,
                              struct str_view *sentence, struct err *err)
{
    struct settings_change change = { 0 };
    int found = settings_last_change(call, owner, &change, err);
    if (found < 0)
        return found;
    if (!found) /* with all that was stored about the person */
        *sentence =
            tr_view(call, "These settings were deleted meanwhile, so nothing was saved now.");
    else if (change.changed_by == call->interaction->user.id)
        *sentence = arena_format(call->arena,
                                 tr(call, "You changed these settings meanwhile, <t:%lld:R>, so "
                                          "nothing was saved now."),
                                 (long long)(change.changed_at_ms / MS_PER_SECOND));
    else
        *sentence = arena_format(call->arena,
                                 tr(call, "%.*s changed these settings meanwhile, <t:%lld:R>, so "
                                          "nothing of yours was saved."),
                                 STR_ARGS(show_author(call, change.changed_by)),
                                 (long long)(change.changed_at_ms / MS_PER_SECOND));
    return sentence->data ? 0 : err_set(err, ERR_MEMORY, "a conflict");
}

int settings_answer_saved(struct call *call, struct settings_owner owner, struct err *err)
{
    struct settings_change *changes;
    int count;
    int result = settings_saved(call, owner, &changes, &count, err);
    if (result != 0 || count == 0)
        return result;
    call_begin_private_answer(call);
    reply_container_begin(call->reply, COLOUR_GREEN);
    reply_text_view(call->reply, tr_view(call, "### Saved"));
    for (int i = 0; i < count; i++)
        reply_text_view(call->reply, settings_show_change(call, owner.scope, &changes[i]));
    if (owner.scope == SETTINGS_OF_SERVER)
        result = settings_show_closed_channels(call, &changes[0], err);
    reply_container_end(call->reply);
    return result == 0 ? 1 : result;
}

/* --- History --- */

/* Who saved, and when: above the changes of one save. */
static struct str_view save_heading(struct call *call, enum settings_scope scope,
                                    const struct settings_change *change)
{
    long long seconds = change->changed_at_ms / MS_PER_SECOND;
    if (scope == SETTINGS_OF_USER)
        return arena_format(call->arena, "<t:%lld:f>", seconds);
    return arena_format(call->arena, "<t:%lld:f> %.*s", seconds,
                        STR_ARGS(show_author(call, change->changed_by)));
}

struct history_page {
    struct call *call;
    enum settings_scope scope;
    size_t units;
    int shown;
};

/* Shows those of the first one's save for which there is room: on a page of its own, one at
 * least. */
static int show_save(struct history_page *page, const struct settings_change *changes, int count,
                     struct err *err)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    struct call *call = page->call;
    int added = 0;
    buf_append(&text, save_heading(call, page->scope, changes));
    for (; added < count && changes[added].revision == changes[0].revision; added++) {
        struct str_view line = settings_show_change(call, page->scope, &changes[added]);
        size_t units = page->units + utf8_units(buf_view(&text)) + utf8_units(line);
        if (page->shown + added > 0 && units > HISTORY_TEXT_MAX)
            break;
        buf_append_char(&text, '\n');
        buf_append(&text, line);
    }
    if (text.has_failed)
        return err_set(err, ERR_MEMORY, "a history's page");
    if (added > 0)
        reply_text_view(call->reply, buf_view(&text));
    page->units += utf8_units(buf_view(&text));
    page->shown += added;
    return added;
}

/* As many of them as a page holds; returns how many those are. */
static int show_changes(struct call *call, enum settings_scope scope,
                        const struct settings_change *changes, int count, struct err *err)
{
    struct history_page page = { .call = call, .scope = scope };
    int most = count < HISTORY_PAGE ? count : HISTORY_PAGE;
    while (page.shown < most) {
        int added = show_save(&page, changes + page.shown, most - page.shown, err);
        if (added < 0)
            return added;
        if (added == 0)
            break;
    }
    return page.shown;
}

static void show_history_buttons(struct call *call, enum settings_scope scope, int64_t offset,
                                 int64_t older, bool has_older)
{
    int64_t newer = offset > HISTORY_PAGE ? offset - HISTORY_PAGE : 0;
    reply_row_begin(call->reply);
    grey_button(call, TR("Newer"), id_for(call, scope, "newer", newer), offset == 0);
    grey_button(call, TR("Older"), id_for(call, scope, "older", older), !has_older);
    grey_button(call, TR("Settings"), id_for(call, scope, "view", 0), false);
    reply_row_end(call->reply);
}

int settings_show_history(struct call *call, enum settings_scope scope, int64_t offset,
                          struct err *err)
{
    struct settings_change *changes;
    int count;
    if (!settings_may_change(call, scope))
        return settings_refuse_change(call);
    int first = offset < INT32_MAX ? (int)offset : INT32_MAX;
    int result = settings_history(call, settings_owner_of(call, scope), first, HISTORY_PAGE + 1,
                                  &changes, &count, err);
    if (result != 0)
        return result;
    reply_container_begin(call->reply, COLOUR_GOLD);
    reply_text(call->reply, "## %s\n%s", tr(call, titles[scope]), tr(call, "What was changed"));
    int shown = show_changes(call, scope, changes, count, err);
    if (shown < 0)
        return shown;
    if (shown == 0)
        reply_text_view(call->reply, tr_view(call, offset == 0 ? TR("Nothing has been changed yet.")
                                                               : TR("Nothing older is kept.")));
    show_history_buttons(call, scope, offset, offset + shown, shown < count);
    reply_container_end(call->reply);
    return 0;
}
