/* Requests under way together: each gets its own answer or its own end, no connection too many is
 * opened, one that is broken off leaves the others alone, and a wait ends by an answer, by
 * libcurl's clock, by a connection that goes away and by a wake. Where a wait has no bound, a test
 * that fails stands still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/thread.h"
#include "discord/rest_loop.h"
#include "harness/bot_process.h"
#include "harness/script_server.h"

#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define CONNECTIONS 3
#define MANY        40
#define FOREVER     INT_MAX /* in effect */
#define SHORT_MS    100     /* for a time-out that is meant to happen */

/* A loop, a server that answers with the path, and the requests between them. */
struct place {
    struct rest_loop *loop;
    struct script_server *server;
    int64_t total_ms;
    char nobody[64];               /* a URL where nobody listens; "": the server's is asked */
    int descriptors;               /* open before */
    atomic_int asked, connections; /* by the server's threads */
    char paths[MANY][32];
    struct rest_transfer transfers[MANY];
};

static void answer_with_path(void *context, const struct script_request *request,
                             struct script_answer *answer)
{
    struct place *place = context;
    if (str_starts_with(request->path, STR("/api/stall")))
        answer->fate = SCRIPT_STALL;
    if (str_starts_with(request->path, STR("/api/reset")))
        answer->fate = SCRIPT_RESET;
    buf_append(&answer->body, request->path);
    if (request->connection > place->connections)
        place->connections = request->connection;
    place->asked++;
    rest_loop_wake(place->loop);
}

static int open_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void begin(struct place *place)
{
    const struct rest_loop_settings settings = { .connections_max = CONNECTIONS,
                                                 .host_connections_max = CONNECTIONS };
    *place = (struct place){ .descriptors = open_descriptors() };
    assert_int_equal(rest_loop_new(&place->loop, &settings, NULL), 0);
    place->server = script_server_start(0, answer_with_path, place);
}

/* The server first: its threads wake the loop. */
static void end(struct place *place)
{
    script_server_stop(place->server);
    rest_loop_free(place->loop);
    assert_int_equal(open_descriptors(), place->descriptors);
}

static void start(struct place *place, int number, const char *path)
{
    const char *url = place->nobody[0] ? place->nobody : script_server_url(place->server);
    const struct rest_settings settings = { .api_url = url, .total_ms = place->total_ms };
    struct rest_transfer *transfer = &place->transfers[number];
    snprintf(place->paths[number], sizeof(place->paths[number]), "/%s/%d", path, number);
    const struct rest_request request = { .method = REST_GET,
                                          .path = str_from(place->paths[number]) };
    assert_int_equal(rest_transfer_init(transfer, &settings, &request, NULL), 0);
    assert_true(rest_loop_start(place->loop, transfer));
}

static void stop(struct place *place, int number)
{
    rest_loop_stop(place->loop, &place->transfers[number]);
    rest_transfer_fini(&place->transfers[number]);
}

/* The number of the next that ends. */
static int take(struct place *place)
{
    struct rest_transfer *transfer;
    while (!(transfer = rest_loop_take(place->loop)))
        rest_loop_wait(place->loop, FOREVER);
    return (int)(transfer - place->transfers);
}

static void assert_answered(struct place *place, int number)
{
    char expected[64];
    struct rest_transfer *transfer = &place->transfers[number];
    snprintf(expected, sizeof(expected), "/api%s", place->paths[number]);
    assert_int_equal(transfer->response.result, REST_ANSWERED);
    assert_int_equal(transfer->response.status, 200);
    assert_string_equal(transfer->response.body.data, expected);
    rest_transfer_fini(transfer);
}

static void assert_ended(struct place *place, int number, enum rest_result how)
{
    assert_int_equal(place->transfers[number].response.result, how);
    assert_non_null(place->transfers[number].response.reason);
    rest_transfer_fini(&place->transfers[number]);
}

/* Nothing is left that would end a wait before its time, or keep a processor busy. */
static void assert_quiet(struct place *place)
{
    int64_t began_us = thread_now_us();
    rest_loop_wait(place->loop, SHORT_MS);
    assert_true(thread_now_us() - began_us >= SHORT_MS * INT64_C(1000) - 1000);
}

/* Until the server has seen so many requests; answers that come meanwhile stay to be taken. */
static void wait_until_asked(struct place *place, int count)
{
    while (place->asked < count)
        rest_loop_wait(place->loop, FOREVER);
}

static void each_of_many_gets_its_own_answer_over_no_more_connections_than_allowed(void **state)
{
    (void)state;
    struct place place;
    bool is_taken[MANY] = { false };
    begin(&place);
    for (int i = 0; i < MANY; i++)
        start(&place, i, "x");
    for (int i = 0; i < MANY; i++) {
        int number = take(&place);
        assert_false(is_taken[number]);
        is_taken[number] = true;
        assert_answered(&place, number);
    }
    assert_null(rest_loop_take(place.loop));
    assert_int_equal(place.asked, MANY);
    assert_in_range(place.connections, 1, CONNECTIONS);
    end(&place);
}

static void requests_one_after_another_share_a_connection(void **state)
{
    (void)state;
    struct place place;
    begin(&place);
    for (int i = 0; i < MANY; i++) {
        start(&place, i, "x");
        assert_answered(&place, take(&place));
    }
    assert_int_equal(place.connections, 1);
    end(&place);
}

