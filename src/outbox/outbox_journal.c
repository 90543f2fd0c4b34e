/* The thread and its list of entries. Entries are written in their order, up to DB_MAX_STATEMENTS
 * in one transaction; each statement does nothing when the row is not as expected, so none fails
 * for another's sake. A batch that fails is tried again, for the database may be away; one that can
 * never succeed is written entry by entry to find the one that is wrong. */
#include "outbox/outbox_journal.h"

#include "core/backoff.h"
#include "core/thread.h"
#include "db/engine.h"
#include "outbox/outbox_journal_internal.h"

#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#define BACKOFF_LEAST_US 1000
#define BACKOFF_BASE_US  20000
#define BACKOFF_CAP_US   1000000

/* --- From other threads --- */

void journal_submit(struct journal *journal, struct journal_entry *entry)
{
    entry->next = NULL;
    pthread_mutex_lock(&journal->lock);
    *journal->end = entry;
    journal->end = &entry->next;
    journal->submitted++;
    pthread_cond_signal(&journal->changed);
    pthread_mutex_unlock(&journal->lock);
}

/* Our own calls are for others: what we give away is not for us to take at once. */
static void on_called(void *context, int64_t caller)
{
    struct journal *journal = context;
    if (caller == journal->instance.id)
        return;
    pthread_mutex_lock(&journal->lock);
    journal->is_called = true;
    pthread_cond_signal(&journal->changed);
    pthread_mutex_unlock(&journal->lock);
}

int64_t journal_instance_id(const struct journal *journal)
{
    return journal->instance.id;
}

bool journal_has_lease(const struct journal *journal)
{
    return journal_now_us(journal) < atomic_load(&journal->lease_until_us);
}

/* --- One batch --- */

/* One place is for the call that tells others of jobs handed back. */
#define BATCH_MAX (DB_MAX_STATEMENTS - 1)

struct batch {
    struct journal_entry *entries[BATCH_MAX];
    struct db_statement statements[DB_MAX_STATEMENTS];
    struct db_rows *results[DB_MAX_STATEMENTS];
    int count;
};

static struct db_statement statement_of(const struct journal *journal,
                                        const struct journal_entry *entry)
{
    int64_t owner = journal->instance.id;
    int64_t time_ms = journal_now_ms(journal);
    switch (entry->change) {
    case JOURNAL_STORE_RUN:
        return outbox_store_run(entry->record, buf_view(&entry->sealed), owner, time_ms);
    case JOURNAL_DONE:
        return outbox_store_done(entry->record, entry->tries, owner, time_ms);
    case JOURNAL_EXPIRED:
    case JOURNAL_DEAD:
        return outbox_store_end(entry->record, entry->reason, entry->tries, owner, time_ms);
    case JOURNAL_STARTED:
    case JOURNAL_NOT_STARTED:
        return outbox_store_started(entry->record, entry->change == JOURNAL_STARTED,
                                    entry->available_ms, owner, time_ms);
    case JOURNAL_RELEASE:
        return outbox_store_release(entry->record, entry->available_ms, entry->tries, owner,
                                    time_ms);
    default:
        return outbox_store_load(owner, entry->interaction_id);
    }
}

static void end_entry(struct journal *journal, struct journal_entry *entry,
                      enum journal_result result)
{
    journal->ended++;
    buf_free(&entry->sealed);
    entry->ended(entry, result);
}

/* Called for an edit whose end was refused: it may have got a newer version. */
static void reload(struct journal *journal, int64_t id)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct db_statement statement = outbox_store_reload(journal->instance.id, id);
    struct err err = { 0 };
    struct log log = log_of(journal->settings.log);
    if (db_query(journal->settings.db, &statement, &rows, &err) == 0) {
        journal_load_rows(journal, rows);
        return;
    }
    log_error(&log, "a newer edit could not be read", LOG_TEXT("reason", str_from(err.message)));
    journal->needs_reclaim = true; /* it is ours: nobody else would see it */
}

static void end_written(struct journal *journal, struct journal_entry *entry,
                        const struct db_rows *rows)
{
    if (entry->change == JOURNAL_LOAD) {
        journal_load_rows(journal, rows);
        end_entry(journal, entry, JOURNAL_WRITTEN);
        return;
    }
    bool is_refused = db_rows_touched(rows) == 0;
    journal->has_queued |= entry->change == JOURNAL_RELEASE && !is_refused;
    bool is_end = entry->change == JOURNAL_DONE || entry->change == JOURNAL_EXPIRED ||
                  entry->change == JOURNAL_DEAD;
    bool may_be_newer = is_refused && is_end && entry->record->kind == OUTBOX_KIND_EDIT;
    int64_t id = may_be_newer ? entry->record->id : 0;
    end_entry(journal, entry, is_refused ? JOURNAL_REFUSED : JOURNAL_WRITTEN);
    if (may_be_newer)
        reload(journal, id);
}

