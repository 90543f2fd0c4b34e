/* One HTTP request over libcurl, told apart by how it fails: what the checks need and a client for
 * Discord's routes has no use for (unix sockets, broken TLS, the Date header). */
#ifndef DOCTOR_FETCH_H
#define DOCTOR_FETCH_H

#include "bronx/err.h"
#include "bronx/text.h"

#include "core/config.h"

#include <stdint.h>

/* More of a body is not looked at. */
#define FETCH_BODY_MAX    ((size_t)256 * 1024)
/* As long as Discord waits for an answer. */
#define FETCH_TIMEOUT_MS  3000L
/* The reason libcurl gives (CURL_ERROR_SIZE). */
#define FETCH_REASON_SIZE 256
#define FETCH_HEADERS_MAX 4

struct fetch_request {
    const char *url;
    const char *unix_path; /* connect there instead of to the URL's host; NULL: don't */
    const char *method;    /* "GET", "POST" */
    struct str_view body;  /* absent: none; sent as application/json */
    const char *headers[FETCH_HEADERS_MAX]; /* "Name: value", NULL at the end or after all */
    const char *ca_file;                    /* "" or NULL: the system's authorities */
    bool is_local;                          /* past any proxy of the environment */
};

enum fetch_result {
    FETCH_ANSWERED, /* with any status */
    FETCH_NO_ADDRESS,
    FETCH_NO_CONNECTION,
    FETCH_NO_TLS, /* or none that can be trusted */
    FETCH_NO_ANSWER,
};

struct fetch_answer {
    enum fetch_result result;
    char reason[FETCH_REASON_SIZE]; /* why there was no answer */
    int status;
    int64_t date_ms; /* header Date; 0 when absent */
    int64_t elapsed_ms;
    bool is_json; /* Content-Type: application/json */
    struct buf body;
};

/* `answer` is zeroed before its first use; a second use overwrites it. Freed by fetch_free. Without
 * memory the answer is FETCH_NO_ANSWER. */
void fetch(const struct fetch_request *request, struct fetch_answer *answer);

/* `request` to `path` at an address of this machine: its URL and socket are filled in here. */
void fetch_at(const struct listen_address *address, const char *path,
              const struct fetch_request *request, struct fetch_answer *answer);

void fetch_free(struct fetch_answer *answer); /* fit for CLEANUP */

#endif
