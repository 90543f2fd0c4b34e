/* What becomes of each job: how news, answers and time move it from phase to phase. A job leaves in
 * one of these ways: sent, lost, or released for another process; each counts it, what is lost has
 * a line in the log. It stays in memory until the journal has confirmed that.
 *
 * For the sender's thread only. */
#include "outbox/outbox_internal.h"

#include <sodium.h>
#include <stdlib.h>

/* Whoever was told "busy" when it was handed a run is asked again after about this long. */
#define RUN_PAUSE_MIN_US  50000
#define RUN_PAUSE_SPAN_US 50000
/* A run whose reply found no room here is left to others for so long before it is run again. */
#define RERUN_PAUSE_MS    1000

static int64_t now_us_of(const struct outbox *outbox)
{
    return clock_monotonic_us(outbox->settings.clock);
}

static int64_t now_ms_of(const struct outbox *outbox)
{
    return clock_wall_ms(outbox->settings.clock);
}

/* --- Leaving memory --- */

static void free_deferred_when_done(struct outbox_deferred *deferred)
{
    if (deferred->job.phase == JOB_FORGOTTEN && deferred->ends_due == 0)
        free(deferred);
}

/* No change of its row may be under way. */
static void forget(struct outbox *outbox, struct job *job)
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
        free_deferred_when_done(deferred);
    else
        free(job);
}

static void end(struct outbox *outbox, struct job *job, enum journal_change change)
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
static void release(struct outbox *outbox, struct job *job, int64_t pause_ms)
{
    job->change.available_ms = now_ms_of(outbox) + pause_ms;
    end(outbox, job, JOURNAL_RELEASE);
}

/* `error` is what Discord said in the end; NULL when the reason is another. */
static void report_loss(struct outbox *outbox, const struct job *job, enum outbox_loss loss,
                        const struct rest_error *error)
{
    struct log log = log_of_request(outbox->settings.log, job->record->request_id);
    const struct rest_response *response = &job->transfer.response;
    /* That a person deletes a message before its edit comes is nobody's fault. */
    enum log_level level = loss == OUTBOX_LOSS_MESSAGE_GONE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;
    log_write(&log, level, "message given up",
              LOG_FIELDS_(LOG_TEXT("reason", str_from(outbox_loss_word(loss))),
                          LOG_INT("interaction", job->record->interaction_id),
                          LOG_INT("status", error ? response->status : 0),
                          LOG_INT("code", error ? error->code : 0),
                          LOG_TEXT("said", str_from(!error             ? ""
                                                    : response->reason ? response->reason
                                                                       : error->message)),
                          LOG_INT("tries", job->record->tries + job->try_count)));
    metrics_add_by(outbox->settings.metrics, METRIC_OUTBOX_GIVEN_UP, (int)loss, 1);
}

