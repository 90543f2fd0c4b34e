/* The product's commands. */
#ifndef HANDLERS_COMMANDS_H
#define HANDLERS_COMMANDS_H

#include "bronx/command.h"

/* Every command there is, in the order of /help, ended by NULL. */
extern const struct command *const all_commands[];

extern const struct command help_command;
extern const struct command tos_command;
extern const struct command tosinfo_command;
extern const struct command privacy_command;
extern const struct command balance_command;
extern const struct command daily_command;
extern const struct command pay_command;
extern const struct command setup_command;
extern const struct command settings_command;

/* Answers somebody who must accept the current terms first (tos.c). */
handler ask_for_terms;

#endif
