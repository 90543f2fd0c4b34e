/* The cache's second level: values in Redis, shared by all processes, and the word of changes
 * between them.
 *
 * Any thread asks; it waits for Redis at most REDIS_TIMEOUT_MS, and not at all while the breaker is
 * not closed. A thread of this room (the keeper) holds the subscription, tries Redis again after
 * trouble, and calls `changed`. Redis is used only while the subscription stands: no value is read
 * from it, or kept because of it, of whose change nobody would tell us.
 *
 * Keys are `NAMESPACE:RUN:EPOCH:category:key`. RUN is the run id of the Redis server: values that a
 * restarted server read from its disk, or a replica has that became the master, are not seen. EPOCH
 * is a counter in Redis that a process advances, before it uses Redis again, when it could not tell
 * Redis of a change; and when it starts, for the sake of one that died between its commit and the
 * word of it. Every read compares the epoch in the same round trip.
 *
 * A value is stored as `v` and its bytes, "there is none" as `n`, and a load under way as `t` and a
 * random token: a miss puts it there, the load's end replaces it with the value only while it is
 * still there, and a change deletes either. So a load that began before a change leaves nothing. */
#ifndef CACHE_REDIS_H
#define CACHE_REDIS_H

#include "cache/memory.h"

#include "core/log_sink.h"
#include "redis/breaker.h"

#define REDIS_CONNECTIONS    8
#define REDIS_NAMESPACE_SIZE 64
#define REDIS_TICKET_SIZE    18 /* `t`, 16 hexadecimal digits and a zero byte */

struct redis;

struct redis_settings {
    const char *url;
    const char *name_space; /* begins every key and names the channel: one for each bot */
    const struct clock *clock;
    struct metrics *metrics;
    struct log_sink *log;
    int timeout_ms; /* 0: REDIS_TIMEOUT_MS */
    /* Called by the keeper and by threads that ask: something has changed elsewhere. `name` NULL:
     * everything that matches `pattern`. */
    void (*changed)(void *context, const struct cache_name *name, struct str_view pattern);
    void *context;
};

/* Fails for a wrong URL or without memory or threads; whether Redis is there shows later. */
int redis_new(struct redis **redis, const struct redis_settings *settings,
              struct err *err) MUST_CHECK;
void redis_free(struct redis *redis); /* nobody may be inside; NULL is fine */

/* After Redis was away, a process that is back early must not trust what it reads: others that are
 * still on their way back could not yet tell of their changes. All are back after the longest wait
 * between two trials and the time of one. */
#define REDIS_REUNION_US (BREAKER_BACKOFF_MAX_US + INT64_C(1000000))

/* Whether values may be served: Redis is there, and so is everybody who could tell of changes. */
bool redis_is_trusted(const struct redis *redis);

enum redis_fetch {
    REDIS_FOUND, /* `*entry`: the caller releases it; `*ttl_us`: how long it will live */
    REDIS_MISS,  /* `ticket` is for redis_fill; "" when there is none */
    REDIS_AWAY,
};

enum redis_fetch redis_fetch(struct redis *redis, const struct cache_name *name,
                             char ticket[REDIS_TICKET_SIZE], struct memory_entry **entry,
                             int64_t *ttl_us);

/* False when Redis said that the value has changed since the ticket was given: it is not to be kept
 * anywhere. */
bool redis_fill(struct redis *redis, const struct cache_name *name,
                const char ticket[REDIS_TICKET_SIZE], const struct memory_entry *entry,
                int64_t ttl_ms);

/* Deletes values and tickets and tells everybody else. What fails is made good by a new epoch. */
void redis_invalidate(struct redis *redis, const struct cache_name *names, size_t count);

/* The same for all that matches; `*count` keys were deleted. */
int redis_clear(struct redis *redis, struct str_view pattern, int64_t *count,
                struct err *err) MUST_CHECK;

#endif
