/* From what a person typed or picked to a canonical value: one function for each kind, all of which
 * give the value or say in a sentence what is allowed. Stateless; any thread.
 *
 * Ids of channels and roles count only when Discord names them beside the interaction: it does so
 * for what was picked in a form, and only of the server where that was. An id that was merely typed
 * could be another server's, and whoever set it would make the bot post there. */
#include "services/field_internal.h"

#include "bronx/amount.h"
#include "bronx/clock.h"
#include "bronx/time_zone.h"

#include <inttypes.h>
#include <string.h>

/* What one parse is about; `problem` is set at most once. */
struct parse {
    const struct field *field;
    const struct call *call;
    struct str_view typed; /* trimmed; then valid and clean, too */
    struct str_view *value, *problem;
};

static bool accept(const struct parse *parse, struct str_view value)
{
    *parse->value = value;
    return value.data != NULL;
}

static bool refuse(const struct parse *parse, const char *format, ...) PRINTF_LIKE(2, 3);

static bool refuse(const struct parse *parse, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    *parse->problem = arena_format_list(parse->call->arena, format, arguments);
    va_end(arguments);
    return false;
}

static bool means(const struct call *call, struct str_view typed, const char *english)
{
    return english && (field_is_same_word(call, typed, str_from(english)) ||
                       field_is_same_word(call, typed, tr_view(call, english)));
}

/* --- Text --- */

static bool parse_text(const struct parse *parse)
{
    const struct call *call = parse->call;
    if (field_is_allowed(parse->field, parse->typed))
        return accept(parse, parse->typed);
    return refuse(parse, tr(call, "Use %lld to %lld characters; this has %lld."),
                  (long long)parse->field->min, (long long)parse->field->max,
                  (long long)field_text_characters(parse->typed));
}

/* --- Numbers --- */

static bool accept_number(const struct parse *parse, int64_t number)
{
    return accept(parse, arena_format(parse->call->arena, "%" PRId64, number));
}

static bool refuse_number(const struct parse *parse)
{
    const struct call *call = parse->call;
    struct str_view min = amount_show(call, parse->field->min);
    struct str_view max = amount_show(call, parse->field->max);
    struct str_view example = field_number_example(parse->field, call);
    if (parse->field->is_optional && parse->field->none)
        return refuse(
            parse,
            tr(call, "A whole number from %.*s to %.*s is needed, like %.*s, or nothing: %s."),
            STR_ARGS(min), STR_ARGS(max), STR_ARGS(example), tr(call, parse->field->none));
    return refuse(parse, tr(call, "A whole number from %.*s to %.*s is needed, like %.*s."),
                  STR_ARGS(min), STR_ARGS(max), STR_ARGS(example));
}

static bool parse_number(const struct parse *parse)
{
    int64_t number;
    if (!field_number_parse(parse->field, parse->call, parse->typed, &number))
        return refuse_number(parse);
    bool is_none = number == 0 && parse->field->is_optional;
    if (!is_none && (number < parse->field->min || number > parse->field->max))
        return refuse_number(parse);
    return accept_number(parse, number);
}

static bool parse_duration(const struct parse *parse)
{
    const struct call *call = parse->call;
    int64_t minutes;
    if (field_duration_parse(parse->typed, &minutes) && minutes >= parse->field->min &&
        minutes <= parse->field->max)
        return accept_number(parse, minutes);
    return refuse(parse,
                  tr(call, "A length from %.*s to %.*s is needed, written like 7 days, 12h or "
                           "90m."),
                  STR_ARGS(field_duration_show(call, parse->field->min)),
                  STR_ARGS(field_duration_show(call, parse->field->max)));
}

/* --- Choices --- */

static int choice_meant(const struct parse *parse, struct str_view typed)
{
    int place = field_choice_place(parse->field, typed);
    for (int i = 0; place < 0 && i < field_choice_count(parse->field); i++)
        if (means(parse->call, typed, parse->field->choices[i].label))
            place = i;
    return place;
}

static bool refuse_choice(const struct parse *parse)
{
    CLEANUP(buf_free) struct buf list = { 0 };
    for (int i = 0; i < field_choice_count(parse->field); i++) {
        buf_append(&list, i > 0 ? STR(", ") : STR(""));
        buf_append(&list, tr_view(parse->call, parse->field->choices[i].label));
    }
    if (list.has_failed)
        return false;
    return refuse(parse, tr(parse->call, "One of these is needed: %.*s."),
                  STR_ARGS(buf_view(&list)));
}

static bool parse_choice(const struct parse *parse)
{
    int place = choice_meant(parse, parse->typed);
    return place >= 0 ? accept(parse, str_from(parse->field->choices[place].value))
                      : refuse_choice(parse);
}

static bool refuse_count(const struct parse *parse)
{
    long long min = parse->field->min, max = field_most(parse->field);
    if (min <= 1)
        return refuse(parse,
                      tr_plural(parse->call, "At most %lld can be chosen.",
                                "At most %lld can be chosen.", max),
                      max);
    return refuse(parse, tr(parse->call, "%lld to %lld must be chosen."), min, max);
}

