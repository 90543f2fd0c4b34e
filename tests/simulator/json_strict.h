/* Whether a text is JSON to the letter of RFC 8259. json-c also takes 'single quotes' and repeated
 * keys, which other readers refuse or read in their own way. */
#ifndef SIMULATOR_JSON_STRICT_H
#define SIMULATOR_JSON_STRICT_H

#include "bronx/text.h"

#define JSON_DEPTH_MAX 32

/* `*members` gets how many members all objects have together, repeated ones included; on failure
 * `*position` the byte that is wrong. */
bool json_is_strict(struct str_view text, size_t *members, size_t *position);

#endif
