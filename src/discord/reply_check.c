/* What Discord would refuse: one walk over the finished tree, driven by a table of where each
 * component may be and what it must have. The first fault in the order of the message is returned
 * with its JSON path. Reads the reply only; no state.
 * https://docs.discord.com/developers/components/reference */
#include "discord/reply_check.h"

#include <stdio.h>

#define PATH_DEPTH_MAX 8 /* what is nested deeper is refused before its children are looked at */

static void append_place(struct buf *path, const struct node *node)
{
    if (node->is_accessory)
        buf_append(path, STR("accessory"));
    else if (node->parent && node->parent->type == COMPONENT_LABEL)
        buf_append(path, STR("component"));
    else
        buf_append_format(path, "%s[%d]", node->type == NODE_PICTURE ? "items" : "components",
                          node->index);
}

int reply_check_fault(const struct check *check, int code, const struct node *node,
                      const char *field, const char *format, ...)
{
    const struct node *chain[PATH_DEPTH_MAX];
    int depth = 0;
    for (; node && node->parent && depth < PATH_DEPTH_MAX; node = node->parent)
        chain[depth++] = node;
    CLEANUP(buf_free) struct buf text = { 0 };
    buf_append(&text, str_from(check->prefix));
    bool is_first = true;
    for (; depth > 0; is_first = false) {
        if (!is_first)
            buf_append_char(&text, '.');
        append_place(&text, chain[--depth]);
    }
    if (field[0] != '\0')
        buf_append_format(&text, "%s%s", is_first ? "" : ".", field);
    if (text.length > 0 && text.data[text.length - 1] == '.')
        text.data[--text.length] = '\0';
    if (text.length > 0)
        buf_append(&text, STR(": "));
    va_list arguments;
    va_start(arguments, format);
    buf_append_format_list(&text, format, arguments);
    va_end(arguments);
    return err_set(check->err, code, "%s", text.data ? text.data : format);
}

int reply_check_text(const struct check *check, const struct node *node, const char *field,
                     struct str_view text, size_t max)
{
    size_t units = utf8_units(text);
    if (units == 0)
        return reply_check_fault(check, ERR_INVALID, node, field, "empty");
    if (units > max)
        return reply_check_fault(check, ERR_LIMIT, node, field, "%zu characters, at most %zu",
                                 units, max);
    return 0;
}

int reply_check_range(const struct check *check, const struct node *node, const char *field,
                      int value, int min, int max)
{
    if (value < min || value > max)
        return reply_check_fault(check, ERR_LIMIT, node, field, "%d, allowed are %d to %d", value,
                                 min, max);
    return 0;
}

/* Where a component may be. */
enum place {
    PLACE_MESSAGE,
    PLACE_CONTAINER,
    PLACE_SECTION,
    PLACE_ACCESSORY,
    PLACE_ROW,
    PLACE_GALLERY,
    PLACE_MODAL,
    PLACE_LABEL,
    PLACE_NONE, /* inside what holds nothing */
};

static const char *const place_names[] = {
    [PLACE_MESSAGE] = "a message",
    [PLACE_CONTAINER] = "a container",
    [PLACE_SECTION] = "a section",
    [PLACE_ACCESSORY] = "a section's accessory",
    [PLACE_ROW] = "a row",
    [PLACE_GALLERY] = "a gallery",
    [PLACE_MODAL] = "a modal",
    [PLACE_LABEL] = "a label",
    [PLACE_NONE] = "another component",
};

enum {
    IN_MESSAGE = 1 << PLACE_MESSAGE,
    IN_CONTAINER = 1 << PLACE_CONTAINER,
    IN_SECTION = 1 << PLACE_SECTION,
    AS_ACCESSORY = 1 << PLACE_ACCESSORY,
    IN_ROW = 1 << PLACE_ROW,
    IN_GALLERY = 1 << PLACE_GALLERY,
    IN_MODAL = 1 << PLACE_MODAL,
    IN_LABEL = 1 << PLACE_LABEL,
};

