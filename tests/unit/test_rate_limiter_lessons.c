/* What limiters of several processes teach each other, and the part that each may use: pure, in
 * virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discord/rate_limiter.h"

#include <stdio.h>
#include <string.h>

#define MS     INT64_C(1000)
#define SECOND (1000 * MS)
#define START  (1000 * SECOND)

static const unsigned char key[LIMITER_SHARE_KEY_BYTES] = "all processes have it";
static const struct limiter_route edit = { STR("PATCH /a"), STR("1/token"), false };
static const struct limiter_route other_major = { STR("PATCH /a"), STR("2/token"), false };
static const struct limiter_route as_bot = { STR("PUT /b"), STR("3"), true };
static const struct rest_error no_error = { .retry_after_ms = -1 };

/* Two processes of one bot. */
struct pair {
    struct limiter *here, *there;
};

static struct pair make_pair(void)
{
    const struct limiter_settings settings = { .share_key = key };
    struct pair pair;
    assert_int_equal(limiter_new(&pair.here, &settings, NULL), 0);
    assert_int_equal(limiter_new(&pair.there, &settings, NULL), 0);
    return pair;
}

static void free_pair(struct pair *pair)
{
    limiter_free(pair->here);
    limiter_free(pair->there);
}

static struct rest_response answer(int status, int64_t remaining)
{
    struct rest_response response = { .status = status,
                                      .retry_after_ms = -1,
                                      .limit = remaining < 0 ? -1 : 5,
                                      .remaining = remaining,
                                      .reset_after_ms = remaining < 0 ? -1 : 2000,
                                      .has_via = true };
    (void)snprintf(response.bucket, sizeof(response.bucket), "%s", remaining < 0 ? "" : "hash");
    return response;
}

static enum limiter_wait ask(struct limiter *limiter, const struct limiter_route *route,
                             int64_t now_us, int64_t *ask_at_us)
{
    struct limiter_ticket ticket;
    return limiter_take(limiter, route, now_us, &ticket, ask_at_us);
}

static void exchange(struct limiter *limiter, const struct limiter_route *route,
                     const struct rest_response *response, const struct rest_error *error,
                     int64_t now_us)
{
    struct limiter_ticket ticket;
    int64_t ask_at_us;
    assert_int_equal(limiter_take(limiter, route, now_us, &ticket, &ask_at_us), LIMITER_GO);
    limiter_heard(limiter, route, &ticket, response, error, now_us);
}

static size_t pass_on(struct pair *pair, int64_t now_us)
{
    struct limiter_lesson lessons[LIMITER_LESSONS_MAX];
    size_t count = limiter_take_lessons(pair->here, now_us, lessons, ARRAY_LENGTH(lessons));
    for (size_t i = 0; i < count; i++)
        limiter_learn(pair->there, &lessons[i], now_us);
    struct limiter_lesson none;
    assert_int_equal(limiter_take_lessons(pair->there, now_us, &none, 1), 0); /* no echo */
    return count;
}

static void a_used_up_bucket_is_closed_for_who_never_used_it(void **state)
{
    (void)state;
    CLEANUP(free_pair) struct pair pair = make_pair();
    struct rest_response last = answer(200, 0);
    int64_t ask_at_us = 0;
    exchange(pair.here, &edit, &last, &no_error, START);
    assert_int_equal(pass_on(&pair, START), 1);
    assert_int_equal(ask(pair.there, &edit, START + SECOND, &ask_at_us), LIMITER_WAIT_BUCKET);
    assert_int_equal(ask_at_us, START + 2 * SECOND);
    assert_int_equal(ask(pair.there, &edit, START + 2 * SECOND, &ask_at_us), LIMITER_GO);
}

static void a_used_up_bucket_is_closed_for_who_knows_its_hash(void **state)
{
    (void)state;
    CLEANUP(free_pair) struct pair pair = make_pair();
    struct rest_response more = answer(200, 4), last = answer(200, 0);
    int64_t ask_at_us = 0;
    exchange(pair.there, &other_major, &more, &no_error, START);
    exchange(pair.here, &edit, &last, &no_error, START);
    pass_on(&pair, START);
    assert_int_equal(ask(pair.there, &edit, START + SECOND, &ask_at_us), LIMITER_WAIT_BUCKET);
    assert_int_equal(ask(pair.there, &other_major, START + SECOND, &ask_at_us), LIMITER_GO);
}

static void a_429_is_a_lesson_and_an_answer_that_leaves_something_is_none(void **state)
{
    (void)state;
    CLEANUP(free_pair) struct pair pair = make_pair();
    struct rest_response more = answer(200, 4), refused = answer(429, -1);
    int64_t ask_at_us = 0;
    refused.retry_after_ms = 3000;
    (void)snprintf(refused.scope, sizeof(refused.scope), "shared");
    exchange(pair.here, &edit, &more, &no_error, START);
    assert_int_equal(pass_on(&pair, START), 0);
    exchange(pair.here, &edit, &refused, &(struct rest_error){ true, 0, "", 3000, true, false },
             START);
    assert_int_equal(pass_on(&pair, START + SECOND), 1);
    assert_int_equal(ask(pair.there, &edit, START + SECOND, &ask_at_us), LIMITER_WAIT_BUCKET);
    assert_int_equal(ask_at_us, START + 3 * SECOND);
}

