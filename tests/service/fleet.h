/* Bots that are one: processes of `bronxbot serve` on one real PostgreSQL, one real Redis and one
 * simulated Discord, each of which a test may stop, freeze or kill through its harness.
 *
 * What fails here fails the test that runs. One thread at a time, the one that opened the fleet,
 * which must outlive it; fleet_ask may be called from any, each with a client of its own. */
#ifndef TESTS_FLEET_H
#define TESTS_FLEET_H

#include "harness/bot_process.h"
#include "harness/http_client.h"
#include "harness/interaction_json.h"
#include "harness/postgres.h"
#include "harness/redis.h"
#include "simulator/rest_server.h"

#include "service_fixture.h"

#define FLEET_BOTS_MAX     3
#define FLEET_LINES_MAX    16
#define FLEET_DEADLINE_MS  3000   /* Discord's, for an answer */
#define FLEET_PATIENCE_MS  120000 /* far longer than it takes: nothing is asserted on time */
/* In what people read who are to try again. */
#define FLEET_POLITE_WORDS "Please try again in a moment."

struct fleet_options {
    const char *binary; /* path of bronxbot */
    int bot_count;
    const char *const *environment; /* for all bots: "NAME=value" lines ended by NULL, or NULL */
    struct rest_limits limits;      /* Discord's; 0: as they are */
};

struct fleet {
    struct harness_postgres postgres;
    struct harness_redis redis;
    struct rest_server *discord;
    struct harness_bot bots[FLEET_BOTS_MAX];
    int bot_count;
    char database_url[HARNESS_POSTGRES_PATH + 64]; /* PostgreSQL's */
    char lines[3][160];
    const char *environment[FLEET_LINES_MAX];
};

/* Starts PostgreSQL, Redis and Discord; the bots' sockets are there, as systemd holds them. */
void fleet_open(struct fleet *fleet, const struct fleet_options *options);
void fleet_close(struct fleet *fleet);

void fleet_launch(struct fleet *fleet, int bot);
void fleet_launch_all(struct fleet *fleet);
void fleet_kill(struct fleet *fleet, int bot);    /* SIGKILL, and Discord knows */
void fleet_stop(struct fleet *fleet, int bot);    /* SIGTERM and a clean end */
void fleet_restart(struct fleet *fleet, int bot); /* fleet_stop, then fleet_launch */

/* Redis and PostgreSQL once more, with what they had (Redis keeps nothing). */
void fleet_start_redis(struct fleet *fleet);
void fleet_start_postgres(struct fleet *fleet);

/* GET `path` on a bot's ADMIN_LISTEN: the status, and the body appended to `body`. */
int fleet_get(struct fleet *fleet, int bot, const char *path, struct buf *body);

/* A value of /metrics by its name with labels, `name{label="word"}`; 0 when it is not there. */
int64_t fleet_metric(struct fleet *fleet, int bot, const char *name);

/* Waits until /readyz shows `part` of a bot in this state: "ok", "degraded" or "down". */
void fleet_await_part(struct fleet *fleet, int bot, const char *part, const char *state);

enum fleet_reply {
    FLEET_REPLY_SHOWN,   /* by the message that was promised: `*text` is its JSON */
    FLEET_REPLY_PRIVATE, /* to the asker alone, or it may not have come and an apology says so */
    FLEET_REPLY_MISSING, /* not within FLEET_PATIENCE_MS */
};

/* Waits for the reply to an interaction that was answered "deferred". */
enum fleet_reply fleet_await_reply(struct fleet *fleet, int64_t interaction_id, struct buf *text);

/* The database, at the bots' time; service_fixture_close follows. */
void fleet_open_database(const struct fleet *fleet, struct service_fixture *fixture);

/* Nobody waits for a cooldown any more but /daily's: other commands may be repeated at once. */
void fleet_lift_cooldowns(struct service_fixture *fixture);

/* A fresh interaction id; `sequence` tells those of one millisecond apart. */
int64_t fleet_interaction_id(const struct fleet *fleet, unsigned sequence);

/* Sends an interaction, signed, and tells Discord what came of it: true when that was an answer
 * within 3 s. `envelope` is what `interaction` was made with. */
bool fleet_ask(struct fleet *fleet, struct http_client *client, const struct envelope *envelope,
               json_object *interaction, struct http_answer *answer);

void fleet_assert_no_violation(struct fleet *fleet);

#endif
