#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache_fixture.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ABSURD_US INT64_C(60000000)
#define MEMORY    ((size_t)4 * 1024 * 1024)

/* --- the source --- */

void source_set(struct source *source, const char *value)
{
    pthread_mutex_lock(&source->lock);
    snprintf(source->value, sizeof(source->value), "%s", value);
    pthread_mutex_unlock(&source->lock);
}

void source_block(struct source *source)
{
    pthread_mutex_lock(&source->lock);
    source->is_blocked = true;
    pthread_mutex_unlock(&source->lock);
}

void source_await_loads(struct source *source, int count)
{
    pthread_mutex_lock(&source->lock);
    while (source->loads < count)
        pthread_cond_wait(&source->changed, &source->lock);
    pthread_mutex_unlock(&source->lock);
}

void source_release(struct source *source)
{
    pthread_mutex_lock(&source->lock);
    source->is_blocked = false;
    pthread_cond_broadcast(&source->changed);
    pthread_mutex_unlock(&source->lock);
}

int source_loads(struct source *source)
{
    pthread_mutex_lock(&source->lock);
    int loads = source->loads;
    pthread_mutex_unlock(&source->lock);
    return loads;
}

int source_load(void *context, struct arena *arena, struct str_view *value, struct err *err)
{
    struct source *source = context;
    char read[sizeof(source->value)];
    pthread_mutex_lock(&source->lock);
    memcpy(read, source->value, sizeof(read));
    int error = source->error;
    source->loads++;
    pthread_cond_broadcast(&source->changed);
    while (source->is_blocked)
        pthread_cond_wait(&source->changed, &source->lock);
    pthread_mutex_unlock(&source->lock);
    if (error)
        return err_set(err, error, "the source fails");
    if (!read[0])
        return 0;
    *value = arena_copy(arena, str_from(read));
    return value->data ? 1 : err_set(err, ERR_MEMORY, "a value");
}

/* --- instances --- */

void instance_start(struct cache_fixture *fixture, struct instance *instance, const char *url)
{
    struct err err = { 0 };
    instance->metrics = metrics_new();
    const struct cache_settings settings = { .redis_url = url,
                                             .name_space = "bronxbot:test",
                                             .redis_timeout_ms = fixture->timeout_ms,
                                             .memory_bytes = MEMORY,
                                             .clock = &fixture->clock.clock,
                                             .metrics = instance->metrics,
                                             .log = fixture->sink };
    if (cache_new(&instance->cache, &settings, &err) != 0)
        fail_msg("%s", err.message);
}

