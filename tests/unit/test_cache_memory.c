/* The cache's first level: what is evicted and how many bytes are held, compared with a model; what
 * is dropped stays dropped, whoever was loading it; threads that do everything at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache/memory.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TTL_US       INT64_C(60000000)
#define MODEL_KEYS   2000
#define MODEL_STEPS  60000
#define MODEL_BYTES  4000
#define THREADS      4
#define THREAD_STEPS 20000
#define THREAD_KEYS  64

struct fixture {
    struct clock clock;
    int64_t now_us;
    struct metrics *metrics;
    struct memory *memory;
};

static int64_t fixture_monotonic_us(const struct clock *clock)
{
    return __atomic_load_n(&CONTAINER_OF(clock, const struct fixture, clock)->now_us,
                           __ATOMIC_RELAXED);
}

static int64_t fixture_wall_ms(const struct clock *clock)
{
    return fixture_monotonic_us(clock) / 1000;
}

static int setup_shards(void **state, int shard_count)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->clock = (struct clock){ fixture_wall_ms, fixture_monotonic_us };
    fixture->now_us = 1;
    fixture->metrics = metrics_new();
    const struct memory_settings settings = { .limit_bytes = MEMORY_LIMIT_MIN,
                                              .shard_count = shard_count,
                                              .clock = &fixture->clock,
                                              .metrics = fixture->metrics };
    fixture->memory = memory_new(&settings);
    assert_non_null(fixture->memory);
    *state = fixture;
    return 0;
}

static int setup(void **state)
{
    return setup_shards(state, 0);
}

static int setup_one_shard(void **state)
{
    return setup_shards(state, 1);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    memory_free(fixture->memory);
    metrics_free(fixture->metrics);
    free(fixture);
    return 0;
}

static uint32_t random_below(uint64_t *state, uint32_t bound)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32) % bound;
}

static struct cache_name user(const char *key)
{
    return (struct cache_name){ CACHE_USER, str_from(key) };
}

static bool land(struct memory *memory, struct flight *flight, const struct cache_name *name,
                 struct str_view value)
{
    struct memory_entry *entry = memory_entry_new(name, !value.data, value);
    const struct landing landing = {
        .result = value.data ? 1 : 0, .entry = entry, .may_keep = true, .ttl_us = TTL_US
    };
    bool is_kept = memory_land(memory, flight, &landing);
    memory_entry_release(entry);
    return is_kept;
}

/* Reads without wanting to know the value; false when it was not there (nothing is stored then). */
static bool touch(struct memory *memory, const struct cache_name *name)
{
    struct memory_entry *entry = NULL;
    struct flight *flight = NULL;
    enum memory_look look = memory_look(memory, name, true, &entry, &flight);
    if (look == MEMORY_LEADS) {
        const struct landing nothing = { .result = ERR_UNAVAILABLE };
        memory_land(memory, flight, &nothing);
    }
    memory_entry_release(entry);
    return look == MEMORY_HIT;
}

static void store(struct memory *memory, const struct cache_name *name, struct str_view value)
{
    struct memory_entry *entry = NULL;
    struct flight *flight = NULL;
    assert_int_equal(memory_look(memory, name, true, &entry, &flight), MEMORY_LEADS);
    assert_true(land(memory, flight, name, value));
}

/* --- one thread --- */

static void what_was_stored_is_read_until_its_time_is_over(void **state)
{
    struct fixture *fixture = *state;
    struct cache_name name = user("1");
    store(fixture->memory, &name, STR("value"));
    struct memory_entry *entry = NULL;
    struct flight *flight = NULL;
    fixture->now_us += TTL_US - 1;
    assert_int_equal(memory_look(fixture->memory, &name, true, &entry, &flight), MEMORY_HIT);
    assert_true(str_equal(memory_entry_value(entry), STR("value")));
    fixture->now_us += 1;
    assert_false(touch(fixture->memory, &name));
    assert_int_equal(memory_bytes(fixture->memory, CACHE_CATEGORY_COUNT), 0);
    assert_true(
        str_equal(memory_entry_value(entry), STR("value"))); /* ours as long as we hold it */
    memory_entry_release(entry);
}

