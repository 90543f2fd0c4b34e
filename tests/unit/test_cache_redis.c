/* The two levels on a real Redis: two instances hear of each other's changes, no load that began
 * before a change leaves its value behind, and a Redis that dies, hangs or comes back costs little
 * and brings nothing stale. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache_fixture.h"

#include "cache/redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define READERS                       6

#define READ(instance, category, key) instance_read(fixture, (instance), (category), (key), out)

static int64_t loads_during(struct cache_fixture *fixture, struct instance *instance,
                            enum cache_category category, const char *key)
{
    char out[64];
    int before = source_loads(&fixture->source);
    READ(instance, category, key);
    return source_loads(&fixture->source) - before;
}

/* --- reading --- */

static void what_one_instance_loads_the_other_reads_from_redis(void **state)
{
    struct cache_fixture *fixture = *state;
    char out[64];
    assert_string_equal(READ(&fixture->a, CACHE_USER, "1"), "old");
    assert_string_equal(READ(&fixture->b, CACHE_USER, "1"), "old");
    assert_string_equal(READ(&fixture->b, CACHE_USER, "1"), "old");
    assert_int_equal(source_loads(&fixture->source), 1);
    struct cache_statistics statistics;
    cache_statistics(fixture->b.cache, CACHE_USER, &statistics);
    assert_int_equal(statistics.shared_hits, 1);
    assert_int_equal(statistics.memory_hits, 1);
    assert_int_equal(statistics.misses, 0);
    assert_true(statistics.bytes > 0);
}

static void that_there_is_no_row_is_remembered_too(void **state)
{
    struct cache_fixture *fixture = *state;
    char out[64];
    source_set(&fixture->source, "");
    assert_string_equal(READ(&fixture->a, CACHE_USER, "1"), "");
    assert_string_equal(READ(&fixture->a, CACHE_USER, "1"), "");
    assert_string_equal(READ(&fixture->b, CACHE_USER, "1"), "");
    assert_int_equal(source_loads(&fixture->source), 1);
    struct cache_statistics statistics;
    cache_statistics(fixture->b.cache, CACHE_USER, &statistics);
    assert_int_equal(statistics.negative, 1);
}

static void an_error_is_not_remembered(void **state)
{
    struct cache_fixture *fixture = *state;
    char out[64], expected[64];
    fixture->source.error = ERR_BUSY;
    snprintf(expected, sizeof(expected), "error %d", ERR_BUSY);
    assert_string_equal(READ(&fixture->a, CACHE_USER, "1"), expected);
    fixture->source.error = 0;
    assert_string_equal(READ(&fixture->b, CACHE_USER, "1"), "old");
    assert_string_equal(READ(&fixture->a, CACHE_USER, "1"), "old");
    assert_int_equal(source_loads(&fixture->source), 2);
}

static void a_null_cache_and_a_key_out_of_bounds_load_each_time(void **state)
{
    struct cache_fixture *fixture = *state;
    struct instance none = { 0 };
    char long_key[CACHE_KEY_MAX + 2];
    memset(long_key, 'k', sizeof(long_key) - 1);
    long_key[sizeof(long_key) - 1] = '\0';
    for (int i = 0; i < 2; i++) {
        assert_int_equal(loads_during(fixture, &none, CACHE_USER, "1"), 1);
        assert_int_equal(loads_during(fixture, &fixture->a, CACHE_USER, long_key), 1);
        assert_int_equal(loads_during(fixture, &fixture->a, CACHE_USER, ""), 1);
    }
    cache_invalidate(NULL, CACHE_USER, STR("1"));
    cache_invalidate(fixture->a.cache, CACHE_USER, str_from(long_key));
    long_key[CACHE_KEY_MAX] = '\0';
    assert_int_equal(loads_during(fixture, &fixture->a, CACHE_USER, long_key), 1);
    assert_int_equal(loads_during(fixture, &fixture->b, CACHE_USER, long_key), 0);
}

struct reader {
    struct cache_fixture *fixture;
    struct instance *instance;
    const char *key;
    pthread_t thread;
    char out[64];
};

static void *read_once(void *argument)
{
    struct reader *reader = argument;
    instance_read(reader->fixture, reader->instance, CACHE_USER, reader->key, reader->out);
    return NULL;
}

static void reader_start(struct reader *reader, struct cache_fixture *fixture,
                         struct instance *instance, const char *key)
{
    *reader = (struct reader){ .fixture = fixture, .instance = instance, .key = key };
    assert_int_equal(pthread_create(&reader->thread, NULL, read_once, reader), 0);
}

