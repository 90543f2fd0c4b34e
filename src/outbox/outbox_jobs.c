/* How jobs enter memory, wait for their turn, and leave. A job leaves in one of these ways: sent,
 * lost, or released for another process; each counts it, what is lost has a line in the log. It
 * stays in memory until the journal has confirmed that.
 *
 * For the sender's thread only. */
#include "outbox/outbox_internal.h"

#include <stdlib.h>

int64_t jobs_now_us(const struct outbox *outbox)
{
    return clock_monotonic_us(outbox->settings.clock);
}

int64_t jobs_now_ms(const struct outbox *outbox)
{
    return clock_wall_ms(outbox->settings.clock);
}

/* --- Leaving memory --- */

void jobs_free_when_done(struct outbox_deferred *deferred)
{
    if (deferred->job.phase == JOB_FORGOTTEN && deferred->ends_due == 0)
        free(deferred);
}

/* No change of its row may be under way. */
void jobs_forget(struct outbox *outbox, struct job *job)
{
    struct outbox_deferred *deferred = job_deferred(job);
    size_t size = job->record->size;
    if (job->entry.place != SCHEDULE_OUT)
        schedule_remove(outbox->schedule, &job->entry);
    job_table_remove(&outbox->table, job);
    job_transition(job, JOB_FORGOTTEN);
    outbox_record_free(STEAL(job->record));
    if (deferred) {
        job_list_remove(&deferred->link);
        size += deferred->reply_size;
        job_wipe_reply(STEAL(deferred->reply), deferred->reply_size);
    }
    atomic_fetch_sub(&outbox->count, 1);
    atomic_fetch_sub(&outbox->bytes, size);
    metrics_gauge_add(outbox->settings.metrics, METRIC_OUTBOX_WAITING, -1);
    if (deferred)
        jobs_free_when_done(deferred);
    else
        free(job);
}

void jobs_end(struct outbox *outbox, struct job *job, enum journal_change change)
{
    struct outbox_deferred *deferred = job_deferred(job);
    if (job->entry.place != SCHEDULE_OUT)
        schedule_remove(outbox->schedule, &job->entry);
    if (deferred)
        job_list_remove(&deferred->link);
    job_transition(job, JOB_ENDING);
    outbox_submit(outbox, job, change);
}

/* To whoever has room, this process later included. */
void jobs_release(struct outbox *outbox, struct job *job, int64_t pause_ms)
{
    job->change.available_ms = jobs_now_ms(outbox) + pause_ms;
    jobs_end(outbox, job, JOURNAL_RELEASE);
}

/* `error` is what Discord said in the end; NULL when the reason is another. */
void jobs_report_loss(struct outbox *outbox, const struct job *job, enum outbox_loss loss,
                      const struct rest_error *error)
{
    struct log log = log_of_request(outbox->settings.log, job->record->request_id);
    const struct rest_response *response = &job->transfer.response;
    /* That people delete a message before its edit comes, or close a channel, is nobody's fault. */
    bool is_peoples = loss == OUTBOX_LOSS_MESSAGE_GONE || loss == OUTBOX_LOSS_CHANNEL_CLOSED;
    enum log_level level = is_peoples ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;
    log_write(&log, level, "message given up",
              LOG_FIELDS_(LOG_TEXT("reason", str_from(outbox_loss_word(loss))),
                          LOG_INT("interaction", job->record->interaction_id),
                          LOG_INT("channel", job->record->channel_id),
                          LOG_INT("status", error ? response->status : 0),
                          LOG_INT("code", error ? error->code : 0),
                          LOG_TEXT("said", str_from(!error             ? ""
                                                    : response->reason ? response->reason
                                                                       : error->message)),
                          LOG_INT("tries", job->record->tries + job->try_count)));
    metrics_add_by(outbox->settings.metrics, METRIC_OUTBOX_GIVEN_UP, (int)loss, 1);
}

void jobs_apologise(struct job *job, enum outbox_loss loss)
{
    job_take_step(job, STEP_APOLOGY);
    job->loss = loss;
}

static void end_lost(struct outbox *outbox, struct job *job, enum outbox_loss loss)
{
    bool is_expired = loss == OUTBOX_LOSS_EXPIRED;
    job->change.reason = is_expired ? NULL : outbox_loss_word(loss);
    jobs_end(outbox, job, is_expired ? JOURNAL_EXPIRED : JOURNAL_DEAD);
}

