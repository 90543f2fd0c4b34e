/* The asking half of an exchange: libmicrohttpd's callbacks, bounds and routing, on the event
 * thread. See answer.c for who owns an exchange. */
#include "http/server_internal.h"

#include "core/log_sink.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* Memory set aside for a body when its size was announced; more is taken as it comes. */
#define BODY_FIRST_BYTES ((size_t)16 * 1024)

struct error_answer {
    int status;
    struct str_view body;
};

static const struct error_answer error_answers[] = {
    { MHD_HTTP_BAD_REQUEST, STR("{\"error\":\"malformed request\"}") },
    { MHD_HTTP_NOT_FOUND, STR("{\"error\":\"not found\"}") },
    { MHD_HTTP_METHOD_NOT_ALLOWED, STR("{\"error\":\"method not allowed\"}") },
    { MHD_HTTP_CONTENT_TOO_LARGE, STR("{\"error\":\"body too large\"}") },
};

static enum MHD_Result answer_error(struct http_exchange *exchange)
{
    for (size_t i = 0; i < ARRAY_LENGTH(error_answers); i++)
        if (error_answers[i].status == exchange->error_status)
            exchange->answer_text = error_answers[i].body;
    exchange->status = exchange->error_status;
    exchange->content_type = HTTP_JSON;
    if (exchange->error_status == MHD_HTTP_CONTENT_TOO_LARGE && exchange->route->on_too_large)
        exchange->route->on_too_large(exchange->route->context);
    /* No handler holds it. */
    exchange->is_dispatched = true;
    exchange_release(exchange);
    return exchange_send_answer(exchange);
}

/* --- the request's head --- */

/* What decides where a request ends. */
struct framing {
    int lengths, encodings; /* how many headers of that name */
    bool is_chunked;
    int64_t length;
};

static bool is_named(const char *key, size_t key_size, struct str_view name)
{
    return key_size == name.length && strncasecmp(key, name.data, name.length) == 0;
}

static enum MHD_Result look_at_header(void *context, enum MHD_ValueKind kind, const char *key,
                                      size_t key_size, const char *value, size_t value_size)
{
    struct framing *framing = context;
    (void)kind;
    struct str_view text = { value, value_size };
    if (is_named(key, key_size, STR(MHD_HTTP_HEADER_CONTENT_LENGTH))) {
        framing->lengths++;
        if (str_to_uint63(text, &framing->length) != 0)
            framing->lengths = 2; /* not a number: as bad as two of them */
    } else if (is_named(key, key_size, STR(MHD_HTTP_HEADER_TRANSFER_ENCODING))) {
        framing->encodings++;
        framing->is_chunked = str_equal_ignoring_case(text, STR("chunked"));
    }
    return MHD_YES;
}

/* Two readings of where a body ends let one request hide inside another (RFC 9112, 6.3): refused.
 */
static bool is_ambiguous(const struct framing *framing)
{
    return framing->lengths + framing->encodings > 1 ||
           (framing->encodings == 1 && !framing->is_chunked);
}

static bool is_on_route(const char *path, const struct http_route *route)
{
    size_t length = strlen(route->path);
    if (!route->is_prefix)
        return strcmp(route->path, path) == 0;
    return strncmp(route->path, path, length) == 0 && path[length] != '\0';
}

static int route_request(struct http_exchange *exchange, const struct server_settings *settings)
{
    int status = MHD_HTTP_NOT_FOUND;
    for (int i = 0; i < settings->route_count; i++) {
        const struct http_route *route = &settings->routes[i];
        if (!is_on_route(exchange->path, route))
            continue;
        exchange->route = route;
        if (strcmp(route->method, exchange->method) == 0)
            return 0;
        status = MHD_HTTP_METHOD_NOT_ALLOWED;
    }
    return status;
}

static bool reserve_body(struct http_exchange *exchange, int64_t announced)
{
    static const char headroom[HTTP_BODY_HEADROOM];
    size_t first = announced > 0 && announced < (int64_t)BODY_FIRST_BYTES ? (size_t)announced
                                                                          : BODY_FIRST_BYTES;
    struct buf *body = &exchange->body;
    body->capacity = HTTP_BODY_HEADROOM + first + 1;
    body->data = malloc(body->capacity);
    body->limit = HTTP_BODY_HEADROOM + exchange->route->max_body;
    if (!body->data)
        return false;
    buf_append_bytes(body, headroom, sizeof(headroom));
    return true;
}

