/* The table of component types, and the checks its rows name. */
#include "simulator/judge_kinds.h"

#include <inttypes.h>

/* --- Fields --- */

#define COMMON                                                                                     \
    { "type", FIELD_INTEGER, REQUIRED, 1, KIND_COUNT },                                            \
    {                                                                                              \
        "id", FIELD_INTEGER, 0, 0, INT32_MAX                                                       \
    }
#define CUSTOM_ID                                                                                  \
    {                                                                                              \
        "custom_id", FIELD_TEXT, REQUIRED, 1, 100                                                  \
    }
#define SELECT_RULES                                                                               \
    COMMON, CUSTOM_ID, { "placeholder", FIELD_TEXT, 0, 0, 150 },                                   \
        { "min_values", FIELD_INTEGER, 0, 0, 25 }, { "max_values", FIELD_INTEGER, 0, 1, 25 },      \
        { "required", FIELD_BOOLEAN },                                                             \
    {                                                                                              \
        "disabled", FIELD_BOOLEAN                                                                  \
    }

static const struct field_rule row_rules[] = { COMMON,
                                               { "components", FIELD_LIST, REQUIRED, 1, 5 },
                                               { NULL } };
static const struct field_rule button_rules[] = {
    COMMON,
    { "style", FIELD_INTEGER, REQUIRED, 1, 6 },
    { "label", FIELD_TEXT, 0, 1, 80 },
    { "emoji", FIELD_OBJECT },
    { "custom_id", FIELD_TEXT, 0, 1, 100 },
    { "sku_id", FIELD_ID },
    { "url", FIELD_TEXT, 0, 1, 512 },
    { "disabled", FIELD_BOOLEAN },
    { NULL },
};
static const struct field_rule string_select_rules[] = { SELECT_RULES,
                                                         { "options", FIELD_LIST, REQUIRED, 1, 25 },
                                                         { NULL } };
static const struct field_rule auto_select_rules[] = { SELECT_RULES,
                                                       { "default_values", FIELD_LIST, 0, 0, 25 },
                                                       { NULL } };
static const struct field_rule channel_select_rules[] = {
    SELECT_RULES,
    { "default_values", FIELD_LIST, 0, 0, 25 },
    { "channel_types", FIELD_LIST, 0, 0, 20 },
    { NULL },
};
static const struct field_rule text_input_rules[] = {
    COMMON,
    CUSTOM_ID,
    { "style", FIELD_INTEGER, REQUIRED, 1, 2 },
    { "min_length", FIELD_INTEGER, 0, 0, 4000 },
    { "max_length", FIELD_INTEGER, 0, 1, 4000 },
    { "required", FIELD_BOOLEAN },
    { "value", FIELD_TEXT, 0, 0, 4000 },
    { "placeholder", FIELD_TEXT, 0, 0, 100 },
    { NULL },
};
static const struct field_rule section_rules[] = {
    COMMON,
    { "components", FIELD_LIST, REQUIRED, 1, 3 },
    { "accessory", FIELD_OBJECT, REQUIRED },
    { NULL },
};
static const struct field_rule text_rules[] = {
    COMMON, { "content", FIELD_TEXT, REQUIRED, 1, JUDGE_TEXT_MAX }, { NULL }
};
static const struct field_rule thumbnail_rules[] = {
    COMMON,
    { "media", FIELD_OBJECT, REQUIRED },
    { "description", FIELD_TEXT, NULLABLE, 1, 1024 },
    { "spoiler", FIELD_BOOLEAN },
    { NULL },
};
static const struct field_rule gallery_rules[] = { COMMON,
                                                   { "items", FIELD_LIST, REQUIRED, 1, 10 },
                                                   { NULL } };
