/* Fields as data: look-ups, which canonical values the table allows, and the two ways a value is
 * kept: as a line of text and as a member of a struct. Stateless; any thread.
 *
 * What is read from storage may be of another version, with other bounds and other fields. A value
 * that is not allowed any more gives way to the default; a line nobody knows is carried along, so
 * that going back to the newer version finds it again. */
#include "services/field_internal.h"

#include "bronx/emoji.h"
#include "bronx/time_zone.h"

#include <assert.h>
#include <string.h>

/* --- Look-ups --- */

int field_count(const struct field *fields)
{
    int count = 0;
    while (fields[count].key)
        count++;
    assert(count <= FIELDS_MAX);
    return count;
}

const struct field *field_find(const struct field *fields, struct str_view key)
{
    for (; fields->key; fields++)
        if (str_equal(str_from(fields->key), key))
            return fields;
    return NULL;
}

bool field_applies(const struct field *field, const struct call *call,
                   const struct field_values *values)
{
    return !field->applies || field->applies(call, values);
}

struct str_view field_value_of(const struct field *fields, const struct field_values *values,
                               int place)
{
    return values->values[place].data ? values->values[place] : str_from(fields[place].initial);
}

int field_choice_count(const struct field *field)
{
    int count = 0;
    while (field->choices && field->choices[count].value)
        count++;
    return count;
}

int field_choice_place(const struct field *field, struct str_view value)
{
    for (int i = 0; field->choices && field->choices[i].value; i++)
        if (str_equal(str_from(field->choices[i].value), value))
            return i;
    return -1;
}

bool field_is_number(const struct field *field)
{
    return field->kind == FIELD_NUMBER || field->kind == FIELD_DURATION ||
           field->kind == FIELD_UNTIL;
}

bool field_is_none(const struct field *field, struct str_view value)
{
    return value.length == 0 || (field_is_number(field) && str_equal(value, STR("0")));
}

int64_t field_number_of(struct str_view value)
{
    int64_t number = 0;
    return str_to_uint63(value, &number) == 0 ? number : 0;
}

int field_most(const struct field *field)
{
    return field->max > 0 ? (int)field->max : 1;
}

bool field_is_emoji(const struct field *field, struct str_view value)
{
    return field->kind == FIELD_TEXT && field->may_be_emoji && emoji_is_custom(value);
}

/* --- What is allowed --- */

/* No leading zero: one number has one form. */
static bool is_number_within(struct str_view value, int64_t min, int64_t max)
{
    int64_t number;
    return str_to_uint63(value, &number) == 0 && (value.data[0] != '0' || value.length == 1) &&
           number >= min && number <= max;
}

static bool are_ids(const struct field *field, struct str_view value)
{
    struct str_view rest = value, id;
    int count = 0;
    while (str_split(&rest, ',', &id)) {
        if (!is_number_within(id, 1, INT64_MAX))
            return false;
        count++;
    }
    return count >= field->min && count <= field_most(field);
}

static bool are_choices(const struct field *field, struct str_view value)
{
    struct str_view rest = value, word;
    int count = 0, last = -1;
    while (str_split(&rest, ',', &word)) {
        int place = field_choice_place(field, word);
        if (place <= last)
            return false;
        last = place;
        count++;
    }
    return count >= field->min && count <= field_most(field);
}

static bool is_text(const struct field *field, struct str_view value)
{
    if (field_is_emoji(field, value))
        return true;
    if (!field_text_is_clean(value) || !field_text_is_visible(value))
        return false;
    int64_t count = field_text_characters(value);
    return count >= field->min && count <= field->max &&
           (int64_t)utf8_units(value) <= field->max * FIELD_TEXT_UNITS;
}

bool field_is_allowed(const struct field *field, struct str_view value)
{
    if (!value.data || value.length > FIELD_VALUE_MAX)
        return false;
    if (field->is_optional && field_is_none(field, value))
        return value.length == 0 ? !field_is_number(field) : true;
    switch (field->kind) {
    case FIELD_TEXT:
        return is_text(field, value);
    case FIELD_NUMBER:
    case FIELD_DURATION:
        return is_number_within(value, field->min, field->max);
    case FIELD_UNTIL:
        return is_number_within(value, 0, DISCORD_INTEGER_MAX);
    case FIELD_TOGGLE:
        return str_equal(value, STR("on")) || str_equal(value, STR("off"));
    case FIELD_CHOICE:
    case FIELD_RADIO:
        return field_choice_place(field, value) >= 0;
    case FIELD_CHECKBOXES:
        return are_choices(field, value);
    case FIELD_USER:
    case FIELD_ROLE:
    case FIELD_CHANNEL:
        return are_ids(field, value);
    case FIELD_TIME_ZONE:
        return time_zone_is_known(value);
    }
    return false;
}

bool field_is_valid(const struct field *field, const struct call *call, struct str_view value)
{
    return field_is_allowed(field, value) && (!field->reject || !field->reject(call, value));
}

