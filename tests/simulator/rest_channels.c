/* Messages that the bot sends to a channel by its own token.
 * https://docs.discord.com/developers/resources/message#create-message
 *
 * All run with the lock held but the two that others call. */
#include "simulator/rest_internal.h"

#include "harness/memory.h"
#include "simulator/json_read.h"
#include "simulator/judge.h"

#include <string.h>

static bool is_there(const struct rest_server *server, int64_t channel_id)
{
    for (size_t i = 0; i < server->channel_count; i++)
        if (server->channels[i] == channel_id)
            return true;
    return false;
}

void rest_server_add_channel(struct rest_server *server, int64_t channel_id)
{
    pthread_mutex_lock(&server->lock);
    if (!is_there(server, channel_id)) {
        must_grow(&server->channels, server->channel_count, sizeof(int64_t));
        server->channels[server->channel_count++] = channel_id;
    }
    pthread_mutex_unlock(&server->lock);
}

size_t rest_server_channel_messages(struct rest_server *server, int64_t channel_id)
{
    size_t count = 0;
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->store.count; i++)
        count += server->store.messages[i]->channel_id == channel_id &&
                 server->store.messages[i]->interaction_id == 0;
    pthread_mutex_unlock(&server->lock);
    return count;
}

/* Of the bot's messages of the last minutes, whatever their channel, the one with this nonce. */
static const struct stored_message *known_by_nonce(struct rest_server *server, json_object *data)
{
    json_object *nonce = get(data, "nonce");
    int64_t since_ms = rest_wall_ms(server) - REST_SERVER_NONCE_MS;
    for (size_t i = server->store.count; nonce && i-- > 0;) {
        const struct stored_message *message = server->store.messages[i];
        json_object *known = get(message->data, "nonce");
        if (known && message->created_ms > since_ms &&
            strcmp(json_object_get_string(known), json_object_get_string(nonce)) == 0)
            return message;
    }
    return NULL;
}

static void add_message(struct rest_call *call, json_object *data)
{
    struct rest_server *server = call->server;
    json_object_object_del(data, "enforce_nonce");
    rest_keep_attachments(call, data);
    const struct stored_message message = {
        .id = rest_new_id(server),
        .channel_id = call->channel_id,
        .data = data,
        .created_ms = rest_wall_ms(server),
    };
    struct stored_message *added = store_add(&server->store, &message);
    call->arrival.message_id = added->id;
    const struct rest_change change = { .kind = CHANGE_NEW,
                                        .message_id = added->id,
                                        .message = *added };
    rest_add_change(server, &change, data);
    rest_answer_message(call, added);
}

void rest_serve_channel_message(struct rest_call *call)
{
    if (!is_there(call->server, call->channel_id)) {
        rest_answer_error(call, 404, 10003);
        return;
    }
    CLEANUP(json_release) json_object *data = rest_read_message(call, NULL);
    if (!data)
        return;
    if (get_integer(data, "flags", 0) & FLAG_EPHEMERAL) {
        rest_complain(call, "a channel has no ephemeral messages");
        rest_answer_error(call, 400, 50035);
        return;
    }
    const struct stored_message *known = NULL;
    if (json_object_get_boolean(get(data, "enforce_nonce")))
        known = known_by_nonce(call->server, data);
    if (known)
        rest_answer_message(call, known);
    else
        add_message(call, data);
}
