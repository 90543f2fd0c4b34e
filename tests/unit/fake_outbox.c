/* Called from any thread of the router's; an allocation that fails is the caller's test's to see.
 */
#include "fake_outbox.h"

#include <stdlib.h>

void fake_outbox_init(struct outbox *outbox)
{
    *outbox = (struct outbox){ .stores = OUTBOX_STORED };
    pthread_mutex_init(&outbox->lock, NULL);
    sem_init(&outbox->has_run, 0, 0);
    sem_init(&outbox->has_sent, 0, 0);
    pthread_cond_init(&outbox->has_end, NULL);
}

void fake_outbox_fini(struct outbox *outbox)
{
    for (int i = 0; i < outbox->run_count; i++) {
        buf_free(&outbox->runs[i].json);
        buf_free(&outbox->runs[i].body);
        buf_free(&outbox->runs[i].notice);
        buf_free(&outbox->runs[i].apology);
    }
    for (int i = 0; i < outbox->channel_message_count; i++)
        buf_free(&outbox->channel_messages[i].body);
    pthread_mutex_destroy(&outbox->lock);
    sem_destroy(&outbox->has_run);
    sem_destroy(&outbox->has_sent);
    pthread_cond_destroy(&outbox->has_end);
}

static struct outbox_deferred *add_run(struct outbox *outbox)
{
    if (outbox->run_count == FAKE_OUTBOX_RUNS_MAX)
        abort();
    return &outbox->runs[outbox->run_count++];
}

void fake_outbox_store(struct outbox_deferred *run)
{
    run->on_stored(run->context, run->stored);
}

void fake_outbox_await_ends(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    for (int i = 0; i < outbox->run_count; i++)
        while (outbox->runs[i].mode == OUTBOX_RUNS_HERE && !outbox->runs[i].has_finished)
            pthread_cond_wait(&outbox->has_end, &outbox->lock);
    pthread_mutex_unlock(&outbox->lock);
}

void fake_outbox_await_hand_over(struct outbox *outbox, int count)
{
    pthread_mutex_lock(&outbox->lock);
    while (outbox->handed_over < count)
        pthread_cond_wait(&outbox->has_end, &outbox->lock);
    pthread_mutex_unlock(&outbox->lock);
}

struct outbox_deferred *fake_outbox_take_over(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    struct outbox_deferred *run = add_run(outbox);
    run->is_answered = true;
    pthread_mutex_unlock(&outbox->lock);
    return run;
}

/* With the lock held. */
static void send_if_due(struct outbox *outbox, struct outbox_deferred *run)
{
    if (!run->is_answered || !run->has_finished || !run->has_reply ||
        run->stored == OUTBOX_DUPLICATE)
        return;
    outbox->sent = run;
    outbox->sent_count++;
    sem_post(&outbox->has_sent);
}

void outbox_defer(struct outbox *outbox, const struct outbox_deferral *deferral,
                  struct outbox_deferred **deferred)
{
    pthread_mutex_lock(&outbox->lock);
    enum outbox_stored stored = outbox->stores;
    bool is_holding = outbox->is_holding;
    struct outbox_deferred *run = stored == OUTBOX_NOT_STORED ? NULL : add_run(outbox);
    *deferred = run;
    if (run) {
        run->interaction_id = deferral->interaction->id;
        run->mode = deferral->mode;
        run->stored = stored;
        run->on_stored = deferral->stored;
        run->context = deferral->context;
        buf_append(&run->json, deferral->json);
    }
    pthread_mutex_unlock(&outbox->lock);
    sem_post(&outbox->has_run);
    if (!is_holding)
        deferral->stored(deferral->context, stored);
}

void outbox_answered(struct outbox *outbox, struct outbox_deferred *run)
{
    if (!run)
        return;
    pthread_mutex_lock(&outbox->lock);
    if (run->is_answered)
        abort();
    run->is_answered = true;
    send_if_due(outbox, run);
    pthread_mutex_unlock(&outbox->lock);
}

void outbox_finish_run(struct outbox *outbox, struct outbox_deferred *run,
                       const struct outbox_message *message)
{
    if (!run)
        return;
    pthread_mutex_lock(&outbox->lock);
    if (run->has_finished)
        abort();
    run->has_finished = true;
    run->has_reply = message != NULL;
    if (message) {
        run->reply = *message;
        buf_append(&run->body, message->body);
        run->reply.body = buf_view(&run->body);
        buf_append(&run->notice, message->notice);
        run->reply.notice = buf_view(&run->notice);
        buf_append(&run->apology, message->apology);
        run->reply.apology = buf_view(&run->apology);
        run->reply.files = NULL;
    }
    send_if_due(outbox, run);
    pthread_cond_broadcast(&outbox->has_end);
    pthread_mutex_unlock(&outbox->lock);
}

void outbox_hand_over(struct outbox *outbox, int64_t interaction_id)
{
    (void)interaction_id;
    pthread_mutex_lock(&outbox->lock);
    outbox->handed_over++;
    pthread_cond_broadcast(&outbox->has_end);
    pthread_mutex_unlock(&outbox->lock);
}

struct outbox_target outbox_target_of(struct call *call)
{
    return (struct outbox_target){ .call = call, .interaction_id = call->interaction->id };
}

/* What it stages changes nothing. */
int outbox_stage_channel_message(struct outbox *outbox, const struct outbox_target *target,
                                 int64_t channel_id, const struct reply *reply, struct arena *arena,
                                 struct db_statement *statement, struct err *err)
{
    (void)arena;
    pthread_mutex_lock(&outbox->lock);
    if (outbox->channel_message_count == FAKE_OUTBOX_RUNS_MAX)
        abort();
    struct fake_channel_message *message =
        &outbox->channel_messages[outbox->channel_message_count++];
    message->channel_id = channel_id;
    message->names_author = target->names_author;
    int result = reply_serialize_edit(reply, &message->body, err);
    pthread_mutex_unlock(&outbox->lock);
    target->call->has_messages = true;
    *statement = (struct db_statement){ .sql = "SELECT 1" };
    return result;
}
