/* Cooldowns through the cache: refusals cost no question to the database, and nobody is refused
 * whose cooldown is not in force. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/cooldown.h"
#include "bronx/interaction.h"
#include "bronx/ledger.h"
#include "bronx/user_data.h"

#include "cache/cache.h"
#include "core/log_sink.h"
#include "service_fixture.h"

#define ALICE  7001
#define BOB    7002
#define AMOUNT 10

static const struct command cooled = { .name = "cooled", .cooldown_ms = MS_PER_HOUR };
static const struct command other = { .name = "other", .cooldown_ms = MS_PER_HOUR };

struct fixture {
    struct service_fixture base;
    struct cache *cache;
    int64_t ids; /* handed out in this millisecond */
};

static int setup(void **state)
{
    static struct fixture fixture;
    struct err err = { 0 };
    fixture = (struct fixture){ 0 };
    assert_int_equal(service_fixture_open(&fixture.base), 0);
    const struct cache_settings settings = { .redis_url = "",
                                             .name_space = "test",
                                             .memory_bytes = 1024 * 1024,
                                             .is_only_process = true,
                                             .clock = &fixture.base.clock };
    assert_int_equal(cache_new(&fixture.cache, &settings, &err), 0);
    fixture.base.services.cache = fixture.cache;
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    cache_free(fixture->cache);
    service_fixture_close(&fixture->base);
    return 0;
}

/* An interaction of this moment. */
static int64_t new_id(struct fixture *fixture)
{
    return (fixture->base.now_ms - DISCORD_EPOCH_MS) * (INT64_C(1) << 22) + ++fixture->ids;
}

static int64_t ready_at(struct fixture *fixture, const struct command *command, int64_t id,
                        int64_t user_id)
{
    struct service_call call;
    int64_t ready_at_ms = -1;
    service_call_begin(&call, &fixture->base, command, id, user_id);
    assert_int_equal(cooldown_ready_at(&call.call, &ready_at_ms, NULL), 0);
    service_call_end(&call);
    return ready_at_ms;
}

static int post(struct fixture *fixture, int64_t id)
{
    struct service_call call;
    const struct ledger_entry entry = {
        .operation = "test",
        .transfers = { { HOUSE(HOUSE_REWARDS), WALLET_OF(ALICE), AMOUNT } },
        .transfer_count = 1,
    };
    struct ledger_receipt receipt;
    service_call_begin(&call, &fixture->base, &cooled, id, ALICE);
    int result = ledger_post(&call.call, &entry, &receipt, NULL);
    service_call_end(&call);
    return result;
}

static int64_t loads(const struct fixture *fixture)
{
    struct cache_statistics statistics;
    cache_statistics(fixture->cache, CACHE_COOLDOWN, &statistics);
    return statistics.loads;
}

/* Behind everybody's back: what is seen after it comes from the cache. */
static void drop_rows(struct fixture *fixture)
{
    const struct db_statement statement = { .sql = "DELETE FROM cooldown" };
    assert_int_equal(db_query(fixture->base.db, &statement, NULL, NULL), 0);
}

static void who_is_refused_again_and_again_asks_the_database_once(void **state)
{
    struct fixture *fixture = *state;
    int64_t over_ms = fixture->base.now_ms + MS_PER_HOUR;
    assert_int_equal(post(fixture, new_id(fixture)), LEDGER_DONE);
    fixture->base.now_ms += MS_PER_SECOND;
    assert_int_equal(ready_at(fixture, &cooled, new_id(fixture), ALICE), over_ms);
    drop_rows(fixture);
    int64_t before = loads(fixture);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ready_at(fixture, &cooled, new_id(fixture), ALICE), over_ms);
    assert_int_equal(loads(fixture), before);
}

static void a_cooldown_is_of_one_person_and_one_command(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(post(fixture, new_id(fixture)), LEDGER_DONE);
    fixture->base.now_ms += MS_PER_SECOND;
    assert_true(ready_at(fixture, &cooled, new_id(fixture), ALICE) > 0);
    assert_int_equal(ready_at(fixture, &other, new_id(fixture), ALICE), 0);
    assert_int_equal(ready_at(fixture, &cooled, new_id(fixture), BOB), 0);
}

