/* The limiter against a model of Discord, in virtual time: a client that asks the limiter before
 * each request, ways of random length there and back, so that both requests and answers overtake
 * each other, and a server that counts at arrival. A failing run says its scenario and seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discord/rate_limiter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS             INT64_C(1000)
#define SECOND         (1000 * MS)
#define ROUTES         6
#define MAJORS         40
#define JOBS           250
#define LIMIT_MAX      12
#define SEEDS          (TEST_IS_SANITIZED ? 1 : 3) /* a sanitizer looks at the code, not at chance */
#define WAIT_MAX       (700 * SECOND)              /* of one ask_at: a window, a ban, the brake */
#define STUCK          (4000 * SECOND)             /* nothing was let through for so long */
#define INVALID_WINDOW (LIMITER_INVALID_WINDOW_MS * MS)

struct scenario {
    const char *name;
    int requests;         /* that must be answered with 200 in the end, but for `is_all_invalid` */
    int64_t way_ms;       /* the longest way there or back */
    int routes_of_bucket; /* so many share one hash */
    bool is_as_bot;
    int lost, failed, denied, shared; /* of 1000 requests */
    int renamed, foreign, banned;     /* of 10,000 arrivals */
    bool is_all_invalid;
    int too_many_max; /* 429s the client is to blame for, of 1000 requests */
};

static const struct scenario scenarios[] = {
    { "plain", 60000, 300, 1 },
    { "slow ways", 20000, 8000, 1 },
    { "shared buckets", 30000, 500, 3 },
    { "as the bot", 20000, 300, 1, .is_as_bot = true },
    { "refusals", 30000, 300, 1, .denied = 50, .shared = 20 },
    { "hashes change", 30000, 500, 1, .renamed = 5 },
    { "shared hashes change", 20000, 500, 3, .renamed = 5, .too_many_max = 5 },
    { "answers lost", 30000, 500, 1, .lost = 20, .failed = 20, .too_many_max = 1 },
    { "foreign clients", 20000, 300, 1, .foreign = 300 },
    { "bans", 20000, 300, 2, .banned = 3 },
    { "all at once", 30000, 800, 3, false, 20, 20, 30, 10, 20, 100, 2, .too_many_max = 5 },
    { "all refused", 20000, 300, 1, .is_all_invalid = true },
};

/* --- The server --- */

enum window { WINDOW_FIRST, WINDOW_ALIGNED, WINDOW_SLIDING, WINDOW_KINDS };

struct served {
    enum window kind;
    int limit, used;
    int64_t window_us, start_us;
    int64_t arrivals[LIMIT_MAX]; /* a ring, for sliding ones */
    bool has_foreign;            /* somebody else used it: a 429 is not the client's fault */
};

struct job {
    int64_t at_us; /* of its next event */
    enum { ASKING, ON_ITS_WAY, COMING_BACK } step;
    int route;
    char major[32];
    int major_number;
    struct limiter_ticket ticket;
    struct rest_response response;
    struct rest_error error;
};

struct world {
    const struct scenario *scenario;
    struct limiter *limiter;
    uint64_t random;
    int64_t now_us;
    struct served buckets[ROUTES][MAJORS];
    int hashes[ROUTES];
    struct job jobs[JOBS];
    int heap[JOBS]; /* job numbers, by at_us */
    int64_t global_arrivals[LIMITER_GLOBAL_PER_SECOND];
    int global_count;
    int64_t *invalid_at; /* a ring of LIMITER_INVALID_MAX */
    int64_t invalid_count;
    int64_t banned_until_us;
    /* What the client knows of bans. */
    int64_t shut_until_us;
    bool is_shut;
    int probes; /* under way */
    int64_t let_through_us;
    int answered, too_many, sent;
};

static uint32_t random_below(struct world *world, uint32_t bound)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (uint32_t)(world->random >> 32) % bound;
}

static bool happens(struct world *world, int often, int of)
{
    return (int)random_below(world, (uint32_t)of) < often;
}

static int64_t way_us(struct world *world)
{
    int64_t longest_us = world->scenario->way_ms * MS;
    if (!happens(world, 1, 10)) /* most are quick */
        longest_us /= 10;
    return 1 + random_below(world, (uint32_t)longest_us);
}

static int group_of(const struct world *world, int route)
{
    return route / world->scenario->routes_of_bucket;
}