static const struct rule {
    const char *name;
    unsigned places;
    bool has_custom_id;
    int min_children, max_children; /* accessories apart */
} rules[] = {
    [NODE_PICTURE] = { "a picture", IN_GALLERY },
    [COMPONENT_ACTION_ROW] = { "a row", IN_MESSAGE | IN_CONTAINER, false, 1, 5 },
    [COMPONENT_BUTTON] = { "a button", IN_ROW | AS_ACCESSORY, true },
    [COMPONENT_STRING_SELECT] = { "a select", IN_ROW | IN_LABEL, true },
    [COMPONENT_TEXT_INPUT] = { "a text input", IN_LABEL, true },
    [COMPONENT_USER_SELECT] = { "a select", IN_ROW | IN_LABEL, true },
    [COMPONENT_ROLE_SELECT] = { "a select", IN_ROW | IN_LABEL, true },
    [COMPONENT_MENTIONABLE_SELECT] = { "a select", IN_ROW | IN_LABEL, true },
    [COMPONENT_CHANNEL_SELECT] = { "a select", IN_ROW | IN_LABEL, true },
    [COMPONENT_SECTION] = { "a section", IN_MESSAGE | IN_CONTAINER, false, 1, 3 },
    [COMPONENT_TEXT_DISPLAY] = { "a text", IN_MESSAGE | IN_CONTAINER | IN_SECTION | IN_MODAL },
    [COMPONENT_THUMBNAIL] = { "a thumbnail", AS_ACCESSORY },
    [COMPONENT_MEDIA_GALLERY] = { "a gallery", IN_MESSAGE | IN_CONTAINER, false, 1, 10 },
    [COMPONENT_FILE] = { "a file", IN_MESSAGE | IN_CONTAINER },
    [COMPONENT_SEPARATOR] = { "a separator", IN_MESSAGE | IN_CONTAINER },
    [COMPONENT_CONTAINER] = { "a container", IN_MESSAGE, false, 1, REPLY_COMPONENTS_MAX },
    [COMPONENT_LABEL] = { "a label", IN_MODAL, false, 1, 1 },
    [COMPONENT_FILE_UPLOAD] = { "a file upload", IN_LABEL, true },
    [COMPONENT_RADIO_GROUP] = { "a radio group", IN_LABEL, true },
    [COMPONENT_CHECKBOX_GROUP] = { "a checkbox group", IN_LABEL, true },
    [COMPONENT_CHECKBOX] = { "a checkbox", IN_LABEL, true },
};

static enum place place_of(const struct check *check, const struct node *node)
{
    switch (node->parent->type) {
    case NODE_ROOT:
        return check->reply->kind == CALLBACK_MODAL ? PLACE_MODAL : PLACE_MESSAGE;
    case COMPONENT_CONTAINER:
        return PLACE_CONTAINER;
    case COMPONENT_SECTION:
        return node->is_accessory ? PLACE_ACCESSORY : PLACE_SECTION;
    case COMPONENT_ACTION_ROW:
        return PLACE_ROW;
    case COMPONENT_MEDIA_GALLERY:
        return PLACE_GALLERY;
    case COMPONENT_LABEL:
        return PLACE_LABEL;
    default:
        return PLACE_NONE;
    }
}

static int check_custom_id(const struct check *check, const struct node *node)
{
    int code = reply_check_text(check, node, "custom_id", node->custom_id, CUSTOM_ID_MAX);
    if (code < 0)
        return code;
    const struct node *other = &check->reply->root;
    while ((other = reply_next_node(check->reply, other)) != node)
        if (other->custom_id.data && str_equal(other->custom_id, node->custom_id))
            return reply_check_fault(check, ERR_INVALID, node, "custom_id",
                                     "another component has it too");
    return 0;
}

static int check_one(const struct check *check, const struct node *node)
{
    if (node->type < 0 || (size_t)node->type >= ARRAY_LENGTH(rules) || !rules[node->type].name)
        return reply_check_fault(check, ERR_INVALID, node, "type", "%d is no component",
                                 node->type);
    const struct rule *rule = &rules[node->type];
    enum place place = place_of(check, node);
    if (!(rule->places & (1u << place)))
        return reply_check_fault(check, ERR_INVALID, node, "", "%s has no place in %s", rule->name,
                                 place_names[place]);
    int code = 0;
    if (rule->max_children > 0)
        code = reply_check_range(check, node,
                                 node->type == COMPONENT_MEDIA_GALLERY ? "items" : "components",
                                 node->child_count, rule->min_children, rule->max_children);
    bool is_link = node->type == COMPONENT_BUTTON && node->style == BUTTON_LINK;
    if (code == 0 && rule->has_custom_id && !is_link)
        code = check_custom_id(check, node);
    return code < 0 ? code : reply_check_part(check, node);
}

static int check_components(const struct check *check)
{
    const struct reply *reply = check->reply;
    bool is_modal = reply->kind == CALLBACK_MODAL;
    if (reply->open != &reply->root)
        return reply_check_fault(check, ERR_INVALID, reply->open, "", "begun but not ended");
    int code = reply_check_range(check, NULL, "components", reply->root.child_count, 1,
                                 is_modal ? REPLY_MODAL_COMPONENTS_MAX : REPLY_COMPONENTS_MAX);
    if (code < 0)
        return code;
    int count = 0;
    for (const struct node *node = &reply->root; (node = reply_next_node(reply, node));)
        count += node->type != NODE_PICTURE;
    if (count > REPLY_COMPONENTS_MAX)
        return reply_check_fault(check, ERR_LIMIT, NULL, "components",
                                 "%d with nested ones, at most %d", count, REPLY_COMPONENTS_MAX);
    for (const struct node *node = &reply->root; (node = reply_next_node(reply, node));) {
        code = check_one(check, node);
        if (code < 0)
            return code;
    }
    return 0;
}

