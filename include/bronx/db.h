/* The database as services see it: one SQL, two engines.
 *
 * SQL is the common subset of SQLite and PostgreSQL: `$1` parameters, ON CONFLICT, RETURNING,
 * BIGINT ids made by us, epoch milliseconds, named CHECK constraints. SQL texts must be string
 * literals or live as long as the database: engines remember prepared statements by their text's
 * address.
 *
 * Threads: every function may be called from any thread except an HTTP event thread, for it blocks
 * until the rows are read or the commit is on disk. */
#ifndef BRONX_DB_H
#define BRONX_DB_H

#include "bronx/err.h"
#include "bronx/text.h"

struct db;
struct db_rows;

enum db_type { DB_TYPE_NULL, DB_TYPE_INT, DB_TYPE_TEXT, DB_TYPE_BLOB };

struct db_value {
    enum db_type type;
    int64_t integer;
    struct str_view bytes; /* text or blob; borrowed until the call returns */
};

#define DB_INT(value)     ((struct db_value){ .type = DB_TYPE_INT, .integer = (value) })
#define DB_TEXT(value)    ((struct db_value){ .type = DB_TYPE_TEXT, .bytes = (value) })
#define DB_BLOB(value)    ((struct db_value){ .type = DB_TYPE_BLOB, .bytes = (value) })
#define DB_NULL           ((struct db_value){ .type = DB_TYPE_NULL })
/* A snowflake where 0 means "none". */
#define DB_ID(value)      ((value) != 0 ? DB_INT(value) : DB_NULL)

#define DB_MAX_PARAMETERS 16
#define DB_MAX_STATEMENTS 128 /* in one db_atomic */
#define DB_MAX_ROWS       100000
#define DB_MAX_ROW_BYTES  ((size_t)32 * 1024 * 1024) /* of one result */

/* How many rows a statement must touch (write) or return (RETURNING, SELECT). */
enum db_expectation { DB_ANY_ROWS, DB_ONE_ROW, DB_SOME_ROWS, DB_NO_ROWS };

struct db_statement {
    const char *sql;
    struct db_value parameters[DB_MAX_PARAMETERS];
    int parameter_count;
    enum db_expectation expect;
};

/* One statement. `*rows` (may be NULL when rows are not wanted) is owned by the caller; free with
 * db_rows_free. A statement that writes is committed on return.
 * Errors: ERR_DUPLICATE, ERR_CHECK, ERR_EXPECTATION, ERR_BUSY, ERR_UNAVAILABLE, ERR_LIMIT,
 * ERR_MEMORY, ERR_STOPPED, ERR_INTERNAL (the SQL itself is wrong), ERR_UNKNOWN.
 *
 * ERR_UNKNOWN (PostgreSQL only): the connection was lost when COMMIT had been sent and not
 * answered. The statements may have been committed, may be in a moment, or never. Every other error
 * means that nothing has happened. db_settle finds out. */
int db_query(struct db *db, const struct db_statement *statement, struct db_rows **rows,
             struct err *err) MUST_CHECK;

/* Up to DB_MAX_STATEMENTS statements that all succeed or none does; durable on return. `results`
 * may be NULL, or `count` places, each then owned by the caller (all NULL after a failure). A
 * failed statement's position is in err->index. Errors as for db_query. */
int db_atomic(struct db *db, const struct db_statement *statements, int count,
              struct db_rows **results, struct err *err) MUST_CHECK;

/* db_atomic for statements that may be run again: because repeating them is harmless, or because
 * the first is an INSERT that a unique key refuses the second time, which waits for the first run's
 * end and so, unlike a question, is never too early. Runs them until the outcome is known. What
 * they return is not wanted. `*was_unknown` (may be NULL): an earlier run's outcome was not known,
 * so an ERR_DUPLICATE may be of our own making.
 *
 * ERR_UNKNOWN is left only when the database has not come back meanwhile; the same statements, once
 * more and later, tell. */
int db_settle(struct db *db, const struct db_statement *statements, int count, bool *was_unknown,
              struct err *err) MUST_CHECK;

int db_rows_count(const struct db_rows *rows); /* 0 for NULL */
int db_rows_columns(const struct db_rows *rows);
/* How many rows a statement of DB_ANY_ROWS has written or returned; 0 for NULL. To learn it so is
 * cheaper than by RETURNING. */
int64_t db_rows_touched(const struct db_rows *rows);
bool db_rows_is_null(const struct db_rows *rows, int row, int column);

/* Values; a NULL in the database reads as 0 / STR_NONE. Text is borrowed until db_rows_free. */
int64_t db_rows_int(const struct db_rows *rows, int row, int column);
struct str_view db_rows_text(const struct db_rows *rows, int row, int column);

void db_rows_free(struct db_rows *rows); /* NULL allowed */
void cleanup_db_rows(struct db_rows **rows);

#endif
