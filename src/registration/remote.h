/* What Discord has: fetched, and replaced as a whole. */
#ifndef REGISTRATION_REMOTE_H
#define REGISTRATION_REMOTE_H

#include "discord/rest.h"

struct remote {
    struct rest_settings rest;
    int64_t application_id;
    int call_count; /* so far */
};

/* The commands of a guild (0: the global ones), as Discord's JSON. Errors are sentences that say
 * what to do. */
int remote_fetch(struct remote *remote, int64_t guild_id, struct buf *json,
                 struct err *err) MUST_CHECK;

/* Replaces them; `answer` is what Discord has now. Repeating it, or two at once, is harmless. */
int remote_replace(struct remote *remote, int64_t guild_id, struct str_view json,
                   struct buf *answer, struct err *err) MUST_CHECK;

#endif
