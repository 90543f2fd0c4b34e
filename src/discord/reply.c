/* Building messages: each call hangs one component into the tree. A handler's thread owns the
 * reply; everything lives in the arena given to reply_new.
 * https://docs.discord.com/developers/components/reference */
#include "discord/reply_tree.h"

#include <string.h>

static const struct str_view ellipsis = { "\xe2\x80\xa6", 3 };

struct reply *reply_new(struct arena *arena, const struct interaction *interaction)
{
    struct reply *reply = arena_allocate(arena, sizeof(*reply));
    if (!reply)
        return NULL;
    reply->arena = arena;
    reply->interaction = interaction;
    reply_reset(reply);
    return reply;
}

void reply_reset(struct reply *reply)
{
    struct arena *arena = reply->arena;
    const struct interaction *interaction = reply->interaction;
    memset(reply, 0, sizeof(*reply));
    reply->arena = arena;
    reply->interaction = interaction;
    reply->kind = CALLBACK_MESSAGE;
    reply->root.type = NODE_ROOT;
    reply->open = &reply->root;
}

bool reply_is_empty(const struct reply *reply)
{
    return !reply->is_kind_chosen && !reply->root.first && reply->fault_code == 0;
}

bool reply_is_ephemeral(const struct reply *reply)
{
    return reply->is_ephemeral;
}

enum callback_type reply_callback_type(const struct reply *reply)
{
    return reply->kind;
}

void reply_fault(struct reply *reply, int code, const struct node *node, const char *reason)
{
    if (reply->fault_code != 0)
        return;
    reply->fault_code = code;
    reply->fault_node = node;
    reply->fault_reason = reason;
}

void reply_fault_memory(struct reply *reply)
{
    reply_fault(reply, ERR_MEMORY, NULL, "no memory for a reply");
}

struct node *reply_add(struct reply *reply, struct node *parent, int type)
{
    struct node *node = arena_allocate(reply->arena, sizeof(*node));
    if (!node) {
        reply_fault_memory(reply);
        return NULL;
    }
    node->type = type;
    node->parent = parent;
    node->is_accessory = parent->type == COMPONENT_SECTION && type != COMPONENT_TEXT_DISPLAY;
    node->index = parent->child_count;
    parent->child_count += !node->is_accessory;
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    return node;
}

const struct node *reply_next_node(const struct reply *reply, const struct node *node)
{
    if (node->first)
        return node->first;
    while (node != &reply->root && !node->next)
        node = node->parent;
    return node->next; /* the root has none */
}

struct str_view reply_copy(struct reply *reply, struct str_view text)
{
    if (!text.data)
        return STR_NONE;
    struct str_view copy = arena_copy(reply->arena, text);
    if (!copy.data)
        reply_fault_memory(reply);
    return copy;
}

struct str_view reply_cut_in(struct arena *arena, struct str_view text, size_t max)
{
    struct str_view kept = utf8_prefix(text, max);
    if (kept.length == text.length)
        return arena_copy(arena, text);
    kept = utf8_prefix(text, max - 1);
    char *cut = arena_allocate(arena, kept.length + ellipsis.length + 1);
    if (!cut)
        return STR_NONE;
    memcpy(cut, kept.data, kept.length);
    memcpy(cut + kept.length, ellipsis.data, ellipsis.length);
    return (struct str_view){ cut, kept.length + ellipsis.length };
}

struct str_view reply_cut(struct reply *reply, struct str_view text, size_t max)
{
    if (!text.data)
        return STR_NONE;
    struct str_view cut = reply_cut_in(reply->arena, text, max);
    if (!cut.data)
        reply_fault_memory(reply);
    return cut;
}

/* NULL when there is nothing to copy, or no memory. */
static const void *copy_array(struct reply *reply, const void *items, int count, size_t size)
{
    if (!items || count <= 0)
        return NULL;
    void *copy = arena_allocate_array(reply->arena, (size_t)count, size);
    if (!copy)
        reply_fault_memory(reply);
    else
        memcpy(copy, items, (size_t)count * size);
    return copy;
}

void reply_fill_options(struct reply *reply, struct node *node,
                        const struct reply_select_option *options, int count)
{
    if (!options || count <= 0)
        return;
    struct reply_select_option *copies =
        arena_allocate_array(reply->arena, (size_t)count, sizeof(*copies));
    if (!copies) {
        reply_fault_memory(reply);
        return;
    }
    for (int i = 0; i < count; i++) {
        copies[i] = (struct reply_select_option){
            .label = reply_cut(reply, options[i].label, REPLY_OPTION_TEXT_MAX),
            .value = reply_copy(reply, options[i].value),
            .description = reply_cut(reply, options[i].description, REPLY_OPTION_TEXT_MAX),
            .is_default = options[i].is_default,
        };
    }
    node->options = copies;
    node->option_count = count;
}

void reply_choose_kind(struct reply *reply, enum callback_type kind)
{
    if (reply->is_kind_chosen && reply->kind != kind)
        reply_fault(reply, ERR_INVALID, NULL, "two kinds of answer in one reply");
    reply->kind = kind;
    reply->is_kind_chosen = true;
}

void reply_ephemeral(struct reply *reply)
{
    reply->is_ephemeral = true;
}

void reply_update(struct reply *reply)
{
    reply_choose_kind(reply, CALLBACK_UPDATE_MESSAGE);
}

void reply_defer(struct reply *reply)
{
    reply_choose_kind(reply, CALLBACK_DEFERRED_MESSAGE);
}

void reply_defer_update(struct reply *reply)
{
    reply_choose_kind(reply, CALLBACK_DEFERRED_UPDATE);
}

