/* How settings are called: the words of commands and custom_ids, and the suggestions while somebody
 * types one. Suggested is what this person may change here, with what it is at present. */
#include "settings.h"

#define CHOICES_MAX 25
#define SCOPES      2

static const struct {
    const char *word;
    const char *owner;      /* before a setting's label in suggestions */
    const char *everything; /* all of them, to be reset */
} scopes[SCOPES] = {
    [SETTINGS_OF_SERVER] = { "server", TR("This server"), TR("All settings of this server") },
    [SETTINGS_OF_USER] = { "me", TR("My own"), TR("All my own settings") },
};

struct settings_owner settings_owner_of(const struct call *call, enum settings_scope scope)
{
    const struct interaction *interaction = call->interaction;
    return (struct settings_owner){ scope, scope == SETTINGS_OF_SERVER ? interaction->guild_id
                                                                       : interaction->user.id };
}

bool settings_may_change(const struct call *call, enum settings_scope scope)
{
    return scope == SETTINGS_OF_USER || (call->interaction->guild_id != 0 &&
                                         call_has_permissions(call, PERMISSION_MANAGE_GUILD));
}

int settings_refuse_change(struct call *call)
{
    if (call->interaction->guild_id == 0)
        return call_refuse(call, tr(call, "The settings of a server are found in that server."));
    return call_refuse(call, tr(call, "Only members with the permission **Manage Server** can do "
                                      "that. Your own settings are yours: `/setup user`."));
}

/* --- Names of settings --- */

struct str_view settings_custom_id(const struct call *call, int64_t number, const char *verb,
                                   const struct setting *setting)
{
    struct str_view argument =
        arena_format(call->arena, setting->field ? "%s.%s.%s" : "%s.%s", verb,
                     scopes[setting->owner.scope].word, setting->field ? setting->field->key : "");
    return argument.data ? call_custom_id(call, number, argument.data) : STR_NONE;
}

void settings_show_button(struct call *call, enum button_style style, const char *label,
                          struct str_view custom_id)
{
    reply_button(call->reply, &(struct reply_button){ .style = style,
                                                      .label = tr_view(call, label),
                                                      .custom_id = custom_id });
}

/* "server.max_bet", "server". */
static bool find_by_word(const struct call *call, struct str_view text, struct setting *setting)
{
    struct str_view key = text, word;
    if (!str_split(&key, '.', &word))
        return false;
    for (enum settings_scope scope = 0; scope < SCOPES; scope++) {
        if (!str_equal(word, str_from(scopes[scope].word)))
            continue;
        setting->owner = settings_owner_of(call, scope);
        setting->field = field_find(settings_fields(scope), key);
        return setting->field || word.length == text.length;
    }
    return false;
}

/* People who do not pick from the list type what they read elsewhere. */
static bool find_by_label(const struct call *call, struct str_view text, struct setting *setting)
{
    for (enum settings_scope scope = 0; scope < SCOPES; scope++)
        for (const struct field *field = settings_fields(scope); field->key; field++)
            if (field_is_same_word(call, text, tr_view(call, field->label)) ||
                field_is_same_word(call, text, str_from(field->label))) {
                *setting = (struct setting){ settings_owner_of(call, scope), field };
                return true;
            }
    return false;
}

bool settings_find(const struct call *call, struct str_view text, struct setting *setting)
{
    *setting = (struct setting){ 0 };
    text = str_trim(text);
    return find_by_word(call, text, setting) || find_by_label(call, text, setting);
}

/* --- Suggestions --- */

struct suggestions {
    struct call *call;
    struct str_view typed;
    bool is_reset; /* only what differs from the default, and all of it at once */
    int count;
};

/* By what is shown, or by the key that stands in the history and in what others wrote. */
static void suggest(struct suggestions *suggestions, struct str_view name, struct str_view value)
{
    struct call *call = suggestions->call;
    bool is_meant = field_is_part_of(call, suggestions->typed, name) ||
                    field_is_part_of(call, suggestions->typed, value);
    if (suggestions->count == CHOICES_MAX || !is_meant)
        return;
    reply_suggest(suggestions->call->reply, name, value);
    suggestions->count++;
}

static void suggest_field(struct suggestions *suggestions, enum settings_scope scope,
                          const struct field *field, struct str_view value)
{
    struct call *call = suggestions->call;
    struct str_view shown = field_show_plain(field, call, value);
    suggest(suggestions,
            arena_format(call->arena, "%s · %s: %.*s", tr(call, scopes[scope].owner),
                         tr(call, field->label), STR_ARGS(shown)),
            arena_format(call->arena, "%s.%s", scopes[scope].word, field->key));
}

/* A break that runs stays. */
static bool may_be_reset(const struct call *call, const struct field *field, struct str_view value)
{
    struct str_view initial = str_from(field->initial);
    return !str_equal(value, initial) && field_is_valid(field, call, initial);
}

static int suggest_scope(struct suggestions *suggestions, enum settings_scope scope,
                         struct err *err)
{
    struct call *call = suggestions->call;
    const struct field *fields = settings_fields(scope);
    struct field_values values;
    int64_t revision;
    int result = settings_read(call, settings_owner_of(call, scope), &revision, &values, err);
    if (result != 0)
        return result;
    if (suggestions->is_reset)
        suggest(suggestions, tr_view(call, scopes[scope].everything), str_from(scopes[scope].word));
    for (int i = 0; fields[i].key; i++) {
        struct str_view value = field_value_of(fields, &values, i);
        if (suggestions->is_reset ? may_be_reset(call, &fields[i], value)
                                  : field_applies(&fields[i], call, &values))
            suggest_field(suggestions, scope, &fields[i], value);
    }
    return 0;
}

int settings_suggest(struct call *call, struct str_view typed, bool is_reset, struct err *err)
{
    struct suggestions suggestions = { .call = call,
                                       .typed = str_trim(typed),
                                       .is_reset = is_reset };
    int result = 0;
    reply_suggest_nothing(call->reply);
    for (enum settings_scope scope = 0; scope < SCOPES && result == 0; scope++)
        if (settings_may_change(call, scope))
            result = suggest_scope(&suggestions, scope, err);
    return result;
}