static const char *reader_join(struct reader *reader)
{
    pthread_join(reader->thread, NULL);
    return reader->out;
}

static void await_misses(struct instance *instance, int64_t count)
{
    struct cache_statistics statistics = { 0 };
    const struct timespec pause = { .tv_nsec = 1000000 };
    while (statistics.misses < count) {
        nanosleep(&pause, NULL);
        cache_statistics(instance->cache, CACHE_USER, &statistics);
    }
}

static void one_loads_for_all_who_wait(void **state)
{
    struct cache_fixture *fixture = *state;
    struct reader readers[READERS];
    for (int error = 0; error >= ERR_BUSY; error += ERR_BUSY) {
        char expected[64] = "old", key[8];
        int before = source_loads(&fixture->source);
        struct cache_statistics statistics;
        cache_statistics(fixture->a.cache, CACHE_USER, &statistics);
        if (error)
            snprintf(expected, sizeof(expected), "error %d", error);
        snprintf(key, sizeof(key), "%d", error);
        fixture->source.error = error;
        source_block(&fixture->source);
        for (int i = 0; i < READERS; i++)
            reader_start(&readers[i], fixture, &fixture->a, key);
        await_misses(&fixture->a, statistics.misses + READERS);
        source_release(&fixture->source);
        for (int i = 0; i < READERS; i++)
            assert_string_equal(reader_join(&readers[i]), expected);
        assert_int_equal(source_loads(&fixture->source), before + 1);
    }
}

/* --- changes --- */

static void a_change_is_seen_here_at_once_and_there_soon(void **state)
{
    struct cache_fixture *fixture = *state;
    char out[64];
    READ(&fixture->a, CACHE_USER, "1");
    READ(&fixture->b, CACHE_USER, "1");
    source_set(&fixture->source, "new");
    cache_invalidate(fixture->a.cache, CACHE_USER, STR("1"));
    assert_string_equal(READ(&fixture->a, CACHE_USER, "1"), "new");
    instance_await_value(fixture, &fixture->b, CACHE_USER, "1", "new");
}

static void many_names_change_at_once(void **state)
{
    struct cache_fixture *fixture = *state;
    enum { NAMES = 40 };
    char keys[NAMES][8], out[64];
    struct cache_name names[NAMES];
    for (int i = 0; i < NAMES; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%d", i);
        names[i] = (struct cache_name){ i % 2 ? CACHE_USER : CACHE_ECONOMY, str_from(keys[i]) };
        READ(&fixture->a, names[i].category, keys[i]);
        READ(&fixture->b, names[i].category, keys[i]);
    }
    source_set(&fixture->source, "new");
    cache_invalidate_list(fixture->a.cache, names, NAMES);
    for (int i = 0; i < NAMES; i++)
        assert_string_equal(READ(&fixture->a, names[i].category, keys[i]), "new");
    for (int i = 0; i < NAMES; i++)
        instance_await_value(fixture, &fixture->b, names[i].category, keys[i], "new");
}

static void a_load_that_began_before_a_change_here_leaves_nothing(void **state)
{
    struct cache_fixture *fixture = *state;
    struct reader reader;
    char out[64];
    source_block(&fixture->source);
    reader_start(&reader, fixture, &fixture->a, "1");
    source_await_loads(&fixture->source, 1); /* it holds "old" */
    source_set(&fixture->source, "new");
    cache_invalidate(fixture->a.cache, CACHE_USER, STR("1"));
    source_release(&fixture->source);
    assert_string_equal(reader_join(&reader), "old"); /* it began before */
    assert_string_equal(READ(&fixture->b, CACHE_USER, "1"), "new");
    assert_string_equal(READ(&fixture->a, CACHE_USER, "1"), "new");
}

static void who_comes_after_a_change_does_not_wait_for_an_older_load(void **state)
{
    struct cache_fixture *fixture = *state;
    struct reader old, young;
    source_block(&fixture->source);
    reader_start(&old, fixture, &fixture->a, "1");
    source_await_loads(&fixture->source, 1);
    source_set(&fixture->source, "new");
    cache_invalidate(fixture->a.cache, CACHE_USER, STR("1"));
    reader_start(&young, fixture, &fixture->a, "1");
    source_await_loads(&fixture->source, 2);
    source_release(&fixture->source);
    assert_string_equal(reader_join(&young), "new");
    assert_string_equal(reader_join(&old), "old");
    assert_int_equal(loads_during(fixture, &fixture->a, CACHE_USER, "1"), 0);
}

