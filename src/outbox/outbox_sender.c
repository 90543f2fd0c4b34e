/* The sending thread: a loop around curl_multi. It owns the queue and everything in it. Every
 * message leaves in one of two ways, finish_sent or lose; each counts it, lose logs it. */
#include "outbox/outbox_internal.h"

#include <time.h>

/* The longest sleep while something waits: the wall clock, by which tokens end, may be set. */
#define SLEEP_MAX_MS  1000
#define IDLE_SLEEP_MS 60000

/* --- How a message leaves --- */

/* Frees the item and what it holds of the bounds. */
static void forget(struct outbox *outbox, struct item *item)
{
    rest_transfer_fini(&item->transfer);
    pthread_mutex_lock(&outbox->lock);
    outbox->count--;
    outbox->bytes -= item->size;
    pthread_mutex_unlock(&outbox->lock);
    metrics_gauge_add(outbox->settings.metrics, METRIC_OUTBOX_WAITING, -1);
    item_free(item);
}

static int64_t waited_us(const struct outbox *outbox, const struct item *item)
{
    return clock_monotonic_us(outbox->settings.clock) - item->taken_us;
}

static void finish_sent(struct outbox *outbox, struct item *item)
{
    struct log log = log_of_request(outbox->settings.log, item->message.request_id);
    int64_t delay_us = waited_us(outbox, item);
    log_debug(&log, "message sent", LOG_INT("tries", item->try_count),
              LOG_INT("waited_ms", delay_us / 1000));
    metrics_add(outbox->settings.metrics, METRIC_OUTBOX_SENT, 1);
    metrics_observe_us(outbox->settings.metrics, METRIC_OUTBOX_DELAY, delay_us);
    queue_retire(&outbox->queue, item);
    forget(outbox, item);
}

/* `error` is what Discord said in the end; NULL when the reason is another. */
static void lose(struct outbox *outbox, struct item *item, enum outbox_loss loss,
                 const struct rest_error *error)
{
    struct log log = log_of_request(outbox->settings.log, item->message.request_id);
    const struct rest_response *response = &item->transfer.response;
    /* That a person deletes a message before its edit comes is nobody's fault. */
    enum log_level level = loss == OUTBOX_LOSS_MESSAGE_GONE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;
    log_write(&log, level, "message given up",
              LOG_FIELDS_(LOG_TEXT("reason", str_from(outbox_loss_word(loss))),
                          LOG_INT("interaction", item->message.interaction_id),
                          LOG_INT("status", response->status),
                          LOG_INT("code", error ? error->code : 0),
                          LOG_TEXT("said", str_from(response->reason ? response->reason
                                                    : error          ? error->message
                                                                     : "")),
                          LOG_INT("tries", item->try_count),
                          LOG_INT("waited_ms", waited_us(outbox, item) / 1000)));
    metrics_add_by(outbox->settings.metrics, METRIC_OUTBOX_GIVEN_UP, (int)loss, 1);
    forget(outbox, item);
}

/* For a token that is dead or over: what waits behind the head can't arrive either. */
static void lose_token(struct outbox *outbox, struct item *head, enum outbox_loss loss,
                       const struct rest_error *error)
{
    queue_remove_token(&outbox->queue, head);
    struct item *item = head->successor;
    lose(outbox, head, loss, error);
    while (item) {
        struct item *successor = item->successor;
        lose(outbox, item, loss, NULL);
        item = successor;
    }
}

/* --- What comes of a try --- */

static bool is_known_dead(const struct outbox *outbox, int64_t interaction_id)
{
    unsigned count = outbox->dead_count;
    if (count > OUTBOX_DEAD_TOKENS)
        count = OUTBOX_DEAD_TOKENS;
    for (unsigned i = 0; i < count; i++)
        if (outbox->dead_tokens[i] == interaction_id)
            return true;
    return false;
}

