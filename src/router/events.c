/* What the bot does about webhook events. events_dispatch runs on an HTTP thread and hands what
 * must be recorded to the executor, whose task owns the event. No state: recording the same event
 * again changes nothing (see bronx/installations.h).
 *
 * Discord repeats an unanswered or refused event for ten minutes and switches events off for an
 * endpoint that fails too often. So what another try may cure is refused, and what it can't cure -
 * a constraint of ours says no - is logged and acknowledged. */
#include "router/events.h"

#include "bronx/installations.h"

#include "core/log_sink.h"

#include <stdlib.h>
#include <string.h>

/* Label values of METRIC_EVENTS_UNRECORDED. */
enum { LABEL_RETRIED, LABEL_DROPPED };

struct recording {
    struct task task;
    const struct events *events;
    struct webhook_event *event; /* owned */
    char request_id[REQUEST_ID_SIZE];
    events_done *done;
    void *context;
};

static bool is_curable(int code)
{
    switch (code) {
    case ERR_CHECK:
    case ERR_DUPLICATE:
    case ERR_EXPECTATION:
    case ERR_LIMIT:
        return false;
    default:
        return true;
    }
}

static enum event_outcome judge(const struct recording *recording, int code, const struct err *err)
{
    const struct events *events = recording->events;
    if (code == 0)
        return EVENT_TAKEN;
    bool will_repeat = is_curable(code);
    struct log log = log_of_request(events->log, recording->request_id);
    metrics_add_by(events->metrics, METRIC_EVENTS_UNRECORDED,
                   will_repeat ? LABEL_RETRIED : LABEL_DROPPED, 1);
    log_write(&log, will_repeat ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, "webhook event not recorded",
              LOG_FIELDS_(LOG_TEXT("event", recording->event->name),
                          LOG_TEXT("code", str_from(err_code_word(code))),
                          LOG_TEXT("reason", str_from(err->message))));
    return will_repeat ? EVENT_RETRY : EVENT_TAKEN;
}

static void finish(struct recording *recording, int code, const struct err *err)
{
    enum event_outcome outcome = judge(recording, code, err);
    recording->done(recording->context, outcome);
    webhook_event_free(recording->event);
    free(recording);
}

static void run_recording(struct task *task)
{
    struct recording *recording = CONTAINER_OF(task, struct recording, task);
    const struct webhook_event *event = recording->event;
    const struct installation_change change = {
        .is_authorized = event->kind == EVENT_APPLICATION_AUTHORIZED,
        .user_id = event->user_id,
        .occurred_at_ms = event->occurred_at_ms,
        .integration_type = event->integration_type,
        .guild_id = event->guild_id,
        .scopes = event->scopes,
    };
    struct err err = { 0 };
    int code =
        installations_record(recording->events->db, recording->events->erasure_key, &change, &err);
    finish(recording, code, &err);
}

void events_dispatch(const struct events *events, struct webhook_event *event,
                     const char request_id[REQUEST_ID_SIZE], events_done *done, void *context)
{
    bool is_recorded = event->kind == EVENT_APPLICATION_AUTHORIZED ||
                       event->kind == EVENT_APPLICATION_DEAUTHORIZED;
    struct recording *recording = is_recorded ? calloc(1, sizeof(*recording)) : NULL;
    if (!recording) {
        if (is_recorded)
            metrics_add_by(events->metrics, METRIC_EVENTS_UNRECORDED, LABEL_RETRIED, 1);
        webhook_event_free(event);
        done(context, is_recorded ? EVENT_RETRY : EVENT_TAKEN);
        return;
    }
    *recording = (struct recording){ .task.run = run_recording,
                                     .events = events,
                                     .event = event,
                                     .done = done,
                                     .context = context };
    memcpy(recording->request_id, request_id, REQUEST_ID_SIZE);
    int code = executor_submit(events->executor, &recording->task);
    if (code != 0) {
        struct err err = { 0 };
        err_set(&err, code, "no thread for it");
        finish(recording, code, &err);
    }
}
