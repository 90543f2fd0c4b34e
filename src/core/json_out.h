/* Writing JSON: punctuation and escapes in one place. The caller keeps the nesting right; commas
 * come by themselves. Works on a struct buf, whose sticky failure is checked once at the end. */
#ifndef CORE_JSON_OUT_H
#define CORE_JSON_OUT_H

#include "bronx/text.h"

struct json_out {
    struct buf *buf; /* borrowed */
    bool needs_comma;
};

void json_object_begin(struct json_out *out);
void json_object_end(struct json_out *out);
void json_array_begin(struct json_out *out);
void json_array_end(struct json_out *out);

void json_key(struct json_out *out, const char *key); /* an ASCII literal that needs no escape */

/* Invalid UTF-8 is written as U+FFFD, so the output is valid whatever came in. */
void json_text(struct json_out *out, struct str_view value);
void json_int(struct json_out *out, int64_t value);
void json_number(struct json_out *out, double value); /* finite */
void json_bool(struct json_out *out, bool value);
void json_id(struct json_out *out, int64_t id); /* a snowflake, written as Discord does: a string */

#endif
