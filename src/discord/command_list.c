/* Looking at the command tables. No state; the tables are constant. */
#include "bronx/command.h"

#include "bronx/language.h"

const struct command *command_find(const struct command *const *commands, struct str_view name)
{
    for (; *commands; commands++)
        if (str_equal(str_from((*commands)->name), name))
            return *commands;
    return NULL;
}

const char *command_category_name(enum command_category category)
{
    static const char *const names[] = {
        [CATEGORY_START] = TR("Getting started"), [CATEGORY_ECONOMY] = TR("Economy"),
        [CATEGORY_GAMES] = TR("Games"),           [CATEGORY_SHOP] = TR("Shop"),
        [CATEGORY_VOTING] = TR("Voting"),         [CATEGORY_SETTINGS] = TR("Settings"),
        [CATEGORY_OWNER] = TR("Owner"),
    };
    bool is_known = category >= CATEGORY_START && category <= CATEGORY_OWNER;
    return is_known ? names[category] : TR("Other");
}
