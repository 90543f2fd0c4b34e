/* Glob patterns with the meaning Redis gives them in SCAN ... MATCH. */
#ifndef CACHE_GLOB_H
#define CACHE_GLOB_H

#include "bronx/text.h"

/* `*` any bytes, `?` one byte, `[abc]`, `[a-z]`, `[^a]` one of or none of, `\x` the byte x. */
bool glob_matches(struct str_view pattern, struct str_view text);

#endif
