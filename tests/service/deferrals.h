/* Commands that the real bot answers "deferred", and a simulated Discord that its edits go to.
 * Failures of the fixture itself fail the test that runs. */
#ifndef SERVICE_DEFERRALS_H
#define SERVICE_DEFERRALS_H

#include "harness/bot_process.h"
#include "harness/http_client.h"
#include "simulator/rest_server.h"

#define DEFERRALS_ARRIVAL_MS 60000 /* far more than it takes: nothing is asserted on time */
#define DEFERRALS_LINES_MAX  8

struct deferrals {
    struct harness_bot bot;
    struct rest_server *discord;
    struct http_client *client;
    char api_line[128];
    const char *environment[DEFERRALS_LINES_MAX];
    unsigned sequence;
    bool is_guest; /* the Discord is another's */
};

/* Starts Discord only; then the environment may be changed. */
void deferrals_init(struct deferrals *deferrals, const struct rest_limits *limits);
/* Another bot process, which is not started yet, for the same Discord. It ends before `host`. */
void deferrals_init_beside(struct deferrals *deferrals, const struct deferrals *host);
void deferrals_set(struct deferrals *deferrals, const char *line); /* borrowed, "NAME=value" */
void deferrals_launch(struct deferrals *deferrals);                /* the bot, again and again */
void deferrals_fini(struct deferrals *deferrals);

/* A fault in the words of scenes. */
void deferrals_fault(struct deferrals *deferrals, const char *text);

/* Sends a command (the first: /help), which the bot must answer "deferred"; returns the
 * interaction's id. */
int64_t deferrals_ask(struct deferrals *deferrals);
int64_t deferrals_ask_for(struct deferrals *deferrals, const char *command);

/* SIGKILL, or SIGTERM and a clean end; then it starts again. */
void deferrals_restart(struct deferrals *deferrals, int signal_number);

/* How many of these have their edit, waiting for them. */
size_t deferrals_arrived(struct deferrals *deferrals, const int64_t *ids, size_t count);
void deferrals_assert_no_violation(struct deferrals *deferrals);

#endif
