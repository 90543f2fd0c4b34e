/* The HTTP server: routes, bounds, framing, connections and listening sockets, over real sockets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raw_client.h"
#include "server_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOPBACK    "127.0.0.1:0"
#define HOST        "Host: bot\r\n"
#define PATIENCE_MS 600000

static const char hello[] = "GET /hello HTTP/1.1\r\n" HOST "\r\n";

static void answers_carry_only_the_headers_that_are_needed(void **state)
{
    (void)state;
    struct fixture fixture;
    CLEANUP(buf_free) struct buf head = { 0 }, body = { 0 };
    fixture_start(&fixture, LOOPBACK, 1, NULL);
    int fd = fixture_connect(&fixture);
    assert_true(client_send(fd, hello));
    assert_int_equal(client_read(fd, &head, &body), 200);
    assert_string_equal(head.data, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                   "Content-Length: 5\r\n\r\n");
    assert_string_equal(body.data, "hello");
    close(fd);
    fixture_stop(&fixture);
}

static void wrong_requests_get_their_status_and_the_connection_lives_on(void **state)
{
    (void)state;
    const struct {
        const char *request;
        int status;
        const char *in_head, *in_body;
    } rows[] = {
        { "GET /nowhere HTTP/1.1\r\n" HOST "\r\n", 404, "application/json", "not found" },
        { "GET /hello/ HTTP/1.1\r\n" HOST "\r\n", 404, "application/json", "not found" },
        { "GET /echo HTTP/1.1\r\n" HOST "\r\n", 405, "\r\nAllow: POST\r\n", "not allowed" },
        { "DELETE /hello HTTP/1.1\r\n" HOST "\r\n", 405, "\r\nAllow: GET\r\n", "not allowed" },
        { "POST /hello HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 405, "Allow: GET", "" },
        { "GET /hello?a=b HTTP/1.1\r\n" HOST "\r\n", 200, "text/plain", "hello" },
        { "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 200, "Content-Length: 0",
          "" },
    };
    struct fixture fixture;
    CLEANUP(buf_free) struct buf head = { 0 }, body = { 0 };
    fixture_start(&fixture, LOOPBACK, 1, NULL);
    int fd = fixture_connect(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_true(client_send(fd, rows[i].request));
        assert_int_equal(client_read(fd, &head, &body), rows[i].status);
        assert_non_null(strstr(head.data, rows[i].in_head));
        assert_null(strstr(head.data, "close"));
        assert_true(!rows[i].in_body[0] || strstr(body.data, rows[i].in_body));
    }
    close(fd);
    fixture_stop(&fixture);
}

/* What a body that nobody wants would be, is not waited for. */
static void refused_bodies_are_not_read(void **state)
{
    (void)state;
    const struct {
        const char *request;
        int status;
    } rows[] = {
        { "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65\r\n\r\n", 413 },
        { "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775807\r\n\r\n", 413 },
        { "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", 413 },
        { "POST /nowhere HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n", 404 },
        { "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n", 405 },
        { "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
          "41\r\n01234567890123456789012345678901234567890123456789012345678901234\r\n",
          413 },
        { "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
          "20\r\n01234567890123456789012345678901\r\n20\r\n01234567890123456789012345678901\r\n"
          "1\r\nx\r\n",
          413 },
    };
    struct fixture fixture;
    CLEANUP(buf_free) struct buf head = { 0 }, body = { 0 };
    fixture_start(&fixture, LOOPBACK, 1, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int fd = fixture_connect(&fixture);
        assert_true(client_send(fd, rows[i].request));
        assert_int_equal(client_read(fd, &head, &body), rows[i].status);
        assert_non_null(strstr(head.data, "\r\nConnection: close\r\n"));
        assert_true(client_sees_close(fd));
        close(fd);
    }
    server_free(fixture.server);
    fixture.server = NULL;
    assert_int_equal(fixture.too_large_count, 4); /* the library refused what is no int64 */
    fixture_stop(&fixture);
}

static void the_largest_body_arrives_whole_in_either_coding(void **state)
{
    (void)state;
    const char *const requests[] = {
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 64\r\n\r\n"
        "0123456789012345678901234567890123456789012345678901234567890123",
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
        "20\r\n01234567890123456789012345678901\r\n20\r\n23456789012345678901234567890123\r\n"
        "0\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 64\r\n\r\n",
    };
    struct fixture fixture;
    CLEANUP(buf_free) struct buf body = { 0 };
    fixture_start(&fixture, LOOPBACK, 1, NULL);
    int fd = fixture_connect(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
        int status = client_ask(fd, requests[i], &body);
        if (status == 100)
            status = client_ask(
                fd, strchr(requests[0], '0') ? strstr(requests[0], "\r\n\r\n") + 4 : "", &body);
        assert_int_equal(status, 200);
        assert_string_equal(body.data,
                            "0123456789012345678901234567890123456789012345678901234567890123");
    }
    close(fd);
    fixture_stop(&fixture);
}

