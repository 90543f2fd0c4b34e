/* From a path to the work that is done for it: User-Agent, authorization, token, bucket, faults, in
 * the order in which Discord looks at them. */
#include "simulator/rest_internal.h"

#include "harness/memory.h"

#include <inttypes.h>
#include <string.h>

#define API_PREFIX "/api/v10"

/* {application}, {guild}, {channel}, {token}, {message} stand for a part of the path. */
static const struct route_rule {
    enum rest_route route;
    const char *method, *path;
    bool needs_bot, is_json_body;
    void (*serve)(struct rest_call *call);
} rules[] = {
    { ROUTE_FOLLOW_UP, "POST", "/webhooks/{application}/{token}", false, true,
      rest_serve_follow_up },
    { ROUTE_GET_MESSAGE, "GET", "/webhooks/{application}/{token}/messages/{message}", false, false,
      rest_serve_get_message },
    { ROUTE_EDIT, "PATCH", "/webhooks/{application}/{token}/messages/{message}", false, true,
      rest_serve_edit },
    { ROUTE_DELETE, "DELETE", "/webhooks/{application}/{token}/messages/{message}", false, false,
      rest_serve_delete },
    { ROUTE_CHANNEL_MESSAGE, "POST", "/channels/{channel}/messages", true, true,
      rest_serve_channel_message },
    { ROUTE_APPLICATION, "GET", "/applications/@me", true, false, rest_serve_application },
    { ROUTE_GET_COMMANDS, "GET", "/applications/{application}/commands", true, false,
      rest_serve_get_commands },
    { ROUTE_PUT_COMMANDS, "PUT", "/applications/{application}/commands", true, true,
      rest_serve_put_commands },
    { ROUTE_GET_COMMANDS, "GET", "/applications/{application}/guilds/{guild}/commands", true, false,
      rest_serve_get_commands },
    { ROUTE_PUT_COMMANDS, "PUT", "/applications/{application}/guilds/{guild}/commands", true, true,
      rest_serve_put_commands },
    { ROUTE_USER, "GET", "/users/@me", true, false, rest_serve_user },
};

static const char *const route_names[ROUTE_COUNT] = {
    [ROUTE_UNKNOWN] = "of an unknown path", [ROUTE_FOLLOW_UP] = "of a follow-up",
    [ROUTE_GET_MESSAGE] = "of a message",   [ROUTE_EDIT] = "of a message",
    [ROUTE_DELETE] = "of a message",        [ROUTE_GET_COMMANDS] = "of commands",
    [ROUTE_PUT_COMMANDS] = "of commands",   [ROUTE_APPLICATION] = "of the application",
    [ROUTE_USER] = "of the user",           [ROUTE_CHANNEL_MESSAGE] = "of a channel's message",
};

const char *rest_route_name(enum rest_route route)
{
    return route_names[route];
}

/* --- Paths --- */

struct path_parts {
    struct str_view application, guild, channel, token, message;
};

static void keep_part(struct path_parts *parts, struct str_view name, struct str_view value)
{
    if (str_equal(name, STR("{application}")))
        parts->application = value;
    else if (str_equal(name, STR("{guild}")))
        parts->guild = value;
    else if (str_equal(name, STR("{channel}")))
        parts->channel = value;
    else if (str_equal(name, STR("{token}")))
        parts->token = value;
    else
        parts->message = value;
}

static bool fits(const char *pattern, struct str_view path, struct path_parts *parts)
{
    struct str_view rest = str_from(pattern), wanted, got;
    *parts = (struct path_parts){ 0 };
    while (str_split(&rest, '/', &wanted)) {
        if (!str_split(&path, '/', &got))
            return false;
        if (wanted.length > 0 && wanted.data[0] == '{' && got.length > 0)
            keep_part(parts, wanted, got);
        else if (!str_equal(wanted, got))
            return false;
    }
    return path.length == 0;
}

/* Whether the path names this application; a guild, a channel and a message must be ids. */
static bool take_parts(struct rest_call *call, const struct path_parts *parts)
{
    int64_t application = call->server->application_id, id = 0;
    if (parts->application.data && str_to_uint63(parts->application, &application) != 0)
        application = 0;
    if (parts->guild.data &&
        (str_to_uint63(parts->guild, &call->guild_id) != 0 || call->guild_id == 0))
        return false;
    if (parts->channel.data &&
        (str_to_uint63(parts->channel, &call->channel_id) != 0 || call->channel_id == 0))
        return false;
    if (parts->message.data && !str_equal(parts->message, STR("@original")) &&
        str_to_uint63(parts->message, &id) != 0)
        return false;
    call->token_text = parts->token;
    call->message_word = parts->message;
    return application == call->server->application_id;
}

