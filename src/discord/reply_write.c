/* From a checked tree to the JSON of an answer or an edit. Walks the tree without recursion: what
 * is written before a component's children, then what comes after them.
 * https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-response-object
 * Reads the reply; cut texts are made in its arena. */
#include "discord/reply_write.h"

/* https://docs.discord.com/developers/resources/message#message-object-message-flags */
#define FLAG_EPHEMERAL     (1 << 6)
#define FLAG_COMPONENTS_V2 (1 << 15)

static void begin_node(struct writer *writer, const struct node *node)
{
    struct json_out *json = &writer->json;
    if (node->is_accessory) {
        json_array_end(json); /* the section's texts */
        json_key(json, "accessory");
    } else if (node->parent->type == COMPONENT_LABEL) {
        json_key(json, "component");
    }
    json_object_begin(json);
    reply_write_part(writer, node);
    if (reply_list_key(node)) {
        json_key(json, reply_list_key(node));
        json_array_begin(json);
    }
}

static void end_node(struct writer *writer, const struct node *node)
{
    /* A section's list has been closed by its accessory, which reply_check demands. */
    if (reply_list_key(node) && node->type != COMPONENT_SECTION)
        json_array_end(&writer->json);
    json_object_end(&writer->json);
}

static void write_components(struct writer *writer)
{
    const struct node *root = &writer->reply->root;
    writer->units_left = REPLY_TEXT_MAX;
    for (const struct node *node = root; (node = reply_next_node(writer->reply, node));)
        writer->texts_left += node->type == COMPONENT_TEXT_DISPLAY;
    json_key(&writer->json, "components");
    json_array_begin(&writer->json);
    for (const struct node *node = root->first; node;) {
        begin_node(writer, node);
        if (node->first) {
            node = node->first;
            continue;
        }
        end_node(writer, node);
        while (!node->next && node->parent != root) {
            node = node->parent;
            end_node(writer, node);
        }
        node = node->next;
    }
    json_array_end(&writer->json);
}

static void write_ids(struct json_out *json, const char *key, const struct id_list *list)
{
    json_key(json, key);
    json_array_begin(json);
    for (int i = 0; i < list->count; i++)
        json_id(json, list->ids[i]);
    json_array_end(json);
}

/* Attachments of an earlier state of the message that are not in the list are removed. */
static void write_attachments(struct writer *writer)
{
    struct json_out *json = &writer->json;
    json_key(json, "attachments");
    json_array_begin(json);
    for (int i = 0; i < writer->reply->file_count; i++) {
        json_object_begin(json);
        reply_write_int(json, "id", i);
        reply_write_text(json, "filename", writer->reply->files[i].filename);
        json_object_end(json);
    }
    json_array_end(json);
}

/* The fields of a message, inside an object that is open. */
static void write_message(struct writer *writer, int flags, bool is_change)
{
    struct json_out *json = &writer->json;
    reply_write_int(json, "flags", flags | FLAG_COMPONENTS_V2);
    json_key(json, "allowed_mentions");
    json_object_begin(json);
    json_key(json, "parse");
    json_array_begin(json);
    json_array_end(json);
    write_ids(json, "users", &writer->reply->mentioned_users);
    write_ids(json, "roles", &writer->reply->mentioned_roles);
    json_object_end(json);
    if (is_change)
        write_attachments(writer);
    write_components(writer);
}

static void write_suggestions(struct json_out *json, const struct reply *reply)
{
    json_key(json, "choices");
    json_array_begin(json);
    for (int i = 0; i < reply->suggestion_count; i++) {
        const struct suggestion *suggestion = &reply->suggestions[i];
        json_object_begin(json);
        reply_write_text(json, "name", suggestion->name);
        if (suggestion->is_integer)
            reply_write_int(json, "value", suggestion->integer);
        else
            reply_write_text(json, "value", suggestion->text);
        json_object_end(json);
    }
    json_array_end(json);
}

/* `data` of an inline answer; whether there is any depends on the kind. */
static void write_data(struct writer *writer)
{
    const struct reply *reply = writer->reply;
    struct json_out *json = &writer->json;
    int ephemeral = reply->is_ephemeral ? FLAG_EPHEMERAL : 0;
    switch (reply->kind) {
    case CALLBACK_MESSAGE:
        write_message(writer, ephemeral, false);
        break;
    case CALLBACK_UPDATE_MESSAGE:
        write_message(writer, 0, true);
        break;
    case CALLBACK_DEFERRED_MESSAGE:
        reply_write_int(json, "flags", ephemeral);
        break;
    case CALLBACK_AUTOCOMPLETE:
        write_suggestions(json, reply);
        break;
    case CALLBACK_MODAL:
        reply_write_text(json, "custom_id", reply->modal_custom_id);
        reply_write_text(json, "title", reply->modal_title);
        write_components(writer);
        break;
    case CALLBACK_PONG:
    case CALLBACK_DEFERRED_UPDATE:
        break;
    }
}

/* Takes back what was appended when it failed. */
static int finish(struct buf *out, size_t start, int code, struct err *err)
{
    if (code == 0 && out->has_failed)
        code = err_set(err, ERR_MEMORY, "no memory for a reply");
    if (code < 0 && out->data) {
        out->length = start;
        out->data[start] = '\0';
    }
    return code;
}

int reply_serialize(const struct reply *reply, struct buf *out, struct err *err)
{
    int code = reply_check(reply, false, err);
    if (code < 0)
        return code;
    if (reply_has_files(reply))
        return err_set(err, ERR_DEFERRAL, "data.attachments: files can't be sent inline");
    size_t start = out->length;
    struct writer writer = { .reply = reply, .json = { .buf = out } };
    json_object_begin(&writer.json);
    reply_write_int(&writer.json, "type", reply->kind);
    if (reply->kind != CALLBACK_DEFERRED_UPDATE) {
        json_key(&writer.json, "data");
        json_object_begin(&writer.json);
        write_data(&writer);
        json_object_end(&writer.json);
    }
    json_object_end(&writer.json);
    if (!out->has_failed && out->length - start > REPLY_INLINE_MAX_BYTES)
        code = err_set(err, ERR_DEFERRAL, "data: %zu bytes, at most %d inline", out->length - start,
                       REPLY_INLINE_MAX_BYTES);
    return finish(out, start, code, err);
}

static int serialize_message(const struct reply *reply, int flags, struct buf *out, struct err *err)
{
    int code = reply_check(reply, true, err);
    if (code < 0)
        return code;
    size_t start = out->length;
    struct writer writer = { .reply = reply, .json = { .buf = out } };
    json_object_begin(&writer.json);
    write_message(&writer, flags, true);
    json_object_end(&writer.json);
    return finish(out, start, 0, err);
}

int reply_serialize_edit(const struct reply *reply, struct buf *out, struct err *err)
{
    return serialize_message(reply, 0, out, err);
}

int reply_serialize_follow_up(const struct reply *reply, struct buf *out, struct err *err)
{
    return serialize_message(reply, reply->is_ephemeral ? FLAG_EPHEMERAL : 0, out, err);
}