void jobs_lose(struct outbox *outbox, struct job *job, enum outbox_loss loss,
               const struct rest_error *error)
{
    if (job->step == STEP_CLEAR) {
        struct log log = log_of_request(outbox->settings.log, job->record->request_id);
        log_info(&log, "an answer has arrived, but its notice stays",
                 LOG_TEXT("reason", str_from(outbox_loss_word(loss))));
        jobs_end(outbox, job, JOURNAL_DONE);
        return;
    }
    if (job->step == STEP_APOLOGY)
        loss = job->loss;
    if (!job->is_reported)
        jobs_report_loss(outbox, job, loss, error);
    end_lost(outbox, job, loss);
}

/* --- Dead tokens --- */

static bool is_known_dead(const struct outbox *outbox, int64_t interaction_id)
{
    unsigned count = outbox->dead_count;
    if (count > OUTBOX_DEAD_TOKENS)
        count = OUTBOX_DEAD_TOKENS;
    for (unsigned i = 0; i < count; i++)
        if (outbox->dead_tokens[i] == interaction_id)
            return true;
    return false;
}

void jobs_lose_token(struct outbox *outbox, struct job *job, const struct rest_error *error)
{
    int64_t interaction_id = job->record->interaction_id;
    outbox->dead_tokens[outbox->dead_count % OUTBOX_DEAD_TOKENS] = interaction_id;
    outbox->dead_count++;
    jobs_lose(outbox, job, OUTBOX_LOSS_TOKEN_DEAD, error);
    struct job *other = NULL;
    while ((other = job_table_next(&outbox->table, interaction_id, other)))
        if (job_needs_token(other) && (other->phase == JOB_WAITING || other->phase == JOB_RUNNABLE))
            jobs_lose(outbox, other, OUTBOX_LOSS_TOKEN_DEAD, NULL);
}

/* --- Entering --- */

void jobs_count(struct outbox *outbox, const struct job *job)
{
    atomic_fetch_add(&outbox->count, 1);
    atomic_fetch_add(&outbox->bytes, job->record->size);
    metrics_gauge_add(outbox->settings.metrics, METRIC_OUTBOX_WAITING, 1);
}

/* A claim may begin just below the bound and bring as much as one result holds. Were that handed
 * back, the next would bring it again. */
bool jobs_are_too_many(const struct outbox *outbox)
{
    return atomic_load(&outbox->count) > outbox->rules.count_max ||
           atomic_load(&outbox->bytes) > outbox->rules.bytes_max + DB_MAX_ROW_BYTES;
}

int64_t jobs_floor_us(const struct outbox *outbox, const struct job *job, int64_t now_us)
{
    int64_t key = job_floor_key(job);
    int64_t until_us = floors_until(&outbox->floors, key);
    int64_t floor_ms = outbox->settings.edit_floor_ms;
    if (until_us == INT64_MAX) /* one is under way: nobody knows when it ends */
        until_us = now_us + floor_ms * 1000;
    if (key == 0 || job->record->sent_at_ms == 0)
        return until_us;
    /* Another process may have sent it, by a clock of its own. */
    int64_t left_ms = job->record->sent_at_ms + floor_ms - jobs_now_ms(outbox);
    int64_t left_us = now_us + (left_ms < floor_ms ? left_ms : floor_ms) * 1000;
    return until_us > left_us ? until_us : left_us;
}

bool jobs_schedule(struct outbox *outbox, struct job *job, int64_t due_us)
{
    const struct outbox_record *record = job->record;
    job->entry.sequence = job_sequence(job);
    /* Two people's private messages have no more in common than two guilds. */
    job->entry.guild_id = record->guild_id ? record->guild_id : record->interaction_id;
    job->entry.expires_at_ms = record->expires_at_ms;
    job->entry.due_us = due_us;
    return schedule_add(outbox->schedule, &job->entry);
}

void jobs_enqueue(struct outbox *outbox, struct job *job, int64_t pause_ms)
{
    int64_t now_us = jobs_now_us(outbox);
    int64_t due_us = now_us + pause_ms * 1000;
    int64_t may_us = jobs_floor_us(outbox, job, now_us);
    job->ready_us = now_us;
    if (job_needs_token(job) && is_known_dead(outbox, job->record->interaction_id))
        jobs_lose(outbox, job, OUTBOX_LOSS_TOKEN_DEAD, NULL);
    else if (jobs_are_too_many(outbox) ||
             !jobs_schedule(outbox, job, may_us > due_us ? may_us : due_us))
        jobs_release(outbox, job, job->is_run ? RERUN_PAUSE_MS : 0);
    else
        job_transition(job, JOB_WAITING);
}

