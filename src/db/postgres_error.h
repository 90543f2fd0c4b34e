/* What PostgreSQL's errors mean to us. */
#ifndef DB_POSTGRES_ERROR_H
#define DB_POSTGRES_ERROR_H

#include "bronx/err.h"

#include <libpq-fe.h>
#include <stdbool.h>

/* The enum err_code for a SQLSTATE of five characters; NULL: libpq itself has lost the server. */
int postgres_code_of(const char *sqlstate);

/* Sets the reason a failed result gives; it names the constraint or the piece of SQL, never a value
 * of a row. */
int postgres_result_fail(const PGresult *result, struct err *err);

/* Sets `code` with what libpq says about the connection, as one line. */
int postgres_connection_fail(const PGconn *handle, int code, struct err *err);

bool postgres_is_state(const PGresult *result, const char *sqlstate);

#endif
