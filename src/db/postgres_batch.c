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
#include "db/postgres_batch_internal.h"

#include "db/rows.h"

#include <stdio.h>

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
    if (batch_fail(batch, postgres_parameters_fill(&parameters, statement, batch->err)) != 0) {
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
        batch_lose(batch, POSTGRES_ANEW);
        return;
    }
    batch_read(batch);
    bool is_undecided = batch->read > 0 && batch->items[batch->read - 1].kind != ITEM_SYNC;
    settle_places(batch);
    if (is_undecided && !batch->is_lost) {
        if (send_verdict(batch))
            batch_read(batch);
        else
            batch_lose(batch, POSTGRES_ANEW);
        settle_places(batch);
    }
    if (is_left_open(batch)) {
        if (send_control(batch, ITEM_CONTROL, "ROLLBACK") && send_sync(batch))
            batch_read(batch);
        else
            batch_lose(batch, POSTGRES_ANEW);
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
