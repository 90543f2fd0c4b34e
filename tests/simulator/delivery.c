/* Sending, judging, and what an answer changes on people's screens.
 *
 * Threads are only started to send at the same instant; each has a connection of its own and
 * touches one delivery, and all have ended before a function returns. */
#include "simulator/session.h"

#include "harness/memory.h"
#include "harness/yardstick.h"
#include "simulator/json_read.h"

#include "core/thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int64_t judge_time(const struct session *session, const struct http_answer *answer)
{
    int64_t took_ms = answer->elapsed_us / 1000;
    int64_t ended_ms = thread_now_us() / 1000;
    bool is_excused = took_ms >= JUDGE_DEADLINE_MS && session->yardstick &&
                      yardstick_was_busy(session->yardstick, ended_ms - took_ms, ended_ms);
    return is_excused ? 0 : took_ms;
}

bool answer_is_late_deferral(const struct http_answer *answer)
{
    if (answer->status != 200 || answer->elapsed_us < SESSION_DEFER_MS * INT64_C(1000))
        return false;
    CLEANUP(json_release) json_object *json = json_tokener_parse(answer->body.data);
    int64_t type = get_integer(json, "type", 0);
    return type == CALLBACK_DEFERRED_MESSAGE || type == CALLBACK_DEFERRED_UPDATE;
}

/* The REST API learns of the answer at once: the bot's edit may be on its way. */
static void send_one(struct session *session, struct http_client *client, struct delivery *delivery)
{
    if (http_client_post_signed(client, &delivery->signature, buf_view(&delivery->body),
                                &delivery->answer, NULL) != 0)
        delivery->answer.status = 0;
    delivery->took_ms = judge_time(session, &delivery->answer);
    if (delivery->answer.status == 200 && delivery->took_ms < JUDGE_DEADLINE_MS)
        delivery->original_id = rest_server_answered(session->rest, delivery->interaction_id,
                                                     buf_view(&delivery->answer.body));
    else
        rest_server_unanswered(session->rest, delivery->interaction_id);
}

static void announce(struct session *session, const struct delivery *delivery)
{
    const struct rest_interaction interaction = {
        .id = delivery->interaction_id,
        .type = delivery->type,
        .channel_id = delivery->actor.place.channel_id,
        .person = *delivery->actor.person,
        .command_name = delivery->command_name,
        .message = store_find(&session->store, delivery->message_id),
    };
    rest_server_ask(session->rest, &interaction);
}

struct sender {
    struct session *session;
    struct delivery *delivery;
    pthread_barrier_t *start;
};

/* Connects first, so that only the request itself is left for the instant all begin. */
static void *send_together(void *argument)
{
    struct sender *sender = argument;
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    CLEANUP(http_client_release)
    struct http_client *client = http_client_new(&sender->session->bot.listen);
    const struct http_request hello = { .method = "GET", .path = "/interactions" };
    int unused = http_client_send(client, &hello, &answer, NULL);
    (void)unused;
    pthread_barrier_wait(sender->start);
    send_one(sender->session, client, sender->delivery);
    return NULL;
}

void deliveries_send(struct session *session, struct delivery *deliveries, size_t count)
{
    for (size_t i = 0; i < session->world.channel_count; i++)
        rest_server_add_channel(session->rest, session->world.channels[i]->channel_id);
    for (size_t i = 0; i < count; i++)
        announce(session, &deliveries[i]);
    if (count == 1) {
        send_one(session, session->client, deliveries);
        return;
    }
    pthread_barrier_t start;
    pthread_t *threads = must_allocate(count, sizeof(*threads));
    struct sender *senders = must_allocate(count, sizeof(*senders));
    if (pthread_barrier_init(&start, NULL, (unsigned)count) != 0)
        abort();
    for (size_t i = 0; i < count; i++) {
        senders[i] = (struct sender){ session, &deliveries[i], &start };
        if (pthread_create(&threads[i], NULL, send_together, &senders[i]) != 0)
            abort();
    }
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
    free(senders);
    free(threads);
}

/* --- Replays --- */

struct replay {
    struct session *session;
    const struct delivery *delivery;
    int left;      /* atomically counted down */
    int different; /* atomically counted up */
};

