/* What each component must have, one function for each; texts that can be cut have been cut when
 * they came in. Reads the reply only; no state.
 * https://docs.discord.com/developers/components/reference */
#include "discord/reply_check.h"

#include <stdio.h>

static int check_web_url(const struct check *check, const struct node *node, const char *field,
                         size_t max)
{
    int code = reply_check_text(check, node, field, node->url, max);
    if (code < 0)
        return code;
    if (!str_starts_with(node->url, STR("https://")) && !str_starts_with(node->url, STR("http://")))
        return reply_check_fault(check, ERR_INVALID, node, field, "not a URL of the web");
    return 0;
}

static int check_media(const struct check *check, const struct node *node)
{
    struct str_view scheme = STR("attachment://");
    if (!str_starts_with(node->url, scheme))
        return check_web_url(check, node, "media.url", REPLY_MEDIA_URL_MAX);
    struct str_view name = { node->url.data + scheme.length, node->url.length - scheme.length };
    for (int i = 0; i < check->reply->file_count; i++)
        if (str_equal(check->reply->files[i].filename, name))
            return 0;
    return reply_check_fault(check, ERR_INVALID, node, "media.url",
                             "no file of that name is attached");
}

static int check_button(const struct check *check, const struct node *node)
{
    int code = reply_check_range(check, node, "style", node->style, BUTTON_PRIMARY, BUTTON_LINK);
    if (code < 0)
        return code;
    if (node->has_emoji && node->value.length == 0)
        return reply_check_fault(check, ERR_INVALID, node, "emoji", "empty");
    if (node->text.length == 0 && !node->has_emoji)
        return reply_check_fault(check, ERR_INVALID, node, "label", "empty, and there is no emoji");
    if (node->style != BUTTON_LINK && node->url.length > 0)
        return reply_check_fault(check, ERR_INVALID, node, "url", "only a link button has one");
    if (node->style != BUTTON_LINK)
        return 0; /* its custom_id has been checked */
    if (node->custom_id.length > 0)
        return reply_check_fault(check, ERR_INVALID, node, "custom_id", "a link button has none");
    return check_web_url(check, node, "url", REPLY_BUTTON_URL_MAX);
}

/* Texts and values of options; `max_default` of them may be chosen already. */
static int check_options(const struct check *check, const struct node *node, int min, int max,
                         int max_default)
{
    int default_count = 0;
    int code = reply_check_range(check, node, "options", node->option_count, min, max);
    for (int i = 0; i < node->option_count && code == 0; i++) {
        const struct reply_select_option *option = &node->options[i];
        char field[32];
        snprintf(field, sizeof(field), "options[%d].label", i);
        code = reply_check_text(check, node, field, option->label, REPLY_OPTION_TEXT_MAX);
        snprintf(field, sizeof(field), "options[%d].value", i);
        if (code == 0)
            code = reply_check_text(check, node, field, option->value, REPLY_OPTION_TEXT_MAX);
        for (int j = 0; j < i && code == 0; j++)
            if (str_equal(node->options[j].value, option->value))
                code = reply_check_fault(check, ERR_INVALID, node, field,
                                         "the value of options[%d] too", j);
        default_count += option->is_default;
    }
    if (code == 0 && default_count > max_default)
        code = reply_check_fault(check, ERR_LIMIT, node, "options",
                                 "%d are chosen already, at most %d", default_count, max_default);
    return code;
}

/* How many must and may be chosen. */
static int check_choosing(const struct check *check, const struct node *node, int min, int max)
{
    int code = reply_check_range(check, node, "min_values", node->min, 0, max);
    if (code == 0)
        code = reply_check_range(check, node, "max_values", node->max, min, max);
    if (code == 0 && node->min > node->max)
        code = reply_check_fault(check, ERR_INVALID, node, "min_values", "%d, but max_values is %d",
                                 node->min, node->max);
    return code;
}

static int check_default_ids(const struct check *check, const struct node *node)
{
    if (node->default_id_count == 0)
        return 0;
    if (node->type == COMPONENT_STRING_SELECT || node->type == COMPONENT_MENTIONABLE_SELECT)
        return reply_check_fault(check, ERR_INVALID, node, "default_values",
                                 "only selects of users, roles and channels have them");
    int code = reply_check_range(check, node, "default_values", node->default_id_count, node->min,
                                 node->max);
    for (int i = 0; i < node->default_id_count && code == 0; i++)
        if (node->default_ids[i] <= 0)
            code = reply_check_fault(check, ERR_INVALID, node, "default_values", "an id is needed");
    return code;
}

