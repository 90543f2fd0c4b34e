/* Deleting one's data is worth nothing: no coins, no wait and no break that ends sooner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/interaction.h"
#include "bronx/settings.h"
#include "bronx/tos.h"
#include "bronx/user_data.h"

#include "service_fixture.h"
#include "services/secret.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define ALICE  INT64_C(412345678901234567)
#define BOB    INT64_C(498765432109876543)
#define ROUNDS 20
#define A_BIT  INT64_C(1)

static const struct command none = { .name = "none" };

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

/* --- In short --- */

/* An interaction of this moment, so that times chosen in it are to come. */
static void begin(struct service_call *call, struct service_fixture *fixture, int64_t user_id)
{
    static atomic_int_fast64_t serial;
    int64_t id = ((fixture->now_ms - DISCORD_EPOCH_MS) << 22) + atomic_fetch_add(&serial, 1) + 1;
    service_call_begin(call, fixture, &none, id, user_id);
}

static int accept_terms(struct service_fixture *fixture, int64_t user_id, bool *was_granted)
{
    struct service_call call;
    begin(&call, fixture, user_id);
    int result = tos_accept(&call.call, was_granted, NULL);
    service_call_end(&call);
    return result;
}

static void erase(struct service_fixture *fixture, int64_t user_id)
{
    struct service_call call;
    begin(&call, fixture, user_id);
    assert_int_equal(user_data_erase(&call.call, NULL), 0);
    service_call_end(&call);
}

static bool has_accepted(struct service_fixture *fixture, int64_t user_id)
{
    struct service_call call;
    begin(&call, fixture, user_id);
    int accepted = tos_has_accepted(&call.call, NULL);
    service_call_end(&call);
    assert_true(accepted >= 0);
    return accepted;
}

/* Nothing differs from it afterwards. */
static void assert_closed(struct service_fixture *fixture, int64_t user_id)
{
    bool was_granted = false;
    assert_int_equal(accept_terms(fixture, user_id, &was_granted), TOS_CLOSED);
    assert_false(was_granted);
    assert_false(has_accepted(fixture, user_id));
}

static void assert_accepts(struct service_fixture *fixture, int64_t user_id, bool is_bonus_due)
{
    bool was_granted = !is_bonus_due;
    assert_int_equal(accept_terms(fixture, user_id, &was_granted), TOS_RECORDED);
    assert_true(was_granted == is_bonus_due);
    assert_true(has_accepted(fixture, user_id));
}

static void wait_for(struct service_fixture *fixture, int64_t user_id, const char *command,
                     int64_t ready_at_ms)
{
    const struct db_statement statement = {
        .sql = "INSERT INTO cooldown (user_id, command, ready_at, interaction_id) "
               "VALUES ($1, $2, $3, 1)",
        .parameters = { DB_INT(user_id), DB_TEXT(str_from(command)), DB_INT(ready_at_ms) },
        .parameter_count = 3,
    };
    assert_int_equal(db_query(fixture->db, &statement, NULL, NULL), 0);
}

static int take_break(struct service_fixture *fixture, int64_t user_id, int64_t until_ms)
{
    struct service_call call;
    const struct settings_owner owner = { SETTINGS_OF_USER, user_id };
    struct field_values values;
    int64_t revision;
    char text[24];
    begin(&call, fixture, user_id);
    snprintf(text, sizeof(text), "%" PRId64, until_ms);
    assert_int_equal(settings_read(&call.call, owner, &revision, &values, NULL), 0);
    for (int i = 0; user_fields[i].key; i++)
        if (user_fields[i].kind == FIELD_UNTIL)
            values.values[i] = str_from(text);
    int result = settings_save(&call.call, owner, revision, &values, NULL);
    service_call_end(&call);
    return result;
}

/* --- How long the terms stay closed --- */

static void nobody_begins_anew_within_a_day(void **state)
{
    struct service_fixture *fixture = *state;
    assert_accepts(fixture, ALICE, true);
    erase(fixture, ALICE);
    assert_closed(fixture, ALICE);
    fixture->now_ms += MS_PER_DAY - A_BIT;
    assert_closed(fixture, ALICE);
    fixture->now_ms += A_BIT;
    assert_accepts(fixture, ALICE, false);
}

