/* What a test or the simulator reads from the server: arrivals, messages, changes, commands. */
#include "simulator/rest_internal.h"

#include "harness/memory.h"
#include "simulator/json_read.h"

#include <stdlib.h>

size_t rest_server_arrivals(struct rest_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t count = server->statistics.requests;
    pthread_mutex_unlock(&server->lock);
    return count;
}

bool rest_server_arrival(struct rest_server *server, size_t index, struct rest_arrival *arrival)
{
    pthread_mutex_lock(&server->lock);
    bool is_there = index < server->arrival_count;
    if (is_there)
        *arrival = server->arrivals[index];
    pthread_mutex_unlock(&server->lock);
    return is_there;
}

void rest_server_statistics(struct rest_server *server, struct rest_statistics *statistics)
{
    pthread_mutex_lock(&server->lock);
    *statistics = server->statistics;
    pthread_mutex_unlock(&server->lock);
}

bool rest_server_wait_arrivals(struct rest_server *server, size_t count, int timeout_ms)
{
    int64_t until_us = rest_now_us() + (int64_t)timeout_ms * 1000;
    pthread_mutex_lock(&server->lock);
    while (server->ended_count < count && rest_wait(server, until_us)) {
    }
    bool is_there = server->ended_count >= count;
    pthread_mutex_unlock(&server->lock);
    return is_there;
}

static size_t edits_of(struct rest_server *server, int64_t interaction_id)
{
    const struct rest_token *token = rest_find_interaction(server, interaction_id);
    return token ? token->edits : 0;
}

bool rest_server_wait_edits(struct rest_server *server, int64_t interaction_id, size_t count,
                            int timeout_ms)
{
    int64_t until_us = rest_now_us() + (int64_t)timeout_ms * 1000;
    pthread_mutex_lock(&server->lock);
    while (edits_of(server, interaction_id) < count && rest_wait(server, until_us)) {
    }
    bool is_there = edits_of(server, interaction_id) >= count;
    pthread_mutex_unlock(&server->lock);
    return is_there;
}

size_t rest_server_edits(struct rest_server *server, int64_t interaction_id)
{
    pthread_mutex_lock(&server->lock);
    size_t count = edits_of(server, interaction_id);
    pthread_mutex_unlock(&server->lock);
    return count;
}

bool rest_server_original(struct rest_server *server, int64_t interaction_id, struct buf *out)
{
    pthread_mutex_lock(&server->lock);
    const struct rest_token *token = rest_find_interaction(server, interaction_id);
    const struct stored_message *message =
        token ? store_find(&server->store, token->original_id) : NULL;
    bool is_there = message && !message->is_thinking && !message->is_deleted;
    if (is_there)
        buf_append(out,
                   str_from(json_object_to_json_string_ext(message->data, JSON_C_TO_STRING_PLAIN)));
    pthread_mutex_unlock(&server->lock);
    must_hold(out);
    return is_there;
}

size_t rest_server_follow_ups(struct rest_server *server, int64_t interaction_id)
{
    pthread_mutex_lock(&server->lock);
    const struct rest_token *token = rest_find_interaction(server, interaction_id);
    size_t count = token ? token->follow_up_count : 0;
    pthread_mutex_unlock(&server->lock);
    return count;
}

void rest_server_take_violations(struct rest_server *server, struct violations *into)
{
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->violations.count; i++)
        violations_add(into, "%s", server->violations.items[i].text);
    violations_free(&server->violations);
    pthread_mutex_unlock(&server->lock);
}

void rest_server_first_violation(struct rest_server *server, struct buf *text)
{
    pthread_mutex_lock(&server->lock);
    if (server->violations.count > 0)
        buf_append(text, str_from(server->violations.items[0].text));
    pthread_mutex_unlock(&server->lock);
    must_hold(text);
}

/* --- Changes --- */

void rest_add_change(struct rest_server *server, const struct rest_change *change,
                     json_object *data)
{
    if (!server->counts_only) {
        must_grow(&server->changes, server->change_count, sizeof(struct rest_change));
        struct rest_change *added = &server->changes[server->change_count++];
        *added = *change;
        if (change->kind == CHANGE_NEW)
            added->message.data = rest_copy_json(data);
        else
            added->data = rest_copy_json(data);
    }
    pthread_cond_broadcast(&server->changed);
}

bool rest_server_take_change(struct rest_server *server, int timeout_ms, struct rest_change *change)
{
    int64_t until_us = rest_now_us() + (int64_t)timeout_ms * 1000;
    pthread_mutex_lock(&server->lock);
    while (server->change_next == server->change_count && rest_wait(server, until_us)) {
    }
    bool is_there = server->change_next < server->change_count;
    if (is_there)
        *change = server->changes[server->change_next++];
    pthread_mutex_unlock(&server->lock);
    return is_there;
}

void rest_change_free(struct rest_change *change)
{
    json_object_put(change->data);
    json_object_put(change->message.data);
    free(change->message.command_name);
    *change = (struct rest_change){ 0 };
}

/* --- Commands --- */

json_object *rest_server_commands(struct rest_server *server, int64_t guild_id)
{
    json_object *copy = NULL;
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->scope_count; i++)
        if (server->scopes[i].guild_id == guild_id)
            copy = rest_copy_json(server->scopes[i].commands);
    pthread_mutex_unlock(&server->lock);
    return copy;
}

json_object *rest_server_registered(struct rest_server *server, unsigned *version)
{
    json_object *all = NULL;
    pthread_mutex_lock(&server->lock);
    if (server->registrations != *version) {
        *version = server->registrations;
        all = must_array();
        for (size_t i = 0; i < server->scope_count; i++)
            for (size_t c = 0; c < list_length(server->scopes[i].commands); c++)
                must_append(all, rest_copy_json(list_item(server->scopes[i].commands, c)));
    }
    pthread_mutex_unlock(&server->lock);
    return all;
}
