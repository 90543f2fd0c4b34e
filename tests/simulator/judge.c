/* The envelope of an answer: HTTP, JSON, the callback type that fits the question, and the two
 * answers without a message: choices and modals. */
#include "simulator/json_strict.h"
#include "simulator/judge_rules.h"

#include <inttypes.h>
#include <json-c/json_visit.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct field_rule callback_rules[] = {
    { "type", FIELD_INTEGER, REQUIRED, 1, 12 },
    { "data", FIELD_OBJECT },
    { NULL },
};

static const struct field_rule choices_rules[] = {
    { "choices", FIELD_LIST, REQUIRED, 0, 25 },
    { NULL },
};

static const struct field_rule modal_rules[] = {
    { "custom_id", FIELD_TEXT, REQUIRED, 1, 100 },
    { "title", FIELD_TEXT, REQUIRED, 1, 45 },
    { "components", FIELD_LIST, REQUIRED, 1, 5 },
    { NULL },
};

static void judge_choice_value(struct judgement *judgement, json_object *value)
{
    enum { STRING_OPTION = 3, INTEGER_OPTION = 4, NUMBER_OPTION = 10 };
    int option_type = judgement->question->focused_option_type;
    bool is_text = json_object_is_type(value, json_type_string);
    bool is_integer = json_object_is_type(value, json_type_int);
    bool is_number = is_integer || json_object_is_type(value, json_type_double);
    size_t mark = judge_enter(judgement, "value");
    if (!is_text && !is_number)
        judge_complain(judgement, "is neither a string nor a number");
    else if ((option_type == STRING_OPTION && !is_text) ||
             (option_type == INTEGER_OPTION && !is_integer) ||
             (option_type == NUMBER_OPTION && !is_number))
        judge_complain(judgement, "does not fit the type of the option");
    if (is_text) {
        size_t units = utf8_units((struct str_view){ json_object_get_string(value),
                                                     (size_t)json_object_get_string_len(value) });
        if (units < 1 || units > 100)
            judge_complain(judgement, "%zu characters, 1 to 100 are allowed", units);
    }
    if (is_integer && (json_object_get_int64(value) > SAFE_INTEGER_MAX ||
                       json_object_get_int64(value) < -SAFE_INTEGER_MAX))
        judge_complain(judgement, "is beyond 2^53-1");
    judge_leave(judgement, mark);
}

static void judge_choices(struct judgement *judgement, json_object *data)
{
    if (!judge_object(judgement, data, choices_rules))
        return;
    size_t mark = judge_enter(judgement, "choices");
    json_object *list = get(data, "choices");
    for (size_t i = 0; i < list_length(get(data, "choices")); i++) {
        json_object *choice = json_object_array_get_idx(list, i);
        size_t item = judge_enter_index(judgement, i);
        if (judge_object(judgement, choice, choice_rules))
            judge_choice_value(judgement, get(choice, "value"));
        judge_leave(judgement, item);
    }
    judge_leave(judgement, mark);
}

static void judge_modal(struct judgement *judgement, json_object *data)
{
    if (judge_object(judgement, data, modal_rules))
        judge_modal_components(judgement, get(data, "components"));
}

static void judge_nothing(struct judgement *judgement, json_object *data)
{
    (void)data;
    judge_complain(judgement, "this callback has no data");
}

enum {
    PING = 1 << 1,
    COMMAND = 1 << 2,
    COMPONENT = 1 << 3,
    AUTOCOMPLETE = 1 << 4,
    SUBMIT = 1 << 5
};

static const struct callback_rule {
    int type;
    unsigned answers; /* which interactions */
    bool needs_data;
    void (*check)(struct judgement *judgement, json_object *data);
} callbacks[] = {
    { CALLBACK_PONG, PING, false, judge_nothing },
    { CALLBACK_MESSAGE, COMMAND | COMPONENT | SUBMIT, true, judge_message },
    { CALLBACK_DEFERRED_MESSAGE, COMMAND | COMPONENT | SUBMIT, false, judge_deferred },
    { CALLBACK_DEFERRED_UPDATE, COMPONENT | SUBMIT, false, judge_nothing },
    { CALLBACK_UPDATE, COMPONENT | SUBMIT, true, judge_message },
    { CALLBACK_CHOICES, AUTOCOMPLETE, true, judge_choices },
    { CALLBACK_MODAL, COMMAND | COMPONENT, true, judge_modal },
};

