/* Three limiters, each as in a process of its own, share a real Redis, in real time: a model of
 * Discord counts the requests of all of them together at their arrival, while Redis is stopped,
 * frozen, killed and started. Nothing is asserted on how long anything takes; but what arrived in
 * any second is counted by the same clock that the limiters use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/system_clock.h"
#include "harness/redis.h"
#include "outbox/limit_keeper.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MS         INT64_C(1000)
#define SECOND     (1000 * MS)
#define CLIENTS    3
#define JOBS       40 /* of each client */
#define GIVE_UP_US (120 * SECOND)

/* Shorter times than the real ones, in the same order. */
static const struct limit_rules rules = {
    .of = { [LIMIT_GLOBAL] = { .total = 50, .kept = 12, .spare = 2, .window_us = SECOND },
            [LIMIT_INVALID] = { .total = 400,
                                .least = 30,
                                .kept = 10,
                                .spare = 50,
                                .window_us = LIMITER_INVALID_WINDOW_MS * MS } },
    .grant_us = SECOND,
    .unknown_us = 500 * MS,
};
#define INVALID_MAX 500

struct job {
    enum { ASKING, ON_ITS_WAY, COMING_BACK } step;
    int64_t at_us;
    bool is_invalid;
    struct limiter_ticket ticket;
};

struct client {
    struct limiter *limiter;
    struct limit_share *share;
    struct limit_keeper keeper;
    struct job jobs[JOBS];
    bool is_idle;    /* asks for nothing */
    bool is_invalid; /* is refused each time */
    int sent;
};

struct world {
    struct harness_redis redis;
    struct system_clock clock;
    struct log_sink *log;
    struct metrics *metrics;
    char url[160];
    uint64_t random;
    struct client clients[CLIENTS];
    int64_t arrivals[LIMITER_GLOBAL_PER_SECOND]; /* a ring */
    int64_t arrived, invalid;
};

static const unsigned char key[LIMITER_SHARE_KEY_BYTES] = "all processes have it";
static const struct limiter_route edit = { STR("PATCH /a"), STR("1/token"), false };
static const struct rest_error no_error = { .retry_after_ms = -1 };

static int64_t now_us(const struct world *world)
{
    return clock_monotonic_us(&world->clock.clock);
}

static uint32_t random_below(struct world *world, uint32_t bound)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (uint32_t)(world->random >> 32) % bound;
}

static void pause_a_little(void)
{
    const struct timespec pause = { .tv_nsec = 500000 };
    nanosleep(&pause, NULL);
}

/* --- Clients --- */

static void ignore_wake(void *context)
{
    (void)context; /* the client looks all the time */
}

static void client_start(struct world *world, struct client *client)
{
    struct err err = { 0 };
    const struct limiter_settings limiter = { .share_key = key, .invalid_max = INVALID_MAX };
    const struct limit_share_settings share = { .url = world->url,
                                                .name_space = "bronxbot:test",
                                                .rules = &rules,
                                                .clock = &world->clock.clock,
                                                .metrics = world->metrics,
                                                .log = world->log,
                                                .wake = ignore_wake };
    *client = (struct client){ 0 };
    assert_int_equal(limiter_new(&client->limiter, &limiter, &err), 0);
    if (limit_share_new(&client->share, &share, &err) != 0)
        fail_msg("%s", err.message);
    limit_keeper_init(&client->keeper, client->limiter, client->share, &rules);
    limit_keeper_count(&client->keeper, CLIENTS);
}

static void client_stop(struct client *client)
{
    limit_share_free(client->share);
    limiter_free(client->limiter);
    *client = (struct client){ 0 };
}

/* Each route and major parameter is a bucket of its own, which is never used up. */
static struct limiter_route route_of(int number, char major[16])
{
    (void)snprintf(major, 16, "%d", number);
    return (struct limiter_route){ STR("PUT /b"), str_from(major), true };
}

static void arrive(struct world *world, struct job *job, bool is_invalid)
{
    int64_t time_us = now_us(world);
    int64_t *place = &world->arrivals[world->arrived++ % LIMITER_GLOBAL_PER_SECOND];
    assert_true(*place == 0 || time_us - *place >= SECOND);
    *place = time_us;
    job->is_invalid = is_invalid;
    world->invalid += is_invalid;
    assert_true(world->invalid < INVALID_MAX);
}

