/* Installations: whatever the order and the repetitions of Discord's events, what is stored is the
 * same; and what becomes of an event that can't be stored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/clock.h"
#include "bronx/installations.h"
#include "bronx/interaction.h"
#include "router/events.h"

#include "service_fixture.h"

#include "db/engine.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALICE    INT64_C(7001)
#define BOB      INT64_C(7002)
#define HARLEM   INT64_C(500)
#define T        INT64_C(1790000000000)
#define SHUFFLES 30
#define THREADS  4

/* A life: some of it at the same millisecond, where order can't decide. Alice has given the
 * application back at last; Bob has not, so nothing is known of what he had authorised. */
static const struct installation_change life[] = {
    { true, ALICE, T + 1, 1, 0, STR("applications.commands") },
    { false, ALICE, T + 2, 0, 0, STR_NONE },
    { true, ALICE, T + 3, 0, HARLEM, STR("applications.commands bot") },
    { true, ALICE, T + 3, 0, HARLEM, STR("bot") },
    { true, ALICE, T + 3, 1, 0, STR_NONE },
    { true, BOB, T + 3, 0, HARLEM, STR("bot") },
    { true, BOB, T + 4, -1, 0, STR("a") },
    { true, BOB, T + 4, 1, 0, STR("b") },
    { false, BOB, T + 4, 0, 0, STR_NONE },
    { false, BOB, T - 100, 0, 0, STR_NONE },
};
#define LIFE_LENGTH ARRAY_LENGTH(life)

static void assert_life_is_stored(struct db *db)
{
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct known_user user;
    struct known_guild guild;
    assert_int_equal(installations_find_user(db, ALICE, &arena, &user, NULL), 1);
    assert_true(user.authorized_at_ms == T + 3 && user.deauthorized_at_ms == T + 2);
    assert_true(user.is_authorized);
    assert_int_equal(user.integration_type, 1);
    assert_int_equal(user.scopes.length, 0);
    assert_int_equal(installations_find_user(db, BOB, &arena, &user, NULL), 1);
    assert_true(user.authorized_at_ms == T + 4 && user.deauthorized_at_ms == T + 4);
    assert_false(user.is_authorized);
    assert_int_equal(user.integration_type, -1);
    assert_int_equal(user.scopes.length, 0);
    assert_int_equal(installations_find_guild(db, HARLEM, &arena, &guild, NULL), 1);
    assert_true(guild.authorized_at_ms == T + 3 && guild.authorized_by == BOB);
    assert_true(str_equal(guild.scopes, STR("bot")));
}

static void forget_all(struct db *db)
{
    const struct db_statement statements[] = { { .sql = "DELETE FROM known_user" },
                                               { .sql = "DELETE FROM known_guild" } };
    assert_int_equal(db_atomic(db, statements, 2, NULL, NULL), 0);
}

