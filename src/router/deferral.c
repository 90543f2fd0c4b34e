/* Deferred interactions: their run is stored, Discord is answered "deferred", and the reply goes to
 * the outbox.
 *
 *      dispatch_defer --> outbox_defer --> on_stored: the answer --> on_deferral_sent
 *                              |                                       outbox_answered --+
 *      dispatch_finish_run ----+--> outbox_finish_run -----------------------------------+
 *                                                                      messages <--------+
 *
 * dispatch_defer may run on an HTTP thread, the budget's or an executor's, on_stored on one of the
 * outbox's; none of it blocks. The run may end before outbox_defer has returned: whoever comes
 * second hands the reply over. */
#include "router/dispatch.h"

#include "bronx/language.h"

#include "core/json_out.h"
#include "discord/interaction_parse.h"

#include <string.h>

/* The front waits 1300 ms before it asks another instance: until then a deferral may wait for its
 * row. */
#define ANSWER_WITHIN_MS 1150
/* A message of one text. */
#define MESSAGE(flags, text)                                                                       \
    "{\"flags\":" flags ",\"allowed_mentions\":{\"parse\":[]},\"components\":[{\"type\":10,"       \
    "\"content\":\"" text "\"}]}"
#define FLAGS_PUBLIC    "32768" /* IS_COMPONENTS_V2 */
#define FLAGS_EPHEMERAL "32832" /* and EPHEMERAL */
/* What is sent when there is no memory for the reply, nor for its translation. */
#define LAST_WORDS(flags)                                                                          \
    MESSAGE(flags, "Something went wrong on my side. Please try again in a moment.")
#define SPEECHLESS MESSAGE(FLAGS_PUBLIC, "…")

/* Only a click, and a form opened by one, has a message that a deferral could leave as it is. */
void dispatch_plan_deferral(struct dispatch *dispatch)
{
    const struct command *command = dispatch->target.command;
    dispatch->deferral =
        dispatch->interaction->message ? CALLBACK_DEFERRED_UPDATE : CALLBACK_DEFERRED_MESSAGE;
    dispatch->is_deferral_ephemeral =
        command && command->is_ephemeral && dispatch->deferral == CALLBACK_DEFERRED_MESSAGE;
}

static struct outbox *outbox_of(const struct dispatch *dispatch)
{
    return dispatch->router->settings.services->outbox;
}

/* --- Loose ends --- */

static void tie_message_end(struct dispatch *dispatch)
{
    if (atomic_fetch_sub(&dispatch->message_ends, 1) == 1 && dispatch->has_messages)
        outbox_hand_over(outbox_of(dispatch), dispatch->interaction->id);
}

static void tie_run_end(struct dispatch *dispatch)
{
    if (atomic_fetch_sub(&dispatch->run_ends, 1) != 1)
        return;
    bool has_reply = dispatch->reply.body.length > 0 || dispatch->reply.apology.length > 0;
    outbox_finish_run(outbox_of(dispatch), dispatch->deferred, has_reply ? &dispatch->reply : NULL);
    tie_message_end(dispatch);
}

/* --- The answer --- */

static void on_deferral_sent(void *ticket, bool is_complete)
{
    struct dispatch *dispatch = ticket;
    (void)is_complete; /* if not, a repeated request may have been answered */
    outbox_answered(outbox_of(dispatch), dispatch->deferred);
    tie_message_end(dispatch);
    dispatch_release(dispatch);
}

static void write_deferred(const struct dispatch *dispatch, struct buf *body)
{
    buf_append_format(body, "{\"type\":%d%s}", (int)dispatch->deferral,
                      dispatch->is_deferral_ephemeral ? ",\"data\":{\"flags\":64}" : "");
    if (body->has_failed)
        buf_clear(body);
    metrics_add(dispatch->router->settings.metrics, METRIC_DEFERRED, 1);
}

/* No reply will follow. The run, if there is one, has the dispatch's arena. */
static void write_busy(struct dispatch *dispatch, struct buf *body)
{
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct call call = call_of(dispatch, &arena);
    struct err err;
    err_set(&err, ERR_BUSY, "the run could not be stored");
    if (call.reply)
        answer_fault(&call, FAULT_BUSY, &err);
    if (!call.reply || reply_serialize(call.reply, body, &err) != 0)
        buf_clear(body);
    if (dispatch->mode == OUTBOX_RUN_LATER)
        metrics_add_by(dispatch->router->settings.metrics, METRIC_OUTCOMES, OUTCOME_INTERNAL_ERROR,
                       1);
}

static void on_stored(void *context, enum outbox_stored stored)
{
    struct dispatch *dispatch = context;
    struct router_answer answer = { .sent = on_deferral_sent, .ticket = dispatch };
    if (stored == OUTBOX_NOT_STORED)
        write_busy(dispatch, &answer.body);
    else
        write_deferred(dispatch, &answer.body);
    dispatch->done(dispatch->context, &answer);
}

static int64_t patience_ms(const struct dispatch *dispatch)
{
    const struct clock *clock = dispatch->router->settings.services->clock;
    int64_t left_ms = ANSWER_WITHIN_MS - (clock_monotonic_us(clock) - dispatch->began_us) / 1000;
    return left_ms > OUTBOX_STORE_PATIENCE_MS ? left_ms : OUTBOX_STORE_PATIENCE_MS;
}

