/* The limiter of forgers: who a request is from, what a peer may spend, and that nobody innocent or
 * genuine is ever refused - compared with a model that remembers everything, and with the table
 * full, from several threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/peer_limiter.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SECOND        INT64_C(1000000)
#define START         (1000 * SECOND)
#define MODEL_PEERS   PEER_SET_SIZE /* fit, even when all fall into one set */
#define MODEL_STEPS   200000
#define CROWD         200000
#define GENUINE_PEERS 64
#define THREADS       4

static struct peer peer_number(uint32_t number)
{
    struct peer peer = { .bytes = { [10] = 0xff, [11] = 0xff } };
    memcpy(peer.bytes + 12, &number, sizeof(number));
    return peer;
}

static uint32_t random_below(uint64_t *state, uint32_t bound)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32) % bound;
}

/* --- who it is --- */

static struct http_address address_of(const char *text, bool is_local)
{
    struct http_address address = { .is_local = is_local };
    if (strchr(text, ':'))
        assert_int_equal(inet_pton(AF_INET6, text, address.bytes), 1);
    else {
        address.bytes[10] = address.bytes[11] = 0xff;
        assert_int_equal(inet_pton(AF_INET, text, address.bytes + 12), 1);
    }
    return address;
}

static void a_proxy_on_this_machine_names_its_peer_and_strangers_can_not(void **state)
{
    (void)state;
    static const struct {
        const char *remote;
        bool is_local, is_repeated;
        const char *real_ip, *forwarded_for;
        const char *expected; /* NULL: can't be told */
    } rows[] = {
        { "198.51.100.7", false, false, NULL, NULL, "198.51.100.7" },
        { "198.51.100.7", false, false, "192.0.2.1", "192.0.2.1", "198.51.100.7" },
        { "127.0.0.1", true, false, NULL, NULL, NULL },
        { "127.0.0.1", true, false, "192.0.2.1", NULL, "192.0.2.1" },
        { "127.0.0.1", true, false, " 192.0.2.1 ", NULL, "192.0.2.1" },
        { "::1", true, false, NULL, "192.0.2.1", "192.0.2.1" },
        { "::1", true, false, NULL, "203.0.113.9, 10.0.0.1, 192.0.2.1", "192.0.2.1" },
        { "::1", true, false, "192.0.2.1", "203.0.113.9, 192.0.2.1", "192.0.2.1" },
        { "::1", true, false, "192.0.2.1", "192.0.2.1, 203.0.113.9", NULL },
        { "::1", true, true, "192.0.2.1", NULL, NULL },
        { "::1", true, false, "unknown", NULL, NULL },
        { "::1", true, false, "", NULL, NULL },
        { "::1", true, false, NULL, "192.0.2.1,", NULL },
        { "::1", true, false, "192.0.2.1", "nobody", NULL },
        { "::1", true, false, "192.0.2.1:4711", NULL, NULL },
        { "::1", true, false, "2001:db8:1:2:3:4:5:6", NULL, "2001:db8:1:2::" },
        { "::1", true, false, "2001:db8:1:2:ffff::", NULL, "2001:db8:1:2::" },
        { "::1", true, false, "::ffff:192.0.2.1", NULL, "192.0.2.1" },
        { "2001:db8:1:2:3:4:5:6", false, false, NULL, NULL, "2001:db8:1:2::" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct http_address remote = address_of(rows[i].remote, rows[i].is_local);
        const struct peer_claims claims = { str_from(rows[i].real_ip),
                                            str_from(rows[i].forwarded_for), rows[i].is_repeated };
        struct peer peer;
        bool is_told = peer_find(&remote, &claims, &peer);
        if (is_told != (rows[i].expected != NULL))
            fail_msg("row %zu is %stold", i, is_told ? "" : "not ");
        if (is_told) {
            struct http_address expected = address_of(rows[i].expected, false);
            assert_memory_equal(peer.bytes, expected.bytes, sizeof(peer.bytes));
        }
    }
}

/* --- what a peer may spend --- */

static int spend(struct peer_limiter *limiter, const struct peer *peer, int64_t now_us, int most)
{
    int spent = 0;
    while (spent < most && peer_limiter_allows(limiter, peer, now_us)) {
        peer_limiter_failed(limiter, peer, now_us);
        spent++;
    }
    return spent;
}

static void a_budget_is_spent_once_and_comes_back_with_time(void **state)
{
    struct peer_limiter *limiter = *state;
    const struct peer forger = peer_number(1), other = peer_number(2);
    assert_int_equal(spend(limiter, &forger, START, 1000), PEER_FAILURES_MAX);
    assert_false(peer_limiter_allows(limiter, &forger, START));
    assert_true(peer_limiter_allows(limiter, &other, START));
    assert_int_equal(spend(limiter, &forger, START + 3 * PEER_FAILURE_FORGIVEN_US, 1000), 3);
    assert_int_equal(
        spend(limiter, &forger, START + 10 * PEER_FAILURES_MAX * PEER_FAILURE_FORGIVEN_US, 1000),
        PEER_FAILURES_MAX);
}

static void the_last_of_a_budget_is_told_once(void **state)
{
    struct peer_limiter *limiter = *state;
    const struct peer forger = peer_number(1);
    int told = 0;
    for (int i = 0; i < 2 * PEER_FAILURES_MAX; i++)
        told += peer_limiter_failed(limiter, &forger, START);
    assert_int_equal(told, 1);
}

static void discords_probes_are_never_refused(void **state)
{
    struct peer_limiter *limiter = *state;
    const struct peer discord = peer_number(1);
    for (int i = 0; i < 10000; i++) {
        int64_t now_us = START + i * SECOND;
        assert_true(peer_limiter_allows(limiter, &discord, now_us));
        if (i % 3 == 0)
            peer_limiter_succeeded(limiter, &discord, now_us);
        else
            peer_limiter_failed(limiter, &discord, now_us);
    }
}

static void a_genuine_peer_is_verified_for_a_day_whoever_forges_beside_it(void **state)
{
    struct peer_limiter *limiter = *state;
    const struct peer shared = peer_number(1);
    peer_limiter_succeeded(limiter, &shared, START);
    int64_t late_us = START + PEER_GENUINE_FOR_US - 1;
    assert_int_equal(spend(limiter, &shared, late_us, 5000), 5000);
    assert_true(peer_limiter_allows(limiter, &shared, late_us));
    assert_false(peer_limiter_allows(limiter, &shared, late_us + 1));
    peer_limiter_succeeded(limiter, &shared, late_us + 1);
    assert_int_equal(spend(limiter, &shared, late_us + 2, 5000), 5000);
}

/* --- a model that remembers everything --- */

struct model {
    bool is_known, was_genuine;
    int64_t genuine_us;
    int64_t tokens_us; /* budget, each failure costing PEER_FAILURE_FORGIVEN_US */
    int64_t counted_us;
};

#define FULL_US (PEER_FAILURES_MAX * PEER_FAILURE_FORGIVEN_US)

static void model_refill(struct model *model, int64_t now_us)
{
    if (!model->is_known)
        *model = (struct model){ .is_known = true, .tokens_us = FULL_US, .counted_us = now_us };
    model->tokens_us += now_us - model->counted_us;
    if (model->tokens_us > FULL_US)
        model->tokens_us = FULL_US;
    model->counted_us = now_us;
}

static bool model_allows(const struct model *model, int64_t now_us)
{
    bool is_genuine = model->was_genuine && now_us - model->genuine_us < PEER_GENUINE_FOR_US;
    return is_genuine || model->tokens_us >= PEER_FAILURE_FORGIVEN_US;
}

static void model_answered(struct model *model, bool is_genuine, int64_t now_us)
{
    if (is_genuine) {
        model->was_genuine = true;
        model->genuine_us = now_us;
        model->tokens_us = FULL_US;
    } else if (model->tokens_us >= PEER_FAILURE_FORGIVEN_US)
        model->tokens_us -= PEER_FAILURE_FORGIVEN_US;
}

static void the_limiter_does_what_the_model_does(void **state)
{
    struct peer_limiter *limiter = *state;
    struct model models[MODEL_PEERS] = { 0 };
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
    int64_t now_us = START;
    int refused = 0;
    for (int i = 0; i < MODEL_STEPS; i++) {
        /* Mostly bursts; now and then hours pass, or days. */
        uint32_t pause = random_below(&random, 10000);
        now_us += pause == 0 ? PEER_GENUINE_FOR_US : pause < 3 ? 3600 * SECOND : pause * 10;
        uint32_t which = random_below(&random, MODEL_PEERS);
        const struct peer peer = peer_number(which);
        struct model *model = &models[which];
        model_refill(model, now_us);
        bool is_allowed = peer_limiter_allows(limiter, &peer, now_us);
        if (is_allowed != model_allows(model, now_us))
            fail_msg("step %d: peer %u is %sallowed", i, which, is_allowed ? "" : "not ");
        refused += !is_allowed;
        if (!is_allowed)
            continue;
        /* The first ones are only forgers; Discord's addresses err seldom. */
        bool is_genuine = which >= MODEL_PEERS / 2 && random_below(&random, 50) == 0;
        model_answered(model, is_genuine, now_us);
        if (is_genuine)
            peer_limiter_succeeded(limiter, &peer, now_us);
        else
            peer_limiter_failed(limiter, &peer, now_us);
    }
    assert_true(refused > MODEL_STEPS / 100);
}

/* --- a full table --- */

static void a_crowd_of_forgers_neither_hides_genuine_peers_nor_hurts_the_innocent(void **state)
{
    struct peer_limiter *limiter = *state;
    uint64_t random = 88172645463325252u;
    for (uint32_t i = 0; i < GENUINE_PEERS; i++) {
        const struct peer genuine = peer_number(i);
        peer_limiter_succeeded(limiter, &genuine, START);
    }
    for (uint32_t i = 0; i < CROWD; i++) {
        const struct peer forger = peer_number(1000 + random_below(&random, 50000));
        const struct peer genuine = peer_number(i % GENUINE_PEERS);
        const struct peer innocent = peer_number(1000000 + i);
        if (peer_limiter_allows(limiter, &forger, START + i))
            peer_limiter_failed(limiter, &forger, START + i);
        /* Among the forgers too, so that only being remembered as genuine helps. */
        peer_limiter_failed(limiter, &genuine, START + i);
        assert_true(peer_limiter_allows(limiter, &genuine, START + i));
        assert_true(peer_limiter_allows(limiter, &innocent, START + i));
    }
}

static void one_forger_among_many_peers_stays_limited(void **state)
{
    struct peer_limiter *limiter = *state;
    const struct peer forger = peer_number(7);
    assert_int_equal(spend(limiter, &forger, START, 1000), PEER_FAILURES_MAX);
    for (uint32_t i = 0; i < CROWD; i++) {
        const struct peer other = peer_number(1000 + i);
        peer_limiter_failed(limiter, &other, START);
    }
    assert_false(peer_limiter_allows(limiter, &forger, START));
}

/* A set filled with genuine peers has no place for a forger, and forgets the one silent longest for
 * a genuine newcomer. */
static void more_genuine_peers_than_places_leave_forgers_unlimited(void **state)
{
    struct peer_limiter *limiter = *state;
    const struct peer forger = peer_number(UINT32_MAX);
    for (uint32_t i = 0; i < 20 * PEER_SETS * PEER_SET_SIZE; i++) {
        const struct peer genuine = peer_number(i);
        peer_limiter_succeeded(limiter, &genuine, START + i);
    }
    assert_int_equal(spend(limiter, &forger, START + SECOND, 1000), 1000);
}

/* --- threads --- */

struct crowd {
    struct peer_limiter *limiter;
    uint32_t number;
    int wrongs; /* genuine or innocent peers that were refused */
    int refused;
};

static void *be_a_crowd(void *argument)
{
    struct crowd *crowd = argument;
    uint64_t random = 0x1234567 + crowd->number;
    for (uint32_t i = 0; i < CROWD / 10; i++) {
        const struct peer forger = peer_number(1000 + random_below(&random, 20));
        const struct peer genuine = peer_number(i % GENUINE_PEERS);
        const struct peer innocent = peer_number((crowd->number + 1) * 10000000 + i);
        int64_t now_us = START + i;
        if (peer_limiter_allows(crowd->limiter, &forger, now_us))
            peer_limiter_failed(crowd->limiter, &forger, now_us);
        else
            crowd->refused++;
        crowd->wrongs += !peer_limiter_allows(crowd->limiter, &genuine, now_us);
        peer_limiter_failed(crowd->limiter, &genuine, now_us);
        if (i % 16 == 0)
            peer_limiter_succeeded(crowd->limiter, &genuine, now_us);
        crowd->wrongs += !peer_limiter_allows(crowd->limiter, &innocent, now_us);
    }
    return NULL;
}

static void threads_share_budgets_and_wrong_nobody(void **state)
{
    struct crowd crowds[THREADS];
    pthread_t threads[THREADS];
    for (uint32_t i = 0; i < GENUINE_PEERS; i++) {
        const struct peer genuine = peer_number(i);
        peer_limiter_succeeded(*state, &genuine, START);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        crowds[i] = (struct crowd){ .limiter = *state, .number = i };
        assert_int_equal(pthread_create(&threads[i], NULL, be_a_crowd, &crowds[i]), 0);
    }
    int refused = 0;
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(crowds[i].wrongs, 0);
        refused += crowds[i].refused;
    }
    /* 20 forgers with a budget each, overrun by at most one request a thread. */
    assert_true(refused >= (int)(THREADS * (CROWD / 10)) - 20 * (PEER_FAILURES_MAX + THREADS));
}

static int make_limiter(void **state)
{
    *state = sodium_init() < 0 ? NULL : peer_limiter_new();
    return *state ? 0 : 1;
}

static int free_limiter(void **state)
{
    peer_limiter_free(*state);
    return 0;
}

#define LIMITER_TEST(name) cmocka_unit_test_setup_teardown(name, make_limiter, free_limiter)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proxy_on_this_machine_names_its_peer_and_strangers_can_not),
        LIMITER_TEST(a_budget_is_spent_once_and_comes_back_with_time),
        LIMITER_TEST(the_last_of_a_budget_is_told_once),
        LIMITER_TEST(discords_probes_are_never_refused),
        LIMITER_TEST(a_genuine_peer_is_verified_for_a_day_whoever_forges_beside_it),
        LIMITER_TEST(the_limiter_does_what_the_model_does),
        LIMITER_TEST(a_crowd_of_forgers_neither_hides_genuine_peers_nor_hurts_the_innocent),
        LIMITER_TEST(one_forger_among_many_peers_stays_limited),
        LIMITER_TEST(more_genuine_peers_than_places_leave_forgers_unlimited),
        LIMITER_TEST(threads_share_budgets_and_wrong_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
