/* `bronxbot cache stats|clear`: the cache of a bot that runs, for operators. */
#ifndef CACHE_CLI_H
#define CACHE_CLI_H

#include "core/config.h"

struct cache_cli_options {
    bool clears;         /* else stats */
    const char *pattern; /* clear: over `category:key` */
    bool is_json;        /* stats */
};

/* ERR_INVALID for arguments that are not understood. */
int cache_cli_parse(int argument_count, char **arguments,
                    struct cache_cli_options *options) MUST_CHECK;

/* Asks the process on ADMIN_LISTEN; clearing reaches all others through Redis. Prints to stdout.
 * ERR_UNAVAILABLE when there is none, or Redis is away and only that process was cleared. */
int cache_cli_run(const struct config *config, const struct cache_cli_options *options,
                  struct err *err) MUST_CHECK;

#endif
