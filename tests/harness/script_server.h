/* An HTTP/1.1 server on loopback that answers as a test's script says, and can behave badly: reset
 * a connection before or after it has taken in a request, or never answer.
 *
 * One thread for each connection; scripts run one at a time, so what they count needs no lock, and
 * script_server_wait sees it whole. */
#ifndef HARNESS_SCRIPT_SERVER_H
#define HARNESS_SCRIPT_SERVER_H

#include "bronx/text.h"

struct script_server;

/* What came in; valid while the script runs. */
struct script_request {
    struct str_view method, path; /* the path with its query */
    struct str_view head;         /* request line and headers */
    struct str_view body;
    int connection; /* counted from 1 */
};

enum script_fate {
    SCRIPT_ANSWER,
    SCRIPT_RESET, /* TCP reset instead of an answer */
    SCRIPT_STALL, /* no answer until the other side or the test gives up */
};

struct script_answer {
    enum script_fate fate;
    int status;          /* 0: 200 */
    const char *headers; /* "Name: value\r\n" lines; NULL: Content-Type: application/json */
    struct buf body;     /* freed by the server */
};

typedef void script(void *context, const struct script_request *request,
                    struct script_answer *answer);

/* Ends the program when it can't start: a test has no other use for that. `port` 0: a free one. */
struct script_server *script_server_start(uint16_t port, script *run, void *context);
void script_server_stop(struct script_server *server);

uint16_t script_server_port(const struct script_server *server);

/* "http://127.0.0.1:PORT/api"; lives as long as the server. */
const char *script_server_url(const struct script_server *server);

/* Waits until `is_true(context)`, which is asked after each run of a script. */
void script_server_wait(struct script_server *server, bool (*is_true)(void *context));

/* The value of a header in `head`; STR_NONE when absent. */
struct str_view script_header(const struct script_request *request, const char *name);

#endif
