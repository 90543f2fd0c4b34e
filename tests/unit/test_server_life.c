/* The HTTP server over time: slow peers, peers that hang up, answers from other threads, stopping.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raw_client.h"
#include "server_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPBACK "127.0.0.1:0"
#define HOST     "Host: bot\r\n"
#define LATER    "POST /later HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"

/* Positions in the label list of METRIC_HTTP_TIMEOUTS. */
enum { TIMED_OUT_HEADER, TIMED_OUT_BODY, TIMED_OUT_ANSWER };

/* Short where the test waits for it, long everywhere else. */
#define SHORT_MS 100
#define LONG_MS  60000

static const struct http_timeouts patient = { LONG_MS, LONG_MS, LONG_MS, LONG_MS };
static const char hello[] = "GET /hello HTTP/1.1\r\n" HOST "\r\n";

/* Sends a byte of `text` now and then until the server hangs up; false when all was sent first. */
static bool trickle_until_close(int fd, const char *text)
{
    for (; *text; text++) {
        char byte;
        if (send(fd, text, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, MSG_DONTWAIT) == 0)
            return true;
        usleep(SHORT_MS * 1000 / 10);
    }
    return client_sees_close(fd);
}

static void headers_that_trickle_are_cut_off(void **state)
{
    (void)state;
    struct fixture fixture;
    struct http_timeouts timeouts = patient;
    timeouts.header = SHORT_MS;
    fixture_start(&fixture, LOOPBACK, 1, &timeouts);
    int silent = fixture_connect(&fixture), trickling = fixture_connect(&fixture);
    assert_true(trickle_until_close(trickling, "GET /hello HTTP/1.1\r\nHost: a-very-long-name-that-"
                                               "takes-its-time-to-arrive-byte-by-byte"));
    assert_true(client_sees_close(silent));
    assert_int_equal(metrics_read(fixture.metrics, METRIC_HTTP_TIMEOUTS, TIMED_OUT_HEADER), 2);
    close(silent);
    close(trickling);
    fixture_stop(&fixture);
}

static void a_body_that_trickles_is_cut_off(void **state)
{
    (void)state;
    struct fixture fixture;
    struct http_timeouts timeouts = patient;
    timeouts.body = SHORT_MS;
    fixture_start(&fixture, LOOPBACK, 1, &timeouts);
    int fd = fixture_connect(&fixture);
    assert_true(client_send(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 60\r\n\r\n"));
    assert_true(trickle_until_close(fd, "01234567890123456789012345678901234567890123456789"));
    assert_int_equal(metrics_read(fixture.metrics, METRIC_HTTP_TIMEOUTS, TIMED_OUT_BODY), 1);
    close(fd);
    fixture_stop(&fixture);
}

static void an_idle_connection_is_closed_without_blame(void **state)
{
    (void)state;
    struct fixture fixture;
    struct http_timeouts timeouts = patient;
    timeouts.idle = SHORT_MS;
    fixture_start(&fixture, LOOPBACK, 1, &timeouts);
    int fd = fixture_connect(&fixture);
    assert_int_equal(client_ask(fd, hello, NULL), 200);
    assert_true(client_sees_close(fd));
    for (int label = TIMED_OUT_HEADER; label <= TIMED_OUT_ANSWER; label++)
        assert_int_equal(metrics_read(fixture.metrics, METRIC_HTTP_TIMEOUTS, label), 0);
    close(fd);
    fixture_stop(&fixture);
}

static void an_answer_nobody_takes_is_given_up(void **state)
{
    (void)state;
    struct fixture fixture;
    struct http_timeouts timeouts = patient;
    timeouts.answer = SHORT_MS;
    fixture_start(&fixture, LOOPBACK, 1, &timeouts);
    int fd = fixture_connect(&fixture);
    assert_true(client_send(fd, LATER));
    struct http_exchange *exchange = fixture_take(&fixture, 1);
    struct buf answer = { 0 };
    while (answer.length < (size_t)32 * 1024 * 1024)
        buf_append(&answer,
                   STR("more than any socket buffer takes..............................."));
    assert_false(answer.has_failed);
    http_respond(exchange, 200, "text/plain", &answer);
    assert_int_equal(fixture_wait_sent(&fixture, 1), 0);
    assert_int_equal(metrics_read(fixture.metrics, METRIC_HTTP_TIMEOUTS, TIMED_OUT_ANSWER), 1);
    close(fd);
    fixture_stop(&fixture);
}

static bool is_held(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->lock);
    bool is_true = fixture->held_count > 0;
    pthread_mutex_unlock(&fixture->lock);
    return is_true;
}

/* Asks for LATER where a connection that stays silent for SHORT_MS is cut off: who was too slow, on
 * a machine that stood still, asks once more. */
static int ask_in_time(struct fixture *fixture)
{
    for (;;) {
        int fd = fixture_connect(fixture);
        bool is_open = client_send(fd, LATER);
        char byte;
        while (is_open && !is_held(fixture)) {
            is_open = recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
            usleep(100);
        }
        if (is_open)
            return fd;
        close(fd);
    }
}

static void a_working_handler_is_not_timed_out(void **state)
{
    (void)state;
    struct fixture fixture;
    const struct http_timeouts timeouts = { SHORT_MS, SHORT_MS, SHORT_MS, SHORT_MS };
    CLEANUP(buf_free) struct buf body = { 0 };
    fixture_start(&fixture, LOOPBACK, 1, &timeouts);
    int fd = ask_in_time(&fixture);
    struct http_exchange *exchange = fixture_take(&fixture, 1);
    usleep(4 * SHORT_MS * 1000);
    fixture_answer(exchange, "late but good");
    assert_int_equal(client_read(fd, NULL, &body), 200);
    assert_string_equal(body.data, "late but good");
    assert_int_equal(fixture_wait_sent(&fixture, 1), 1);
    close(fd);
    fixture_stop(&fixture);
}

static void an_answer_outlives_the_client_that_asked(void **state)
{
    (void)state;
    enum { CLIENTS = 20 };
    struct fixture fixture;
    fixture_start(&fixture, LOOPBACK, 2, NULL);
    for (int i = 0; i < CLIENTS; i++) {
        const struct linger abort_it = { .l_onoff = 1 };
        int fd = fixture_connect(&fixture);
        assert_true(client_send(fd, LATER));
        struct http_exchange *exchange = fixture_take(&fixture, 1);
        if (i % 2) /* with a reset instead of a polite end */
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof(abort_it));
        close(fd);
        fixture_answer(exchange, "is anybody there");
    }
    /* A polite end may still take the answer into its buffers; a reset never does. */
    assert_true(fixture_wait_sent(&fixture, CLIENTS) <= CLIENTS / 2);
    int fd = fixture_connect(&fixture);
    assert_int_equal(client_ask(fd, hello, NULL), 200);
    close(fd);
    fixture_stop(&fixture);
}

