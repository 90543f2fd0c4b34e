/* What the commands refuse, each with its sentence; and that a refusal moves no coin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/clock.h"
#include "bronx/language.h"
#include "bronx/ledger.h"
#include "bronx/tos.h"

#include "commands.h"
#include "economy.h"
#include "router_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAYER     INT64_C(21)
#define PAYEE     INT64_C(22)
#define BOT       INT64_C(23)
#define FILL_ROWS 10000

static int64_t fresh_id(void)
{
    static int64_t id = 5000;
    return ++id;
}

static void accept_terms(struct router_fixture *fixture, int64_t user_id)
{
    static const struct command none = { .name = "none" };
    struct service_call call;
    service_call_begin(&call, &fixture->base, &none, fresh_id(), user_id);
    assert_int_equal(tos_accept(&call.call, NULL, NULL), 0);
    service_call_end(&call);
}

static int open_fixture(void **state)
{
    static struct router_fixture fixture;
    *state = &fixture;
    if (router_fixture_open(&fixture, NULL, 1, 4) != 0)
        return 1;
    accept_terms(&fixture, PAYER);
    return 0;
}

static int close_fixture(void **state)
{
    router_fixture_close(*state);
    return 0;
}

static void assert_answer(struct router_fixture *fixture, struct ask ask, const char *sentence)
{
    CLEANUP(buf_free) struct buf body = { 0 };
    ask.id = fresh_id();
    ask.user_id = ask.user_id ? ask.user_id : PAYER;
    ask.guild_id = FIXTURE_GUILD;
    router_fixture_ask(fixture, &ask, &body);
    assert_non_null(body.data);
    if (!strstr(body.data, sentence))
        fail_msg("\"%s\" is not in %s", sentence, body.data);
}

static void assert_pay(struct router_fixture *fixture, int64_t payee, const char *amount,
                       const char *sentence)
{
    char data[512];
    snprintf(data, sizeof(data),
             "{\"id\":\"1\",\"type\":1,\"name\":\"pay\",\"options\":[{\"type\":6,\"name\":\"user\","
             "\"value\":\"%" PRId64 "\"},{\"type\":3,\"name\":\"amount\",\"value\":\"%s\"}],"
             "\"resolved\":{\"users\":{\"%" PRId64 "\":{\"id\":\"%" PRId64 "\",\"username\":\"x\","
             "\"bot\":%s}}}}",
             payee, amount, payee, payee, payee == BOT ? "true" : "false");
    fixture->base.now_ms += 4 * MS_PER_SECOND; /* past the cooldown */
    assert_answer(fixture, (struct ask){ .type = INTERACTION_COMMAND, .data = data }, sentence);
}

static int64_t wallet(struct router_fixture *fixture, int64_t user_id)
{
    static const struct command none = { .name = "none" };
    struct service_call call;
    struct balances balances;
    service_call_begin(&call, &fixture->base, &none, 1, user_id);
    assert_int_equal(ledger_balances(&call.call, user_id, &balances, NULL), 0);
    service_call_end(&call);
    return balances.wallet;
}

static void give(struct router_fixture *fixture, int64_t user_id, int64_t amount)
{
    static const struct command none = { .name = "none" };
    struct service_call call;
    struct ledger_receipt receipt;
    const struct ledger_entry entry = {
        .operation = "gift",
        .transfers = { { HOUSE(HOUSE_REWARDS), WALLET_OF(user_id), amount } },
        .transfer_count = 1,
    };
    service_call_begin(&call, &fixture->base, &none, fresh_id(), user_id);
    assert_int_equal(ledger_post(&call.call, &entry, &receipt, NULL), LEDGER_DONE);
    service_call_end(&call);
}

static void pay_refuses_what_is_no_payment(void **state)
{
    struct router_fixture *fixture = *state;
    assert_pay(fixture, PAYER, "10", "You can't pay yourself.");
    assert_pay(fixture, BOT, "10", "Bots have no use for coins.");
    assert_pay(fixture, PAYEE, "0", "The amount must be at least 1 coin.");
    assert_pay(fixture, PAYEE, "-5", "The amount must be at least 1 coin.");
    assert_pay(fixture, PAYEE, "9007199254740992", "That is more than all the coins there are.");
    assert_pay(fixture, PAYEE, "lots", "I don't understand that amount.");
    assert_pay(fixture, PAYEE, "1001", "You have 1,000 coins in your wallet.");
    assert_int_equal(wallet(fixture, PAYER), 1000);
    assert_int_equal(wallet(fixture, PAYEE), 0);
}

