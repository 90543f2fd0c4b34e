/* The sending thread: a loop around the requests under way. It takes in what others say, starts
 * what is due and allowed, and waits for the earliest of everything that can happen next. What a
 * request's end means is outbox_jobs.c's to know.
 *
 * Nothing here walks over all jobs; what costs more than a look is done once a second. */
#include "outbox/outbox_internal.h"

#include <sodium.h>

/* The longest sleep: the wall clock, by which tokens end, may be set; the lease may come back. */
#define SLEEP_MAX_US      INT64_C(1000000)
#define UPKEEP_US         INT64_C(1000000)
/* Without the lease nothing is sent; how soon it is looked for. */
#define NO_LEASE_SLEEP_US INT64_C(50000)

/* --- Requests --- */

static void fail_to_start(struct outbox *outbox, struct job *job)
{
    /* Without memory a request fares like one without a network. */
    job->transfer.response.result = REST_NOT_CONNECTED;
    job->transfer.response.reason = "no memory for a request";
    jobs_judge(outbox, job);
}

void outbox_start_request(struct outbox *outbox, struct job *job)
{
    int64_t key = job_floor_key(job);
    job_transition(job, JOB_SENDING);
    if (key != 0 && !floors_begin(&outbox->floors, key, clock_monotonic_us(outbox->settings.clock)))
        key = -1;
    job->held_key = key > 0 ? key : 0;
    if (key < 0 || job_prepare(job, &outbox->rest, NULL) != 0 ||
        !rest_loop_start(outbox->loop, &job->transfer)) {
        fail_to_start(outbox, job);
        return;
    }
    outbox->under_way++;
}

static void finish_transfers(struct outbox *outbox)
{
    struct rest_transfer *transfer;
    while ((transfer = rest_loop_take(outbox->loop))) {
        outbox->under_way--;
        jobs_judge(outbox, CONTAINER_OF(transfer, struct job, transfer));
    }
}

/* --- What is due --- */

enum wait { WAIT_BUCKET, WAIT_GLOBAL, WAIT_BANNED, WAIT_BRAKE, WAIT_FLOOR };

static void put_off(struct outbox *outbox, struct job *job, enum wait wait, int64_t until_us)
{
    metrics_add_by(outbox->settings.metrics, METRIC_OUTBOX_WAITS, (int)wait, 1);
    schedule_put_back(outbox->schedule, &job->entry, until_us);
}

static enum limiter_wait ask_limiter(struct outbox *outbox, struct job *job, int64_t now_us,
                                     int64_t *ask_at_us)
{
    char major[JOB_MAJOR_SIZE];
    struct limiter_route route = job_route(job, major);
    limit_keeper_keep(&outbox->limits, now_us);
    enum limiter_wait wait = limiter_take(outbox->limiter, &route, now_us, &job->ticket, ask_at_us);
    sodium_memzero(major, sizeof(major));
    return wait;
}

static bool has_bot_token(const struct outbox *outbox)
{
    return outbox->rest.bot_token && outbox->rest.bot_token[0];
}

static void try_start(struct outbox *outbox, struct job *job, int64_t now_us)
{
    static const enum wait waits[] = {
        [LIMITER_WAIT_BUCKET] = WAIT_BUCKET,
        [LIMITER_WAIT_GLOBAL] = WAIT_GLOBAL,
        [LIMITER_WAIT_BANNED] = WAIT_BANNED,
        [LIMITER_WAIT_BRAKE] = WAIT_BRAKE,
    };
    int64_t floor_us = jobs_floor_us(outbox, job, now_us);
    if (!job_needs_token(job) && !has_bot_token(outbox)) {
        jobs_lose(outbox, job, OUTBOX_LOSS_NO_BOT_TOKEN, NULL);
        return;
    }
    if (job->may_have_arrived && !jobs_may_repeat(outbox, job, jobs_now_ms(outbox))) {
        jobs_lose(outbox, job, OUTBOX_LOSS_UNCERTAIN, NULL);
        return;
    }
    if (floor_us > now_us) {
        put_off(outbox, job, WAIT_FLOOR, floor_us);
        return;
    }
    int64_t ask_at_us = INT64_MAX;
    enum limiter_wait wait = ask_limiter(outbox, job, now_us, &ask_at_us);
    if (wait != LIMITER_GO)
        put_off(outbox, job, waits[wait], ask_at_us);
    else if (outbox_is_post(job_method(job)) && (!job->is_marked || job->may_have_arrived))
        jobs_mark(outbox, job);
    else
        outbox_start_request(outbox, job);
}

static bool may_start(const struct outbox *outbox)
{
    return outbox->under_way < outbox->rules.under_way_max && rest_loop_has_room(outbox->loop) &&
           journal_has_lease(outbox->journal);
}

