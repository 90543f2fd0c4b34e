/* Reading what the server answers to a batch, item by item. The first failure counts; what it
 * proves about the transaction is said at the top of postgres_batch.c. */
#include "db/postgres_batch_internal.h"

#include "db/postgres_error.h"
#include "db/rows.h"
#include "db/rules.h"

#include <string.h>

int batch_fail(struct batch *batch, int result)
{
    if (batch->result == 0)
        batch->result = result;
    return result;
}

void batch_lose(struct batch *batch, enum postgres_again again)
{
    batch->connection->is_broken = true;
    batch->is_lost = true;
    if (batch->result != 0 || batch->is_committed)
        return;
    batch->result = batch->has_sent_commit ? ERR_UNKNOWN : ERR_UNAVAILABLE;
    batch->again = batch->has_sent_commit ? POSTGRES_FINAL : again;
    (void)err_set(batch->err, batch->result,
                  batch->has_sent_commit ? "the connection was lost between COMMIT and its answer"
                                         : "the connection was lost");
}

/* Another instance's migration has changed a table under a prepared statement, or a pooler that
 * hides itself has given us a process that does not know it. */
static void doubt_prepared(struct batch *batch, const PGresult *result)
{
    if (postgres_is_state(result, "26000"))
        batch->connection->is_behind_pooler = true;
    else
        batch->connection->is_broken = true;
    batch->again = POSTGRES_ANEW;
}

static void fail_item(struct batch *batch, const struct item *item, const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    bool is_end = severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
    if (!PQresultErrorField(result, PG_DIAG_SQLSTATE)) {
        batch_lose(batch, POSTGRES_ANEW);
        return;
    }
    batch->connection->is_broken |= is_end;
    if (batch->result != 0)
        return;
    /* The commit may have been made, and its answer withheld. */
    if (is_end && item->kind == ITEM_COMMIT) {
        batch->result =
            err_set(batch->err, ERR_UNKNOWN, "the server ended between COMMIT and its answer");
        return;
    }
    int64_t touched;
    if (item->is_guarded && postgres_statement_has_guard_failed(result, &touched))
        batch->result =
            rules_check_touched(&batch->work->statements[item->index], touched, batch->err);
    else
        batch->result = postgres_result_fail(result, batch->err);
    batch->err->index = item->index;
    if (is_end)
        batch->again = POSTGRES_ANEW;
    else if (postgres_is_state(result, "40001") || postgres_is_state(result, "40P01"))
        batch->again = POSTGRES_CONFLICT;
    else if (postgres_is_state(result, "0A000") || postgres_is_state(result, "26000"))
        doubt_prepared(batch, result);
}

/* A bound of ours was broken: the rest of the rows is not worth being read. */
static void abandon(struct batch *batch, int index, int result)
{
    batch_fail(batch, result);
    batch->err->index = index;
    batch->is_lost = true;
    batch->connection->is_broken = true;
}

static int keep_rows(struct batch *batch, int index, const PGresult *result)
{
    struct db_rows **rows = batch->work->results ? &batch->work->results[index] : NULL;
    if (!rows)
        return 0;
    if (!*rows)
        *rows = rows_new(PQnfields(result));
    if (!*rows)
        return err_set(batch->err, ERR_MEMORY, "a result");
    return postgres_rows_append(*rows, result, batch->err);
}

static int64_t touched_by(const PGresult *result)
{
    int64_t touched;
    const char *digits = PQcmdTuples((PGresult *)result);
    return str_to_uint63(str_from(digits), &touched) == 0 ? touched : 0;
}

static int keep_count(struct batch *batch, int index, int64_t touched)
{
    struct db_rows **rows = batch->work->results ? &batch->work->results[index] : NULL;
    if (!rows || batch->work->statements[index].expect != DB_ANY_ROWS)
        return 0;
    *rows = rows_new(0);
    if (!*rows)
        return err_set(batch->err, ERR_MEMORY, "a result");
    rows_set_written(*rows, touched);
    return 0;
}

/* One result of a statement; a row at a time, so that a large one is refused before it is in memory
 * as a whole. */
static void read_statement(struct batch *batch, const struct item *item, const PGresult *result,
                           int64_t *touched)
{
    int status = 0;
    switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
    case PGRES_TUPLES_OK:
        *touched += PQntuples(result);
        if (!item->is_guarded)
            status = keep_rows(batch, item->index, result);
        break;
    case PGRES_COMMAND_OK:
        *touched = touched_by(result);
        if (!item->is_guarded)
            status = keep_count(batch, item->index, *touched);
        break;
    default:
        status = err_set(batch->err, ERR_INTERNAL, "no statement: %s",
                         PQresStatus(PQresultStatus(result)));
        break;
    }
    if (status != 0)
        abandon(batch, item->index, status);
}

static void read_commit(struct batch *batch, const PGresult *result)
{
    /* A COMMIT of what has failed is answered by ROLLBACK; it would have been skipped. */
    if (strcmp(PQcmdStatus((PGresult *)result), "COMMIT") == 0)
        batch->is_committed = true;
    else
        batch_fail(batch, err_set(batch->err, ERR_INTERNAL, "COMMIT did not commit"));
}

static void read_result(struct batch *batch, struct item *item, const PGresult *result,
                        int64_t *touched)
{
    switch (PQresultStatus(result)) {
    case PGRES_FATAL_ERROR:
        fail_item(batch, item, result);
        return;
    case PGRES_PIPELINE_ABORTED:
        return;
    default:
        break;
    }
    if (item->kind == ITEM_STATEMENT)
        read_statement(batch, item, result, touched);
    else if (item->kind == ITEM_COMMIT)
        read_commit(batch, result);
    else if (item->kind == ITEM_PREPARE)
        item->place = NULL;
}

/* All results of one item. */
static void read_item(struct batch *batch, struct item *item)
{
    int64_t touched = 0;
    if (item->kind == ITEM_STATEMENT && !item->is_guarded)
        (void)PQsetSingleRowMode(batch->handle);
    while (!batch->is_lost) {
        CLEANUP(cleanup_pgresult) PGresult *result = NULL;
        struct err unread;
        /* A server that is silent is so on the next connection, too. */
        if (postgres_connection_read(batch->connection, POSTGRES_SILENCE_MS, &result, &unread) != 0)
            batch_lose(batch, POSTGRES_FINAL);
        if (!result)
            break;
        read_result(batch, item, result, &touched);
        if (item->kind == ITEM_SYNC)
            break; /* has no end of its own */
    }
    if (batch->result != 0 || item->kind != ITEM_STATEMENT || item->is_guarded)
        return;
    batch_fail(batch,
               rules_check_touched(&batch->work->statements[item->index], touched, batch->err));
    if (batch->result != 0)
        batch->err->index = item->index;
}

void batch_read(struct batch *batch)
{
    while (batch->read < batch->queued && !batch->is_lost)
        read_item(batch, &batch->items[batch->read++]);
}
