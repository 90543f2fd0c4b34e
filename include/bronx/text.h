/* Text: `struct str_view` borrows, `struct buf` owns. All text is UTF-8; lengths are in bytes
 * unless a name says otherwise. */
#ifndef BRONX_TEXT_H
#define BRONX_TEXT_H

#include "bronx/cleanup.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed text; not zero-terminated. An absent text has data == NULL and length 0. */
struct str_view {
    const char *data;
    size_t length;
};

#define STR(literal)   ((struct str_view){ "" literal, sizeof(literal) - 1 })
#define STR_NONE       ((struct str_view){ NULL, 0 })

/* For printf: printf("%.*s", STR_ARGS(view)). */
#define STR_ARGS(view) (int)(view).length, ((view).data ? (view).data : "")

static inline bool char_is_digit(char character)
{
    return character >= '0' && character <= '9';
}

struct str_view str_from(const char *zero_terminated); /* NULL gives STR_NONE */
bool str_equal(struct str_view a, struct str_view b);
bool str_equal_ignoring_case(struct str_view a, struct str_view b); /* ASCII letters only */
/* Whether `part` is somewhere in `text`; an empty one is. */
bool str_contains_ignoring_case(struct str_view text,
                                struct str_view part); /* ASCII letters only */
bool str_starts_with(struct str_view text, struct str_view prefix);
struct str_view str_trim(struct str_view text); /* ASCII white space at both ends */

/* Cuts the part before `separator` off the front of `rest`. False when nothing is left; a text that
 * ends in the separator yields one last empty part. */
bool str_split(struct str_view *rest, char separator, struct str_view *part);

/* The whole of `text` as a decimal integer, an optional '-' first; ERR_INVALID for anything else,
 * including an empty text, spaces, '+' and values outside int64_t. */
int str_to_int64(struct str_view text, int64_t *value) MUST_CHECK;

/* The whole of `text` as 1-19 decimal digits within 0..INT64_MAX. */
int str_to_uint63(struct str_view text, int64_t *value) MUST_CHECK;

bool utf8_is_valid(struct str_view text);

/* Length in UTF-16 code units: never less than any way Discord counts characters. Invalid bytes
 * count one each. */
size_t utf8_units(struct str_view text);

/* The longest prefix of at most `max_units` UTF-16 code units that ends between characters. */
struct str_view utf8_prefix(struct str_view text, size_t max_units);

/* The longest prefix of at most `max_bytes` that ends between characters. */
struct str_view utf8_prefix_bytes(struct str_view text, size_t max_bytes);

/* Growing owned text. Failure is sticky: after an allocation failed or `limit` was passed, appends
 * do nothing and `has_failed` stays true, so a caller checks once at the end. */
struct buf {
    char *data; /* zero-terminated whenever not NULL */
    size_t length;
    size_t capacity;
    size_t limit; /* largest length allowed; 0 = BUF_DEFAULT_LIMIT */
    bool has_failed;
};

#define BUF_DEFAULT_LIMIT ((size_t)64 * 1024 * 1024)

void buf_append(struct buf *buf, struct str_view text);
void buf_append_bytes(struct buf *buf, const void *bytes, size_t length);
void buf_append_char(struct buf *buf, char character);
void buf_append_format(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_append_format_list(struct buf *buf, const char *format, va_list arguments)
    PRINTF_LIKE(2, 0);
void buf_clear(struct buf *buf); /* length 0, memory kept, failure forgotten */
struct str_view buf_view(const struct buf *buf);
void buf_free(struct buf *buf); /* fit for CLEANUP; leaves an empty buf */

#endif
