/* Life of the REST server, the tokens it knows, and what a test reads from it. */
#include "simulator/rest_internal.h"

#include "harness/bot_process.h"
#include "harness/memory.h"
#include "simulator/json_read.h"
#include "simulator/judge.h"

#include "core/thread.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* --- Time and waiting ------------------------------------------------------------------------- */

static int64_t clock_us(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t rest_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t rest_wall_ms(const struct rest_server *server)
{
    int64_t shift_ms = server->shift_ms ? __atomic_load_n(server->shift_ms, __ATOMIC_RELAXED) : 0;
    return clock_us(CLOCK_REALTIME) / 1000 + shift_ms;
}

int64_t rest_new_id(struct rest_server *server)
{
    /* Far from the numbers the simulator gives to interactions of the same millisecond. */
    return snowflake_at(rest_wall_ms(server), 0x200000 + ++server->sequence % 0x200000);
}

bool rest_wait(struct rest_server *server, int64_t until_us)
{
    const struct timespec until = { until_us / 1000000, until_us % 1000000 * 1000 };
    if (server->is_stopping || rest_now_us() >= until_us)
        return false;
    pthread_cond_timedwait(&server->changed, &server->lock, &until);
    return true;
}

void rest_pause(struct rest_server *server, int64_t until_us)
{
    while (rest_wait(server, until_us)) {
    }
}

/* --- Life ------------------------------------------------------------------------------------- */

static enum MHD_Result take_request(void *context, struct MHD_Connection *connection,
                                    const char *url, const char *method, const char *version,
                                    const char *data, size_t *length, void **state)
{
    struct rest_call *call = *state;
    (void)version;
    if (!call) {
        call = must_allocate(1, sizeof(*call));
        call->server = context;
        call->connection = connection;
        call->method = method;
        call->path = must_copy(str_from(url));
        *state = call;
        return MHD_YES;
    }
    if (*length > 0) {
        if (call->body.length + *length > REST_BODY_MAX)
            call->is_too_large = true;
        else
            buf_append_bytes(&call->body, data, *length);
        *length = 0;
        return MHD_YES;
    }
    must_hold(&call->body);
    rest_read_body(call);
    rest_serve(call);
    return rest_answer_send(call);
}

static void end_request(void *context, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode code)
{
    struct rest_call *call = *state;
    (void)context, (void)connection, (void)code;
    if (!call)
        return;
    free(call->path);
    buf_free(&call->body);
    buf_free(&call->payload);
    buf_free(&call->answer);
    free(call);
    *state = NULL;
}

int rest_server_start(struct rest_server **server_out, const struct rest_server_settings *settings,
                      struct err *err)
{
    struct rest_server *server = must_allocate(1, sizeof(*server));
    static const char no_key[] = "0000000000000000000000000000000000000000000000000000000000000000";
    const char *token = settings->bot_token ? settings->bot_token : REST_SERVER_BOT_TOKEN;
    struct sockaddr_in address = { .sin_family = AF_INET };
    *server_out = NULL;
    server->application_id =
        settings->application_id ? settings->application_id : HARNESS_APPLICATION_ID;
    server->bot_token = must_copy(str_from(token));
    server->verify_key = must_copy(str_from(settings->verify_key ? settings->verify_key : no_key));
    server->shift_ms = settings->shift_ms;
    server->burst = settings->burst ? settings->burst : REST_SERVER_BURST;
    server->burst_ms = settings->burst_ms ? settings->burst_ms : REST_SERVER_BURST_MS;
    pthread_mutex_init(&server->lock, NULL);
    thread_cond_init(&server->changed);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL,
        take_request, server, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
        MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL, MHD_OPTION_CONNECTION_LIMIT, 1024U,
        MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024U, MHD_OPTION_END);
    if (!server->daemon) {
        rest_server_stop(server);
        return err_set(err, ERR_IO, "the simulated REST API can't listen");
    }
    server->port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u/api/v10",
             (unsigned)server->port);
    *server_out = server;
    return 0;
}

static void free_tokens(struct rest_server *server)
{
    for (size_t i = 0; i < server->token_count; i++) {
        struct rest_token *token = server->tokens[i];
        free((void *)(uintptr_t)token->interaction.person.name);
        free((void *)(uintptr_t)token->interaction.command_name);
        free(token->follow_up_ids);
        free(token);
    }
    free(server->tokens);
}

