/* Whole interactions, from the bytes to the answer, with a fault at every allocation, statement and
 * disk operation in turn. Whatever fails:
 *  - there is an answer: the one that is right, a sentence with an error id, or an empty body,
 * which HTTP answers by 500;
 *  - the same interaction posted again is answered as if nothing had been, and has had its effect
 *    exactly once;
 *  - the books balance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/clock.h"
#include "bronx/settings.h"
#include "bronx/tos.h"
#include "bronx/user_data.h"

#include "fault_loop.h"
#include "router_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAYEE_OFFSET INT64_C(500000000)
#define DATA_MAX     512

#define SETUP_USER                                                                                 \
    "{\"id\":\"1\",\"type\":1,\"name\":\"setup\",\"options\":[{\"type\":1,\"name\":\"user\"}]}"
#define SETUP_FORM                                                                                 \
    "{\"custom_id\":\"setup:1:%" PRId64 ":user:1:form:1\",\"components\":[{\"type\":18,\"id\":1,"  \
    "\"component\":{\"type\":4,\"id\":2,\"custom_id\":\"max_bet\",\"value\":\"500\"}}]}"

/* Who asks; everything of one run has ids of its own. */
struct run {
    struct router_fixture *fixture;
    int64_t user_id;
    int64_t id; /* of the interaction; id - 1 is one before it */
};

struct flow {
    const char *name;
    void (*prepare)(const struct run *run); /* NULL: nothing */
    int type;
    const char *data;     /* JSON; "%lld" once or twice: see data_of */
    const char *expected; /* part of the right answer */
    const char *effect;   /* SQL that counts, by the interaction's id or the user's */
    int64_t effect_count;
};

/* --- What was before ---------------------------------------------------------------------------
 */

static void accept_terms(const struct run *run)
{
    static const struct command none = { .name = "none" };
    struct service_call call;
    service_call_begin(&call, &run->fixture->base, &none, run->id - 2, run->user_id);
    assert_int_equal(tos_accept(&call.call, NULL, NULL), 0);
    service_call_end(&call);
}

/* /daily, stopped by the terms: the next one's modal will run it. */
static void be_blocked(const struct run *run)
{
    CLEANUP(buf_free) struct buf body = { 0 };
    const struct ask ask = { .type = INTERACTION_COMMAND,
                             .id = run->id - 1,
                             .user_id = run->user_id,
                             .guild_id = FIXTURE_GUILD,
                             .data = "{\"id\":\"1\",\"type\":1,\"name\":\"daily\"}" };
    router_fixture_ask(run->fixture, &ask, &body);
    assert_non_null(strstr(body.data, "Read and accept"));
}

static void be_erased(const struct run *run)
{
    static const struct command none = { .name = "none" };
    struct service_call call;
    accept_terms(run);
    service_call_begin(&call, &run->fixture->base, &none, run->id - 1, run->user_id);
    assert_int_equal(user_data_erase(&call.call, NULL), 0);
    service_call_end(&call);
}

/* A wizard's draft, as the interaction before the run's. */
static void open_draft(const struct run *run)
{
    CLEANUP(buf_free) struct buf body = { 0 };
    const struct ask ask = { .type = INTERACTION_COMMAND,
                             .id = run->id - 1,
                             .user_id = run->user_id,
                             .guild_id = FIXTURE_GUILD,
                             .data = SETUP_USER };
    router_fixture_ask(run->fixture, &ask, &body);
    assert_non_null(strstr(body.data, "Step 1 of 2"));
}

/* The same on its last page, with something to save. */
static void answer_draft(const struct run *run)
{
    CLEANUP(buf_free) struct buf body = { 0 };
    char data[DATA_MAX];
    open_draft(run);
    snprintf(data, sizeof(data), SETUP_FORM, run->id - 1);
    const struct ask ask = { .type = INTERACTION_MODAL_SUBMIT,
                             .id = run->id - 2,
                             .user_id = run->user_id,
                             .guild_id = FIXTURE_GUILD,
                             .data = data };
    router_fixture_ask(run->fixture, &ask, &body);
    assert_non_null(strstr(body.data, "Look it over"));
}

