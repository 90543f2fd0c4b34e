/* Migrations on PostgreSQL. */
#ifndef DB_POSTGRES_SCRIPT_H
#define DB_POSTGRES_SCRIPT_H

#include "db/postgres_connection.h"

/* As one transaction: takes the lock of the schema, runs `record`, then all statements of
 * `script`. Whoever comes second with the same record gets ERR_DUPLICATE before anything of the
 * script was run. Errors say the line where the server does. */
int postgres_script_run(struct postgres_connection *connection, const char *script,
                        const struct db_statement *record, struct err *err) MUST_CHECK;

#endif
