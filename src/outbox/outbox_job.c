/* Jobs by themselves: phases, what they send, how they are found. */
#include "outbox/outbox_job.h"

#include "outbox/outbox_internal.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* https://docs.discord.com/developers/resources/webhook#execute-webhook */
#define FILES_MAX 10

#define TO(phase) (1U << (phase))

static const unsigned allowed[] = {
    [JOB_NEW] = TO(JOB_STORING) | TO(JOB_RUNNING) | TO(JOB_WAITING) | TO(JOB_ENDING),
    [JOB_STORING] = TO(JOB_RUNNING) | TO(JOB_FORGOTTEN),
    [JOB_RUNNABLE] = TO(JOB_RUNNING) | TO(JOB_ENDING) | TO(JOB_FORGOTTEN),
    [JOB_RUNNING] = TO(JOB_RUNNABLE) | TO(JOB_WAITING) | TO(JOB_ENDING) | TO(JOB_FORGOTTEN),
    [JOB_WAITING] = TO(JOB_MARKING) | TO(JOB_SENDING) | TO(JOB_ENDING) | TO(JOB_FORGOTTEN),
    [JOB_MARKING] = TO(JOB_SENDING) | TO(JOB_NOTING) | TO(JOB_FORGOTTEN),
    [JOB_SENDING] = TO(JOB_WAITING) | TO(JOB_NOTING) | TO(JOB_ENDING) | TO(JOB_FORGOTTEN),
    [JOB_NOTING] = TO(JOB_WAITING) | TO(JOB_ENDING) | TO(JOB_FORGOTTEN),
    [JOB_ENDING] = TO(JOB_FORGOTTEN),
    [JOB_FORGOTTEN] = 0,
};

void job_transition(struct job *job, enum job_phase phase)
{
    assert(allowed[job->phase] & TO(phase));
    job->phase = phase;
}

static const unsigned allowed_steps[] = {
    [STEP_ONLY] = TO(STEP_NOTICE) | TO(STEP_APOLOGY),
    [STEP_NOTICE] = TO(STEP_ANSWER),
    [STEP_ANSWER] = TO(STEP_CLEAR) | TO(STEP_APOLOGY),
    [STEP_CLEAR] = 0,
    [STEP_APOLOGY] = 0,
};

void job_take_step(struct job *job, enum job_step step)
{
    assert(allowed_steps[job->step] & TO(step));
    job->step = step;
    job->not_yet_count = job->failure_count = 0;
}

bool job_is_past_post(const struct job *job)
{
    return job->step == STEP_CLEAR || job->step == STEP_APOLOGY;
}

struct outbox_deferred *job_deferred(struct job *job)
{
    return job->is_run ? CONTAINER_OF(job, struct outbox_deferred, job) : NULL;
}

/* --- What is sent --- */

static struct outbox_content reply_content(const struct job_reply *reply, enum job_step step)
{
    switch (step) {
    case STEP_NOTICE:
        return (struct outbox_content){ .method = OUTBOX_EDIT, .json = reply->notice };
    case STEP_CLEAR:
        return (struct outbox_content){ .method = OUTBOX_DELETE };
    case STEP_APOLOGY:
        return (struct outbox_content){ .method = OUTBOX_EDIT, .json = reply->apology };
    default:
        return reply->content;
    }
}

struct outbox_content job_content(const struct job *job)
{
    struct outbox_content content = job->record->content;
    if (job->is_run) {
        const struct outbox_deferred *deferred = CONTAINER_OF(job, struct outbox_deferred, job);
        content = reply_content(deferred->reply, job->step);
        content.token = job->record->content.token;
    }
    if (job->is_reposting)
        content.method = OUTBOX_FOLLOW_UP;
    return content;
}

enum outbox_method job_method(const struct job *job)
{
    return job_content(job).method;
}

bool job_needs_token(const struct job *job)
{
    return job->record->kind != OUTBOX_KIND_CHANNEL_MESSAGE;
}

int64_t job_sequence(const struct job *job)
{
    return job_needs_token(job) ? job->record->interaction_id : job->record->channel_id;
}