static void the_same_key_of_two_categories_is_two_entries(void **state)
{
    struct fixture *fixture = *state;
    struct cache_name one = user("1"), other = { CACHE_GUILD, STR("1") };
    store(fixture->memory, &one, STR("a"));
    store(fixture->memory, &other, STR("b"));
    assert_int_equal(memory_drop(fixture->memory, &one), 1);
    assert_false(touch(fixture->memory, &one));
    assert_true(touch(fixture->memory, &other));
}

static void an_entry_that_may_not_be_served_is_loaded(void **state)
{
    struct fixture *fixture = *state;
    struct cache_name name = user("1");
    store(fixture->memory, &name, STR("a"));
    struct memory_entry *entry = NULL;
    struct flight *flight = NULL;
    assert_int_equal(memory_look(fixture->memory, &name, false, &entry, &flight), MEMORY_LEADS);
    assert_true(land(fixture->memory, flight, &name, STR("b")));
    assert_int_equal(memory_look(fixture->memory, &name, true, &entry, &flight), MEMORY_HIT);
    assert_true(str_equal(memory_entry_value(entry), STR("b")));
    memory_entry_release(entry);
}

static void clearing_takes_what_matches_and_counts_it(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 300; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%d", i);
        struct cache_name name = { i % 3 ? CACHE_TEMPORARY : CACHE_USER, str_from(key) };
        store(fixture->memory, &name, STR("x"));
    }
    assert_int_equal(memory_clear(fixture->memory, STR("temp:*")), 200);
    assert_int_equal(memory_clear(fixture->memory, STR("temp:*")), 0);
    assert_int_equal(memory_bytes(fixture->memory, CACHE_TEMPORARY), 0);
    assert_true(memory_bytes(fixture->memory, CACHE_USER) > 0);
    assert_int_equal(memory_clear(fixture->memory, STR("user:*")), 100);
    assert_int_equal(memory_bytes(fixture->memory, CACHE_CATEGORY_COUNT), 0);
}

static void a_value_as_large_as_a_shard_is_not_kept(void **state)
{
    struct fixture *fixture = *state;
    static char large[MEMORY_LIMIT_MIN / MEMORY_SHARDS / 2];
    struct cache_name name = user("1");
    struct memory_entry *entry = NULL;
    struct flight *flight = NULL;
    assert_int_equal(memory_look(fixture->memory, &name, true, &entry, &flight), MEMORY_LEADS);
    assert_false(land(fixture->memory, flight, &name, (struct str_view){ large, sizeof(large) }));
}

/* --- loads under way --- */

static void a_load_that_began_before_a_drop_keeps_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct memory *memory = fixture->memory;
    struct cache_name name = user("1");
    struct memory_entry *entry = NULL;
    struct flight *old = NULL, *young = NULL;
    assert_int_equal(memory_look(memory, &name, true, &entry, &old), MEMORY_LEADS);
    memory_drop(memory, &name);
    /* Who comes now must not be given what the old load brings. */
    assert_int_equal(memory_look(memory, &name, true, &entry, &young), MEMORY_LEADS);
    assert_ptr_not_equal(old, young);
    assert_true(land(memory, young, &name, STR("new")));
    assert_false(land(memory, old, &name, STR("old")));
    assert_int_equal(memory_look(memory, &name, true, &entry, &young), MEMORY_HIT);
    assert_true(str_equal(memory_entry_value(entry), STR("new")));
    memory_entry_release(entry);
}

static void a_load_that_began_before_a_clear_keeps_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct cache_name name = user("1"), other = { CACHE_GUILD, STR("1") };
    struct memory_entry *entry = NULL;
    struct flight *flight = NULL, *spared = NULL;
    assert_int_equal(memory_look(fixture->memory, &name, true, &entry, &flight), MEMORY_LEADS);
    assert_int_equal(memory_look(fixture->memory, &other, true, &entry, &spared), MEMORY_LEADS);
    memory_clear(fixture->memory, STR("user:*"));
    assert_false(land(fixture->memory, flight, &name, STR("old")));
    assert_true(land(fixture->memory, spared, &other, STR("a")));
}

