/* Typed access to a tree of JSON: each reader checks the type and names the path of what is wrong.
 * Any thread; no state. */
#include "discord/interaction_json.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Deeper than any path our code asks for. */
#define PATH_DEPTH_MAX    16

/* Keys of maps come from outside: no more bytes of them than our own keys have. */
#define KEY_SHOWN_MAX     40

/* The longest number a double can need is shorter. */
#define NUMBER_DIGITS_MAX 400

int json_fault(const struct json_reader *reader, const struct json_place *place, const char *format,
               ...)
{
    if (!reader->err)
        return ERR_INVALID;
    const struct json_place *chain[PATH_DEPTH_MAX];
    int depth = 0;
    for (; place && place->parent && depth < PATH_DEPTH_MAX; place = place->parent)
        chain[depth++] = place;
    CLEANUP(buf_free) struct buf text = { 0 };
    while (depth-- > 0) {
        if (!chain[depth]->key)
            buf_append_format(&text, "[%zu]", chain[depth]->index);
        else
            buf_append_format(&text, "%s%.*s", text.length ? "." : "", KEY_SHOWN_MAX,
                              chain[depth]->key);
    }
    if (text.length > 0)
        buf_append(&text, STR(": "));
    va_list arguments;
    va_start(arguments, format);
    buf_append_format_list(&text, format, arguments);
    va_end(arguments);
    return err_set(reader->err, ERR_INVALID, "%s", text.data ? text.data : format);
}

bool json_is(const struct json_place *place, enum json_value_type type)
{
    return place->value && place->value->type == type;
}

static struct json_value *null_is_absent(struct json_value *value)
{
    return value && value->type != JSON_TYPE_NULL ? value : NULL;
}

struct json_place json_member(const struct json_place *parent, const char *key)
{
    struct str_view wanted = str_from(key);
    struct json_value *member = parent->value->first;
    while (member && !str_equal(member->key, wanted))
        member = member->next;
    return (struct json_place){ .parent = parent, .key = key, .value = null_is_absent(member) };
}

struct json_place json_item(const struct json_place *parent, size_t index)
{
    struct json_value *list = parent->value;
    if (!list->cursor || list->cursor_index > index) {
        list->cursor = list->first;
        list->cursor_index = 0;
    }
    for (; list->cursor_index < index; list->cursor_index++)
        list->cursor = list->cursor->next;
    return (struct json_place){ .parent = parent,
                                .key = list->cursor->key.data,
                                .index = index,
                                .value = null_is_absent(list->cursor) };
}

int json_need_object(const struct json_reader *reader, const struct json_place *place)
{
    if (!place->value)
        return json_fault(reader, place, "missing");
    if (!json_is(place, JSON_TYPE_OBJECT))
        return json_fault(reader, place, "an object is needed");
    return 0;
}

static int check_count(const struct json_reader *reader, const struct json_place *place,
                       size_t count, size_t max)
{
    if (count > max)
        return json_fault(reader, place, "%zu entries, at most %zu", count, max);
    return 0;
}

int json_count_items(const struct json_reader *reader, const struct json_place *place, size_t max,
                     size_t *count)
{
    *count = 0;
    if (!place->value)
        return 0;
    if (!json_is(place, JSON_TYPE_ARRAY))
        return json_fault(reader, place, "a list is needed");
    *count = place->value->count;
    return check_count(reader, place, *count, max);
}

int json_count_members(const struct json_reader *reader, const struct json_place *place, size_t max,
                       size_t *count)
{
    *count = 0;
    if (!place->value)
        return 0;
    if (!json_is(place, JSON_TYPE_OBJECT))
        return json_fault(reader, place, "an object is needed");
    *count = place->value->count;
    return check_count(reader, place, *count, max);
}

int json_get_text(const struct json_reader *reader, const struct json_place *place,
                  struct str_view *text)
{
    if (!place->value)
        return json_fault(reader, place, "missing");
    if (!json_is(place, JSON_TYPE_TEXT))
        return json_fault(reader, place, "a text is needed");
    *text = place->value->text;
    return 0;
}