int64_t job_floor_key(const struct job *job)
{
    if (job_method(job) != OUTBOX_EDIT)
        return 0;
    return job->is_run ? CONTAINER_OF(job, struct outbox_deferred, job)->floor_key
                       : job->record->subject;
}

static bool add_size(size_t *total, size_t more)
{
    return __builtin_add_overflow(*total, more, total);
}

static bool is_possible(const struct outbox_message *message, size_t *size)
{
    size_t total = sizeof(struct job_reply);
    if (message->file_count < 0 || message->file_count > FILES_MAX ||
        add_size(&total, (size_t)message->file_count * sizeof(struct reply_attachment)) ||
        add_size(&total, message->body.length) || add_size(&total, message->notice.length) ||
        add_size(&total, message->apology.length))
        return false;
    for (int i = 0; i < message->file_count; i++)
        if (add_size(&total, message->files[i].filename.length) ||
            add_size(&total, message->files[i].bytes.length))
            return false;
    *size = total;
    return total <= BUF_DEFAULT_LIMIT;
}

static struct str_view copy(char **place, struct str_view text)
{
    struct str_view copied = { *place, text.length };
    if (text.length > 0)
        memcpy(*place, text.data, text.length);
    *place += text.length;
    return copied;
}

struct job_reply *job_copy_reply(const struct outbox_message *message, size_t *size)
{
    struct job_reply *reply = is_possible(message, size) ? malloc(*size) : NULL;
    if (!reply)
        return NULL;
    /* Files first: they need alignment, text does not. */
    struct reply_attachment *files = (struct reply_attachment *)(reply + 1);
    char *place = (char *)(files + message->file_count);
    for (int i = 0; i < message->file_count; i++) {
        files[i].filename = copy(&place, message->files[i].filename);
        files[i].bytes = copy(&place, message->files[i].bytes);
    }
    reply->content = (struct outbox_content){
        .json = copy(&place, message->body),
        .method = message->method,
        .files = files,
        .file_count = message->file_count,
    };
    reply->notice = copy(&place, message->notice);
    reply->apology = copy(&place, message->apology);
    return reply;
}

void job_wipe_reply(struct job_reply *reply, size_t size)
{
    if (!reply)
        return;
    sodium_memzero(reply, size);
    free(reply);
}

struct limiter_route job_route(const struct job *job, char major[JOB_MAJOR_SIZE])
{
    static const struct str_view routes[] = {
        [OUTBOX_EDIT] = { "PATCH /webhooks/:id/:token/messages/:id", 39 },
        [OUTBOX_FOLLOW_UP] = { "POST /webhooks/:id/:token", 25 },
        [OUTBOX_DELETE] = { "DELETE /webhooks/:id/:token/messages/:id", 40 },
        [OUTBOX_CHANNEL_MESSAGE] = { "POST /channels/:id/messages", 27 },
    };
    enum outbox_method method = job_method(job);
    bool is_as_bot = method == OUTBOX_CHANNEL_MESSAGE;
    int length =
        is_as_bot
            ? snprintf(major, JOB_MAJOR_SIZE, "%lld", (long long)job->record->channel_id)
            : snprintf(major, JOB_MAJOR_SIZE, "%lld/%.*s", (long long)job->record->application_id,
                       STR_ARGS(job->record->content.token));
    if (length >= JOB_MAJOR_SIZE)
        length = JOB_MAJOR_SIZE - 1;
    return (struct limiter_route){ .route = routes[method],
                                   .major = { major, (size_t)length },
                                   .is_as_bot = is_as_bot };
}

static void append_path(struct buf *path, const struct job *job,
                        const struct outbox_content *content)
{
    if (content->method == OUTBOX_CHANNEL_MESSAGE) {
        buf_append(path, STR("/channels"));
        rest_append_id(path, job->record->channel_id);
        buf_append(path, STR("/messages"));
        return;
    }
    buf_append(path, STR("/webhooks"));
    rest_append_id(path, job->record->application_id);
    rest_append_segment(path, content->token);
    if (content->method == OUTBOX_FOLLOW_UP)
        return;
    buf_append(path, STR("/messages"));
    if (content->message_id != 0)
        rest_append_id(path, content->message_id);
    else
        buf_append(path, STR("/@original"));
}

