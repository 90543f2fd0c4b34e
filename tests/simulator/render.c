/* Components as lines of text. A component is rendered into lines of its own; those in a container
 * get a bar at the left. */
#include "simulator/render.h"

#include "harness/memory.h"
#include "simulator/components.h"
#include "simulator/json_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAR "\xe2\x94\x83 " /* ┃ */

static void render_button(const struct view *view, json_object *button, struct buf *out)
{
    enum { LINK = 5 };
    CLEANUP(buf_free) struct buf text = { 0 };
    bool is_disabled = get_boolean(button, "disabled", false);
    buf_append(&text, is_disabled ? STR("( ") : STR("[ "));
    button_text(button, &text);
    if (get_integer(button, "style", 0) == LINK)
        buf_append_format(&text, " -> %s", get_text(button, "url"));
    buf_append(&text, is_disabled ? STR(" )") : STR(" ]"));
    render_styled(view, is_disabled ? STYLE_DIM : STYLE_BUTTON, buf_view(&text), out);
}

static bool is_chosen(json_object *values, json_object *option)
{
    if (!values)
        return get_boolean(option, "default", false);
    const char *value = get_text(option, "value");
    if (json_object_is_type(values, json_type_string))
        return strcmp(json_object_get_string(values), value) == 0;
    for (size_t i = 0; i < list_length(values); i++)
        if (strcmp(json_object_get_string(list_item(values, i)), value) == 0)
            return true;
    return false;
}

static void render_options(json_object *owner, json_object *values, const char *const marks[2],
                           struct buf *out)
{
    json_object *options = get(owner, "options");
    for (size_t i = 0; i < list_length(options); i++) {
        json_object *option = list_item(options, i);
        const char *description = get_text(option, "description");
        buf_append_format(out, "\n    %s %s%s%s", marks[is_chosen(values, option)],
                          get_text(option, "label"), *description ? " - " : "", description);
    }
}

static void render_select(const struct view *view, json_object *select, json_object *values,
                          struct buf *out)
{
    static const char *const marks[2] = { "-", "*" };
    const char *placeholder = get_text(select, "placeholder");
    bool is_disabled = get_boolean(select, "disabled", false);
    buf_append_format(out, "%s %s v %s", is_disabled ? "(" : "<",
                      *placeholder ? placeholder : "choose\xe2\x80\xa6", is_disabled ? ")" : ">");
    render_options(select, values, marks, out);
    if (component_type(select) == COMPONENT_STRING_SELECT)
        return;
    json_object *chosen = values ? values : get(select, "default_values");
    for (size_t i = 0; i < list_length(chosen); i++) {
        json_object *item = list_item(chosen, i);
        int64_t id =
            strtoll(json_object_is_type(item, json_type_string) ? json_object_get_string(item)
                                                                : get_text(item, "id"),
                    NULL, 10);
        const struct person *person = world_person_by_id(view->world, id);
        const struct guild_role *role = world_role_by_id(view->world, id);
        const struct place *channel = world_channel_by_id(view->world, id);
        buf_append_format(out, "\n    * %s%s", channel ? "#" : "@",
                          person    ? person->name
                          : role    ? role->name
                          : channel ? channel->channel_name
                                    : "unknown");
    }
}

static void render_row(const struct view *view, json_object *row, struct buf *out)
{
    json_object *children = get(row, "components");
    for (size_t i = 0; i < list_length(children); i++) {
        json_object *child = list_item(children, i);
        buf_append(out, i > 0 ? STR("  ") : STR(""));
        if (component_type(child) == COMPONENT_BUTTON)
            render_button(view, child, out);
        else
            render_select(view, child, NULL, out);
    }
}

static void render_picture(json_object *owner, const char *name, struct buf *out)
{
    const char *description = get_text(owner, "description");
    buf_append_format(out, "(picture%s%s: %s)", *description ? " " : "", description,
                      get_text(get(owner, name), "url"));
}

