/* Reading through the cache. A read that many calls repeat goes through cache_get with a loader
 * that asks the database; whoever commits a change of it calls cache_invalidate afterwards. There
 * are two levels, this process's memory and, where REDIS_URL is set, Redis; docs/caching.md tells
 * how they are kept right.
 *
 * Any thread may call anything here. A NULL cache is allowed everywhere: every read is a load. */
#ifndef BRONX_CACHE_H
#define BRONX_CACHE_H

#include "bronx/arena.h"
#include "bronx/err.h"

struct cache;

/* name, the word in keys and patterns, seconds to live, is_safe_alone, what it holds.
 *
 * is_safe_alone: whether this process's memory may answer while Redis is away and other processes
 * write. Nobody tells it of their writes then, so what it holds may be old by its time to live. The
 * others are loaded each time, unless this is the only process. */
#define CACHE_CATEGORIES(X)                                                                        \
    X(CACHE_USER, "user", 300, false, "what is known of a person: terms, profile")                 \
    X(CACHE_GUILD, "guild", 600, false, "what is known of a server")                               \
    X(CACHE_COMMAND_STATS, "stats", 1800, true, "how often commands were used")                    \
    X(CACHE_ECONOMY, "economy", 180, false, "balances and ranks that are only shown")              \
    X(CACHE_SETTINGS, "settings", 600, false, "what a server or person has set")                   \
    X(CACHE_TEMPORARY, "temp", 60, true, "what may be old by a minute")                            \
    X(CACHE_COOLDOWN, "cooldown", 60, false, "a person's cooldowns that are in force")

enum cache_category {
#define X(name, word, seconds, is_safe_alone, help) name,
    CACHE_CATEGORIES(X)
#undef X
        CACHE_CATEGORY_COUNT
};

struct cache_category_info {
    const char *word;
    int64_t ttl_ms;
    bool is_safe_alone;
    const char *help;
};

const struct cache_category_info *cache_category_info(enum cache_category category);

/* Longer keys and empty ones are never cached; larger values neither. */
#define CACHE_KEY_MAX   200
#define CACHE_VALUE_MAX ((size_t)256 * 1024)

/* Asks the database. 1: found, `*value` lives in `arena`; 0: there is no such row (which is cached
 * too); negative: an error (which never is). It may read other keys through the cache, not its own.
 */
typedef int cache_loader(void *context, struct arena *arena, struct str_view *value,
                         struct err *err);

/* 1: `*value` lives in `arena`; 0: absent; negative: the loader's error. Calls for one key at the
 * same time share one load and its result or error. */
int cache_get(struct cache *cache, enum cache_category category, struct str_view key,
              cache_loader *loader, void *context, struct arena *arena, struct str_view *value,
              struct err *err) MUST_CHECK;

/* After the commit, never before it. A read that begins after this returns sees the change in this
 * process; in the others as soon as Redis has told them. Can't fail: what Redis did not hear is
 * made good before Redis is used again. */
void cache_invalidate(struct cache *cache, enum cache_category category, struct str_view key);

struct cache_name {
    enum cache_category category;
    struct str_view key;
};

/* The same for several, at the price of one. */
void cache_invalidate_list(struct cache *cache, const struct cache_name *names, size_t count);

struct cache_cleared {
    int64_t memory; /* entries this process held */
    int64_t shared; /* entries in Redis, reservations of loads under way among them */
};

/* Drops what matches a glob pattern over `category:key` ("temp:*"; `*`, `?`, `[a-z]`, `[^a]`, `\x`)
 * here, in Redis and on every instance. ERR_UNAVAILABLE when Redis is away: it is done here, and by
 * the others once it is back. */
int cache_clear(struct cache *cache, struct str_view pattern, struct cache_cleared *cleared,
                struct err *err) MUST_CHECK;

/* Since the start, of this process. */
struct cache_statistics {
    int64_t memory_hits, shared_hits; /* answered by memory; by Redis */
    int64_t misses;                   /* answered by neither, waiters included */
    int64_t loads;
    int64_t negative;  /* hits among the above that were "there is none" */
    int64_t evictions; /* for want of room */
    int64_t bytes;     /* held in memory now */
};

void cache_statistics(const struct cache *cache, enum cache_category category,
                      struct cache_statistics *statistics);

#endif
