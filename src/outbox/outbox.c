/* Where other threads come in: the router, authors' threads and the journal. None of them touches a
 * job that the sender has; they put what they have to say into lists under `lock` and wake it. */
#include "outbox/outbox.h"

#include "core/thread.h"
#include "outbox/outbox_internal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Only how a request ended is of interest, not the message that comes back. */
#define ANSWER_MAX            ((size_t)64 * 1024)
/* Deferrals may exceed the bounds that jobs of other kinds keep, for they can't be put off. */
#define DEFERRAL_BOUND_FACTOR 2
/* At the end the journal gets this long to hand back what is left, whatever the deadline. */
#define JOURNAL_FLUSH_MS      500
/* Connections to Discord, should it not speak HTTP/2: as many as a browser farm, not a flood. */
#define HOST_CONNECTIONS_MAX  64

int outbox_new(struct outbox **outbox, const struct outbox_settings *settings, struct err *err)
{
    return outbox_new_with_rules(outbox, settings, &outbox_rules_default, err);
}

/* --- From the journal's thread --- */

/* What is full is full whatever comes on the way: who claims is the only one to add to that. */
static int room_left(void *context)
{
    struct outbox *outbox = context;
    pthread_mutex_lock(&outbox->lock);
    bool is_stopping = outbox->is_stopping;
    int count = outbox->loaded_count + atomic_load(&outbox->count);
    size_t bytes = outbox->loaded_bytes + atomic_load(&outbox->bytes);
    pthread_mutex_unlock(&outbox->lock);
    bool is_full = count >= outbox->rules.count_max || bytes >= outbox->rules.bytes_max;
    return is_stopping || is_full ? 0 : outbox->rules.count_max - count;
}

static void on_loaded(void *context, struct outbox_record *record)
{
    struct outbox *outbox = context;
    record->next = NULL;
    pthread_mutex_lock(&outbox->lock);
    record->order = outbox->order++;
    *outbox->loaded_end = record;
    outbox->loaded_end = &record->next;
    outbox->loaded_count++;
    outbox->loaded_bytes += record->size;
    pthread_mutex_unlock(&outbox->lock);
    outbox_wake(outbox);
}

void outbox_free_records(struct outbox_record *record)
{
    while (record) {
        struct outbox_record *next = record->next;
        outbox_record_free(record);
        record = next;
    }
}

static void on_delay_read(void *context, int64_t delay_ms)
{
    struct outbox *outbox = context;
    atomic_store(&outbox->delay_ms, delay_ms);
}

static void on_counted(void *context, int instances)
{
    struct outbox *outbox = context;
    limit_keeper_count(&outbox->limits, instances);
}

/* What was loaded under the lost lease is forgotten here: what comes later is of the next one. */
static void on_lost(void *context)
{
    struct outbox *outbox = context;
    pthread_mutex_lock(&outbox->lock);
    struct outbox_record *loaded = outbox->loaded;
    for (struct outbox_record *record = loaded; record; record = record->next) {
        outbox->loaded_count--;
        outbox->loaded_bytes -= record->size;
    }
    outbox->loaded = NULL;
    outbox->loaded_end = &outbox->loaded;
    outbox->is_lost = true;
    pthread_mutex_unlock(&outbox->lock);
    limit_keeper_lose(&outbox->limits);
    outbox_free_records(loaded);
    outbox_wake(outbox);
}

static void on_written(struct journal_entry *entry, enum journal_result result)
{
    static const enum outbox_stored stored[] = {
        [JOURNAL_WRITTEN] = OUTBOX_STORED,
        [JOURNAL_REFUSED] = OUTBOX_DUPLICATE,
        [JOURNAL_LOST] = OUTBOX_NOT_STORED,
    };
    struct job *job = CONTAINER_OF(entry, struct job, change);
    struct outbox *outbox = job->outbox;
    /* At once, without the way through the sender: Discord waits for it. */
    if (entry->change == JOURNAL_STORE_RUN)
        outbox_tell_stored(job_deferred(job), stored[result]);
    pthread_mutex_lock(&outbox->lock);
    job->result = result;
    pthread_mutex_unlock(&outbox->lock);
    outbox_tell(outbox, job, NEWS_WRITTEN);
}

void outbox_submit(struct outbox *outbox, struct job *job, enum journal_change change)
{
    job->change.change = change;
    job->change.record = job->record;
    job->change.tries = job->record->tries + job->try_count;
    job->change.ended = on_written;
    atomic_fetch_add(&outbox->changing, 1);
    journal_submit(outbox->journal, &job->change);
}

