/* Interactions, from the moment they are sent to the bot, and the tokens that come with them. */
#include "simulator/rest_internal.h"

#include "harness/memory.h"
#include "simulator/json_read.h"
#include "simulator/judge.h"

#include <stdio.h>
#include <stdlib.h>

json_object *rest_copy_json(json_object *json)
{
    json_object *copy = NULL;
    if (json && json_object_deep_copy(json, &copy, NULL) != 0)
        abort();
    return copy;
}

struct rest_token *rest_find_token(struct rest_server *server, struct str_view text)
{
    struct rest_token *token = lookup_find(&server->tokens_by_text, lookup_hash(text));
    return token && str_equal(str_from(token->text), text) ? token : NULL;
}

struct rest_token *rest_find_interaction(struct rest_server *server, int64_t id)
{
    return lookup_find(&server->tokens_by_interaction, (uint64_t)id);
}

static void add_clicked(struct rest_server *server, const struct stored_message *message)
{
    if (store_find(&server->store, message->id))
        return;
    /* Values of json-c must not be shared between threads. */
    struct stored_message copy = *message;
    copy.data = rest_copy_json(message->data);
    store_add(&server->store, &copy);
    json_object_put(copy.data);
}

void rest_server_ask(struct rest_server *server, const struct rest_interaction *interaction)
{
    pthread_mutex_lock(&server->lock);
    if (!rest_find_interaction(server, interaction->id)) {
        struct rest_token *token = must_allocate(1, sizeof(*token));
        const char *name = interaction->person.name, *command = interaction->command_name;
        if (interaction->token)
            snprintf(token->text, sizeof(token->text), "%s", interaction->token);
        else
            interaction_token(interaction->id, token->text, sizeof(token->text));
        token->interaction = *interaction;
        token->interaction.token = NULL;
        token->interaction.message = NULL;
        token->interaction.person.name = must_copy(str_from(name ? name : "somebody"));
        token->interaction.command_name = command ? must_copy(str_from(command)) : NULL;
        if (interaction->message) {
            token->clicked_id = interaction->message->id;
            add_clicked(server, interaction->message);
        }
        must_grow(&server->tokens, server->token_count, sizeof(struct rest_token *));
        server->tokens[server->token_count++] = token;
        lookup_add(&server->tokens_by_text, lookup_hash(str_from(token->text)), token);
        lookup_add(&server->tokens_by_interaction, (uint64_t)token->interaction.id, token);
    }
    pthread_mutex_unlock(&server->lock);
}

static int64_t add_original(struct rest_server *server, struct rest_token *token, json_object *data,
                            bool is_thinking)
{
    const struct rest_interaction *interaction = &token->interaction;
    bool is_ephemeral = get_integer(data, "flags", 0) & FLAG_EPHEMERAL;
    const struct stored_message message = {
        .id = rest_new_id(server),
        .channel_id = interaction->channel_id,
        .viewer_id = is_ephemeral ? interaction->person.id : 0,
        .data = data,
        .is_thinking = is_thinking,
        .interaction_id = interaction->id,
        .interaction_type = interaction->type,
        .command_name = (char *)(uintptr_t)interaction->command_name,
        .invoker = interaction->person,
        .created_ms = rest_wall_ms(server),
    };
    return store_add(&server->store, &message)->id;
}

static void take_answer(struct rest_server *server, struct rest_token *token, json_object *answer)
{
    json_object *data = get(answer, "data");
    struct stored_message *clicked = store_find(&server->store, token->clicked_id);
    switch (get_integer(answer, "type", 0)) {
    case CALLBACK_MESSAGE:
        token->original_id = add_original(server, token, data, false);
        break;
    case CALLBACK_DEFERRED_MESSAGE:
        token->original_id = add_original(server, token, data, true);
        break;
    case CALLBACK_UPDATE:
        if (clicked)
            store_edit(clicked, data);
        token->original_id = token->clicked_id;
        break;
    case CALLBACK_DEFERRED_UPDATE:
        token->original_id = token->clicked_id;
        break;
    default: /* a form, choices: no message */
        break;
    }
}

int64_t rest_server_answered(struct rest_server *server, int64_t interaction_id,
                             struct str_view body)
{
    int64_t original_id = 0;
    json_object *answer = body.length > 0 ? json_tokener_parse(body.data) : NULL;
    pthread_mutex_lock(&server->lock);
    struct rest_token *token = rest_find_interaction(server, interaction_id);
    if (token && token->state == TOKEN_ASKED) {
        take_answer(server, token, answer);
        token->state = TOKEN_ANSWERED;
        token->known_us = rest_now_us() + (int64_t)server->intake_ms * 1000;
        pthread_cond_broadcast(&server->changed);
    }
    if (token)
        original_id = token->original_id;
    json_object_put(answer);
    pthread_mutex_unlock(&server->lock);
    return original_id;
}

void rest_server_unanswered(struct rest_server *server, int64_t interaction_id)
{
    pthread_mutex_lock(&server->lock);
    struct rest_token *token = rest_find_interaction(server, interaction_id);
    if (token && token->state == TOKEN_ASKED)
        token->state = TOKEN_DEAD;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

void rest_server_bot_was_killed(struct rest_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->forgotten_us = rest_awake_us(server);
    for (size_t i = 0; i < server->token_count; i++)
        server->tokens[i]->is_in_doubt |= server->tokens[i]->state == TOKEN_ASKED;
    pthread_mutex_unlock(&server->lock);
}

void rest_server_set_intake(struct rest_server *server, int delay_ms)
{
    pthread_mutex_lock(&server->lock);
    server->intake_ms = delay_ms;
    pthread_mutex_unlock(&server->lock);
}
