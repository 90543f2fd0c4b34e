/* Waiting for what the bot sends after its answer. Changes reach the session's own store only here,
 * on its own thread: what people see stands still between two steps. */
#include "simulator/session.h"

#include "harness/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AWAIT_STANDARD_MS 30000
#define AWAIT_MAX_MS      120000
#define AWAIT_STEP_MS     50 /* violations wake nobody */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void apply_change(struct session *session, struct rest_change *change)
{
    struct stored_message *message = store_find(&session->store, change->message_id);
    const struct person *invoker = world_person_by_id(&session->world, change->message.invoker.id);
    session_unwrap(session, change->data);
    session_unwrap(session, change->message.data);
    switch (change->kind) {
    case CHANGE_EDIT:
        if (message)
            store_edit(message, change->data);
        break;
    case CHANGE_NEW:
        if (invoker)
            change->message.invoker = *invoker;
        store_add(&session->store, &change->message);
        break;
    case CHANGE_DELETE:
        if (message)
            message->is_deleted = true;
        break;
    }
}

/* The commands as registered take the place of those the bot would register. */
static void take_registered(struct session *session)
{
    json_object *commands = rest_server_registered(session->rest, &session->registered_version);
    if (!commands)
        return;
    catalogue_free(&session->registered);
    session->registered.commands = commands;
    session->catalogue = &session->registered;
}

bool session_take_changes(struct session *session, int timeout_ms)
{
    bool is_any = false;
    struct rest_change change;
    while (rest_server_take_change(session->rest, is_any ? 0 : timeout_ms, &change)) {
        apply_change(session, &change);
        rest_change_free(&change);
        is_any = true;
    }
    take_registered(session);
    return is_any;
}

void session_take_violations(struct session *session, struct buf *out)
{
    size_t before = session->violations.count;
    rest_server_take_violations(session->rest, &session->violations);
    for (size_t i = before; i < session->violations.count; i++)
        buf_append_format(out, "!! %s\n", session->violations.items[i].text);
    must_hold(out);
}

/* --- Follow-ups --- */

/* The newest answer with this interaction; NULL when it answers none of them. */
static const struct delivery *answer_of(const struct session *session, int64_t interaction_id)
{
    for (size_t i = 0; i < session->newest.count; i++)
        if (session->newest.items[i].interaction_id == interaction_id)
            return &session->newest.items[i];
    return NULL;
}

/* Makes a follow-up the newest answer. */
static void make_newest(struct session *session, const struct delivery *answer, int64_t message_id)
{
    struct deliveries deliveries = { 0 };
    must_grow(&deliveries.items, 0, sizeof(struct delivery));
    deliveries.items[deliveries.count++] = (struct delivery){
        .actor = answer->actor,
        .type = answer->type,
        .interaction_id = answer->interaction_id,
        .json = must_object(),
        .shown_message_id = message_id,
    };
    session_take_newest(session, &deliveries);
}

static bool sees(const struct actor *actor, const struct stored_message *message)
{
    return !message->is_deleted && message->channel_id == actor->place.channel_id &&
           (message->viewer_id == 0 || message->viewer_id == actor->person->id);
}

/* Looks for the text in follow-ups to the newest answers that `actor` sees; the one that has it
 * becomes the newest answer. */
static bool find_follow_up(struct session *session, const struct actor *actor, const char *kind,
                           struct str_view text)
{
    for (size_t i = session->store.count; i-- > 0;) {
        const struct stored_message *message = session->store.messages[i];
        const struct delivery *answer = answer_of(session, message->interaction_id);
        if (!answer || !sees(actor, message) || message->id == answer->shown_message_id)
            continue;
        struct deliveries before = session->newest;
        session->newest = (struct deliveries){ 0 };
        make_newest(session, answer, message->id);
        if (session_shows(session, kind, text)) {
            deliveries_free(&before);
            return true;
        }
        session_take_newest(session, &before);
    }
    return false;
}

/* --- Awaiting --- */

static void show_newest(const struct session *session, struct buf *out)
{
    struct view view = session_view(session);
    for (size_t i = 0; i < session->newest.count; i++)
        delivery_show(session, &session->newest.items[i], &view, out);
}

struct wish {
    const char *kind;   /* "text", "ephemeral", "public" or "violation" */
    int64_t channel_id; /* in which it stands, whatever it answers; 0: in an answer */
    struct str_view text;
    int64_t limit_ms;
};

/* What there is instead, for the reason of a failure. */
static int disappoint(const struct session *session, const struct wish *wish, struct err *err)
{
    CLEANUP(buf_free) struct buf shown = { 0 };
    CLEANUP(buf_free) struct buf folded = { 0 };
    show_newest(session, &shown);
    fold_space(buf_view(&shown), &folded);
    return err_set(err, ERR_CHECK, "\"%.*s\" did not come within %" PRId64 " ms; there is: %.*s",
                   STR_ARGS(wish->text), wish->limit_ms,
                   STR_ARGS(utf8_prefix(buf_view(&folded), 120)));
}

