/* One thread sleeps until the first deadline. It is woken only when it sleeps without one: a thread
 * that sleeps until an earlier entry's deadline, cancelled or not, is awake in time for all later
 * ones. So steady traffic wakes it once for each delay, not once for each interaction. Everything
 * but the entries' callbacks happens under `lock`. */
#include "router/budget.h"

#include "core/thread.h"

#include <stdlib.h>

struct budget {
    const struct clock *clock;
    int64_t delay_us;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t has_entry; /* or is stopping */
    struct budget_entry *first, *last;
    bool is_asleep; /* without a deadline */
    bool is_stopping;
};

static void unlink_entry(struct budget *budget, struct budget_entry *entry)
{
    if (entry->previous)
        entry->previous->next = entry->next;
    else
        budget->first = entry->next;
    if (entry->next)
        entry->next->previous = entry->previous;
    else
        budget->last = entry->previous;
    entry->is_waiting = false;
}

/* With the lock held, which is let go meanwhile. */
static void expire_first(struct budget *budget)
{
    struct budget_entry *entry = budget->first;
    unlink_entry(budget, entry);
    pthread_mutex_unlock(&budget->lock);
    entry->expired(entry);
    pthread_mutex_lock(&budget->lock);
}

static void sleep_until(struct budget *budget, int64_t deadline_us)
{
    struct timespec until = thread_time_at(deadline_us);
    pthread_cond_timedwait(&budget->has_entry, &budget->lock, &until);
}

static void *watch(void *argument)
{
    struct budget *budget = argument;
    pthread_mutex_lock(&budget->lock);
    while (!budget->is_stopping || budget->first) {
        if (!budget->first) {
            budget->is_asleep = true;
            pthread_cond_wait(&budget->has_entry, &budget->lock);
            budget->is_asleep = false;
        } else if (budget->is_stopping ||
                   budget->first->deadline_us <= clock_monotonic_us(budget->clock)) {
            expire_first(budget);
        } else {
            sleep_until(budget, budget->first->deadline_us);
        }
    }
    pthread_mutex_unlock(&budget->lock);
    return NULL;
}

int budget_new(struct budget **out, int64_t delay_ms, const struct clock *clock, struct err *err)
{
    struct budget *budget = calloc(1, sizeof(*budget));
    if (!budget)
        return err_set(err, ERR_MEMORY, "reply budget");
    budget->clock = clock;
    budget->delay_us = delay_ms * 1000;
    pthread_mutex_init(&budget->lock, NULL);
    thread_cond_init(&budget->has_entry);
    int result = thread_start(&budget->thread, THREAD_JOINED, 0, watch, budget);
    if (result != 0) {
        pthread_cond_destroy(&budget->has_entry);
        pthread_mutex_destroy(&budget->lock);
        free(budget);
        return err_set_errno(err, ERR_IO, result, "starting the reply budget's thread");
    }
    *out = budget;
    return 0;
}

void budget_start(struct budget *budget, struct budget_entry *entry)
{
    pthread_mutex_lock(&budget->lock);
    entry->deadline_us = clock_monotonic_us(budget->clock) + budget->delay_us;
    entry->previous = budget->last;
    entry->next = NULL;
    entry->is_waiting = true;
    if (budget->last)
        budget->last->next = entry;
    else
        budget->first = entry;
    budget->last = entry;
    if (budget->is_asleep)
        pthread_cond_signal(&budget->has_entry);
    pthread_mutex_unlock(&budget->lock);
}

bool budget_cancel(struct budget *budget, struct budget_entry *entry)
{
    pthread_mutex_lock(&budget->lock);
    bool was_waiting = entry->is_waiting;
    if (was_waiting)
        unlink_entry(budget, entry);
    pthread_mutex_unlock(&budget->lock);
    return was_waiting;
}

void budget_free(struct budget *budget)
{
    if (!budget)
        return;
    pthread_mutex_lock(&budget->lock);
    budget->is_stopping = true;
    pthread_cond_signal(&budget->has_entry);
    pthread_mutex_unlock(&budget->lock);
    pthread_join(budget->thread, NULL);
    pthread_cond_destroy(&budget->has_entry);
    pthread_mutex_destroy(&budget->lock);
    free(budget);
}
