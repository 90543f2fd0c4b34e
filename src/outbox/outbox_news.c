/* What other threads have told the sender: of jobs it has, in jobs_take_news's order, and of jobs
 * that were loaded. For the sender's thread only. */
#include "outbox/outbox_internal.h"

#include <sodium.h>
#include <stdlib.h>

/* --- News --- */

/* Patience ends nearly in the order of arrival: the place is near the end. */
static void hear_deferred(struct outbox *outbox, struct job *job)
{
    struct outbox_deferred *deferred = job_deferred(job);
    struct job_link *place = outbox->unstored.previous;
    while (place != &outbox->unstored &&
           CONTAINER_OF(place, struct outbox_deferred, link)->patience_us > deferred->patience_us)
        place = place->previous;
    job_list_append(place->next, &deferred->link);
    job_table_add(&outbox->table, job);
}

static void hear_finished(struct outbox *outbox, struct outbox_deferred *deferred)
{
    pthread_mutex_lock(&outbox->lock);
    struct job_reply *reply = STEAL(deferred->new_reply);
    size_t size = deferred->new_reply_size;
    bool is_lost = deferred->is_new_reply_lost;
    deferred->job.is_reposted = deferred->is_new_reply_reposted;
    pthread_mutex_unlock(&outbox->lock);
    deferred->has_finished = true;
    deferred->is_reply_lost = is_lost;
    bool is_over = deferred->job.phase == JOB_FORGOTTEN || deferred->job.phase == JOB_ENDING;
    bool has_apology = reply && reply->apology.length > 0;
    if (is_over || (job_is_past_post(&deferred->job) && !has_apology)) {
        job_wipe_reply(reply, size);
        return;
    }
    if (reply && reply->notice.length > 0 && !job_is_past_post(&deferred->job))
        job_take_step(&deferred->job, STEP_NOTICE);
    deferred->reply = reply;
    deferred->reply_size = reply ? size : 0;
    atomic_fetch_add(&outbox->bytes, deferred->reply_size);
}

static void give_ticket_back(struct outbox *outbox, struct job *job)
{
    static const struct rest_response unsent = { .result = REST_NOT_CONNECTED };
    static const struct rest_error nothing = { .retry_after_ms = -1 };
    char major[JOB_MAJOR_SIZE];
    struct limiter_route route = job_route(job, major);
    limiter_heard(outbox->limiter, &route, &job->ticket, &unsent, &nothing, jobs_now_us(outbox));
    sodium_memzero(major, sizeof(major));
}

static void hear_stored(struct outbox *outbox, struct job *job, enum journal_result result)
{
    struct outbox_deferred *deferred = job_deferred(job);
    if (result == JOURNAL_WRITTEN) {
        jobs_move_to(deferred, &outbox->running, JOB_RUNNING);
        jobs_advance(outbox, deferred);
        return;
    }
    if (result == JOURNAL_LOST)
        jobs_report_loss(outbox, job, OUTBOX_LOSS_NOT_STORED, NULL);
    jobs_forget(outbox, job);
}

static void hear_marked(struct outbox *outbox, struct job *job, enum journal_result result)
{
    /* The database may have taken its time. */
    bool is_late = job->may_have_arrived && !jobs_may_repeat(outbox, job, jobs_now_ms(outbox));
    job->is_marked = result == JOURNAL_WRITTEN;
    if (job->is_marked && journal_has_lease(outbox->journal) && !is_late) {
        outbox_start_request(outbox, job);
        return;
    }
    give_ticket_back(outbox, job);
    if (job->is_marked)
        jobs_wait_until(outbox, job, jobs_now_us(outbox));
    else
        jobs_forget(outbox, job);
}

static void hear_noted(struct outbox *outbox, struct job *job, enum journal_result result)
{
    if (result != JOURNAL_WRITTEN) {
        jobs_forget(outbox, job);
        return;
    }
    job->is_marked = job->may_have_arrived;
    jobs_wait_until(outbox, job, job->again_us);
}

