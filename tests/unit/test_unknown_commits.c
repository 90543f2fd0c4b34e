/* Commits whose answers are lost: whatever the moment at which the connection is cut, each
 * operation has happened once or not at all, and its caller learns which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/postgres_relay.h"
#include "service_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POSTERS      4
#define LOST_ANSWERS 200 /* of commits that were made */
#define POSTS_MAX    400 /* by each poster */
#define FIRST_COINS  INT64_C(1000000)
#define NOW_MS       INT64_C(1790000000000)
#define REPEATS_MAX  50

static const struct command plain = { .name = "plain" };

struct chooser {
    unsigned seed;
    bool is_off;
    int chosen[RELAY_FAULTS];
};

/* Every other COMMIT gets lost, in one of the ways. */
static enum relay_fault choose(void *context)
{
    struct chooser *chooser = context;
    enum relay_fault fault = RELAY_PASSES;
    if (!__atomic_load_n(&chooser->is_off, __ATOMIC_RELAXED) && rand_r(&chooser->seed) % 2 == 0)
        fault = rand_r(&chooser->seed) % 2 == 0
                    ? RELAY_LOSES_ANSWER
                    : (enum relay_fault)(1 + rand_r(&chooser->seed) % (RELAY_FAULTS - 1));
    __atomic_add_fetch(&chooser->chosen[fault], 1, __ATOMIC_RELAXED);
    return fault;
}

static int lost_answers(const struct chooser *chooser)
{
    return __atomic_load_n(&chooser->chosen[RELAY_LOSES_ANSWER], __ATOMIC_RELAXED);
}

struct poster {
    struct service_fixture *fixture;
    const struct chooser *chooser;
    int number;
    int posts, repeats, wrong;
    int64_t paid;
};

/* As Discord, nginx or a person would: the same interaction again until it is answered. */
static int post_until_answered(struct poster *self, int64_t id, int64_t amount,
                               struct ledger_receipt *receipt)
{
    int result = ERR_UNKNOWN;
    for (int i = 0; i < REPEATS_MAX && result < 0; i++) {
        struct service_call call;
        service_call_begin(&call, self->fixture, &plain, id, 1 + self->number);
        const struct ledger_entry entry = {
            .operation = "test",
            .transfers = { { WALLET_OF(1 + self->number), WALLET_OF(1000), amount } },
            .transfer_count = 1,
        };
        struct err err; /* without one, the code is lost */
        result = ledger_post(&call.call, &entry, receipt, &err);
        self->repeats += i > 0;
        self->wrong +=
            result < 0 && result != ERR_UNKNOWN && result != ERR_UNAVAILABLE && result != ERR_BUSY;
        service_call_end(&call);
    }
    return result;
}

static void *post_many(void *argument)
{
    struct poster *self = argument;
    while (self->posts < POSTS_MAX && lost_answers(self->chooser) < LOST_ANSWERS) {
        struct ledger_receipt receipt = { 0 };
        int64_t amount = 1 + self->posts % 7;
        int64_t id = (self->number + 1) * INT64_C(100000) + self->posts++;
        int result = post_until_answered(self, id, amount, &receipt);
        self->paid += amount;
        /* The receipt is of this very transfer: nobody else pays from this wallet. */
        self->wrong += result != LEDGER_DONE || receipt.transfers[0].amount != amount ||
                       receipt.transfers[0].from_balance != FIRST_COINS - self->paid;
    }
    return NULL;
}

static void open_through_relay(struct service_fixture *fixture, const char *folder)
{
    char url[TEST_DATABASE_MAX];
    snprintf(url, sizeof(url), "postgresql://bronxbot@/postgres?host=%s", folder);
    assert_int_equal(service_fixture_open_at(fixture, url, NOW_MS), 0);
}

static void give_coins(struct service_fixture *fixture, int64_t user)
{
    struct service_call call;
    struct ledger_receipt receipt;
    service_call_begin(&call, fixture, &plain, user, user);
    const struct ledger_entry entry = {
        .operation = "gift",
        .transfers = { { HOUSE(HOUSE_REWARDS), WALLET_OF(user), FIRST_COINS } },
        .transfer_count = 1,
    };
    assert_int_equal(ledger_post(&call.call, &entry, &receipt, NULL), LEDGER_DONE);
    service_call_end(&call);
}

static int64_t wallet(struct service_fixture *fixture, int64_t user)
{
    struct service_call call;
    struct balances balances;
    service_call_begin(&call, fixture, &plain, 1, user);
    assert_int_equal(ledger_balances(&call.call, user, &balances, NULL), 0);
    service_call_end(&call);
    return balances.wallet;
}

static void nothing_is_doubled_and_nothing_lost(void **state)
{
    (void)state;
    struct service_fixture fixture;
    struct chooser chooser = { .seed = 1, .is_off = true };
    char folder[] = "/tmp/bronxbot-relay-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct harness_relay *relay =
        harness_relay_start(folder, test_database_server()->folder, choose, &chooser);
    assert_non_null(relay);
    open_through_relay(&fixture, folder);
    for (int i = 0; i < POSTERS; i++)
        give_coins(&fixture, 1 + i);
    __atomic_store_n(&chooser.is_off, false, __ATOMIC_RELAXED);

    struct poster posters[POSTERS];
    pthread_t threads[POSTERS];
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){ .fixture = &fixture, .chooser = &chooser, .number = i };
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
    }
    int64_t posts = 0, paid = 0;
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(posters[i].wrong, 0);
        posts += posters[i].posts;
        paid += posters[i].paid;
    }
    __atomic_store_n(&chooser.is_off, true, __ATOMIC_RELAXED);
    assert_true(lost_answers(&chooser) >= LOST_ANSWERS);
    assert_true(chooser.chosen[RELAY_LOSES_COMMIT] > 0 && chooser.chosen[RELAY_LOSES_TOUCH] > 0);

    assert_int_equal(service_fixture_count(
                         &fixture, "SELECT COUNT(*) FROM ledger_entry WHERE operation = 'test'"),
                     posts);
    for (int i = 0; i < POSTERS; i++)
        assert_int_equal(wallet(&fixture, 1 + i), FIRST_COINS - posters[i].paid);
    assert_int_equal(wallet(&fixture, 1000), paid);
    struct err err = { 0 };
    if (ledger_verify(fixture.db, &err) != 0)
        fail_msg("%s", err.message);
    service_fixture_close(&fixture);
    harness_relay_stop(relay);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_is_doubled_and_nothing_lost) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
