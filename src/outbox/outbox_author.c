/* What authors ask for becomes a row. Any thread; nothing here touches the sender: a row that is
 * stored is loaded by the journal when its interaction is handed over. */
#include "bronx/outbox.h"

#include "outbox/outbox_internal.h"
#include "outbox/outbox_store.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define TARGET_TEXT_SIZE 160 /* six integers in decimal */

int64_t outbox_next_id(struct outbox *outbox)
{
    return (int64_t)(atomic_fetch_add(&outbox->next_id, 1) & INT64_MAX);
}

static int64_t random_version(void)
{
    uint64_t version;
    randombytes_buf(&version, sizeof(version));
    return (int64_t)(version & INT64_MAX);
}

int64_t outbox_key_of_original(const struct interaction *interaction)
{
    const struct message *message = interaction->message;
    if (!message)
        return interaction->id;
    return message->answers_id ? message->answers_id : message->id;
}

struct outbox_target outbox_target_of(struct call *call)
{
    const struct interaction *interaction = call->interaction;
    return (struct outbox_target){
        .call = call,
        .interaction_id = interaction->id,
        .application_id = interaction->application_id,
        .guild_id = interaction->guild_id,
        .message_id = interaction->message ? interaction->message->id : 0,
        .message_key = outbox_key_of_original(interaction),
        .is_reposted = call->command && call->command->is_reposted,
        .token = interaction->token,
    };
}

/* --- Targets as bytes --- */

/* The content of a row is what a target needs: something sealed, with a token in it. */
int outbox_target_seal(struct outbox *outbox, const struct outbox_target *target,
                       struct arena *arena, struct str_view *sealed, struct err *err)
{
    char text[TARGET_TEXT_SIZE];
    CLEANUP(buf_free) struct buf bytes = { 0 };
    int length = snprintf(text, sizeof(text), "%lld %lld %lld %lld %lld %d",
                          (long long)target->interaction_id, (long long)target->application_id,
                          (long long)target->guild_id, (long long)target->message_id,
                          (long long)target->message_key, target->is_reposted);
    const struct outbox_content content = { .token = target->token,
                                            .json = { text, (size_t)length } };
    int result = outbox_content_seal(outbox->settings.key, &content, &bytes, err);
    if (result != 0)
        return result;
    *sealed = arena_copy(arena, buf_view(&bytes));
    return sealed->data ? 0 : err_set(err, ERR_MEMORY, "a sealed target");
}

static int read_target(const struct outbox_content *content, struct outbox_target *target,
                       struct err *err)
{
    int64_t is_reposted = 0;
    int64_t *const places[] = { &target->interaction_id, &target->application_id, &target->guild_id,
                                &target->message_id,     &target->message_key,    &is_reposted };
    struct str_view rest = content->json, number;
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
        if (!str_split(&rest, ' ', &number) || str_to_int64(number, places[i]) != 0)
            return err_set(err, ERR_INVALID, "no target of a message");
    target->is_reposted = is_reposted != 0;
    return 0;
}

int outbox_target_open(struct outbox *outbox, struct str_view sealed, struct arena *arena,
                       struct outbox_target *target, struct err *err)
{
    static const struct outbox_record no_row = { 0 };
    struct outbox_record *record = NULL;
    *target = (struct outbox_target){ 0 };
    int result = outbox_record_open(outbox->settings.key, &no_row, sealed, &record, err);
    if (result == 0)
        result = read_target(&record->content, target, err);
    if (result == 0) {
        target->token = arena_copy(arena, record->content.token);
        if (!target->token.data)
            result = err_set(err, ERR_MEMORY, "a target of a message");
    }
    outbox_record_free(record);
    return result;
}

/* --- Rows --- */

struct request {
    enum outbox_kind kind;
    enum outbox_method method;
    bool is_final;
    int64_t channel_id; /* CHANNEL_MESSAGE */
};

static const struct request frame = { OUTBOX_KIND_EDIT, OUTBOX_EDIT, false, 0 };
static const struct request final = { OUTBOX_KIND_EDIT, OUTBOX_EDIT, true, 0 };
static const struct request deletion = { OUTBOX_KIND_EDIT, OUTBOX_DELETE, true, 0 };
static const struct request follow_up = { OUTBOX_KIND_FOLLOW_UP, OUTBOX_FOLLOW_UP, false, 0 };

static struct outbox_record make_row(struct outbox *outbox, const struct request *request,
                                     const struct outbox_target *target)
{
    int64_t now_ms = clock_wall_ms(outbox->settings.clock);
    bool needs_token = request->kind != OUTBOX_KIND_CHANNEL_MESSAGE;
    struct outbox_record row = {
        .id = outbox_next_id(outbox),
        .kind = request->kind,
        .subject = request->kind == OUTBOX_KIND_EDIT ? target->message_key : 0,
        .interaction_id = target->interaction_id,
        .application_id = target->application_id,
        .guild_id = target->guild_id,
        .channel_id = request->channel_id,
        .version = random_version(),
        .is_final = request->is_final,
        .is_reposted = target->is_reposted && request->method == OUTBOX_EDIT,
        .expires_at_ms = needs_token ? outbox_token_end_ms(target->interaction_id)
                                     : now_ms + OUTBOX_CHANNEL_MESSAGE_LIFE_MS,
        .created_at_ms = now_ms,
    };
    if (!needs_token && target->names_author)
        row.effect_id = target->call ? target->call->effect_id : target->interaction_id;
    if (target->call)
        memcpy(row.request_id, target->call->log.request_id, REQUEST_ID_SIZE);
    else
        request_id_new(row.request_id);
    return row;
}

