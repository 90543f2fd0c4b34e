/* What the fake bot sends to Discord after its answer: a table of requests for each command. */
#ifndef SIMULATOR_FAKE_BOT_REST_H
#define SIMULATOR_FAKE_BOT_REST_H

#include <stdbool.h>

/* Whether something is to be sent after the answer to this command or component. */
bool later_knows(const char *name);

/* Sends what (wrongly) goes before the answer. */
void later_before(const char *name, const char *token);

/* Sends the rest on a thread of its own. */
void later_start(const char *name, const char *token);

#endif
