/* What becomes of a message after each try: pure rules, without a clock or a network of their own.
 * How long *others* wait is the rate limiter's to know.
 * https://docs.discord.com/developers/topics/rate-limits */
#ifndef OUTBOX_OUTBOX_RULES_H
#define OUTBOX_OUTBOX_RULES_H

#include "discord/rest.h"
#include "outbox/outbox.h"

#define OUTBOX_NOT_YET_TRIES    5

/* A message to a channel has a nonce, by which Discord knows it again: a repeat shows no second
 * message, but only "in the past few minutes" after the first. Few are two at least.
 * https://docs.discord.com/developers/resources/message#create-message */
#define OUTBOX_NONCE_KNOWN_MS   120000
/* So long after the first try the last may begin. It arrives later, but no later than its time-out;
 * static_assert in outbox_rules.c. */
#define OUTBOX_REPEAT_WINDOW_MS 90000

/* Times and bounds. Tests bring shorter ones. */
struct outbox_rules {
    /* Discord may see a follow-up before it has taken in the answer the follow-up belongs to. */
    int64_t not_yet_ms[OUTBOX_NOT_YET_TRIES]; /* pauses between tries */
    int64_t not_yet_window_ms;                /* from the answer on; later the token is dead */
    int64_t backoff_base_ms, backoff_cap_ms;  /* full jitter, doubled at each failure */
    int64_t repeat_window_ms;                 /* OUTBOX_REPEAT_WINDOW_MS */
    int64_t ban_ms;                           /* when Cloudflare does not say how long */
    int64_t connect_ms, total_ms;             /* time-outs of one try */
    int count_max;                            /* jobs in memory, those under way included ... */
    size_t bytes_max;                         /* ... and their size */
    int under_way_max;                        /* requests at the same time */
    int64_t patience_ms;                      /* with the database, before a deferral is LATE */
    int64_t lease_ms, heartbeat_ms, poll_ms;  /* of the journal; 0: its own */
};

extern const struct outbox_rules outbox_rules_default;

/* Why a message is tried again: in the order of the labels of METRIC_OUTBOX_RETRIES. */
enum outbox_retry {
    OUTBOX_RETRY_NOT_YET,
    OUTBOX_RETRY_RATE_LIMITED,
    OUTBOX_RETRY_BANNED,
    OUTBOX_RETRY_SERVER_ERROR,
    OUTBOX_RETRY_NETWORK,
};

/* Why a message is given up: in the order of the labels of METRIC_OUTBOX_GIVEN_UP. */
enum outbox_loss {
    OUTBOX_LOSS_TOKEN_DEAD,     /* Discord does not know the token any more */
    OUTBOX_LOSS_EXPIRED,        /* the token's 15 minutes are over, or a channel's day */
    OUTBOX_LOSS_REFUSED,        /* Discord finds the message wrong */
    OUTBOX_LOSS_MESSAGE_GONE,   /* somebody has deleted what was to be edited */
    OUTBOX_LOSS_UNCERTAIN,      /* it may have arrived; repeating it could show it twice */
    OUTBOX_LOSS_RUN_FAILED,     /* a run that nobody can run: its interaction is not understood */
    OUTBOX_LOSS_NOT_STORED,     /* a deferral that no row holds: no memory, or stopping */
    OUTBOX_LOSS_CHANNEL_CLOSED, /* there is no such channel, or the bot may not write there */
    OUTBOX_LOSS_NO_BOT_TOKEN,   /* by which alone channels can be written to */
};

const char *outbox_retry_word(enum outbox_retry retry);
const char *outbox_loss_word(enum outbox_loss loss);

/* A new message: not sent again unless the try certainly had no effect ... */
bool outbox_is_post(enum outbox_method method);
/* ... or Discord knows it again, within OUTBOX_REPEAT_WINDOW_MS. Follow-ups have no nonce. */
bool outbox_has_nonce(enum outbox_method method);

/* What the rules look at. */
struct outbox_try {
    enum outbox_method method;
    bool is_reposted;        /* an edit that is sent anew when its message is gone */
    bool may_have_arrived;   /* by an earlier try */
    int64_t since_answer_ms; /* from the interaction's answer to now */
    int not_yet_count;       /* earlier tries that came too early */
    int failure_count;       /* earlier tries that failed */
    const struct rest_response *response;
    const struct rest_error *error;
};

struct outbox_verdict {
    enum { OUTBOX_SENT, OUTBOX_AGAIN, OUTBOX_REPOST, OUTBOX_LOST } kind;
    enum outbox_retry retry; /* AGAIN: why, and after how long */
    int64_t delay_ms;
    bool may_have_arrived; /* AGAIN: by this try, so only within the window */
    enum outbox_loss loss;
};

struct outbox_verdict outbox_judge(const struct outbox_rules *rules,
                                   const struct outbox_try *attempt);

#endif
