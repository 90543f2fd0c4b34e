/* Moving a bot from SQLite to PostgreSQL: everything arrives as it was, or nothing does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/migrate.h"
#include "harness/postgres_relay.h"
#include "importer/importer.h"
#include "service_fixture.h"
#include "services/secret.h"

#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Entries of 2 KB, each with a transfer; IMPORT_ENTRIES in the environment: other so many.
 * Sanitizers keep what was freed, so that memory says nothing about the program there. */
#define MANY_ENTRIES  (TEST_IS_SANITIZED ? 2000 : 20000)
#define MEMORY_MAX_KB (16 * 1024) /* of a source that has more than 40 MB */
#define NOW_MS        INT64_C(1790000000000)
#define LARGEST       "9007199254740991"
#define FIRST_TABLES  INT64_C(8192) /* bytes: somewhere in the first rows */

static const struct command plain = { .name = "plain" };

/* A bot's file and an empty database for it to grow into. */
struct move {
    struct test_database old, new;
    char *report; /* what was printed */
    size_t report_size;
    struct err err;
};

static void begin(struct move *move)
{
    struct service_fixture fixture;
    *move = (struct move){ 0 };
    test_database_new_on(&move->old, false);
    test_database_new_on(&move->new, true);
    assert_int_equal(service_fixture_open_at(&fixture, move->old.url, NOW_MS), 0);
    service_fixture_close(&fixture);
}

static void end(struct move *move)
{
    free(move->report);
    test_database_remove(&move->old);
    test_database_remove(&move->new);
}

static int run_to(struct move *move, const char *url)
{
    struct service_fixture time = { .now_ms = NOW_MS };
    const struct import_options options = { .from = move->old.url, .to = url };
    free(move->report);
    move->err = (struct err){ 0 };
    FILE *progress = open_memstream(&move->report, &move->report_size);
    assert_non_null(progress);
    service_fixture_clock(&time);
    int result = import_run(&options, &time.clock, progress, &move->err);
    fclose(progress);
    return result;
}

static int run(struct move *move)
{
    return run_to(move, move->new.url);
}

static void must_run(struct move *move)
{
    if (run(move) != 0)
        fail_msg("%s", move->err.message);
}

/* Straight into the file, as no bot would. */
static void put(const struct move *move, const char *sql)
{
    sqlite3 *handle = NULL;
    char *reason = NULL;
    assert_int_equal(sqlite3_open(move->old.path, &handle), SQLITE_OK);
    if (sqlite3_exec(handle, sql, NULL, NULL, &reason) != SQLITE_OK)
        fail_msg("%s: %s", sql, reason);
    sqlite3_close(handle);
}

static void put_coins(const struct move *move, int64_t user)
{
    struct service_fixture fixture;
    struct service_call call;
    struct ledger_receipt receipt;
    assert_int_equal(service_fixture_open_at(&fixture, move->old.url, NOW_MS), 0);
    const struct ledger_entry entry = {
        .operation = "gift",
        .transfers = { { HOUSE(HOUSE_REWARDS), WALLET_OF(user), LEDGER_AMOUNT_MAX } },
        .transfer_count = 1,
        .detail = STR("🪙 \"quoted\" \\. \\N\tand\nmore"),
    };
    service_call_begin(&call, &fixture, &plain, user, user);
    assert_int_equal(ledger_post(&call.call, &entry, &receipt, NULL), LEDGER_DONE);
    service_call_end(&call);
    service_fixture_close(&fixture);
}

static void open_new(struct move *move, struct service_fixture *fixture)
{
    assert_int_equal(service_fixture_open_at(fixture, move->new.url, NOW_MS), 0);
}

static void expect(struct move *move, const char *sql, int64_t number)
{
    struct service_fixture fixture;
    open_new(move, &fixture);
    int64_t found = service_fixture_count(&fixture, sql);
    service_fixture_close(&fixture);
    if (found != number)
        fail_msg("%s gives %lld", sql, (long long)found);
}

/* As migrations leave it: then the import may be tried again. */
static void expect_nothing_imported(struct move *move)
{
    expect(move,
           "SELECT (SELECT COUNT(*) FROM account) + (SELECT COUNT(*) FROM ledger_entry) "
           "+ (SELECT COUNT(*) FROM bot_state)",
           2);
}

/* --- What arrives --- */

