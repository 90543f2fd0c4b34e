/* The router, the outbox and a database together, with a Discord of this test's: every deferred
 * command comes to one message, whoever ran it and however often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/outbox.h"

#include "core/executor.h"
#include "db/migrate.h"
#include "db_fixture.h"
#include "discord/interaction_parse.h"
#include "harness/interaction_json.h"
#include "harness/script_server.h"
#include "router/router.h"

#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#define PEOPLE   200
#define REQUESTS 4        /* remembered of each person's */
#define NEVER_MS 10000000 /* a budget nobody uses up */
#define STOP_MS  60000    /* longer than anything here takes */
#define SECRET_KEY                                                                                 \
    {                                                                                              \
        9                                                                                          \
    }

/* What Discord got for one person's interaction. */
struct told {
    char methods[REQUESTS + 1]; /* their first letters: "P" for PATCH, "p" for POST, "D" */
    int count;
    struct buf last; /* body, of those that have one */
};

static struct stage {
    struct db_fixture base;
    struct services services;
    struct owner_ids owners;
    struct script_server *discord;
    struct executor *executor;
    struct router *router;
    struct told told[PEOPLE];
    struct log_sink *log;
    sem_t is_held, may_reply;
    bool is_waiting; /* slow handlers wait for may_reply */
    int awaited;     /* people who are to hear something */
    bool is_wrong;   /* a request for nobody, or one too many */
} stage;

/* --- Commands ----------------------------------------------------------------------------------
 */

static int run_slow(struct call *call, struct err *err)
{
    (void)err;
    sem_post(&stage.is_held);
    if (stage.is_waiting)
        sem_wait(&stage.may_reply);
    reply_text(call->reply, "effect %" PRId64, call->effect_id);
    return 0;
}

static int run_shy(struct call *call, struct err *err)
{
    (void)err;
    return call_refuse(call, "Not for everybody's eyes.");
}

static int run_form(struct call *call, struct err *err)
{
    (void)err;
    reply_modal(call->reply, STR("form:0:0:x"), STR("Form"));
    reply_text(call->reply, "form");
    return 0;
}

static int run_more(struct call *call, struct err *err)
{
    struct reply *more = reply_new(call->arena, call->interaction);
    const struct outbox_target target = outbox_target_of(call);
    if (!more)
        return err_set(err, ERR_MEMORY, "a follow-up");
    reply_text(more, "and more");
    reply_text(call->reply, "first this");
    return outbox_followup(call->services->outbox, &target, more, err);
}

static const struct command slow = { .name = "slow", .description = "d", .run = run_slow };
static const struct command known = {
    .name = "known", .description = "d", .run = run_slow, .has_deferral = true
};
static const struct command shy = {
    .name = "shy", .description = "d", .run = run_shy, .has_deferral = true
};
static const struct command form = {
    .name = "form", .description = "d", .run = run_form, .modal = run_slow, .has_deferral = true
};
static const struct command more = { .name = "more", .description = "d", .run = run_more };
static const struct command late_more = {
    .name = "latemore", .description = "d", .run = run_more, .has_deferral = true
};
static const struct command *const commands[] = { &slow, &known,     &shy, &form,
                                                  &more, &late_more, NULL };

/* --- Discord -----------------------------------------------------------------------------------
 */

/* /api/webhooks/1/person-N and what follows; a POST has a query instead. */
static int person_of(struct str_view path)
{
    static const struct str_view before = STR("/api/webhooks/1/person-");
    int person = 0;
    if (!str_starts_with(path, before))
        return PEOPLE;
    for (size_t i = before.length; i < path.length && path.data[i] >= '0' && path.data[i] <= '9';
         i++)
        person = person * 10 + (path.data[i] - '0');
    return person;
}

static void take_request(void *context, const struct script_request *request,
                         struct script_answer *answer)
{
    (void)context;
    int person = person_of(request->path);
    if (person >= PEOPLE || stage.told[person].count == REQUESTS) {
        stage.is_wrong = true;
        answer->status = 400;
        return;
    }
    struct told *told = &stage.told[person];
    bool is_post = str_equal(request->method, STR("POST"));
    told->methods[told->count++] = is_post ? 'p' : request->method.data[0];
    if (request->body.length > 0) {
        buf_clear(&told->last);
        buf_append(&told->last, request->body);
    }
    buf_append(&answer->body, STR("{\"id\":\"1\"}"));
}

/* --- A process: its start and its end ----------------------------------------------------------
 */

static int ask_nobody(struct call *call, struct err *err)
{
    (void)call;
    (void)err;
    return 0;
}

