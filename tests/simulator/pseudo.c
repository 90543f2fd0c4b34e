/* Pure functions; the tree that is unwrapped is changed in place. */
#include "simulator/pseudo.h"

#include "harness/memory.h"

#include <json-c/json_visit.h>
#include <string.h>

#define OPENING STR("⟦")
#define CLOSING STR("⟧")

static bool is_letter(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
}

static bool has_letter(struct str_view text)
{
    for (size_t i = 0; i < text.length; i++)
        if (is_letter(text.data[i]))
            return true;
    return false;
}

static bool begins(struct str_view text, size_t at, struct str_view beginning)
{
    return str_starts_with((struct str_view){ text.data + at, text.length - at }, beginning);
}

/* The end of `code`, <@mention> or <t:time> at `at`; `at` when there is none. */
static size_t skip_mark(struct str_view text, size_t at)
{
    char end = text.data[at] == '`' ? '`' : text.data[at] == '<' ? '>' : '\0';
    const char *found =
        end ? memchr(text.data + at + 1, end, text.length - at - 1) : (const char *)NULL;
    return found ? (size_t)(found - text.data) + 1 : at;
}

/* What stands outside of brackets, code and mentions; a line break in the place of each. */
static void collect_outside(struct str_view text, struct buf *outside)
{
    int depth = 0;
    for (size_t at = 0; at < text.length;) {
        size_t end = depth == 0 ? skip_mark(text, at) : at;
        if (begins(text, at, OPENING) || begins(text, at, CLOSING)) {
            depth += begins(text, at, OPENING) ? 1 : -1;
            at += OPENING.length;
            buf_append_char(outside, '\n');
        } else if (end > at) {
            at = end;
            buf_append_char(outside, '\n');
        } else {
            if (depth == 0 && text.data[at] != '\\') /* what people typed, with its escapes */
                buf_append_char(outside, text.data[at]);
            at++;
        }
    }
    must_hold(outside);
}

/* The next words in `rest`: letters and what stands between those of a sentence. */
static bool next_words(struct str_view *rest, struct str_view *words)
{
    while (rest->length > 0 && !is_letter(rest->data[0]) && rest->data[0] != '/')
        rest->data++, rest->length--;
    if (rest->length == 0)
        return false;
    size_t length = 0, end = 0;
    for (; length < rest->length &&
           (is_letter(rest->data[length]) || memchr(" '/_-", rest->data[length], 5));
         length++)
        if (is_letter(rest->data[length]))
            end = length + 1;
    *words = (struct str_view){ rest->data, end };
    rest->data += length, rest->length -= length;
    return true;
}

static bool is_part_of(struct str_view spoken, struct str_view text)
{
    return spoken.length > 0 && memmem(spoken.data, spoken.length, text.data, text.length) != NULL;
}

/* Names that no language translates: /commands, Time/Zones. */
static bool is_name(struct str_view word)
{
    return memchr(word.data, '/', word.length) || str_equal(word, STR("UTC"));
}

static bool is_all_names(struct str_view text)
{
    struct str_view word;
    while (str_split(&text, ' ', &word))
        if (has_letter(word) && !is_name(word))
            return false;
    return true;
}

static void check_text(struct str_view text, struct str_view spoken, struct violations *violations)
{
    CLEANUP(buf_free) struct buf outside = { 0 };
    collect_outside(text, &outside);
    struct str_view rest = buf_view(&outside), words;
    while (next_words(&rest, &words)) {
        if (has_letter(words) && !is_part_of(spoken, words) && !is_all_names(words))
            violations_add(violations, "not through the catalogue: \"%.*s\" in \"%.*s\"",
                           STR_ARGS(words), STR_ARGS(utf8_prefix(text, 80)));
    }
}

static bool is_shown(const char *key)
{
    static const char *const keys[] = { "content",     "label", "placeholder",
                                        "description", "title", "name" };
    for (size_t i = 0; key && i < ARRAY_LENGTH(keys); i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

static void take_brackets_off(json_object *value, struct str_view text)
{
    CLEANUP(buf_free) struct buf bare = { 0 };
    for (size_t at = 0; at < text.length;) {
        if (begins(text, at, OPENING) || begins(text, at, CLOSING))
            at += OPENING.length;
        else
            buf_append_char(&bare, text.data[at++]);
    }
    must_hold(&bare);
    json_object_set_string_len(value, bare.data ? bare.data : "", (int)bare.length);
}

struct unwrapping {
    struct str_view spoken;
    struct violations *violations;
};

static int visit(json_object *value, int flags, json_object *parent, const char *key, size_t *index,
                 void *context)
{
    const struct unwrapping *unwrapping = context;
    (void)flags, (void)parent, (void)index;
    if (!json_object_is_type(value, json_type_string))
        return JSON_C_VISIT_RETURN_CONTINUE;
    struct str_view text = { json_object_get_string(value),
                             (size_t)json_object_get_string_len(value) };
    if (is_shown(key))
        check_text(text, unwrapping->spoken, unwrapping->violations);
    take_brackets_off(value, text);
    return JSON_C_VISIT_RETURN_CONTINUE;
}

void pseudo_unwrap(json_object *json, struct str_view spoken, struct violations *violations)
{
    struct unwrapping unwrapping = { spoken, violations };
    if (json)
        json_c_visit(json, 0, visit, &unwrapping);
}
