/* Lengths of time as people write and read them. Pure functions. */
#include "services/field_internal.h"

#define MINUTES_A_HOUR INT64_C(60)
#define MINUTES_A_DAY  (24 * MINUTES_A_HOUR)
#define MINUTES_A_WEEK (7 * MINUTES_A_DAY)

/* By the first letter, which English and Spanish share but for the week: minutes, hours, días,
 * weeks or semanas. "seg…" and "sec…" would be seconds, so semanas need three; and months or meses,
 * which have no one length, are not to be taken for minutes. The first that fits counts. */
static int64_t unit_of(struct str_view word)
{
    static const struct {
        const char *start;
        int64_t minutes;
    } units[] = {
        { "mo", 0 },
        { "mes", 0 },
        { "m", 1 },
        { "h", MINUTES_A_HOUR },
        { "d", MINUTES_A_DAY },
        { "w", MINUTES_A_WEEK },
        { "sem", MINUTES_A_WEEK },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        struct str_view start = str_from(units[i].start);
        struct str_view head = { word.data,
                                 word.length < start.length ? word.length : start.length };
        if (str_equal_ignoring_case(head, start))
            return units[i].minutes;
    }
    return 0;
}

/* Cuts "12", spaces and "hours" off the front of `rest`. */
static bool next_part(struct str_view *rest, int64_t *number, struct str_view *word)
{
    size_t digits = 0, end;
    while (digits < rest->length && char_is_digit(rest->data[digits]))
        digits++;
    if (str_to_uint63((struct str_view){ rest->data, digits }, number) != 0)
        return false;
    for (end = digits; end < rest->length && !char_is_digit(rest->data[end]);)
        end++;
    *word = str_trim((struct str_view){ rest->data + digits, end - digits });
    *rest = (struct str_view){ rest->data + end, rest->length - end };
    return true;
}

bool field_duration_parse(struct str_view typed, int64_t *minutes)
{
    struct str_view rest = str_trim(typed), word;
    int64_t number, total = 0;
    bool is_bare = false;
    if (rest.length == 0)
        return false;
    while (rest.length > 0) {
        if (is_bare || !next_part(&rest, &number, &word))
            return false;
        is_bare = word.length == 0;
        int64_t unit = is_bare ? 1 : unit_of(word);
        if (unit == 0 || __builtin_mul_overflow(number, unit, &number) ||
            __builtin_add_overflow(total, number, &total))
            return false;
    }
    *minutes = total;
    return true;
}

struct str_view field_duration_show(const struct call *call, int64_t minutes)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    long long days = minutes / MINUTES_A_DAY;
    long long hours = minutes % MINUTES_A_DAY / MINUTES_A_HOUR;
    long long rest = minutes % MINUTES_A_HOUR;
    if (days > 0)
        buf_append_format(&text, tr_plural(call, "%lld day", "%lld days", days), days);
    if (hours > 0) {
        buf_append(&text, text.length > 0 ? STR(" ") : STR(""));
        buf_append_format(&text, tr_plural(call, "%lld hour", "%lld hours", hours), hours);
    }
    if (rest > 0 || minutes == 0) {
        buf_append(&text, text.length > 0 ? STR(" ") : STR(""));
        buf_append_format(&text, tr_plural(call, "%lld minute", "%lld minutes", rest), rest);
    }
    return arena_keep(call->arena, &text);
}
