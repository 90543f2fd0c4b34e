/* A heap of things that have a struct heap_node inside: no memory of its own, so nothing can fail.
 * Pairing heap: adding O(1), taking out O(log n) amortised. For one thread. */
#ifndef OUTBOX_PAIRING_HEAP_H
#define OUTBOX_PAIRING_HEAP_H

#include <stdbool.h>

struct heap_node {
    struct heap_node *child;    /* the first of those that come later */
    struct heap_node *sibling;  /* the next child of the same parent */
    struct heap_node *previous; /* the sibling before, or the parent; NULL at the root */
};

/* Whether `a` comes before `b`: a strict order. */
typedef bool heap_order(const struct heap_node *a, const struct heap_node *b);

struct heap {
    struct heap_node *root; /* the first; NULL: empty */
    heap_order *is_before;
};

void heap_add(struct heap *heap, struct heap_node *node);
void heap_remove(struct heap *heap, struct heap_node *node); /* any node of this heap */

#endif
