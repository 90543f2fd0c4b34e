/* Finding things by a 64-bit number: an id, or the hash of a text. Nothing is ever removed. */
#ifndef HARNESS_LOOKUP_H
#define HARNESS_LOOKUP_H

#include "bronx/text.h"

struct lookup_slot {
    uint64_t key;
    void *item; /* NULL: free */
};

struct lookup {
    struct lookup_slot *slots;
    size_t count, capacity; /* a power of two, or 0 */
};

/* `item` (not NULL) is not owned. Of two with the same key the first is found. */
void lookup_add(struct lookup *lookup, uint64_t key, void *item);
void *lookup_find(const struct lookup *lookup, uint64_t key); /* or NULL */
uint64_t lookup_hash(struct str_view text);
void lookup_free(struct lookup *lookup);

#endif