static void there_is_room_while_a_connection_is_free(void **state)
{
    (void)state;
    struct place place;
    begin(&place);
    for (int i = 0; i < CONNECTIONS; i++) {
        assert_true(rest_loop_has_room(place.loop));
        start(&place, i, i == 0 ? "stall" : "x");
    }
    assert_false(rest_loop_has_room(place.loop));
    assert_answered(&place, take(&place));
    assert_true(rest_loop_has_room(place.loop));
    start(&place, CONNECTIONS, "x");
    assert_false(rest_loop_has_room(place.loop));
    stop(&place, 0);
    assert_true(rest_loop_has_room(place.loop));
    for (int i = 2; i <= CONNECTIONS; i++)
        assert_answered(&place, take(&place));
    end(&place);
}

static void one_that_is_broken_off_leaves_the_others_alone(void **state)
{
    (void)state;
    struct place place;
    begin(&place);
    for (int i = 0; i < CONNECTIONS; i++)
        start(&place, i, "stall");
    wait_until_asked(&place, CONNECTIONS);
    start(&place, CONNECTIONS, "x"); /* has to wait for a connection */
    stop(&place, 1);
    assert_int_equal(take(&place), CONNECTIONS);
    assert_answered(&place, CONNECTIONS);
    stop(&place, 0);
    stop(&place, 2);
    assert_null(rest_loop_take(place.loop));
    end(&place);
}

static void one_can_be_broken_off_before_it_has_begun(void **state)
{
    (void)state;
    struct place place;
    begin(&place);
    start(&place, 0, "x");
    stop(&place, 0);
    start(&place, 1, "x");
    assert_int_equal(take(&place), 1);
    assert_answered(&place, 1);
    assert_int_equal(place.asked, 1);
    end(&place);
}

/* What a shutdown does when its time is over. */
static void a_loop_ends_when_all_under_way_were_broken_off(void **state)
{
    (void)state;
    struct place place;
    begin(&place);
    for (int i = 0; i < MANY; i++)
        start(&place, i, "stall");
    wait_until_asked(&place, CONNECTIONS);
    for (int i = 0; i < MANY; i++)
        stop(&place, i);
    assert_true(rest_loop_has_room(place.loop));
    end(&place);
}

static void a_wait_ends_when_a_request_has_had_its_time(void **state)
{
    (void)state;
    struct place place;
    begin(&place);
    place.total_ms = SHORT_MS;
    start(&place, 0, "stall");
    assert_int_equal(take(&place), 0);
    assert_ended(&place, 0, REST_TIMED_OUT);
    place.total_ms = 0;
    start(&place, 1, "x");
    assert_int_equal(take(&place), 1);
    assert_answered(&place, 1);
    end(&place);
}

static void a_reset_is_the_end_of_its_request_only(void **state)
{
    (void)state;
    struct place place;
    begin(&place);
    start(&place, 0, "stall");
    start(&place, 1, "reset");
    assert_int_equal(take(&place), 1);
    assert_ended(&place, 1, REST_LOST_AFTER_SENDING);
    start(&place, 2, "x");
    assert_int_equal(take(&place), 2);
    assert_answered(&place, 2);
    stop(&place, 0);
    end(&place);
}

/* As when Discord closes what has been idle for long: the wait ends once and is not in the way of
 * requests to come. */
static void a_connection_may_go_away_between_two_requests(void **state)
{
    (void)state;
    struct place place;
    begin(&place);
    start(&place, 0, "x");
    assert_answered(&place, take(&place));
    script_server_stop(place.server);
    rest_loop_wait(place.loop, FOREVER);
    assert_quiet(&place);
    place.server = script_server_start(0, answer_with_path, &place);
    start(&place, 1, "x");
    assert_int_equal(take(&place), 1);
    assert_answered(&place, 1);
    end(&place);
}

/* Also when it has before libcurl has anything to wait for. */
static void nobody_there_is_an_end_of_its_own(void **state)
{
    (void)state;
    struct place place;
    int port = harness_free_port(); /* held until the program ends */
    begin(&place);
    snprintf(place.nobody, sizeof(place.nobody), "http://127.0.0.1:%d/api", port);
    start(&place, 0, "x");
    assert_int_equal(take(&place), 0);
    assert_ended(&place, 0, REST_NOT_CONNECTED);
    snprintf(place.nobody, sizeof(place.nobody), "nonsense://127.0.0.1/api");
    start(&place, 1, "x");
    assert_int_equal(take(&place), 1);
    assert_ended(&place, 1, REST_LOST_BEFORE_SENDING);
    end(&place);
}

static void *wake(void *loop)
{
    rest_loop_wake(loop);
    return NULL;
}

static void a_wake_ends_the_wait_that_is_or_the_next(void **state)
{
    (void)state;
    struct place place;
    pthread_t thread;
    begin(&place);
    rest_loop_wake(place.loop);
    rest_loop_wake(place.loop);
    rest_loop_wait(place.loop, FOREVER);
    assert_quiet(&place);
    for (int i = 0; i < MANY; i++) { /* before the wait begins or after: both happen */
        assert_int_equal(pthread_create(&thread, NULL, wake, place.loop), 0);
        rest_loop_wait(place.loop, FOREVER);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    end(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_many_gets_its_own_answer_over_no_more_connections_than_allowed),
        cmocka_unit_test(requests_one_after_another_share_a_connection),
        cmocka_unit_test(there_is_room_while_a_connection_is_free),
        cmocka_unit_test(one_that_is_broken_off_leaves_the_others_alone),
        cmocka_unit_test(one_can_be_broken_off_before_it_has_begun),
        cmocka_unit_test(a_loop_ends_when_all_under_way_were_broken_off),
        cmocka_unit_test(a_wait_ends_when_a_request_has_had_its_time),
        cmocka_unit_test(a_reset_is_the_end_of_its_request_only),
        cmocka_unit_test(a_connection_may_go_away_between_two_requests),
        cmocka_unit_test(nobody_there_is_an_end_of_its_own),
        cmocka_unit_test(a_wake_ends_the_wait_that_is_or_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
