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
#define LIMITER_SHARE_KEY_BYTES   32
#define LIMITER_LESSONS_MAX       128 /* kept until they are taken; more of buckets are dropped */

/* From so many invalid requests on, of at most `max`, the brake is on. */
static inline int limiter_brake(int max)
{
    return (int)((int64_t)max * LIMITER_BRAKE_PERCENT / 100);
}

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
    /* LIMITER_SHARE_KEY_BYTES, the same for all processes of the bot: they know a bucket by the
     * same name then. NULL: there are no others, and no lessons. */
    const unsigned char *share_key;
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

/* --- Together with other processes of the same bot --- */

/* What this process may use of what Discord counts for all of them together. Without a call it is
 * all that the settings say. */
struct limiter_part {
    int global_per_second; /* at most that of the settings, from 0 on */
    int invalid_max;       /* the same */
    int invalid_brake;     /* from so many of one's own on ... */
    int64_t brake_us;      /* ... one request in so long */
};
void limiter_set_part(struct limiter *limiter, const struct limiter_part *part);

/* How much of them Discord may count for this process now, what is under way included; and whether
 * a request was put off for want of more since the last call. */
struct limiter_use {
    int global, invalid;
    bool is_global_short, is_invalid_short;
};
struct limiter_use limiter_use(struct limiter *limiter, int64_t now_us);

/* What an answer taught that holds for the other processes, too. */
enum limiter_lesson_kind {
    LESSON_BUCKET, /* nothing remains, or a 429 */
    LESSON_BOT,    /* a global 429 of requests with the bot's token ... */
    LESSON_ALL,    /* ... and of others: everything is to wait */
    LESSON_BANNED, /* Cloudflare's ban of the address */
    LESSON_KINDS
};
struct limiter_lesson {
    enum limiter_lesson_kind kind;
    int64_t wait_us;
    /* Keyed hashes of the bucket: by the name that Discord gave it, and for who has not heard that
     * name yet by its route. */
    uint64_t bucket[2], route[2];
};

/* Moves at most `max` to `lessons`; returns how many. */
size_t limiter_take_lessons(struct limiter *limiter, int64_t now_us, struct limiter_lesson *lessons,
                            size_t max);
/* One of another process. */
void limiter_learn(struct limiter *limiter, const struct limiter_lesson *lesson, int64_t now_us);

/* For metrics. */
struct limiter_state {
    size_t buckets, routes;
    int invalid;           /* in the present window */
    int64_t shut_until_us; /* 0: nothing shuts all sending */
    bool is_braked;
};
void limiter_state(const struct limiter *limiter, int64_t now_us, struct limiter_state *state);

#endif
