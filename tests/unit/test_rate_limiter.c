/* The limiter's rules, one by one. That they hold together is in test_rate_limiter_model.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discord/rate_limiter.h"
#include "discord/rate_limiter_gate.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#define MS         INT64_C(1000)
#define SECOND     (1000 * MS)
#define START      (1000 * SECOND)
#define TOKENS     1000000
#define MEMORY_MAX ((size_t)40 * 1024 * 1024) /* for LIMITER_BUCKETS_MAX of them */

static struct limiter *make_limiter(struct limiter_settings settings)
{
    struct limiter *limiter = NULL;
    assert_int_equal(limiter_new(&limiter, &settings, NULL), 0);
    return limiter;
}

static void free_limiter(struct limiter **limiter)
{
    limiter_free(*limiter);
}

static const struct limiter_route edit = { STR("PATCH /a"), STR("1/token"), false };
static const struct limiter_route other_major = { STR("PATCH /a"), STR("2/token"), false };
static const struct limiter_route remove_it = { STR("DELETE /a"), STR("1/token"), false };
static const struct limiter_route as_bot = { STR("PUT /b"), STR("3"), true };
static const struct limiter_route as_bot_too = { STR("PUT /c"), STR("3"), true };

static const struct rest_error no_error = { .retry_after_ms = -1 };

static struct rest_response response_of(int status)
{
    return (struct rest_response){ .status = status,
                                   .retry_after_ms = -1,
                                   .limit = -1,
                                   .remaining = -1,
                                   .reset_after_ms = -1,
                                   .has_via = true };
}

static struct rest_response counted(const char *hash, int64_t limit, int64_t remaining,
                                    int64_t reset_after_ms)
{
    struct rest_response response = response_of(200);
    response.limit = limit;
    response.remaining = remaining;
    response.reset_after_ms = reset_after_ms;
    (void)snprintf(response.bucket, sizeof(response.bucket), "%s", hash);
    return response;
}

static struct rest_response refused(const char *scope)
{
    struct rest_response response = response_of(429);
    (void)snprintf(response.scope, sizeof(response.scope), "%s", scope);
    return response;
}

static struct rest_error wait_of(int64_t retry_after_ms, bool is_global)
{
    return (struct rest_error){ .is_json = true,
                                .retry_after_ms = retry_after_ms,
                                .has_global = true,
                                .is_global = is_global };
}

static struct limiter_ticket take(struct limiter *limiter, const struct limiter_route *route,
                                  int64_t now_us)
{
    struct limiter_ticket ticket;
    int64_t ask_at_us;
    assert_int_equal(limiter_take(limiter, route, now_us, &ticket, &ask_at_us), LIMITER_GO);
    return ticket;
}

/* Until when it has to wait. */
static int64_t refuse(struct limiter *limiter, const struct limiter_route *route, int64_t now_us,
                      enum limiter_wait wait)
{
    struct limiter_ticket ticket;
    int64_t ask_at_us = 0;
    assert_int_equal(limiter_take(limiter, route, now_us, &ticket, &ask_at_us), wait);
    assert_true(ask_at_us > now_us);
    return ask_at_us;
}

static void hear(struct limiter *limiter, const struct limiter_route *route,
                 struct limiter_ticket ticket, struct rest_response response, int64_t now_us)
{
    limiter_heard(limiter, route, &ticket, &response, &no_error, now_us);
}

/* A request and its answer. */
static void exchange(struct limiter *limiter, const struct limiter_route *route,
                     struct rest_response response, int64_t now_us)
{
    hear(limiter, route, take(limiter, route, now_us), response, now_us);
}

static void exchange_refused(struct limiter *limiter, const struct limiter_route *route,
                             struct rest_response response, struct rest_error error, int64_t now_us)
{
    struct limiter_ticket ticket = take(limiter, route, now_us);
    limiter_heard(limiter, route, &ticket, &response, &error, now_us);
}

/* --- Buckets --- */

static void an_unknown_bucket_is_probed_by_one_request(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    struct limiter_ticket probe = take(limiter, &edit, START);
    refuse(limiter, &edit, START + 1, LIMITER_WAIT_BUCKET);
    take(limiter, &other_major, START + 1);
    hear(limiter, &edit, probe, counted("h", 3, 2, 1000), START + 2);
    take(limiter, &edit, START + 3);
    take(limiter, &edit, START + 3);
    refuse(limiter, &edit, START + 3, LIMITER_WAIT_BUCKET);
}