struct load {
    struct journal_entry entry;
    struct outbox *outbox;
};

static void on_load_ended(struct journal_entry *entry, enum journal_result result)
{
    struct load *load = CONTAINER_OF(entry, struct load, entry);
    struct outbox *outbox = load->outbox;
    (void)result;
    free(load);
    atomic_fetch_sub(&outbox->changing, 1);
    outbox_wake(outbox);
}

int outbox_load(struct outbox *outbox, int64_t interaction_id, struct err *err)
{
    struct load *load = calloc(1, sizeof(*load));
    if (!load)
        return err_set(err, ERR_MEMORY, "loading messages");
    load->outbox = outbox;
    load->entry.change = JOURNAL_LOAD;
    load->entry.interaction_id = interaction_id;
    load->entry.ended = on_load_ended;
    atomic_fetch_add(&outbox->changing, 1);
    journal_submit(outbox->journal, &load->entry);
    return 0;
}

/* --- Start and stop --- */

static void destroy(struct outbox *outbox)
{
    outbox_limits_stop(outbox);
    schedule_free(outbox->schedule);
    limiter_free(outbox->limiter);
    floors_fini(&outbox->floors);
    rest_idle_free(&outbox->idle);
    rest_loop_free(outbox->loop);
    curl_global_cleanup();
    pthread_mutex_destroy(&outbox->runs_lock);
    pthread_mutex_destroy(&outbox->lock);
    sodium_memzero(outbox, sizeof(*outbox));
    free(outbox);
}

static int open_loop(struct outbox *outbox, struct err *err)
{
    const struct rest_loop_settings settings = {
        .connections_max = outbox->rules.under_way_max,
        .host_connections_max = HOST_CONNECTIONS_MAX,
    };
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(err, ERR_MEMORY, "the outbox: libcurl");
    return rest_loop_new(&outbox->loop, &settings, err);
}

static int open_journal(struct outbox *outbox, struct err *err)
{
    struct journal_settings settings = {
        .db = outbox->settings.db,
        .role = outbox->settings.role,
        .clock = outbox->settings.clock,
        .metrics = outbox->settings.metrics,
        .log = outbox->settings.log,
        .lease_ms = outbox->rules.lease_ms,
        .heartbeat_ms = outbox->rules.heartbeat_ms,
        .poll_ms = outbox->rules.poll_ms,
        .room = room_left,
        .loaded = on_loaded,
        .delay_read = on_delay_read,
        .counted = on_counted,
        .lost = on_lost,
        .context = outbox,
    };
    memcpy(settings.key, outbox->settings.key, sizeof(settings.key));
    int result = journal_new(&outbox->journal, &settings, err);
    sodium_memzero(settings.key, sizeof(settings.key));
    return result;
}

static int start(struct outbox *outbox, struct err *err)
{
    unsigned char key[LIMITER_SHARE_KEY_BYTES];
    const struct limiter_settings limiter = { .share_key = outbox_limits_key(outbox, key) };
    size_t capacity = (size_t)outbox->rules.count_max * DEFERRAL_BOUND_FACTOR;
    int result = open_loop(outbox, err);
    if (result == 0)
        result = schedule_new(&outbox->schedule, capacity, err);
    if (result == 0)
        result = limiter_new(&outbox->limiter, &limiter, err);
    sodium_memzero(key, sizeof(key));
    if (result == 0)
        result = outbox_limits_start(outbox, err);
    if (result == 0)
        result = open_journal(outbox, err);
    if (result != 0)
        return result;
    int number = thread_start(&outbox->thread, THREAD_JOINED, 0, outbox_send_all, outbox);
    if (number == 0)
        return 0;
    journal_free(outbox->journal, 0);
    jobs_free_all(outbox);
    return err_set_errno(err, ERR_IO, number, "starting the outbox's thread");
}

int outbox_new_with_rules(struct outbox **out, const struct outbox_settings *settings,
                          const struct outbox_rules *rules, struct err *err)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));
    if (!outbox)
        return err_set(err, ERR_MEMORY, "the outbox");
    outbox->settings = *settings;
    outbox->rules = *rules;
    outbox->rest = (struct rest_settings){ .api_url = settings->api_url,
                                           .ca_file = settings->ca_file,
                                           .bot_token = settings->bot_token,
                                           .connect_ms = rules->connect_ms,
                                           .total_ms = rules->total_ms,
                                           .body_max = ANSWER_MAX,
                                           .idle = &outbox->idle };
    uint64_t first_id;
    randombytes_buf(&first_id, sizeof(first_id));
    atomic_init(&outbox->next_id, first_id);
    outbox->news_end = &outbox->news;
    outbox->loaded_end = &outbox->loaded;
    job_list_init(&outbox->unstored);
    job_list_init(&outbox->runnable);
    job_list_init(&outbox->running);
    pthread_mutex_init(&outbox->lock, NULL);
    pthread_mutex_init(&outbox->runs_lock, NULL);
    int result = start(outbox, err);
    if (result == 0)
        *out = outbox;
    else
        destroy(outbox);
    return result;
}

