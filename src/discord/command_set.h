/* Sets of commands in one normal form, so that what we want and what Discord has can be compared.
 *
 * Discord's answer has ids and versions, nulls and defaults written out, lists in its own order. In
 * the normal form only the fields we know are left, in a fixed order; what is null, empty, or the
 * default is left out; commands are sorted by type and name. Options and choices keep their order:
 * people see it.
 * https://docs.discord.com/developers/interactions/application-commands#application-command-object
 */
#ifndef DISCORD_COMMAND_SET_H
#define DISCORD_COMMAND_SET_H

#include "bronx/err.h"
#include "bronx/text.h"

#include <json-c/json.h>

/* Reads an array of commands, ours or Discord's, into its normal form. Where a command can be used
 * (contexts, integration types) is left out for a guild: it has no meaning there. The caller frees
 * `*set` with json_object_put. ERR_INVALID, ERR_MEMORY. */
int command_set_read(struct str_view json, bool is_guild, struct json_object **set,
                     struct err *err) MUST_CHECK;

/* Moves the commands of `more` (its reference is taken) into `set`. */
int command_set_add(struct json_object *set, struct json_object *more, struct err *err) MUST_CHECK;

/* The command of that type and name; NULL when there is none. Borrowed from the set. */
struct json_object *command_set_find(const struct json_object *set,
                                     const struct json_object *command);

/* How people see a command: "/pay", or "Report (user)". */
void command_title(const struct json_object *command, struct buf *out);

/* An entry point of an Activity, which Discord makes by itself and refuses to lose.
 * https://docs.discord.com/developers/interactions/application-commands#entry-point-commands */
bool command_is_entry_point(const struct json_object *command);

#endif
