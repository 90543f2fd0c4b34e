/* The other end of requests to Discord, as fast as it can be: a process of its own that answers
 * every PATCH and POST with 200 and rate-limit headers, and notes when the request of each token
 * arrived. */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include "bronx/err.h"

#include <stdint.h>
#include <sys/types.h>

/* Tokens are SINK_TOKEN_PREFIX and a number below SINK_TOKENS. */
#define SINK_TOKEN_PREFIX "bench-"
#define SINK_TOKENS       1000000

enum sink_mood { SINK_TAKES, SINK_REFUSES /* 429 for everything, for an hour */ };

/* Shared by both processes. */
struct sink_notes {
    _Atomic int mood; /* enum sink_mood */
    _Atomic int64_t requests;
    _Atomic int64_t arrived_us[SINK_TOKENS]; /* monotonic; 0: not yet */
};

struct sink {
    pid_t pid;
    char url[64]; /* DISCORD_API_URL */
    struct sink_notes *notes;
};

/* Starts it on `core`. To be called before this process has threads. */
int sink_start(struct sink *sink, int core, struct err *err) MUST_CHECK;
void sink_stop(struct sink *sink);

#endif