void dispatch_defer(struct dispatch *dispatch, enum outbox_run_mode mode)
{
    struct outbox_deferral deferral = {
        .patience_ms = patience_ms(dispatch),
        .interaction = dispatch->interaction,
        .json = interaction_json(dispatch->interaction),
        .mode = mode,
        .stored = on_stored,
        .context = dispatch,
    };
    memcpy(deferral.request_id, dispatch->request_id, REQUEST_ID_SIZE);
    dispatch->mode = mode;
    atomic_fetch_add(&dispatch->references, 1); /* until the answer is sent */
    outbox_defer(outbox_of(dispatch), &deferral, &dispatch->deferred);
    if (mode == OUTBOX_RUNS_HERE)
        tie_run_end(dispatch);
}

/* --- The reply --- */

static bool is_deferral_public(const struct dispatch *dispatch)
{
    return dispatch->deferral == CALLBACK_DEFERRED_MESSAGE && !dispatch->is_deferral_ephemeral;
}

/* After a deferred update "the original" is the message that was clicked. A deferral that everybody
 * sees can't become a reply that only one person may see: it gives its place to a new message. */
static void choose_method(struct dispatch *dispatch, struct call *call)
{
    if (reply_callback_type(call->reply) == CALLBACK_MODAL)
        answer_fault(call, FAULT_LATE_MODAL, NULL);
    bool is_update = reply_callback_type(call->reply) == CALLBACK_UPDATE_MESSAGE;
    bool is_beside = dispatch->deferral == CALLBACK_DEFERRED_UPDATE && !is_update;
    bool is_instead = is_deferral_public(dispatch) && reply_is_ephemeral(call->reply);
    dispatch->reply.method = is_beside || is_instead ? OUTBOX_FOLLOW_UP : OUTBOX_EDIT;
}

/* What everybody in a channel reads is in the server's language. */
static const struct language *language_of_place(const struct dispatch *dispatch)
{
    const struct interaction *interaction = dispatch->interaction;
    return language_of(interaction->guild_locale.length > 0 ? interaction->guild_locale
                                                            : interaction->locale);
}

static struct str_view public_message(struct buf *body, struct str_view text,
                                      struct str_view without_memory)
{
    struct json_out json = { .buf = body };
    buf_append(body, STR("{\"flags\":" FLAGS_PUBLIC ",\"allowed_mentions\":{\"parse\":[]},"
                         "\"components\":[{\"type\":10,\"content\":"));
    json_text(&json, text);
    buf_append(body, STR("}]}"));
    return text.length == 0 || body->has_failed ? without_memory : buf_view(body);
}

/* What everybody sees of a reply that one person sees: until it has arrived ... */
static void add_notice(struct dispatch *dispatch)
{
    const char *text = language_text(language_of_place(dispatch),
                                     "-# Only the person who asked can see the answer.");
    dispatch->reply.notice = public_message(&dispatch->notice, str_from(text), STR(SPEECHLESS));
}

/* ... and when nobody knows whether it has. */
static void add_apology(struct dispatch *dispatch)
{
    struct str_view text = arena_format(
        &dispatch->arena,
        language_text(language_of_place(dispatch),
                      "Only the person who asked could see the answer, and it may not have "
                      "arrived. If it is missing, look at what has changed before you try again.\n"
                      "-# Error id: `%s`"),
        dispatch->request_id);
    dispatch->reply.apology =
        public_message(&dispatch->apology, text, STR(LAST_WORDS(FLAGS_PUBLIC)));
}

static bool has_something_to_send(const struct reply *reply)
{
    enum callback_type type = reply_callback_type(reply);
    return type == CALLBACK_MESSAGE || type == CALLBACK_UPDATE_MESSAGE;
}

static int serialize(struct dispatch *dispatch, const struct reply *reply, struct err *err)
{
    return dispatch->reply.method == OUTBOX_FOLLOW_UP
               ? reply_serialize_follow_up(reply, &dispatch->body, err)
               : reply_serialize_edit(reply, &dispatch->body, err);
}

static void use_last_words(struct dispatch *dispatch)
{
    bool is_beside = dispatch->deferral == CALLBACK_DEFERRED_UPDATE;
    dispatch->reply = (struct outbox_message){
        .method = is_beside ? OUTBOX_FOLLOW_UP : OUTBOX_EDIT,
        .body = is_beside ? STR(LAST_WORDS(FLAGS_EPHEMERAL)) : STR(LAST_WORDS(FLAGS_PUBLIC)),
    };
}

static void make_reply(struct dispatch *dispatch, struct call *call)
{
    struct err err = { 0 };
    choose_method(dispatch, call);
    if (!has_something_to_send(call->reply))
        return;
    if (serialize(dispatch, call->reply, &err) != 0) {
        answer_fault(call, FAULT_HANDLER, &err);
        choose_method(dispatch, call);
        if (serialize(dispatch, call->reply, &err) != 0) {
            use_last_words(dispatch);
            return;
        }
    }
    dispatch->reply.body = buf_view(&dispatch->body);
    dispatch->reply.is_reposted = call->command && call->command->is_reposted;
    dispatch->reply.files = reply_files(call->reply, &dispatch->reply.file_count);
    if (dispatch->reply.method == OUTBOX_FOLLOW_UP && is_deferral_public(dispatch)) {
        add_notice(dispatch);
        add_apology(dispatch);
    }
}

void dispatch_apologise(struct dispatch *dispatch)
{
    if (is_deferral_public(dispatch))
        add_apology(dispatch);
    tie_run_end(dispatch);
}

void dispatch_finish_run(struct dispatch *dispatch, struct call *call)
{
    if (call)
        make_reply(dispatch, call);
    else
        use_last_words(dispatch);
    tie_run_end(dispatch);
}
