/* Messages of an interaction: follow-ups, edits, look-ups, removals. All run with the lock held and
 * a token that is good. Values of json-c that leave for another thread are copied. */
#include "simulator/rest_internal.h"

#include "harness/memory.h"
#include "simulator/json_read.h"
#include "simulator/judge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define UPLOAD_MAX     1000 /* see judge_webhook.c */
/* https://docs.discord.com/developers/interactions/receiving-and-responding#create-followup-message:
 * of an app that is user-installed only. */
#define FOLLOW_UPS_MAX 5

void rest_answer_message(struct rest_call *call, const struct stored_message *message)
{
    json_object *json = store_message_json(message);
    json_object *attachments = get(message->data, "attachments"),
                *embeds = get(message->data, "embeds");
    if (attachments)
        must_put(json, "attachments", rest_copy_json(attachments));
    if (embeds)
        must_put(json, "embeds", rest_copy_json(embeds));
    if (get(message->data, "nonce"))
        must_put(json, "nonce", rest_copy_json(get(message->data, "nonce")));
    rest_answer_json(call, 200, json);
}

/* The message that the path names, one of this token's; NULL: answered 404. */
static struct stored_message *find_message(struct rest_call *call, bool is_lookup)
{
    struct rest_token *token = call->token;
    int64_t id = token->original_id;
    bool is_own = id != 0;
    if (!str_equal(call->message_word, STR("@original"))) {
        if (str_to_uint63(call->message_word, &id) != 0)
            id = 0;
        is_own = id != 0 && id == token->original_id;
        for (size_t i = 0; i < token->follow_up_count && !is_own; i++)
            is_own = token->follow_ups[i].message_id == id;
    }
    struct stored_message *message = is_own ? store_find(&call->server->store, id) : NULL;
    if (message && !message->is_deleted)
        return message;
    if (!message && !is_lookup)
        rest_complain(call, "%.*s is no message of this interaction", STR_ARGS(call->message_word));
    rest_answer_error(call, 404, 10008);
    return NULL;
}

/* --- Bodies --- */

static bool are_files_small(struct rest_call *call)
{
    for (size_t i = 0; i < call->file_count; i++) {
        if (call->files[i].size <= REST_FILE_MAX)
            continue;
        rest_complain(call, "files[%d] has %zu bytes, at most %zu", call->files[i].number,
                      call->files[i].size, REST_FILE_MAX);
        rest_answer_error(call, 413, 40005);
        return false;
    }
    return true;
}

json_object *rest_read_message(struct rest_call *call, const struct stored_message *edited)
{
    int numbers[REST_FILES_MAX];
    struct violations findings = { 0 };
    for (size_t i = 0; i < call->file_count; i++)
        numbers[i] = call->files[i].number;
    const struct judge_webhook webhook = {
        .is_edit = edited != NULL,
        .is_channel = call->route == ROUTE_CHANNEL_MESSAGE,
        .message_is_v2 = edited && get_integer(edited->data, "flags", 0) & FLAG_COMPONENTS_V2,
        .file_numbers = numbers,
        .file_count = call->file_count,
    };
    if (!are_files_small(call))
        return NULL;
    json_object *json = judge_webhook_body(&webhook, buf_view(&call->payload), &findings);
    if (json && findings.count == 0)
        return json;
    if (json) {
        rest_answer_form_errors(call, &findings);
    } else {
        for (size_t i = 0; i < findings.count; i++)
            rest_complain(call, "%s", findings.items[i].text);
        rest_answer_error(call, 400, 50109);
        violations_free(&findings);
    }
    json_object_put(json);
    return NULL;
}

static const struct rest_file *file_of(const struct rest_call *call, int64_t number)
{
    for (size_t i = 0; i < call->file_count; i++)
        if (call->files[i].number == number)
            return &call->files[i];
    return NULL;
}

/* Uploads get ids of their own, as Discord gives them. What is in them stays with the message by
 * the filename (`files`), for scenes to look at: no answer has it. */
void rest_keep_attachments(struct rest_call *call, json_object *data)
{
    json_object *list = get(data, "attachments"), *files = must_object();
    must_put(data, "files", files);
    for (size_t i = 0; i < list_length(list); i++) {
        json_object *item = list_item(list, i), *id = get(item, "id");
        int64_t number = json_object_get_int64(id);
        const struct rest_file *file = file_of(call, number);
        if (number >= UPLOAD_MAX)
            continue;
        int64_t new_id = rest_new_id(call->server);
        char *url = must_format("https://cdn.discordapp.com/ephemeral-attachments/%" PRId64 "/%s",
                                new_id, get_text(item, "filename"));
        must_put(item, "id", must_id(new_id));
        must_put(item, "size", must_integer(file ? (int64_t)file->size : 0));
        must_put(item, "url", must_text(str_from(url)));
        if (file)
            must_put(files, get_text(item, "filename"), must_text(buf_view(&file->bytes)));
        free(url);
    }
}

/* --- The routes --- */

