/* The categories as include/bronx/cache.h lists them. */
#include "bronx/cache.h"
#include "bronx/clock.h"

const struct cache_category_info *cache_category_info(enum cache_category category)
{
    static const struct cache_category_info infos[CACHE_CATEGORY_COUNT] = {
#define X(name, word, seconds, is_safe_alone, help)                                                \
    [name] = { word, (seconds)*MS_PER_SECOND, is_safe_alone, help },
        CACHE_CATEGORIES(X)
#undef X
    };
    return &infos[category];
}
