/* The text level of parsing: strict JSON and nothing else becomes a tree.
 *
 * json-c 0.16 in its strict mode still takes 'single quotes', NaN, "1.", control characters inside
 * texts, surrogates and overlong forms in "validated" UTF-8, stops silently at a zero byte, cuts
 * keys at \u0000 and keeps the last of two equal keys. One pass over the bytes refuses most of
 * that; equal keys show as a tree with fewer members than the text has.
 * Any thread; no state. */
#include "discord/interaction_json.h"
#include "discord/interaction_parse.h"

#include <json-c/json_visit.h>

#include <string.h>

/* Bytes that may stand outside texts: punctuation, numbers, true, false, null, white space. */
static const bool is_structural[256] = {
    ['{'] = true, ['}'] = true,  ['['] = true,  [']'] = true,  [':'] = true, [','] = true,
    ['0'] = true, ['1'] = true,  ['2'] = true,  ['3'] = true,  ['4'] = true, ['5'] = true,
    ['6'] = true, ['7'] = true,  ['8'] = true,  ['9'] = true,  ['+'] = true, ['-'] = true,
    ['.'] = true, ['e'] = true,  ['E'] = true,  ['t'] = true,  ['r'] = true, ['u'] = true,
    ['f'] = true, ['a'] = true,  ['l'] = true,  ['s'] = true,  ['n'] = true, [' '] = true,
    ['"'] = true, ['\t'] = true, ['\n'] = true, ['\r'] = true,
};

/* Steps over a text that begins at `*at` (its opening quote) and leaves `*at` on its closing quote.
 */
static int scan_string(struct str_view text, size_t *at, struct json_scan *scan, struct err *err)
{
    for (size_t i = *at + 1; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte == '"') {
            *at = i;
            return 0;
        }
        if (byte < 0x20)
            return err_set(err, ERR_INVALID, "a control character in a text at byte %zu", i);
        if (byte >= 0x80)
            scan->has_other_bytes = true;
        if (byte != '\\')
            continue;
        if (text.length - i > 5 && memcmp(text.data + i, "\\u0000", 6) == 0)
            return err_set(err, ERR_INVALID, "a zero character in a text at byte %zu", i);
        i++;
    }
    return err_set(err, ERR_INVALID, "the JSON ends too early");
}

static bool is_digit_at(struct str_view text, size_t at)
{
    return at < text.length && text.data[at] >= '0' && text.data[at] <= '9';
}

/* The part of the outermost object that follows "data": and ends at `,` or `}`. */
struct data_range {
    struct str_view last_string;
    size_t start; /* 0: not seen */
};

static void note_data(struct data_range *range, struct str_view text, size_t at,
                      struct json_scan *scan)
{
    if (text.data[at] == ':') {
        if (str_equal(range->last_string, STR("data")))
            range->start = at + 1;
    } else if (range->start != 0) {
        scan->data = (struct str_view){ text.data + range->start, at - range->start };
        range->start = 0;
    }
}

int json_scan_text(struct str_view text, struct json_scan *scan, struct err *err)
{
    *scan = (struct json_scan){ 0 };
    struct data_range range = { 0 };
    int depth = 0;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.data[i];
        if (!is_structural[(unsigned char)byte])
            return err_set(err, ERR_INVALID, "not JSON at byte %zu", i);
        if (byte == '"') {
            size_t start = i + 1;
            int code = scan_string(text, &i, scan, err);
            if (code < 0)
                return code;
            range.last_string = (struct str_view){ text.data + start, i - start };
        } else if (byte == '{' || byte == '[') {
            depth++;
        } else if (byte == '.' && !is_digit_at(text, i + 1)) {
            return err_set(err, ERR_INVALID, "not a number at byte %zu", i);
        } else if (byte == ':' || byte == ',' || byte == '}' || byte == ']') {
            scan->member_count += byte == ':';
            if (depth == 1)
                note_data(&range, text, i, scan);
            depth -= byte == '}' || byte == ']';
        }
    }
    return 0;
}

static int count_member(struct json_object *value, int flags, struct json_object *parent,
                        const char *key, size_t *index, void *count)
{
    (void)value;
    (void)parent;
    (void)index;
    if (key && flags != JSON_C_VISIT_SECOND)
        ++*(size_t *)count;
    return JSON_C_VISIT_RETURN_CONTINUE;
}

void json_tree_free(struct json_object **tree)
{
    json_object_put(*tree);
    *tree = NULL;
}

static void free_tokener(struct json_tokener **tokener)
{
    if (*tokener)
        json_tokener_free(*tokener);
}

static int parse_text(struct str_view text, struct json_object **tree, struct err *err)
{
    CLEANUP(free_tokener) struct json_tokener *tokener = json_tokener_new_ex(INTERACTION_DEPTH_MAX);
    if (!tokener)
        return err_set(err, ERR_MEMORY, "no memory to parse JSON");
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    *tree = json_tokener_parse_ex(tokener, text.data, (int)text.length);
    enum json_tokener_error reason = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    if (reason == json_tokener_continue)
        return err_set(err, ERR_INVALID, "the JSON ends too early");
    if (reason != json_tokener_success)
        return err_set(err, ERR_INVALID, "broken JSON at byte %zu: %s", end,
                       json_tokener_error_desc(reason));
    if (end != text.length)
        return err_set(err, ERR_INVALID, "text after the JSON at byte %zu", end);
    /* The text begins with a brace: no tree without an error is json-c's way to say no memory. */
    if (!*tree)
        return err_set(err, ERR_MEMORY, "no memory to parse JSON");
    return 0;
}

int json_read_tree(struct str_view text, struct json_object **tree, struct str_view *data,
                   struct err *err)
{
    if (text.length > JSON_TEXT_MAX)
        return err_set(err, ERR_INVALID, "%zu bytes of JSON, at most %zu", text.length,
                       JSON_TEXT_MAX);
    struct json_scan scan;
    int code = json_scan_text(text, &scan, err);
    if (code < 0)
        return code;
    struct str_view trimmed = str_trim(text);
    if (trimmed.length == 0)
        return err_set(err, ERR_INVALID, "the JSON ends too early");
    if (trimmed.data[0] != '{')
        return err_set(err, ERR_INVALID, "a JSON object is needed");
    if (scan.has_other_bytes && !utf8_is_valid(text))
        return err_set(err, ERR_INVALID, "invalid UTF-8");
    CLEANUP(json_tree_free) struct json_object *parsed = NULL;
    code = parse_text(text, &parsed, err);
    if (code < 0)
        return code;
    size_t member_count = 0;
    if (json_c_visit(parsed, 0, count_member, &member_count) < 0)
        return err_set(err, ERR_INVALID, "the JSON can't be walked");
    if (member_count != scan.member_count)
        return err_set(err, ERR_INVALID, "a key is there twice");
    *data = scan.data;
    *tree = STEAL(parsed);
    return 0;
}