static int name_every_table(void *context, int columns, char **values, char **names)
{
    static const char *const left_out[] = { "schema_migration", "instance", "duty" };
    const struct move *move = context;
    char line[128];
    bool may_be_left = false;
    (void)columns;
    (void)names;
    for (size_t i = 0; i < ARRAY_LENGTH(left_out); i++)
        may_be_left |= strcmp(values[0], left_out[i]) == 0;
    snprintf(line, sizeof(line), "%s: %s", values[0], may_be_left ? "left out" : "");
    const char *found = strstr(move->report, line);
    if (!found || (!may_be_left && strstr(found, " rows\n") > strchr(found, '\n')))
        fail_msg("nothing is said about the rows of %s:\n%s", values[0], move->report);
    return 0;
}

static void every_table_of_the_schema_is_imported(void **state)
{
    (void)state;
    struct move move;
    sqlite3 *handle = NULL;
    begin(&move);
    must_run(&move);
    assert_int_equal(sqlite3_open(move.old.path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle,
                                  "SELECT name FROM sqlite_schema WHERE type = 'table' "
                                  "AND name NOT LIKE 'sqlite%'",
                                  name_every_table, &move, NULL),
                     SQLITE_OK);
    sqlite3_close(handle);
    end(&move);
}

static void every_value_arrives_as_it_was(void **state)
{
    (void)state;
    struct move move;
    begin(&move);
    put_coins(&move, 7);
    put(&move, "INSERT INTO bot_state VALUES ('a', ''), ('B', 'é🪙'), ('_', '\\N');"
               "INSERT INTO known_user VALUES (-1, NULL, NULL, NULL, " LARGEST "),"
               " (5, 0, -1, '', NULL);"
               "INSERT INTO erasure VALUES (x'ff00', 1, " LARGEST "), (x'00ff', 2, 3);"
               "INSERT INTO outbox VALUES (9, 'run', 8, 8, 1, 0, 'r', " LARGEST ", 1, 0, 0,"
               " x'00ff5c2e0a0d00', 'leased', NULL, 3, 77, 1, 2, 3, 4, NULL, NULL, NULL, NULL);"
               "INSERT INTO outbox VALUES (10, 'follow_up', NULL, 8, 1, 0, 'r', 0, 0, 0, 1,"
               " x'', 'dead', 'why', 3, NULL, 1, 2, 3, 4, NULL, NULL, 1, 7);"
               "INSERT INTO instance VALUES (77, 'serve', 'h', 1, 'v', 1, " LARGEST ");");
    must_run(&move);
    expect(&move, "SELECT balance FROM account WHERE owner_id = 7", LEDGER_AMOUNT_MAX);
    expect(&move,
           "SELECT COUNT(*) FROM ledger_entry WHERE interaction_id = 7 AND guild_id IS NULL "
           "AND detail = E'\\U0001FA99 \"quoted\" \\\\. \\\\N\\tand\\nmore'",
           1);
    expect(&move,
           "SELECT COUNT(*) FROM bot_state WHERE (key, value) IN (('a', ''), "
           "('B', E'\\u00e9\\U0001FA99'), ('_', E'\\\\N'))",
           3);
    expect(&move,
           "SELECT COUNT(*) FROM known_user WHERE user_id = -1 AND scopes IS NULL "
           "AND deauthorized_at = " LARGEST,
           1);
    expect(&move, "SELECT COUNT(*) FROM known_user WHERE user_id = 5 AND scopes = ''", 1);
    expect(&move,
           "SELECT COUNT(*) FROM erasure WHERE (fingerprint = '\\xff00' AND erased_at = 1 "
           "AND closed_until = " LARGEST ") OR (fingerprint = '\\x00ff' AND closed_until = 3)",
           2);
    expect(&move,
           "SELECT COUNT(*) FROM outbox WHERE id = 9 AND version = " LARGEST
           " AND content = '\\x00ff5c2e0a0d00' AND owner = 77",
           1);
    expect(&move, "SELECT COUNT(*) FROM outbox WHERE id = 10 AND content = ''", 1);
    /* Whoever held the job is dead in the new database. */
    expect(&move, "SELECT COUNT(*) FROM instance", 0);
    end(&move);
}

