#include "commands.h"

const struct command *const all_commands[] = {
    &help_command,  &tos_command, &tosinfo_command, &privacy_command,  &balance_command,
    &daily_command, &pay_command, &setup_command,   &settings_command, NULL,
};