static void note_gap(struct rest_call *call, struct stored_message *message)
{
    int64_t *shortest_us = &call->server->statistics.shortest_gap_us;
    int64_t arrived_us = call->arrival.began_us, gap_us = arrived_us - message->edited_us;
    if (message->edited_us != 0 && gap_us < *shortest_us)
        *shortest_us = gap_us;
    message->edited_us = arrived_us;
}

static void edit_message(struct rest_call *call, struct stored_message *message, json_object *data)
{
    struct rest_token *token = call->token;
    if (message->is_thinking && message->viewer_id != 0) {
        /* A deferred answer's EPHEMERAL stays through its first edit. */
        int64_t flags = get_integer(data, "flags", 0) | FLAG_EPHEMERAL;
        must_put(data, "flags", must_integer(flags));
    } else if (get(data, "flags")) {
        int64_t kept = get_integer(message->data, "flags", 0) & FLAG_EPHEMERAL;
        must_put(data, "flags", must_integer(get_integer(data, "flags", 0) | kept));
    }
    rest_keep_attachments(call, data);
    store_edit(message, data);
    if (message->id == token->original_id)
        token->edits++;
    if (call->route == ROUTE_EDIT)
        note_gap(call, message);
    call->arrival.message_id = message->id;
    const struct rest_change change = { .kind = CHANGE_EDIT, .message_id = message->id };
    rest_add_change(call->server, &change, data);
    rest_answer_message(call, message);
}

void rest_serve_edit(struct rest_call *call)
{
    struct stored_message *message = find_message(call, false);
    CLEANUP(json_release)
    json_object *data = message ? rest_read_message(call, message) : NULL;
    if (data)
        edit_message(call, message, data);
}

static uint64_t content_of(const struct rest_call *call)
{
    return lookup_hash(buf_view(&call->payload));
}

static void add_follow_up(struct rest_call *call, json_object *data)
{
    struct rest_server *server = call->server;
    struct rest_token *token = call->token;
    bool is_ephemeral = get_integer(data, "flags", 0) & FLAG_EPHEMERAL;
    rest_keep_attachments(call, data);
    const struct stored_message message = {
        .id = rest_new_id(server),
        .channel_id = token->interaction.channel_id,
        .viewer_id = is_ephemeral ? token->interaction.person.id : 0,
        .data = data,
        .interaction_id = token->interaction.id,
        .interaction_type = token->interaction.type,
        .invoker = token->interaction.person,
        .created_ms = rest_wall_ms(server),
    };
    struct stored_message *added = store_add(&server->store, &message);
    must_grow(&token->follow_ups, token->follow_up_count, sizeof(struct rest_follow_up));
    token->follow_ups[token->follow_up_count++] =
        (struct rest_follow_up){ added->id, content_of(call) };
    call->arrival.message_id = added->id;
    const struct rest_change change = { .kind = CHANGE_NEW,
                                        .message_id = added->id,
                                        .message = *added };
    rest_add_change(server, &change, data);
    rest_answer_message(call, added);
}

/* Once is enough, also when the answer to the first was lost. */
static void look_for_repetition(struct rest_call *call)
{
    const struct rest_token *token = call->token;
    uint64_t content = content_of(call);
    for (size_t i = 0; i < token->follow_up_count; i++) {
        if (token->follow_ups[i].content != content)
            continue;
        rest_complain(call, "the same follow-up again, although the first took effect");
        return;
    }
}

static bool may_follow_up(struct rest_call *call)
{
    const struct rest_token *token = call->token;
    if (!token->interaction.is_user_installed || token->follow_up_count < FOLLOW_UPS_MAX)
        return true;
    rest_complain(call, "more than %d follow-ups of an app that only the person has added",
                  FOLLOW_UPS_MAX);
    rest_answer_error(call, 400, 40094);
    return false;
}

/* https://docs.discord.com/developers/interactions/receiving-and-responding#create-followup-message:
 * while the answer still thinks, a follow-up takes its place. Deprecated; nobody means it. */
void rest_serve_follow_up(struct rest_call *call)
{
    struct stored_message *original = store_find(&call->server->store, call->token->original_id);
    bool is_thinking = original && original->is_thinking && !original->is_deleted;
    CLEANUP(json_release)
    json_object *data = may_follow_up(call) ? rest_read_message(call, NULL) : NULL;
    if (!data)
        return;
    look_for_repetition(call);
    if (is_thinking) {
        rest_complain(call, "a follow-up while the answer still thinks: edit @original instead");
        edit_message(call, original, data);
    } else {
        add_follow_up(call, data);
    }
}

void rest_serve_get_message(struct rest_call *call)
{
    const struct stored_message *message = find_message(call, true);
    if (message)
        rest_answer_message(call, message);
}

void rest_serve_delete(struct rest_call *call)
{
    struct stored_message *message = find_message(call, false);
    if (!message)
        return;
    message->is_deleted = true;
    call->arrival.message_id = message->id;
    const struct rest_change change = { .kind = CHANGE_DELETE, .message_id = message->id };
    rest_add_change(call->server, &change, NULL);
    call->status = 204;
}
