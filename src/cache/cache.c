/* The two levels put together.
 *
 * A read looks into memory; a miss makes one caller the leader of a flight, who looks into Redis,
 * or loads and fills both. A change goes to Redis first and drops from memory after: the other way
 * round, a read between the two could bring Redis's old value back into memory.
 *
 * What memory holds is served while somebody tells us of changes (Redis does, or this is the only
 * process), and otherwise only for categories that are safe alone. */
#include "cache/cache.h"

#include "cache/redis.h"

#include <sodium.h>
#include <stdlib.h>

#define MEMORY_BASE      ((size_t)16 * 1024 * 1024)
#define MEMORY_PER_GUILD ((size_t)4 * 1024)
#define MEMORY_MAX       ((size_t)256 * 1024 * 1024)
#define PATTERN_MAX      CACHE_KEY_MAX

struct cache {
    struct memory *memory;
    struct redis *redis; /* NULL: there is no REDIS_URL */
    struct metrics *metrics, *own_metrics;
    bool is_only_process;
};

/* --- life --- */

static void changed_elsewhere(void *context, const struct cache_name *name, struct str_view pattern)
{
    const struct cache *cache = context;
    if (name)
        memory_drop(cache->memory, name);
    else
        memory_clear(cache->memory, pattern);
}

static int start_levels(struct cache *cache, const struct cache_settings *settings, struct err *err)
{
    if (!settings->metrics)
        cache->own_metrics = metrics_new();
    cache->metrics = settings->metrics ? settings->metrics : cache->own_metrics;
    const struct memory_settings memory = { .limit_bytes = settings->memory_bytes,
                                            .clock = settings->clock,
                                            .metrics = cache->metrics };
    cache->memory = memory_new(&memory);
    if (!cache->metrics || !cache->memory)
        return err_set(err, ERR_MEMORY, "the cache's memory");
    if (!settings->redis_url[0])
        return 0;
    const struct redis_settings redis = {
        .url = settings->redis_url,
        .name_space = settings->name_space,
        .clock = settings->clock,
        .metrics = cache->metrics,
        .log = settings->log,
        .timeout_ms = settings->redis_timeout_ms,
        .changed = changed_elsewhere,
        .context = cache,
    };
    return redis_new(&cache->redis, &redis, err);
}

int cache_new(struct cache **out, const struct cache_settings *settings, struct err *err)
{
    if (sodium_init() < 0)
        return err_set(err, ERR_INTERNAL, "libsodium");
    struct cache *cache = calloc(1, sizeof(*cache));
    if (!cache)
        return err_set(err, ERR_MEMORY, "the cache");
    cache->is_only_process = settings->is_only_process;
    int result = start_levels(cache, settings, err);
    if (result != 0) {
        cache_free(cache);
        return result;
    }
    *out = cache;
    return 0;
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    redis_free(cache->redis);
    memory_free(cache->memory);
    metrics_free(cache->own_metrics);
    free(cache);
}

enum cache_state cache_state(const struct cache *cache)
{
    if (!cache->redis)
        return CACHE_MEMORY_ONLY;
    return redis_is_trusted(cache->redis) ? CACHE_OK : CACHE_DEGRADED;
}

const char *cache_state_word(enum cache_state state)
{
    static const char *const words[] = {
        [CACHE_OK] = "ok", [CACHE_DEGRADED] = "degraded", [CACHE_MEMORY_ONLY] = "memory only"
    };
    return words[state];
}

size_t cache_memory_for(int64_t guild_count)
{
    size_t guilds = guild_count > 0 ? (size_t)guild_count : 0;
    if (guilds > (MEMORY_MAX - MEMORY_BASE) / MEMORY_PER_GUILD)
        return MEMORY_MAX;
    return MEMORY_BASE + guilds * MEMORY_PER_GUILD;
}

/* --- reading --- */

static bool may_serve(const struct cache *cache, enum cache_category category)
{
    return cache->is_only_process || cache_category_info(category)->is_safe_alone ||
           (cache->redis && redis_is_trusted(cache->redis));
}

static bool is_cacheable(struct str_view key)
{
    return key.length > 0 && key.length <= CACHE_KEY_MAX;
}

static void count(const struct cache *cache, enum metric metric, enum cache_category category)
{
    metrics_add_by(cache->metrics, metric, (int)category, 1);
}

/* The entry's value into the caller's arena; its reference is taken. */
static int hand_out(struct memory_entry *entry, struct arena *arena, struct str_view *value,
                    struct err *err)
{
    int result = entry->is_absent ? 0 : 1;
    *value = STR_NONE;
    if (result == 1) {
        *value = arena_copy(arena, memory_entry_value(entry));
        if (!value->data)
            result = err_set(err, ERR_MEMORY, "a cached value");
    }
    memory_entry_release(entry);
    return result;
}

static int count_hit(const struct cache *cache, enum metric metric,
                     const struct memory_entry *entry)
{
    count(cache, metric, entry->category);
    if (entry->is_absent)
        count(cache, METRIC_CACHE_NEGATIVE, entry->category);
    return entry->is_absent ? 0 : 1;
}

struct load {
    const struct cache_name *name;
    cache_loader *loader;
    void *context;
    struct arena *arena;
    struct str_view *value;
};

