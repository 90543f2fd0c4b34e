/* Copying messages. No locks: an item has one owner at a time. */
#include "outbox/outbox_item.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* https://docs.discord.com/developers/resources/webhook#execute-webhook */
#define FILES_MAX 10

static bool add_size(size_t *total, size_t more)
{
    return __builtin_add_overflow(*total, more, total);
}

int item_size(const struct outbox_message *message, size_t *size, struct err *err)
{
    size_t total = sizeof(struct item);
    bool is_too_large = message->file_count < 0 || message->file_count > FILES_MAX ||
                        add_size(&total, message->token.length) ||
                        add_size(&total, message->body.length);
    if (!is_too_large)
        is_too_large =
            add_size(&total, (size_t)message->file_count * sizeof(struct reply_attachment));
    for (int i = 0; i < message->file_count && !is_too_large; i++)
        is_too_large = add_size(&total, message->files[i].filename.length) ||
                       add_size(&total, message->files[i].bytes.length);
    *size = total;
    return is_too_large ? err_set(err, ERR_LIMIT, "a message with impossible sizes") : 0;
}

static struct str_view copy(char **place, struct str_view text)
{
    struct str_view copied = { *place, text.length };
    if (text.length > 0)
        memcpy(*place, text.data, text.length);
    *place += text.length;
    return copied;
}

struct item *item_new(const struct outbox_message *message, size_t size)
{
    struct item *item = calloc(1, size);
    if (!item)
        return NULL;
    /* Files first: they need alignment, text does not. */
    struct reply_attachment *files = (struct reply_attachment *)(item + 1);
    char *place = (char *)(files + message->file_count);
    item->message = *message;
    item->message.token = copy(&place, message->token);
    item->message.body = copy(&place, message->body);
    for (int i = 0; i < message->file_count; i++) {
        files[i].filename = copy(&place, message->files[i].filename);
        files[i].bytes = copy(&place, message->files[i].bytes);
    }
    item->message.files = files;
    item->size = size;
    return item;
}

void item_free(struct item *item)
{
    if (!item)
        return;
    sodium_memzero(item, item->size);
    free(item);
}

int item_prepare(struct item *item, const struct rest_settings *settings, struct err *err)
{
    const struct outbox_message *message = &item->message;
    struct buf path = { 0 };
    buf_append(&path, STR("/webhooks"));
    rest_append_id(&path, message->application_id);
    rest_append_segment(&path, message->token);
    if (message->method == OUTBOX_EDIT_ORIGINAL)
        buf_append(&path, STR("/messages/@original"));
    const struct rest_request request = {
        .method = message->method == OUTBOX_EDIT_ORIGINAL ? REST_PATCH : REST_POST,
        .path = buf_view(&path),
        .body = message->body,
        .files = message->files,
        .file_count = message->file_count,
    };
    int result = path.has_failed ? err_set(err, ERR_MEMORY, "a path")
                                 : rest_transfer_init(&item->transfer, settings, &request, err);
    if (path.data)
        sodium_memzero(path.data, path.capacity);
    buf_free(&path);
    return result;
}
