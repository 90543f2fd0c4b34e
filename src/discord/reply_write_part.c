/* The JSON fields of each component, one function for each and a table of them.
 * https://docs.discord.com/developers/components/reference
 * Reads the reply; cut texts are made in its arena. */
#include "discord/reply_write.h"

void reply_write_text(struct json_out *json, const char *key, struct str_view text)
{
    json_key(json, key);
    json_text(json, text);
}

static void write_optional_text(struct json_out *json, const char *key, struct str_view text)
{
    if (text.length > 0)
        reply_write_text(json, key, text);
}

void reply_write_int(struct json_out *json, const char *key, int64_t value)
{
    json_key(json, key);
    json_int(json, value);
}

static void write_flag(struct json_out *json, const char *key, bool value)
{
    json_key(json, key);
    json_bool(json, value);
}

/* A text display gets what the earlier ones left, less one character for each later one: with 40
 * components at most, that is never nothing. */
static void write_text_display(struct writer *writer, const struct node *node)
{
    size_t later = --writer->texts_left;
    struct str_view text =
        reply_cut_in(writer->reply->arena, node->text, writer->units_left - later);
    if (!text.data)
        writer->json.buf->has_failed = true;
    writer->units_left -= utf8_units(text);
    reply_write_text(&writer->json, "content", text);
}

static void write_button(struct writer *writer, const struct node *node)
{
    struct json_out *json = &writer->json;
    reply_write_int(json, "style", node->style);
    write_optional_text(json, "label", node->text);
    if (node->has_emoji) {
        json_key(json, "emoji");
        json_object_begin(json);
        reply_write_text(json, "name", node->value);
        json_object_end(json);
    }
    write_optional_text(json, "custom_id", node->custom_id);
    write_optional_text(json, "url", node->url);
    if (node->is_disabled)
        write_flag(json, "disabled", true);
}

static void write_options(struct json_out *json, const struct node *node)
{
    json_key(json, "options");
    json_array_begin(json);
    for (int i = 0; i < node->option_count; i++) {
        const struct reply_select_option *option = &node->options[i];
        json_object_begin(json);
        reply_write_text(json, "label", option->label);
        reply_write_text(json, "value", option->value);
        write_optional_text(json, "description", option->description);
        if (option->is_default)
            write_flag(json, "default", true);
        json_object_end(json);
    }
    json_array_end(json);
}

/* What a label's component must be given. A required one says min_values only when it is not 0,
 * which Discord refuses there; the default is 1. */
static void write_requirement(struct json_out *json, const struct node *node)
{
    bool is_in_modal = node->parent->type == COMPONENT_LABEL;
    if (is_in_modal)
        write_flag(json, "required", !node->is_optional);
    if (!is_in_modal || node->is_optional || node->min > 0)
        reply_write_int(json, "min_values", node->min);
    if (node->max > 0)
        reply_write_int(json, "max_values", node->max);
}

static const char *default_type(int type)
{
    return type == COMPONENT_USER_SELECT   ? "user"
           : type == COMPONENT_ROLE_SELECT ? "role"
                                           : "channel";
}

static void write_select(struct writer *writer, const struct node *node)
{
    struct json_out *json = &writer->json;
    reply_write_text(json, "custom_id", node->custom_id);
    write_optional_text(json, "placeholder", node->description);
    write_requirement(json, node);
    if (node->is_disabled)
        write_flag(json, "disabled", true);
    if (node->option_count > 0)
        write_options(json, node);
    if (node->default_id_count > 0) {
        json_key(json, "default_values");
        json_array_begin(json);
        for (int i = 0; i < node->default_id_count; i++) {
            json_object_begin(json);
            json_key(json, "id");
            json_id(json, node->default_ids[i]);
            reply_write_text(json, "type", str_from(default_type(node->type)));
            json_object_end(json);
        }
        json_array_end(json);
    }
    if (node->channel_type_count > 0) {
        json_key(json, "channel_types");
        json_array_begin(json);
        for (int i = 0; i < node->channel_type_count; i++)
            json_int(json, node->channel_types[i]);
        json_array_end(json);
    }
}

