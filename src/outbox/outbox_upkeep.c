/* What time brings: heartbeats, taking over what waits, counting, sweeping (outbox_sweep.c). All on
 * the journal's thread, between batches.
 *
 * The lease is counted from before the heartbeat was sent, so this process believes in it no longer
 * than others do. */
#include "outbox/outbox_journal_internal.h"

#include "db/engine.h"
#include "outbox/outbox_rules.h"

#define CLAIM_MAX     64 /* rows a claim takes at once: their messages pass through memory */
/* However often others call: each look has its price, and the next one finds more. */
#define CALL_PAUSE_MS INT64_C(100)
#define DELAY_MAX_S   3600

static int run_statement(struct journal *journal, struct db_statement statement,
                         struct db_rows **rows, struct err *err)
{
    return db_query(journal->settings.db, &statement, rows, err);
}

void journal_report(const struct journal *journal, const char *what, const struct err *err)
{
    struct log log = log_of(journal->settings.log);
    log_warning(&log, what, LOG_TEXT("code", str_from(err_code_word(err->code))),
                LOG_TEXT("reason", str_from(err->message)));
}

/* --- Jobs that come --- */

static void load_row(struct journal *journal, const struct outbox_record *row,
                     struct str_view sealed)
{
    struct outbox_record *record = NULL;
    struct err err = { 0 };
    int result = outbox_record_open(journal->settings.key, row, sealed, &record, &err);
    if (result == 0) {
        journal->settings.loaded(journal->settings.context, record);
        return;
    }
    struct log log = log_of_request(journal->settings.log, row->request_id);
    log_error(&log, "a job can't be read", LOG_INT("job", row->id),
              LOG_TEXT("reason", str_from(err.message)));
    struct db_statement give_up =
        result == ERR_MEMORY
            ? outbox_store_release(row, journal_now_ms(journal) + MS_PER_SECOND, row->tries,
                                   journal->instance.id, journal_now_ms(journal))
            : outbox_store_end(row, "unreadable", row->tries, journal->instance.id,
                               journal_now_ms(journal));
    if (run_statement(journal, give_up, NULL, &err) != 0)
        journal_report(journal, "a job that can't be read stays", &err);
}

void journal_load_rows(struct journal *journal, const struct db_rows *rows)
{
    for (int i = 0; i < db_rows_count(rows); i++) {
        struct outbox_record row;
        struct str_view sealed;
        outbox_store_read_row(rows, i, &row, &sealed);
        load_row(journal, &row, sealed);
    }
}

/* `*limit` is halved when so many rows at once are more than a result may hold. */
static bool is_too_much(int code, int *limit)
{
    if (code != ERR_LIMIT || *limit == 1)
        return false;
    *limit /= 2;
    return true;
}

static void claim(struct journal *journal)
{
    int limit = CLAIM_MAX, room;
    while ((room = journal->settings.room(journal->settings.context)) > 0) {
        CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
        struct err err = { 0 };
        limit = room < limit ? room : limit;
        int result = run_statement(journal,
                                   outbox_store_claim(journal->settings.db, journal->instance.id,
                                                      limit, journal_now_ms(journal)),
                                   &rows, &err);
        int taken = db_rows_count(rows);
        if (is_too_much(result, &limit))
            continue;
        if (result != 0)
            journal_report(journal, "waiting jobs could not be taken", &err);
        /* They may be ours all the same: then nobody else sees them. */
        journal->needs_reclaim |= result == ERR_UNKNOWN || result == ERR_MEMORY;
        metrics_add(journal->settings.metrics, METRIC_OUTBOX_CLAIMED, taken);
        journal_load_rows(journal, rows);
        if (taken < limit)
            return;
    }
}

/* --- The lease --- */

static void notice_loss(struct journal *journal)
{
    if (journal->has_lost_lease || journal_now_us(journal) < atomic_load(&journal->lease_until_us))
        return;
    struct log log = log_of(journal->settings.log);
    log_warning(&log, "the lease on this process's jobs is lost: others may take them",
                LOG_NOTHING);
    metrics_add(journal->settings.metrics, METRIC_LEASES_LOST, 1);
    journal->has_lost_lease = true;
    journal->settings.lost(journal->settings.context);
}

