/* The engine for `postgresql://...` and `postgres://...`. */
#ifndef DB_POSTGRES_H
#define DB_POSTGRES_H

#include "db/engine.h"

/* `rest`, the URL without its scheme, is not used: libpq reads the whole of settings->url, whatever
 * options it has (TLS, several hosts, a unix socket's folder). */
int postgres_open(struct db **db, const struct db_settings *settings, struct str_view rest,
                  struct err *err) MUST_CHECK;

#endif