static void the_longest_cooldown_is_waited_for(void **state)
{
    struct service_fixture *fixture = *state;
    wait_for(fixture, ALICE, "weekly", fixture->now_ms + 7 * MS_PER_DAY);
    wait_for(fixture, ALICE, "daily", fixture->now_ms + MS_PER_DAY);
    wait_for(fixture, BOB, "yearly", fixture->now_ms + 365 * MS_PER_DAY);
    erase(fixture, ALICE);
    fixture->now_ms += 7 * MS_PER_DAY - A_BIT;
    assert_closed(fixture, ALICE);
    fixture->now_ms += A_BIT;
    assert_accepts(fixture, ALICE, false);
}

static void a_break_from_games_is_sat_out(void **state)
{
    struct service_fixture *fixture = *state;
    int64_t end_ms = fixture->now_ms + 90 * MS_PER_DAY;
    assert_int_equal(take_break(fixture, ALICE, end_ms), SETTINGS_SAVED);
    erase(fixture, ALICE);
    fixture->now_ms = end_ms - A_BIT;
    assert_closed(fixture, ALICE);
    fixture->now_ms = end_ms;
    assert_accepts(fixture, ALICE, true);
}

static void deleting_again_shortens_nothing(void **state)
{
    struct service_fixture *fixture = *state;
    int64_t end_ms = fixture->now_ms + 7 * MS_PER_DAY;
    wait_for(fixture, ALICE, "weekly", end_ms);
    erase(fixture, ALICE);
    fixture->now_ms += MS_PER_HOUR;
    erase(fixture, ALICE);
    fixture->now_ms = end_ms - A_BIT;
    assert_closed(fixture, ALICE);
}

static void others_are_not_concerned(void **state)
{
    struct service_fixture *fixture = *state;
    erase(fixture, ALICE);
    assert_accepts(fixture, BOB, true);
}

/* --- The bonus --- */

static void within_30_days_there_is_no_bonus_and_after_them_there_is(void **state)
{
    struct service_fixture *fixture = *state;
    assert_accepts(fixture, ALICE, true);
    erase(fixture, ALICE);
    fixture->now_ms += ERASURE_BONUS_DAYS * MS_PER_DAY - A_BIT;
    assert_accepts(fixture, ALICE, false);
    erase(fixture, ALICE);
    fixture->now_ms += ERASURE_BONUS_DAYS * MS_PER_DAY;
    assert_accepts(fixture, ALICE, true);
    assert_int_equal(ledger_verify(fixture->db, NULL), 0);
}

static void an_acceptance_without_bonus_may_be_sent_again(void **state)
{
    struct service_fixture *fixture = *state;
    struct service_call call;
    erase(fixture, ALICE);
    fixture->now_ms += MS_PER_DAY;
    begin(&call, fixture, ALICE);
    for (int i = 0; i < 2; i++) {
        bool was_granted = true;
        assert_int_equal(tos_accept(&call.call, &was_granted, NULL), TOS_RECORDED);
        assert_false(was_granted);
    }
    service_call_end(&call);
    assert_int_equal(service_fixture_count(fixture, "SELECT COUNT(*) FROM tos_decision"), 1);
}

/* --- What is kept --- */

static void who_it_was_needs_the_key(void **state)
{
    (void)state;
    const unsigned char secrets[2][SERVER_KEY_BYTES] = { { 1 }, { 2 } };
    struct erasure_key keys[2];
    struct erasure_fingerprint alice, again, bob, elsewhere;
    for (int i = 0; i < 2; i++)
        erasure_key_derive(&keys[i], secrets[i]);
    erasure_fingerprint(&keys[0], ALICE, &alice);
    erasure_fingerprint(&keys[0], ALICE, &again);
    erasure_fingerprint(&keys[0], BOB, &bob);
    erasure_fingerprint(&keys[1], ALICE, &elsewhere);
    assert_memory_equal(&alice, &again, sizeof(alice));
    assert_memory_not_equal(&alice, &bob, sizeof(alice));
    assert_memory_not_equal(&alice, &elsewhere, sizeof(alice));
}