static void hear_written(struct outbox *outbox, struct job *job, enum journal_result result)
{
    atomic_fetch_sub(&outbox->changing, 1);
    switch (job->phase) {
    case JOB_STORING:
        hear_stored(outbox, job, result);
        break;
    case JOB_MARKING:
        hear_marked(outbox, job, result);
        break;
    case JOB_NOTING:
        hear_noted(outbox, job, result);
        break;
    default:
        jobs_forget(outbox, job);
    }
}

static void hear(struct outbox *outbox, struct job *job, unsigned news, enum journal_result result)
{
    struct outbox_deferred *deferred = job_deferred(job);
    if (news & NEWS_DEFERRED)
        hear_deferred(outbox, job);
    if (news & NEWS_ANSWERED) {
        deferred->is_answered = true;
        job->known_us = jobs_now_us(outbox);
    }
    if (news & NEWS_FINISHED)
        hear_finished(outbox, deferred);
    if (deferred)
        deferred->ends_due &= ~news;
    if (news & NEWS_WRITTEN) /* the job may be gone afterwards */
        hear_written(outbox, job, result);
    else if (deferred && deferred->job.phase == JOB_FORGOTTEN)
        jobs_free_when_done(deferred);
    else if (deferred)
        jobs_advance(outbox, deferred);
}

/* --- What was loaded --- */

static void replace_record(struct outbox *outbox, struct job *job, struct outbox_record *record)
{
    bool has_same_token = record->interaction_id == job->record->interaction_id;
    int64_t due_us = job->entry.due_us;
    job_table_remove(&outbox->table, job);
    atomic_fetch_add(&outbox->bytes, record->size);
    atomic_fetch_sub(&outbox->bytes, job->record->size);
    outbox_record_free(job->record);
    job->record = record;
    job->is_reposted = record->is_reposted;
    job->is_reposting = false;
    job_table_add(&outbox->table, job);
    if (has_same_token)
        return;
    schedule_remove(outbox->schedule, &job->entry);
    if (!jobs_schedule(outbox, job, due_us))
        jobs_release(outbox, job, 0);
}

static struct job *make_job(struct outbox *outbox, struct outbox_record *record)
{
    struct job *job;
    if (record->kind == OUTBOX_KIND_RUN) {
        struct outbox_deferred *deferred = calloc(1, sizeof(*deferred));
        if (!deferred)
            return NULL;
        deferred->mode = OUTBOX_RUN_LATER;
        deferred->floor_key = record->subject;
        deferred->is_answered = true;
        atomic_init(&deferred->is_told, true);
        job = &deferred->job;
        job->is_run = true;
    } else if (!(job = calloc(1, sizeof(*job)))) {
        return NULL;
    }
    job->outbox = outbox;
    job->record = record;
    job->is_reposted = record->is_reposted;
    job->known_us = jobs_now_us(outbox);
    jobs_count(outbox, job);
    job_table_add(&outbox->table, job);
    return job;
}

/* A POST of it may have arrived. It may still be under way, too. */
static void begin_started(struct outbox *outbox, struct job *job)
{
    job->is_marked = job->may_have_arrived = true;
    if (outbox_has_nonce(job_method(job)) && jobs_may_repeat(outbox, job, jobs_now_ms(outbox)))
        jobs_enqueue(outbox, job, outbox->rules.backoff_base_ms);
    else
        jobs_lose(outbox, job, OUTBOX_LOSS_UNCERTAIN, NULL);
}

static void begin_loaded(struct outbox *outbox, struct job *job)
{
    struct outbox_deferred *deferred = job_deferred(job);
    if (job->record->is_started && !deferred) {
        begin_started(outbox, job);
    } else if (deferred) {
        if (job->record->is_started)
            jobs_apologise(job, OUTBOX_LOSS_UNCERTAIN);
        jobs_move_to(deferred, &outbox->running, JOB_RUNNING);
        jobs_advance(outbox, deferred);
    } else {
        jobs_enqueue(outbox, job, 0);
    }
}

/* A job that is under way keeps its version: when that has ended, its end is refused and the newer
 * one loaded again. */
