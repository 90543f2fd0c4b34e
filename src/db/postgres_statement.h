/* SQL texts on their way to the server: which are accepted, what is asked of the server beside
 * them, and which it knows already. */
#ifndef DB_POSTGRES_STATEMENT_H
#define DB_POSTGRES_STATEMENT_H

#include "db/postgres_connection.h"
#include "db/postgres_value.h"

enum postgres_kind {
    POSTGRES_REFUSED, /* moves transactions or changes the session: the engine's alone */
    POSTGRES_READ,    /* changes nothing, may be repeated */
    POSTGRES_WRITE,   /* INSERT, UPDATE or DELETE that returns no rows */
    POSTGRES_OTHER    /* may change something and return rows */
};

enum postgres_kind postgres_statement_kind(const char *sql);

/* Whether the server can check the statement's expectation itself: postgres_statement.c tells how.
 */
bool postgres_statement_is_guarded(const struct db_statement *statement, enum postgres_kind kind);

/* Appends the text for the server. `expect` is 0 for a statement that isn't guarded. */
void postgres_statement_append(struct buf *text, const char *sql, enum db_expectation expect);

/* Whether a failed result is a guard's; `*touched` becomes the number of rows. */
bool postgres_statement_has_guard_failed(const PGresult *result, int64_t *touched);

#define POSTGRES_NAME_SIZE 32
void postgres_statement_name(const struct postgres_connection *connection, uint32_t number,
                             char name[POSTGRES_NAME_SIZE]);

/* The place of `sql` with parameters of these types. With *is_new the text has to be prepared under
 * its name, after *replaced (0: none) was deallocated. NULL when it must go without a name: no
 * memory, or all places are needed by the batch itself. */
struct postgres_prepared *postgres_statement_find(struct postgres_connection *connection,
                                                  const char *sql, uint32_t signature,
                                                  enum db_expectation expect, bool *is_new,
                                                  uint32_t *replaced);
void postgres_statement_forget(struct postgres_prepared *place);

#endif