/* --- answers from other threads --- */

struct answering {
    struct fixture *fixture;
    int count;
};

static void *answer_in_a_thread(void *context)
{
    struct answering *answering = context;
    for (int i = 0; i < answering->count; i++)
        fixture_answer(fixture_take(answering->fixture, 1), "from a thread");
    return NULL;
}

static void answers_from_many_threads_reach_their_connections(void **state)
{
    (void)state;
    enum { THREADS = 4, CONNECTIONS = 16, ROUNDS = 50 };
    struct fixture fixture;
    pthread_t threads[THREADS];
    int fds[CONNECTIONS];
    CLEANUP(buf_free) struct buf body = { 0 };
    fixture_start(&fixture, LOOPBACK, 2, NULL);
    struct answering answering = { &fixture, CONNECTIONS * ROUNDS / THREADS };
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, answer_in_a_thread, &answering), 0);
    for (int i = 0; i < CONNECTIONS; i++)
        fds[i] = fixture_connect(&fixture);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CONNECTIONS; i++)
            assert_true(client_send(fds[i], LATER));
        for (int i = 0; i < CONNECTIONS; i++) {
            assert_int_equal(client_read(fds[i], NULL, &body), 200);
            assert_string_equal(body.data, "from a thread");
        }
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(fixture_wait_sent(&fixture, CONNECTIONS * ROUNDS), CONNECTIONS * ROUNDS);
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    fixture_stop(&fixture);
}

/* --- stopping --- */

static void stopping_answers_what_is_in_flight_and_says_close(void **state)
{
    (void)state;
    struct fixture fixture;
    CLEANUP(buf_free) struct buf head = { 0 }, body = { 0 };
    fixture_start(&fixture, LOOPBACK, 2, NULL);
    int working = fixture_connect(&fixture), idle = fixture_connect(&fixture);
    assert_int_equal(client_ask(idle, hello, NULL), 200);
    assert_true(client_send(working, LATER));
    struct http_exchange *exchange = fixture_take(&fixture, 1);
    server_stop_accepting(fixture.server);
    assert_false(server_drain(fixture.server, 10));
    assert_true(client_send(idle, hello));
    assert_int_equal(client_read(idle, &head, &body), 200);
    assert_non_null(strstr(head.data, "\r\nConnection: close\r\n"));
    assert_true(client_sees_close(idle));
    fixture_answer(exchange, "at last");
    assert_true(server_drain(fixture.server, LONG_MS));
    assert_int_equal(client_read(working, &head, &body), 200);
    assert_string_equal(body.data, "at last");
    assert_non_null(strstr(head.data, "\r\nConnection: close\r\n"));
    assert_true(client_sees_close(working));
    close(idle);
    close(working);
    fixture_stop(&fixture);
}

