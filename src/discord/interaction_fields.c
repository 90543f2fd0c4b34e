/* `data` of components and modals: custom_ids and what was chosen or typed.
 * https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object-message-component-data-structure
 * https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object-modal-submit-data-structure
 * Any thread; results live in the reader's arena. */
#include "discord/interaction_parts.h"

/* What a component says when it is submitted. */
enum field_shape {
    SHAPE_UNKNOWN,       /* newer than this bot: whatever is there */
    SHAPE_NOTHING,       /* a button: that it was pressed */
    SHAPE_TEXT,          /* "value": a text */
    SHAPE_OPTIONAL_TEXT, /* "value": a text or null */
    SHAPE_CHECK,         /* "value": true or false */
    SHAPE_LIST,          /* "values": texts */
};

static const enum field_shape shapes[] = {
    [COMPONENT_BUTTON] = SHAPE_NOTHING,
    [COMPONENT_STRING_SELECT] = SHAPE_LIST,
    [COMPONENT_TEXT_INPUT] = SHAPE_TEXT,
    [COMPONENT_USER_SELECT] = SHAPE_LIST,
    [COMPONENT_ROLE_SELECT] = SHAPE_LIST,
    [COMPONENT_MENTIONABLE_SELECT] = SHAPE_LIST,
    [COMPONENT_CHANNEL_SELECT] = SHAPE_LIST,
    [COMPONENT_FILE_UPLOAD] = SHAPE_LIST,
    [COMPONENT_RADIO_GROUP] = SHAPE_OPTIONAL_TEXT,
    [COMPONENT_CHECKBOX_GROUP] = SHAPE_LIST,
    [COMPONENT_CHECKBOX] = SHAPE_CHECK,
};

static int parse_values(const struct json_reader *reader, const struct json_place *list,
                        struct field_value *field)
{
    size_t count;
    int code = json_count_items(reader, list, INTERACTION_VALUES_MAX, &count);
    if (code < 0 || count == 0)
        return code;
    struct str_view *values = arena_allocate_array(reader->arena, count, sizeof(*values));
    if (!values)
        return err_set(reader->err, ERR_MEMORY, "no memory for an interaction");
    for (size_t i = 0; i < count && code == 0; i++) {
        struct json_place place = json_item(list, i);
        code = json_get_text(reader, &place, &values[i]);
    }
    field->values = values;
    field->value_count = (int)count;
    return code;
}

/* A type this bot does not know: its value is taken when it has a form we have a place for. */
static int parse_unknown_value(const struct json_reader *reader, const struct json_place *value,
                               const struct json_place *values, struct field_value *field)
{
    if (json_is(value, JSON_TYPE_TEXT))
        return json_get_text(reader, value, &field->value);
    if (json_is(value, JSON_TYPE_BOOLEAN))
        return json_get_bool(reader, value, &field->is_checked);
    return json_is(values, JSON_TYPE_ARRAY) ? parse_values(reader, values, field) : 0;
}

static int parse_field_value(const struct json_reader *reader, const struct json_place *component,
                             struct field_value *field)
{
    struct json_place value = json_member(component, "value");
    struct json_place values = json_member(component, "values");
    bool is_known = field->type >= 0 && (size_t)field->type < ARRAY_LENGTH(shapes);
    switch (is_known ? shapes[field->type] : SHAPE_UNKNOWN) {
    case SHAPE_NOTHING:
        return 0;
    case SHAPE_TEXT:
        return json_get_text(reader, &value, &field->value);
    case SHAPE_OPTIONAL_TEXT:
        return value.value ? json_get_text(reader, &value, &field->value) : 0;
    case SHAPE_CHECK:
        return json_get_bool(reader, &value, &field->is_checked);
    case SHAPE_LIST:
        return values.value ? parse_values(reader, &values, field)
                            : json_fault(reader, &values, "missing");
    case SHAPE_UNKNOWN:
        break;
    }
    return parse_unknown_value(reader, &value, &values, field);
}

