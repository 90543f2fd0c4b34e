/* The register of user data against the real schema, and what export and erasure make of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/installations.h"
#include "bronx/tos.h"
#include "bronx/user_data.h"

#include "service_fixture.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define ALICE         INT64_C(412345678901234567)
#define BOB           INT64_C(498765432109876543)
#define ALICE_TEXT    "412345678901234567"
#define SMALLEST      ((size_t)64 * 1024)
#define MANY_ROWS     25000
#define MANY_ROWS_SQL "25000"

struct test {
    struct service_fixture fixture;
    sqlite3 *schema; /* the same database, without a service between */
};

static int open_test(void **state)
{
    static struct test test;
    *state = &test;
    if (service_fixture_open(&test.fixture) != 0)
        return 1;
    return sqlite3_open_v2(test.fixture.database.path, &test.schema, SQLITE_OPEN_READONLY, NULL);
}

static int close_test(void **state)
{
    struct test *test = *state;
    sqlite3_close(test->schema);
    service_fixture_close(&test->fixture);
    return 0;
}

static int64_t fresh_id(void)
{
    static int64_t id = 1000;
    return ++id;
}

/* --- The schema ---------------------------------------------------------------------------------
 */

typedef void column_visitor(struct test *test, const char *table, const char *column);

static void for_each_column(struct test *test, column_visitor *visit)
{
    sqlite3_stmt *columns;
    assert_int_equal(sqlite3_prepare_v2(test->schema,
                                        "SELECT t.name, c.name FROM sqlite_schema t "
                                        "JOIN pragma_table_info(t.name) c "
                                        "WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'",
                                        -1, &columns, NULL),
                     SQLITE_OK);
    while (sqlite3_step(columns) == SQLITE_ROW)
        visit(test, (const char *)sqlite3_column_text(columns, 0),
              (const char *)sqlite3_column_text(columns, 1));
    assert_int_equal(sqlite3_finalize(columns), SQLITE_OK);
}

