/* Discord's rate limits, learned from its answers: pure, for one thread, with the time passed in.
 * https://docs.discord.com/developers/topics/rate-limits
 *
 * A bucket is what Discord calls so: a hash it names in X-RateLimit-Bucket, together with the major
 * parameter of the path (a webhook's id and token, a channel, a guild). Which hash a route has is
 * learned from the first answer and kept; until then a route and its major parameter are a bucket
 * of their own, in which one request at a time finds out. Times are monotonic: of Discord's headers
 * only the relative ones are used, so nobody's wall clock matters.
 *
 * Before sending: limiter_take; after the answer or its loss: limiter_heard, exactly once for each
 * request that was let through. */
#ifndef DISCORD_RATE_LIMITER_H
#define DISCORD_RATE_LIMITER_H

#include "discord/rest.h"

/* https://docs.discord.com/developers/topics/rate-limits#global-rate-limit */
#define LIMITER_GLOBAL_PER_SECOND 50
/* https://docs.discord.com/developers/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans
 */
#define LIMITER_INVALID_MAX       10000
#define LIMITER_INVALID_WINDOW_MS 600000
#define LIMITER_BRAKE_PERCENT     80 /* of the invalid requests: then one request a second at most */
#define LIMITER_IDLE_MS           600000 /* a bucket nobody used for so long is forgotten */
#define LIMITER_BUCKETS_MAX       100000 /* above, those idle the longest go first */

struct limiter;

/* What a request counts against. Texts are borrowed for the call only. */
struct limiter_route {
    struct str_view
        route; /* method and path without ids: "PATCH /webhooks/:id/:token/messages/:id" */
    struct str_view major; /* "123/token": hashed at once, never kept or logged */
    bool is_as_bot;        /* carries the bot's token: the global limit counts it */
};

struct limiter_settings {
    int global_per_second; /* 0: LIMITER_GLOBAL_PER_SECOND */
    int invalid_max;       /* 0: LIMITER_INVALID_MAX */
    size_t buckets_max;    /* 0: LIMITER_BUCKETS_MAX */
};

int limiter_new(struct limiter **limiter, const struct limiter_settings *settings,
                struct err *err) MUST_CHECK;
void limiter_free(struct limiter *limiter); /* NULL allowed */

enum limiter_wait {
    LIMITER_GO,
    LIMITER_WAIT_BUCKET, /* nothing remains, or somebody probes it */
    LIMITER_WAIT_GLOBAL, /* the bot's own limit, or a global 429 */
    LIMITER_WAIT_BANNED, /* Cloudflare's silence, or its one probe is under way */
    LIMITER_WAIT_BRAKE,  /* too many invalid requests */
};

/* Which bucket a request that was let through went to. */
struct limiter_ticket {
    uint64_t bucket[2];
    uint64_t sequence;  /* the number of the request */
    uint64_t in_bucket; /* its number in the bucket */
    bool is_probe;      /* of a ban */
    bool is_as_bot;
};

/* GO and a ticket, with the request counted; or why not, and when to ask again (monotonic, later
 * than `now_us`). */
enum limiter_wait limiter_take(struct limiter *limiter, const struct limiter_route *route,
                               int64_t now_us, struct limiter_ticket *ticket, int64_t *ask_at_us);

/* What came of it. `response` without an answer gives the place back where Discord can't have
 * counted it, and keeps it where it can. */
void limiter_heard(struct limiter *limiter, const struct limiter_route *route,
                   const struct limiter_ticket *ticket, const struct rest_response *response,
                   const struct rest_error *error, int64_t now_us);

/* An extra pause between any two requests of one bucket (the operator's `rate_limit_delay`). */
void limiter_set_delay(struct limiter *limiter, int64_t delay_ms);

/* Forgets idle buckets; cheap, to be called now and then. */
void limiter_sweep(struct limiter *limiter, int64_t now_us);

/* For metrics. */
struct limiter_state {
    size_t buckets, routes;
    int invalid;           /* in the present window */
    int64_t shut_until_us; /* 0: nothing shuts all sending */
    bool is_braked;
};
void limiter_state(const struct limiter *limiter, int64_t now_us, struct limiter_state *state);

#endif
