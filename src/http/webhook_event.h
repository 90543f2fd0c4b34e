/* Webhook events: what Discord posts to /events.
 * https://docs.discord.com/developers/events/webhook-events#payload-structure */
#ifndef HTTP_WEBHOOK_EVENT_H
#define HTTP_WEBHOOK_EVENT_H

#include "bronx/err.h"
#include "bronx/text.h"

enum webhook_event_type {
    EVENT_PING = 0,     /* is anybody there */
    EVENT_HAPPENED = 1, /* the event is inside */
};

/* ERR_INVALID with a reason fit for a 400 answer, also for types that are none of the enum;
 * ERR_MEMORY. */
int webhook_event_type(struct str_view body, int *type, struct err *err) MUST_CHECK;

#endif