/* Two readings of where a request ends would let a second one hide in its body. */
static void ambiguous_framing_is_refused(void **state)
{
    (void)state;
    const char *const heads[] = {
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 5x\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: \r\n",
    };
    struct fixture fixture;
    fixture_start(&fixture, LOOPBACK, 1, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(heads); i++) {
        char request[256];
        snprintf(request, sizeof(request), "POST /echo HTTP/1.1\r\n" HOST "%s\r\n", heads[i]);
        int fd = fixture_connect(&fixture);
        assert_int_equal(client_ask(fd, request, NULL), 400);
        assert_true(client_sees_close(fd));
        close(fd);
    }
    fixture_stop(&fixture);
}

static void repeated_headers_are_told_from_single_ones(void **state)
{
    (void)state;
    const struct {
        const char *headers, *expected;
    } rows[] = {
        { "", "absent single <>" },
        { "X-Test: a\r\n", "present single <a>" },
        { "X-Test:\r\n", "present single <>" },
        { "X-Test: a\r\nx-test: b\r\n", "present repeated <a>" },
        { "X-Test:\r\nX-Other: 1\r\nX-TEST:\r\n", "present repeated <>" },
        { "X-Tests: a\r\nX-Tes: b\r\n", "absent single <>" },
    };
    struct fixture fixture;
    CLEANUP(buf_free) struct buf body = { 0 };
    fixture_start(&fixture, LOOPBACK, 1, NULL);
    int fd = fixture_connect(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char request[256];
        snprintf(request, sizeof(request), "GET /header HTTP/1.1\r\n" HOST "%s\r\n",
                 rows[i].headers);
        assert_int_equal(client_ask(fd, request, &body), 200);
        assert_string_equal(body.data, rows[i].expected);
    }
    close(fd);
    fixture_stop(&fixture);
}

static void headers_without_end_are_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture, LOOPBACK, 1, NULL);
    int fd = fixture_connect(&fixture);
    CLEANUP(buf_free) struct buf request = { 0 };
    buf_append(&request, STR("GET /hello HTTP/1.1\r\n" HOST));
    while (request.length < 64 * 1024)
        buf_append(&request, STR("X-Padding: 0123456789012345678901234567890123456789\r\n"));
    /* The server may close while we still send. */
    (void)client_send(fd, request.data);
    int status = client_read(fd, NULL, NULL);
    assert_true(status == 431 || status <= 0);
    close(fd);
    fd = fixture_connect(&fixture);
    assert_int_equal(client_ask(fd, hello, NULL), 200);
    close(fd);
    fixture_stop(&fixture);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct fixture fixture;
    CLEANUP(buf_free) struct buf body = { 0 };
    fixture_start(&fixture, LOOPBACK, 1, NULL);
    int fd = fixture_connect(&fixture);
    CLEANUP(buf_free) struct buf requests = { 0 };
    for (int i = 0; i < 50; i++)
        buf_append_format(&requests, "POST /%s HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n%02d",
                          i % 10 == 3 ? "later" : "echo", i);
    assert_true(client_send(fd, requests.data));
    for (int i = 0; i < 50; i++) {
        char expected[8];
        snprintf(expected, sizeof(expected), i % 10 == 3 ? "later" : "%02d", i);
        if (i % 10 == 3)
            fixture_answer(fixture_take(&fixture, 1), "later");
        assert_int_equal(client_read(fd, NULL, &body), 200);
        assert_string_equal(body.data, expected);
    }
    close(fd);
    fixture_stop(&fixture);
}

static void a_request_may_come_in_any_pieces(void **state)
{
    (void)state;
    static const char request[] = "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nabcde";
    struct fixture fixture;
    CLEANUP(buf_free) struct buf body = { 0 };
    fixture_start(&fixture, LOOPBACK, 1, NULL);
    int fd = fixture_connect(&fixture);
    for (size_t cut = 1; cut < sizeof(request) - 1; cut++) {
        assert_int_equal(send(fd, request, cut, MSG_NOSIGNAL), (ssize_t)cut);
        usleep(500);
        assert_int_equal(client_ask(fd, request + cut, &body), 200);
        assert_string_equal(body.data, "abcde");
    }
    close(fd);
    fixture_stop(&fixture);
}

/* More at once than libmicrohttpd takes in one epoll_wait (128), and the exact multiples of that at
 * which its own polling thread falls asleep. */
static void hundreds_of_connections_are_served_side_by_side(void **state)
{
    (void)state;
    enum { CONNECTIONS = 300, ROUNDS = 5 };
    static int fds[CONNECTIONS];
    const int together[] = { 127, 128, 129, 256, CONNECTIONS };
    /* The last ones say nothing until all others have had their turns. */
    const struct http_timeouts patient = { PATIENCE_MS, PATIENCE_MS, PATIENCE_MS, PATIENCE_MS };
    struct fixture fixture;
    fixture_start(&fixture, LOOPBACK, 2, &patient);
    for (int i = 0; i < CONNECTIONS; i++)
        fds[i] = fixture_connect(&fixture);
    for (size_t row = 0; row < ARRAY_LENGTH(together); row++)
        for (int round = 0; round < ROUNDS; round++) {
            for (int i = 0; i < together[row]; i++)
                assert_true(client_send(fds[i], hello));
            for (int i = 0; i < together[row]; i++)
                assert_int_equal(client_read(fds[i], NULL, NULL), 200);
        }
    assert_int_equal(metrics_read(fixture.metrics, METRIC_HTTP_CONNECTIONS, 0), CONNECTIONS);
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    fixture_stop(&fixture);
}

