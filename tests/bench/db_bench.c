/* Transfers a second, on both engines: `./dev bench db`.
 *
 * A transfer is the ledger's: an entry, two accounts opened, two balances moved, the transfer with
 * the balances it led to; durable when it is answered. Beside db_atomic stands the raw rate: the
 * same statements, prepared, in a bare loop on the engine's own interface, with as many connections
 * as callers on PostgreSQL and the one writer SQLite allows. Raw and ours take turns, for a
 * machine's speed differs from second to second. */
#include "core/system_clock.h"
#include "db/migrate.h"
#include "harness/postgres.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CALLERS_MAX   16
#define ROUNDS        4
#define ROUND_MS      700
#define USERS         1000 /* of each caller */
#define FIRST_BALANCE "1000000000"

enum { ENTRY, OPEN_PAYER, OPEN_PAYEE, TAKE, GIVE, TRANSFER, STATEMENTS };

static const char sql_entry[] = "INSERT INTO ledger_entry (interaction_id, operation, created_at) "
                                "VALUES ($1, $2, $3)";
static const char sql_open[] =
    "INSERT INTO account (id, owner_id, kind, balance) VALUES ($1, $2, 'wallet', " FIRST_BALANCE
    ") ON CONFLICT (owner_id, kind) DO NOTHING";
static const char sql_move[] =
    "UPDATE account SET balance = balance + $1 WHERE owner_id = $2 AND kind = 'wallet'";
static const char sql_transfer[] =
    "INSERT INTO ledger_transfer (interaction_id, operation, position, from_account, to_account, "
    "amount, from_balance, to_balance) "
    "SELECT $1, $2, 0, payer.id, payee.id, $3, payer.balance, payee.balance "
    "FROM account payer, account payee WHERE payer.owner_id = $4 AND payer.kind = 'wallet' "
    "AND payee.owner_id = $5 AND payee.kind = 'wallet'";

/* --- What both do --- */

static void fill(struct db_statement statements[STATEMENTS], int64_t id, int64_t payer)
{
    int64_t payee = payer + 1, amount = 1 + id % 9;
    statements[ENTRY] =
        (struct db_statement){ .sql = sql_entry,
                               .parameters = { DB_INT(id), DB_TEXT(STR("pay")), DB_INT(id) },
                               .parameter_count = 3 };
    statements[OPEN_PAYER] = (struct db_statement){ .sql = sql_open,
                                                    .parameters = { DB_INT(payer), DB_INT(payer) },
                                                    .parameter_count = 2 };
    statements[OPEN_PAYEE] = (struct db_statement){ .sql = sql_open,
                                                    .parameters = { DB_INT(payee), DB_INT(payee) },
                                                    .parameter_count = 2 };
    statements[TAKE] = (struct db_statement){ .sql = sql_move,
                                              .parameters = { DB_INT(-amount), DB_INT(payer) },
                                              .parameter_count = 2,
                                              .expect = DB_ONE_ROW };
    statements[GIVE] = (struct db_statement){ .sql = sql_move,
                                              .parameters = { DB_INT(amount), DB_INT(payee) },
                                              .parameter_count = 2,
                                              .expect = DB_ONE_ROW };
    statements[TRANSFER] =
        (struct db_statement){ .sql = sql_transfer,
                               .parameters = { DB_INT(id), DB_TEXT(STR("pay")), DB_INT(amount),
                                               DB_INT(payer), DB_INT(payee) },
                               .parameter_count = 5,
                               .expect = DB_ONE_ROW };
}

struct bench {
    const char *url;        /* for the engine */
    const char *raw_target; /* a path or a connection string */
    struct db *db;          /* for ours */
    int64_t next_id;        /* every transfer has another */
    int callers;
    bool is_over;
};

