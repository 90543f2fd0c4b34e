/* The database file and the lock that keeps a second process away from it. */
#ifndef DB_SQLITE_FILE_H
#define DB_SQLITE_FILE_H

#include "bronx/err.h"
#include "bronx/text.h"

#include <limits.h>

struct sqlite_file {
    char path[PATH_MAX]; /* absolute, no symbolic links: one name for one file */
    int lock_fd;         /* on "<path>.lock"; -1 when not locked */
};

/* Resolves `path`, takes the lock and creates the file, readable by its owner only, when there is
 * none. ERR_CONFIG for a path that can't be one, ERR_UNAVAILABLE for the rest. */
int sqlite_file_claim(struct sqlite_file *file, struct str_view path, struct err *err) MUST_CHECK;

/* The same for a file that must be there: ERR_CONFIG when it is not. */
int sqlite_file_claim_existing(struct sqlite_file *file, struct str_view path,
                               struct err *err) MUST_CHECK;

/* Lets go of the lock. The lock's file stays: who removes it takes it from under a new owner. */
void sqlite_file_release(struct sqlite_file *file);

#endif
