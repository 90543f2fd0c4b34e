/* Handing messages over. Any thread puts a copy into `incoming` and wakes the sender, which owns it
 * from then on. Memory is bounded by the counts kept under the lock. */
#include "outbox/outbox.h"

#include "core/thread.h"
#include "outbox/outbox_internal.h"

#include <stdlib.h>

/* Only how a request ended is of interest, not the message that comes back. */
#define ANSWER_MAX ((size_t)64 * 1024)

int outbox_new(struct outbox **outbox, const struct outbox_settings *settings, struct err *err)
{
    return outbox_new_with_rules(outbox, settings, &outbox_rules_default, err);
}

static void destroy(struct outbox *outbox)
{
    if (outbox->multi)
        curl_multi_cleanup(outbox->multi);
    curl_global_cleanup();
    pthread_mutex_destroy(&outbox->lock);
    free(outbox);
}

static int start(struct outbox *outbox, struct err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        outbox->multi = curl_multi_init();
    if (!outbox->multi || curl_multi_setopt(outbox->multi, CURLMOPT_MAXCONNECTS,
                                            (long)outbox->rules.under_way_max) != CURLM_OK)
        return err_set(err, ERR_MEMORY, "the outbox: libcurl");
    int number = thread_start(&outbox->thread, THREAD_JOINED, 0, outbox_run, outbox);
    return number != 0 ? err_set_errno(err, ERR_IO, number, "starting the outbox's thread") : 0;
}

int outbox_new_with_rules(struct outbox **out, const struct outbox_settings *settings,
                          const struct outbox_rules *rules, struct err *err)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));
    if (!outbox)
        return err_set(err, ERR_MEMORY, "the outbox");
    outbox->settings = *settings;
    outbox->rules = *rules;
    outbox->rest = (struct rest_settings){ .api_url = settings->api_url,
                                           .connect_ms = rules->connect_ms,
                                           .total_ms = rules->total_ms,
                                           .body_max = ANSWER_MAX };
    outbox->incoming_end = &outbox->incoming;
    queue_init(&outbox->queue);
    pthread_mutex_init(&outbox->lock, NULL);
    int result = start(outbox, err);
    if (result == 0)
        *out = outbox;
    else
        destroy(outbox);
    return result;
}

/* With the lock held. */
static int admit(struct outbox *outbox, struct item *item, struct err *err)
{
    if (outbox->is_stopping)
        return err_set(err, ERR_STOPPED, "the outbox is stopping");
    if (outbox->count >= outbox->rules.count_max ||
        item->size > outbox->rules.bytes_max - outbox->bytes)
        return err_set(err, ERR_BUSY, "%d messages of %zu bytes wait in the outbox", outbox->count,
                       outbox->bytes);
    outbox->count++;
    outbox->bytes += item->size;
    *outbox->incoming_end = item;
    outbox->incoming_end = &item->next;
    metrics_gauge_add(outbox->settings.metrics, METRIC_OUTBOX_WAITING, 1);
    curl_multi_wakeup(outbox->multi);
    return 0;
}

static int take(struct outbox *outbox, const struct outbox_message *message, struct err *err)
{
    size_t size = 0;
    int result = item_size(message, &size, err);
    if (result != 0)
        return result;
    struct item *item = item_new(message, size);
    if (!item)
        return err_set(err, ERR_MEMORY, "a message for the outbox");
    item->taken_us = clock_monotonic_us(outbox->settings.clock);
    item->due_us = item->taken_us;
    item->end_ms = outbox_token_end_ms(message->interaction_id);
    pthread_mutex_lock(&outbox->lock);
    result = admit(outbox, item, err);
    pthread_mutex_unlock(&outbox->lock);
    if (result != 0)
        item_free(item);
    return result;
}

int outbox_send(struct outbox *outbox, const struct outbox_message *message, struct err *err)
{
    int result = take(outbox, message, err);
    if (result != 0)
        metrics_add_by(outbox->settings.metrics, METRIC_OUTBOX_GIVEN_UP, OUTBOX_LOSS_NOT_TAKEN, 1);
    return result;
}

void outbox_free(struct outbox *outbox, int64_t deadline_ms)
{
    if (!outbox)
        return;
    pthread_mutex_lock(&outbox->lock);
    outbox->is_stopping = true;
    outbox->stop_us = clock_monotonic_us(outbox->settings.clock) + deadline_ms * 1000;
    curl_multi_wakeup(outbox->multi);
    pthread_mutex_unlock(&outbox->lock);
    pthread_join(outbox->thread, NULL);
    destroy(outbox);
}
