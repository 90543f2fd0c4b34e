/* Pure functions over constant tables. */
#include "router/options.h"

static const struct option *find(const struct option *table, struct str_view name)
{
    for (const struct option *option = table; option && option->name; option++)
        if (str_equal(name, str_from(option->name)))
            return option;
    return NULL;
}

static bool has_sub_commands(const struct option *table)
{
    return table && table->name && table->type <= OPTION_SUB_COMMAND_GROUP;
}

int options_find_sub_command(const struct command *command, const struct interaction *interaction,
                             const struct option **sub_command, struct err *err)
{
    const struct option *table = command->options;
    *sub_command = NULL;
    for (int i = 1; i < interaction->command.path_length; i++) {
        struct str_view name = interaction->command.path[i];
        *sub_command = find(table, name);
        if (!*sub_command || !has_sub_commands(*sub_command))
            return err_set(err, ERR_INVALID, "/%s has no sub-command '%.*s'", command->name,
                           STR_ARGS(utf8_prefix(name, 32)));
        table = (*sub_command)->options;
    }
    if (has_sub_commands(table))
        return err_set(err, ERR_INVALID, "/%s was sent without its sub-command", command->name);
    return 0;
}

static bool is_choice(const struct option *option, const struct option_value *value)
{
    for (const struct choice *choice = option->choices; choice->name; choice++) {
        if (option->type == OPTION_STRING && str_equal(value->text, str_from(choice->text)))
            return true;
        if (option->type == OPTION_INTEGER && value->integer == choice->integer)
            return true;
        if (option->type == OPTION_NUMBER && value->number == choice->number)
            return true;
    }
    return false;
}

static bool is_within_bounds(const struct option *option, const struct option_value *value)
{
    switch (option->type) {
    case OPTION_STRING: {
        int64_t length = (int64_t)utf8_units(value->text);
        /* Units are never fewer than the characters Discord counts: only the upper bound could
         * differ, by text outside the basic plane, which Discord has let through. */
        return (!option->has_min || length >= option->min) &&
               (!option->has_max || length <= 2 * option->max);
    }
    case OPTION_INTEGER:
        return (!option->has_min || value->integer >= option->min) &&
               (!option->has_max || value->integer <= option->max);
    case OPTION_NUMBER:
        return (!option->has_min || value->number >= (double)option->min) &&
               (!option->has_max || value->number <= (double)option->max);
    default:
        return true;
    }
}

static int check_value(const struct option *option, const struct option_value *value,
                       const struct interaction *interaction, struct err *err)
{
    if (value->type != (int)option->type)
        return err_set(err, ERR_INVALID, "option %s has type %d, not %d", option->name, value->type,
                       option->type);
    if (!is_within_bounds(option, value))
        return err_set(err, ERR_INVALID, "option %s is out of bounds", option->name);
    if (option->choices && !is_choice(option, value))
        return err_set(err, ERR_INVALID, "option %s is none of its choices", option->name);
    if (option->type == OPTION_USER && !interaction_resolved_user(interaction, value->integer))
        return err_set(err, ERR_INVALID, "option %s names a user that was not resolved",
                       option->name);
    return 0;
}

int options_check(const struct option *table, const struct interaction *interaction,
                  struct err *err)
{
    bool is_partial = interaction->type == INTERACTION_AUTOCOMPLETE;
    for (int i = 0; i < interaction->command.option_count; i++) {
        const struct option_value *value = &interaction->command.options[i];
        const struct option *option = find(table, value->name);
        if (!option)
            return err_set(err, ERR_INVALID, "option '%.*s' is unknown",
                           STR_ARGS(utf8_prefix(value->name, 32)));
        int result = is_partial ? 0 : check_value(option, value, interaction, err);
        if (result != 0)
            return result;
    }
    for (const struct option *option = table; option && option->name && !is_partial; option++)
        if (option->is_required && !interaction_option(interaction, option->name))
            return err_set(err, ERR_INVALID, "option %s is missing", option->name);
    return 0;
}
