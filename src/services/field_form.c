/* Fields as components of a modal, what comes back from it, and suggestions while somebody types.
 * Each kind has the component that Discord has for it; sizes are Discord's, so a form is never
 * refused whatever the present value. Stateless; any thread.
 * https://docs.discord.com/developers/components/reference */
#include "services/field_internal.h"

#include "bronx/clock.h"
#include "bronx/emoji.h"
#include "bronx/time_zone.h"

#include <inttypes.h>

/* Longest text that may be typed at all, and what a number or a time zone needs at most. */
#define INPUT_MAX       4000
#define SHORT_INPUT_MAX 100
#define OPTIONS_MAX     25
#define SUGGESTION_MAX  100

struct asking {
    const struct field *field;
    struct call *call;
    struct str_view present;     /* canonical, or what was typed */
    struct str_view label, help; /* `help`: or the problem */
};

/* --- Text inputs --- */

static int input_max(const struct field *field, struct str_view present)
{
    int64_t max = field->kind == FIELD_TEXT ? field->max * FIELD_TEXT_UNITS : SHORT_INPUT_MAX;
    int64_t units = (int64_t)utf8_units(present);
    if (field->may_be_emoji && max < EMOJI_UNITS_MAX)
        max = EMOJI_UNITS_MAX;
    max = units > max ? units : max;
    return (int)(max < INPUT_MAX ? max : INPUT_MAX);
}

/* A canonical number is shown as people write it; what was typed as it was typed. */
static struct str_view input_value(const struct asking *asking)
{
    const struct field *field = asking->field;
    if (!field_text_is_visible(asking->present) ||
        (field->is_optional && field_is_none(field, asking->present)))
        return STR_NONE;
    return field->kind == FIELD_DURATION && field_is_allowed(field, asking->present)
               ? field_show_plain(field, asking->call, asking->present)
               : utf8_prefix(asking->present, INPUT_MAX);
}

static void ask_text(const struct asking *asking)
{
    const struct field *field = asking->field;
    const struct reply_text_input input = {
        .custom_id = str_from(field->key),
        .max_length = input_max(field, asking->present),
        .is_optional = field->is_optional,
        .value = input_value(asking),
        .placeholder = field->is_optional ? tr_view(asking->call, field->none) : STR_NONE,
    };
    reply_text_input(asking->call->reply, asking->label, asking->help, &input);
}

/* --- Choices --- */

static bool is_among(struct str_view list, struct str_view word)
{
    struct str_view part;
    while (str_split(&list, ',', &part))
        if (str_equal(part, word))
            return true;
    return false;
}

static bool is_chosen(const struct asking *asking, const char *value)
{
    return asking->field->kind == FIELD_CHECKBOXES ? is_among(asking->present, str_from(value))
                                                   : str_equal(asking->present, str_from(value));
}

/* Whether the field's own rule lets it be chosen now: a break that runs is not made shorter. */
static bool is_offered(const struct field *field, const struct call *call,
                       const struct field_choice *choice)
{
    if (field->kind != FIELD_UNTIL || !field->reject)
        return true;
    struct str_view until = arena_format(call->arena, "%" PRId64, field_until_of(call, choice));
    return until.data && !field->reject(call, until);
}

/* No more are chosen already than may be: somebody may have typed more. */
static int list_choices(const struct asking *asking, struct reply_select_option *options, int room)
{
    int count = 0, chosen = 0;
    int most = asking->field->kind == FIELD_CHECKBOXES ? field_most(asking->field) : 1;
    for (int i = 0; i < field_choice_count(asking->field) && count < room; i++) {
        const struct field_choice *choice = &asking->field->choices[i];
        if (!is_offered(asking->field, asking->call, choice))
            continue;
        options[count] = (struct reply_select_option){
            .label = tr_view(asking->call, choice->label),
            .value = str_from(choice->value),
            .description = tr_view(asking->call, choice->description),
            .is_default = chosen < most && is_chosen(asking, choice->value),
        };
        chosen += options[count++].is_default;
    }
    return count;
}

