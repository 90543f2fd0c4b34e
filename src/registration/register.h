/* `bronxbot register`: brings the commands Discord has to those in the tables, by plan and apply.
 */
#ifndef REGISTRATION_REGISTER_H
#define REGISTRATION_REGISTER_H

#include "bronx/clock.h"
#include "bronx/command.h"

#include "core/config.h"

struct register_options {
    int64_t guild_id; /* 0: the global commands, and the owner guild's */
    bool is_dry_run;
    bool may_prune; /* delete more than a third of what is there */
    bool is_json;
};

/* ERR_INVALID for arguments that are not understood. */
int register_options_parse(int argument_count, char **arguments,
                           struct register_options *options) MUST_CHECK;

/* Prints the difference to stdout, remarks to stderr. ERR_CONFIG for what the operator must put
 * right, a refused plan included; ERR_UNAVAILABLE when Discord can't be reached or wants silence.
 */
int register_commands(const struct config *config, const struct command *const *commands,
                      const struct register_options *options, const struct clock *clock,
                      struct err *err) MUST_CHECK;

#endif
