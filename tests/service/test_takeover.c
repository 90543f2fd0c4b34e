/* Two real processes on one PostgreSQL: when one is killed or leaves, the other sends what it had.
 * Everything arrives, and nothing is posted twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet.h"

#include "outbox/outbox_journal.h"
#include "outbox/outbox_store.h"
#include "services/secret.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

#define EDITS      10
#define FOLLOW_UPS 5
#define LOOK_MS    20
#define LOOKS_MAX  (FLEET_PATIENCE_MS / LOOK_MS)
#define NOBODY     INT64_C(99) /* no instance: its jobs are anybody's */
#define PLACE      ((struct place){ .guild_id = 500, .channel_id = 501, .channel_name = "general" })
#define A_MESSAGE                                                                                  \
    "{\"flags\":32768,\"allowed_mentions\":{\"parse\":[]},\"components\":[{\"type\":10,"           \
    "\"content\":\"hello\"}]}"
#define REQUEST_ID "abcdefghijk"
#define LEAVING    0 /* the bots by their place in the fleet */
#define STAYING    1

static const struct person alice = { INT64_C(7000000000000000001), "alice", false };

struct stage {
    struct fleet fleet;
    struct service_fixture database;
    unsigned sequence;
    int64_t edits[EDITS];
};

static int64_t new_interaction(struct stage *stage)
{
    return fleet_interaction_id(&stage->fleet, ++stage->sequence);
}

static int64_t number(struct stage *stage, const char *sql)
{
    return service_fixture_count(&stage->database, sql);
}

static void look_again(void)
{
    const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
    nanosleep(&pause, NULL);
}

static void wait_until_number_is(struct stage *stage, const char *sql, int64_t wanted)
{
    for (int i = 0; i < LOOKS_MAX && number(stage, sql) != wanted; i++)
        look_again();
    assert_int_equal(number(stage, sql), wanted);
}

/* The first bot runs, and defers every command. */
static void open_stage(struct stage *stage)
{
    static const char *const environment[] = { "DEFER_AFTER_MS=0", "LOG_LEVEL=warning", NULL };
    const struct fleet_options options = { .binary = BRONXBOT_BINARY,
                                           .bot_count = 2,
                                           .environment = environment };
    *stage = (struct stage){ 0 };
    fleet_open(&stage->fleet, &options);
    fleet_launch(&stage->fleet, LEAVING);
    fleet_open_database(&stage->fleet, &stage->database);
}

static void close_stage(struct stage *stage)
{
    service_fixture_close(&stage->database);
    fleet_close(&stage->fleet);
}

static void refuse_edits(struct stage *stage)
{
    const struct rest_fault fault = { .routes = ROUTE_BIT(ROUTE_EDIT),
                                      .kind = FAULT_STATUS,
                                      .status = 503 };
    rest_server_add_fault(stage->fleet.discord, &fault);
}

static void stall_follow_ups(struct stage *stage)
{
    const struct rest_fault fault = { .routes = ROUTE_BIT(ROUTE_FOLLOW_UP), .kind = FAULT_STALL };
    rest_server_add_fault(stage->fleet.discord, &fault);
}

static void ask_for_help(struct stage *stage)
{
    struct http_client *client = http_client_new(&stage->fleet.bots[LEAVING].listen);
    for (int i = 0; i < EDITS; i++) {
        const struct envelope envelope = { .id = new_interaction(stage),
                                           .application_id = HARNESS_APPLICATION_ID,
                                           .person = alice,
                                           .place = PLACE };
        json_object *help = command_interaction(&envelope, 42, "help", NULL, NULL);
        CLEANUP(http_answer_free) struct http_answer answer = { 0 };
        assert_true(fleet_ask(&stage->fleet, client, &envelope, help, &answer));
        assert_true(str_starts_with(buf_view(&answer.body), STR("{\"type\":5")));
        stage->edits[i] = envelope.id;
        json_object_put(help);
    }
    http_client_free(client);
}

static void assert_edits_arrive(struct stage *stage)
{
    for (int i = 0; i < EDITS; i++)
        assert_true(
            rest_server_wait_edits(stage->fleet.discord, stage->edits[i], 1, FLEET_PATIENCE_MS));
}

/* --- Follow-ups: rows as a command stores them --- */

static void store_follow_up(struct stage *stage, int64_t interaction_id, int64_t owner)
{
    unsigned char server_key[SERVER_KEY_BYTES], key[SERVER_KEY_BYTES];
    char token[REST_SERVER_TOKEN_SIZE];
    CLEANUP(buf_free) struct buf sealed = { 0 };
    interaction_token(interaction_id, token, sizeof(token));
    const struct outbox_content content = { .token = str_from(token),
                                            .json = STR(A_MESSAGE),
                                            .method = OUTBOX_FOLLOW_UP };
    const struct outbox_record record = {
        .id = interaction_id,
        .kind = OUTBOX_KIND_FOLLOW_UP,
        .interaction_id = interaction_id,
        .application_id = HARNESS_APPLICATION_ID,
        .guild_id = 500,
        .request_id = REQUEST_ID,
        .is_final = true,
        .expires_at_ms = outbox_token_end_ms(interaction_id),
    };
    assert_int_equal(server_key_load(stage->database.db, "", server_key, NULL), 0);
    outbox_key_derive(key, server_key);
    assert_int_equal(outbox_content_seal(key, &content, &sealed, NULL), 0);
    struct db_statement store = outbox_store_post(&record, buf_view(&sealed), owner,
                                                  harness_bot_now_ms(&stage->fleet.bots[LEAVING]));
    assert_int_equal(db_query(stage->database.db, &store, NULL, NULL), 0);
}

