/* Files of a reply: bytes that are sent beside the JSON, and the components that show them.
 * https://docs.discord.com/developers/reference#uploading-files */
#include "discord/reply_tree.h"

#include <string.h>

static bool is_filename(struct str_view name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (name.length == 0 || name.length > REPLY_FILENAME_MAX)
        return false;
    for (size_t i = 0; i < name.length; i++)
        if (!memchr(allowed, name.data[i], sizeof(allowed) - 1))
            return false;
    return true;
}

/* 0, or the code and reason why this file can't be attached. */
static int check_file(const struct reply *reply, struct str_view filename, struct str_view bytes,
                      const char **reason)
{
    *reason = "a file name needs 1-100 of A-Z, a-z, 0-9, '.', '_', '-'";
    if (!is_filename(filename))
        return ERR_INVALID;
    *reason = "two files of the same name";
    for (int i = 0; i < reply->file_count; i++)
        if (str_equal(reply->files[i].filename, filename))
            return ERR_INVALID;
    *reason = "more than 10 files";
    if (reply->file_count == REPLY_FILES_MAX)
        return ERR_LIMIT;
    *reason = "more than 10 MiB of files";
    return bytes.length > REPLY_FILE_BYTES_MAX - reply->file_bytes ? ERR_LIMIT : 0;
}

void reply_file(struct reply *reply, struct str_view filename, struct str_view bytes)
{
    struct node *node = reply_add(reply, reply->open, COMPONENT_FILE);
    if (!node)
        return;
    const char *reason;
    int code = check_file(reply, filename, bytes, &reason);
    if (code < 0) {
        reply_fault(reply, code, node, reason);
        return;
    }
    node->url = arena_format(reply->arena, "attachment://%.*s", STR_ARGS(filename));
    if (!node->url.data)
        reply_fault_memory(reply);
    reply->files[reply->file_count++] = (struct reply_attachment){
        .filename = reply_copy(reply, filename),
        .bytes = bytes.length > 0 ? reply_copy(reply, bytes) : STR(""),
    };
    reply->file_bytes += bytes.length;
}

bool reply_has_files(const struct reply *reply)
{
    return reply->file_count > 0;
}

const struct reply_attachment *reply_files(const struct reply *reply, int *count)
{
    *count = reply->file_count;
    return reply->files;
}