static void end_batch(struct journal *journal, struct batch *batch)
{
    for (int i = 0; i < batch->count; i++) {
        end_written(journal, batch->entries[i], batch->results[i]);
        db_rows_free(batch->results[i]);
    }
    batch->count = 0;
}

static void lose_batch(struct journal *journal, struct batch *batch)
{
    for (int i = 0; i < batch->count; i++)
        end_entry(journal, batch->entries[i], JOURNAL_LOST);
    batch->count = 0;
}

static bool is_passing(int code)
{
    return code == ERR_BUSY || code == ERR_UNAVAILABLE || code == ERR_UNKNOWN ||
           code == ERR_MEMORY || code == ERR_IO;
}

/* A batch that can never be written as a whole. */
static int write_singly(struct journal *journal, struct batch *batch, struct err *err)
{
    struct log log = log_of(journal->settings.log);
    for (int i = 0; i < batch->count; i++) {
        CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
        int result = db_query(journal->settings.db, &batch->statements[i], &rows, err);
        if (is_passing(result)) {
            batch->count -= i;
            for (int k = 0; k < batch->count; k++)
                batch->entries[k] = batch->entries[k + i];
            return result;
        }
        if (result == 0) {
            end_written(journal, batch->entries[i], rows);
            continue;
        }
        log_error(&log, "a change of a job can't be written",
                  LOG_INT("change", batch->entries[i]->change),
                  LOG_TEXT("reason", str_from(err->message)));
        journal->needs_reclaim |= batch->entries[i]->change == JOURNAL_LOAD;
        end_entry(journal, batch->entries[i], JOURNAL_LOST);
    }
    batch->count = 0;
    return 0;
}

/* In the same transaction: whoever hears of jobs finds them. The number of statements. */
static int prepare_batch(struct journal *journal, struct batch *batch)
{
    bool is_releasing = false;
    for (int i = 0; i < batch->count; i++) {
        batch->statements[i] = statement_of(journal, batch->entries[i]);
        is_releasing |= batch->entries[i]->change == JOURNAL_RELEASE;
    }
    bool is_calling = is_releasing && outbox_store_call(journal->settings.db, journal->instance.id,
                                                        &batch->statements[batch->count]);
    return batch->count + is_calling;
}

/* 0 when all entries have ended, one way or the other; else the database is away for now. */
static int write_batch(struct journal *journal, struct batch *batch, struct err *err)
{
    int64_t started_us = journal_now_us(journal);
    int count = prepare_batch(journal, batch);
    int result = db_atomic(journal->settings.db, batch->statements, count, batch->results, err);
    if (result == 0) {
        if (count > batch->count)
            db_rows_free(batch->results[batch->count]);
        metrics_add(journal->settings.metrics, METRIC_JOURNAL_BATCHES, 1);
        metrics_add(journal->settings.metrics, METRIC_JOURNAL_ENTRIES, batch->count);
        metrics_observe_us(journal->settings.metrics, METRIC_JOURNAL_WRITE,
                           journal_now_us(journal) - started_us);
        end_batch(journal, batch);
        return 0;
    }
    if (is_passing(result))
        return result;
    if (result != ERR_STOPPED)
        return write_singly(journal, batch, err);
    lose_batch(journal, batch);
    return 0;
}

/* --- The thread --- */

static void take_entries(struct journal *journal, struct batch *batch)
{
    pthread_mutex_lock(&journal->lock);
    while (journal->first && batch->count < BATCH_MAX) {
        struct journal_entry *entry = journal->first;
        journal->first = entry->next;
        batch->entries[batch->count++] = entry;
    }
    if (!journal->first)
        journal->end = &journal->first;
    pthread_mutex_unlock(&journal->lock);
}

/* Until there is an entry or a call (unless `has_entries` says that some wait already), the time
 * has come, or the journal stops. True when it is over: stopping, and nothing left or no time left.
 */
