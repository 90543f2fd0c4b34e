/* The elastic pool of connections to one PostgreSQL. */
#ifndef DB_POSTGRES_POOL_H
#define DB_POSTGRES_POOL_H

#include "core/log_sink.h"
#include "core/metrics.h"
#include "db/postgres_connection.h"

/* How long a caller waits for a connection: shorter than the 3 seconds Discord waits. */
#define POSTGRES_WAIT_MS 2000

struct postgres_pool;

struct postgres_pool_settings {
    const char *url;         /* read at once */
    int pool_min, pool_max;  /* connections kept / at most */
    struct metrics *metrics; /* may be NULL */
    struct log_sink *log;    /* may be NULL */
};

/* Opens the first connection, so that a wrong setting shows at once, and starts the thread that
 * opens the others. ERR_CONFIG, ERR_UNAVAILABLE, ERR_MEMORY, ERR_IO. */
int postgres_pool_new(struct postgres_pool **pool, const struct postgres_pool_settings *settings,
                      struct err *err) MUST_CHECK;

/* All connections must have been returned. NULL allowed. */
void postgres_pool_free(struct postgres_pool *pool);

/* What it connects to; lives as long as the pool. */
const struct postgres_target *postgres_pool_target(const struct postgres_pool *pool);

/* A connection of the caller's own until it is returned. ERR_BUSY when all stayed taken for
 * POSTGRES_WAIT_MS; ERR_UNAVAILABLE when the server can't be reached: after as long, at once when
 * it has been away for longer already. */
int postgres_pool_take(struct postgres_pool *pool, struct postgres_connection **connection,
                       struct err *err) MUST_CHECK;
/* One that is broken is closed. */
void postgres_pool_return(struct postgres_pool *pool, struct postgres_connection *connection);

#endif
