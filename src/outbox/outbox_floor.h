/* When each message may be edited next: no two edits of one message arrive closer than the floor,
 * so the next starts no earlier than that after the *end* of the one before. For one thread. */
#ifndef OUTBOX_OUTBOX_FLOOR_H
#define OUTBOX_OUTBOX_FLOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct floor_slot {
    int64_t key; /* 0: free */
    int64_t until_us;
};

struct floors {
    struct floor_slot *slots; /* `capacity` of them, a power of two, less than half used */
    size_t capacity, used;
};

void floors_fini(struct floors *floors);

/* When the message of `key` may be edited, monotonic; INT64_MIN: at any time. */
int64_t floors_until(const struct floors *floors, int64_t key);

/* An edit begins: from now on until floors_set the message has no other. False without memory. */
bool floors_begin(struct floors *floors, int64_t key, int64_t now_us);
void floors_set(struct floors *floors, int64_t key, int64_t until_us);

#endif
