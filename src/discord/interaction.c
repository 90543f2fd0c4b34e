/* Look-ups in a parsed interaction. Lists are short: a walk is fastest. Any thread. */
#include "bronx/interaction.h"

const struct option_value *interaction_option(const struct interaction *interaction,
                                              const char *name)
{
    for (int i = 0; i < interaction->command.option_count; i++)
        if (str_equal(interaction->command.options[i].name, str_from(name)))
            return &interaction->command.options[i];
    return NULL;
}

const struct field_value *interaction_field(const struct interaction *interaction,
                                            const char *custom_id)
{
    for (int i = 0; i < interaction->field_count; i++)
        if (str_equal(interaction->fields[i].custom_id, str_from(custom_id)))
            return &interaction->fields[i];
    return NULL;
}

const struct resolved_user *interaction_resolved_user(const struct interaction *interaction,
                                                      int64_t id)
{
    for (int i = 0; i < interaction->resolved.user_count; i++)
        if (interaction->resolved.users[i].user.id == id)
            return &interaction->resolved.users[i];
    return NULL;
}
