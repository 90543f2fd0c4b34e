/* Migrations: migrations/NNNN_name.sql, built into the binary in order of their numbers. A file for
 * one engine only is called NNNN_name.sqlite.sql or NNNN_name.postgres.sql. */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include "db/engine.h"

#define SHA256_HEX_SIZE 65

struct migration {
    int version;
    const char *name;   /* "ledger" */
    const char *engine; /* NULL: every engine */
    const char *sql;
    char sha256[SHA256_HEX_SIZE]; /* of `sql`, hexadecimal */
};

/* What is built in, ascending, ended by version 0. Made at build time. */
extern const struct migration built_in_migrations[];

struct migration_result {
    int version_before, version_after;
    int applied_count;
};

/* Applies what is missing, each migration in a transaction of its own. ERR_CONFIG when the database
 * is from the future (has a version this binary does not know) or an applied migration's checksum
 * differs from the built-in one: nothing is changed then. */
int db_migrate(struct db *db, const struct migration *migrations, int64_t now_ms,
               struct migration_result *result, struct err *err) MUST_CHECK;

/* What db_migrate would do, without doing it. */
int db_migrations_pending(struct db *db, const struct migration *migrations,
                          struct migration_result *result, struct err *err) MUST_CHECK;

/* The same for a database that is read in another way than through struct db: `applied` is what
 * db_migrations_applied_sql gives there. */
extern const char db_migrations_applied_sql[];
int db_migrations_compare(const struct migration *migrations, const char *engine,
                          const struct db_rows *applied, struct migration_result *result,
                          struct err *err) MUST_CHECK;

#endif
