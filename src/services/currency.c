/* How a server's coins are called. Stateless; any thread. */
#include "bronx/currency.h"

#include "bronx/amount.h"
#include "bronx/language.h"
#include "bronx/markdown.h"
#include "bronx/settings.h"

/* The plural of a name that somebody made up is that name. */
static struct str_view name_of(const struct call *call, struct str_view number, int64_t amount)
{
    struct str_view name = call->server ? call->server->currency_name : STR_NONE;
    if (name.length > 0)
        return arena_format(call->arena, "%.*s %.*s", STR_ARGS(number),
                            STR_ARGS(markdown_disarm(call->arena, name)));
    return arena_format(call->arena, tr_plural(call, "%.*s coin", "%.*s coins", amount),
                        STR_ARGS(number));
}

struct str_view currency_show(const struct call *call, int64_t amount)
{
    struct str_view number = amount_show(call, amount);
    struct str_view named = name_of(call, number, amount);
    struct str_view symbol = call->server ? call->server->currency_symbol : STR_NONE;
    if (symbol.length == 0)
        return named;
    return arena_format(call->arena, "%.*s %.*s", STR_ARGS(markdown_disarm(call->arena, symbol)),
                        STR_ARGS(named));
}