static void followers_get_the_leaders_error_and_it_is_not_kept(void **state)
{
    struct fixture *fixture = *state;
    struct cache_name name = user("1");
    struct memory_entry *entry = NULL;
    struct flight *flight = NULL, *same = NULL;
    assert_int_equal(memory_look(fixture->memory, &name, true, &entry, &flight), MEMORY_LEADS);
    assert_int_equal(memory_look(fixture->memory, &name, true, &entry, &same), MEMORY_FOLLOWS);
    assert_ptr_equal(flight, same);
    struct landing landing = { .result = ERR_BUSY, .may_keep = true, .ttl_us = TTL_US };
    err_set(&landing.err, ERR_BUSY, "the database is busy");
    assert_false(memory_land(fixture->memory, flight, &landing));
    struct err err = { 0 };
    assert_int_equal(memory_follow(fixture->memory, same, &entry, &err), ERR_BUSY);
    assert_string_equal(err.message, "the database is busy");
    assert_null(entry);
    assert_false(touch(fixture->memory, &name));
}

/* --- the model --- */

struct model_entry {
    int key;
    int64_t cost;
    bool was_visited;
};

/* SIEVE as its paper writes it, over an array: index 0 is the oldest. */
struct model {
    struct model_entry entries[MODEL_KEYS];
    int count, hand;
    int64_t bytes, limit, evictions;
};

static int model_find(const struct model *model, int key)
{
    for (int i = 0; i < model->count; i++)
        if (model->entries[i].key == key)
            return i;
    return -1;
}

static void model_remove(struct model *model, int at)
{
    model->bytes -= model->entries[at].cost;
    memmove(&model->entries[at], &model->entries[at + 1],
            (size_t)(model->count - at - 1) * sizeof(model->entries[0]));
    model->count--;
    if (model->hand > at)
        model->hand--;
    if (model->hand >= model->count)
        model->hand = 0;
}

static void model_insert(struct model *model, int key, int64_t cost)
{
    while (model->bytes + cost > model->limit) {
        while (model->entries[model->hand].was_visited) {
            model->entries[model->hand].was_visited = false;
            model->hand = (model->hand + 1) % model->count;
        }
        /* The hand stays where it is: at the next younger, or past the youngest, which is
         * wherever the next entry comes to stand. */
        int at = model->hand;
        bool is_youngest = at == model->count - 1;
        model_remove(model, at);
        model->hand = is_youngest ? 0 : at;
        model->evictions++;
    }
    model->entries[model->count++] = (struct model_entry){ .key = key, .cost = cost };
    model->bytes += cost;
}