static void have_set(const struct run *run)
{
    static const struct command none = { .name = "none" };
    const struct settings_owner owner = { SETTINGS_OF_USER, run->user_id };
    struct field_values values = { 0 };
    struct service_call call;
    values.values[field_find(user_fields, STR("max_bet")) - user_fields] = STR("777");
    service_call_begin(&call, &run->fixture->base, &none, run->id - 1, run->user_id);
    assert_int_equal(settings_save(&call.call, owner, 0, &values, NULL), SETTINGS_SAVED);
    service_call_end(&call);
}

/* --- The flows ---------------------------------------------------------------------------------
 */

#define COUNT_ENTRIES       "SELECT COUNT(*) FROM ledger_entry WHERE interaction_id = %" PRId64
#define COUNT_DECISIONS     "SELECT COUNT(*) FROM tos_decision WHERE interaction_id = %" PRId64
#define COUNT_BLOCKED       "SELECT COUNT(*) FROM tos_blocked WHERE interaction_id = %" PRId64
/* Of the user, whose id is a tenth of the interaction's. */
#define COUNT_OWN_DECISIONS "SELECT COUNT(*) FROM tos_decision WHERE user_id = %" PRId64 " / 10"
#define COUNT_DRAFTS        "SELECT COUNT(*) FROM wizard_draft WHERE id = %" PRId64
#define DRAFTS_PAGE         "SELECT page FROM wizard_draft WHERE id IN (%" PRId64 ", %" PRId64 ")"
/* Keyed by the draft. */
#define COUNT_SAVED                                                                                \
    "SELECT COUNT(*) FROM user_settings_change WHERE interaction_id IN (%" PRId64 ", %" PRId64 ")"
#define COUNT_CHANGES "SELECT COUNT(*) FROM user_settings_change WHERE interaction_id = %" PRId64
#define COUNT_BOTH                                                                                 \
    "SELECT COUNT(*) FROM ledger_entry WHERE interaction_id IN (%" PRId64 ", %" PRId64 ")"

#define SETTINGS(sub_command, options)                                                             \
    "{\"id\":\"1\",\"type\":1,\"name\":\"settings\",\"options\":[{\"type\":1,\"name\":"            \
    "\"" sub_command "\",\"options\":[" options "]}]}"
#define FIELD(value) "{\"type\":3,\"name\":\"field\",\"value\":\"" value "\"}"

