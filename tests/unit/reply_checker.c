/* See reply_checker.h. Recursion is fine here: the depth is what the builder under test made. */
#include "reply_checker.h"

#include <json-c/json.h>

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define IDS_MAX 64

struct tally {
    int components;
    size_t text_units;
    const char *ids[IDS_MAX];
    int id_count;
};

static struct json_object *get(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(object, key, &value);
    return value;
}

static const char *get_text(struct json_object *object, const char *key)
{
    struct json_object *value = get(object, key);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static int get_int(struct json_object *object, const char *key, int fallback)
{
    struct json_object *value = get(object, key);
    return value ? json_object_get_int(value) : fallback;
}

static size_t get_length(struct json_object *array)
{
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static size_t units_of(const char *text)
{
    size_t units = 0;
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        units += (byte & 0xc0) != 0x80;
        units += byte >= 0xf0;
    }
    return units;
}

static bool is_text(struct json_object *object, const char *key, size_t max)
{
    const char *text = get_text(object, key);
    return text && text[0] != '\0' && units_of(text) <= max;
}

static bool is_text_if_there(struct json_object *object, const char *key, size_t max)
{
    return !get(object, key) || is_text(object, key, max);
}

static const char *check_id(struct tally *tally, struct json_object *component)
{
    if (!is_text(component, "custom_id", 100))
        return "custom_id";
    const char *id = get_text(component, "custom_id");
    for (int i = 0; i < tally->id_count; i++)
        if (strcmp(tally->ids[i], id) == 0)
            return "custom_id twice";
    if (tally->id_count == IDS_MAX)
        return "too many custom_ids";
    tally->ids[tally->id_count++] = id;
    return NULL;
}

static const char *check_option_list(struct json_object *options, size_t min, size_t max)
{
    if (get_length(options) < min || get_length(options) > max)
        return "number of options";
    for (size_t i = 0; i < get_length(options); i++) {
        struct json_object *option = json_object_array_get_idx(options, i);
        if (!is_text(option, "label", 100) || !is_text(option, "value", 100) ||
            !is_text_if_there(option, "description", 100))
            return "option";
    }
    return NULL;
}

static const char *check_button(struct tally *tally, struct json_object *button)
{
    int style = get_int(button, "style", 0);
    if (style < 1 || style > 5)
        return "button style";
    if (!is_text_if_there(button, "label", 80) || (!get(button, "label") && !get(button, "emoji")))
        return "button label";
    if (style == 5)
        return get(button, "custom_id") || !is_text(button, "url", 512) ? "link button" : NULL;
    return get(button, "url") ? "url of a button" : check_id(tally, button);
}

static const char *check_select(struct tally *tally, struct json_object *select, bool is_in_modal)
{
    int min = get_int(select, "min_values", 1), max = get_int(select, "max_values", 1);
    bool is_required = !get(select, "required") || json_object_get_boolean(get(select, "required"));
    if (min < 0 || max < 1 || max > 25 || min > max)
        return "min and max of a select";
    if (is_in_modal && is_required && min < 1)
        return "a required select needs min_values of 1";
    if (is_in_modal && get(select, "disabled"))
        return "disabled in a modal";
    if (!is_text_if_there(select, "placeholder", 150))
        return "placeholder";
    if (get_int(select, "type", 0) == 3) {
        const char *fault = check_option_list(get(select, "options"), 1, 25);
        if (fault)
            return fault;
        if ((size_t)max > get_length(get(select, "options")))
            return "max above the number of options";
    } else if (get(select, "options")) {
        return "options of another select";
    }
    return check_id(tally, select);
}

static const char *check_component(struct tally *tally, struct json_object *component,
                                   const char *place);

static const char *check_children(struct tally *tally, struct json_object *list, const char *place,
                                  size_t min, size_t max)
{
    if (get_length(list) < min || get_length(list) > max)
        return "number of components";
    const char *fault = NULL;
    for (size_t i = 0; i < get_length(list) && !fault; i++)
        fault = check_component(tally, json_object_array_get_idx(list, i), place);
    return fault;
}

static const char *check_row(struct tally *tally, struct json_object *row)
{
    struct json_object *list = get(row, "components");
    for (size_t i = 0; i < get_length(list); i++)
        if (get_int(json_object_array_get_idx(list, i), "type", 0) != 2 && get_length(list) > 1)
            return "a select beside something";
    return check_children(tally, list, "row", 1, 5);
}

static const char *check_section(struct tally *tally, struct json_object *section)
{
    const char *fault = check_children(tally, get(section, "components"), "section", 1, 3);
    return fault ? fault : check_component(tally, get(section, "accessory"), "accessory");
}

static const char *check_gallery(struct json_object *gallery)
{
    struct json_object *items = get(gallery, "items");
    if (get_length(items) < 1 || get_length(items) > 10)
        return "number of pictures";
    for (size_t i = 0; i < get_length(items); i++) {
        struct json_object *item = json_object_array_get_idx(items, i);
        if (!is_text(get(item, "media"), "url", 2048) ||
            !is_text_if_there(item, "description", 1024))
            return "picture";
    }
    return NULL;
}

static const char *check_text_input(struct tally *tally, struct json_object *input)
{
    int min = get_int(input, "min_length", 0), max = get_int(input, "max_length", 4000);
    int style = get_int(input, "style", 0);
    if (min < 0 || max < 1 || max > 4000 || min > max || style < 1 || style > 2)
        return "text input";
    if (!is_text_if_there(input, "value", (size_t)max) ||
        !is_text_if_there(input, "placeholder", 100))
        return "texts of a text input";
    return check_id(tally, input);
}

static const char *check_group(struct tally *tally, struct json_object *group, size_t min)
{
    const char *fault = check_option_list(get(group, "options"), min, 10);
    if (!fault && get_int(group, "max_values", 1) > (int)get_length(get(group, "options")))
        fault = "max_values of a group";
    return fault ? fault : check_id(tally, group);
}

static const char *check_upload(struct tally *tally, struct json_object *upload)
{
    int min = get_int(upload, "min_values", 1), max = get_int(upload, "max_values", 1);
    bool is_required = json_object_get_boolean(get(upload, "required"));
    if (min < 0 || max > 10 || min > max || (is_required && min < 1))
        return "file upload";
    return check_id(tally, upload);
}

static const char *check_fields(struct tally *tally, struct json_object *component, int type,
                                bool is_in_modal)
{
    switch (type) {
    case 1:
        return check_row(tally, component);
    case 2:
        return check_button(tally, component);
    case 3:
    case 5:
    case 6:
    case 7:
    case 8:
        return check_select(tally, component, is_in_modal);
    case 4:
        return check_text_input(tally, component);
    case 9:
        return check_section(tally, component);
    case 10:
        if (!is_text(component, "content", 4000))
            return "text";
        tally->text_units += units_of(get_text(component, "content"));
        return NULL;
    case 11:
        return is_text(get(component, "media"), "url", 2048) &&
                       is_text_if_there(component, "description", 1024)
                   ? NULL
                   : "thumbnail";
    case 12:
        return check_gallery(component);
    case 17:
        return check_children(tally, get(component, "components"), "container", 1, 40);
    case 18:
        if (!is_text(component, "label", 45) || !is_text_if_there(component, "description", 100))
            return "label";
        return check_component(tally, get(component, "component"), "label");
    case 19:
        return check_upload(tally, component);
    case 21:
        return check_group(tally, component, 2);
    case 22:
        return check_group(tally, component, 1);
    case 23:
        return check_id(tally, component);
    default:
        return NULL;
    }
}

/* " 1 2 " are the types that may be in a place. */
static const struct {
    const char *place, *types;
} nesting[] = {
    { "message", " 1 9 10 12 13 14 17 " },
    { "container", " 1 9 10 12 13 14 " },
    { "row", " 2 3 5 6 7 8 " },
    { "section", " 10 " },
    { "accessory", " 2 11 " },
    { "modal", " 10 18 " },
    { "label", " 3 4 5 6 7 8 19 21 22 23 " },
};

static bool may_be_in(int type, const char *place)
{
    char word[] = { ' ', (char)('0' + type / 10), (char)('0' + type % 10), ' ', '\0' };
    const char *padded = type >= 10 ? word : (word[1] = ' ', word + 1);
    for (size_t i = 0; i < sizeof(nesting) / sizeof(nesting[0]); i++)
        if (strcmp(nesting[i].place, place) == 0)
            return strstr(nesting[i].types, padded) != NULL;
    return false;
}

static const char *check_component(struct tally *tally, struct json_object *component,
                                   const char *place)
{
    int type = get_int(component, "type", 0);
    if (type < 1 || type > 99 || !may_be_in(type, place))
        return "nesting";
    if (++tally->components > 40)
        return "more than 40 components";
    const char *fault = check_fields(tally, component, type, strcmp(place, "label") == 0);
    return fault ? fault : tally->text_units > 4000 ? "more than 4000 characters" : NULL;
}

static const char *check_suggestions(struct json_object *choices)
{
    if (!json_object_is_type(choices, json_type_array) || get_length(choices) > 25)
        return "number of choices";
    for (size_t i = 0; i < get_length(choices); i++) {
        struct json_object *choice = json_object_array_get_idx(choices, i);
        bool is_number = json_object_is_type(get(choice, "value"), json_type_int);
        if (!is_text(choice, "name", 100) || (!is_number && !is_text(choice, "value", 100)))
            return "choice";
    }
    return NULL;
}

static const char *check_message(struct json_object *data)
{
    struct tally tally = { 0 };
    if ((get_int(data, "flags", 0) & ~64) != 32768)
        return "flags";
    struct json_object *mentions = get(data, "allowed_mentions");
    if (!get(mentions, "parse") || get_length(get(mentions, "parse")) != 0)
        return "allowed_mentions";
    return check_children(&tally, get(data, "components"), "message", 1, 40);
}

static const char *check_modal(struct json_object *data)
{
    struct tally tally = { 0 };
    if (!is_text(data, "custom_id", 100) || !is_text(data, "title", 45))
        return "custom_id or title of a modal";
    return check_children(&tally, get(data, "components"), "modal", 1, 5);
}

static const char *check_answer(struct json_object *answer)
{
    struct json_object *data = get(answer, "data");
    switch (get_int(answer, "type", 0)) {
    case 4:
    case 7:
        return check_message(data);
    case 5:
        return (get_int(data, "flags", 0) & ~64) != 0 ? "flags of a deferral" : NULL;
    case 6:
        return data ? "data of a deferred update" : NULL;
    case 8:
        return check_suggestions(get(data, "choices"));
    case 9:
        return check_modal(data);
    default:
        return "type";
    }
}

const char *checked_answer(const char *json)
{
    struct json_tokener *tokener = json_tokener_new();
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *answer = json_tokener_parse_ex(tokener, json, (int)strlen(json) + 1);
    const char *fault = answer ? check_answer(answer) : "no JSON";
    json_object_put(answer);
    json_tokener_free(tokener);
    return fault;
}