struct caller {
    struct bench *bench;
    int number;
    int64_t done;
    pthread_t thread;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static bool is_over(const struct caller *caller)
{
    return __atomic_load_n(&caller->bench->is_over, __ATOMIC_RELAXED);
}

static void next_transfer(struct caller *caller, struct db_statement statements[STATEMENTS])
{
    int64_t id = __atomic_add_fetch(&caller->bench->next_id, 1, __ATOMIC_RELAXED);
    int64_t payer = 10 + caller->number * 2 * USERS + 2 * (id % USERS);
    fill(statements, id, payer);
}

/* --- Ours --- */

static void *run_ours(void *argument)
{
    struct caller *caller = argument;
    while (!is_over(caller)) {
        struct db_statement statements[STATEMENTS];
        struct err err;
        next_transfer(caller, statements);
        if (db_atomic(caller->bench->db, statements, STATEMENTS, NULL, &err) != 0)
            die("db_atomic", err.message);
        caller->done++;
    }
    return NULL;
}

/* --- Raw SQLite: one loop --- */

static void step_raw(sqlite3 *handle, sqlite3_stmt *prepared, const struct db_statement *statement)
{
    for (int i = 0; i < statement->parameter_count; i++) {
        const struct db_value *value = &statement->parameters[i];
        if (value->type == DB_TYPE_INT)
            sqlite3_bind_int64(prepared, i + 1, value->integer);
        else
            sqlite3_bind_text(prepared, i + 1, value->bytes.data, (int)value->bytes.length,
                              SQLITE_STATIC);
    }
    if (sqlite3_step(prepared) != SQLITE_DONE)
        die("sqlite3_step", sqlite3_errmsg(handle));
    sqlite3_reset(prepared);
}

static void *run_raw_sqlite(void *argument)
{
    enum { BEGIN = STATEMENTS, COMMIT, ALL };
    static const char *const texts[ALL] = { sql_entry, sql_open,     sql_open,          sql_move,
                                            sql_move,  sql_transfer, "BEGIN IMMEDIATE", "COMMIT" };
    struct caller *caller = argument;
    sqlite3 *handle;
    sqlite3_stmt *prepared[ALL];
    if (sqlite3_open(caller->bench->raw_target, &handle) != SQLITE_OK ||
        sqlite3_exec(handle, "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON", NULL, NULL, NULL))
        die("sqlite3_open", sqlite3_errmsg(handle));
    for (int i = 0; i < ALL; i++)
        if (sqlite3_prepare_v2(handle, texts[i], -1, &prepared[i], NULL) != SQLITE_OK)
            die("sqlite3_prepare", sqlite3_errmsg(handle));
    const struct db_statement control = { .parameter_count = 0 };
    while (!is_over(caller)) {
        struct db_statement statements[STATEMENTS];
        next_transfer(caller, statements);
        step_raw(handle, prepared[BEGIN], &control);
        for (int i = 0; i < STATEMENTS; i++)
            step_raw(handle, prepared[i], &statements[i]);
        step_raw(handle, prepared[COMMIT], &control);
        caller->done++;
    }
    for (int i = 0; i < ALL; i++)
        sqlite3_finalize(prepared[i]);
    sqlite3_close(handle);
    return NULL;
}

/* --- Raw PostgreSQL: a pipeline in each caller --- */

static void send_raw(PGconn *connection, const char *name, const struct db_statement *statement)
{
    uint64_t integers[DB_MAX_PARAMETERS];
    const char *values[DB_MAX_PARAMETERS];
    int lengths[DB_MAX_PARAMETERS], formats[DB_MAX_PARAMETERS];
    for (int i = 0; i < statement->parameter_count; i++) {
        const struct db_value *value = &statement->parameters[i];
        bool is_integer = value->type == DB_TYPE_INT;
        integers[i] = __builtin_bswap64((uint64_t)value->integer);
        values[i] = is_integer ? (const char *)&integers[i] : value->bytes.data;
        lengths[i] = is_integer ? (int)sizeof(integers[i]) : (int)value->bytes.length;
        formats[i] = 1;
    }
    if (PQsendQueryPrepared(connection, name, statement->parameter_count, values, lengths, formats,
                            1) != 1)
        die("PQsendQueryPrepared", PQerrorMessage(connection));
}

/* All results up to the Sync. */
static void read_raw(PGconn *connection)
{
    for (;;) {
        PGresult *result = PQgetResult(connection);
        ExecStatusType status = PQresultStatus(result);
        bool is_end = result && status == PGRES_PIPELINE_SYNC;
        if (result && !is_end && status != PGRES_COMMAND_OK)
            die("raw PostgreSQL", PQresultErrorMessage(result));
        PQclear(result);
        if (is_end)
            return;
    }
}

static void prepare_raw(PGconn *connection)
{
    enum { INT8 = 20, TEXT = 25 };
    static const Oid types_entry[] = { INT8, TEXT, INT8 }, types_pair[] = { INT8, INT8 },
                     types_transfer[] = { INT8, TEXT, INT8, INT8, INT8 };
    PQclear(PQprepare(connection, "entry", sql_entry, 3, types_entry));
    PQclear(PQprepare(connection, "open", sql_open, 2, types_pair));
    PQclear(PQprepare(connection, "move", sql_move, 2, types_pair));
    PQclear(PQprepare(connection, "transfer", sql_transfer, 5, types_transfer));
    PQclear(PQprepare(connection, "begin", "BEGIN", 0, NULL));
    PQclear(PQprepare(connection, "commit", "COMMIT", 0, NULL));
}

static void *run_raw_postgres(void *argument)
{
    static const char *const names[STATEMENTS] = { "entry", "open", "open",
                                                   "move",  "move", "transfer" };
    struct caller *caller = argument;
    PGconn *connection = PQconnectdb(caller->bench->raw_target);
    if (PQstatus(connection) != CONNECTION_OK)
        die("PQconnectdb", PQerrorMessage(connection));
    prepare_raw(connection);
    PQenterPipelineMode(connection);
    const struct db_statement control = { .parameter_count = 0 };
    while (!is_over(caller)) {
        struct db_statement statements[STATEMENTS];
        next_transfer(caller, statements);
        send_raw(connection, "begin", &control);
        for (int i = 0; i < STATEMENTS; i++)
            send_raw(connection, names[i], &statements[i]);
        send_raw(connection, "commit", &control);
        PQpipelineSync(connection);
        read_raw(connection);
        caller->done++;
    }
    PQfinish(connection);
    return NULL;
}

/* --- Measuring --- */

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Transfers a second of one round. */
static double measure(struct bench *bench, int callers, void *(*function)(void *argument))
{
    struct caller all[CALLERS_MAX];
    bench->is_over = false;
    double started = now_seconds();
    for (int i = 0; i < callers; i++) {
        all[i] = (struct caller){ .bench = bench, .number = i };
        if (pthread_create(&all[i].thread, NULL, function, &all[i]) != 0)
            die("pthread_create", "failed");
    }
    usleep(ROUND_MS * 1000);
    __atomic_store_n(&bench->is_over, true, __ATOMIC_RELAXED);
    int64_t done = 0;
    for (int i = 0; i < callers; i++) {
        pthread_join(all[i].thread, NULL);
        done += all[i].done;
    }
    return (double)done / (now_seconds() - started);
}

static void open_ours(struct bench *bench, struct system_clock *clock)
{
    const struct db_settings settings = {
        .url = bench->url, .pool_min = 5, .pool_max = 50, .clock = &clock->clock
    };
    struct err err;
    if (db_open(&bench->db, &settings, &err) != 0 ||
        db_migrate(bench->db, built_in_migrations, 1, NULL, &err) != 0)
        die("db_open", err.message);
}

/* The SQLite file belongs to one process at a time, so ours is closed while raw runs. */
static void compare(struct bench *bench, const char *engine, int raw_callers_max,
                    void *(*run_raw)(void *argument))
{
    static const int callers[] = { 1, 4, 16 };
    struct system_clock clock;
    if (system_clock_init(&clock, NULL, NULL) != 0)
        die("clock", "failed");
    open_ours(bench, &clock);
    db_close(STEAL(bench->db));
    for (size_t i = 0; i < ARRAY_LENGTH(callers); i++) {
        int raw_callers = callers[i] < raw_callers_max ? callers[i] : raw_callers_max;
        double raw = 0, ours = 0;
        for (int round = 0; round < ROUNDS; round++) {
            raw += measure(bench, raw_callers, run_raw) / ROUNDS;
            open_ours(bench, &clock);
            ours += measure(bench, callers[i], run_ours) / ROUNDS;
            db_close(STEAL(bench->db));
        }
        printf("%-10s %7d %12.0f %12.0f %8.2f\n", engine, callers[i], ours, raw, ours / raw);
        fflush(stdout);
    }
    system_clock_fini(&clock);
}

static void bench_sqlite(void)
{
    char folder[] = "/tmp/bronxbot-bench-XXXXXX", path[64], url[80];
    if (!mkdtemp(folder))
        die("mkdtemp", folder);
    snprintf(path, sizeof(path), "%s/bench.db", folder);
    snprintf(url, sizeof(url), "sqlite:%s", path);
    struct bench bench = { .url = url, .raw_target = path };
    compare(&bench, "sqlite", 1, run_raw_sqlite);
    static const char *const suffixes[] = { "", "-wal", "-shm", ".lock" };
    for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
        char name[80];
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
    rmdir(folder);
}

static void bench_postgres(void)
{
    struct harness_postgres server;
    char url[128];
    if (!harness_postgres_start(&server, true))
        exit(1);
    snprintf(url, sizeof(url), "postgresql://bronxbot@/postgres?host=%s", server.folder);
    struct bench bench = { .url = url, .raw_target = url };
    compare(&bench, "postgres", CALLERS_MAX, run_raw_postgres);
    harness_postgres_fini(&server);
}

int main(void)
{
    printf("transfers a second, durable\n%-10s %7s %12s %12s %8s\n", "engine", "callers", "ours",
           "raw", "ratio");
    bench_sqlite();
    bench_postgres();
    return 0;
}
