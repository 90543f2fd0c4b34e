/* A reply for one person to a command that everybody saw deferred, by the real program: either it
 * arrives and what everybody saw goes away, or that says that it may not have arrived, under an id
 * that operators find. It is never sent twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deferrals.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_NS 2000000
#define LOG_ALL 1000000 /* lines */

static const char *text_of(const struct buf *text)
{
    return text->data ? text->data : "";
}

/* /daily of somebody who has not accepted the terms is such a command. */
static int64_t ask(struct deferrals *deferrals, const char *fault)
{
    deferrals_init(deferrals, NULL);
    deferrals_fault(deferrals, fault);
    deferrals_launch(deferrals);
    return deferrals_ask_for(deferrals, "daily");
}

static void await_arrivals(struct deferrals *deferrals, size_t count)
{
    static const struct timespec pause = { .tv_nsec = LOOK_NS };
    for (int64_t left = DEFERRALS_ARRIVAL_MS * INT64_C(1000000) / LOOK_NS;
         rest_server_arrivals(deferrals->discord) < count; left--) {
        assert_true(left > 0);
        nanosleep(&pause, NULL);
    }
}

static void expect_requests(struct deferrals *deferrals, const enum rest_route *routes,
                            size_t count)
{
    assert_true(rest_server_wait_arrivals(deferrals->discord, count, DEFERRALS_ARRIVAL_MS));
    assert_int_equal(rest_server_arrivals(deferrals->discord), count);
    for (size_t i = 0; i < count; i++) {
        struct rest_arrival arrival;
        assert_true(rest_server_arrival(deferrals->discord, i, &arrival));
        assert_int_equal(arrival.route, routes[i]);
    }
}

static int run_outbox_list(struct deferrals *deferrals, struct buf *out)
{
    static const char *const arguments[] = { "outbox", "list", NULL };
    struct err err = { 0 };
    buf_clear(out);
    return harness_bot_run(&deferrals->bot, BRONXBOT_BINARY, arguments, NULL, out, &err);
}

/* Waits for it: the row follows the request. */
static void expect_dead_job(struct deferrals *deferrals, const char *reason)
{
    static const struct timespec pause = { .tv_nsec = LOOK_NS };
    CLEANUP(buf_free) struct buf list = { 0 };
    for (int64_t left = DEFERRALS_ARRIVAL_MS * INT64_C(1000000) / LOOK_NS;
         run_outbox_list(deferrals, &list) != 0 || !strstr(text_of(&list), reason); left--) {
        if (left == 0)
            fail_msg("no %s in %s", reason, text_of(&list));
        nanosleep(&pause, NULL);
    }
    assert_non_null(strstr(list.data, "dead"));
}

/* What everybody sees names an id; the log has the reason under it. */
static void expect_apology(struct deferrals *deferrals, int64_t id, const char *reason)
{
    static const char before[] = "Error id: `";
    char line[64];
    CLEANUP(buf_free) struct buf shown = { 0 };
    CLEANUP(buf_free) struct buf log = { 0 };
    assert_true(rest_server_wait_edits(deferrals->discord, id, 2, DEFERRALS_ARRIVAL_MS));
    assert_true(rest_server_original(deferrals->discord, id, &shown));
    const char *error_id = strstr(text_of(&shown), before);
    if (!error_id || !strstr(shown.data, "may not have arrived"))
        fail_msg("no apology: %s", shown.data);
    expect_dead_job(deferrals, reason);
    harness_bot_log_tail(&deferrals->bot, LOG_ALL, &log);
    snprintf(line, sizeof(line), "request=%.*s", REQUEST_ID_SIZE - 1,
             error_id + sizeof(before) - 1);
    const char *found = strstr(text_of(&log), "message given up");
    assert_non_null(found);
    assert_non_null(strstr(found, line));
}

static void end(struct deferrals *deferrals)
{
    deferrals_assert_no_violation(deferrals);
    deferrals_fini(deferrals);
}

#define EXPECT_REQUESTS(deferrals, ...)                                                            \
    expect_requests(deferrals, (const enum rest_route[]){ __VA_ARGS__ },                           \
                    sizeof((const enum rest_route[]){ __VA_ARGS__ }) / sizeof(enum rest_route))

static void it_arrives_and_what_everybody_saw_is_gone(void **state)
{
    (void)state;
    struct deferrals deferrals;
    CLEANUP(buf_free) struct buf shown = { 0 };
    int64_t id = ask(&deferrals, "none");
    EXPECT_REQUESTS(&deferrals, ROUTE_EDIT, ROUTE_FOLLOW_UP, ROUTE_DELETE);
    assert_int_equal(rest_server_follow_ups(deferrals.discord, id), 1);
    assert_false(rest_server_original(deferrals.discord, id, &shown));
    end(&deferrals);
}

static void an_answer_whose_fate_is_unknown_is_apologised_for(void **state)
{
    (void)state;
    struct deferrals deferrals;
    int64_t id = ask(&deferrals, "1 follow-up reset after effect");
    expect_apology(&deferrals, id, "uncertain");
    EXPECT_REQUESTS(&deferrals, ROUTE_EDIT, ROUTE_FOLLOW_UP, ROUTE_EDIT);
    assert_int_equal(rest_server_follow_ups(deferrals.discord, id), 1);
    end(&deferrals);
}

static void an_answer_that_is_refused_is_apologised_for(void **state)
{
    (void)state;
    struct deferrals deferrals;
    int64_t id = ask(&deferrals, "1 follow-up status 400 code 50035");
    expect_apology(&deferrals, id, "refused");
    EXPECT_REQUESTS(&deferrals, ROUTE_EDIT, ROUTE_FOLLOW_UP, ROUTE_EDIT);
    assert_int_equal(rest_server_follow_ups(deferrals.discord, id), 0);
    end(&deferrals);
}

static void an_answer_under_way_when_the_program_is_killed_is_apologised_for(void **state)
{
    (void)state;
    struct deferrals deferrals;
    int64_t id = ask(&deferrals, "1 follow-up stall");
    await_arrivals(&deferrals, 2);
    deferrals_restart(&deferrals, SIGKILL);
    expect_apology(&deferrals, id, "uncertain");
    assert_int_equal(rest_server_arrivals(deferrals.discord), 3);
    end(&deferrals);
}

/* The next process can't know that it has arrived. */
static void an_answer_that_arrived_before_the_program_is_killed_is_not_repeated(void **state)
{
    (void)state;
    struct deferrals deferrals;
    int64_t id = ask(&deferrals, "1 delete stall");
    await_arrivals(&deferrals, 3);
    deferrals_restart(&deferrals, SIGKILL);
    expect_apology(&deferrals, id, "uncertain");
    assert_int_equal(rest_server_follow_ups(deferrals.discord, id), 1);
    end(&deferrals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_arrives_and_what_everybody_saw_is_gone),
        cmocka_unit_test(an_answer_whose_fate_is_unknown_is_apologised_for),
        cmocka_unit_test(an_answer_that_is_refused_is_apologised_for),
        cmocka_unit_test(an_answer_under_way_when_the_program_is_killed_is_apologised_for),
        cmocka_unit_test(an_answer_that_arrived_before_the_program_is_killed_is_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