static void render_section(const struct view *view, json_object *section, struct buf *out)
{
    json_object *texts = get(section, "components"), *accessory = get(section, "accessory");
    for (size_t i = 0; i < list_length(texts); i++) {
        buf_append(out, i > 0 ? STR("\n") : STR(""));
        render_text(view, str_from(get_text(list_item(texts, i), "content")), out);
    }
    buf_append(out, STR("   "));
    if (component_type(accessory) == COMPONENT_BUTTON)
        render_button(view, accessory, out);
    else
        render_picture(accessory, "media", out);
}

static void render_gallery(json_object *gallery, struct buf *out)
{
    json_object *items = get(gallery, "items");
    for (size_t i = 0; i < list_length(items); i++) {
        buf_append(out, i > 0 ? STR("\n") : STR(""));
        render_picture(list_item(items, i), "media", out);
    }
}

/* Any component but a container. */
static void render_leaf(const struct view *view, json_object *component, struct buf *out)
{
    switch (component_type(component)) {
    case COMPONENT_ROW:
        render_row(view, component, out);
        break;
    case COMPONENT_SECTION:
        render_section(view, component, out);
        break;
    case COMPONENT_TEXT:
        render_text(view, str_from(get_text(component, "content")), out);
        break;
    case COMPONENT_GALLERY:
        render_gallery(component, out);
        break;
    case COMPONENT_FILE:
        buf_append_format(out, "(file %s)", get_text(get(component, "file"), "url"));
        break;
    case COMPONENT_SEPARATOR:
        buf_append(out,
                   get_boolean(component, "divider", true) ? STR("----------------") : STR(""));
        break;
    default:
        buf_append_format(out, "(component %d)", component_type(component));
    }
}

static void append_lines(struct str_view text, const char *prefix, struct buf *out)
{
    struct str_view rest = text, line;
    if (text.length == 0)
        buf_append_format(out, "%s\n", prefix);
    while (str_split(&rest, '\n', &line))
        buf_append_format(out, "%s%.*s\n", prefix, STR_ARGS(line));
}

static void render_container(const struct view *view, json_object *container, struct buf *out)
{
    char bar[48] = BAR;
    json_object *children = get(container, "components");
    int64_t colour = get_integer(container, "accent_color", -1);
    if (view->is_bare)
        bar[0] = '\0';
    else if (view->has_colour && colour >= 0)
        snprintf(bar, sizeof(bar), "\033[38;2;%d;%d;%dm" BAR "\033[0m", (int)(colour >> 16 & 255),
                 (int)(colour >> 8 & 255), (int)(colour & 255));
    for (size_t i = 0; i < list_length(children); i++) {
        CLEANUP(buf_free) struct buf text = { 0 };
        render_leaf(view, list_item(children, i), &text);
        must_hold(&text);
        append_lines(buf_view(&text), bar, out);
    }
}

static void render_components(const struct view *view, json_object *list, struct buf *out)
{
    for (size_t i = 0; i < list_length(list); i++) {
        CLEANUP(buf_free) struct buf text = { 0 };
        json_object *component = list_item(list, i);
        if (component_type(component) == COMPONENT_CONTAINER) {
            render_container(view, component, out);
            continue;
        }
        render_leaf(view, component, &text);
        must_hold(&text);
        append_lines(buf_view(&text), "", out);
    }
}

static void render_embeds(const struct view *view, json_object *embeds, struct buf *out)
{
    for (size_t i = 0; i < list_length(embeds); i++) {
        CLEANUP(buf_free) struct buf text = { 0 };
        json_object *embed = list_item(embeds, i), *fields = get(embed, "fields");
        buf_append_format(&text, "%s\n", get_text(embed, "title"));
        render_text(view, str_from(get_text(embed, "description")), &text);
        for (size_t f = 0; f < list_length(fields); f++) {
            buf_append_format(&text, "\n%s: ", get_text(list_item(fields, f), "name"));
            render_text(view, str_from(get_text(list_item(fields, f), "value")), &text);
        }
        must_hold(&text);
        append_lines(buf_view(&text), view->is_bare ? "" : BAR, out);
    }
}

