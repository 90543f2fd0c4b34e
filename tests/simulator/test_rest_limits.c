/* Limits of the simulated REST API, clocks that are wrong, and what it holds against a bot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/memory.h"
#include "simulator/rest_fixture.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEFERRED      "{\"type\":5}"
/* Shorter than an answer may be on its way to the bot: see rest_buckets.c. */
#define ON_ITS_WAY_MS 200
/* Longer than that. */
#define STANDING_MS   700
#define LONG_MS       60000
#define LOOK_MS       20

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool has(const struct buf *answer, const char *text)
{
    return answer->data && strstr(answer->data, text);
}

/* The value of a header, as a number; -1 when it is absent. */
static double header_number(const struct buf *answer, const char *name)
{
    const char *found = strstr(answer->data, name);
    return found ? strtod(found + strlen(name), NULL) : -1;
}

static int me(struct rest_fixture *fixture)
{
    return rest_fixture_request(fixture, "GET", REST_API "/users/@me", rest_as_bot, NULL, NULL);
}

static int commands(struct rest_fixture *fixture)
{
    return rest_fixture_request(fixture, "GET", REST_OWN "commands", rest_as_bot, NULL, NULL);
}

static int follow_up(struct rest_fixture *fixture, int number)
{
    char body[96];
    snprintf(body, sizeof(body), "{\"content\":\"%d\",\"allowed_mentions\":{\"parse\":[]}}",
             number);
    return rest_fixture_request(fixture, "POST", REST_APP "tok", rest_plain, body, NULL);
}

/* --- Limits --- */

static void a_used_up_bucket_says_when_it_is_full_again(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    CLEANUP(buf_free) struct buf answer = { 0 };
    rest_fixture_start(&fixture, &(struct rest_limits){ .burst = 1, .burst_ms = 60000 }, DEFERRED);
    assert_int_equal(rest_fixture_edit(&fixture), 200);
    rest_fixture_raw(&fixture, REST_ORIGINAL, "", &answer);
    assert_true(has(&answer, "HTTP/1.1 429"));
    assert_true(has(&answer, "X-RateLimit-Limit: 1\r\n"));
    assert_true(has(&answer, "X-RateLimit-Remaining: 0\r\n"));
    assert_true(has(&answer, "X-RateLimit-Scope: user\r\n"));
    assert_true(has(&answer, "X-RateLimit-Bucket: "));
    assert_false(has(&answer, "X-RateLimit-Global"));
    assert_true(has(&answer, "\"message\":\"You are being rate limited.\""));
    double after = header_number(&answer, "X-RateLimit-Reset-After: ");
    double whole = header_number(&answer, "Retry-After: ");
    assert_true(after > 0 && after <= 60);
    assert_true(whole >= after && whole < after + 1.1);
    assert_true(header_number(&answer, "\"retry_after\":") > 0);
    rest_fixture_finish(&fixture);
}

static void a_shared_limit_blames_nobody_but_who_does_not_wait(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    struct rest_statistics statistics;
    CLEANUP(buf_free) struct buf answer = { 0 };
    const struct rest_limits limits = { .shared_burst = 1, .shared_burst_ms = 60000, .invalid = 1 };
    rest_fixture_start(&fixture, &limits, DEFERRED);
    rest_fixture_ask(&fixture, "other", false);
    rest_server_answered(fixture.server, fixture.id, STR(DEFERRED));
    assert_int_equal(rest_fixture_edit(&fixture), 200);
    rest_fixture_raw(&fixture, REST_APP "other/messages/@original", "", &answer);
    assert_true(has(&answer, "HTTP/1.1 429"));
    assert_true(has(&answer, "X-RateLimit-Scope: shared\r\n"));
    assert_true(has(&answer, "The resource is being rate limited."));
    /* The headers are about the token's own bucket, which says nothing of the wait. */
    assert_true(has(&answer, "X-RateLimit-Remaining: 4\r\n"));
    assert_true(header_number(&answer, "X-RateLimit-Reset-After: ") <= 2);
    assert_true(header_number(&answer, "Retry-After: ") > 50);
    assert_int_equal(rest_fixture_edit(&fixture), 429);
    rest_assert_no_violation(&fixture);
    assert_int_equal(rest_fixture_edit(&fixture), 429);
    rest_assert_violation(&fixture, "before the Retry-After of a 429 was over");
    rest_server_statistics(fixture.server, &statistics);
    assert_int_equal(statistics.shared_limited, 3);
    assert_int_equal(statistics.invalid, 0);
    rest_fixture_finish(&fixture);
}

