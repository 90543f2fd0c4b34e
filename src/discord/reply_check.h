/* The two halves of checking a reply: reply_check.c walks the tree and knows what may be where,
 * reply_check_part.c knows what each component must have. */
#ifndef DISCORD_REPLY_CHECK_H
#define DISCORD_REPLY_CHECK_H

#include "discord/reply_tree.h"

struct check {
    const struct reply *reply;
    const char *prefix; /* "data." around an inline answer */
    struct err *err;
};

/* Names the path and returns `code`. `node` NULL: the answer as a whole; `field` "": the node
 * itself. */
int reply_check_fault(const struct check *check, int code, const struct node *node,
                      const char *field, const char *format, ...) PRINTF_LIKE(5, 6);

/* A text that can't be cut: 1-`max` characters. */
int reply_check_text(const struct check *check, const struct node *node, const char *field,
                     struct str_view text, size_t max) MUST_CHECK;
int reply_check_range(const struct check *check, const struct node *node, const char *field,
                      int value, int min, int max) MUST_CHECK;

/* The fields of one component, its custom_id and children apart. */
int reply_check_part(const struct check *check, const struct node *node) MUST_CHECK;

#endif
