/* Options against the command's table: what passes here, handlers may trust. */
#ifndef ROUTER_OPTIONS_H
#define ROUTER_OPTIONS_H

#include "bronx/command.h"

/* The sub-command an interaction's path names, through its group. ERR_INVALID when the path and the
 * table don't fit; `*sub_command` is NULL when the command has none. */
int options_find_sub_command(const struct command *command, const struct interaction *interaction,
                             const struct option **sub_command, struct err *err) MUST_CHECK;

/* Checks names, types, bounds, choices and that required options are there. ERR_INVALID with the
 * reason for the log: Discord has checked the same, so a difference means it has an old table. */
int options_check(const struct option *table, const struct interaction *interaction,
                  struct err *err) MUST_CHECK;

#endif
