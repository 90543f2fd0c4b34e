/* The bot's commands as it would register them (`bronxbot commands --json`, and with `--owner`
 * those of the owner's server; the body of Discord's PUT .../commands): names, option types and
 * choices, as a Discord client knows them.
 * https://docs.discord.com/developers/interactions/application-commands */
#ifndef SIMULATOR_CATALOGUE_H
#define SIMULATOR_CATALOGUE_H

#include "bronx/err.h"
#include "bronx/text.h"

#include <json-c/json.h>

enum option_kind {
    KIND_SUB_COMMAND = 1,
    KIND_GROUP = 2,
    KIND_STRING = 3,
    KIND_INTEGER = 4,
    KIND_BOOLEAN = 5,
    KIND_USER = 6,
    KIND_CHANNEL = 7,
    KIND_ROLE = 8,
    KIND_MENTIONABLE = 9,
    KIND_NUMBER = 10,
    KIND_ATTACHMENT = 11,
};

struct catalogue {
    json_object *commands; /* an array; owned */
};

int catalogue_load(struct catalogue *catalogue, const char *bot_binary, struct err *err) MUST_CHECK;

/* What a client in that language shows for a command, option or choice: its name there. */
const char *catalogue_shown(json_object *named, const char *locale);

/* By the name a client in that language shows, or the original one. `owner` is a command or one of
 * its sub-commands or groups; NULL when there is no such name. */
json_object *catalogue_command(const struct catalogue *catalogue, struct str_view name,
                               const char *locale);
/* The id Discord gave the command when it was registered; one is made up when it never was. */
int64_t catalogue_id(const struct catalogue *catalogue, json_object *command);
json_object *catalogue_option(json_object *owner, struct str_view name, const char *locale);

/* Whether the next word after `owner` names a sub-command or group. */
bool catalogue_has_sub_commands(json_object *owner);

void catalogue_free(struct catalogue *catalogue);

#endif
