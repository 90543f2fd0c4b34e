/* The migration runner: compares what the table schema_migration says with what is built in,
 * refuses what does not fit before anything is changed, then applies the rest, each script with its
 * row in one transaction. Called by one thread before the database is used. */
#include "db/migrate.h"

#include <string.h>

static const char create_table[] = "CREATE TABLE IF NOT EXISTS schema_migration ("
                                   " version BIGINT NOT NULL PRIMARY KEY,"
                                   " name TEXT NOT NULL,"
                                   " sha256 TEXT NOT NULL,"
                                   " applied_at BIGINT NOT NULL)";
const char db_migrations_applied_sql[] =
    "SELECT version, name, sha256 FROM schema_migration ORDER BY version";
static const char insert_applied[] =
    "INSERT INTO schema_migration (version, name, sha256, applied_at) VALUES ($1, $2, $3, $4)";

static bool is_for(const struct migration *migration, const char *engine)
{
    return !migration->engine || strcmp(migration->engine, engine) == 0;
}

/* The first one for `engine` at or after `migration`, or the list's end. */
static const struct migration *skip_others(const struct migration *migration, const char *engine)
{
    while (migration->version != 0 && !is_for(migration, engine))
        migration++;
    return migration;
}

static int check_order(const struct migration *migrations, const char *engine, struct err *err)
{
    int latest = 0;
    const struct migration *at = skip_others(migrations, engine);
    for (; at->version != 0; at = skip_others(at + 1, engine)) {
        if (at->version <= latest)
            return err_set(err, ERR_INTERNAL, "migration %d comes after migration %d", at->version,
                           latest);
        latest = at->version;
    }
    return 0;
}

/* One row of the database against the migration that has to be there. */
static int compare(const struct migration *known, const struct db_rows *applied, int row,
                   struct err *err)
{
    int64_t version = db_rows_int(applied, row, 0);
    struct str_view name = db_rows_text(applied, row, 1);
    if (known->version == 0)
        return err_set(err, ERR_CONFIG,
                       "the database has migration %lld (%.*s), which this version of the program "
                       "does not know: start a newer one",
                       (long long)version, STR_ARGS(name));
    if (known->version < version)
        return err_set(err, ERR_CONFIG,
                       "migration %d (%s) is missing in a database that has migration %lld",
                       known->version, known->name, (long long)version);
    if (known->version > version)
        return err_set(err, ERR_CONFIG,
                       "the database has migration %lld (%.*s), which this version of the program "
                       "does not have",
                       (long long)version, STR_ARGS(name));
    if (!str_equal(db_rows_text(applied, row, 2), str_from(known->sha256)))
        return err_set(err, ERR_CONFIG,
                       "migration %d (%s) was changed after it was applied to this database",
                       known->version, known->name);
    return 0;
}

/* `*missing` becomes the first migration that is to be applied, or the list's end. */
static int compare_all(const struct migration *migrations, const char *engine,
                       const struct db_rows *applied, const struct migration **missing,
                       struct err *err)
{
    const struct migration *known = skip_others(migrations, engine);
    for (int row = 0; row < db_rows_count(applied); row++) {
        int result = compare(known, applied, row, err);
        if (result != 0)
            return result;
        known = skip_others(known + 1, engine);
    }
    *missing = known;
    return 0;
}

static int apply(struct db *db, const struct migration *migration, int64_t now_ms, struct err *err)
{
    struct db_statement record = {
        .sql = insert_applied,
        .parameters = { DB_INT(migration->version), DB_TEXT(str_from(migration->name)),
                        DB_TEXT(str_from(migration->sha256)), DB_INT(now_ms) },
        .parameter_count = 4,
        .expect = DB_ONE_ROW,
    };
    int result = db_run_script(db, migration->sql, &record, err);
    if (result != 0)
        err_wrap(err, "migration %d (%s)", migration->version, migration->name);
    return result;
}

