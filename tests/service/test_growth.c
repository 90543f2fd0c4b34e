/* A living bot grows from SQLite to PostgreSQL as docs/deploying.md says: it is stopped with work
 * left, `bronxbot migrate --from --to` moves its data, and it goes on as if nothing had happened.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deferrals.h"
#include "payments.h"

#include "harness/memory.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEOPLE           4
#define PAYMENTS         3 /* the first person pays one on; it ends with the last */
#define LAST_PERSON      (PAYMENTS_FIRST_PERSON + PAYMENTS)
#define CHANNEL          INT64_C(501)
#define GUILD            INT64_C(500)
#define EXIT_USAGE       64
#define EXIT_UNAVAILABLE 69
#define EXIT_CONFIG      78

static const char sql_waiting[] = "SELECT COUNT(*) FROM outbox WHERE state <> 'done'";

struct growth {
    struct deferrals deferrals;
    struct test_database new;
    char old_url[TEST_DATABASE_MAX];
    char new_line[TEST_DATABASE_MAX + 32];
};

static int begin(void **state)
{
    struct growth *self = must_allocate(1, sizeof(*self));
    struct service_fixture fixture;
    deferrals_init(&self->deferrals, NULL);
    test_database_new_on(&self->new, true);
    snprintf(self->old_url, sizeof(self->old_url), "sqlite:%s/bronxbot.db",
             self->deferrals.bot.folder);
    snprintf(self->new_line, sizeof(self->new_line), "DATABASE_URL=%s", self->new.url);
    assert_int_equal(
        service_fixture_open_at(&fixture, self->old_url, harness_bot_now_ms(&self->deferrals.bot)),
        0);
    payments_prepare(&fixture, PEOPLE);
    service_fixture_close(&fixture);
    *state = self;
    return 0;
}

static int end(void **state)
{
    struct growth *self = *state;
    deferrals_fini(&self->deferrals);
    free(self);
    return 0;
}

