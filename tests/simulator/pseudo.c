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

/* The end of <t:time> at `at`; `at` when there is none. Mentions have no letters. */
static size_t skip_time(struct str_view text, size_t at)
{
    const char *end =
        begins(text, at, STR("<t:")) ? memchr(text.data + at, '>', text.length - at) : NULL;
    return end ? (size_t)(end - text.data) + 1 : at;
}

/* Whether the code that a mark at `at` begins is a command, which people see by its name in their
 * language; other code is the same in all. */
static bool is_command(struct str_view text, size_t at)
{
    for (at++; begins(text, at, OPENING) || begins(text, at, CLOSING);)
        at += OPENING.length;
    return begins(text, at, STR("/"));
}

/* What stands outside of brackets, code and times; a line break in the place of each. The marks of
 * code may themselves be in brackets: "⟦Error id: `⟧abc⟦`⟧". */
static void collect_outside(struct str_view text, struct buf *outside)
{
    int depth = 0;
    bool is_code = false, is_let_through = false;
    for (size_t at = 0; at < text.length;) {
        size_t end = depth == 0 ? skip_time(text, at) : at;
        bool is_escaped = at > 0 && text.data[at - 1] == '\\';
        if (begins(text, at, OPENING) || begins(text, at, CLOSING)) {
            depth += begins(text, at, OPENING) ? 1 : -1;
            at += OPENING.length;
            buf_append_char(outside, '\n');
        } else if (end > at) {
            at = end;
            buf_append_char(outside, '\n');
        } else if (text.data[at] == '`' && !is_escaped) {
            is_code = !is_code && memchr(text.data + at + 1, '`', text.length - at - 1);
            is_let_through = is_code && !is_command(text, at);
            buf_append_char(outside, '\n');
            at++;
        } else {
            /* Without the escapes of what people typed. */
            if (depth == 0 && !is_let_through && text.data[at] != '\\')
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

/* Whole words of it. */
static bool is_part_of(struct str_view spoken, struct str_view words)
{
    for (size_t at = 0; at + words.length <= spoken.length; at++) {
        size_t behind = at + words.length;
        if (memcmp(spoken.data + at, words.data, words.length) == 0 &&
            (at == 0 || !is_letter(spoken.data[at - 1])) &&
            (behind == spoken.length || !is_letter(spoken.data[behind])))
            return true;
    }
    return false;
}

/* Names that no language translates: Time/Zones. */
static bool is_name(struct str_view word)
{
    const char *slash = memchr(word.data, '/', word.length);
    return (slash && slash > word.data) || str_equal(word, STR("UTC"));
}

static bool is_all_names(struct str_view text)
{
    struct str_view word;
    while (str_split(&text, ' ', &word))
        if (has_letter(word) && !is_name(word))
            return false;
    return true;
}

static bool is_line_of(struct str_view verbatim, struct str_view line)
{
    struct str_view other;
    while (str_split(&verbatim, '\n', &other))
        if (str_equal(other, line))
            return true;
    return false;
}

static void drop_lines_of(struct str_view verbatim, struct str_view text, struct buf *kept)
{
    struct str_view line;
    while (str_split(&text, '\n', &line)) {
        if (!is_line_of(verbatim, line))
            buf_append(kept, line);
        buf_append_char(kept, '\n');
    }
    must_hold(kept);
}

static void check_text(struct str_view text, const struct pseudo_allowed *allowed,
                       struct violations *violations)
{
    CLEANUP(buf_free) struct buf kept = { 0 }, outside = { 0 };
    drop_lines_of(allowed->verbatim, text, &kept);
    collect_outside(buf_view(&kept), &outside);
    struct str_view rest = buf_view(&outside), words;
    while (next_words(&rest, &words)) {
        if (has_letter(words) && !is_part_of(allowed->spoken, words) && !is_all_names(words))
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
    const struct pseudo_allowed *allowed;
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
        check_text(text, unwrapping->allowed, unwrapping->violations);
    take_brackets_off(value, text);
    return JSON_C_VISIT_RETURN_CONTINUE;
}

void pseudo_unwrap(json_object *json, const struct pseudo_allowed *allowed,
                   struct violations *violations)
{
    struct unwrapping unwrapping = { allowed, violations };
    if (json)
        json_c_visit(json, 0, visit, &unwrapping);
}