static void tokens_sealed_before_can_be_opened_after(void **state)
{
    (void)state;
    struct move move;
    struct service_fixture fixture;
    unsigned char before[SERVER_KEY_BYTES], after[SERVER_KEY_BYTES];
    begin(&move);
    assert_int_equal(service_fixture_open_at(&fixture, move.old.url, NOW_MS), 0);
    assert_int_equal(server_key_load(fixture.db, "", before, NULL), 0);
    service_fixture_close(&fixture);
    must_run(&move);
    open_new(&move, &fixture);
    assert_int_equal(server_key_load(fixture.db, "", after, NULL), 0);
    service_fixture_close(&fixture);
    assert_memory_equal(before, after, SERVER_KEY_BYTES);
    end(&move);
}

static void what_was_imported_is_still_append_only(void **state)
{
    (void)state;
    struct move move;
    struct service_fixture fixture;
    begin(&move);
    put_coins(&move, 7);
    must_run(&move);
    open_new(&move, &fixture);
    const struct db_statement statement = { .sql = "DELETE FROM ledger_transfer" };
    assert_int_equal(db_query(fixture.db, &statement, NULL, NULL), ERR_CHECK);
    service_fixture_close(&fixture);
    end(&move);
}

/* --- What is refused --- */

static void expect_refusal(struct move *move, int code, const char *words)
{
    assert_int_equal(run(move), code);
    if (!strstr(move->err.message, words))
        fail_msg("\"%s\" does not say \"%s\"", move->err.message, words);
}

static void a_database_in_use_before_is_refused(void **state)
{
    (void)state;
    static const char *const traces[] = {
        "INSERT INTO bot_state VALUES ('server_secret', 'x')",
        "INSERT INTO instance VALUES (1, 'serve', 'h', 1, 'v', 1, 1)",
        "DELETE FROM account WHERE id = 2",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(traces); i++) {
        struct move move;
        struct service_fixture fixture;
        begin(&move);
        put_coins(&move, 7);
        open_new(&move, &fixture);
        const struct db_statement trace = { .sql = traces[i] };
        assert_int_equal(db_query(fixture.db, &trace, NULL, NULL), 0);
        service_fixture_close(&fixture);
        expect_refusal(&move, ERR_CONFIG, "not empty");
        expect(&move, "SELECT COUNT(*) FROM ledger_entry", 0);
        end(&move);
    }
}

static void a_second_import_is_refused(void **state)
{
    (void)state;
    struct move move;
    begin(&move);
    put_coins(&move, 7);
    must_run(&move);
    expect_refusal(&move, ERR_CONFIG, "not empty");
    expect(&move, "SELECT COUNT(*) FROM ledger_entry", 1);
    end(&move);
}

static void somebody_elses_database_does_not_get_our_tables(void **state)
{
    (void)state;
    struct move move;
    struct db *db = NULL;
    begin(&move);
    struct service_fixture time = { .now_ms = NOW_MS };
    service_fixture_clock(&time);
    const struct db_settings settings = {
        .url = move.new.url, .pool_min = 1, .pool_max = 1, .clock = &time.clock
    };
    const struct db_statement theirs = { .sql = "CREATE TABLE theirs (id BIGINT)" };
    const struct db_statement ours = { .sql = "SELECT 1 FROM schema_migration" };
    assert_int_equal(db_open(&db, &settings, NULL), 0);
    assert_int_equal(db_query(db, &theirs, NULL, NULL), 0);
    expect_refusal(&move, ERR_CONFIG, "none of ours");
    assert_int_equal(db_query(db, &ours, NULL, NULL), ERR_INTERNAL);
    db_close(db);
    end(&move);
}

static void a_source_in_use_is_refused(void **state)
{
    (void)state;
    struct move move;
    struct service_fixture fixture;
    begin(&move);
    assert_int_equal(service_fixture_open_at(&fixture, move.old.url, NOW_MS), 0);
    expect_refusal(&move, ERR_UNAVAILABLE, "in use by another process");
    service_fixture_close(&fixture);
    must_run(&move);
    end(&move);
}

static void a_source_that_is_not_there_is_not_made(void **state)
{
    (void)state;
    struct move move;
    struct stat status;
    begin(&move);
    const struct test_database old = move.old;
    snprintf(move.old.path, sizeof(move.old.path), "%s/none.db", old.folder);
    snprintf(move.old.url, sizeof(move.old.url), "sqlite:%s", move.old.path);
    expect_refusal(&move, ERR_CONFIG, "No such file");
    assert_int_not_equal(stat(move.old.path, &status), 0);
    move.old = old;
    end(&move);
}

