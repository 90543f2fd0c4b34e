#include "importer/stream.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <string.h>

static_assert(IMPORT_DIGEST_BYTES == crypto_generichash_BYTES, "a digest is libsodium's usual one");

/* The signature, no flags, no extension. */
static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
#define HEAD_BYTES  19
#define LENGTH_NULL (-1)
#define END_OF_ROWS (-1)

static_assert(sizeof(head) == HEAD_BYTES + 1, "eleven bytes and two numbers");

static int send_piece(struct import_stream *stream, struct err *err)
{
    if (stream->length == 0)
        return 0;
    crypto_generichash_update(&stream->state, stream->piece, stream->length);
    int result =
        stream->send ? stream->send(stream->context, stream->piece, stream->length, err) : 0;
    stream->length = 0;
    return result;
}

static int put(struct import_stream *stream, const void *data, size_t length, struct err *err)
{
    const unsigned char *bytes = data;
    while (length > 0) {
        size_t room = IMPORT_PIECE_BYTES - stream->length;
        size_t part = length < room ? length : room;
        memcpy(stream->piece + stream->length, bytes, part);
        stream->length += part;
        bytes += part;
        length -= part;
        int result = stream->length == IMPORT_PIECE_BYTES ? send_piece(stream, err) : 0;
        if (result != 0)
            return result;
    }
    return 0;
}

static int put_16(struct import_stream *stream, int number, struct err *err)
{
    uint16_t bytes = htons((uint16_t)number);
    return put(stream, &bytes, sizeof(bytes), err);
}

static int put_32(struct import_stream *stream, int32_t number, struct err *err)
{
    uint32_t bytes = htonl((uint32_t)number);
    return put(stream, &bytes, sizeof(bytes), err);
}

static int put_integer(struct import_stream *stream, const struct import_column *column,
                       int64_t number, struct err *err)
{
    uint64_t bytes = htobe64((uint64_t)number);
    if (column->type == IMPORT_INT4) {
        if (number < INT32_MIN || number > INT32_MAX)
            return err_set(err, ERR_CHECK, "column %s: a number out of range", column->name);
        int result = put_32(stream, sizeof(int32_t), err);
        return result == 0 ? put_32(stream, (int32_t)number, err) : result;
    }
    int result = put_32(stream, sizeof(bytes), err);
    return result == 0 ? put(stream, &bytes, sizeof(bytes), err) : result;
}

static int put_bytes(struct import_stream *stream, const void *bytes, int length, struct err *err)
{
    /* An empty value has no bytes; any other only when there is no memory. */
    if (!bytes && length > 0)
        return err_set(err, ERR_MEMORY, "a value of the source");
    int result = put_32(stream, length, err);
    return result == 0 && length > 0 ? put(stream, bytes, (size_t)length, err) : result;
}

static bool is_held_by(int storage, enum import_type type)
{
    switch (type) {
    case IMPORT_INT4:
    case IMPORT_INT8:
        return storage == SQLITE_INTEGER;
    case IMPORT_TEXT:
        return storage == SQLITE_TEXT;
    case IMPORT_BYTES:
        return storage == SQLITE_BLOB;
    case IMPORT_UNKNOWN:
        break;
    }
    return false;
}

static int put_value(struct import_stream *stream, const struct import_column *column,
                     sqlite3_stmt *statement, int position, struct err *err)
{
    int storage = sqlite3_column_type(statement, position);
    if (storage == SQLITE_NULL)
        return put_32(stream, LENGTH_NULL, err);
    if (!is_held_by(storage, column->type))
        return err_set(err, ERR_CHECK, "column %s: a value of another type", column->name);
    if (storage == SQLITE_INTEGER)
        return put_integer(stream, column, sqlite3_column_int64(statement, position), err);
    const void *bytes = storage == SQLITE_TEXT
                            ? (const void *)sqlite3_column_text(statement, position)
                            : sqlite3_column_blob(statement, position);
    return put_bytes(stream, bytes, sqlite3_column_bytes(statement, position), err);
}

int import_stream_begin(struct import_stream *stream, import_stream_send *send, void *context,
                        struct err *err)
{
    stream->send = send;
    stream->context = context;
    stream->rows = 0;
    stream->length = 0;
    import_digest_begin(&stream->state);
    return put(stream, head, HEAD_BYTES, err);
}

int import_stream_row(struct import_stream *stream, const struct import_table *table,
                      sqlite3_stmt *statement, struct err *err)
{
    int result = put_16(stream, table->column_count, err);
    for (int i = 0; i < table->column_count && result == 0; i++)
        result = put_value(stream, &table->columns[i], statement, i, err);
    stream->rows++;
    return result;
}

int import_stream_end(struct import_stream *stream, struct import_digest *digest, struct err *err)
{
    int result = put_16(stream, END_OF_ROWS, err);
    if (result == 0)
        result = send_piece(stream, err);
    import_digest_end(&stream->state, stream->rows, digest);
    return result;
}

void import_digest_begin(crypto_generichash_state *state)
{
    crypto_generichash_init(state, NULL, 0, IMPORT_DIGEST_BYTES);
}

void import_digest_end(crypto_generichash_state *state, int64_t rows, struct import_digest *digest)
{
    digest->rows = rows;
    crypto_generichash_final(state, digest->hash, IMPORT_DIGEST_BYTES);
}

bool import_digest_equal(const struct import_digest *a, const struct import_digest *b)
{
    return a->rows == b->rows && memcmp(a->hash, b->hash, IMPORT_DIGEST_BYTES) == 0;
}
