/* Takes the outbox's place behind a router: remembers what is handed to it, in order. It stores at
 * once unless it is told to hold; a run is sent when it has ended and its answer was written out,
 * as by the real one. */
#ifndef TESTS_FAKE_OUTBOX_H
#define TESTS_FAKE_OUTBOX_H

#include "outbox/outbox.h"

#include <pthread.h>
#include <semaphore.h>

#define FAKE_OUTBOX_RUNS_MAX 256

struct outbox_deferred {
    int64_t interaction_id;
    struct buf json;
    enum outbox_run_mode mode;
    enum outbox_stored stored;
    void (*on_stored)(void *context, enum outbox_stored stored);
    void *context;
    bool is_answered, has_finished;
    bool has_reply; /* then the following */
    struct outbox_message reply;
    struct buf body, notice, apology;
};

/* A message to a channel that a call has staged. */
struct fake_channel_message {
    int64_t channel_id;
    bool names_author;
    struct buf body;
};

struct outbox {
    pthread_mutex_t lock; /* guards what follows */
    struct fake_channel_message channel_messages[FAKE_OUTBOX_RUNS_MAX];
    int channel_message_count;
    struct outbox_deferred runs[FAKE_OUTBOX_RUNS_MAX];
    int run_count;
    int sent_count;               /* runs with a reply whose ends are met */
    struct outbox_deferred *sent; /* the last of those */
    int handed_over;              /* calls of outbox_hand_over */
    enum outbox_stored stores;    /* what becomes of a deferral */
    bool is_holding;              /* the test calls fake_outbox_store */
    sem_t has_run, has_sent;      /* one more of each */
    pthread_cond_t has_end;       /* one more run has finished */
};

void fake_outbox_init(struct outbox *outbox);
void fake_outbox_fini(struct outbox *outbox);

/* Tells whoever deferred `run` that it is stored. */
void fake_outbox_store(struct outbox_deferred *run);

/* Waits until all runs that the router runs itself have finished. */
void fake_outbox_await_ends(struct outbox *outbox);

/* Waits for the `count`-th call of outbox_hand_over, by whoever ties the last of a call's ends. */
void fake_outbox_await_hand_over(struct outbox *outbox, int count);

/* A run that was stored by somebody who died: for router_run. */
struct outbox_deferred *fake_outbox_take_over(struct outbox *outbox);

#endif
