/* The judge's tool: objects checked against a table of fields. Internal to the judge. */
#ifndef SIMULATOR_JUDGE_RULES_H
#define SIMULATOR_JUDGE_RULES_H

#include "simulator/json_read.h"
#include "simulator/judge.h"

#define SAFE_INTEGER_MAX INT64_C(9007199254740991) /* 2^53 - 1 */

/* One judgement under way. `path` names the value that is looked at. */
struct judgement {
    const struct judge_question *question;
    struct violations *violations;
    struct buf path;
    int callback_type;
    const struct judge_webhook *webhook; /* NULL: the answer to an interaction */
};

enum field_kind {
    FIELD_TEXT,    /* min..max: UTF-16 units */
    FIELD_INTEGER, /* min..max */
    FIELD_BOOLEAN,
    FIELD_ID,     /* a snowflake as text */
    FIELD_OBJECT, /* looked into by code */
    FIELD_LIST,   /* min..max: items, looked into by code */
    FIELD_URL,    /* http or https, min..max: UTF-16 units */
    FIELD_ANY,    /* looked into by code */
};

enum { REQUIRED = 1, NULLABLE = 2 };

struct field_rule {
    const char *name; /* NULL ends a table */
    enum field_kind kind;
    unsigned traits; /* REQUIRED, NULLABLE */
    int64_t min, max;
};

/* Records a violation at the present path. */
void judge_complain(struct judgement *judgement, const char *format, ...) PRINTF_LIKE(2, 3);

/* `name` or `[index]` is appended to the path until judge_leave with the returned mark. */
size_t judge_enter(struct judgement *judgement, const char *name);
size_t judge_enter_index(struct judgement *judgement, size_t index);
void judge_leave(struct judgement *judgement, size_t mark);

/* Checks every field of `object` against `rules`; unknown ones are refused. False, with a
 * violation, when `object` is no object at all. */
bool judge_object(struct judgement *judgement, json_object *object, const struct field_rule *rules);

/* One choice of an option: in autocomplete answers as in registered commands. */
extern const struct field_rule choice_rules[];

/* A field that may be absent, with zero bytes and all. The type has been checked by judge_object.
 */
struct str_view field_text(json_object *object, const char *name);

/* A snowflake as text: 1-20 digits within 64 bits. */
bool is_snowflake(json_object *value);

/* judge.c: a body as JSON, strictly; NULL, with a violation, when it is none. The caller's. */
json_object *judge_parse(struct judgement *judgement, struct str_view body);

/* judge_components.c: components of a message (is_v2 or legacy) or of a modal. */
void judge_message_components(struct judgement *judgement, json_object *list, bool is_v2);
void judge_modal_components(struct judgement *judgement, json_object *list);

/* judge_webhook.c: `attachments` against the files of a webhook's body. */
void judge_attachments(struct judgement *judgement, json_object *data);

/* judge_message.c: `data` of callbacks 4, 5 and 7, and the body of a webhook. */
void judge_message(struct judgement *judgement, json_object *data);
void judge_deferred(struct judgement *judgement, json_object *data);

#endif
