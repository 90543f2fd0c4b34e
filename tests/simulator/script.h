/* The scene language, as far as reading goes: lines become words. What words mean is in steps.c
 * and expect.c.
 *
 *   # a comment                   words are separated by spaces; "quoted text" is one word and
 *   /pay user:@bob note:"hi"      knows \" \\ and \n; name:"quoted text" is one word, too
 */
#ifndef SIMULATOR_SCRIPT_H
#define SIMULATOR_SCRIPT_H

#include "bronx/err.h"
#include "bronx/text.h"

#define SCRIPT_WORDS_MAX 64
#define SCRIPT_BYTES_MAX (1024 * 1024)

struct word {
    char *text; /* zero-terminated, without quotes; owned by the step */
    bool is_quoted;
};

struct step {
    int line;     /* from 1 */
    char *source; /* the line as written, trimmed */
    struct word *words;
    size_t count; /* at least 1 */
};

struct script {
    struct step *steps;
    size_t count;
};

/* Reads a whole text. The reason of a failure begins with "name:line: ". */
int script_parse(struct script *script, const char *name, struct str_view text,
                 struct err *err) MUST_CHECK;
int script_load(struct script *script, const char *path, struct err *err) MUST_CHECK;
void script_free(struct script *script); /* fit for CLEANUP */

/* One line; `step->count` is 0 for blank lines and comments. */
int step_parse(struct step *step, struct str_view line, struct err *err) MUST_CHECK;
void step_free(struct step *step);

struct str_view word_text(const struct word *word);
bool word_is(const struct word *word, const char *text); /* and not quoted */

/* "300ms", "90s", "5m", "24h" or "3d". */
bool read_duration(struct str_view text, int64_t *milliseconds);

#endif
