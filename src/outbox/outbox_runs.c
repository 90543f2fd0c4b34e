/* Deferred commands until their reply can be sent: stored, handed on to whoever runs them,
 * finished. For the sender's thread only. */
#include "outbox/outbox_internal.h"

#include <sodium.h>

/* Whoever was told "busy" when it was handed a run is asked again after about this long. */
#define RUN_PAUSE_MIN_US  50000
#define RUN_PAUSE_SPAN_US 50000

void jobs_move_to(struct outbox_deferred *deferred, struct job_link *list, enum job_phase phase)
{
    job_list_remove(&deferred->link);
    job_list_append(list, &deferred->link);
    job_transition(&deferred->job, phase);
}

/* Does what can be done next for a stored run that nobody sends yet. */
void jobs_advance(struct outbox *outbox, struct outbox_deferred *deferred)
{
    struct job *job = &deferred->job;
    if (job->phase != JOB_RUNNING)
        return;
    if (deferred->is_reply_lost) {
        jobs_release(outbox, job, RERUN_PAUSE_MS);
    } else if (deferred->has_finished && !deferred->reply && job->step == STEP_APOLOGY) {
        jobs_lose(outbox, job, job->loss, NULL);
    } else if (deferred->has_finished && !deferred->reply) {
        jobs_end(outbox, job, JOURNAL_DONE);
    } else if (deferred->has_finished && deferred->is_answered) {
        job_list_remove(&deferred->link);
        jobs_enqueue(outbox, job, 0);
    } else if (deferred->mode == OUTBOX_RUN_LATER && deferred->is_answered &&
               !deferred->is_handed_on) {
        if (jobs_are_too_many(outbox))
            jobs_release(outbox, job, RERUN_PAUSE_MS);
        else
            jobs_move_to(deferred, &outbox->runnable, JOB_RUNNABLE);
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
                             record->request_id, record->is_started, err);
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
            jobs_move_to(deferred, &outbox->running, JOB_RUNNING);
        } else {
            struct log log = log_of_request(outbox->settings.log, deferred->job.record->request_id);
            log_error(&log, "a deferred command can't be run",
                      LOG_TEXT("reason", str_from(err.message)));
            jobs_lose(outbox, &deferred->job, OUTBOX_LOSS_RUN_FAILED, NULL);
        }
    }
}

/* Discord is answered before the row is there: a crash in between loses the reply. Once `stored`
 * was called the deferral may be gone. */
static void report_late(struct outbox *outbox, struct outbox_deferred *deferred)
{
    struct log log = log_of_request(outbox->settings.log, deferred->job.record->request_id);
    if (!outbox_tell_stored(deferred, OUTBOX_LATE))
        return;
    metrics_add(outbox->settings.metrics, METRIC_OUTBOX_LATE, 1);
    log_warning(&log, "answered before the job was stored: the database is slow", LOG_NOTHING);
}

void jobs_end_patience(struct outbox *outbox, int64_t now_us)
{
    while (outbox->unstored.next != &outbox->unstored) {
        struct outbox_deferred *deferred =
            CONTAINER_OF(outbox->unstored.next, struct outbox_deferred, link);
        if (deferred->patience_us > now_us)
            return;
        job_list_remove(&deferred->link);
        report_late(outbox, deferred);
    }
}

static void end_expired(struct outbox *outbox, struct job_link *list, int64_t now_ms)
{
    for (struct job_link *link = list->next, *next; link != list; link = next) {
        struct outbox_deferred *deferred = CONTAINER_OF(link, struct outbox_deferred, link);
        next = link->next;
        if (deferred->job.record->expires_at_ms <= now_ms)
            jobs_lose(outbox, &deferred->job, OUTBOX_LOSS_EXPIRED, NULL);
    }
}

void jobs_end_expired_runs(struct outbox *outbox)
{
    int64_t now_ms = jobs_now_ms(outbox);
    end_expired(outbox, &outbox->runnable, now_ms);
    end_expired(outbox, &outbox->running, now_ms);
}
