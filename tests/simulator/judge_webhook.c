/* Follow-ups and edits: a message, and the files that come along.
 * https://docs.discord.com/developers/reference#uploading-files */
#include "simulator/judge_rules.h"

#include <inttypes.h>
#include <json-c/json_visit.h>
#include <string.h>

#define UPLOAD_MAX 1000 /* ids of files already there are snowflakes */

static const struct field_rule attachment_rules[] = {
    { "id", FIELD_ANY, REQUIRED },
    { "filename", FIELD_TEXT, 0, 1, 1024 },
    { "title", FIELD_TEXT, 0, 1, 1024 },
    { "description", FIELD_TEXT, 0, 1, 1024 },
    { NULL },
};

/* An id is a number or a snowflake; -1 for anything else. */
static int64_t attachment_id(json_object *attachment)
{
    json_object *value = get(attachment, "id");
    int64_t id = -1;
    if (json_object_is_type(value, json_type_int))
        id = json_object_get_int64(value);
    else if (json_object_is_type(value, json_type_string) &&
             str_to_uint63(field_text(attachment, "id"), &id) != 0)
        id = -1;
    return id;
}

static bool has_file(const struct judge_webhook *webhook, int64_t number)
{
    for (size_t i = 0; i < webhook->file_count; i++)
        if (webhook->file_numbers[i] == number)
            return true;
    return false;
}

static void judge_attachment(struct judgement *judgement, json_object *attachment)
{
    if (!judge_object(judgement, attachment, attachment_rules))
        return;
    int64_t id = attachment_id(attachment);
    if (id < 0)
        judge_complain(judgement, "id is neither a number nor a snowflake");
    else if (id < UPLOAD_MAX && !has_file(judgement->webhook, id))
        judge_complain(judgement, "there is no files[%" PRId64 "]", id);
    else if (id < UPLOAD_MAX && !field_text(attachment, "filename").data)
        judge_complain(judgement, "filename is missing");
}

static size_t count_id(json_object *list, int64_t id)
{
    size_t found = 0;
    for (size_t i = 0; i < json_object_array_length(list); i++)
        found += attachment_id(json_object_array_get_idx(list, i)) == id;
    return found;
}

/* What a walk over all strings looks for. */
struct search {
    struct judgement *judgement;
    json_object *attachments;
};

static int check_reference(json_object *value, int flags, json_object *parent, const char *key,
                           size_t *index, void *context)
{
    struct search *search = context;
    struct str_view prefix = STR("attachment://");
    (void)parent, (void)key, (void)index;
    if (flags & JSON_C_VISIT_SECOND || !json_object_is_type(value, json_type_string))
        return JSON_C_VISIT_RETURN_CONTINUE;
    struct str_view text = { json_object_get_string(value),
                             (size_t)json_object_get_string_len(value) };
    if (!str_starts_with(text, prefix))
        return JSON_C_VISIT_RETURN_CONTINUE;
    struct str_view name = { text.data + prefix.length, text.length - prefix.length };
    size_t count = search->attachments ? json_object_array_length(search->attachments) : 0;
    for (size_t i = 0; i < count; i++)
        if (str_equal(field_text(json_object_array_get_idx(search->attachments, i), "filename"),
                      name))
            return JSON_C_VISIT_RETURN_CONTINUE;
    judge_complain(search->judgement, "%.*s names no attachment", STR_ARGS(text));
    return JSON_C_VISIT_RETURN_CONTINUE;
}

void judge_attachments(struct judgement *judgement, json_object *data)
{
    json_object *list = get(data, "attachments");
    if (list && !json_object_is_type(list, json_type_array))
        return; /* judged already */
    size_t mark = judge_enter(judgement, "attachments");
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        size_t item = judge_enter_index(judgement, i);
        judge_attachment(judgement, json_object_array_get_idx(list, i));
        judge_leave(judgement, item);
    }
    for (size_t i = 0; i < judgement->webhook->file_count; i++) {
        int number = judgement->webhook->file_numbers[i];
        if (!list || count_id(list, number) != 1)
            judge_complain(judgement, "files[%d] needs one attachment with that id", number);
    }
    judge_leave(judgement, mark);
    struct search search = { judgement, list };
    json_c_visit(get(data, "components"), 0, check_reference, &search);
}

json_object *judge_webhook_body(const struct judge_webhook *webhook, struct str_view body,
                                struct violations *findings)
{
    const struct judge_question question = { .interaction_type = 2,
                                             .message_is_v2 = webhook->message_is_v2 };
    struct judgement judgement = { .question = &question,
                                   .violations = findings,
                                   .callback_type =
                                       webhook->is_edit ? CALLBACK_UPDATE : CALLBACK_MESSAGE,
                                   .webhook = webhook };
    json_object *json = judge_parse(&judgement, body);
    if (json)
        judge_message(&judgement, json);
    buf_free(&judgement.path);
    return json;
}
