/* The two halves of writing a reply: reply_write.c the answer and its nesting, reply_write_part.c
 * the fields of each component. */
#ifndef DISCORD_REPLY_WRITE_H
#define DISCORD_REPLY_WRITE_H

#include "discord/reply_tree.h"

struct writer {
    const struct reply *reply;
    struct json_out json;
    size_t units_left; /* of text displays */
    size_t texts_left;
};

void reply_write_text(struct json_out *json, const char *key, struct str_view text);
void reply_write_int(struct json_out *json, const char *key, int64_t value);

/* The fields of a component, what it holds apart. */
void reply_write_part(struct writer *writer, const struct node *node);

/* The list its children go into; NULL when it has none, or (a label) not as a list. */
const char *reply_list_key(const struct node *node);

#endif
