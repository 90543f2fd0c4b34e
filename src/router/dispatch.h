/* One interaction between its dispatch and its end: what router.c and deferral.c share. */
#ifndef ROUTER_DISPATCH_H
#define ROUTER_DISPATCH_H

#include "router/budget.h"
#include "router/route.h"

#include <stdatomic.h>

enum dispatch_state { DISPATCH_PENDING, DISPATCH_ANSWERED, DISPATCH_DEFERRED };

struct dispatch {
    struct task task;
    struct budget_entry budget;
    struct router *router;
    int64_t began_us;                /* monotonic */
    struct interaction *interaction; /* owned */
    struct route_target target;
    char request_id[REQUEST_ID_SIZE];
    router_done *done; /* NULL: a stored run, which was answered long ago */
    void *context;
    atomic_int state; /* enum dispatch_state */
    atomic_int references;
    enum callback_type deferral; /* what "deferred" would be */
    bool is_deferral_ephemeral;
    struct arena arena; /* the run's: owns its reply */
    bool has_messages;  /* the run has stored messages that follow its answer */

    /* Of a deferred one. */
    struct outbox_deferred *deferred;
    enum outbox_run_mode mode;
    atomic_int run_ends; /* the run's end and `deferred`: with both, the outbox gets the reply */
    atomic_int message_ends; /* the reply and the answer: with both, the outbox gets the messages */
    struct outbox_message reply;
    struct buf body;    /* the reply's; empty: nothing is to be sent */
    struct buf notice;  /* the reply's */
    struct buf apology; /* the reply's */
};

struct log log_of_dispatch(const struct dispatch *dispatch);

/* A call for the dispatch whose reply lives in `arena`: NULL without memory. */
struct call call_of(struct dispatch *dispatch, struct arena *arena);

void dispatch_release(struct dispatch *dispatch);

/* --- deferral.c --- */

/* What "deferred" would be for this interaction. */
void dispatch_plan_deferral(struct dispatch *dispatch);

/* Stores the run of a dispatch that has just become DEFERRED, and answers it. From any thread;
 * never blocks. */
void dispatch_defer(struct dispatch *dispatch, enum outbox_run_mode mode);

/* A deferred dispatch's run had ended before, but its reply may not have arrived: instead of a
 * second run. */
void dispatch_apologise(struct dispatch *dispatch);

/* A deferred dispatch's run has ended; `call` NULL: there was no memory for a reply. */
void dispatch_finish_run(struct dispatch *dispatch, struct call *call);

#endif