int json_parse_id(const struct json_reader *reader, const struct json_place *place,
                  struct str_view text, int64_t *id)
{
    int64_t value;
    if (str_to_uint63(text, &value) < 0 || value == 0)
        return json_fault(reader, place, "an id is needed");
    *id = value;
    return 0;
}

int json_get_id(const struct json_reader *reader, const struct json_place *place, int64_t *id)
{
    struct str_view text = STR_NONE;
    int code = json_get_text(reader, place, &text);
    return code < 0 ? code : json_parse_id(reader, place, text, id);
}

static int get_id_or_0(const struct json_reader *reader, const struct json_place *place,
                       int64_t *id)
{
    struct str_view text = STR_NONE;
    int code = json_get_text(reader, place, &text);
    if (code < 0)
        return code;
    if (!str_equal(text, STR("0")))
        return json_parse_id(reader, place, text, id);
    *id = 0;
    return 0;
}

int json_get_int64(const struct json_reader *reader, const struct json_place *place, int64_t min,
                   int64_t max, int64_t *value)
{
    if (!place->value)
        return json_fault(reader, place, "missing");
    if (!json_is(place, JSON_TYPE_NUMBER) || !place->value->is_integer)
        return json_fault(reader, place, "a whole number is needed");
    int64_t number;
    if (str_to_int64(place->value->text, &number) < 0 || number < min || number > max)
        return json_fault(reader, place, "a number out of range");
    *value = number;
    return 0;
}

int json_get_number(const struct json_reader *reader, const struct json_place *place, double *value)
{
    if (!json_is(place, JSON_TYPE_NUMBER))
        return json_fault(reader, place, place->value ? "a number is needed" : "missing");
    struct str_view text = place->value->text;
    char digits[NUMBER_DIGITS_MAX + 1]; /* what follows the number is not the number's end */
    if (text.length > NUMBER_DIGITS_MAX)
        return json_fault(reader, place, "a number out of range");
    memcpy(digits, text.data, text.length);
    digits[text.length] = '\0';
    double number = strtod(digits, NULL); /* the grammar has been checked; the locale is "C" */
    if (!isfinite(number))
        return json_fault(reader, place, "a number out of range");
    *value = number;
    return 0;
}

int json_get_bool(const struct json_reader *reader, const struct json_place *place, bool *value)
{
    if (!json_is(place, JSON_TYPE_BOOLEAN))
        return json_fault(reader, place, place->value ? "true or false is needed" : "missing");
    *value = place->value->is_true;
    return 0;
}

static int get_int(const struct json_reader *reader, const struct json_place *place, int *value)
{
    int64_t number = 0;
    int code = json_get_int64(reader, place, INT_MIN, INT_MAX, &number);
    if (code == 0)
        *value = (int)number;
    return code;
}

static int get_flags(const struct json_reader *reader, const struct json_place *place,
                     uint64_t *value)
{
    int64_t number = 0;
    int code = json_get_int64(reader, place, 0, DISCORD_INTEGER_MAX, &number);
    if (code == 0)
        *value = (uint64_t)number;
    return code;
}

/* Permissions are texts because they outgrew JavaScript's numbers. */
static int get_bits(const struct json_reader *reader, const struct json_place *place,
                    uint64_t *value)
{
    struct str_view text = STR_NONE;
    int code = json_get_text(reader, place, &text);
    if (code < 0)
        return code;
    uint64_t bits = 0;
    bool is_valid = text.length > 0;
    for (size_t i = 0; i < text.length && is_valid; i++) {
        unsigned digit = (unsigned)(unsigned char)text.data[i] - '0';
        is_valid = digit <= 9 && !__builtin_mul_overflow(bits, (uint64_t)10, &bits) &&
                   !__builtin_add_overflow(bits, (uint64_t)digit, &bits);
    }
    if (!is_valid)
        return json_fault(reader, place, "a decimal number of 64 bits as text is needed");
    *value = bits;
    return 0;
}

