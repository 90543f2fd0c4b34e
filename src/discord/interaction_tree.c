/* From text to a tree: strict JSON (RFC 8259) and nothing else.
 *
 * Our own reader, because json-c 0.16 dereferences NULL when an allocation fails, cuts texts
 * silently when another does, needs about a hundred allocations for one interaction, and lets
 * through single quotes, NaN, surrogates, overlong forms, equal keys and whatever follows a zero
 * byte.
 *
 * The text is decoded in place in a copy of the caller's: a decoded text is never longer than its
 * escaped form, and its closing quote makes room for a zero byte. Values are nodes in an arena. The
 * containers that are open are kept in an array of fixed depth: no recursion. Any thread; no state.
 */
#include "discord/interaction_json.h"
#include "discord/interaction_parse.h"

#include <string.h>

struct parser {
    char *start, *at, *end; /* `*end` is a zero byte */
    struct arena *arena;    /* of the nodes */
    struct err *err;
    struct json_value *open[INTERACTION_DEPTH_MAX]; /* outermost first */
    int depth;
    size_t value_count;
    struct json_value *data; /* the outermost object's "data" */
    size_t data_start, data_end;
};

static int refuse(const struct parser *parser, const char *what)
{
    if (parser->at >= parser->end)
        return err_set(parser->err, ERR_INVALID, "the JSON ends too early");
    return err_set(parser->err, ERR_INVALID, "%s at byte %zu", what,
                   (size_t)(parser->at - parser->start));
}

static void skip_space(struct parser *parser)
{
    while (*parser->at == ' ' || *parser->at == '\n' || *parser->at == '\r' || *parser->at == '\t')
        parser->at++;
}

static int hex_digit(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    return character >= 'A' && character <= 'F' ? character - 'A' + 10 : -1;
}

/* Four hexadecimal digits at `text`; -1 when they are none. The zero byte at the end stops it. */
static int32_t hex_unit(const char *text)
{
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static char *put_utf8(char *to, uint32_t character)
{
    if (character < 0x80) {
        *to++ = (char)character;
        return to;
    }
    int more = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = { 0, 0xc0, 0xe0, 0xf0 };
    *to++ = (char)(lead[more] | (character >> (6 * more)));
    while (more-- > 0)
        *to++ = (char)(0x80 | ((character >> (6 * more)) & 0x3f));
    return to;
}

#define REPLACEMENT_CHARACTER 0xfffd

/* The character of a \uXXXX, whose first digit is at parser->at; two of them may be one. Half a
 * pair becomes U+FFFD. */
static int read_unicode_escape(struct parser *parser, char **to)
{
    int32_t unit = hex_unit(parser->at);
    if (unit <= 0)
        return refuse(parser, unit == 0 ? "a zero character in a text" : "a broken escape");
    parser->at += 4;
    uint32_t character = (uint32_t)unit;
    if (unit >= 0xd800 && unit <= 0xdfff) {
        int32_t low = unit < 0xdc00 && parser->at[0] == '\\' && parser->at[1] == 'u'
                          ? hex_unit(parser->at + 2)
                          : -1;
        bool is_pair = low >= 0xdc00 && low <= 0xdfff;
        character = is_pair ? 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00)
                            : REPLACEMENT_CHARACTER;
        parser->at += is_pair ? 6 : 0;
    }
    *to = put_utf8(*to, character);
    return 0;
}

static int read_escape(struct parser *parser, char **to)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    char letter = *parser->at;
    if (letter == 'u') {
        parser->at++;
        return read_unicode_escape(parser, to);
    }
    const char *found = letter ? strchr(letters, letter) : NULL;
    if (!found)
        return refuse(parser, "a broken escape");
    parser->at++;
    *(*to)++ = meanings[found - letters];
    return 0;
}

/* A text whose opening quote is at parser->at; zero-terminated in place. */
static int read_text(struct parser *parser, struct str_view *text)
{
    char *from = ++parser->at, *to = from;
    bool has_other_bytes = false;
    while (*parser->at != '"') {
        unsigned char byte = (unsigned char)*parser->at;
        if (byte < 0x20)
            return refuse(parser, "a control character in a text");
        if (byte != '\\') {
            has_other_bytes = has_other_bytes || byte >= 0x80;
            *to++ = *parser->at++;
            continue;
        }
        parser->at++;
        int code = read_escape(parser, &to);
        if (code < 0)
            return code;
    }
    *text = (struct str_view){ from, (size_t)(to - from) };
    if (has_other_bytes && !utf8_is_valid(*text))
        return refuse(parser, "invalid UTF-8 before the quote");
    *to = '\0';
    parser->at++;
    return 0;
}

static bool skip_digits(struct parser *parser)
{
    const char *from = parser->at;
    while (*parser->at >= '0' && *parser->at <= '9')
        parser->at++;
    return parser->at > from;
}

static int read_number(struct parser *parser, struct json_value *value)
{
    const char *from = parser->at;
    parser->at += *parser->at == '-';
    const char *digits = parser->at;
    if (!skip_digits(parser) || (*digits == '0' && parser->at - digits > 1))
        return refuse(parser, "not a number");
    value->type = JSON_TYPE_NUMBER;
    value->is_integer = *parser->at != '.' && *parser->at != 'e' && *parser->at != 'E';
    if (*parser->at == '.') {
        parser->at++;
        if (!skip_digits(parser))
            return refuse(parser, "not a number");
    }
    if (*parser->at == 'e' || *parser->at == 'E') {
        parser->at++;
        parser->at += *parser->at == '+' || *parser->at == '-';
        if (!skip_digits(parser))
            return refuse(parser, "not a number");
    }
    value->text = (struct str_view){ from, (size_t)(parser->at - from) };
    return 0;
}