static void a_load_that_began_before_a_change_elsewhere_leaves_nothing(void **state)
{
    struct cache_fixture *fixture = *state;
    struct reader reader;
    char out[64];
    source_block(&fixture->source);
    reader_start(&reader, fixture, &fixture->b, "1");
    source_await_loads(&fixture->source, 1);
    source_set(&fixture->source, "new");
    cache_invalidate(fixture->a.cache, CACHE_USER, STR("1"));
    source_release(&fixture->source);
    reader_join(&reader);
    /* Not "soon": the ticket was gone, whether or not the word of it had come. */
    assert_string_equal(READ(&fixture->b, CACHE_USER, "1"), "new");
    assert_string_equal(READ(&fixture->a, CACHE_USER, "1"), "new");
}

static void two_loads_of_one_state_may_both_fill(void **state)
{
    struct cache_fixture *fixture = *state;
    struct reader a, b;
    source_block(&fixture->source);
    reader_start(&a, fixture, &fixture->a, "1");
    source_await_loads(&fixture->source, 1);
    reader_start(&b, fixture, &fixture->b, "1");
    source_await_loads(&fixture->source, 2);
    source_release(&fixture->source);
    reader_join(&a);
    reader_join(&b);
    assert_int_equal(loads_during(fixture, &fixture->a, CACHE_USER, "1"), 0);
}

/* --- clearing --- */

static void clearing_reaches_both_levels_and_the_other_instance(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cache_cleared cleared;
    struct err err = { 0 };
    char key[16], out[64];
    for (int i = 0; i < 30; i++) {
        snprintf(key, sizeof(key), "%d", i);
        READ(&fixture->a, CACHE_TEMPORARY, key);
        READ(&fixture->b, CACHE_TEMPORARY, key);
    }
    READ(&fixture->a, CACHE_USER, "1");
    source_set(&fixture->source, "new");
    assert_int_equal(cache_clear(fixture->a.cache, STR("temp:*"), &cleared, &err), 0);
    assert_int_equal(cleared.shared, 30);
    assert_int_equal(cleared.memory, 30);
    assert_string_equal(READ(&fixture->a, CACHE_TEMPORARY, "7"), "new");
    instance_await_value(fixture, &fixture->b, CACHE_TEMPORARY, "7", "new");
    assert_int_equal(loads_during(fixture, &fixture->a, CACHE_USER, "1"), 0);
    assert_int_equal(cache_clear(fixture->a.cache, STR(""), &cleared, &err), ERR_INVALID);
}

static void a_load_that_began_before_a_clear_leaves_nothing(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cache_cleared cleared;
    struct reader reader;
    char out[64];
    source_block(&fixture->source);
    reader_start(&reader, fixture, &fixture->b, "1");
    source_await_loads(&fixture->source, 1);
    source_set(&fixture->source, "new");
    assert_int_equal(cache_clear(fixture->a.cache, STR("user:*"), &cleared, NULL), 0);
    source_release(&fixture->source);
    reader_join(&reader);
    assert_string_equal(READ(&fixture->b, CACHE_USER, "1"), "new");
    assert_string_equal(READ(&fixture->a, CACHE_USER, "1"), "new");
}

static void patterns_mean_the_same_in_memory_and_in_redis(void **state)
{
    struct cache_fixture *fixture = *state;
    static const char *const keys[] = { "1", "12", "a-b", "a]b", "a*b", "^", "[x]", "\\", "aab" };
    static const char *const patterns[] = { "user:?",       "user:[0-9]*", "user:a?b", "user:a\\*b",
                                            "*:[^0-9]*",    "user:[a-",    "u*r:*1*",  "user:[]]",
                                            "user:a[\\]]b", "user:\\\\",   "temp:*",   "*" };
    for (size_t p = 0; p < ARRAY_LENGTH(patterns); p++) {
        struct cache_cleared cleared;
        char out[64];
        for (size_t k = 0; k < ARRAY_LENGTH(keys); k++)
            READ(&fixture->a, CACHE_USER, keys[k]);
        assert_int_equal(cache_clear(fixture->a.cache, str_from(patterns[p]), &cleared, NULL), 0);
        if (cleared.memory != cleared.shared)
            fail_msg("'%s': %d and %d", patterns[p], (int)cleared.memory, (int)cleared.shared);
    }
}