static void shuffle(size_t order[LIFE_LENGTH], uint64_t *random)
{
    for (size_t i = 0; i < LIFE_LENGTH; i++)
        order[i] = i;
    for (size_t i = LIFE_LENGTH - 1; i > 0; i--) {
        *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        size_t other = (size_t)(*random >> 33) % (i + 1), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

static void any_order_and_any_repetition_stores_the_same(void **state)
{
    struct service_fixture *fixture = *state;
    size_t order[LIFE_LENGTH];
    uint64_t random = 42;
    for (int i = 0; i < SHUFFLES; i++) {
        forget_all(fixture->db);
        for (int again = 0; again < 2; again++) {
            shuffle(order, &random);
            for (size_t j = 0; j < LIFE_LENGTH; j++)
                assert_int_equal(
                    installations_record(fixture->db, &fixture->erasure_key, &life[order[j]], NULL),
                    0);
        }
        assert_life_is_stored(fixture->db);
    }
}

struct teller {
    struct db *db;
    const struct erasure_key *key;
    uint64_t random;
    int failures;
};

static void *tell_in_some_order(void *argument)
{
    struct teller *teller = argument;
    size_t order[LIFE_LENGTH];
    shuffle(order, &teller->random);
    for (size_t i = 0; i < LIFE_LENGTH; i++)
        teller->failures +=
            installations_record(teller->db, teller->key, &life[order[i]], NULL) != 0;
    return NULL;
}

static void threads_that_tell_at_once_store_the_same(void **state)
{
    struct service_fixture *fixture = *state;
    for (int i = 0; i < 4; i++) {
        struct teller tellers[THREADS];
        pthread_t threads[THREADS];
        forget_all(fixture->db);
        for (size_t j = 0; j < THREADS; j++) {
            tellers[j] =
                (struct teller){ fixture->db, &fixture->erasure_key, 100 * (uint64_t)i + j, 0 };
            assert_int_equal(pthread_create(&threads[j], NULL, tell_in_some_order, &tellers[j]), 0);
        }
        for (size_t j = 0; j < THREADS; j++) {
            pthread_join(threads[j], NULL);
            assert_int_equal(tellers[j].failures, 0);
        }
        assert_life_is_stored(fixture->db);
    }
}

static void strangers_are_not_found(void **state)
{
    struct service_fixture *fixture = *state;
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct known_user user;
    struct known_guild guild;
    assert_int_equal(installations_find_user(fixture->db, 1, &arena, &user, NULL), 0);
    assert_int_equal(installations_find_guild(fixture->db, 1, &arena, &guild, NULL), 0);
}

/* --- what waits for a person --- */

static void block_command(struct db *db, int64_t user_id, int64_t ms)
{
    const struct db_statement statement = {
        .sql = "INSERT INTO tos_blocked (interaction_id, user_id, data, expires_at) "
               "VALUES ($1, $2, '{}', $3)",
        .parameters = { DB_INT(snowflake_first_of(ms) + user_id), DB_INT(user_id),
                        DB_INT(ms + 7 * MS_PER_DAY) },
        .parameter_count = 3,
    };
    assert_int_equal(db_query(db, &statement, NULL, NULL), 0);
}

static void record(struct service_fixture *fixture, bool is_authorized, int64_t user_id, int64_t ms)
{
    const struct installation_change change = { .is_authorized = is_authorized,
                                                .user_id = user_id,
                                                .occurred_at_ms = ms,
                                                .integration_type = 1,
                                                .scopes = STR("applications.commands") };
    assert_int_equal(installations_record(fixture->db, &fixture->erasure_key, &change, NULL), 0);
}

static void assert_waiting(struct service_fixture *fixture, int64_t commands)
{
    assert_int_equal(service_fixture_count(fixture, "SELECT COUNT(*) FROM tos_blocked"), commands);
}

static void what_waits_for_somebody_goes_with_the_authorization(void **state)
{
    struct service_fixture *fixture = *state;
    block_command(fixture->db, ALICE, T + 1);
    block_command(fixture->db, BOB, T + 1);
    record(fixture, true, ALICE, T);
    assert_waiting(fixture, 2);
    record(fixture, false, ALICE, T + 2);
    assert_waiting(fixture, 1);
    assert_int_equal(service_fixture_count(fixture, "SELECT user_id FROM tos_blocked"), BOB);
}

static void somebody_whose_authorization_was_never_told_is_forgotten_too(void **state)
{
    struct service_fixture *fixture = *state;
    block_command(fixture->db, ALICE, T + 1);
    record(fixture, false, ALICE, T + 2);
    assert_waiting(fixture, 0);
}

static void a_repeated_event_leaves_alone_what_was_begun_since(void **state)
{
    struct service_fixture *fixture = *state;
    record(fixture, true, ALICE, T);
    record(fixture, false, ALICE, T + 2);
    block_command(fixture->db, ALICE, T + 3);
    record(fixture, false, ALICE, T + 2);
    record(fixture, true, ALICE, T);
    assert_waiting(fixture, 1);
}

static void an_event_older_than_the_newest_authorization_forgets_nothing(void **state)
{
    struct service_fixture *fixture = *state;
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct known_user user;
    block_command(fixture->db, ALICE, T + 1);
    record(fixture, true, ALICE, T + 3);
    record(fixture, false, ALICE, T + 2);
    assert_waiting(fixture, 1);
    assert_int_equal(installations_find_user(fixture->db, ALICE, &arena, &user, NULL), 1);
    assert_true(user.is_authorized && user.integration_type == 1);
    assert_true(str_equal(user.scopes, STR("applications.commands")));
}

static void an_authorization_told_too_late_is_not_kept(void **state)
{
    struct service_fixture *fixture = *state;
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct known_user user;
    record(fixture, false, ALICE, T + 2);
    record(fixture, true, ALICE, T + 1);
    assert_int_equal(installations_find_user(fixture->db, ALICE, &arena, &user, NULL), 1);
    assert_true(user.authorized_at_ms == T + 1 && !user.is_authorized);
    assert_int_equal(user.integration_type, -1);
    assert_int_equal(user.scopes.length, 0);
}

/* --- who has deleted their data --- */

static void erase(struct service_fixture *fixture, int64_t user_id, int64_t ms)
{
    struct db_statement statements[ERASURE_STATEMENTS];
    struct erasure erasure = { .user_id = user_id, .erased_at_ms = ms, .closed_until_ms = ms };
    erasure_fingerprint(&fixture->erasure_key, user_id, &erasure.fingerprint);
    erasure_record(&erasure, statements);
    assert_int_equal(db_atomic(fixture->db, statements, ERASURE_STATEMENTS, NULL, NULL), 0);
}

static void a_repeated_event_does_not_bring_back_who_was_erased(void **state)
{
    struct service_fixture *fixture = *state;
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct known_guild guild;
    struct known_user user;
    const struct installation_change added = { .is_authorized = true,
                                               .user_id = ALICE,
                                               .occurred_at_ms = T,
                                               .guild_id = HARLEM,
                                               .scopes = STR("bot") };
    erase(fixture, ALICE, T + 2);
    assert_int_equal(installations_record(fixture->db, &fixture->erasure_key, &added, NULL), 0);
    record(fixture, true, ALICE, T);
    record(fixture, false, ALICE, T + 1);
    assert_int_equal(installations_find_user(fixture->db, ALICE, &arena, &user, NULL), 0);
    assert_int_equal(installations_find_guild(fixture->db, HARLEM, &arena, &guild, NULL), 1);
    assert_true(guild.authorized_at_ms == T && guild.authorized_by == 0);
    record(fixture, true, BOB, T);
    record(fixture, true, ALICE, T + 3);
    assert_int_equal(installations_find_user(fixture->db, BOB, &arena, &user, NULL), 1);
    assert_int_equal(installations_find_user(fixture->db, ALICE, &arena, &user, NULL), 1);
}

/* --- dispatch --- */

struct desk {
    struct events events;
    pthread_mutex_t lock;
    pthread_cond_t has_changed;
    int taken, retried;
};

static void on_done(void *context, enum event_outcome outcome)
{
    struct desk *desk = context;
    pthread_mutex_lock(&desk->lock);
    if (outcome == EVENT_TAKEN)
        desk->taken++;
    else
        desk->retried++;
    pthread_cond_broadcast(&desk->has_changed);
    pthread_mutex_unlock(&desk->lock);
}

static void desk_open(struct desk *desk, struct service_fixture *fixture)
{
    struct err err = { 0 };
    *desk = (struct desk){ .events = { .db = fixture->db,
                                       .erasure_key = &fixture->erasure_key,
                                       .metrics = metrics_new() } };
    pthread_mutex_init(&desk->lock, NULL);
    pthread_cond_init(&desk->has_changed, NULL);
    const struct executor_settings settings = {
        .threads_min = 1, .threads_max = 2, .queue_max = 8, .clock = &fixture->clock
    };
    assert_int_equal(executor_new(&desk->events.executor, &settings, &err), 0);
    desk->events.log = log_sink_new(-1, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, &fixture->clock);
    assert_non_null(desk->events.log);
}

static void desk_close(struct desk *desk)
{
    executor_free(desk->events.executor);
    log_sink_free(desk->events.log);
    metrics_free(desk->events.metrics);
    pthread_mutex_destroy(&desk->lock);
    pthread_cond_destroy(&desk->has_changed);
}

/* Dispatches an event of `name` by ALICE and waits for what becomes of it. */
static enum event_outcome dispatch(struct desk *desk, const char *name)
{
    char body[512];
    struct webhook_event *event = NULL;
    snprintf(body, sizeof(body),
             "{\"type\":1,\"event\":{\"type\":\"%s\",\"timestamp\":\"2026-09-21T15:33:20.001\","
             "\"data\":{\"user\":{\"id\":\"7001\"},\"scopes\":[\"bot\"]}}}",
             name);
    assert_int_equal(webhook_event_parse(str_from(body), &event, NULL), 0);
    desk->taken = desk->retried = 0;
    events_dispatch(&desk->events, event, "abcdefghijk", on_done, desk);
    pthread_mutex_lock(&desk->lock);
    while (desk->taken + desk->retried == 0)
        pthread_cond_wait(&desk->has_changed, &desk->lock);
    pthread_mutex_unlock(&desk->lock);
    assert_int_equal(desk->taken + desk->retried, 1);
    return desk->taken ? EVENT_TAKEN : EVENT_RETRY;
}

static void events_are_recorded_before_they_are_acknowledged(void **state)
{
    struct service_fixture *fixture = *state;
    struct desk desk;
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct known_user user;
    desk_open(&desk, fixture);
    assert_int_equal(dispatch(&desk, "APPLICATION_AUTHORIZED"), EVENT_TAKEN);
    assert_int_equal(installations_find_user(fixture->db, ALICE, &arena, &user, NULL), 1);
    assert_true(user.is_authorized);
    assert_int_equal(dispatch(&desk, "APPLICATION_DEAUTHORIZED"), EVENT_TAKEN);
    assert_int_equal(installations_find_user(fixture->db, ALICE, &arena, &user, NULL), 1);
    assert_false(user.is_authorized);
    desk_close(&desk);
}

static void unknown_events_are_acknowledged_without_a_database(void **state)
{
    struct service_fixture *fixture = *state;
    struct desk desk;
    desk_open(&desk, fixture);
    desk.events.db = NULL;
    assert_int_equal(dispatch(&desk, "SOMETHING_NEW"), EVENT_TAKEN);
    assert_int_equal(dispatch(&desk, "ENTITLEMENT_CREATE"), EVENT_TAKEN);
    desk_close(&desk);
}

static void discord_is_asked_to_repeat_what_the_database_could_not_take(void **state)
{
    struct service_fixture *fixture = *state;
    struct desk desk;
    desk_open(&desk, fixture);
    db_stop(fixture->db);
    assert_int_equal(dispatch(&desk, "APPLICATION_AUTHORIZED"), EVENT_RETRY);
    assert_int_equal(metrics_read(desk.events.metrics, METRIC_EVENTS_UNRECORDED, 0), 1);
    desk_close(&desk);
}

static void what_no_repetition_would_cure_is_not_asked_for_again(void **state)
{
    struct service_fixture *fixture = *state;
    struct desk desk;
    const struct db_statement forbid = { .sql =
                                             test_engine_is_postgres()
                                                 ? "ALTER TABLE known_user ADD CHECK (user_id < 0)"
                                                 : "CREATE TRIGGER no BEFORE INSERT ON known_user "
                                                   "BEGIN SELECT RAISE(ABORT, 'no'); END" };
    desk_open(&desk, fixture);
    assert_int_equal(db_query(fixture->db, &forbid, NULL, NULL), 0);
    assert_int_equal(dispatch(&desk, "APPLICATION_AUTHORIZED"), EVENT_TAKEN);
    assert_int_equal(metrics_read(desk.events.metrics, METRIC_EVENTS_UNRECORDED, 1), 1);
    desk_close(&desk);
}

static int open_fixture(void **state)
{
    struct service_fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    return fixture ? service_fixture_open(fixture) : 1;
}

static int close_fixture(void **state)
{
    service_fixture_close(*state);
    free(*state);
    return 0;
}

#define DATABASE_TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DATABASE_TEST(any_order_and_any_repetition_stores_the_same),
        DATABASE_TEST(threads_that_tell_at_once_store_the_same),
        DATABASE_TEST(strangers_are_not_found),
        DATABASE_TEST(what_waits_for_somebody_goes_with_the_authorization),
        DATABASE_TEST(somebody_whose_authorization_was_never_told_is_forgotten_too),
        DATABASE_TEST(a_repeated_event_leaves_alone_what_was_begun_since),
        DATABASE_TEST(an_event_older_than_the_newest_authorization_forgets_nothing),
        DATABASE_TEST(an_authorization_told_too_late_is_not_kept),
        DATABASE_TEST(a_repeated_event_does_not_bring_back_who_was_erased),
        DATABASE_TEST(events_are_recorded_before_they_are_acknowledged),
        DATABASE_TEST(unknown_events_are_acknowledged_without_a_database),
        DATABASE_TEST(discord_is_asked_to_repeat_what_the_database_could_not_take),
        DATABASE_TEST(what_no_repetition_would_cure_is_not_asked_for_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
