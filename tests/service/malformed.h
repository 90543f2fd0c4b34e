/* Requests whose signature headers are wrong in form or value. Discord expects 401 for each. */
#ifndef TESTS_MALFORMED_H
#define TESTS_MALFORMED_H

#include "harness/keys.h"

#include "bronx/text.h"

struct malformed {
    const char *name;
    /* Header lines, in which stand for parts of a good signature:
     *   $S signature   $s without its last digit   $W with a wrong last digit   $T timestamp
     *   $N timestamp of the next second            $K 4,000 digits              $L 12,000 digits */
    const char *headers;
    bool
        is_for_nginx; /* so broken that a server can't tell what it is: only nginx says 401 to it */
};

extern const struct malformed malformed_rows[]; /* ended by a name of NULL */

/* A whole POST /interactions with `row`'s headers, appended. */
void malformed_request(const struct malformed *row, const struct harness_signature *signature,
                       struct str_view body, struct buf *out);

#endif
