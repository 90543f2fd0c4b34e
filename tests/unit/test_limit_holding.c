/* The part a process may use of what Discord counts for all together, in virtual time. That parts
 * never add up to too much on a real Redis is in test_limit_share.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbox/limit_holding.h"

#include <limits.h>

#define SECOND INT64_C(1000000)
#define START  (1000 * SECOND)
#define HOUR   (3600 * SECOND)

static struct limit_holding make(void)
{
    struct limit_holding holding;
    limit_holding_init(&holding, &limit_rules_default);
    return holding;
}

static struct limiter_part part_at(struct limit_holding *holding, int64_t now_us)
{
    struct limiter_part part;
    limit_holding_part(holding, now_us, &part);
    return part;
}

static void answer(struct limit_holding *holding, int global, int invalid, int64_t sent_us)
{
    limit_holding_answered(holding, &(struct limit_answer){ .is_given = true,
                                                            .sent_us = sent_us,
                                                            .parts = { global, invalid },
                                                            .members = 2 });
}

static void who_is_alone_has_all_at_once(void **state)
{
    (void)state;
    struct limit_holding holding = make();
    assert_int_equal(part_at(&holding, START).global_per_second, 0); /* not counted yet */
    limit_holding_count(&holding, 1, START);
    struct limiter_part part = part_at(&holding, START);
    assert_int_equal(part.global_per_second, LIMITER_GLOBAL_PER_SECOND);
    assert_int_equal(part.invalid_max, LIMITER_INVALID_MAX * LIMITER_BRAKE_PERCENT / 100);
    assert_true(part.invalid_brake < part.invalid_max);
}

static void the_shares_of_any_number_of_processes_fit_the_limit(void **state)
{
    (void)state;
    for (int count = 1; count <= LIMITER_GLOBAL_PER_SECOND; count++) {
        struct limit_holding holding = make();
        limit_holding_count(&holding, count, START);
        struct limiter_part part = part_at(&holding, START + HOUR);
        assert_true(part.global_per_second >= 1);
        assert_true(count * part.global_per_second <= LIMITER_GLOBAL_PER_SECOND);
        if (part.invalid_max > limit_rules_default.of[LIMIT_INVALID].least)
            assert_true(count * part.invalid_max <= LIMITER_INVALID_MAX);
    }
}

/* The others count it at a heartbeat, and at the latest when they have lost their lease. */
static void a_newcomer_waits_until_all_have_counted_it(void **state)
{
    (void)state;
    struct limit_holding holding = make();
    int64_t unknown_us = limit_rules_default.unknown_us;
    limit_holding_count(&holding, 2, START);
    assert_int_equal(part_at(&holding, START + unknown_us).global_per_second, 0);
    assert_int_equal(part_at(&holding, START + unknown_us).invalid_max,
                     limit_rules_default.of[LIMIT_INVALID].least);
    assert_int_equal(part_at(&holding, START + 2 * unknown_us).global_per_second,
                     LIMITER_GLOBAL_PER_SECOND / 2);
}

static void one_that_others_took_for_dead_is_a_newcomer_again(void **state)
{
    (void)state;
    struct limit_holding holding = make();
    limit_holding_count(&holding, 1, START);
    limit_holding_restart(&holding);
    limit_holding_count(&holding, 2, START + SECOND);
    struct limit_ask ask;
    limit_holding_ask(&holding, &(struct limiter_use){ 0 }, START + SECOND, &ask);
    assert_false(ask.of[LIMIT_GLOBAL].is_settled);
    assert_false(ask.of[LIMIT_INVALID].is_settled);
}

static void a_larger_fleet_makes_the_share_smaller_at_once(void **state)
{
    (void)state;
    struct limit_holding holding = make();
    limit_holding_count(&holding, 1, START);
    part_at(&holding, START);
    limit_holding_count(&holding, 5, START + SECOND);
    assert_int_equal(part_at(&holding, START + SECOND).global_per_second, 10);
}

static void who_is_gone_is_counted_until_its_requests_left_the_window(void **state)
{
    (void)state;
    struct limit_holding holding = make();
    int64_t window_us = limit_rules_default.of[LIMIT_INVALID].window_us;
    limit_holding_count(&holding, 1, START);
    limit_holding_count(&holding, 4, START);
    int quarter = part_at(&holding, START).invalid_max;
    limit_holding_count(&holding, 1, START + window_us);
    assert_int_equal(part_at(&holding, START + window_us).invalid_max, quarter);
    limit_holding_count(&holding, 1, START + window_us + 1);
    limit_holding_count(&holding, 1, START + 2 * window_us + 2);
    assert_int_equal(part_at(&holding, START + 2 * window_us + 2).invalid_max, 4 * quarter);
}