static void what_has_served_goes_with_the_next_erasure(void **state)
{
    struct service_fixture *fixture = *state;
    wait_for(fixture, BOB, "yearly", fixture->now_ms + 365 * MS_PER_DAY);
    erase(fixture, ALICE);
    erase(fixture, BOB);
    fixture->now_ms += ERASURE_BONUS_DAYS * MS_PER_DAY - A_BIT;
    erase(fixture, 1);
    assert_int_equal(service_fixture_count(fixture, "SELECT COUNT(*) FROM erasure"), 3);
    fixture->now_ms += A_BIT;
    erase(fixture, 1);
    assert_int_equal(service_fixture_count(fixture, "SELECT COUNT(*) FROM erasure"), 2);
    assert_closed(fixture, BOB);
}

/* --- At once --- */

struct deed {
    struct service_fixture *fixture;
    int64_t user_id;
    int (*run)(struct deed *deed);
    int result;
};

static int run_acceptance(struct deed *deed)
{
    return accept_terms(deed->fixture, deed->user_id, NULL);
}

static int run_erasure(struct deed *deed)
{
    erase(deed->fixture, deed->user_id);
    return 0;
}

static int run_break(struct deed *deed)
{
    return take_break(deed->fixture, deed->user_id, deed->fixture->now_ms + 90 * MS_PER_DAY);
}

static void *run_deed(void *argument)
{
    struct deed *deed = argument;
    deed->result = deed->run(deed);
    return NULL;
}

static void at_once(struct deed *deeds, size_t count)
{
    pthread_t threads[4];
    assert_true(count <= ARRAY_LENGTH(threads));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_deed, &deeds[i]), 0);
    for (size_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        assert_true(deeds[i].result >= 0);
    }
}

static void who_accepts_and_deletes_at_once_has_one_bonus_and_is_shut_out(void **state)
{
    struct service_fixture *fixture = *state;
    for (int64_t user_id = 1; user_id <= ROUNDS; user_id++) {
        assert_accepts(fixture, user_id, true);
        struct deed deeds[] = { { fixture, user_id, run_acceptance, 0 },
                                { fixture, user_id, run_erasure, 0 },
                                { fixture, user_id, run_acceptance, 0 },
                                { fixture, user_id, run_acceptance, 0 } };
        at_once(deeds, ARRAY_LENGTH(deeds));
        assert_closed(fixture, user_id);
    }
    assert_int_equal(service_fixture_count(
                         fixture, "SELECT COUNT(*) FROM ledger_entry WHERE grant_name IS NOT NULL"),
                     ROUNDS);
    assert_int_equal(ledger_verify(fixture->db, NULL), 0);
}

/* Either the break began first and is sat out, or it began afterwards and is in the settings. */
static void a_break_that_begins_meanwhile_is_not_lost(void **state)
{
    struct service_fixture *fixture = *state;
    for (int64_t user_id = 1; user_id <= ROUNDS; user_id++) {
        struct deed deeds[] = { { fixture, user_id, run_break, 0 },
                                { fixture, user_id, run_erasure, 0 } };
        at_once(deeds, ARRAY_LENGTH(deeds));
        assert_int_equal(deeds[0].result, SETTINGS_SAVED);
    }
    fixture->now_ms += 2 * MS_PER_DAY;
    for (int64_t user_id = 1; user_id <= ROUNDS; user_id++) {
        struct service_call call;
        const struct user_settings *settings;
        begin(&call, fixture, user_id);
        assert_int_equal(settings_of_user(&call.call, user_id, &settings, NULL), 0);
        if (settings->cool_off_until_ms < fixture->now_ms)
            assert_closed(fixture, user_id);
        service_call_end(&call);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_begins_anew_within_a_day),
        TEST(the_longest_cooldown_is_waited_for),
        TEST(a_break_from_games_is_sat_out),
        TEST(deleting_again_shortens_nothing),
        TEST(others_are_not_concerned),
        TEST(within_30_days_there_is_no_bonus_and_after_them_there_is),
        TEST(an_acceptance_without_bonus_may_be_sent_again),
        TEST(who_it_was_needs_the_key),
        TEST(what_has_served_goes_with_the_next_erasure),
        TEST(who_accepts_and_deletes_at_once_has_one_bonus_and_is_shut_out),
        TEST(a_break_that_begins_meanwhile_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
