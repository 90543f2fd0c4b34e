/* `data` of commands and autocompletes: the path of sub-commands and the options behind it.
 * https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object-application-command-data-structure
 * Any thread; results live in the reader's arena. */
#include "discord/interaction_parts.h"

static int get_option_text(const struct json_reader *reader, const struct json_place *place,
                           struct option_value *option)
{
    return json_get_text(reader, place, &option->text);
}

static int get_option_integer(const struct json_reader *reader, const struct json_place *place,
                              struct option_value *option)
{
    int code =
        json_get_int64(reader, place, -DISCORD_INTEGER_MAX, DISCORD_INTEGER_MAX, &option->integer);
    option->number = (double)option->integer;
    return code;
}

static int get_option_boolean(const struct json_reader *reader, const struct json_place *place,
                              struct option_value *option)
{
    bool value = false;
    int code = json_get_bool(reader, place, &value);
    option->integer = value;
    return code;
}

static int get_option_id(const struct json_reader *reader, const struct json_place *place,
                         struct option_value *option)
{
    return json_get_id(reader, place, &option->integer);
}

static int get_option_number(const struct json_reader *reader, const struct json_place *place,
                             struct option_value *option)
{
    return json_get_number(reader, place, &option->number);
}

typedef int get_value(const struct json_reader *reader, const struct json_place *place,
                      struct option_value *option);

static get_value *const value_getters[] = {
    [OPTION_STRING] = get_option_text,     [OPTION_INTEGER] = get_option_integer,
    [OPTION_BOOLEAN] = get_option_boolean, [OPTION_USER] = get_option_id,
    [OPTION_CHANNEL] = get_option_id,      [OPTION_ROLE] = get_option_id,
    [OPTION_MENTIONABLE] = get_option_id,  [OPTION_NUMBER] = get_option_number,
    [OPTION_ATTACHMENT] = get_option_id,
};

/* The value of an option type that is newer than this bot: its text, when it is one. */
static int get_unknown_value(const struct json_reader *reader, const struct json_place *place,
                             struct option_value *option)
{
    return json_is(place, JSON_TYPE_TEXT) ? json_get_text(reader, place, &option->text) : 0;
}

static get_value *getter_of(int type)
{
    if (type < 0 || (size_t)type >= ARRAY_LENGTH(value_getters) || !value_getters[type])
        return get_unknown_value;
    return value_getters[type];
}

/* What was typed so far, whatever the option's type: "12a" for an INTEGER, or a number as such. */
static int get_typed(const struct json_reader *reader, const struct json_place *place,
                     struct option_value *option)
{
    if (!place->value)
        return json_fault(reader, place, "missing");
    if (json_is(place, JSON_TYPE_OBJECT) || json_is(place, JSON_TYPE_ARRAY))
        return json_fault(reader, place, "a text or number is needed");
    option->text = place->value->text;
    if (option->type == OPTION_STRING)
        return 0;
    /* Not finished is not wrong. */
    const struct json_reader quiet = { .arena = reader->arena };
    struct option_value tried = *option;
    if (getter_of(option->type)(&quiet, place, &tried) == 0)
        *option = tried;
    return 0;
}

static bool is_sub_command(int type)
{
    return type == OPTION_SUB_COMMAND || type == OPTION_SUB_COMMAND_GROUP;
}

static const struct json_field option_fields[] = {
    JSON_NEEDED(struct option_value, name, JSON_TEXT),
    JSON_NEEDED(struct option_value, type, JSON_INT),
    { .name = "focused", .kind = JSON_BOOL, .offset = offsetof(struct option_value, is_focused) },
};

static int parse_option_head(const struct json_reader *reader, const struct json_place *place,
                             struct option_value *option)
{
    return json_get_object(reader, place, option_fields, ARRAY_LENGTH(option_fields), option);
}

/* `*is_left_out`: the option counts as not given. While somebody still types, the options around
 * the focused one are unchecked as well. */
static int parse_option(const struct json_reader *reader, const struct json_place *place,
                        bool is_autocomplete, struct option_value *option, bool *is_left_out)
{
    int code = parse_option_head(reader, place, option);
    if (code < 0)
        return code;
    if (is_sub_command(option->type))
        return json_fault(reader, place, "a sub-command has no place here");
    struct json_place value = json_member(place, "value");
    if (is_autocomplete && option->is_focused)
        return get_typed(reader, &value, option);
    code = getter_of(option->type)(reader, &value, option);
    *is_left_out = is_autocomplete && code == ERR_INVALID;
    return *is_left_out ? 0 : code;
}

