/* From a request to a verified interaction and back. Handlers run on the HTTP threads; the router's
 * answer comes from whatever thread made it. Nothing is parsed before its signature was accepted,
 * and every refusal looks the same from outside: Discord probes with wrong signatures and expects
 * 401, others learn nothing.
 *
 * struct pending belongs to the request from its dispatch until its answer was sent. */
#include "http/webhook.h"

#include "core/log_sink.h"
#include "discord/interaction_parse.h"
#include "discord/webhook_event.h"
#include "router/events.h"
#include "router/router.h"

#include <stdlib.h>
#include <string.h>

#define PONG STR("{\"type\":1}")

/* Label values of METRIC_INTERACTIONS. */
enum { LABEL_PING, LABEL_UNKNOWN = INTERACTION_MODAL_SUBMIT };

/* After that Discord has given up on an interaction.
 * https://docs.discord.com/developers/interactions/receiving-and-responding#responding-to-an-interaction
 */
#define ANSWER_DEADLINE_MS 3000

#define PENDING_NAME_SIZE  40

struct pending {
    struct webhook *webhook;
    struct http_exchange *exchange;
    int64_t interaction_id;
    int64_t arrived_us;
    char request_id[REQUEST_ID_SIZE];
    char name[PENDING_NAME_SIZE];                 /* of the command or component, for the log */
    void (*sent)(void *ticket, bool is_complete); /* the router's wish; NULL: none */
    void *ticket;
};

static void count_handling(const struct webhook *webhook, int64_t arrived_us)
{
    metrics_observe_us(webhook->metrics, METRIC_HANDLING,
                       clock_monotonic_us(webhook->clock) - arrived_us);
}

static void refuse_nonsense(const struct webhook *webhook, struct http_exchange *exchange,
                            const char *reason)
{
    struct log log = log_of_request(webhook->log, http_request_id(exchange));
    log_warning(&log, "signed request refused", LOG_TEXT("reason", str_from(reason)));
    struct buf body = { 0 };
    http_error_json(&body, reason);
    if (body.has_failed) {
        buf_free(&body);
        http_respond_text(exchange, 400, HTTP_JSON, STR("{\"error\":\"invalid\"}"));
    } else
        http_respond(exchange, 400, HTTP_JSON, &body);
}

static void refuse_for_want_of_memory(const struct webhook *webhook, struct http_exchange *exchange,
                                      const char *request_id)
{
    struct log log = log_of_request(webhook->log, request_id);
    log_error(&log, "out of memory for an answer", LOG_NOTHING);
    struct buf body = { 0 };
    buf_append_format(&body, "{\"error\":\"internal error\",\"request\":\"%s\"}", request_id);
    if (body.has_failed) {
        buf_free(&body);
        http_respond_text(exchange, 500, HTTP_JSON, STR("{\"error\":\"internal error\"}"));
    } else
        http_respond(exchange, 500, HTTP_JSON, &body);
}

/* --- /interactions --- */

/* The number Discord judges by: from the snowflake to the last byte of the answer. */
static void count_acknowledgement(const struct pending *pending)
{
    const struct webhook *webhook = pending->webhook;
    int64_t taken_ms =
        clock_wall_ms(webhook->clock) - snowflake_created_ms(pending->interaction_id);
    metrics_observe_us(webhook->metrics, METRIC_ACKNOWLEDGE, taken_ms * 1000);
    if (taken_ms <= ANSWER_DEADLINE_MS)
        return;
    struct log log = log_of_request(webhook->log, pending->request_id);
    metrics_add(webhook->metrics, METRIC_LATE, 1);
    log_warning(&log, "answered too late", LOG_TEXT("what", str_from(pending->name)),
                LOG_INT("after_ms", taken_ms));
}

static void on_answer_sent(void *context, bool is_complete)
{
    struct pending *pending = context;
    if (is_complete)
        count_acknowledgement(pending);
    if (pending->sent)
        pending->sent(pending->ticket, is_complete);
    free(pending);
}

/* Called by the router, on any thread. */
static void on_answer(void *context, struct router_answer *answer)
{
    struct pending *pending = context;
    struct http_exchange *exchange = pending->exchange;
    count_handling(pending->webhook, pending->arrived_us);
    pending->sent = answer->sent;
    pending->ticket = answer->ticket;
    /* `pending` is gone as soon as the exchange is answered. */
    if (answer->body.length > 0 && !answer->body.has_failed)
        http_respond(exchange, 200, HTTP_JSON, &answer->body);
    else {
        buf_free(&answer->body);
        refuse_for_want_of_memory(pending->webhook, exchange, pending->request_id);
    }
}

static void name_pending(struct pending *pending, const struct interaction *interaction)
{
    struct str_view name =
        interaction->custom_id.length > 0 ? interaction->custom_id : interaction->command.path[0];
    name = utf8_prefix_bytes(name, PENDING_NAME_SIZE - 1);
    if (name.length > 0)
        memcpy(pending->name, name.data, name.length);
}

