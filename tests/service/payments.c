#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "payments.h"

#include "harness/bot_process.h"
#include "harness/interaction_json.h"
#include "harness/memory.h"

#include "bronx/tos.h"

json_object *payment(int64_t number, int64_t id, int people, int64_t guild_id)
{
    const struct place place = {
        .guild_id = guild_id, .channel_id = 501, .channel_name = "general", .guild_locale = "en-US"
    };
    const struct person payee = { .id = PAYMENTS_FIRST_PERSON + (number + 1) % people,
                                  .name = "payee" };
    const struct envelope envelope = {
        .id = id,
        .application_id = HARNESS_APPLICATION_ID,
        .person = { .id = PAYMENTS_FIRST_PERSON + number % people, .name = "payer" },
        .place = place,
    };
    json_object *options = must_array();
    must_append(options, option_json("user", 6, must_id(payee.id)));
    must_append(options, option_json("amount", 3, must_text(STR("1"))));
    json_object *resolved = must_object();
    resolved_add_user(resolved, &payee, &place);
    return command_interaction(&envelope, 42, "pay", options, resolved);
}

void payments_prepare(struct service_fixture *fixture, int people)
{
    static const struct command nothing = { .name = "test" };
    for (int i = 0; i < people; i++) {
        struct service_call call;
        struct ledger_receipt receipt;
        struct err err = { 0 };
        const struct ledger_entry riches = {
            .operation = "riches",
            .transfers = { { HOUSE(HOUSE_REWARDS), WALLET_OF(PAYMENTS_FIRST_PERSON + i),
                             PAYMENTS_RICHES } },
            .transfer_count = 1,
        };
        service_call_begin(&call, fixture, &nothing, 1 + i, PAYMENTS_FIRST_PERSON + i);
        if (tos_accept(&call.call, NULL, &err) != 0 ||
            ledger_post(&call.call, &riches, &receipt, &err) != LEDGER_DONE)
            fail_msg("%s", err.message);
        service_call_end(&call);
    }
}

void payments_read(struct service_fixture *fixture, struct lookup *paid)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = {
        .sql = "SELECT interaction_id, COUNT(*), SUM(amount) FROM ledger_transfer "
               "WHERE operation = 'pay' GROUP BY interaction_id",
    };
    assert_int_equal(db_query(fixture->db, &statement, &rows, NULL), 0);
    for (int i = 0; i < db_rows_count(rows); i++) {
        assert_int_equal(db_rows_int(rows, i, 1), 1);
        assert_int_equal(db_rows_int(rows, i, 2), 1);
        lookup_add(paid, (uint64_t)db_rows_int(rows, i, 0), paid);
    }
}

void assert_books_balance(struct service_fixture *fixture, int people)
{
    struct err err = { 0 };
    if (ledger_verify(fixture->db, &err) != 0)
        fail_msg("%s", err.message);
    assert_true(service_fixture_count(fixture, "SELECT SUM(balance) FROM account") ==
                people * (PAYMENTS_RICHES + TOS_WELCOME_BONUS));
}