static int64_t window_end_us(const struct world *world, const struct served *bucket)
{
    return bucket->kind == WINDOW_SLIDING ? world->now_us + bucket->window_us
                                          : bucket->start_us + bucket->window_us;
}

static void start_window(const struct world *world, struct served *bucket)
{
    if (bucket->kind == WINDOW_SLIDING) {
        while (bucket->used > 0 && bucket->arrivals[bucket->start_us % LIMIT_MAX] <=
                                       world->now_us - bucket->window_us) {
            bucket->start_us++; /* here: the number of the oldest arrival */
            bucket->used--;
        }
    } else if (world->now_us >= bucket->start_us + bucket->window_us) {
        bucket->used = 0;
        bucket->has_foreign = false;
        bucket->start_us = bucket->kind == WINDOW_FIRST
                               ? world->now_us
                               : world->now_us - world->now_us % bucket->window_us;
    }
}

/* False: it is full. */
static bool count(const struct world *world, struct served *bucket)
{
    start_window(world, bucket);
    if (bucket->used >= bucket->limit)
        return false;
    if (bucket->kind == WINDOW_SLIDING)
        bucket->arrivals[(bucket->start_us + bucket->used) % LIMIT_MAX] = world->now_us;
    bucket->used++;
    return true;
}

static void write_headers(const struct world *world, const struct served *bucket, int hash,
                          struct rest_response *response)
{
    response->limit = bucket->limit;
    response->remaining = bucket->limit - bucket->used;
    response->reset_after_ms = (window_end_us(world, bucket) - world->now_us + MS - 1) / MS;
    (void)snprintf(response->bucket, sizeof(response->bucket), "hash%d", hash);
}

static void write_too_many(struct job *job, int64_t wait_ms, const char *scope)
{
    job->response.status = 429;
    job->response.retry_after_ms = (wait_ms + 999) / 1000 * 1000;
    job->response.has_via = true;
    (void)snprintf(job->response.scope, sizeof(job->response.scope), "%s", scope);
    bool is_global = strcmp(scope, "global") == 0;
    job->response.is_global = is_global;
    job->error = (struct rest_error){ true, 0, "", wait_ms, true, is_global };
}

/* False: the bot has sent too much in the last second. */
static bool count_global(struct world *world)
{
    int64_t *place = &world->global_arrivals[world->global_count % LIMITER_GLOBAL_PER_SECOND];
    if (world->global_count >= LIMITER_GLOBAL_PER_SECOND && world->now_us - *place < SECOND)
        return false;
    *place = world->now_us;
    world->global_count++;
    return true;
}

static void count_invalid(struct world *world)
{
    int64_t *place = &world->invalid_at[world->invalid_count++ % LIMITER_INVALID_MAX];
    assert_true(*place == 0 || world->now_us - *place > INVALID_WINDOW);
    *place = world->now_us;
}

static void answer_bucket(struct world *world, struct job *job)
{
    int group = group_of(world, job->route);
    struct served *bucket = &world->buckets[group][job->major_number];
    if (happens(world, world->scenario->renamed, 10000))
        world->hashes[group] = happens(world, 1, 3) ? group : world->hashes[group] + ROUTES;
    if (happens(world, world->scenario->foreign, 10000)) {
        (void)count(world, bucket);
        bucket->has_foreign = true;
    }
    if (!count(world, bucket)) {
        write_too_many(job, (window_end_us(world, bucket) - world->now_us + MS - 1) / MS, "user");
        write_headers(world, bucket, world->hashes[group], &job->response);
        world->too_many += !bucket->has_foreign;
        return;
    }
    if (happens(world, world->scenario->failed, 1000)) {
        job->response.status = 502;
        return;
    }
    bool is_denied = happens(world, world->scenario->denied, 1000);
    job->response.status = world->scenario->is_all_invalid || is_denied ? 401 : 200;
    write_headers(world, bucket, world->hashes[group], &job->response);
}