static void try_again(struct outbox *outbox, struct item *item,
                      const struct outbox_verdict *verdict, const struct rest_error *error)
{
    struct log log = log_of_request(outbox->settings.log, item->message.request_id);
    const struct clock *clock = outbox->settings.clock;
    if (clock_wall_ms(clock) + verdict->delay_ms >= item->end_ms) {
        lose_token(outbox, item, OUTBOX_LOSS_EXPIRED, error);
        return;
    }
    log_debug(&log, "message will be sent again",
              LOG_TEXT("reason", str_from(outbox_retry_word(verdict->retry))),
              LOG_INT("status", item->transfer.response.status), LOG_INT("tries", item->try_count),
              LOG_INT("after_ms", verdict->delay_ms));
    metrics_add_by(outbox->settings.metrics, METRIC_OUTBOX_RETRIES, (int)verdict->retry, 1);
    if (verdict->retry == OUTBOX_RETRY_NOT_YET)
        item->not_yet_count++;
    else
        item->failure_count++;
    item->due_us = clock_monotonic_us(clock) + verdict->delay_ms * 1000;
    rest_transfer_fini(&item->transfer);
}

static void give_up(struct outbox *outbox, struct item *item, enum outbox_loss loss,
                    const struct rest_error *error)
{
    if (loss == OUTBOX_LOSS_TOKEN_DEAD) {
        outbox->dead_tokens[outbox->dead_count % OUTBOX_DEAD_TOKENS] = item->message.interaction_id;
        outbox->dead_count++;
        lose_token(outbox, item, loss, error);
        return;
    }
    queue_retire(&outbox->queue, item);
    lose(outbox, item, loss, error);
}

static void move_gate(struct outbox *outbox, struct item *item,
                      const struct outbox_verdict *verdict)
{
    if (verdict->pause_ms > 0) {
        struct log log = log_of(outbox->settings.log);
        log_warning(&log, "all sending pauses",
                    LOG_TEXT("reason", str_from(outbox_retry_word(verdict->retry))),
                    LOG_INT("for_ms", verdict->pause_ms));
        gate_shut(&outbox->gate,
                  clock_monotonic_us(outbox->settings.clock) + verdict->pause_ms * 1000);
    } else if (item->is_probe) {
        gate_probe_ended(&outbox->gate, item->transfer.response.result == REST_ANSWERED);
    }
    item->is_probe = false;
}

/* A try has ended; item->transfer has the response. */
static void judge(struct outbox *outbox, struct item *item)
{
    int64_t now_us = clock_monotonic_us(outbox->settings.clock);
    struct rest_error error;
    rest_read_error(&item->transfer.response, &error);
    const struct outbox_try attempt = {
        .method = item->message.method,
        .since_answer_ms = (now_us - item->message.answered_us) / 1000,
        .not_yet_count = item->not_yet_count,
        .failure_count = item->failure_count,
        .response = &item->transfer.response,
        .error = &error,
    };
    struct outbox_verdict verdict = outbox_judge(&outbox->rules, &attempt);
    item->try_count++;
    move_gate(outbox, item, &verdict);
    switch (verdict.kind) {
    case OUTBOX_SENT:
        finish_sent(outbox, item);
        break;
    case OUTBOX_AGAIN:
        try_again(outbox, item, &verdict, &error);
        break;
    case OUTBOX_LOST:
        give_up(outbox, item, verdict.loss, &error);
        break;
    }
}

/* --- The loop --- */

/* False when the outbox is stopping; `*stop_us` says until when what waits may still be sent. */
static bool take_incoming(struct outbox *outbox, int64_t *stop_us)
{
    pthread_mutex_lock(&outbox->lock);
    struct item *item = outbox->incoming;
    outbox->incoming = NULL;
    outbox->incoming_end = &outbox->incoming;
    bool is_stopping = outbox->is_stopping;
    *stop_us = is_stopping ? outbox->stop_us : INT64_MAX;
    pthread_mutex_unlock(&outbox->lock);
    while (item) {
        struct item *next = item->next;
        if (is_known_dead(outbox, item->message.interaction_id))
            lose(outbox, item, OUTBOX_LOSS_TOKEN_DEAD, NULL);
        else
            queue_add(&outbox->queue, item);
        item = next;
    }
    return !is_stopping;
}

static void finish_transfers(struct outbox *outbox)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(outbox->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct item *item = NULL;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result; /* `message` is gone after the next call */
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&item);
        curl_multi_remove_handle(outbox->multi, easy);
        outbox->under_way--;
        item->is_under_way = false;
        rest_transfer_finish(&item->transfer, code);
        judge(outbox, item);
    }
}

