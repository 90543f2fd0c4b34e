/* custom_ids: format and its exact inverse. What parse takes, format makes, and nothing else, so a
 * custom_id is a value that can be compared and stored. No threads, no state. */
#include "bronx/custom_id.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

static bool is_route(struct str_view route)
{
    return route.length > 0 && !memchr(route.data, ':', route.length);
}

/* A decimal number in the one way it is written: no sign, no leading zeros. */
static int parse_number(struct str_view text, int64_t max, int64_t *value)
{
    if (text.length > 1 && text.data[0] == '0')
        return ERR_INVALID;
    if (str_to_uint63(text, value) < 0 || *value > max)
        return ERR_INVALID;
    return 0;
}

int custom_id_parse(struct str_view text, struct custom_id *id)
{
    struct str_view rest = text, route, version, row_id;
    int64_t version_number, row_number;
    if (text.length == 0 || utf8_units(text) > CUSTOM_ID_MAX || !utf8_is_valid(text) ||
        memchr(text.data, '\0', text.length))
        return ERR_INVALID;
    if (!str_split(&rest, ':', &route) || !str_split(&rest, ':', &version) ||
        !str_split(&rest, ':', &row_id) || !rest.data)
        return ERR_INVALID;
    if (!is_route(route) || parse_number(version, INT_MAX, &version_number) < 0 ||
        parse_number(row_id, INT64_MAX, &row_number) < 0)
        return ERR_INVALID;
    *id = (struct custom_id){
        .route = route, .version = (int)version_number, .row_id = row_number, .argument = rest
    };
    return 0;
}

struct str_view custom_id_format(struct arena *arena, const struct custom_id *id)
{
    /* A character has at most four bytes: longer parts can't fit, and "%.*s" takes an int. */
    const size_t bytes_max = (size_t)4 * CUSTOM_ID_MAX;
    if (!is_route(id->route) || id->version < 0 || id->row_id < 0 || id->route.length > bytes_max ||
        id->argument.length > bytes_max)
        return STR_NONE;
    struct str_view text = arena_format(arena, "%.*s:%d:%" PRId64 ":%.*s", STR_ARGS(id->route),
                                        id->version, id->row_id, STR_ARGS(id->argument));
    struct custom_id parsed;
    if (!text.data || custom_id_parse(text, &parsed) < 0)
        return STR_NONE;
    /* A zero byte has ended the text early. */
    if (parsed.route.length != id->route.length || parsed.argument.length != id->argument.length)
        return STR_NONE;
    return text;
}
