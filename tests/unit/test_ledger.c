/* Money: posted once, never overdrawn, always balanced, whoever comes at the same instant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/clock.h"
#include "bronx/cooldown.h"
#include "bronx/tos.h"

#include "service_fixture.h"

#include <pthread.h>
#include <string.h>

static int open_fixture(void **state)
{
    static struct service_fixture fixture;
    *state = &fixture;
    return service_fixture_open(&fixture);
}

static int close_fixture(void **state)
{
    service_fixture_close(*state);
    return 0;
}

static const struct command plain = { .name = "plain" };
static const struct command cooled = { .name = "cooled", .cooldown_ms = MS_PER_HOUR };

/* Posts one transfer as `user`, interaction `id`. */
static int post(struct service_fixture *fixture, int64_t id, int64_t user, struct transfer transfer,
                struct ledger_receipt *receipt)
{
    struct service_call call;
    service_call_begin(&call, fixture, &plain, id, user);
    const struct ledger_entry entry = {
        .operation = "test", .transfers = { transfer }, .transfer_count = 1, .detail = STR("why")
    };
    int result = ledger_post(&call.call, &entry, receipt, NULL);
    if (receipt->detail.data)
        assert_true(str_equal(receipt->detail, STR("why")));
    receipt->detail = STR_NONE;
    service_call_end(&call);
    return result;
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

static void give(struct service_fixture *fixture, int64_t id, int64_t user, int64_t amount)
{
    struct ledger_receipt receipt = { 0 };
    struct transfer transfer = { HOUSE(HOUSE_REWARDS), WALLET_OF(user), amount };
    assert_int_equal(post(fixture, id, user, transfer, &receipt), LEDGER_DONE);
}

static void assert_books_balance(struct service_fixture *fixture)
{
    struct err err = { 0 };
    if (ledger_verify(fixture->db, &err) != 0)
        fail_msg("%s", err.message);
}

static void a_transfer_moves_coins_and_tells_the_balances(void **state)
{
    struct service_fixture *fixture = *state;
    struct ledger_receipt receipt = { 0 };
    give(fixture, 1, 11, 1000);
    assert_int_equal(
        post(fixture, 2, 11, (struct transfer){ WALLET_OF(11), WALLET_OF(12), 300 }, &receipt),
        LEDGER_DONE);
    assert_false(receipt.is_repeat);
    assert_true(receipt.transfers[0].from_balance == 700);
    assert_true(receipt.transfers[0].to_balance == 300);
    assert_true(receipt.created_at_ms == fixture->now_ms);
    assert_true(wallet(fixture, 11) == 700 && wallet(fixture, 12) == 300);
    assert_books_balance(fixture);
}

static void a_replay_changes_nothing_and_gives_the_old_receipt(void **state)
{
    struct service_fixture *fixture = *state;
    struct ledger_receipt first = { 0 }, second = { 0 };
    struct transfer transfer = { WALLET_OF(11), WALLET_OF(12), 300 };
    give(fixture, 1, 11, 1000);
    assert_int_equal(post(fixture, 2, 11, transfer, &first), LEDGER_DONE);
    give(fixture, 3, 11, 50);
    fixture->now_ms += MS_PER_MINUTE;
    assert_int_equal(post(fixture, 2, 11, transfer, &second), LEDGER_DONE);
    assert_true(second.is_repeat);
    first.is_repeat = true;
    assert_memory_equal(&first, &second, sizeof(first));
    assert_true(wallet(fixture, 11) == 750);
    assert_books_balance(fixture);
}

static void an_overdraft_is_refused_and_leaves_no_trace(void **state)
{
    struct service_fixture *fixture = *state;
    struct ledger_receipt receipt = { 0 };
    give(fixture, 1, 11, 100);
    struct transfer too_much = { WALLET_OF(11), WALLET_OF(12), 101 };
    assert_int_equal(post(fixture, 2, 11, too_much, &receipt), LEDGER_TOO_POOR);
    struct transfer from_nobody = { WALLET_OF(99), WALLET_OF(12), 1 };
    assert_int_equal(post(fixture, 3, 99, from_nobody, &receipt), LEDGER_TOO_POOR);
    assert_true(wallet(fixture, 11) == 100 && wallet(fixture, 12) == 0);
    assert_int_equal(service_fixture_count(fixture, "SELECT COUNT(*) FROM ledger_entry"), 1);
    /* The refused interaction may succeed later. */
    give(fixture, 4, 11, 1);
    assert_int_equal(post(fixture, 2, 11, too_much, &receipt), LEDGER_DONE);
    assert_books_balance(fixture);
}

static void a_bank_is_never_above_its_limit(void **state)
{
    struct service_fixture *fixture = *state;
    struct ledger_receipt receipt = { 0 };
    give(fixture, 1, 11, 2 * LEDGER_BANK_LIMIT);
    struct transfer all = { WALLET_OF(11), BANK_OF(11), LEDGER_BANK_LIMIT };
    assert_int_equal(post(fixture, 2, 11, all, &receipt), LEDGER_DONE);
    struct transfer one_more = { WALLET_OF(11), BANK_OF(11), 1 };
    assert_int_equal(post(fixture, 3, 11, one_more, &receipt), LEDGER_ABOVE_LIMIT);
    assert_books_balance(fixture);
}

static void balances_stay_exact_in_json(void **state)
{
    struct service_fixture *fixture = *state;
    struct ledger_receipt receipt = { 0 };
    give(fixture, 1, 11, LEDGER_AMOUNT_MAX);
    struct transfer one_more = { HOUSE(HOUSE_REWARDS), WALLET_OF(11), 1 };
    assert_int_equal(post(fixture, 2, 11, one_more, &receipt), LEDGER_ABOVE_LIMIT);
    struct transfer out_of_range = { HOUSE(HOUSE_REWARDS), WALLET_OF(11), LEDGER_AMOUNT_MAX + 1 };
    assert_true(post(fixture, 3, 11, out_of_range, &receipt) < 0);
    struct transfer negative = { WALLET_OF(11), WALLET_OF(12), -1 };
    assert_true(post(fixture, 4, 11, negative, &receipt) < 0);
    assert_books_balance(fixture);
}

static void what_was_posted_cannot_be_changed(void **state)
{
    struct service_fixture *fixture = *state;
    give(fixture, 1, 11, 100);
    static const char *const attempts[] = {
        "UPDATE ledger_transfer SET amount = 1",
        "DELETE FROM ledger_transfer",
        "DELETE FROM ledger_entry",
        "UPDATE ledger_entry SET created_at = 0",
        "UPDATE account SET balance = -1 WHERE kind = 'wallet'",
        "UPDATE account SET balance = NULL WHERE kind = 'wallet'",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(attempts); i++) {
        struct db_statement statement = { .sql = attempts[i] };
        if (db_query(fixture->db, &statement, NULL, NULL) != ERR_CHECK)
            fail_msg("allowed: %s", attempts[i]);
    }
    assert_books_balance(fixture);
}

static void the_books_notice_a_balance_that_was_tampered_with(void **state)
{
    struct service_fixture *fixture = *state;
    give(fixture, 1, 11, 100);
    struct db_statement tamper = {
        .sql = "UPDATE account SET balance = balance + 1 WHERE kind = 'wallet'"
    };
    assert_int_equal(db_query(fixture->db, &tamper, NULL, NULL), 0);
    struct err err = { 0 };
    assert_int_equal(ledger_verify(fixture->db, &err), ERR_INTERNAL);
    assert_non_null(strstr(err.message, "a balance is the sum of its legs"));
}

static void a_refused_companion_statement_refuses_the_money(void **state)
{
    struct service_fixture *fixture = *state;
    struct service_call call;
    service_call_begin(&call, fixture, &plain, 5, 11);
    const struct db_statement also[] = {
        { .sql = "UPDATE account SET balance = 1 WHERE owner_id = 404", .expect = DB_ANY_ROWS },
        { .sql = "UPDATE account SET balance = 1 WHERE owner_id = 404", .expect = DB_ONE_ROW },
    };
    const struct ledger_entry entry = {
        .operation = "test",
        .transfers = { { HOUSE(HOUSE_REWARDS), WALLET_OF(11), 5 } },
        .transfer_count = 1,
        .also = also,
        .also_count = 2,
    };
    struct ledger_receipt receipt;
    struct err err = { 0 };
    assert_int_equal(ledger_post(&call.call, &entry, &receipt, &err), LEDGER_ALSO_REFUSED);
    assert_int_equal(err.index, 1);
    assert_int_equal(ledger_find(&call.call, "test", &receipt, NULL), 0);
    service_call_end(&call);
    assert_true(wallet(fixture, 11) == 0);
}

static void a_cooldown_commits_with_the_money_and_spares_the_replay(void **state)
{
    struct service_fixture *fixture = *state;
    const struct ledger_entry entry = {
        .operation = "cooled",
        .transfers = { { HOUSE(HOUSE_REWARDS), WALLET_OF(11), 5 } },
        .transfer_count = 1,
    };
    struct ledger_receipt receipt;
    int64_t ready_at_ms;
    struct service_call call;

    service_call_begin(&call, fixture, &cooled, 1, 11);
    assert_int_equal(ledger_post(&call.call, &entry, &receipt, NULL), LEDGER_DONE);
    service_call_end(&call);

    service_call_begin(&call, fixture, &cooled, 2, 11);
    assert_int_equal(cooldown_ready_at(&call.call, &ready_at_ms, NULL), 0);
    assert_true(ready_at_ms == fixture->now_ms + MS_PER_HOUR);
    assert_int_equal(ledger_post(&call.call, &entry, &receipt, NULL), LEDGER_ON_COOLDOWN);
    service_call_end(&call);

    fixture->now_ms += MS_PER_HOUR;
    service_call_begin(&call, fixture, &cooled, 3, 11);
    assert_int_equal(ledger_post(&call.call, &entry, &receipt, NULL), LEDGER_DONE);
    service_call_end(&call);

    /* Interaction 1 again, though interaction 3 holds the cooldown now. */
    service_call_begin(&call, fixture, &cooled, 1, 11);
    assert_int_equal(cooldown_ready_at(&call.call, &ready_at_ms, NULL), 0);
    assert_true(ready_at_ms == 0);
    assert_int_equal(ledger_find(&call.call, "cooled", &receipt, NULL), 1);
    service_call_end(&call);
    assert_true(wallet(fixture, 11) == 10);
    assert_books_balance(fixture);
}

#define THREADS   8
#define PEOPLE    5
#define TRANSFERS 60

struct trader {
    struct service_fixture *fixture;
    int number;
};

static void *trade(void *argument)
{
    struct trader *trader = argument;
    for (int i = 0; i < TRANSFERS; i++) {
        int64_t from = 11 + (trader->number + i) % PEOPLE;
        int64_t to = 11 + (trader->number + i * 3 + 1) % PEOPLE;
        struct ledger_receipt receipt = { 0 };
        struct transfer transfer = { WALLET_OF(from), WALLET_OF(to), 1 + i * 7 };
        /* Every interaction comes twice, from two threads. */
        int64_t id = 1000 + (trader->number / 2) * TRANSFERS + i;
        if (from != to) {
            int result = post(trader->fixture, id, from, transfer, &receipt);
            assert_true(result == LEDGER_DONE || result == LEDGER_TOO_POOR);
        }
    }
    return NULL;
}

static void concurrent_transfers_keep_every_coin(void **state)
{
    struct service_fixture *fixture = *state;
    for (int i = 0; i < PEOPLE; i++)
        give(fixture, 1 + i, 11 + i, 1000);
    pthread_t threads[THREADS];
    struct trader traders[THREADS];
    for (int i = 0; i < THREADS; i++) {
        traders[i] = (struct trader){ fixture, i };
        assert_int_equal(pthread_create(&threads[i], NULL, trade, &traders[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    int64_t total = 0;
    for (int i = 0; i < PEOPLE; i++)
        total += wallet(fixture, 11 + i);
    assert_true(total == INT64_C(1000) * PEOPLE);
    assert_books_balance(fixture);
}

struct acceptor {
    struct service_fixture *fixture;
    int64_t interaction_id;
    bool was_granted;
};

static void *accept_terms(void *argument)
{
    struct acceptor *acceptor = argument;
    struct service_call call;
    service_call_begin(&call, acceptor->fixture, &plain, acceptor->interaction_id, 11);
    assert_int_equal(tos_accept(&call.call, &acceptor->was_granted, NULL), 0);
    service_call_end(&call);
    return NULL;
}

#define ACCEPTORS 6

static void six_acceptances_at_the_same_instant_give_one_bonus(void **state)
{
    struct service_fixture *fixture = *state;
    pthread_t threads[ACCEPTORS];
    struct acceptor acceptors[ACCEPTORS];
    for (int i = 0; i < ACCEPTORS; i++) {
        acceptors[i] = (struct acceptor){ fixture, 100 + i, false };
        assert_int_equal(pthread_create(&threads[i], NULL, accept_terms, &acceptors[i]), 0);
    }
    int granted = 0;
    for (int i = 0; i < ACCEPTORS; i++) {
        pthread_join(threads[i], NULL);
        granted += acceptors[i].was_granted;
    }
    assert_int_equal(granted, 1);
    assert_true(wallet(fixture, 11) == TOS_WELCOME_BONUS);
    assert_int_equal(service_fixture_count(fixture, "SELECT COUNT(*) FROM tos_decision"), 1);
    assert_books_balance(fixture);
}

static void accepting_newer_terms_is_recorded_without_a_second_bonus(void **state)
{
    struct service_fixture *fixture = *state;
    struct acceptor first = { fixture, 1, false }, second = { fixture, 2, false };
    accept_terms(&first);
    assert_true(first.was_granted);
    struct db_statement older = { .sql = "UPDATE tos_decision SET version = '0.9'" };
    assert_int_equal(db_query(fixture->db, &older, NULL, NULL), 0);

    struct service_call call;
    struct tos_status status;
    service_call_begin(&call, fixture, &plain, 3, 11);
    assert_int_equal(tos_has_accepted(&call.call, NULL), 0);
    accept_terms(&second);
    assert_false(second.was_granted);
    assert_int_equal(tos_has_accepted(&call.call, NULL), 1);
    assert_int_equal(tos_status(&call.call, &status, NULL), 0);
    assert_int_equal(status.acceptance_count, 2);
    assert_int_equal(status.decision, TOS_ACCEPTED);
    service_call_end(&call);
    assert_true(wallet(fixture, 11) == TOS_WELCOME_BONUS);
}

static void a_decline_is_recorded_and_can_be_changed_once(void **state)
{
    struct service_fixture *fixture = *state;
    struct service_call call;
    struct tos_status status;
    service_call_begin(&call, fixture, &plain, 1, 11);
    assert_int_equal(tos_decline(&call.call, NULL), 0);
    assert_int_equal(tos_decline(&call.call, NULL), 0);
    assert_int_equal(tos_status(&call.call, &status, NULL), 0);
    assert_int_equal(status.decision, TOS_DECLINED);
    assert_int_equal(status.decline_count, 1);
    service_call_end(&call);
    struct acceptor acceptor = { fixture, 2, false };
    accept_terms(&acceptor);
    service_call_begin(&call, fixture, &plain, 3, 11);
    assert_int_equal(tos_decline(&call.call, NULL), 0);
    assert_int_equal(tos_status(&call.call, &status, NULL), 0);
    assert_int_equal(status.decision, TOS_ACCEPTED);
    service_call_end(&call);
}

static void a_blocked_command_is_its_owners_and_expires(void **state)
{
    struct service_fixture *fixture = *state;
    struct service_call call;
    struct tos_blocked blocked;
    service_call_begin(&call, fixture, &plain, 77, 11);
    assert_int_equal(tos_block(&call.call, STR("{\"name\":\"daily\"}"), NULL), 0);
    assert_int_equal(tos_blocked_find(&call.call, 77, &blocked, NULL), 1);
    assert_true(str_equal(blocked.data, STR("{\"name\":\"daily\"}")));
    service_call_end(&call);

    service_call_begin(&call, fixture, &plain, 78, 12);
    assert_int_equal(tos_blocked_find(&call.call, 77, &blocked, NULL), 0);
    service_call_end(&call);

    fixture->now_ms += TOS_BLOCKED_DAYS * MS_PER_DAY + 1;
    service_call_begin(&call, fixture, &plain, 79, 11);
    assert_int_equal(tos_blocked_find(&call.call, 77, &blocked, NULL), 0);
    assert_int_equal(tos_block(&call.call, STR("{}"), NULL), 0);
    service_call_end(&call);
    assert_int_equal(service_fixture_count(fixture, "SELECT COUNT(*) FROM tos_blocked"), 1);
}

#define LEDGER_TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER_TEST(a_transfer_moves_coins_and_tells_the_balances),
        LEDGER_TEST(a_replay_changes_nothing_and_gives_the_old_receipt),
        LEDGER_TEST(an_overdraft_is_refused_and_leaves_no_trace),
        LEDGER_TEST(a_bank_is_never_above_its_limit),
        LEDGER_TEST(balances_stay_exact_in_json),
        LEDGER_TEST(what_was_posted_cannot_be_changed),
        LEDGER_TEST(the_books_notice_a_balance_that_was_tampered_with),
        LEDGER_TEST(a_refused_companion_statement_refuses_the_money),
        LEDGER_TEST(a_cooldown_commits_with_the_money_and_spares_the_replay),
        LEDGER_TEST(concurrent_transfers_keep_every_coin),
        LEDGER_TEST(six_acceptances_at_the_same_instant_give_one_bonus),
        LEDGER_TEST(accepting_newer_terms_is_recorded_without_a_second_bonus),
        LEDGER_TEST(a_decline_is_recorded_and_can_be_changed_once),
        LEDGER_TEST(a_blocked_command_is_its_owners_and_expires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