static void the_global_limit_is_for_requests_as_the_bot(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    CLEANUP(buf_free) struct buf answer = { 0 };
    rest_fixture_start(&fixture, &(struct rest_limits){ .global = 2, .global_ms = 60000 },
                       DEFERRED);
    assert_int_equal(me(&fixture), 200);
    assert_int_equal(commands(&fixture), 200);
    rest_assert_no_violation(&fixture);
    rest_fixture_raw(&fixture, REST_API "/users/@me", REST_BOT "\r\n", &answer);
    assert_true(has(&answer, "HTTP/1.1 429"));
    assert_true(has(&answer, "X-RateLimit-Global: true\r\n"));
    assert_true(has(&answer, "X-RateLimit-Scope: global\r\n"));
    assert_false(has(&answer, "X-RateLimit-Bucket"));
    assert_true(has(&answer, "\"global\":true"));
    rest_assert_violation(&fixture, "more than 2 requests as the bot");
    assert_int_equal(rest_fixture_edit(&fixture), 200);
    rest_fixture_finish(&fixture);
}

/* Three, where two are allowed. */
static void send_too_many_invalid_requests(struct rest_fixture *fixture)
{
    rest_fixture_add_fault(fixture, "3 requests status 403");
    for (int i = 0; i < 3; i++)
        assert_int_equal(rest_fixture_edit(fixture), 403);
}

static bool is_blamed(struct rest_fixture *fixture)
{
    CLEANUP(buf_free) struct buf violation = { 0 };
    rest_server_first_violation(fixture->server, &violation);
    return violation.length > 0;
}

static void too_many_invalid_requests_ban_the_address(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    struct rest_statistics statistics;
    CLEANUP(buf_free) struct buf answer = { 0 };
    rest_fixture_start(&fixture, &(struct rest_limits){ .invalid = 2, .ban_ms = LONG_MS },
                       DEFERRED);
    int64_t began_ms = now_ms();
    send_too_many_invalid_requests(&fixture);
    rest_fixture_raw(&fixture, REST_API "/users/@me", REST_BOT "\r\n", &answer);
    assert_true(has(&answer, "HTTP/1.1 429"));
    assert_true(has(&answer, "error code: 1015"));
    assert_true(has(&answer, "Content-Type: text/html"));
    assert_false(has(&answer, "Via:"));
    assert_false(has(&answer, "X-RateLimit"));
    if (now_ms() - began_ms < ON_ITS_WAY_MS)
        rest_assert_no_violation(&fixture);
    while (!is_blamed(&fixture)) { /* soon; later on a machine that stands still */
        rest_fixture_sleep(LOOK_MS);
        assert_int_equal(rest_fixture_edit(&fixture), 429);
    }
    rest_assert_violation(&fixture, "bans the address");
    rest_server_statistics(fixture.server, &statistics);
    assert_int_equal(statistics.invalid, 3);
    rest_fixture_finish(&fixture);
}

/* As a machine that has no time for any of us does it. */
static void stand_still(void)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        kill(getppid(), SIGSTOP);
        rest_fixture_sleep(STANDING_MS);
        kill(getppid(), SIGCONT);
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void who_stood_still_with_the_machine_is_not_blamed(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    rest_fixture_start(&fixture, NULL, DEFERRED);
    rest_fixture_add_fault(&fixture, "1 request status 429 after 60s global");
    assert_int_equal(rest_fixture_edit(&fixture), 429);
    stand_still();
    assert_int_equal(rest_fixture_edit(&fixture), 429);
    rest_assert_no_violation(&fixture);
    rest_fixture_finish(&fixture);
}

static void a_ban_ends(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    rest_fixture_start(
        &fixture, &(struct rest_limits){ .burst = 10000, .invalid = 2, .ban_ms = 300 }, DEFERRED);
    send_too_many_invalid_requests(&fixture);
    while (rest_fixture_edit(&fixture) == 429)
        rest_fixture_sleep(LOOK_MS);
    assert_int_equal(rest_fixture_edit(&fixture), 200);
    rest_fixture_finish(&fixture);
}

static void a_bot_that_was_killed_is_not_blamed_for_forgetting(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    rest_fixture_start(&fixture, NULL, DEFERRED);
    rest_fixture_add_fault(&fixture, "1 edit status 429 after 60s");
    assert_int_equal(rest_fixture_edit(&fixture), 429);
    rest_server_bot_was_killed(fixture.server);
    assert_int_equal(rest_fixture_edit(&fixture), 429);
    rest_assert_no_violation(&fixture);
    rest_fixture_finish(&fixture);
}

/* --- Clocks --- */

