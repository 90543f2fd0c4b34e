/* Normal forms by tables of fields. Pure functions; they call each other as deep as options nest:
 * group, sub-command, option. */
#include "discord/command_set.h"

#include "discord/rest.h"

#include <math.h>
#include <string.h>

/* A command's options, a group's, a sub-command's. */
#define OPTION_DEPTH_MAX  3
#define TYPE_CHAT_INPUT   1
#define TYPE_USER         2
#define TYPE_ENTRY_POINT  4
/* Whole numbers a double holds exactly. */
#define EXACT_INTEGER_MAX 9007199254740992.0

enum form {
    FORM_VALUE,   /* as it is; a whole number as an integer */
    FORM_FLAG,    /* left out when false */
    FORM_TEXT,    /* left out when empty */
    FORM_MAP,     /* left out when empty */
    FORM_NUMBERS, /* a set: sorted, left out when empty */
    FORM_OPTIONS,
    FORM_CHOICES,
};

struct field {
    const char *name;
    enum form form;
    bool is_global_only;
    int64_t standard; /* written out where the field is absent; 0: it stays absent */
};

static const struct field command_fields[] = {
    { "type", FORM_VALUE, .standard = TYPE_CHAT_INPUT },
    { "name", FORM_TEXT },
    { "name_localizations", FORM_MAP },
    { "description", FORM_TEXT },
    { "description_localizations", FORM_MAP },
    { "options", FORM_OPTIONS },
    { "default_member_permissions", FORM_TEXT },
    { "nsfw", FORM_FLAG },
    { "contexts", FORM_NUMBERS, .is_global_only = true },
    { "integration_types", FORM_NUMBERS, .is_global_only = true },
    { "handler", FORM_VALUE },
    { NULL },
};

static const struct field option_fields[] = {
    { "type", FORM_VALUE },
    { "name", FORM_TEXT },
    { "name_localizations", FORM_MAP },
    { "description", FORM_TEXT },
    { "description_localizations", FORM_MAP },
    { "required", FORM_FLAG },
    { "autocomplete", FORM_FLAG },
    { "min_value", FORM_VALUE },
    { "max_value", FORM_VALUE },
    { "min_length", FORM_VALUE },
    { "max_length", FORM_VALUE },
    { "choices", FORM_CHOICES },
    { "channel_types", FORM_NUMBERS },
    { "options", FORM_OPTIONS },
    { NULL },
};

static const struct field choice_fields[] = {
    { "name", FORM_TEXT },
    { "name_localizations", FORM_MAP },
    { "value", FORM_VALUE },
    { NULL },
};

/* What is the same for a whole set. */
struct reading {
    bool is_guild;
    struct err *err;
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_MEMORY, "commands");
}

static void release(struct json_object **value)
{
    json_object_put(*value);
}

static struct str_view text_field(const struct json_object *object, const char *name)
{
    struct json_object *value = json_object_object_get(object, name);
    if (!json_object_is_type(value, json_type_string))
        return STR_NONE;
    return (struct str_view){ json_object_get_string(value),
                              (size_t)json_object_get_string_len(value) };
}

/* --- Forms: each leaves `*made` NULL for what is left out --- */

static int copy_value(const struct reading *reading, struct json_object *value,
                      struct json_object **made)
{
    double number =
        json_object_is_type(value, json_type_double) ? json_object_get_double(value) : NAN;
    if (number == trunc(number) && fabs(number) <= EXACT_INTEGER_MAX)
        *made = json_object_new_int64((int64_t)number);
    else
        *made = json_object_get(value);
    return *made ? 0 : no_memory(reading->err);
}

static int by_number(const void *a, const void *b)
{
    int64_t left = json_object_get_int64(*(struct json_object *const *)a);
    int64_t right = json_object_get_int64(*(struct json_object *const *)b);
    return (left > right) - (left < right);
}

static int copy_array(const struct reading *reading, const struct json_object *array,
                      struct json_object **made)
{
    *made = json_object_new_array();
    for (size_t i = 0; *made && i < json_object_array_length(array); i++) {
        struct json_object *item = json_object_get(json_object_array_get_idx(array, i));
        if (json_object_array_add(*made, item) != 0) {
            json_object_put(item);
            json_object_put(*made);
            *made = NULL;
        }
    }
    return *made ? 0 : no_memory(reading->err);
}

static int read_objects(const struct reading *reading, const struct json_object *array,
                        const struct field *fields, int depth, struct json_object **made);

static int read_form(const struct reading *reading, const struct field *field,
                     struct json_object *value, int depth, struct json_object **made)
{
    static const enum json_type types[] = {
        [FORM_VALUE] = json_type_null,    [FORM_FLAG] = json_type_boolean,
        [FORM_TEXT] = json_type_string,   [FORM_MAP] = json_type_object,
        [FORM_NUMBERS] = json_type_array, [FORM_OPTIONS] = json_type_array,
        [FORM_CHOICES] = json_type_array,
    };
    if (types[field->form] != json_type_null && !json_object_is_type(value, types[field->form]))
        return err_set(reading->err, ERR_INVALID, "commands: %s is not %s", field->name,
                       json_type_to_name(types[field->form]));
    bool is_left_out =
        (field->form == FORM_FLAG && !json_object_get_boolean(value)) ||
        (field->form == FORM_TEXT && json_object_get_string_len(value) == 0) ||
        (field->form == FORM_MAP && json_object_object_length(value) == 0) ||
        (json_object_is_type(value, json_type_array) && json_object_array_length(value) == 0);
    if (is_left_out)
        return 0;
    int result = 0;
    switch (field->form) {
    case FORM_OPTIONS:
        return read_objects(reading, value, option_fields, depth + 1, made);
    case FORM_CHOICES:
        return read_objects(reading, value, choice_fields, depth, made);
    case FORM_NUMBERS:
        result = copy_array(reading, value, made);
        if (result == 0)
            json_object_array_sort(*made, by_number);
        return result;
    default:
        return copy_value(reading, value, made);
    }
}

