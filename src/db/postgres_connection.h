/* One connection to PostgreSQL. Used by one thread at a time. */
#ifndef DB_POSTGRES_CONNECTION_H
#define DB_POSTGRES_CONNECTION_H

#include "bronx/db.h"

#include <libpq-fe.h>

/* Prepared statements kept: 128 places by the address of the text, 4 in each. */
#define POSTGRES_CACHE_SETS             128
#define POSTGRES_CACHE_WAYS             4

/* The server's limits for us, set when a connection is opened unless DATABASE_URL's own `options`
 * say otherwise. A lock is waited for shorter than the 3 seconds Discord waits for an answer. */
#define POSTGRES_STATEMENT_MS           5000
#define POSTGRES_LOCK_MS                2000
#define POSTGRES_IDLE_IN_TRANSACTION_MS 10000

/* And ours: a server that says nothing for so long has gone away. Above its own limits, so that it
 * speaks first while it lives. */
#define POSTGRES_SILENCE_MS             8000
/* A migration may take its time. */
#define POSTGRES_SCRIPT_MS              (30 * 60 * 1000)
/* libpq's connect_timeout for each host; it takes whole seconds, two at least. */
#define POSTGRES_CONNECT_SECONDS        3

struct postgres_prepared {
    const char *text;   /* its address; NULL: the place is free */
    char *copy;         /* what was at the address; owned */
    uint32_t signature; /* of the parameters' types */
    int expect;         /* the enum db_expectation built into the server's text, else 0 */
    uint32_t number;    /* its name on the server */
    uint64_t batch;     /* the latest one that used it */
};

struct postgres_connection {
    PGconn *handle;
    char name[17];         /* random: no other connection's prepared statements are called so */
    uint32_t numbers;      /* of prepared statements so far */
    uint64_t batches;      /* run so far */
    bool is_behind_pooler; /* another server process may serve each transaction */
    bool is_broken;        /* its state is unknown: it must not be used again */
    struct postgres_prepared cache[POSTGRES_CACHE_SETS][POSTGRES_CACHE_WAYS];
};

/* The connection string, read once; opening needs no more of it. */
struct postgres_target;

/* ERR_CONFIG for a URL libpq can't read; the reason never quotes it. */
int postgres_target_new(struct postgres_target **target, const char *url,
                        struct err *err) MUST_CHECK;
void postgres_target_free(struct postgres_target *target); /* NULL allowed */

/* Blocks up to POSTGRES_CONNECT_SECONDS for each host. ERR_UNAVAILABLE; ERR_CONFIG for a database
 * that can't keep our data. */
int postgres_connection_open(struct postgres_connection **connection,
                             const struct postgres_target *target, struct err *err) MUST_CHECK;
void postgres_connection_close(struct postgres_connection *connection); /* NULL allowed */

/* False when the server has closed the connection while nobody used it. Costs a system call; a
 * round trip when the server has sent anything meanwhile. */
bool postgres_connection_is_alive(struct postgres_connection *connection);

/* One round trip without SQL. */
int postgres_connection_ping(struct postgres_connection *connection, struct err *err) MUST_CHECK;

/* The next result, NULL at the end of one statement's; free with PQclear. Sends what is still to be
 * sent. ERR_UNAVAILABLE, and the connection is broken, when the server says nothing for
 * `silence_ms`; a connection that is lost otherwise shows by a failed result without SQLSTATE. */
int postgres_connection_read(struct postgres_connection *connection, int silence_ms,
                             PGresult **result, struct err *err) MUST_CHECK;

/* Sends all that libpq holds. ERR_UNAVAILABLE as above, and for a connection that is lost. */
int postgres_connection_flush(struct postgres_connection *connection, int silence_ms,
                              struct err *err) MUST_CHECK;
/* Waits for something from the server and takes it in. */
int postgres_connection_hear(struct postgres_connection *connection, int silence_ms,
                             struct err *err) MUST_CHECK;

void cleanup_pgresult(PGresult **result);

#endif