static void pay_keeps_the_cap_of_a_day(void **state)
{
    struct router_fixture *fixture = *state;
    give(fixture, PAYER, 99000);
    assert_pay(fixture, PAYEE, "50001", "You can pay others 50,000 coins a day here");
    assert_pay(fixture, PAYEE, "50000", "paid");
    assert_pay(fixture, PAYEE, "1", "You can pay others 50,000 coins a day here");
    assert_int_equal(wallet(fixture, PAYEE), 50000);
    fixture->base.now_ms += MS_PER_DAY;
    assert_pay(fixture, PAYEE, "1", "paid");
    assert_int_equal(wallet(fixture, PAYEE), 50001);
    assert_int_equal(ledger_verify(fixture->base.db, NULL), 0);
}

static int64_t days_of(struct router_fixture *fixture, int64_t user_id)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = {
        .sql = "SELECT COUNT(*) FROM pay_day WHERE user_id = $1",
        .parameters = { DB_INT(user_id) },
        .parameter_count = 1,
    };
    assert_int_equal(db_query(fixture->base.db, &statement, &rows, NULL), 0);
    return db_rows_int(rows, 0, 0);
}

static void pay_forgets_earlier_days_of_who_pays(void **state)
{
    struct router_fixture *fixture = *state;
    const struct db_statement others = {
        .sql = "INSERT INTO pay_day (user_id, guild_id, day, sent) VALUES ($1, $2, 1, 1)",
        .parameters = { DB_INT(PAYEE), DB_INT(FIXTURE_GUILD) },
        .parameter_count = 2,
    };
    assert_int_equal(db_query(fixture->base.db, &others, NULL, NULL), 0);
    for (int i = 0; i < 3; i++) {
        assert_pay(fixture, PAYEE, "10", "paid");
        assert_pay(fixture, PAYEE, "10", "paid");
        assert_int_equal(days_of(fixture, PAYER), 1);
        fixture->base.now_ms += MS_PER_DAY;
    }
    assert_int_equal(days_of(fixture, PAYEE), 1);
}

static void bots_have_no_balance(void **state)
{
    assert_answer(*state,
                  (struct ask){ .type = INTERACTION_COMMAND,
                                .data = "{\"id\":\"1\",\"type\":1,\"name\":\"balance\",\"options\":"
                                        "[{\"type\":6,\"name\":\"user\",\"value\":\"23\"}],"
                                        "\"resolved\":{\"users\":{\"23\":{\"id\":\"23\","
                                        "\"username\":\"x\",\"bot\":true}}}}" },
                  "Bots have no coins.");
}

static void help_refuses_what_it_does_not_know(void **state)
{
    assert_answer(*state,
                  (struct ask){ .type = INTERACTION_COMMAND,
                                .data =
                                    "{\"id\":\"1\",\"type\":1,\"name\":\"help\",\"options\":"
                                    "[{\"type\":3,\"name\":\"command\",\"value\":\"/gone\"}]}" },
                  "There is no command of that name.");
    assert_answer(*state,
                  (struct ask){ .type = INTERACTION_COMPONENT,
                                .invoker_id = PAYER,
                                .data = "{\"component_type\":3,\"custom_id\":\"help:1:0:command\","
                                        "\"values\":[]}" },
                  "Choose one command from the list.");
}

static void terms_are_accepted_by_the_box_and_stay_accepted(void **state)
{
    struct ask ask = { .type = INTERACTION_MODAL_SUBMIT,
                       .user_id = 31,
                       .data = "{\"custom_id\":\"tos:1:0:accept\",\"components\":[{\"type\":18,"
                               "\"id\":1,\"component\":{\"type\":22,\"id\":2,\"custom_id\":"
                               "\"agreement\",\"values\":[]}}]}" };
    assert_answer(*state, ask, "Tick the box to accept the terms");
    assert_int_equal(wallet(*state, 31), 0);
    ask = (struct ask){ .type = INTERACTION_COMPONENT,
                        .invoker_id = PAYER,
                        .data = "{\"component_type\":2,\"custom_id\":\"tos:1:0:decline\"}" };
    assert_answer(*state, ask, "You have accepted these terms already");
}