static void ask_select(const struct asking *asking)
{
    struct reply_select_option options[OPTIONS_MAX];
    const struct reply_select select = {
        .type = COMPONENT_STRING_SELECT,
        .custom_id = str_from(asking->field->key),
        .placeholder = tr_view(asking->call, asking->field->none),
        .options = options,
        .option_count = list_choices(asking, options, OPTIONS_MAX),
        .min_values = asking->field->is_optional ? 0 : 1,
        .is_optional = asking->field->is_optional,
    };
    reply_labelled_select(asking->call->reply, asking->label, asking->help, &select);
}

/* A time that is still to come is the first option; it stays when nothing else is chosen. */
static void ask_until(const struct asking *asking)
{
    struct reply_select_option options[OPTIONS_MAX];
    const struct call *call = asking->call;
    int64_t until_ms;
    struct asking choices = *asking;
    bool is_time = str_to_uint63(asking->present, &until_ms) == 0 && until_ms > call->now_ms;
    if (!is_time && str_to_uint63(asking->present, &until_ms) == 0 &&
        field_choice_place(asking->field, asking->present) < 0)
        choices.present = STR("0"); /* it is over */
    if (is_time)
        options[0] = (struct reply_select_option){
            .label = field_show_plain(asking->field, call, asking->present),
            .value = asking->present,
            .is_default = true,
        };
    int count = list_choices(&choices, options + is_time, OPTIONS_MAX - is_time) + is_time;
    if (count == 0) /* a select without options is none */
        options[count++] = (struct reply_select_option){
            .label = field_show_plain(asking->field, call, STR("0")),
            .value = STR("0"),
        };
    const struct reply_select select = {
        .type = COMPONENT_STRING_SELECT,
        .custom_id = str_from(asking->field->key),
        .options = options,
        .option_count = count,
        .min_values = 1,
    };
    reply_labelled_select(asking->call->reply, asking->label, asking->help, &select);
}

static void ask_group(const struct asking *asking)
{
    struct reply_select_option options[OPTIONS_MAX];
    bool is_radio = asking->field->kind == FIELD_RADIO;
    const struct reply_choice_group group = {
        .type = is_radio ? COMPONENT_RADIO_GROUP : COMPONENT_CHECKBOX_GROUP,
        .custom_id = str_from(asking->field->key),
        .options = options,
        .option_count = list_choices(asking, options, OPTIONS_MAX),
        .min_values = is_radio || asking->field->is_optional ? 0 : (int)asking->field->min,
        .max_values = is_radio ? 0 : field_most(asking->field),
        .is_optional = asking->field->is_optional,
    };
    reply_choice_group(asking->call->reply, asking->label, asking->help, &group);
}

/* --- Ids --- */

/* Those of a canonical value, at most `max`; none of what somebody typed. */
static int present_ids(const struct asking *asking, int64_t *ids, int max)
{
    struct str_view rest = asking->present, id;
    int count = 0;
    if (asking->present.length == 0 || !field_is_allowed(asking->field, asking->present))
        return 0;
    while (count < max && str_split(&rest, ',', &id))
        count += str_to_uint63(id, &ids[count]) == 0;
    return count;
}

static int type_count(const int *types)
{
    int count = 0;
    while (types && types[count] >= 0)
        count++;
    return count;
}

static void ask_ids(const struct asking *asking)
{
    static const enum component_type types[] = {
        [FIELD_USER] = COMPONENT_USER_SELECT,
        [FIELD_ROLE] = COMPONENT_ROLE_SELECT,
        [FIELD_CHANNEL] = COMPONENT_CHANNEL_SELECT,
    };
    const struct field *field = asking->field;
    int64_t ids[OPTIONS_MAX];
    int most = field_most(field) < OPTIONS_MAX ? field_most(field) : OPTIONS_MAX;
    const struct reply_select select = {
        .type = types[field->kind],
        .custom_id = str_from(field->key),
        .placeholder = tr_view(asking->call, field->none),
        .default_ids = ids,
        .default_id_count = present_ids(asking, ids, most),
        .channel_types = field->channel_types,
        .channel_type_count = type_count(field->channel_types),
        .min_values = field->is_optional ? 0
                      : field->min > 0   ? (int)field->min
                                         : 1,
        .max_values = most,
        .is_optional = field->is_optional,
    };
    reply_labelled_select(asking->call->reply, asking->label, asking->help, &select);
}

