/* Statements that go to the server together. */
#ifndef DB_POSTGRES_BATCH_H
#define DB_POSTGRES_BATCH_H

#include "db/postgres_connection.h"

struct postgres_work {
    const struct db_statement *statements;
    int count;
    struct db_rows **results; /* NULL, or `count` places */
};

/* What a failure allows. */
enum postgres_again {
    POSTGRES_FINAL,    /* the error is the answer */
    POSTGRES_CONFLICT, /* other transactions were in the way; nothing happened: after a pause */
    POSTGRES_ANEW      /* the connection was at fault and nothing happened: at once */
};

struct postgres_outcome {
    enum postgres_again again;
    bool has_committed; /* false for a read */
};

/* Runs `work` as one transaction; a lone read without one. ERR_UNKNOWN when the connection was lost
 * between COMMIT and its answer. */
int postgres_batch_run(struct postgres_connection *connection, const struct postgres_work *work,
                       struct postgres_outcome *outcome, struct err *err) MUST_CHECK;

#endif