/* A modal of /privacy with that word typed. */
static struct ask erasure(const char *word)
{
    static char data[256];
    snprintf(data, sizeof(data),
             "{\"custom_id\":\"privacy:1:0:erase\",\"components\":[{\"type\":18,\"id\":1,"
             "\"component\":{\"type\":4,\"id\":2,\"custom_id\":\"word\",\"value\":\"%s\"}}]}",
             word);
    return (struct ask){ .type = INTERACTION_MODAL_SUBMIT, .user_id = 32, .data = data };
}

static void nobody_is_erased_without_the_word(void **state)
{
    struct router_fixture *fixture = *state;
    accept_terms(fixture, 32);
    assert_answer(fixture, erasure(""), "Nothing was deleted");
    assert_answer(fixture, erasure("DELETED"), "Nothing was deleted");
    assert_int_equal(wallet(fixture, 32), TOS_WELCOME_BONUS);
    assert_answer(fixture, erasure(" delete "), "is erased");
    assert_int_equal(wallet(fixture, 32), 0);
    assert_answer(fixture, erasure("DELETE"), "is erased");
}

static void people_see_how_much_is_stored_about_them(void **state)
{
    struct router_fixture *fixture = *state;
    accept_terms(fixture, 33);
    assert_answer(fixture,
                  (struct ask){ .type = INTERACTION_COMMAND,
                                .user_id = 33,
                                .data = "{\"id\":\"1\",\"type\":1,\"name\":\"privacy\","
                                        "\"options\":[{\"type\":1,\"name\":\"show\"}]}" },
                  "which Terms of Service. Kept: until you delete your data. **1** stored.");
}

static handler *run_of(const struct command *command, const char *sub_command)
{
    const struct option *option = command->options;
    while (strcmp(option->name, sub_command) != 0)
        option++;
    return option->run;
}

/* Units that Discord counts: of all texts of the answer; and that none was cut to fit. */
static size_t units_shown(const char *json)
{
    static const struct str_view mark = STR("\"content\":\"");
    size_t units = 0;
    assert_null(strstr(json, "\xe2\x80\xa6"));
    for (const char *at = json; (at = strstr(at, mark.data));) {
        const char *begin = at += mark.length;
        while (*at != '"')
            at += *at == '\\' ? 2 : 1;
        units += utf8_units((struct str_view){ begin, (size_t)(at - begin) });
    }
    return units;
}

/* Each table is a line of it, with a number that may become long: there must be room for one more
 * before it has to be told in two messages. */
static void what_is_stored_is_told_whole_in_every_language(void **state)
{
    struct router_fixture *fixture = *state;
    const struct language *spoken[8] = { language_of(STR("en-US")) };
    int count = 1;
    for (; languages[count - 1]; count++)
        spoken[count] = languages[count - 1];
    for (int i = 0; i < count; i++) {
        struct service_call call;
        struct err err = { 0 };
        CLEANUP(buf_free) struct buf json = { 0 };
        service_call_begin(&call, &fixture->base, &privacy_command, fresh_id(), 35);
        call.call.reply = reply_new(&call.arena, &call.interaction);
        call.call.language = spoken[i];
        assert_int_equal(run_of(&privacy_command, "show")(&call.call, &err), 0);
        assert_int_equal(reply_serialize(call.call.reply, &json, &err), 0);
        assert_in_range(units_shown(json.data), 1, 3600);
        service_call_end(&call);
    }
}