/* To interactions that Discord knows as answered. */
static void store_follow_ups(struct stage *stage, int64_t ids[FOLLOW_UPS], int64_t owner)
{
    for (int i = 0; i < FOLLOW_UPS; i++) {
        ids[i] = new_interaction(stage);
        const struct rest_interaction asked = {
            .id = ids[i], .type = 2, .channel_id = 501, .person = alice, .command_name = "help"
        };
        rest_server_ask(stage->fleet.discord, &asked);
        rest_server_answered(stage->fleet.discord, ids[i],
                             STR("{\"type\":4,\"data\":" A_MESSAGE "}"));
        store_follow_up(stage, ids[i], owner);
    }
}

static void call_processes(struct stage *stage)
{
    struct db_statement call;
    assert_true(outbox_store_call(stage->database.db, 0, &call));
    assert_int_equal(db_query(stage->database.db, &call, NULL, NULL), 0);
}

static int posts_of(struct stage *stage, int64_t interaction_id)
{
    int posts = 0;
    struct rest_arrival arrival;
    for (size_t i = 0; rest_server_arrival(stage->fleet.discord, i, &arrival); i++)
        posts += arrival.route == ROUTE_FOLLOW_UP && arrival.interaction_id == interaction_id;
    return posts;
}

static void wait_for_post(struct stage *stage, int64_t interaction_id)
{
    for (int i = 0; i < LOOKS_MAX && posts_of(stage, interaction_id) == 0; i++)
        look_again();
    assert_int_equal(posts_of(stage, interaction_id), 1);
}

static int64_t instance_of(struct stage *stage, int bot)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement find = { .sql = "SELECT id FROM instance WHERE process_id = $1",
                                       .parameters = { DB_INT(stage->fleet.bots[bot].pid) },
                                       .parameter_count = 1,
                                       .expect = DB_ONE_ROW };
    assert_int_equal(db_query(stage->database.db, &find, &rows, NULL), 0);
    return db_rows_int(rows, 0, 0);
}

/* --- Tests --- */

/* The survivor's clock goes on, so that nobody waits for the lease to end. */
static void what_a_killed_process_had_the_other_sends_once(void **state)
{
    (void)state;
    static struct stage stage;
    int64_t begun[FOLLOW_UPS], waiting[FOLLOW_UPS];
    open_stage(&stage);
    refuse_edits(&stage);
    stall_follow_ups(&stage);
    ask_for_help(&stage);
    store_follow_ups(&stage, begun, NOBODY);
    call_processes(&stage);
    wait_until_number_is(&stage, "SELECT COUNT(*) FROM outbox WHERE is_started = 1", FOLLOW_UPS);
    for (int i = 0; i < FOLLOW_UPS; i++)
        wait_for_post(&stage, begun[i]);
    store_follow_ups(&stage, waiting, instance_of(&stage, LEAVING));
    fleet_launch(&stage.fleet, STAYING);
    fleet_kill(&stage.fleet, LEAVING);
    rest_server_clear_faults(stage.fleet.discord);
    harness_bot_shift(&stage.fleet.bots[STAYING], JOURNAL_LEASE_MS);
    assert_edits_arrive(&stage);
    wait_until_number_is(&stage, "SELECT COUNT(*) FROM outbox WHERE state IN ('queued', 'leased')",
                         0);
    assert_int_equal(number(&stage, "SELECT COUNT(*) FROM outbox WHERE state = 'done'"),
                     EDITS + FOLLOW_UPS);
    assert_int_equal(number(&stage, "SELECT COUNT(*) FROM outbox WHERE reason = 'uncertain'"),
                     FOLLOW_UPS);
    for (int i = 0; i < FOLLOW_UPS; i++) {
        assert_int_equal(posts_of(&stage, begun[i]), 1);
        assert_int_equal(posts_of(&stage, waiting[i]), 1);
        assert_int_equal(rest_server_follow_ups(stage.fleet.discord, waiting[i]), 1);
    }
    fleet_assert_no_violation(&stage.fleet);
    close_stage(&stage);
}

static int64_t calls_heard(struct stage *stage)
{
    return fleet_metric(&stage->fleet, STAYING, "bronxbot_db_calls_heard_total");
}

static void what_a_leaving_process_had_the_other_sends_when_it_is_called(void **state)
{
    (void)state;
    static struct stage stage;
    open_stage(&stage);
    fleet_launch(&stage.fleet, STAYING);
    refuse_edits(&stage);
    ask_for_help(&stage);
    fleet_stop(&stage.fleet, LEAVING);
    rest_server_clear_faults(stage.fleet.discord);
    assert_edits_arrive(&stage);
    assert_int_equal(fleet_metric(&stage.fleet, STAYING, "bronxbot_outbox_claimed_total"), EDITS);
    for (int i = 0; i < LOOKS_MAX && calls_heard(&stage) == 0; i++)
        look_again();
    assert_true(calls_heard(&stage) > 0);
    assert_int_equal(fleet_metric(&stage.fleet, STAYING, "bronxbot_db_hearing"), 1);
    fleet_assert_no_violation(&stage.fleet);
    close_stage(&stage);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_killed_process_had_the_other_sends_once),
        cmocka_unit_test(what_a_leaving_process_had_the_other_sends_when_it_is_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
