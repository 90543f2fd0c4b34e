/* Two tables of base letters, by code point: nobody should have to find an accent on a keyboard, or
 * lose an answer to one. An accent that stands behind its letter as a mark of its own, as some
 * keyboards write it, is left out. */
#include "services/latin.h"

#include <assert.h>

/* U+00C0 to U+00FF, U+0100 to U+017F; a '.' is no letter. */
static const char latin_1[] = "aaaaaaaceeeeiiiidnooooo.ouuuuyts"
                              "aaaaaaaceeeeiiiidnooooo.ouuuuyty";
static const char extended_a[] = "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkk"
                                 "llllllllllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuu"
                                 "wwyyyzzzzzzs";

static_assert(sizeof(latin_1) == 64 + 1, "a letter for each");
static_assert(sizeof(extended_a) == 128 + 1, "a letter for each");

/* Of a character of two bytes: its letter; '\0' for a mark, '.' for anything else. */
static char base_letter(unsigned char first, unsigned char second)
{
    unsigned character = (first & 0x1fU) << 6 | (second & 0x3fU);
    if (character >= 0xc0 && character < 0x100)
        return latin_1[character - 0xc0];
    if (character >= 0x100 && character < 0x180)
        return extended_a[character - 0x100];
    return character >= 0x300 && character < 0x370 ? '\0' : '.';
}

static char small(char character)
{
    return (char)(character >= 'A' && character <= 'Z' ? character - 'A' + 'a' : character);
}

struct str_view latin_fold(struct str_view text, char *folded)
{
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char first = (unsigned char)text.data[i];
        bool is_two = (first & 0xe0) == 0xc0 && i + 1 < text.length;
        char letter = '.';
        if (is_two)
            letter = base_letter(first, (unsigned char)text.data[i + 1]);
        if (letter == '.') {
            folded[length++] = small(text.data[i]);
            continue;
        }
        if (letter != '\0')
            folded[length++] = letter;
        i++;
    }
    return (struct str_view){ folded, length };
}