static int parse_options(const struct json_reader *reader, const struct json_place *list,
                         size_t count, struct interaction *interaction)
{
    struct option_value *options = arena_allocate_array(reader->arena, count, sizeof(*options));
    if (!options)
        return err_set(reader->err, ERR_MEMORY, "no memory for an interaction");
    int option_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct json_place place = json_item(list, i);
        struct option_value option = { 0 };
        bool is_left_out = false;
        int code = parse_option(reader, &place, interaction->type == INTERACTION_AUTOCOMPLETE,
                                &option, &is_left_out);
        if (code < 0)
            return code;
        if (!is_left_out)
            options[option_count++] = option;
    }
    interaction->command.options = options;
    interaction->command.option_count = option_count;
    return 0;
}

/* The one option of a list whose first is a sub-command or a group; its name joins the path. */
static int enter_sub_command(const struct json_reader *reader, const struct json_place *list,
                             size_t count, const struct json_place *place, int outer_type,
                             struct interaction *interaction, int *type)
{
    struct option_value option = { 0 };
    int code = parse_option_head(reader, place, &option);
    if (code < 0)
        return code;
    *type = option.type;
    if (!is_sub_command(option.type)) {
        if (outer_type == OPTION_SUB_COMMAND_GROUP)
            return json_fault(reader, place, "a sub-command is needed in a group");
        return 0;
    }
    if (outer_type == OPTION_SUB_COMMAND ||
        (outer_type == OPTION_SUB_COMMAND_GROUP && option.type == OPTION_SUB_COMMAND_GROUP))
        return json_fault(reader, place, "a sub-command has no place here");
    if (count != 1)
        return json_fault(reader, list, "%zu entries beside a sub-command", count);
    interaction->command.path[interaction->command.path_length++] = option.name;
    return 0;
}

/* Unwraps groups and sub-commands, at most one of each, down to the list of plain options. */
static int parse_option_tree(const struct json_reader *reader, const struct json_place *data,
                             struct interaction *interaction)
{
    struct json_place lists[COMMAND_PATH_MAX], firsts[COMMAND_PATH_MAX];
    const struct json_place *holder = data;
    int outer_type = 0;
    for (size_t level = 0; level < COMMAND_PATH_MAX; level++) {
        size_t count;
        lists[level] = json_member(holder, "options");
        int code = json_count_items(reader, &lists[level], INTERACTION_OPTIONS_MAX, &count);
        if (code < 0)
            return code;
        if (count == 0) {
            if (outer_type == OPTION_SUB_COMMAND_GROUP)
                return json_fault(reader, &lists[level], "a sub-command is needed in a group");
            return 0;
        }
        firsts[level] = json_item(&lists[level], 0);
        int type = 0;
        code = enter_sub_command(reader, &lists[level], count, &firsts[level], outer_type,
                                 interaction, &type);
        if (code < 0)
            return code;
        if (!is_sub_command(type))
            return parse_options(reader, &lists[level], count, interaction);
        outer_type = type;
        holder = &firsts[level];
    }
    return err_set(reader->err, ERR_INTERNAL, "sub-commands nest deeper than their rules allow");
}

int interaction_parse_command(const struct json_reader *reader, const struct json_place *data,
                              struct interaction *interaction)
{
    struct command_data {
        int64_t id, guild_id, target_id;
        int type;
        struct str_view name;
    } parsed = { .type = COMMAND_CHAT_INPUT };
    static const struct json_field fields[] = {
        JSON_NEEDED(struct command_data, id, JSON_ID),
        JSON_NEEDED(struct command_data, name, JSON_TEXT),
        JSON_NEEDED(struct command_data, type, JSON_INT),
        JSON_FIELD(struct command_data, guild_id, JSON_ID),
        JSON_FIELD(struct command_data, target_id, JSON_ID),
    };
    int code = json_get_fields(reader, data, fields, ARRAY_LENGTH(fields), &parsed);
    if (code < 0)
        return code;
    interaction->command.id = parsed.id;
    interaction->command.guild_id = parsed.guild_id;
    interaction->command.target_id = parsed.target_id;
    interaction->command.type = parsed.type;
    interaction->command.path[0] = parsed.name;
    interaction->command.path_length = 1;
    struct json_place target = json_member(data, "target_id");
    if (!target.value && (parsed.type == COMMAND_USER || parsed.type == COMMAND_MESSAGE))
        return json_fault(reader, &target, "missing");
    return parse_option_tree(reader, data, interaction);
}
