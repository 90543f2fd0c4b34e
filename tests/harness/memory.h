/* Memory for test programs: when there is none left, the program says so and aborts, so that a test
 * reads like the story it tells. Never linked into the bot. */
#ifndef HARNESS_MEMORY_H
#define HARNESS_MEMORY_H

#include "bronx/text.h"

#include <json-c/json.h>

/* Zeroed; freed by the caller with free(). */
void *must_allocate(size_t count, size_t size);

/* Room for one more item in a list of `count` items of `size` bytes whose room doubles; the new
 * item is zeroed. `*list` may move. */
void must_grow(void *list, size_t count, size_t size);

/* Zero-terminated copies; freed by the caller with free(). */
char *must_copy(struct str_view text);
char *must_format(const char *format, ...) PRINTF_LIKE(1, 2);
char *must_format_list(const char *format, va_list arguments) PRINTF_LIKE(1, 0);

/* json-c values; the caller owns one reference. */
json_object *must_object(void);
json_object *must_array(void);
json_object *must_text(struct str_view text);
json_object *must_integer(int64_t value);
json_object *must_boolean(bool value);
json_object *must_id(int64_t id); /* a snowflake as Discord writes it: a string */

/* `value` (its reference is taken; NULL is JSON's null) becomes a field or the last item. */
void must_put(json_object *object, const char *key, json_object *value);
void must_append(json_object *array, json_object *value);

/* Fit for CLEANUP on a json_object pointer. */
void json_release(json_object **value);

/* Ends the program when `buf` lost something. */
void must_hold(const struct buf *buf);

#endif
