/* Running statements on one connection. */
#ifndef DB_SQLITE_STATEMENT_H
#define DB_SQLITE_STATEMENT_H

#include "db/sqlite_connection.h"

/* Prepares `sql`, or finds it prepared. Valid until the next call with this connection.
 * ERR_INTERNAL for wrong SQL, several statements in one text and parameters that aren't $1 ... $n.
 */
int sqlite_statement_find(struct sqlite_connection *connection, const char *sql,
                          struct sqlite_statement **found, struct err *err) MUST_CHECK;

/* Runs a whole statement and checks its expectation; err->index becomes `index` on failure. With
 * `rows` not NULL, *rows is a new result when the statement has columns. */
int sqlite_statement_run(struct sqlite_connection *connection, const struct db_statement *statement,
                         int index, struct db_rows **rows, struct err *err) MUST_CHECK;

/* Runs all statements of a migration. Errors say the line. */
int sqlite_script_run(struct sqlite_connection *connection, const char *script,
                      struct err *err) MUST_CHECK;

#endif
