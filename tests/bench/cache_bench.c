/* What a hit costs: `./dev bench cache`. In this process with one and four threads, and over a
 * Redis of its own beside bare hiredis GETs on the same socket in the same run. */
#include "cache/cache.h"
#include "core/system_clock.h"
#include "harness/redis.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEYS        1000
#define VALUE_BYTES 200
#define RUN_US      INT64_C(1000000)
#define THREADS_MAX 4
#define BURST       100

static char value[VALUE_BYTES];

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int load(void *context, struct arena *arena, struct str_view *loaded, struct err *err)
{
    int64_t *loads = context;
    ++*loads;
    *loaded = arena_copy(arena, (struct str_view){ value, sizeof(value) });
    return loaded->data ? 1 : err_set(err, ERR_MEMORY, "a value");
}

static struct str_view key_number(int number, char text[16])
{
    return (struct str_view){ text, (size_t)snprintf(text, 16, "%d", 100000 + number % KEYS) };
}

static void read_key(struct cache *cache, int number, int64_t *loads)
{
    CLEANUP(arena_free) struct arena arena = { 0 };
    char text[16];
    struct str_view loaded;
    struct err err = { 0 };
    if (cache_get(cache, CACHE_USER, key_number(number, text), load, loads, &arena, &loaded,
                  &err) != 1 ||
        loaded.length != VALUE_BYTES) {
        fprintf(stderr, "a read failed: %s\n", err.message);
        exit(1);
    }
}

/* --- in process --- */

struct player {
    struct cache *cache;
    int64_t until_us;
    int64_t reads, loads;
};

static void *play(void *argument)
{
    struct player *player = argument;
    while (now_us() < player->until_us)
        for (int i = 0; i < BURST; i++)
            read_key(player->cache, (int)player->reads++, &player->loads);
    return NULL;
}

static double hits_per_second(struct cache *cache, int threads)
{
    struct player players[THREADS_MAX];
    pthread_t ids[THREADS_MAX];
    int64_t started_us = now_us(), reads = 0, loads = 0;
    for (int i = 0; i < threads; i++) {
        players[i] = (struct player){ .cache = cache, .until_us = started_us + RUN_US };
        if (pthread_create(&ids[i], NULL, play, &players[i]) != 0)
            exit(1);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        reads += players[i].reads;
        loads += players[i].loads;
    }
    return loads > KEYS ? 0 : (double)reads * 1e6 / (double)(now_us() - started_us);
}

/* --- over Redis --- */

/* What one instance has filled the other reads from Redis alone: it was told that all it held has
 * changed. */
static double shared_hits_per_second(struct cache *filler, struct cache *reader)
{
    int64_t spent_us = 0, hits = 0, loads = 0;
    while (spent_us < RUN_US) {
        struct cache_cleared cleared;
        struct cache_statistics before, after;
        if (cache_clear(filler, STR("user:*"), &cleared, NULL) != 0)
            return 0;
        for (int i = 0; i < KEYS; i++)
            read_key(filler, i, &loads);
        /* The word of the clearing must not come into the measurement. */
        do
            cache_statistics(reader, CACHE_USER, &before);
        while (before.bytes > 0);
        int64_t started_us = now_us();
        for (int i = 0; i < KEYS; i++)
            read_key(reader, i, &loads);
        spent_us += now_us() - started_us;
        cache_statistics(reader, CACHE_USER, &after);
        hits += after.shared_hits - before.shared_hits;
    }
    return (double)hits * 1e6 / (double)spent_us;
}

static double raw_gets_per_second(const struct harness_redis *redis)
{
    redisContext *context = redisConnectUnix(redis->socket);
    int64_t count = 0;
    if (!context || context->err)
        return 0;
    for (int i = 0; i < KEYS; i++) {
        char text[16];
        key_number(i, text);
        freeReplyObject(redisCommand(context, "SET raw:%s %b", text, value, sizeof(value)));
    }
    int64_t started_us = now_us();
    while (now_us() - started_us < RUN_US)
        for (int i = 0; i < BURST; i++) {
            char text[16];
            key_number((int)count++, text);
            redisReply *reply = redisCommand(context, "GET raw:%s", text);
            if (!reply || reply->len != sizeof(value))
                exit(1);
            freeReplyObject(reply);
        }
    int64_t spent_us = now_us() - started_us;
    redisFree(context);
    return (double)count * 1e6 / (double)spent_us;
}

/* --- the whole --- */

struct bench {
    struct system_clock clock;
    struct harness_redis redis;
    struct cache *alone, *filler, *reader;
};

static int start_cache(struct bench *bench, struct cache **cache, const char *url, struct err *err)
{
    const struct cache_settings settings = {
        .redis_url = url,
        .name_space = "bronxbot:bench",
        .memory_bytes = cache_memory_for(0),
        .is_only_process = !url[0],
        .clock = &bench->clock.clock,
    };
    int result = cache_new(cache, &settings, err);
    for (int64_t until_us = now_us() + 5 * RUN_US;
         result == 0 && url[0] && cache_state(*cache) != CACHE_OK;)
        if (now_us() > until_us)
            return err_set(err, ERR_UNAVAILABLE, "Redis is not used");
    return result;
}

static int start(struct bench *bench, struct err *err)
{
    const struct harness_redis_options options = { 0 };
    char url[256];
    int result = system_clock_init(&bench->clock, NULL, err);
    if (result == 0)
        result = harness_redis_init(&bench->redis, &options, err);
    if (result == 0)
        result = harness_redis_launch(&bench->redis, err);
    harness_redis_url(&bench->redis, 0, url, sizeof(url));
    if (result == 0)
        result = start_cache(bench, &bench->alone, "", err);
    if (result == 0)
        result = start_cache(bench, &bench->filler, url, err);
    if (result == 0)
        result = start_cache(bench, &bench->reader, url, err);
    return result;
}

static void stop(struct bench *bench)
{
    cache_free(bench->alone);
    cache_free(bench->filler);
    cache_free(bench->reader);
    harness_redis_fini(&bench->redis);
    system_clock_fini(&bench->clock);
}

int main(void)
{
    struct bench bench = { 0 };
    struct err err = { 0 };
    signal(SIGPIPE, SIG_IGN);
    memset(value, 'v', sizeof(value));
    int result = start(&bench, &err);
    if (result != 0) {
        fprintf(stderr, "%s\n", err.message);
    } else {
        printf("%d keys, values of %d bytes, hits per second\n", KEYS, VALUE_BYTES);
        for (int threads = 1; threads <= THREADS_MAX; threads *= THREADS_MAX)
            printf("in process, %d thread%s  %12.0f\n", threads, threads > 1 ? "s" : " ",
                   hits_per_second(bench.alone, threads));
        double raw_before = raw_gets_per_second(&bench.redis);
        double shared = shared_hits_per_second(bench.filler, bench.reader);
        double raw = (raw_before + raw_gets_per_second(&bench.redis)) / 2;
        printf("over Redis             %12.0f\n", shared);
        printf("raw hiredis GET        %12.0f  (%.2f of it)\n", raw, raw > 0 ? shared / raw : 0);
    }
    stop(&bench);
    return result == 0 ? 0 : 1;
}