static int64_t number_of(struct test *test, const char *sql)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(test->schema, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static int times_listed(const char *list, const char *column)
{
    struct str_view rest = str_from(list), word;
    int times = 0;
    while (str_split(&rest, ' ', &word))
        times += str_equal(word, str_from(column));
    return times;
}

static void assert_classified(struct test *test, const char *name, const char *column)
{
    const struct user_data_table *table = user_data_find(str_from(name));
    (void)test;
    if (!table)
        fail_msg("table %s is not in user_data_tables", name);
    int times = times_listed(table->owner, column) + times_listed(table->personal, column) +
                times_listed(table->impersonal, column) + times_listed(table->sealed, column);
    if (times != 1)
        fail_msg("%s.%s is in %d lists of user_data_tables", name, column, times);
    if (strstr(column, "user") && times_listed(table->owner, column) == 0)
        fail_msg("%s.%s sounds like a person's id, and owns nothing", name, column);
}

static void every_column_is_classified(void **state)
{
    for_each_column(*state, assert_classified);
}

static void assert_columns_exist(struct test *test, const char *table, const char *list)
{
    struct str_view rest = str_from(list), word;
    char sql[256];
    while (str_split(&rest, ' ', &word)) {
        snprintf(sql, sizeof(sql),
                 "SELECT COUNT(*) FROM pragma_table_info('%s') WHERE name = '%.*s'", table,
                 STR_ARGS(word));
        if (number_of(test, sql) != 1)
            fail_msg("user_data_tables lists %s.%.*s, which does not exist", table, STR_ARGS(word));
    }
}

static void every_classified_column_exists(void **state)
{
    for (const struct user_data_table *table = user_data_tables; table->name; table++) {
        assert_columns_exist(*state, table->name, table->owner);
        assert_columns_exist(*state, table->name, table->personal);
        assert_columns_exist(*state, table->name, table->impersonal);
        assert_columns_exist(*state, table->name, table->sealed);
    }
}

static void what_is_personal_has_purpose_retention_and_export(void **state)
{
    (void)state;
    for (const struct user_data_table *table = user_data_tables; table->name; table++) {
        bool is_personal = table->owner || table->personal;
        const struct user_data_table *with =
            table->exported_with ? user_data_find(str_from(table->exported_with)) : NULL;
        assert_true((table->purpose != NULL) == (is_personal || table->sealed));
        assert_true((table->retention != NULL) == (is_personal || table->sealed));
        assert_true((table->owner != NULL) == is_personal);
        assert_true((table->export || (with && with->export)) == is_personal);
        assert_true(!table->is_aliased || strstr(table->erase, "$2"));
    }
}

/* --- Somebody of whom there is something everywhere --------------------------------------------
 */

static void run_sql(struct test *test, const char *sql, int64_t user_id)
{
    const struct db_statement statement = { .sql = sql,
                                            .parameters = { DB_INT(fresh_id()), DB_INT(user_id) },
                                            .parameter_count = 2 };
    struct err err = { 0 };
    if (db_query(test->fixture.db, &statement, NULL, &err) != 0)
        fail_msg("%s: %s", sql, err.message);
}

static void move_coins(struct test *test, int64_t user_id, struct transfer transfer,
                       const char *note)
{
    static const struct command none = { .name = "none" };
    struct service_call call;
    struct ledger_receipt receipt;
    const struct ledger_entry entry = {
        .operation = "pay", .transfers = { transfer }, .transfer_count = 1, .detail = str_from(note)
    };
    service_call_begin(&call, &test->fixture, &none, fresh_id(), user_id);
    assert_int_equal(ledger_post(&call.call, &entry, &receipt, NULL), LEDGER_DONE);
    service_call_end(&call);
}

static void accept_terms(struct test *test, int64_t user_id)
{
    static const struct command none = { .name = "none" };
    struct service_call call;
    service_call_begin(&call, &test->fixture, &none, fresh_id(), user_id);
    assert_int_equal(tos_accept(&call.call, NULL, NULL), 0);
    service_call_end(&call);
}

static void erase(struct test *test, int64_t user_id)
{
    static const struct command none = { .name = "none" };
    struct service_call call;
    service_call_begin(&call, &test->fixture, &none, fresh_id(), user_id);
    assert_int_equal(user_data_erase(&call.call, NULL), 0);
    service_call_end(&call);
}

static void remember_erasure(struct test *test, int64_t user_id)
{
    struct db_statement statements[ERASURE_STATEMENTS];
    struct erasure erasure = { .user_id = user_id,
                               .erased_at_ms = test->fixture.now_ms - 1,
                               .closed_until_ms = test->fixture.now_ms };
    erasure_fingerprint(&test->fixture.erasure_key, user_id, &erasure.fingerprint);
    erasure_record(&erasure, statements);
    assert_int_equal(db_atomic(test->fixture.db, statements, ERASURE_STATEMENTS, NULL, NULL), 0);
}

static void live(struct test *test, int64_t user_id, int64_t friend_id)
{
    accept_terms(test, user_id);
    remember_erasure(test, user_id);
    move_coins(test, user_id, (struct transfer){ WALLET_OF(user_id), WALLET_OF(friend_id), 100 },
               "for <@" ALICE_TEXT ">");
    move_coins(test, user_id, (struct transfer){ WALLET_OF(user_id), BANK_OF(user_id), 300 }, NULL);
    run_sql(test, "INSERT INTO cooldown VALUES ($2, 'daily', 1790000000000, $1)", user_id);
    run_sql(test,
            "INSERT INTO tos_blocked VALUES ($1, $2, "
            "'{\"name\":\"pay\",\"options\":[{\"value\":\"" ALICE_TEXT "\"}],\"resolved\":"
            "{\"users\":{\"1\":{\"username\":\"mallory, }]\\\"\"}}},\"type\":1}', 1790000000000)",
            user_id);
    run_sql(test, "INSERT INTO daily_streak VALUES ($2, $1, 1790000000000)", user_id);
    run_sql(test, "INSERT INTO pay_day VALUES ($2, $1, 20000, 100)", user_id);
    run_sql(test, "INSERT INTO game_losses VALUES ($2, 1, $1, 100, 500)", user_id);
    run_sql(test, "INSERT INTO known_user VALUES ($2, 1790000000000, 1, 'email', $1)", user_id);
    run_sql(test, "INSERT INTO known_guild VALUES ($1, 1790000000000, $2, 'bot')", user_id);
    run_sql(test, "INSERT INTO user_settings VALUES ($2, $1, 'privacy=private')", user_id);
    run_sql(test,
            "INSERT INTO user_settings_change VALUES "
            "($2, 1, 'privacy', NULL, 'private', 1790000000000, $1)",
            user_id);
    run_sql(test,
            "INSERT INTO server_settings_change VALUES "
            "($1, 1, 'games', NULL, 'off', 1790000000000, $2, $1)",
            user_id);
    run_sql(test,
            "INSERT INTO wizard_draft VALUES ($1, 'user', $2, 0, 'open', 0, 1, $1, 0, "
            "'time_zone=Europe/Madrid', 'privacy=private', 'max_bet=lots', 1790000000000)",
            user_id);
}

static json_object *export(struct test *test, struct user_data_request request,
                           struct user_data_result *result)
{
    CLEANUP(buf_free) struct buf json = { 0 };
    request.now_ms = test->fixture.now_ms;
    assert_int_equal(user_data_export(&test->fixture.services, &request, &json, result, NULL), 0);
    assert_true(json.length <= request.max_bytes);
    json_object *document = json_tokener_parse(json.data);
    assert_non_null(document);
    return document;
}

static json_object *at(json_object *object, const char *key)
{
    json_object *value = NULL;
    if (!json_object_object_get_ex(object, key, &value))
        fail_msg("no \"%s\" in %s", key, json_object_to_json_string(object));
    return value;
}

static json_object *rows_of(json_object *document, const char *table)
{
    return at(at(at(document, "data"), table), "rows");
}

static const char *text_at(json_object *object, const char *key)
{
    return json_object_get_string(at(object, key));
}

static void everything_is_counted_and_exported(void **state)
{
    struct test *test = *state;
    struct user_data_counts counts;
    struct user_data_result result;
    live(test, ALICE, BOB);
    assert_int_equal(user_data_count(&test->fixture.services, ALICE, &counts, NULL), 0);
    json_object *document = export(
        test, (struct user_data_request){ .user_id = ALICE, .max_bytes = SMALLEST }, &result);
    assert_true(result.is_whole);
    assert_string_equal(text_at(document, "user_id"), ALICE_TEXT);
    assert_string_equal(text_at(document, "made_at"), "2026-09-21T14:13:20Z");
    for (const struct user_data_table *table = user_data_tables; table->name; table++) {
        int64_t count = counts.rows[table - user_data_tables];
        if (!!table->owner != !!count)
            fail_msg("%s: %" PRId64 " rows", table->name, count);
        if (table->export)
            assert_int_equal(json_object_array_length(rows_of(document, table->name)), count);
    }
    json_object_put(document);
}

static void assert_leg(json_object *leg, const char *account, int64_t amount, int64_t balance,
                       const char *other)
{
    assert_string_equal(text_at(leg, "account"), account);
    assert_int_equal(json_object_get_int64(at(leg, "amount")), amount);
    assert_int_equal(json_object_get_int64(at(leg, "balance_after")), balance);
    assert_string_equal(text_at(leg, "other_account"), other);
}

/* 1000 as a welcome, 100 to Bob, 300 to the bank: both of its legs. */
static void the_ledger_is_exported_leg_by_leg_with_balances(void **state)
{
    struct test *test = *state;
    struct user_data_result result;
    live(test, ALICE, BOB);
    json_object *document = export(
        test, (struct user_data_request){ .user_id = ALICE, .max_bytes = SMALLEST }, &result);
    json_object *legs = rows_of(document, "ledger_transfer");
    assert_int_equal(json_object_array_length(legs), 4);
    assert_leg(json_object_array_get_idx(legs, 0), "wallet", 1000, 1000, "house");
    assert_string_equal(text_at(json_object_array_get_idx(legs, 0), "grant"), "tos_bonus");
    assert_leg(json_object_array_get_idx(legs, 1), "wallet", -100, 900, "wallet");
    assert_int_equal(json_object_get_int64(at(json_object_array_get_idx(legs, 1), "other_user_id")),
                     BOB);
    assert_string_equal(text_at(json_object_array_get_idx(legs, 1), "detail"),
                        "for <@" ALICE_TEXT ">");
    assert_leg(json_object_array_get_idx(legs, 2), "wallet", -300, 600, "bank");
    assert_leg(json_object_array_get_idx(legs, 3), "bank", 300, 300, "wallet");
    json_object_put(document);
}

static void of_other_people_only_ids_are_exported(void **state)
{
    struct test *test = *state;
    struct user_data_result result;
    live(test, ALICE, BOB);
    live(test, BOB, ALICE);
    json_object *document = export(
        test, (struct user_data_request){ .user_id = ALICE, .max_bytes = SMALLEST }, &result);
    json_object *blocked = rows_of(document, "tos_blocked");
    assert_int_equal(json_object_array_length(blocked), 1);
    assert_string_equal(text_at(json_object_array_get_idx(blocked, 0), "command"),
                        "{\"name\":\"pay\",\"options\":[{\"value\":\"" ALICE_TEXT
                        "\"}],\"type\":1}");
    assert_null(strstr(json_object_to_json_string(document), "mallory"));
    assert_int_equal(json_object_array_length(rows_of(document, "tos_decision")), 1);
    json_object_put(document);
}

/* --- Much of it --------------------------------------------------------------------------------
 */

static void live_long(struct test *test)
{
    accept_terms(test, ALICE);
    run_sql(
        test,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " MANY_ROWS_SQL
        ") INSERT INTO ledger_entry (interaction_id, operation, created_at) "
        "SELECT 1000000 + i / 2, 'pay' || (i % 2), $1 FROM n WHERE $2 > 0",
        ALICE);
    run_sql(
        test,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " MANY_ROWS_SQL
        ") INSERT INTO ledger_transfer SELECT 1000000 + i / 2, 'pay' || (i % 2), 0, 1, a.id, "
        "1, NULL, i FROM n, account a WHERE a.owner_id = $2 AND $1 > 0",
        ALICE);
}

static void more_rows_than_a_page_are_all_exported(void **state)
{
    struct test *test = *state;
    struct user_data_result result;
    live_long(test);
    json_object *document = export(
        test, (struct user_data_request){ .user_id = ALICE, .max_bytes = USER_DATA_FILE_MAX },
        &result);
    json_object *legs = rows_of(document, "ledger_transfer");
    assert_true(result.is_whole);
    assert_int_equal(json_object_array_length(legs), MANY_ROWS + 1);
    for (size_t i = 1; i <= MANY_ROWS; i++)
        assert_int_equal(
            json_object_get_int64(at(json_object_array_get_idx(legs, i), "balance_after")), i);
    json_object_put(document);
}

/* Balances count up by one, so a row that is missing shows; those of the interaction at which two
 * files meet may be in both. */
static void what_does_not_fit_one_file_is_in_the_next(void **state)
{
    struct test *test = *state;
    struct user_data_request request = { .user_id = ALICE, .max_bytes = 1024 * 1024 };
    struct user_data_result result = { 0 };
    int64_t seen = 0;
    int files = 0;
    live_long(test);
    while (!result.is_whole) {
        json_object *document = export(test, request, &result);
        json_object *legs = rows_of(document, "ledger_transfer");
        for (size_t i = 0; i < json_object_array_length(legs); i++) {
            int64_t balance =
                json_object_get_int64(at(json_object_array_get_idx(legs, i), "balance_after"));
            if (strcmp(text_at(json_object_array_get_idx(legs, i), "operation"), "tos_bonus") == 0)
                continue;
            assert_true(balance <= seen + 1);
            seen = balance > seen ? balance : seen;
        }
        assert_true(json_object_get_boolean(at(document, "is_whole")) == result.is_whole);
        json_object_put(document);
        assert_true(result.is_whole || result.next_from > request.from);
        request.from = result.next_from;
        files++;
    }
    assert_int_equal(seen, MANY_ROWS);
    assert_true(files > 2);
}

static void a_file_that_lacks_more_than_ledger_names_no_next(void **state)
{
    struct test *test = *state;
    struct user_data_result result;
    live_long(test);
    run_sql(test,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
            "INSERT INTO pay_day SELECT $2, $1, i, i FROM n",
            ALICE);
    json_object *document = export(
        test, (struct user_data_request){ .user_id = ALICE, .max_bytes = SMALLEST }, &result);
    assert_false(result.is_whole);
    assert_int_equal(result.next_from, 0);
    assert_false(json_object_get_boolean(at(document, "is_whole")));
    json_object_put(document);
}

/* --- Erasing -----------------------------------------------------------------------------------
 */

static void assert_no_trace(struct test *test, const char *table, const char *column)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "SELECT COUNT(*) FROM \"%s\" WHERE CAST(\"%s\" AS TEXT) LIKE '%%" ALICE_TEXT "%%'",
             table, column);
    if (number_of(test, sql) != 0)
        fail_msg("%s.%s still knows who was erased", table, column);
}

