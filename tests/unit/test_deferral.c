/* Deferred answers: what is slow, or finds no thread, is stored before Discord hears "deferred", by
 * the right callback type; its reply reaches the outbox as the right kind of message; and a stored
 * run that is run again comes to the same. The outbox is a fake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/system_clock.h"
#include "discord/interaction_parse.h"
#include "fake_outbox.h"
#include "router/router.h"

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

/* What the handlers of the running test share with it. */
static struct stage {
    sem_t may_reply; /* the slow handler waits for it */
    sem_t is_held;   /* it has begun to */
    struct outbox outbox;
} stage;

/* --- Commands whose handlers do what their names say -------------------------------------------
 */

static int run_quick(struct call *call, struct err *err)
{
    (void)err;
    reply_text(call->reply, "quick");
    return 0;
}

static int run_slow(struct call *call, struct err *err)
{
    (void)err;
    sem_post(&stage.is_held);
    sem_wait(&stage.may_reply);
    reply_text(call->reply, "slow");
    return 0;
}

static int run_slow_private(struct call *call, struct err *err)
{
    reply_ephemeral(call->reply);
    return run_slow(call, err);
}

static int run_slow_update(struct call *call, struct err *err)
{
    reply_update(call->reply);
    return run_slow(call, err);
}

static int run_slow_modal(struct call *call, struct err *err)
{
    (void)err;
    sem_wait(&stage.may_reply);
    reply_modal(call->reply, STR("late:1:0:x"), STR("Late"));
    reply_text(call->reply, "form");
    return 0;
}

/* As the outbox's functions for authors do. */
static int run_with_messages(struct call *call, struct err *err)
{
    (void)err;
    reply_text(call->reply, "and more");
    call->has_messages = true;
    return 0;
}

static int run_slow_with_messages(struct call *call, struct err *err)
{
    sem_wait(&stage.may_reply);
    return run_with_messages(call, err);
}

static int suggest_quickly(struct call *call, struct err *err)
{
    (void)err;
    reply_suggest(call->reply, STR("a"), STR("a"));
    return 0;
}

static int run_failing(struct call *call, struct err *err)
{
    (void)call;
    sem_wait(&stage.may_reply);
    return err_set(err, ERR_INTERNAL, "on purpose");
}

static int run_file(struct call *call, struct err *err)
{
    (void)err;
    reply_ephemeral(call->reply);
    reply_text(call->reply, "here it is");
    reply_file(call->reply, STR("data.json"), STR("{}"));
    return 0;
}

static const struct option typed[] = {
    { .name = "word", .description = "d", .type = OPTION_STRING, .has_autocomplete = true },
    { .name = NULL }
};
static const struct command quick = { .name = "quick",
                                      .description = "d",
                                      .options = typed,
                                      .run = run_quick,
                                      .autocomplete = suggest_quickly };
static const struct command slow = {
    .name = "slow", .description = "d", .run = run_slow, .is_reposted = true
};
static const struct command shy = { .name = "shy", .description = "d", .run = run_slow_private };
static const struct command chatty = { .name = "chatty",
                                       .description = "d",
                                       .run = run_with_messages };
static const struct command drawl = { .name = "drawl",
                                      .description = "d",
                                      .run = run_slow_with_messages };
static const struct command hush = {
    .name = "hush", .description = "d", .run = run_slow_private, .is_ephemeral = true
};
static const struct command failing = { .name = "failing", .description = "d", .run = run_failing };
static const struct command late = {
    .name = "late", .description = "d", .run = run_slow_modal, .component = run_slow_modal
};
static const struct command known = {
    .name = "known", .description = "d", .run = run_slow, .has_deferral = true
};
static const struct command file = { .name = "file", .description = "d", .run = run_file };
static const struct command update = {
    .name = "update", .description = "d", .run = run_quick, .component = run_slow_update
};
static const struct command notice = {
    .name = "notice", .description = "d", .run = run_quick, .component = run_slow_private
};

static const struct command *const commands[] = { &quick,   &slow,   &shy,   &chatty, &drawl,
                                                  &hush,    &late,   &known, &file,   &update,
                                                  &failing, &notice, NULL };

