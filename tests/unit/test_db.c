/* What statements, results and errors promise, one caller at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char account_table[] =
    "CREATE TABLE account (id BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " balance BIGINT NOT NULL DEFAULT 0 CONSTRAINT balance_not_negative CHECK (balance >= 0),"
    " parent BIGINT REFERENCES account (id))";

static struct db *with_accounts(void **state)
{
    struct db_fixture *fixture = *state;
    assert_int_equal(db_fixture_run(fixture->db, account_table), 0);
    assert_int_equal(db_fixture_run(fixture->db, "INSERT INTO account (id, name, balance) VALUES "
                                                 "(1, 'ann', 10), (2, 'bob', 20)"),
                     0);
    return fixture->db;
}

static void parameters_are_found_by_number_not_by_place(void **state)
{
    struct db_fixture *fixture = *state;
    struct db_statement statement = {
        .sql = "SELECT $2 + 0, $1 + 0, $2 * $1",
        .parameters = { DB_INT(3), DB_INT(5) },
        .parameter_count = 2,
    };
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    assert_int_equal(db_query(fixture->db, &statement, &rows, NULL), 0);
    assert_int_equal(db_rows_int(rows, 0, 0), 5);
    assert_int_equal(db_rows_int(rows, 0, 1), 3);
    assert_int_equal(db_rows_int(rows, 0, 2), 15);
}

static void values_come_back_as_they_went_in(void **state)
{
    struct db_fixture *fixture = *state;
    assert_int_equal(db_fixture_run(fixture->db,
                                    "CREATE TABLE t (a BIGINT, b BIGINT, c TEXT, d TEXT, e TEXT,"
                                    " f BYTEA, g BYTEA)"),
                     0);
    struct db_statement statements[] = {
        { .sql = "INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7)",
          .parameters = { DB_INT(INT64_MIN), DB_INT(INT64_MAX), DB_TEXT(STR("\xe2\x82\xac")),
                          DB_TEXT(STR("")), DB_TEXT(STR_NONE), DB_BLOB(STR("a\0b")), DB_NULL },
          .parameter_count = 7,
          .expect = DB_ONE_ROW },
        { .sql = "SELECT * FROM t" },
    };
    struct db_rows *results[2];
    assert_int_equal(db_atomic(fixture->db, statements, 2, results, NULL), 0);
    assert_null(results[0]);
    CLEANUP(cleanup_db_rows) struct db_rows *rows = results[1];
    assert_int_equal(db_rows_count(rows), 1);
    assert_int_equal(db_rows_columns(rows), 7);
    assert_true(db_rows_int(rows, 0, 0) == INT64_MIN);
    assert_true(db_rows_int(rows, 0, 1) == INT64_MAX);
    assert_true(str_equal(db_rows_text(rows, 0, 2), STR("\xe2\x82\xac")));
    assert_false(db_rows_is_null(rows, 0, 3));
    assert_int_equal(db_rows_text(rows, 0, 3).length, 0);
    assert_true(db_rows_is_null(rows, 0, 4));
    assert_null(db_rows_text(rows, 0, 4).data);
    assert_true(str_equal(db_rows_text(rows, 0, 5), STR("a\0b")));
    assert_true(db_rows_is_null(rows, 0, 6));
}

static void a_result_keeps_its_texts_while_it_grows(void **state)
{
    struct db_fixture *fixture = *state;
    struct db_statement statement = {
        .sql = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999)"
               " SELECT i, 'text ' || i FROM n",
    };
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    assert_int_equal(db_query(fixture->db, &statement, &rows, NULL), 0);
    assert_int_equal(db_rows_count(rows), 5000);
    for (int i = 0; i < 5000; i++) {
        char expected[32];
        snprintf(expected, sizeof(expected), "text %d", i);
        assert_int_equal(db_rows_int(rows, i, 0), i);
        assert_true(str_equal(db_rows_text(rows, i, 1), str_from(expected)));
    }
}

static void what_a_write_has_touched_is_known_without_returning(void **state)
{
    static const struct {
        const char *sql;
        int touched;
    } cases[] = {
        { "UPDATE account SET balance = balance + 1", 2 },
        { "UPDATE account SET balance = 0 WHERE id = 77", 0 },
        { "INSERT INTO account (id, name, balance) VALUES (1, 'x', 5) ON CONFLICT (id) DO NOTHING",
          0 },
        { "SELECT id FROM account", 2 },
    };
    struct db *db = with_accounts(state);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
        struct db_statement statement = { .sql = cases[i].sql };
        assert_int_equal(db_query(db, &statement, &rows, NULL), 0);
        assert_int_equal(db_rows_touched(rows), cases[i].touched);
    }
    assert_int_equal(db_rows_touched(NULL), 0);
}

static void a_committed_row_is_seen_by_the_next_read(void **state)
{
    struct db *db = with_accounts(state);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(db_fixture_run(db, "UPDATE account SET balance = balance + 1 WHERE id=1"),
                         0);
        assert_int_equal(db_fixture_number(db, "SELECT balance FROM account WHERE id = 1"), 11 + i);
    }
}

static void expectations_are_checked(void **state)
{
    struct db *db = with_accounts(state);
    static const char *const sql[] = {
        "UPDATE account SET balance = balance WHERE id = 9",                      /* 0 rows */
        "UPDATE account SET balance = balance WHERE id = 1",                      /* 1 */
        "UPDATE account SET balance = balance",                                   /* 2 */
        "SELECT id FROM account WHERE id = 9",                                    /* 0 */
        "SELECT id FROM account WHERE id = 1",                                    /* 1 */
        "SELECT id FROM account",                                                 /* 2 */
        "UPDATE account SET balance = balance WHERE id = 9 RETURNING id",         /* 0 */
        "UPDATE account SET balance = balance WHERE id = 1 RETURNING id",         /* 1 */
        "UPDATE account SET balance = balance RETURNING id",                      /* 2 */
        "WITH w AS (SELECT 9) DELETE FROM account WHERE id IN (SELECT 9 FROM w)", /* 0 */
    };
    static const bool holds[][3] = {
        [DB_ANY_ROWS] = { true, true, true },
        [DB_ONE_ROW] = { false, true, false },
        [DB_SOME_ROWS] = { false, true, true },
        [DB_NO_ROWS] = { true, false, false },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(sql); i++) {
        for (int expect = DB_ANY_ROWS; expect <= DB_NO_ROWS; expect++) {
            struct db_statement statements[] = {
                { .sql = "SELECT 1" },
                { .sql = sql[i], .expect = (enum db_expectation)expect },
            };
            struct err err = { 0 };
            int expected = holds[expect][i % 3] ? 0 : ERR_EXPECTATION;
            assert_int_equal(db_query(db, &statements[1], NULL, &err), expected);
            assert_int_equal(db_atomic(db, statements, 2, NULL, &err), expected);
            assert_int_equal(expected == 0 ? 1 : err.index, 1);
        }
    }
}

