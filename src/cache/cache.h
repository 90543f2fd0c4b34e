/* The cache as the program that puts the parts together sees it; for everybody else it is
 * bronx/cache.h. */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "bronx/cache.h"
#include "bronx/clock.h"

#include "core/log_sink.h"
#include "core/metrics.h"

struct cache_settings {
    const char *redis_url;  /* "": memory alone */
    int redis_timeout_ms;   /* 0: as long as a reply can wait for it */
    const char *name_space; /* what tells one bot from another on the same Redis; short */
    size_t memory_bytes;
    bool is_only_process; /* no other process writes to the database: memory may serve all alone */
    const struct clock *clock;
    struct metrics *metrics; /* NULL: its own */
    struct log_sink *log;
};

/* Fails for a wrong URL, without memory or threads; never because Redis is away. */
int cache_new(struct cache **cache, const struct cache_settings *settings,
              struct err *err) MUST_CHECK;
void cache_free(struct cache *cache); /* nobody may be inside; NULL is fine */

enum cache_state {
    CACHE_OK,          /* Redis is used */
    CACHE_DEGRADED,    /* Redis is away: memory alone until it is back */
    CACHE_MEMORY_ONLY, /* there is no REDIS_URL */
};

enum cache_state cache_state(const struct cache *cache);
const char *cache_state_word(enum cache_state state); /* "ok", "degraded", "memory only" */

/* Memory for a bot in so many servers: 16 MiB, and 4 KiB for each server, at most 256 MiB. */
size_t cache_memory_for(int64_t guild_count);

#endif