static void lose(struct outbox *outbox, struct job *job, enum outbox_loss loss,
                 const struct rest_error *error)
{
    report_loss(outbox, job, loss, error);
    job->change.reason = outbox_loss_word(loss);
    end(outbox, job, loss == OUTBOX_LOSS_EXPIRED ? JOURNAL_EXPIRED : JOURNAL_DEAD);
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

static void lose_token(struct outbox *outbox, struct job *job, const struct rest_error *error)
{
    int64_t interaction_id = job->record->interaction_id;
    outbox->dead_tokens[outbox->dead_count % OUTBOX_DEAD_TOKENS] = interaction_id;
    outbox->dead_count++;
    lose(outbox, job, OUTBOX_LOSS_TOKEN_DEAD, error);
    struct job *other = NULL;
    while ((other = job_table_next(&outbox->table, interaction_id, other)))
        if (other->phase == JOB_WAITING || other->phase == JOB_RUNNABLE)
            lose(outbox, other, OUTBOX_LOSS_TOKEN_DEAD, NULL);
}

/* --- Entering --- */

static void enter_memory(struct outbox *outbox, struct job *job)
{
    job_table_add(&outbox->table, job);
    atomic_fetch_add(&outbox->count, 1);
    atomic_fetch_add(&outbox->bytes, job->record->size);
    metrics_gauge_add(outbox->settings.metrics, METRIC_OUTBOX_WAITING, 1);
}

static bool is_full(const struct outbox *outbox)
{
    return atomic_load(&outbox->count) > outbox->rules.count_max ||
           atomic_load(&outbox->bytes) > outbox->rules.bytes_max;
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
    int64_t left_ms = job->record->sent_at_ms + floor_ms - now_ms_of(outbox);
    int64_t left_us = now_us + (left_ms < floor_ms ? left_ms : floor_ms) * 1000;
    return until_us > left_us ? until_us : left_us;
}

static void enqueue(struct outbox *outbox, struct job *job)
{
    const struct outbox_record *record = job->record;
    int64_t now_us = now_us_of(outbox);
    int64_t may_us = jobs_floor_us(outbox, job, now_us);
    job->ready_us = now_us;
    job->entry.interaction_id = record->interaction_id;
    /* Two people's private messages have no more in common than two guilds. */
    job->entry.guild_id = record->guild_id ? record->guild_id : record->interaction_id;
    job->entry.expires_at_ms = record->expires_at_ms;
    job->entry.due_us = may_us > now_us ? may_us : now_us;
    if (is_known_dead(outbox, record->interaction_id))
        lose(outbox, job, OUTBOX_LOSS_TOKEN_DEAD, NULL);
    else if (is_full(outbox) || !schedule_add(outbox->schedule, &job->entry))
        release(outbox, job, job->is_run ? RERUN_PAUSE_MS : 0);
    else
        job_transition(job, JOB_WAITING);
}

/* --- Runs --- */

static void move_to(struct outbox_deferred *deferred, struct job_link *list, enum job_phase phase)
{
    job_list_remove(&deferred->link);
    job_list_append(list, &deferred->link);
    job_transition(&deferred->job, phase);
}

/* Does what can be done next for a stored run that nobody sends yet. */
static void advance(struct outbox *outbox, struct outbox_deferred *deferred)
{
    struct job *job = &deferred->job;
    if (job->phase != JOB_RUNNING)
        return;
    if (deferred->is_reply_lost) {
        release(outbox, job, RERUN_PAUSE_MS);
    } else if (deferred->has_finished && !deferred->reply) {
        end(outbox, job, JOURNAL_DONE);
    } else if (deferred->has_finished && deferred->is_answered) {
        job_list_remove(&deferred->link);
        enqueue(outbox, job);
    } else if (deferred->mode == OUTBOX_RUN_LATER && deferred->is_answered &&
               !deferred->is_handed_on) {
        if (is_full(outbox))
            release(outbox, job, RERUN_PAUSE_MS);
        else
            move_to(deferred, &outbox->runnable, JOB_RUNNABLE);
    }
}

/* 0, or what `run` says to it; ERR_BUSY when runs are closed. */
static int call_run(struct outbox *outbox, struct outbox_deferred *deferred, struct err *err)
{
    int result = ERR_BUSY;
    const struct outbox_record *record = deferred->job.record;
    pthread_mutex_lock(&outbox->runs_lock);
    if (outbox->run)
        result = outbox->run(outbox->run_context, deferred, record->content.json,
                             record->request_id, err);
    pthread_mutex_unlock(&outbox->runs_lock);
    return result;
}

void jobs_hand_on_runs(struct outbox *outbox, int64_t now_us)
{
    while (outbox->runnable.next != &outbox->runnable && now_us >= outbox->run_again_us) {
        struct outbox_deferred *deferred =
            CONTAINER_OF(outbox->runnable.next, struct outbox_deferred, link);
        struct err err = { 0 };
        int result = call_run(outbox, deferred, &err);
        if (result == ERR_BUSY) {
            outbox->run_again_us =
                now_us + RUN_PAUSE_MIN_US + (int64_t)randombytes_uniform(RUN_PAUSE_SPAN_US);
        } else if (result == 0) {
            deferred->is_handed_on = true;
            deferred->ends_due |= NEWS_FINISHED;
            move_to(deferred, &outbox->running, JOB_RUNNING);
        } else {
            struct log log = log_of_request(outbox->settings.log, deferred->job.record->request_id);
            log_error(&log, "a deferred command can't be run",
                      LOG_TEXT("reason", str_from(err.message)));
            lose(outbox, &deferred->job, OUTBOX_LOSS_RUN_FAILED, NULL);
        }
    }
}

void jobs_end_patience(struct outbox *outbox, int64_t now_us)
{
    while (outbox->unstored.next != &outbox->unstored) {
        struct outbox_deferred *deferred =
            CONTAINER_OF(outbox->unstored.next, struct outbox_deferred, link);
        if (deferred->patience_us > now_us)
            return;
        outbox_tell_stored(deferred, OUTBOX_LATE);
        job_list_remove(&deferred->link);
    }
}

/* --- News --- */

static void hear_deferred(struct outbox *outbox, struct job *job)
{
    job_list_append(&outbox->unstored, &job_deferred(job)->link);
    enter_memory(outbox, job);
}

static void hear_finished(struct outbox *outbox, struct outbox_deferred *deferred)
{
    pthread_mutex_lock(&outbox->lock);
    struct outbox_content *reply = STEAL(deferred->new_reply);
    size_t size = deferred->new_reply_size;
    bool is_lost = deferred->is_new_reply_lost;
    deferred->job.is_reposted = deferred->is_new_reply_reposted;
    deferred->job.is_replacing = deferred->is_new_reply_replacing;
    pthread_mutex_unlock(&outbox->lock);
    deferred->has_finished = true;
    deferred->is_reply_lost = is_lost;
    if (deferred->job.phase == JOB_FORGOTTEN || deferred->job.phase == JOB_ENDING) {
        job_wipe_reply(reply, size);
        return;
    }
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
    limiter_heard(outbox->limiter, &route, &job->ticket, &unsent, &nothing, now_us_of(outbox));
    sodium_memzero(major, sizeof(major));
}

static void hear_stored(struct outbox *outbox, struct job *job, enum journal_result result)
{
    struct outbox_deferred *deferred = job_deferred(job);
    if (result == JOURNAL_WRITTEN) {
        move_to(deferred, &outbox->running, JOB_RUNNING);
        advance(outbox, deferred);
        return;
    }
    if (result == JOURNAL_LOST)
        report_loss(outbox, job, OUTBOX_LOSS_NOT_STORED, NULL);
    forget(outbox, job);
}

static void hear_marked(struct outbox *outbox, struct job *job, enum journal_result result)
{
    job->is_marked = result == JOURNAL_WRITTEN;
    if (job->is_marked && journal_has_lease(outbox->journal)) {
        outbox_start_request(outbox, job);
        return;
    }
    give_ticket_back(outbox, job);
    if (job->is_marked) {
        job_transition(job, JOB_WAITING);
        schedule_put_back(outbox->schedule, &job->entry, now_us_of(outbox));
    } else {
        forget(outbox, job);
    }
}

static void hear_unmarked(struct outbox *outbox, struct job *job, enum journal_result result)
{
    if (result != JOURNAL_WRITTEN) {
        forget(outbox, job);
        return;
    }
    job->is_marked = false;
    job_transition(job, JOB_WAITING);
    schedule_put_back(outbox->schedule, &job->entry, job->again_us);
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
    case JOB_UNMARKING:
        hear_unmarked(outbox, job, result);
        break;
    default:
        forget(outbox, job);
    }
}

