/* Whether forms, pages and storage can take a table of fields, in every language. Run once at the
 * start, by one thread; reads constant tables only. The first fault ends the check. */
#include "services/field_internal.h"

#include <string.h>

/* https://docs.discord.com/developers/components/reference#label */
#define LABEL_MAX_UNITS       45
#define DESCRIPTION_MAX_UNITS 100
/* https://docs.discord.com/developers/components/reference#string-select and the groups below it */
#define CHOICE_MAX_UNITS      100
#define SELECT_CHOICES_MAX    25
#define GROUP_CHOICES_MAX     10

#define KEY_CHARACTERS        "abcdefghijklmnopqrstuvwxyz_"
#define CHOICE_CHARACTERS     "abcdefghijklmnopqrstuvwxyz0123456789_"

struct check {
    const struct field *field;
    struct err *err;
};

static int fault(const struct check *check, const char *format, ...) PRINTF_LIKE(2, 3);

static int fault(const struct check *check, const char *format, ...)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    va_list arguments;
    va_start(arguments, format);
    buf_append_format_list(&text, format, arguments);
    va_end(arguments);
    return err_set(check->err, ERR_INVALID, "%s: %s", check->field->key,
                   text.data ? text.data : format);
}

/* `english` may be NULL where the table may leave it out. */
static int check_text(const struct check *check, const char *what, const char *english, size_t max)
{
    const char *locale;
    size_t units = english ? language_longest(english, &locale) : 0;
    return units > max
               ? fault(check, "%s has %zu characters in %s, %zu fit", what, units, locale, max)
               : 0;
}

static int check_key(const struct check *check, const struct field *fields)
{
    const char *key = check->field->key;
    if (strspn(key, KEY_CHARACTERS) != strlen(key))
        return fault(check, "a key is made of a-z and _");
    if (field_find(fields, str_from(key)) != check->field)
        return fault(check, "its key is there twice");
    return 0;
}

static int check_texts(const struct check *check)
{
    const struct field *field = check->field;
    if (!field->label || !field->help)
        return fault(check, "it needs a label and a help");
    int result = check_text(check, "its label", field->label, LABEL_MAX_UNITS);
    if (result == 0)
        result = check_text(check, "its help", field->help, DESCRIPTION_MAX_UNITS);
    if (result == 0)
        result = check_text(check, "its none", field->none, CHOICE_MAX_UNITS);
    return result;
}

static int check_choice(const struct check *check, const struct field_choice *choice)
{
    if (strspn(choice->value, CHOICE_CHARACTERS) != strlen(choice->value))
        return fault(check, "the choice '%s' is not made of a-z, 0-9 and _", choice->value);
    if (!choice->label)
        return fault(check, "the choice '%s' needs a label", choice->value);
    int result = check_text(check, choice->value, choice->label, CHOICE_MAX_UNITS);
    return result != 0 ? result
                       : check_text(check, choice->value, choice->description, CHOICE_MAX_UNITS);
}

static int check_choices(const struct check *check)
{
    static const struct {
        int min, max;
    } counts[] = {
        [FIELD_UNTIL] = { 1, SELECT_CHOICES_MAX },
        [FIELD_CHOICE] = { 1, SELECT_CHOICES_MAX },
        [FIELD_RADIO] = { 2, GROUP_CHOICES_MAX },
        [FIELD_CHECKBOXES] = { 1, GROUP_CHOICES_MAX },
        [FIELD_TIME_ZONE] = { 0, 0 },
    };
    const struct field *field = check->field;
    int count = field_choice_count(field), result = 0;
    if (count < counts[field->kind].min || count > counts[field->kind].max)
        return fault(check, "it has %d choices; its kind takes %d to %d", count,
                     counts[field->kind].min, counts[field->kind].max);
    for (int i = 0; i < count && result == 0; i++)
        result = check_choice(check, &field->choices[i]);
    return result;
}

static int check_values(const struct check *check)
{
    const struct field *field = check->field;
    if (field->is_optional && !field->none)
        return fault(check, "it is optional, so it needs a text for none");
    if (!field->initial || !field_is_allowed(field, str_from(field->initial)))
        return fault(check, "its default is not what it allows");
    return 0;
}

static int check_field(const struct check *check, const struct field *fields)
{
    int result = check_key(check, fields);
    if (result == 0)
        result = check_texts(check);
    if (result == 0)
        result = check_choices(check);
    return result == 0 ? check_values(check) : result;
}

int field_list_check(const struct field *fields, struct err *err)
{
    int count = 0, result = 0;
    while (fields[count].key)
        count++;
    if (count > FIELDS_MAX)
        return err_set(err, ERR_INVALID, "%d fields; a table has %d at most", count, FIELDS_MAX);
    for (int i = 0; i < count && result == 0; i++)
        result = check_field(&(struct check){ &fields[i], err }, fields);
    return result;
}