static void a_source_of_an_older_version_is_told_what_to_do(void **state)
{
    (void)state;
    struct move move;
    begin(&move);
    put(&move, "DELETE FROM schema_migration WHERE version = "
               "(SELECT MAX(version) FROM schema_migration)");
    expect_refusal(&move, ERR_CONFIG, "bronxbot migrate");
    end(&move);
}

static void books_out_of_order_are_not_imported(void **state)
{
    (void)state;
    struct move move;
    begin(&move);
    put_coins(&move, 7);
    put(&move, "UPDATE account SET balance = 5 WHERE owner_id = 7");
    expect_refusal(&move, ERR_INTERNAL, "a balance is the sum of its legs");
    expect_nothing_imported(&move);
    end(&move);
}

static void a_value_of_the_wrong_type_is_named_but_not_shown(void **state)
{
    (void)state;
    struct move move;
    begin(&move);
    put(&move, "INSERT INTO daily_streak VALUES (1, 4294967296, 5)");
    expect_refusal(&move, ERR_CHECK, "daily_streak: column days: a number out of range");
    put(&move, "UPDATE daily_streak SET days = 'secret'");
    expect_refusal(&move, ERR_CHECK, "daily_streak: column days: a value of another type");
    assert_null(strstr(move.err.message, "secret"));
    expect_nothing_imported(&move);
    end(&move);
}

static void a_password_is_never_shown(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "postgresql://bronxbot:hunter22@/postgres?host=/nonexistent",
        "postgresql://bronxbot:hunter22@/postgres?nonsense=1",
        "mysql://bronxbot:hunter22@/postgres",
    };
    struct move move;
    begin(&move);
    for (size_t i = 0; i < ARRAY_LENGTH(urls); i++) {
        assert_true(run_to(&move, urls[i]) < 0);
        assert_non_null(strstr(move.err.message, "--to"));
        assert_null(strstr(move.err.message, "hunter22"));
        assert_null(strstr(move.report, "hunter22"));
    }
    end(&move);
}

/* --- What is cut short --- */

struct relayed {
    struct harness_relay *relay;
    char folder[32];
    char url[TEST_DATABASE_MAX];
    enum relay_fault fault;
};

static enum relay_fault choose(void *context)
{
    const struct relayed *relayed = context;
    return relayed->fault;
}

static void relay_begin(struct relayed *relayed, const struct move *move, enum relay_fault fault)
{
    const char *options = strstr(move->new.url, "&options");
    *relayed = (struct relayed){ .folder = "/tmp/bronxbot-relay-XXXXXX", .fault = fault };
    assert_non_null(mkdtemp(relayed->folder));
    relayed->relay =
        harness_relay_start(relayed->folder, test_database_server()->folder, choose, relayed);
    assert_non_null(relayed->relay);
    snprintf(relayed->url, sizeof(relayed->url), "postgresql://bronxbot@/postgres?host=%s%s",
             relayed->folder, options);
}

static void relay_end(struct relayed *relayed)
{
    harness_relay_stop(relayed->relay);
    rmdir(relayed->folder);
}

static void cut_in_the_middle_leaves_the_target_empty(void **state)
{
    (void)state;
    struct move move;
    struct relayed relayed;
    begin(&move);
    put(&move, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
               "INSERT INTO bot_state SELECT 'key ' || i, hex(zeroblob(100)) FROM n");
    /* The schema is not what is to be cut. */
    expect_nothing_imported(&move);
    relay_begin(&relayed, &move, RELAY_PASSES);
    harness_relay_cut_after(relayed.relay, FIRST_TABLES);
    assert_int_equal(run_to(&move, relayed.url), ERR_UNAVAILABLE);
    relay_end(&relayed);
    assert_non_null(strstr(move.report, "account: 2 rows"));
    assert_null(strstr(move.report, "bot_state"));
    expect_nothing_imported(&move);
    must_run(&move);
    expect(&move, "SELECT COUNT(*) FROM bot_state", 2000);
    end(&move);
}

static void a_lost_commit_is_not_taken_for_done(void **state)
{
    (void)state;
    struct move move;
    struct relayed relayed;
    begin(&move);
    put_coins(&move, 7);
    relay_begin(&relayed, &move, RELAY_LOSES_COMMIT);
    assert_int_equal(run_to(&move, relayed.url), ERR_UNAVAILABLE);
    relay_end(&relayed);
    assert_non_null(strstr(move.err.message, "nothing was imported"));
    expect_nothing_imported(&move);
    must_run(&move);
    end(&move);
}