static const struct field_rule file_rules[] = {
    COMMON, { "file", FIELD_OBJECT, REQUIRED }, { "spoiler", FIELD_BOOLEAN }, { NULL }
};
static const struct field_rule separator_rules[] = {
    COMMON, { "divider", FIELD_BOOLEAN }, { "spacing", FIELD_INTEGER, 0, 1, 2 }, { NULL }
};
static const struct field_rule container_rules[] = {
    COMMON,
    { "components", FIELD_LIST, REQUIRED, 1, JUDGE_COMPONENTS_MAX },
    { "accent_color", FIELD_INTEGER, NULLABLE, 0, 0xffffff },
    { "spoiler", FIELD_BOOLEAN },
    { NULL },
};
static const struct field_rule label_rules[] = {
    COMMON,
    { "label", FIELD_TEXT, REQUIRED, 1, 45 },
    { "description", FIELD_TEXT, 0, 1, 100 },
    { "component", FIELD_OBJECT, REQUIRED },
    { NULL },
};
static const struct field_rule upload_rules[] = {
    COMMON,
    CUSTOM_ID,
    { "min_values", FIELD_INTEGER, 0, 0, 10 },
    { "max_values", FIELD_INTEGER, 0, 1, 10 },
    { "required", FIELD_BOOLEAN },
    { NULL },
};
static const struct field_rule radio_rules[] = {
    COMMON,   CUSTOM_ID, { "options", FIELD_LIST, REQUIRED, 2, 10 }, { "required", FIELD_BOOLEAN },
    { NULL },
};
static const struct field_rule checkbox_group_rules[] = {
    COMMON,
    CUSTOM_ID,
    { "options", FIELD_LIST, REQUIRED, 1, 10 },
    { "min_values", FIELD_INTEGER, 0, 0, 10 },
    { "max_values", FIELD_INTEGER, 0, 1, 10 },
    { "required", FIELD_BOOLEAN },
    { NULL },
};
static const struct field_rule checkbox_rules[] = {
    COMMON, CUSTOM_ID, { "default", FIELD_BOOLEAN }, { NULL }
};
static const struct field_rule emoji_rules[] = {
    { "id", FIELD_ID, NULLABLE },
    { "name", FIELD_TEXT, NULLABLE, 1, 32 },
    { "animated", FIELD_BOOLEAN },
    { NULL },
};
static const struct field_rule select_option_rules[] = {
    { "label", FIELD_TEXT, REQUIRED, 1, 100 },
    { "value", FIELD_TEXT, REQUIRED, 1, 100 },
    { "description", FIELD_TEXT, 0, 1, 100 },
    { "emoji", FIELD_OBJECT },
    { "default", FIELD_BOOLEAN },
    { NULL },
};
static const struct field_rule group_option_rules[] = {
    { "label", FIELD_TEXT, REQUIRED, 1, 100 },
    { "value", FIELD_TEXT, REQUIRED, 1, 100 },
    { "description", FIELD_TEXT, 0, 1, 100 },
    { "default", FIELD_BOOLEAN },
    { NULL },
};
static const struct field_rule default_value_rules[] = { { "id", FIELD_ID, REQUIRED },
                                                         { "type", FIELD_TEXT, REQUIRED, 1, 10 },
                                                         { NULL } };
static const struct field_rule media_rules[] = {
    { "url", FIELD_URL, REQUIRED, 1, 2048 },
    { NULL },
};
static const struct field_rule gallery_item_rules[] = {
    { "media", FIELD_OBJECT, REQUIRED },
    { "description", FIELD_TEXT, NULLABLE, 1, 1024 },
    { "spoiler", FIELD_BOOLEAN },
    { NULL },
};

/* --- What no table can say --- */

static void judge_emoji(struct judgement *judgement, json_object *owner)
{
    json_object *emoji = get(owner, "emoji");
    if (!emoji)
        return;
    size_t mark = judge_enter(judgement, "emoji");
    if (judge_object(judgement, emoji, emoji_rules) && !get(emoji, "id") && !get(emoji, "name"))
        judge_complain(judgement, "has neither id nor name");
    judge_leave(judgement, mark);
}

/* Which fields a style must and can't have.
 * https://docs.discord.com/developers/components/reference#button-button-styles */
static void check_button(struct judgement *judgement, json_object *button, enum place_kind place)
{
    enum { LINK = 5, PREMIUM = 6 };
    static const struct {
        const char *name;
        unsigned needed, refused; /* bits of styles */
    } fields[] = {
        { "custom_id", 0x1e, 1 << LINK | 1 << PREMIUM },
        { "url", 1 << LINK, 0x1e | 1 << PREMIUM },
        { "sku_id", 1 << PREMIUM, 0x1e | 1 << LINK },
        { "label", 0, 1 << PREMIUM },
        { "emoji", 0, 1 << PREMIUM },
    };
    (void)place;
    int64_t style = get_integer(button, "style", 1);
    unsigned bit = style >= 1 && style <= PREMIUM ? 1U << style : 0;
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        bool is_there = get(button, fields[i].name) != NULL;
        if (!is_there && fields[i].needed & bit)
            judge_complain(judgement, "a button of style %" PRId64 " needs %s", style,
                           fields[i].name);
        if (is_there && fields[i].refused & bit)
            judge_complain(judgement, "a button of style %" PRId64 " can't have %s", style,
                           fields[i].name);
    }
    struct str_view url = field_text(button, "url");
    if (url.data && !str_starts_with(url, STR("http://")) &&
        !str_starts_with(url, STR("https://")) && !str_starts_with(url, STR("discord://")))
        judge_complain(judgement, "the url is none of http, https, discord");
    if (style != PREMIUM && !get(button, "label") && !get(button, "emoji"))
        judge_complain(judgement, "a button without label and emoji");
    judge_emoji(judgement, button);
}

