/* Inner parts of delivery_prepare. */
#ifndef SIMULATOR_PREPARE_H
#define SIMULATOR_PREPARE_H

#include "simulator/session.h"

typedef int prepare_function(struct session *session, const struct actor *actor,
                             const struct word *words, size_t count, struct delivery *delivery,
                             struct err *err);

/* `/command [sub-command...] option:value...`, and `complete` before such a line. */
prepare_function prepare_command, prepare_complete;

/* Begins a delivery with a fresh id; then, when the payload is built, makes its signed bytes. */
struct envelope prepare_start(struct session *session, const struct actor *actor, int type,
                              struct delivery *delivery);
void prepare_finish(struct session *session, json_object *interaction_taken,
                    struct delivery *delivery);

#endif