/* Whoever else lost its lease as well, because the database was away, comes back about now: its
 * jobs are its own for a heartbeat longer. */
static void begin_anew(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    journal->reclaim_at = journal->submitted;
    pthread_mutex_unlock(&journal->lock);
    journal->needs_reclaim = true;
    journal->has_lost_lease = false;
    journal->poll_due_us = journal_now_us(journal) + journal->settings.heartbeat_ms * 1000;
    journal->claim_from_us = journal->sweep_due_us = journal->poll_due_us;
}

static int count_instances(struct journal *journal, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    if (!journal->settings.counted)
        return 0;
    int result =
        run_statement(journal, outbox_store_count_instances(journal_now_ms(journal)), &rows, err);
    if (result == 0)
        journal->settings.counted(journal->settings.context, (int)db_rows_int(rows, 0, 0));
    return result;
}

static int beat(struct journal *journal, struct err *err)
{
    int64_t started_us = journal_now_us(journal);
    int64_t until_ms = journal_now_ms(journal) + journal->settings.lease_ms;
    int result =
        run_statement(journal, outbox_store_heartbeat(&journal->instance, until_ms), NULL, err);
    /* It sees who came before us; who comes after sees us. */
    if (result == 0)
        result = count_instances(journal, err);
    if (result != 0)
        return result;
    atomic_store(&journal->lease_until_us, started_us + journal->settings.lease_ms * 1000);
    if (journal->has_lost_lease)
        begin_anew(journal);
    return 0;
}

/* What we held when the lease was lost, others may have taken; the rest is still ours, but
 * forgotten. */
static void reclaim(struct journal *journal)
{
    struct outbox_record last = { .created_at_ms = INT64_MIN };
    int limit = CLAIM_MAX, count = 0;
    do {
        CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
        struct err err = { 0 };
        int result = run_statement(journal, outbox_store_held(journal->instance.id, &last, limit),
                                   &rows, &err);
        count = db_rows_count(rows);
        if (is_too_much(result, &limit)) {
            count = limit;
            continue;
        }
        if (result != 0) {
            journal_report(journal, "jobs could not be loaded anew", &err);
            return;
        }
        journal_load_rows(journal, rows);
        struct str_view unread;
        if (count > 0)
            outbox_store_read_row(rows, count - 1, &last, &unread);
    } while (count == limit);
    journal->needs_reclaim = false;
}

/* --- Counting --- */

static void count(struct journal *journal)
{
    static const struct {
        const char *state;
        enum metric metric;
    } gauges[] = { { "queued", METRIC_OUTBOX_QUEUED },
                   { "leased", METRIC_OUTBOX_LEASED },
                   { "dead", METRIC_OUTBOX_DEAD } };
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct err err = { 0 };
    int64_t time_ms = journal_now_ms(journal), oldest_ms = time_ms;
    if (run_statement(journal, outbox_store_census(time_ms), &rows, &err) != 0)
        return;
    journal->has_queued = false;
    for (size_t i = 0; i < ARRAY_LENGTH(gauges); i++) {
        int64_t number = 0;
        for (int row = 0; row < db_rows_count(rows); row++) {
            if (!str_equal(db_rows_text(rows, row, 0), str_from(gauges[i].state)))
                continue;
            number = db_rows_int(rows, row, 1);
            if (gauges[i].metric != METRIC_OUTBOX_DEAD && db_rows_int(rows, row, 2) < oldest_ms)
                oldest_ms = db_rows_int(rows, row, 2);
        }
        metrics_gauge_set(journal->settings.metrics, gauges[i].metric, number);
        if (gauges[i].metric == METRIC_OUTBOX_QUEUED)
            journal->has_queued = number > 0;
    }
    metrics_gauge_set(journal->settings.metrics, METRIC_OUTBOX_OLDEST,
                      (time_ms - oldest_ms) / MS_PER_SECOND);
}

static void read_delay(struct journal *journal)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct db_statement statement = {
        .sql = "SELECT value FROM bot_state WHERE key = 'rate_limit_delay'",
    };
    struct err err = { 0 };
    int64_t seconds = 0;
    if (!journal->settings.delay_read || run_statement(journal, statement, &rows, &err) != 0)
        return;
    if (db_rows_count(rows) > 0 && (str_to_int64(db_rows_text(rows, 0, 0), &seconds) != 0 ||
                                    seconds < 0 || seconds > DELAY_MAX_S))
        seconds = 0;
    journal->settings.delay_read(journal->settings.context, seconds * MS_PER_SECOND);
}

