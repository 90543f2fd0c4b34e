/* Caches on a real Redis, and a source to load from that can be told to block. */
#ifndef UNIT_CACHE_FIXTURE_H
#define UNIT_CACHE_FIXTURE_H

#include "cache/cache.h"
#include "core/system_clock.h"
#include "harness/redis.h"

#include <pthread.h>

/* What a "database" holds for every key. Any thread. */
struct source {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char value[32]; /* "": there is no such row */
    int error;      /* the loader's result when not 0 */
    int loads;
    bool is_blocked; /* loads wait, holding what they have read */
};

void source_set(struct source *source, const char *value);
void source_block(struct source *source);
void source_await_loads(struct source *source, int count); /* so many have read */
void source_release(struct source *source);
int source_loads(struct source *source);
cache_loader source_load;

struct instance {
    struct cache *cache;
    struct metrics *metrics;
};

/* A Redis that is not in trouble may take so long to answer: it is the machine that stood still. */
#define CACHE_FIXTURE_PATIENCE_MS 20000

struct cache_fixture {
    struct harness_redis redis;
    struct system_clock clock;
    struct log_sink *sink;
    int log_fd;     /* a file without a name */
    int timeout_ms; /* of the instances; 0: as in the bot */
    struct source source;
    struct instance a, b; /* two processes, as far as they can tell */
};

/* Redis and two instances that use it. */
int cache_fixture_setup(void **state);
int cache_fixture_setup_hasty(void **state); /* which notice soon that Redis hangs */
int cache_fixture_teardown(void **state);

/* An instance on `url`; waits for nothing. */
void instance_start(struct cache_fixture *fixture, struct instance *instance, const char *url);
void instance_stop(struct instance *instance);

/* Waits until it is in that state; fails the test when that takes absurdly long. */
void instance_await(const struct instance *instance, enum cache_state state);

/* What a read gives: a value, "" for absent, or "error CODE"; lives in `out`. */
const char *instance_read(struct cache_fixture *fixture, struct instance *instance,
                          enum cache_category category, const char *key, char out[64]);

/* Reads again and again until it gives `value`; prints how long that took. */
void instance_await_value(struct cache_fixture *fixture, struct instance *instance,
                          enum cache_category category, const char *key, const char *value);

/* A command to Redis itself, on a connection of its own: its integer, or the number of elements, or
 * -1 for nil and errors. */
int64_t fixture_command(struct cache_fixture *fixture, const char *format, ...);

/* The log so far, into `out`. */
void fixture_log(struct cache_fixture *fixture, struct buf *out);

#endif