void render_message(const struct view *view, const struct stored_message *message, struct buf *out)
{
    render_styled(view, STYLE_AUTHOR, STR("bronxbot"), out);
    if (message->viewer_id != 0) {
        const struct person *viewer = world_person_by_id(view->world, message->viewer_id);
        CLEANUP(buf_free) struct buf note = { 0 };
        buf_append_format(&note, " (only %s can see this)", viewer ? viewer->name : "one person");
        render_styled(view, STYLE_DIM, buf_view(&note), out);
    }
    if (message->is_edited)
        render_styled(view, STYLE_DIM, STR(" (edited)"), out);
    buf_append_char(out, '\n');
    if (message->is_thinking) {
        buf_append(out, STR("is thinking\xe2\x80\xa6\n"));
        return;
    }
    const char *content = get_text(message->data, "content");
    if (*content) {
        render_text(view, str_from(content), out);
        buf_append_char(out, '\n');
    }
    render_embeds(view, get(message->data, "embeds"), out);
    render_components(view, get(message->data, "components"), out);
    must_hold(out);
}

static void render_field(const struct view *view, json_object *label, json_object *values,
                         struct buf *out)
{
    static const char *const boxes[2] = { "[ ]", "[x]" }, *const dots[2] = { "( )", "(o)" };
    json_object *field = get(label, "component");
    json_object *value = get(values, get_text(field, "custom_id"));
    bool is_required = get_boolean(field, "required", true);
    int type = component_type(field);
    render_styled(view, STYLE_BOLD, str_from(get_text(label, "label")), out);
    if (is_required && type != COMPONENT_CHECKBOX)
        buf_append(out, STR(" *"));
    if (get(label, "description"))
        buf_append_format(out, "\n  %s", get_text(label, "description"));
    if (type == COMPONENT_TEXT_INPUT) {
        const char *text = json_object_get_string(value);
        buf_append_format(out, "\n  > %s", text && *text ? text : get_text(field, "placeholder"));
    } else if (type == COMPONENT_CHECKBOX) {
        buf_append_format(out, "\n    %s", boxes[json_object_get_boolean(value)]);
    } else if (type == COMPONENT_CHECKBOX_GROUP) {
        render_options(field, value, boxes, out);
    } else if (type == COMPONENT_RADIO_GROUP) {
        render_options(field, value, dots, out);
    } else if (is_select(field)) {
        buf_append(out, STR("\n  "));
        render_select(view, field, value, out);
    } else {
        buf_append(out, STR("\n  (file upload)"));
    }
}

void render_modal(const struct view *view, const struct modal *modal, struct buf *out)
{
    json_object *list = get(modal->data, "components");
    buf_append(out, STR("=== "));
    render_styled(view, STYLE_BOLD, str_from(get_text(modal->data, "title")), out);
    buf_append(out, STR(" ===\n"));
    for (size_t i = 0; i < list_length(list); i++) {
        CLEANUP(buf_free) struct buf text = { 0 };
        json_object *item = list_item(list, i);
        if (component_type(item) == COMPONENT_LABEL)
            render_field(view, item, modal->values, &text);
        else
            render_leaf(view, item, &text);
        must_hold(&text);
        append_lines(buf_view(&text), "  ", out);
    }
    buf_append(out, STR("  [ Cancel ]  [ Submit ]\n"));
    must_hold(out);
}

void render_fields(const struct view *view, const struct modal *modal, struct buf *out)
{
    json_object *list = get(modal->data, "components");
    for (size_t i = 0; i < list_length(list); i++) {
        CLEANUP(buf_free) struct buf text = { 0 };
        if (component_type(list_item(list, i)) != COMPONENT_LABEL)
            continue;
        render_field(view, list_item(list, i), modal->values, &text);
        must_hold(&text);
        append_lines(buf_view(&text), "  ", out);
    }
    must_hold(out);
}

void render_choices(json_object *choices, struct buf *out)
{
    if (list_length(choices) == 0)
        buf_append(out, STR("(no suggestions)\n"));
    for (size_t i = 0; i < list_length(choices); i++)
        buf_append_format(out, "  > %s\n", get_text(list_item(choices, i), "name"));
    must_hold(out);
}
