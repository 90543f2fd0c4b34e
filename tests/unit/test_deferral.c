/* The reply budget: a slow handler is answered "deferred" with the right callback type, its reply
 * becomes the right kind of edit, and no edit is handed over before the answer was written out. The
 * outbox is played by this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/system_clock.h"
#include "discord/interaction_parse.h"
#include "router/router.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES_MAX 256

struct sent {
    enum outbox_method method;
    struct buf body;
    int file_count;
};

/* What the handlers and the outbox of the running test share. */
static struct stage {
    sem_t may_reply; /* the slow handler waits for it */
    pthread_mutex_t lock;
    struct sent sent[MESSAGES_MAX];
    int sent_count;
    sem_t has_sent;
} stage;

int outbox_send(struct outbox *outbox, const struct outbox_message *message, struct err *err)
{
    (void)outbox;
    (void)err;
    pthread_mutex_lock(&stage.lock);
    assert_true(stage.sent_count < MESSAGES_MAX);
    struct sent *sent = &stage.sent[stage.sent_count++];
    *sent = (struct sent){ .method = message->method, .file_count = message->file_count };
    buf_append(&sent->body, message->body);
    assert_true(message->answered_us > 0);
    assert_true(str_equal(message->token, STR("token-1")));
    pthread_mutex_unlock(&stage.lock);
    sem_post(&stage.has_sent);
    return 0;
}

/* --- Commands whose handlers do what their names say
 * ----------------------------------------------- */

static int run_quick(struct call *call, struct err *err)
{
    (void)err;
    reply_text(call->reply, "quick");
    return 0;
}

static int run_slow(struct call *call, struct err *err)
{
    (void)err;
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

static const struct command quick = { .name = "quick", .description = "d", .run = run_quick };
static const struct command slow = { .name = "slow", .description = "d", .run = run_slow };
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

static const struct command *const commands[] = { &quick, &slow, &hush,   &failing, &late,
                                                  &known, &file, &update, &notice,  NULL };

/* --- The router and whoever waits for its answers
 * ------------------------------------------------- */

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

static int open_fixture(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){ 0 };
    stage = (struct stage){ 0 };
    sem_init(&stage.may_reply, 0, 0);
    sem_init(&stage.has_sent, 0, 0);
    pthread_mutex_init(&stage.lock, NULL);
    *state = &fixture;
    if (system_clock_init(&fixture.clock, NULL, NULL) != 0)
        return 1;
    fixture.services = (struct services){ .clock = &fixture.clock.clock, .commands = commands };
    const struct executor_settings threads = {
        .threads_min = 2, .threads_max = 64, .queue_max = 1000, .clock = &fixture.clock.clock
    };
    const struct router_settings settings = {
        .commands = commands,
        .ask_for_terms = ask_nobody,
        .services = &fixture.services,
        .owners = &fixture.owners,
        .defer_after_ms = 60,
    };
    struct router_settings complete = settings;
    if (executor_new(&fixture.executor, &threads, NULL) != 0)
        return 1;
    complete.executor = fixture.executor;
    return router_new(&fixture.router, &complete, NULL);
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    executor_free(fixture->executor);
    router_free(fixture->router);
    for (int i = 0; i < stage.sent_count; i++)
        buf_free(&stage.sent[i].body);
    sem_destroy(&stage.may_reply);
    sem_destroy(&stage.has_sent);
    pthread_mutex_destroy(&stage.lock);
    return 0;
}

static void on_answer(void *context, struct router_answer *answer)
{
    struct waiter *waiter = context;
    waiter->answer = *answer;
    sem_post(&waiter->has_answer);
}

static void dispatch(struct fixture *fixture, struct waiter *waiter, const char *body)
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

#define CLICK(custom_id)                                                                           \
    "{\"id\":\"5\",\"application_id\":\"1\",\"type\":3,\"token\":\"token-1\",\"user\":{\"id\":"    \
    "\"7\",\"username\":\"alice\"},\"data\":{\"custom_id\":\"" custom_id                           \
    "\",\"component_type\":2},\"message\":{\"id\":\"8\",\"channel_id\":\"3\",\"author\":{\"id\":"  \
    "\"1\",\"username\":\"bot\"},\"content\":\"\"}}"

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

static void expect_sent(enum outbox_method method, const char *expected)
{
    sem_wait(&stage.has_sent);
    const struct sent *sent = &stage.sent[stage.sent_count - 1];
    assert_int_equal(sent->method, method);
    if (!strstr(sent->body.data, expected))
        fail_msg("expected %s in %s", expected, sent->body.data);
}

static void a_quick_handler_answers_by_itself(void **state)
{
    struct fixture *fixture = *state;
    struct waiter waiter;
    dispatch(fixture, &waiter, COMMAND("quick"));
    expect_answer(&waiter, "{\"type\":4,");
    assert_null(waiter.answer.sent);
    executor_free(fixture->executor);
    fixture->executor = NULL;
    assert_int_equal(stage.sent_count, 0);
}

