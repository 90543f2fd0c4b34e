/* A real router with the real commands, a real database, an executor and a fake outbox: for tests
 * that say what Discord posts and look at what it would be answered. */
#ifndef TESTS_ROUTER_FIXTURE_H
#define TESTS_ROUTER_FIXTURE_H

#include "core/log_sink.h"
#include "router/router.h"

#include "fake_outbox.h"
#include "service_fixture.h"

#define FIXTURE_GUILD INT64_C(700)
#define FIXTURE_OWNER INT64_C(99)

struct router_fixture {
    struct service_fixture base;
    struct metrics *metrics;
    struct log_sink *log;
    int log_fd; /* a file in memory */
    struct owner_ids owners;
    struct outbox outbox;
    struct executor *executor;
    struct router *router;
};

/* One interaction, as far as tests tell them apart. */
struct ask {
    int type; /* enum interaction_type */
    int64_t id, user_id;
    int64_t guild_id;      /* 0: a direct message with the bot */
    uint64_t permissions;  /* of the member */
    int64_t invoker_id;    /* whose message the component is on; 0: no message is sent */
    const char *last_text; /* shown at the end of that message, as in JSON; NULL: nothing is */
    const char *locale;    /* NULL: "en-US" */
    const char *data;      /* JSON */
};

/* `commands` NULL: those of the bot. `executor` settings but the clock and metrics. 0, or not when
 * the test can't run. */
int router_fixture_open(struct router_fixture *fixture, const struct command *const *commands,
                        int threads, int queue);
/* Another reply budget, while nothing is asked. */
int router_fixture_set_budget(struct router_fixture *fixture, int64_t defer_after_ms);
void router_fixture_close(struct router_fixture *fixture);

/* The JSON Discord would post. */
void router_fixture_json(const struct ask *ask, struct buf *json);

/* Parses and dispatches `json`; returns when it has been answered. `*body` is the caller's: empty
 * when the HTTP answer would be 500. What follows a deferred one is in `outbox`. The result is the
 * parser's. */
int router_fixture_post(struct router_fixture *fixture, struct str_view json, struct buf *body);

/* Both at once; a failure to parse ends the program. */
void router_fixture_ask(struct router_fixture *fixture, const struct ask *ask, struct buf *body);

/* What was logged since the beginning, zero-terminated. */
void router_fixture_log(const struct router_fixture *fixture, struct buf *log);

#endif