/* Under a lease that was lost meanwhile somebody else may have it: the row decides. */
static void wait_again(struct outbox *outbox, struct job *job, int64_t due_us)
{
    if (job->is_stale && job->step == STEP_CLEAR) {
        jobs_end(outbox, job, JOURNAL_DONE);
        return;
    }
    if (job->is_stale) {
        jobs_release(outbox, job, 0);
        return;
    }
    job_transition(job, JOB_WAITING);
    schedule_put_back(outbox->schedule, &job->entry, due_us);
}

void jobs_wait_until(struct outbox *outbox, struct job *job, int64_t due_us)
{
    if (job->is_marked && !job->may_have_arrived)
        jobs_note_wait(outbox, job, due_us);
    else
        wait_again(outbox, job, due_us);
}

void jobs_note_wait(struct outbox *outbox, struct job *job, int64_t due_us)
{
    if (job_is_past_post(job)) { /* the mark stays */
        wait_again(outbox, job, due_us);
        return;
    }
    job->again_us = due_us;
    /* The wall clock's milliseconds have begun: never early for whoever takes the job over. */
    job->change.available_ms =
        jobs_now_ms(outbox) + 1 + (due_us - jobs_now_us(outbox) + 999) / 1000;
    job_transition(job, JOB_NOTING);
    outbox_submit(outbox, job, job->may_have_arrived ? JOURNAL_STARTED : JOURNAL_NOT_STARTED);
}

void jobs_mark(struct outbox *outbox, struct job *job)
{
    job->change.available_ms = jobs_now_ms(outbox);
    if (!job->may_have_arrived)
        job->record->started_at_ms = job->change.available_ms;
    job_transition(job, JOB_MARKING);
    outbox_submit(outbox, job, JOURNAL_STARTED);
}

/* By the wall clock, which is all that processes have in common. One that was set back says nothing
 * of how long it was. */
bool jobs_may_repeat(const struct outbox *outbox, const struct job *job, int64_t at_ms)
{
    int64_t since_ms = at_ms - job->record->started_at_ms;
    return since_ms >= 0 && since_ms < outbox->rules.repeat_window_ms;
}

/* --- Time --- */

void jobs_end_expired(struct outbox *outbox)
{
    int64_t now_ms = jobs_now_ms(outbox);
    struct schedule_entry *entry;
    while ((entry = schedule_first_to_expire(outbox->schedule)) && entry->expires_at_ms <= now_ms)
        jobs_lose(outbox, CONTAINER_OF(entry, struct job, entry), OUTBOX_LOSS_EXPIRED, NULL);
}

/* --- The end --- */

/* What may be repeated is handed back with its row, and so are a POST with an apology and one with
 * a nonce: those are for whoever takes the row over. */
void jobs_abandon(struct outbox *outbox, struct job *job)
{
    bool is_sending = job->phase == JOB_SENDING;
    if (job->step == STEP_CLEAR)
        jobs_end(outbox, job, JOURNAL_DONE);
    else if (is_sending && job->step == STEP_ONLY && outbox_is_post(job_method(job)) &&
             !outbox_has_nonce(job_method(job)))
        jobs_lose(outbox, job, OUTBOX_LOSS_UNCERTAIN, NULL);
    if (is_sending)
        rest_transfer_fini(&job->transfer);
}

static void free_deferred(struct outbox_deferred *deferred)
{
    job_wipe_reply(deferred->reply, deferred->reply_size);
    job_wipe_reply(deferred->new_reply, deferred->new_reply_size);
    free(deferred);
}

static void free_job(struct outbox *outbox, struct job *job)
{
    job_table_remove(&outbox->table, job);
    outbox_record_free(job->record);
    metrics_gauge_add(outbox->settings.metrics, METRIC_OUTBOX_WAITING, -1);
    if (job->is_run)
        free_deferred(job_deferred(job));
    else
        free(job);
}

/* Nothing is done any more, but what no row holds is reported. */
static void take_last_news(struct outbox *outbox)
{
    for (struct job *job = outbox->news, *next; job; job = next) {
        next = job->next_news;
        if (job->news & NEWS_DEFERRED)
            job_table_add(&outbox->table, job);
        if (job->phase == JOB_STORING && (job->news & NEWS_WRITTEN) && job->result == JOURNAL_LOST)
            jobs_report_loss(outbox, job, OUTBOX_LOSS_NOT_STORED, NULL);
        if (job->phase == JOB_FORGOTTEN)
            free_deferred(job_deferred(job));
    }
}

void jobs_free_all(struct outbox *outbox)
{
    take_last_news(outbox);
    for (size_t i = 0; i < JOB_TABLE_SLOTS; i++)
        while (outbox->table.by_id[i])
            free_job(outbox, outbox->table.by_id[i]);
    outbox_free_records(outbox->loaded);
    outbox_free_records(outbox->unborn);
}