static void start_process(int threads, int queue, int64_t defer_after_ms, bool has_runs)
{
    struct err err = { 0 };
    const struct clock *clock = &stage.base.clock.clock;
    stage.services = (struct services){ .db = stage.base.db, .clock = clock, .commands = commands };
    const struct outbox_settings outbox = { .db = stage.base.db,
                                            .api_url = script_server_url(stage.discord),
                                            .role = "test",
                                            .key = SECRET_KEY,
                                            .clock = clock,
                                            .metrics = stage.base.metrics,
                                            .log = stage.log };
    const struct executor_settings executor = {
        .threads_min = threads, .threads_max = threads, .queue_max = queue, .clock = clock
    };
    if (outbox_new(&stage.services.outbox, &outbox, &err) != 0 ||
        executor_new(&stage.executor, &executor, &err) != 0)
        fail_msg("%s", err.message);
    const struct router_settings router = { .commands = commands,
                                            .ask_for_terms = ask_nobody,
                                            .services = &stage.services,
                                            .owners = &stage.owners,
                                            .executor = stage.executor,
                                            .defer_after_ms = defer_after_ms,
                                            .log = stage.log };
    assert_int_equal(router_new(&stage.router, &router, &err), 0);
    if (has_runs)
        outbox_open_runs(stage.services.outbox, router_run, stage.router);
}

/* What is due is sent. */
static void end_process(void)
{
    outbox_close_runs(stage.services.outbox);
    executor_free(stage.executor);
    router_free(stage.router);
    outbox_free(stage.services.outbox, STOP_MS);
    assert_false(stage.is_wrong);
}

