/* What broke Discord's rules, each with the JSON path of the culprit. A violation makes a scene
 * fail unless the scene expects it. One owner, one thread at a time. */
#ifndef SIMULATOR_VIOLATIONS_H
#define SIMULATOR_VIOLATIONS_H

#include "bronx/text.h"

struct violation {
    char *text; /* "data.components[0].custom_id: 104 characters, at most 100" */
    bool is_expected;
};

struct violations {
    struct violation *items;
    size_t count;
};

void violations_add(struct violations *violations, const char *format, ...) PRINTF_LIKE(2, 3);

/* Marks those that contain `text` (absent: all) as expected and returns how many there were. */
size_t violations_expect(struct violations *violations, struct str_view text);

/* The first that nobody expected, or NULL. */
const struct violation *violations_unexpected(const struct violations *violations);

void violations_free(struct violations *violations); /* fit for CLEANUP; leaves an empty list */

#endif
