/* The real program answers "deferred" twenty times; whatever happens to Discord or to the program
 * then, twenty edits arrive and no rule of Discord's is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deferrals.h"

#include <signal.h>

#define EDITS 20

static void report(const char *name, struct deferrals *deferrals, const int64_t *ids)
{
    struct rest_statistics statistics;
    size_t arrived = deferrals_arrived(deferrals, ids, EDITS);
    rest_server_statistics(deferrals->discord, &statistics);
    print_message("%-44s %zu of %d edits in %zu requests\n", name, arrived, EDITS,
                  statistics.requests);
    if (arrived != EDITS) {
        CLEANUP(buf_free) struct buf tail = { 0 };
        harness_bot_log_tail(&deferrals->bot, 20, &tail);
        fail_msg("%s: %.*s", name, STR_ARGS(buf_view(&tail)));
    }
    deferrals_assert_no_violation(deferrals);
    assert_int_equal(statistics.most_at_once, 1);
}

static void every_edit_arrives_at_each_fault(void **state)
{
    (void)state;
    static const char *const faults[] = {
        "none",
        "answers delay 400ms",
        "20 edits status 404 code 10015",
        "20 edits status 429 after 300ms",
        "20 edits status 429 after 300ms shared",
        "1 edit status 429 after 1s global",
        "1 edit status 429 after 1s cloudflare",
        "20 edits status 502",
        "edits status 503 for 2s",
        "20 edits reset before effect",
        "20 edits reset after effect",
        "5 edits stall",
        "limit shared 5 in 500ms",
        "clocks ahead 7m",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        struct deferrals deferrals;
        int64_t ids[EDITS];
        deferrals_init(&deferrals, NULL);
        deferrals_fault(&deferrals, faults[i]);
        deferrals_launch(&deferrals);
        for (int n = 0; n < EDITS; n++)
            ids[n] = deferrals_ask(&deferrals);
        report(faults[i], &deferrals, ids);
        deferrals_fini(&deferrals);
    }
}

/* `is_each`: the program ends after each answer, else after the last. */
static void end_after_the_answer(const char *name, int signal_number, bool is_each,
                                 const char *fault)
{
    struct deferrals deferrals;
    int64_t ids[EDITS];
    deferrals_init(&deferrals, NULL);
    deferrals_fault(&deferrals, fault);
    deferrals_launch(&deferrals);
    for (int n = 0; n < EDITS; n++) {
        ids[n] = deferrals_ask(&deferrals);
        if (is_each || n == EDITS - 1)
            deferrals_restart(&deferrals, signal_number);
    }
    report(name, &deferrals, ids);
    deferrals_fini(&deferrals);
}

static void every_edit_arrives_when_the_program_is_asked_to_leave(void **state)
{
    (void)state;
    end_after_the_answer("SIGTERM after each answer", SIGTERM, true, "none");
    end_after_the_answer("SIGTERM after the last answer", SIGTERM, false, "none");
    end_after_the_answer("SIGTERM, Discord is away", SIGTERM, false, "edits status 502 for 2s");
}

static void every_edit_arrives_when_the_program_is_killed(void **state)
{
    (void)state;
    end_after_the_answer("SIGKILL after each answer", SIGKILL, true, "none");
    end_after_the_answer("SIGKILL after the last answer", SIGKILL, false, "none");
    end_after_the_answer("SIGKILL, Discord is away", SIGKILL, false, "edits status 502 for 2s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_edit_arrives_at_each_fault),
        cmocka_unit_test(every_edit_arrives_when_the_program_is_asked_to_leave),
        cmocka_unit_test(every_edit_arrives_when_the_program_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