static int write_standard(const struct reading *reading, const struct field *field,
                          struct json_object **made)
{
    if (field->standard == 0)
        return 0;
    *made = json_object_new_int64(field->standard);
    return *made ? 0 : no_memory(reading->err);
}

static int read_object(const struct reading *reading, const struct json_object *object,
                       const struct field *fields, int depth, struct json_object **made)
{
    CLEANUP(release) struct json_object *copy = json_object_new_object();
    if (!copy)
        return no_memory(reading->err);
    for (const struct field *field = fields; field->name; field++) {
        struct json_object *value = json_object_object_get(object, field->name), *normal = NULL;
        if (field->is_global_only && reading->is_guild)
            continue;
        int result = value ? read_form(reading, field, value, depth, &normal)
                           : write_standard(reading, field, &normal);
        if (result != 0)
            return result;
        if (normal && json_object_object_add(copy, field->name, normal) != 0) {
            json_object_put(normal);
            return no_memory(reading->err);
        }
    }
    if (text_field(copy, "name").length == 0)
        return err_set(reading->err, ERR_INVALID, "commands: something has no name");
    *made = STEAL(copy);
    return 0;
}

static int read_objects(const struct reading *reading, const struct json_object *array,
                        const struct field *fields, int depth, struct json_object **made)
{
    if (depth > OPTION_DEPTH_MAX)
        return err_set(reading->err, ERR_INVALID, "commands: options nest too deeply");
    CLEANUP(release) struct json_object *list = json_object_new_array();
    if (!list)
        return no_memory(reading->err);
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        struct json_object *item = json_object_array_get_idx(array, i), *normal = NULL;
        if (!json_object_is_type(item, json_type_object))
            return err_set(reading->err, ERR_INVALID, "commands: an object is needed");
        int result = read_object(reading, item, fields, depth, &normal);
        if (result != 0)
            return result;
        if (json_object_array_add(list, normal) != 0) {
            json_object_put(normal);
            return no_memory(reading->err);
        }
    }
    *made = STEAL(list);
    return 0;
}

/* --- Sets --- */

static int64_t type_of(const struct json_object *command)
{
    return json_object_get_int64(json_object_object_get(command, "type"));
}

static int compare_commands(const struct json_object *a, const struct json_object *b)
{
    int64_t left = type_of(a), right = type_of(b);
    if (left != right)
        return left < right ? -1 : 1;
    return strcmp(json_object_get_string(json_object_object_get(a, "name")),
                  json_object_get_string(json_object_object_get(b, "name")));
}

static int by_type_and_name(const void *a, const void *b)
{
    return compare_commands(*(struct json_object *const *)a, *(struct json_object *const *)b);
}

int command_set_read(struct str_view json, bool is_guild, struct json_object **set, struct err *err)
{
    const struct reading reading = { is_guild, err };
    CLEANUP(release) struct json_object *parsed = NULL;
    CLEANUP(release) struct json_object *made = NULL;
    *set = NULL;
    int result = rest_parse_json(json, &parsed, err);
    if (result != 0)
        return result;
    if (!json_object_is_type(parsed, json_type_array))
        return err_set(err, ERR_INVALID, "commands: a list is needed");
    result = read_objects(&reading, parsed, command_fields, 0, &made);
    if (result != 0)
        return result;
    json_object_array_sort(made, by_type_and_name);
    *set = STEAL(made);
    return 0;
}

int command_set_add(struct json_object *set, struct json_object *more, struct err *err)
{
    int result = 0;
    for (size_t i = 0; i < json_object_array_length(more) && result == 0; i++) {
        struct json_object *command = json_object_get(json_object_array_get_idx(more, i));
        if (json_object_array_add(set, command) == 0)
            continue;
        json_object_put(command);
        result = no_memory(err);
    }
    json_object_put(more);
    json_object_array_sort(set, by_type_and_name);
    return result;
}

struct json_object *command_set_find(const struct json_object *set,
                                     const struct json_object *command)
{
    for (size_t i = 0; i < json_object_array_length(set); i++) {
        struct json_object *candidate = json_object_array_get_idx(set, i);
        if (compare_commands(candidate, command) == 0)
            return candidate;
    }
    return NULL;
}

void command_title(const struct json_object *command, struct buf *out)
{
    static const char *const kinds[] = { "user", "message", "entry point" };
    int64_t type = type_of(command);
    bool is_chat = type == TYPE_CHAT_INPUT;
    buf_append_format(out, "%s%.*s", is_chat ? "/" : "", STR_ARGS(text_field(command, "name")));
    if (type >= TYPE_USER && type <= TYPE_ENTRY_POINT)
        buf_append_format(out, " (%s)", kinds[type - TYPE_USER]);
}

bool command_is_entry_point(const struct json_object *command)
{
    return type_of(command) == TYPE_ENTRY_POINT;
}