static const struct flow flows[] = {
    { "/help", NULL, INTERACTION_COMMAND, "{\"id\":\"1\",\"type\":1,\"name\":\"help\"}",
      "What I can do", COUNT_ENTRIES, 0 },
    { "/help command", NULL, INTERACTION_COMMAND,
      "{\"id\":\"1\",\"type\":1,\"name\":\"help\",\"options\":"
      "[{\"type\":3,\"name\":\"command\",\"value\":\"pay\"}]}",
      "/pay <user> <amount> [note]", COUNT_ENTRIES, 0 },
    { "help autocomplete", NULL, INTERACTION_AUTOCOMPLETE,
      "{\"id\":\"1\",\"type\":1,\"name\":\"help\",\"options\":"
      "[{\"type\":3,\"name\":\"command\",\"value\":\"p\",\"focused\":true}]}",
      "\"choices\":[{", COUNT_ENTRIES, 0 },
    { "help select", NULL, INTERACTION_COMPONENT,
      "{\"component_type\":3,\"custom_id\":\"help:1:0:command\",\"values\":[\"daily\"]}",
      "Take your daily reward", COUNT_ENTRIES, 0 },
    { "/daily, blocked", NULL, INTERACTION_COMMAND, "{\"id\":\"1\",\"type\":1,\"name\":\"daily\"}",
      "Read and accept", COUNT_BLOCKED, 1 },
    { "/daily", accept_terms, INTERACTION_COMMAND, "{\"id\":\"1\",\"type\":1,\"name\":\"daily\"}",
      "Your daily reward", COUNT_ENTRIES, 1 },
    { "/pay", accept_terms, INTERACTION_COMMAND,
      "{\"id\":\"1\",\"type\":1,\"name\":\"pay\",\"options\":["
      "{\"type\":6,\"name\":\"user\",\"value\":\"%" PRId64 "\"},"
      "{\"type\":3,\"name\":\"amount\",\"value\":\"10%%\"},"
      "{\"type\":3,\"name\":\"note\",\"value\":\"for lunch\"}],"
      "\"resolved\":{\"users\":{\"%" PRId64 "\":{\"id\":\"%" PRId64 "\",\"username\":\"bob\"}}}}",
      "for lunch", COUNT_ENTRIES, 1 },
    { "/balance", accept_terms, INTERACTION_COMMAND,
      "{\"id\":\"1\",\"type\":1,\"name\":\"balance\"}", "1,000 coins", COUNT_ENTRIES, 0 },
    { "/tos", accept_terms, INTERACTION_COMMAND, "{\"id\":\"1\",\"type\":1,\"name\":\"tos\"}",
      "You accepted these terms", COUNT_DECISIONS, 0 },
    { "/tosinfo", accept_terms, INTERACTION_COMMAND,
      "{\"id\":\"1\",\"type\":1,\"name\":\"tosinfo\"}", "You accepted version", COUNT_DECISIONS,
      0 },
    { "tos button", NULL, INTERACTION_COMPONENT,
      "{\"component_type\":2,\"custom_id\":\"tos:1:0:read\"}", "\"type\":9", COUNT_DECISIONS, 0 },
    { "tos decline", NULL, INTERACTION_COMPONENT,
      "{\"component_type\":2,\"custom_id\":\"tos:1:0:decline\"}", "You declined", COUNT_DECISIONS,
      1 },
    { "tos modal", NULL, INTERACTION_MODAL_SUBMIT,
      "{\"custom_id\":\"tos:1:0:accept\",\"components\":[{\"type\":18,\"id\":1,\"component\":"
      "{\"type\":22,\"id\":2,\"custom_id\":\"agreement\",\"values\":[\"accepted\"]}}]}",
      "Welcome!", COUNT_ENTRIES, 1 },
    { "tos modal and /daily", be_blocked, INTERACTION_MODAL_SUBMIT,
      "{\"custom_id\":\"tos:1:%" PRId64 ":accept\",\"components\":[{\"type\":18,\"id\":1,"
      "\"component\":{\"type\":22,\"id\":2,\"custom_id\":\"agreement\",\"values\":"
      "[\"accepted\"]}}]}",
      "Your daily reward", COUNT_BOTH, 2 },
    { "/daily of somebody erased", be_erased, INTERACTION_COMMAND,
      "{\"id\":\"1\",\"type\":1,\"name\":\"daily\"}", "You can begin anew", COUNT_BLOCKED, 0 },
    { "tos modal of somebody erased", be_erased, INTERACTION_MODAL_SUBMIT,
      "{\"custom_id\":\"tos:1:0:accept\",\"components\":[{\"type\":18,\"id\":1,\"component\":"
      "{\"type\":22,\"id\":2,\"custom_id\":\"agreement\",\"values\":[\"accepted\"]}}]}",
      "You can begin anew", COUNT_DECISIONS, 0 },
    { "/privacy show", accept_terms, INTERACTION_COMMAND,
      "{\"id\":\"1\",\"type\":1,\"name\":\"privacy\",\"options\":[{\"type\":1,\"name\":\"show\"}]}",
      "What is stored about you", COUNT_OWN_DECISIONS, 1 },
    { "/privacy delete", accept_terms, INTERACTION_COMMAND,
      "{\"id\":\"1\",\"type\":1,\"name\":\"privacy\",\"options\":[{\"type\":1,\"name\":\"delete\"}]"
      "}",
      "\"type\":9", COUNT_OWN_DECISIONS, 1 },
    { "privacy modal", accept_terms, INTERACTION_MODAL_SUBMIT,
      "{\"custom_id\":\"privacy:1:0:erase\",\"components\":[{\"type\":18,\"id\":1,\"component\":"
      "{\"type\":4,\"id\":2,\"custom_id\":\"word\",\"value\":\"DELETE\"}}]}",
      "is erased", COUNT_OWN_DECISIONS, 0 },
    { "/setup user", NULL, INTERACTION_COMMAND, SETUP_USER, "Step 1 of 2", COUNT_DRAFTS, 1 },
    { "setup form opened", open_draft, INTERACTION_COMPONENT,
      "{\"component_type\":2,\"custom_id\":\"setup:1:%" PRId64 ":user:1:edit\"}", "\"type\":9",
      DRAFTS_PAGE, 0 },
    { "setup next", open_draft, INTERACTION_COMPONENT,
      "{\"component_type\":2,\"custom_id\":\"setup:1:%" PRId64 ":user:1:next\"}", "Step 2 of 2",
      DRAFTS_PAGE, 1 },
    { "setup form", open_draft, INTERACTION_MODAL_SUBMIT, SETUP_FORM, "Look it over", DRAFTS_PAGE,
      2 },
    { "setup save", answer_draft, INTERACTION_COMPONENT,
      "{\"component_type\":2,\"custom_id\":\"setup:1:%" PRId64 ":user:2:save\"}",
      "Saved, and in force", COUNT_SAVED, 1 },
    { "/settings view", have_set, INTERACTION_COMMAND,
      SETTINGS("view", "{\"type\":3,\"name\":\"of\",\"value\":\"me\"}"), "777 coins", COUNT_CHANGES,
      0 },
    { "/settings history", have_set, INTERACTION_COMMAND,
      SETTINGS("history", "{\"type\":3,\"name\":\"of\",\"value\":\"me\"}"), "777 coins",
      COUNT_CHANGES, 0 },
    { "/settings edit", have_set, INTERACTION_COMMAND,
      SETTINGS("edit", FIELD("me.max_bet") ",{\"type\":3,\"name\":\"value\",\"value\":\"5k\"}"),
      "777 coins \xe2\x86\x92 5,000 coins", COUNT_CHANGES, 1 },
    { "/settings edit, wrong", have_set, INTERACTION_COMMAND,
      SETTINGS("edit", FIELD("me.max_bet") ",{\"type\":3,\"name\":\"value\",\"value\":\"x\"}"),
      "settings:1:1:retry.me.max_bet", COUNT_CHANGES, 0 },
    { "/settings edit, a form", have_set, INTERACTION_COMMAND,
      SETTINGS("edit", FIELD("me.max_bet")), "\"type\":9", COUNT_CHANGES, 0 },
    { "settings form", have_set, INTERACTION_MODAL_SUBMIT,
      "{\"custom_id\":\"settings:1:1:edit.me.max_bet\",\"components\":[{\"type\":18,\"id\":1,"
      "\"component\":{\"type\":4,\"id\":2,\"custom_id\":\"max_bet\",\"value\":\"5k\"}}]}",
      "777 coins \xe2\x86\x92 5,000 coins", COUNT_CHANGES, 1 },
    { "settings form, too late", have_set, INTERACTION_MODAL_SUBMIT,
      "{\"custom_id\":\"settings:1:0:edit.me.max_bet\",\"components\":[{\"type\":18,\"id\":1,"
      "\"component\":{\"type\":4,\"id\":2,\"custom_id\":\"max_bet\",\"value\":\"5k\"}}]}",
      "settings:1:1:retry.me.max_bet", COUNT_CHANGES, 0 },
    { "settings autocomplete", have_set, INTERACTION_AUTOCOMPLETE,
      SETTINGS("edit", "{\"type\":3,\"name\":\"field\",\"value\":\"bet\",\"focused\":true}"),
      "me.max_bet", COUNT_CHANGES, 0 },
    { "/settings reset", have_set, INTERACTION_COMMAND, SETTINGS("reset", FIELD("me")),
      "settings:1:1:reset.me", COUNT_CHANGES, 0 },
    { "settings reset", have_set, INTERACTION_COMPONENT,
      "{\"component_type\":2,\"custom_id\":\"settings:1:1:reset.me\"}",
      "777 coins \xe2\x86\x92 no limit", COUNT_CHANGES, 1 },
};