static struct http_exchange *exchange_new(struct event_thread *thread, struct MHD_Connection *mhd,
                                          struct connection *connection)
{
    struct http_exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange)
        return NULL;
    atomic_init(&exchange->references, EXCHANGE_OWNERS);
    exchange->thread = thread;
    exchange->mhd = mhd;
    exchange->connection = connection;
    exchange->answers = thread->answers;
    atomic_fetch_add_explicit(&thread->answers->references, 1, memory_order_relaxed);
    connection->exchange = exchange;
    atomic_fetch_add(&thread->in_flight, 1);
    return exchange;
}

/* Headers are complete. An error is answered here only when a body would follow: libmicrohttpd then
 * closes the connection without reading it. Else it waits for exchange_finish, and the connection
 * lives on. */
static enum MHD_Result exchange_begin(struct event_thread *thread, struct MHD_Connection *mhd,
                                      const char *url, const char *method, void **context)
{
    struct connection *connection =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    struct http_exchange *exchange = connection ? exchange_new(thread, mhd, connection) : NULL;
    if (!exchange)
        return MHD_NO;
    *context = exchange;
    exchange->path = url;
    exchange->method = method;
    connection_enter(connection, PHASE_BODY);
    struct framing framing = { 0 };
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, look_at_header, &framing);
    bool has_body = framing.encodings > 0 || framing.length > 0;
    exchange->error_status = route_request(exchange, &thread->server->settings);
    if (is_ambiguous(&framing)) {
        exchange->error_status = MHD_HTTP_BAD_REQUEST;
        return answer_error(exchange);
    }
    if (!exchange->error_status && framing.length > 0 &&
        (uint64_t)framing.length > exchange->route->max_body)
        exchange->error_status = MHD_HTTP_CONTENT_TOO_LARGE;
    if (exchange->error_status)
        return has_body ? answer_error(exchange) : MHD_YES;
    return !has_body || reserve_body(exchange, framing.length) ? MHD_YES : MHD_NO;
}

/* --- the body --- */

/* libmicrohttpd takes no answer in the middle of a body. Nothing was written for this request yet,
 * so the answer goes to the socket directly, and MHD_NO closes the connection. */