static time_t date_of(const struct buf *answer)
{
    const char *found = strstr(answer->data, "Date: ");
    assert_non_null(found);
    assert_null(strstr(found + 1, "\nDate: "));
    char text[64];
    snprintf(text, sizeof(text), "%.29s", found + strlen("Date: "));
    return curl_getdate(text, NULL);
}

static void only_relative_times_are_right_when_clocks_are_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        int error_s;
    } cases[] = { { "none", 0 }, { "clocks ahead 7m", 420 }, { "clocks behind 7m", -420 } };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct rest_fixture fixture;
        CLEANUP(buf_free) struct buf answer = { 0 };
        rest_fixture_start(&fixture, NULL, DEFERRED);
        rest_fixture_add_fault(&fixture, cases[i].words);
        rest_fixture_raw(&fixture, REST_ORIGINAL, "", &answer);
        double now = (double)time(NULL), slack = 60;
        double date = (double)date_of(&answer) - now - cases[i].error_s;
        double reset = header_number(&answer, "X-RateLimit-Reset: ") - now - cases[i].error_s;
        double after = header_number(&answer, "X-RateLimit-Reset-After: ");
        assert_true(date > -slack && date < slack);
        assert_true(reset > -slack && reset < slack);
        assert_true(after >= 0 && after <= 2);
        rest_fixture_finish(&fixture);
    }
}

/* --- Tokens and follow-ups --- */

static void the_life_of_tokens_can_be_short(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    rest_fixture_start(&fixture, NULL, DEFERRED);
    assert_int_equal(rest_fixture_edit(&fixture), 200);
    rest_fixture_add_fault(&fixture, "tokens live 1ms");
    usleep(2000);
    rest_fixture_sleep(5);
    assert_int_equal(rest_fixture_edit(&fixture), 401);
    rest_assert_violation(&fixture, "15 minutes are over");
    rest_fixture_finish(&fixture);
}

static int post_to(struct rest_fixture *fixture, const char *path)
{
    return rest_fixture_request(fixture, "POST", path, rest_as_bot, REST_GOOD, NULL);
}

static void each_channel_has_a_bucket_and_all_count_as_the_bots(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    const struct rest_limits limits = {
        .burst = 2, .burst_ms = LONG_MS, .global = 4, .global_ms = LONG_MS
    };
    rest_fixture_start(&fixture, &limits, NULL);
    rest_server_add_channel(fixture.server, 7);
    rest_server_add_channel(fixture.server, 8);
    rest_server_add_channel(fixture.server, 9);
    for (int i = 0; i < 2; i++)
        assert_int_equal(post_to(&fixture, REST_API "/channels/7/messages"), 200);
    assert_int_equal(post_to(&fixture, REST_API "/channels/8/messages"), 200);
    assert_int_equal(post_to(&fixture, REST_API "/channels/7/messages"), 429);
    assert_int_equal(post_to(&fixture, REST_API "/channels/9/messages"), 429);
    rest_assert_violation(&fixture, "more than 4 requests as the bot");
    rest_fixture_finish(&fixture);
}

static void a_user_installed_app_has_five_follow_ups(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    CLEANUP(buf_free) struct buf body = { 0 };
    rest_fixture_start(&fixture, &(struct rest_limits){ .burst = 100 }, NULL);
    rest_fixture_ask(&fixture, "mine", true);
    rest_server_answered(fixture.server, fixture.id,
                         STR("{\"type\":4,\"data\":{\"content\":\"x\"}}"));
    for (int i = 0; i < 6; i++) {
        char text[96];
        snprintf(text, sizeof(text), "{\"content\":\"%d\",\"allowed_mentions\":{\"parse\":[]}}", i);
        int status =
            rest_fixture_request(&fixture, "POST", REST_APP "mine", rest_plain, text, &body);
        assert_int_equal(status, i < 5 ? 200 : 400);
    }
    assert_true(has(&body, "\"code\":40094"));
    assert_int_equal(rest_server_follow_ups(fixture.server, fixture.id), 5);
    rest_assert_violation(&fixture, "more than 5 follow-ups");
    rest_fixture_finish(&fixture);
}

static void a_follow_up_that_comes_twice_is_a_violation(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    rest_fixture_start(&fixture, NULL, "{\"type\":4,\"data\":{\"content\":\"x\"}}");
    rest_fixture_add_fault(&fixture, "1 follow-up reset after effect");
    assert_int_equal(follow_up(&fixture, 1), 0);
    assert_int_equal(follow_up(&fixture, 2), 200);
    rest_assert_no_violation(&fixture);
    assert_int_equal(follow_up(&fixture, 1), 200);
    rest_assert_violation(&fixture, "the same follow-up again");
    rest_fixture_finish(&fixture);
}

