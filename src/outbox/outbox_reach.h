/* Whether Discord can be reached, by how requests end: said in the log once when it can't and once
 * when it can again. The sender's thread notes; any may ask. */
#ifndef OUTBOX_OUTBOX_REACH_H
#define OUTBOX_OUTBOX_REACH_H

#include "core/log_sink.h"
#include "discord/rest.h"

#include <stdatomic.h>

struct reach {
    int failures; /* in a row */
    atomic_bool is_away;
};

/* A request has ended. `log` may be NULL. */
void reach_note(struct reach *reach, const struct rest_response *response, struct log_sink *log);

bool reach_is_away(const struct reach *reach);

#endif