static void what_remains_is_counted_down_before_answers_come(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    exchange(limiter, &edit, counted("h", 5, 4, 1000), START);
    for (int i = 0; i < 4; i++)
        take(limiter, &edit, START + 1);
    refuse(limiter, &edit, START + 1, LIMITER_WAIT_BUCKET);
}

static void a_used_up_bucket_opens_at_its_reset(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    exchange(limiter, &edit, counted("h", 1, 0, 700), START);
    assert_int_equal(refuse(limiter, &edit, START + 1, LIMITER_WAIT_BUCKET), START + 700 * MS);
    refuse(limiter, &edit, START + 700 * MS - 1, LIMITER_WAIT_BUCKET);
    take(limiter, &edit, START + 700 * MS);
}

static void answers_out_of_order_never_raise_what_remains(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    exchange(limiter, &edit, counted("h", 4, 3, 1000), START);
    struct limiter_ticket first = take(limiter, &edit, START + 1);
    struct limiter_ticket second = take(limiter, &edit, START + 1);
    struct limiter_ticket third = take(limiter, &edit, START + 1);
    hear(limiter, &edit, third, counted("h", 4, 0, 999), START + 2);
    hear(limiter, &edit, first, counted("h", 4, 2, 999), START + 3);
    hear(limiter, &edit, second, counted("h", 4, 1, 999), START + 4);
    refuse(limiter, &edit, START + 5, LIMITER_WAIT_BUCKET);
}

static void requests_under_way_at_the_reset_count_in_the_next_window(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    exchange(limiter, &edit, counted("h", 2, 1, 1000), START);
    take(limiter, &edit, START + 1); /* slow: it may arrive after the reset */
    take(limiter, &edit, START + SECOND);
    refuse(limiter, &edit, START + SECOND, LIMITER_WAIT_BUCKET);
}

static void what_others_use_is_believed(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    exchange(limiter, &edit, counted("h", 10, 1, 1000), START);
    take(limiter, &edit, START + 1);
    refuse(limiter, &edit, START + 1, LIMITER_WAIT_BUCKET);
}

static void two_major_parameters_are_two_buckets(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    exchange(limiter, &edit, counted("h", 1, 0, 1000), START);
    refuse(limiter, &edit, START + 1, LIMITER_WAIT_BUCKET);
    take(limiter, &other_major, START + 1);
}

static void routes_with_one_hash_share_a_bucket(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    exchange(limiter, &edit, counted("h", 3, 2, 1000), START);
    exchange(limiter, &remove_it, counted("h", 3, 1, 1000), START + 1);
    take(limiter, &edit, START + 2);
    refuse(limiter, &remove_it, START + 2, LIMITER_WAIT_BUCKET);
    refuse(limiter, &edit, START + 2, LIMITER_WAIT_BUCKET);
}

static void a_renamed_bucket_keeps_its_account(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    exchange(limiter, &edit, counted("old", 3, 2, 1000), START);
    exchange(limiter, &other_major, counted("old", 1, 0, 1000), START);
    struct limiter_ticket slow = take(limiter, &edit, START + 1);
    exchange(limiter, &edit, counted("new", 3, 0, 999), START + 2);
    refuse(limiter, &edit, START + 3, LIMITER_WAIT_BUCKET);
    refuse(limiter, &other_major, START + 3, LIMITER_WAIT_BUCKET);
    hear(limiter, &edit, slow, counted("old", 3, 1, 999), START + 4);
    refuse(limiter, &edit, START + 5, LIMITER_WAIT_BUCKET);
    take(limiter, &edit, START + SECOND + 10);
}

/* DELETE of messages has two, by the age of the message. */
static void two_hashes_that_alternate_are_two_buckets(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    exchange(limiter, &edit, counted("long", 30, 28, 120000), START);
    exchange(limiter, &edit, counted("short", 3, 2, 1000), START + 1);
    exchange(limiter, &edit, counted("long", 30, 27, 119000), START + 2);
    int64_t now_us = START + 2;
    for (int i = 0; i < 20; i++) {
        exchange(limiter, &edit,
                 i % 2 ? counted("long", 30, 15, 100000) : counted("short", 3, 2, 1000), now_us);
        now_us += 2 * SECOND; /* not the long bucket's two minutes */
    }
}

