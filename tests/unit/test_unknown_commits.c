/* Commits whose answers are lost: whatever the moment at which the connection is cut, each
 * operation has happened once or not at all, and its caller learns which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache/cache.h"
#include "commands.h"
#include "harness/postgres_relay.h"
#include "sender_fixture.h"
#include "service_fixture.h"

#include "bronx/cooldown.h"
#include "bronx/installations.h"
#include "bronx/reply.h"
#include "bronx/settings.h"
#include "bronx/tos.h"
#include "bronx/user_data.h"

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
#define MESSAGES     10
#define PEOPLE       15 /* who accept and claim */

static const struct command plain = { .name = "plain" };

struct chooser {
    unsigned seed;
    bool is_off; /* no chance ... */
    int next;    /* ... but the next COMMIT gets this */
    int chosen[RELAY_FAULTS];
};

/* By chance every other COMMIT gets lost, in one of the ways. */
static enum relay_fault choose(void *context)
{
    struct chooser *chooser = context;
    enum relay_fault chosen =
        (enum relay_fault)__atomic_exchange_n(&chooser->next, (int)RELAY_PASSES, __ATOMIC_RELAXED);
    if (!__atomic_load_n(&chooser->is_off, __ATOMIC_RELAXED) && rand_r(&chooser->seed) % 2 == 0)
        chosen = rand_r(&chooser->seed) % 2 == 0
                     ? RELAY_LOSES_ANSWER
                     : (enum relay_fault)(1 + rand_r(&chooser->seed) % (RELAY_FAULTS - 1));
    __atomic_add_fetch(&chooser->chosen[chosen], 1, __ATOMIC_RELAXED);
    return chosen;
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

/* A database behind a relay. */
struct line {
    struct service_fixture fixture;
    struct chooser chooser;
    char folder[32];
    char url[2 * TEST_DATABASE_MAX];
    struct harness_relay *relay;
};

/* `url` is of the database itself. */
static void line_begin(struct line *line, const char *url)
{
    *line = (struct line){ .chooser = { .seed = 1, .is_off = true },
                           .folder = "/tmp/bronxbot-relay-XXXXXX" };
    assert_non_null(mkdtemp(line->folder));
    line->relay =
        harness_relay_start(line->folder, test_database_server()->folder, choose, &line->chooser);
    assert_non_null(line->relay);
    snprintf(line->url, sizeof(line->url), "postgresql://bronxbot@/postgres?host=%s%s",
             line->folder, strstr(url, "&options"));
}

static void line_end(struct line *line)
{
    harness_relay_stop(line->relay);
    rmdir(line->folder);
}

/* Each has a schema of its own. */
static void line_open(struct line *line)
{
    struct test_database database;
    test_database_new(&database);
    line_begin(line, database.url);
    assert_int_equal(service_fixture_open_at(&line->fixture, line->url, NOW_MS), 0);
}

static void set_faults(struct line *line, bool is_on)
{
    __atomic_store_n(&line->chooser.is_off, !is_on, __ATOMIC_RELAXED);
}

static void verify(struct service_fixture *fixture)
{
    struct err err = { 0 };
    if (ledger_verify(fixture->db, &err) != 0)
        fail_msg("%s", err.message);
}

static void line_close(struct line *line)
{
    service_fixture_close(&line->fixture);
    line_end(line);
}

static void nothing_is_doubled_and_nothing_lost(void **state)
{
    (void)state;
    struct line line;
    struct service_fixture *fixture = &line.fixture;
    line_open(&line);
    for (int i = 0; i < POSTERS; i++)
        give_coins(fixture, 1 + i);
    set_faults(&line, true);

    struct poster posters[POSTERS];
    pthread_t threads[POSTERS];
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){ .fixture = fixture, .chooser = &line.chooser, .number = i };
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
    }
    int64_t posts = 0, paid = 0;
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(posters[i].wrong, 0);
        posts += posters[i].posts;
        paid += posters[i].paid;
    }
    set_faults(&line, false);
    assert_true(lost_answers(&line.chooser) >= LOST_ANSWERS);
    assert_true(line.chooser.chosen[RELAY_LOSES_COMMIT] > 0 &&
                line.chooser.chosen[RELAY_LOSES_TOUCH] > 0);

    assert_int_equal(service_fixture_count(
                         fixture, "SELECT COUNT(*) FROM ledger_entry WHERE operation = 'test'"),
                     posts);
    for (int i = 0; i < POSTERS; i++)
        assert_int_equal(wallet(fixture, 1 + i), FIRST_COINS - posters[i].paid);
    assert_int_equal(wallet(fixture, 1000), paid);
    verify(fixture);
    line_close(&line);
}

