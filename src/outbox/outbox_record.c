/* Sealing and opening. A sealed content is a nonce and a secretbox; inside are, each text after its
 * length: a version byte, method, message id, token, JSON, and the files. No locks: a
 * record has one owner at a time. */
#include "outbox/outbox_record.h"

#include "bronx/interaction.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static_assert(OUTBOX_KEY_BYTES == crypto_secretbox_KEYBYTES, "the key is a secretbox's");

#define CONTENT_VERSION 1
/* https://docs.discord.com/developers/resources/webhook#execute-webhook */
#define FILES_MAX       10
/* Ten files of a megabyte, their JSON, and room to spare; an interaction is far smaller. */
#define CONTENT_MAX     ((size_t)32 * 1024 * 1024)
#define SEAL_BYTES      (crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES)
/* https://docs.discord.com/developers/interactions/receiving-and-responding#followup-messages */
#define TOKEN_LIFE_MS   (15 * MS_PER_MINUTE)

static const char *const kind_words[] = {
    [OUTBOX_KIND_RUN] = "run",
    [OUTBOX_KIND_EDIT] = "edit",
    [OUTBOX_KIND_FOLLOW_UP] = "follow_up",
    [OUTBOX_KIND_CHANNEL_MESSAGE] = "channel_message",
};

const char *outbox_kind_word(enum outbox_kind kind)
{
    return kind_words[kind];
}

int64_t outbox_token_end_ms(int64_t interaction_id)
{
    return snowflake_created_ms(interaction_id) + TOKEN_LIFE_MS;
}

/* --- Plain bytes, written and read in the same order --- */

static bool add_size(size_t *total, size_t more)
{
    return __builtin_add_overflow(*total, more, total) || *total > CONTENT_MAX;
}

static bool add_text_size(size_t *total, struct str_view text)
{
    return add_size(total, sizeof(uint32_t)) || add_size(total, text.length);
}

/* Everything a plain content takes; ERR_LIMIT above what any message needs. */
static int plain_size(const struct outbox_content *content, size_t *size, struct err *err)
{
    size_t total = 1 + 1 + sizeof(int64_t) + 1; /* version, method, message id, file count */
    bool is_too_large = content->file_count < 0 || content->file_count > FILES_MAX ||
                        add_text_size(&total, content->token) ||
                        add_text_size(&total, content->json);
    for (int i = 0; !is_too_large && i < content->file_count; i++)
        is_too_large = add_text_size(&total, content->files[i].filename) ||
                       add_text_size(&total, content->files[i].bytes);
    *size = total;
    return is_too_large ? err_set(err, ERR_LIMIT, "a message with impossible sizes") : 0;
}

static char *write_bytes(char *place, const void *bytes, size_t length)
{
    if (length > 0)
        memcpy(place, bytes, length);
    return place + length;
}

static char *write_text(char *place, struct str_view text)
{
    uint32_t length = (uint32_t)text.length;
    place = write_bytes(place, &length, sizeof(length));
    return write_bytes(place, text.data, text.length);
}

static void write_plain(char *place, const struct outbox_content *content)
{
    *place++ = CONTENT_VERSION;
    *place++ = (char)content->method;
    place = write_bytes(place, &content->message_id, sizeof(content->message_id));
    *place++ = (char)content->file_count;
    place = write_text(place, content->token);
    place = write_text(place, content->json);
    for (int i = 0; i < content->file_count; i++) {
        place = write_text(place, content->files[i].filename);
        place = write_text(place, content->files[i].bytes);
    }
}

/* What is left to read; `is_short` once something was missing. */
struct reader {
    const char *place;
    size_t left;
    bool is_short;
};

static void read_bytes(struct reader *reader, void *target, size_t length)
{
    reader->is_short |= reader->left < length;
    if (reader->is_short) {
        memset(target, 0, length);
        return;
    }
    memcpy(target, reader->place, length);
    reader->place += length;
    reader->left -= length;
}

static struct str_view read_text(struct reader *reader)
{
    uint32_t length;
    read_bytes(reader, &length, sizeof(length));
    reader->is_short |= reader->left < length;
    if (reader->is_short)
        return STR_NONE;
    struct str_view text = { reader->place, length };
    reader->place += length;
    reader->left -= length;
    return text;
}