static void a_slow_command_is_deferred_and_edited(void **state)
{
    struct waiter waiter;
    dispatch(*state, &waiter, COMMAND("slow"));
    expect_answer(&waiter, "{\"type\":5}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    expect_sent(OUTBOX_EDIT_ORIGINAL, "slow");
}

static void the_edit_waits_until_the_answer_was_written_out(void **state)
{
    struct fixture *fixture = *state;
    struct waiter waiter;
    dispatch(fixture, &waiter, COMMAND("slow"));
    expect_answer(&waiter, "{\"type\":5}");
    sem_post(&stage.may_reply);
    /* The handler has ended when its executor has. */
    executor_free(fixture->executor);
    fixture->executor = NULL;
    assert_int_equal(stage.sent_count, 0);
    written_out(&waiter, true);
    expect_sent(OUTBOX_EDIT_ORIGINAL, "slow");
}

static void an_answer_that_reached_nobody_has_no_edit(void **state)
{
    struct fixture *fixture = *state;
    struct waiter waiter;
    dispatch(fixture, &waiter, COMMAND("slow"));
    expect_answer(&waiter, "{\"type\":5}");
    written_out(&waiter, false);
    sem_post(&stage.may_reply);
    executor_free(fixture->executor);
    fixture->executor = NULL;
    assert_int_equal(stage.sent_count, 0);
}

static void a_private_command_is_deferred_privately(void **state)
{
    struct waiter waiter;
    dispatch(*state, &waiter, COMMAND("hush"));
    expect_answer(&waiter, "{\"type\":5,\"data\":{\"flags\":64}}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    expect_sent(OUTBOX_EDIT_ORIGINAL, "slow");
}

static void a_command_known_to_be_slow_is_deferred_before_it_runs(void **state)
{
    struct waiter waiter;
    dispatch(*state, &waiter, COMMAND("known"));
    /* Already there: nothing else has to happen first. */
    assert_int_equal(sem_trywait(&waiter.has_answer), 0);
    sem_post(&waiter.has_answer);
    expect_answer(&waiter, "{\"type\":5}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    expect_sent(OUTBOX_EDIT_ORIGINAL, "slow");
}

static void a_slow_click_is_deferred_as_an_update(void **state)
{
    struct waiter waiter;
    dispatch(*state, &waiter, CLICK("update:0:0:x"));
    expect_answer(&waiter, "{\"type\":6}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    expect_sent(OUTBOX_EDIT_ORIGINAL, "slow");
}

static void a_slow_click_that_says_something_new_becomes_a_follow_up(void **state)
{
    struct waiter waiter;
    dispatch(*state, &waiter, CLICK("notice:0:0:x"));
    expect_answer(&waiter, "{\"type\":6}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    /* Ephemeral and Components V2: 1 << 6 | 1 << 15. */
    expect_sent(OUTBOX_FOLLOW_UP, "\"flags\":32832");
}

static void a_form_that_comes_too_late_becomes_a_sentence(void **state)
{
    struct waiter waiter;
    dispatch(*state, &waiter, CLICK("late:0:0:x"));
    expect_answer(&waiter, "{\"type\":6}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    expect_sent(OUTBOX_FOLLOW_UP, "Please try again");
}

static void a_slow_failure_is_told_with_its_error_id(void **state)
{
    struct waiter waiter;
    dispatch(*state, &waiter, COMMAND("failing"));
    expect_answer(&waiter, "{\"type\":5}");
    written_out(&waiter, true);
    sem_post(&stage.may_reply);
    expect_sent(OUTBOX_EDIT_ORIGINAL, "abcdefghijk");
}

static void a_reply_with_files_is_deferred_however_quick(void **state)
{
    struct waiter waiter;
    dispatch(*state, &waiter, COMMAND("file"));
    expect_answer(&waiter, "{\"type\":5,\"data\":{\"flags\":64}}");
    written_out(&waiter, true);
    expect_sent(OUTBOX_EDIT_ORIGINAL, "data.json");
    assert_int_equal(stage.sent[0].file_count, 1);
}

#define CROWD 200

static void a_crowd_of_slow_commands_is_deferred_and_edited(void **state)
{
    struct fixture *fixture = *state;
    static struct waiter waiters[CROWD];
    for (int i = 0; i < CROWD; i++)
        dispatch(fixture, &waiters[i], COMMAND("slow"));
    /* Many of them still wait for a thread when their budget is used up. */
    for (int i = 0; i < CROWD; i++) {
        expect_answer(&waiters[i], "{\"type\":5}");
        written_out(&waiters[i], true);
    }
    for (int i = 0; i < CROWD; i++)
        sem_post(&stage.may_reply);
    for (int i = 0; i < CROWD; i++)
        sem_wait(&stage.has_sent);
    assert_int_equal(stage.sent_count, CROWD);
}

#define DEFERRAL_TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEFERRAL_TEST(a_quick_handler_answers_by_itself),
        DEFERRAL_TEST(a_slow_command_is_deferred_and_edited),
        DEFERRAL_TEST(the_edit_waits_until_the_answer_was_written_out),
        DEFERRAL_TEST(an_answer_that_reached_nobody_has_no_edit),
        DEFERRAL_TEST(a_private_command_is_deferred_privately),
        DEFERRAL_TEST(a_command_known_to_be_slow_is_deferred_before_it_runs),
        DEFERRAL_TEST(a_slow_click_is_deferred_as_an_update),
        DEFERRAL_TEST(a_slow_click_that_says_something_new_becomes_a_follow_up),
        DEFERRAL_TEST(a_form_that_comes_too_late_becomes_a_sentence),
        DEFERRAL_TEST(a_slow_failure_is_told_with_its_error_id),
        DEFERRAL_TEST(a_reply_with_files_is_deferred_however_quick),
        DEFERRAL_TEST(a_crowd_of_slow_commands_is_deferred_and_edited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