/* Options of selects and groups: known fields, values that differ, not too many defaults. */
static void judge_options(struct judgement *judgement, json_object *owner,
                          const struct field_rule *rules, int64_t max_chosen)
{
    json_object *options = get(owner, "options");
    int64_t chosen = 0;
    size_t mark = judge_enter(judgement, "options");
    for (size_t i = 0; i < list_length(get(owner, "options")); i++) {
        json_object *option = json_object_array_get_idx(options, i);
        size_t item = judge_enter_index(judgement, i);
        if (judge_object(judgement, option, rules)) {
            judge_emoji(judgement, option);
            chosen += get_boolean(option, "default", false);
            for (size_t j = 0; j < i; j++)
                if (str_equal(field_text(option, "value"),
                              field_text(json_object_array_get_idx(options, j), "value")))
                    judge_complain(judgement, "has the same value as option %zu", j);
        }
        judge_leave(judgement, item);
    }
    if (chosen > max_chosen)
        judge_complain(judgement, "%" PRId64 " are default, at most %" PRId64 " can be chosen",
                       chosen, max_chosen);
    judge_leave(judgement, mark);
}

/* How many may be chosen, out of `available` (0: unknown). In modals a field is required unless it
 * says otherwise, and then zero choices make no sense. */
static void judge_counts(struct judgement *judgement, json_object *component, int64_t standard_max,
                         int64_t available, bool is_in_modal)
{
    int64_t min = get_integer(component, "min_values", 1);
    int64_t max = get_integer(component, "max_values", standard_max);
    if (min > max)
        judge_complain(judgement, "min_values %" PRId64 " is above max_values %" PRId64, min, max);
    if (available > 0 && max > available)
        judge_complain(judgement, "max_values %" PRId64 " is above the %" PRId64 " options", max,
                       available);
    if (is_in_modal && min == 0 && get_boolean(component, "required", true))
        judge_complain(judgement, "min_values 0 needs required false");
}

static const char *default_value_word(int64_t kind)
{
    return kind == USER_SELECT ? "user" : kind == ROLE_SELECT ? "role" : "channel";
}

static void judge_default_values(struct judgement *judgement, json_object *select)
{
    int64_t kind = get_integer(select, "type", 0);
    json_object *list = get(select, "default_values");
    size_t count = list_length(get(select, "default_values")), mark;
    mark = judge_enter(judgement, "default_values");
    if (count > 0 && ((int64_t)count > get_integer(select, "max_values", 1) ||
                      (int64_t)count < get_integer(select, "min_values", 1)))
        judge_complain(judgement, "%zu values are not within min_values..max_values", count);
    for (size_t i = 0; i < count; i++) {
        json_object *value = json_object_array_get_idx(list, i);
        size_t item = judge_enter_index(judgement, i);
        struct str_view word = field_text(value, "type");
        if (judge_object(judgement, value, default_value_rules) &&
            !str_equal(word, str_from(default_value_word(kind))) &&
            !(kind == MENTIONABLE_SELECT &&
              (str_equal(word, STR("user")) || str_equal(word, STR("role")))))
            judge_complain(judgement, "'%.*s' is not a type this select shows", STR_ARGS(word));
        judge_leave(judgement, item);
    }
    judge_leave(judgement, mark);
}

static void check_select(struct judgement *judgement, json_object *select, enum place_kind place)
{
    bool is_string = get_integer(select, "type", 0) == STRING_SELECT;
    if (place == IN_LABEL && get(select, "disabled"))
        judge_complain(judgement, "disabled is an error in a modal");
    judge_counts(judgement, select, 1, (int64_t)list_length(get(select, "options")),
                 place == IN_LABEL);
    if (is_string)
        judge_options(judgement, select, select_option_rules, get_integer(select, "max_values", 1));
    else
        judge_default_values(judgement, select);
    json_object *types = get(select, "channel_types");
    for (size_t i = 0; i < list_length(get(select, "channel_types")); i++)
        if (!json_object_is_type(json_object_array_get_idx(types, i), json_type_int))
            judge_complain(judgement, "channel_types[%zu] is not an integer", i);
}

static void check_row(struct judgement *judgement, json_object *row, enum place_kind place)
{
    json_object *children = get(row, "components");
    size_t selects = 0, count = list_length(get(row, "components"));
    (void)place;
    for (size_t i = 0; i < count; i++) {
        int64_t kind = get_integer(json_object_array_get_idx(children, i), "type", 0);
        selects += kind > 0 && kind < KIND_COUNT && SELECTS & BIT(kind);
    }
    if (selects > 0 && count > 1)
        judge_complain(judgement, "a select needs an action row of its own");
}

