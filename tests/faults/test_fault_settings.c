/* A save of settings with a fault at every allocation and statement in turn. Whatever fails: the
 * same interaction once more saves, and has saved exactly once; the cache never keeps what was
 * before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/settings.h"

#include "cache/cache.h"
#include "fault_loop.h"
#include "service_fixture.h"

#include <inttypes.h>
#include <stdio.h>

#define CACHE_BYTES ((size_t)1024 * 1024)

static struct service_fixture fixture;
static struct cache *cache;

struct run {
    int64_t user_id, id;
};

static void begin(struct service_call *call, const struct run *run)
{
    static const struct command none = { .name = "none" };
    service_call_begin(call, &fixture, &none, run->id, run->user_id);
}

/* As a handler does: what is in force is loaded, the row is read, one field is changed. */
static int save(const struct run *run, struct err *err)
{
    struct service_call call;
    struct field_values values;
    const struct settings_owner owner = { SETTINGS_OF_USER, run->user_id };
    int64_t revision;
    begin(&call, run);
    int result = settings_load(&call.call, err);
    if (result == 0)
        result = settings_read(&call.call, owner, &revision, &values, err);
    if (result == 0) {
        values.values[field_find(user_fields, STR("max_bet")) - user_fields] = STR("77");
        result = settings_save(&call.call, owner, revision, &values, err);
    }
    if (result == SETTINGS_SAVED)
        assert_int_equal(call.call.person->max_bet, 77);
    service_call_end(&call);
    return result;
}

static int64_t max_bet_in_force(const struct run *run)
{
    struct service_call call;
    begin(&call, run);
    assert_int_equal(settings_load(&call.call, NULL), 0);
    int64_t max_bet = call.call.person->max_bet;
    service_call_end(&call);
    return max_bet;
}

static int64_t count(const char *table, const struct run *run)
{
    char sql[96];
    snprintf(sql, sizeof(sql), "SELECT COUNT(*) FROM %s WHERE user_id = %" PRId64, table,
             run->user_id);
    return service_fixture_count(&fixture, sql);
}

/* Whether a fault struck. */
static bool save_once(enum fault_kind kind, int64_t nth, bool is_lasting)
{
    static int64_t serial = 1000;
    serial++;
    const struct run run = { serial, serial * 10 };
    struct err err = { 0 };
    max_bet_in_force(&run); /* so that the cache has what was before */
    faults_arm(kind, nth, is_lasting);
    int result = save(&run, &err);
    bool has_struck = faults_disarm();
    if (result < 0 && (!has_struck || !err.message[0]))
        fail_msg("%s %" PRId64 ": %d, %s", fault_words[kind], nth, result, err.message);
    assert_true(result <= 0);
    int64_t rows = count("user_settings", &run);
    assert_true(result < 0 || rows == 1);
    assert_int_equal(max_bet_in_force(&run), rows == 1 ? 77 : 0);
    assert_int_equal(save(&run, &err), SETTINGS_SAVED);
    assert_int_equal(count("user_settings", &run), 1);
    assert_int_equal(count("user_settings_change", &run), 1);
    assert_int_equal(max_bet_in_force(&run), 77);
    return has_struck;
}

static void save_with_faults(enum fault_kind kind)
{
    const struct cache_settings settings = { .redis_url = "",
                                             .name_space = "test",
                                             .memory_bytes = CACHE_BYTES,
                                             .is_only_process = true,
                                             .clock = &fixture.clock };
    assert_int_equal(service_fixture_open(&fixture), 0);
    faults_wrap_engine(fixture.db);
    assert_int_equal(cache_new(&cache, &settings, NULL), 0);
    fixture.services.cache = cache;
    for (int is_lasting = 0; is_lasting < 2; is_lasting++) {
        int64_t faults = 0;
        save_once(kind, INT64_MAX, false); /* so that what is made once and kept is there */
        for (int64_t nth = 1; save_once(kind, nth, is_lasting); nth = fault_next(nth))
            faults++;
        print_message("save: %s, %" PRId64 " faults%s\n", fault_words[kind], faults,
                      is_lasting ? ", lasting" : "");
        assert_true(faults > 0);
    }
    fixture.services.cache = NULL;
    cache_free(cache);
    service_fixture_close(&fixture);
}

static void a_save_without_memory_can_be_done_again(void **state)
{
    (void)state;
    save_with_faults(FAULT_ALLOCATION);
}

static void a_save_whose_statements_fail_can_be_done_again(void **state)
{
    (void)state;
    save_with_faults(FAULT_STATEMENT_BEFORE);
}

static void a_save_whose_answers_are_lost_has_happened_once(void **state)
{
    (void)state;
    save_with_faults(FAULT_STATEMENT_AFTER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_save_without_memory_can_be_done_again),
        cmocka_unit_test(a_save_whose_statements_fail_can_be_done_again),
        cmocka_unit_test(a_save_whose_answers_are_lost_has_happened_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
