/* A batch while it runs: what postgres_batch.c sends and postgres_answer.c reads. */
#ifndef DB_POSTGRES_BATCH_INTERNAL_H
#define DB_POSTGRES_BATCH_INTERNAL_H

#include "db/postgres_batch.h"
#include "db/postgres_statement.h"

/* BEGIN, for each statement the old name, the new name and itself, COMMIT, Sync. */
#define ITEMS_MAX (3 * DB_MAX_STATEMENTS + 3)

enum item_kind { ITEM_CONTROL, ITEM_PREPARE, ITEM_STATEMENT, ITEM_COMMIT, ITEM_SYNC };

struct item {
    enum item_kind kind;
    int index;                       /* of the statement */
    bool is_guarded;                 /* ... whose one row is the guard's */
    struct postgres_prepared *place; /* ITEM_PREPARE: NULL once it succeeded */
};

struct batch {
    struct postgres_connection *connection;
    PGconn *handle;
    const struct postgres_work *work;
    struct err *err;
    struct item items[ITEMS_MAX];
    int queued, read;
    enum postgres_kind kinds[DB_MAX_STATEMENTS];
    bool is_lone_read;
    bool is_judged_here; /* COMMIT waits for the answers */
    bool has_sent_commit, is_committed, is_lost;
    int result;
    enum postgres_again again;
};

/* Keeps the first failure; returns `result`. */
int batch_fail(struct batch *batch, int result);

/* The connection is of no use any more; what became of the transaction depends on when. `again`
 * holds when COMMIT was not sent. */
void batch_lose(struct batch *batch, enum postgres_again again);

/* Reads the results of all items that are queued. */
void batch_read(struct batch *batch);

#endif
