/* Letters of the Latin script as they are compared when it is a person who typed them. Pure
 * functions. */
#ifndef SERVICES_LATIN_H
#define SERVICES_LATIN_H

#include "bronx/text.h"

/* Small letters without their accents: "Bogotá" is "bogota"; other scripts stay as they are.
 * `text` is UTF-8; the result is never longer, and is written to `folded`, which has room for
 * text.length bytes. */
struct str_view latin_fold(struct str_view text, char *folded);

#endif
