/* One interaction's way from its dispatch to its answer.
 *
 * router_dispatch runs on an HTTP thread and only hands over; handlers run on executor threads; the
 * budget's thread defers what takes too long. Who answers is decided by one compare-and-swap of
 * `state`:
 *
 *     PENDING -> ANSWERED   the handler was in time: its reply is the HTTP answer
 *     PENDING -> DEFERRED   the budget is used up, the command is known to be slow, the reply does
 *                           not fit an HTTP answer, or no thread is free: the run is stored, then
 *                           "deferred" is the answer, and the reply goes to the outbox
 *                DEFERRED   from the start: a stored run that the outbox wants to be run (again)
 *
 * What follows DEFERRED is in deferral.c. A dispatch is freed with its last reference: the run's,
 * the budget's, that of router_dispatch, and the HTTP answer's while that is being written. */
#include "router/router.h"

#include "bronx/wizard.h"

#include "discord/interaction_parse.h"
#include "router/dispatch.h"
#include "router/options.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LAST_DISPATCH_LOOK_NS 1000000L /* between two looks whether all dispatches have ended */

int router_new(struct router **out, const struct router_settings *settings, struct err *err)
{
    int result = command_list_check(settings->commands, err);
    if (result == 0)
        result = wizard_list_check(settings->commands, err);
    if (result != 0)
        return err_wrap(err, "command tables");
    struct router *router = calloc(1, sizeof(*router));
    if (!router)
        return err_set(err, ERR_MEMORY, "router");
    router->settings = *settings;
    result = budget_new(&router->budget, settings->defer_after_ms, settings->services->clock, err);
    if (result != 0) {
        free(router);
        return result;
    }
    *out = router;
    return 0;
}

void router_free(struct router *router)
{
    static const struct timespec pause = { .tv_nsec = LAST_DISPATCH_LOOK_NS };
    if (!router)
        return;
    budget_free(router->budget);
    while (atomic_load(&router->under_way) > 0)
        nanosleep(&pause, NULL);
    free(router);
}

/* Its reference is never the last: whoever calls this has one. */
static void stop_budget(struct dispatch *dispatch)
{
    if (budget_cancel(dispatch->router->budget, &dispatch->budget))
        dispatch_release(dispatch);
}

static bool leave_pending(struct dispatch *dispatch, enum dispatch_state state)
{
    int expected = DISPATCH_PENDING;
    return atomic_compare_exchange_strong(&dispatch->state, &expected, (int)state);
}

/* --- Answers in time --- */

static void on_answer_sent(void *ticket, bool is_complete)
{
    struct dispatch *dispatch = ticket;
    (void)is_complete; /* if not, a repeated request may have been answered */
    outbox_hand_over(dispatch->router->settings.services->outbox, dispatch->interaction->id);
    dispatch_release(dispatch);
}

static void answer_inline(struct dispatch *dispatch, struct router_answer *answer)
{
    if (dispatch->has_messages) {
        answer->sent = on_answer_sent;
        answer->ticket = dispatch;
        atomic_fetch_add(&dispatch->references, 1);
    }
    dispatch->done(dispatch->context, answer);
}

/* The reply as an HTTP answer, or ERR_DEFERRAL when it can only be an edit. One that breaks a limit
 * is its handler's fault and answered as such; an empty body means that there is no memory even for
 * that. */
static int make_answer(struct call *call, struct buf *body)
{
    struct err err = { 0 };
    int result = reply_serialize(call->reply, body, &err);
    if (result == 0 || result == ERR_DEFERRAL)
        return result;
    answer_fault(call, FAULT_HANDLER, &err);
    if (reply_serialize(call->reply, body, &err) != 0)
        buf_clear(body);
    return 0;
}

