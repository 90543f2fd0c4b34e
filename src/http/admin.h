/* What operators and machines ask on ADMIN_LISTEN: GET /healthz, /readyz, /metrics
 * and /probe. */
#ifndef HTTP_ADMIN_H
#define HTTP_ADMIN_H

#include "http/probe.h"
#include "http/server.h"

#include <stdatomic.h>

enum part_state { PART_OK, PART_DEGRADED, PART_DOWN };

/* One part of the bot as /readyz shows it. */
struct admin_part {
    const char *name;
    /* Says how the part is, and in `detail` a few words when that is not PART_OK. Runs on the admin
     * server's thread; must not wait for long. */
    enum part_state (*probe)(void *context, struct buf *detail);
    void *context;
    /* Down means that this process alone is broken. False for what several processes share: if its
     * loss took them all out of service, nobody would be left to say so. */
    bool is_own;
};

enum readiness { READINESS_STARTING, READINESS_READY, READINESS_DRAINING };

struct admin {
    const struct admin_part *parts;
    int part_count;
    atomic_int readiness; /* enum readiness, set by the main thread */
    int64_t started_ms;   /* wall clock */
    const struct metrics *metrics;
    const struct probe *probe; /* signs what GET /probe hands out */
    const struct clock *clock;
};

#define ADMIN_ROUTES 4

/* Fills in the routes of `admin`, which outlives the server. Serve them with one thread. */
void admin_routes(struct admin *admin, struct http_route routes[ADMIN_ROUTES]);

#endif
