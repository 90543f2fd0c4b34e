/* What the files of the second level share: redis.c (what the cache asks), redis_pool.c
 * (connections and the breaker), redis_keeper.c (the subscription). */
#ifndef CACHE_REDIS_INTERNAL_H
#define CACHE_REDIS_INTERNAL_H

#include "cache/redis.h"
#include "redis/breaker.h"
#include "redis/connection.h"

#include <pthread.h>
#include <stdatomic.h>

#define REDIS_INSTANCE_SIZE 17

struct redis_connection {
    struct redis_connection *next; /* while idle */
    redisContext *context;
    int64_t period; /* the breaker's, when it was made */
};

struct redis {
    struct redis_settings settings;
    struct redis_address address;
    char name_space[REDIS_NAMESPACE_SIZE];
    char epoch_key[REDIS_NAMESPACE_SIZE + 8], channel[REDIS_NAMESPACE_SIZE + 16];
    char instance[REDIS_INSTANCE_SIZE]; /* tells our own messages */
    struct log log;
    pthread_t keeper;
    int wake_fd; /* an eventfd: the keeper looks up */
    atomic_bool is_stopping;
    atomic_bool is_up; /* the breaker is closed; for whom a look without the lock is enough */
    _Atomic int64_t trusted_at_us; /* see REDIS_REUNION_US; set before `is_up` is */

    pthread_mutex_t lock;     /* over all below */
    pthread_cond_t available; /* a connection came back, or the breaker opened */
    struct breaker breaker;
    struct redis_address resolved; /* `address` as numbers: connecting asks no name server */
    char run_id[REDIS_RUN_ID_SIZE];
    int64_t epoch;
    uint64_t lost;   /* changes Redis may not have heard of */
    uint64_t healed; /* those of them that an epoch has made good */
    bool is_healing; /* a trial goes well, but changes were lost while it advanced the epoch */
    bool was_told_away, was_told_up;
    struct redis_connection *idle;
    int connection_count; /* idle, lent and being made */
};

/* --- redis_pool.c --- */

/* redis_exchange on a connection of the pool. ERR_UNAVAILABLE while the breaker is not closed;
 * trouble opens it. */
int redis_run(struct redis *redis, const struct redis_command *commands, size_t count,
              redisReply **replies, struct err *err) MUST_CHECK;

/* The keeper's: opens the breaker, or lets it be open. */
void redis_give_up(struct redis *redis, const struct err *why);

/* A change Redis may not have heard of: no use of it before a new epoch. */
void redis_lose(struct redis *redis, const struct err *why);

/* Waits, at most REDIS_TIMEOUT_MS, for a trial that changes keep from ending. */
void redis_await_healing(struct redis *redis);

void redis_close_idle(struct redis *redis);
void redis_connection_free(struct redis_connection *connection);

/* --- redis_keeper.c --- */

void *redis_keep(void *redis);

/* The epoch Redis has is another one: what memory holds may be old. */
void redis_adopt_epoch(struct redis *redis, int64_t epoch);

#endif