static void dispatch(struct webhook *webhook, struct http_exchange *exchange,
                     struct interaction *interaction)
{
    const char *request_id = http_request_id(exchange);
    struct pending *pending = calloc(1, sizeof(*pending));
    if (!pending) {
        interaction_free(interaction);
        refuse_for_want_of_memory(webhook, exchange, request_id);
        return;
    }
    pending->webhook = webhook;
    pending->exchange = exchange;
    pending->interaction_id = interaction->id;
    pending->arrived_us = http_arrived_us(exchange);
    memcpy(pending->request_id, request_id, REQUEST_ID_SIZE);
    name_pending(pending, interaction);
    http_on_sent(exchange, on_answer_sent, pending);
    char id[REQUEST_ID_SIZE];
    memcpy(id, request_id,
           sizeof(id)); /* `pending` may be gone before the router is done with it */
    router_dispatch(webhook->router, interaction, id, on_answer, pending);
}

static void count_interaction(const struct webhook *webhook, int type)
{
    bool is_known = type >= INTERACTION_PING && type <= INTERACTION_MODAL_SUBMIT;
    metrics_add_by(webhook->metrics, METRIC_INTERACTIONS,
                   is_known ? type - INTERACTION_PING + LABEL_PING : LABEL_UNKNOWN, 1);
}

static void on_interaction(struct http_exchange *exchange, void *context)
{
    struct webhook *webhook = context;
    enum admitted admitted = admission_check(&webhook->admission, exchange, true);
    if (admitted == ADMITTED_PROBE)
        http_respond_text(exchange, 200, HTTP_JSON, PONG);
    if (admitted != ADMITTED_DISCORD)
        return;
    struct interaction *interaction = NULL;
    struct err err;
    size_t length;
    const char *body = http_body(exchange, &length);
    int result = interaction_parse((struct str_view){ body, length }, &interaction, &err);
    if (result == ERR_MEMORY) {
        refuse_for_want_of_memory(webhook, exchange, http_request_id(exchange));
        return;
    }
    if (result != 0) {
        refuse_nonsense(webhook, exchange, err.message);
        return;
    }
    int type = interaction->type;
    count_interaction(webhook, type);
    if (type > INTERACTION_PING && type <= INTERACTION_MODAL_SUBMIT) {
        dispatch(webhook, exchange, interaction);
        return;
    }
    interaction_free(interaction);
    if (type == INTERACTION_PING) {
        count_handling(webhook, http_arrived_us(exchange));
        http_respond_text(exchange, 200, HTTP_JSON, PONG);
    } else {
        /* No answer we know would be right for it, and Discord tells the user so itself. */
        err_set(&err, ERR_INVALID, "type: interactions of type %d are not supported", type);
        refuse_nonsense(webhook, exchange, err.message);
    }
}

/* --- /events --- */

/* Called by the router, on any thread. Discord repeats what gets a 503 for ten minutes. */
static void on_event_done(void *context, enum event_outcome outcome)
{
    struct http_exchange *exchange = context;
    if (outcome == EVENT_TAKEN)
        http_respond_text(exchange, 204, HTTP_JSON, STR_NONE);
    else
        http_respond_text(exchange, 503, HTTP_JSON, STR("{\"error\":\"try again\"}"));
}

static void on_event(struct http_exchange *exchange, void *context)
{
    struct webhook *webhook = context;
    if (admission_check(&webhook->admission, exchange, false) != ADMITTED_DISCORD)
        return;
    size_t length;
    const char *body = http_body(exchange, &length);
    struct webhook_event *event = NULL;
    struct err err;
    int result = webhook_event_parse((struct str_view){ body, length }, &event, &err);
    if (result == ERR_MEMORY) {
        refuse_for_want_of_memory(webhook, exchange, http_request_id(exchange));
    } else if (result != 0) {
        refuse_nonsense(webhook, exchange, err.message);
    } else if (event->type == EVENT_PING) {
        webhook_event_free(event);
        http_respond_text(exchange, 204, HTTP_JSON, STR_NONE);
    } else {
        char id[REQUEST_ID_SIZE];
        memcpy(id, http_request_id(exchange), sizeof(id)); /* the exchange may be gone early */
        metrics_add_by(webhook->metrics, METRIC_EVENTS, (int)event->kind, 1);
        events_dispatch(webhook->events, event, id, on_event_done, exchange);
    }
}

static void on_too_large(void *context)
{
    struct webhook *webhook = context;
    metrics_add_by(webhook->metrics, METRIC_REFUSED, REFUSED_BODY_SIZE - 1, 1);
}

void webhook_routes(struct webhook *webhook, struct http_route routes[WEBHOOK_ROUTES])
{
    static const struct {
        const char *path;
        http_handler *handler;
    } rows[WEBHOOK_ROUTES] = {
        { "/interactions", on_interaction },
        { "/events", on_event },
    };
    for (size_t i = 0; i < WEBHOOK_ROUTES; i++)
        routes[i] = (struct http_route){
            .path = rows[i].path,
            .method = "POST",
            .max_body = webhook->max_body,
            .handler = rows[i].handler,
            .on_too_large = on_too_large,
            .context = webhook,
        };
}
