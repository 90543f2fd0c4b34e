/* Asks the bot once and keeps its answer. */
#include "simulator/catalogue.h"

#include "harness/bot_process.h"
#include "harness/interaction_json.h"
#include "harness/memory.h"
#include "simulator/json_read.h"

#define REGISTERED_MS INT64_C(1735689600000) /* 2025-01-01 */

/* Appends what `bronxbot commands --json SCOPE` lists; SCOPE may be NULL. */
static int load_scope(struct catalogue *catalogue, const char *bot_binary, const char *scope,
                      struct err *err)
{
    const char *const arguments[] = { "commands", "--json", scope, NULL };
    CLEANUP(buf_free) struct buf out = { 0 };
    int code = harness_run(bot_binary, arguments, "/tmp", &out, err);
    if (code < 0)
        return code;
    if (code != 0)
        return err_set(err, ERR_UNAVAILABLE, "%s commands --json ended with %d", bot_binary, code);
    must_hold(&out);
    CLEANUP(json_release) json_object *list = json_tokener_parse(out.data ? out.data : "");
    if (!json_object_is_type(list, json_type_array))
        return err_set(err, ERR_INVALID, "%s commands --json gave no JSON array", bot_binary);
    for (size_t i = 0; i < list_length(list); i++)
        must_append(catalogue->commands, json_object_get(list_item(list, i)));
    return 0;
}

int catalogue_load(struct catalogue *catalogue, const char *bot_binary, struct err *err)
{
    catalogue->commands = must_array();
    int result = load_scope(catalogue, bot_binary, NULL, err);
    return result == 0 ? load_scope(catalogue, bot_binary, "--owner", err) : result;
}

const char *catalogue_shown(json_object *named, const char *locale)
{
    const char *translated = get_text(get(named, "name_localizations"), locale);
    return *translated ? translated : get_text(named, "name");
}

static json_object *find_named(json_object *list, struct str_view name, const char *locale)
{
    for (size_t i = 0; i < list_length(list); i++)
        if (str_equal(str_from(catalogue_shown(list_item(list, i), locale)), name))
            return list_item(list, i);
    for (size_t i = 0; i < list_length(list); i++)
        if (str_equal(str_from(get_text(list_item(list, i), "name")), name))
            return list_item(list, i);
    return NULL;
}

json_object *catalogue_command(const struct catalogue *catalogue, struct str_view name,
                               const char *locale)
{
    return find_named(catalogue->commands, name, locale);
}

int64_t catalogue_id(const struct catalogue *catalogue, json_object *command)
{
    unsigned index = 0;
    int64_t id;
    if (str_to_uint63(str_from(get_text(command, "id")), &id) == 0)
        return id;
    while (index < list_length(catalogue->commands) &&
           list_item(catalogue->commands, index) != command)
        index++;
    return snowflake_at(REGISTERED_MS, index);
}

json_object *catalogue_option(json_object *owner, struct str_view name, const char *locale)
{
    return find_named(get(owner, "options"), name, locale);
}

bool catalogue_has_sub_commands(json_object *owner)
{
    int64_t kind = get_integer(list_item(get(owner, "options"), 0), "type", 0);
    return kind == KIND_SUB_COMMAND || kind == KIND_GROUP;
}

void catalogue_free(struct catalogue *catalogue)
{
    json_release(&catalogue->commands);
}
