/* What operators and machines ask on ADMIN_LISTEN: GET /healthz, /readyz, /metrics, /probe,
 * /outbox and /cache; POST /outbox/ID/retry, /outbox/ID/drop and /cache/clear. */
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

/* What is done to jobs of the outbox (outbox/outbox_admin.h). Called on the admin server's thread,
 * at any time: ERR_UNAVAILABLE while there is no outbox. */
struct admin_outbox {
    int (*list)(void *context, struct str_view state, struct buf *json, struct err *err);
    int (*retry)(void *context, int64_t id, struct err *err);
    int (*drop)(void *context, int64_t id, struct err *err);
    void *context;
};

/* What is done to the cache (cache/cache_admin.h); otherwise as admin_outbox. */
struct admin_cache {
    int (*list)(void *context, struct buf *json, struct err *err);
    int (*clear)(void *context, struct str_view pattern, struct buf *json, struct err *err);
    void *context;
};

enum readiness { READINESS_STARTING, READINESS_READY, READINESS_DRAINING };

struct admin {
    const struct admin_part *parts;
    int part_count;
    atomic_int readiness; /* enum readiness, set by the main thread */
    int64_t started_ms;   /* wall clock */
    const struct metrics *metrics;
    const struct probe *probe; /* signs what GET /probe hands out */
    struct admin_outbox outbox;
    struct admin_cache cache;
    const struct clock *clock;
};

#define ADMIN_ROUTES 8

/* A POST on ADMIN_LISTEN needs this header, which no web page can make a browser send there. */
#define ADMIN_HEADER "X-Bronxbot-Admin"

/* Fills in the routes of `admin`, which outlives the server. Serve them with one thread. */
void admin_routes(struct admin *admin, struct http_route routes[ADMIN_ROUTES]);

#endif
