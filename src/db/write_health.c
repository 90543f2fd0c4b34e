/* On a disk that is nearly full small writes succeed and large ones do not, and a write that finds
 * nothing to change succeeds always: it is over only when none has failed for longer than the
 * outbox's heartbeat, which changes a row, lets pass between two tries. */
#include "db/write_health.h"

#include "core/thread.h"

#define GOOD_AFTER_US INT64_C(2500000)

void write_health_init(struct write_health *health)
{
    atomic_init(&health->is_failing, false);
    pthread_mutex_init(&health->lock, NULL);
    health->failed_us = 0;
}

void write_health_fini(struct write_health *health)
{
    pthread_mutex_destroy(&health->lock);
}

static void note_failure(struct write_health *health, const struct err *err, struct log_sink *sink)
{
    pthread_mutex_lock(&health->lock);
    bool is_first = !atomic_exchange(&health->is_failing, true);
    health->failed_us = thread_now_us();
    pthread_mutex_unlock(&health->lock);
    if (!is_first || !sink)
        return;
    struct log log = log_of(sink);
    log_error(&log, "the database takes no writes", LOG_TEXT("why", str_from(err->message)));
}

static void note_success(struct write_health *health, struct log_sink *sink)
{
    pthread_mutex_lock(&health->lock);
    bool is_over =
        atomic_load(&health->is_failing) && thread_now_us() - health->failed_us >= GOOD_AFTER_US;
    if (is_over)
        atomic_store(&health->is_failing, false);
    pthread_mutex_unlock(&health->lock);
    if (!is_over || !sink)
        return;
    struct log log = log_of(sink);
    log_info(&log, "the database takes writes again", LOG_NOTHING);
}

void write_health_note(struct write_health *health, int result, const struct err *err,
                       struct log_sink *log)
{
    if (result == ERR_UNAVAILABLE)
        note_failure(health, err, log);
    else if (result == 0 && atomic_load_explicit(&health->is_failing, memory_order_relaxed))
        note_success(health, log);
}

bool write_health_is_good(const struct write_health *health)
{
    return !atomic_load(&health->is_failing);
}