/* In pieces, for a statement has five seconds, and the machine may be busy. */
static void fill_ledger(struct router_fixture *fixture, int64_t user_id, int64_t rows)
{
    static const char *const inserts[] = {
        "WITH RECURSIVE n(i) AS (SELECT $2 UNION ALL SELECT i + 1 FROM n WHERE i < $3) "
        "INSERT INTO ledger_entry (interaction_id, operation, created_at) "
        "SELECT 1000000000 + i, 'test', 0 FROM n WHERE $1 > 0",
        "WITH RECURSIVE n(i) AS (SELECT $2 UNION ALL SELECT i + 1 FROM n WHERE i < $3) "
        "INSERT INTO ledger_transfer SELECT 1000000000 + i, 'test', 0, 1, a.id, 1, NULL, i "
        "FROM n, account a WHERE a.owner_id = $1 AND a.kind = 'wallet'",
    };
    for (int64_t from = 1; from <= rows; from += FILL_ROWS) {
        int64_t to = from + FILL_ROWS - 1 < rows ? from + FILL_ROWS - 1 : rows;
        for (size_t i = 0; i < ARRAY_LENGTH(inserts); i++) {
            const struct db_statement statement = { .sql = inserts[i],
                                                    .parameters = { DB_INT(user_id), DB_INT(from),
                                                                    DB_INT(to) },
                                                    .parameter_count = 3 };
            assert_int_equal(db_query(fixture->base.db, &statement, NULL, NULL), 0);
        }
    }
}

/* Nearly 10 MiB in one file, and more than the arena of a call usually holds. */
static void an_export_fills_a_file_and_names_the_next(void **state)
{
    struct router_fixture *fixture = *state;
    struct service_call call;
    struct err err = { 0 };
    CLEANUP(buf_free) struct buf edit = { 0 };
    int file_count = 0;
    accept_terms(fixture, 34);
    fill_ledger(fixture, 34, 60000);
    service_call_begin(&call, &fixture->base, &privacy_command, fresh_id(), 34);
    call.call.reply = reply_new(&call.arena, &call.interaction);
    assert_int_equal(run_of(&privacy_command, "export")(&call.call, &err), 0);
    assert_int_equal(reply_serialize_edit(call.call.reply, &edit, &err), 0);
    assert_non_null(strstr(edit.data, "Not everything fits one file"));
    assert_non_null(strstr(edit.data, "/privacy export from:10000"));
    const struct reply_attachment *files = reply_files(call.call.reply, &file_count);
    assert_int_equal(file_count, 1);
    assert_true(str_starts_with(files[0].filename, STR("bronxbot-34-2026-")));
    assert_in_range(files[0].bytes.length, 9 * 1024 * 1024, 10 * 1024 * 1024);
    service_call_end(&call);
}

/* Every reason any command can meet has its words. */
static void a_refused_posting_is_worded(void **state)
{
    struct router_fixture *fixture = *state;
    static const struct command none = { .name = "none", .cooldown_ms = MS_PER_MINUTE };
    static const struct {
        enum ledger_refusal refusal;
        int result;
        enum outcome outcome;
    } rows[] = {
        { LEDGER_TOO_POOR, 0, OUTCOME_USER_ERROR },
        { LEDGER_ABOVE_LIMIT, 0, OUTCOME_USER_ERROR },
        { LEDGER_ON_COOLDOWN, 0, OUTCOME_COOLDOWN },
        { LEDGER_ALREADY_GRANTED, ERR_DUPLICATE, OUTCOME_OK },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct service_call call;
        struct err err = { .code = ERR_DUPLICATE };
        service_call_begin(&call, &fixture->base, &none, fresh_id(), PAYER);
        call.call.reply = reply_new(&call.arena, &call.interaction);
        assert_non_null(call.call.reply);
        assert_int_equal(refuse_posting(&call.call, rows[i].refusal, &err), rows[i].result);
        assert_int_equal(call.call.outcome, rows[i].outcome);
        assert_int_equal(reply_is_empty(call.call.reply), rows[i].result != 0);
        service_call_end(&call);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pay_refuses_what_is_no_payment),
        cmocka_unit_test(pay_keeps_the_cap_of_a_day),
        cmocka_unit_test(pay_forgets_earlier_days_of_who_pays),
        cmocka_unit_test(bots_have_no_balance),
        cmocka_unit_test(help_refuses_what_it_does_not_know),
        cmocka_unit_test(terms_are_accepted_by_the_box_and_stay_accepted),
        cmocka_unit_test(nobody_is_erased_without_the_word),
        cmocka_unit_test(people_see_how_much_is_stored_about_them),
        cmocka_unit_test(what_is_stored_is_told_whole_in_every_language),
        cmocka_unit_test(an_export_fills_a_file_and_names_the_next),
        cmocka_unit_test(a_refused_posting_is_worded),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