static void write_text_input(struct writer *writer, const struct node *node)
{
    struct json_out *json = &writer->json;
    reply_write_text(json, "custom_id", node->custom_id);
    reply_write_int(json, "style", node->style);
    reply_write_int(json, "min_length", node->min);
    reply_write_int(json, "max_length", node->max);
    write_flag(json, "required", !node->is_optional);
    write_optional_text(json, "value", node->value);
    write_optional_text(json, "placeholder", node->description);
}

static void write_radio_group(struct writer *writer, const struct node *node)
{
    reply_write_text(&writer->json, "custom_id", node->custom_id);
    write_flag(&writer->json, "required", !node->is_optional);
    write_options(&writer->json, node);
}

static void write_checkbox_group(struct writer *writer, const struct node *node)
{
    reply_write_text(&writer->json, "custom_id", node->custom_id);
    write_requirement(&writer->json, node);
    write_options(&writer->json, node);
}

static void write_checkbox(struct writer *writer, const struct node *node)
{
    reply_write_text(&writer->json, "custom_id", node->custom_id);
    if (node->is_on)
        write_flag(&writer->json, "default", true);
}

static void write_file_upload(struct writer *writer, const struct node *node)
{
    reply_write_text(&writer->json, "custom_id", node->custom_id);
    write_requirement(&writer->json, node);
}

static void write_url(struct json_out *json, const char *key, struct str_view url)
{
    json_key(json, key);
    json_object_begin(json);
    reply_write_text(json, "url", url);
    json_object_end(json);
}

static void write_media(struct writer *writer, const struct node *node)
{
    write_url(&writer->json, "media", node->url);
    write_optional_text(&writer->json, "description", node->description);
}

static void write_file(struct writer *writer, const struct node *node)
{
    write_url(&writer->json, "file", node->url);
}

static void write_separator(struct writer *writer, const struct node *node)
{
    write_flag(&writer->json, "divider", node->is_on);
}

static void write_container(struct writer *writer, const struct node *node)
{
    if (node->style >= 0)
        reply_write_int(&writer->json, "accent_color", node->style);
}

static void write_label(struct writer *writer, const struct node *node)
{
    reply_write_text(&writer->json, "label", node->text);
    write_optional_text(&writer->json, "description", node->description);
}

/* How a component's own fields are written, and the list its children go into. */
static const struct {
    void (*write)(struct writer *writer, const struct node *node);
    const char *children;
} forms[] = {
    [NODE_PICTURE] = { write_media },
    [COMPONENT_ACTION_ROW] = { NULL, "components" },
    [COMPONENT_BUTTON] = { write_button },
    [COMPONENT_STRING_SELECT] = { write_select },
    [COMPONENT_TEXT_INPUT] = { write_text_input },
    [COMPONENT_USER_SELECT] = { write_select },
    [COMPONENT_ROLE_SELECT] = { write_select },
    [COMPONENT_MENTIONABLE_SELECT] = { write_select },
    [COMPONENT_CHANNEL_SELECT] = { write_select },
    [COMPONENT_SECTION] = { NULL, "components" },
    [COMPONENT_TEXT_DISPLAY] = { write_text_display },
    [COMPONENT_THUMBNAIL] = { write_media },
    [COMPONENT_MEDIA_GALLERY] = { NULL, "items" },
    [COMPONENT_FILE] = { write_file },
    [COMPONENT_SEPARATOR] = { write_separator },
    [COMPONENT_CONTAINER] = { write_container, "components" },
    [COMPONENT_LABEL] = { write_label },
    [COMPONENT_FILE_UPLOAD] = { write_file_upload },
    [COMPONENT_RADIO_GROUP] = { write_radio_group },
    [COMPONENT_CHECKBOX_GROUP] = { write_checkbox_group },
    [COMPONENT_CHECKBOX] = { write_checkbox },
};

void reply_write_part(struct writer *writer, const struct node *node)
{
    if (node->type != NODE_PICTURE)
        reply_write_int(&writer->json, "type", node->type);
    if (forms[node->type].write)
        forms[node->type].write(writer, node);
}

const char *reply_list_key(const struct node *node)
{
    return forms[node->type].children;
}
