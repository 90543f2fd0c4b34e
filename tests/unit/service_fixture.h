/* For tests of services: a migrated database on either engine, a clock that stands still until
 * it is moved, and calls as the router would make them. */
#ifndef TESTS_SERVICE_FIXTURE_H
#define TESTS_SERVICE_FIXTURE_H

#include "bronx/ledger.h"
#include "bronx/services.h"

#include "test_database.h"

struct service_fixture {
    struct test_database database; /* empty when somebody else's */
    struct db *db;
    struct clock clock;
    int64_t now_ms; /* what the clock shows */
    struct chance chance;
    struct erasure_key erasure_key;
    struct services services;
};

/* 0, or non-zero when the test can't run (cmocka reports it). */
int service_fixture_open(struct service_fixture *fixture);
/* The same for the database at `url`, which is somebody else's; time stands at `now_ms`. */
int service_fixture_open_at(struct service_fixture *fixture, const char *url, int64_t now_ms);
/* Only the clock, which shows `now_ms`; nothing is opened. */
void service_fixture_clock(struct service_fixture *fixture);
void service_fixture_close(struct service_fixture *fixture);

/* The first value of the first row. */
int64_t service_fixture_count(struct service_fixture *fixture, const char *sql);

/* A call of `command` by `user_id` as interaction `id`. */
struct service_call {
    struct call call;
    struct interaction interaction;
    struct arena arena;
};

void service_call_begin(struct service_call *call, struct service_fixture *fixture,
                        const struct command *command, int64_t id, int64_t user_id);
void service_call_end(struct service_call *call);

#endif
