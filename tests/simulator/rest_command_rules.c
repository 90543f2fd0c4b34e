/* What Discord refuses in a set of commands, with the judge's tables. Options nest at most three
 * deep (group, sub-command, option): each level has a function of its own.
 * https://docs.discord.com/developers/interactions/application-commands#application-command-object
 */
#include "simulator/rest_internal.h"

#include "simulator/catalogue.h"
#include "simulator/judge_rules.h"

#include <inttypes.h>
#include <string.h>

#define CHAT_COMMANDS_MAX 100
#define MENU_COMMANDS_MAX 15 /* user or message commands */
#define OPTIONS_MAX       25
#define COMMAND_UNITS_MAX 8000 /* names, descriptions and values of a command together */
#define STRING_LENGTH_MAX 6000

enum { CHAT_COMMAND = 1, USER_COMMAND = 2, MESSAGE_COMMAND = 3, ENTRY_POINT = 4 };

static const struct field_rule command_rules[] = {
    { "id", FIELD_ID },
    { "type", FIELD_INTEGER, NULLABLE, CHAT_COMMAND, ENTRY_POINT },
    { "name", FIELD_TEXT, REQUIRED, 1, 32 },
    { "name_localizations", FIELD_OBJECT, NULLABLE },
    { "description", FIELD_TEXT, 0, 0, 100 },
    { "description_localizations", FIELD_OBJECT, NULLABLE },
    { "options", FIELD_LIST, 0, 0, OPTIONS_MAX },
    { "default_member_permissions", FIELD_TEXT, NULLABLE, 1, 20 },
    { "dm_permission", FIELD_BOOLEAN, NULLABLE },
    { "integration_types", FIELD_LIST, NULLABLE, 1, 2 },
    { "contexts", FIELD_LIST, NULLABLE, 1, 3 },
    { "nsfw", FIELD_BOOLEAN },
    { "handler", FIELD_INTEGER, 0, 1, 2 },
    { NULL },
};

static const struct field_rule option_rules[] = {
    { "type", FIELD_INTEGER, REQUIRED, KIND_SUB_COMMAND, KIND_ATTACHMENT },
    { "name", FIELD_TEXT, REQUIRED, 1, 32 },
    { "name_localizations", FIELD_OBJECT, NULLABLE },
    { "description", FIELD_TEXT, REQUIRED, 1, 100 },
    { "description_localizations", FIELD_OBJECT, NULLABLE },
    { "required", FIELD_BOOLEAN },
    { "choices", FIELD_LIST, 0, 0, 25 },
    { "options", FIELD_LIST, 0, 0, OPTIONS_MAX },
    { "channel_types", FIELD_LIST, 0, 0, 20 },
    { "min_value", FIELD_ANY },
    { "max_value", FIELD_ANY },
    { "min_length", FIELD_INTEGER, 0, 0, STRING_LENGTH_MAX },
    { "max_length", FIELD_INTEGER, 0, 1, STRING_LENGTH_MAX },
    { "autocomplete", FIELD_BOOLEAN },
    { NULL },
};

/* Which option types may have a field. */
static const struct {
    const char *field;
    unsigned types;
} field_types[] = {
    { "choices", 1U << KIND_STRING | 1U << KIND_INTEGER | 1U << KIND_NUMBER },
    { "autocomplete", 1U << KIND_STRING | 1U << KIND_INTEGER | 1U << KIND_NUMBER },
    { "min_value", 1U << KIND_INTEGER | 1U << KIND_NUMBER },
    { "max_value", 1U << KIND_INTEGER | 1U << KIND_NUMBER },
    { "min_length", 1U << KIND_STRING },
    { "max_length", 1U << KIND_STRING },
    { "channel_types", 1U << KIND_CHANNEL },
    { "options", 1U << KIND_SUB_COMMAND | 1U << KIND_GROUP },
    { "required", ~(1U << KIND_SUB_COMMAND | 1U << KIND_GROUP) },
};

/* --- Names and texts --- */

/* ^[-_'\p{L}\p{N}]{1,32}$ in lower case; of letters beyond ASCII only that they are UTF-8. */
static void judge_name(struct judgement *judgement, json_object *owner)
{
    struct str_view name = field_text(owner, "name");
    size_t mark = judge_enter(judgement, "name");
    for (size_t i = 0; i < name.length; i++) {
        unsigned char byte = (unsigned char)name.data[i];
        bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
                        byte == '-' || byte == '_' || byte == '\'' || byte >= 0x80;
        if (is_plain)
            continue;
        judge_complain(judgement, "'%.*s' does not match ^[-_'\\p{L}\\p{N}]{1,32}$ in lower case",
                       STR_ARGS(name));
        break;
    }
    judge_leave(judgement, mark);
}

