/* What stands in a channel, whoever or whatever it answers: also what the bot sends there by
 * itself.
 */
#include "simulator/session.h"

#include "harness/memory.h"

#include <string.h>

#define SHOWN_MAX 160 /* bytes of what there was instead; a reason is short */

int session_read_channel(struct session *session, const struct actor *actor,
                         const struct word *word, int64_t *channel_id, struct err *err)
{
    struct str_view name = word_text(word);
    if (!str_starts_with(name, STR("#")) || actor->place.guild_id == 0)
        return err_set(err, ERR_INVALID, "'%s' is no #channel of a server that somebody is in",
                       word->text);
    name = (struct str_view){ name.data + 1, name.length - 1 };
    const struct place *place = world_channel(&session->world, actor->place.guild_id, name);
    if (!place)
        return err_set(err, ERR_INVALID, "names are lower case letters, digits, _ . -");
    *channel_id = place->channel_id;
    return 0;
}

/* As everybody sees it, white space folded. */
static void shown_text(const struct session *session, const struct stored_message *message,
                       struct buf *folded)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    struct view view = session_view(session);
    view.has_colour = false;
    view.is_bare = true;
    render_message(&view, message, &text);
    must_hold(&text);
    buf_clear(folded);
    fold_space(buf_view(&text), folded);
}

/* `last` gets what the newest message shows. */
static size_t count_shown(const struct session *session, int64_t channel_id, struct str_view text,
                          int64_t *message_id, struct buf *last)
{
    CLEANUP(buf_free) struct buf wanted = { 0 };
    size_t count = 0;
    fold_space(text, &wanted);
    for (size_t i = 0; i < session->store.count; i++) {
        const struct stored_message *message = session->store.messages[i];
        if (message->is_deleted || message->viewer_id != 0 || message->channel_id != channel_id)
            continue;
        shown_text(session, message, last);
        if (!memmem(last->data ? last->data : "", last->length, wanted.data ? wanted.data : "",
                    wanted.length))
            continue;
        count++;
        if (message_id)
            *message_id = message->id;
    }
    return count;
}

size_t session_count_in_channel(const struct session *session, int64_t channel_id,
                                struct str_view text, int64_t *message_id)
{
    CLEANUP(buf_free) struct buf last = { 0 };
    return count_shown(session, channel_id, text, message_id, &last);
}

int session_expect_in_channel(struct session *session, const char *mode, const struct word *channel,
                              const struct word *text, struct err *err)
{
    CLEANUP(buf_free) struct buf last = { 0 };
    int64_t channel_id;
    int result = session_read_channel(session, &session->actor, channel, &channel_id, err);
    if (result != 0)
        return result;
    size_t count = count_shown(session, channel_id, word_text(text), NULL, &last);
    bool is_once = strcmp(mode, "once") == 0, is_not = strcmp(mode, "not") == 0;
    if (is_not ? count == 0 : is_once ? count == 1 : count > 0)
        return 0;
    struct str_view shown = utf8_prefix(buf_view(&last), SHOWN_MAX);
    return err_set(err, ERR_CHECK,
                   "expected %s in %s \"%s\"; it is in %zu messages, the last is: %.*s", mode,
                   channel->text, text->text, count, STR_ARGS(shown));
}