static void add_text(struct reply *reply, struct str_view text)
{
    struct node *node = reply_add(reply, reply->open, COMPONENT_TEXT_DISPLAY);
    if (node)
        node->text = reply_cut(reply, text, REPLY_TEXT_MAX);
}

void reply_text(struct reply *reply, const char *format, ...)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    va_list arguments;
    va_start(arguments, format);
    buf_append_format_list(&text, format, arguments);
    va_end(arguments);
    if (text.has_failed)
        reply_fault_memory(reply);
    else
        add_text(reply, buf_view(&text));
}

void reply_text_view(struct reply *reply, struct str_view text)
{
    add_text(reply, text);
}

static struct node *open_node(struct reply *reply, int type)
{
    struct node *node = reply_add(reply, reply->open, type);
    if (node)
        reply->open = node;
    return node;
}

static void close_node(struct reply *reply, int type, const char *misuse)
{
    if (reply->fault_code == ERR_MEMORY)
        return; /* the beginning may be what there was no memory for */
    if (reply->open->type != type)
        reply_fault(reply, ERR_INVALID, reply->open, misuse);
    else
        reply->open = reply->open->parent;
}

void reply_container_begin(struct reply *reply, int colour)
{
    struct node *node = open_node(reply, COMPONENT_CONTAINER);
    if (node)
        node->style = colour;
}

void reply_container_end(struct reply *reply)
{
    close_node(reply, COMPONENT_CONTAINER, "reply_container_end, but no container is open here");
}

void reply_section_begin(struct reply *reply)
{
    open_node(reply, COMPONENT_SECTION);
}

void reply_section_end(struct reply *reply)
{
    close_node(reply, COMPONENT_SECTION, "reply_section_end, but no section is open here");
}

void reply_row_begin(struct reply *reply)
{
    open_node(reply, COMPONENT_ACTION_ROW);
}

void reply_row_end(struct reply *reply)
{
    close_node(reply, COMPONENT_ACTION_ROW, "reply_row_end, but no row is open here");
}

void reply_button(struct reply *reply, const struct reply_button *button)
{
    struct node *node = reply_add(reply, reply->open, COMPONENT_BUTTON);
    if (!node)
        return;
    node->style = (int)button->style;
    node->text = reply_cut(reply, button->label, REPLY_BUTTON_LABEL_MAX);
    node->custom_id = reply_copy(reply, button->custom_id);
    node->url = reply_copy(reply, button->url);
    node->has_emoji = button->emoji != NULL;
    node->value = reply_copy(reply, str_from(button->emoji));
    node->is_disabled = button->is_disabled;
}

void reply_fill_select(struct reply *reply, struct node *node, const struct reply_select *select)
{
    node->custom_id = reply_copy(reply, select->custom_id);
    node->description = reply_cut(reply, select->placeholder, REPLY_PLACEHOLDER_MAX);
    reply_fill_options(reply, node, select->options, select->option_count);
    node->default_ids = copy_array(reply, select->default_ids, select->default_id_count,
                                   sizeof(*select->default_ids));
    node->default_id_count = node->default_ids ? select->default_id_count : 0;
    node->channel_types = copy_array(reply, select->channel_types, select->channel_type_count,
                                     sizeof(*select->channel_types));
    node->channel_type_count = node->channel_types ? select->channel_type_count : 0;
    node->min = select->min_values;
    node->max = select->max_values == 0 ? 1 : select->max_values;
    node->is_disabled = select->is_disabled;
    node->is_optional = select->is_optional;
}

void reply_select(struct reply *reply, const struct reply_select *select)
{
    struct node *node = reply_add(reply, reply->open, (int)select->type);
    if (node)
        reply_fill_select(reply, node, select);
}

void reply_separator(struct reply *reply, bool has_line)
{
    struct node *node = reply_add(reply, reply->open, COMPONENT_SEPARATOR);
    if (node)
        node->is_on = has_line;
}

static void fill_medium(struct reply *reply, struct node *node, struct str_view url,
                        struct str_view description)
{
    node->url = reply_copy(reply, url);
    node->description = reply_cut(reply, description, REPLY_MEDIA_TEXT_MAX);
}

void reply_thumbnail(struct reply *reply, struct str_view url, struct str_view description)
{
    struct node *node = reply_add(reply, reply->open, COMPONENT_THUMBNAIL);
    if (node)
        fill_medium(reply, node, url, description);
}

void reply_picture(struct reply *reply, struct str_view url, struct str_view description)
{
    struct node *gallery = reply->open->last;
    if (!gallery || gallery->type != COMPONENT_MEDIA_GALLERY)
        gallery = reply_add(reply, reply->open, COMPONENT_MEDIA_GALLERY);
    struct node *picture = gallery ? reply_add(reply, gallery, NODE_PICTURE) : NULL;
    if (picture)
        fill_medium(reply, picture, url, description);
}

static void add_mention(struct reply *reply, struct id_list *list, int64_t id)
{
    for (int i = 0; i < list->count; i++)
        if (list->ids[i] == id)
            return;
    if (id <= 0)
        reply_fault(reply, ERR_INVALID, NULL, "a mention of an id that is none");
    else if (list->count == REPLY_MENTIONS_MAX)
        reply_fault(reply, ERR_LIMIT, NULL, "more than 100 users or roles are mentioned");
    else
        list->ids[list->count++] = id;
}

void reply_mention_user(struct reply *reply, int64_t user_id)
{
    add_mention(reply, &reply->mentioned_users, user_id);
}

void reply_mention_role(struct reply *reply, int64_t role_id)
{
    add_mention(reply, &reply->mentioned_roles, role_id);
}