static int begin(void **state)
{
    struct migration_result migrated;
    (void)state;
    stage = (struct stage){ 0 };
    sem_init(&stage.is_held, 0, 0);
    sem_init(&stage.may_reply, 0, 0);
    db_fixture_init(&stage.base);
    stage.log = stage.base.log;
    if (db_open(&stage.base.db, &stage.base.settings, NULL) != 0 ||
        db_migrate(stage.base.db, built_in_migrations, 1, &migrated, NULL) != 0)
        return 1;
    stage.discord = script_server_start(0, take_request, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    script_server_stop(stage.discord);
    for (int i = 0; i < PEOPLE; i++)
        buf_free(&stage.told[i].last);
    db_fixture_fini(&stage.base);
    sem_destroy(&stage.is_held);
    sem_destroy(&stage.may_reply);
    return 0;
}

/* --- What people do ----------------------------------------------------------------------------
 */

struct waiter {
    sem_t has_answer;
    struct router_answer answer;
};

static void on_answer(void *context, struct router_answer *answer)
{
    struct waiter *waiter = context;
    waiter->answer = *answer;
    sem_post(&waiter->has_answer);
}

static void ask(struct waiter *waiter, int person, int64_t id, const char *name)
{
    struct interaction *interaction = NULL;
    CLEANUP(buf_free) struct buf json = { 0 };
    struct err err = { 0 };
    buf_append_format(&json,
                      "{\"id\":\"%" PRId64 "\",\"application_id\":\"1\",\"type\":2,\"token\":"
                      "\"person-%d\",\"user\":{\"id\":\"7\",\"username\":\"alice\"},"
                      "\"data\":{\"id\":\"9\",\"name\":\"%s\",\"type\":1}}",
                      id, person, name);
    if (interaction_parse(buf_view(&json), &interaction, &err) != 0)
        fail_msg("%s", err.message);
    *waiter = (struct waiter){ 0 };
    sem_init(&waiter->has_answer, 0, 0);
    router_dispatch(stage.router, interaction, "abcdefghijk", on_answer, waiter);
}

/* The answer arrives at Discord. */
static void hear(struct waiter *waiter, const char *expected)
{
    sem_wait(&waiter->has_answer);
    if (!str_starts_with(buf_view(&waiter->answer.body), str_from(expected)))
        fail_msg("expected %s, got %s", expected, waiter->answer.body.data);
    if (waiter->answer.sent)
        waiter->answer.sent(waiter->answer.ticket, true);
    buf_free(&waiter->answer.body);
    sem_destroy(&waiter->has_answer);
}

static int64_t new_id(unsigned sequence)
{
    return snowflake_at(clock_wall_ms(&stage.base.clock.clock), sequence);
}

static bool all_were_told(void *context)
{
    (void)context;
    for (int i = 0; i < stage.awaited; i++)
        if (stage.told[i].count == 0)
            return false;
    return true;
}

static void await(int people)
{
    stage.awaited = people;
    script_server_wait(stage.discord, all_were_told);
}

/* --- Tests -------------------------------------------------------------------------------------
 */

static void a_crowd_that_finds_no_thread_is_deferred_and_edited(void **state)
{
    static struct waiter waiters[PEOPLE];
    struct waiter taken[2];
    int people = PEOPLE - 2;
    (void)state;
    stage.is_waiting = true;
    start_process(1, 1, NEVER_MS, true);
    ask(&taken[0], PEOPLE - 1, new_id(PEOPLE - 1), "slow");
    sem_wait(&stage.is_held);
    ask(&taken[1], PEOPLE - 2, new_id(PEOPLE - 2), "slow");
    for (int i = 0; i < people; i++)
        ask(&waiters[i], i, new_id((unsigned)i), "slow");
    for (int i = 0; i < people; i++)
        hear(&waiters[i], "{\"type\":5}");
    for (int i = 0; i < PEOPLE; i++)
        sem_post(&stage.may_reply);
    hear(&taken[0], "{\"type\":4,");
    hear(&taken[1], "{\"type\":4,");
    await(people);
    end_process();
    for (int i = 0; i < people; i++)
        assert_string_equal(stage.told[i].methods, "P");
}

static void a_request_repeated_while_the_first_runs_has_one_edit(void **state)
{
    struct waiter first, second;
    (void)state;
    stage.is_waiting = true;
    start_process(2, 8, NEVER_MS, true);
    int64_t id = new_id(0);
    ask(&first, 0, id, "known");
    ask(&second, 0, id, "known");
    hear(&first, "{\"type\":5}");
    hear(&second, "{\"type\":5}");
    sem_post(&stage.may_reply);
    sem_post(&stage.may_reply);
    await(1);
    end_process();
    assert_string_equal(stage.told[0].methods, "P");
}

/* The first process stores the run and ends before anybody has run it. */
static void a_run_comes_to_the_same_after_a_restart(void **state)
{
    struct waiter waiter, taken[2];
    CLEANUP(buf_free) struct buf expected = { 0 };
    (void)state;
    stage.is_waiting = true;
    start_process(1, 1, NEVER_MS, false);
    ask(&taken[0], 2, new_id(2), "slow");
    sem_wait(&stage.is_held);
    ask(&taken[1], 3, new_id(3), "slow");
    int64_t id = new_id(0);
    ask(&waiter, 0, id, "known");
    hear(&waiter, "{\"type\":5}");
    sem_post(&stage.may_reply);
    sem_post(&stage.may_reply);
    hear(&taken[0], "{\"type\":4,");
    hear(&taken[1], "{\"type\":4,");
    end_process();
    assert_int_equal(stage.told[0].count, 0);

    stage.is_waiting = false;
    start_process(2, 8, NEVER_MS, true);
    await(1);
    end_process();
    buf_append(&expected, buf_view(&stage.told[0].last));
    /* Without the row it is a new interaction, which is run by whoever it was sent to. */
    assert_int_equal(db_fixture_run(stage.base.db, "DELETE FROM outbox WHERE kind = 'run'"), 0);
    start_process(2, 8, NEVER_MS, true);
    ask(&waiter, 0, id, "known");
    hear(&waiter, "{\"type\":5}");
    end_process();
    assert_string_equal(stage.told[0].methods, "PP");
    assert_true(str_equal(buf_view(&expected), buf_view(&stage.told[0].last)));
}

static void what_is_private_takes_the_place_of_a_public_deferral(void **state)
{
    static const char *const names[] = { "shy", "form" };
    static const char *const said[] = { "everybody's eyes", "Getting this form ready" };
    struct waiter waiter;
    (void)state;
    start_process(2, 8, NEVER_MS, true);
    for (int i = 0; i < 2; i++) {
        ask(&waiter, i, new_id((unsigned)i), names[i]);
        hear(&waiter, "{\"type\":5}");
    }
    end_process();
    for (int i = 0; i < 2; i++) {
        assert_string_equal(stage.told[i].methods, "PpD");
        assert_non_null(strstr(stage.told[i].last.data, said[i]));
        assert_non_null(strstr(stage.told[i].last.data, "\"flags\":32832"));
    }
}

static void messages_of_a_call_follow_its_answer(void **state)
{
    struct waiter waiter;
    (void)state;
    start_process(2, 8, NEVER_MS, true);
    ask(&waiter, 0, new_id(0), "more");
    hear(&waiter, "{\"type\":4,");
    ask(&waiter, 1, new_id(1), "latemore");
    hear(&waiter, "{\"type\":5}");
    end_process();
    assert_string_equal(stage.told[0].methods, "p");
    assert_string_equal(stage.told[1].methods, "Pp");
    assert_non_null(strstr(stage.told[1].last.data, "and more"));
}

#define RUN_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_TEST(a_crowd_that_finds_no_thread_is_deferred_and_edited),
        RUN_TEST(a_request_repeated_while_the_first_runs_has_one_edit),
        RUN_TEST(a_run_comes_to_the_same_after_a_restart),
        RUN_TEST(what_is_private_takes_the_place_of_a_public_deferral),
        RUN_TEST(messages_of_a_call_follow_its_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
