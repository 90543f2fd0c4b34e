/* Lists that are walked from the front: some thousand messages at most, and a look at each costs
 * less than one request. Used by the sending thread only. */
#include "outbox/outbox_queue.h"

void queue_init(struct queue *queue)
{
    queue->heads = NULL;
    queue->end = &queue->heads;
}

static void append(struct queue *queue, struct item *item)
{
    item->next = NULL;
    *queue->end = item;
    queue->end = &item->next;
}

void queue_add(struct queue *queue, struct item *item)
{
    struct item *last = queue->heads;
    while (last && last->message.interaction_id != item->message.interaction_id)
        last = last->next;
    if (!last) {
        append(queue, item);
        return;
    }
    while (last->successor)
        last = last->successor;
    last->successor = item;
    item->next = NULL;
}

void queue_remove_token(struct queue *queue, struct item *head)
{
    struct item **place = &queue->heads;
    while (*place != head)
        place = &(*place)->next;
    *place = head->next;
    if (!*place)
        queue->end = place;
}

void queue_retire(struct queue *queue, struct item *head)
{
    queue_remove_token(queue, head);
    if (head->successor)
        append(queue, head->successor);
    head->successor = NULL;
}
