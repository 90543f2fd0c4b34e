/* A server under test on loopback, with a few routes of its own. */
#ifndef TESTS_SERVER_FIXTURE_H
#define TESTS_SERVER_FIXTURE_H

#include "core/log_sink.h"
#include "core/system_clock.h"
#include "http/listener.h"
#include "http/server.h"

#include <pthread.h>

#define FIXTURE_BODY_MAX 64
#define FIXTURE_HELD_MAX 64

struct fixture {
    struct listen_address address;
    int listen_fd;
    struct server *server;
    struct system_clock clock;
    struct metrics *metrics;
    struct log_sink *log;
    struct http_route routes[4];

    pthread_mutex_t lock;
    pthread_cond_t has_changed;
    struct http_exchange *held[FIXTURE_HELD_MAX]; /* requests to /later, oldest first */
    int held_count;
    int sent_count, complete_count; /* http_on_sent of /later */
    int too_large_count;
};

/* GET /hello, POST /echo, POST /later (answered by fixture_answer), GET /header (the value of
 * X-Test and whether it came repeatedly). `timeouts` NULL: the default ones. */
void fixture_start(struct fixture *fixture, const char *listen, int threads,
                   const struct http_timeouts *timeouts);
void fixture_stop(struct fixture *fixture);

int fixture_connect(const struct fixture *fixture);

/* Waits until `count` requests to /later are held, and takes the oldest. */
struct http_exchange *fixture_take(struct fixture *fixture, int count);
void fixture_answer(struct http_exchange *exchange, const char *text);

/* Waits until on_sent ran `count` times; returns how many of them were complete. */
int fixture_wait_sent(struct fixture *fixture, int count);

#endif
