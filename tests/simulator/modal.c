/* Forms: reading labels, changing values, checking what the client checks. */
#include "simulator/modal.h"

#include "harness/memory.h"
#include "simulator/components.h"
#include "simulator/json_read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- Opening --- */

static json_object *default_options(json_object *field)
{
    json_object *list = must_array(), *options = get(field, "options");
    for (size_t i = 0; i < list_length(options); i++)
        if (get_boolean(list_item(options, i), "default", false))
            must_append(list, json_object_get(get(list_item(options, i), "value")));
    json_object *defaults = get(field, "default_values");
    for (size_t i = 0; i < list_length(defaults); i++)
        must_append(list, json_object_get(get(list_item(defaults, i), "id")));
    return list;
}

static json_object *first_value(json_object *field)
{
    json_object *list = default_options(field), *first = json_object_get(list_item(list, 0));
    json_object_put(list);
    return first;
}

static json_object *standing_value(json_object *field)
{
    switch (component_type(field)) {
    case COMPONENT_TEXT_INPUT:
        return must_text(str_from(get_text(field, "value")));
    case COMPONENT_CHECKBOX:
        return must_boolean(get_boolean(field, "default", false));
    case COMPONENT_RADIO_GROUP:
        return first_value(field);
    default:
        return default_options(field);
    }
}

void modal_open(struct modal *modal, json_object *data, int64_t message_id)
{
    json_object *list = get(data, "components");
    modal_close(modal);
    *modal = (struct modal){ json_object_get(data), must_object(), message_id };
    components_number(list);
    for (size_t i = 0; i < list_length(list); i++) {
        json_object *field = get(list_item(list, i), "component");
        if (field)
            must_put(modal->values, get_text(field, "custom_id"), standing_value(field));
    }
}

bool modal_is_open(const struct modal *modal)
{
    return modal->data != NULL;
}

void modal_close(struct modal *modal)
{
    json_release(&modal->data);
    json_release(&modal->values);
    modal->message_id = 0;
}

/* --- What a person does --- */

typedef bool field_filter(json_object *field);

static bool is_text_input(json_object *field)
{
    return component_type(field) == COMPONENT_TEXT_INPUT;
}

static bool is_checkbox(json_object *field)
{
    return component_type(field) == COMPONENT_CHECKBOX;
}

static bool is_choice(json_object *field)
{
    return component_type(field) == COMPONENT_RADIO_GROUP || is_select(field);
}

/* The field under the label; NULL with the labels there are in `err`. */
static json_object *labelled_field(const struct modal *modal, struct str_view label,
                                   field_filter *fits, const char *what, struct err *err)
{
    CLEANUP(buf_free) struct buf labels = { 0 };
    json_object *list = get(modal->data, "components");
    for (size_t i = 0; i < list_length(list); i++) {
        json_object *item = list_item(list, i), *field = get(item, "component");
        if (!field || !fits(field))
            continue;
        if (str_equal(str_from(get_text(item, "label")), label))
            return field;
        buf_append_format(&labels, " \"%s\"", get_text(item, "label"));
    }
    err_set(err, ERR_NOT_FOUND, "no %s \"%.*s\" in this form; there is%s", what, STR_ARGS(label),
            labels.length > 0 ? labels.data : " none");
    return NULL;
}

int modal_type(struct modal *modal, struct str_view label, struct str_view text, struct err *err)
{
    json_object *field = labelled_field(modal, label, is_text_input, "text field", err);
    if (!field)
        return ERR_NOT_FOUND;
    must_put(modal->values, get_text(field, "custom_id"), must_text(text));
    return 0;
}

static size_t find_text(json_object *list, const char *text)
{
    for (size_t i = 0; i < list_length(list); i++)
        if (strcmp(json_object_get_string(list_item(list, i)), text) == 0)
            return i;
    return SIZE_MAX;
}

static void set_member(json_object *list, const char *value, bool is_member)
{
    size_t index = find_text(list, value);
    if (is_member && index == SIZE_MAX)
        must_append(list, must_text(str_from(value)));
    else if (!is_member && index != SIZE_MAX)
        json_object_array_del_idx(list, index, 1);
}