static int write_message(enum outbox_method method, const struct reply *reply, struct buf *json,
                         struct err *err)
{
    if (!reply)
        return 0;
    return method == OUTBOX_FOLLOW_UP ? reply_serialize_follow_up(reply, json, err)
                                      : reply_serialize_edit(reply, json, err);
}

static int seal_message(const struct outbox *outbox, const struct request *request,
                        const struct outbox_target *target, const struct reply *reply,
                        struct buf *sealed, struct err *err)
{
    CLEANUP(buf_free) struct buf json = { 0 };
    int result = write_message(request->method, reply, &json, err);
    if (result != 0)
        return result;
    struct outbox_content content = {
        .token = request->method == OUTBOX_CHANNEL_MESSAGE ? STR_NONE : target->token,
        .json = buf_view(&json),
        .method = request->method,
        .message_id = request->kind == OUTBOX_KIND_EDIT ? target->message_id : 0,
    };
    if (reply)
        content.files = reply_files(reply, &content.file_count);
    return outbox_content_seal(outbox->settings.key, &content, sealed, err);
}

static struct db_statement statement_of(const struct outbox *outbox,
                                        const struct outbox_record *row, struct str_view sealed)
{
    int64_t owner = journal_instance_id(outbox->journal);
    return row->kind == OUTBOX_KIND_EDIT
               ? outbox_store_edit(row, sealed, owner, row->created_at_ms)
               : outbox_store_post(row, sealed, owner, row->created_at_ms);
}

/* In a call, the router hands its messages over after the answer; outside, it is done at once. */
static void announce(struct outbox *outbox, const struct outbox_target *target)
{
    if (target->call)
        target->call->has_messages = true;
    else
        outbox_hand_over(outbox, target->interaction_id);
}

static int store(struct outbox *outbox, const struct request *request,
                 const struct outbox_target *target, const struct reply *reply, struct err *err)
{
    CLEANUP(buf_free) struct buf sealed = { 0 };
    int result = seal_message(outbox, request, target, reply, &sealed, err);
    if (result != 0)
        return result;
    const struct outbox_record row = make_row(outbox, request, target);
    struct db_statement statement = statement_of(outbox, &row, buf_view(&sealed));
    bool was_unknown = false;
    result = db_settle(outbox->settings.db, &statement, 1, &was_unknown, err);
    /* A follow-up's key is its own: what is there already is this one. An edit just comes again. */
    if (result == ERR_DUPLICATE && was_unknown)
        result = 0;
    if (result == 0)
        announce(outbox, target);
    return result;
}

int outbox_edit_frame(struct outbox *outbox, const struct outbox_target *target,
                      const struct reply *reply, struct err *err)
{
    return store(outbox, &frame, target, reply, err);
}

int outbox_edit_final(struct outbox *outbox, const struct outbox_target *target,
                      const struct reply *reply, struct err *err)
{
    return store(outbox, &final, target, reply, err);
}

int outbox_followup(struct outbox *outbox, const struct outbox_target *target,
                    const struct reply *reply, struct err *err)
{
    return store(outbox, &follow_up, target, reply, err);
}

int outbox_delete(struct outbox *outbox, const struct outbox_target *target, struct err *err)
{
    return store(outbox, &deletion, target, NULL, err);
}

/* --- Together with other rows --- */

static int stage(struct outbox *outbox, const struct request *request,
                 const struct outbox_target *target, const struct reply *reply, struct arena *arena,
                 struct db_statement *statement, struct err *err)
{
    CLEANUP(buf_free) struct buf sealed = { 0 };
    int result = seal_message(outbox, request, target, reply, &sealed, err);
    if (result != 0)
        return result;
    struct outbox_record *row = arena_allocate(arena, sizeof(*row));
    struct str_view bytes = arena_copy(arena, buf_view(&sealed));
    if (!row || !bytes.data)
        return err_set(err, ERR_MEMORY, "a message for the outbox");
    *row = make_row(outbox, request, target);
    *statement = statement_of(outbox, row, bytes);
    if (target->call)
        target->call->has_messages = true;
    return 0;
}

int outbox_stage_final(struct outbox *outbox, const struct outbox_target *target,
                       const struct reply *reply, struct arena *arena,
                       struct db_statement *statement, struct err *err)
{
    return stage(outbox, &final, target, reply, arena, statement, err);
}

int outbox_stage_followup(struct outbox *outbox, const struct outbox_target *target,
                          const struct reply *reply, struct arena *arena,
                          struct db_statement *statement, struct err *err)
{
    return stage(outbox, &follow_up, target, reply, arena, statement, err);
}

int outbox_stage_channel_message(struct outbox *outbox, const struct outbox_target *target,
                                 int64_t channel_id, const struct reply *reply, struct arena *arena,
                                 struct db_statement *statement, struct err *err)
{
    const struct request request = { OUTBOX_KIND_CHANNEL_MESSAGE, OUTBOX_CHANNEL_MESSAGE, true,
                                     channel_id };
    return stage(outbox, &request, target, reply, arena, statement, err);
}