static void erasing_leaves_no_trace_and_the_books_balance(void **state)
{
    struct test *test = *state;
    struct user_data_counts before, after;
    live(test, ALICE, BOB);
    live(test, BOB, ALICE);
    run_sql(test, "DELETE FROM tos_blocked WHERE user_id = $2 AND $1 > 0", BOB);
    assert_int_equal(user_data_count(&test->fixture.services, BOB, &before, NULL), 0);
    for (int i = 0; i < 2; i++)
        erase(test, ALICE);
    for_each_column(test, assert_no_trace);
    assert_int_equal(ledger_verify(test->fixture.db, NULL), 0);
    assert_int_equal(user_data_count(&test->fixture.services, BOB, &after, NULL), 0);
    assert_memory_equal(&before, &after, sizeof(before));
}

static void a_blocked_command_of_others_that_names_the_erased_is_erased(void **state)
{
    struct test *test = *state;
    live(test, BOB, ALICE);
    erase(test, ALICE);
    assert_int_equal(number_of(test, "SELECT COUNT(*) FROM tos_blocked"), 0);
    assert_int_equal(number_of(test, "SELECT COUNT(*) FROM tos_decision"), 1);
}

/* A change by `user_id` and a row of the outbox that tells of it: a wizard's, which is saved by
 * another interaction than the one that opened it. */
