/* The gates, in the order in which a person should hear "no": where, who, may they, what the server
 * and they themselves have set, have they agreed, too soon. Each is a function of one call; the
 * table below is the order. */
#include "router/gates.h"

#include "bronx/cooldown.h"
#include "bronx/language.h"
#include "bronx/tos.h"

#include "router/gate.h"

int gate_stop(struct call *call)
{
    if (call->outcome == OUTCOME_USER_ERROR)
        call->outcome = OUTCOME_GATED;
    return STOP;
}

static int gate_context(const struct router_settings *settings, struct call *call, struct err *err)
{
    (void)settings;
    (void)err;
    unsigned allowed = call->command->contexts ? call->command->contexts : IN_GUILD_AND_DM;
    int context = call->interaction->context;
    if (context == CONTEXT_UNKNOWN)
        context = call->interaction->guild_id ? CONTEXT_GUILD : CONTEXT_BOT_DM;
    if (allowed & (1U << (unsigned)context))
        return PASS;
    call_refuse(call,
                allowed & IN_GUILD ? tr(call, "`/%s` works in servers only.")
                                   : tr(call, "`/%s` works in direct messages only."),
                tr_name(call, call->command->name));
    return gate_stop(call);
}

static int gate_owner(const struct router_settings *settings, struct call *call, struct err *err)
{
    (void)err;
    if (!call->command->is_owner_only)
        return PASS;
    for (int i = 0; i < settings->owners->count; i++)
        if (settings->owners->ids[i] == call->interaction->user.id)
            return PASS;
    call_refuse(call, tr(call, "`/%s` is for the people who run this bot."),
                tr_name(call, call->command->name));
    return gate_stop(call);
}

static int gate_permission(const struct router_settings *settings, struct call *call,
                           struct err *err)
{
    (void)settings;
    (void)err;
    uint64_t of_command = call->command->default_member_permissions;
    uint64_t of_sub_command = call->sub_command ? call->sub_command->needed_permissions : 0;
    if (of_sub_command != 0 && !call->interaction->member) {
        call_refuse(call, tr(call, "`/%s %s` works in servers only."),
                    tr_name(call, call->command->name), tr_name(call, call->sub_command->name));
        return gate_stop(call);
    }
    uint64_t needed = of_command | of_sub_command;
    if (needed == 0 || !call->interaction->member || call_has_permissions(call, needed))
        return PASS;
    call_refuse_permissions(call, needed, call->sub_command ? call->sub_command->name : NULL);
    return gate_stop(call);
}

static int gate_terms(const struct router_settings *settings, struct call *call, struct err *err)
{
    if (!call->command->needs_tos || call->interaction->type == INTERACTION_AUTOCOMPLETE)
        return PASS;
    int accepted = tos_has_accepted(call, err);
    if (accepted != 0)
        return accepted;
    int result = settings->ask_for_terms(call, err);
    if (result != 0)
        return result;
    call->outcome = OUTCOME_GATED;
    return STOP;
}

static int gate_cooldown(const struct router_settings *settings, struct call *call, struct err *err)
{
    (void)settings;
    if (command_cooldown_ms(call) == 0 || call->interaction->type != INTERACTION_COMMAND)
        return PASS;
    int64_t ready_at_ms;
    int result = cooldown_ready_at(call, &ready_at_ms, err);
    if (result != 0)
        return result;
    if (ready_at_ms == 0)
        return PASS;
    result = call_refuse_cooldown(call, err);
    return result != 0 ? result : STOP;
}

static gate *const gates[] = {
    gate_context, gate_owner,       gate_permission, gate_settings, gate_switch,
    gate_channel, gate_account_age, gate_break,      gate_terms,    gate_cooldown,
};

int gates_pass(const struct router_settings *settings, struct call *call, struct err *err)
{
    int result = PASS;
    for (size_t i = 0; i < ARRAY_LENGTH(gates) && result == PASS; i++)
        result = gates[i](settings, call, err);
    return result;
}