static void take_loaded(struct outbox *outbox, struct outbox_record *record)
{
    struct job *known = job_table_find(&outbox->table, record->id);
    if (known)
        known->is_stale = false;
    if (!known) {
        struct job *job = make_job(outbox, record);
        if (job) {
            begin_loaded(outbox, job);
        } else {
            record->next = outbox->unborn;
            outbox->unborn = record;
        }
    } else if (known->phase == JOB_WAITING && !known->is_run && !known->is_marked) {
        replace_record(outbox, known, record);
    } else {
        outbox_record_free(record);
    }
}

/* From here on it counts as a job in memory, or not at all. */
static void take_counted(struct outbox *outbox, struct outbox_record *record)
{
    size_t size = record->size;
    take_loaded(outbox, record);
    pthread_mutex_lock(&outbox->lock);
    outbox->loaded_count--;
    outbox->loaded_bytes -= size;
    pthread_mutex_unlock(&outbox->lock);
}

static void forget_waiting(struct outbox *outbox)
{
    for (size_t i = 0; i < JOB_TABLE_SLOTS; i++)
        for (struct job *job = outbox->table.by_id[i], *next; job; job = next) {
            next = job->next_by_id;
            job->is_stale = true;
            if (job->phase == JOB_WAITING && job->step == STEP_CLEAR)
                jobs_end(outbox, job, JOURNAL_DONE);
            else if (job->phase == JOB_WAITING || job->phase == JOB_RUNNABLE ||
                     job->phase == JOB_RUNNING)
                jobs_forget(outbox, job);
        }
    outbox_free_records(STEAL(outbox->unborn));
}

/* The oldest thing that was told or loaded. */
struct news {
    struct job *job;
    unsigned what; /* enum job_news */
    enum journal_result result;
    struct outbox_record *loaded;
};

static struct news take_oldest(struct outbox *outbox)
{
    struct news news = { 0 };
    pthread_mutex_lock(&outbox->lock);
    struct job *job = outbox->news;
    struct outbox_record *loaded = outbox->loaded;
    if (loaded && (!job || loaded->order < job->news_order)) {
        news.loaded = loaded;
        if (!(outbox->loaded = loaded->next))
            outbox->loaded_end = &outbox->loaded;
    } else if (job) {
        news = (struct news){ .job = job, .what = job->news, .result = job->result };
        job->news = 0;
        if (!(outbox->news = job->next_news))
            outbox->news_end = &outbox->news;
    }
    pthread_mutex_unlock(&outbox->lock);
    return news;
}

/* In the order it came: that a version has ended is told before the newer one is loaded, and what
 * was loaded before an end is of the version that has ended. */
void jobs_take_news(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool is_lost = outbox->is_lost;
    outbox->is_lost = false;
    outbox->has_come = false;
    outbox->is_asleep = false;
    pthread_mutex_unlock(&outbox->lock);
    if (is_lost)
        forget_waiting(outbox);
    for (;;) {
        struct news news = take_oldest(outbox);
        if (news.loaded)
            take_counted(outbox, news.loaded);
        else if (news.job)
            hear(outbox, news.job, news.what, news.result);
        else
            return;
    }
}

/* --- What found no memory --- */

static void load_missed(struct outbox *outbox)
{
    for (;;) {
        pthread_mutex_lock(&outbox->lock);
        int64_t interaction_id =
            outbox->missed_count > 0 ? outbox->missed[--outbox->missed_count] : 0;
        pthread_mutex_unlock(&outbox->lock);
        if (interaction_id == 0)
            return;
        if (outbox_load(outbox, interaction_id, NULL) != 0) {
            outbox_hand_over(outbox, interaction_id);
            return;
        }
    }
}

void jobs_upkeep(struct outbox *outbox)
{
    jobs_end_expired_runs(outbox);
    for (struct outbox_record *record = STEAL(outbox->unborn), *next; record; record = next) {
        next = record->next;
        take_loaded(outbox, record);
    }
    load_missed(outbox);
}
