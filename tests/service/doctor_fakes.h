/* What surrounds the bot in the doctor's tests: Discord's API, and a front that passes requests on
 * and lies where it is told to. Each is a libmicrohttpd server on 127.0.0.1 with a thread of its
 * own; what they are told is changed only while nobody asks them. */
#ifndef TESTS_DOCTOR_FAKES_H
#define TESTS_DOCTOR_FAKES_H

#include "core/config.h"

#include <stdint.h>

struct fake_server;

struct fake_discord {
    struct fake_server *server;
    uint16_t port;
    /* The application as Discord knows it: */
    const char *token;
    int64_t application_id;
    const char *verify_key;
    const char *interactions_url; /* NULL: unset */
    const char *events_url;
    int events_status;
    int users_status; /* answer of GET /users/@me instead of a good one; 0: a good one */
    int ready_status; /* answers GET /readyz too, as a bot that is not well would; 0: 404 */
};

enum lie {
    LIE_NONE,
    LIE_STRIPS_SIGNATURES, /* passes no signature header on */
    LIE_ALTERS_BODY,
    LIE_PASSES_FORGERIES, /* a fresh, signed request is always 200 */
    LIE_PASSES_UNSIGNED,
    LIE_PASSES_STALE, /* an old signed request is 200 */
    LIE_ANSWERS_GET,
    LIE_ANSWERS_ANY_PATH,
    LIE_PLAIN_TEXT, /* right words, wrong Content-Type */
};

struct fake_front {
    struct fake_server *server;
    uint16_t port;
    struct listen_address bot;
    int64_t now_s; /* for telling old from fresh */
    enum lie lie;
};

void fake_discord_start(struct fake_discord *discord);
void fake_discord_stop(struct fake_discord *discord);
void fake_front_start(struct fake_front *front);
void fake_front_stop(struct fake_front *front);

#endif
