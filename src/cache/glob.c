/* One pass with a single way back: only the last `*` can need to take more, so the time is at most
 * the product of both lengths, whatever the pattern. */
#include "cache/glob.h"

/* A `[...]` at `*at` (behind the bracket) against one byte; `*at` moves behind it. An unclosed one
 * ends with the pattern, as in Redis. */
static bool class_matches(struct str_view pattern, size_t *at, unsigned char byte)
{
    size_t i = *at;
    bool is_negated = i < pattern.length && pattern.data[i] == '^';
    bool has_matched = false;
    if (is_negated)
        i++;
    while (i < pattern.length && pattern.data[i] != ']') {
        if (pattern.data[i] == '\\' && i + 1 < pattern.length) {
            has_matched = has_matched || (unsigned char)pattern.data[i + 1] == byte;
            i += 2;
        } else if (i + 2 < pattern.length && pattern.data[i + 1] == '-') {
            unsigned char from = (unsigned char)pattern.data[i];
            unsigned char to = (unsigned char)pattern.data[i + 2];
            has_matched = has_matched ||
                          (from <= to ? byte >= from && byte <= to : byte >= to && byte <= from);
            i += 3;
        } else {
            has_matched = has_matched || (unsigned char)pattern.data[i] == byte;
            i++;
        }
    }
    *at = i < pattern.length ? i + 1 : i;
    return has_matched != is_negated;
}

/* One byte against the pattern's next item; `*at` moves behind the item. */
static bool item_matches(struct str_view pattern, size_t *at, char byte)
{
    char item = pattern.data[(*at)++];
    if (item == '?')
        return true;
    if (item == '[')
        return class_matches(pattern, at, (unsigned char)byte);
    if (item == '\\' && *at < pattern.length)
        item = pattern.data[(*at)++];
    return item == byte;
}

bool glob_matches(struct str_view pattern, struct str_view text)
{
    size_t at = 0, i = 0, star_at = 0, star_text = 0;
    bool has_star = false;
    while (i < text.length) {
        if (at < pattern.length && pattern.data[at] == '*') {
            has_star = true;
            star_at = ++at;
            star_text = i;
        } else if (at < pattern.length && item_matches(pattern, &at, text.data[i])) {
            i++;
        } else if (has_star) {
            at = star_at;
            i = ++star_text;
        } else {
            return false;
        }
    }
    while (at < pattern.length && pattern.data[at] == '*')
        at++;
    return at == pattern.length;
}