static void hear(struct outbox *outbox, struct job *job, unsigned news, enum journal_result result)
{
    struct outbox_deferred *deferred = job_deferred(job);
    if (news & NEWS_DEFERRED)
        hear_deferred(outbox, job);
    if (news & NEWS_ANSWERED) {
        deferred->is_answered = true;
        job->known_us = now_us_of(outbox);
    }
    if (news & NEWS_FINISHED)
        hear_finished(outbox, deferred);
    if (deferred)
        deferred->ends_due &= ~news;
    if (news & NEWS_WRITTEN) /* the job may be gone afterwards */
        hear_written(outbox, job, result);
    else if (deferred->job.phase == JOB_FORGOTTEN)
        free_deferred_when_done(deferred);
    else
        advance(outbox, deferred);
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
    job->entry.interaction_id = record->interaction_id;
    job->entry.guild_id = record->guild_id ? record->guild_id : record->interaction_id;
    job->entry.expires_at_ms = record->expires_at_ms;
    job->entry.due_us = due_us;
    if (!schedule_add(outbox->schedule, &job->entry))
        release(outbox, job, 0);
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
    job->known_us = now_us_of(outbox);
    enter_memory(outbox, job);
    return job;
}

static void begin_loaded(struct outbox *outbox, struct job *job)
{
    struct outbox_deferred *deferred = job_deferred(job);
    if (job->record->is_started) {
        lose(outbox, job, OUTBOX_LOSS_UNCERTAIN, NULL);
    } else if (deferred) {
        move_to(deferred, &outbox->running, JOB_RUNNING);
        advance(outbox, deferred);
    } else {
        enqueue(outbox, job);
    }
}