static void a_hash_that_comes_back_keeps_what_is_under_way(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    exchange(limiter, &edit, counted("old", 9, 8, 1000), START);
    struct limiter_ticket slow = take(limiter, &edit, START);
    exchange(limiter, &edit, counted("new", 9, 6, 1000), START);
    struct limiter_ticket slow_too = take(limiter, &edit, START);
    exchange(limiter, &edit, counted("old", 9, 4, 1000), START);
    exchange(limiter, &edit, counted("newest", 9, 3, 1000), START);
    hear(limiter, &edit, slow, counted("new", 9, 7, 1000), START);
    hear(limiter, &edit, slow_too, counted("old", 9, 5, 1000), START);
    exchange(limiter, &edit, counted("old", 9, 2, 1000), START);
    limiter_sweep(limiter, START + LIMITER_IDLE_MS * MS);
    struct limiter_state now;
    limiter_state(limiter, START, &now);
    assert_int_equal(now.buckets, 0);
}

static void absurd_headers_are_not_believed(void **state)
{
    (void)state;
    static const struct {
        int64_t limit, remaining, reset_after_ms;
    } absurd[] = {
        { 0, 0, 1000 },  { -1, 5, 1000 }, { 5, 6, 1000 },          { INT64_MAX, 1, 1000 },
        { 5, -1, 1000 }, { 5, 1, -1 },    { 2000000, 1000000, 1 },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(absurd); i++) {
        CLEANUP(free_limiter)
        struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
        exchange(limiter, &edit,
                 counted("h", absurd[i].limit, absurd[i].remaining, absurd[i].reset_after_ms),
                 START);
        take(limiter, &edit, START + 1);
        refuse(limiter, &edit, START + 1, LIMITER_WAIT_BUCKET); /* still unknown */
    }
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    exchange(limiter, &edit, counted("h", 1, 0, INT64_MAX), START);
    assert_int_equal(refuse(limiter, &edit, START, LIMITER_WAIT_BUCKET),
                     START + REST_WAIT_MAX_MS * MS);
}

static void the_operators_delay_keeps_requests_of_a_bucket_apart(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    exchange(limiter, &edit, counted("h", 100, 99, 1000), START);
    limiter_set_delay(limiter, 5000);
    assert_int_equal(refuse(limiter, &edit, START + 1, LIMITER_WAIT_BUCKET), START + 5 * SECOND);
    take(limiter, &other_major, START + 1);
    take(limiter, &edit, START + 5 * SECOND);
    limiter_set_delay(limiter, -1);
    take(limiter, &edit, START + 5 * SECOND);
}

/* --- No answer --- */

static void a_place_is_given_back_only_where_discord_can_not_have_counted(void **state)
{
    (void)state;
    static const struct {
        enum rest_result result;
        int status;
        bool is_given_back;
    } rows[] = {
        { REST_NOT_CONNECTED, 0, true },       { REST_LOST_BEFORE_SENDING, 0, true },
        { REST_LOST_AFTER_SENDING, 0, false }, { REST_TIMED_OUT, 0, false },
        { REST_ANSWERED, 502, false },         { REST_ANSWERED, 404, false },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        CLEANUP(free_limiter)
        struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
        exchange(limiter, &edit, counted("h", 2, 1, 1000), START);
        struct rest_response response = response_of(rows[i].status);
        response.result = rows[i].result;
        exchange(limiter, &edit, response, START + 1);
        if (rows[i].is_given_back)
            take(limiter, &edit, START + 2);
        else
            assert_int_equal(refuse(limiter, &edit, START + 2, LIMITER_WAIT_BUCKET),
                             START + 1 + SECOND);
    }
}

static void a_lost_probe_of_an_unknown_bucket_is_not_followed_at_once(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    exchange(limiter, &edit, (struct rest_response){ .result = REST_TIMED_OUT }, START);
    assert_int_equal(refuse(limiter, &edit, START + 1, LIMITER_WAIT_BUCKET), START + SECOND);
    exchange(limiter, &edit, response_of(204), START + SECOND); /* a route without limits */
    take(limiter, &edit, START + SECOND + 1);
}

/* --- 429 --- */