static void a_commit_whose_answer_is_lost_is_found(void **state)
{
    (void)state;
    static const enum relay_fault faults[] = { RELAY_LOSES_ANSWER, RELAY_LOSES_TOUCH };
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        struct move move;
        struct relayed relayed;
        begin(&move);
        put_coins(&move, 7);
        relay_begin(&relayed, &move, faults[i]);
        assert_int_equal(run_to(&move, relayed.url), 0);
        relay_end(&relayed);
        expect(&move, "SELECT COUNT(*) FROM ledger_entry", 1);
        end(&move);
    }
}

/* --- Much of it --- */

static long peak_kb(void)
{
    char line[128];
    long kb = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    if (file)
        fclose(file);
    return kb;
}

/* The peak is counted from now on. */
static void forget_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (file) {
        fputs("5", file);
        fclose(file);
    }
}

static void memory_does_not_grow_with_the_rows(void **state)
{
    (void)state;
    struct move move;
    char sql[1024];
    const char *wanted = getenv("IMPORT_ENTRIES");
    long entries = wanted ? strtol(wanted, NULL, 10) : MANY_ENTRIES;
    begin(&move);
    snprintf(sql, sizeof(sql),
             "BEGIN;"
             "INSERT INTO account VALUES (77, 77, 'wallet', %ld, NULL);"
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %ld) "
             "INSERT INTO ledger_entry SELECT i, 'gift', 5, NULL, NULL, "
             "hex(zeroblob(1000)), 5 FROM n;"
             "INSERT INTO ledger_transfer SELECT interaction_id, operation, 0, 1, 77, 1, NULL, "
             "interaction_id FROM ledger_entry;"
             "COMMIT",
             entries, entries);
    put(&move, sql);
    forget_peak();
    long before_kb = peak_kb();
    must_run(&move);
    long used_kb = peak_kb() - before_kb;
    print_message("%ld entries in %ld KB\n", entries, used_kb);
    if (!TEST_IS_SANITIZED)
        assert_true(used_kb < MEMORY_MAX_KB);
    expect(&move, "SELECT COUNT(*) FROM ledger_transfer", entries);
    end(&move);
}

/* --- The command line --- */

static void both_sides_must_be_named_once(void **state)
{
    (void)state;
    static const char *const good[] = { "--to", "b", "--from", "a" };
    static const char *const wrong[][4] = {
        { "--from", "a", "--from", "b" },
        { "--from", "a", "--force", "b" },
        { "--from", "a", "b", "--to" },
    };
    struct import_options options;
    assert_int_equal(import_options_parse(4, (char **)good, &options), 0);
    assert_string_equal(options.from, "a");
    assert_string_equal(options.to, "b");
    for (int count = 1; count < 4; count++)
        assert_int_equal(import_options_parse(count, (char **)good, &options), ERR_INVALID);
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        assert_int_equal(import_options_parse(4, (char **)wrong[i], &options), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_of_the_schema_is_imported),
        cmocka_unit_test(every_value_arrives_as_it_was),
        cmocka_unit_test(tokens_sealed_before_can_be_opened_after),
        cmocka_unit_test(what_was_imported_is_still_append_only),
        cmocka_unit_test(a_database_in_use_before_is_refused),
        cmocka_unit_test(a_second_import_is_refused),
        cmocka_unit_test(somebody_elses_database_does_not_get_our_tables),
        cmocka_unit_test(a_source_in_use_is_refused),
        cmocka_unit_test(a_source_that_is_not_there_is_not_made),
        cmocka_unit_test(a_source_of_an_older_version_is_told_what_to_do),
        cmocka_unit_test(books_out_of_order_are_not_imported),
        cmocka_unit_test(a_value_of_the_wrong_type_is_named_but_not_shown),
        cmocka_unit_test(a_password_is_never_shown),
        cmocka_unit_test(cut_in_the_middle_leaves_the_target_empty),
        cmocka_unit_test(a_lost_commit_is_not_taken_for_done),
        cmocka_unit_test(a_commit_whose_answer_is_lost_is_found),
        cmocka_unit_test(memory_does_not_grow_with_the_rows),
        cmocka_unit_test(both_sides_must_be_named_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