/* --- The router and whoever waits for its answers ----------------------------------------------
 */

struct fixture {
    struct system_clock clock;
    struct services services;
    struct owner_ids owners;
    struct executor *executor;
    struct router *router;
};

/* One waiting HTTP request. */
struct waiter {
    sem_t has_answer;
    struct router_answer answer;
};

static int ask_nobody(struct call *call, struct err *err)
{
    (void)call;
    (void)err;
    return 0;
}

static int open_with(void **state, int threads_max, int queue_max, int64_t defer_after_ms)
{
    static struct fixture fixture;
    fixture = (struct fixture){ 0 };
    sem_init(&stage.may_reply, 0, 0);
    sem_init(&stage.is_held, 0, 0);
    fake_outbox_init(&stage.outbox);
    *state = &fixture;
    if (system_clock_init(&fixture.clock, NULL, NULL) != 0)
        return 1;
    fixture.services = (struct services){ .clock = &fixture.clock.clock,
                                          .commands = commands,
                                          .outbox = &stage.outbox };
    const struct executor_settings threads = { .threads_min = 1,
                                               .threads_max = threads_max,
                                               .queue_max = queue_max,
                                               .clock = &fixture.clock.clock };
    if (executor_new(&fixture.executor, &threads, NULL) != 0)
        return 1;
    const struct router_settings settings = { .commands = commands,
                                              .ask_for_terms = ask_nobody,
                                              .services = &fixture.services,
                                              .owners = &fixture.owners,
                                              .executor = fixture.executor,
                                              .defer_after_ms = defer_after_ms };
    return router_new(&fixture.router, &settings, NULL);
}

#define NEVER_MS 1000000 /* a budget that nobody uses up, however slow the machine */

/* For handlers that wait, so that their budget is used up. */
static int open_fixture(void **state)
{
    return open_with(state, 64, 1000, 60);
}

/* For handlers whose own reply is the answer. */
static int open_patient(void **state)
{
    return open_with(state, 64, 1000, NEVER_MS);
}

static int open_without_budget(void **state)
{
    return open_with(state, 64, 1000, 0);
}

/* One thread, one place behind it, and more patience than any test has. */
static int open_small(void **state)
{
    return open_with(state, 1, 1, NEVER_MS);
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    executor_free(fixture->executor);
    router_free(fixture->router);
    fake_outbox_fini(&stage.outbox);
    sem_destroy(&stage.may_reply);
    sem_destroy(&stage.is_held);
    system_clock_fini(&fixture->clock);
    return 0;
}

/* All handlers have ended. */
static void finish_handlers(struct fixture *fixture)
{
    executor_free(fixture->executor);
    fixture->executor = NULL;
}

static void on_answer(void *context, struct router_answer *answer)
{
    struct waiter *waiter = context;
    waiter->answer = *answer;
    sem_post(&waiter->has_answer);
}

static void ask(struct fixture *fixture, struct waiter *waiter, const char *body)
{
    struct interaction *interaction = NULL;
    struct err err = { 0 };
    if (interaction_parse(str_from(body), &interaction, &err) != 0)
        fail_msg("%s", err.message);
    *waiter = (struct waiter){ 0 };
    sem_init(&waiter->has_answer, 0, 0);
    router_dispatch(fixture->router, interaction, "abcdefghijk", on_answer, waiter);
}

#define COMMAND(name)                                                                              \
    "{\"id\":\"5\",\"application_id\":\"1\",\"type\":2,\"token\":\"token-1\",\"user\":{\"id\":"    \
    "\"7\",\"username\":\"alice\"},\"data\":{\"id\":\"9\",\"name\":\"" name "\",\"type\":1}}"

#define COMMAND_IN(name, locale, guild_locale)                                                     \
    "{\"id\":\"5\",\"application_id\":\"1\",\"type\":2,\"token\":\"token-1\",\"user\":{\"id\":"    \
    "\"7\",\"username\":\"alice\"},\"locale\":\"" locale "\",\"guild_locale\":\"" guild_locale     \
    "\",\"data\":{\"id\":\"9\",\"name\":\"" name "\",\"type\":1}}"