static void a_429_closes_its_bucket_and_no_other(void **state)
{
    (void)state;
    static const char *const scopes[] = { "user", "shared" };
    for (size_t i = 0; i < ARRAY_LENGTH(scopes); i++) {
        CLEANUP(free_limiter)
        struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
        exchange_refused(limiter, &edit, refused(scopes[i]), wait_of(2500, false), START);
        assert_int_equal(refuse(limiter, &edit, START + 1, LIMITER_WAIT_BUCKET), START + 2500 * MS);
        take(limiter, &other_major, START + 1);
        take(limiter, &edit, START + 2500 * MS);
    }
}

static void a_global_429_of_the_bot_closes_what_counts_globally(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    exchange_refused(limiter, &as_bot, refused("global"), wait_of(3000, true), START);
    assert_int_equal(refuse(limiter, &as_bot_too, START + 1, LIMITER_WAIT_GLOBAL),
                     START + 3 * SECOND);
    take(limiter, &edit, START + 1);
    take(limiter, &as_bot_too, START + 3 * SECOND);
}

static void a_global_429_of_a_webhook_closes_everything(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    struct rest_response response = refused("");
    response.is_global = true; /* only the header says so */
    exchange_refused(limiter, &edit, response, wait_of(3000, false), START);
    assert_int_equal(refuse(limiter, &other_major, START + 1, LIMITER_WAIT_GLOBAL),
                     START + 3 * SECOND);
    refuse(limiter, &as_bot, START + 1, LIMITER_WAIT_GLOBAL);
    struct limiter_state now;
    limiter_state(limiter, START + 1, &now);
    assert_int_equal(now.shut_until_us, START + 3 * SECOND);
    take(limiter, &edit, START + 3 * SECOND);
}

static void the_bot_sends_fifty_requests_a_second(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    exchange(limiter, &as_bot, counted("h", 1000, 999, 60000), START - 2 * SECOND);
    for (int i = 0; i < LIMITER_GLOBAL_PER_SECOND; i++)
        exchange(limiter, &as_bot, counted("h", 1000, 998 - i, 60000), START + i * MS);
    assert_int_equal(refuse(limiter, &as_bot, START + 60 * MS, LIMITER_WAIT_GLOBAL),
                     START + SECOND);
    take(limiter, &edit, START + 60 * MS); /* a webhook's does not count */
    take(limiter, &as_bot, START + SECOND);
    refuse(limiter, &as_bot, START + SECOND, LIMITER_WAIT_GLOBAL);
}

/* --- Invalid requests --- */

static int invalid_of(const struct limiter *limiter, int64_t now_us)
{
    struct limiter_state now;
    limiter_state(limiter, now_us, &now);
    return now.invalid;
}

static void refusals_count_as_invalid_but_not_shared_429s(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    exchange(limiter, &edit, response_of(401), START);
    exchange(limiter, &edit, response_of(403), START);
    exchange(limiter, &edit, response_of(404), START);
    assert_int_equal(invalid_of(limiter, START), 2);
    exchange_refused(limiter, &edit, refused("user"), wait_of(1, false), START);
    assert_int_equal(invalid_of(limiter, START), 3);
    exchange_refused(limiter, &other_major, refused("shared"), wait_of(1, false), START);
    assert_int_equal(invalid_of(limiter, START), 3);
    assert_int_equal(invalid_of(limiter, START + 600 * SECOND - 1), 3);
    assert_int_equal(invalid_of(limiter, START + 620 * SECOND), 0);
}

static void from_eighty_percent_on_one_request_a_second_goes(void **state)
{
    (void)state;
    CLEANUP(free_limiter)
    struct limiter *limiter = make_limiter((struct limiter_settings){ .invalid_max = 100 });
    for (int i = 0; i < 80; i++)
        exchange(limiter, &edit, response_of(401), START + i);
    struct limiter_state now;
    limiter_state(limiter, START + 80, &now);
    assert_true(now.is_braked);
    assert_int_equal(refuse(limiter, &other_major, START + 80, LIMITER_WAIT_BRAKE),
                     START + 79 + SECOND);
    exchange(limiter, &edit, response_of(200), START + 79 + SECOND);
    refuse(limiter, &edit, START + 80 + SECOND, LIMITER_WAIT_BRAKE);
}

