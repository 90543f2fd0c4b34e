/* What the bot registers, and who it is. All run with the lock held.
 * https://docs.discord.com/developers/interactions/application-commands#endpoints */
#include "simulator/rest_internal.h"

#include "harness/memory.h"
#include "simulator/json_read.h"
#include "simulator/json_strict.h"
#include "simulator/judge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DAILY_CREATES_MAX 200 /* a scope; the simulated day never ends */

static struct rest_scope *find_scope(struct rest_server *server, int64_t guild_id)
{
    for (size_t i = 0; i < server->scope_count; i++)
        if (server->scopes[i].guild_id == guild_id)
            return &server->scopes[i];
    return NULL;
}

/* Translations are only sent to those who ask for them. */
void rest_serve_get_commands(struct rest_call *call)
{
    const char *wanted =
        MHD_lookup_connection_value(call->connection, MHD_GET_ARGUMENT_KIND, "with_localizations");
    const struct rest_scope *scope = find_scope(call->server, call->guild_id);
    json_object *list = scope ? rest_copy_json(scope->commands) : must_array();
    bool has_translations = wanted && strcmp(wanted, "true") == 0;
    for (size_t i = 0; i < list_length(list) && !has_translations; i++) {
        json_object *command = list_item(list, i);
        must_put(command, "name_localizations", NULL);
        must_put(command, "description_localizations", NULL);
    }
    rest_answer_json(call, 200, list);
}

static json_object *find_same(json_object *list, json_object *command)
{
    for (size_t i = 0; i < list_length(list); i++) {
        json_object *other = list_item(list, i);
        if (strcmp(get_text(other, "name"), get_text(command, "name")) == 0 &&
            get_integer(other, "type", 1) == get_integer(command, "type", 1))
            return other;
    }
    return NULL;
}

static void put_missing(json_object *command, const char *key, json_object *value_taken)
{
    if (json_object_object_get_ex(command, key, NULL))
        json_object_put(value_taken);
    else
        must_put(command, key, value_taken);
}

/* A command as Discord gives it back: with its id and what was left out. */
static void complete_command(struct rest_call *call, json_object *command, json_object *old)
{
    int64_t version = rest_new_id(call->server);
    json_object *types = must_array();
    must_append(types, must_integer(0));
    must_put(command, "id", old ? json_object_get(get(old, "id")) : must_id(version));
    must_put(command, "application_id", must_id(call->server->application_id));
    must_put(command, "version", must_id(version));
    if (call->guild_id != 0) {
        must_put(command, "guild_id", must_id(call->guild_id));
        must_put(command, "contexts", NULL); /* global commands only */
    }
    put_missing(command, "type", must_integer(1));
    put_missing(command, "nsfw", must_boolean(false));
    put_missing(command, "default_member_permissions", NULL);
    put_missing(command, "name_localizations", NULL);
    put_missing(command, "description_localizations", NULL);
    put_missing(command, "contexts", NULL);
    put_missing(command, "integration_types", types);
}

static json_object *read_commands(struct rest_call *call)
{
    struct violations findings = { 0 };
    struct str_view body = buf_view(&call->payload);
    size_t members, position;
    json_object *list = utf8_is_valid(body) && json_is_strict(body, &members, &position)
                            ? json_tokener_parse(body.data)
                            : NULL;
    if (!json_object_is_type(list, json_type_array)) {
        rest_complain(call, "the body is no JSON array");
        rest_answer_error(call, 400, 50109);
        json_object_put(list);
        return NULL;
    }
    rest_judge_commands(list, &findings);
    if (findings.count == 0)
        return list;
    rest_answer_form_errors(call, &findings);
    json_object_put(list);
    return NULL;
}

void rest_serve_put_commands(struct rest_call *call)
{
    struct rest_server *server = call->server;
    json_object *list = read_commands(call);
    struct rest_scope *scope = find_scope(server, call->guild_id);
    unsigned created = 0;
    if (!list)
        return;
    for (size_t i = 0; i < list_length(list); i++)
        created += find_same(scope ? scope->commands : NULL, list_item(list, i)) == NULL;
    if ((scope ? scope->created : 0) + created > DAILY_CREATES_MAX) {
        rest_complain(call, "more than %d commands created in a day", DAILY_CREATES_MAX);
        rest_answer_error(call, 429, 30034);
        json_object_put(list);
        return;
    }
    if (!scope) {
        must_grow(&server->scopes, server->scope_count, sizeof(struct rest_scope));
        scope = &server->scopes[server->scope_count++];
        scope->guild_id = call->guild_id;
    }
    scope->created += created;
    for (size_t i = 0; i < list_length(list); i++)
        complete_command(call, list_item(list, i), find_same(scope->commands, list_item(list, i)));
    json_object_put(scope->commands);
    scope->commands = list;
    server->registrations++;
    rest_answer_json(call, 200, rest_copy_json(list));
}

void rest_serve_application(struct rest_call *call)
{
    json_object *json = must_object();
    must_put(json, "id", must_id(call->server->application_id));
    must_put(json, "name", must_text(STR("bronxbot")));
    must_put(json, "description", must_text(STR("")));
    must_put(json, "bot_public", must_boolean(true));
    must_put(json, "bot_require_code_grant", must_boolean(false));
    must_put(json, "verify_key", must_text(str_from(call->server->verify_key)));
    must_put(json, "interactions_endpoint_url", NULL);
    must_put(json, "flags", must_integer(0));
    rest_answer_json(call, 200, json);
}

void rest_serve_user(struct rest_call *call)
{
    const struct person bot = { call->server->application_id, "bronxbot", true };
    rest_answer_json(call, 200, user_json(&bot));
}
