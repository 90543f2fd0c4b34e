/* The router: from a parsed interaction through the gates to its handler, and back with the answer,
 * or with a deferred one to the outbox (services->outbox). */
#ifndef ROUTER_ROUTER_H
#define ROUTER_ROUTER_H

#include "bronx/command.h"
#include "bronx/services.h"

#include "core/config.h"
#include "core/executor.h"
#include "outbox/outbox.h"

struct router;

struct router_settings {
    const struct command *const *commands; /* ended by NULL; outlives the router */
    handler *ask_for_terms; /* answers somebody who has not accepted the current terms */
    const struct services *services;
    const struct owner_ids *owners;
    struct executor *executor;
    int64_t defer_after_ms; /* a slower handler is answered by "deferred"; 0: all are, at once */
    struct metrics *metrics;
    struct log_sink *log;
};

/* ERR_INVALID when a command table is broken. */
int router_new(struct router **router, const struct router_settings *settings,
               struct err *err) MUST_CHECK;

/* When nothing is dispatched any more and the executor has ended; waits for deferrals that are
 * still being stored or written out. NULL allowed. */
void router_free(struct router *router);

struct router_answer {
    /* JSON for status 200, taken by the callee. Empty: memory was exhausted, answer 500. */
    struct buf body;
    /* When not NULL, to be called exactly once after the answer was written out (`is_complete`) or
     * could not be: what the outbox sends must not overtake it. From any thread. */
    void (*sent)(void *ticket, bool is_complete);
    void *ticket;
};

/* Called once for every dispatch, from any thread, possibly before router_dispatch returns. */
typedef void router_done(void *context, struct router_answer *answer);

/* Takes `interaction` (any type but PING) and frees it when the answer is made. Never blocks:
 * handlers run on the executor. */
void router_dispatch(struct router *router, struct interaction *interaction,
                     const char request_id[REQUEST_ID_SIZE], router_done *done, void *context);

/* Runs a command that was stored (`context`: the router): the outbox's side of outbox_open_runs. */
outbox_run router_run;

#endif
