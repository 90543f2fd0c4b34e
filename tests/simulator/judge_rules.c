/* Walks tables of fields over JSON objects. */
#include "simulator/judge_rules.h"

#include "harness/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void judge_complain(struct judgement *judgement, const char *format, ...)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    va_list arguments;
    va_start(arguments, format);
    buf_append_format_list(&text, format, arguments);
    va_end(arguments);
    must_hold(&text);
    bool has_path = judgement->path.length > 0;
    violations_add(judgement->violations, "%s%s%s", has_path ? judgement->path.data : "",
                   has_path ? ": " : "", text.data);
}

size_t judge_enter(struct judgement *judgement, const char *name)
{
    size_t mark = judgement->path.length;
    buf_append_format(&judgement->path, "%s%s", mark > 0 ? "." : "", name);
    must_hold(&judgement->path);
    return mark;
}

size_t judge_enter_index(struct judgement *judgement, size_t index)
{
    size_t mark = judgement->path.length;
    buf_append_format(&judgement->path, "[%zu]", index);
    must_hold(&judgement->path);
    return mark;
}

void judge_leave(struct judgement *judgement, size_t mark)
{
    judgement->path.length = mark;
    judgement->path.data[mark] = '\0';
}

const struct field_rule choice_rules[] = {
    { "name", FIELD_TEXT, REQUIRED, 1, 100 },
    { "name_localizations", FIELD_OBJECT, NULLABLE },
    { "value", FIELD_ANY, REQUIRED },
    { NULL },
};

static struct str_view text_of(json_object *value)
{
    return (struct str_view){ json_object_get_string(value),
                              (size_t)json_object_get_string_len(value) };
}

struct str_view field_text(json_object *object, const char *name)
{
    json_object *value = get(object, name);
    return json_object_is_type(value, json_type_string) ? text_of(value) : STR_NONE;
}

bool is_snowflake(json_object *value)
{
    if (!json_object_is_type(value, json_type_string))
        return false;
    struct str_view text = text_of(value);
    if (text.length < 1 || text.length > 20 || strspn(text.data, "0123456789") != text.length)
        return false;
    errno = 0;
    return strtoull(text.data, NULL, 10) > 0 && errno == 0;
}

static void check_length(struct judgement *judgement, size_t length, const char *unit,
                         const struct field_rule *rule)
{
    if ((int64_t)length > rule->max)
        judge_complain(judgement, "%zu %s, at most %" PRId64, length, unit, rule->max);
    else if ((int64_t)length < rule->min)
        judge_complain(judgement, "%zu %s, at least %" PRId64, length, unit, rule->min);
}

static void check_integer(struct judgement *judgement, json_object *value,
                          const struct field_rule *rule)
{
    int64_t number = json_object_get_int64(value);
    if (number < rule->min || number > rule->max)
        judge_complain(judgement, "%s is not within %" PRId64 "..%" PRId64,
                       json_object_to_json_string(value), rule->min, rule->max);
}

static void check_url(struct judgement *judgement, struct str_view url)
{
    static const char *const schemes[] = { "https://", "http://", "attachment://" };
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++)
        if (str_starts_with(url, str_from(schemes[i])) && url.length > strlen(schemes[i]) &&
            !memchr(url.data, ' ', url.length))
            return;
    judge_complain(judgement, "'%.*s' is not an http(s) URL", STR_ARGS(url));
}

static void check_text(struct judgement *judgement, json_object *value,
                       const struct field_rule *rule)
{
    struct str_view text = text_of(value);
    if (memchr(text.data, '\0', text.length))
        judge_complain(judgement, "has a zero character");
    if (rule->kind == FIELD_URL)
        check_url(judgement, text);
    check_length(judgement, utf8_units(text), "characters", rule);
}

static const struct {
    enum json_type type;
    const char *word;
} kinds[] = {
    [FIELD_TEXT] = { json_type_string, "a string" },
    [FIELD_INTEGER] = { json_type_int, "an integer" },
    [FIELD_BOOLEAN] = { json_type_boolean, "a boolean" },
    [FIELD_ID] = { json_type_string, "a snowflake" },
    [FIELD_OBJECT] = { json_type_object, "an object" },
    [FIELD_LIST] = { json_type_array, "an array" },
    [FIELD_URL] = { json_type_string, "a string" },
};

static void check_value(struct judgement *judgement, json_object *value,
                        const struct field_rule *rule)
{
    if (rule->kind == FIELD_ANY || (!value && rule->traits & NULLABLE))
        return;
    if (!value || !json_object_is_type(value, kinds[rule->kind].type) ||
        (rule->kind == FIELD_ID && !is_snowflake(value))) {
        judge_complain(judgement, "is not %s", kinds[rule->kind].word);
        return;
    }
    if (rule->kind == FIELD_INTEGER)
        check_integer(judgement, value, rule);
    else if (rule->kind == FIELD_LIST)
        check_length(judgement, json_object_array_length(value), "items", rule);
    else if (rule->kind == FIELD_TEXT || rule->kind == FIELD_URL)
        check_text(judgement, value, rule);
}

static const struct field_rule *find_rule(const struct field_rule *rules, const char *name)
{
    for (const struct field_rule *rule = rules; rule->name; rule++)
        if (strcmp(rule->name, name) == 0)
            return rule;
    return NULL;
}

bool judge_object(struct judgement *judgement, json_object *object, const struct field_rule *rules)
{
    if (!json_object_is_type(object, json_type_object)) {
        judge_complain(judgement, "is not an object");
        return false;
    }
    json_object_object_foreach(object, name, value)
    {
        size_t mark = judge_enter(judgement, name);
        const struct field_rule *rule = find_rule(rules, name);
        if (rule)
            check_value(judgement, value, rule);
        else
            judge_complain(judgement, "is not a field Discord knows here");
        judge_leave(judgement, mark);
    }
    for (const struct field_rule *rule = rules; rule->name; rule++) {
        json_object *unused;
        if (!(rule->traits & REQUIRED) || json_object_object_get_ex(object, rule->name, &unused))
            continue;
        size_t mark = judge_enter(judgement, rule->name);
        judge_complain(judgement, "is missing");
        judge_leave(judgement, mark);
    }
    return true;
}
