/* Opening a connection with the settings the design asks for, keeping foreign SQL away from
 * transactions and settings (the authorizer), and translating SQLite's error codes. */
#include "db/sqlite_connection.h"

#include <string.h>

/* Readers of an idle bot should stay small; a page read again comes from the system's cache. */
#define WRITER_PRAGMAS                                                                             \
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"                    \
    "PRAGMA mmap_size=0; PRAGMA cache_size=-4096; PRAGMA journal_size_limit=16777216"
#define READER_PRAGMAS                                                                             \
    "PRAGMA mmap_size=0; PRAGMA cache_size=-1024; PRAGMA wal_autocheckpoint=0;"                    \
    "PRAGMA query_only=ON"

static const char *const control_texts[SQLITE_CONTROLS] = {
    [SQLITE_CONTROL_BEGIN] = "BEGIN IMMEDIATE",
    [SQLITE_CONTROL_COMMIT] = "COMMIT",
    [SQLITE_CONTROL_ROLLBACK] = "ROLLBACK",
    [SQLITE_CONTROL_SAVE] = "SAVEPOINT batch",
    [SQLITE_CONTROL_RELEASE] = "RELEASE batch",
    [SQLITE_CONTROL_ROLLBACK_TO_SAVE] = "ROLLBACK TO batch",
};

/* Harmless and useful: for tests, checks and `doctor`. */
static const char *const readable_pragmas[] = {
    "table_info",  "table_xinfo",      "table_list",        "index_list",
    "index_info",  "foreign_key_list", "foreign_key_check", "integrity_check",
    "quick_check", "journal_mode",     "synchronous",       "foreign_keys",
};

static bool is_pragma_allowed(const struct sqlite_connection *connection, const char *name,
                              const char *argument)
{
    /* It ends with the transaction, so it may only be used by what has a transaction alone. */
    if (connection->is_script && sqlite3_stricmp(name, "defer_foreign_keys") == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LENGTH(readable_pragmas); i++) {
        if (sqlite3_stricmp(name, readable_pragmas[i]) != 0)
            continue;
        /* "journal_mode", "synchronous" and "foreign_keys" with an argument would change them. */
        bool is_setting = i >= ARRAY_LENGTH(readable_pragmas) - 3;
        return !is_setting || !argument;
    }
    return false;
}

/* Asked by SQLite while it prepares a statement. One BEGIN left open on a reader would show old
 * data for ever, one COMMIT on the writer would break the promise of db_atomic. */
static int authorize(void *context, int action, const char *first, const char *second,
                     const char *database, const char *trigger)
{
    (void)database;
    (void)trigger;
    const struct sqlite_connection *connection = context;
    if (connection->is_control)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        return SQLITE_DENY;
    case SQLITE_PRAGMA:
        return is_pragma_allowed(connection, first, second) ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_OK;
    }
}

static int code_of_constraint(int extended)
{
    switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return ERR_DUPLICATE;
    default:
        return ERR_CHECK;
    }
}

static int code_of(int extended)
{
    switch (extended & 0xff) {
    case SQLITE_CONSTRAINT:
        return code_of_constraint(extended);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_NOMEM:
        return ERR_MEMORY;
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_PROTOCOL:
    case SQLITE_NOLFS:
        return ERR_UNAVAILABLE;
    default:
        return ERR_INTERNAL;
    }
}

int sqlite_connection_fail(struct sqlite_connection *connection, struct err *err)
{
    if (!connection->handle)
        return err_set(err, ERR_MEMORY, "a database connection");
    int extended = sqlite3_extended_errcode(connection->handle);
    return err_set(err, code_of(extended), "%s", sqlite3_errmsg(connection->handle));
}

/* A file system without shared memory leaves the journal mode as it was, without an error. */
static int check_wal(struct sqlite_connection *connection, const char *path, struct err *err)
{
    sqlite3_stmt *query = NULL;
    if (sqlite3_prepare_v2(connection->handle, "PRAGMA journal_mode", -1, &query, NULL) !=
        SQLITE_OK)
        return sqlite_connection_fail(connection, err);
    int result = 0;
    if (sqlite3_step(query) != SQLITE_ROW)
        result = sqlite_connection_fail(connection, err);
    else if (strcmp((const char *)sqlite3_column_text(query, 0), "wal") != 0)
        result = err_set(err, ERR_UNAVAILABLE, "database %s: its file system can't do WAL", path);
    sqlite3_finalize(query);
    return result;
}

static int prepare_controls(struct sqlite_connection *connection, struct err *err)
{
    for (size_t i = 0; i < SQLITE_CONTROLS; i++)
        if (sqlite3_prepare_v3(connection->handle, control_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &connection->controls[i], NULL) != SQLITE_OK)
            return sqlite_connection_fail(connection, err);
    return 0;
}

static int configure(struct sqlite_connection *connection, const char *path, enum sqlite_role role,
                     struct err *err)
{
    sqlite3 *handle = connection->handle;
    const char *pragmas = role == SQLITE_ROLE_WRITER ? WRITER_PRAGMAS : READER_PRAGMAS;
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_timeout(handle, SQLITE_BUSY_MS);
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, (int)DB_MAX_ROW_BYTES);
    /* "word" must mean a column, never a text that happens to be spelled so. */
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    if (sqlite3_exec(handle, pragmas, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_connection_fail(connection, err);
    int result = 0;
    if (role == SQLITE_ROLE_WRITER) {
        result = check_wal(connection, path, err);
        if (result == 0)
            result = prepare_controls(connection, err);
    }
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_set_authorizer(handle, authorize, connection);
    return result;
}

int sqlite_connection_open(struct sqlite_connection *connection, const char *path,
                           enum sqlite_role role, struct err *err)
{
    memset(connection, 0, sizeof(*connection));
    int access = role == SQLITE_ROLE_WRITER ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    int status = sqlite3_open_v2(path, &connection->handle, access | SQLITE_OPEN_NOMUTEX, NULL);
    int result = status == SQLITE_OK ? configure(connection, path, role, err)
                                     : sqlite_connection_fail(connection, err);
    if (result == 0)
        return 0;
    sqlite_connection_close(connection);
    return err_wrap(err, "opening database %s", path);
}

void sqlite_connection_close(struct sqlite_connection *connection)
{
    for (size_t i = 0; i < SQLITE_CONTROLS; i++)
        sqlite3_finalize(connection->controls[i]);
    for (size_t set = 0; set < SQLITE_CACHE_SETS; set++)
        for (size_t way = 0; way < SQLITE_CACHE_WAYS; way++)
            sqlite3_finalize(connection->cache[set][way].handle);
    sqlite3_close(connection->handle);
    memset(connection, 0, sizeof(*connection));
}

int sqlite_connection_control(struct sqlite_connection *connection, enum sqlite_control control,
                              struct err *err)
{
    sqlite3_stmt *statement = connection->controls[control];
    int result = 0;
    /* A changed schema makes SQLite prepare and so authorize the statement again. */
    connection->is_control = true;
    if (sqlite3_step(statement) != SQLITE_DONE)
        result = sqlite_connection_fail(connection, err);
    sqlite3_reset(statement);
    connection->is_control = false;
    return result;
}

bool sqlite_connection_is_in_transaction(const struct sqlite_connection *connection)
{
    return !sqlite3_get_autocommit(connection->handle);
}
