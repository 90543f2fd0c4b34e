/* One long transaction on a connection of its own: statements one after another, and tables in and
 * out by COPY. For one thread, which may be away between two statements as long as it likes. */
#ifndef DB_POSTGRES_LOAD_H
#define DB_POSTGRES_LOAD_H

#include "db/postgres_connection.h"

/* Leaves pipeline mode and begins the transaction, without the time-outs of services, and alone:
 * migrations and other loads wait. Closing the connection rolls back. */
int postgres_load_begin(struct postgres_connection *connection, struct err *err) MUST_CHECK;

/* One statement. `*result` (may be NULL when rows are not wanted) is text; free with PQclear. */
int postgres_load_run(struct postgres_connection *connection, const char *sql, PGresult **result,
                      struct err *err) MUST_CHECK;

/* ERR_UNKNOWN when the connection was lost on the way: it may have happened. */
int postgres_load_commit(struct postgres_connection *connection, struct err *err) MUST_CHECK;

/* COPY ... FROM STDIN: begin, any number of puts (pieces may end anywhere), end. Memory stays that
 * of one piece: a put returns when the bytes are on their way. */
int postgres_load_copy_in(struct postgres_connection *connection, const char *sql,
                          struct err *err) MUST_CHECK;
int postgres_load_put(struct postgres_connection *connection, const void *bytes, size_t length,
                      struct err *err) MUST_CHECK;
/* `*rows` is how many the server has taken. */
int postgres_load_end(struct postgres_connection *connection, int64_t *rows,
                      struct err *err) MUST_CHECK;

/* COPY ... TO STDOUT: `take` gets the stream in pieces. */
typedef void postgres_load_take(void *context, const void *bytes, size_t length);
int postgres_load_copy_out(struct postgres_connection *connection, const char *sql,
                           postgres_load_take *take, void *context, int64_t *rows,
                           struct err *err) MUST_CHECK;

#endif