static void a_stopped_server_leaves_new_connections_in_the_backlog(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err;
    fixture_start(&fixture, LOOPBACK, 1, NULL);
    int old = fixture_connect(&fixture);
    assert_int_equal(client_ask(old, hello, NULL), 200);
    server_stop_accepting(fixture.server);
    while (client_ask(old, hello, NULL) > 0)
        ; /* the answer with "close" shows that the server has heard of it */
    int waiting = fixture_connect(&fixture);
    assert_true(client_send(waiting, hello));
    server_free(fixture.server);
    fixture.server = NULL;
    const struct server_settings settings = {
        .listen_fd = fixture.listen_fd,
        .threads = 1,
        .connections = 8,
        .routes = fixture.routes,
        .route_count = ARRAY_LENGTH(fixture.routes),
        .timeouts = HTTP_TIMEOUTS_DEFAULT,
        .clock = &fixture.clock.clock,
        .log = fixture.log,
        .metrics = fixture.metrics,
    };
    assert_int_equal(server_new(&fixture.server, &settings, &err), 0);
    assert_int_equal(client_read(waiting, NULL, NULL), 200);
    close(old);
    close(waiting);
    fixture_stop(&fixture);
}

static void an_answer_may_come_after_the_server_is_gone(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture, LOOPBACK, 1, NULL);
    int fd = fixture_connect(&fixture);
    assert_true(client_send(fd, LATER));
    struct http_exchange *exchange = fixture_take(&fixture, 1);
    server_free(fixture.server);
    fixture.server = NULL;
    assert_true(client_sees_close(fd));
    fixture_answer(exchange, "nobody listens");
    assert_int_equal(fixture_wait_sent(&fixture, 1), 0);
    close(fd);
    fixture_stop(&fixture);
}

/* More peers than connections are allowed: they wait for their turn instead of being refused. */
static void connections_beyond_the_limit_wait(void **state)
{
    (void)state;
    enum { LIMIT = 8, CLIENTS = 24 };
    struct fixture fixture;
    struct err err;
    int fds[CLIENTS];
    fixture_start(&fixture, LOOPBACK, 1, NULL);
    server_free(fixture.server);
    const struct server_settings settings = {
        .listen_fd = fixture.listen_fd,
        .threads = 2,
        .connections = LIMIT,
        .routes = fixture.routes,
        .route_count = ARRAY_LENGTH(fixture.routes),
        .timeouts = HTTP_TIMEOUTS_DEFAULT,
        .clock = &fixture.clock.clock,
        .log = fixture.log,
        .metrics = fixture.metrics,
    };
    assert_int_equal(server_new(&fixture.server, &settings, &err), 0);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = fixture_connect(&fixture);
        assert_true(client_send(fds[i], hello));
    }
    int served[LIMIT], served_count = 0;
    for (int i = 0; i < LIMIT; i++) {
        assert_int_equal(client_read(fds[i], NULL, NULL), 200);
        served[served_count++] = fds[i];
    }
    assert_int_equal(metrics_read(fixture.metrics, METRIC_HTTP_CONNECTIONS, 0), LIMIT);
    for (int i = LIMIT; i < CLIENTS; i++) {
        close(served[i % LIMIT]);
        assert_int_equal(client_read(fds[i], NULL, NULL), 200);
        served[i % LIMIT] = fds[i];
    }
    for (int i = 0; i < LIMIT; i++)
        close(served[i]);
    fixture_stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_that_trickle_are_cut_off),
        cmocka_unit_test(a_body_that_trickles_is_cut_off),
        cmocka_unit_test(an_idle_connection_is_closed_without_blame),
        cmocka_unit_test(an_answer_nobody_takes_is_given_up),
        cmocka_unit_test(a_working_handler_is_not_timed_out),
        cmocka_unit_test(an_answer_outlives_the_client_that_asked),
        cmocka_unit_test(answers_from_many_threads_reach_their_connections),
        cmocka_unit_test(stopping_answers_what_is_in_flight_and_says_close),
        cmocka_unit_test(a_stopped_server_leaves_new_connections_in_the_backlog),
        cmocka_unit_test(an_answer_may_come_after_the_server_is_gone),
        cmocka_unit_test(connections_beyond_the_limit_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