void field_ask(const struct field *field, struct call *call, struct str_view present,
               struct str_view problem)
{
    const struct asking asking = {
        .field = field,
        .call = call,
        .present = present,
        .label = tr_view(call, field->label),
        .help = problem.length > 0 ? problem : tr_view(call, field->help),
    };
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_NUMBER:
    case FIELD_DURATION:
    case FIELD_TIME_ZONE:
        ask_text(&asking);
        break;
    case FIELD_UNTIL:
        ask_until(&asking);
        break;
    case FIELD_TOGGLE:
        reply_checkbox(call->reply, asking.label, asking.help, str_from(field->key),
                       str_equal(present, STR("on")));
        break;
    case FIELD_CHOICE:
        ask_select(&asking);
        break;
    case FIELD_RADIO:
    case FIELD_CHECKBOXES:
        ask_group(&asking);
        break;
    case FIELD_USER:
    case FIELD_ROLE:
    case FIELD_CHANNEL:
        ask_ids(&asking);
        break;
    }
}

/* --- Answers --- */

static struct str_view join(const struct field_value *answer, struct arena *arena)
{
    CLEANUP(buf_free) struct buf list = { 0 };
    for (int i = 0; i < answer->value_count; i++) {
        buf_append(&list, i > 0 ? STR(",") : STR(""));
        buf_append(&list, answer->values[i]);
    }
    return arena_keep(arena, &list);
}

struct str_view field_answer(const struct field *field, const struct call *call)
{
    const struct field_value *answer = interaction_field(call->interaction, field->key);
    if (!answer)
        return STR_NONE;
    switch (field->kind) {
    case FIELD_TOGGLE:
        return answer->is_checked ? STR("on") : STR("off");
    case FIELD_TEXT:
    case FIELD_NUMBER:
    case FIELD_DURATION:
    case FIELD_TIME_ZONE:
    case FIELD_RADIO:
        return answer->value.data ? answer->value : STR("");
    default:
        return join(answer, call->arena);
    }
}

/* --- Suggestions --- */

static void suggest_matching(struct call *call, struct str_view typed, const char *label,
                             const char *value)
{
    if (field_is_part_of(call, typed, tr_view(call, label)) ||
        field_is_part_of(call, typed, str_from(value)))
        reply_suggest(call->reply, tr_view(call, label), str_from(value));
}

static void suggest_zones(struct call *call, struct str_view typed)
{
    struct str_view names[TIME_ZONE_SUGGESTIONS];
    int count = time_zone_suggest(typed, names);
    for (int i = 0; i < count; i++)
        reply_suggest(call->reply, names[i], names[i]);
}

/* What the typed text would become, when it is good. */
static void suggest_parsed(const struct field *field, struct call *call, struct str_view typed)
{
    struct str_view value, problem;
    if (typed.length > 0 && utf8_units(typed) <= SUGGESTION_MAX &&
        field_parse(field, call, typed, &value, &problem) && !field_is_none(field, value))
        reply_suggest(call->reply, field_show_plain(field, call, value), typed);
}

void field_suggest(const struct field *field, struct call *call, struct str_view typed)
{
    typed = str_trim(typed);
    reply_suggest_nothing(call->reply);
    switch (field->kind) {
    case FIELD_TOGGLE:
        suggest_matching(call, typed, TR("On"), "on");
        suggest_matching(call, typed, TR("Off"), "off");
        break;
    case FIELD_CHOICE:
    case FIELD_RADIO:
    case FIELD_UNTIL:
        for (int i = 0; i < field_choice_count(field) && i < OPTIONS_MAX; i++)
            if (is_offered(field, call, &field->choices[i]))
                suggest_matching(call, typed, field->choices[i].label, field->choices[i].value);
        break;
    case FIELD_TIME_ZONE:
        suggest_zones(call, typed);
        break;
    default:
        suggest_parsed(field, call, typed);
        if (field->is_optional)
            suggest_matching(call, typed, field->none ? field->none : TR("none"), "none");
        break;
    }
}
