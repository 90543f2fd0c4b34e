/* The tree is merged without recursion: children in pairs from left to right, then the pairs from
 * right to left. */
#include "outbox/pairing_heap.h"

#include <stddef.h>

/* Two roots without siblings become one. NULL is the empty tree. */
static struct heap_node *merge(const struct heap *heap, struct heap_node *a, struct heap_node *b)
{
    if (!a || !b)
        return a ? a : b;
    struct heap_node *first = heap->is_before(b, a) ? b : a;
    struct heap_node *second = first == a ? b : a;
    second->sibling = first->child;
    second->previous = first;
    if (first->child)
        first->child->previous = second;
    first->child = second;
    return first;
}

void heap_add(struct heap *heap, struct heap_node *node)
{
    *node = (struct heap_node){ 0 };
    heap->root = merge(heap, heap->root, node);
}

static struct heap_node *cut_first(struct heap_node **list)
{
    struct heap_node *node = *list;
    if (!node)
        return NULL;
    *list = node->sibling;
    node->sibling = NULL;
    node->previous = NULL;
    return node;
}

static struct heap_node *merge_children(const struct heap *heap, struct heap_node *children)
{
    struct heap_node *pairs = NULL; /* the last pair first */
    while (children) {
        struct heap_node *a = cut_first(&children);
        struct heap_node *b = cut_first(&children);
        struct heap_node *pair = merge(heap, a, b);
        pair->sibling = pairs;
        pairs = pair;
    }
    struct heap_node *root = NULL;
    while (pairs)
        root = merge(heap, root, cut_first(&pairs));
    return root;
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    struct heap_node *orphans = merge_children(heap, node->child);
    if (node == heap->root) {
        heap->root = orphans;
    } else {
        if (node->previous->child == node)
            node->previous->child = node->sibling;
        else
            node->previous->sibling = node->sibling;
        if (node->sibling)
            node->sibling->previous = node->previous;
        heap->root = merge(heap, heap->root, orphans);
    }
    *node = (struct heap_node){ 0 };
}
