/* From an interaction to the reply of its handler: commands by name, components and modals by the
 * prefix of their custom_id. Runs on executor threads; the router is constant. */
#include "router/route.h"

#include "bronx/cooldown.h"
#include "bronx/language.h"

#include "discord/interaction_parse.h"
#include "router/gates.h"
#include "router/options.h"

struct fault_row {
    const char *cause;
    const char *sentence;
    enum log_level level;
    enum outcome outcome;
};

static const struct fault_row faults[] = {
    [FAULT_UNKNOWN_COMMAND] = { "unknown command",
                                TR("I don't know this command any more. Restart Discord to load "
                                   "the present list, then try again."),
                                LOG_LEVEL_WARNING, OUTCOME_USER_ERROR },
    [FAULT_OLD_COMMAND] = { "command does not fit its table",
                            TR("This command has changed since Discord loaded it. Restart Discord, "
                               "then try again."),
                            LOG_LEVEL_WARNING, OUTCOME_USER_ERROR },
    [FAULT_UNKNOWN_COMPONENT] = { "unknown component",
                                  TR("This button belongs to something I no longer offer. Run the "
                                     "command again to get a fresh message."),
                                  LOG_LEVEL_WARNING, OUTCOME_USER_ERROR },
    [FAULT_OLD_COMPONENT] = { "component of another version",
                              TR("This message is from an older version of me. Run the command "
                                 "again to get a fresh one."),
                              LOG_LEVEL_INFO, OUTCOME_USER_ERROR },
    [FAULT_OTHERS_COMPONENT] = { "component of somebody else's message",
                                 TR("This message belongs to somebody else. Run the command "
                                    "yourself to get your own."),
                                 LOG_LEVEL_INFO, OUTCOME_USER_ERROR },
    [FAULT_HANDLER] = { "handler failed",
                        TR("Something went wrong on my side, and it has been noted. Please try "
                           "again in a moment."),
                        LOG_LEVEL_ERROR, OUTCOME_INTERNAL_ERROR },
    [FAULT_LATE_MODAL] = { "form came too late",
                           TR("Getting this form ready took longer than Discord waits. Please try "
                              "again."),
                           LOG_LEVEL_WARNING, OUTCOME_INTERNAL_ERROR },
    [FAULT_BUSY] = { "too busy", TR("I'm very busy just now. Please try again in a moment."),
                     LOG_LEVEL_WARNING, OUTCOME_INTERNAL_ERROR },
};

int answer_fault(struct call *call, enum fault fault, const struct err *err)
{
    const struct fault_row *row = &faults[fault];
    call->arena->has_failed = false; /* nothing of what is missing is shown */
    call_refuse(call, tr(call, "%s\n-# Error id: `%s`"), tr(call, row->sentence),
                call->log.request_id);
    call->outcome = row->outcome;
    const struct interaction *interaction = call->interaction;
    log_write(&call->log, row->level, row->cause,
              LOG_FIELDS_(LOG_TEXT("command", interaction->command.path[0]),
                          LOG_TEXT("custom_id", interaction->custom_id),
                          LOG_INT("user", interaction->user.id),
                          LOG_INT("guild", interaction->guild_id),
                          LOG_TEXT("code", str_from(err_code_word(err ? err->code : 0))),
                          LOG_TEXT("reason", str_from(err ? err->message : ""))));
    return 0;
}

static int run_gated(struct router *router, struct call *call, handler *handle, struct err *err)
{
    int result = gates_pass(&router->settings, call, err);
    if (result <= 0)
        return result;
    return handle(call, err);
}