/* --- What people do --- */

static int accept_terms(struct call *call, struct err *err)
{
    return tos_accept(call, NULL, err);
}

static int claim(struct call *call, struct err *err)
{
    return daily_command.run(call, err);
}

/* Once more with the same interaction until it is answered. */
static void do_until_answered(struct line *line, int (*deed)(struct call *call, struct err *err),
                              const struct command *command, int64_t id, int64_t user)
{
    int result = ERR_UNKNOWN;
    for (int i = 0; i < REPEATS_MAX && result != 0; i++) {
        struct service_call call;
        struct err err = { 0 };
        service_call_begin(&call, &line->fixture, command, id, user);
        call.call.reply = reply_new(call.call.arena, call.call.interaction);
        result = deed(&call.call, &err);
        if (result != 0 && result != ERR_UNKNOWN && result != ERR_UNAVAILABLE && result != ERR_BUSY)
            fail_msg("%s", err.message);
        /* Not a refusal: the cooldown is not of another interaction. */
        assert_int_equal(call.call.outcome, OUTCOME_OK);
        service_call_end(&call);
    }
    assert_int_equal(result, 0);
}

static void acceptances_and_daily_rewards_happen_once(void **state)
{
    (void)state;
    struct line line;
    line_open(&line);
    set_faults(&line, true);
    for (int64_t user = 1; user <= PEOPLE; user++) {
        do_until_answered(&line, accept_terms, &plain, 2 * user, user);
        do_until_answered(&line, claim, &daily_command, 2 * user + 1, user);
    }
    set_faults(&line, false);
    assert_true(lost_answers(&line.chooser) > 0);
    static const char *const each_once[] = {
        "SELECT COUNT(*) FROM tos_decision WHERE decision = 'accepted'",
        "SELECT COUNT(*) FROM ledger_entry WHERE operation = 'tos_bonus'",
        "SELECT COUNT(*) FROM ledger_entry WHERE operation = 'daily'",
        "SELECT COUNT(*) FROM daily_streak WHERE days = 1",
        "SELECT COUNT(*) FROM cooldown WHERE command = 'daily'",
        "SELECT COUNT(*) FROM account WHERE kind = 'wallet' AND balance > 1000",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(each_once); i++)
        assert_int_equal(service_fixture_count(&line.fixture, each_once[i]), PEOPLE);
    verify(&line.fixture);
    line_close(&line);
}

/* --- What is settled on the spot --- */

static int decline_terms(struct call *call, struct err *err)
{
    return tos_decline(call, err);
}

static int block(struct call *call, struct err *err)
{
    return tos_block(call, STR("{}"), err);
}

static int record(struct call *call, struct err *err)
{
    const struct installation_change change = {
        .is_authorized = true, .user_id = 5, .occurred_at_ms = 7, .guild_id = 9
    };
    return installations_record(call->services->db, call->services->erasure_key, &change, err);
}

static int leave(struct call *call, struct err *err)
{
    const struct installation_change change = { .user_id = 5, .occurred_at_ms = 8 };
    return installations_record(call->services->db, call->services->erasure_key, &change, err);
}

static int erase(struct call *call, struct err *err)
{
    return user_data_erase(call, err);
}

static int set(struct call *call, struct err *err)
{
    const struct settings_owner owner = { SETTINGS_OF_USER, call->interaction->user.id };
    struct field_values values = { 0 };
    values.values[field_find(user_fields, STR("privacy")) - user_fields] = STR("private");
    return settings_save(call, owner, 0, &values, err);
}

static const struct command slow = { .name = "slow", .cooldown_ms = 1000 };

static const struct {
    const struct command *command;
    int (*act)(struct call *call, struct err *err);
    const char *counts; /* one, when it has happened */
} writers[] = {
    { &plain, accept_terms, "SELECT COUNT(*) FROM tos_decision WHERE decision = 'accepted'" },
    { &plain, decline_terms, "SELECT COUNT(*) FROM tos_decision WHERE decision = 'declined'" },
    { &plain, block, "SELECT COUNT(*) FROM tos_blocked" },
    { &slow, cooldown_use, "SELECT COUNT(*) FROM cooldown WHERE command = 'slow'" },
    { &plain, record,
      "SELECT COUNT(*) FROM known_user u, known_guild g WHERE u.authorized_at = 7" },
    { &plain, leave, "SELECT COUNT(*) FROM known_user WHERE deauthorized_at = 8" },
    { &plain, set,
      "SELECT COUNT(*) FROM user_settings s, user_settings_change c WHERE s.revision = 1" },
    { &plain, erase,
      "SELECT COUNT(*) FROM (SELECT COUNT(*) FROM tos_decision HAVING COUNT(*) = 0) AS n" },
};

