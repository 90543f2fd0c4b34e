/* One batch, one transaction, by the pipeline mode of libpq: everything is sent before anything is
 * read. When a statement fails the server skips what follows up to the next Sync.
 *
 *     BEGIN  statement 1 ... statement n  COMMIT  Sync          one round trip
 *     BEGIN  statement 1 ... statement n  Flush                 two, when the answers decide:
 *                                         COMMIT  Sync          ... all is well
 *                                  Sync ROLLBACK  Sync          ... or not
 *     statement  Sync                                           a lone read
 *
 * One trip needs that the server can judge alone: expectations are built into writes as guards
 * (postgres_statement.c), and no rows are wanted that might break a bound of ours. Otherwise the
 * COMMIT waits for our verdict; on a connection to the same machine that costs some 40 us.
 *
 * Unknown outcomes. Once COMMIT has left, a lost connection says nothing about the transaction:
 * ERR_UNKNOWN. An error answer to an earlier statement proves that COMMIT was skipped, and a lost
 * connection before COMMIT was sent that there is nothing to commit.
 *
 * Statements are prepared in the same pipeline in front of their first use; a place in the cache
 * whose preparation was skipped is freed when the batch ends. */
#include "db/postgres_batch.h"

#include "db/postgres_error.h"
#include "db/postgres_statement.h"
#include "db/rows.h"
#include "db/rules.h"

#include <stdio.h>
#include <string.h>

/* BEGIN, for each statement the old name, the new name and itself, COMMIT, Sync. */
#define ITEMS_MAX (3 * DB_MAX_STATEMENTS + 3)

enum item_kind { ITEM_CONTROL, ITEM_PREPARE, ITEM_STATEMENT, ITEM_COMMIT, ITEM_SYNC };

struct item {
    enum item_kind kind;
    int index;                       /* of the statement */
    bool is_guarded;                 /* ... whose one row is the guard's */
    struct postgres_prepared *place; /* ITEM_PREPARE: NULL once it succeeded */
};

struct batch {
    struct postgres_connection *connection;
    PGconn *handle;
    const struct postgres_work *work;
    struct err *err;
    struct item items[ITEMS_MAX];
    int queued, read;
    enum postgres_kind kinds[DB_MAX_STATEMENTS];
    bool is_lone_read;
    bool is_judged_here; /* COMMIT waits for the answers */
    bool has_sent_commit, is_committed, is_lost;
    int result;
    enum postgres_again again;
};

static int fail(struct batch *batch, int result)
{
    if (batch->result == 0)
        batch->result = result;
    return result;
}

/* The connection is of no use any more; what became of the transaction depends on when. */
static void lose(struct batch *batch, enum postgres_again again)
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

static struct item *queue(struct batch *batch, enum item_kind kind)
{
    struct item *item = &batch->items[batch->queued++];
    *item = (struct item){ .kind = kind, .index = -1 };
    return item;
}

/* False when libpq refused, for want of memory or of a server. */
static bool send_control(struct batch *batch, enum item_kind kind, const char *sql)
{
    bool is_sent = PQsendQueryParams(batch->handle, sql, 0, NULL, NULL, NULL, NULL, 1) == 1;
    if (is_sent)
        queue(batch, kind);
    return is_sent;
}

static bool send_sync(struct batch *batch)
{
    bool is_sent = PQpipelineSync(batch->handle) == 1;
    if (is_sent)
        queue(batch, ITEM_SYNC);
    return is_sent;
}

static bool send_prepare(struct batch *batch, int index, struct postgres_prepared *place,
                         const char *name, uint32_t replaced,
                         const struct postgres_parameters *parameters)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    if (replaced != 0) {
        char old_name[POSTGRES_NAME_SIZE], sql[sizeof("DEALLOCATE ") + POSTGRES_NAME_SIZE];
        postgres_statement_name(batch->connection, replaced, old_name);
        snprintf(sql, sizeof(sql), "DEALLOCATE %s", old_name);
        if (!send_control(batch, ITEM_CONTROL, sql))
            return false;
    }
    postgres_statement_append(&text, place->copy, (enum db_expectation)place->expect);
    if (text.has_failed ||
        PQsendPrepare(batch->handle, name, text.data, parameters->count, parameters->types) != 1)
        return false;
    struct item *item = queue(batch, ITEM_PREPARE);
    item->place = place;
    item->index = index;
    return true;
}