static void change_settings(struct test *test, int64_t user_id, const char *row, bool names_author)
{
    char sql[512], effect_id[32] = "NULL";
    int64_t id = fresh_id();
    if (names_author)
        snprintf(effect_id, sizeof(effect_id), "%" PRId64, id);
    snprintf(sql, sizeof(sql),
             "INSERT INTO server_settings_change VALUES "
             "(%" PRId64 ", 1, 'games', NULL, 'off', 1790000000000, $2, %" PRId64 " + 0 * $1)",
             id, id);
    run_sql(test, sql, user_id);
    snprintf(sql, sizeof(sql),
             "INSERT INTO outbox (state, reason, owner, effect_id, id, kind, "
             "interaction_id, application_id, guild_id, request_id, version, is_final, "
             "is_reposted, is_started, content, tries, available_at, expires_at, created_at, "
             "changed_at, channel_id) VALUES (%s, %s, $1, 'channel_message', %" PRId64
             ", 1, 2, 'r', 0, 1, 0, 0, 'sealed', 0, 3, 4, 5, 6, 7 + 0 * $2)",
             row, effect_id, fresh_id());
    run_sql(test, sql, user_id);
}

static void notices_that_name_the_erased_are_withdrawn(void **state)
{
    struct test *test = *state;
    change_settings(test, ALICE, "'queued', NULL, NULL", true);
    change_settings(test, ALICE, "'leased', NULL, 5", true);
    change_settings(test, ALICE, "'dead', 'channel_closed', NULL", true);
    change_settings(test, ALICE, "'leased', NULL, 5", false); /* for all: it names nobody */
    change_settings(test, BOB, "'leased', NULL, 5", true);
    erase(test, ALICE);
    assert_int_equal(number_of(test, "SELECT COUNT(*) FROM outbox WHERE state = 'dead' AND "
                                     "content IS NULL AND reason = 'withdrawn'"),
                     2);
    assert_int_equal(number_of(test, "SELECT COUNT(*) FROM outbox WHERE state = 'dead' AND "
                                     "content IS NULL AND reason = 'channel_closed'"),
                     1);
    assert_int_equal(number_of(test, "SELECT COUNT(*) FROM outbox WHERE state = 'leased' AND "
                                     "content IS NOT NULL AND owner = 5"),
                     2);
}