static void a_global_429_closes_the_same_for_all(void **state)
{
    (void)state;
    CLEANUP(free_pair) struct pair pair = make_pair();
    const struct rest_error global = { true, 0, "", 4000, true, true };
    struct rest_response refused = answer(429, -1);
    int64_t ask_at_us = 0;
    refused.is_global = true;
    exchange(pair.here, &as_bot, &refused, &global, START);
    pass_on(&pair, START);
    assert_int_equal(ask(pair.there, &as_bot, START, &ask_at_us), LIMITER_WAIT_GLOBAL);
    assert_int_equal(ask(pair.there, &edit, START, &ask_at_us), LIMITER_GO);
    exchange(pair.here, &edit, &refused, &global, START);
    pass_on(&pair, START);
    assert_int_equal(ask(pair.there, &other_major, START, &ask_at_us), LIMITER_WAIT_GLOBAL);
}

static void a_ban_shuts_all_and_each_tries_it_with_one_probe(void **state)
{
    (void)state;
    CLEANUP(free_pair) struct pair pair = make_pair();
    struct rest_response banned = answer(429, -1);
    int64_t ask_at_us = 0;
    banned.has_via = false;
    banned.retry_after_ms = 5000;
    exchange(pair.here, &edit, &banned, &no_error, START);
    pass_on(&pair, START);
    assert_int_equal(ask(pair.there, &edit, START, &ask_at_us), LIMITER_WAIT_BANNED);
    assert_int_equal(ask_at_us, START + 5 * SECOND);
    assert_int_equal(ask(pair.there, &edit, START + 5 * SECOND, &ask_at_us), LIMITER_GO);
    assert_int_equal(ask(pair.there, &other_major, START + 5 * SECOND, &ask_at_us),
                     LIMITER_WAIT_BANNED);
}

static void lessons_on_buckets_never_crowd_out_those_for_all(void **state)
{
    (void)state;
    CLEANUP(free_pair) struct pair pair = make_pair();
    struct rest_response last = answer(200, 0), refused = answer(429, -1);
    struct limiter_lesson lessons[LIMITER_LESSONS_MAX];
    bool has_all = false;
    for (int i = 0; i < 3 * LIMITER_LESSONS_MAX; i++) {
        char major[16];
        (void)snprintf(major, sizeof(major), "%d", i);
        const struct limiter_route route = { STR("PATCH /a"), str_from(major), false };
        exchange(pair.here, &route, &last, &no_error, START);
    }
    exchange(pair.here, &edit, &refused, &(struct rest_error){ true, 0, "", 4000, true, true },
             START);
    size_t count = limiter_take_lessons(pair.here, START, lessons, ARRAY_LENGTH(lessons));
    assert_true(count > 1 && count <= LIMITER_LESSONS_MAX);
    for (size_t i = 0; i < count; i++)
        has_all |= lessons[i].kind == LESSON_ALL;
    assert_true(has_all);
}

static void a_part_is_kept_and_its_end_is_known(void **state)
{
    (void)state;
    CLEANUP(free_pair) struct pair pair = make_pair();
    const struct limiter_part part = {
        .global_per_second = 3, .invalid_max = 1000, .invalid_brake = 1000, .brake_us = SECOND
    };
    struct rest_response fine = answer(200, -1);
    int64_t ask_at_us = 0;
    limiter_set_part(pair.here, &part);
    for (int i = 0; i < 3; i++)
        exchange(pair.here, &as_bot, &fine, &no_error, START + i * 100 * MS);
    assert_false(limiter_use(pair.here, START + 300 * MS).is_global_short);
    assert_int_equal(ask(pair.here, &as_bot, START + 300 * MS, &ask_at_us), LIMITER_WAIT_GLOBAL);
    struct limiter_use use = limiter_use(pair.here, START + 300 * MS);
    assert_true(use.is_global_short);
    assert_int_equal(use.global, 3);
    assert_int_equal(ask(pair.here, &as_bot, START + SECOND, &ask_at_us), LIMITER_GO);
}

static void invalid_requests_stop_at_the_part_and_slow_down_at_its_brake(void **state)
{
    (void)state;
    CLEANUP(free_pair) struct pair pair = make_pair();
    const struct limiter_part part = {
        .global_per_second = 50, .invalid_max = 10, .invalid_brake = 4, .brake_us = 3 * SECOND
    };
    struct rest_response denied = answer(403, -1);
    int64_t ask_at_us = 0, now_us = START;
    limiter_set_part(pair.here, &part);
    for (int i = 0; i < 4; i++)
        exchange(pair.here, &edit, &denied, &no_error, now_us);
    for (int i = 4; i < 9; i++) {
        assert_int_equal(ask(pair.here, &edit, now_us, &ask_at_us), LIMITER_WAIT_BRAKE);
        assert_int_equal(ask_at_us, now_us + 3 * SECOND);
        now_us = ask_at_us;
        exchange(pair.here, &edit, &denied, &no_error, now_us);
    }
    assert_int_equal(ask(pair.here, &edit, now_us + 9 * SECOND, &ask_at_us), LIMITER_WAIT_BRAKE);
    assert_true(limiter_use(pair.here, now_us).is_invalid_short);
    assert_int_equal(limiter_use(pair.here, now_us).invalid, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_used_up_bucket_is_closed_for_who_never_used_it),
        cmocka_unit_test(a_used_up_bucket_is_closed_for_who_knows_its_hash),
        cmocka_unit_test(a_429_is_a_lesson_and_an_answer_that_leaves_something_is_none),
        cmocka_unit_test(a_global_429_closes_the_same_for_all),
        cmocka_unit_test(a_ban_shuts_all_and_each_tries_it_with_one_probe),
        cmocka_unit_test(lessons_on_buckets_never_crowd_out_those_for_all),
        cmocka_unit_test(a_part_is_kept_and_its_end_is_known),
        cmocka_unit_test(invalid_requests_stop_at_the_part_and_slow_down_at_its_brake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