static void arrive(struct world *world, struct job *job)
{
    const struct scenario *scenario = world->scenario;
    if (happens(world, scenario->banned, 10000))
        world->banned_until_us = world->now_us + 20 * SECOND;
    if (world->now_us < world->banned_until_us) {
        job->response.status = 429;
        job->response.retry_after_ms = (world->banned_until_us - world->now_us) / MS / 1000 * 1000;
    } else if (happens(world, scenario->shared, 1000)) {
        write_too_many(job, 1500, "shared");
    } else if (scenario->is_as_bot && !count_global(world)) {
        write_too_many(job, 1000, "global");
        world->too_many++;
    } else {
        answer_bucket(world, job);
    }
    const struct rest_response *response = &job->response;
    if (response->status == 401 ||
        (response->status == 429 && strcmp(response->scope, "shared") != 0))
        count_invalid(world);
    if (happens(world, scenario->lost, 1000))
        job->response = (struct rest_response){ .result = REST_LOST_AFTER_SENDING };
}

/* --- The client --- */

static struct limiter_route route_of(const struct world *world, const struct job *job)
{
    static const char *const routes[ROUTES] = { "a", "b", "c", "d", "e", "f" };
    return (struct limiter_route){ str_from(routes[job->route]), str_from(job->major),
                                   world->scenario->is_as_bot };
}

static void check_ban_before(const struct world *world)
{
    if (!world->is_shut)
        return;
    assert_true(world->now_us >= world->shut_until_us);
    assert_int_equal(world->probes, 0); /* one at a time */
}

static void ask(struct world *world, struct job *job)
{
    struct limiter_route route = route_of(world, job);
    int64_t ask_at_us = 0;
    enum limiter_wait wait =
        limiter_take(world->limiter, &route, world->now_us, &job->ticket, &ask_at_us);
    if (wait != LIMITER_GO) {
        assert_true(ask_at_us > world->now_us);
        assert_true(ask_at_us - world->now_us <= WAIT_MAX);
        assert_true(world->now_us - world->let_through_us < STUCK);
        job->at_us = ask_at_us;
        return;
    }
    check_ban_before(world);
    assert_int_equal(job->ticket.is_probe, world->is_shut);
    world->probes += job->ticket.is_probe;
    world->let_through_us = world->now_us;
    world->sent++;
    job->step = ON_ITS_WAY;
    job->at_us = world->now_us + way_us(world);
    job->response = (struct rest_response){
        .retry_after_ms = -1, .limit = -1, .remaining = -1, .reset_after_ms = -1
    };
    job->error = (struct rest_error){ .retry_after_ms = -1 };
}

static void choose_work(struct world *world, struct job *job)
{
    job->route = (int)random_below(world, ROUTES);
    /* Some buckets are busy, others not. */
    uint32_t majors = happens(world, 1, 3) ? 3 : MAJORS;
    job->major_number = (int)random_below(world, majors);
    (void)snprintf(job->major, sizeof(job->major), "%d/token", job->major_number);
}

static void hear(struct world *world, struct job *job)
{
    struct limiter_route route = route_of(world, job);
    limiter_heard(world->limiter, &route, &job->ticket, &job->response, &job->error, world->now_us);
    bool is_banned = rest_is_banned(&job->response, &job->error);
    bool is_answered = job->response.result == REST_ANSWERED;
    if (is_banned) {
        int64_t wait_ms = job->response.retry_after_ms > 0 ? job->response.retry_after_ms : 60000;
        int64_t until_us = world->now_us + wait_ms * MS;
        if (!world->is_shut || job->ticket.is_probe || until_us > world->shut_until_us)
            world->shut_until_us = until_us;
        world->is_shut = true;
    }
    if (job->ticket.is_probe) {
        world->probes--;
        if (is_answered && !is_banned && world->now_us >= world->shut_until_us)
            world->is_shut = false;
    }
    world->answered += job->response.status == 200 || world->scenario->is_all_invalid;
    if (job->response.status == 200 || job->response.status == 401)
        choose_work(world, job);
    job->step = ASKING;
    job->at_us = world->now_us + 1 + random_below(world, 20000);
}

/* --- Time --- */

static void sink(struct world *world, int place)
{
    for (int child; (child = 2 * place + 1) < JOBS; place = child) {
        int *heap = world->heap;
        if (child + 1 < JOBS && world->jobs[heap[child + 1]].at_us < world->jobs[heap[child]].at_us)
            child++;
        if (world->jobs[heap[place]].at_us <= world->jobs[heap[child]].at_us)
            return;
        int swapped = heap[place];
        heap[place] = heap[child];
        heap[child] = swapped;
    }
}

