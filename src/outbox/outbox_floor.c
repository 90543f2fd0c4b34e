/* A hash table with open addressing. What is over is dropped when the table is rebuilt, which is
 * when it would become more than half full. */
#include "outbox/outbox_floor.h"

#include <stdlib.h>

#define CAPACITY_MIN 1024

void floors_fini(struct floors *floors)
{
    free(floors->slots);
    *floors = (struct floors){ 0 };
}

/* The slot of `key`, or the free one where it would be. */
static struct floor_slot *find(const struct floors *floors, int64_t key)
{
    size_t mask = floors->capacity - 1;
    size_t i = (size_t)(((uint64_t)key * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & mask;
    while (floors->slots[i].key != 0 && floors->slots[i].key != key)
        i = (i + 1) & mask;
    return &floors->slots[i];
}

int64_t floors_until(const struct floors *floors, int64_t key)
{
    if (floors->capacity == 0 || key == 0)
        return INT64_MIN;
    const struct floor_slot *slot = find(floors, key);
    return slot->key == key ? slot->until_us : INT64_MIN;
}

static bool rebuild(struct floors *floors, int64_t now_us)
{
    size_t kept = 0;
    for (size_t i = 0; i < floors->capacity; i++)
        kept += floors->slots[i].key != 0 && floors->slots[i].until_us > now_us;
    struct floors rebuilt = { .capacity = CAPACITY_MIN, .used = kept };
    while (rebuilt.capacity < kept * 4)
        rebuilt.capacity *= 2;
    rebuilt.slots = calloc(rebuilt.capacity, sizeof(*rebuilt.slots));
    if (!rebuilt.slots)
        return false;
    for (size_t i = 0; i < floors->capacity; i++) {
        const struct floor_slot *slot = &floors->slots[i];
        if (slot->key != 0 && slot->until_us > now_us)
            *find(&rebuilt, slot->key) = *slot;
    }
    free(floors->slots);
    *floors = rebuilt;
    return true;
}

bool floors_begin(struct floors *floors, int64_t key, int64_t now_us)
{
    if ((floors->used + 1) * 2 > floors->capacity && !rebuild(floors, now_us))
        return false;
    struct floor_slot *slot = find(floors, key);
    floors->used += slot->key == 0;
    *slot = (struct floor_slot){ key, INT64_MAX };
    return true;
}

void floors_set(struct floors *floors, int64_t key, int64_t until_us)
{
    find(floors, key)->until_us = until_us;
}
