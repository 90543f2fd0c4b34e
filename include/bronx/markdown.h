/* Text of people inside text of ours. */
#ifndef BRONX_MARKDOWN_H
#define BRONX_MARKDOWN_H

#include "bronx/arena.h"

/* `text` so that Discord shows it as it was typed: no formatting, no link, no mention, and on one
 * line. At most twice as long. STR_NONE without memory. */
struct str_view markdown_disarm(struct arena *arena, struct str_view text);

#endif