#define CLICK(custom_id)                                                                           \
    "{\"id\":\"5\",\"application_id\":\"1\",\"type\":3,\"token\":\"token-1\",\"user\":{\"id\":"    \
    "\"7\",\"username\":\"alice\"},\"data\":{\"custom_id\":\"" custom_id                           \
    "\",\"component_type\":2},\"message\":{\"id\":\"8\",\"channel_id\":\"3\",\"author\":{\"id\":"  \
    "\"1\",\"username\":\"bot\"},\"content\":\"\"}}"

#define TYPED(name)                                                                                \
    "{\"id\":\"5\",\"application_id\":\"1\",\"type\":4,\"token\":\"token-1\",\"user\":{\"id\":"    \
    "\"7\",\"username\":\"alice\"},\"data\":{\"id\":\"9\",\"name\":\"" name                        \
    "\",\"type\":1,\"options\":[{\"type\":3,\"name\":\"word\",\"value\":\"a\",\"focused\":true}]}" \
    "}"

static void expect_answer(struct waiter *waiter, const char *expected)
{
    sem_wait(&waiter->has_answer);
    if (!strstr(waiter->answer.body.data, expected))
        fail_msg("expected %s in %s", expected, waiter->answer.body.data);
    buf_free(&waiter->answer.body);
    sem_destroy(&waiter->has_answer);
}

static void written_out(struct waiter *waiter, bool is_complete)
{
    assert_non_null(waiter->answer.sent);
    waiter->answer.sent(waiter->answer.ticket, is_complete);
}

static bool contains(struct str_view text, const char *expected)
{
    return memmem(text.data, text.length, expected, strlen(expected)) != NULL;
}

static const struct outbox_message *expect_sent(enum outbox_method method, const char *expected)
{
    sem_wait(&stage.outbox.has_sent);
    const struct outbox_message *sent = &stage.outbox.sent->reply;
    assert_int_equal(sent->method, method);
    if (!contains(sent->body, expected))
        fail_msg("expected %s in %.*s", expected, STR_ARGS(sent->body));
    return sent;
}

/* The next run that was deferred; runs are in the order of their deferral. */
static struct outbox_deferred *next_run(int number)
{
    sem_wait(&stage.outbox.has_run);
    return &stage.outbox.runs[number];
}

static void a_quick_handler_answers_by_itself(void **state)
{
    struct fixture *fixture = *state;
    struct waiter waiter;
    ask(fixture, &waiter, COMMAND("quick"));
    expect_answer(&waiter, "{\"type\":4,");
    assert_null(waiter.answer.sent);
    finish_handlers(fixture);
    assert_int_equal(stage.outbox.run_count, 0);
    assert_int_equal(stage.outbox.handed_over, 0);
}

