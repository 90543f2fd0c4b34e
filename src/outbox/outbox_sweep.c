/* Ending what is over and deleting what is old: the duty of one process of all, on its journal's
 * thread. A statement that does not go behind the duty's fence has no place here. */
#include "outbox/outbox_journal_internal.h"

#include "outbox/outbox_rules.h"

/* Two sweeps may fail before it is another's duty; when its holder dies it is at the next sweep. */
#define HOLD_MS (3 * JOURNAL_SWEEP_MS)
/* Dead instances are shown to operators for a while. */
#define BURY_MS MS_PER_HOUR

/* Nothing happens when the duty has passed to another meanwhile. */
static int sweep_by(struct journal *journal, struct db_statement statement, struct db_rows **rows,
                    struct err *err)
{
    struct db_rows *results[2] = { 0 };
    const struct db_statement statements[] = { duty_fence(&journal->sweeping), statement };
    int result = db_atomic(journal->settings.db, statements, 2, results, err);
    db_rows_free(results[0]);
    *rows = results[1];
    if (result == ERR_EXPECTATION)
        journal->sweeping.number = 0;
    return result;
}

static void report_expired(const struct journal *journal, const struct db_rows *rows)
{
    for (int i = 0; i < db_rows_count(rows); i++) {
        struct str_view request_id = db_rows_text(rows, i, 1);
        struct log log = log_of(journal->settings.log);
        log_warning(&log, "message given up", LOG_TEXT("reason", STR("expired")),
                    LOG_TEXT("waited_as", STR("queued")), LOG_TEXT("of_request", request_id),
                    LOG_INT("job", db_rows_int(rows, i, 0)));
        metrics_add_by(journal->settings.metrics, METRIC_OUTBOX_GIVEN_UP, OUTBOX_LOSS_EXPIRED, 1);
    }
}

void journal_sweep(struct journal *journal)
{
    int64_t time_ms = journal_now_ms(journal);
    const struct db_statement sweeps[] = {
        outbox_store_expire(time_ms),
        outbox_store_purge_content(time_ms),
        outbox_store_purge_rows(time_ms),
        outbox_store_bury(time_ms - BURY_MS),
    };
    struct err err = { 0 };
    if (duty_hold(journal->settings.db, &journal->sweeping, time_ms, HOLD_MS, &err) != 0)
        journal_report(journal, "who sweeps the outbox is not known", &err);
    for (size_t i = 0; i < ARRAY_LENGTH(sweeps) && duty_is_held(&journal->sweeping); i++) {
        CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
        if (sweep_by(journal, sweeps[i], &rows, &err) != 0)
            journal_report(journal, "the outbox was not swept", &err);
        else if (i == 0)
            report_expired(journal, rows);
    }
}
