/* Webhook events: from a parsed event to what is recorded about it. */
#ifndef ROUTER_EVENTS_H
#define ROUTER_EVENTS_H

#include "bronx/db.h"
#include "bronx/log.h"

#include "core/executor.h"
#include "discord/webhook_event.h"

struct events {
    struct db *db;
    const struct erasure_key *erasure_key;
    struct executor *executor;
    struct metrics *metrics;
    struct log_sink *log;
};

enum event_outcome {
    EVENT_TAKEN, /* recorded, or nothing to record: Discord may forget it */
    EVENT_RETRY, /* could not be recorded just now: Discord is to send it again */
};

/* Called once for every dispatch, from any thread, possibly before events_dispatch returns. */
typedef void events_done(void *context, enum event_outcome outcome);

/* Takes `event` (not a PING) and frees it. Never blocks: recording happens on the executor.
 * `events` is constant and outlives every dispatch. */
void events_dispatch(const struct events *events, struct webhook_event *event,
                     const char request_id[REQUEST_ID_SIZE], events_done *done, void *context);

#endif