static void a_statement_that_changes_nothing_does_not_inherit_a_count(void **state)
{
    struct db *db = with_accounts(state);
    const struct db_statement inserts_three = {
        .sql = "INSERT INTO account (id, name) VALUES (11, 'a'), (12, 'b'), (13, 'c')",
    };
    const struct db_statement nothing[] = {
        { .sql = "INSERT INTO account (id, name) VALUES (1, 'ann') ON CONFLICT DO NOTHING" },
        { .sql = "CREATE TABLE other (id BIGINT)" },
        { .sql = "DELETE FROM account WHERE id = 99" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(nothing); i++) {
        struct db_statement statements[] = { inserts_three,
                                             nothing[i],
                                             { .sql = "DELETE FROM account WHERE id > 10" } };
        statements[1].expect = DB_SOME_ROWS;
        struct err err;
        assert_int_equal(db_atomic(db, statements, 3, NULL, &err), ERR_EXPECTATION);
        assert_int_equal(err.index, 1);
        statements[1].expect = DB_NO_ROWS;
        assert_int_equal(db_atomic(db, statements, 3, NULL, &err), 0);
    }
}

static void a_failed_statement_undoes_the_batch(void **state)
{
    struct db *db = with_accounts(state);
    struct db_statement statements[] = {
        { .sql = "UPDATE account SET balance = balance + 5 WHERE id = 2 RETURNING balance" },
        { .sql = "UPDATE account SET balance = balance - 500 WHERE id = 1" },
        { .sql = "SELECT 1" },
    };
    struct db_rows *results[3];
    struct err err;
    assert_int_equal(db_atomic(db, statements, 3, results, &err), ERR_CHECK);
    assert_int_equal(err.index, 1);
    for (int i = 0; i < 3; i++)
        assert_null(results[i]);
    assert_int_equal(db_fixture_number(db, "SELECT balance FROM account WHERE id = 2"), 20);
}

static const char freezing_trigger[] = "CREATE TRIGGER frozen BEFORE DELETE ON account BEGIN"
                                       " SELECT raise(ABORT, 'accounts are append-only'); END";
static const char freezing_function_of_postgres[] =
    "CREATE FUNCTION freeze() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'accounts are append-only'; END; $$";
static const char freezing_trigger_of_postgres[] =
    "CREATE TRIGGER frozen BEFORE DELETE ON account FOR EACH ROW EXECUTE FUNCTION freeze()";

static void freeze(struct db *db)
{
    if (!test_engine_is_postgres()) {
        assert_int_equal(db_fixture_run(db, freezing_trigger), 0);
        return;
    }
    assert_int_equal(db_fixture_run(db, freezing_function_of_postgres), 0);
    assert_int_equal(db_fixture_run(db, freezing_trigger_of_postgres), 0);
}

static void constraints_are_told_apart(void **state)
{
    struct db *db = with_accounts(state);
    freeze(db);
    static const struct {
        const char *sql;
        int code;
        const char *word, *word_of_postgres; /* in the message */
    } cases[] = {
        { "INSERT INTO account (id, name) VALUES (1, 'x')", ERR_DUPLICATE, "account.id",
          "account_pkey" },
        { "INSERT INTO account (id, name) VALUES (3, 'ann')", ERR_DUPLICATE, "account.name",
          "account_name_key" },
        { "INSERT INTO account (id, name) VALUES (3, NULL)", ERR_CHECK, "account.name",
          "\"name\"" },
        { "UPDATE account SET balance = -1 WHERE id = 1", ERR_CHECK, "balance_not_negative",
          "balance_not_negative" },
        { "INSERT INTO account (id, name, parent) VALUES (3, 'x', 99)", ERR_CHECK, "FOREIGN KEY",
          "account_parent_fkey" },
        { "DELETE FROM account WHERE id = 1", ERR_CHECK, "append-only", "append-only" },
        { "INSERT INTO nowhere VALUES (1)", ERR_INTERNAL, "nowhere", "nowhere" },
        { "SELECT nothing FROM account", ERR_INTERNAL, "nothing", "nothing" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct err err;
        struct db_statement statement = { .sql = cases[i].sql };
        const char *word = test_engine_is_postgres() ? cases[i].word_of_postgres : cases[i].word;
        assert_int_equal(db_query(db, &statement, NULL, &err), cases[i].code);
        assert_int_equal(err.code, cases[i].code);
        assert_int_equal(err.index, 0);
        assert_non_null(strstr(err.message, word));
    }
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM account"), 2);
}

static void results_are_bounded(void **state)
{
    struct db_fixture *fixture = *state;
    static const char *const numbers =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)"
        " SELECT i FROM n";
    struct db_statement rows_statement = { .sql = numbers,
                                           .parameters = { DB_INT(DB_MAX_ROWS) },
                                           .parameter_count = 1 };
    struct db_rows *rows;
    assert_int_equal(db_query(fixture->db, &rows_statement, &rows, NULL), 0);
    assert_int_equal(db_rows_count(rows), DB_MAX_ROWS);
    db_rows_free(rows);
    rows_statement.parameters[0] = DB_INT(DB_MAX_ROWS + 1);
    assert_int_equal(db_query(fixture->db, &rows_statement, &rows, NULL), ERR_LIMIT);
    assert_null(rows);

    struct db_statement bytes_statement = {
        .sql = test_engine_is_postgres()
                   ? "SELECT repeat('x', CAST($1 AS INTEGER)), repeat('x', CAST($1 AS INTEGER))"
                   : "SELECT zeroblob($1), zeroblob($1)",
        .parameters = { DB_INT((int64_t)DB_MAX_ROW_BYTES / 2 - 16) },
        .parameter_count = 1,
    };
    assert_int_equal(db_query(fixture->db, &bytes_statement, &rows, NULL), 0);
    db_rows_free(rows);
    bytes_statement.parameters[0] = DB_INT((int64_t)DB_MAX_ROW_BYTES / 2 - 15);
    assert_int_equal(db_query(fixture->db, &bytes_statement, &rows, NULL), ERR_LIMIT);
    assert_null(rows);
}

static void a_write_whose_result_is_too_large_is_undone(void **state)
{
    struct db *db = with_accounts(state);
    struct db_statement statement = {
        .sql = test_engine_is_postgres()
                   ? "UPDATE account SET name = name || '!' RETURNING repeat('x', 20000000)"
                   : "UPDATE account SET name = name || '!' RETURNING zeroblob(20000000)",
    };
    struct db_rows *rows;
    assert_int_equal(db_query(db, &statement, &rows, NULL), ERR_LIMIT);
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM account WHERE name = 'ann'"), 1);
}

/* What one engine takes and another does not, or takes in another sense. */
static void sql_that_other_engines_refuse_is_refused(void **state)
{
    struct db *db = with_accounts(state);
    static const struct {
        const char *sql;
        int parameters;
        bool is_taken_by_postgres;
    } texts[] = {
        { "", 0, false },
        { "  ;", 0, false },
        { "SELECT 1; SELECT 2", 0, false },
        { "SELECT ?", 1, false },
        { "SELECT :name", 1, false },
        { "SELECT $1::bigint", 1, true },
        { "SELECT $01", 1, true },
        { "SELECT $2", 1, false },
        { "SELECT $1, $2", 0, false },
        { "SELECT 1.5", 0, false },
        { "SELECT \"ann\"", 0, false },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        if (texts[i].is_taken_by_postgres && test_engine_is_postgres())
            continue;
        struct db_statement statement = { .sql = texts[i].sql,
                                          .parameters = { DB_INT(1) },
                                          .parameter_count = texts[i].parameters };
        struct db_rows *rows;
        assert_int_equal(db_query(db, &statement, &rows, NULL), ERR_INTERNAL);
        assert_null(rows);
        assert_int_equal(db_atomic(db, &statement, 1, &rows, NULL), ERR_INTERNAL);
        assert_null(rows);
    }
    assert_int_equal(db_fixture_number(db, "SELECT 7 ; \n"), 7);
}

static void text_no_engine_may_store_is_refused(void **state)
{
    struct db *db = with_accounts(state);
    const struct str_view bad[] = { STR("a\0b"), STR("\xc3") };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct db_statement statement = {
            .sql = "UPDATE account SET name = $1 WHERE id = 1",
            .parameters = { DB_TEXT(bad[i]) },
            .parameter_count = 1,
        };
        assert_int_equal(db_query(db, &statement, NULL, NULL), ERR_CHECK);
    }
}