static void responses_are_counted_by_status(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture, LOOPBACK, 1, NULL);
    int fd = fixture_connect(&fixture);
    assert_int_equal(client_ask(fd, hello, NULL), 200);
    assert_int_equal(client_ask(fd, hello, NULL), 200);
    assert_int_equal(client_ask(fd, "GET / HTTP/1.1\r\n" HOST "\r\n", NULL), 404);
    close(fd);
    assert_int_equal(metrics_read(fixture.metrics, METRIC_HTTP_RESPONSES, 0), 2);
    assert_int_equal(metrics_read(fixture.metrics, METRIC_HTTP_RESPONSES, 4), 1);
    fixture_stop(&fixture);
}

/* --- listening sockets --- */

static void the_server_listens_on_ipv6(void **state)
{
    (void)state;
    struct fixture fixture;
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    if (probe < 0)
        skip();
    close(probe);
    fixture_start(&fixture, "[::1]:0", 1, NULL);
    int fd = fixture_connect(&fixture);
    assert_int_equal(client_ask(fd, hello, NULL), 200);
    close(fd);
    fixture_stop(&fixture);
}

struct unix_place {
    char directory[32], path[64], setting[80];
};

static void unix_place_make(struct unix_place *place)
{
    snprintf(place->directory, sizeof(place->directory), "/tmp/bronxbot-test-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->path, sizeof(place->path), "%s/http.sock", place->directory);
    snprintf(place->setting, sizeof(place->setting), "unix:%s", place->path);
}

static void a_unix_socket_is_for_owner_and_group_and_goes_with_the_server(void **state)
{
    (void)state;
    struct unix_place place;
    struct fixture fixture;
    struct stat status;
    unix_place_make(&place);
    fixture_start(&fixture, place.setting, 1, NULL);
    assert_int_equal(stat(place.path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0660);
    int fd = fixture_connect(&fixture);
    assert_int_equal(client_ask(fd, hello, NULL), 200);
    close(fd);
    fixture_stop(&fixture);
    assert_int_equal(stat(place.path, &status), -1);
    assert_int_equal(rmdir(place.directory), 0);
}

static void only_a_dead_socket_is_replaced(void **state)
{
    (void)state;
    struct unix_place place;
    struct listen_address address;
    struct err err;
    int first, second;
    unix_place_make(&place);
    assert_int_equal(listen_address_parse(str_from(place.setting), &address), 0);
    assert_int_equal(listener_open(&address, &first, &err), 0);
    assert_int_equal(listener_open(&address, &second, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, place.path));
    close(first); /* as if the process had died: the file stays */
    assert_int_equal(listener_open(&address, &second, &err), 0);
    listener_close(&address, second);
    int file = open(place.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(listener_open(&address, &second, &err), ERR_IO);
    assert_int_equal(access(place.path, F_OK), 0);
    unlink(place.path);
    rmdir(place.directory);
}

static void a_taken_port_is_reported(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err;
    int fd;
    fixture_start(&fixture, LOOPBACK, 1, NULL);
    assert_int_equal(listener_open(&fixture.address, &fd, &err), ERR_UNAVAILABLE);
    char wanted[40];
    snprintf(wanted, sizeof(wanted), "port %u of 127.0.0.1", (unsigned)fixture.address.port);
    assert_non_null(strstr(err.message, wanted));
    fixture_stop(&fixture);
}

static void too_few_open_files_name_the_setting(void **state)
{
    (void)state;
    struct rlimit before, limit;
    struct err err;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(listener_raise_file_limit(100, 28, &err), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, 128);
    assert_int_equal(listener_raise_file_limit((int64_t)1 << 40, 0, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "HTTP_CONNECTIONS"));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_carry_only_the_headers_that_are_needed),
        cmocka_unit_test(wrong_requests_get_their_status_and_the_connection_lives_on),
        cmocka_unit_test(refused_bodies_are_not_read),
        cmocka_unit_test(the_largest_body_arrives_whole_in_either_coding),
        cmocka_unit_test(ambiguous_framing_is_refused),
        cmocka_unit_test(repeated_headers_are_told_from_single_ones),
        cmocka_unit_test(headers_without_end_are_refused),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(a_request_may_come_in_any_pieces),
        cmocka_unit_test(hundreds_of_connections_are_served_side_by_side),
        cmocka_unit_test(responses_are_counted_by_status),
        cmocka_unit_test(the_server_listens_on_ipv6),
        cmocka_unit_test(a_unix_socket_is_for_owner_and_group_and_goes_with_the_server),
        cmocka_unit_test(only_a_dead_socket_is_replaced),
        cmocka_unit_test(a_taken_port_is_reported),
        cmocka_unit_test(too_few_open_files_name_the_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
