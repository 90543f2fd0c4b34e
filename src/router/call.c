/* What handlers do with their call. Everything here works on one call, in the thread that runs it.
 */
#include "bronx/command.h"

#include "bronx/clock.h"
#include "bronx/cooldown.h"
#include "bronx/language.h"

#include "discord/interaction_parse.h"
#include "router/route.h"

void begin_reply(struct call *call)
{
    reply_reset(call->reply);
    if (call->preface.length > 0)
        reply_text_view(call->reply, call->preface);
}

int call_refuse(struct call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct str_view sentence = arena_format_list(call->arena, format, arguments);
    va_end(arguments);
    call->outcome = OUTCOME_USER_ERROR;
    if (call->interaction->type == INTERACTION_AUTOCOMPLETE) {
        reply_reset(call->reply);
        reply_suggest_nothing(call->reply);
        return 0;
    }
    begin_reply(call);
    reply_ephemeral(call->reply);
    reply_text_view(call->reply, sentence);
    return 0;
}

/* "privacidad exportar": the command as this person's Discord shows it. */
static struct str_view shown_path(const struct call *call)
{
    struct str_view path = str_from(tr_name(call, call->command->name));
    const struct option *option = call->command->options;
    for (int i = 1; i < call->interaction->command.path_length; i++) {
        while (option && option->name &&
               !str_equal(call->interaction->command.path[i], str_from(option->name)))
            option++;
        if (!option || !option->name)
            break;
        path = arena_format(call->arena, "%.*s %s", STR_ARGS(path), tr_name(call, option->name));
        option = option->options;
    }
    return path;
}

int call_refuse_cooldown(struct call *call, struct err *err)
{
    int64_t ready_at_ms;
    int result = cooldown_ready_at(call, &ready_at_ms, err);
    if (result != 0)
        return result;
    /* Discord shows whole seconds: round up, so that "now" is never too early. */
    call_refuse(call, tr(call, "You can use `/%.*s` again <t:%lld:R>."), STR_ARGS(shown_path(call)),
                (long long)((ready_at_ms + MS_PER_SECOND - 1) / MS_PER_SECOND));
    call->outcome = OUTCOME_COOLDOWN;
    return 0;
}

bool call_has_option(const struct call *call, const char *name)
{
    return interaction_option(call->interaction, name) != NULL;
}

struct str_view call_text(const struct call *call, const char *name)
{
    const struct option_value *option = interaction_option(call->interaction, name);
    return option ? option->text : STR_NONE;
}

int64_t call_integer(const struct call *call, const char *name, int64_t fallback)
{
    const struct option_value *option = interaction_option(call->interaction, name);
    return option ? option->integer : fallback;
}

const struct resolved_user *call_user(const struct call *call, const char *name)
{
    const struct option_value *option = interaction_option(call->interaction, name);
    return option ? interaction_resolved_user(call->interaction, option->integer) : NULL;
}

struct str_view call_focused(const struct call *call, struct str_view *typed)
{
    for (int i = 0; i < call->interaction->command.option_count; i++) {
        const struct option_value *option = &call->interaction->command.options[i];
        if (option->is_focused) {
            *typed = option->text;
            return option->name;
        }
    }
    *typed = STR_NONE;
    return STR_NONE;
}

bool call_has_permissions(const struct call *call, uint64_t permissions)
{
    const struct member *member = call->interaction->member;
    return member && ((member->permissions & PERMISSION_ADMINISTRATOR) ||
                      (member->permissions & permissions) == permissions);
}

/* As Discord's own client calls them. */
static const struct {
    uint64_t permission;
    const char *name;
} permission_names[] = {
    { PERMISSION_ADMINISTRATOR, TR("Administrator") },
    { PERMISSION_MANAGE_GUILD, TR("Manage Server") },
    { PERMISSION_MODERATE_MEMBERS, TR("Timeout Members") },
};

int call_refuse_permissions(struct call *call, uint64_t permissions, const char *sub_command)
{
    CLEANUP(buf_free) struct buf names = { 0 };
    for (size_t i = 0; i < ARRAY_LENGTH(permission_names); i++)
        if (permissions & permission_names[i].permission)
            buf_append_format(&names, "%s%s", names.length > 0 ? ", " : "",
                              tr(call, permission_names[i].name));
    if (sub_command)
        return call_refuse(call, tr(call, "`/%s %s` is for members with the permission **%.*s**."),
                           tr_name(call, call->command->name), tr_name(call, sub_command),
                           STR_ARGS(buf_view(&names)));
    return call_refuse(call, tr(call, "`/%s` is for members with the permission **%.*s**."),
                       tr_name(call, call->command->name), STR_ARGS(buf_view(&names)));
}

void call_begin_private_answer(struct call *call)
{
    if (call->interaction->message)
        reply_update(call->reply);
    else
        reply_ephemeral(call->reply);
}

struct str_view call_custom_id(const struct call *call, int64_t row_id, const char *argument)
{
    const struct custom_id id = {
        .route = str_from(call->command->name),
        .version = call->command->component_version,
        .row_id = row_id,
        .argument = str_from(argument),
    };
    return custom_id_format(call->arena, &id);
}

struct str_view call_command_json(const struct call *call)
{
    CLEANUP(buf_free) struct buf json = { 0 };
    if (call->interaction->type != INTERACTION_COMMAND)
        return STR_NONE;
    interaction_data_json(call->interaction, &json);
    return arena_keep(call->arena, &json);
}
