/* How sub-commands ask a bot that runs, on ADMIN_LISTEN. Blocking, on the main thread. */
#ifndef ADMIN_CLI_H
#define ADMIN_CLI_H

#include "core/config.h"
#include "doctor/fetch.h"

/* A GET, or, when it `is_change`, an operator's POST. `answer` as fetch leaves it. */
void admin_ask(const struct config *config, const char *path, bool is_change,
               struct fetch_answer *answer);

/* Why the bot refused, from its {"error":"..."}, as `err`; returns `code`. */
int admin_refusal(const struct fetch_answer *answer, int code, struct err *err);

#endif