static void the_last_invalid_request_is_never_risked(void **state)
{
    (void)state;
    CLEANUP(free_limiter)
    struct limiter *limiter = make_limiter((struct limiter_settings){ .invalid_max = 10 });
    int64_t now_us = START;
    for (int i = 0; i < 9; i++, now_us += SECOND)
        exchange(limiter, &edit, response_of(401), now_us);
    refuse(limiter, &edit, now_us, LIMITER_WAIT_BRAKE);
    refuse(limiter, &edit, START + 600 * SECOND - 1, LIMITER_WAIT_BRAKE);
    take(limiter, &edit, START + 640 * SECOND);
}

/* --- Bans --- */

static void a_ban_is_followed_by_one_probe(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    struct rest_response ban = response_of(429);
    ban.has_via = false;
    ban.retry_after_ms = 30000;
    exchange(limiter, &edit, ban, START);
    assert_int_equal(refuse(limiter, &other_major, START + 1, LIMITER_WAIT_BANNED),
                     START + 30 * SECOND);
    int64_t now_us = START + 30 * SECOND;
    struct limiter_ticket probe = take(limiter, &edit, now_us);
    assert_true(probe.is_probe);
    refuse(limiter, &other_major, now_us + SECOND, LIMITER_WAIT_BANNED);
    hear(limiter, &edit, probe, ban, now_us); /* again */
    assert_int_equal(refuse(limiter, &edit, now_us + 1, LIMITER_WAIT_BANNED), now_us + 30 * SECOND);
    now_us += 30 * SECOND;
    probe = take(limiter, &edit, now_us);
    hear(limiter, &edit, probe, response_of(404), now_us);
    struct limiter_ticket free_again = take(limiter, &other_major, now_us);
    assert_false(free_again.is_probe);
    take(limiter, &edit, now_us);
}

static void a_lost_probe_is_followed_by_another_a_second_later(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    struct rest_response ban = response_of(429);
    ban.has_via = false; /* and does not say for how long */
    exchange(limiter, &edit, ban, START);
    int64_t now_us = refuse(limiter, &edit, START, LIMITER_WAIT_BANNED);
    assert_int_equal(now_us, START + 60 * SECOND);
    exchange(limiter, &edit, (struct rest_response){ .result = REST_NOT_CONNECTED }, now_us);
    assert_int_equal(refuse(limiter, &edit, now_us, LIMITER_WAIT_BANNED), now_us + SECOND);
    assert_true(take(limiter, &edit, now_us + SECOND).is_probe);
}

static void a_request_that_waits_for_its_bucket_does_not_use_up_the_probe(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    struct rest_response ban = response_of(429);
    ban.has_via = false;
    ban.retry_after_ms = 1000;
    exchange(limiter, &edit, counted("h", 1, 0, 60000), START);
    exchange(limiter, &other_major, ban, START);
    refuse(limiter, &edit, START + SECOND, LIMITER_WAIT_BUCKET);
    assert_true(take(limiter, &other_major, START + SECOND).is_probe);
}

static void bans_that_arrive_together_shut_the_gate_for_the_longest(void **state)
{
    (void)state;
    struct gate gate = { 0 };
    bool is_probe;
    gate_shut(&gate, 200);
    gate_shut(&gate, 100);
    assert_false(gate_pass(&gate, 199, &is_probe));
    assert_true(gate_pass(&gate, 200, &is_probe));
    /* The probe meets a ban again, a shorter one. */
    gate_shut(&gate, 150);
    gate_probe_ended(&gate, true);
    assert_false(gate_pass(&gate, 149, &is_probe));
    assert_true(gate_pass(&gate, 150, &is_probe));
    assert_true(is_probe);
}

/* --- Memory --- */

static void a_million_tokens_leave_bounded_memory(void **state)
{
    (void)state;
    CLEANUP(free_limiter) struct limiter *limiter = make_limiter((struct limiter_settings){ 0 });
    size_t before = mallinfo2().uordblks;
    struct limiter_state now;
    for (int i = 0; i < TOKENS; i++) {
        char major[32];
        (void)snprintf(major, sizeof(major), "%d/token", i);
        struct limiter_route route = { STR("PATCH /a"), str_from(major), false };
        exchange(limiter, &route, counted("h", 5, 4, 1000), START + i * MS);
    }
    int64_t end_us = START + TOKENS * MS;
    limiter_state(limiter, end_us, &now);
    assert_int_equal(now.buckets, LIMITER_BUCKETS_MAX);
    assert_int_equal(now.routes, 1);
    assert_true(mallinfo2().uordblks - before < MEMORY_MAX); /* says nothing under ASan */
    for (int i = 0; i < LIMITER_BUCKETS_MAX / 100; i++)
        limiter_sweep(limiter, end_us + LIMITER_IDLE_MS * MS);
    limiter_state(limiter, end_us, &now);
    assert_int_equal(now.buckets, 0);
}

