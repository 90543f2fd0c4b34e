/* Values for people's eyes: with mentions and time stamps in messages, and as plain text where
 * Discord shows no Markdown (suggestions, options of a select). Stateless; any thread. */
#include "services/field_internal.h"

#include "bronx/amount.h"
#include "bronx/clock.h"
#include "bronx/markdown.h"
#include "bronx/settings.h"
#include "bronx/time_zone.h"

#include <inttypes.h>
#include <time.h>

static struct str_view show_none(const struct field *field, const struct call *call)
{
    return tr_view(call, field->none ? field->none : TR("none"));
}

static struct str_view show_choices(const struct field *field, const struct call *call,
                                    struct str_view value)
{
    CLEANUP(buf_free) struct buf list = { 0 };
    struct str_view rest = value, word;
    while (str_split(&rest, ',', &word)) {
        int place = field_choice_place(field, word);
        buf_append(&list, list.length > 0 ? STR(", ") : STR(""));
        buf_append(&list, place >= 0 ? tr_view(call, field->choices[place].label) : word);
    }
    return arena_keep(call->arena, &list);
}

static struct str_view show_ids(const struct field *field, const struct call *call,
                                struct str_view value)
{
    static const char *const marks[] = {
        [FIELD_USER] = "@",
        [FIELD_ROLE] = "@&",
        [FIELD_CHANNEL] = "#",
    };
    CLEANUP(buf_free) struct buf list = { 0 };
    struct str_view rest = value, id;
    while (str_split(&rest, ',', &id))
        buf_append_format(&list, "%s<%s%.*s>", list.length > 0 ? ", " : "", marks[field->kind],
                          STR_ARGS(id));
    return arena_keep(call->arena, &list);
}

/* What is left of it when the kind has changed since it was stored. */
static bool is_readable(const struct field *field, struct str_view value)
{
    return field_is_allowed(field, value) && !field_is_none(field, value);
}

struct str_view field_show(const struct field *field, const struct call *call,
                           struct str_view value)
{
    if (field_is_none(field, value) ||
        (field->kind == FIELD_UNTIL && field_number_of(value) <= call->now_ms))
        return show_none(field, call);
    if (!is_readable(field, value))
        return markdown_disarm(call->arena, value);
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_TIME_ZONE:
        return markdown_disarm(call->arena, value);
    case FIELD_NUMBER:
        return field_number_show(field, call, field_number_of(value));
    case FIELD_DURATION:
        return field_duration_show(call, field_number_of(value));
    case FIELD_UNTIL:
        return arena_format(call->arena, tr(call, "until <t:%lld:f>"),
                            (long long)(field_number_of(value) / MS_PER_SECOND));
    case FIELD_TOGGLE:
        return tr_view(call, str_equal(value, STR("on")) ? TR("On") : TR("Off"));
    case FIELD_CHOICE:
    case FIELD_RADIO:
    case FIELD_CHECKBOXES:
        return show_choices(field, call, value);
    case FIELD_USER:
    case FIELD_ROLE:
    case FIELD_CHANNEL:
        return show_ids(field, call, value);
    }
    return STR_NONE;
}

/* --- Plain --- */

/* Where there is no mark that Discord would show in the reader's own time. */
static struct str_view plain_until(const struct call *call, int64_t until_ms)
{
    struct str_view zone = call->person->time_zone;
    time_t seconds = (time_t)(until_ms / MS_PER_SECOND + time_zone_offset(zone, until_ms));
    struct tm parts;
    char text[40];
    if (!gmtime_r(&seconds, &parts) || strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &parts) == 0)
        return STR("?");
    return arena_format(call->arena, tr(call, "until %s %.*s"), text, STR_ARGS(zone));
}

static struct str_view plain_ids(const struct field *field, const struct call *call,
                                 struct str_view value)
{
    int64_t count = 1;
    for (size_t i = 0; i < value.length; i++)
        count += value.data[i] == ',';
    if (field->kind == FIELD_CHANNEL)
        return arena_format(call->arena, tr_plural(call, "%lld channel", "%lld channels", count),
                            (long long)count);
    if (field->kind == FIELD_ROLE)
        return arena_format(call->arena, tr_plural(call, "%lld role", "%lld roles", count),
                            (long long)count);
    return arena_format(call->arena, tr_plural(call, "%lld person", "%lld people", count),
                        (long long)count);
}

static struct str_view plain_number(const struct field *field, const struct call *call,
                                    struct str_view value)
{
    if (field->unit == UNIT_COINS)
        return amount_show(call, field_number_of(value));
    return field_number_show(field, call, field_number_of(value));
}

static struct str_view show_plain(const struct field *field, const struct call *call,
                                  struct str_view value)
{
    if (!is_readable(field, value))
        return field_is_none(field, value) ? show_none(field, call) : value;
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_TIME_ZONE:
        return value;
    case FIELD_NUMBER:
        return plain_number(field, call, value);
    case FIELD_UNTIL:
        return field_number_of(value) > call->now_ms ? plain_until(call, field_number_of(value))
                                                     : show_none(field, call);
    case FIELD_USER:
    case FIELD_ROLE:
    case FIELD_CHANNEL:
        return plain_ids(field, call, value);
    default:
        return field_show(field, call, value);
    }
}

struct str_view field_show_plain(const struct field *field, const struct call *call,
                                 struct str_view value)
{
    return utf8_prefix(show_plain(field, call, value), 100);
}

/* --- What was answered --- */

bool field_is_picked(const struct field *field)
{
    return field->kind != FIELD_TEXT && field->kind != FIELD_NUMBER &&
           field->kind != FIELD_DURATION && field->kind != FIELD_TIME_ZONE;
}

struct str_view field_quote(const struct field *field, const struct call *call,
                            struct str_view answer)
{
    int place = field_choice_place(field, answer);
    if (field->kind == FIELD_UNTIL && place >= 0)
        return tr_view(call, field->choices[place].label);
    if (field_is_picked(field) && answer.length > 0 && field_is_allowed(field, answer))
        return field_show(field, call, answer);
    return markdown_disarm(call->arena, answer);
}
