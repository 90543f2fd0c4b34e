/* Writing down a session at the prompt as a scene: the lines that were typed, each followed by what
 * was then seen, in short. */
#ifndef SIMULATOR_RECORD_H
#define SIMULATOR_RECORD_H

#include "simulator/session.h"

struct recorded_line {
    char *text;
    bool is_guess; /* an expectation of ours: given up when a replay does not meet it */
};

struct recorder {
    char *path; /* NULL: nothing is recorded */
    struct recorded_line *lines;
    size_t count;
    /* What the session was like when it was last looked at. */
    int64_t interaction_id;
    size_t message_count, violation_count;
    bool was_thinking;
};

/* Begins a scene for a session that is fresh. ERR_DUPLICATE when there is such a file. */
int record_begin(struct recorder *recorder, const struct session *session, const char *path,
                 struct err *err) MUST_CHECK;

/* After a step that could be done; `source` is the line as typed. */
void record_step(struct recorder *recorder, struct session *session, const char *source);

/* After changes were taken in: edits that ended thinking, and follow-ups. */
void record_changes(struct recorder *recorder, struct session *session);

/* Plays the scene on a fresh bot, gives up guesses that do not hold (times pass, chance falls in
 * another way), writes the file and forgets the recording. When the typed lines themselves fail,
 * the file is written and the reason is returned with ERR_CHECK. */
int record_end(struct recorder *recorder, const struct session *session,
               struct err *err) MUST_CHECK;

void record_free(struct recorder *recorder); /* fit for CLEANUP */

#endif
