/* The PostgreSQL database that is filled: one transaction on a connection of its own, which ends in
 * a commit or leaves everything as it was. */
#ifndef IMPORTER_DESTINATION_H
#define IMPORTER_DESTINATION_H

#include "db/postgres_load.h"
#include "importer/source.h"

struct import_destination {
    struct postgres_connection *connection;
};

/* Connects and begins. ERR_UNAVAILABLE; ERR_BUSY when another process migrates or imports. */
int import_destination_open(struct import_destination *destination,
                            const struct postgres_target *target, struct err *err) MUST_CHECK;
void import_destination_close(struct import_destination *destination); /* never opened allowed */

/* Compares its tables with the catalogue and fills in the types. ERR_CONFIG when one side has a
 * table or column that the other has not. */
int import_destination_match(struct import_destination *destination,
                             struct import_catalogue *catalogue, struct err *err) MUST_CHECK;

/* Nobody else writes from now on. Waits for a transaction that still does. */
int import_destination_lock(struct import_destination *destination,
                            const struct import_catalogue *catalogue, struct err *err) MUST_CHECK;

int import_destination_clear(struct import_destination *destination,
                             const struct import_table *table, struct err *err) MUST_CHECK;

/* Fills a table with what `source` streams of it. */
int import_destination_fill(struct import_destination *destination,
                            const struct import_table *table, struct import_source *source,
                            struct import_digest *digest, struct err *err) MUST_CHECK;

/* Of the rows in the order of their key; at most `limit`, 0: all. */
int import_destination_digest(struct import_destination *destination,
                              const struct import_table *table, int64_t limit,
                              struct import_digest *digest, struct err *err) MUST_CHECK;

/* What counts up by itself goes on after the highest number that was imported. */
int import_destination_advance(struct import_destination *destination, struct err *err) MUST_CHECK;

/* The one number that `sql` gives. */
int import_destination_number(struct import_destination *destination, const char *sql,
                              int64_t *number, struct err *err) MUST_CHECK;

/* ERR_UNKNOWN when the connection was lost on the way. */
int import_destination_commit(struct import_destination *destination, struct err *err) MUST_CHECK;

#endif
