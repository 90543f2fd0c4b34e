/* A REST server, a client, and one interaction with the token "tok": for tests of the server. */
#ifndef SIMULATOR_REST_FIXTURE_H
#define SIMULATOR_REST_FIXTURE_H

#include "harness/http_client.h"
#include "simulator/rest_server.h"

#define REST_API      "/api/v10"
#define REST_APP      "/api/v10/webhooks/1000000000000000001/"
#define REST_OWN      "/api/v10/applications/1000000000000000001/"
#define REST_ORIGINAL REST_APP "tok/messages/@original"
#define REST_AGENT    "User-Agent: DiscordBot (https://example.com/bot, 1.0)"
#define REST_BOT      "Authorization: Bot " REST_SERVER_BOT_TOKEN
#define REST_TYPE     "Content-Type: application/json"
#define REST_GOOD     "{\"content\":\"done\",\"allowed_mentions\":{\"parse\":[]}}"

extern const char *const rest_plain[];  /* headers of a webhook request */
extern const char *const rest_as_bot[]; /* ... and of one with the bot's token */

struct rest_fixture {
    struct rest_server *server;
    struct http_client *client;
    struct listen_address address;
    int64_t shift_ms; /* of the server's clock */
    int64_t id;       /* of the newest interaction */
};

/* `answer` NULL: "tok" is not answered yet. Fails the test that runs when it can't start. */
void rest_fixture_start(struct rest_fixture *fixture, const struct rest_limits *limits,
                        const char *answer);
void rest_fixture_finish(struct rest_fixture *fixture);

/* Another interaction, not yet answered. */
void rest_fixture_ask(struct rest_fixture *fixture, const char *token, bool is_user_installed);

/* Status, or 0 when the connection was cut; `out` (may be NULL) gets the body. */
int rest_fixture_request(struct rest_fixture *fixture, const char *method, const char *path,
                         const char *const *headers, const char *body, struct buf *out);
int rest_fixture_edit(struct rest_fixture *fixture); /* of tok's @original */
/* A GET on a connection of its own; `answer` gets its head and body. */
void rest_fixture_raw(struct rest_fixture *fixture, const char *path, const char *more_headers,
                      struct buf *answer);

/* As in a scene, without the word `fault`. */
int rest_fixture_fault(struct rest_fixture *fixture, const char *text, struct err *err);
void rest_fixture_add_fault(struct rest_fixture *fixture, const char *text); /* must be right */

/* Of the first violation. */
void rest_assert_violation(struct rest_fixture *fixture, const char *text);
void rest_assert_no_violation(struct rest_fixture *fixture);

void rest_fixture_sleep(int milliseconds);

#endif