static json_object *option_labelled(json_object *field, struct str_view label)
{
    json_object *options = get(field, "options");
    for (size_t i = 0; i < list_length(options); i++)
        if (str_equal(str_from(get_text(list_item(options, i), "label")), label))
            return list_item(options, i);
    return NULL;
}

int modal_check(struct modal *modal, struct str_view label, bool is_checked, struct err *err)
{
    json_object *list = get(modal->data, "components");
    for (size_t i = 0; i < list_length(list); i++) {
        json_object *field = get(list_item(list, i), "component");
        if (component_type(field) != COMPONENT_CHECKBOX_GROUP)
            continue;
        json_object *option = option_labelled(field, label);
        if (!option)
            continue;
        set_member(get(modal->values, get_text(field, "custom_id")), get_text(option, "value"),
                   is_checked);
        return 0;
    }
    json_object *field = labelled_field(modal, label, is_checkbox, "checkbox", err);
    if (!field)
        return ERR_NOT_FOUND;
    must_put(modal->values, get_text(field, "custom_id"), must_boolean(is_checked));
    return 0;
}

static struct str_view after_first(struct str_view text)
{
    return (struct str_view){ text.data + 1, text.length - 1 };
}

/* The id "@bob", "&mods" or "#general" names for a select of that type; 0: none. */
static int64_t mentioned_id(int type, struct world *world, int64_t guild_id, struct str_view option)
{
    bool takes_people = type == COMPONENT_USER_SELECT || type == COMPONENT_MENTIONABLE_SELECT;
    bool takes_roles = type == COMPONENT_ROLE_SELECT || type == COMPONENT_MENTIONABLE_SELECT;
    if (option.length < 2)
        return 0;
    if (option.data[0] == '@' && takes_people) {
        const struct person *person = world_person(world, after_first(option));
        return person ? person->id : 0;
    }
    if (option.data[0] == '&' && takes_roles) {
        const struct guild_role *role = world_role(world, after_first(option));
        return role ? role->id : 0;
    }
    if (option.data[0] == '#' && type == COMPONENT_CHANNEL_SELECT) {
        const struct place *channel = world_channel(world, guild_id, after_first(option));
        return channel ? channel->channel_id : 0;
    }
    return 0;
}

bool select_value(json_object *select, struct world *world, int64_t guild_id,
                  struct str_view option, struct buf *value)
{
    json_object *known = option_labelled(select, option);
    int64_t id = mentioned_id(component_type(select), world, guild_id, option);
    buf_clear(value);
    if (known)
        buf_append(value, str_from(get_text(known, "value")));
    else if (id != 0)
        buf_append_format(value, "%" PRId64, id);
    must_hold(value);
    return known || id != 0;
}

int modal_choose(struct modal *modal, struct world *world, int64_t guild_id, struct str_view label,
                 const struct str_view *options, size_t count, struct err *err)
{
    CLEANUP(buf_free) struct buf value = { 0 };
    json_object *field = labelled_field(modal, label, is_choice, "select or radio group", err);
    if (!field)
        return ERR_NOT_FOUND;
    bool is_radio = component_type(field) == COMPONENT_RADIO_GROUP;
    if (is_radio && count != 1)
        return err_set(err, ERR_INVALID, "a radio group has one choice");
    CLEANUP(json_release) json_object *values = must_array();
    for (size_t i = 0; i < count; i++) {
        if (!select_value(field, world, guild_id, options[i], &value))
            return err_set(err, ERR_NOT_FOUND, "no option \"%.*s\" there", STR_ARGS(options[i]));
        must_append(values, must_text(buf_view(&value)));
    }
    must_put(modal->values, get_text(field, "custom_id"),
             json_object_get(is_radio ? list_item(values, 0) : values));
    return 0;
}

/* --- Submitting --- */

