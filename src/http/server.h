/* The HTTP server: sockets, time-outs, bounds and routes. What a request means is the business of
 * the routes' handlers.
 *
 * Event threads (one for each core) read requests and write answers. A handler runs on an event
 * thread and must not block: it answers at once, or hands the exchange to another thread, which
 * answers later while the connection sleeps. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "bronx/clock.h"
#include "bronx/log.h"

#include "core/metrics.h"

struct server;
struct http_exchange; /* one request and its answer */

/* Runs on an event thread when the request is complete. From now on the exchange waits for its
 * http_respond, exactly one, from any thread. */
typedef void http_handler(struct http_exchange *exchange, void *context);

struct http_route {
    const char *path;   /* the whole path; a query is ignored */
    const char *method; /* "POST" */
    size_t max_body;    /* larger bodies get 413 */
    http_handler *handler;
    void (*on_too_large)(void *context); /* a 413 was answered here; NULL allowed */
    void *context;
    bool is_prefix; /* more must follow `path`: http_path tells the handler what */
};

/* All in milliseconds. None can be stretched by sending a byte now and then. */
struct http_timeouts {
    int64_t header; /* from the start of a connection to the end of its first request's headers */
    int64_t body;   /* from the end of the headers to the end of the body */
    int64_t answer; /* for taking the answer */
    int64_t idle;   /* from an answer to the end of the next request's headers */
};

/* Idle: longer than the 60 s of nginx's keepalive_timeout for upstreams, so that nginx, which knows
 * whether it is about to send, is always the one that closes. */
#define HTTP_TIMEOUTS_DEFAULT                                                                      \
    ((struct http_timeouts){ .header = 10000, .body = 5000, .answer = 10000, .idle = 75000 })

struct server_settings {
    int listen_fd;                   /* listening and non-blocking; borrowed: outlives the server */
    int threads;                     /* event threads; 0: one for each core this process may use */
    int64_t connections;             /* open at once; more wait in the backlog */
    const struct http_route *routes; /* outlive the server */
    int route_count;
    struct http_timeouts timeouts;
    const struct clock *clock;
    struct log_sink *log;
    struct metrics *metrics; /* NULL: not counted */
};

/* Starts serving. ERR_MEMORY, ERR_IO. */
int server_new(struct server **server, const struct server_settings *settings,
               struct err *err) MUST_CHECK;

/* New connections stay in the listening socket's backlog; on those that are open every answer says
 * Connection: close. */
void server_stop_accepting(struct server *server);

/* Waits until every request that was received has been answered, and a moment for those of
 * connections accepted just before; false when that takes longer than `deadline_ms`. */
bool server_drain(struct server *server, int64_t deadline_ms);

/* Closes what is still open, ends the threads. Exchanges that still wait for their answer stay
 * valid until it comes; nobody will read it. NULL allowed. */
void server_free(struct server *server);

/* --- What a handler may ask. The views are valid until the handler returns, the body until the
 * exchange is answered. --- */

const char *http_method(const struct http_exchange *exchange);
const char *http_path(const struct http_exchange *exchange);

/* The value of the header `name`, its first one when it came several times; absent: STR_NONE. */
struct str_view http_header(const struct http_exchange *exchange, const char *name,
                            bool *is_repeated);

/* HTTP_BODY_HEADROOM bytes in front of the body belong to the exchange as well and may be
 * overwritten. `*length` 0 when there is no body. */
#define HTTP_BODY_HEADROOM 32
char *http_body(struct http_exchange *exchange, size_t *length);

/* Names the request in logs and error answers; made at the first call. */
const char *http_request_id(struct http_exchange *exchange);

/* Monotonic microseconds when the request was complete. */
int64_t http_arrived_us(const struct http_exchange *exchange);

/* The value of `name` in the query; absent: STR_NONE. */
struct str_view http_query(const struct http_exchange *exchange, const char *name);

#define HTTP_ADDRESS_BYTES 16

/* The other end of the connection. */
struct http_address {
    bool is_local; /* a unix socket or loopback: whoever is there runs on this machine */
    unsigned char bytes[HTTP_ADDRESS_BYTES]; /* IPv6, IPv4 mapped into it; zero for unix */
};
void http_remote(const struct http_exchange *exchange, struct http_address *address);

/* Runs once, after http_respond, when nothing more will happen to the exchange: `is_complete` says
 * whether the whole answer was handed to the operating system. On an event thread, or on the
 * answering one when the peer was gone before. To be set before the exchange is handed on. */
typedef void http_sent(void *context, bool is_complete);
void http_on_sent(struct http_exchange *exchange, http_sent *on_sent, void *context);

/* Answers and gives the exchange back: it must not be touched afterwards. From any thread, exactly
 * once. `content_type` is static text, NULL for no body; `body` is moved out (NULL allowed). A peer
 * that has gone away is no error. */
void http_respond(struct http_exchange *exchange, int status, const char *content_type,
                  struct buf *body);

/* The same for text that lives as long as the program. */
void http_respond_text(struct http_exchange *exchange, int status, const char *content_type,
                       struct str_view text);

#define HTTP_JSON "application/json"

/* Appends {"error": reason}. */
void http_error_json(struct buf *body, const char *reason);

#endif