void instance_stop(struct instance *instance)
{
    cache_free(instance->cache);
    metrics_free(instance->metrics);
    *instance = (struct instance){ 0 };
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void pause_a_little(void)
{
    const struct timespec pause = { .tv_nsec = 200000 };
    nanosleep(&pause, NULL);
}

void instance_await(const struct instance *instance, enum cache_state state)
{
    int64_t give_up_us = now_us() + ABSURD_US;
    while (cache_state(instance->cache) != state) {
        if (now_us() > give_up_us)
            fail_msg("never became '%s'", cache_state_word(state));
        pause_a_little();
    }
}

const char *instance_read(struct cache_fixture *fixture, struct instance *instance,
                          enum cache_category category, const char *key, char out[64])
{
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct str_view value;
    struct err err = { 0 };
    int result = cache_get(instance->cache, category, str_from(key), source_load, &fixture->source,
                           &arena, &value, &err);
    if (result < 0)
        snprintf(out, 64, "error %d", result);
    else
        snprintf(out, 64, "%.*s", STR_ARGS(value));
    return out;
}

void instance_await_value(struct cache_fixture *fixture, struct instance *instance,
                          enum cache_category category, const char *key, const char *value)
{
    int64_t started_us = now_us();
    char out[64];
    while (strcmp(instance_read(fixture, instance, category, key, out), value) != 0) {
        if (now_us() - started_us > ABSURD_US)
            fail_msg("'%s' was never read, but '%s'", value, out);
        pause_a_little();
    }
    print_message("(there after %" PRId64 " us)\n", now_us() - started_us);
}

/* --- the whole --- */

/* The start of b advanced the epoch, which empties a's memory: not in the middle of a test. Words
 * are heard in order, so once a later one was heard, that one was. */
static void settle(struct cache_fixture *fixture)
{
    struct cache_statistics statistics = { .bytes = 1 };
    char out[64];
    instance_read(fixture, &fixture->a, CACHE_GUILD, "mark", out);
    cache_invalidate(fixture->b.cache, CACHE_GUILD, STR("mark"));
    while (statistics.bytes > 0) {
        pause_a_little();
        cache_statistics(fixture->a.cache, CACHE_GUILD, &statistics);
    }
    fixture->source.loads = 0;
}

static int set_up(void **state, int timeout_ms)
{
    struct cache_fixture *fixture = calloc(1, sizeof(*fixture));
    struct err err = { 0 };
    char url[256];
    signal(SIGPIPE, SIG_IGN); /* as the bot does */
    assert_non_null(fixture);
    fixture->timeout_ms = timeout_ms;
    pthread_mutex_init(&fixture->source.lock, NULL);
    pthread_cond_init(&fixture->source.changed, NULL);
    source_set(&fixture->source, "old");
    assert_int_equal(system_clock_init(&fixture->clock, NULL, &err), 0);
    fixture->log_fd = memfd_create("log", MFD_CLOEXEC);
    assert_int_equal(fcntl(fixture->log_fd, F_SETFL, O_APPEND), 0);
    fixture->sink =
        log_sink_new(fixture->log_fd, LOG_LEVEL_INFO, LOG_FORMAT_TEXT, &fixture->clock.clock);
    const struct harness_redis_options options = { 0 };
    if (harness_redis_init(&fixture->redis, &options, &err) != 0 ||
        harness_redis_launch(&fixture->redis, &err) != 0)
        fail_msg("%s", err.message);
    harness_redis_url(&fixture->redis, 0, url, sizeof(url));
    instance_start(fixture, &fixture->a, url);
    instance_await(&fixture->a, CACHE_OK);
    instance_start(fixture, &fixture->b, url);
    instance_await(&fixture->b, CACHE_OK);
    settle(fixture);
    *state = fixture;
    return 0;
}

int cache_fixture_setup(void **state)
{
    return set_up(state, CACHE_FIXTURE_PATIENCE_MS);
}

int cache_fixture_setup_hasty(void **state)
{
    return set_up(state, 0);
}

int cache_fixture_teardown(void **state)
{
    struct cache_fixture *fixture = *state;
    harness_redis_thaw(&fixture->redis);
    instance_stop(&fixture->a);
    instance_stop(&fixture->b);
    harness_redis_fini(&fixture->redis);
    log_sink_free(fixture->sink);
    close(fixture->log_fd);
    system_clock_fini(&fixture->clock);
    pthread_cond_destroy(&fixture->source.changed);
    pthread_mutex_destroy(&fixture->source.lock);
    free(fixture);
    return 0;
}

int64_t fixture_command(struct cache_fixture *fixture, const char *format, ...)
{
    va_list arguments;
    redisContext *context = redisConnectUnix(fixture->redis.socket);
    assert_non_null(context);
    va_start(arguments, format);
    redisReply *reply = redisvCommand(context, format, arguments);
    va_end(arguments);
    assert_non_null(reply);
    int64_t result = reply->type == REDIS_REPLY_INTEGER ? reply->integer
                     : reply->type == REDIS_REPLY_ARRAY ? (int64_t)reply->elements
                     : reply->type == REDIS_REPLY_NIL || reply->type == REDIS_REPLY_ERROR ? -1
                                                                                          : 0;
    freeReplyObject(reply);
    redisFree(context);
    return result;
}

void fixture_log(struct cache_fixture *fixture, struct buf *out)
{
    char block[4096];
    off_t at = 0;
    ssize_t length;
    while ((length = pread(fixture->log_fd, block, sizeof(block), at)) > 0) {
        buf_append_bytes(out, block, (size_t)length);
        at += length;
    }
}