static int read_word(struct parser *parser, struct json_value *value)
{
    static const struct {
        struct str_view word;
        enum json_value_type type;
        bool is_true;
    } words[] = {
        { STR("true"), JSON_TYPE_BOOLEAN, true },
        { STR("false"), JSON_TYPE_BOOLEAN, false },
        { STR("null"), JSON_TYPE_NULL, false },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (strncmp(parser->at, words[i].word.data, words[i].word.length) != 0)
            continue;
        parser->at += words[i].word.length;
        value->type = words[i].type;
        value->is_true = words[i].is_true;
        value->text = words[i].word;
        return 0;
    }
    return refuse(parser, "not JSON");
}

static bool is_container(const struct json_value *value)
{
    return value->type == JSON_TYPE_OBJECT || value->type == JSON_TYPE_ARRAY;
}

static int read_value(struct parser *parser, struct json_value *value)
{
    switch (*parser->at) {
    case '"':
        value->type = JSON_TYPE_TEXT;
        return read_text(parser, &value->text);
    case '{':
    case '[':
        if (parser->depth == INTERACTION_DEPTH_MAX)
            return refuse(parser, "nesting too deep");
        value->type = *parser->at++ == '{' ? JSON_TYPE_OBJECT : JSON_TYPE_ARRAY;
        parser->open[parser->depth++] = value;
        return 0;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return read_number(parser, value);
    default:
        return read_word(parser, value);
    }
}

/* Whether the container that is open may have this value as well. */
static int check_place(struct parser *parser, struct json_value *parent, struct str_view key)
{
    parent->count++;
    if (!key.data)
        return 0;
    if (parent->count > JSON_MEMBERS_MAX)
        return refuse(parser, "an object with too many members");
    for (const struct json_value *other = parent->first; other; other = other->next)
        if (str_equal(other->key, key))
            return refuse(parser, "a key is there twice");
    return 0;
}

/* Hangs a new value into the container that is open; NULL with the reason in `*code`. */
static struct json_value *add_value(struct parser *parser, struct str_view key, int *code)
{
    struct json_value *parent = parser->depth > 0 ? parser->open[parser->depth - 1] : NULL;
    *code = ++parser->value_count > JSON_VALUES_MAX ? refuse(parser, "too many values") : 0;
    if (*code == 0 && parent)
        *code = check_place(parser, parent, key);
    if (*code < 0)
        return NULL;
    struct json_value *value = arena_allocate(parser->arena, sizeof(*value));
    if (!value) {
        *code = err_set(parser->err, ERR_MEMORY, "no memory to parse JSON");
        return NULL;
    }
    value->key = key;
    if (!parent)
        return value;
    if (parent->last)
        parent->last->next = value;
    else
        parent->first = value;
    parent->last = value;
    if (parser->depth == 1 && str_equal(key, STR("data"))) {
        parser->data = value;
        parser->data_start = (size_t)(parser->at - parser->start);
    }
    return value;
}

/* The key of an object's next member and its colon. */
static int read_key(struct parser *parser, struct str_view *key)
{
    if (*parser->at != '"')
        return refuse(parser, "a key is needed");
    int code = read_text(parser, key);
    if (code < 0)
        return code;
    skip_space(parser);
    if (*parser->at != ':')
        return refuse(parser, "a colon is needed");
    parser->at++;
    return 0;
}

/* After a value was read or a container begun: closes what ends here, up to where the next value
 * must be. Depth 0 then means the end. */
static int step(struct parser *parser, bool is_first, struct str_view *key)
{
    *key = STR_NONE;
    while (parser->depth > 0) {
        struct json_value *open = parser->open[parser->depth - 1];
        bool is_object = open->type == JSON_TYPE_OBJECT;
        skip_space(parser);
        if (*parser->at == (is_object ? '}' : ']')) {
            parser->at++;
            parser->depth--;
            if (open == parser->data)
                parser->data_end = (size_t)(parser->at - parser->start);
            is_first = false;
            continue;
        }
        if (!is_first) {
            if (*parser->at != ',')
                return refuse(parser, "a comma is needed");
            parser->at++;
            skip_space(parser);
        }
        return is_object ? read_key(parser, key) : 0;
    }
    return 0;
}

int json_read_tree(struct str_view text, struct arena *text_arena, struct arena *node_arena,
                   struct json_tree *tree, struct err *err)
{
    if (text.length > JSON_TEXT_MAX)
        return err_set(err, ERR_INVALID, "%zu bytes of JSON, at most %zu", text.length,
                       JSON_TEXT_MAX);
    char *copy = arena_allocate(text_arena, text.length + 1);
    if (!copy)
        return err_set(err, ERR_MEMORY, "no memory to parse JSON");
    if (text.length > 0)
        memcpy(copy, text.data, text.length);
    struct parser parser = {
        .start = copy, .at = copy, .end = copy + text.length, .arena = node_arena, .err = err
    };
    struct str_view key = STR_NONE;
    struct json_value *root = NULL;
    do {
        int code;
        skip_space(&parser);
        struct json_value *value = add_value(&parser, key, &code);
        if (!value)
            return code;
        if (!root && *parser.at != '{')
            return refuse(&parser, "a JSON object is needed");
        code = read_value(&parser, value);
        if (code == 0)
            code = step(&parser, is_container(value), &key);
        if (code < 0)
            return code;
        root = root ? root : value;
    } while (parser.depth > 0);
    skip_space(&parser);
    if (parser.at != parser.end)
        return refuse(&parser, "text after the JSON");
    tree->root = root;
    if (parser.data && is_container(parser.data))
        tree->data =
            (struct str_view){ text.data + parser.data_start, parser.data_end - parser.data_start };
    return 0;
}