/* The row's id is the nonce: the same in each try, whoever makes it, and at most 20 of the 25
 * characters there may be. Rows that an older version stored get theirs here, too. */
static void append_body(struct buf *body, const struct job *job,
                        const struct outbox_content *content)
{
    struct str_view members = { content->json.data + 1, content->json.length - 1 };
    assert(content->json.length > 2 && content->json.data[0] == '{');
    buf_append_format(body, "{\"nonce\":\"%lld\",\"enforce_nonce\":true,",
                      (long long)job->record->id);
    buf_append(body, members);
}

int job_prepare(struct job *job, const struct rest_settings *settings, struct err *err)
{
    static const enum rest_method methods[] = {
        [OUTBOX_EDIT] = REST_PATCH,
        [OUTBOX_FOLLOW_UP] = REST_POST,
        [OUTBOX_DELETE] = REST_DELETE,
        [OUTBOX_CHANNEL_MESSAGE] = REST_POST,
    };
    const struct outbox_content content = job_content(job);
    bool has_body = content.method != OUTBOX_DELETE;
    bool has_nonce = outbox_has_nonce(content.method);
    CLEANUP(buf_free) struct buf body = { 0 };
    struct buf path = { 0 };
    append_path(&path, job, &content);
    if (has_nonce)
        append_body(&body, job, &content);
    const struct rest_request request = {
        .method = methods[content.method],
        .path = buf_view(&path),
        .is_as_bot = content.method == OUTBOX_CHANNEL_MESSAGE,
        .body = has_nonce  ? buf_view(&body)
                : has_body ? content.json
                           : STR_NONE,
        .is_body_copied = has_nonce,
        .files = content.files,
        .file_count = has_body ? content.file_count : 0,
    };
    int result = path.has_failed || body.has_failed
                     ? err_set(err, ERR_MEMORY, "a request")
                     : rest_transfer_init(&job->transfer, settings, &request, err);
    if (path.data)
        sodium_memzero(path.data, path.capacity);
    buf_free(&path);
    return result;
}

/* --- The table --- */

/* Ids of rows are random; those of interactions count up in their lowest and highest bits. */
static size_t slot_of(int64_t id)
{
    return (size_t)(((uint64_t)id * UINT64_C(0x9E3779B97F4A7C15)) >> 32) % JOB_TABLE_SLOTS;
}

void job_table_add(struct job_table *table, struct job *job)
{
    struct job **by_id = &table->by_id[slot_of(job->record->id)];
    struct job **by_token = &table->by_token[slot_of(job->record->interaction_id)];
    job->next_by_id = *by_id;
    job->next_by_token = *by_token;
    *by_id = job;
    *by_token = job;
}

void job_table_remove(struct job_table *table, struct job *job)
{
    struct job **by_id = &table->by_id[slot_of(job->record->id)];
    struct job **by_token = &table->by_token[slot_of(job->record->interaction_id)];
    while (*by_id != job)
        by_id = &(*by_id)->next_by_id;
    while (*by_token != job)
        by_token = &(*by_token)->next_by_token;
    *by_id = job->next_by_id;
    *by_token = job->next_by_token;
}

struct job *job_table_find(const struct job_table *table, int64_t id)
{
    struct job *job = table->by_id[slot_of(id)];
    while (job && job->record->id != id)
        job = job->next_by_id;
    return job;
}

struct job *job_table_next(const struct job_table *table, int64_t interaction_id,
                           const struct job *after)
{
    struct job *job = after ? after->next_by_token : table->by_token[slot_of(interaction_id)];
    while (job && job->record->interaction_id != interaction_id)
        job = job->next_by_token;
    return job;
}

/* --- Lists --- */

void job_list_init(struct job_link *list)
{
    list->previous = list->next = list;
}

void job_list_append(struct job_link *list, struct job_link *link)
{
    link->previous = list->previous;
    link->next = list;
    list->previous->next = link;
    list->previous = link;
}

void job_list_remove(struct job_link *link)
{
    if (!link->next)
        return;
    link->previous->next = link->next;
    link->next->previous = link->previous;
    *link = (struct job_link){ 0 };
}
