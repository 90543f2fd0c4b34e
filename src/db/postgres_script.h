/* Migrations on PostgreSQL. */
#ifndef DB_POSTGRES_SCRIPT_H
#define DB_POSTGRES_SCRIPT_H

#include "db/postgres_connection.h"

/* Held until its transaction ends by whoever changes the schema or fills it. The lock's number is
 * ours for ever: "bronxbot" in ASCII. */
#define POSTGRES_LOCK_SCHEMA "SELECT pg_advisory_xact_lock(7093854883318755188)"

/* As one transaction: takes the lock of the schema, runs `record`, then all statements of
 * `script`. Whoever comes second with the same record gets ERR_DUPLICATE before anything of the
 * script was run. Errors say the line where the server does. */
int postgres_script_run(struct postgres_connection *connection, const char *script,
                        const struct db_statement *record, struct err *err) MUST_CHECK;

#endif