/* --- trouble --- */

static void without_redis_memory_serves_only_what_is_safe_alone(void **state)
{
    struct cache_fixture *fixture = *state;
    char out[64];
    READ(&fixture->a, CACHE_USER, "1");
    READ(&fixture->a, CACHE_TEMPORARY, "1");
    harness_redis_kill(&fixture->redis);
    instance_await(&fixture->a, CACHE_DEGRADED);
    assert_int_equal(loads_during(fixture, &fixture->a, CACHE_USER, "1"), 1);
    assert_int_equal(loads_during(fixture, &fixture->a, CACHE_USER, "1"), 1);
    assert_int_equal(loads_during(fixture, &fixture->a, CACHE_TEMPORARY, "1"), 0);
}

static int count_in(const struct buf *text, const char *what)
{
    int count = 0;
    for (const char *at = text->data; at && (at = strstr(at, what)); at += strlen(what))
        count++;
    return count;
}

static void a_redis_that_comes_back_is_used_without_a_restart(void **state)
{
    struct cache_fixture *fixture = *state;
    CLEANUP(buf_free) struct buf log = { 0 };
    struct err err = { 0 };
    char out[64];
    READ(&fixture->a, CACHE_USER, "1");
    harness_redis_stop(&fixture->redis);
    instance_await(&fixture->a, CACHE_DEGRADED);
    instance_await(&fixture->b, CACHE_DEGRADED);
    source_set(&fixture->source, "new");
    cache_invalidate(fixture->a.cache, CACHE_USER, STR("1"));
    assert_int_equal(harness_redis_launch(&fixture->redis, &err), 0);
    instance_await(&fixture->a, CACHE_OK);
    instance_await(&fixture->b, CACHE_OK);
    assert_string_equal(READ(&fixture->a, CACHE_USER, "1"), "new");
    assert_string_equal(READ(&fixture->b, CACHE_USER, "1"), "new");
    instance_stop(&fixture->a); /* both have said what they have to say */
    instance_stop(&fixture->b);
    fixture_log(fixture, &log);
    assert_int_equal(count_in(&log, "Redis is away"), 2);
    assert_int_equal(count_in(&log, "Redis is used"), 4);
}

/* A clock that stands still until it is moved, for an instance of its own. */
struct stopped_clock {
    struct clock clock;
    int64_t now_us; /* atomic */
};

static int64_t stopped_us(const struct clock *clock)
{
    return __atomic_load_n(&CONTAINER_OF(clock, const struct stopped_clock, clock)->now_us,
                           __ATOMIC_RELAXED);
}

static int64_t stopped_ms(const struct clock *clock)
{
    return stopped_us(clock) / 1000;
}

static void move(struct stopped_clock *clock, int64_t more_us)
{
    __atomic_fetch_add(&clock->now_us, more_us, __ATOMIC_RELAXED);
}

static void await_log(struct cache_fixture *fixture, const char *what, int count)
{
    const struct timespec pause = { .tv_nsec = 10000000 };
    for (int found = 0; found < count;) {
        CLEANUP(buf_free) struct buf log = { 0 };
        nanosleep(&pause, NULL);
        fixture_log(fixture, &log);
        found = count_in(&log, what);
    }
}

/* Of others that changed something while they could not tell Redis, the first to be back knows
 * nothing. */