/* Its caller sees no more of it than a longer wait. */
static void a_lost_answer_is_settled_by_whoever_writes(void **state)
{
    (void)state;
    static const enum relay_fault faults[] = { RELAY_LOSES_ANSWER, RELAY_LOSES_COMMIT,
                                               RELAY_LOSES_TOUCH };
    for (size_t k = 0; k < ARRAY_LENGTH(faults); k++) {
        struct line line;
        line_open(&line);
        for (size_t i = 0; i < ARRAY_LENGTH(writers); i++) {
            struct service_call call;
            struct err err = { 0 };
            service_call_begin(&call, &line.fixture, writers[i].command, 100 + (int64_t)i, 1);
            __atomic_store_n(&line.chooser.next, (int)faults[k], __ATOMIC_RELAXED);
            if (writers[i].act(&call.call, &err) != 0)
                fail_msg("writer %zu, fault %zu: %s", i, k, err.message);
            assert_int_equal(__atomic_load_n(&line.chooser.next, __ATOMIC_RELAXED), RELAY_PASSES);
            service_call_end(&call);
            if (service_fixture_count(&line.fixture, writers[i].counts) != 1)
                fail_msg("writer %zu, fault %zu: not once", i, k);
        }
        line_close(&line);
    }
}

static int has_accepted(struct line *line, int64_t user)
{
    struct service_call call;
    service_call_begin(&call, &line->fixture, &plain, 1, user);
    int result = tos_has_accepted(&call.call, NULL);
    service_call_end(&call);
    return result;
}

/* Nobody could tell the cache of it. */
static void an_acceptance_that_comes_late_counts_at_once(void **state)
{
    (void)state;
    struct line line;
    struct cache *cache = NULL;
    line_open(&line);
    const struct cache_settings settings = { .redis_url = "",
                                             .name_space = "test",
                                             .memory_bytes = 1024 * 1024,
                                             .is_only_process = true,
                                             .clock = &line.fixture.clock };
    assert_int_equal(cache_new(&cache, &settings, NULL), 0);
    line.fixture.services.cache = cache;
    assert_int_equal(has_accepted(&line, 1), 0);
    line.fixture.services.cache = NULL;
    do_until_answered(&line, accept_terms, &plain, 2, 1);
    line.fixture.services.cache = cache;
    assert_int_equal(has_accepted(&line, 1), 1);
    /* And is remembered: nothing is asked any more. */
    struct cache_statistics before, after;
    cache_statistics(cache, CACHE_USER, &before);
    assert_int_equal(has_accepted(&line, 1), 1);
    assert_int_equal(has_accepted(&line, 1), 1);
    cache_statistics(cache, CACHE_USER, &after);
    assert_true(after.loads <= before.loads + 1);
    cache_free(cache);
    line_close(&line);
}

/* Whoever asked sees nothing of it, and neither do people: a POST is never repeated. */
static void messages_whose_commit_was_lost_are_sent_once(void **state)
{
    (void)state;
    struct sender_fixture sender;
    struct line line;
    sender_begin(&sender, no_fault);
    line_begin(&line, sender.base.settings.url);
    db_close(sender.base.db);
    sender.base.settings.url = line.url;
    assert_int_equal(db_open(&sender.base.db, &sender.base.settings, NULL), 0);
    sender_open(&sender);
    for (int token = 0; token < MESSAGES; token++) {
        /* Sometimes it hits a commit of the journal's instead, which must do no harm either. */
        __atomic_store_n(&line.chooser.next, (int)RELAY_LOSES_ANSWER, __ATOMIC_RELAXED);
        assert_int_equal(act(&sender, token, token % 2 == 0 ? FOLLOW : FINAL, "text"), 0);
    }
    sender_close(&sender);
    for (int token = 0; token < MESSAGES; token++) {
        assert_int_equal(sender.tokens[token].posts, token % 2 == 0);
        assert_true(sender.tokens[token].effects >= 1);
        assert_string_equal(sender.tokens[token].last, "text");
    }
    sender_end(&sender);
    line_end(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_doubled_and_nothing_lost),
        cmocka_unit_test(acceptances_and_daily_rewards_happen_once),
        cmocka_unit_test(a_lost_answer_is_settled_by_whoever_writes),
        cmocka_unit_test(an_acceptance_that_comes_late_counts_at_once),
        cmocka_unit_test(messages_whose_commit_was_lost_are_sent_once),
    };
    return cmocka_run_group_tests(tests, sender_setup, NULL);
}