void outbox_free(struct outbox *outbox, int64_t deadline_ms)
{
    if (!outbox)
        return;
    int64_t stop_us = clock_monotonic_us(outbox->settings.clock) + deadline_ms * 1000;
    pthread_mutex_lock(&outbox->lock);
    outbox->is_stopping = true;
    outbox->stop_us = stop_us;
    pthread_mutex_unlock(&outbox->lock);
    outbox_wake(outbox);
    pthread_join(outbox->thread, NULL);
    int64_t left_ms = (stop_us - clock_monotonic_us(outbox->settings.clock)) / 1000;
    journal_free(outbox->journal, left_ms > JOURNAL_FLUSH_MS ? left_ms : JOURNAL_FLUSH_MS);
    jobs_free_all(outbox);
    destroy(outbox);
}

enum outbox_condition outbox_condition(const struct outbox *outbox)
{
    if (!journal_has_lease(outbox->journal))
        return OUTBOX_LEASE_LOST;
    if (atomic_load(&outbox->is_shut))
        return OUTBOX_SHUT;
    bool is_unreached = reach_is_away(&outbox->reach) && atomic_load(&outbox->count) > 0;
    return is_unreached ? OUTBOX_UNREACHED : OUTBOX_WELL;
}

/* --- News --- */

/* With the lock held: whether the sender is to be woken after it. One that is awake looks again
 * before it sleeps. */
static bool must_wake(struct outbox *outbox)
{
    bool was_asleep = outbox->is_asleep;
    outbox->has_come = true;
    outbox->is_asleep = false;
    return was_asleep;
}

void outbox_wake(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool is_asleep = must_wake(outbox);
    pthread_mutex_unlock(&outbox->lock);
    if (is_asleep)
        rest_loop_wake(outbox->loop);
}

void outbox_tell(struct outbox *outbox, struct job *job, unsigned news)
{
    pthread_mutex_lock(&outbox->lock);
    if (job->news == 0) {
        job->next_news = NULL;
        job->news_order = outbox->order++;
        *outbox->news_end = job;
        outbox->news_end = &job->next_news;
    }
    job->news |= news;
    bool is_asleep = must_wake(outbox);
    pthread_mutex_unlock(&outbox->lock);
    /* From here on the job may be gone. */
    if (is_asleep)
        rest_loop_wake(outbox->loop);
}

bool outbox_tell_stored(struct outbox_deferred *deferred, enum outbox_stored stored)
{
    bool is_first = !atomic_exchange(&deferred->is_told, true);
    if (is_first)
        deferred->stored(deferred->context, stored);
    return is_first;
}

/* --- Deferrals --- */

static int make_record(struct outbox *outbox, const struct outbox_deferral *deferral,
                       struct outbox_deferred *deferred, struct err *err)
{
    const struct interaction *interaction = deferral->interaction;
    struct outbox_record row = {
        .id = outbox_next_id(outbox),
        .kind = OUTBOX_KIND_RUN,
        .subject = interaction->id,
        .interaction_id = interaction->id,
        .application_id = interaction->application_id,
        .guild_id = interaction->guild_id,
        .expires_at_ms = outbox_token_end_ms(interaction->id),
        .created_at_ms = clock_wall_ms(outbox->settings.clock),
    };
    memcpy(row.request_id, deferral->request_id, REQUEST_ID_SIZE);
    struct outbox_content content = { .token = interaction->token, .json = deferral->json };
    int result =
        outbox_content_seal(outbox->settings.key, &content, &deferred->job.change.sealed, err);
    /* Who runs it has the interaction already. */
    if (deferral->mode == OUTBOX_RUNS_HERE)
        content.json = STR_NONE;
    if (result == 0)
        result = outbox_record_new(&row, &content, &deferred->job.record, err);
    return result;
}

static bool has_room(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool is_stopping = outbox->is_stopping;
    pthread_mutex_unlock(&outbox->lock);
    return !is_stopping &&
           atomic_load(&outbox->count) < outbox->rules.count_max * DEFERRAL_BOUND_FACTOR &&
           atomic_load(&outbox->bytes) < outbox->rules.bytes_max * DEFERRAL_BOUND_FACTOR;
}