/* Takes the decision if it is still open: true when this reply is the HTTP answer. */
static bool answer_in_time(struct dispatch *dispatch, struct call *call)
{
    struct router_answer answer = { 0 };
    if (atomic_load(&dispatch->state) != DISPATCH_PENDING)
        return false;
    bool is_edit = make_answer(call, &answer.body) == ERR_DEFERRAL;
    if (!leave_pending(dispatch, is_edit ? DISPATCH_DEFERRED : DISPATCH_ANSWERED)) {
        buf_free(&answer.body);
        return false;
    }
    stop_budget(dispatch);
    if (is_edit) {
        dispatch->is_deferral_ephemeral = reply_is_ephemeral(call->reply);
        dispatch_defer(dispatch, OUTBOX_RUNS_HERE);
        return false;
    }
    if (answer.body.length == 0)
        call->outcome = OUTCOME_INTERNAL_ERROR;
    answer_inline(dispatch, &answer);
    return true;
}

/* --- The run --- */

static void finish(struct dispatch *dispatch, struct call *call)
{
    dispatch->has_messages = call->has_messages;
    if (!answer_in_time(dispatch, call))
        dispatch_finish_run(dispatch, call);
    metrics_add_by(dispatch->router->settings.metrics, METRIC_OUTCOMES, (int)call->outcome, 1);
}

/* Without memory for a reply: whoever waits gets an empty answer, which is HTTP 500. */
static void give_up(struct dispatch *dispatch)
{
    struct router_answer nothing = { 0 };
    if (leave_pending(dispatch, DISPATCH_ANSWERED)) {
        stop_budget(dispatch);
        answer_inline(dispatch, &nothing);
    } else {
        dispatch_finish_run(dispatch, NULL);
    }
    metrics_add_by(dispatch->router->settings.metrics, METRIC_OUTCOMES, OUTCOME_INTERNAL_ERROR, 1);
}

static void run_busy(struct router *router, struct call *call)
{
    struct err err;
    (void)router;
    err_set(&err, ERR_BUSY, "no thread is free");
    answer_fault(call, FAULT_BUSY, &err);
}

/* `make_reply` is route, or run_busy when no thread is free for it. Ends the run's reference. */
static void run(struct dispatch *dispatch, void (*make_reply)(struct router *, struct call *))
{
    struct call call = call_of(dispatch, &dispatch->arena);
    if (call.reply) {
        make_reply(dispatch->router, &call);
        finish(dispatch, &call);
    } else {
        give_up(dispatch);
    }
    dispatch_release(dispatch);
}

static void run_dispatch(struct task *task)
{
    run(CONTAINER_OF(task, struct dispatch, task), route);
}

/* --- The dispatch --- */

static void on_budget_expired(struct budget_entry *entry)
{
    struct dispatch *dispatch = CONTAINER_OF(entry, struct dispatch, budget);
    if (leave_pending(dispatch, DISPATCH_DEFERRED))
        dispatch_defer(dispatch, OUTBOX_RUNS_HERE);
    dispatch_release(dispatch);
}

/* With two references, the run's and the caller's; NULL without memory. */
static struct dispatch *dispatch_new(struct router *router, struct interaction *interaction,
                                     const char request_id[REQUEST_ID_SIZE])
{
    struct dispatch *dispatch = calloc(1, sizeof(*dispatch));
    if (!dispatch)
        return NULL;
    dispatch->task.run = run_dispatch;
    dispatch->budget.expired = on_budget_expired;
    dispatch->router = router;
    dispatch->began_us = clock_monotonic_us(router->settings.services->clock);
    dispatch->interaction = interaction;
    memcpy(dispatch->request_id, request_id, REQUEST_ID_SIZE);
    atomic_init(&dispatch->state, DISPATCH_PENDING);
    atomic_init(&dispatch->references, 2);
    atomic_init(&dispatch->run_ends, 2);
    atomic_init(&dispatch->message_ends, 2);
    route_find(router, interaction, &dispatch->target);
    dispatch_plan_deferral(dispatch);
    atomic_fetch_add(&router->under_way, 1);
    return dispatch;
}