/* NULL: the call has been answered. */
static const struct route_rule *find_rule(struct rest_call *call)
{
    struct str_view path = str_from(call->path);
    struct path_parts parts;
    bool is_other_method = false;
    if (str_starts_with(path, STR(API_PREFIX "/")))
        path =
            (struct str_view){ path.data + strlen(API_PREFIX), path.length - strlen(API_PREFIX) };
    else
        path = STR_NONE;
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        if (!fits(rules[i].path, path, &parts))
            continue;
        if (strcmp(rules[i].method, call->method) != 0) {
            is_other_method = true;
            continue;
        }
        call->route = rules[i].route;
        if (take_parts(call, &parts))
            return &rules[i];
        rest_complain(call, "the path names another application, or no id: %s",
                      parts.token.data ? "(webhook)" : call->path);
        rest_answer_error(call, 404, parts.token.data ? 10015 : 10002);
        return NULL;
    }
    rest_complain(call, is_other_method ? "the route knows no such method" : "no such route");
    rest_answer_error(call, is_other_method ? 405 : 404, 0);
    return NULL;
}

/* --- Gates --- */

static const char *header_of(const struct rest_call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
}

/* "DiscordBot (https://example.com/bot, 1.2.0)", more may follow.
 * https://docs.discord.com/developers/reference#user-agent */
static bool is_user_agent(struct str_view text)
{
    struct str_view start = STR("DiscordBot ("), url, version;
    if (!str_starts_with(text, start))
        return false;
    struct str_view rest = { text.data + start.length, text.length - start.length };
    if (!str_split(&rest, ',', &url) || !str_split(&rest, ')', &version))
        return false;
    return (str_starts_with(url, STR("https://")) || str_starts_with(url, STR("http://"))) &&
           url.length > strlen("https://") && str_trim(version).length > 0;
}

static bool has_user_agent(struct rest_call *call)
{
    const char *agent = header_of(call, "User-Agent");
    if (agent && is_user_agent(str_from(agent)))
        return true;
    rest_complain(call, "User-Agent is '%s', not 'DiscordBot (url, version)'", agent ? agent : "");
    rest_answer_error(call, 403, 40333);
    return false;
}

static bool is_authorized(struct rest_call *call, const struct route_rule *rule)
{
    const char *given = header_of(call, "Authorization");
    if (!rule->needs_bot) {
        if (given)
            rest_complain(call,
                          "a webhook needs no Authorization: the bot's token is shown around");
        return true;
    }
    struct str_view prefix = STR("Bot "), text = str_from(given);
    if (str_starts_with(text, prefix) &&
        str_equal((struct str_view){ text.data + prefix.length, text.length - prefix.length },
                  str_from(call->server->bot_token)))
        return true;
    rest_complain(call,
                  given ? "Authorization is not 'Bot' and the token" : "Authorization is missing");
    rest_answer_error(call, 401, 0);
    return false;
}

static bool refuse_token(struct rest_call *call, int status, int code)
{
    struct rest_token *token = call->token;
    if (token && rest_bot_knows(call->server, token->refused_us))
        rest_complain(call, "a dead token was used again");
    if (token && status == 401)
        token->refused_us = rest_awake_us(call->server);
    rest_answer_error(call, status, code);
    return false;
}

static bool is_expired(const struct rest_server *server, const struct rest_token *token)
{
    int64_t born_ms = (token->interaction.id >> 22) + SNOWFLAKE_EPOCH_MS;
    return rest_wall_ms(server) >= born_ms + server->limits.token_ms;
}

/* The token must have been given, answered, taken in, and not be over. */
static bool is_token_good(struct rest_call *call)
{
    struct rest_server *server = call->server;
    struct rest_token *token = call->token;
    int64_t until_us = rest_awake_us(server) + (int64_t)server->close_ms * 1000;
    if (!token) {
        rest_complain(call, "a token that was never given");
        return refuse_token(call, 404, 10015);
    }
    while (token->state == TOKEN_ASKED && rest_wait_awake(server, until_us)) {
    }
    if (token->state == TOKEN_ASKED) {
        if (!token->is_in_doubt)
            rest_complain(call, "sent before the interaction was answered");
        return refuse_token(call, 404, 10015);
    }
    if (is_expired(server, token)) {
        if (!rest_bot_knows(server, token->refused_us))
            rest_complain(call, "the token's 15 minutes are over");
        return refuse_token(call, 401, 50027);
    }
    if (token->state == TOKEN_DEAD || token->known_us > rest_now_us())
        return refuse_token(call, 404, 10015);
    return true;
}

