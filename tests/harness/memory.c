/* Checked allocation for test programs. Any thread. */
#include "harness/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must_have(void *memory)
{
    if (!memory) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *must_allocate(size_t count, size_t size)
{
    return must_have(calloc(count ? count : 1, size));
}

void must_grow(void *list, size_t count, size_t size)
{
    void *items;
    memcpy(&items, list, sizeof(items));
    if ((count & (count - 1)) == 0) { /* 0 or a power of two: the room is used up */
        items = must_have(reallocarray(items, count ? 2 * count : 1, size));
        memcpy(list, &items, sizeof(items));
    }
    memset((char *)items + count * size, 0, size);
}

char *must_copy(struct str_view text)
{
    char *copy = must_allocate(text.length + 1, 1);
    if (text.length > 0)
        memcpy(copy, text.data, text.length);
    return copy;
}

char *must_format_list(const char *format, va_list arguments)
{
    struct buf buf = { 0 };
    buf_append_format_list(&buf, format, arguments);
    must_hold(&buf);
    return buf.data ? buf.data : must_copy(STR(""));
}

char *must_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = must_format_list(format, arguments);
    va_end(arguments);
    return text;
}

json_object *must_object(void)
{
    return must_have(json_object_new_object());
}

json_object *must_array(void)
{
    return must_have(json_object_new_array());
}

json_object *must_text(struct str_view text)
{
    return must_have(json_object_new_string_len(text.data ? text.data : "", (int)text.length));
}

json_object *must_integer(int64_t value)
{
    return must_have(json_object_new_int64(value));
}

json_object *must_boolean(bool value)
{
    return must_have(json_object_new_boolean(value));
}

json_object *must_id(int64_t id)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, id);
    return must_text(str_from(text));
}

void must_put(json_object *object, const char *key, json_object *value)
{
    if (json_object_object_add(object, key, value) != 0)
        must_have(NULL);
}

void must_append(json_object *array, json_object *value)
{
    if (json_object_array_add(array, value) != 0)
        must_have(NULL);
}

void json_release(json_object **value)
{
    json_object_put(*value);
    *value = NULL;
}

void must_hold(const struct buf *buf)
{
    if (buf->has_failed)
        must_have(NULL);
}
