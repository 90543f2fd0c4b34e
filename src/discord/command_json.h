/* Command tables as the JSON Discord registers.
 * https://docs.discord.com/developers/interactions/application-commands#bulk-overwrite-global-application-commands
 */
#ifndef DISCORD_COMMAND_JSON_H
#define DISCORD_COMMAND_JSON_H

#include "bronx/command.h"

enum command_scope {
    SCOPE_GLOBAL, /* what everybody has */
    SCOPE_OWNER,  /* owner commands, for the owner guild */
};

/* The array of commands of that scope, appended to `out`. The tables must have passed
 * command_list_check. */
void command_list_json(const struct command *const *commands, enum command_scope scope,
                       struct buf *out);

#endif
