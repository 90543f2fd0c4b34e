/* What people type, made fit to be kept and shown: what would break a line or reorder what follows
 * goes, what writing systems and emoji need stays. Pure functions.
 *
 * Length is counted in characters that take room: a flag is two, a family of three is three, the
 * selectors and joiners between them are none. Discord's own limits count UTF-16 units, so a text
 * may have at most FIELD_TEXT_UNITS of them for each character. */
#include "bronx/markdown.h"

#include "services/field_internal.h"

#include <string.h>

struct range {
    uint32_t first, last;
};

/* Line and paragraph breaks become a space. */
static const struct range breaks[] = { { 0x09, 0x0d }, { 0x85, 0x85 }, { 0x2028, 0x2029 } };

/* Controls, what turns the direction of whatever comes after (the marks LRM, RLM and ALM only touch
 * their neighbours and stay), and what can't be seen and means nothing: soft hyphen, zero-width
 * space, word joiner, byte order mark. */
static const struct range removed[] = {
    { 0x00, 0x1f },     { 0x7f, 0x9f },     { 0xad, 0xad },
    { 0x180e, 0x180e }, { 0x200b, 0x200b }, { 0x202a, 0x202e },
    { 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb },
};

/* Joiners, selectors and marks of direction take no room. */
static const struct range roomless[] = {
    { 0x061c, 0x061c },
    { 0x200c, 0x200f },
    { 0xfe00, 0xfe0f },
    { 0xe0100, 0xe01ef },
};

/* Blank, though a letter or a symbol by name. */
static const struct range blank[] = {
    { 0x20, 0x20 },     { 0xa0, 0xa0 },       { 0x034f, 0x034f }, { 0x115f, 0x1160 },
    { 0x1680, 0x1680 }, { 0x17b4, 0x17b5 },   { 0x2000, 0x200a }, { 0x202f, 0x202f },
    { 0x205f, 0x205f }, { 0x2800, 0x2800 },   { 0x3000, 0x3000 }, { 0x3164, 0x3164 },
    { 0xffa0, 0xffa0 }, { 0xe0000, 0xe007f },
};

static bool is_in(uint32_t character, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (character >= ranges[i].first && character <= ranges[i].last)
            return true;
    return false;
}

#define IS_IN(character, ranges) is_in(character, ranges, ARRAY_LENGTH(ranges))

/* The first character of a valid text that is not empty; cuts it off. */
static uint32_t next_character(struct str_view *text, struct str_view *bytes)
{
    const unsigned char *at = (const unsigned char *)text->data;
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t character = size == 1 ? at[0] : at[0] & (0x7fU >> size);
    for (size_t i = 1; i < size; i++)
        character = (character << 6) | (at[i] & 0x3f);
    *bytes = (struct str_view){ text->data, size };
    text->data += size;
    text->length -= size;
    return character;
}

struct str_view field_text_clean(struct arena *arena, struct str_view typed)
{
    CLEANUP(buf_free) struct buf clean = { 0 };
    struct str_view bytes;
    while (typed.length > 0) {
        uint32_t character = next_character(&typed, &bytes);
        bool is_space = character == ' ' || IS_IN(character, breaks);
        bool is_after_space = clean.length == 0 || clean.data[clean.length - 1] == ' ';
        if (is_space && !is_after_space)
            buf_append_char(&clean, ' ');
        else if (!is_space && !IS_IN(character, removed))
            buf_append(&clean, bytes);
    }
    return str_trim(arena_keep(arena, &clean));
}

bool field_text_is_clean(struct str_view text)
{
    struct str_view bytes;
    if (!utf8_is_valid(text))
        return false;
    while (text.length > 0) {
        uint32_t character = next_character(&text, &bytes);
        if (IS_IN(character, breaks) || IS_IN(character, removed))
            return false;
    }
    return true;
}

int64_t field_text_characters(struct str_view text)
{
    struct str_view bytes;
    int64_t count = 0;
    while (text.length > 0)
        count += !IS_IN(next_character(&text, &bytes), roomless);
    return count;
}

bool field_text_is_visible(struct str_view text)
{
    struct str_view bytes;
    while (text.length > 0) {
        uint32_t character = next_character(&text, &bytes);
        if (!IS_IN(character, blank) && !IS_IN(character, roomless) && !IS_IN(character, breaks) &&
            !IS_IN(character, removed))
            return true;
    }
    return false;
}

struct str_view markdown_disarm(struct arena *arena, struct str_view text)
{
    static const char special[] = "\\*_~`|<>[]()#:-+@";
    CLEANUP(buf_free) struct buf shown = { 0 };
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] != '\0' && strchr(special, text.data[i]))
            buf_append_char(&shown, '\\');
        bool is_break = text.data[i] == '\n' || text.data[i] == '\r';
        buf_append(&shown, is_break ? STR(" ") : (struct str_view){ text.data + i, 1 });
    }
    return arena_keep(arena, &shown);
}
