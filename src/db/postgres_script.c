/* A script goes to the server as a setting that ends with the transaction, and is run by an EXECUTE
 * in a block: that takes many statements, lets later ones use what earlier ones made, and refuses
 * COMMIT and its like. The connection leaves pipeline mode meanwhile: each step waits for the one
 * before.
 *
 * Several instances may start at once: an advisory lock, held by the transaction and therefore fit
 * for poolers too, makes them migrate one after another. */
#include "db/postgres_script.h"

#include "db/postgres_error.h"
#include "db/postgres_value.h"
#include "db/rules.h"

#include <stdlib.h>
#include <string.h>

/* A migration may take longer than any statement of a service, and wait for another's. */
static const char *const openings[] = {
    "BEGIN",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL lock_timeout = 0",
    POSTGRES_LOCK_SCHEMA,
};

static const char sql_keep_script[] = "SELECT set_config('bronxbot.migration', $1, true)";
static const char sql_run_script[] =
    "DO $do$ BEGIN EXECUTE current_setting('bronxbot.migration'); END $do$";

/* Reads all results of what was sent; the first failure counts. */
static int read_results(struct postgres_connection *connection, const char *script,
                        int64_t *touched, struct err *err)
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
        if (kind == PGRES_COMMAND_OK || kind == PGRES_TUPLES_OK) {
            if (touched && str_to_uint63(str_from(PQcmdTuples(result)), touched) != 0)
                *touched = 0;
            continue;
        }
        if (failure != 0)
            continue;
        failure = postgres_result_fail(result, err);
        const char *position = PQresultErrorField(result, PG_DIAG_INTERNAL_POSITION);
        int64_t characters;
        if (script && position && str_to_uint63(str_from(position), &characters) == 0) {
            int line = 1;
            for (const char *at = script; *at != '\0' && --characters > 0; at++)
                line += *at == '\n';
            failure = err_wrap(err, "statement at line %d", line);
        }
    }
}

/* `script` is where the lines of an error are counted; NULL: nowhere. */
static int run_text(struct postgres_connection *connection, const char *text, const char *script,
                    struct err *err)
{
    if (PQsendQuery(connection->handle, text) != 1)
        return postgres_connection_fail(connection->handle, ERR_UNAVAILABLE, err);
    return read_results(connection, script, NULL, err);
}

static int run_statement(struct postgres_connection *connection,
                         const struct db_statement *statement, struct err *err)
{
    struct postgres_parameters parameters;
    int64_t touched = 0;
    int result = postgres_parameters_fill(&parameters, statement, err);
    if (result != 0)
        return result;
    if (PQsendQueryParams(connection->handle, statement->sql, parameters.count, parameters.types,
                          parameters.values, parameters.lengths, parameters.formats, 1) != 1)
        return postgres_connection_fail(connection->handle, ERR_UNAVAILABLE, err);
    result = read_results(connection, NULL, &touched, err);
    return result == 0 ? rules_check_touched(statement, touched, err) : result;
}

static int run_all(struct postgres_connection *connection, const char *script,
                   const struct db_statement *record, struct err *err)
{
    const struct db_statement keep = { .sql = sql_keep_script,
                                       .parameters = { DB_TEXT(str_from(script)) },
                                       .parameter_count = 1 };
    int result = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(openings) && result == 0; i++)
        result = run_text(connection, openings[i], NULL, err);
    if (result == 0)
        result = run_statement(connection, record, err);
    if (result == 0)
        result = run_statement(connection, &keep, err);
    if (result == 0)
        result = run_text(connection, sql_run_script, script, err);
    return result == 0 ? run_text(connection, "COMMIT", NULL, err) : result;
}

int postgres_script_run(struct postgres_connection *connection, const char *script,
                        const struct db_statement *record, struct err *err)
{
    PGconn *handle = connection->handle;
    if (PQexitPipelineMode(handle) != 1)
        return postgres_connection_fail(handle, ERR_UNAVAILABLE, err);
    int result = run_all(connection, script, record, err);
    struct err unread;
    if (result != 0 && !connection->is_broken && PQtransactionStatus(handle) != PQTRANS_IDLE)
        (void)run_text(connection, "ROLLBACK", NULL, &unread);
    connection->is_broken |=
        PQtransactionStatus(handle) != PQTRANS_IDLE || PQenterPipelineMode(handle) != 1;
    return result;
}
