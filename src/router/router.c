/* One interaction's way from its dispatch to its answer.
 *
 * router_dispatch runs on an HTTP thread and only hands over; handlers run on executor threads; the
 * budget's thread defers what takes too long. Who answers is decided by one compare-and-swap of
 * `state`:
 *
 *     PENDING -> ANSWERED   the handler was in time: its reply is the HTTP answer
 *     PENDING -> DEFERRED   the budget is used up, the command is known to be slow, or the
 *                           reply does not fit an HTTP answer: "deferred" is the answer, the
 *                           reply becomes an edit
 *
 * A deferred dispatch has two loose ends: the edit is made, and the answer was written out. Whoever
 * ties the second one hands the edit to the outbox. A dispatch is freed with its last reference:
 * the handler's, the budget's, and the HTTP answer's while that is being written. */
#include "router/router.h"

#include "discord/interaction_parse.h"
#include "router/budget.h"
#include "router/options.h"
#include "router/route.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum dispatch_state { DISPATCH_PENDING, DISPATCH_ANSWERED, DISPATCH_DEFERRED };

struct dispatch {
    struct task task;
    struct budget_entry budget;
    struct router *router;
    struct interaction *interaction; /* owned */
    char request_id[REQUEST_ID_SIZE];
    router_done *done;
    void *context;
    atomic_int state; /* enum dispatch_state */
    atomic_int references;
    enum callback_type deferral; /* what "deferred" would be */
    bool is_deferral_ephemeral;

    /* Of a deferred one. The outbox gets them when `loose_ends` is 0. */
    atomic_int loose_ends;
    struct arena arena; /* owns the reply, and so the edit's files */
    struct buf edit;    /* empty: nothing is to be sent */
    enum outbox_method edit_method;
    const struct reply_attachment *files;
    int file_count;
    int64_t answered_us; /* 0: the answer never reached anybody */
};

int router_new(struct router **out, const struct router_settings *settings, struct err *err)
{
    int result = command_list_check(settings->commands, err);
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
    if (!router)
        return;
    budget_free(router->budget);
    free(router);
}

static void release(struct dispatch *dispatch)
{
    if (atomic_fetch_sub(&dispatch->references, 1) != 1)
        return;
    interaction_free(dispatch->interaction);
    buf_free(&dispatch->edit);
    arena_free(&dispatch->arena);
    free(dispatch);
}

/* Its reference is never the last: whoever runs the dispatch has one. */
static void stop_budget(struct dispatch *dispatch)
{
    if (budget_cancel(dispatch->router->budget, &dispatch->budget))
        atomic_fetch_sub(&dispatch->references, 1);
}

static struct log log_of_dispatch(const struct dispatch *dispatch)
{
    return log_of_request(dispatch->router->settings.log, dispatch->request_id);
}

/* --- The edit of a deferred answer --- */

static void send_edit(struct dispatch *dispatch)
{
    struct log log = log_of_dispatch(dispatch);
    if (dispatch->edit.length == 0)
        return;
    if (dispatch->answered_us == 0) {
        /* Nobody has been told to wait; a repeated request gets its own answer. */
        log_warning(&log, "edit dropped: its deferred answer was not delivered", LOG_NOTHING);
        return;
    }
    struct outbox_message message = {
        .interaction_id = dispatch->interaction->id,
        .application_id = dispatch->interaction->application_id,
        .token = dispatch->interaction->token,
        .method = dispatch->edit_method,
        .body = buf_view(&dispatch->edit),
        .files = dispatch->files,
        .file_count = dispatch->file_count,
        .answered_us = dispatch->answered_us,
    };
    memcpy(message.request_id, dispatch->request_id, REQUEST_ID_SIZE);
    struct err err = { 0 };
    if (outbox_send(dispatch->router->settings.outbox, &message, &err) != 0)
        log_error(&log, "edit lost", LOG_TEXT("reason", str_from(err.message)));
}

static void tie_loose_end(struct dispatch *dispatch)
{
    if (atomic_fetch_sub(&dispatch->loose_ends, 1) == 1)
        send_edit(dispatch);
}