static void transactions_and_settings_belong_to_the_engine(void **state)
{
    struct db *db = with_accounts(state);
    static const char *const texts[] = {
        "BEGIN",
        "BEGIN IMMEDIATE",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT batch",
        "RELEASE batch",
        "PRAGMA synchronous = OFF",
        "PRAGMA foreign_keys = OFF",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA defer_foreign_keys = ON",
        "PRAGMA wal_checkpoint",
        "ATTACH ':memory:' AS other",
        "VACUUM",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct db_statement statements[] = {
            { .sql = "UPDATE account SET balance = 99 WHERE id = 1" },
            { .sql = texts[i] },
        };
        struct err err;
        assert_int_not_equal(db_fixture_run(db, texts[i]), 0);
        assert_int_not_equal(db_atomic(db, statements, 2, NULL, &err), 0);
        assert_int_equal(err.index, 1);
    }
    assert_int_equal(db_fixture_number(db, "SELECT balance FROM account WHERE id = 1"), 10);
}

static void a_text_that_changed_under_its_address_is_prepared_again(void **state)
{
    struct db_fixture *fixture = *state;
    char sql[32];
    for (int i = 0; i < 10; i++) {
        snprintf(sql, sizeof(sql), "SELECT %d", i);
        assert_int_equal(db_fixture_number(fixture->db, sql), i);
    }
}

