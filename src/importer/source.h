/* The SQLite file that is imported: locked, so that no bot can start on it meanwhile, read only,
 * and all of it as of one moment. */
#ifndef IMPORTER_SOURCE_H
#define IMPORTER_SOURCE_H

#include "db/sqlite_file.h"
#include "importer/stream.h"

struct import_source {
    struct sqlite_file file;
    struct sqlite_connection connection;
};

/* ERR_CONFIG when it is no database of ours, or not at the newest version of the schema;
 * ERR_UNAVAILABLE when another process has it. After a failure import_source_close is still due. */
int import_source_open(struct import_source *source, struct str_view path,
                       struct err *err) MUST_CHECK;
void import_source_close(struct import_source *source);

/* What migrations leave in a new database, in memory. The same close. */
int import_source_open_new(struct import_source *source, struct err *err) MUST_CHECK;

/* Streams a table in the order of its key. `send` may be NULL. */
int import_source_stream(struct import_source *source, const struct import_table *table,
                         import_stream_send *send, void *context, struct import_digest *digest,
                         struct err *err) MUST_CHECK;

/* The one number that `sql` gives. */
int import_source_number(struct import_source *source, const char *sql, int64_t *number,
                         struct err *err) MUST_CHECK;

#endif
