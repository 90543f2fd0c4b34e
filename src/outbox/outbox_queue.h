/* What waits or is under way: for each interaction token its oldest message, the head, with the
 * newer ones behind it. So no two of a token are ever under way, and they arrive in their order. */
#ifndef OUTBOX_OUTBOX_QUEUE_H
#define OUTBOX_OUTBOX_QUEUE_H

#include "outbox/outbox_item.h"

struct queue {
    struct item *heads, **end; /* by `next`, oldest first */
};

void queue_init(struct queue *queue);
void queue_add(struct queue *queue, struct item *item);

/* Takes `head` off; the message behind it takes its turn. */
void queue_retire(struct queue *queue, struct item *head);

/* Takes `head` off together with the messages behind it, still linked by `successor`. */
void queue_remove_token(struct queue *queue, struct item *head);

#endif