static size_t longest(json_object *owner, const char *field, const char *translations)
{
    size_t units = utf8_units(field_text(owner, field));
    json_object *object = get(owner, translations);
    if (!json_object_is_type(object, json_type_object))
        return units;
    json_object_object_foreach(object, locale, text)
    {
        (void)locale;
        size_t other =
            json_object_is_type(text, json_type_string)
                ? utf8_units((struct str_view){ json_object_get_string(text),
                                                (size_t)json_object_get_string_len(text) })
                : 0;
        units = other > units ? other : units;
    }
    return units;
}

static size_t text_units(json_object *owner)
{
    return longest(owner, "name", "name_localizations") +
           longest(owner, "description", "description_localizations");
}

static void judge_unique(struct judgement *judgement, json_object *list, const char *field)
{
    size_t count = json_object_array_length(list);
    for (size_t i = 0; i < count; i++) {
        json_object *item = json_object_array_get_idx(list, i);
        for (size_t j = 0; j < i; j++) {
            json_object *other = json_object_array_get_idx(list, j);
            if (!field_text(item, field).data ||
                !str_equal(field_text(item, field), field_text(other, field)) ||
                get_integer(item, "type", 1) != get_integer(other, "type", 1))
                continue;
            size_t mark = judge_enter_index(judgement, i);
            judge_complain(judgement, "the %s '%.*s' is used twice", field,
                           STR_ARGS(field_text(item, field)));
            judge_leave(judgement, mark);
        }
    }
}

/* --- Options --- */

static size_t judge_choices(struct judgement *judgement, json_object *option)
{
    json_object *list = get(option, "choices");
    int64_t type = get_integer(option, "type", 0);
    size_t units = 0, mark = judge_enter(judgement, "choices");
    for (size_t i = 0; i < list_length(get(option, "choices")); i++) {
        json_object *choice = json_object_array_get_idx(list, i);
        size_t item = judge_enter_index(judgement, i);
        if (judge_object(judgement, choice, choice_rules)) {
            json_object *value = get(choice, "value");
            bool is_text = json_object_is_type(value, json_type_string);
            bool is_integer = json_object_is_type(value, json_type_int);
            bool is_number = is_integer || json_object_is_type(value, json_type_double);
            if ((type == KIND_STRING && !is_text) || (type == KIND_INTEGER && !is_integer) ||
                (type == KIND_NUMBER && !is_number))
                judge_complain(judgement, "value does not fit the type of the option");
            if (is_text && utf8_units(field_text(choice, "value")) > 100)
                judge_complain(judgement, "value has more than 100 characters");
            units += longest(choice, "name", "name_localizations") +
                     (is_text ? utf8_units(field_text(choice, "value")) : 0);
        }
        judge_leave(judgement, item);
    }
    if (list_length(get(option, "choices")) > 0)
        judge_unique(judgement, list, "name");
    judge_leave(judgement, mark);
    return units;
}

static size_t judge_option(struct judgement *judgement, json_object *option, unsigned types)
{
    if (!judge_object(judgement, option, option_rules))
        return 0;
    int64_t type = get_integer(option, "type", 0);
    judge_name(judgement, option);
    if (!(types >> type & 1))
        judge_complain(judgement, "an option of type %" PRId64 " can't be here", type);
    for (size_t i = 0; i < ARRAY_LENGTH(field_types); i++)
        if (get(option, field_types[i].field) && !(field_types[i].types >> type & 1) &&
            (list_length(get(option, field_types[i].field)) > 0 ||
             get_boolean(option, field_types[i].field, false) ||
             strstr(field_types[i].field, "min") || strstr(field_types[i].field, "max")))
            judge_complain(judgement, "%s can't be on an option of type %" PRId64,
                           field_types[i].field, type);
    if (get_boolean(option, "autocomplete", false) && list_length(get(option, "choices")) > 0)
        judge_complain(judgement, "autocomplete and choices exclude each other");
    return text_units(option) + judge_choices(judgement, option);
}

#define VALUE_TYPES (~(1U << KIND_SUB_COMMAND | 1U << KIND_GROUP) & ((2U << KIND_ATTACHMENT) - 1))
#define SUB_TYPES   (1U << KIND_SUB_COMMAND)
#define GROUP_TYPES (1U << KIND_SUB_COMMAND | 1U << KIND_GROUP)

typedef size_t options_judge(struct judgement *judgement, json_object *owner);