static void who_is_back_first_serves_nothing_until_all_can_be_back(void **state)
{
    struct cache_fixture *fixture = *state;
    struct stopped_clock clock = { { stopped_ms, stopped_us }, INT64_C(1000000000) };
    struct instance early = { .metrics = metrics_new() };
    const struct timespec pause = { .tv_nsec = 50000000 };
    struct err err = { 0 };
    char url[128];
    harness_redis_url(&fixture->redis, 0, url, sizeof(url));
    instance_stop(&fixture->a);
    instance_stop(&fixture->b);
    const struct cache_settings settings = { .redis_url = url,
                                             .redis_timeout_ms = CACHE_FIXTURE_PATIENCE_MS,
                                             .name_space = "bronxbot:test",
                                             .memory_bytes = 1024 * 1024,
                                             .clock = &clock.clock,
                                             .metrics = early.metrics,
                                             .log = fixture->sink };
    assert_int_equal(cache_new(&early.cache, &settings, &err), 0);
    instance_await(&early, CACHE_OK);
    harness_redis_stop(&fixture->redis);
    instance_await(&early, CACHE_DEGRADED);
    assert_int_equal(harness_redis_launch(&fixture->redis, &err), 0);
    while (fixture_command(fixture, "PUBSUB CHANNELS") < 1) {
        move(&clock, BREAKER_BACKOFF_MAX_US);
        nanosleep(&pause, NULL);
    }
    await_log(fixture, "Redis is used", 4);
    assert_int_equal(cache_state(early.cache), CACHE_DEGRADED);
    assert_int_equal(loads_during(fixture, &early, CACHE_USER, "1"), 1);
    assert_int_equal(loads_during(fixture, &early, CACHE_USER, "1"), 1);
    move(&clock, REDIS_REUNION_US);
    assert_int_equal(cache_state(early.cache), CACHE_OK);
    assert_int_equal(loads_during(fixture, &early, CACHE_USER, "1"), 1);
    assert_int_equal(loads_during(fixture, &early, CACHE_USER, "1"), 0);
    instance_stop(&early);
}

static void a_change_that_redis_did_not_hear_is_made_good(void **state)
{
    struct cache_fixture *fixture = *state;
    char out[64];
    READ(&fixture->a, CACHE_USER, "1");
    READ(&fixture->b, CACHE_USER, "1");
    READ(&fixture->a, CACHE_USER, "never read by b");
    harness_redis_freeze(&fixture->redis);
    source_set(&fixture->source, "new");
    cache_invalidate(fixture->a.cache, CACHE_USER, STR("1"));
    cache_invalidate(fixture->a.cache, CACHE_USER, STR("never read by b"));
    assert_int_equal(cache_state(fixture->a.cache), CACHE_DEGRADED);
    harness_redis_thaw(&fixture->redis);
    instance_await(&fixture->a, CACHE_OK);
    assert_string_equal(READ(&fixture->a, CACHE_USER, "1"), "new");
    /* The same process in Redis, which still has both values. */
    assert_string_equal(READ(&fixture->b, CACHE_USER, "never read by b"), "new");
    instance_await_value(fixture, &fixture->b, CACHE_USER, "1", "new");
}

static void a_frozen_redis_costs_one_timeout_not_one_for_each_read(void **state)
{
    struct cache_fixture *fixture = *state;
    char out[64], key[16];
    harness_redis_freeze(&fixture->redis);
    READ(&fixture->a, CACHE_USER, "first");
    int64_t opened = metrics_read(fixture->a.metrics, METRIC_CACHE_BREAKER_OPENED, 0);
    assert_true(opened >= 1);
    /* The breaker is open: nobody asks Redis until a trial of the keeper's has succeeded. */
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof(key), "%d", i);
        assert_int_equal(cache_state(fixture->a.cache), CACHE_DEGRADED);
        assert_string_equal(READ(&fixture->a, CACHE_USER, key), "old");
        cache_invalidate(fixture->a.cache, CACHE_USER, str_from(key));
    }
    assert_int_equal(metrics_read(fixture->a.metrics, METRIC_CACHE_BREAKER_OPENED, 0), opened);
    harness_redis_thaw(&fixture->redis);
    instance_await(&fixture->a, CACHE_OK);
}

static void a_silent_subscription_is_noticed_without_any_read(void **state)
{
    struct cache_fixture *fixture = *state;
    harness_redis_freeze(&fixture->redis);
    instance_await(&fixture->a, CACHE_DEGRADED);
    instance_await(&fixture->b, CACHE_DEGRADED);
}

static void a_broken_subscription_empties_memory(void **state)
{
    struct cache_fixture *fixture = *state;
    char out[64];
    READ(&fixture->a, CACHE_USER, "1");
    const struct timespec pause = { .tv_nsec = 1000000 };
    int64_t opened = metrics_read(fixture->a.metrics, METRIC_CACHE_BREAKER_OPENED, 0);
    assert_int_equal(fixture_command(fixture, "CLIENT KILL TYPE pubsub"), 2);
    while (metrics_read(fixture->a.metrics, METRIC_CACHE_BREAKER_OPENED, 0) == opened)
        nanosleep(&pause, NULL);
    instance_await(&fixture->a, CACHE_OK);
    struct cache_statistics statistics;
    cache_statistics(fixture->a.cache, CACHE_USER, &statistics);
    assert_int_equal(statistics.bytes, 0);
    /* Nothing was lost, so Redis still has it. */
    assert_int_equal(loads_during(fixture, &fixture->a, CACHE_USER, "1"), 0);
}

