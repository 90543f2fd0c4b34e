/* The way to Redis by which processes of one bot deal out their parts of Discord's limits, and tell
 * each other of buckets that are closed, of global 429s and of bans.
 *
 * A thread of this room alone talks to Redis, on two connections of its own; the others' functions
 * never wait for it. When Redis is away the thread tries it again after a while, and every ask is
 * answered "not given". What is in Redis is short-lived and bound to the run of its server: after a
 * restart the parts are dealt out anew (limit_script.c).
 *
 * A lesson names a bucket by keyed hashes; no token, id or path goes to Redis. */
#ifndef OUTBOX_LIMIT_SHARE_H
#define OUTBOX_LIMIT_SHARE_H

#include "bronx/clock.h"

#include "core/log_sink.h"
#include "core/metrics.h"
#include "outbox/limit_holding.h"

/* How many lessons wait to be told, and to be heard; more of buckets are dropped. */
#define LIMIT_SHARE_LESSONS_MAX 1024

struct limit_share;

struct limit_share_settings {
    const char *url;        /* REDIS_URL */
    const char *name_space; /* begins every key and names the channel: one for each bot */
    const struct limit_rules *rules;
    const struct clock *clock;
    struct metrics *metrics;
    struct log_sink *log;
    /* There is an answer, or something to be heard. On the thread of this room; must not block. */
    void (*wake)(void *context);
    void *context;
};

/* Fails for a wrong URL or without memory or threads; whether Redis is there shows later. */
int limit_share_new(struct limit_share **share, const struct limit_share_settings *settings,
                    struct err *err) MUST_CHECK;
void limit_share_free(struct limit_share *share); /* NULL allowed */

/* Whether an ask has a chance. From any thread. */
bool limit_share_is_up(const struct limit_share *share);

/* One at a time: the next after the answer. */
void limit_share_ask(struct limit_share *share, const struct limit_ask *ask);
/* False while there is none. `*attempted_us`: see limit_holding_attempted. */
bool limit_share_answer(struct limit_share *share, struct limit_answer *answer,
                        int64_t *attempted_us);

void limit_share_tell(struct limit_share *share, const struct limiter_lesson *lessons,
                      size_t count);
/* Moves what others have told to `lessons`; returns how many. */
size_t limit_share_hear(struct limit_share *share, struct limiter_lesson *lessons, size_t max);

#endif
