/* The journal: the outbox's way to the database, on a thread of its own. Changes of jobs come in
 * from any thread, are written in their order, as many as wait in one transaction, and repeated
 * while the database is away. Between them it keeps the instance's lease, takes over what the dead
 * left and what waits for a free worker, and sweeps. Processes call each other when a job waits
 * that none of them has; what nobody calls for is found by the next heartbeat's count.
 *
 * Losing the lease (this process was stopped, or the database away, for longer than it lasts) means
 * that others may have the jobs: `lease` says so, and after the lease is back they are all loaded
 * again. */
#ifndef OUTBOX_OUTBOX_JOURNAL_H
#define OUTBOX_OUTBOX_JOURNAL_H

#include "outbox/outbox_record.h"

#include <stdatomic.h>

/* An instance that was silent for so long is dead. Three heartbeats must fail before. */
#define JOURNAL_LEASE_MS     15000
#define JOURNAL_HEARTBEAT_MS 4000
/* How often waiting jobs are looked for: while there are some, and always where other processes
 * can't call. */
#define JOURNAL_POLL_MS      1000

struct journal;

enum journal_change {
    JOURNAL_STORE_RUN,   /* outbox_store_run */
    JOURNAL_DONE,        /* outbox_store_done */
    JOURNAL_EXPIRED,     /* outbox_store_end without a reason */
    JOURNAL_DEAD,        /* outbox_store_end */
    JOURNAL_STARTED,     /* outbox_store_started(true): before a POST */
    JOURNAL_NOT_STARTED, /* ... and that had certainly no effect. Both: to whoever takes it over,
                          * not before `available_ms` */
    JOURNAL_RELEASE,     /* outbox_store_release */
    JOURNAL_LOAD,        /* outbox_store_load: no `record`, but `interaction_id` */
};

enum journal_result {
    JOURNAL_WRITTEN,
    JOURNAL_REFUSED, /* the row is not in the state expected: newer, somebody else's, or there */
    JOURNAL_LOST,    /* the journal stopped, or the database can't take it ever */
};

/* Embedded in whatever waits for it. */
struct journal_entry {
    struct journal_entry *next;
    enum journal_change change;
    const struct outbox_record *record; /* borrowed until `ended` */
    struct buf sealed;                  /* STORE_RUN: taken */
    const char *reason;                 /* DEAD; static storage */
    int64_t tries;
    int64_t available_ms;   /* RELEASE, STARTED, NOT_STARTED */
    int64_t interaction_id; /* LOAD */
    /* On the journal's thread; must not block. A DONE or end that was refused because the row has a
     * newer version is followed by `loaded` of that. */
    void (*ended)(struct journal_entry *entry, enum journal_result result);
};

struct journal_settings {
    struct db *db;
    unsigned char key[OUTBOX_KEY_BYTES];
    const char *role;
    const struct clock *clock;
    struct metrics *metrics;
    struct log_sink *log;
    int64_t lease_ms, heartbeat_ms, poll_ms; /* 0: the constants above */
    /* How many jobs there is room for, those not counted that `loaded` was given: asked before each
     * claim. On the journal's thread; must not block. */
    int (*room)(void *context);
    /* A job this instance now holds; taken. On the journal's thread; must not block. */
    void (*loaded)(void *context, struct outbox_record *record);
    /* At each heartbeat, the operator's extra pause between requests: bot_state 'rate_limit_delay',
     * in seconds there. */
    void (*delay_read)(void *context, int64_t delay_ms);
    /* How many instances are alive, this one included: at the start and at each heartbeat. While
     * the lease holds, the last of them is not older than it. */
    void (*counted)(void *context, int instances);
    /* The lease was lost: forget all jobs that are not under way, without a change of rows. */
    void (*lost)(void *context);
    void *context;
};

/* Registers the instance and, when this process alone can have the database, declares all others
 * dead. Errors: those of db_query; ERR_MEMORY, ERR_IO. */
int journal_new(struct journal **journal, const struct journal_settings *settings,
                struct err *err) MUST_CHECK;

/* From any thread; never blocks. */
void journal_submit(struct journal *journal, struct journal_entry *entry);

int64_t journal_instance_id(const struct journal *journal);

/* Whether the lease holds: without it nothing may be sent. From any thread. */
bool journal_has_lease(const struct journal *journal);

/* Writes what waits for at most `deadline_ms`, hands back all this instance holds, ends. */
void journal_free(struct journal *journal, int64_t deadline_ms);

#endif