static bool has_good_body(struct rest_call *call, const struct route_rule *rule)
{
    if (call->is_too_large) {
        rest_complain(call, "a body of more than %zu bytes", REST_BODY_MAX);
        rest_answer_error(call, 413, 40005);
        return false;
    }
    if (!rule->is_json_body || (!call->form_problem && call->payload.length > 0))
        return true;
    rest_complain(call, "%s", call->form_problem ? call->form_problem : "the body is empty");
    rest_answer_error(call, 400, 50109);
    return false;
}

/* --- Under way --- */

static void enter_token(struct rest_call *call)
{
    struct rest_server *server = call->server;
    struct rest_token *token = call->token;
    if (token->counted_us <= server->forgotten_us)
        token->under_way = 0; /* those of a bot that was killed */
    if (!rest_bot_listens(call))
        return;
    token->counted_us = call->counted_us = rest_awake_us(server);
    token->under_way++;
    call->is_counted_for_token = true;
    if (token->under_way > server->statistics.most_at_once)
        server->statistics.most_at_once = token->under_way;
}

void rest_leave_token(struct rest_call *call)
{
    if (call->is_counted_for_token && call->counted_us > call->server->forgotten_us &&
        call->token->under_way > 0)
        call->token->under_way--;
    call->is_counted_for_token = false;
}

static void keep_arrival(struct rest_call *call)
{
    struct rest_server *server = call->server;
    if (!server->counts_only)
        server->arrivals[call->arrival_number] = call->arrival;
}

static void begin_arrival(struct rest_call *call)
{
    struct rest_server *server = call->server;
    server->statistics.requests++;
    if (!server->counts_only) {
        must_grow(&server->arrivals, server->arrival_count, sizeof(struct rest_arrival));
        call->arrival_number = server->arrival_count++;
    }
    keep_arrival(call);
}

static void end_arrival(struct rest_call *call)
{
    struct rest_server *server = call->server;
    struct rest_statistics *statistics = &server->statistics;
    rest_leave_token(call);
    if (!call->is_cut)
        rest_bucket_count_invalid(call);
    call->arrival.route = call->route;
    call->arrival.status = call->is_cut ? 0 : call->status;
    call->arrival.code = call->is_cut ? 0 : call->code;
    call->arrival.ended_us = rest_now_us();
    statistics->effects += call->arrival.had_effect;
    statistics->limited += call->arrival.status == 429;
    statistics->server_errors += call->arrival.status >= 500;
    statistics->cut += call->is_cut;
    keep_arrival(call);
    server->ended_count++;
    pthread_cond_broadcast(&server->changed);
}

static void serve(struct rest_call *call)
{
    bool cut_after = false;
    const struct route_rule *rule = rest_bucket_is_open_for_all(call) ? find_rule(call) : NULL;
    if (!rule || !has_user_agent(call) || !is_authorized(call, rule))
        return;
    call->is_as_bot = rule->needs_bot;
    call->arrival.route = call->route;
    if (call->token_text.data)
        call->token = rest_find_token(call->server, call->token_text);
    if (call->token) {
        call->arrival.interaction_id = call->token->interaction.id;
        enter_token(call);
    }
    keep_arrival(call);
    if (call->token || !call->token_text.data)
        rest_bucket_find(call);
    if ((call->bucket && !rest_bucket_take(call)) || !rest_faults_pass(call, &cut_after))
        return;
    if ((call->token_text.data && !is_token_good(call)) || !has_good_body(call, rule))
        return;
    rule->serve(call);
    call->arrival.had_effect = call->status < 300 && strcmp(call->method, "GET") != 0;
    call->is_cut = cut_after;
}

void rest_serve(struct rest_call *call)
{
    call->arrival.began_us = rest_now_us();
    pthread_mutex_lock(&call->server->lock);
    begin_arrival(call);
    serve(call);
    end_arrival(call);
    pthread_mutex_unlock(&call->server->lock);
}
