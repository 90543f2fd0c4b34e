/* What operators ask and get. No memory of its own. */
#include "cache/cache_admin.h"

#include "core/json_out.h"

static void write_count(struct json_out *out, const char *key, int64_t count)
{
    json_key(out, key);
    json_int(out, count);
}

static void write_category(const struct cache *cache, enum cache_category category,
                           struct json_out *out)
{
    struct cache_statistics statistics;
    cache_statistics(cache, category, &statistics);
    json_object_begin(out);
    json_key(out, "name");
    json_text(out, str_from(cache_category_info(category)->word));
    write_count(out, "hits", statistics.memory_hits);
    write_count(out, "shared_hits", statistics.shared_hits);
    write_count(out, "misses", statistics.misses);
    write_count(out, "loads", statistics.loads);
    write_count(out, "evictions", statistics.evictions);
    write_count(out, "bytes", statistics.bytes);
    json_object_end(out);
}

int cache_admin_list(const struct cache *cache, struct buf *json, struct err *err)
{
    struct json_out out = { .buf = json };
    json_object_begin(&out);
    json_key(&out, "state");
    json_text(&out, str_from(cache_state_word(cache_state(cache))));
    json_key(&out, "categories");
    json_array_begin(&out);
    for (int i = 0; i < CACHE_CATEGORY_COUNT; i++)
        write_category(cache, (enum cache_category)i, &out);
    json_array_end(&out);
    json_object_end(&out);
    return json->has_failed ? err_set(err, ERR_MEMORY, "the cache as JSON") : 0;
}

int cache_admin_clear(struct cache *cache, struct str_view pattern, struct buf *json,
                      struct err *err)
{
    struct cache_cleared cleared;
    struct json_out out = { .buf = json };
    int result = cache_clear(cache, pattern, &cleared, err);
    if (result != 0)
        return result;
    json_object_begin(&out);
    write_count(&out, "memory", cleared.memory);
    write_count(&out, "shared", cleared.shared);
    json_object_end(&out);
    return json->has_failed ? err_set(err, ERR_MEMORY, "what was cleared as JSON") : 0;
}
