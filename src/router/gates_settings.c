/* The gates that servers and people set up themselves: call->server and call->person are loaded
 * first, through the cache, and each gate after that asks one of them. They stand before commands
 * and suggestions, not before clicks: what has begun, a game with coins in it, can be finished. */
#include "router/gate.h"

#include "bronx/clock.h"
#include "bronx/language.h"
#include "bronx/settings.h"

#include <inttypes.h>

/* What the settings of a server and a person are about; NULL: about none of these commands. */
struct category_rules {
    const char *off; /* TR: why it is refused while switched off */
    bool (*is_on)(const struct server_settings *server);
};

static bool is_economy_on(const struct server_settings *server)
{
    return server->has_economy;
}

static bool are_games_on(const struct server_settings *server)
{
    return server->has_games;
}

static bool is_shop_on(const struct server_settings *server)
{
    return server->has_shop;
}

static bool is_voting_on(const struct server_settings *server)
{
    return server->has_voting;
}

static const struct category_rules rules_of[] = {
    [CATEGORY_ECONOMY] = { TR("The economy is switched off in this server. Its admins can switch "
                              "it on with `/setup server`."),
                           is_economy_on },
    [CATEGORY_GAMES] = { TR("Games are switched off in this server. Its admins can switch them on "
                            "with `/setup server`."),
                         are_games_on },
    [CATEGORY_SHOP] = { TR("The shop is switched off in this server. Its admins can switch it on "
                           "with `/setup server`."),
                        is_shop_on },
    [CATEGORY_VOTING] = { TR("Voting is switched off in this server. Its admins can switch it on "
                             "with `/setup server`."),
                          is_voting_on },
};

/* NULL for commands that work whatever a server has set (terms, help, settings), and for clicks. */
static const struct category_rules *rules(const struct call *call)
{
    enum command_category category = call->command->category;
    bool is_click = call->interaction->type == INTERACTION_COMPONENT ||
                    call->interaction->type == INTERACTION_MODAL_SUBMIT;
    if (is_click || (size_t)category >= ARRAY_LENGTH(rules_of) || !rules_of[category].off)
        return NULL;
    return &rules_of[category];
}

/* Help and terms, and what tells owners why the database is away, work without it. */
int gate_settings(const struct router_settings *settings, struct call *call, struct err *err)
{
    (void)settings;
    const struct command *command = call->command;
    bool needs_none = (command->category == CATEGORY_START && !command->needs_tos) ||
                      command->category == CATEGORY_OWNER;
    if (needs_none)
        return PASS;
    int result = settings_load(call, err);
    return result != 0 ? result : PASS;
}

int gate_switch(const struct router_settings *settings, struct call *call, struct err *err)
{
    (void)settings;
    (void)err;
    const struct category_rules *category = rules(call);
    if (!category || category->is_on(call->server))
        return PASS;
    call_refuse(call, "%s", tr(call, category->off));
    return gate_stop(call);
}

static bool is_among(const struct field_ids *channels, int64_t id)
{
    for (int i = 0; i < channels->count; i++)
        if (channels->ids[i] == id)
            return true;
    return false;
}

/* A thread belongs to the channel it was opened in. */
int gate_channel(const struct router_settings *settings, struct call *call, struct err *err)
{
    (void)settings;
    (void)err;
    const struct field_ids *channels = &call->server->channels;
    const struct interaction *interaction = call->interaction;
    if (!rules(call) || channels->count == 0 || is_among(channels, interaction->channel_id) ||
        (interaction->channel.parent_id != 0 && is_among(channels, interaction->channel.parent_id)))
        return PASS;
    CLEANUP(buf_free) struct buf list = { 0 };
    for (int i = 0; i < channels->count; i++)
        buf_append_format(&list, "%s<#%" PRId64 ">", i > 0 ? ", " : "", channels->ids[i]);
    call_refuse(call, tr(call, "In this server `/%s` works in these channels only: %.*s"),
                tr_name(call, call->command->name), STR_ARGS(arena_keep(call->arena, &list)));
    return gate_stop(call);
}

int gate_account_age(const struct router_settings *settings, struct call *call, struct err *err)
{
    (void)settings;
    (void)err;
    int64_t days = call->server->min_account_age_days;
    int64_t old_enough_ms = snowflake_created_ms(call->interaction->user.id) + days * MS_PER_DAY;
    if (!rules(call) || days == 0 || call->now_ms >= old_enough_ms)
        return PASS;
    call_refuse(call,
                tr(call, "Your Discord account is too young for `/%s` in this server. It works for "
                         "you <t:%" PRId64 ":R>."),
                tr_name(call, call->command->name),
                (old_enough_ms + MS_PER_SECOND - 1) / MS_PER_SECOND);
    return gate_stop(call);
}

int gate_break(const struct router_settings *settings, struct call *call, struct err *err)
{
    (void)settings;
    (void)err;
    int64_t until_ms = call->person->cool_off_until_ms;
    if (rules(call) != &rules_of[CATEGORY_GAMES] || call->now_ms >= until_ms)
        return PASS;
    call_refuse(
        call,
        tr(call, "You are taking a break from games, as you decided. It ends <t:%" PRId64 ":R>."),
        (until_ms + MS_PER_SECOND - 1) / MS_PER_SECOND);
    return gate_stop(call);
}
