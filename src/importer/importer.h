/* `bronxbot migrate --from sqlite:PATH --to postgresql://...`: a living bot grows. All rows of its
 * file go into an empty PostgreSQL database, in one transaction, and are compared before the
 * commit. What cut it short left the new database as it was, and never touched the old one. */
#ifndef IMPORTER_IMPORTER_H
#define IMPORTER_IMPORTER_H

#include "bronx/clock.h"
#include "bronx/err.h"

#include <stdio.h>

struct import_options {
    const char *from, *to; /* URLs; they may hold a password and are never printed */
};

/* ERR_INVALID for arguments that are not understood. */
int import_options_parse(int argument_count, char **arguments,
                         struct import_options *options) MUST_CHECK;

/* A line for each table goes to `progress`. ERR_CONFIG: nothing was begun, and the reason says what
 * to correct. ERR_UNAVAILABLE and the rest: nothing was imported. ERR_UNKNOWN: the connection was
 * lost at the commit, and the server has not come back to say what became of it. */
int import_run(const struct import_options *options, const struct clock *clock, FILE *progress,
               struct err *err) MUST_CHECK;

#endif
