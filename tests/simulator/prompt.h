/* The interactive prompt: the scene language, a line at a time. */
#ifndef SIMULATOR_PROMPT_H
#define SIMULATOR_PROMPT_H

#include "simulator/session.h"

/* Reads lines from stdin until its end (Ctrl-D) or `quit`. With history and completion on a
 * terminal; plain lines otherwise, and then the first step that fails is returned. */
int prompt_run(struct session *session, struct err *err) MUST_CHECK;

/* What could be typed next about what is on the screen (an open form, a button), appended; nothing
 * when nothing suggests itself. */
void hint_find(struct session *session, struct buf *out);

/* Completions of `line`'s last word, which begins at byte `start`: full words, sorted by where they
 * come from. Asks the bot for options with autocompletion. The caller frees the list's texts. */
struct completions {
    char **words;
    size_t count;
};

void completions_find(struct session *session, struct str_view line, size_t start,
                      struct completions *completions);
void completions_free(struct completions *completions); /* fit for CLEANUP */

#endif
