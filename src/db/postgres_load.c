/* libpq's plain mode. The wait for each answer is bounded as for a migration: the server may have
 * to sort a whole table before it says anything. */
#include "db/postgres_load.h"

#include "db/postgres_error.h"
#include "db/postgres_script.h"

#include <string.h>

static const char *const openings[] = {
    "BEGIN",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    POSTGRES_LOCK_SCHEMA,
};

/* The first failure of what was sent, or 0 with its last result in `*out`. */
static int read_answer(struct postgres_connection *connection, PGresult **out, struct err *err)
{
    int failure = 0;
    for (;;) {
        CLEANUP(cleanup_pgresult) PGresult *result = NULL;
        int status = postgres_connection_read(connection, POSTGRES_SCRIPT_MS, &result, err);
        if (status != 0)
            return status;
        if (!result)
            return failure;
        ExecStatusType kind = PQresultStatus(result);
        bool is_failed = kind == PGRES_FATAL_ERROR || kind == PGRES_BAD_RESPONSE;
        if (is_failed && failure == 0)
            failure = postgres_result_fail(result, err);
        if (out && !is_failed) {
            PQclear(*out);
            *out = STEAL(result);
        }
        /* What follows is data, not a result. */
        if (kind == PGRES_COPY_IN || kind == PGRES_COPY_OUT)
            return failure;
    }
}

static int run(struct postgres_connection *connection, const char *sql, PGresult **out,
               struct err *err)
{
    /* With parameters, though there are none: then it is one statement, and never two. */
    if (PQsendQueryParams(connection->handle, sql, 0, NULL, NULL, NULL, NULL, 0) != 1)
        return postgres_connection_fail(connection->handle, ERR_UNAVAILABLE, err);
    return read_answer(connection, out, err);
}

int postgres_load_begin(struct postgres_connection *connection, struct err *err)
{
    if (PQexitPipelineMode(connection->handle) != 1)
        return postgres_connection_fail(connection->handle, ERR_UNAVAILABLE, err);
    int result = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(openings) && result == 0; i++)
        result = run(connection, openings[i], NULL, err);
    return result;
}

int postgres_load_run(struct postgres_connection *connection, const char *sql, PGresult **out,
                      struct err *err)
{
    if (out)
        *out = NULL;
    return run(connection, sql, out, err);
}

int postgres_load_commit(struct postgres_connection *connection, struct err *err)
{
    CLEANUP(cleanup_pgresult) PGresult *answer = NULL;
    int result = run(connection, "COMMIT", &answer, err);
    if (result == ERR_UNAVAILABLE)
        return err_set(err, ERR_UNKNOWN, "the connection was lost at the commit");
    /* The server's word for the end of a transaction that had failed. */
    if (result == 0 && strcmp(PQcmdStatus(answer), "COMMIT") != 0)
        return err_set(err, ERR_INTERNAL, "the server did not commit");
    return result;
}

static int64_t rows_of(PGresult *answer)
{
    int64_t rows = 0;
    return answer && str_to_uint63(str_from(PQcmdTuples(answer)), &rows) == 0 ? rows : 0;
}

/* Begins a COPY in the direction of `kind`. */
static int begin_copy(struct postgres_connection *connection, const char *sql, ExecStatusType kind,
                      struct err *err)
{
    CLEANUP(cleanup_pgresult) PGresult *answer = NULL;
    int result = run(connection, sql, &answer, err);
    if (result == 0 && PQresultStatus(answer) != kind)
        result = err_set(err, ERR_INTERNAL, "not a COPY: %s", sql);
    return result;
}

int postgres_load_copy_in(struct postgres_connection *connection, const char *sql, struct err *err)
{
    return begin_copy(connection, sql, PGRES_COPY_IN, err);
}

/* Why a COPY broke off: the server may have said so, unless it says nothing at all. */
static int explain(struct postgres_connection *connection, struct err *err)
{
    struct err reason = { 0 };
    if (connection->is_broken)
        return err_set(err, ERR_UNAVAILABLE, "the server has fallen silent");
    int result = read_answer(connection, NULL, &reason);
    if (result == 0)
        return postgres_connection_fail(connection->handle, ERR_UNAVAILABLE, err);
    if (err)
        *err = reason;
    return result;
}

int postgres_load_put(struct postgres_connection *connection, const void *bytes, size_t length,
                      struct err *err)
{
    int status;
    while ((status = PQputCopyData(connection->handle, bytes, (int)length)) == 0) {
        int result = postgres_connection_flush(connection, POSTGRES_SCRIPT_MS, err);
        if (result != 0)
            return explain(connection, err);
    }
    if (status != 1)
        return explain(connection, err);
    return postgres_connection_flush(connection, POSTGRES_SCRIPT_MS, err);
}

int postgres_load_end(struct postgres_connection *connection, int64_t *rows, struct err *err)
{
    CLEANUP(cleanup_pgresult) PGresult *answer = NULL;
    int status;
    while ((status = PQputCopyEnd(connection->handle, NULL)) == 0) {
        int result = postgres_connection_flush(connection, POSTGRES_SCRIPT_MS, err);
        if (result != 0)
            return result;
    }
    int result = status == 1 ? read_answer(connection, &answer, err) : explain(connection, err);
    *rows = rows_of(answer);
    return result;
}

int postgres_load_copy_out(struct postgres_connection *connection, const char *sql,
                           postgres_load_take *take, void *context, int64_t *rows, struct err *err)
{
    CLEANUP(cleanup_pgresult) PGresult *answer = NULL;
    char *piece = NULL;
    int length;
    int result = begin_copy(connection, sql, PGRES_COPY_OUT, err);
    if (result != 0)
        return result;
    while ((length = PQgetCopyData(connection->handle, &piece, 1)) >= 0) {
        if (length > 0) {
            take(context, piece, (size_t)length);
            PQfreemem(piece);
            continue;
        }
        result = postgres_connection_hear(connection, POSTGRES_SCRIPT_MS, err);
        if (result != 0)
            return result;
    }
    result = length == -1 ? read_answer(connection, &answer, err) : explain(connection, err);
    *rows = rows_of(answer);
    return result;
}