static void a_connection_that_redis_closed_for_idleness_is_replaced(void **state)
{
    struct cache_fixture *fixture = *state;
    char out[64];
    READ(&fixture->a, CACHE_USER, "1");
    assert_true(fixture_command(fixture, "CLIENT KILL TYPE normal") >= 1);
    assert_string_equal(READ(&fixture->a, CACHE_USER, "2"), "old");
    assert_int_equal(cache_state(fixture->a.cache), CACHE_OK);
    assert_int_equal(metrics_read(fixture->a.metrics, METRIC_CACHE_BREAKER_OPENED, 0), 0);
}

static void values_from_an_old_snapshot_are_not_seen(void **state)
{
    struct cache_fixture *fixture = *state;
    struct err err = { 0 };
    char out[64];
    READ(&fixture->a, CACHE_USER, "1");
    fixture_command(fixture, "SAVE");
    source_set(&fixture->source, "new");
    cache_invalidate(fixture->a.cache, CACHE_USER, STR("1"));
    harness_redis_kill(&fixture->redis);
    assert_int_equal(harness_redis_launch(&fixture->redis, &err), 0);
    assert_true(fixture_command(fixture, "DBSIZE") >= 2); /* the epoch and the old value */
    instance_await_value(fixture, &fixture->a, CACHE_USER, "1", "new");
    instance_await(&fixture->a, CACHE_OK);
    assert_string_equal(READ(&fixture->a, CACHE_USER, "1"), "new");
}

static void an_epoch_that_was_advanced_or_lost_is_noticed_by_the_next_read(void **state)
{
    struct cache_fixture *fixture = *state;
    static const char *const commands[] = { "INCR bronxbot:test:epoch", "FLUSHALL" };
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        char out[64], other[8];
        snprintf(other, sizeof(other), "o%zu", i);
        source_set(&fixture->source, "old");
        READ(&fixture->a, CACHE_USER, "1");
        fixture_command(fixture, commands[i]);
        source_set(&fixture->source, "new");
        READ(&fixture->a, CACHE_USER, other);
        assert_string_equal(READ(&fixture->a, CACHE_USER, "1"), "new");
        assert_int_equal(loads_during(fixture, &fixture->b, CACHE_USER, "1"), 0);
        cache_invalidate(fixture->a.cache, CACHE_USER, STR("1"));
    }
}

static void a_process_that_starts_does_not_trust_what_a_dead_one_left(void **state)
{
    struct cache_fixture *fixture = *state;
    char out[64], url[256];
    READ(&fixture->a, CACHE_USER, "1");
    instance_stop(&fixture->a);
    source_set(&fixture->source, "new"); /* committed, and then it died */
    harness_redis_url(&fixture->redis, 0, url, sizeof(url));
    instance_start(fixture, &fixture->a, url);
    instance_await(&fixture->a, CACHE_OK);
    assert_string_equal(READ(&fixture->a, CACHE_USER, "1"), "new");
    assert_string_equal(READ(&fixture->b, CACHE_USER, "1"), "new");
}

static void a_full_redis_still_lets_read_and_change(void **state)
{
    struct cache_fixture *fixture = *state;
    char out[64];
    READ(&fixture->a, CACHE_USER, "1");
    fixture_command(fixture, "CONFIG SET maxmemory 1");
    assert_string_equal(READ(&fixture->a, CACHE_USER, "2"), "old");
    source_set(&fixture->source, "new");
    cache_invalidate(fixture->a.cache, CACHE_USER, STR("1"));
    assert_string_equal(READ(&fixture->b, CACHE_USER, "1"), "new");
    assert_int_equal(cache_state(fixture->a.cache), CACHE_OK);
}

/* --- ways to Redis --- */

static void restart_redis(struct cache_fixture *fixture,
                          const struct harness_redis_options *options)
{
    struct err err = { 0 };
    instance_stop(&fixture->a);
    instance_stop(&fixture->b);
    harness_redis_fini(&fixture->redis);
    if (harness_redis_init(&fixture->redis, options, &err) != 0 ||
        harness_redis_launch(&fixture->redis, &err) != 0)
        fail_msg("%s", err.message);
}