static int run_loader(const struct cache *cache, const struct load *load, struct err *err)
{
    count(cache, METRIC_CACHE_LOADS, load->name->category);
    *load->value = STR_NONE;
    return load->loader(load->context, load->arena, load->value, err);
}

/* The leader's way: Redis, else the loader, whose value goes to both levels. */
static int lead(struct cache *cache, const struct load *load, bool is_served, struct flight *flight,
                struct err *err)
{
    const struct cache_name *name = load->name;
    int64_t ttl_ms = cache_category_info(name->category)->ttl_ms;
    char ticket[REDIS_TICKET_SIZE] = "";
    struct landing landing = { .may_keep = is_served, .ttl_us = ttl_ms * 1000 };
    enum redis_fetch fetched =
        cache->redis ? redis_fetch(cache->redis, name, ticket, &landing.entry, &landing.ttl_us)
                     : REDIS_AWAY;
    if (fetched == REDIS_FOUND) {
        landing.result = count_hit(cache, METRIC_CACHE_SHARED_HITS, landing.entry);
        memory_land(cache->memory, flight, &landing);
        return hand_out(landing.entry, load->arena, load->value, err);
    }
    count(cache, METRIC_CACHE_MISSES, name->category);
    landing.ttl_us = ttl_ms * 1000;
    landing.result = run_loader(cache, load, &landing.err);
    if (landing.result >= 0)
        landing.entry = memory_entry_new(name, landing.result == 0, *load->value);
    if (landing.entry && ticket[0] &&
        !redis_fill(cache->redis, name, ticket, landing.entry, ttl_ms))
        landing.may_keep = false;
    memory_land(cache->memory, flight, &landing);
    memory_entry_release(landing.entry);
    if (landing.result < 0 && err)
        *err = landing.err;
    return landing.result;
}

static int follow(struct cache *cache, const struct load *load, struct flight *flight,
                  struct err *err)
{
    struct memory_entry *entry = NULL;
    count(cache, METRIC_CACHE_MISSES, load->name->category);
    int result = memory_follow(cache->memory, flight, &entry, err);
    if (result == MEMORY_NOT_SHARED)
        return run_loader(cache, load, err);
    return entry ? hand_out(entry, load->arena, load->value, err) : result;
}

int cache_get(struct cache *cache, enum cache_category category, struct str_view key,
              cache_loader *loader, void *context, struct arena *arena, struct str_view *value,
              struct err *err)
{
    const struct cache_name name = { category, key };
    const struct load load = { &name, loader, context, arena, value };
    struct memory_entry *entry = NULL;
    struct flight *flight = NULL;
    *value = STR_NONE;
    if (!cache || !is_cacheable(key))
        return loader(context, arena, value, err);
    bool is_served = may_serve(cache, category);
    switch (memory_look(cache->memory, &name, is_served, &entry, &flight)) {
    case MEMORY_HIT:
        count_hit(cache, METRIC_CACHE_HITS, entry);
        return hand_out(entry, arena, value, err);
    case MEMORY_LEADS:
        return lead(cache, &load, is_served, flight, err);
    case MEMORY_FOLLOWS:
        return follow(cache, &load, flight, err);
    case MEMORY_ALONE:
        break;
    }
    count(cache, METRIC_CACHE_MISSES, category);
    return run_loader(cache, &load, err);
}

/* --- changes --- */

void cache_invalidate(struct cache *cache, enum cache_category category, struct str_view key)
{
    const struct cache_name name = { category, key };
    cache_invalidate_list(cache, &name, 1);
}

void cache_invalidate_list(struct cache *cache, const struct cache_name *names, size_t name_count)
{
    for (size_t from = 0, to; cache && from < name_count; from = to + 1) {
        for (to = from; to < name_count && is_cacheable(names[to].key);)
            to++;
        if (cache->redis && to > from)
            redis_invalidate(cache->redis, names + from, to - from);
        for (size_t i = from; i < to; i++)
            memory_drop(cache->memory, &names[i]);
    }
}

int cache_clear(struct cache *cache, struct str_view pattern, struct cache_cleared *cleared,
                struct err *err)
{
    *cleared = (struct cache_cleared){ 0 };
    if (pattern.length == 0 || pattern.length > PATTERN_MAX)
        return err_set(err, ERR_INVALID, "a pattern has 1 to %d bytes", PATTERN_MAX);
    if (!cache)
        return 0;
    int result = cache->redis ? redis_clear(cache->redis, pattern, &cleared->shared, err) : 0;
    cleared->memory = memory_clear(cache->memory, pattern);
    return result;
}

void cache_statistics(const struct cache *cache, enum cache_category category,
                      struct cache_statistics *statistics)
{
    const struct metrics *metrics = cache->metrics;
    int label = (int)category;
    *statistics = (struct cache_statistics){
        .memory_hits = metrics_read(metrics, METRIC_CACHE_HITS, label),
        .shared_hits = metrics_read(metrics, METRIC_CACHE_SHARED_HITS, label),
        .misses = metrics_read(metrics, METRIC_CACHE_MISSES, label),
        .loads = metrics_read(metrics, METRIC_CACHE_LOADS, label),
        .negative = metrics_read(metrics, METRIC_CACHE_NEGATIVE, label),
        .evictions = metrics_read(metrics, METRIC_CACHE_EVICTIONS, label),
        .bytes = memory_bytes(cache->memory, category),
    };
}
