/* One row of bot_state for each scope. The database is open for moments only: it belongs to one
 * process at a time, and the bot must not be refused its start because somebody registers. */
#include "registration/memory.h"

#include "db/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int open_database(const struct memory *memory, struct db **db, struct err *err)
{
    const struct db_settings settings = {
        .url = memory->config->database_url, .pool_min = 1, .pool_max = 1, .clock = memory->clock
    };
    struct migration_result migrated;
    int result = db_open(db, &settings, err);
    if (result != 0)
        return result;
    result = db_migrate(*db, built_in_migrations, clock_wall_ms(memory->clock), &migrated, err);
    if (result != 0)
        db_close(STEAL(*db));
    return result;
}

static void append_key(struct buf *key, const char *scope)
{
    buf_append_format(key, "commands:%s", scope);
}

/* --- The mark --- */

/* False for a database that is no file. */
static bool mark_path(const struct memory *memory, const char *scope, struct buf *path)
{
    static const struct str_view scheme = { "sqlite:", 7 };
    struct str_view url = str_from(memory->config->database_url);
    if (!str_starts_with(url, scheme))
        return false;
    buf_append_format(path, "%s.commands-%s.stale", url.data + scheme.length, scope);
    return !path->has_failed;
}

static bool has_mark(const struct memory *memory, const char *scope)
{
    CLEANUP(buf_free) struct buf path = { 0 };
    return mark_path(memory, scope, &path) && access(path.data, F_OK) == 0;
}

static void remove_mark(const struct memory *memory, const char *scope)
{
    CLEANUP(buf_free) struct buf path = { 0 };
    if (mark_path(memory, scope, &path))
        unlink(path.data);
}

int memory_doubt(const struct memory *memory, const char *scope, struct err *err)
{
    CLEANUP(buf_free) struct buf path = { 0 };
    if (!mark_path(memory, scope, &path))
        return path.has_failed ? err_set(err, ERR_MEMORY, "a path") : 0;
    int fd = open(path.data, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, errno, "%s", path.data);
    close(fd);
    return 0;
}

/* --- The row --- */

int memory_has(const struct memory *memory, const char *scope, const char *hash, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    CLEANUP(buf_free) struct buf key = { 0 };
    struct db *db = NULL;
    append_key(&key, scope);
    if (key.has_failed)
        return err_set(err, ERR_MEMORY, "a key");
    const struct db_statement read = {
        .sql = "SELECT value FROM bot_state WHERE key = $1",
        .parameters = { DB_TEXT(buf_view(&key)) },
        .parameter_count = 1,
    };
    int result = open_database(memory, &db, err);
    if (result == 0)
        result = db_query(db, &read, &rows, err);
    db_close(db);
    if (result != 0)
        return result;
    return db_rows_count(rows) == 1 && !has_mark(memory, scope) &&
           str_equal(db_rows_text(rows, 0, 0), str_from(hash));
}

int memory_store(const struct memory *memory, const char *scope, const char *hash, struct err *err)
{
    CLEANUP(buf_free) struct buf key = { 0 };
    struct db *db = NULL;
    append_key(&key, scope);
    if (key.has_failed)
        return err_set(err, ERR_MEMORY, "a key");
    const struct db_statement write = {
        .sql = "INSERT INTO bot_state (key, value) VALUES ($1, $2) "
               "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        .parameters = { DB_TEXT(buf_view(&key)), DB_TEXT(str_from(hash)) },
        .parameter_count = 2,
        .expect = DB_ONE_ROW,
    };
    int result = open_database(memory, &db, err);
    if (result == 0)
        result = db_query(db, &write, NULL, err);
    db_close(db);
    if (result == 0)
        remove_mark(memory, scope);
    return result;
}
