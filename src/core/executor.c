/* Threads: `threads_min` workers live for ever. A supervisor sleeps until tasks wait with nobody
 * idle; then it looks every PATIENCE_MS, and whenever the oldest task has waited that long it
 * starts one more worker, up to `threads_max`. So a burst of quick tasks is worked off by few
 * threads, and tasks behind slow ones don't wait for them. A worker that finds nothing to do for
 * THREAD_IDLE_SECONDS ends, except the last `threads_min`. All fields below `lock` belong to its
 * holder. Tasks run in order. */
#include "core/executor.h"

#include "core/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define THREAD_IDLE_SECONDS 10
#define PATIENCE_MS         5
/* Handlers keep little on the stack; 64 threads of glibc's 8 MiB would reserve half a gigabyte. */
#define THREAD_STACK_BYTES  ((size_t)512 * 1024)

struct executor {
    struct executor_settings settings;
    pthread_mutex_t lock;
    pthread_cond_t has_work;    /* a task came, or stopping */
    pthread_cond_t has_ended;   /* a thread ended */
    pthread_cond_t has_backlog; /* tasks wait and nobody is idle, or stopping: for the supervisor */
    struct task *first, *last;  /* waiting */
    int waiting;
    int threads; /* started and not ended, the supervisor not counted */
    int idle;    /* of those, waiting for work */
    bool has_supervisor;
    bool is_supervisor_asleep; /* waits for has_backlog */
    bool is_stopping;
};

static void *work(void *argument);
static void *supervise(void *argument);

static int start_detached(void *(*function)(void *), struct executor *executor)
{
    return thread_start(NULL, THREAD_DETACHED, THREAD_STACK_BYTES, function, executor);
}

/* With the lock held. */
static int start_worker(struct executor *executor)
{
    int result = start_detached(work, executor);
    if (result == 0) {
        executor->threads++;
        metrics_gauge_add(executor->settings.metrics, METRIC_EXECUTOR_THREADS, 1);
    }
    return result;
}

int executor_new(struct executor **out, const struct executor_settings *settings, struct err *err)
{
    struct executor *executor = calloc(1, sizeof(*executor));
    if (!executor)
        return err_set(err, ERR_MEMORY, "executor");
    executor->settings = *settings;
    pthread_mutex_init(&executor->lock, NULL);
    thread_cond_init(&executor->has_work);
    thread_cond_init(&executor->has_ended);
    thread_cond_init(&executor->has_backlog);
    int result = 0;
    pthread_mutex_lock(&executor->lock);
    for (int i = 0; i < settings->threads_min && result == 0; i++)
        result = start_worker(executor);
    if (result == 0)
        result = start_detached(supervise, executor);
    executor->has_supervisor = result == 0;
    pthread_mutex_unlock(&executor->lock);
    if (result != 0) {
        executor_free(executor);
        return err_set_errno(err, ERR_IO, result, "starting an executor thread");
    }
    *out = executor;
    return 0;
}

int executor_submit(struct executor *executor, struct task *task)
{
    int result = 0;
    bool wakes_worker = false, wakes_supervisor = false;
    task->next = NULL;
    task->submitted_us = clock_monotonic_us(executor->settings.clock);
    pthread_mutex_lock(&executor->lock);
    if (executor->is_stopping)
        result = ERR_STOPPED;
    else if (executor->waiting >= executor->settings.queue_max)
        result = ERR_BUSY;
    else {
        if (executor->last)
            executor->last->next = task;
        else
            executor->first = task;
        executor->last = task;
        executor->waiting++;
        wakes_worker = executor->idle > 0;
        wakes_supervisor = executor->idle < executor->waiting && executor->is_supervisor_asleep;
    }
    pthread_mutex_unlock(&executor->lock);
    /* After the lock is free: a woken thread that ran into it would go back to sleep. */
    if (wakes_worker)
        pthread_cond_signal(&executor->has_work);
    if (wakes_supervisor)
        pthread_cond_signal(&executor->has_backlog);
    if (result == 0)
        metrics_gauge_add(executor->settings.metrics, METRIC_EXECUTOR_QUEUE, 1);
    else
        metrics_add(executor->settings.metrics, METRIC_EXECUTOR_REFUSED, 1);
    return result;
}

