/* What holds for a statement whatever the engine: bounds of its parameters, and how many rows it
 * promised to touch. */
#ifndef DB_RULES_H
#define DB_RULES_H

#include "bronx/db.h"

/* ERR_INTERNAL for a statement that breaks db.h's bounds, ERR_CHECK for a text no engine may store:
 * PostgreSQL takes neither invalid UTF-8 nor zero bytes, so SQLite must not either. */
int rules_check_statement(const struct db_statement *statement, int index,
                          struct err *err) MUST_CHECK;

/* ERR_EXPECTATION when `touched` rows are not what the statement expects. */
int rules_check_touched(const struct db_statement *statement, int64_t touched,
                        struct err *err) MUST_CHECK;

/* A guess by the first word; a WITH may write all the same. */
bool rules_may_only_read(const char *sql);

#endif
