/* The two endpoints Discord calls: POST /interactions and POST /events.
 * https://docs.discord.com/developers/interactions/receiving-and-responding
 * https://docs.discord.com/developers/events/webhook-events */
#ifndef HTTP_WEBHOOK_H
#define HTTP_WEBHOOK_H

#include "http/admission.h"

struct events;
struct router;

struct webhook {
    struct admission admission;
    struct router *router;
    const struct events *events;
    size_t max_body;
    const struct clock *clock;
    struct metrics *metrics;
    struct log_sink *log;
};

#define WEBHOOK_ROUTES 2

/* Fills in the routes of `webhook`, which is constant from now on and outlives the server. */
void webhook_routes(struct webhook *webhook, struct http_route routes[WEBHOOK_ROUTES]);

#endif