static void a_grant_lapses_and_what_is_left_is_no_more_than_the_share(void **state)
{
    (void)state;
    struct limit_holding holding = make();
    struct limit_ask ask;
    int64_t end_us = START + limit_rules_default.grant_us;
    limit_holding_count(&holding, 1, START);
    limit_holding_count(&holding, 2, START);
    limit_holding_ask(&holding, &(struct limiter_use){ .is_global_short = true }, START, &ask);
    limit_holding_attempted(&holding, START);
    answer(&holding, 45, 1000, START);
    assert_int_equal(part_at(&holding, end_us - 1).global_per_second, 45);
    assert_int_equal(part_at(&holding, end_us).global_per_second, 25);
}

/* What it left to others they may use until their grants lapse. */
static void what_was_given_up_comes_back_late(void **state)
{
    (void)state;
    struct limit_holding holding = make();
    struct limit_ask ask;
    int64_t grant_us = limit_rules_default.grant_us;
    limit_holding_count(&holding, 1, START);
    limit_holding_ask(&holding, &(struct limiter_use){ 0 }, START, &ask);
    int kept = ask.of[LIMIT_GLOBAL].have;
    assert_true(kept < LIMITER_GLOBAL_PER_SECOND);
    limit_holding_attempted(&holding, START);
    limit_holding_answered(&holding, &(struct limit_answer){ .sent_us = START });
    assert_int_equal(part_at(&holding, START + 2 * grant_us).global_per_second, kept);
    assert_int_equal(part_at(&holding, START + 4 * grant_us).global_per_second,
                     LIMITER_GLOBAL_PER_SECOND);
}

static void a_part_never_grows_while_an_ask_is_under_way(void **state)
{
    (void)state;
    struct limit_holding holding = make();
    struct limit_ask ask;
    limit_holding_count(&holding, 1, START);
    limit_holding_ask(&holding, &(struct limiter_use){ 0 }, START, &ask);
    assert_int_equal(part_at(&holding, START + HOUR).global_per_second, ask.of[LIMIT_GLOBAL].have);
    limit_holding_answered(&holding, &(struct limit_answer){ .sent_us = START });
    assert_int_equal(part_at(&holding, START + HOUR).global_per_second, LIMITER_GLOBAL_PER_SECOND);
}

static void what_is_used_is_had_even_above_the_part(void **state)
{
    (void)state;
    struct limit_holding holding = make();
    struct limit_ask ask;
    limit_holding_count(&holding, 1, START);
    limit_holding_ask(&holding, &(struct limiter_use){ .global = 40 }, START, &ask);
    answer(&holding, 10, 1000, START);
    limit_holding_ask(&holding, &(struct limiter_use){ .global = 40 }, START + SECOND, &ask);
    assert_int_equal(ask.of[LIMIT_GLOBAL].have, 40);
    assert_true(ask.of[LIMIT_GLOBAL].want >= 40);
}

static void the_brake_is_for_all_together_while_they_share(void **state)
{
    (void)state;
    struct limit_holding holding = make();
    struct limit_ask ask;
    limit_holding_count(&holding, 3, START);
    limit_holding_ask(&holding, &(struct limiter_use){ 0 }, START, &ask);
    struct limit_answer few = { true, START, { 10, 1000 }, 3, 10 }, many = few;
    many.invalid = LIMITER_INVALID_MAX * 7 / 10;
    limit_holding_answered(&holding, &few);
    assert_int_equal(part_at(&holding, START).invalid_brake, INT_MAX);
    limit_holding_answered(&holding, &many);
    assert_int_equal(part_at(&holding, START).invalid_brake, 0);
    assert_int_equal(part_at(&holding, START).brake_us, 3 * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_alone_has_all_at_once),
        cmocka_unit_test(the_shares_of_any_number_of_processes_fit_the_limit),
        cmocka_unit_test(a_newcomer_waits_until_all_have_counted_it),
        cmocka_unit_test(one_that_others_took_for_dead_is_a_newcomer_again),
        cmocka_unit_test(a_larger_fleet_makes_the_share_smaller_at_once),
        cmocka_unit_test(who_is_gone_is_counted_until_its_requests_left_the_window),
        cmocka_unit_test(a_grant_lapses_and_what_is_left_is_no_more_than_the_share),
        cmocka_unit_test(what_was_given_up_comes_back_late),
        cmocka_unit_test(a_part_never_grows_while_an_ask_is_under_way),
        cmocka_unit_test(what_is_used_is_had_even_above_the_part),
        cmocka_unit_test(the_brake_is_for_all_together_while_they_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
