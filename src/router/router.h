/* The router: from a parsed interaction through the gates to its handler, and back with the answer.
 */
#ifndef ROUTER_ROUTER_H
#define ROUTER_ROUTER_H

#include "bronx/command.h"
#include "bronx/services.h"

#include "core/config.h"
#include "core/executor.h"

struct router;

struct router_settings {
    const struct command *const *commands; /* ended by NULL; outlives the router */
    handler *ask_for_terms; /* answers somebody who has not accepted the current terms */
    const struct services *services;
    const struct owner_ids *owners;
    struct executor *executor;
    struct metrics *metrics;
    struct log_sink *log;
};

/* ERR_INVALID when a command table is broken. */
int router_new(struct router **router, const struct router_settings *settings,
               struct err *err) MUST_CHECK;
void router_free(struct router *router); /* when nothing is under way; NULL allowed */

/* Called once for every dispatch, from any thread, possibly before router_dispatch returns. `body`
 * is the JSON of the HTTP answer (status 200); the callee takes it (moves the struct out or frees
 * it). An empty body means memory was exhausted: answer 500. */
typedef void router_done(void *context, struct buf *body);

/* Takes `interaction` (any type but PING) and frees it when the answer is made. Never blocks:
 * handlers run on the executor. */
void router_dispatch(struct router *router, struct interaction *interaction,
                     const char request_id[REQUEST_ID_SIZE], router_done *done, void *context);

#endif
