/* Views, UTF-8 and growing buffers. Pure functions; a buf belongs to one thread at a time. */
#include "bronx/text.h"

#include "bronx/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct str_view str_from(const char *zero_terminated)
{
    if (!zero_terminated)
        return STR_NONE;
    return (struct str_view){ zero_terminated, strlen(zero_terminated) };
}

bool str_equal(struct str_view a, struct str_view b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static char ascii_lower(char character)
{
    if (character >= 'A' && character <= 'Z')
        return (char)(character - 'A' + 'a');
    return character;
}

bool str_equal_ignoring_case(struct str_view a, struct str_view b)
{
    if (a.length != b.length)
        return false;
    for (size_t i = 0; i < a.length; i++)
        if (ascii_lower(a.data[i]) != ascii_lower(b.data[i]))
            return false;
    return true;
}

bool str_contains_ignoring_case(struct str_view text, struct str_view part)
{
    if (part.length == 0)
        return true;
    for (size_t at = 0; at + part.length <= text.length; at++)
        if (str_equal_ignoring_case((struct str_view){ text.data + at, part.length }, part))
            return true;
    return false;
}

bool str_starts_with(struct str_view text, struct str_view prefix)
{
    return text.length >= prefix.length &&
           str_equal((struct str_view){ text.data, prefix.length }, prefix);
}

static bool is_space(char character)
{
    return character == ' ' || (character >= '\t' && character <= '\r');
}

struct str_view str_trim(struct str_view text)
{
    while (text.length > 0 && is_space(text.data[0])) {
        text.data++;
        text.length--;
    }
    while (text.length > 0 && is_space(text.data[text.length - 1]))
        text.length--;
    return text;
}

bool str_split(struct str_view *rest, char separator, struct str_view *part)
{
    if (!rest->data)
        return false;
    const char *found = rest->length ? memchr(rest->data, separator, rest->length) : NULL;
    if (!found) {
        *part = *rest;
        *rest = STR_NONE;
        return true;
    }
    size_t length = (size_t)(found - rest->data);
    *part = (struct str_view){ rest->data, length };
    *rest = (struct str_view){ found + 1, rest->length - length - 1 };
    return true;
}

int str_to_int64(struct str_view text, int64_t *value)
{
    bool is_negative = text.length > 0 && text.data[0] == '-';
    size_t i = is_negative ? 1 : 0;
    if (i == text.length)
        return ERR_INVALID;
    int64_t result = 0;
    for (; i < text.length; i++) {
        char character = text.data[i];
        if (character < '0' || character > '9')
            return ERR_INVALID;
        int64_t digit = character - '0';
        /* Built as a negative number, whose range is one larger. */
        if (__builtin_mul_overflow(result, (int64_t)10, &result) ||
            __builtin_sub_overflow(result, digit, &result))
            return ERR_INVALID;
    }
    if (!is_negative && __builtin_sub_overflow((int64_t)0, result, &result))
        return ERR_INVALID;
    *value = result;
    return 0;
}

int str_to_uint63(struct str_view text, int64_t *value)
{
    if (text.length == 0 || text.length > 19 || text.data[0] == '-')
        return ERR_INVALID;
    return str_to_int64(text, value);
}

/* The length in bytes of the character at text[0]; 0 when it is not valid UTF-8. `units` receives
 * its size in UTF-16. Refuses overlong forms, surrogates and values above U+10FFFF. */
static size_t character_at(struct str_view text, size_t *units)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t length = text.length;
    *units = 1;
    if (length == 0)
        return 0;
    if (bytes[0] < 0x80)
        return 1;
    size_t size = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4 || length < size)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    if ((bytes[0] == 0xe0 && bytes[1] < 0xa0) || (bytes[0] == 0xed && bytes[1] > 0x9f) ||
        (bytes[0] == 0xf0 && bytes[1] < 0x90) || (bytes[0] == 0xf4 && bytes[1] > 0x8f))
        return 0;
    *units = size == 4 ? 2 : 1;
    return size;
}

bool utf8_is_valid(struct str_view text)
{
    while (text.length > 0) {
        size_t units;
        size_t size = character_at(text, &units);
        if (size == 0)
            return false;
        text.data += size;
        text.length -= size;
    }
    return true;
}

struct str_view utf8_prefix(struct str_view text, size_t max_units)
{
    struct str_view rest = text;
    size_t taken = 0;
    while (rest.length > 0) {
        size_t units;
        size_t size = character_at(rest, &units);
        if (size == 0)
            size = 1;
        if (units > max_units - taken)
            break;
        taken += units;
        rest.data += size;
        rest.length -= size;
    }
    return (struct str_view){ text.data, text.length - rest.length };
}

struct str_view utf8_prefix_bytes(struct str_view text, size_t max_bytes)
{
    size_t taken = 0;
    while (taken < text.length) {
        struct str_view rest = { text.data + taken, text.length - taken };
        size_t units;
        size_t size = character_at(rest, &units);
        if (size == 0)
            size = 1;
        if (size > max_bytes - taken)
            break;
        taken += size;
    }
    return (struct str_view){ text.data, taken };
}

size_t utf8_units(struct str_view text)
{
    size_t total = 0;
    while (text.length > 0) {
        size_t units;
        size_t size = character_at(text, &units);
        if (size == 0)
            size = 1;
        total += units;
        text.data += size;
        text.length -= size;
    }
    return total;
}

/* Room for `extra` more bytes and the zero byte. */
static bool reserve(struct buf *buf, size_t extra)
{
    size_t limit = buf->limit ? buf->limit : BUF_DEFAULT_LIMIT;
    if (buf->has_failed || extra > limit || buf->length > limit - extra) {
        buf->has_failed = true;
        return false;
    }
    size_t needed = buf->length + extra + 1;
    if (needed <= buf->capacity)
        return true;
    size_t capacity = buf->capacity ? buf->capacity : 256;
    while (capacity < needed)
        capacity *= 2;
    char *data = realloc(buf->data, capacity);
    if (!data) {
        buf->has_failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void buf_append_bytes(struct buf *buf, const void *bytes, size_t length)
{
    if (!reserve(buf, length))
        return;
    if (length > 0)
        memcpy(buf->data + buf->length, bytes, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void buf_append(struct buf *buf, struct str_view text)
{
    buf_append_bytes(buf, text.data, text.length);
}

void buf_append_char(struct buf *buf, char character)
{
    buf_append_bytes(buf, &character, 1);
}

void buf_append_format_list(struct buf *buf, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length < 0)
        buf->has_failed = true;
    else if (reserve(buf, (size_t)length)) {
        vsnprintf(buf->data + buf->length, (size_t)length + 1, format, again);
        buf->length += (size_t)length;
    }
    va_end(again);
}

void buf_append_format(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    buf_append_format_list(buf, format, arguments);
    va_end(arguments);
}

void buf_clear(struct buf *buf)
{
    buf->length = 0;
    buf->has_failed = false;
    if (buf->data)
        buf->data[0] = '\0';
}

struct str_view buf_view(const struct buf *buf)
{
    return (struct str_view){ buf->data, buf->length };
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){ .limit = buf->limit };
}
