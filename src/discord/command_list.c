/* Looking at the command tables. No state; the tables are constant. */
#include "bronx/command.h"

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
        [CATEGORY_START] = "Getting started", [CATEGORY_ECONOMY] = "Economy",
        [CATEGORY_GAMES] = "Games",           [CATEGORY_SHOP] = "Shop",
        [CATEGORY_VOTING] = "Voting",         [CATEGORY_SETTINGS] = "Settings",
        [CATEGORY_OWNER] = "Owner",
    };
    bool is_known = category >= CATEGORY_START && category <= CATEGORY_OWNER;
    return is_known ? names[category] : "Other";
}
