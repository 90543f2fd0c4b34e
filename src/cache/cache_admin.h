/* The cache for operators, as JSON. Any thread that may wait for Redis. */
#ifndef CACHE_CACHE_ADMIN_H
#define CACHE_CACHE_ADMIN_H

#include "cache/cache.h"

/* {"state":"ok","categories":[{"name":"user","hits":1,...}]}: what this process has counted since
 * its start. */
int cache_admin_list(const struct cache *cache, struct buf *json, struct err *err) MUST_CHECK;

/* cache_clear: {"memory":1,"shared":1}, the entries that left this process and Redis. */
int cache_admin_clear(struct cache *cache, struct str_view pattern, struct buf *json,
                      struct err *err) MUST_CHECK;

#endif