static void check_text_input(struct judgement *judgement, json_object *input, enum place_kind place)
{
    (void)place;
    int64_t min = get_integer(input, "min_length", 0);
    int64_t max = get_integer(input, "max_length", 4000);
    int64_t units = (int64_t)utf8_units(field_text(input, "value"));
    if (min > max)
        judge_complain(judgement, "min_length %" PRId64 " is above max_length %" PRId64, min, max);
    if (units > max || (units > 0 && units < min))
        judge_complain(judgement, "the value's %" PRId64 " characters are not within its lengths",
                       units);
}

static void judge_media(struct judgement *judgement, json_object *owner, const char *name)
{
    json_object *media = get(owner, name);
    size_t mark = judge_enter(judgement, name);
    if (media && judge_object(judgement, media, media_rules) &&
        str_starts_with(field_text(media, "url"), STR("attachment://")) &&
        judgement->callback_type == CALLBACK_MESSAGE)
        judge_complain(judgement, "no file was uploaded with this answer");
    judge_leave(judgement, mark);
}

static void check_thumbnail(struct judgement *judgement, json_object *thumbnail,
                            enum place_kind place)
{
    (void)place;
    judge_media(judgement, thumbnail, "media");
}

static void check_file(struct judgement *judgement, json_object *file, enum place_kind place)
{
    (void)place;
    judge_media(judgement, file, "file");
    if (!str_starts_with(field_text(get(file, "file"), "url"), STR("attachment://")))
        judge_complain(judgement, "a file component shows attachment:// only");
}

static void check_gallery(struct judgement *judgement, json_object *gallery, enum place_kind place)
{
    (void)place;
    size_t mark = judge_enter(judgement, "items");
    for (size_t i = 0; i < list_length(get(gallery, "items")); i++) {
        json_object *item = json_object_array_get_idx(get(gallery, "items"), i);
        size_t inner = judge_enter_index(judgement, i);
        if (judge_object(judgement, item, gallery_item_rules))
            judge_media(judgement, item, "media");
        judge_leave(judgement, inner);
    }
    judge_leave(judgement, mark);
}

static void check_upload(struct judgement *judgement, json_object *upload, enum place_kind place)
{
    (void)place;
    judge_counts(judgement, upload, 1, 0, true);
}

static void check_radio(struct judgement *judgement, json_object *radio, enum place_kind place)
{
    (void)place;
    judge_options(judgement, radio, group_option_rules, 1);
}

static void check_checkbox_group(struct judgement *judgement, json_object *group,
                                 enum place_kind place)
{
    (void)place;
    int64_t count = (int64_t)list_length(get(group, "options"));
    judge_counts(judgement, group, count, count, true);
    judge_options(judgement, group, group_option_rules, get_integer(group, "max_values", count));
}

static const struct component_rule component_rules[KIND_COUNT] = {
    [ROW] = { "an action row", row_rules, check_row, IN_ROW },
    [BUTTON] = { "a button", button_rules, check_button },
    [STRING_SELECT] = { "a string select", string_select_rules, check_select },
    [TEXT_INPUT] = { "a text input", text_input_rules, check_text_input },
    [USER_SELECT] = { "a user select", auto_select_rules, check_select },
    [ROLE_SELECT] = { "a role select", auto_select_rules, check_select },
    [MENTIONABLE_SELECT] = { "a mentionable select", auto_select_rules, check_select },
    [CHANNEL_SELECT] = { "a channel select", channel_select_rules, check_select },
    [SECTION] = { "a section", section_rules, NULL, IN_SECTION },
    [TEXT_DISPLAY] = { "a text display", text_rules },
    [THUMBNAIL] = { "a thumbnail", thumbnail_rules, check_thumbnail },
    [GALLERY] = { "a media gallery", gallery_rules, check_gallery },
    [FILE_DISPLAY] = { "a file", file_rules, check_file },
    [SEPARATOR] = { "a separator", separator_rules },
    [CONTAINER] = { "a container", container_rules, NULL, IN_CONTAINER },
    [LABEL] = { "a label", label_rules, NULL, IN_LABEL },
    [FILE_UPLOAD] = { "a file upload", upload_rules, check_upload },
    [RADIO_GROUP] = { "a radio group", radio_rules, check_radio },
    [CHECKBOX_GROUP] = { "a checkbox group", checkbox_group_rules, check_checkbox_group },
    [CHECKBOX] = { "a checkbox", checkbox_rules },
};

const struct component_rule *component_rule_of(int64_t kind)
{
    return kind > 0 && kind < KIND_COUNT && component_rules[kind].rules ? &component_rules[kind]
                                                                        : NULL;
}