/* Takes the interaction's reference. */
static void ask(struct growth *self, int64_t id, int64_t person, const char *name,
                json_object *interaction)
{
    const struct rest_interaction asked = { .id = id,
                                            .type = 2,
                                            .channel_id = CHANNEL,
                                            .person = { .id = person, .name = "payer" },
                                            .command_name = name };
    struct deferrals *deferrals = &self->deferrals;
    struct harness_signature signature;
    struct err err = { 0 };
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    interaction_bytes(interaction, &body);
    json_object_put(interaction);
    harness_sign(&deferrals->bot.keys, harness_bot_now_ms(&deferrals->bot) / 1000, buf_view(&body),
                 &signature);
    rest_server_ask(deferrals->discord, &asked);
    if (http_client_post_signed(deferrals->client, &signature, buf_view(&body), &answer, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(answer.status, 200);
    rest_server_answered(deferrals->discord, id, buf_view(&answer.body));
}

static int64_t next_id(struct growth *self)
{
    return snowflake_at(harness_bot_now_ms(&self->deferrals.bot), ++self->deferrals.sequence);
}

static int64_t pay(struct growth *self, int number)
{
    int64_t id = next_id(self);
    ask(self, id, PAYMENTS_FIRST_PERSON + number, "pay", payment(number, id, PEOPLE, GUILD));
    return id;
}

static void expect_balance(struct growth *self, int64_t person, const char *coins)
{
    CLEANUP(buf_free) struct buf shown = { 0 };
    const struct envelope envelope = {
        .id = next_id(self),
        .application_id = HARNESS_APPLICATION_ID,
        .person = { .id = person, .name = "payer" },
        .place = { .guild_id = GUILD, .channel_id = CHANNEL, .channel_name = "general" },
    };
    ask(self, envelope.id, person, "balance",
        command_interaction(&envelope, 43, "balance", NULL, NULL));
    assert_int_equal(deferrals_arrived(&self->deferrals, &envelope.id, 1), 1);
    assert_true(rest_server_original(self->deferrals.discord, envelope.id, &shown));
    if (!strstr(shown.data, coins))
        fail_msg("not %s: %s", coins, shown.data);
}

static int import(struct growth *self, const char *to)
{
    const char *const arguments[] = { "migrate", "--from", self->old_url, "--to", to, NULL };
    CLEANUP(buf_free) struct buf out = { 0 };
    struct err err = { 0 };
    return harness_bot_run(&self->deferrals.bot, BRONXBOT_BINARY, arguments, NULL, &out, &err);
}

static void end_bot(struct growth *self, int signal_number)
{
    struct err err = { 0 };
    int exit_code = 0;
    if (signal_number == SIGKILL)
        harness_bot_kill(&self->deferrals.bot, SIGKILL);
    else if (harness_bot_stop(&self->deferrals.bot, &exit_code, &err) != 0 || exit_code != 0)
        fail_msg("left with %d; %s", exit_code, err.message);
    rest_server_bot_was_killed(self->deferrals.discord);
}

static int64_t count_in_old(struct growth *self, const char *sql)
{
    struct service_fixture fixture;
    assert_int_equal(
        service_fixture_open_at(&fixture, self->old_url, harness_bot_now_ms(&self->deferrals.bot)),
        0);
    int64_t count = service_fixture_count(&fixture, sql);
    service_fixture_close(&fixture);
    return count;
}

static void assert_new_books(struct growth *self)
{
    struct service_fixture fixture;
    assert_int_equal(
        service_fixture_open_at(&fixture, self->new.url, harness_bot_now_ms(&self->deferrals.bot)),
        0);
    assert_books_balance(&fixture, PEOPLE);
    assert_int_equal(service_fixture_count(
                         &fixture, "SELECT COUNT(*) FROM ledger_entry WHERE operation = 'pay'"),
                     PAYMENTS);
    service_fixture_close(&fixture);
}

/* Payments whose edits wait, for Discord is away; then the bot ends. */
static void live_and_end(struct growth *self, int64_t *ids, int signal_number)
{
    deferrals_fault(&self->deferrals, "edits status 503");
    deferrals_launch(&self->deferrals);
    for (int i = 0; i < PAYMENTS; i++)
        ids[i] = pay(self, i);
    /* All have been tried: so all have been paid. */
    assert_true(rest_server_wait_arrivals(self->deferrals.discord, PAYMENTS, DEFERRALS_ARRIVAL_MS));
    end_bot(self, signal_number);
    assert_true(count_in_old(self, sql_waiting) > 0);
}

static void grow(struct growth *self, int signal_number)
{
    int64_t ids[PAYMENTS];
    live_and_end(self, ids, signal_number);
    assert_int_equal(import(self, self->new.url), 0);
    deferrals_fault(&self->deferrals, "none");
    deferrals_set(&self->deferrals, self->new_line);
    deferrals_launch(&self->deferrals);
    assert_int_equal(deferrals_arrived(&self->deferrals, ids, PAYMENTS), PAYMENTS);
    expect_balance(self, PAYMENTS_FIRST_PERSON, "1,000,999");
    expect_balance(self, LAST_PERSON, "1,001,001");
    deferrals_assert_no_violation(&self->deferrals);
    end_bot(self, SIGTERM);
    assert_new_books(self);
}

static void a_stopped_bot_goes_on_in_postgresql(void **state)
{
    grow(*state, SIGTERM);
}

/* Its file has a write-ahead log, and jobs that a dead process holds. */
static void a_killed_bot_goes_on_in_postgresql(void **state)
{
    grow(*state, SIGKILL);
}

static void scripts_can_tell_why_it_did_not_work(void **state)
{
    struct growth *self = *state;
    CLEANUP(buf_free) struct buf out = { 0 };
    static const char *const half[] = { "migrate", "--to", "postgresql://", NULL };
    static const char *const help[] = { "help", NULL };
    assert_int_equal(harness_bot_run(&self->deferrals.bot, BRONXBOT_BINARY, half, NULL, &out, NULL),
                     EXIT_USAGE);
    assert_int_equal(import(self, "postgresql://bronxbot@/x?host=/nonexistent"), EXIT_UNAVAILABLE);
    assert_int_equal(import(self, self->old_url), EXIT_CONFIG);
    deferrals_launch(&self->deferrals);
    assert_int_equal(import(self, self->new.url), EXIT_UNAVAILABLE); /* it is in use */
    end_bot(self, SIGTERM);
    assert_int_equal(import(self, self->new.url), 0);
    assert_int_equal(import(self, self->new.url), EXIT_CONFIG); /* it is not empty */
    assert_int_equal(harness_bot_run(&self->deferrals.bot, BRONXBOT_BINARY, help, NULL, &out, NULL),
                     0);
    assert_non_null(strstr(out.data, "--from sqlite:PATH"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stopped_bot_goes_on_in_postgresql, begin, end),
        cmocka_unit_test_setup_teardown(a_killed_bot_goes_on_in_postgresql, begin, end),
        cmocka_unit_test_setup_teardown(scripts_can_tell_why_it_did_not_work, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