static bool parse_checkboxes(const struct parse *parse)
{
    CLEANUP(buf_free) struct buf value = { 0 };
    struct str_view rest = parse->typed, word;
    uint64_t chosen = 0;
    while (str_split(&rest, ',', &word)) {
        int place = choice_meant(parse, str_trim(word));
        if (place < 0)
            return refuse_choice(parse);
        chosen |= UINT64_C(1) << place;
    }
    for (int i = 0; i < field_choice_count(parse->field); i++) {
        if (!(chosen & (UINT64_C(1) << i)))
            continue;
        buf_append(&value, value.length > 0 ? STR(",") : STR(""));
        buf_append(&value, str_from(parse->field->choices[i].value));
    }
    if (value.has_failed)
        return false;
    return field_is_allowed(parse->field, buf_view(&value))
               ? accept(parse, arena_copy(parse->call->arena, buf_view(&value)))
               : refuse_count(parse);
}

static bool means_in_any_language(const struct parse *parse, const char *english)
{
    for (const struct language *const *language = languages; *language; language++)
        if (field_is_same_word(parse->call, parse->typed,
                               str_from(language_text(*language, english))))
            return true;
    return false;
}

static bool is_one_of(const struct parse *parse, const char *const *words, bool is_any_language)
{
    for (; *words; words++)
        if (is_any_language ? means_in_any_language(parse, *words)
                            : means(parse->call, parse->typed, *words))
            return true;
    return false;
}

/* In the reader's language, or else in any: a "sí" is not lost on who reads English. */
static bool parse_toggle(const struct parse *parse)
{
    static const char *const on[] = { TR("on"),     TR("yes"), TR("true"), TR("enabled"),
                                      TR("enable"), "1",       NULL };
    static const char *const off[] = { TR("off"),     TR("no"), TR("false"), TR("disabled"),
                                       TR("disable"), "0",      NULL };
    for (int is_any_language = 0; is_any_language <= 1; is_any_language++) {
        if (is_one_of(parse, on, is_any_language))
            return accept(parse, STR("on"));
        if (is_one_of(parse, off, is_any_language))
            return accept(parse, STR("off"));
    }
    return refuse(parse, "%s", tr(parse->call, "Either on or off is needed."));
}

/* --- Times --- */

int64_t field_until_of(const struct call *call, const struct field_choice *choice)
{
    int64_t days;
    bool is_none = str_to_uint63(str_from(choice->value), &days) != 0 || days == 0;
    /* From the interaction's own instant, so that a replay chooses the same. */
    return is_none ? 0 : snowflake_created_ms(call->effect_id) + days * MS_PER_DAY;
}

/* The latest that can be chosen. */
static int64_t latest(const struct parse *parse)
{
    int64_t latest_ms = 0;
    for (int i = 0; i < field_choice_count(parse->field); i++) {
        int64_t until_ms = field_until_of(parse->call, &parse->field->choices[i]);
        latest_ms = until_ms > latest_ms ? until_ms : latest_ms;
    }
    return latest_ms;
}

/* A time that is kept already comes back from the form as it is. */
static bool parse_until(const struct parse *parse)
{
    int64_t until_ms;
    int place = choice_meant(parse, parse->typed);
    if (place >= 0)
        return accept_number(parse, field_until_of(parse->call, &parse->field->choices[place]));
    if (str_to_uint63(parse->typed, &until_ms) == 0 && until_ms >= DISCORD_EPOCH_MS &&
        until_ms <= latest(parse))
        return accept_number(parse, until_ms);
    return refuse_choice(parse);
}

static bool parse_time_zone(const struct parse *parse)
{
    struct str_view name = time_zone_find(parse->typed);
    if (name.data)
        return accept(parse, name);
    return refuse(parse, "%s",
                  tr(parse->call, "I don't know that time zone. A city, or a name like "
                                  "Europe/Madrid, is needed."));
}

/* --- Ids --- */

static bool is_separator(char character)
{
    return character == ',' || character == ' ' || character == '\n' || character == '\t';
}

/* Cuts "123", "<#123>", "<@!123>" or "<@&123>" off the front of `rest`, which is not empty. */
static bool next_id(struct str_view *rest, int64_t *id)
{
    size_t end = 0;
    while (end < rest->length && !is_separator(rest->data[end]) &&
           (end == 0 || rest->data[end - 1] != '>'))
        end++;
    struct str_view word = { rest->data, end };
    *rest = (struct str_view){ rest->data + end, rest->length - end };
    if (word.length > 2 && word.data[0] == '<' && word.data[word.length - 1] == '>') {
        word = (struct str_view){ word.data + 1, word.length - 2 };
        while (word.length > 0 && strchr("#@!&", word.data[0]))
            word = (struct str_view){ word.data + 1, word.length - 1 };
    }
    return str_to_uint63(word, id) == 0 && *id > 0;
}