static void step(struct world *world, struct client *client, int number)
{
    struct job *job = &client->jobs[number];
    char major[16];
    struct limiter_route route = route_of(number, major);
    int64_t time_us = now_us(world), ask_at_us;
    if (time_us < job->at_us)
        return;
    limit_keeper_keep(&client->keeper, time_us);
    if (job->step == ASKING) {
        if (client->is_idle ||
            limiter_take(client->limiter, &route, time_us, &job->ticket, &ask_at_us) != LIMITER_GO)
            return;
        client->sent++;
        job->step = ON_ITS_WAY;
        job->at_us = time_us + random_below(world, 20 * MS);
    } else if (job->step == ON_ITS_WAY) {
        arrive(world, job, client->is_invalid);
        job->step = COMING_BACK;
        job->at_us = time_us + random_below(world, 20 * MS);
    } else {
        const struct rest_response response = { .status = job->is_invalid ? 403 : 200,
                                                .retry_after_ms = -1,
                                                .limit = -1,
                                                .remaining = -1,
                                                .reset_after_ms = -1,
                                                .has_via = true };
        limiter_heard(client->limiter, &route, &job->ticket, &response, &no_error, time_us);
        job->step = ASKING;
        job->at_us = time_us + random_below(world, 10 * MS);
    }
}

static void turn(struct world *world)
{
    for (int i = 0; i < CLIENTS; i++) {
        struct client *client = &world->clients[i];
        limit_keeper_turn(&client->keeper, now_us(world));
        for (int number = 0; number < JOBS; number++)
            step(world, client, number);
    }
    pause_a_little();
}

static void run_for(struct world *world, int64_t time_us)
{
    int64_t end_us = now_us(world) + time_us;
    while (now_us(world) < end_us)
        turn(world);
}

/* Waits until the condition holds. */
#define AWAIT(world, condition)                                                                    \
    do {                                                                                           \
        int64_t give_up_us = now_us(world) + GIVE_UP_US;                                           \
        while (!(condition)) {                                                                     \
            assert_true(now_us(world) < give_up_us);                                               \
            turn(world);                                                                           \
        }                                                                                          \
    } while (0)

static bool are_all_shared(const struct world *world, bool is_shared)
{
    bool are_all = true;
    for (int i = 0; i < CLIENTS; i++)
        are_all &= limit_keeper_is_shared(&world->clients[i].keeper) == is_shared;
    return are_all;
}

/* What one uses of the bot's requests in a second. */
static int part_of(const struct world *world, int client)
{
    return world->clients[client].keeper.part.global_per_second;
}

static void launch(struct world *world)
{
    struct err err = { 0 };
    if (harness_redis_launch(&world->redis, &err) != 0)
        fail_msg("%s", err.message);
}

static int setup(void **state)
{
    struct err err = { 0 };
    const struct harness_redis_options options = { 0 };
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    assert_true(sodium_init() >= 0);
    randombytes_buf(&world->random, sizeof(world->random));
    world->random |= 1;
    print_message("seed %llu\n", (unsigned long long)world->random);
    assert_int_equal(system_clock_init(&world->clock, NULL, &err), 0);
    world->log = log_sink_new(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_LEVEL_ERROR,
                              LOG_FORMAT_TEXT, &world->clock.clock);
    world->metrics = metrics_new();
    if (harness_redis_init(&world->redis, &options, &err) != 0)
        fail_msg("%s", err.message);
    harness_redis_url(&world->redis, 0, world->url, sizeof(world->url));
    launch(world);
    for (int i = 0; i < CLIENTS; i++)
        client_start(world, &world->clients[i]);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < CLIENTS; i++)
        client_stop(&world->clients[i]);
    harness_redis_fini(&world->redis);
    metrics_free(world->metrics);
    log_sink_free(world->log);
    system_clock_fini(&world->clock);
    free(world);
    return 0;
}

static void forget_scripts(const struct world *world)
{
    redisContext *context = redisConnectUnix(world->redis.socket);
    assert_non_null(context);
    redisReply *reply = redisCommand(context, "SCRIPT FLUSH");
    assert_non_null(reply);
    freeReplyObject(reply);
    redisFree(context);
}

/* --- The tests --- */