static void a_cooldown_that_was_just_taken_is_seen_although_none_was_known(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ready_at(fixture, &cooled, new_id(fixture), ALICE), 0);
    assert_int_equal(post(fixture, new_id(fixture)), LEDGER_DONE);
    fixture->base.now_ms += MS_PER_SECOND;
    assert_true(ready_at(fixture, &cooled, new_id(fixture), ALICE) > 0);
}

static void nobody_is_refused_after_its_end_however_long_it_is_cached(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(post(fixture, new_id(fixture)), LEDGER_DONE);
    fixture->base.now_ms += MS_PER_HOUR - 1;
    assert_true(ready_at(fixture, &cooled, new_id(fixture), ALICE) > 0);
    fixture->base.now_ms += 1;
    assert_int_equal(ready_at(fixture, &cooled, new_id(fixture), ALICE), 0);
}

static void the_replay_of_what_used_it_passes(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = new_id(fixture);
    assert_int_equal(post(fixture, id), LEDGER_DONE);
    fixture->base.now_ms += MS_PER_SECOND;
    assert_true(ready_at(fixture, &cooled, new_id(fixture), ALICE) > 0);
    assert_int_equal(ready_at(fixture, &cooled, id, ALICE), 0);
}

/* Whose cooldown is over, and another's in force: the ledger has its entry. */
static void the_replay_of_one_that_was_answered_before_passes(void **state)
{
    struct fixture *fixture = *state;
    int64_t first = new_id(fixture), never_run = new_id(fixture);
    assert_int_equal(post(fixture, first), LEDGER_DONE);
    fixture->base.now_ms += MS_PER_HOUR;
    assert_int_equal(post(fixture, new_id(fixture)), LEDGER_DONE);
    fixture->base.now_ms += MS_PER_SECOND;
    assert_true(ready_at(fixture, &cooled, new_id(fixture), ALICE) > 0);
    assert_int_equal(ready_at(fixture, &cooled, first, ALICE), 0);
    assert_true(ready_at(fixture, &cooled, never_run, ALICE) > 0);
}

static void erasing_somebody_ends_the_cooldown_in_the_cache_too(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(post(fixture, new_id(fixture)), LEDGER_DONE);
    fixture->base.now_ms += MS_PER_SECOND;
    assert_true(ready_at(fixture, &cooled, new_id(fixture), ALICE) > 0);
    struct service_call call;
    service_call_begin(&call, &fixture->base, &other, new_id(fixture), ALICE);
    assert_int_equal(user_data_erase(&call.call, NULL), 0);
    service_call_end(&call);
    assert_int_equal(ready_at(fixture, &cooled, new_id(fixture), ALICE), 0);
}

/* What a process believed that did not hear of another's commit in time. */
static void a_lost_race_teaches_when_the_command_may_run_again(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ready_at(fixture, &cooled, new_id(fixture), ALICE), 0);
    const struct db_statement rival = {
        .sql = "INSERT INTO cooldown (user_id, command, ready_at, interaction_id) "
               "VALUES ($1, 'cooled', $2, $3)",
        .parameters = { DB_INT(ALICE), DB_INT(fixture->base.now_ms + MS_PER_MINUTE), DB_INT(1) },
        .parameter_count = 3,
    };
    assert_int_equal(db_query(fixture->base.db, &rival, NULL, NULL), 0);
    int64_t id = new_id(fixture);
    assert_int_equal(post(fixture, id), LEDGER_ON_COOLDOWN);
    assert_int_equal(ready_at(fixture, &cooled, id, ALICE), fixture->base.now_ms + MS_PER_MINUTE);
}

int main(void)
{
#define COOLDOWN_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        COOLDOWN_TEST(who_is_refused_again_and_again_asks_the_database_once),
        COOLDOWN_TEST(a_cooldown_is_of_one_person_and_one_command),
        COOLDOWN_TEST(a_cooldown_that_was_just_taken_is_seen_although_none_was_known),
        COOLDOWN_TEST(nobody_is_refused_after_its_end_however_long_it_is_cached),
        COOLDOWN_TEST(the_replay_of_what_used_it_passes),
        COOLDOWN_TEST(the_replay_of_one_that_was_answered_before_passes),
        COOLDOWN_TEST(erasing_somebody_ends_the_cooldown_in_the_cache_too),
        COOLDOWN_TEST(a_lost_race_teaches_when_the_command_may_run_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
