/* Rows of SQLite as PostgreSQL's binary COPY has them, in pieces of a fixed size, and the digest of
 * such a stream: two tables are the same when their streams, in the order of the key, are.
 * https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4 */
#ifndef IMPORTER_STREAM_H
#define IMPORTER_STREAM_H

#include "importer/catalogue.h"

#include <sodium.h>

#define IMPORT_PIECE_BYTES  ((size_t)16 * 1024)
#define IMPORT_DIGEST_BYTES 32

struct import_digest {
    int64_t rows;
    unsigned char hash[IMPORT_DIGEST_BYTES];
};

/* Takes a piece; NULL where only the digest is wanted. */
typedef int import_stream_send(void *context, const void *bytes, size_t length, struct err *err);

struct import_stream {
    crypto_generichash_state state;
    import_stream_send *send;
    void *context;
    int64_t rows;
    size_t length; /* of what waits in `piece` */
    unsigned char piece[IMPORT_PIECE_BYTES];
};

/* The head, the rows, the end. */
int import_stream_begin(struct import_stream *stream, import_stream_send *send, void *context,
                        struct err *err) MUST_CHECK;
/* The row `statement` stands on, which has the columns of `table`. ERR_CHECK for a value that the
 * column's type can't hold. */
int import_stream_row(struct import_stream *stream, const struct import_table *table,
                      sqlite3_stmt *statement, struct err *err) MUST_CHECK;
int import_stream_end(struct import_stream *stream, struct import_digest *digest,
                      struct err *err) MUST_CHECK;

/* The same digest of a stream that somebody else has written. */
void import_digest_begin(crypto_generichash_state *state);
void import_digest_end(crypto_generichash_state *state, int64_t rows, struct import_digest *digest);
bool import_digest_equal(const struct import_digest *a, const struct import_digest *b);

#endif