static void more_texts_than_are_kept_still_run(void **state)
{
    struct db_fixture *fixture = *state;
    enum { TEXTS = 1000 };
    char(*texts)[32] = calloc(TEXTS, sizeof(*texts));
    assert_non_null(texts);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < TEXTS; i++) {
            snprintf(texts[i], sizeof(texts[i]), "SELECT %d", i);
            assert_int_equal(db_fixture_number(fixture->db, texts[i]), i);
        }
    }
    free(texts);
}

static void a_stopped_database_refuses_work(void **state)
{
    struct db *db = with_accounts(state);
    db_stop(db);
    struct db_statement statement = { .sql = "SELECT 1" };
    assert_int_equal(db_query(db, &statement, NULL, NULL), ERR_STOPPED);
    assert_int_equal(db_atomic(db, &statement, 1, NULL, NULL), ERR_STOPPED);
    assert_int_equal(db_check(db, NULL), ERR_STOPPED);
}

static void commits_and_failures_are_counted_apart(void **state)
{
    struct db_fixture *fixture = *state;
    const struct metrics *metrics = fixture->metrics;
    struct db *db = with_accounts(state); /* two commits */
    assert_int_equal(db_fixture_run(db, "INSERT INTO account (id, name) VALUES (1, 'x')"),
                     ERR_DUPLICATE);
    assert_int_equal(metrics_read(metrics, METRIC_DB_COMMITS, 0), 2);
    assert_int_equal(metrics_read(metrics, METRIC_DB_BATCHES, 0), 2);
    assert_int_equal(metrics_read(metrics, METRIC_DB_COMMIT, 0), 2);
    assert_int_equal(metrics_read(metrics, METRIC_DB_FAILURES, 0), 0);
    assert_int_equal(metrics_read(metrics, METRIC_DB_READ, 0), 0);
    assert_int_equal(db_check(db, NULL), 0);
    assert_int_equal(metrics_read(metrics, METRIC_DB_READ, 0), 1);
    assert_int_equal(db_fixture_run(db, "SELECT nonsense"), ERR_INTERNAL);
    assert_int_equal(metrics_read(metrics, METRIC_DB_FAILURES, 0), 1);
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, db_fixture_setup, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(parameters_are_found_by_number_not_by_place),
        TEST(values_come_back_as_they_went_in),
        TEST(a_result_keeps_its_texts_while_it_grows),
        TEST(what_a_write_has_touched_is_known_without_returning),
        TEST(a_committed_row_is_seen_by_the_next_read),
        TEST(expectations_are_checked),
        TEST(a_statement_that_changes_nothing_does_not_inherit_a_count),
        TEST(a_failed_statement_undoes_the_batch),
        TEST(constraints_are_told_apart),
        TEST(results_are_bounded),
        TEST(a_write_whose_result_is_too_large_is_undone),
        TEST(sql_that_other_engines_refuse_is_refused),
        TEST(text_no_engine_may_store_is_refused),
        TEST(transactions_and_settings_belong_to_the_engine),
        TEST(a_text_that_changed_under_its_address_is_prepared_again),
        TEST(more_texts_than_are_kept_still_run),
        TEST(a_stopped_database_refuses_work),
        TEST(commits_and_failures_are_counted_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