/* --- What is due --- */

static bool is_due(const struct journal *journal, int64_t *due_us, int64_t every_ms)
{
    int64_t time_us = journal_now_us(journal);
    if (time_us < *due_us)
        return false;
    *due_us = time_us + every_ms * 1000;
    return true;
}

static void keep_lease(struct journal *journal)
{
    struct err err = { 0 };
    if (beat(journal, &err) != 0) {
        if (!journal->has_missed_beat)
            journal_report(journal, "no heartbeat", &err);
        journal->has_missed_beat = true;
        journal->heartbeat_due_us = journal_now_us(journal) + journal->settings.poll_ms * 1000;
        notice_loss(journal);
        return;
    }
    journal->has_missed_beat = false;
    read_delay(journal);
    count(journal);
}

static void heed_call(struct journal *journal)
{
    int64_t from_us = journal_now_us(journal);
    if (!journal->was_called)
        return;
    journal->was_called = false;
    journal->has_queued = true;
    if (from_us < journal->claim_from_us)
        from_us = journal->claim_from_us;
    if (from_us < journal->poll_due_us)
        journal->poll_due_us = from_us;
}

/* Who hears no call must look. */
static bool must_poll(const struct journal *journal)
{
    return journal->has_queued ||
           (!db_is_exclusive(journal->settings.db) && !db_is_listening(journal->listener));
}

static void look_for_jobs(struct journal *journal)
{
    heed_call(journal);
    bool is_poll_due = is_due(journal, &journal->poll_due_us, journal->settings.poll_ms);
    if (!is_poll_due || !must_poll(journal))
        return;
    claim(journal);
    count(journal);
    journal->claim_from_us = journal_now_us(journal) + CALL_PAUSE_MS * 1000;
}

void upkeep(struct journal *journal)
{
    notice_loss(journal);
    if (is_due(journal, &journal->heartbeat_due_us, journal->settings.heartbeat_ms))
        keep_lease(journal);
    if (journal->has_lost_lease)
        return;
    if (journal->needs_reclaim && journal->ended >= journal->reclaim_at)
        reclaim(journal);
    look_for_jobs(journal);
    if (is_due(journal, &journal->sweep_due_us, JOURNAL_SWEEP_MS))
        journal_sweep(journal);
}

int64_t upkeep_next_us(const struct journal *journal)
{
    int64_t next_us = journal->heartbeat_due_us;
    if (journal->has_lost_lease) /* nothing else is done without it, however long it is due */
        return next_us;
    int64_t lease_until_us = atomic_load(&journal->lease_until_us);
    if (must_poll(journal) && journal->poll_due_us < next_us)
        next_us = journal->poll_due_us;
    if (journal->sweep_due_us < next_us)
        next_us = journal->sweep_due_us;
    return lease_until_us < next_us ? lease_until_us : next_us;
}

int upkeep_begin(struct journal *journal, struct err *err)
{
    int result = 0;
    if (db_is_exclusive(journal->settings.db))
        result = run_statement(journal, outbox_store_bury(INT64_MAX), NULL, err);
    if (result == 0)
        result = beat(journal, err);
    journal->has_queued = true; /* until the first count tells */
    journal->heartbeat_due_us = journal_now_us(journal) + journal->settings.heartbeat_ms * 1000;
    journal->sweep_due_us = journal_now_us(journal) + JOURNAL_SWEEP_MS * 1000;
    return result == 0 ? 0 : err_wrap(err, "registering this instance");
}

void upkeep_end(struct journal *journal)
{
    int64_t me = journal->instance.id;
    struct err err = { 0 };
    struct db_statement statements[4] = {
        outbox_store_release_all(me, journal_now_ms(journal)),
        duty_release(&journal->sweeping),
        outbox_store_leave(me),
    };
    int count = outbox_store_call(journal->settings.db, me, &statements[3]) ? 4 : 3;
    if (db_atomic(journal->settings.db, statements, count, NULL, &err) != 0)
        journal_report(journal, "jobs could not be handed back: they are taken over later", &err);
}