static int run_command(struct router *router, struct call *call, struct err *err)
{
    const struct interaction *interaction = call->interaction;
    bool is_autocomplete = interaction->type == INTERACTION_AUTOCOMPLETE;
    if (!call->command)
        return answer_fault(call, FAULT_UNKNOWN_COMMAND, NULL);
    struct err misfit;
    int result = options_find_sub_command(call->command, interaction, &call->sub_command, &misfit);
    const struct option *sub_command = call->sub_command;
    if (result == 0)
        result = options_check(sub_command ? sub_command->options : call->command->options,
                               interaction, &misfit);
    if (result != 0)
        return answer_fault(call, FAULT_OLD_COMMAND, &misfit);
    handler *handle = is_autocomplete ? call->command->autocomplete : call->command->run;
    if (sub_command)
        handle = is_autocomplete ? sub_command->autocomplete : sub_command->run;
    if (!handle)
        return answer_fault(call, FAULT_OLD_COMMAND, NULL);
    result = run_gated(router, call, handle, err);
    bool is_cooldown_due = result == 0 && call->outcome == OUTCOME_OK && !is_autocomplete &&
                           command_cooldown_ms(call) > 0 && !call->is_cooldown_used;
    if (!is_cooldown_due)
        return result;
    result = cooldown_use(call, err);
    /* A concurrent call was first; this one has changed nothing that money depends on. */
    return result == ERR_EXPECTATION ? 0 : result;
}

/* Buttons and selects (`component`) and submitted modals (`modal`). */
static int run_component(struct router *router, struct call *call, struct err *err)
{
    const struct interaction *interaction = call->interaction;
    handler *handle = NULL;
    if (call->command)
        handle = interaction->type == INTERACTION_COMPONENT ? call->command->component
                                                            : call->command->modal;
    if (!handle)
        return answer_fault(call, FAULT_UNKNOWN_COMPONENT, NULL);
    if (call->custom_id.version != call->command->component_version)
        return answer_fault(call, FAULT_OLD_COMPONENT, NULL);
    const struct message *message = interaction->message;
    if (!call->command->is_open_to_everyone && message && message->invoker_id != 0 &&
        message->invoker_id != interaction->user.id)
        return answer_fault(call, FAULT_OTHERS_COMPONENT, NULL);
    return run_gated(router, call, handle, err);
}

static int run_handler(struct router *router, struct call *call, struct err *err)
{
    switch (call->interaction->type) {
    case INTERACTION_COMMAND:
    case INTERACTION_AUTOCOMPLETE:
        return run_command(router, call, err);
    case INTERACTION_COMPONENT:
    case INTERACTION_MODAL_SUBMIT:
        return run_component(router, call, err);
    default:
        return answer_fault(call, FAULT_UNKNOWN_COMMAND, NULL);
    }
}

void route_find(const struct router *router, const struct interaction *interaction,
                struct route_target *target)
{
    struct str_view name = interaction->command.path[0];
    *target = (struct route_target){ 0 };
    if (interaction->custom_id.length > 0)
        name = custom_id_parse(interaction->custom_id, &target->custom_id) == 0
                   ? target->custom_id.route
                   : STR_NONE;
    target->command = command_find(router->settings.commands, name);
}

void route(struct router *router, struct call *call)
{
    struct err err = { 0 };
    if (run_handler(router, call, &err) < 0)
        answer_fault(call, FAULT_HANDLER, &err);
}

int call_run_blocked(struct call *call, int64_t blocked_id, struct str_view data, struct err *err)
{
    struct interaction *interaction = NULL;
    struct route_target target;
    int result = interaction_parse_data(data, call->interaction, &interaction, err);
    if (result != 0)
        return err_wrap(err, "a blocked command");
    route_find(call->router, interaction, &target);
    struct call blocked = *call;
    blocked.interaction = interaction;
    blocked.command = target.command;
    blocked.sub_command = NULL;
    blocked.effect_id = blocked_id;
    blocked.is_cooldown_used = false;
    begin_reply(call);
    route(call->router, &blocked);
    /* A modal can't answer a modal: such a command is to be run by hand. */
    if (reply_callback_type(call->reply) == CALLBACK_MODAL)
        call_refuse(&blocked, tr(call, "Now run `/%s` again."),
                    tr_name(&blocked, blocked.command->name));
    call->outcome = blocked.outcome;
    call->has_messages = call->has_messages || blocked.has_messages;
    interaction_free(interaction);
    return 0;
}