static void eviction_and_bytes_are_those_of_the_model(void **state)
{
    struct fixture *fixture = *state;
    struct memory *memory = fixture->memory;
    static struct model model;
    static char bytes[MODEL_BYTES];
    uint64_t random = 88172645463325252u;
    /* One shard's table is a power of two of pointers, one for each 256 bytes. */
    model = (struct model){ .limit = (int64_t)(MEMORY_LIMIT_MIN - MEMORY_LIMIT_MIN / 256 * 8) };
    for (int step = 0; step < MODEL_STEPS; step++) {
        /* The lower of two draws: some keys come often. */
        uint32_t key = random_below(&random, MODEL_KEYS),
                 second = random_below(&random, MODEL_KEYS);
        key = key < second ? key : second;
        char text[16];
        struct cache_name name = { CACHE_USER,
                                   { text, (size_t)snprintf(text, sizeof(text), "%u", key) } };
        int at = model_find(&model, (int)key);
        if (random_below(&random, 20) == 0) {
            assert_int_equal(memory_drop(memory, &name), at >= 0);
            if (at >= 0)
                model_remove(&model, at);
            continue;
        }
        struct memory_entry *entry = NULL;
        struct flight *flight = NULL;
        enum memory_look look = memory_look(memory, &name, true, &entry, &flight);
        assert_int_equal(look, at >= 0 ? MEMORY_HIT : MEMORY_LEADS);
        memory_entry_release(entry);
        if (at >= 0) {
            model.entries[at].was_visited = true;
            continue;
        }
        size_t length = random_below(&random, MODEL_BYTES);
        assert_true(land(memory, flight, &name, (struct str_view){ bytes, length }));
        model_insert(&model, (int)key, (int64_t)(MEMORY_ENTRY_COST + name.key.length + length));
        assert_int_equal(memory_bytes(memory, CACHE_CATEGORY_COUNT), model.bytes);
    }
    assert_true(model.evictions > MODEL_STEPS / 10);
    assert_int_equal(metrics_read(fixture->metrics, METRIC_CACHE_EVICTIONS, CACHE_USER),
                     model.evictions);
    assert_int_equal(metrics_read(fixture->metrics, METRIC_CACHE_BYTES, CACHE_USER), model.bytes);
}

/* --- threads --- */

struct worker {
    struct fixture *fixture;
    uint64_t random;
    int64_t loads;
    bool has_failed;
};

/* A value tells its key, so that a mix-up shows. */
static void read_one(struct worker *worker, const struct cache_name *name)
{
    struct memory *memory = worker->fixture->memory;
    struct memory_entry *entry = NULL;
    struct flight *flight = NULL;
    switch (memory_look(memory, name, true, &entry, &flight)) {
    case MEMORY_HIT:
        break;
    case MEMORY_LEADS:
        worker->loads++;
        land(memory, flight, name, name->key);
        return;
    case MEMORY_FOLLOWS:
        if (memory_follow(memory, flight, &entry, NULL) != 1)
            worker->has_failed = true;
        break;
    case MEMORY_ALONE:
        worker->has_failed = true;
        return;
    }
    if (!entry || !str_equal(memory_entry_value(entry), name->key))
        worker->has_failed = true;
    memory_entry_release(entry);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    for (int i = 0; i < THREAD_STEPS; i++) {
        char key[CACHE_KEY_MAX];
        struct cache_name name = {
            CACHE_USER,
            { key, (size_t)snprintf(key, sizeof(key), "%0*u", 100,
                                    random_below(&worker->random, THREAD_KEYS)) },
        };
        uint32_t what = random_below(&worker->random, 100);
        if (what < 10)
            memory_drop(worker->fixture->memory, &name);
        else if (what == 10)
            memory_clear(worker->fixture->memory, STR("user:*7"));
        else
            read_one(worker, &name);
    }
    return NULL;
}

static void threads_read_load_and_drop_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ .fixture = fixture, .random = (uint64_t)i + 1 };
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_false(workers[i].has_failed);
        assert_true(workers[i].loads > 0);
    }
    memory_clear(fixture->memory, STR("*"));
    assert_int_equal(memory_bytes(fixture->memory, CACHE_CATEGORY_COUNT), 0);
    assert_int_equal(metrics_read(fixture->metrics, METRIC_CACHE_BYTES, CACHE_USER), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_stored_is_read_until_its_time_is_over),
        TEST(the_same_key_of_two_categories_is_two_entries),
        TEST(an_entry_that_may_not_be_served_is_loaded),
        TEST(clearing_takes_what_matches_and_counts_it),
        TEST(a_value_as_large_as_a_shard_is_not_kept),
        TEST(a_load_that_began_before_a_drop_keeps_nothing),
        TEST(a_load_that_began_before_a_clear_keeps_nothing),
        TEST(followers_get_the_leaders_error_and_it_is_not_kept),
        cmocka_unit_test_setup_teardown(eviction_and_bytes_are_those_of_the_model, setup_one_shard,
                                        teardown),
        TEST(threads_read_load_and_drop_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
