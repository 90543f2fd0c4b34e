/* Settings on two instances with one database and one Redis: what one saves, the other acts by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/settings.h"

#include "cache_fixture.h"
#include "service_fixture.h"

#include <time.h>

#define ALICE     INT64_C(412345678901234567)
#define HARLEM    INT64_C(300000000000000001)
#define ROUNDS    50
#define TRIES_MAX 100000 /* with a pause each: absurdly long */

struct test {
    struct cache_fixture *caches;
    struct service_fixture base;
    struct services a, b;
};

static int setup(void **state)
{
    static struct test test;
    void *caches;
    if (cache_fixture_setup(&caches) != 0 || service_fixture_open(&test.base) != 0)
        return 1;
    test.caches = caches;
    test.a = test.b = test.base.services;
    test.a.cache = test.caches->a.cache;
    test.b.cache = test.caches->b.cache;
    *state = &test;
    return 0;
}

static int teardown(void **state)
{
    struct test *test = *state;
    void *caches = test->caches;
    service_fixture_close(&test->base);
    return cache_fixture_teardown(&caches);
}

static void begin(struct service_call *call, struct test *test, const struct services *services)
{
    static const struct command none = { .name = "none" };
    static int64_t id = 1000;
    service_call_begin(call, &test->base, &none, ++id, ALICE);
    call->interaction.guild_id = HARLEM;
    call->call.services = services;
}

static int64_t max_bet_on(struct test *test, const struct services *services)
{
    struct service_call call;
    begin(&call, test, services);
    assert_int_equal(settings_load(&call.call, NULL), 0);
    int64_t max_bet = call.call.server->max_bet;
    service_call_end(&call);
    return max_bet;
}

static void save_on(struct test *test, const struct services *services, int64_t max_bet)
{
    const struct settings_owner owner = { SETTINGS_OF_SERVER, HARLEM };
    struct service_call call;
    struct field_values values;
    int64_t revision;
    begin(&call, test, services);
    assert_int_equal(settings_read(&call.call, owner, &revision, &values, NULL), 0);
    values.values[field_find(server_fields, STR("max_bet")) - server_fields] =
        arena_format(call.call.arena, "%lld", (long long)max_bet);
    assert_int_equal(settings_save(&call.call, owner, revision, &values, NULL), SETTINGS_SAVED);
    service_call_end(&call);
}

static void await_max_bet(struct test *test, const struct services *services, int64_t expected)
{
    const struct timespec pause = { .tv_nsec = 200000 };
    for (int i = 0; max_bet_on(test, services) != expected; i++) {
        if (i == TRIES_MAX)
            fail_msg("%lld was never seen", (long long)expected);
        nanosleep(&pause, NULL);
    }
}

/* The one that saved sees it with its very next call, the other as soon as it was told; neither
 * ever sees an older one again. */
static void what_one_instance_saves_the_other_acts_by(void **state)
{
    struct test *test = *state;
    for (int i = 0; i < ROUNDS; i++) {
        const struct services *saver = i % 2 == 0 ? &test->a : &test->b;
        const struct services *other = i % 2 == 0 ? &test->b : &test->a;
        max_bet_on(test, &test->a);
        max_bet_on(test, &test->b);
        save_on(test, saver, 10 + i);
        assert_int_equal(max_bet_on(test, saver), 10 + i);
        await_max_bet(test, other, 10 + i);
        assert_int_equal(max_bet_on(test, saver), 10 + i);
        assert_int_equal(max_bet_on(test, other), 10 + i);
    }
    /* It was the cache that answered, and not the database each time. */
    struct cache_statistics statistics;
    cache_statistics(test->b.cache, CACHE_SETTINGS, &statistics);
    assert_true(statistics.memory_hits > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_one_instance_saves_the_other_acts_by, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
