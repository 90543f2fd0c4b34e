/* A small HTTP/1.1 client over TCP or a unix socket, with keep-alive, and a way to send bytes that
 * are no HTTP at all. One client belongs to one thread at a time. */
#ifndef HARNESS_HTTP_CLIENT_H
#define HARNESS_HTTP_CLIENT_H

#include "bronx/err.h"
#include "core/config.h"
#include "harness/keys.h"

struct http_client;

struct http_request {
    const char *method;         /* "GET", "POST", ... */
    const char *path;           /* "/interactions" */
    const char *const *headers; /* "Name: value" lines ended by NULL; may be NULL */
    struct str_view body;       /* absent: none is sent */
};

/* HTTPS, and what of it. */
struct http_tls {
    const char *host;    /* the name in the certificate; the address stays the client's */
    const char *ca_path; /* PEM file of what is trusted */
    int only_version;    /* 11, 12 or 13 for TLS 1.1, 1.2 or 1.3 alone; 0: the best of both sides */
    bool uses_http2;
};

struct http_answer {
    int status;
    int http_version;       /* 10, 11, 20 */
    char content_type[128]; /* "" when there was none */
    struct buf body;
    int64_t elapsed_us; /* from the first byte sent to the last byte received */
};

/* Longer than Discord waits, so that a late answer can still be seen. */
#define HTTP_CLIENT_TIMEOUT_MS 10000

/* A client for `address` (copied). It connects with the first request and keeps the connection. */
struct http_client *http_client_new(const struct listen_address *address);
void http_client_free(struct http_client *client);     /* NULL is fine */
void http_client_release(struct http_client **client); /* fit for CLEANUP */

/* From the next connection on; `tls` and what it points at outlive the client. */
void http_client_use_tls(struct http_client *client, const struct http_tls *tls);

/* Sends one request and waits for the answer. `answer` is zeroed by the caller before its first
 * use and freed with http_answer_free; a second use overwrites it. ERR_UNAVAILABLE when there was
 * no answer. */
int http_client_send(struct http_client *client, const struct http_request *request,
                     struct http_answer *answer, struct err *err) MUST_CHECK;

/* POST /interactions with the two signature headers and Content-Type: application/json. */
int http_client_post_signed(struct http_client *client, const struct harness_signature *signature,
                            struct str_view body, struct http_answer *answer,
                            struct err *err) MUST_CHECK;

void http_answer_free(struct http_answer *answer); /* fit for CLEANUP */

/* Opens a connection of its own, sends `bytes` as they are, half-closes when `ends_sending`, and
 * appends what comes back to `answer` until the other side closes or `timeout_ms` have passed
 * (neither is an error). ERR_UNAVAILABLE when it can't connect. */
int http_raw_exchange(const struct listen_address *address, struct str_view bytes,
                      bool ends_sending, int timeout_ms, struct buf *answer,
                      struct err *err) MUST_CHECK;

/* The same over TLS, until `timeout_ms` pass or the other side closes. */
int http_raw_exchange_tls(const struct listen_address *address, const struct http_tls *tls,
                          struct str_view bytes, int timeout_ms, struct buf *answer,
                          struct err *err) MUST_CHECK;

/* A connected stream socket to `address`, or a negative enum err_code. The caller closes it. */
int http_raw_connect(const struct listen_address *address, struct err *err) MUST_CHECK;

#endif
