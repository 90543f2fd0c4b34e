/* The answering half of an exchange: http_respond from any thread, the rest on the exchange's event
 * thread.
 *
 * An exchange has two owners: libmicrohttpd's side, until it reports the request as completed, and
 * the answering side, until http_respond. Whoever lets go last runs on_sent and frees it, so a peer
 * that hangs up while a handler works leaves the handler's exchange valid. */
#include "http/server_internal.h"

#include "core/json_out.h"

#include <stdlib.h>

/* The first value of METRIC_HTTP_RESPONSES's label is at position 0; what is not listed is "other",
 * the last. */
static const int counted_statuses[] = { 200, 204, 400, 401, 404, 405, 413, 500, 503 };

void exchange_count_response(const struct event_thread *thread, int status)
{
    size_t label = 0;
    while (label < ARRAY_LENGTH(counted_statuses) && counted_statuses[label] != status)
        label++;
    metrics_add_by(thread->server->settings.metrics, METRIC_HTTP_RESPONSES, (int)label, 1);
}

void exchange_release(struct http_exchange *exchange)
{
    if (atomic_fetch_sub_explicit(&exchange->references, 1, memory_order_acq_rel) > 1)
        return;
    if (exchange->on_sent)
        exchange->on_sent(exchange->on_sent_context, exchange->is_sent);
    buf_free(&exchange->body);
    buf_free(&exchange->answer);
    answer_queue_release(exchange->answers);
    free(exchange);
}

static struct MHD_Response *make_response(struct http_exchange *exchange)
{
    struct buf *answer = &exchange->answer;
    struct MHD_Response *response;
    if (answer->length > 0) {
        response =
            MHD_create_response_from_buffer(answer->length, answer->data, MHD_RESPMEM_MUST_FREE);
        if (response)
            *answer = (struct buf){ 0 };
    } else {
        /* libmicrohttpd wants a writable pointer and does not write. */
        union {
            const char *text;
            void *bytes;
        } text = { exchange->answer_text.data };
        response = MHD_create_response_from_buffer(exchange->answer_text.length, text.bytes,
                                                   MHD_RESPMEM_PERSISTENT);
    }
    if (response && exchange->content_type &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, exchange->content_type) !=
            MHD_YES) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

/* Texts that live as long as the program are the same answer every time: PONG, a refusal. Making
 * one costs more than everything else we do for it. */
static struct MHD_Response *borrow_kept_response(struct http_exchange *exchange)
{
    struct kept_response *kept = exchange->thread->kept;
    for (size_t i = 0; i < KEPT_RESPONSES; i++) {
        if (!kept[i].response) {
            kept[i] = (struct kept_response){ exchange->answer_text.data, exchange->content_type,
                                              make_response(exchange) };
            return kept[i].response;
        }
        if (kept[i].text == exchange->answer_text.data &&
            kept[i].content_type == exchange->content_type)
            return kept[i].response;
    }
    return NULL;
}

void exchange_free_kept_responses(struct event_thread *thread)
{
    for (size_t i = 0; i < KEPT_RESPONSES; i++)
        if (thread->kept[i].response)
            MHD_destroy_response(thread->kept[i].response);
}

/* What depends on the request, and so can't be kept. */
static bool add_headers(const struct http_exchange *exchange, struct MHD_Response *response,
                        bool must_close)
{
    if (exchange->status == MHD_HTTP_METHOD_NOT_ALLOWED &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, exchange->route->method) !=
            MHD_YES)
        return false;
    return !must_close ||
           MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES;
}

static enum MHD_Result queue(struct http_exchange *exchange, struct MHD_Response *response)
{
    connection_enter(exchange->connection, PHASE_ANSWER);
    exchange_count_response(exchange->thread, exchange->status);
    return MHD_queue_response(exchange->mhd, (unsigned)exchange->status, response);
}

enum MHD_Result exchange_send_answer(struct http_exchange *exchange)
{
    bool must_close = atomic_load(&exchange->thread->server->state) != SERVER_RUNNING;
    bool is_same_always = exchange->answer_text.length > 0 && !must_close &&
                          exchange->status != MHD_HTTP_METHOD_NOT_ALLOWED;
    struct MHD_Response *response = is_same_always ? borrow_kept_response(exchange) : NULL;
    if (response)
        return queue(exchange, response);
    response = make_response(exchange);
    if (!response)
        return MHD_NO;
    enum MHD_Result result = MHD_NO;
    if (add_headers(exchange, response, must_close))
        result = queue(exchange, response);
    MHD_destroy_response(response);
    return result;
}

static void give_answer(struct http_exchange *exchange)
{
    struct answer_queue *answers = exchange->answers;
    if (pthread_equal(pthread_self(), answers->owner) && exchange->is_in_handler) {
        /* The handler's caller sends it. */
        exchange->is_ready = true;
        exchange_release(exchange);
        return;
    }
    bool must_wake = false;
    pthread_mutex_lock(&answers->lock);
    bool is_gone = exchange->is_gone;
    if (!is_gone) {
        exchange->next = NULL;
        if (answers->last)
            answers->last->next = exchange;
        else
            answers->first = exchange;
        answers->last = exchange;
        must_wake = answers->is_owner_asleep;
        answers->is_owner_asleep = false;
        /* The exchange may be freed as soon as the lock is open, and the queue with it. */
        if (must_wake)
            atomic_fetch_add_explicit(&answers->references, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&answers->lock);
    if (must_wake) {
        answer_queue_wake(answers);
        answer_queue_release(answers);
    }
    if (is_gone)
        exchange_release(exchange);
}

void http_respond(struct http_exchange *exchange, int status, const char *content_type,
                  struct buf *body)
{
    exchange->status = status;
    exchange->content_type = content_type;
    if (body) {
        exchange->answer = *body;
        *body = (struct buf){ 0 };
    }
    give_answer(exchange);
}

void http_respond_text(struct http_exchange *exchange, int status, const char *content_type,
                       struct str_view text)
{
    exchange->status = status;
    exchange->content_type = content_type;
    exchange->answer_text = text;
    give_answer(exchange);
}

void http_error_json(struct buf *body, const char *reason)
{
    struct json_out out = { .buf = body };
    json_object_begin(&out);
    json_key(&out, "error");
    json_text(&out, str_from(reason));
    json_object_end(&out);
}

void exchange_answered(struct http_exchange *exchange)
{
    if (!exchange->is_gone) {
        exchange->is_ready = true;
        exchange->is_suspended = false;
        MHD_resume_connection(exchange->mhd);
    }
    exchange_release(exchange);
}