/* What a finished reply means for an interaction that was answered "deferred". */
static void choose_edit_method(struct dispatch *dispatch, struct call *call)
{
    if (reply_callback_type(call->reply) == CALLBACK_MODAL)
        answer_fault(call, FAULT_LATE_MODAL, NULL);
    bool is_update = reply_callback_type(call->reply) == CALLBACK_UPDATE_MESSAGE;
    /* After a deferred update "the original" is the message that was clicked. */
    dispatch->edit_method = dispatch->deferral == CALLBACK_DEFERRED_UPDATE && !is_update
                                ? OUTBOX_FOLLOW_UP
                                : OUTBOX_EDIT_ORIGINAL;
}

static bool has_something_to_send(const struct reply *reply)
{
    enum callback_type type = reply_callback_type(reply);
    return type == CALLBACK_MESSAGE || type == CALLBACK_UPDATE_MESSAGE;
}

static int serialize_edit(const struct dispatch *dispatch, const struct reply *reply,
                          struct buf *out, struct err *err)
{
    return dispatch->edit_method == OUTBOX_FOLLOW_UP ? reply_serialize_follow_up(reply, out, err)
                                                     : reply_serialize_edit(reply, out, err);
}

static void make_edit(struct dispatch *dispatch, struct call *call)
{
    struct err err = { 0 };
    choose_edit_method(dispatch, call);
    if (!has_something_to_send(call->reply))
        return;
    if (serialize_edit(dispatch, call->reply, &dispatch->edit, &err) != 0) {
        answer_fault(call, FAULT_HANDLER, &err);
        choose_edit_method(dispatch, call);
        if (serialize_edit(dispatch, call->reply, &dispatch->edit, &err) != 0)
            buf_clear(&dispatch->edit);
    }
    dispatch->files = reply_files(call->reply, &dispatch->file_count);
}

/* --- Answers --- */

static void on_deferral_sent(void *ticket, bool is_complete)
{
    struct dispatch *dispatch = ticket;
    if (is_complete)
        dispatch->answered_us = clock_monotonic_us(dispatch->router->settings.services->clock);
    tie_loose_end(dispatch);
    release(dispatch);
}

/* In state DEFERRED. */
static void answer_deferred(struct dispatch *dispatch)
{
    struct router_answer answer = { .sent = on_deferral_sent, .ticket = dispatch };
    buf_append_format(&answer.body, "{\"type\":%d%s}", (int)dispatch->deferral,
                      dispatch->is_deferral_ephemeral ? ",\"data\":{\"flags\":64}" : "");
    if (answer.body.has_failed)
        buf_clear(&answer.body);
    metrics_add(dispatch->router->settings.metrics, METRIC_DEFERRED, 1);
    atomic_fetch_add(&dispatch->references, 1);
    dispatch->done(dispatch->context, &answer);
}

static bool leave_pending(struct dispatch *dispatch, enum dispatch_state state)
{
    int expected = DISPATCH_PENDING;
    return atomic_compare_exchange_strong(&dispatch->state, &expected, (int)state);
}

static void on_budget_expired(struct budget_entry *entry)
{
    struct dispatch *dispatch = CONTAINER_OF(entry, struct dispatch, budget);
    if (leave_pending(dispatch, DISPATCH_DEFERRED))
        answer_deferred(dispatch);
    release(dispatch);
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
        answer_deferred(dispatch);
        return false;
    }
    if (answer.body.length == 0)
        call->outcome = OUTCOME_INTERNAL_ERROR;
    dispatch->done(dispatch->context, &answer);
    return true;
}

static void finish(struct dispatch *dispatch, struct call *call)
{
    if (!answer_in_time(dispatch, call)) {
        make_edit(dispatch, call);
        tie_loose_end(dispatch);
    }
    metrics_add_by(dispatch->router->settings.metrics, METRIC_OUTCOMES, (int)call->outcome, 1);
}

/* --- The run --- */

static struct call call_of(struct dispatch *dispatch)
{
    const struct router_settings *settings = &dispatch->router->settings;
    return (struct call){
        .interaction = dispatch->interaction,
        .reply = reply_new(&dispatch->arena, dispatch->interaction),
        .arena = &dispatch->arena,
        .services = settings->services,
        .router = dispatch->router,
        .log = log_of_dispatch(dispatch),
        .now_ms = clock_wall_ms(settings->services->clock),
        .effect_id = dispatch->interaction->id,
        .outcome = OUTCOME_OK,
    };
}