/* --- One run -----------------------------------------------------------------------------------
 */

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

/* A command's ids are the payee's, a modal's is the blocked interaction's. */
static void data_of(const struct flow *flow, const struct run *run, char data[DATA_MAX])
{
    int64_t id = flow->type == INTERACTION_COMMAND ? run->user_id + PAYEE_OFFSET : run->id - 1;
    snprintf(data, DATA_MAX, flow->data, id, id, id);
}

static int64_t count_effects(const struct flow *flow, const struct run *run)
{
    char sql[DATA_MAX];
    snprintf(sql, sizeof(sql), flow->effect, run->id, run->id - 1);
    return service_fixture_count(&run->fixture->base, sql);
}

#pragma GCC diagnostic pop

/* The sentence of a fault; an autocomplete has no place for one. */
static bool is_apology(const struct flow *flow, const struct buf *body)
{
    return strstr(body->data, "Error id: `") ||
           (flow->type == INTERACTION_AUTOCOMPLETE && strstr(body->data, "\"choices\":[]"));
}

static void print_run(const struct flow *flow, enum fault_kind kind, int64_t nth, bool is_lasting)
{
    print_error("%s, %s %" PRId64 "%s\n", flow->name, fault_words[kind], nth,
                is_lasting ? " and all after it" : "");
}