/* As a script: that is what keeps two processes apart. */
static int read_applied(struct db *db, struct db_rows **applied, struct err *err)
{
    struct db_statement nothing = { .sql = "SELECT 1", .expect = DB_ONE_ROW };
    struct db_statement select = { .sql = db_migrations_applied_sql };
    int result = db_run_script(db, create_table, &nothing, err);
    return result == 0 ? db_query(db, &select, applied, err) : result;
}

/* `*missing` becomes the first migration that is to be applied, or the list's end. */
static int find_missing(struct db *db, const struct migration *migrations,
                        const struct migration **missing, int *version, struct err *err)
{
    const char *engine = db_engine_name(db);
    CLEANUP(cleanup_db_rows) struct db_rows *applied = NULL;
    int result = check_order(migrations, engine, err);
    if (result == 0)
        result = read_applied(db, &applied, err);
    if (result == 0)
        result = compare_all(migrations, engine, applied, missing, err);
    int rows = db_rows_count(applied);
    *version = rows > 0 ? (int)db_rows_int(applied, rows - 1, 0) : 0;
    return result;
}

/* Applies what `missing` begins. When another process was faster with one, its list is looked at
 * again: `*is_overtaken`. */
static int apply_all(struct db *db, const struct migration *missing, int64_t now_ms,
                     struct migration_result *progress, bool *is_overtaken, struct err *err)
{
    for (; missing->version != 0; missing = skip_others(missing + 1, db_engine_name(db))) {
        int result = apply(db, missing, now_ms, err);
        *is_overtaken = result == ERR_DUPLICATE;
        if (result != 0)
            return result;
        progress->version_after = missing->version;
        progress->applied_count++;
    }
    return 0;
}

int db_migrate(struct db *db, const struct migration *migrations, int64_t now_ms,
               struct migration_result *out, struct err *err)
{
    const struct migration *missing = NULL;
    struct migration_result progress = { 0 };
    int result = find_missing(db, migrations, &missing, &progress.version_before, err);
    if (result != 0)
        return result;
    progress.version_after = progress.version_before;
    for (;;) {
        bool is_overtaken = false;
        int seen = progress.version_after;
        result = apply_all(db, missing, now_ms, &progress, &is_overtaken, err);
        if (!is_overtaken)
            break;
        struct err overtaken = err ? *err : (struct err){ 0 };
        result = find_missing(db, migrations, &missing, &progress.version_after, err);
        if (result != 0)
            break;
        if (progress.version_after > seen)
            continue;
        /* A duplicate of the migration's own making. */
        if (err)
            *err = overtaken;
        result = ERR_DUPLICATE;
        break;
    }
    if (out)
        *out = progress;
    return result;
}

/* What applying `missing` and what follows would come to. */
static void foresee(const struct migration *missing, const char *engine, int version,
                    struct migration_result *out)
{
    *out = (struct migration_result){ .version_before = version, .version_after = version };
    for (; missing->version != 0; missing = skip_others(missing + 1, engine)) {
        out->version_after = missing->version;
        out->applied_count++;
    }
}

int db_migrations_pending(struct db *db, const struct migration *migrations,
                          struct migration_result *out, struct err *err)
{
    const struct migration *missing = NULL;
    int version;
    *out = (struct migration_result){ 0 };
    int result = find_missing(db, migrations, &missing, &version, err);
    if (result == 0)
        foresee(missing, db_engine_name(db), version, out);
    return result;
}

int db_migrations_compare(const struct migration *migrations, const char *engine,
                          const struct db_rows *applied, struct migration_result *out,
                          struct err *err)
{
    const struct migration *missing = NULL;
    int rows = db_rows_count(applied);
    *out = (struct migration_result){ 0 };
    int result = compare_all(migrations, engine, applied, &missing, err);
    if (result == 0)
        foresee(missing, engine, rows > 0 ? (int)db_rows_int(applied, rows - 1, 0) : 0, out);
    return result;
}
