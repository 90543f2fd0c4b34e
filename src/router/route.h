/* Finding the handler of an interaction and running it behind the gates. */
#ifndef ROUTER_ROUTE_H
#define ROUTER_ROUTE_H

#include "router/router.h"

#include <stdatomic.h>

/* What goes wrong on the way to a handler or in it. */
enum fault {
    FAULT_UNKNOWN_COMMAND,
    FAULT_OLD_COMMAND,
    FAULT_UNKNOWN_COMPONENT,
    FAULT_OLD_COMPONENT,
    FAULT_OTHERS_COMPONENT,
    FAULT_HANDLER,
    FAULT_BUSY,
    FAULT_LATE_MODAL,
};

struct router {
    struct router_settings settings;
    struct budget *budget;
    atomic_int under_way; /* dispatches that have not ended */
};

/* Whose handler an interaction is for. */
struct route_target {
    const struct command *command; /* NULL: unknown */
    struct custom_id custom_id;    /* of components and modals; borrows from the interaction */
};
void route_find(const struct router *router, const struct interaction *interaction,
                struct route_target *target);

/* Makes the reply of a call whose target is known, whatever happens: a handler's, a gate's or a
 * fault's. */
void route(struct router *router, struct call *call);

/* Forgets what the reply has so far; the call's preface, if any, is its beginning again. */
void begin_reply(struct call *call);

/* The one sentence a person gets for `fault`, with the id under which the log has the cause.
 * Returns 0. */
int answer_fault(struct call *call, enum fault fault, const struct err *err);

#endif
