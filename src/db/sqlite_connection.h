/* One connection to the file. Used by one thread at a time; SQLite's own locks are switched off. */
#ifndef DB_SQLITE_CONNECTION_H
#define DB_SQLITE_CONNECTION_H

#include "bronx/db.h"

#include <sqlite3.h>

/* Prepared statements kept: 64 places by the address of the text, 4 texts in each. A bot has a few
 * hundred texts; one that falls out is prepared again. */
#define SQLITE_CACHE_SETS 64
#define SQLITE_CACHE_WAYS 4

struct sqlite_statement {
    const char *text; /* NULL: the place is free */
    sqlite3_stmt *handle;
    size_t length;      /* of what SQLite parsed; blanks may follow in the text */
    uint64_t last_used; /* by the connection's counter */
    int parameter_count;
    uint8_t numbers[DB_MAX_PARAMETERS]; /* [i]: the $number of SQLite's parameter i + 1 */
    bool is_readonly;
};

enum sqlite_role { SQLITE_ROLE_WRITER, SQLITE_ROLE_READER };

/* The statements only the engine itself may use: they move transactions. */
enum sqlite_control {
    SQLITE_CONTROL_BEGIN,
    SQLITE_CONTROL_COMMIT,
    SQLITE_CONTROL_ROLLBACK,
    SQLITE_CONTROL_SAVE,
    SQLITE_CONTROL_RELEASE,
    SQLITE_CONTROL_ROLLBACK_TO_SAVE,
    SQLITE_CONTROLS
};

struct sqlite_connection {
    sqlite3 *handle;
    sqlite3_stmt *controls[SQLITE_CONTROLS]; /* of a writer */
    bool is_control;                         /* for the authorizer: what runs is ours */
    bool is_script;                          /* ... or a migration */
    uint64_t uses;
    struct sqlite_statement cache[SQLITE_CACHE_SETS][SQLITE_CACHE_WAYS];
};

/* Milliseconds to wait for a lock that somebody else's program holds on the file: less than the
 * 3 seconds Discord waits for an answer. */
#define SQLITE_BUSY_MS 2000

int sqlite_connection_open(struct sqlite_connection *connection, const char *path,
                           enum sqlite_role role, struct err *err) MUST_CHECK;

/* Closed or never opened (all zero) allowed. */
void sqlite_connection_close(struct sqlite_connection *connection);

int sqlite_connection_control(struct sqlite_connection *connection, enum sqlite_control control,
                              struct err *err) MUST_CHECK;

bool sqlite_connection_is_in_transaction(const struct sqlite_connection *connection);

/* Turns the error the handle has just reported into one of ours, with SQLite's message, which
 * names the constraint or the piece of SQL. */
int sqlite_connection_fail(struct sqlite_connection *connection, struct err *err);

#endif