static bool send_unnamed(struct batch *batch, const char *sql, enum db_expectation expect,
                         const struct postgres_parameters *parameters)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    postgres_statement_append(&text, sql, expect);
    return !text.has_failed &&
           PQsendQueryParams(batch->handle, text.data, parameters->count, parameters->types,
                             parameters->values, parameters->lengths, parameters->formats, 1) == 1;
}

static bool send_parameters(struct batch *batch, int index, enum db_expectation expect,
                            const struct postgres_parameters *parameters)
{
    const char *sql = batch->work->statements[index].sql;
    struct postgres_prepared *place = NULL;
    bool is_new = false;
    uint32_t replaced = 0;
    if (!batch->connection->is_behind_pooler)
        place = postgres_statement_find(batch->connection, sql, parameters->signature, expect,
                                        &is_new, &replaced);
    if (!place)
        return send_unnamed(batch, sql, expect, parameters);
    char name[POSTGRES_NAME_SIZE];
    postgres_statement_name(batch->connection, place->number, name);
    if (is_new && !send_prepare(batch, index, place, name, replaced, parameters)) {
        postgres_statement_forget(place);
        return false;
    }
    return PQsendQueryPrepared(batch->handle, name, parameters->count, parameters->values,
                               parameters->lengths, parameters->formats, 1) == 1;
}

/* Not sent at all for a fault of the caller's: the result says so, and what was sent before is
 * rolled back like any failure. */
static bool send_statement(struct batch *batch, int index)
{
    const struct db_statement *statement = &batch->work->statements[index];
    struct postgres_parameters parameters;
    bool is_guarded = postgres_statement_is_guarded(statement, batch->kinds[index]);
    enum db_expectation expect = is_guarded ? statement->expect : DB_ANY_ROWS;
    if (fail(batch, postgres_parameters_fill(&parameters, statement, batch->err)) != 0) {
        batch->err->index = index;
        return true;
    }
    if (!send_parameters(batch, index, expect, &parameters))
        return false;
    struct item *item = queue(batch, ITEM_STATEMENT);
    item->index = index;
    item->is_guarded = is_guarded;
    return true;
}

/* --- Reading --- */

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
        lose(batch, POSTGRES_ANEW);
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
    fail(batch, result);
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
        fail(batch, err_set(batch->err, ERR_INTERNAL, "COMMIT did not commit"));
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
    case PGRES_EMPTY_QUERY:
        fail(batch, err_set(batch->err, ERR_INTERNAL, "a statement without SQL"));
        batch->err->index = item->index;
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
            lose(batch, POSTGRES_FINAL);
        if (!result)
            break;
        read_result(batch, item, result, &touched);
        if (item->kind == ITEM_SYNC)
            break; /* has no end of its own */
    }
    if (batch->result != 0 || item->kind != ITEM_STATEMENT || item->is_guarded)
        return;
    fail(batch, rules_check_touched(&batch->work->statements[item->index], touched, batch->err));
    if (batch->result != 0)
        batch->err->index = item->index;
}

static void read_all(struct batch *batch)
{
    while (batch->read < batch->queued && !batch->is_lost)
        read_item(batch, &batch->items[batch->read++]);
}

/* --- The whole --- */

static bool is_one_trip(const struct batch *batch)
{
    if (batch->is_lone_read)
        return true;
    for (int i = 0; i < batch->work->count; i++) {
        const struct db_statement *statement = &batch->work->statements[i];
        enum postgres_kind kind = batch->kinds[i];
        bool may_return_rows = kind != POSTGRES_WRITE && batch->work->results;
        bool is_expecting = statement->expect != DB_ANY_ROWS;
        if (may_return_rows || (is_expecting && !postgres_statement_is_guarded(statement, kind)))
            return false;
    }
    return true;
}

