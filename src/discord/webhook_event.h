/* Webhook events: what Discord posts to /events.
 * https://docs.discord.com/developers/events/webhook-events#payload-structure */
#ifndef DISCORD_WEBHOOK_EVENT_H
#define DISCORD_WEBHOOK_EVENT_H

#include "bronx/err.h"
#include "bronx/text.h"

#include <stdint.h>

enum webhook_event_type {
    EVENT_PING = 0,     /* is anybody there */
    EVENT_HAPPENED = 1, /* the event is inside */
};

/* What happened, in the order of METRIC_EVENTS's label values. */
enum webhook_event_kind {
    EVENT_APPLICATION_AUTHORIZED,
    EVENT_APPLICATION_DEAUTHORIZED,
    EVENT_ENTITLEMENT_CREATE,
    EVENT_ENTITLEMENT_UPDATE,
    EVENT_ENTITLEMENT_DELETE,
    EVENT_OTHER, /* newer than this bot, or not meant for it: nothing but its name is read */
};

#define EVENT_SCOPES_MAX       64 /* Discord knows about 40 */
#define EVENT_SCOPE_LENGTH_MAX 100
#define INTEGRATION_UNKNOWN    (-1)

struct webhook_event {
    int type; /* enum webhook_event_type; the rest is for EVENT_HAPPENED */
    enum webhook_event_kind kind;
    struct str_view name; /* "APPLICATION_AUTHORIZED" */

    /* APPLICATION_AUTHORIZED and APPLICATION_DEAUTHORIZED */
    int64_t occurred_at_ms; /* by Discord's clock */
    int64_t user_id;        /* who did it */

    /* APPLICATION_AUTHORIZED */
    int integration_type;   /* 0 to a guild, 1 to a user's account, INTEGRATION_UNKNOWN */
    int64_t guild_id;       /* 0: none */
    struct str_view scopes; /* as Discord lists them, separated by spaces */
};

/* Fields that are not known are passed over. ERR_INVALID with a reason fit for a 400 answer, also
 * for types that are none of the enum; ERR_MEMORY. The caller owns the event. */
int webhook_event_parse(struct str_view body, struct webhook_event **event,
                        struct err *err) MUST_CHECK;
void webhook_event_free(struct webhook_event *event); /* NULL allowed */

#endif
