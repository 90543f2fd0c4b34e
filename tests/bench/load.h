/* A load generator: one thread, epoll, keep-alive, each connection sends its next request as soon
 * as its last one is answered. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "bronx/err.h"
#include "core/config.h"

/* Requests made beforehand, so that making and signing them is not what is measured. */
struct load_requests {
    struct buf *requests; /* whole HTTP requests; owned */
    size_t count;
};

void load_requests_free(struct load_requests *requests); /* fit for CLEANUP */

struct load {
    const struct listen_address *address;
    const struct load_requests *requests; /* each is sent once, in order */
    int connections;
    int expected_status;
};

struct load_result {
    double requests_per_second;
    double p50_us, p99_us;
};

/* ERR_UNAVAILABLE when the server closed a connection, ERR_INVALID when an answer was another than
 * expected. */
int load_run(const struct load *load, struct load_result *result, struct err *err) MUST_CHECK;

/* This thread, and all it starts, from now on; says so when it can't. */
void load_run_on_core(int core);

/* Microseconds of the monotonic clock. */
int64_t load_now_us(void);

#endif
