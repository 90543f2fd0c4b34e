/* Values as PostgreSQL's binary formats have them. */
#ifndef DB_POSTGRES_VALUE_H
#define DB_POSTGRES_VALUE_H

#include "bronx/db.h"

#include <libpq-fe.h>

/* One statement's parameters as libpq takes them; texts are borrowed from the statement. */
struct postgres_parameters {
    int count;
    Oid types[DB_MAX_PARAMETERS]; /* 0: whatever the SQL makes of a NULL */
    const char *values[DB_MAX_PARAMETERS];
    int lengths[DB_MAX_PARAMETERS];
    int formats[DB_MAX_PARAMETERS];
    uint64_t integers[DB_MAX_PARAMETERS]; /* big-endian; `values` point here */
    uint32_t signature; /* two bits for each type: SQL is prepared once for each mixture */
};

/* `parameters` must stay where it is: it points into itself. ERR_LIMIT for a text that is too long
 * for the protocol. */
int postgres_parameters_fill(struct postgres_parameters *parameters,
                             const struct db_statement *statement, struct err *err) MUST_CHECK;

/* Appends the rows of `result`, whose format is binary. ERR_INTERNAL for a column that is no
 * integer, truth value, text or bytes; a sum (numeric) counts as an integer while it is one. */
int postgres_rows_append(struct db_rows *rows, const PGresult *result, struct err *err) MUST_CHECK;

#endif