void field_drop_invalid(const struct field *fields, struct field_values *values)
{
    for (int i = 0; fields[i].key; i++)
        if (!field_is_allowed(&fields[i], values->values[i]))
            values->values[i] = STR_NONE;
}

/* --- Lines --- */

/* Canonical values have no line breaks; what somebody typed may. */
static void append_line(struct buf *lines, struct str_view key, struct str_view value)
{
    struct str_view part;
    buf_append(lines, key);
    buf_append_char(lines, '=');
    for (bool is_first = true; str_split(&value, '\n', &part); is_first = false) {
        if (!is_first)
            buf_append_char(lines, ' ');
        buf_append(lines, part);
    }
    buf_append_char(lines, '\n');
}

/* False when there is none left. A line without '=' has no value: STR_NONE. */
static bool next_line(struct str_view *rest, struct str_view *key, struct str_view *value)
{
    struct str_view line;
    if (!str_split(rest, '\n', &line))
        return false;
    const char *equals = line.length > 0 ? memchr(line.data, '=', line.length) : NULL;
    *key = line;
    *value = STR_NONE;
    if (equals) {
        key->length = (size_t)(equals - line.data);
        *value = (struct str_view){ equals + 1, line.length - key->length - 1 };
    }
    return true;
}

struct str_view field_lines(const struct field *fields, const struct field_values *values,
                            struct arena *arena)
{
    CLEANUP(buf_free) struct buf lines = { 0 };
    struct str_view rest = values->unknown, key, value;
    for (int i = 0; fields[i].key; i++)
        if (values->values[i].data)
            append_line(&lines, str_from(fields[i].key), values->values[i]);
    while (next_line(&rest, &key, &value))
        if (value.data && !field_find(fields, key))
            append_line(&lines, key, value);
    if (lines.has_failed)
        return STR_NONE;
    return lines.length > 0 ? arena_copy(arena, buf_view(&lines)) : STR("");
}

/* From the first unknown line to the end of the last: what is known between them is left out when
 * they are written again. */
static void keep_unknown(struct field_values *values, struct str_view key, struct str_view value)
{
    const char *end = value.data + value.length;
    if (!values->unknown.data)
        values->unknown.data = key.data;
    values->unknown.length = (size_t)(end - values->unknown.data);
}

void field_lines_read(const struct field *fields, struct str_view lines,
                      struct field_values *values)
{
    struct str_view key, value;
    *values = (struct field_values){ 0 };
    while (next_line(&lines, &key, &value)) {
        const struct field *field = field_find(fields, key);
        if (field && value.data)
            values->values[field - fields] = value;
        else if (value.data)
            keep_unknown(values, key, value);
    }
}

/* --- Members --- */

static int fill_ids(struct str_view value, struct arena *arena, struct field_ids *ids)
{
    struct str_view rest = value, id;
    int count = 0;
    *ids = (struct field_ids){ 0 };
    if (value.length == 0)
        return 0;
    for (size_t i = 0; i < value.length; i++)
        count += value.data[i] == ',';
    int64_t *places = arena_allocate_array(arena, (size_t)count + 1, sizeof(*places));
    if (!places)
        return ERR_MEMORY;
    while (str_split(&rest, ',', &id))
        places[ids->count++] = field_number_of(id);
    ids->ids = places;
    return 0;
}

static uint64_t bits_of(const struct field *field, struct str_view value)
{
    struct str_view rest = value, word;
    uint64_t bits = 0;
    while (value.length > 0 && str_split(&rest, ',', &word))
        bits |= UINT64_C(1) << field_choice_place(field, word);
    return bits;
}

static int fill(const struct field *field, struct str_view value, struct arena *arena, void *member)
{
    switch (field->kind) {
    case FIELD_TOGGLE:
        *(bool *)member = str_equal(value, STR("on"));
        return 0;
    case FIELD_NUMBER:
    case FIELD_DURATION:
    case FIELD_UNTIL:
        *(int64_t *)member = field_number_of(value);
        return 0;
    case FIELD_CHOICE:
    case FIELD_RADIO:
        *(int *)member = field_choice_place(field, value);
        return 0;
    case FIELD_CHECKBOXES:
        *(uint64_t *)member = bits_of(field, value);
        return 0;
    case FIELD_TEXT:
    case FIELD_TIME_ZONE:
        *(struct str_view *)member = value;
        return 0;
    case FIELD_USER:
    case FIELD_ROLE:
    case FIELD_CHANNEL:
        return fill_ids(value, arena, member);
    }
    return 0;
}

int field_fill(const struct field *fields, const struct field_values *values, struct arena *arena,
               void *target, struct err *err)
{
    for (int i = 0; fields[i].key; i++) {
        struct str_view value = field_value_of(fields, values, i);
        if (!field_is_allowed(&fields[i], value))
            value = str_from(fields[i].initial);
        if (fill(&fields[i], value, arena, (char *)target + fields[i].member) != 0)
            return err_set(err, ERR_MEMORY, "the value of %s", fields[i].key);
    }
    return 0;
}