static void *replay_some(void *argument)
{
    struct replay *replay = argument;
    const struct delivery *original = replay->delivery;
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    CLEANUP(http_client_release)
    struct http_client *client = http_client_new(&replay->session->bot.listen);
    while (__atomic_sub_fetch(&replay->left, 1, __ATOMIC_RELAXED) >= 0) {
        int result = http_client_post_signed(client, &original->signature,
                                             buf_view(&original->body), &answer, NULL);
        if (result == 0 && answer_is_late_deferral(&answer))
            continue;
        if (result != 0 || answer.status != original->answer.status ||
            !str_equal(buf_view(&answer.body), buf_view(&original->answer.body)))
            __atomic_add_fetch(&replay->different, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

void delivery_replay(struct session *session, const struct delivery *delivery, int times,
                     int at_once, int *different)
{
    struct replay replay = { session, delivery, times, 0 };
    pthread_t *threads = must_allocate((size_t)at_once, sizeof(*threads));
    for (int i = 0; i < at_once; i++)
        if (pthread_create(&threads[i], NULL, replay_some, &replay) != 0)
            abort();
    for (int i = 0; i < at_once; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    *different = replay.different;
}

/* --- Taking in an answer --- */

static bool is_ephemeral(json_object *data)
{
    return get_integer(data, "flags", 0) & FLAG_EPHEMERAL;
}

static void absorb_new_message(struct session *session, struct delivery *delivery, bool is_thinking)
{
    json_object *data = get(delivery->json, "data");
    const struct stored_message message = {
        .id = delivery->original_id ? delivery->original_id : session_snowflake(session),
        .channel_id = delivery->actor.place.channel_id,
        .viewer_id = is_ephemeral(data) ? delivery->actor.person->id : 0,
        .data = data,
        .is_thinking = is_thinking,
        .interaction_id = delivery->interaction_id,
        .interaction_type = delivery->type,
        .command_name = delivery->command_name,
        .invoker = *delivery->actor.person,
        .created_ms = harness_bot_now_ms(&session->bot),
    };
    delivery->shown_message_id = store_add(&session->store, &message)->id;
}

static void absorb_update(struct session *session, struct delivery *delivery)
{
    struct stored_message *message = store_find(&session->store, delivery->message_id);
    if (!message)
        return;
    store_edit(message, get(delivery->json, "data"));
    delivery->shown_message_id = message->id;
}

static void absorb_callback(struct session *session, struct delivery *delivery)
{
    switch (get_integer(delivery->json, "type", 0)) {
    case CALLBACK_MESSAGE:
        absorb_new_message(session, delivery, false);
        break;
    case CALLBACK_DEFERRED_MESSAGE:
        absorb_new_message(session, delivery, true);
        break;
    case CALLBACK_DEFERRED_UPDATE:
        delivery->shown_message_id = delivery->message_id;
        break;
    case CALLBACK_UPDATE:
        absorb_update(session, delivery);
        break;
    case CALLBACK_MODAL:
        modal_open(session_form(session, delivery->actor.person->id), get(delivery->json, "data"),
                   delivery->message_id);
        delivery->has_opened_form = true;
        break;
    default: /* pong, choices: nothing stays */
        break;
    }
}

/* The answer's body; without brackets, which are no part of what Discord's limits are about, when
 * the bot speaks the pseudo-language. */
static struct str_view body_to_judge(struct session *session, const struct delivery *delivery,
                                     struct buf *unwrapped)
{
    struct str_view body = buf_view(&delivery->answer.body);
    CLEANUP(json_release)
    json_object *json = session->is_pseudo ? json_tokener_parse(delivery->answer.body.data) : NULL;
    if (!json)
        return body;
    session_unwrap(session, json);
    buf_append(unwrapped, str_from(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN)));
    must_hold(unwrapped);
    return buf_view(unwrapped);
}

void delivery_absorb(struct session *session, struct delivery *delivery)
{
    CLEANUP(buf_free) struct buf unwrapped = { 0 };
    const struct stored_message *message = store_find(&session->store, delivery->message_id);
    const struct judge_question question = {
        .interaction_type = delivery->type,
        .has_message = message != NULL,
        .message_is_v2 = message && get_integer(message->data, "flags", 0) & FLAG_COMPONENTS_V2,
        .focused_option_type = delivery->focused_option_type,
    };
    const struct judge_answer answer = {
        .status = delivery->answer.status,
        .content_type = delivery->answer.content_type,
        .body = body_to_judge(session, delivery, &unwrapped),
        .elapsed_ms = delivery->took_ms,
    };
    if (answer.status == 0) {
        violations_add(&session->violations, "no answer at all");
        return;
    }
    delivery->json = judge(&question, &answer, &session->violations);
    if (!delivery->json)
        return;
    /* The client closes a form when its submission was answered. */
    if (delivery->type == INTERACTION_MODAL_SUBMIT)
        modal_close(session_form(session, delivery->actor.person->id));
    absorb_callback(session, delivery);
}

void delivery_show(const struct session *session, const struct delivery *delivery,
                   const struct view *view, struct buf *out)
{
    const struct stored_message *message = store_find(&session->store, delivery->shown_message_id);
    if (!delivery->json) {
        render_styled(view, STYLE_ERROR, STR("The application did not respond\n"), out);
        return;
    }
    if (message && message->is_deleted)
        buf_append(out, STR("(deleted)\n"));
    else if (message)
        render_message(view, message, out);
    for (size_t i = 0; delivery->has_opened_form && i < session->form_count; i++)
        if (session->forms[i]->person_id == delivery->actor.person->id &&
            modal_is_open(&session->forms[i]->modal))
            render_modal(view, &session->forms[i]->modal, out);
    if (delivery->type == INTERACTION_AUTOCOMPLETE)
        render_choices(get(get(delivery->json, "data"), "choices"), out);
}
