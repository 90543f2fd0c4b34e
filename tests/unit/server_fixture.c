#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_fixture.h"

#include "raw_client.h"

#include <string.h>
#include <unistd.h>

static void on_hello(struct http_exchange *exchange, void *context)
{
    (void)context;
    http_respond_text(exchange, 200, "text/plain", STR("hello"));
}

static void on_echo(struct http_exchange *exchange, void *context)
{
    (void)context;
    size_t length;
    const char *body = http_body(exchange, &length);
    struct buf answer = { 0 };
    buf_append_bytes(&answer, body, length);
    http_respond(exchange, 200, "text/plain", &answer);
}

static void on_later_sent(void *context, bool is_complete)
{
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    fixture->sent_count++;
    fixture->complete_count += is_complete;
    pthread_cond_broadcast(&fixture->has_changed);
    pthread_mutex_unlock(&fixture->lock);
}

static void on_later(struct http_exchange *exchange, void *context)
{
    struct fixture *fixture = context;
    http_on_sent(exchange, on_later_sent, fixture);
    pthread_mutex_lock(&fixture->lock);
    fixture->held[fixture->held_count++] = exchange;
    pthread_cond_broadcast(&fixture->has_changed);
    pthread_mutex_unlock(&fixture->lock);
}

static void on_header(struct http_exchange *exchange, void *context)
{
    (void)context;
    bool is_repeated;
    struct str_view value = http_header(exchange, "x-TEST", &is_repeated);
    struct buf answer = { 0 };
    buf_append_format(&answer, "%s %s <%.*s>", value.data ? "present" : "absent",
                      is_repeated ? "repeated" : "single", STR_ARGS(value));
    http_respond(exchange, 200, "text/plain", &answer);
}

static void on_too_large(void *context)
{
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    fixture->too_large_count++;
    pthread_mutex_unlock(&fixture->lock);
}

void fixture_start(struct fixture *fixture, const char *listen, int threads,
                   const struct http_timeouts *timeouts)
{
    struct err err = { 0 };
    *fixture = (struct fixture){ 0 };
    pthread_mutex_init(&fixture->lock, NULL);
    pthread_cond_init(&fixture->has_changed, NULL);
    const struct http_route routes[] = {
        { "/hello", "GET", 0, on_hello, NULL, fixture },
        { "/echo", "POST", FIXTURE_BODY_MAX, on_echo, on_too_large, fixture },
        { "/later", "POST", FIXTURE_BODY_MAX, on_later, on_too_large, fixture },
        { "/header", "GET", 0, on_header, NULL, fixture },
    };
    memcpy(fixture->routes, routes, sizeof(routes));
    assert_int_equal(listen_address_parse(str_from(listen), &fixture->address), 0);
    assert_int_equal(system_clock_init(&fixture->clock, NULL, &err), 0);
    assert_non_null(fixture->metrics = metrics_new());
    assert_non_null(fixture->log = log_sink_new(STDERR_FILENO, LOG_LEVEL_WARNING, LOG_FORMAT_TEXT,
                                                &fixture->clock.clock));
    if (listener_open(&fixture->address, &fixture->listen_fd, &err) != 0)
        fail_msg("%s", err.message);
    if (!fixture->address.is_unix)
        assert_int_equal(listener_address(fixture->listen_fd, &fixture->address, &err), 0);
    const struct server_settings settings = {
        .listen_fd = fixture->listen_fd,
        .threads = threads,
        .connections = 1024,
        .routes = fixture->routes,
        .route_count = ARRAY_LENGTH(fixture->routes),
        .timeouts = timeouts ? *timeouts : HTTP_TIMEOUTS_DEFAULT,
        .clock = &fixture->clock.clock,
        .log = fixture->log,
        .metrics = fixture->metrics,
    };
    if (server_new(&fixture->server, &settings, &err) != 0)
        fail_msg("%s", err.message);
}

void fixture_stop(struct fixture *fixture)
{
    server_free(fixture->server);
    assert_int_equal(metrics_read(fixture->metrics, METRIC_HTTP_CONNECTIONS, 0), 0);
    listener_close(&fixture->address, fixture->listen_fd);
    metrics_free(fixture->metrics);
    log_sink_free(fixture->log);
    system_clock_fini(&fixture->clock);
    pthread_mutex_destroy(&fixture->lock);
    pthread_cond_destroy(&fixture->has_changed);
}

int fixture_connect(const struct fixture *fixture)
{
    int fd = client_connect(&fixture->address);
    assert_true(fd >= 0);
    return fd;
}

struct http_exchange *fixture_take(struct fixture *fixture, int count)
{
    pthread_mutex_lock(&fixture->lock);
    while (fixture->held_count < count)
        pthread_cond_wait(&fixture->has_changed, &fixture->lock);
    struct http_exchange *exchange = fixture->held[0];
    fixture->held_count--;
    memmove(fixture->held, fixture->held + 1,
            (size_t)fixture->held_count * sizeof(fixture->held[0]));
    pthread_mutex_unlock(&fixture->lock);
    return exchange;
}

void fixture_answer(struct http_exchange *exchange, const char *text)
{
    struct buf answer = { 0 };
    buf_append(&answer, str_from(text));
    http_respond(exchange, 200, "text/plain", &answer);
}

int fixture_wait_sent(struct fixture *fixture, int count)
{
    pthread_mutex_lock(&fixture->lock);
    while (fixture->sent_count < count)
        pthread_cond_wait(&fixture->has_changed, &fixture->lock);
    int complete = fixture->complete_count;
    pthread_mutex_unlock(&fixture->lock);
    return complete;
}