static void start_due(struct outbox *outbox)
{
    while (may_start(outbox)) {
        int64_t now_us = clock_monotonic_us(outbox->settings.clock);
        struct schedule_entry *entry =
            schedule_take(outbox->schedule, now_us, clock_wall_ms(outbox->settings.clock));
        if (!entry)
            break;
        try_start(outbox, CONTAINER_OF(entry, struct job, entry), now_us);
    }
}

/* --- The loop --- */

static void keep_up(struct outbox *outbox, int64_t now_us)
{
    struct limiter_state state;
    if (now_us < outbox->upkeep_us)
        return;
    outbox->upkeep_us = now_us + UPKEEP_US;
    jobs_upkeep(outbox);
    limiter_set_delay(outbox->limiter, atomic_load(&outbox->delay_ms));
    limiter_sweep(outbox->limiter, now_us);
    outbox_limits_show(outbox);
    limiter_state(outbox->limiter, now_us, &state);
    atomic_store(&outbox->is_shut, state.shut_until_us != 0);
    struct metrics *metrics = outbox->settings.metrics;
    metrics_gauge_set(metrics, METRIC_OUTBOX_BUCKETS, (int64_t)state.buckets);
    metrics_gauge_set(metrics, METRIC_OUTBOX_INVALID, state.invalid);
    metrics_gauge_set(metrics, METRIC_OUTBOX_UNDER_WAY, outbox->under_way);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When a request may next start; INT64_MAX: not before something else happens. */
static int64_t next_start_us(const struct outbox *outbox)
{
    if (!may_start(outbox))
        return INT64_MAX;
    return schedule_next_us(outbox->schedule);
}

static int64_t next_event_us(const struct outbox *outbox, int64_t now_us)
{
    int64_t event_us = next_start_us(outbox);
    bool has_lease = journal_has_lease(outbox->journal);
    event_us = earlier(event_us, now_us + (has_lease ? SLEEP_MAX_US : NO_LEASE_SLEEP_US));
    event_us = earlier(event_us, limit_keeper_next_us(&outbox->limits));
    if (outbox->runnable.next != &outbox->runnable)
        event_us = earlier(event_us, outbox->run_again_us);
    if (outbox->unstored.next != &outbox->unstored)
        event_us =
            earlier(event_us,
                    CONTAINER_OF(outbox->unstored.next, struct outbox_deferred, link)->patience_us);
    return event_us;
}

static int milliseconds_until(int64_t until_us, int64_t now_us)
{
    return until_us <= now_us ? 0 : (int)((until_us - now_us + 999) / 1000);
}

/* False when something has come since jobs_take_news: it is looked at first. */
static bool may_sleep(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool may_sleep = !outbox->has_come;
    outbox->is_asleep = may_sleep;
    pthread_mutex_unlock(&outbox->lock);
    return may_sleep;
}

/* INT64_MAX while it is not. */
static int64_t stops_at_us(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    int64_t stop_us = outbox->is_stopping ? outbox->stop_us : INT64_MAX;
    pthread_mutex_unlock(&outbox->lock);
    return stop_us;
}

static bool has_loaded(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool is_true = outbox->loaded_count > 0;
    pthread_mutex_unlock(&outbox->lock);
    return is_true;
}

/* Nobody waits for what can't be sent in time. What a load brings is there before the load has
 * ended, so it is looked for last. */
static bool is_over(struct outbox *outbox, int64_t stop_us, int64_t now_us)
{
    if (stop_us == INT64_MAX)
        return false;
    return now_us >= stop_us || (outbox->under_way == 0 && atomic_load(&outbox->changing) == 0 &&
                                 next_start_us(outbox) >= stop_us && !has_loaded(outbox));
}

static void abandon_all(struct outbox *outbox)
{
    for (size_t i = 0; i < JOB_TABLE_SLOTS; i++)
        for (struct job *job = outbox->table.by_id[i]; job; job = job->next_by_id)
            if (job->phase == JOB_SENDING) {
                rest_loop_stop(outbox->loop, &job->transfer);
                jobs_abandon(outbox, job);
            } else if (job->phase == JOB_WAITING) {
                jobs_abandon(outbox, job);
            }
}

void *outbox_send_all(void *argument)
{
    struct outbox *outbox = argument;
    for (;;) {
        int64_t stop_us = stops_at_us(outbox);
        jobs_take_news(outbox);
        finish_transfers(outbox);
        jobs_end_expired(outbox);
        int64_t now_us = clock_monotonic_us(outbox->settings.clock);
        jobs_end_patience(outbox, now_us);
        jobs_hand_on_runs(outbox, now_us);
        limit_keeper_turn(&outbox->limits, now_us);
        start_due(outbox);
        keep_up(outbox, now_us);
        if (is_over(outbox, stop_us, now_us))
            break;
        int64_t event_us = earlier(next_event_us(outbox, now_us), stop_us);
        int sleep_ms = may_sleep(outbox) ? milliseconds_until(event_us, now_us) : 0;
        rest_loop_wait(outbox->loop, sleep_ms);
    }
    abandon_all(outbox);
    return NULL;
}