static void start(struct outbox *outbox, struct item *item)
{
    struct err err = { 0 };
    int result = item_prepare(item, &outbox->rest, &err);
    if (result == 0 &&
        curl_easy_setopt(item->transfer.easy, CURLOPT_PRIVATE, (void *)item) == CURLE_OK &&
        curl_multi_add_handle(outbox->multi, item->transfer.easy) == CURLM_OK) {
        item->is_under_way = true;
        outbox->under_way++;
        return;
    }
    /* Without memory a request fares like one without a network. */
    item->transfer.response.result = REST_NOT_CONNECTED;
    item->transfer.response.reason = "no memory for a request";
    judge(outbox, item);
}

/* Starts what is due, and gives up what is over. */
static void start_due(struct outbox *outbox)
{
    int64_t now_us = clock_monotonic_us(outbox->settings.clock);
    int64_t now_ms = clock_wall_ms(outbox->settings.clock);
    struct item *next;
    for (struct item *item = outbox->queue.heads; item; item = next) {
        next = item->next;
        if (item->is_under_way)
            continue;
        if (now_ms >= item->end_ms)
            lose_token(outbox, item, OUTBOX_LOSS_EXPIRED, NULL);
        else if (now_us >= item->due_us && outbox->under_way < outbox->rules.under_way_max &&
                 gate_pass(&outbox->gate, now_us, &item->is_probe))
            start(outbox, item);
    }
}

/* When a message can next be started, a token ends, or INT64_MAX. */
static int64_t next_event_us(const struct outbox *outbox, int64_t now_us)
{
    int64_t now_ms = clock_wall_ms(outbox->settings.clock);
    int64_t opens_us = gate_opens_us(&outbox->gate);
    bool is_full = outbox->under_way >= outbox->rules.under_way_max;
    int64_t event_us = INT64_MAX;
    for (const struct item *item = outbox->queue.heads; item; item = item->next) {
        if (item->is_under_way)
            continue;
        int64_t end_us = now_us + (item->end_ms - now_ms) * 1000;
        int64_t start_us = item->due_us > opens_us ? item->due_us : opens_us;
        if (is_full || start_us > end_us)
            start_us = end_us;
        if (start_us < event_us)
            event_us = start_us;
    }
    return event_us;
}

static void sleep_until(struct outbox *outbox, int64_t until_us, int64_t now_us)
{
    int64_t longest_ms = outbox->queue.heads ? SLEEP_MAX_MS : IDLE_SLEEP_MS;
    int64_t sleep_ms = longest_ms;
    if (until_us <= now_us)
        sleep_ms = 0;
    else if (until_us - now_us < longest_ms * 1000)
        sleep_ms = (until_us - now_us + 999) / 1000;
    if (curl_multi_poll(outbox->multi, NULL, 0, (int)sleep_ms, NULL) == CURLM_OK)
        return;
    /* It needs memory to wait; without any, the loop must not spin. */
    const struct timespec pause = { .tv_nsec = 1000000 };
    nanosleep(&pause, NULL);
}

static void lose_all(struct outbox *outbox)
{
    while (outbox->queue.heads) {
        struct item *item = outbox->queue.heads;
        if (item->is_under_way)
            curl_multi_remove_handle(outbox->multi, item->transfer.easy);
        lose_token(outbox, item, OUTBOX_LOSS_STOPPED, NULL);
    }
}

void *outbox_run(void *argument)
{
    struct outbox *outbox = argument;
    for (;;) {
        int64_t stop_us;
        int running;
        bool is_open = take_incoming(outbox, &stop_us);
        curl_multi_perform(outbox->multi, &running);
        finish_transfers(outbox);
        start_due(outbox);
        int64_t now_us = clock_monotonic_us(outbox->settings.clock);
        int64_t event_us = next_event_us(outbox, now_us);
        /* Nobody waits for what can't be sent in time. */
        if (!is_open && (now_us >= stop_us || (outbox->under_way == 0 && event_us >= stop_us)))
            break;
        sleep_until(outbox, event_us < stop_us ? event_us : stop_us, now_us);
    }
    lose_all(outbox);
    return NULL;
}
