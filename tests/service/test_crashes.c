/* kill -9 at random moments under load, again and again: whatever was answered is in the ledger,
 * nothing was doubled, the books balance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/bot_process.h"
#include "harness/http_client.h"
#include "harness/interaction_json.h"
#include "harness/memory.h"

#include "payments.h"

#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KILLS     50
#define CLIENTS   6
#define PEOPLE    300
#define ACKED_MAX 20000

/* A connection over which people pay each other in turn, as fast as answers come. */
struct payer {
    pthread_t thread;
    struct crashes *crashes;
    int64_t acked[ACKED_MAX]; /* interactions whose receipt was received */
    int acked_count;          /* atomic */
};

struct crashes {
    struct harness_bot bot;
    char database_url[128];
    int64_t next_sequence; /* ids of interactions, atomic */
    int is_over;           /* atomic */
    struct payer payers[CLIENTS];
};

static void sleep_ms(long milliseconds)
{
    struct timespec pause = { .tv_sec = milliseconds / 1000,
                              .tv_nsec = milliseconds % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

/* Sends one payment until it is answered or the test is over, as nginx and Discord would repeat it.
 */
static void pay_once(struct payer *payer, struct http_client *client)
{
    struct crashes *crashes = payer->crashes;
    int64_t sequence = __atomic_fetch_add(&crashes->next_sequence, 1, __ATOMIC_RELAXED);
    int64_t id = snowflake_at(harness_bot_now_ms(&crashes->bot), 0) + (sequence & 0x3fffff);
    CLEANUP(json_release) json_object *interaction = payment(sequence, id, PEOPLE, 500);
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    interaction_bytes(interaction, &body);
    struct harness_signature signature;
    harness_sign(&crashes->bot.keys, harness_bot_now_ms(&crashes->bot) / 1000, buf_view(&body),
                 &signature);
    while (!__atomic_load_n(&crashes->is_over, __ATOMIC_ACQUIRE)) {
        if (http_client_post_signed(client, &signature, buf_view(&body), &answer, NULL) == 0 &&
            answer.status == 200) {
            if (strstr(answer.body.data, "receipt") && payer->acked_count < ACKED_MAX) {
                payer->acked[payer->acked_count] = id;
                __atomic_fetch_add(&payer->acked_count, 1, __ATOMIC_RELEASE);
            }
            return;
        }
        sleep_ms(2);
    }
}

static void *pay_until_over(void *argument)
{
    struct payer *payer = argument;
    struct http_client *client = http_client_new(&payer->crashes->bot.listen);
    while (!__atomic_load_n(&payer->crashes->is_over, __ATOMIC_ACQUIRE))
        pay_once(payer, client);
    http_client_free(client);
    return NULL;
}

/* Everybody has accepted the terms and is rich; nobody has a cooldown that lasts. */
static void prepare(struct crashes *crashes)
{
    struct service_fixture fixture;
    assert_int_equal(
        service_fixture_open_at(&fixture, crashes->database_url, harness_bot_now_ms(&crashes->bot)),
        0);
    payments_prepare(&fixture, PEOPLE);
    service_fixture_close(&fixture);
}

/* While the bot is down. Cooldowns are lifted, so that payments go on. */
static void look_at_the_books(struct crashes *crashes)
{
    struct service_fixture fixture;
    assert_int_equal(
        service_fixture_open_at(&fixture, crashes->database_url, harness_bot_now_ms(&crashes->bot)),
        0);
    assert_books_balance(&fixture, PEOPLE);
    struct db_statement lift = { .sql = "DELETE FROM cooldown" };
    assert_int_equal(db_query(fixture.db, &lift, NULL, NULL), 0);
    service_fixture_close(&fixture);
}

static int64_t entries_of(struct service_fixture *fixture, int64_t id)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct db_statement statement = {
        .sql =
            "SELECT COUNT(*) FROM ledger_transfer WHERE interaction_id = $1 AND operation = 'pay'",
        .parameters = { DB_INT(id) },
        .parameter_count = 1,
    };
    assert_int_equal(db_query(fixture->db, &statement, &rows, NULL), 0);
    return db_rows_int(rows, 0, 0);
}

static int assert_answered_payments_are_there(struct crashes *crashes)
{
    struct service_fixture fixture;
    int acked = 0;
    assert_int_equal(
        service_fixture_open_at(&fixture, crashes->database_url, harness_bot_now_ms(&crashes->bot)),
        0);
    for (int i = 0; i < CLIENTS; i++)
        for (int j = 0; j < crashes->payers[i].acked_count; j++, acked++)
            assert_int_equal(entries_of(&fixture, crashes->payers[i].acked[j]), 1);
    assert_books_balance(&fixture, PEOPLE);
    service_fixture_close(&fixture);
    return acked;
}

static int count_answered(const struct crashes *crashes)
{
    int count = 0;
    for (int i = 0; i < CLIENTS; i++)
        count += __atomic_load_n(&crashes->payers[i].acked_count, __ATOMIC_ACQUIRE);
    return count;
}

/* However slow the machine: so every life has a payment to lose. */
static void await_payment(const struct crashes *crashes, int before)
{
    while (count_answered(crashes) == before)
        sleep_ms(1);
}

static void launch(struct crashes *crashes)
{
    struct err err = { 0 };
    if (harness_bot_launch(&crashes->bot, &err) != 0)
        fail_msg("%s", err.message);
}

static void nothing_is_lost_or_doubled_by_fifty_kills(void **state)
{
    (void)state;
    static struct crashes crashes;
    const struct harness_bot_options options = { .binary = BRONXBOT_BINARY };
    struct err err = { 0 };
    assert_int_equal(harness_bot_init(&crashes.bot, &options, &err), 0);
    snprintf(crashes.database_url, sizeof(crashes.database_url), "sqlite:%s/bronxbot.db",
             crashes.bot.folder);
    prepare(&crashes);

    launch(&crashes);
    for (int i = 0; i < CLIENTS; i++) {
        crashes.payers[i].crashes = &crashes;
        assert_int_equal(
            pthread_create(&crashes.payers[i].thread, NULL, pay_until_over, &crashes.payers[i]), 0);
    }
    unsigned seed = 1;
    int answered = 0;
    for (int kill = 0; kill < KILLS; kill++) {
        await_payment(&crashes, answered);
        sleep_ms(rand_r(&seed) % 90);
        harness_bot_kill(&crashes.bot, SIGKILL);
        look_at_the_books(&crashes);
        answered = count_answered(&crashes);
        /* Past the cooldown of /pay and the cap of a day, so that every round has payments. */
        harness_bot_shift(&crashes.bot, 5000);
        launch(&crashes);
    }
    __atomic_store_n(&crashes.is_over, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(crashes.payers[i].thread, NULL);
    int exit_code = -1;
    assert_int_equal(harness_bot_stop(&crashes.bot, &exit_code, &err), 0);
    assert_int_equal(exit_code, 0);
    int acked = assert_answered_payments_are_there(&crashes);
    print_message("%d payments were answered between %d kills; all are in the ledger once\n", acked,
                  KILLS);
    assert_true(acked >= KILLS);
    harness_bot_fini(&crashes.bot);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_or_doubled_by_fifty_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