static void the_password_decides_and_is_in_no_log(void **state)
{
    struct cache_fixture *fixture = *state;
    const struct harness_redis_options options = { .password = "right-5f0e", .uses_tcp = true };
    CLEANUP(buf_free) struct buf log = { 0 };
    char url[256], out[64];
    restart_redis(fixture, &options);
    snprintf(url, sizeof(url), "unix://:wrong-77aa@%s", fixture->redis.socket);
    instance_start(fixture, &fixture->a, url);
    while (count_in(&log, "WRONGPASS") == 0) {
        usleep(1000);
        buf_clear(&log);
        fixture_log(fixture, &log);
    }
    assert_int_equal(cache_state(fixture->a.cache), CACHE_DEGRADED);
    snprintf(url, sizeof(url), "redis://default:right%%2D5f0e@localhost:%u",
             (unsigned)fixture->redis.port);
    instance_start(fixture, &fixture->b, url);
    instance_await(&fixture->b, CACHE_OK);
    assert_string_equal(READ(&fixture->b, CACHE_USER, "1"), "old");
    instance_stop(&fixture->a);
    instance_stop(&fixture->b);
    buf_clear(&log);
    fixture_log(fixture, &log);
    assert_int_equal(count_in(&log, "wrong-77aa") + count_in(&log, "right-5f0e"), 0);
}

static void databases_are_apart(void **state)
{
    struct cache_fixture *fixture = *state;
    const struct harness_redis_options options = { .uses_tcp = true };
    char url[256], out[64];
    restart_redis(fixture, &options);
    harness_redis_url(&fixture->redis, 3, url, sizeof(url));
    instance_start(fixture, &fixture->a, url);
    snprintf(url, sizeof(url), "unix://%s?db=0", fixture->redis.socket);
    instance_start(fixture, &fixture->b, url);
    instance_await(&fixture->a, CACHE_OK);
    instance_await(&fixture->b, CACHE_OK);
    READ(&fixture->a, CACHE_USER, "1");
    assert_int_equal(fixture_command(fixture, "DBSIZE"), 1); /* b's epoch */
    assert_int_equal(loads_during(fixture, &fixture->b, CACHE_USER, "1"), 1);
    source_set(&fixture->source, "new");
    cache_invalidate(fixture->b.cache, CACHE_USER, STR("1"));
    assert_string_equal(READ(&fixture->a, CACHE_USER, "1"), "old");
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, cache_fixture_setup, cache_fixture_teardown)
#define HASTY_TEST(function)                                                                       \
    cmocka_unit_test_setup_teardown(function, cache_fixture_setup_hasty, cache_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_one_instance_loads_the_other_reads_from_redis),
        TEST(that_there_is_no_row_is_remembered_too),
        TEST(an_error_is_not_remembered),
        TEST(a_null_cache_and_a_key_out_of_bounds_load_each_time),
        TEST(one_loads_for_all_who_wait),
        TEST(a_change_is_seen_here_at_once_and_there_soon),
        TEST(many_names_change_at_once),
        TEST(a_load_that_began_before_a_change_here_leaves_nothing),
        TEST(who_comes_after_a_change_does_not_wait_for_an_older_load),
        TEST(a_load_that_began_before_a_change_elsewhere_leaves_nothing),
        TEST(two_loads_of_one_state_may_both_fill),
        TEST(clearing_reaches_both_levels_and_the_other_instance),
        TEST(a_load_that_began_before_a_clear_leaves_nothing),
        TEST(patterns_mean_the_same_in_memory_and_in_redis),
        TEST(without_redis_memory_serves_only_what_is_safe_alone),
        TEST(a_redis_that_comes_back_is_used_without_a_restart),
        TEST(who_is_back_first_serves_nothing_until_all_can_be_back),
        HASTY_TEST(a_change_that_redis_did_not_hear_is_made_good),
        HASTY_TEST(a_frozen_redis_costs_one_timeout_not_one_for_each_read),
        HASTY_TEST(a_silent_subscription_is_noticed_without_any_read),
        TEST(a_broken_subscription_empties_memory),
        TEST(a_connection_that_redis_closed_for_idleness_is_replaced),
        TEST(values_from_an_old_snapshot_are_not_seen),
        TEST(an_epoch_that_was_advanced_or_lost_is_noticed_by_the_next_read),
        TEST(a_process_that_starts_does_not_trust_what_a_dead_one_left),
        TEST(a_full_redis_still_lets_read_and_change),
        TEST(the_password_decides_and_is_in_no_log),
        TEST(databases_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