static void a_bucket_in_use_or_closed_is_not_forgotten(void **state)
{
    (void)state;
    CLEANUP(free_limiter)
    struct limiter *limiter = make_limiter((struct limiter_settings){ .buckets_max = 2 });
    struct limiter_ticket under_way = take(limiter, &edit, START);
    exchange(limiter, &other_major, counted("h", 1, 0, 86400000), START);
    limiter_sweep(limiter, START + LIMITER_IDLE_MS * MS);
    refuse(limiter, &edit, START + LIMITER_IDLE_MS * MS, LIMITER_WAIT_BUCKET);
    refuse(limiter, &other_major, START + LIMITER_IDLE_MS * MS, LIMITER_WAIT_BUCKET);
    hear(limiter, &edit, under_way, response_of(200), START + LIMITER_IDLE_MS * MS);
    take(limiter, &as_bot, START + LIMITER_IDLE_MS * MS);     /* in place of the one that is idle */
    take(limiter, &as_bot_too, START + LIMITER_IDLE_MS * MS); /* too many: the closed one, too */
    refuse(limiter, &edit, START + LIMITER_IDLE_MS * MS, LIMITER_WAIT_BUCKET); /* no room */
}

static void wrong_settings_are_refused(void **state)
{
    (void)state;
    static const struct limiter_settings wrong[] = {
        { .global_per_second = -1 },
        { .global_per_second = INT32_MAX },
        { .invalid_max = 1 },
        { .buckets_max = SIZE_MAX },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct limiter *limiter;
        assert_int_equal(limiter_new(&limiter, &wrong[i], NULL), ERR_LIMIT);
        assert_null(limiter);
    }
    limiter_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_bucket_is_probed_by_one_request),
        cmocka_unit_test(what_remains_is_counted_down_before_answers_come),
        cmocka_unit_test(a_used_up_bucket_opens_at_its_reset),
        cmocka_unit_test(answers_out_of_order_never_raise_what_remains),
        cmocka_unit_test(requests_under_way_at_the_reset_count_in_the_next_window),
        cmocka_unit_test(what_others_use_is_believed),
        cmocka_unit_test(two_major_parameters_are_two_buckets),
        cmocka_unit_test(routes_with_one_hash_share_a_bucket),
        cmocka_unit_test(a_renamed_bucket_keeps_its_account),
        cmocka_unit_test(two_hashes_that_alternate_are_two_buckets),
        cmocka_unit_test(a_hash_that_comes_back_keeps_what_is_under_way),
        cmocka_unit_test(absurd_headers_are_not_believed),
        cmocka_unit_test(the_operators_delay_keeps_requests_of_a_bucket_apart),
        cmocka_unit_test(a_place_is_given_back_only_where_discord_can_not_have_counted),
        cmocka_unit_test(a_lost_probe_of_an_unknown_bucket_is_not_followed_at_once),
        cmocka_unit_test(a_429_closes_its_bucket_and_no_other),
        cmocka_unit_test(a_global_429_of_the_bot_closes_what_counts_globally),
        cmocka_unit_test(a_global_429_of_a_webhook_closes_everything),
        cmocka_unit_test(the_bot_sends_fifty_requests_a_second),
        cmocka_unit_test(refusals_count_as_invalid_but_not_shared_429s),
        cmocka_unit_test(from_eighty_percent_on_one_request_a_second_goes),
        cmocka_unit_test(the_last_invalid_request_is_never_risked),
        cmocka_unit_test(a_ban_is_followed_by_one_probe),
        cmocka_unit_test(a_lost_probe_is_followed_by_another_a_second_later),
        cmocka_unit_test(a_request_that_waits_for_its_bucket_does_not_use_up_the_probe),
        cmocka_unit_test(bans_that_arrive_together_shut_the_gate_for_the_longest),
        cmocka_unit_test(a_million_tokens_leave_bounded_memory),
        cmocka_unit_test(a_bucket_in_use_or_closed_is_not_forgotten),
        cmocka_unit_test(wrong_settings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