/* What serves the person in servers, too, stays; what only waits for them goes. */
static void whoever_takes_the_application_away_is_forgotten_where_the_register_says_so(void **state)
{
    struct test *test = *state;
    struct user_data_counts before, after, of_bob_before, of_bob_after;
    const struct installation_change gone = { .user_id = ALICE,
                                              .occurred_at_ms = INT64_C(1790000000001) };
    live(test, ALICE, BOB);
    live(test, BOB, ALICE);
    assert_int_equal(user_data_count(&test->fixture.services, ALICE, &before, NULL), 0);
    assert_int_equal(user_data_count(&test->fixture.services, BOB, &of_bob_before, NULL), 0);
    assert_int_equal(
        installations_record(test->fixture.db, &test->fixture.erasure_key, &gone, NULL), 0);
    assert_int_equal(user_data_count(&test->fixture.services, ALICE, &after, NULL), 0);
    assert_int_equal(user_data_count(&test->fixture.services, BOB, &of_bob_after, NULL), 0);
    for (const struct user_data_table *table = user_data_tables; table->name; table++) {
        ptrdiff_t place = table - user_data_tables;
        if (after.rows[place] != (table->forget ? 0 : before.rows[place]))
            fail_msg("%s: %" PRId64 " rows", table->name, after.rows[place]);
    }
    assert_memory_equal(&of_bob_before, &of_bob_after, sizeof(of_bob_before));
    assert_int_equal(ledger_verify(test->fixture.db, NULL), 0);
}

