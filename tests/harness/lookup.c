/* Open addressing with linear probing, at most half full. */
#include "harness/lookup.h"

#include "harness/memory.h"

#include <stdlib.h>

#define FIRST_CAPACITY 64

static size_t slot_of(const struct lookup *lookup, uint64_t key)
{
    size_t slot = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (lookup->capacity - 1);
    while (lookup->slots[slot].item && lookup->slots[slot].key != key)
        slot = (slot + 1) & (lookup->capacity - 1);
    return slot;
}

static void grow(struct lookup *lookup)
{
    struct lookup larger = { .capacity = lookup->capacity ? lookup->capacity * 2 : FIRST_CAPACITY };
    larger.slots = must_allocate(larger.capacity, sizeof(*larger.slots));
    larger.count = lookup->count;
    for (size_t i = 0; i < lookup->capacity; i++)
        if (lookup->slots[i].item)
            larger.slots[slot_of(&larger, lookup->slots[i].key)] = lookup->slots[i];
    free(lookup->slots);
    *lookup = larger;
}

void lookup_add(struct lookup *lookup, uint64_t key, void *item)
{
    if (lookup->count * 2 >= lookup->capacity)
        grow(lookup);
    struct lookup_slot *slot = &lookup->slots[slot_of(lookup, key)];
    if (slot->item)
        return;
    *slot = (struct lookup_slot){ key, item };
    lookup->count++;
}

void *lookup_find(const struct lookup *lookup, uint64_t key)
{
    return lookup->capacity ? lookup->slots[slot_of(lookup, key)].item : NULL;
}

/* FNV-1a: the texts are the tests' own, nobody picks them to collide. */
uint64_t lookup_hash(struct str_view text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.length; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

void lookup_free(struct lookup *lookup)
{
    free(lookup->slots);
    *lookup = (struct lookup){ 0 };
}