int interaction_parse_component(const struct json_reader *reader, const struct json_place *data,
                                struct interaction *interaction)
{
    static const struct json_field fields[] = {
        JSON_NEEDED(struct field_value, custom_id, JSON_TEXT),
        { .name = "component_type",
          .kind = JSON_INT,
          .is_required = true,
          .offset = offsetof(struct field_value, type) },
    };
    struct field_value *field = arena_allocate(reader->arena, sizeof(*field));
    if (!field)
        return err_set(reader->err, ERR_MEMORY, "no memory for an interaction");
    int code = json_get_fields(reader, data, fields, ARRAY_LENGTH(fields), field);
    if (code < 0)
        return code;
    interaction->custom_id = field->custom_id;
    interaction->fields = field;
    interaction->field_count = 1;
    return parse_field_value(reader, data, field);
}

/* A list of fields under way. */
struct field_list {
    struct field_value *fields;
    size_t count, capacity;
};

static int parse_field(const struct json_reader *reader, const struct json_place *component,
                       struct field_list *list)
{
    static const struct json_field fields[] = {
        JSON_NEEDED(struct field_value, type, JSON_INT),
        JSON_NEEDED(struct field_value, custom_id, JSON_TEXT),
    };
    int code = json_need_object(reader, component);
    if (code < 0)
        return code;
    if (list->count == list->capacity)
        return json_fault(reader, component, "more than %d fields", INTERACTION_FIELDS_MAX);
    struct field_value *field = &list->fields[list->count++];
    code = json_get_fields(reader, component, fields, ARRAY_LENGTH(fields), field);
    return code < 0 ? code : parse_field_value(reader, component, field);
}

/* One thing at the top of a modal: a label with its component, a legacy row, a text that says
 * nothing back, or a field that stands by itself. */
static int parse_modal_part(const struct json_reader *reader, const struct json_place *part,
                            struct field_list *list)
{
    int code = json_need_object(reader, part);
    if (code < 0)
        return code;
    struct json_place inner = json_member(part, "component");
    if (inner.value)
        return parse_field(reader, &inner, list);
    struct json_place row = json_member(part, "components");
    size_t count;
    code = json_count_items(reader, &row, INTERACTION_FIELDS_MAX, &count);
    for (size_t i = 0; i < count && code == 0; i++) {
        struct json_place place = json_item(&row, i);
        code = parse_field(reader, &place, list);
    }
    if (code < 0 || row.value)
        return code;
    struct json_place custom_id = json_member(part, "custom_id");
    return custom_id.value ? parse_field(reader, part, list) : 0;
}

/* How many fields the modal can have at most: every entry counts for itself or for its row. */
static int count_fields(const struct json_reader *reader, const struct json_place *parts,
                        size_t part_count, size_t *total)
{
    *total = 0;
    for (size_t i = 0; i < part_count; i++) {
        struct json_place part = json_item(parts, i);
        int code = json_need_object(reader, &part);
        if (code < 0)
            return code;
        struct json_place row = json_member(&part, "components");
        size_t count;
        code = json_count_items(reader, &row, INTERACTION_FIELDS_MAX, &count);
        if (code < 0)
            return code;
        *total += row.value ? count : 1;
    }
    if (*total > INTERACTION_FIELDS_MAX)
        return json_fault(reader, parts, "%zu fields, at most %d", *total, INTERACTION_FIELDS_MAX);
    return 0;
}

int interaction_parse_modal(const struct json_reader *reader, const struct json_place *data,
                            struct interaction *interaction)
{
    struct json_place custom_id = json_member(data, "custom_id");
    int code = json_get_text(reader, &custom_id, &interaction->custom_id);
    if (code < 0)
        return code;
    struct json_place parts = json_member(data, "components");
    if (!parts.value)
        return json_fault(reader, &parts, "missing");
    size_t part_count;
    struct field_list list = { 0 };
    code = json_count_items(reader, &parts, INTERACTION_FIELDS_MAX, &part_count);
    if (code == 0)
        code = count_fields(reader, &parts, part_count, &list.capacity);
    if (code < 0 || list.capacity == 0)
        return code;
    list.fields = arena_allocate_array(reader->arena, list.capacity, sizeof(*list.fields));
    if (!list.fields)
        return err_set(reader->err, ERR_MEMORY, "no memory for an interaction");
    for (size_t i = 0; i < part_count && code == 0; i++) {
        struct json_place part = json_item(&parts, i);
        code = parse_modal_part(reader, &part, &list);
    }
    interaction->fields = list.fields;
    interaction->field_count = (int)list.count;
    return code;
}
