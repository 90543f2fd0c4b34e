/* The outbox without memory: every allocation of its start, of a deferral's life, of an author's
 * edit and of a message to a channel fails in turn, in whichever thread it falls. Whoever was told
 * that something is stored finds its row afterwards; nothing is left in memory. Discord can't be
 * reached here: what is stored stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fault_loop.h"
#include "harness/bot_process.h"
#include "sender_fixture.h"

#include <sodium.h>
#include <stdio.h>

#define CHANNEL 9

static struct sender_fixture fixture;
static char url[64];
static int64_t rows; /* that were there after the last attempt */
static int token;    /* each attempt has one of its own for each message */

static int start_outbox(void)
{
    const struct outbox_settings settings = { .db = fixture.base.db,
                                              .api_url = url,
                                              .role = "test",
                                              .key = { 7 },
                                              .clock = &fixture.base.clock.clock,
                                              .metrics = fixture.base.metrics,
                                              .log = fixture.log };
    return outbox_new_with_rules(&fixture.outbox, &settings, &fixture.rules, NULL);
}

static int told(void)
{
    int count = 0;
    for (int i = 0; i <= OUTBOX_NOT_STORED; i++)
        count += atomic_load(&fixture.told[i]);
    return count;
}

static int edit(int of_token)
{
    static const struct interaction interaction = { .type = INTERACTION_COMMAND };
    char name[16];
    CLEANUP(arena_free) struct arena arena = { 0 };
    const struct outbox_target target = target_of_token(&fixture, of_token, name);
    struct reply *reply = reply_new(&arena, &interaction);
    if (!reply)
        return ERR_MEMORY;
    reply_text(reply, "text");
    return outbox_edit_final(fixture.outbox, &target, reply, NULL);
}

static int tell_channel(int of_token)
{
    static const struct interaction interaction = { .type = INTERACTION_COMMAND };
    char name[16];
    CLEANUP(arena_free) struct arena arena = { 0 };
    const struct outbox_target cause = target_of_token(&fixture, of_token, name);
    struct db_statement statement;
    struct reply *reply = reply_new(&arena, &interaction);
    if (!reply)
        return ERR_MEMORY;
    reply_text(reply, "text");
    int result = outbox_stage_channel_message(fixture.outbox, &cause, CHANNEL, reply, &arena,
                                              &statement, NULL);
    if (result == 0)
        result = db_atomic(fixture.base.db, &statement, 1, NULL, NULL);
    if (result == 0)
        outbox_hand_over(fixture.outbox, cause.interaction_id);
    return result;
}

/* False: it can't even start. */
static bool attempt(void)
{
    int told_before = told();
    int stored_before = atomic_load(&fixture.told[OUTBOX_STORED]);
    token += 3;
    if (start_outbox() != 0)
        return false;
    send_reply(&fixture, token, OUTBOX_EDIT, "{}");
    bool is_edit_stored = edit(token + 1) == 0;
    bool is_channel_told = tell_channel(token + 2) == 0;
    outbox_free(STEAL(fixture.outbox), 0);
    bool had_fault = faults_disarm();
    assert_int_equal(told(), told_before + 1);
    int stored = atomic_load(&fixture.told[OUTBOX_STORED]) - stored_before + is_edit_stored +
                 is_channel_told;
    int64_t now_there = ROWS_WHERE(&fixture, "1 = 1");
    assert_true(now_there >= rows + stored);
    rows = now_there;
    assert_int_equal(metrics_read(fixture.base.metrics, METRIC_OUTBOX_WAITING, 0), 0);
    return !had_fault;
}

static void what_was_said_to_be_stored_is_there_without_memory(void **state)
{
    (void)state;
    assert_true(attempt()); /* also makes what libraries keep for ever */
    for (int is_lasting = 0; is_lasting < 2; is_lasting++) {
        int64_t count = 0;
        for (int64_t nth = 1;; nth = fault_next_of_many(nth)) {
            faults_arm(FAULT_ALLOCATION, nth, is_lasting);
            bool was_whole = attempt();
            faults_disarm();
            if (was_whole)
                break;
            count++;
        }
        print_message("outbox: %lld faults%s\n", (long long)count, is_lasting ? ", lasting" : "");
        assert_true(count > 0);
    }
    assert_true(attempt());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_said_to_be_stored_is_there_without_memory),
    };
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return 1;
    sender_begin(&fixture, no_fault);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/api", harness_free_port());
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    sender_end(&fixture);
    curl_global_cleanup();
    return failures;
}