static int check_suggestions(const struct check *check)
{
    int type = OPTION_STRING;
    const struct interaction *interaction = check->reply->interaction;
    for (int i = 0; i < interaction->command.option_count; i++)
        if (interaction->command.options[i].is_focused)
            type = interaction->command.options[i].type;
    int code = 0;
    for (int i = 0; i < check->reply->suggestion_count && code == 0; i++) {
        const struct suggestion *suggestion = &check->reply->suggestions[i];
        char field[32];
        snprintf(field, sizeof(field), "choices[%d].name", i);
        code = reply_check_text(check, NULL, field, suggestion->name, REPLY_SUGGESTION_MAX);
        snprintf(field, sizeof(field), "choices[%d].value", i);
        if (code == 0 && suggestion->is_integer == (type == OPTION_STRING))
            code = reply_check_fault(check, ERR_INVALID, NULL, field,
                                     "of another type than the option");
        if (code == 0 && !suggestion->is_integer)
            code = reply_check_text(check, NULL, field, suggestion->text, REPLY_SUGGESTION_MAX);
        if (code == 0 && (suggestion->integer > DISCORD_INTEGER_MAX ||
                          suggestion->integer < -DISCORD_INTEGER_MAX))
            code = reply_check_fault(check, ERR_LIMIT, NULL, field, "beyond 2^53-1");
    }
    return code;
}

/* Which answers an interaction may get; a modal's message can only be changed when there is one.
 * https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-response-object-interaction-callback-type
 */
static bool is_allowed_answer(enum callback_type kind, const struct interaction *interaction)
{
    int type = interaction->type;
    switch (kind) {
    case CALLBACK_PONG:
        return type == INTERACTION_PING;
    case CALLBACK_MESSAGE:
    case CALLBACK_DEFERRED_MESSAGE:
        return type == INTERACTION_COMMAND || type == INTERACTION_COMPONENT ||
               type == INTERACTION_MODAL_SUBMIT;
    case CALLBACK_DEFERRED_UPDATE:
    case CALLBACK_UPDATE_MESSAGE:
        return type == INTERACTION_COMPONENT ||
               (type == INTERACTION_MODAL_SUBMIT && interaction->message);
    case CALLBACK_AUTOCOMPLETE:
        return type == INTERACTION_AUTOCOMPLETE;
    case CALLBACK_MODAL:
        return type == INTERACTION_COMMAND || type == INTERACTION_COMPONENT;
    }
    return false;
}

int reply_check(const struct reply *reply, bool is_edit, struct err *err)
{
    struct check check = { .reply = reply, .prefix = is_edit ? "" : "data.", .err = err };
    bool is_message = reply->kind == CALLBACK_MESSAGE || reply->kind == CALLBACK_UPDATE_MESSAGE;
    if (reply->fault_code != 0)
        return reply_check_fault(&check, reply->fault_code, reply->fault_node, "", "%s",
                                 reply->fault_reason);
    /* A text the handler formatted in the arena may be missing without the builder knowing. */
    if (reply->arena->has_failed)
        return err_set(err, ERR_MEMORY, "no memory for a reply");
    check.prefix = "";
    if (is_edit && !is_message)
        return reply_check_fault(&check, ERR_INVALID, NULL, "type", "%d can't be sent as an edit",
                                 (int)reply->kind);
    if (!is_edit && !is_allowed_answer(reply->kind, reply->interaction))
        return reply_check_fault(&check, ERR_INVALID, NULL, "type",
                                 "%d is no answer to an interaction of type %d", (int)reply->kind,
                                 reply->interaction->type);
    check.prefix = is_edit ? "" : "data.";
    if (!is_message && reply->file_count > 0)
        return reply_check_fault(&check, ERR_INVALID, NULL, "attachments",
                                 "only a message has files");
    if (is_message)
        return check_components(&check);
    if (reply->kind == CALLBACK_MODAL) {
        int code =
            reply_check_text(&check, NULL, "custom_id", reply->modal_custom_id, CUSTOM_ID_MAX);
        if (code == 0)
            code = reply_check_text(&check, NULL, "title", reply->modal_title, REPLY_TITLE_MAX);
        return code < 0 ? code : check_components(&check);
    }
    if (reply->root.first)
        return reply_check_fault(&check, ERR_INVALID, NULL, "components",
                                 "not in an answer of type %d", (int)reply->kind);
    return reply->kind == CALLBACK_AUTOCOMPLETE ? check_suggestions(&check) : 0;
}