static bool wait_until(struct journal *journal, int64_t until_us, bool has_entries)
{
    pthread_mutex_lock(&journal->lock);
    for (;;) {
        bool is_stopping = journal->is_stopping;
        int64_t time_us = journal_now_us(journal);
        bool is_over =
            is_stopping && (time_us >= journal->stop_us || (!has_entries && !journal->first));
        bool has_come = journal->first || journal->is_called;
        if (is_over || time_us >= until_us || (!has_entries && has_come)) {
            journal->was_called |= journal->is_called;
            journal->is_called = false;
            pthread_mutex_unlock(&journal->lock);
            return is_over;
        }
        if (is_stopping && until_us > journal->stop_us)
            until_us = journal->stop_us;
        /* The clock may be a test's: sleep by the system's, look at ours again. */
        int64_t sleep_us = until_us - time_us;
        if (sleep_us > journal->settings.poll_ms * 1000)
            sleep_us = journal->settings.poll_ms * 1000;
        struct timespec deadline = thread_time_at(thread_now_us() + sleep_us);
        pthread_cond_timedwait(&journal->changed, &journal->lock, &deadline);
    }
}

static void lose_rest(struct journal *journal, struct batch *batch)
{
    do {
        lose_batch(journal, batch);
        take_entries(journal, batch);
    } while (batch->count > 0);
}

static void *run(void *argument)
{
    struct journal *journal = argument;
    struct batch batch = { 0 };
    int failures = 0;
    int64_t until_us = 0;
    while (!wait_until(journal, until_us, batch.count > 0)) {
        struct err err = { 0 };
        if (batch.count == 0)
            take_entries(journal, &batch);
        if (batch.count == 0 || write_batch(journal, &batch, &err) == 0)
            failures = 0;
        else if (++failures == 1)
            journal_report(journal, "jobs wait for the database", &err);
        upkeep(journal);
        until_us = upkeep_next_us(journal);
        if (batch.count > 0)
            until_us = journal_now_us(journal) + BACKOFF_LEAST_US +
                       backoff_draw(BACKOFF_BASE_US, BACKOFF_CAP_US, failures);
    }
    lose_rest(journal, &batch);
    upkeep_end(journal);
    return NULL;
}

/* --- Beginning and end --- */

static void describe_instance(struct journal *journal)
{
    struct outbox_instance *instance = &journal->instance;
    uint64_t random;
    randombytes_buf(&random, sizeof(random));
    instance->id = (int64_t)(random >> 1) | 1;
    instance->role = journal->settings.role;
    instance->process_id = getpid();
    instance->started_at_ms = journal_now_ms(journal);
    if (gethostname(instance->host, sizeof(instance->host) - 1) != 0 ||
        !utf8_is_valid(str_from(instance->host)))
        instance->host[0] = '\0';
}

static void destroy(struct journal *journal)
{
    pthread_cond_destroy(&journal->changed);
    pthread_mutex_destroy(&journal->lock);
    sodium_memzero(journal, sizeof(*journal));
    free(journal);
}

int journal_new(struct journal **out, const struct journal_settings *settings, struct err *err)
{
    struct journal *journal = calloc(1, sizeof(*journal));
    if (!journal)
        return err_set(err, ERR_MEMORY, "the outbox's journal");
    journal->settings = *settings;
    if (settings->lease_ms == 0)
        journal->settings.lease_ms = JOURNAL_LEASE_MS;
    if (settings->heartbeat_ms == 0)
        journal->settings.heartbeat_ms = JOURNAL_HEARTBEAT_MS;
    if (settings->poll_ms == 0)
        journal->settings.poll_ms = JOURNAL_POLL_MS;
    journal->end = &journal->first;
    pthread_mutex_init(&journal->lock, NULL);
    thread_cond_init(&journal->changed);
    describe_instance(journal);
    journal->sweeping = (struct duty){ .name = "sweep", .instance_id = journal->instance.id };
    int result = upkeep_begin(journal, err);
    if (result == 0)
        result = db_listen(journal->settings.db, OUTBOX_CHANNEL, on_called, journal,
                           &journal->listener, err);
    if (result == 0) {
        int number = thread_start(&journal->thread, THREAD_JOINED, 0, run, journal);
        if (number != 0)
            result = err_set_errno(err, ERR_IO, number, "starting the outbox's journal");
    }
    if (result != 0) {
        db_unlisten(journal->listener);
        destroy(journal);
        return result;
    }
    *out = journal;
    return 0;
}

void journal_free(struct journal *journal, int64_t deadline_ms)
{
    pthread_mutex_lock(&journal->lock);
    journal->is_stopping = true;
    journal->stop_us = journal_now_us(journal) + deadline_ms * 1000;
    pthread_cond_signal(&journal->changed);
    pthread_mutex_unlock(&journal->lock);
    pthread_join(journal->thread, NULL);
    db_unlisten(journal->listener);
    destroy(journal);
}