/* Each option by itself, `inner` for what it holds; then the order and the names. */
static size_t judge_list(struct judgement *judgement, json_object *owner, unsigned types,
                         options_judge *inner)
{
    json_object *list = get(owner, "options");
    size_t units = 0, mark = judge_enter(judgement, "options");
    bool is_optional = false;
    for (size_t i = 0; i < list_length(get(owner, "options")); i++) {
        json_object *option = json_object_array_get_idx(list, i);
        size_t item = judge_enter_index(judgement, i);
        units += judge_option(judgement, option, types);
        if (inner)
            units += inner(judgement, option);
        if (get_boolean(option, "required", false) && is_optional)
            judge_complain(judgement, "required options must come first");
        is_optional = !get_boolean(option, "required", false);
        judge_leave(judgement, item);
    }
    if (list_length(get(owner, "options")) > 0)
        judge_unique(judgement, list, "name");
    judge_leave(judgement, mark);
    return units;
}

static size_t judge_sub_command(struct judgement *judgement, json_object *option)
{
    return judge_list(judgement, option, VALUE_TYPES, NULL);
}

/* Within a command whose options are groups and sub-commands. */
static size_t judge_branch(struct judgement *judgement, json_object *option)
{
    if (get_integer(option, "type", 0) != KIND_GROUP)
        return judge_sub_command(judgement, option);
    if (list_length(get(option, "options")) == 0)
        judge_complain(judgement, "a group without sub-commands");
    return judge_list(judgement, option, SUB_TYPES, judge_sub_command);
}

static size_t judge_command_options(struct judgement *judgement, json_object *command)
{
    json_object *first = list_length(get(command, "options")) > 0
                             ? json_object_array_get_idx(get(command, "options"), 0)
                             : NULL;
    int64_t type = get_integer(first, "type", KIND_STRING);
    bool has_branches = type == KIND_SUB_COMMAND || type == KIND_GROUP;
    return has_branches ? judge_list(judgement, command, GROUP_TYPES, judge_branch)
                        : judge_list(judgement, command, VALUE_TYPES, NULL);
}

/* --- Commands --- */

static void judge_numbers(struct judgement *judgement, json_object *command, const char *field,
                          int64_t max)
{
    json_object *list = get(command, field);
    size_t mark = judge_enter(judgement, field);
    for (size_t i = 0; i < list_length(get(command, field)); i++) {
        json_object *item = json_object_array_get_idx(list, i);
        if (!json_object_is_type(item, json_type_int) || json_object_get_int64(item) < 0 ||
            json_object_get_int64(item) > max)
            judge_complain(judgement, "item %zu is not within 0..%" PRId64, i, max);
    }
    judge_leave(judgement, mark);
}

static void judge_chat_command(struct judgement *judgement, json_object *command)
{
    judge_name(judgement, command);
    if (field_text(command, "description").length == 0)
        judge_complain(judgement, "description is missing");
    size_t units = text_units(command) + judge_command_options(judgement, command);
    if (units > COMMAND_UNITS_MAX)
        judge_complain(judgement, "%zu characters in all, at most %d", units, COMMAND_UNITS_MAX);
}

static void judge_command(struct judgement *judgement, json_object *command)
{
    int64_t permissions;
    if (!judge_object(judgement, command, command_rules))
        return;
    struct str_view text = field_text(command, "default_member_permissions");
    if (text.data && str_to_uint63(text, &permissions) != 0)
        judge_complain(judgement, "default_member_permissions is not a decimal string");
    judge_numbers(judgement, command, "contexts", 2);
    judge_numbers(judgement, command, "integration_types", 1);
    if (get_integer(command, "type", CHAT_COMMAND) == CHAT_COMMAND)
        judge_chat_command(judgement, command);
    else if (list_length(get(command, "options")) > 0 ||
             field_text(command, "description").length > 0)
        judge_complain(judgement, "a menu command has neither options nor a description");
}

void rest_judge_commands(json_object *list, struct violations *findings)
{
    static const size_t most[] = { [CHAT_COMMAND] = CHAT_COMMANDS_MAX,
                                   [USER_COMMAND] = MENU_COMMANDS_MAX,
                                   [MESSAGE_COMMAND] = MENU_COMMANDS_MAX,
                                   [ENTRY_POINT] = 1 };
    size_t counts[ARRAY_LENGTH(most)] = { 0 };
    const struct judge_question question = { 0 };
    struct judgement judgement = { .question = &question, .violations = findings };
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        json_object *command = json_object_array_get_idx(list, i);
        int64_t type = get_integer(command, "type", CHAT_COMMAND);
        size_t mark = judge_enter_index(&judgement, i);
        judge_command(&judgement, command);
        judge_leave(&judgement, mark);
        if (type >= CHAT_COMMAND && type <= ENTRY_POINT)
            counts[type]++;
    }
    for (size_t type = CHAT_COMMAND; type <= ENTRY_POINT; type++)
        if (counts[type] > most[type])
            judge_complain(&judgement, "%zu commands of type %zu, at most %zu", counts[type], type,
                           most[type]);
    judge_unique(&judgement, list, "name");
    buf_free(&judgement.path);
}
