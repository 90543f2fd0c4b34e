/* A reader of JSON's grammar with a stack of one bit for each level. */
#include "simulator/json_strict.h"

#include <string.h>

struct reader {
    const char *at, *end;
    bool is_object[JSON_DEPTH_MAX];
    size_t depth, members;
};

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end && memchr(" \t\r\n", *reader->at, 4))
        reader->at++;
}

static bool take(struct reader *reader, char character)
{
    if (reader->at == reader->end || *reader->at != character)
        return false;
    reader->at++;
    return true;
}

static bool take_word(struct reader *reader, struct str_view word)
{
    if ((size_t)(reader->end - reader->at) < word.length ||
        memcmp(reader->at, word.data, word.length) != 0)
        return false;
    reader->at += word.length;
    return true;
}

static size_t take_digits(struct reader *reader)
{
    const char *start = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    return (size_t)(reader->at - start);
}

static bool take_number(struct reader *reader)
{
    take(reader, '-');
    if (!take(reader, '0') && take_digits(reader) == 0)
        return false;
    if (take(reader, '.') && take_digits(reader) == 0)
        return false;
    if (take(reader, 'e') || take(reader, 'E')) {
        if (!take(reader, '+'))
            take(reader, '-');
        return take_digits(reader) > 0;
    }
    return true;
}

static bool take_escape(struct reader *reader)
{
    if (!take(reader, 'u')) {
        if (reader->at == reader->end || !memchr("\"\\/bfnrt", *reader->at, 8))
            return false;
        reader->at++;
        return true;
    }
    for (int i = 0; i < 4; i++, reader->at++)
        if (reader->at == reader->end || !memchr("0123456789abcdefABCDEF", *reader->at, 22))
            return false;
    return true;
}

static bool take_string(struct reader *reader)
{
    if (!take(reader, '"'))
        return false;
    while (!take(reader, '"')) {
        if (reader->at == reader->end || (unsigned char)*reader->at < ' ')
            return false;
        if (*reader->at++ == '\\' && !take_escape(reader))
            return false;
    }
    return true;
}

static bool take_key(struct reader *reader)
{
    skip_space(reader);
    if (!take_string(reader))
        return false;
    skip_space(reader);
    reader->members++;
    return take(reader, ':');
}

/* After a value: closes what ends here. True when a next value is due, or all is read. */
static bool take_end(struct reader *reader)
{
    while (reader->depth > 0) {
        bool is_object = reader->is_object[reader->depth - 1];
        skip_space(reader);
        if (take(reader, ','))
            return !is_object || take_key(reader);
        if (!take(reader, is_object ? '}' : ']'))
            return false;
        reader->depth--;
    }
    return true;
}

/* A whole scalar, an empty list or object, or the opening of one (then `*is_open`). */
static bool take_value(struct reader *reader, bool *is_open)
{
    skip_space(reader);
    *is_open = false;
    if (reader->at == reader->end)
        return false;
    bool is_object = *reader->at == '{';
    if (!is_object && *reader->at != '[')
        return take_word(reader, STR("true")) || take_word(reader, STR("false")) ||
               take_word(reader, STR("null")) ||
               (*reader->at == '"' ? take_string(reader) : take_number(reader));
    reader->at++;
    skip_space(reader);
    if (take(reader, is_object ? '}' : ']'))
        return true;
    if (reader->depth == JSON_DEPTH_MAX)
        return false;
    reader->is_object[reader->depth++] = is_object;
    *is_open = true;
    return !is_object || take_key(reader);
}

bool json_is_strict(struct str_view text, size_t *members, size_t *position)
{
    struct reader reader = { .at = text.data, .end = text.data + text.length };
    bool is_good = true, is_open;
    do {
        is_good = take_value(&reader, &is_open) && (is_open || take_end(&reader));
    } while (is_good && reader.depth > 0);
    skip_space(&reader);
    *members = reader.members;
    *position = (size_t)(reader.at - text.data);
    return is_good && reader.at == reader.end;
}