/* `count` digits at text[*at], which moves behind them. */
static bool take_digits(struct str_view text, size_t *at, size_t count, int64_t *value)
{
    if (text.length - *at < count)
        return false;
    struct str_view digits = { text.data + *at, count };
    *at += count;
    return str_to_uint63(digits, value) == 0;
}

static int64_t days_since_1970(int64_t year, int64_t month, int64_t day)
{
    /* Years begin in March, so that the leap day is the last of its year. */
    year -= month <= 2;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719468;
}

/* "2025-05-16T22:51:16.692000+00:00" in milliseconds, 0 for anything else. Discord writes UTC.
 * https://docs.discord.com/developers/reference#iso8601-date-time */
static int64_t timestamp_ms(struct str_view text)
{
    static const char separators[] = "--T::";
    int64_t parts[6];
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        if (!take_digits(text, &at, i == 0 ? 4 : 2, &parts[i]))
            return 0;
        bool is_last = i + 1 == ARRAY_LENGTH(parts);
        if (!is_last && (at >= text.length || text.data[at++] != separators[i]))
            return 0;
    }
    int64_t milliseconds = 0;
    if (at < text.length && text.data[at] == '.') {
        at++;
        if (!take_digits(text, &at, 3, &milliseconds))
            return 0;
    }
    bool is_in_range = parts[0] >= 1970 && parts[1] >= 1 && parts[1] <= 12 && parts[2] >= 1 &&
                       parts[2] <= 31 && parts[3] <= 23 && parts[4] <= 59 && parts[5] <= 60;
    if (!is_in_range)
        return 0;
    int64_t days = days_since_1970(parts[0], parts[1], parts[2]);
    return (((days * 24 + parts[3]) * 60 + parts[4]) * 60 + parts[5]) * 1000 + milliseconds;
}

static int get_timestamp(const struct json_reader *reader, const struct json_place *place,
                         int64_t *value)
{
    struct str_view text = STR_NONE;
    int code = json_get_text(reader, place, &text);
    if (code == 0)
        *value = timestamp_ms(text);
    return code;
}

static int get_field(const struct json_reader *reader, const struct json_place *place,
                     enum json_kind kind, void *target)
{
    switch (kind) {
    case JSON_ID:
        return json_get_id(reader, place, target);
    case JSON_ID_OR_0:
        return get_id_or_0(reader, place, target);
    case JSON_TEXT:
        return json_get_text(reader, place, target);
    case JSON_INT:
        return get_int(reader, place, target);
    case JSON_INT64:
        return json_get_int64(reader, place, 0, DISCORD_INTEGER_MAX, target);
    case JSON_FLAGS:
        return get_flags(reader, place, target);
    case JSON_BITS:
        return get_bits(reader, place, target);
    case JSON_BOOL:
        return json_get_bool(reader, place, target);
    case JSON_TIMESTAMP:
        return get_timestamp(reader, place, target);
    }
    return err_set(reader->err, ERR_INTERNAL, "field %s has kind %d", place->key, (int)kind);
}

int json_get_fields(const struct json_reader *reader, const struct json_place *object,
                    const struct json_field *fields, size_t count, void *target)
{
    for (size_t i = 0; i < count; i++) {
        struct json_place place = json_member(object, fields[i].name);
        if (!place.value && !fields[i].is_required)
            continue;
        int code = place.value ? get_field(reader, &place, fields[i].kind,
                                           (char *)target + fields[i].offset)
                               : json_fault(reader, &place, "missing");
        if (code < 0)
            return code;
    }
    return 0;
}

int json_get_object(const struct json_reader *reader, const struct json_place *object,
                    const struct json_field *fields, size_t count, void *target)
{
    int code = json_need_object(reader, object);
    return code < 0 ? code : json_get_fields(reader, object, fields, count, target);
}