static int check_text_field(json_object *field, struct str_view text, const char *label,
                            struct err *err)
{
    int64_t units = (int64_t)utf8_units(text);
    int64_t min = get_integer(field, "min_length", 0), max = get_integer(field, "max_length", 4000);
    if (units == 0 && get_boolean(field, "required", true))
        return err_set(err, ERR_CHECK, "\"%s\" is required", label);
    if ((units > 0 && units < min) || units > max)
        return err_set(err, ERR_CHECK,
                       "\"%s\" has %" PRId64 " characters; %" PRId64 " to %" PRId64 " are allowed",
                       label, units, min, max);
    return 0;
}

static int check_list_field(json_object *field, size_t count, const char *label, struct err *err)
{
    bool is_group = component_type(field) == COMPONENT_CHECKBOX_GROUP;
    int64_t all = (int64_t)list_length(get(field, "options"));
    int64_t min = get_integer(field, "min_values", 1);
    int64_t max = get_integer(field, "max_values", is_group ? all : 1);
    if (count == 0 && get_boolean(field, "required", true))
        return err_set(err, ERR_CHECK, "\"%s\" is required", label);
    if ((count > 0 && (int64_t)count < min) || (int64_t)count > max)
        return err_set(err, ERR_CHECK, "\"%s\" takes %" PRId64 " to %" PRId64 " choices", label,
                       min, max);
    return 0;
}

static int check_field(json_object *field, json_object *value, const char *label, struct err *err)
{
    switch (component_type(field)) {
    case COMPONENT_TEXT_INPUT:
        return check_text_field(field, str_from(json_object_get_string(value)), label, err);
    case COMPONENT_CHECKBOX:
        return 0;
    case COMPONENT_RADIO_GROUP:
        return value || !get_boolean(field, "required", true)
                   ? 0
                   : err_set(err, ERR_CHECK, "\"%s\" is required", label);
    default:
        return check_list_field(field, list_length(value), label, err);
    }
}

int modal_check_complete(const struct modal *modal, struct err *err)
{
    json_object *list = get(modal->data, "components");
    for (size_t i = 0; i < list_length(list); i++) {
        json_object *item = list_item(list, i), *field = get(item, "component");
        if (!field)
            continue;
        json_object *value = get(modal->values, get_text(field, "custom_id"));
        int result = check_field(field, value, get_text(item, "label"), err);
        if (result != 0)
            return result;
    }
    return 0;
}

void resolve_values(int select_type, json_object *values, const struct world *world,
                    const struct place *place, json_object *resolved)
{
    if (select_type < COMPONENT_USER_SELECT || select_type > COMPONENT_CHANNEL_SELECT)
        return;
    for (size_t i = 0; i < list_length(values); i++) {
        int64_t id = strtoll(json_object_get_string(list_item(values, i)), NULL, 10);
        const struct person *person = world_person_by_id(world, id);
        const struct guild_role *role = world_role_by_id(world, id);
        const struct place *channel = world_channel_by_id(world, id);
        if (person)
            resolved_add_user(resolved, person, place);
        else if (role)
            resolved_add_role(resolved, role);
        else if (channel)
            resolved_add_channel(resolved, channel);
    }
}

json_object *modal_components(const struct modal *modal, const struct world *world,
                              const struct place *place, json_object *resolved)
{
    json_object *list = get(modal->data, "components"), *submitted = must_array();
    for (size_t i = 0; i < list_length(list); i++) {
        json_object *item = list_item(list, i), *field = get(item, "component");
        if (!field) { /* a text display comes back without its text */
            json_object *text = must_object();
            must_put(text, "type", must_integer(component_type(item)));
            must_put(text, "id", must_integer(get_integer(item, "id", 0)));
            must_append(submitted, text);
            continue;
        }
        const char *custom_id = get_text(field, "custom_id");
        json_object *value = get(modal->values, custom_id);
        bool is_list = json_object_is_type(value, json_type_array);
        resolve_values(component_type(field), value, world, place, resolved);
        must_append(
            submitted,
            submitted_label((int)get_integer(item, "id", 0),
                            submitted_field(component_type(field), (int)get_integer(field, "id", 0),
                                            custom_id, is_list ? "values" : "value",
                                            json_object_get(value))));
    }
    return submitted;
}
