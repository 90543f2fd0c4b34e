/* A message in the outbox: copied, in one piece of memory, wiped when it ends. */
#ifndef OUTBOX_OUTBOX_ITEM_H
#define OUTBOX_OUTBOX_ITEM_H

#include "discord/rest.h"
#include "outbox/outbox.h"

struct item {
    struct item *next;      /* in the list it is in */
    struct item *successor; /* the next message of the same token, which waits for this one */
    struct outbox_message message; /* its views point into this item's memory */
    size_t size;                   /* of that memory */
    int64_t taken_us;              /* monotonic: when it was handed over */
    int64_t due_us;                /* monotonic: the next try */
    int64_t end_ms;                /* UTC: when its token ends */
    int try_count, not_yet_count, failure_count;
    bool is_under_way;
    bool is_probe;                 /* the one request that finds out whether a ban is over */
    struct rest_transfer transfer; /* of the try that is under way */
};

/* The memory a message needs; ERR_LIMIT when that is more than any message can need. */
int item_size(const struct outbox_message *message, size_t *size, struct err *err) MUST_CHECK;

/* NULL without memory. */
struct item *item_new(const struct outbox_message *message, size_t size);
void item_free(struct item *item);

/* Prepares item->transfer. After a failure rest_transfer_fini is still due. */
int item_prepare(struct item *item, const struct rest_settings *settings,
                 struct err *err) MUST_CHECK;

#endif