static int read_wish(struct session *session, const struct actor *actor, const struct word *words,
                     size_t count, struct wish *wish, struct err *err)
{
    size_t next = 1;
    int result = 0;
    *wish = (struct wish){ .kind = "text", .limit_ms = AWAIT_STANDARD_MS };
    if (word_is(&words[next], "ephemeral") || word_is(&words[next], "public") ||
        word_is(&words[next], "violation"))
        wish->kind = words[next++].text;
    if (count > 3 && word_is(&words[1], "in") && !words[1].is_quoted) {
        result = session_read_channel(session, actor, &words[2], &wish->channel_id, err);
        next = 3;
    }
    if (result != 0)
        return result;
    bool is_good = next < count && words[next].is_quoted;
    if (is_good)
        wish->text = word_text(&words[next++]);
    if (is_good && next + 2 == count && word_is(&words[next], "within")) {
        is_good = read_duration(word_text(&words[next + 1]), &wish->limit_ms) &&
                  wish->limit_ms <= AWAIT_MAX_MS;
        next += 2;
    }
    return is_good && next == count
               ? 0
               : err_set(err, ERR_INVALID,
                         "usage: await [ephemeral | public | violation | in #channel] \"text\" "
                         "[within 30s], at most 2m");
}

/* The message becomes the newest answer, that `actor` looks at. */
static bool find_in_channel(struct session *session, const struct actor *actor,
                            const struct wish *wish)
{
    int64_t message_id = 0;
    struct delivery looking = { .actor = *actor, .type = INTERACTION_COMMAND };
    if (session_count_in_channel(session, wish->channel_id, wish->text, &message_id) == 0)
        return false;
    looking.actor.place = *world_channel_by_id(&session->world, wish->channel_id);
    make_newest(session, &looking, message_id);
    return true;
}

static bool is_fulfilled(struct session *session, const struct actor *actor,
                         const struct wish *wish, struct buf *out)
{
    session_take_violations(session, out);
    if (strcmp(wish->kind, "violation") == 0)
        return violations_expect(&session->violations, wish->text) > 0;
    if (wish->channel_id != 0)
        return find_in_channel(session, actor, wish);
    return session_shows(session, wish->kind, wish->text) ||
           find_follow_up(session, actor, wish->kind, wish->text);
}

int session_await(struct session *session, const struct actor *actor, const struct word *words,
                  size_t count, struct buf *out, struct err *err)
{
    struct wish wish;
    int result = read_wish(session, actor, words, count, &wish, err);
    if (result != 0)
        return result;
    if (session->newest.count == 0 && wish.channel_id == 0)
        return err_set(err, ERR_CHECK, "there is no answer yet");
    int64_t until_ms = now_ms() + wish.limit_ms;
    while (!is_fulfilled(session, actor, &wish, out)) {
        int64_t left_ms = until_ms - now_ms();
        if (left_ms <= 0)
            return disappoint(session, &wish, err);
        session_take_changes(session, left_ms < AWAIT_STEP_MS ? (int)left_ms : AWAIT_STEP_MS);
    }
    show_newest(session, out);
    return 0;
}

/* --- What is late --- */

/* What the bot had to say takes the place of its answer: the message that it changed, or the one
 * beside it. */
static void take_late(struct session *session, struct delivery *delivery)
{
    size_t follow_ups = rest_server_follow_ups(session->rest, delivery->interaction_id);
    session_take_changes(session, 0);
    for (size_t i = session->store.count; i-- > 0 && follow_ups > 0;) {
        const struct stored_message *message = session->store.messages[i];
        if (message->interaction_id != delivery->interaction_id || message->is_deleted)
            continue;
        delivery->shown_message_id = message->id;
        return;
    }
}

bool session_await_late(struct session *session)
{
    bool is_any = false;
    int64_t until_ms = now_ms() + AWAIT_STANDARD_MS;
    for (size_t i = 0; i < session->newest.count; i++) {
        struct delivery *delivery = &session->newest.items[i];
        int64_t id = delivery->interaction_id;
        if (delivery->is_late_taken || !answer_is_late_deferral(&delivery->answer))
            continue;
        while (rest_server_follow_ups(session->rest, id) == 0 && now_ms() < until_ms &&
               !rest_server_wait_edits(session->rest, id, 1, AWAIT_STEP_MS)) {
        }
        take_late(session, delivery);
        delivery->is_late_taken = is_any = true;
    }
    return is_any;
}

/* --- Watching --- */

static bool is_any_thinking(const struct session *session)
{
    for (size_t i = 0; i < session->newest.count; i++) {
        const struct stored_message *message =
            store_find(&session->store, session->newest.items[i].shown_message_id);
        if (message && message->is_thinking && !message->is_deleted)
            return true;
    }
    return false;
}

void session_watch(struct session *session, int timeout_ms, struct buf *out)
{
    int64_t until_ms = now_ms() + timeout_ms;
    size_t known = session->store.count;
    bool was_thinking = is_any_thinking(session);
    session_take_changes(session, 0);
    while (is_any_thinking(session)) {
        int64_t left_ms = until_ms - now_ms();
        if (left_ms <= 0 || !session_take_changes(session, (int)left_ms))
            break;
    }
    struct view view = session_view(session);
    if (was_thinking && !is_any_thinking(session))
        show_newest(session, out);
    for (size_t i = known; i < session->store.count; i++)
        if (sees(&session->actor, session->store.messages[i]))
            render_message(&view, session->store.messages[i], out);
    session_take_violations(session, out);
}