static int check_select(const struct check *check, const struct node *node)
{
    int code = check_choosing(check, node, 1, REPLY_SELECT_OPTIONS_MAX);
    if (code < 0)
        return code;
    if (node->is_disabled && node->parent->type == COMPONENT_LABEL)
        return reply_check_fault(check, ERR_INVALID, node, "disabled", "not in a modal");
    if (node->type != COMPONENT_CHANNEL_SELECT && node->channel_type_count != 0)
        return reply_check_fault(check, ERR_INVALID, node, "channel_types",
                                 "only a channel select has them");
    code = check_default_ids(check, node);
    if (code < 0)
        return code;
    if (node->type == COMPONENT_STRING_SELECT) {
        code = check_options(check, node, 1, REPLY_SELECT_OPTIONS_MAX, node->max);
        if (code == 0 && node->max > node->option_count)
            code = reply_check_fault(check, ERR_INVALID, node, "max_values",
                                     "%d, but there are %d options", node->max, node->option_count);
        return code;
    }
    return reply_check_range(check, node, "options", node->option_count, 0, 0);
}

static int check_text_input(const struct check *check, const struct node *node)
{
    int code = reply_check_range(check, node, "min_length", node->min, 0, REPLY_INPUT_LENGTH_MAX);
    if (code == 0)
        code = reply_check_range(check, node, "max_length", node->max, 1, REPLY_INPUT_LENGTH_MAX);
    if (code == 0 && node->min > node->max)
        code = reply_check_fault(check, ERR_INVALID, node, "min_length", "%d, but max_length is %d",
                                 node->min, node->max);
    if (code == 0 && node->value.length > 0)
        code = reply_check_text(check, node, "value", node->value, (size_t)node->max);
    return code;
}

static int check_radio_group(const struct check *check, const struct node *node)
{
    if (node->min != 0 || node->max != 0)
        return reply_check_fault(check, ERR_INVALID, node,
                                 node->min != 0 ? "min_values" : "max_values",
                                 "a radio group has none");
    return check_options(check, node, 2, REPLY_GROUP_OPTIONS_MAX, 1);
}

static int check_checkbox_group(const struct check *check, const struct node *node)
{
    struct node resolved = *node;
    if (resolved.max == 0)
        resolved.max = node->option_count;
    int code = check_options(check, node, 1, REPLY_GROUP_OPTIONS_MAX, resolved.max);
    if (code == 0)
        code = check_choosing(check, &resolved, 1, node->option_count);
    return code;
}

static int check_file_upload(const struct check *check, const struct node *node)
{
    return check_choosing(check, node, 1, REPLY_UPLOADS_MAX);
}

static int check_label(const struct check *check, const struct node *node)
{
    return reply_check_text(check, node, "label", node->text, REPLY_LABEL_MAX);
}

static int check_text_display(const struct check *check, const struct node *node)
{
    if (str_trim(node->text).length == 0)
        return reply_check_fault(check, ERR_INVALID, node, "content", "empty");
    return 0;
}

static int check_container(const struct check *check, const struct node *node)
{
    return reply_check_range(check, node, "accent_color", node->style, -1, 0xffffff);
}

static bool is_select(int type)
{
    return type == COMPONENT_STRING_SELECT ||
           (type >= COMPONENT_USER_SELECT && type <= COMPONENT_CHANNEL_SELECT);
}

static int check_row(const struct check *check, const struct node *node)
{
    for (const struct node *child = node->first; child; child = child->next)
        if (is_select(child->type) && node->child_count > 1)
            return reply_check_fault(check, ERR_INVALID, child, "",
                                     "a select needs a row of its own");
    return 0;
}

static int check_section(const struct check *check, const struct node *node)
{
    const struct node *accessory = NULL;
    for (const struct node *child = node->first; child; child = child->next) {
        if (accessory)
            return reply_check_fault(check, ERR_INVALID, child, "",
                                     "nothing may follow a section's accessory");
        if (child->is_accessory)
            accessory = child;
    }
    return accessory ? 0 : reply_check_fault(check, ERR_INVALID, node, "accessory", "missing");
}

typedef int check_node(const struct check *check, const struct node *node);

static check_node *const part_checks[] = {
    [NODE_PICTURE] = check_media,
    [COMPONENT_ACTION_ROW] = check_row,
    [COMPONENT_BUTTON] = check_button,
    [COMPONENT_STRING_SELECT] = check_select,
    [COMPONENT_TEXT_INPUT] = check_text_input,
    [COMPONENT_USER_SELECT] = check_select,
    [COMPONENT_ROLE_SELECT] = check_select,
    [COMPONENT_MENTIONABLE_SELECT] = check_select,
    [COMPONENT_CHANNEL_SELECT] = check_select,
    [COMPONENT_SECTION] = check_section,
    [COMPONENT_TEXT_DISPLAY] = check_text_display,
    [COMPONENT_THUMBNAIL] = check_media,
    [COMPONENT_CONTAINER] = check_container,
    [COMPONENT_LABEL] = check_label,
    [COMPONENT_FILE_UPLOAD] = check_file_upload,
    [COMPONENT_RADIO_GROUP] = check_radio_group,
    [COMPONENT_CHECKBOX_GROUP] = check_checkbox_group,
};

int reply_check_part(const struct check *check, const struct node *node)
{
    bool has_check = (size_t)node->type < ARRAY_LENGTH(part_checks) && part_checks[node->type];
    return has_check ? part_checks[node->type](check, node) : 0;
}