/* Views into the plain bytes; `files` has FILES_MAX places. */
static int read_plain(struct str_view plain, struct outbox_content *content,
                      struct reply_attachment *files, struct err *err)
{
    struct reader reader = { plain.data, plain.length, false };
    unsigned char head[2], file_count;
    *content = (struct outbox_content){ .files = files };
    read_bytes(&reader, head, sizeof(head));
    read_bytes(&reader, &content->message_id, sizeof(content->message_id));
    read_bytes(&reader, &file_count, 1);
    if (reader.is_short || head[0] != CONTENT_VERSION || head[1] > OUTBOX_CHANNEL_MESSAGE ||
        file_count > FILES_MAX)
        return err_set(err, ERR_INVALID, "sealed content of another version");
    content->method = (enum outbox_method)head[1];
    content->file_count = file_count;
    content->token = read_text(&reader);
    content->json = read_text(&reader);
    for (int i = 0; i < file_count; i++) {
        files[i].filename = read_text(&reader);
        files[i].bytes = read_text(&reader);
    }
    if (reader.is_short || reader.left > 0)
        return err_set(err, ERR_INVALID, "sealed content that does not end where it should");
    return 0;
}

/* --- Sealing --- */

int outbox_content_seal(const unsigned char key[OUTBOX_KEY_BYTES],
                        const struct outbox_content *content, struct buf *sealed, struct err *err)
{
    size_t size;
    int result = plain_size(content, &size, err);
    if (result != 0)
        return result;
    /* Sealed in place, so that no plain copy is left behind. */
    unsigned char *bytes = malloc(SEAL_BYTES + size);
    if (!bytes)
        return err_set(err, ERR_MEMORY, "sealing a message");
    unsigned char *box = bytes + crypto_secretbox_NONCEBYTES;
    unsigned char *plain = box + crypto_secretbox_MACBYTES;
    randombytes_buf(bytes, crypto_secretbox_NONCEBYTES);
    write_plain((char *)plain, content);
    crypto_secretbox_easy(box, plain, size, bytes, key);
    buf_append_bytes(sealed, bytes, SEAL_BYTES + size);
    free(bytes);
    return sealed->has_failed ? err_set(err, ERR_MEMORY, "sealing a message") : 0;
}

/* --- Records --- */

static struct str_view copy(char **place, struct str_view text)
{
    struct str_view copied = { *place, text.length };
    *place = write_bytes(*place, text.data, text.length);
    return copied;
}

int outbox_record_new(const struct outbox_record *row, const struct outbox_content *content,
                      struct outbox_record **out, struct err *err)
{
    size_t texts;
    int result = plain_size(content, &texts, err);
    if (result != 0)
        return result;
    /* Files before texts: they need alignment, texts do not. */
    size_t files_size = (size_t)content->file_count * sizeof(struct reply_attachment);
    size_t size = sizeof(struct outbox_record) + files_size + texts;
    struct outbox_record *record = calloc(1, size);
    if (!record)
        return err_set(err, ERR_MEMORY, "a job of the outbox");
    struct reply_attachment *files = (struct reply_attachment *)(record + 1);
    char *place = (char *)(files + content->file_count);
    *record = *row;
    record->next = NULL;
    record->size = size;
    record->content = *content;
    record->content.token = copy(&place, content->token);
    record->content.json = copy(&place, content->json);
    for (int i = 0; i < content->file_count; i++) {
        files[i].filename = copy(&place, content->files[i].filename);
        files[i].bytes = copy(&place, content->files[i].bytes);
    }
    record->content.files = files;
    *out = record;
    return 0;
}

static int open_plain(const struct outbox_record *row, const unsigned char *plain, size_t size,
                      struct outbox_record **record, struct err *err)
{
    struct reply_attachment files[FILES_MAX];
    struct outbox_content content;
    int result = read_plain((struct str_view){ (const char *)plain, size }, &content, files, err);
    return result == 0 ? outbox_record_new(row, &content, record, err) : result;
}

int outbox_record_open(const unsigned char key[OUTBOX_KEY_BYTES], const struct outbox_record *row,
                       struct str_view sealed, struct outbox_record **record, struct err *err)
{
    if (sealed.length < SEAL_BYTES || sealed.length - SEAL_BYTES > CONTENT_MAX)
        return err_set(err, ERR_INVALID, "sealed content of %zu bytes", sealed.length);
    size_t size = sealed.length - SEAL_BYTES;
    unsigned char *plain = malloc(size > 0 ? size : 1);
    if (!plain)
        return err_set(err, ERR_MEMORY, "opening a message");
    const unsigned char *nonce = (const unsigned char *)sealed.data;
    int result;
    if (crypto_secretbox_open_easy(plain, nonce + crypto_secretbox_NONCEBYTES,
                                   sealed.length - crypto_secretbox_NONCEBYTES, nonce, key) == 0)
        result = open_plain(row, plain, size, record, err);
    else
        result = err_set(err, ERR_INVALID, "sealed by another SERVER_SECRET, or damaged");
    sodium_memzero(plain, size);
    free(plain);
    return result;
}

void outbox_record_free(struct outbox_record *record)
{
    if (!record)
        return;
    sodium_memzero(record, record->size);
    free(record);
}