/* Without memory for a reply: whoever waits gets an empty answer, which is HTTP 500. */
static void give_up(struct dispatch *dispatch)
{
    struct router_answer nothing = { 0 };
    if (leave_pending(dispatch, DISPATCH_ANSWERED)) {
        stop_budget(dispatch);
        dispatch->done(dispatch->context, &nothing);
    } else {
        tie_loose_end(dispatch);
    }
    metrics_add_by(dispatch->router->settings.metrics, METRIC_OUTCOMES, OUTCOME_INTERNAL_ERROR, 1);
}

static void run_busy(struct router *router, struct call *call)
{
    (void)router;
    answer_fault(call, FAULT_BUSY, NULL);
}

/* `make_reply` is route, or run_busy when no thread is free for it. */
static void run(struct dispatch *dispatch, void (*make_reply)(struct router *, struct call *))
{
    struct call call = call_of(dispatch);
    if (call.reply) {
        make_reply(dispatch->router, &call);
        finish(dispatch, &call);
    } else {
        give_up(dispatch);
    }
    release(dispatch);
}

static void run_dispatch(struct task *task)
{
    run(CONTAINER_OF(task, struct dispatch, task), route);
}

/* --- The dispatch --- */

static struct dispatch *dispatch_new(struct router *router, struct interaction *interaction,
                                     const char request_id[REQUEST_ID_SIZE], router_done *done,
                                     void *context)
{
    struct dispatch *dispatch = calloc(1, sizeof(*dispatch));
    if (!dispatch)
        return NULL;
    dispatch->task.run = run_dispatch;
    dispatch->budget.expired = on_budget_expired;
    dispatch->router = router;
    dispatch->interaction = interaction;
    memcpy(dispatch->request_id, request_id, REQUEST_ID_SIZE);
    dispatch->done = done;
    dispatch->context = context;
    atomic_init(&dispatch->state, DISPATCH_PENDING);
    atomic_init(&dispatch->references, 1);
    atomic_init(&dispatch->loose_ends, 2);
    return dispatch;
}

/* Only a click, and a form opened by one, has a message that a deferral could leave as it is. */
static void plan_deferral(struct dispatch *dispatch, const struct command *command)
{
    dispatch->deferral =
        dispatch->interaction->message ? CALLBACK_DEFERRED_UPDATE : CALLBACK_DEFERRED_MESSAGE;
    dispatch->is_deferral_ephemeral =
        command && command->is_ephemeral && dispatch->deferral == CALLBACK_DEFERRED_MESSAGE;
}

static const struct command *command_of(const struct router *router,
                                        const struct interaction *interaction)
{
    struct str_view name = interaction->command.path[0];
    struct custom_id id;
    if (interaction->custom_id.length > 0)
        name = custom_id_parse(interaction->custom_id, &id) == 0 ? id.route : STR_NONE;
    return command_find(router->settings.commands, name);
}

static bool is_known_to_be_slow(const struct command *command,
                                const struct interaction *interaction)
{
    const struct option *sub_command = NULL;
    if (!command || interaction->type != INTERACTION_COMMAND ||
        options_find_sub_command(command, interaction, &sub_command, NULL) != 0)
        return false;
    return command->has_deferral || (sub_command && sub_command->has_deferral);
}

/* Suggestions can't be deferred: late ones are shown late, or not at all. */
static void start_budget(struct dispatch *dispatch, const struct command *command)
{
    if (dispatch->interaction->type == INTERACTION_AUTOCOMPLETE)
        return;
    plan_deferral(dispatch, command);
    if (is_known_to_be_slow(command, dispatch->interaction)) {
        atomic_store(&dispatch->state, DISPATCH_DEFERRED);
        answer_deferred(dispatch);
        return;
    }
    atomic_fetch_add(&dispatch->references, 1);
    budget_start(dispatch->router->budget, &dispatch->budget);
}

void router_dispatch(struct router *router, struct interaction *interaction,
                     const char request_id[REQUEST_ID_SIZE], router_done *done, void *context)
{
    struct dispatch *dispatch = dispatch_new(router, interaction, request_id, done, context);
    if (!dispatch) {
        struct router_answer nothing = { 0 };
        interaction_free(interaction);
        done(context, &nothing);
        return;
    }
    start_budget(dispatch, command_of(router, interaction));
    if (executor_submit(router->settings.executor, &dispatch->task) != 0)
        run(dispatch, run_busy);
}