static struct outbox_deferred *deferred_new(struct outbox *outbox,
                                            const struct outbox_deferral *deferral, struct err *err)
{
    if (!has_room(outbox)) {
        err_set(err, ERR_BUSY, "%d jobs wait in the outbox, or it stops",
                atomic_load(&outbox->count));
        return NULL;
    }
    struct outbox_deferred *deferred = calloc(1, sizeof(*deferred));
    if (!deferred) {
        err_set(err, ERR_MEMORY, "a deferral");
        return NULL;
    }
    if (make_record(outbox, deferral, deferred, err) != 0) {
        buf_free(&deferred->job.change.sealed);
        free(deferred);
        return NULL;
    }
    deferred->job.is_run = true;
    deferred->job.outbox = outbox;
    deferred->mode = deferral->mode;
    deferred->floor_key = outbox_key_of_original(deferral->interaction);
    deferred->ends_due =
        deferral->mode == OUTBOX_RUNS_HERE ? NEWS_ANSWERED | NEWS_FINISHED : NEWS_ANSWERED;
    int64_t patience_ms = deferral->patience_ms ? deferral->patience_ms : outbox->rules.patience_ms;
    deferred->patience_us = clock_monotonic_us(outbox->settings.clock) + patience_ms * 1000;
    deferred->stored = deferral->stored;
    deferred->context = deferral->context;
    return deferred;
}

void outbox_defer(struct outbox *outbox, const struct outbox_deferral *deferral,
                  struct outbox_deferred **out)
{
    struct err err = { 0 };
    struct outbox_deferred *deferred = deferred_new(outbox, deferral, &err);
    *out = deferred;
    if (!deferred) {
        struct log log = log_of_request(outbox->settings.log, deferral->request_id);
        log_warning(&log, "message given up", LOG_TEXT("reason", STR("not_stored")),
                    LOG_INT("interaction", deferral->interaction->id),
                    LOG_TEXT("said", str_from(err.message)));
        metrics_add_by(outbox->settings.metrics, METRIC_OUTBOX_GIVEN_UP, OUTBOX_LOSS_NOT_STORED, 1);
        deferral->stored(deferral->context, OUTBOX_NOT_STORED);
        return;
    }
    job_transition(&deferred->job, JOB_STORING);
    jobs_count(outbox, &deferred->job);
    outbox_tell(outbox, &deferred->job, NEWS_DEFERRED);
    outbox_submit(outbox, &deferred->job, JOURNAL_STORE_RUN);
}

void outbox_answered(struct outbox *outbox, struct outbox_deferred *deferred)
{
    if (deferred)
        outbox_tell(outbox, &deferred->job, NEWS_ANSWERED);
}

void outbox_finish_run(struct outbox *outbox, struct outbox_deferred *deferred,
                       const struct outbox_message *message)
{
    if (!deferred)
        return;
    size_t size = 0;
    struct job_reply *reply = message ? job_copy_reply(message, &size) : NULL;
    pthread_mutex_lock(&outbox->lock);
    deferred->new_reply = reply;
    deferred->new_reply_size = size;
    deferred->is_new_reply_lost = message && !reply;
    deferred->is_new_reply_reposted = message && message->is_reposted;
    pthread_mutex_unlock(&outbox->lock);
    outbox_tell(outbox, &deferred->job, NEWS_FINISHED);
}

void outbox_open_runs(struct outbox *outbox, outbox_run *run, void *context)
{
    pthread_mutex_lock(&outbox->runs_lock);
    outbox->run = run;
    outbox->run_context = context;
    pthread_mutex_unlock(&outbox->runs_lock);
    outbox_wake(outbox);
}

void outbox_close_runs(struct outbox *outbox)
{
    outbox_open_runs(outbox, NULL, NULL);
}

/* --- Messages of authors --- */

void outbox_hand_over(struct outbox *outbox, int64_t interaction_id)
{
    if (outbox_load(outbox, interaction_id, NULL) == 0)
        return;
    pthread_mutex_lock(&outbox->lock);
    bool is_kept = outbox->missed_count < OUTBOX_MISSED_MAX;
    if (is_kept)
        outbox->missed[outbox->missed_count++] = interaction_id;
    pthread_mutex_unlock(&outbox->lock);
    if (is_kept)
        return;
    struct log log = log_of(outbox->settings.log);
    log_error(&log, "no memory: messages wait for the next start",
              LOG_INT("interaction", interaction_id));
}