/* False when no fault struck: the flow has fewer events. */
static bool run_once(struct router_fixture *fixture, const struct flow *flow, enum fault_kind kind,
                     int64_t nth, bool is_lasting)
{
    static int64_t serial = 1000000;
    serial++;
    const struct run run = { fixture, serial, serial * 10 };
    char data[DATA_MAX];
    CLEANUP(buf_free) struct buf json = { 0 };
    CLEANUP(buf_free) struct buf first = { 0 };
    CLEANUP(buf_free) struct buf second = { 0 };
    data_of(flow, &run, data);
    const struct ask ask = { .type = flow->type,
                             .id = run.id,
                             .user_id = run.user_id,
                             .guild_id = FIXTURE_GUILD,
                             .invoker_id = flow->type == INTERACTION_COMPONENT ? run.user_id : 0,
                             .data = data };
    router_fixture_json(&ask, &json);
    if (flow->prepare)
        flow->prepare(&run);

    faults_arm(kind, nth, is_lasting);
    int parsed = router_fixture_post(fixture, buf_view(&json), &first);
    bool has_struck = faults_disarm();
    int again = router_fixture_post(fixture, buf_view(&json), &second);

    bool is_silent = first.length == 0;
    bool is_right = !is_silent && str_equal(buf_view(&first), buf_view(&second));
    bool is_good = (parsed == 0 || parsed == ERR_MEMORY) &&
                   (is_silent || is_right || is_apology(flow, &first)) &&
                   (has_struck || is_right) && again == 0 && second.length > 0 &&
                   strstr(second.data, flow->expected) &&
                   count_effects(flow, &run) == flow->effect_count;
    if (!is_good) {
        print_run(flow, kind, nth, is_lasting);
        print_error("first:  %s\nsecond: %s\neffects: %" PRId64 "\n", first.data ? first.data : "",
                    second.data ? second.data : "", count_effects(flow, &run));
        fail();
    }
    return has_struck;
}

static void assert_books_balance(struct router_fixture *fixture)
{
    struct err err = { 0 };
    if (ledger_verify(fixture->base.db, &err) != 0)
        fail_msg("%s", err.message);
}

static void run_flow(struct router_fixture *fixture, const struct flow *flow, enum fault_kind kind)
{
    for (int is_lasting = 0; is_lasting < 2; is_lasting++) {
        int64_t count = 0;
        /* Once without, so that what is made once and kept is there. */
        run_once(fixture, flow, kind, INT64_MAX, false);
        for (int64_t nth = 1; run_once(fixture, flow, kind, nth, is_lasting); nth = fault_next(nth))
            count++;
        print_message("%s: %s, %" PRId64 " faults%s\n", flow->name, fault_words[kind], count,
                      is_lasting ? ", lasting" : "");
    }
    assert_books_balance(fixture);
}

static void run_flows(enum fault_kind kind)
{
    struct router_fixture fixture;
    assert_int_equal(router_fixture_open(&fixture, NULL, 1, 8), 0);
    faults_wrap_engine(fixture.base.db);
    for (size_t i = 0; i < ARRAY_LENGTH(flows); i++)
        run_flow(&fixture, &flows[i], kind);
    router_fixture_close(&fixture);
}

/* --- Deferred ------------------------------------------------------------------------------------
 */

/* What the one run that was deferred came to; NULL when none was, or the fake found no memory. */
static const struct buf *deferred_reply(struct router_fixture *fixture)
{
    fake_outbox_await_ends(&fixture->outbox);
    const struct outbox_deferred *run = &fixture->outbox.runs[0];
    return fixture->outbox.run_count == 1 && !run->body.has_failed ? &run->body : NULL;
}