/* A job that is under way keeps its version: when that has ended, its end is refused and the newer
 * one loaded again. */
static void take_loaded(struct outbox *outbox, struct outbox_record *record)
{
    struct job *known = job_table_find(&outbox->table, record->id);
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

static void forget_waiting(struct outbox *outbox)
{
    for (size_t i = 0; i < JOB_TABLE_SLOTS; i++)
        for (struct job *job = outbox->table.by_id[i], *next; job; job = next) {
            next = job->next_by_id;
            if (job->phase == JOB_WAITING || job->phase == JOB_RUNNABLE ||
                job->phase == JOB_RUNNING)
                forget(outbox, job);
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
    outbox->is_woken = false;
    pthread_mutex_unlock(&outbox->lock);
    if (is_lost)
        forget_waiting(outbox);
    for (;;) {
        struct news news = take_oldest(outbox);
        if (news.loaded)
            take_loaded(outbox, news.loaded);
        else if (news.job)
            hear(outbox, news.job, news.what, news.result);
        else
            return;
    }
}

/* --- Time --- */

void jobs_end_expired(struct outbox *outbox)
{
    int64_t now_ms = now_ms_of(outbox);
    struct schedule_entry *entry;
    while ((entry = schedule_first_to_expire(outbox->schedule)) && entry->expires_at_ms <= now_ms)
        lose(outbox, CONTAINER_OF(entry, struct job, entry), OUTBOX_LOSS_EXPIRED, NULL);
}

static void end_expired_runs(struct outbox *outbox, struct job_link *list, int64_t now_ms)
{
    for (struct job_link *link = list->next, *next; link != list; link = next) {
        struct outbox_deferred *deferred = CONTAINER_OF(link, struct outbox_deferred, link);
        next = link->next;
        if (deferred->job.record->expires_at_ms <= now_ms)
            lose(outbox, &deferred->job, OUTBOX_LOSS_EXPIRED, NULL);
    }
}

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
    int64_t now_ms = now_ms_of(outbox);
    end_expired_runs(outbox, &outbox->runnable, now_ms);
    end_expired_runs(outbox, &outbox->running, now_ms);
    for (struct outbox_record *record = STEAL(outbox->unborn), *next; record; record = next) {
        next = record->next;
        take_loaded(outbox, record);
    }
    load_missed(outbox);
}

/* --- What comes of a try --- */

void jobs_mark(struct outbox *outbox, struct job *job)
{
    job_transition(job, JOB_MARKING);
    outbox_submit(outbox, job, JOURNAL_STARTED);
}

static void wait_until(struct outbox *outbox, struct job *job, int64_t due_us)
{
    if (job->is_marked) {
        job->again_us = due_us;
        job_transition(job, JOB_UNMARKING);
        outbox_submit(outbox, job, JOURNAL_NOT_STARTED);
        return;
    }
    job_transition(job, JOB_WAITING);
    schedule_put_back(outbox->schedule, &job->entry, due_us);
}

static void finish_sent(struct outbox *outbox, struct job *job)
{
    if (job->is_replacing) { /* half of it: the follow-up comes next */
        job->is_replacing = false;
        wait_until(outbox, job, now_us_of(outbox));
        return;
    }
    struct log log = log_of_request(outbox->settings.log, job->record->request_id);
    int64_t delay_us = now_us_of(outbox) - job->ready_us;
    log_debug(&log, "message sent", LOG_INT("tries", job->try_count),
              LOG_INT("waited_ms", delay_us / 1000));
    metrics_add_by(outbox->settings.metrics, METRIC_OUTBOX_SENT, (int)job_method(job), 1);
    metrics_observe_us(outbox->settings.metrics, METRIC_OUTBOX_DELAY, delay_us);
    end(outbox, job, JOURNAL_DONE);
}

static void try_again(struct outbox *outbox, struct job *job, const struct outbox_verdict *verdict,
                      const struct rest_error *error)
{
    struct log log = log_of_request(outbox->settings.log, job->record->request_id);
    if (now_ms_of(outbox) + verdict->delay_ms >= job->record->expires_at_ms) {
        lose(outbox, job, OUTBOX_LOSS_EXPIRED, error);
        return;
    }
    log_debug(&log, "message will be sent again",
              LOG_TEXT("reason", str_from(outbox_retry_word(verdict->retry))),
              LOG_INT("status", job->transfer.response.status), LOG_INT("tries", job->try_count),
              LOG_INT("after_ms", verdict->delay_ms));
    metrics_add_by(outbox->settings.metrics, METRIC_OUTBOX_RETRIES, (int)verdict->retry, 1);
    if (verdict->retry == OUTBOX_RETRY_NOT_YET)
        job->not_yet_count++;
    else
        job->failure_count++;
    wait_until(outbox, job, now_us_of(outbox) + verdict->delay_ms * 1000);
}

static void act_on(struct outbox *outbox, struct job *job, const struct outbox_verdict *verdict,
                   const struct rest_error *error)
{
    switch (verdict->kind) {
    case OUTBOX_SENT:
        finish_sent(outbox, job);
        break;
    case OUTBOX_AGAIN:
        try_again(outbox, job, verdict, error);
        break;
    case OUTBOX_REPOST:
        job->is_reposting = true;
        wait_until(outbox, job, now_us_of(outbox));
        break;
    case OUTBOX_LOST:
        if (verdict->loss == OUTBOX_LOSS_TOKEN_DEAD)
            lose_token(outbox, job, error);
        else
            lose(outbox, job, verdict->loss, error);
    }
}

/* A request that had no effect leaves the message free. */
static void set_floor(struct outbox *outbox, struct job *job, int64_t now_us)
{
    const struct rest_response *response = &job->transfer.response;
    bool is_without_effect = response->result == REST_ANSWERED
                                 ? response->status >= 300 && response->status < 500
                                 : rest_was_without_effect(response->result);
    if (job->held_key != 0)
        floors_set(&outbox->floors, job->held_key,
                   is_without_effect ? now_us : now_us + outbox->settings.edit_floor_ms * 1000);
    job->held_key = 0;
}

static void count_429(struct outbox *outbox, const struct rest_response *response,
                      const struct rest_error *error)
{
    enum { SCOPE_USER, SCOPE_GLOBAL, SCOPE_SHARED, SCOPE_CLOUDFLARE };
    int scope = SCOPE_USER;
    if (response->status != 429)
        return;
    if (rest_is_banned(response, error))
        scope = SCOPE_CLOUDFLARE;
    else if (response->is_global || error->is_global)
        scope = SCOPE_GLOBAL;
    else if (str_equal(str_from(response->scope), STR("shared")))
        scope = SCOPE_SHARED;
    metrics_add_by(outbox->settings.metrics, METRIC_OUTBOX_LIMITED, scope, 1);
}

static void tell_limiter(struct outbox *outbox, struct job *job, const struct rest_error *error,
                         int64_t now_us)
{
    char major[JOB_MAJOR_SIZE];
    struct limiter_route route = job_route(job, major);
    limiter_heard(outbox->limiter, &route, &job->ticket, &job->transfer.response, error, now_us);
    sodium_memzero(major, sizeof(major));
}

void jobs_judge(struct outbox *outbox, struct job *job)
{
    const struct rest_response *response = &job->transfer.response;
    int64_t now_us = now_us_of(outbox);
    struct rest_error error = { .retry_after_ms = -1 };
    if (response->status < 200 || response->status >= 300)
        rest_read_error(response, &error);
    const struct outbox_try attempt = {
        .method = job_method(job),
        .is_reposted = job->is_reposted,
        .since_answer_ms = (now_us - job->known_us) / 1000,
        .not_yet_count = job->not_yet_count,
        .failure_count = job->failure_count,
        .response = response,
        .error = &error,
    };
    struct outbox_verdict verdict = outbox_judge(&outbox->rules, &attempt);
    job->try_count++;
    set_floor(outbox, job, now_us);
    tell_limiter(outbox, job, &error, now_us);
    count_429(outbox, response, &error);
    act_on(outbox, job, &verdict, &error);
    rest_transfer_fini(&job->transfer);
}

/* --- The end --- */

/* A repeatable request is handed back with its row. */
void jobs_abandon(struct outbox *outbox, struct job *job)
{
    if (job_method(job) == OUTBOX_FOLLOW_UP)
        lose(outbox, job, OUTBOX_LOSS_UNCERTAIN, NULL);
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
            hear_deferred(outbox, job);
        if (job->phase == JOB_STORING && (job->news & NEWS_WRITTEN) && job->result == JOURNAL_LOST)
            report_loss(outbox, job, OUTBOX_LOSS_NOT_STORED, NULL);
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
