/* What must change to make one set of commands another. */
#ifndef DISCORD_COMMAND_DIFF_H
#define DISCORD_COMMAND_DIFF_H

#include "discord/command_set.h"

/* The difference of two sets in normal form as a JSON object, which is also what --json shows:
 *
 *     {"added": ["/a"], "changed": [{"command": "/b", "paths": [{"path": "options[x].required",
 *      "before": null, "after": true}]}], "deleted": ["/c"], "unchanged": 7}
 *
 * null stands for what is not there. Options and choices are told apart by their names; of a list
 * whose order differs, "before" and "after" are the names in their order. The caller frees it. */
int command_diff(const struct json_object *before, const struct json_object *after,
                 struct json_object **difference, struct err *err) MUST_CHECK;

/* Number of entries: "added", "changed", "deleted". */
size_t command_diff_count(const struct json_object *difference, const char *key);
bool command_diff_is_empty(const struct json_object *difference);

/* As lines for people: "+ /a", "~ /b" and its paths, "- /c". */
void command_diff_print(const struct json_object *difference, struct buf *out);

#endif