static void forget_runs(struct router_fixture *fixture)
{
    fake_outbox_fini(&fixture->outbox);
    fake_outbox_init(&fixture->outbox);
}

/* False when no fault struck. */
static bool defer_once(struct router_fixture *fixture, const struct flow *flow, int64_t nth,
                       bool is_lasting)
{
    static int64_t serial = 5000000;
    serial++;
    const struct run run = { fixture, serial, serial * 10 };
    CLEANUP(buf_free) struct buf json = { 0 };
    CLEANUP(buf_free) struct buf first = { 0 };
    CLEANUP(buf_free) struct buf second = { 0 };
    const struct ask ask = { .type = flow->type,
                             .id = run.id,
                             .user_id = run.user_id,
                             .guild_id = FIXTURE_GUILD,
                             .invoker_id = flow->type == INTERACTION_COMPONENT ? run.user_id : 0,
                             .data = flow->data };
    router_fixture_json(&ask, &json);
    if (flow->prepare)
        flow->prepare(&run);
    forget_runs(fixture);

    faults_arm(FAULT_ALLOCATION, nth, is_lasting);
    int parsed = router_fixture_post(fixture, buf_view(&json), &first);
    const struct buf *reply = deferred_reply(fixture);
    bool has_struck = faults_disarm();
    /* Whoever was told to wait is told something. */
    bool is_good = (parsed == 0 || parsed == ERR_MEMORY) && (!reply || reply->length > 0) &&
                   (has_struck || (reply && strstr(reply->data, flow->expected)));
    forget_runs(fixture);
    is_good = is_good && router_fixture_post(fixture, buf_view(&json), &second) == 0;
    reply = deferred_reply(fixture);
    is_good = is_good && reply && strstr(reply->data, flow->expected) &&
              count_effects(flow, &run) == flow->effect_count;
    if (!is_good) {
        print_run(flow, FAULT_ALLOCATION, nth, is_lasting);
        print_error("first:  %s\nlater:  %s\n", first.data ? first.data : "",
                    reply ? reply->data : "");
        fail();
    }
    return has_struck;
}

static void without_memory_who_was_told_to_wait_is_told_something(void **state)
{
    (void)state;
    struct router_fixture fixture;
    assert_int_equal(router_fixture_open(&fixture, NULL, 1, 8), 0);
    assert_int_equal(router_fixture_set_budget(&fixture, 0), 0);
    faults_wrap_engine(fixture.base.db);
    for (size_t i = 0; i < ARRAY_LENGTH(flows); i++) {
        /* Suggestions are not deferred, a form can't be; the others need no ids in their data. */
        bool is_form = strstr(flows[i].expected, "\"type\":9") != NULL;
        if (flows[i].type == INTERACTION_AUTOCOMPLETE || is_form || strchr(flows[i].data, '%'))
            continue;
        for (int is_lasting = 0; is_lasting < 2; is_lasting++)
            for (int64_t nth = 1; defer_once(&fixture, &flows[i], nth, is_lasting);
                 nth = fault_next(nth))
                continue;
    }
    assert_books_balance(&fixture);
    router_fixture_close(&fixture);
}

static void without_memory_nobody_is_told_what_is_not_so(void **state)
{
    (void)state;
    run_flows(FAULT_ALLOCATION);
}

static void a_statement_that_fails_changes_nothing_for_good(void **state)
{
    (void)state;
    run_flows(FAULT_STATEMENT_BEFORE);
}

static void a_commit_whose_answer_is_lost_is_found_the_next_time(void **state)
{
    (void)state;
    run_flows(FAULT_STATEMENT_AFTER);
}

static void a_disk_that_fails_loses_no_coin(void **state)
{
    (void)state;
    run_flows(FAULT_DISK);
}

int main(void)
{
    faults_wrap_files();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_that_fails_changes_nothing_for_good),
        cmocka_unit_test(a_commit_whose_answer_is_lost_is_found_the_next_time),
        cmocka_unit_test(a_disk_that_fails_loses_no_coin),
        cmocka_unit_test(without_memory_who_was_told_to_wait_is_told_something),
        cmocka_unit_test(without_memory_nobody_is_told_what_is_not_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