static void a_slow_command_is_deferred_and_edited(void **state)
{
    struct waiter waiter;
    ask(*state, &waiter, COMMAND("slow"));
    expect_answer(&waiter, "{\"type\":5}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    assert_true(expect_sent(OUTBOX_EDIT, "slow")->is_reposted);
    assert_int_equal(stage.outbox.runs[0].mode, OUTBOX_RUNS_HERE);
    assert_true(str_equal(buf_view(&stage.outbox.runs[0].json), STR(COMMAND("slow"))));
}

static void a_run_is_stored_before_its_answer(void **state)
{
    struct waiter waiter;
    stage.outbox.is_holding = true;
    ask(*state, &waiter, COMMAND("slow"));
    struct outbox_deferred *run = next_run(0);
    assert_int_not_equal(sem_trywait(&waiter.has_answer), 0);
    fake_outbox_store(run);
    expect_answer(&waiter, "{\"type\":5}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    expect_sent(OUTBOX_EDIT, "slow");
}

static void a_handler_may_end_before_its_run_is_stored(void **state)
{
    struct fixture *fixture = *state;
    struct waiter waiter;
    stage.outbox.is_holding = true;
    ask(fixture, &waiter, COMMAND("file"));
    struct outbox_deferred *run = next_run(0);
    finish_handlers(fixture);
    assert_int_not_equal(sem_trywait(&waiter.has_answer), 0);
    fake_outbox_store(run);
    expect_answer(&waiter, "{\"type\":5,\"data\":{\"flags\":64}}");
    assert_int_equal(stage.outbox.sent_count, 0);
    written_out(&waiter, true);
    expect_sent(OUTBOX_EDIT, "here it is");
}

static void a_run_that_is_stored_late_is_deferred_all_the_same(void **state)
{
    struct waiter waiter;
    stage.outbox.stores = OUTBOX_LATE;
    ask(*state, &waiter, COMMAND("slow"));
    expect_answer(&waiter, "{\"type\":5}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    expect_sent(OUTBOX_EDIT, "slow");
}

static void of_a_repeated_request_the_first_ones_reply_is_sent(void **state)
{
    struct fixture *fixture = *state;
    struct waiter first, second;
    ask(fixture, &first, COMMAND("slow"));
    expect_answer(&first, "{\"type\":5}");
    stage.outbox.stores = OUTBOX_DUPLICATE;
    ask(fixture, &second, COMMAND("slow"));
    expect_answer(&second, "{\"type\":5}");
    written_out(&first, false);
    written_out(&second, true);
    sem_post(&stage.may_reply);
    sem_post(&stage.may_reply);
    finish_handlers(fixture);
    fake_outbox_await_ends(&stage.outbox);
    assert_int_equal(stage.outbox.sent_count, 1);
    assert_true(stage.outbox.runs[1].is_answered && stage.outbox.runs[1].has_finished);
}

static void a_run_that_can_not_be_stored_is_answered_with_a_sentence(void **state)
{
    struct waiter waiter;
    stage.outbox.stores = OUTBOX_NOT_STORED;
    ask(*state, &waiter, COMMAND("slow"));
    expect_answer(&waiter, "{\"type\":4,\"data\":{\"flags\":32832,");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
}

static void the_edit_waits_until_the_answer_was_written_out(void **state)
{
    struct fixture *fixture = *state;
    struct waiter waiter;
    ask(fixture, &waiter, COMMAND("slow"));
    expect_answer(&waiter, "{\"type\":5}");
    sem_post(&stage.may_reply);
    finish_handlers(fixture);
    assert_int_equal(stage.outbox.sent_count, 0);
    written_out(&waiter, true);
    expect_sent(OUTBOX_EDIT, "slow");
}

/* Another instance may have answered the same interaction. */
static void an_answer_that_reached_nobody_has_its_edit_all_the_same(void **state)
{
    struct waiter waiter;
    ask(*state, &waiter, COMMAND("slow"));
    expect_answer(&waiter, "{\"type\":5}");
    written_out(&waiter, false);
    sem_post(&stage.may_reply);
    expect_sent(OUTBOX_EDIT, "slow");
}

static void without_a_budget_everything_is_deferred_but_suggestions(void **state)
{
    struct waiter waiter;
    ask(*state, &waiter, COMMAND("quick"));
    expect_answer(&waiter, "{\"type\":5}");
    written_out(&waiter, true);
    expect_sent(OUTBOX_EDIT, "quick");
    ask(*state, &waiter, TYPED("quick"));
    expect_answer(&waiter, "{\"type\":8,");
    assert_null(waiter.answer.sent);
}

static void a_private_command_is_deferred_privately(void **state)
{
    struct waiter waiter;
    ask(*state, &waiter, COMMAND("hush"));
    expect_answer(&waiter, "{\"type\":5,\"data\":{\"flags\":64}}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    assert_int_equal(expect_sent(OUTBOX_EDIT, "slow")->notice.length, 0);
}

/* An edit can't hide what everybody sees. */
static void a_private_reply_takes_the_place_of_a_public_deferral(void **state)
{
    struct waiter waiter;
    ask(*state, &waiter, COMMAND("shy"));
    expect_answer(&waiter, "{\"type\":5}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    const struct outbox_message *sent = expect_sent(OUTBOX_FOLLOW_UP, "\"flags\":32832");
    assert_true(contains(sent->notice, "\"flags\":32768"));
    assert_true(contains(sent->apology, "\"flags\":32768"));
    assert_true(contains(sent->apology, "Error id: `abcdefghijk`"));
}

/* Whoever reads it, in a channel that one person has asked in. */
static void public_notices_are_in_the_servers_language(void **state)
{
    struct waiter waiter;
    ask(*state, &waiter, COMMAND_IN("shy", "de", "es-ES"));
    expect_answer(&waiter, "{\"type\":5}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    const struct outbox_message *sent = expect_sent(OUTBOX_FOLLOW_UP, "\"flags\":32832");
    assert_true(contains(sent->notice, "La respuesta solo la ve quien la ha pedido."));
    assert_true(contains(sent->apology, "\\n-# Id del error: `abcdefghijk`"));
}

static void a_command_known_to_be_slow_is_deferred_before_it_runs(void **state)
{
    struct waiter waiter;
    ask(*state, &waiter, COMMAND("known"));
    /* Already there: nothing else has to happen first. */
    assert_int_equal(sem_trywait(&waiter.has_answer), 0);
    sem_post(&waiter.has_answer);
    expect_answer(&waiter, "{\"type\":5}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    expect_sent(OUTBOX_EDIT, "slow");
}

static void a_slow_click_is_deferred_as_an_update(void **state)
{
    struct waiter waiter;
    ask(*state, &waiter, CLICK("update:0:0:x"));
    expect_answer(&waiter, "{\"type\":6}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    expect_sent(OUTBOX_EDIT, "slow");
}

static void a_slow_click_that_says_something_new_becomes_a_follow_up(void **state)
{
    struct waiter waiter;
    ask(*state, &waiter, CLICK("notice:0:0:x"));
    expect_answer(&waiter, "{\"type\":6}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    /* Ephemeral and Components V2: 1 << 6 | 1 << 15. */
    const struct outbox_message *sent = expect_sent(OUTBOX_FOLLOW_UP, "\"flags\":32832");
    assert_int_equal(sent->notice.length + sent->apology.length, 0);
}

static void a_form_that_comes_too_late_becomes_a_sentence(void **state)
{
    struct waiter waiter;
    ask(*state, &waiter, CLICK("late:0:0:x"));
    expect_answer(&waiter, "{\"type\":6}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    expect_sent(OUTBOX_FOLLOW_UP, "Please try again");
}

static void a_slow_failure_is_told_with_its_error_id(void **state)
{
    struct waiter waiter;
    ask(*state, &waiter, COMMAND("failing"));
    expect_answer(&waiter, "{\"type\":5}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    expect_sent(OUTBOX_FOLLOW_UP, "abcdefghijk");
}

static void a_reply_with_files_is_deferred_however_quick(void **state)
{
    struct waiter waiter;
    ask(*state, &waiter, COMMAND("file"));
    expect_answer(&waiter, "{\"type\":5,\"data\":{\"flags\":64}}");
    written_out(&waiter, true);
    expect_sent(OUTBOX_EDIT, "data.json");
    assert_int_equal(stage.outbox.sent->reply.file_count, 1);
}

#define CROWD 200

static void a_crowd_of_slow_commands_is_deferred_and_edited(void **state)
{
    struct fixture *fixture = *state;
    static struct waiter waiters[CROWD];
    for (int i = 0; i < CROWD; i++)
        ask(fixture, &waiters[i], COMMAND("slow"));
    /* Many of them still wait for a thread when their budget is used up. */
    for (int i = 0; i < CROWD; i++) {
        expect_answer(&waiters[i], "{\"type\":5}");
        written_out(&waiters[i], true);
    }
    for (int i = 0; i < CROWD; i++)
        sem_post(&stage.may_reply);
    for (int i = 0; i < CROWD; i++)
        sem_wait(&stage.outbox.has_sent);
    assert_int_equal(stage.outbox.sent_count, CROWD);
}

/* --- No thread is free --------------------------------------------------------------------------
 */

/* One handler runs and one waits for the thread. */
static void fill(struct fixture *fixture, struct waiter waiters[2])
{
    ask(fixture, &waiters[0], COMMAND("slow"));
    sem_wait(&stage.is_held);
    ask(fixture, &waiters[1], COMMAND("slow"));
}

static void empty(struct waiter waiters[2])
{
    sem_post(&stage.may_reply);
    sem_post(&stage.may_reply);
    expect_answer(&waiters[0], "{\"type\":4,");
    expect_answer(&waiters[1], "{\"type\":4,");
}

static void run_stored(struct fixture *fixture, struct outbox_deferred *run, int expected)
{
    struct err err = { 0 };
    assert_int_equal(
        router_run(fixture->router, run, buf_view(&run->json), "abcdefghijk", false, &err),
        expected);
}

static void without_a_free_thread_runs_wait_in_the_outbox(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *json, *answer;
    } cases[] = {
        { COMMAND("quick"), "{\"type\":5}" },
        { COMMAND("known"), "{\"type\":5}" },
        { COMMAND("hush"), "{\"type\":5,\"data\":{\"flags\":64}}" },
        { CLICK("update:0:0:x"), "{\"type\":6}" },
    };
    struct waiter taken[2], waiter;
    fill(fixture, taken);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ask(fixture, &waiter, cases[i].json);
        expect_answer(&waiter, cases[i].answer);
        written_out(&waiter, true);
        assert_int_equal(stage.outbox.runs[i].mode, OUTBOX_RUN_LATER);
        assert_true(stage.outbox.runs[i].is_answered);
    }
    run_stored(fixture, &stage.outbox.runs[0], ERR_BUSY);
    empty(taken);
    run_stored(fixture, &stage.outbox.runs[0], 0);
    expect_sent(OUTBOX_EDIT, "quick");
}

static void without_a_free_thread_suggestions_are_empty(void **state)
{
    struct waiter taken[2], waiter;
    fill(*state, taken);
    ask(*state, &waiter, TYPED("quick"));
    expect_answer(&waiter, "{\"type\":8,\"data\":{\"choices\":[]}}");
    empty(taken);
    assert_int_equal(stage.outbox.run_count, 0);
}

/* --- Runs again ----------------------------------------------------------------------------------
 */

static void a_run_again_comes_to_the_same(void **state)
{
    static const char *const jsons[] = { COMMAND("slow"), COMMAND("shy"), CLICK("notice:0:0:x") };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(jsons); i++) {
        struct waiter waiter;
        ask(fixture, &waiter, jsons[i]);
        const struct outbox_deferred *run = next_run((int)(2 * i));
        sem_wait(&waiter.has_answer);
        written_out(&waiter, true);
        buf_free(&waiter.answer.body);
        sem_post(&stage.may_reply);
        sem_wait(&stage.outbox.has_sent);

        struct outbox_deferred *again = fake_outbox_take_over(&stage.outbox);
        buf_append(&again->json, buf_view(&run->json));
        run_stored(fixture, again, 0);
        sem_post(&stage.may_reply);
        sem_wait(&stage.outbox.has_sent);
        assert_ptr_equal(stage.outbox.sent, again);
        assert_int_equal(again->reply.method, run->reply.method);
        assert_true(str_equal(again->reply.notice, run->reply.notice));
        assert_true(str_equal(again->reply.apology, run->reply.apology));
        assert_true(str_equal(buf_view(&again->body), buf_view(&run->body)));
    }
}

/* Its handler has run, and there is no thread for another. */
static void of_a_run_whose_reply_may_have_arrived_only_an_apology_is_sent(void **state)
{
    static const struct {
        const char *json;
        bool has_apology; /* there is an @original that everybody sees, and that is ours */
    } cases[] = {
        { COMMAND("shy"), true },
        { COMMAND("hush"), false },
        { CLICK("notice:0:0:x"), false },
    };
    struct fixture *fixture = *state;
    struct waiter taken[2];
    fill(fixture, taken);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct outbox_deferred *run = fake_outbox_take_over(&stage.outbox);
        struct err err = { 0 };
        assert_int_equal(
            router_run(fixture->router, run, str_from(cases[i].json), "abcdefghijk", true, &err),
            0);
        assert_true(run->has_finished);
        assert_int_equal(run->has_reply, cases[i].has_apology);
        assert_int_equal(run->reply.body.length, 0);
        if (cases[i].has_apology)
            assert_true(contains(run->reply.apology, "Error id: `abcdefghijk`"));
    }
    empty(taken);
}

static void a_stored_run_that_is_no_interaction_is_refused(void **state)
{
    struct outbox_deferred *run = fake_outbox_take_over(&stage.outbox);
    buf_append(&run->json, STR("{\"type\":2}"));
    run_stored(*state, run, ERR_INVALID);
    assert_false(run->has_finished);
}

/* --- Messages the handler has stored -------------------------------------------------------------
 */

static void stored_messages_follow_the_answer(void **state)
{
    struct waiter waiter;
    ask(*state, &waiter, COMMAND("chatty"));
    expect_answer(&waiter, "{\"type\":4,");
    assert_int_equal(stage.outbox.handed_over, 0);
    written_out(&waiter, true);
    assert_int_equal(stage.outbox.handed_over, 1);
    assert_int_equal(stage.outbox.run_count, 0);
}

static void stored_messages_of_a_deferred_call_follow_its_reply(void **state)
{
    struct fixture *fixture = *state;
    struct waiter waiter;
    ask(fixture, &waiter, COMMAND("drawl"));
    expect_answer(&waiter, "{\"type\":5}");
    sem_post(&stage.may_reply);
    finish_handlers(fixture);
    assert_int_equal(stage.outbox.handed_over, 0);
    written_out(&waiter, true);
    fake_outbox_await_hand_over(&stage.outbox, 1);
}

#define DEFERRAL_TEST(name, open) cmocka_unit_test_setup_teardown(name, open, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEFERRAL_TEST(a_quick_handler_answers_by_itself, open_patient),
        DEFERRAL_TEST(a_slow_command_is_deferred_and_edited, open_fixture),
        DEFERRAL_TEST(a_run_is_stored_before_its_answer, open_fixture),
        DEFERRAL_TEST(a_handler_may_end_before_its_run_is_stored, open_fixture),
        DEFERRAL_TEST(a_run_that_is_stored_late_is_deferred_all_the_same, open_fixture),
        DEFERRAL_TEST(of_a_repeated_request_the_first_ones_reply_is_sent, open_fixture),
        DEFERRAL_TEST(a_run_that_can_not_be_stored_is_answered_with_a_sentence, open_fixture),
        DEFERRAL_TEST(the_edit_waits_until_the_answer_was_written_out, open_fixture),
        DEFERRAL_TEST(an_answer_that_reached_nobody_has_its_edit_all_the_same, open_fixture),
        DEFERRAL_TEST(a_private_command_is_deferred_privately, open_fixture),
        DEFERRAL_TEST(a_private_reply_takes_the_place_of_a_public_deferral, open_fixture),
        DEFERRAL_TEST(public_notices_are_in_the_servers_language, open_fixture),
        DEFERRAL_TEST(a_command_known_to_be_slow_is_deferred_before_it_runs, open_fixture),
        DEFERRAL_TEST(a_slow_click_is_deferred_as_an_update, open_fixture),
        DEFERRAL_TEST(a_slow_click_that_says_something_new_becomes_a_follow_up, open_fixture),
        DEFERRAL_TEST(a_form_that_comes_too_late_becomes_a_sentence, open_fixture),
        DEFERRAL_TEST(a_slow_failure_is_told_with_its_error_id, open_fixture),
        DEFERRAL_TEST(a_reply_with_files_is_deferred_however_quick, open_patient),
        DEFERRAL_TEST(a_crowd_of_slow_commands_is_deferred_and_edited, open_fixture),
        DEFERRAL_TEST(without_a_budget_everything_is_deferred_but_suggestions, open_without_budget),
        DEFERRAL_TEST(without_a_free_thread_runs_wait_in_the_outbox, open_small),
        DEFERRAL_TEST(without_a_free_thread_suggestions_are_empty, open_small),
        DEFERRAL_TEST(a_run_again_comes_to_the_same, open_fixture),
        DEFERRAL_TEST(of_a_run_whose_reply_may_have_arrived_only_an_apology_is_sent, open_small),
        DEFERRAL_TEST(a_stored_run_that_is_no_interaction_is_refused, open_fixture),
        DEFERRAL_TEST(stored_messages_follow_the_answer, open_patient),
        DEFERRAL_TEST(stored_messages_of_a_deferred_call_follow_its_reply, open_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
