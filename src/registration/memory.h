/* What was last registered, remembered in the bot's database: while it is what the tables say,
 * Discord need not be asked. */
#ifndef REGISTRATION_MEMORY_H
#define REGISTRATION_MEMORY_H

#include "bronx/clock.h"

#include "core/config.h"

#define COMMANDS_HASH_SIZE 65 /* hexadecimal, with the zero byte */

struct memory {
    const struct config *config;
    const struct clock *clock;
};

/* `scope` is "global" or a guild's id. 1 when `hash` is what was registered last, 0 when it is not,
 * or negative: the database can't be used, most likely because the bot serves with it. */
int memory_has(const struct memory *memory, const char *scope, const char *hash,
               struct err *err) MUST_CHECK;

/* To be called before Discord's set is changed, and when it can't be stored what it is: until
 * memory_store has succeeded, what the database remembers about this scope is not believed. Kept as
 * a file beside the database, which may be the serving bot's. */
int memory_doubt(const struct memory *memory, const char *scope, struct err *err) MUST_CHECK;

int memory_store(const struct memory *memory, const char *scope, const char *hash,
                 struct err *err) MUST_CHECK;

#endif
