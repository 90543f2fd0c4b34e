/* What comes of a try: the rules' verdict is carried out. For the sender's thread only. */
#include "outbox/outbox_internal.h"

#include <sodium.h>

static void count_sent(struct outbox *outbox, const struct job *job)
{
    struct log log = log_of_request(outbox->settings.log, job->record->request_id);
    int64_t delay_us = jobs_now_us(outbox) - job->ready_us;
    log_debug(&log, "message sent", LOG_INT("tries", job->try_count),
              LOG_INT("waited_ms", delay_us / 1000));
    metrics_add_by(outbox->settings.metrics, METRIC_OUTBOX_SENT, (int)job_method(job), 1);
    metrics_observe_us(outbox->settings.metrics, METRIC_OUTBOX_DELAY, delay_us);
}

static void go_on(struct outbox *outbox, struct job *job, enum job_step step)
{
    job_take_step(job, step);
    jobs_wait_until(outbox, job, jobs_now_us(outbox));
}

static void finish_sent(struct outbox *outbox, struct job *job)
{
    switch (job->step) {
    case STEP_NOTICE:
        go_on(outbox, job, STEP_ANSWER);
        break;
    case STEP_ANSWER:
        count_sent(outbox, job);
        go_on(outbox, job, STEP_CLEAR);
        break;
    case STEP_CLEAR:
        jobs_end(outbox, job, JOURNAL_DONE);
        break;
    case STEP_APOLOGY:
        jobs_lose(outbox, job, job->loss, NULL);
        break;
    case STEP_ONLY:
        count_sent(outbox, job);
        jobs_end(outbox, job, JOURNAL_DONE);
        break;
    }
}

/* Whoever can still be told why nothing comes is told. A notice that finds no @original, because
 * the person has deleted it, is none the less over. */
static void give_up(struct outbox *outbox, struct job *job, enum outbox_loss loss,
                    const struct rest_error *error)
{
    if (job->step == STEP_NOTICE && loss == OUTBOX_LOSS_MESSAGE_GONE) {
        go_on(outbox, job, STEP_ANSWER);
    } else if (job->step == STEP_ANSWER) {
        jobs_report_loss(outbox, job, loss, error);
        job->is_reported = true;
        jobs_apologise(job, loss);
        jobs_wait_until(outbox, job, jobs_now_us(outbox));
    } else {
        jobs_lose(outbox, job, loss, error);
    }
}

static void try_again(struct outbox *outbox, struct job *job, const struct outbox_verdict *verdict,
                      const struct rest_error *error)
{
    struct log log = log_of_request(outbox->settings.log, job->record->request_id);
    int64_t due_ms = jobs_now_ms(outbox) + verdict->delay_ms;
    job->may_have_arrived |= verdict->may_have_arrived;
    if (job->may_have_arrived && !jobs_may_repeat(outbox, job, due_ms)) {
        give_up(outbox, job, OUTBOX_LOSS_UNCERTAIN, error);
        return;
    }
    if (due_ms >= job->record->expires_at_ms) {
        give_up(outbox, job, OUTBOX_LOSS_EXPIRED, error);
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
    int64_t due_us = jobs_now_us(outbox) + verdict->delay_ms * 1000;
    if (verdict->retry == OUTBOX_RETRY_RATE_LIMITED)
        jobs_note_wait(outbox, job, due_us); /* Discord's wait does not end with this process */
    else
        jobs_wait_until(outbox, job, due_us);
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
        jobs_wait_until(outbox, job, jobs_now_us(outbox));
        break;
    case OUTBOX_LOST:
        if (verdict->loss == OUTBOX_LOSS_TOKEN_DEAD)
            jobs_lose_token(outbox, job, error);
        else
            give_up(outbox, job, verdict->loss, error);
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
    int64_t now_us = jobs_now_us(outbox);
    struct rest_error error = { .retry_after_ms = -1 };
    if (response->status < 200 || response->status >= 300)
        rest_read_error(response, &error);
    const struct outbox_try attempt = {
        .method = job_method(job),
        .is_reposted = job->is_reposted && job->step == STEP_ONLY,
        .may_have_arrived = job->may_have_arrived,
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
    reach_note(&outbox->reach, response, outbox->settings.log);
    act_on(outbox, job, &verdict, &error);
    rest_transfer_fini(&job->transfer);
}
