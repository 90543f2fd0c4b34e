/* From the JSON Discord posted to a struct interaction (bronx/interaction.h). */
#ifndef DISCORD_INTERACTION_PARSE_H
#define DISCORD_INTERACTION_PARSE_H

#include "bronx/interaction.h"

/* Deepest nesting of JSON accepted; the deepest real interaction has about a dozen levels. */
#define INTERACTION_DEPTH_MAX 32

/* Parses `body` (not kept). `*interaction` is owned by the caller: interaction_free. ERR_INVALID
 * with a reason fit for a 400 answer ("data.options[2].name: a text is needed"); ERR_MEMORY.
 * Accepts unknown fields, and unknown interaction, option, component and channel types as their
 * number. A PING needs nothing but its type. Refuses: broken JSON, trailing text, invalid UTF-8,
 * nesting too deep, a key that is there twice, missing required fields, mistyped fields, ids that
 * are not decimal texts within 1..2^63-1. */
int interaction_parse(struct str_view body, struct interaction **interaction,
                      struct err *err) MUST_CHECK;

/* The `data` object of a COMMAND interaction that interaction_parse or interaction_parse_data made,
 * as Discord wrote it, appended to `out`: enough to run it later. "null" for other types. */
void interaction_data_json(const struct interaction *interaction, struct buf *out);

/* The whole of what interaction_parse was given, byte for byte: parsed again, it is the same
 * interaction. It holds the token. Lives as long as the interaction; absent for a PING and for what
 * interaction_parse_data made. */
struct str_view interaction_json(const struct interaction *interaction);

/* A COMMAND interaction as if `by` had sent the command in `data` (from interaction_data_json)
 * instead: with its id and token. Borrows from `by`, which must live longer. */
int interaction_parse_data(struct str_view data, const struct interaction *by,
                           struct interaction **interaction, struct err *err) MUST_CHECK;

void interaction_free(struct interaction *interaction); /* NULL allowed */

#endif