static bool fits(const struct callback_rule *callback, const struct judge_question *question)
{
    bool is_update =
        callback->type == CALLBACK_UPDATE || callback->type == CALLBACK_DEFERRED_UPDATE;
    if (is_update && question->interaction_type == 5 && !question->has_message)
        return false;
    return callback->answers & (1U << question->interaction_type);
}

static const struct callback_rule *find_callback(int type)
{
    for (size_t i = 0; i < ARRAY_LENGTH(callbacks); i++)
        if (callbacks[i].type == type)
            return &callbacks[i];
    return NULL;
}

static bool judge_callback(struct judgement *judgement, json_object *json)
{
    if (!judge_object(judgement, json, callback_rules))
        return false;
    judgement->callback_type = (int)get_integer(json, "type", 0);
    const struct callback_rule *callback = find_callback(judgement->callback_type);
    if (!callback || !fits(callback, judgement->question)) {
        judge_complain(judgement, "callback type %d can't answer an interaction of type %d",
                       judgement->callback_type, judgement->question->interaction_type);
        return false;
    }
    json_object *data = get(json, "data");
    size_t mark = judge_enter(judgement, "data");
    if (data)
        callback->check(judgement, data);
    else if (callback->needs_data)
        judge_complain(judgement, "is missing");
    judge_leave(judgement, mark);
    return data || !callback->needs_data;
}

static void judge_transport(struct judgement *judgement, const struct judge_answer *answer)
{
    static const char json[] = "application/json";
    const char *type = answer->content_type;
    if (answer->elapsed_ms >= JUDGE_DEADLINE_MS)
        judge_complain(judgement, "answered after %" PRId64 " ms: the deadline is %d ms",
                       answer->elapsed_ms, JUDGE_DEADLINE_MS);
    if (strncasecmp(type, json, strlen(json)) != 0 || !strchr(" ;", type[strlen(json)]))
        judge_complain(judgement, "Content-Type is '%s', not application/json", type);
    if (answer->body.length > JUDGE_BODY_MAX)
        judge_complain(judgement, "a body of %zu bytes, at most %d", answer->body.length,
                       JUDGE_BODY_MAX);
}

static int count_members(json_object *value, int flags, json_object *parent, const char *key,
                         size_t *index, void *context)
{
    (void)value, (void)parent, (void)index;
    if (key && !(flags & JSON_C_VISIT_SECOND))
        (*(size_t *)context)++;
    return JSON_C_VISIT_RETURN_CONTINUE;
}

json_object *judge_parse(struct judgement *judgement, struct str_view body)
{
    size_t members = 0, position = 0, kept = 0;
    if (body.length == 0 || body.length > INT32_MAX) {
        judge_complain(judgement, "the body is empty or huge");
        return NULL;
    }
    if (!utf8_is_valid(body)) {
        judge_complain(judgement, "the body is not valid UTF-8");
        return NULL;
    }
    if (!json_is_strict(body, &members, &position)) {
        judge_complain(judgement, "the body is not JSON at byte %zu", position);
        return NULL;
    }
    json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
    if (!tokener)
        abort();
    json_object *json = json_tokener_parse_ex(tokener, body.data, (int)body.length);
    json_tokener_free(tokener);
    if (!json || json_c_visit(json, 0, count_members, &kept) != 0 || kept != members)
        judge_complain(judgement, "a key is repeated within an object");
    return json;
}

json_object *judge(const struct judge_question *question, const struct judge_answer *answer,
                   struct violations *violations)
{
    struct judgement judgement = { .question = question, .violations = violations };
    if (answer->status != 200) {
        judge_complain(&judgement,
                       "HTTP status %d: Discord shows 'The application did not respond'",
                       answer->status);
        return NULL;
    }
    judge_transport(&judgement, answer);
    json_object *json = judge_parse(&judgement, answer->body);
    if (!judge_callback(&judgement, json)) {
        json_object_put(json);
        json = NULL;
    }
    buf_free(&judgement.path);
    return json;
}
