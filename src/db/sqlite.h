/* The engine for `sqlite:PATH`. */
#ifndef DB_SQLITE_H
#define DB_SQLITE_H

#include "db/engine.h"

/* `path` is the part of the URL after the scheme; relative paths start in the working directory. */
int sqlite_open(struct db **db, const struct db_settings *settings, struct str_view path,
                struct err *err) MUST_CHECK;

#endif
