/* The outbox's two halves: outbox.c takes messages over, outbox_sender.c sends them. */
#ifndef OUTBOX_OUTBOX_INTERNAL_H
#define OUTBOX_OUTBOX_INTERNAL_H

#include "discord/rate_limiter_gate.h"
#include "outbox/outbox_item.h"
#include "outbox/outbox_queue.h"
#include "outbox/outbox_rules.h"

#include <pthread.h>

/* Tokens known to be dead; older ones are found dead again by one request. */
#define OUTBOX_DEAD_TOKENS 256

struct outbox {
    struct outbox_settings settings;
    struct outbox_rules rules;
    struct rest_settings rest;
    CURLM *multi; /* the sender's, except for waking it */
    pthread_t thread;

    pthread_mutex_t lock; /* guards the following */
    struct item *incoming, **incoming_end;
    int count; /* of all messages, and their memory */
    size_t bytes;
    bool is_stopping;
    int64_t stop_us; /* monotonic: when the sender gives up what is left */

    /* The sender's. */
    struct queue queue;
    int under_way;
    struct gate gate;
    int64_t dead_tokens[OUTBOX_DEAD_TOKENS]; /* interaction ids, a ring */
    unsigned dead_count;
};

/* The sending thread; `argument` is the outbox. Ends when it is stopping. */
void *outbox_run(void *argument);

/* Like outbox_new, with rules of one's own (copied), for tests. */
int outbox_new_with_rules(struct outbox **outbox, const struct outbox_settings *settings,
                          const struct outbox_rules *rules, struct err *err) MUST_CHECK;

#endif