static int look_at_statements(struct batch *batch)
{
    for (int i = 0; i < batch->work->count; i++) {
        const char *sql = batch->work->statements[i].sql;
        batch->kinds[i] = postgres_statement_kind(sql);
        if (batch->kinds[i] != POSTGRES_REFUSED)
            continue;
        int result =
            err_set(batch->err, ERR_INTERNAL, "\"%.20s\" is no statement for services to use", sql);
        batch->err->index = i;
        return result;
    }
    batch->is_lone_read = batch->work->count == 1 && batch->kinds[0] == POSTGRES_READ;
    batch->is_judged_here = !is_one_trip(batch);
    return 0;
}

static bool send_commit(struct batch *batch)
{
    batch->has_sent_commit = true;
    return send_control(batch, ITEM_COMMIT, "COMMIT");
}

static bool send_all(struct batch *batch)
{
    bool is_sent = batch->is_lone_read || send_control(batch, ITEM_CONTROL, "BEGIN");
    for (int i = 0; i < batch->work->count && is_sent && batch->result == 0; i++)
        is_sent = send_statement(batch, i);
    if (!is_sent || batch->is_judged_here || batch->result != 0)
        return is_sent && PQsendFlushRequest(batch->handle) == 1;
    return (batch->is_lone_read || send_commit(batch)) && send_sync(batch);
}

/* The verdict on statements that were run but not committed. */
static bool send_verdict(struct batch *batch)
{
    if (batch->result == 0)
        return send_commit(batch) && send_sync(batch);
    return send_sync(batch) && send_control(batch, ITEM_CONTROL, "ROLLBACK") && send_sync(batch);
}

/* After a failure within one trip the server still waits in the transaction. */
static bool is_left_open(const struct batch *batch)
{
    return !batch->is_lost && PQtransactionStatus(batch->handle) != PQTRANS_IDLE;
}

/* Places whose preparation was skipped hold nothing. */
static void settle_places(struct batch *batch)
{
    for (int i = 0; i < batch->queued; i++)
        if (batch->items[i].kind == ITEM_PREPARE && batch->items[i].place)
            postgres_statement_forget(batch->items[i].place);
    batch->queued = batch->read = 0;
}

static void run(struct batch *batch)
{
    /* What libpq still holds after it refused is never sent: the connection is closed. */
    if (!send_all(batch)) {
        lose(batch, POSTGRES_ANEW);
        return;
    }
    read_all(batch);
    bool is_undecided = batch->read > 0 && batch->items[batch->read - 1].kind != ITEM_SYNC;
    settle_places(batch);
    if (is_undecided && !batch->is_lost) {
        if (send_verdict(batch))
            read_all(batch);
        else
            lose(batch, POSTGRES_ANEW);
        settle_places(batch);
    }
    if (is_left_open(batch)) {
        if (send_control(batch, ITEM_CONTROL, "ROLLBACK") && send_sync(batch))
            read_all(batch);
        else
            lose(batch, POSTGRES_ANEW);
    }
    /* Nobody may get a connection that is within a transaction. */
    batch->connection->is_broken |= is_left_open(batch);
}

int postgres_batch_run(struct postgres_connection *connection, const struct postgres_work *work,
                       struct postgres_outcome *outcome, struct err *err)
{
    struct batch batch = {
        .connection = connection,
        .handle = connection->handle,
        .work = work,
        .err = err,
    };
    connection->batches++;
    *outcome = (struct postgres_outcome){ .again = POSTGRES_FINAL };
    int result = look_at_statements(&batch);
    if (result != 0)
        return result;
    run(&batch);
    if (batch.result != 0)
        rows_free_all(work->results, work->count);
    outcome->again = batch.again;
    outcome->has_committed = batch.is_committed;
    return batch.result;
}
