/* The breaker's picture, arrow by arrow, and where REDIS_URL may point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache/cache.h"
#include "redis/address.h"
#include "redis/breaker.h"

#include <string.h>

#define START INT64_C(1000000)

static void only_the_arrows_of_the_picture_can_be_gone(void **state)
{
    (void)state;
    struct breaker breaker = { 0 };
    assert_false(breaker_open(&breaker, START));
    assert_false(breaker_close(&breaker, START));
    assert_true(breaker_try(&breaker, START));
    assert_false(breaker_try(&breaker, START));
    assert_true(breaker_close(&breaker, START));
    assert_int_equal(breaker.period, 1);
    assert_false(breaker_close(&breaker, START));
    assert_false(breaker_try(&breaker, START));
    assert_true(breaker_open(&breaker, START));
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_int_equal(breaker.period, 1);
}

static int64_t longest_wait(int failures, int64_t closed_us)
{
    int64_t longest = 0;
    for (int i = 0; i < 2000; i++) {
        struct breaker breaker = { .state = BREAKER_CLOSED,
                                   .failures = failures,
                                   .closed_at_us = START };
        breaker_open(&breaker, START + closed_us);
        int64_t wait = breaker.retry_at_us - (START + closed_us);
        assert_true(wait >= 0);
        assert_false(wait > 0 && breaker_try(&breaker, breaker.retry_at_us - 1));
        longest = wait > longest ? wait : longest;
    }
    return longest;
}

static void the_wait_is_drawn_below_a_bound_that_doubles_up_to_a_limit(void **state)
{
    (void)state;
    const int64_t bounds[] = { 1, 2, 4, 8, 10, 10, 10 };
    for (int failures = 0; failures < (int)ARRAY_LENGTH(bounds); failures++) {
        int64_t bound = bounds[failures] * BREAKER_BACKOFF_FIRST_US;
        int64_t longest = longest_wait(failures, 0);
        assert_true(longest <= bound);
        assert_true(longest > bound / 2);
    }
    assert_true(longest_wait(1000000, 0) <= BREAKER_BACKOFF_MAX_US);
}

static void failures_are_forgotten_only_after_a_proven_time(void **state)
{
    (void)state;
    assert_true(longest_wait(20, BREAKER_PROVEN_US - 1) > BREAKER_BACKOFF_FIRST_US);
    assert_true(longest_wait(20, BREAKER_PROVEN_US) <= BREAKER_BACKOFF_FIRST_US);
}

static void a_url_is_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        struct redis_address address;
    } cases[] = {
        { "redis://host", { .host = "host", .port = 6379 } },
        { "redis://host/", { .host = "host", .port = 6379 } },
        { "redis://host:1/15", { .host = "host", .port = 1, .database = 15 } },
        { "redis://[::1]:6380/2", { .host = "::1", .port = 6380, .database = 2 } },
        { "redis://[::1]", { .host = "::1", .port = 6379 } },
        { "redis://:pass@h", { .host = "h", .port = 6379, .password = "pass" } },
        { "redis://me:p%40s%3as@h",
          { .host = "h", .port = 6379, .user = "me", .password = "p@s:s" } },
        { "redis://me:p@q@h", { .host = "h", .port = 6379, .user = "me", .password = "p@q" } },
        { "unix:///run/r.sock", { .is_unix = true, .host = "/run/r.sock", .port = 6379 } },
        { "unix://:p@/r?db=4",
          { .is_unix = true, .host = "/r", .port = 6379, .database = 4, .password = "p" } },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct redis_address *expected = &cases[i].address;
        struct redis_address address;
        struct err err = { 0 };
        if (redis_address_parse(str_from(cases[i].url), &address, &err) != 0)
            fail_msg("%s: %s", cases[i].url, err.message);
        assert_int_equal(address.is_unix, expected->is_unix);
        assert_string_equal(address.host, expected->host);
        assert_int_equal(address.port, expected->port);
        assert_int_equal(address.database, expected->database);
        assert_string_equal(address.user, expected->user);
        assert_string_equal(address.password, expected->password);
    }
}

static void a_wrong_url_is_refused_without_being_quoted(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "http://secret",        "redis://",
        "redis://:secret@",     "redis://secret:@h",
        "redis://secret@h",     "redis://h:0",
        "redis://h:65536",      "redis://h:secret",
        "redis://h/secret",     "redis://h/1024",
        "redis://h/-1",         "redis://[::1",
        "redis://[::1]secret",  "unix://secret",
        "unix:///r?secret=1",   "unix:///r?db=secret",
        "redis://:%zzsecret@h", "redis://:secret%00@h",
        "redis://:secret%4@h",  "unix:///",
        "rediss://:secret@h",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(urls); i++) {
        struct redis_address address;
        struct err err = { 0 };
        if (redis_address_parse(str_from(urls[i]), &address, &err) != ERR_CONFIG)
            fail_msg("accepted: %s", urls[i]);
        assert_null(strstr(err.message, "secret"));
        assert_int_equal(address.password[0], 0);
    }
}

static void tls_is_refused_in_one_line_that_says_what_to_do(void **state)
{
    (void)state;
    struct cache *cache = NULL;
    struct err err = { 0 };
    const struct cache_settings settings = { .redis_url = "rediss://h", .name_space = "bronxbot" };
    assert_int_equal(cache_new(&cache, &settings, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "REDIS_URL: rediss://"));
    assert_non_null(strstr(err.message, "tunnel"));
    assert_null(strchr(err.message, '\n'));
    assert_null(cache);
}

static void memory_grows_with_the_servers_up_to_a_limit(void **state)
{
    (void)state;
    const size_t mib = 1024 * 1024;
    assert_int_equal(cache_memory_for(0), 16 * mib);
    assert_int_equal(cache_memory_for(-1), 16 * mib);
    assert_int_equal(cache_memory_for(2048), 24 * mib);
    assert_int_equal(cache_memory_for(INT64_MAX), 256 * mib);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_arrows_of_the_picture_can_be_gone),
        cmocka_unit_test(the_wait_is_drawn_below_a_bound_that_doubles_up_to_a_limit),
        cmocka_unit_test(failures_are_forgotten_only_after_a_proven_time),
        cmocka_unit_test(a_url_is_taken_apart),
        cmocka_unit_test(a_wrong_url_is_refused_without_being_quoted),
        cmocka_unit_test(tls_is_refused_in_one_line_that_says_what_to_do),
        cmocka_unit_test(memory_grows_with_the_servers_up_to_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