static bool is_type_wanted(const struct field *field, int type)
{
    for (const int *wanted = field->channel_types; wanted && *wanted >= 0; wanted++)
        if (*wanted == type)
            return true;
    return !field->channel_types;
}

/* Whether Discord says that it is there, and fits. */
static bool is_resolved(const struct parse *parse, int64_t id)
{
    const struct interaction *interaction = parse->call->interaction;
    const struct resolved *resolved = &interaction->resolved;
    if (parse->field->kind == FIELD_USER)
        return true;
    for (int i = 0; parse->field->kind == FIELD_ROLE && i < resolved->role_count; i++)
        if (resolved->roles[i].id == id)
            return true;
    if (parse->field->kind == FIELD_ROLE)
        return false;
    for (int i = 0; i < resolved->channel_count; i++)
        if (resolved->channels[i].id == id)
            return is_type_wanted(parse->field, resolved->channels[i].type);
    return interaction->channel.id == id && interaction->guild_id != 0 &&
           is_type_wanted(parse->field, interaction->channel.type);
}

static bool refuse_id(const struct parse *parse)
{
    switch (parse->field->kind) {
    case FIELD_USER:
        return refuse(parse, "%s", tr(parse->call, "Somebody's mention or id is needed."));
    case FIELD_ROLE:
        return refuse(parse, "%s", tr(parse->call, "A role must be picked in the form."));
    default:
        return refuse(parse, "%s",
                      tr(parse->call, "A channel must be picked in the form, and be of a kind that "
                                      "is offered there."));
    }
}

static bool parse_ids(const struct parse *parse)
{
    CLEANUP(buf_free) struct buf value = { 0 };
    struct str_view rest = parse->typed;
    int64_t id, seen[FIELD_VALUE_MAX / 2];
    int count = 0;
    while (rest.length > 0) {
        if (is_separator(rest.data[0])) {
            rest = (struct str_view){ rest.data + 1, rest.length - 1 };
            continue;
        }
        if (!next_id(&rest, &id) || !is_resolved(parse, id))
            return refuse_id(parse);
        if (count == field_most(parse->field))
            return refuse_count(parse);
        bool is_seen = false;
        for (int i = 0; i < count; i++)
            is_seen = is_seen || seen[i] == id;
        if (is_seen)
            continue;
        seen[count++] = id;
        buf_append_format(&value, "%s%" PRId64, count > 1 ? "," : "", id);
    }
    if (value.has_failed)
        return false;
    return field_is_allowed(parse->field, buf_view(&value))
               ? accept(parse, arena_copy(parse->call->arena, buf_view(&value)))
               : refuse_count(parse);
}

/* --- All of them --- */

static bool is_none_meant(const struct field *field, const struct call *call, struct str_view typed)
{
    if (typed.length == 0 || (field_is_number(field) && field_number_is_zero(typed)))
        return true;
    if (field_choice_place(field, typed) >= 0)
        return false;
    return means(call, typed, TR("none")) || means(call, typed, field->none);
}

static bool parse_kind(const struct parse *parse)
{
    switch (parse->field->kind) {
    case FIELD_TEXT:
        return parse_text(parse);
    case FIELD_NUMBER:
        return parse_number(parse);
    case FIELD_DURATION:
        return parse_duration(parse);
    case FIELD_UNTIL:
        return parse_until(parse);
    case FIELD_TOGGLE:
        return parse_toggle(parse);
    case FIELD_CHOICE:
    case FIELD_RADIO:
        return parse_choice(parse);
    case FIELD_CHECKBOXES:
        return parse_checkboxes(parse);
    case FIELD_USER:
    case FIELD_ROLE:
    case FIELD_CHANNEL:
        return parse_ids(parse);
    case FIELD_TIME_ZONE:
        return parse_time_zone(parse);
    }
    return false;
}

static bool parse_any(struct parse *parse)
{
    bool is_empty = parse->typed.length == 0;
    if (!utf8_is_valid(parse->typed))
        return refuse(parse, "%s", tr(parse->call, "That is no text."));
    parse->typed = field_text_clean(parse->call->arena, parse->typed);
    if (!parse->typed.data)
        return false;
    if (!is_empty && !field_text_is_visible(parse->typed))
        return refuse(parse, "%s", tr(parse->call, "There is nothing to see in that."));
    if (parse->field->is_optional && is_none_meant(parse->field, parse->call, parse->typed))
        return accept(parse, field_is_number(parse->field) ? STR("0") : STR(""));
    if (is_empty)
        return refuse(parse, "%s", tr(parse->call, "This can't be left empty."));
    return parse_kind(parse);
}

bool field_parse(const struct field *field, const struct call *call, struct str_view typed,
                 struct str_view *value, struct str_view *problem)
{
    struct parse parse = { field, call, str_trim(typed), value, problem };
    *value = STR_NONE;
    *problem = STR_NONE;
    if (!parse_any(&parse))
        return false;
    const char *reason = field->reject ? field->reject(call, *value) : NULL;
    if (!reason)
        return true;
    *value = STR_NONE;
    return refuse(&parse, "%s", tr(call, reason));
}
