/* The journal's parts: outbox_journal.c writes entries, outbox_upkeep.c does what time brings,
 * outbox_sweep.c what one process of all does. */
#ifndef OUTBOX_OUTBOX_JOURNAL_INTERNAL_H
#define OUTBOX_OUTBOX_JOURNAL_INTERNAL_H

#include "outbox/duty.h"
#include "outbox/outbox_journal.h"
#include "outbox/outbox_store.h"

#include <pthread.h>

#define JOURNAL_SWEEP_MS INT64_C(30000)

struct journal {
    struct journal_settings settings;
    struct outbox_instance instance;
    pthread_t thread;
    _Atomic int64_t lease_until_us; /* monotonic */
    struct db_listener *listener;

    pthread_mutex_t lock; /* guards the following */
    pthread_cond_t changed;
    struct journal_entry *first, **end;
    uint64_t submitted; /* entries, ever */
    bool is_called;     /* jobs may wait that somebody else has left */
    bool is_stopping;
    int64_t stop_us; /* monotonic: when what is left is given up */

    /* The thread's own. */
    bool has_missed_beat;
    bool has_lost_lease; /* since the last heartbeat that succeeded */
    /* What we hold is to be loaded anew: the lease came back, or reading it failed ... */
    bool needs_reclaim;
    uint64_t reclaim_at; /* ... when so many entries have ended: they tell what is left of it */
    uint64_t ended;      /* entries, ever */
    bool has_queued;     /* somebody's or nobody's jobs wait */
    bool was_called;     /* since the last look at them */
    int64_t heartbeat_due_us, poll_due_us, sweep_due_us; /* monotonic */
    int64_t claim_from_us; /* whoever calls: nothing is taken before */
    struct duty sweeping;
};

static inline int64_t journal_now_us(const struct journal *journal)
{
    return clock_monotonic_us(journal->settings.clock);
}

static inline int64_t journal_now_ms(const struct journal *journal)
{
    return clock_wall_ms(journal->settings.clock);
}

/* --- outbox_upkeep.c --- */

/* A warning with the error's code and reason. */
void journal_report(const struct journal *journal, const char *what, const struct err *err);

/* Makes this instance known. Errors: those of db_query. */
int upkeep_begin(struct journal *journal, struct err *err) MUST_CHECK;

/* Does what is due. */
void upkeep(struct journal *journal);

/* When the next is due, monotonic. */
int64_t upkeep_next_us(const struct journal *journal);

/* Hands all jobs back and takes the instance out. */
void upkeep_end(struct journal *journal);

/* Gives each row to `loaded`; one that can't be opened is dead. */
void journal_load_rows(struct journal *journal, const struct db_rows *rows);

/* --- outbox_sweep.c --- */

/* If it is this process's duty. */
void journal_sweep(struct journal *journal);

#endif
