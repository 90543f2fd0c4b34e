/* The pool of connections that read. */
#ifndef DB_SQLITE_READER_H
#define DB_SQLITE_READER_H

#include "db/sqlite_connection.h"

struct sqlite_readers;

/* `path` is borrowed. Opens one connection to see that it can be read; others when needed. */
int sqlite_readers_new(struct sqlite_readers **readers, const char *path, int pool_min,
                       int pool_max, struct err *err) MUST_CHECK;

/* All connections must have been returned. NULL allowed. */
void sqlite_readers_free(struct sqlite_readers *readers);

/* A connection of the caller's own until it is returned. ERR_BUSY when all stayed taken for
 * SQLITE_READER_WAIT_SECONDS. */
int sqlite_readers_take(struct sqlite_readers *readers, struct sqlite_connection **connection,
                        struct err *err) MUST_CHECK;
/* `result`: how the last statement went; a connection whose file failed is not used again. */
void sqlite_readers_return(struct sqlite_readers *readers, struct sqlite_connection *connection,
                           int result);

#define SQLITE_READER_WAIT_SECONDS 2

#endif
