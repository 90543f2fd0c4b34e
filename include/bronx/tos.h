/* Terms of Service: versioned texts, and who accepted which. Rows are kept for ever. */
#ifndef BRONX_TOS_H
#define BRONX_TOS_H

#include "bronx/command.h"

#define TOS_WELCOME_BONUS INT64_C(1000)

struct tos_version {
    const char *version; /* "1.0" */
    const char *text;    /* Markdown */
    char sha256[65];     /* of the text, hexadecimal */
};

/* The newest terms: what the gate asks for. Static storage. */
const struct tos_version *tos_current(void);

enum tos_decision { TOS_UNDECIDED, TOS_ACCEPTED, TOS_DECLINED };

struct tos_status {
    enum tos_decision decision; /* about the current version */
    int64_t decided_at_ms;
    struct str_view
        accepted_version; /* newest ever accepted, absent when none; in the call's arena */
    int64_t accepted_at_ms;
    int64_t guild_id;                    /* where; 0 in a DM */
    struct str_view locale;              /* at that time */
    int acceptance_count, decline_count; /* rows stored about this person */
};

int tos_status(struct call *call, struct tos_status *status, struct err *err) MUST_CHECK;

/* 1 when this person has accepted the current terms, 0 when not. */
int tos_has_accepted(struct call *call, struct err *err) MUST_CHECK;

/* Records the decision (accepting twice is one acceptance) and grants the welcome bonus once per
 * person for ever. `*was_granted` (may be NULL) tells whether this call's interaction granted it.
 * Whoever deleted their data a while ago gets none, and TOS_CLOSED before they may begin anew: then
 * nothing was recorded. Returns an enum tos_acceptance or a negative code. */
enum tos_acceptance { TOS_RECORDED = 0, TOS_CLOSED = 1 };
int tos_accept(struct call *call, bool *was_granted, struct err *err) MUST_CHECK;
int tos_decline(struct call *call, struct err *err) MUST_CHECK;

/* Remembers the command this call wanted to run (`data`: call_command_json) for TOS_BLOCKED_DAYS
 * under its interaction's id, so that it can run after acceptance. */
int tos_block(struct call *call, struct str_view data, struct err *err) MUST_CHECK;

#define TOS_BLOCKED_DAYS 7

struct tos_blocked {
    int64_t id;           /* of the blocked interaction */
    struct str_view data; /* its command as JSON, in the call's arena */
};

/* The command that was blocked, by its interaction's id. 1 when found and this
 * person's, 0 when it is gone or somebody else's. */
int tos_blocked_find(struct call *call, int64_t blocked_id, struct tos_blocked *blocked,
                     struct err *err) MUST_CHECK;

/* Makes the cache forget what it knows of this person's decisions: after they were changed. */
void tos_forget(const struct services *services, int64_t user_id);

#endif
