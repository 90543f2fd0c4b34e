/* What a dispatch is made of, and its last reference. Any thread. */
#include "router/dispatch.h"

#include "bronx/language.h"
#include "bronx/settings.h"

#include "discord/interaction_parse.h"

#include <stdlib.h>

struct log log_of_dispatch(const struct dispatch *dispatch)
{
    return log_of_request(dispatch->router->settings.log, dispatch->request_id);
}

struct call call_of(struct dispatch *dispatch, struct arena *arena)
{
    const struct router_settings *settings = &dispatch->router->settings;
    struct call call = {
        .interaction = dispatch->interaction,
        .command = dispatch->target.command,
        .custom_id = dispatch->target.custom_id,
        .reply = reply_new(arena, dispatch->interaction),
        .arena = arena,
        .services = settings->services,
        .router = dispatch->router,
        .log = log_of_dispatch(dispatch),
        .language = language_of(dispatch->interaction->locale),
        .now_ms = clock_wall_ms(settings->services->clock),
        .effect_id = dispatch->interaction->id,
        .outcome = OUTCOME_OK,
    };
    settings_defaults(&call);
    return call;
}

void dispatch_release(struct dispatch *dispatch)
{
    if (atomic_fetch_sub(&dispatch->references, 1) != 1)
        return;
    struct router *router = dispatch->router;
    interaction_free(dispatch->interaction);
    buf_free(&dispatch->body);
    buf_free(&dispatch->notice);
    buf_free(&dispatch->apology);
    arena_free(&dispatch->arena);
    free(dispatch);
    atomic_fetch_sub(&router->under_way, 1);
}