static bool has_backlog(const struct executor *executor)
{
    return executor->waiting > executor->idle && executor->threads < executor->settings.threads_max;
}

static void sleep_ms_unlocked(struct executor *executor, int milliseconds)
{
    struct timespec pause = { .tv_nsec = milliseconds * 1000000L };
    pthread_mutex_unlock(&executor->lock);
    nanosleep(&pause, NULL);
    pthread_mutex_lock(&executor->lock);
}

static void *supervise(void *argument)
{
    struct executor *executor = argument;
    pthread_mutex_lock(&executor->lock);
    while (!executor->is_stopping) {
        if (!has_backlog(executor)) {
            executor->is_supervisor_asleep = true;
            pthread_cond_wait(&executor->has_backlog, &executor->lock);
            executor->is_supervisor_asleep = false;
            continue;
        }
        const struct task *oldest = executor->first;
        int64_t now_us = clock_monotonic_us(executor->settings.clock);
        /* A worker that can't be started is no fault: those that run will come to the task. */
        if (now_us - oldest->submitted_us >= INT64_C(1000) * PATIENCE_MS)
            (void)start_worker(executor);
        sleep_ms_unlocked(executor, PATIENCE_MS);
    }
    executor->has_supervisor = false;
    pthread_cond_signal(&executor->has_ended);
    pthread_mutex_unlock(&executor->lock);
    return NULL;
}

/* With the lock held: the next task, or NULL when this thread shall end. */
static struct task *next_task(struct executor *executor)
{
    while (!executor->first && !executor->is_stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += THREAD_IDLE_SECONDS;
        executor->idle++;
        int result = pthread_cond_timedwait(&executor->has_work, &executor->lock, &until);
        executor->idle--;
        if (result == ETIMEDOUT && !executor->first &&
            executor->threads > executor->settings.threads_min)
            return NULL;
    }
    struct task *task = executor->first;
    if (task) {
        executor->first = task->next;
        if (!executor->first)
            executor->last = NULL;
        executor->waiting--;
    }
    return task;
}

static void *work(void *argument)
{
    struct executor *executor = argument;
    const struct executor_settings *settings = &executor->settings;
    struct task *task;
    pthread_mutex_lock(&executor->lock);
    while ((task = next_task(executor))) {
        pthread_mutex_unlock(&executor->lock);
        metrics_gauge_add(settings->metrics, METRIC_EXECUTOR_QUEUE, -1);
        metrics_observe_us(settings->metrics, METRIC_EXECUTOR_WAIT,
                           clock_monotonic_us(settings->clock) - task->submitted_us);
        task->run(task);
        pthread_mutex_lock(&executor->lock);
    }
    executor->threads--;
    metrics_gauge_add(settings->metrics, METRIC_EXECUTOR_THREADS, -1);
    pthread_cond_signal(&executor->has_ended);
    pthread_mutex_unlock(&executor->lock);
    return NULL;
}

void executor_free(struct executor *executor)
{
    if (!executor)
        return;
    pthread_mutex_lock(&executor->lock);
    executor->is_stopping = true;
    pthread_cond_broadcast(&executor->has_work);
    pthread_cond_signal(&executor->has_backlog);
    while (executor->threads > 0 || executor->has_supervisor)
        pthread_cond_wait(&executor->has_ended, &executor->lock);
    pthread_mutex_unlock(&executor->lock);
    pthread_mutex_destroy(&executor->lock);
    pthread_cond_destroy(&executor->has_work);
    pthread_cond_destroy(&executor->has_ended);
    pthread_cond_destroy(&executor->has_backlog);
    free(executor);
}
