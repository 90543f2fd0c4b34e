#include "core/json_out.h"

#include <inttypes.h>

static void before_value(struct json_out *out)
{
    if (out->needs_comma)
        buf_append_char(out->buf, ',');
    out->needs_comma = true;
}

static void open_with(struct json_out *out, char bracket)
{
    before_value(out);
    buf_append_char(out->buf, bracket);
    out->needs_comma = false;
}

static void close_with(struct json_out *out, char bracket)
{
    buf_append_char(out->buf, bracket);
    out->needs_comma = true;
}

void json_object_begin(struct json_out *out)
{
    open_with(out, '{');
}

void json_object_end(struct json_out *out)
{
    close_with(out, '}');
}

void json_array_begin(struct json_out *out)
{
    open_with(out, '[');
}

void json_array_end(struct json_out *out)
{
    close_with(out, ']');
}

void json_key(struct json_out *out, const char *key)
{
    before_value(out);
    buf_append_char(out->buf, '"');
    buf_append(out->buf, str_from(key));
    buf_append(out->buf, STR("\":"));
    out->needs_comma = false;
}

static void append_escaped(struct buf *buf, unsigned char character)
{
    switch (character) {
    case '"':
        buf_append(buf, STR("\\\""));
        break;
    case '\\':
        buf_append(buf, STR("\\\\"));
        break;
    case '\n':
        buf_append(buf, STR("\\n"));
        break;
    case '\r':
        buf_append(buf, STR("\\r"));
        break;
    case '\t':
        buf_append(buf, STR("\\t"));
        break;
    default:
        buf_append_format(buf, "\\u%04x", character);
        break;
    }
}

static bool needs_escape(char character)
{
    unsigned char byte = (unsigned char)character;
    return byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7f;
}

/* Length of the longest prefix that can be copied as it is. */
static size_t plain_length(struct str_view text)
{
    size_t length = 0;
    while (length < text.length && !needs_escape(text.data[length]))
        length++;
    return length;
}

static void append_valid(struct buf *buf, struct str_view text)
{
    while (text.length > 0) {
        size_t plain = plain_length(text);
        buf_append(buf, (struct str_view){ text.data, plain });
        text.data += plain;
        text.length -= plain;
        if (text.length > 0) {
            append_escaped(buf, (unsigned char)text.data[0]);
            text.data++;
            text.length--;
        }
    }
}

void json_text(struct json_out *out, struct str_view value)
{
    before_value(out);
    buf_append_char(out->buf, '"');
    if (utf8_is_valid(value)) {
        append_valid(out->buf, value);
    } else {
        while (value.length > 0) {
            struct str_view one = utf8_prefix(value, 1);
            if (one.length == 0)
                one = utf8_prefix(value, 2);
            if (utf8_is_valid(one))
                append_valid(out->buf, one);
            else
                buf_append(out->buf, STR("\xef\xbf\xbd"));
            value.data += one.length;
            value.length -= one.length;
        }
    }
    buf_append_char(out->buf, '"');
}

void json_int(struct json_out *out, int64_t value)
{
    before_value(out);
    buf_append_format(out->buf, "%" PRId64, value);
}

void json_number(struct json_out *out, double value)
{
    before_value(out);
    buf_append_format(out->buf, "%.17g", value);
}

void json_bool(struct json_out *out, bool value)
{
    before_value(out);
    buf_append(out->buf, value ? STR("true") : STR("false"));
}

void json_id(struct json_out *out, int64_t id)
{
    before_value(out);
    buf_append_format(out->buf, "\"%" PRId64 "\"", id);
}