/* That nothing is too much is asserted at each arrival. */
static void three_together_never_send_too_much_whatever_redis_does(void **state)
{
    struct world *world = *state;
    AWAIT(world, are_all_shared(world, true));
    world->clients[1].is_idle = world->clients[2].is_idle = true;
    AWAIT(world, part_of(world, 0) > 30); /* what the others don't need */
    world->clients[1].is_idle = false;
    AWAIT(world, part_of(world, 1) >= 16); /* its share comes back to it */
    world->clients[2].is_idle = false;
    run_for(world, SECOND);

    harness_redis_stop(&world->redis);
    AWAIT(world, are_all_shared(world, false));
    AWAIT(world, part_of(world, 0) == 16 && part_of(world, 1) == 16 && part_of(world, 2) == 16);
    run_for(world, SECOND);
    launch(world);
    AWAIT(world, are_all_shared(world, true));
    world->clients[0].is_idle = world->clients[1].is_idle = true;
    AWAIT(world, part_of(world, 2) > 30);
    world->clients[0].is_idle = world->clients[1].is_idle = false;

    harness_redis_freeze(&world->redis);
    AWAIT(world, are_all_shared(world, false));
    harness_redis_thaw(&world->redis);
    AWAIT(world, are_all_shared(world, true));
    harness_redis_kill(&world->redis);
    launch(world);
    run_for(world, SECOND);
    AWAIT(world, are_all_shared(world, true));
    for (int i = 0; i < CLIENTS; i++) {
        print_message("client %d sent %d\n", i, world->clients[i].sent);
        assert_true(world->clients[i].sent > 0);
    }
}

/* No more than INVALID_MAX, as each arrival asserts; here: all of them are used, and together. */
static void invalid_requests_of_all_are_counted_together(void **state)
{
    struct world *world = *state;
    AWAIT(world, are_all_shared(world, true));
    world->clients[1].is_idle = world->clients[2].is_idle = true;
    world->clients[0].is_invalid = true;
    AWAIT(world, world->invalid > rules.of[LIMIT_INVALID].total / CLIENTS); /* more than a share */
    world->clients[1].is_idle = world->clients[2].is_idle = false;
    world->clients[1].is_invalid = world->clients[2].is_invalid = true;
    AWAIT(world, world->clients[2].keeper.part.invalid_brake == 0); /* though it has used little */
    harness_redis_stop(&world->redis);
    run_for(world, SECOND);
    launch(world);
    run_for(world, SECOND);
    print_message("%lld invalid requests\n", (long long)world->invalid);
}

static enum limiter_wait ask(struct world *world, int client)
{
    struct limiter_ticket ticket;
    int64_t ask_at_us;
    enum limiter_wait wait =
        limiter_take(world->clients[client].limiter, &edit, now_us(world), &ticket, &ask_at_us);
    if (wait == LIMITER_GO)
        limiter_heard(world->clients[client].limiter, &edit, &ticket,
                      &(struct rest_response){ .status = 200,
                                               .retry_after_ms = -1,
                                               .limit = -1,
                                               .remaining = -1,
                                               .reset_after_ms = -1,
                                               .has_via = true },
                      &no_error, now_us(world));
    return wait;
}

/* A 429 for everything, which holds for longer than any test. */
static void hear_global_429(struct world *world, int client)
{
    struct limiter_ticket ticket;
    int64_t ask_at_us;
    struct rest_response refused = { .status = 429,
                                     .retry_after_ms = 600000,
                                     .limit = -1,
                                     .remaining = -1,
                                     .reset_after_ms = -1,
                                     .is_global = true,
                                     .has_via = true };
    const struct rest_error error = { true, 0, "", 600000, true, true };
    assert_int_equal(
        limiter_take(world->clients[client].limiter, &edit, now_us(world), &ticket, &ask_at_us),
        LIMITER_GO);
    limiter_heard(world->clients[client].limiter, &edit, &ticket, &refused, &error, now_us(world));
}

static void a_global_429_that_one_hears_stops_the_others_and_who_comes_later(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < CLIENTS; i++)
        world->clients[i].is_idle = true;
    AWAIT(world, are_all_shared(world, true));
    hear_global_429(world, 0);
    AWAIT(world, ask(world, 1) == LIMITER_WAIT_GLOBAL && ask(world, 2) == LIMITER_WAIT_GLOBAL);
    client_stop(&world->clients[2]);
    client_start(world, &world->clients[2]);
    world->clients[2].is_idle = true;
    AWAIT(world, ask(world, 2) == LIMITER_WAIT_GLOBAL);
}

static void a_server_that_forgot_its_scripts_is_taught_them_again(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < CLIENTS; i++)
        world->clients[i].is_idle = true;
    AWAIT(world, are_all_shared(world, true));
    forget_scripts(world);
    hear_global_429(world, 0);
    AWAIT(world, ask(world, 1) == LIMITER_WAIT_GLOBAL);
    int64_t given = metrics_read(world->metrics, METRIC_LIMITS_ASKED, 0);
    AWAIT(world, metrics_read(world->metrics, METRIC_LIMITS_ASKED, 0) >= given + 2 * CLIENTS);
    AWAIT(world, are_all_shared(world, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(three_together_never_send_too_much_whatever_redis_does,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(invalid_requests_of_all_are_counted_together, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_global_429_that_one_hears_stops_the_others_and_who_comes_later, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_forgot_its_scripts_is_taught_them_again,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