void rest_server_stop(struct rest_server *server)
{
    if (!server)
        return;
    pthread_mutex_lock(&server->lock);
    server->is_stopping = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    for (size_t i = server->change_next; i < server->change_count; i++)
        rest_change_free(&server->changes[i]);
    for (size_t i = 0; i < server->scope_count; i++)
        json_object_put(server->scopes[i].commands);
    for (size_t i = 0; i < server->bucket_count; i++)
        free(server->buckets[i]);
    free_tokens(server);
    store_free(&server->store);
    violations_free(&server->violations);
    free(server->changes);
    free(server->scopes);
    free(server->buckets);
    free(server->faults);
    free(server->arrivals);
    free(server->bot_token);
    free(server->verify_key);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

void rest_server_release(struct rest_server **server)
{
    rest_server_stop(*server);
    *server = NULL;
}

const char *rest_server_url(const struct rest_server *server)
{
    return server->url;
}

uint16_t rest_server_port(const struct rest_server *server)
{
    return server->port;
}

/* --- Tokens ----------------------------------------------------------------------------------- */

struct rest_token *rest_find_token(struct rest_server *server, struct str_view text)
{
    for (size_t i = 0; i < server->token_count; i++)
        if (str_equal(str_from(server->tokens[i]->text), text))
            return server->tokens[i];
    return NULL;
}

static struct rest_token *find_interaction(struct rest_server *server, int64_t id)
{
    for (size_t i = 0; i < server->token_count; i++)
        if (server->tokens[i]->interaction.id == id)
            return server->tokens[i];
    return NULL;
}

static json_object *copy_json(json_object *json)
{
    json_object *copy = NULL;
    if (json && json_object_deep_copy(json, &copy, NULL) != 0)
        abort();
    return copy;
}

static void add_clicked(struct rest_server *server, const struct stored_message *message)
{
    if (store_find(&server->store, message->id))
        return;
    /* Values of json-c must not be shared between threads. */
    struct stored_message copy = *message;
    copy.data = copy_json(message->data);
    store_add(&server->store, &copy);
    json_object_put(copy.data);
}

void rest_server_ask(struct rest_server *server, const struct rest_interaction *interaction)
{
    pthread_mutex_lock(&server->lock);
    if (!find_interaction(server, interaction->id)) {
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
    struct rest_token *token = find_interaction(server, interaction_id);
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
    struct rest_token *token = find_interaction(server, interaction_id);
    if (token && token->state == TOKEN_ASKED)
        token->state = TOKEN_DEAD;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

void rest_server_set_intake(struct rest_server *server, int delay_ms)
{
    pthread_mutex_lock(&server->lock);
    server->intake_ms = delay_ms;
    pthread_mutex_unlock(&server->lock);
}

/* --- What arrived ----------------------------------------------------------------------------- */

size_t rest_server_arrivals(struct rest_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t count = server->arrival_count;
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
    const struct rest_token *token = find_interaction(server, interaction_id);
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
    const struct rest_token *token = find_interaction(server, interaction_id);
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
    const struct rest_token *token = find_interaction(server, interaction_id);
    size_t count = token ? token->follow_up_count : 0;
    pthread_mutex_unlock(&server->lock);
    return count;
}

void rest_complain(struct rest_call *call, const char *format, ...)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    struct rest_server *server = call->server;
    va_list arguments;
    va_start(arguments, format);
    buf_append_format_list(&text, format, arguments);
    va_end(arguments);
    must_hold(&text);
    violations_add(&server->violations, "%s %s: %s", call->method, rest_route_name(call->route),
                   text.data);
    server->arrivals[call->arrival].has_broken_rule = true;
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

/* --- Changes ---------------------------------------------------------------------------------- */

struct rest_change *rest_add_change(struct rest_server *server, enum rest_change_kind kind,
                                    int64_t message_id)
{
    must_grow(&server->changes, server->change_count, sizeof(struct rest_change));
    struct rest_change *change = &server->changes[server->change_count++];
    *change = (struct rest_change){ .kind = kind, .message_id = message_id };
    pthread_cond_broadcast(&server->changed);
    return change;
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

json_object *rest_server_commands(struct rest_server *server, int64_t guild_id)
{
    json_object *copy = NULL;
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->scope_count; i++)
        if (server->scopes[i].guild_id == guild_id)
            copy = copy_json(server->scopes[i].commands);
    pthread_mutex_unlock(&server->lock);
    return copy;
}