/* --- Faults that last, faults at random --- */

static void a_burst_of_errors_ends_by_itself(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    int errors = 0;
    rest_fixture_start(&fixture, &(struct rest_limits){ .burst = 10000 }, DEFERRED);
    int64_t began_ms = now_ms();
    rest_fixture_add_fault(&fixture, "edits status 502 for 300ms");
    for (; rest_fixture_edit(&fixture) == 502; errors++)
        rest_fixture_sleep(LOOK_MS);
    /* None when this machine stood still for as long as the burst lasts. */
    assert_true(errors > 0 || now_ms() - began_ms >= 300);
    assert_int_equal(rest_fixture_edit(&fixture), 200);
    rest_fixture_finish(&fixture);
}

static void a_share_of_requests_is_hit(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    struct rest_statistics statistics;
    rest_fixture_start(&fixture, &(struct rest_limits){ .burst = 10000 }, DEFERRED);
    rest_fixture_add_fault(&fixture, "20% of edits status 500");
    for (int i = 0; i < 500; i++)
        rest_fixture_edit(&fixture);
    rest_server_statistics(fixture.server, &statistics);
    assert_int_equal(statistics.requests, 500);
    assert_int_equal(statistics.effects + statistics.server_errors, 500);
    assert_in_range(statistics.server_errors, 50, 150); /* a fixed seed: always the same */
    rest_fixture_finish(&fixture);
}

/* --- Statistics --- */

static void the_shortest_gap_between_edits_is_known(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    struct rest_statistics statistics;
    struct rest_arrival first, second;
    rest_fixture_start(&fixture, NULL, DEFERRED);
    rest_fixture_add_fault(&fixture, "1 edit status 502");
    assert_int_equal(rest_fixture_edit(&fixture), 502);
    assert_int_equal(rest_fixture_edit(&fixture), 200);
    rest_server_statistics(fixture.server, &statistics);
    assert_true(statistics.shortest_gap_us == INT64_MAX);
    assert_int_equal(rest_fixture_edit(&fixture), 200);
    rest_server_statistics(fixture.server, &statistics);
    assert_true(rest_server_arrival(fixture.server, 1, &first));
    assert_true(rest_server_arrival(fixture.server, 2, &second));
    assert_true(statistics.shortest_gap_us == second.began_us - first.began_us);
    assert_true(first.message_id != 0 && first.message_id == second.message_id);
    assert_int_equal(statistics.most_at_once, 1);
    rest_fixture_finish(&fixture);
}

static void *edit_alone(void *context)
{
    struct rest_fixture own = *(const struct rest_fixture *)context;
    own.client = http_client_new(&own.address);
    rest_fixture_edit(&own);
    http_client_free(own.client);
    return NULL;
}

/* They are under way until the server ends. */
static void two_requests_of_a_token_at_once_are_seen(void **state)
{
    (void)state;
    struct rest_fixture fixture;
    struct rest_statistics statistics;
    pthread_t threads[2];
    rest_fixture_start(&fixture, NULL, DEFERRED);
    rest_fixture_add_fault(&fixture, "edits delay 60s");
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, edit_alone, &fixture), 0);
    while (rest_server_arrivals(fixture.server) < ARRAY_LENGTH(threads))
        rest_fixture_sleep(1);
    rest_server_statistics(fixture.server, &statistics);
    assert_int_equal(statistics.most_at_once, 2);
    rest_fixture_finish(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_used_up_bucket_says_when_it_is_full_again),
        cmocka_unit_test(a_shared_limit_blames_nobody_but_who_does_not_wait),
        cmocka_unit_test(the_global_limit_is_for_requests_as_the_bot),
        cmocka_unit_test(too_many_invalid_requests_ban_the_address),
        cmocka_unit_test(who_stood_still_with_the_machine_is_not_blamed),
        cmocka_unit_test(a_ban_ends),
        cmocka_unit_test(a_bot_that_was_killed_is_not_blamed_for_forgetting),
        cmocka_unit_test(only_relative_times_are_right_when_clocks_are_wrong),
        cmocka_unit_test(the_life_of_tokens_can_be_short),
        cmocka_unit_test(each_channel_has_a_bucket_and_all_count_as_the_bots),
        cmocka_unit_test(a_user_installed_app_has_five_follow_ups),
        cmocka_unit_test(a_follow_up_that_comes_twice_is_a_violation),
        cmocka_unit_test(a_burst_of_errors_ends_by_itself),
        cmocka_unit_test(a_share_of_requests_is_hit),
        cmocka_unit_test(the_shortest_gap_between_edits_is_known),
        cmocka_unit_test(two_requests_of_a_token_at_once_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