static void step(struct world *world)
{
    struct job *job = &world->jobs[world->heap[0]];
    world->now_us = job->at_us;
    if (job->step == ASKING) {
        ask(world, job);
    } else if (job->step == ON_ITS_WAY) {
        arrive(world, job);
        job->step = COMING_BACK;
        job->at_us = world->now_us + way_us(world);
    } else {
        hear(world, job);
    }
    sink(world, 0);
}

static void make_buckets(struct world *world)
{
    static const int64_t windows_us[] = { SECOND / 2, SECOND, 2 * SECOND, 5 * SECOND };
    for (int group = 0; group < ROUTES; group++) {
        world->hashes[group] = group;
        struct served bucket = {
            .kind = random_below(world, WINDOW_KINDS),
            .limit = 1 + (int)random_below(world, LIMIT_MAX),
            .window_us = windows_us[random_below(world, ARRAY_LENGTH(windows_us))],
        };
        for (int major = 0; major < MAJORS; major++)
            world->buckets[group][major] = bucket;
    }
}

/* Each route once, one after the other: whose bucket it shares can't be known before. */
static void meet_each_route(struct world *world)
{
    for (int route = 0; route < ROUTES; route++) {
        struct job *job = &world->jobs[0];
        job->route = route;
        job->major_number = MAJORS - 1;
        (void)snprintf(job->major, sizeof(job->major), "first");
        struct limiter_route asked = route_of(world, job);
        int64_t ask_at_us;
        while (limiter_take(world->limiter, &asked, world->now_us, &job->ticket, &ask_at_us) !=
               LIMITER_GO)
            world->now_us = ask_at_us;
        job->response = (struct rest_response){ .status = 200 };
        int group = group_of(world, route);
        (void)count(world, &world->buckets[group][MAJORS - 1]);
        write_headers(world, &world->buckets[group][MAJORS - 1], world->hashes[group],
                      &job->response);
        limiter_heard(world->limiter, &asked, &job->ticket, &job->response, &job->error,
                      world->now_us);
        world->now_us += 10 * SECOND;
    }
}

/* Every request that was heard of is let go: all buckets are forgotten in the end. */
static void check_nothing_stays(struct world *world)
{
    for (int i = 0; i < JOBS; i++) {
        struct job *job = &world->jobs[i];
        struct limiter_route route = route_of(world, job);
        if (job->step != ASKING)
            limiter_heard(world->limiter, &route, &job->ticket, &job->response, &job->error,
                          world->now_us);
    }
    struct limiter_state now;
    limiter_sweep(world->limiter, world->now_us + 2 * LIMITER_IDLE_MS * MS);
    limiter_state(world->limiter, world->now_us, &now);
    assert_int_equal(now.buckets, 0);
}

static void run(const struct scenario *scenario, uint64_t seed)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->invalid_at = calloc(LIMITER_INVALID_MAX, sizeof(int64_t));
    assert_non_null(world->invalid_at);
    world->scenario = scenario;
    world->random = seed * UINT64_C(0x9e3779b97f4a7c15);
    world->now_us = 1000 * SECOND;
    assert_int_equal(limiter_new(&world->limiter, &(struct limiter_settings){ 0 }, NULL), 0);
    make_buckets(world);
    meet_each_route(world);
    for (int i = 0; i < JOBS; i++) {
        world->heap[i] = i;
        world->jobs[i] = (struct job){ .at_us = world->now_us };
        choose_work(world, &world->jobs[i]);
    }
    world->let_through_us = world->now_us;
    int64_t started_us = world->now_us;
    while (world->answered < scenario->requests)
        step(world);
    print_message("%s, seed %d: %d sent, %d too many, %d virtual seconds\n", scenario->name,
                  (int)seed, world->sent, world->too_many,
                  (int)((world->now_us - started_us) / SECOND));
    assert_true(world->too_many <= (int64_t)world->sent * scenario->too_many_max / 1000);
    check_nothing_stays(world);
    limiter_free(world->limiter);
    free(world->invalid_at);
    free(world);
}

static void no_window_ever_gets_more_than_it_allows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(scenarios); i++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            print_message("%s, seed %d\n", scenarios[i].name, (int)seed);
            run(&scenarios[i], seed);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_window_ever_gets_more_than_it_allows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
