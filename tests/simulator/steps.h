/* Inner parts of session_step. */
#ifndef SIMULATOR_STEPS_H
#define SIMULATOR_STEPS_H

#include "simulator/session.h"

/* One step under way. */
struct stage {
    struct session *session;
    struct actor actor; /* of this step */
    struct buf *out;
};

/* Adds a line to what is shown. */
void stage_note(struct stage *stage, const char *format, ...) PRINTF_LIKE(2, 3);

/* The step is done by the person `word` names, in the same place. */
int stage_read_person(struct stage *stage, const struct word *word, struct err *err) MUST_CHECK;

/* Runs a verb that is no delivery. */
int stage_run_verb(struct stage *stage, const struct word *words, size_t count,
                   struct err *err) MUST_CHECK;

#endif