static void accounts_of_two_erased_people_stay_apart(void **state)
{
    struct test *test = *state;
    live(test, ALICE, BOB);
    live(test, BOB, ALICE);
    erase(test, ALICE);
    erase(test, BOB);
    assert_int_equal(
        number_of(test, "SELECT COUNT(DISTINCT owner_id) FROM account WHERE owner_id < 0"), 2);
    assert_int_equal(number_of(test, "SELECT COUNT(*) FROM account WHERE kind <> 'house'"), 4);
    assert_int_equal(ledger_verify(test->fixture.db, NULL), 0);
}

/* --- The page for operators ---------------------------------------------------------------------
 */

static void the_page_for_operators_says_what_the_register_says(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf page = { 0 };
    CLEANUP(buf_free) struct buf wanted = { 0 };
    char block[4096];
    FILE *file = fopen(TEST_DATA_DIR "/../../../docs/privacy.md", "r");
    assert_non_null(file);
    for (size_t got; (got = fread(block, 1, sizeof(block), file)) > 0;)
        buf_append_bytes(&page, block, got);
    fclose(file);
    for (const struct user_data_table *table = user_data_tables; table->name; table++)
        if (table->purpose)
            buf_append_format(&wanted, "| `%s` | %s | %s | %s%s%s | %s |\n", table->name,
                              table->purpose, table->retention, table->owner ? table->owner : "",
                              table->owner ? " " : "",
                              table->sealed ? table->sealed : table->personal,
                              table->is_aliased               ? "aliased"
                              : table->erase && table->sealed ? "withdrawn"
                              : table->erase                  ? "erased"
                                                              : "stays");
    if (!strstr(page.data, wanted.data)) {
        fprintf(stderr, "docs/privacy.md needs these lines:\n%s", wanted.data); /* of any length */
        fail();
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_test, close_test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_column_is_classified),
        TEST(every_classified_column_exists),
        TEST(what_is_personal_has_purpose_retention_and_export),
        TEST(everything_is_counted_and_exported),
        TEST(the_ledger_is_exported_leg_by_leg_with_balances),
        TEST(of_other_people_only_ids_are_exported),
        TEST(more_rows_than_a_page_are_all_exported),
        TEST(what_does_not_fit_one_file_is_in_the_next),
        TEST(a_file_that_lacks_more_than_ledger_names_no_next),
        TEST(erasing_leaves_no_trace_and_the_books_balance),
        TEST(notices_that_name_the_erased_are_withdrawn),
        TEST(a_blocked_command_of_others_that_names_the_erased_is_erased),
        TEST(whoever_takes_the_application_away_is_forgotten_where_the_register_says_so),
        TEST(accounts_of_two_erased_people_stay_apart),
        TEST(the_page_for_operators_says_what_the_register_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
