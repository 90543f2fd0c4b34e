/* Custom emoji in text. What passes here is shown unescaped, so it is read as narrowly as Discord
 * writes it. Pure functions. */
#include "bronx/emoji.h"

#include <string.h>

#define NAME_MIN 2
#define NAME_MAX 32

static bool is_name_character(char character)
{
    return char_is_digit(character) || (character >= 'a' && character <= 'z') ||
           (character >= 'A' && character <= 'Z') || character == '_';
}

static bool is_name(struct str_view name)
{
    if (name.length < NAME_MIN || name.length > NAME_MAX)
        return false;
    for (size_t i = 0; i < name.length; i++)
        if (!is_name_character(name.data[i]))
            return false;
    return true;
}

static bool is_id(struct str_view digits)
{
    int64_t id;
    return str_to_uint63(digits, &id) == 0 && digits.data[0] != '0';
}

size_t emoji_length(struct str_view text)
{
    const char *end = text.length > 0 ? memchr(text.data, '>', text.length) : NULL;
    struct str_view rest = { text.data, end ? (size_t)(end - text.data) : 0 }, start, name;
    bool is_one = end && str_split(&rest, ':', &start) && str_split(&rest, ':', &name) &&
                  (str_equal(start, STR("<")) || str_equal(start, STR("<a"))) && is_name(name) &&
                  is_id(rest);
    return is_one ? (size_t)(end - text.data) + 1 : 0;
}

bool emoji_is_custom(struct str_view text)
{
    return text.length > 0 && emoji_length(text) == text.length;
}

struct str_view emoji_plain(struct str_view text)
{
    struct str_view rest = text, start, name;
    if (!emoji_is_custom(text) || !str_split(&rest, ':', &start) || !str_split(&rest, ':', &name))
        return text;
    return (struct str_view){ name.data - 1, name.length + 2 };
}