static enum MHD_Result refuse_rest_of_body(struct http_exchange *exchange)
{
    static const char answer[] = "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
                                 "Content-Type: application/json\r\nContent-Length: 26\r\n\r\n"
                                 "{\"error\":\"body too large\"}";
    ssize_t sent =
        send(exchange->connection->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* a peer that takes nothing gets nothing */
    exchange_count_response(exchange->thread, MHD_HTTP_CONTENT_TOO_LARGE);
    if (exchange->route->on_too_large)
        exchange->route->on_too_large(exchange->route->context);
    return MHD_NO;
}

static enum MHD_Result exchange_take_body(struct http_exchange *exchange, const char *data,
                                          size_t *size)
{
    struct buf *body = &exchange->body;
    if (body->length + *size > body->limit)
        return refuse_rest_of_body(exchange);
    buf_append_bytes(body, data, *size);
    *size = 0;
    return body->has_failed ? MHD_NO : MHD_YES;
}

/* --- the whole request --- */

static enum MHD_Result exchange_finish(struct http_exchange *exchange)
{
    if (exchange->error_status && !exchange->is_dispatched)
        return answer_error(exchange);
    if (!exchange->is_dispatched) {
        exchange->is_dispatched = true;
        exchange->arrived_us = clock_monotonic_us(exchange->thread->server->settings.clock);
        connection_enter(exchange->connection, PHASE_WORKING);
        exchange->is_in_handler = true;
        exchange->route->handler(exchange, exchange->route->context);
        exchange->is_in_handler = false;
    }
    if (exchange->is_ready)
        return exchange_send_answer(exchange);
    /* Answers of other threads are taken by this one's loop, so none can come in between. */
    exchange->is_suspended = true;
    MHD_suspend_connection(exchange->mhd);
    return MHD_YES;
}

enum MHD_Result exchange_on_request(void *event_thread, struct MHD_Connection *mhd, const char *url,
                                    const char *method, const char *version, const char *data,
                                    size_t *data_size, void **context)
{
    struct http_exchange *exchange = *context;
    (void)version;
    if (!exchange)
        return exchange_begin(event_thread, mhd, url, method, context);
    if (*data_size > 0)
        return exchange_take_body(exchange, data, data_size);
    return exchange_finish(exchange);
}

void exchange_on_completed(void *event_thread, struct MHD_Connection *mhd, void **context,
                           enum MHD_RequestTerminationCode code)
{
    struct event_thread *thread = event_thread;
    struct http_exchange *exchange = *context;
    (void)mhd;
    if (!exchange)
        return;
    *context = NULL;
    exchange->is_sent = code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    exchange->connection->exchange = NULL;
    if (exchange->is_sent)
        connection_enter(exchange->connection, PHASE_IDLE);
    pthread_mutex_lock(&exchange->answers->lock);
    exchange->is_gone = true;
    pthread_mutex_unlock(&exchange->answers->lock);
    if (!exchange->is_dispatched)
        exchange_release(exchange); /* no handler will ever answer it */
    exchange_release(exchange);
    /* Last: who waits for it expects that nothing of the exchange is left to run. */
    atomic_fetch_sub(&thread->in_flight, 1);
}

/* --- what a handler may ask --- */

const char *http_method(const struct http_exchange *exchange)
{
    return exchange->method;
}

const char *http_path(const struct http_exchange *exchange)
{
    return exchange->path;
}

struct search {
    struct str_view name, value;
    bool is_repeated;
};

static enum MHD_Result match_header(void *context, enum MHD_ValueKind kind, const char *key,
                                    size_t key_size, const char *value, size_t value_size)
{
    struct search *search = context;
    (void)kind;
    if (is_named(key, key_size, search->name)) {
        search->is_repeated = search->value.data != NULL;
        if (!search->is_repeated)
            search->value = (struct str_view){ value ? value : "", value ? value_size : 0 };
    }
    return search->is_repeated ? MHD_NO : MHD_YES;
}

struct str_view http_header(const struct http_exchange *exchange, const char *name,
                            bool *is_repeated)
{
    struct search search = { .name = str_from(name) };
    MHD_get_connection_values_n(exchange->mhd, MHD_HEADER_KIND, match_header, &search);
    if (is_repeated)
        *is_repeated = search.is_repeated;
    return search.value;
}

char *http_body(struct http_exchange *exchange, size_t *length)
{
    bool has_body = exchange->body.length > HTTP_BODY_HEADROOM;
    *length = has_body ? exchange->body.length - HTTP_BODY_HEADROOM : 0;
    return has_body ? exchange->body.data + HTTP_BODY_HEADROOM : NULL;
}

const char *http_request_id(struct http_exchange *exchange)
{
    /* Not made for every request: it asks the kernel for randomness. */
    if (!exchange->request_id[0])
        request_id_new(exchange->request_id);
    return exchange->request_id;
}

int64_t http_arrived_us(const struct http_exchange *exchange)
{
    return exchange->arrived_us;
}

struct str_view http_query(const struct http_exchange *exchange, const char *name)
{
    return str_from(MHD_lookup_connection_value(exchange->mhd, MHD_GET_ARGUMENT_KIND, name));
}

void http_remote(const struct http_exchange *exchange, struct http_address *address)
{
    *address = (struct http_address){ .is_local = true };
    const struct sockaddr *peer =
        MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    struct in6_addr binary;
    if (peer && peer->sa_family == AF_INET) {
        binary = (struct in6_addr)IN6ADDR_ANY_INIT;
        binary.s6_addr[10] = binary.s6_addr[11] = 0xff;
        memcpy(&binary.s6_addr[12], &((const struct sockaddr_in *)(const void *)peer)->sin_addr,
               sizeof(struct in_addr));
    } else if (peer && peer->sa_family == AF_INET6)
        binary = ((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
    else
        return;
    static_assert(sizeof(binary) == HTTP_ADDRESS_BYTES, "an IPv6 address");
    memcpy(address->bytes, &binary, sizeof(binary));
    bool is_mapped_loopback = IN6_IS_ADDR_V4MAPPED(&binary) && binary.s6_addr[12] == 127;
    address->is_local = is_mapped_loopback || IN6_IS_ADDR_LOOPBACK(&binary);
}

void http_on_sent(struct http_exchange *exchange, http_sent *on_sent, void *context)
{
    exchange->on_sent = on_sent;
    exchange->on_sent_context = context;
}