/* Suggestions can't be deferred: late ones are shown late, or not at all. */
static bool can_be_deferred(const struct dispatch *dispatch)
{
    return dispatch->interaction->type != INTERACTION_AUTOCOMPLETE;
}

static bool is_known_to_be_slow(const struct dispatch *dispatch)
{
    const struct interaction *interaction = dispatch->interaction;
    const struct command *command = dispatch->target.command;
    const struct option *sub_command = NULL;
    if (!command || interaction->type != INTERACTION_COMMAND)
        return false;
    if (command->has_deferral)
        return true;
    return interaction->command.path_length > 1 &&
           options_find_sub_command(command, interaction, &sub_command, NULL) == 0 &&
           sub_command->has_deferral;
}

/* Once the run has been submitted, which may have ended already. */
static void start_budget(struct dispatch *dispatch)
{
    atomic_fetch_add(&dispatch->references, 1);
    budget_start(dispatch->router->budget, &dispatch->budget);
    if (atomic_load(&dispatch->state) != DISPATCH_PENDING)
        stop_budget(dispatch);
}

/* No thread is free: the run waits in the outbox, suggestions are empty. */
static void dispatch_later(struct dispatch *dispatch)
{
    if (!can_be_deferred(dispatch)) {
        run(dispatch, run_busy);
        return;
    }
    atomic_store(&dispatch->state, DISPATCH_DEFERRED);
    dispatch_defer(dispatch, OUTBOX_RUN_LATER);
    dispatch_release(dispatch); /* the run's: there is none */
}

void router_dispatch(struct router *router, struct interaction *interaction,
                     const char request_id[REQUEST_ID_SIZE], router_done *done, void *context)
{
    struct dispatch *dispatch = dispatch_new(router, interaction, request_id);
    if (!dispatch) {
        struct router_answer nothing = { 0 };
        interaction_free(interaction);
        done(context, &nothing);
        return;
    }
    dispatch->done = done;
    dispatch->context = context;
    bool is_deferred = can_be_deferred(dispatch) &&
                       (router->settings.defer_after_ms == 0 || is_known_to_be_slow(dispatch));
    if (is_deferred)
        atomic_store(&dispatch->state, DISPATCH_DEFERRED);
    if (executor_submit(router->settings.executor, &dispatch->task) != 0)
        dispatch_later(dispatch);
    else if (is_deferred)
        dispatch_defer(dispatch, OUTBOX_RUNS_HERE);
    else if (can_be_deferred(dispatch))
        start_budget(dispatch);
    dispatch_release(dispatch);
}

int router_run(void *context, struct outbox_deferred *deferred, struct str_view json,
               const char request_id[REQUEST_ID_SIZE], bool is_started, struct err *err)
{
    struct router *router = context;
    struct interaction *interaction = NULL;
    int result = interaction_parse(json, &interaction, err);
    if (result != 0)
        return result == ERR_MEMORY ? ERR_BUSY : result;
    struct dispatch *dispatch = dispatch_new(router, interaction, request_id);
    if (!dispatch) {
        interaction_free(interaction);
        return err_set(err, ERR_BUSY, "no memory for a stored run");
    }
    atomic_store(&dispatch->state, DISPATCH_DEFERRED);
    atomic_store(&dispatch->run_ends, 1);     /* `deferred` is there ... */
    atomic_store(&dispatch->message_ends, 1); /* ... and so is the answer, by whoever stored it */
    dispatch->deferred = deferred;
    if (is_started) {
        dispatch_apologise(dispatch);
        dispatch_release(dispatch); /* the run's */
    } else if (executor_submit(router->settings.executor, &dispatch->task) != 0) {
        dispatch_release(dispatch); /* the run's */
        result = err_set(err, ERR_BUSY, "no thread is free");
    }
    dispatch_release(dispatch);
    return result;
}
