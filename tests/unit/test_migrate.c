/* Migrations are applied once, in order, whole or not at all; what does not fit is refused before
 * anything changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/migrate.h"
#include "db_fixture.h"

#include <string.h>

#define NOW_MS INT64_C(1700000000000)

/* main() makes it fit the engine. */
static struct migration three[] = {
    { 1, "accounts", NULL,
      "-- A comment; with a semicolon.\n"
      "CREATE TABLE account (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL);\n"
      "CREATE TRIGGER frozen BEFORE DELETE ON account BEGIN\n"
      "  SELECT raise(ABORT, 'no; never');\n"
      "END;\n"
      "INSERT INTO account VALUES (1, 100);\n",
      "aaaa" },
    { 2, "only_elsewhere", "postgres", "no SQL;", "bbbb" },
    { 2, "only_here", "sqlite", "CREATE TABLE here (id BIGINT);", "cccc" },
    { 3, "bonus", NULL, "UPDATE account SET balance = balance + 1;\n-- the end", "dddd" },
    { 0 },
};

static const char accounts_for_postgres[] =
    "-- A comment; with a semicolon.\n"
    "CREATE TABLE account (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL);\n"
    "CREATE FUNCTION frozen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n"
    "  RAISE EXCEPTION 'no; never';\n"
    "END; $$;\n"
    "CREATE TRIGGER frozen BEFORE DELETE ON account FOR EACH ROW EXECUTE FUNCTION frozen();\n"
    "INSERT INTO account VALUES (1, 100);\n";

static int migrate(struct db_fixture *fixture, const struct migration *migrations,
                   struct migration_result *result, struct err *err)
{
    return db_migrate(fixture->db, migrations, NOW_MS, result, err);
}

static int64_t migrations_in(struct db_fixture *fixture)
{
    return db_fixture_number(fixture->db, "SELECT count(*) FROM schema_migration");
}

static void missing_migrations_are_applied_in_order_and_once(void **state)
{
    struct db_fixture *fixture = *state;
    struct migration_result result;
    assert_int_equal(migrate(fixture, three, &result, NULL), 0);
    assert_int_equal(result.version_before, 0);
    assert_int_equal(result.version_after, 3);
    assert_int_equal(result.applied_count, 3);
    assert_int_equal(db_fixture_reopen(fixture, NULL), 0);
    assert_int_equal(migrate(fixture, three, &result, NULL), 0);
    assert_int_equal(result.version_before, 3);
    assert_int_equal(result.version_after, 3);
    assert_int_equal(result.applied_count, 0);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT balance FROM account"), 101);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT count(*) FROM here"), 0);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT min(applied_at) FROM schema_migration"),
                     NOW_MS);
}

static void an_older_database_gets_what_is_new(void **state)
{
    struct db_fixture *fixture = *state;
    const struct migration first[] = { three[0], { 0 } };
    struct migration_result result;
    assert_int_equal(migrate(fixture, first, NULL, NULL), 0);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT balance FROM account"), 100);
    assert_int_equal(migrate(fixture, three, &result, NULL), 0);
    assert_int_equal(result.version_before, 1);
    assert_int_equal(result.applied_count, 2);
    /* Readers that know the old schema go on with the new one. */
    assert_int_equal(db_fixture_number(fixture->db, "SELECT balance FROM account"), 101);
}

static void a_database_from_the_future_is_refused(void **state)
{
    struct db_fixture *fixture = *state;
    const struct migration older[] = { three[0], { 0 } };
    struct err err;
    assert_int_equal(migrate(fixture, three, NULL, NULL), 0);
    assert_int_equal(migrate(fixture, older, NULL, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "migration 2 (only_here)"));
    assert_int_equal(migrations_in(fixture), 3);
}

static void a_changed_migration_is_refused_before_anything_is_applied(void **state)
{
    struct db_fixture *fixture = *state;
    const struct migration first[] = { three[0], { 0 } };
    struct migration changed[ARRAY_LENGTH(three)];
    memcpy(changed, three, sizeof(three));
    changed[0].sha256[0] = 'x';
    struct err err;
    assert_int_equal(migrate(fixture, first, NULL, NULL), 0);
    assert_int_equal(migrate(fixture, changed, NULL, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "migration 1 (accounts) was changed"));
    assert_int_equal(migrations_in(fixture), 1);
}

static void a_migration_missing_below_the_latest_is_refused(void **state)
{
    struct db_fixture *fixture = *state;
    const struct migration hole[] = { three[0], three[3], { 0 } };
    struct err err;
    assert_int_equal(migrate(fixture, hole, NULL, NULL), 0);
    assert_int_equal(migrate(fixture, three, NULL, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "migration 2 (only_here) is missing"));
    assert_int_equal(migrations_in(fixture), 2);
}

static void a_list_out_of_order_is_refused(void **state)
{
    struct db_fixture *fixture = *state;
    const struct migration wrong[] = { three[3], three[0], { 0 } };
    const struct migration twice[] = { three[0], three[0], { 0 } };
    assert_int_equal(migrate(fixture, wrong, NULL, NULL), ERR_INTERNAL);
    assert_int_equal(migrate(fixture, twice, NULL, NULL), ERR_INTERNAL);
    assert_int_equal(migrations_in(fixture), -1); /* not even the table was made */
}

static void a_half_failed_migration_leaves_nothing(void **state)
{
    struct db_fixture *fixture = *state;
    const struct migration broken[] = {
        three[0],
        { 2, "broken", NULL,
          "CREATE TABLE half (id BIGINT);\n"
          "UPDATE account SET balance = 0;\n"
          "\n"
          "INSERT INTO missing VALUES (1);\n",
          "eeee" },
        { 3, "never", NULL, "CREATE TABLE never (id BIGINT);", "ffff" },
        { 0 },
    };
    struct migration_result result;
    struct err err;
    assert_int_equal(migrate(fixture, broken, &result, &err), ERR_INTERNAL);
    assert_non_null(strstr(err.message, "migration 2 (broken): statement at line 4"));
    assert_int_equal(result.version_after, 1);
    assert_int_equal(result.applied_count, 1);
    assert_int_equal(migrations_in(fixture), 1);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT balance FROM account"), 100);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT count(*) FROM half"), -1);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT count(*) FROM never"), -1);
}

static void a_migration_cannot_leave_its_transaction(void **state)
{
    struct db_fixture *fixture = *state;
    static const char *const commands[] = {
        "COMMIT;",
        "ROLLBACK;",
        "BEGIN;",
        "PRAGMA foreign_keys = OFF;",
        "CREATE TABLE seen (id BIGINT); COMMIT; BEGIN;",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        const struct migration bad[] = { { 1, "bad", NULL, commands[i], "aaaa" }, { 0 } };
        assert_int_not_equal(migrate(fixture, bad, NULL, NULL), 0);
        assert_int_equal(migrations_in(fixture), 0);
    }
    assert_int_equal(db_fixture_number(fixture->db, "SELECT count(*) FROM seen"), -1);
}

/* The new table must be filled under its final name: only that settles the deferred references. */
static void a_migration_may_rebuild_a_table_others_refer_to(void **state)
{
    struct db_fixture *fixture = *state;
    const struct migration rebuild[] = {
        { 1, "parents", NULL,
          "CREATE TABLE parent (id BIGINT PRIMARY KEY);"
          "CREATE TABLE child (parent BIGINT NOT NULL REFERENCES parent (id));"
          "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1);",
          "aaaa" },
        { 2, "rebuild", "sqlite",
          "PRAGMA defer_foreign_keys = ON;"
          "CREATE TABLE kept AS SELECT id FROM parent;"
          "DROP TABLE parent;"
          "CREATE TABLE parent (id BIGINT PRIMARY KEY, name TEXT);"
          "INSERT INTO parent SELECT id, 'x' FROM kept;"
          "DROP TABLE kept;",
          "bbbb" },
        { 3, "orphans", "sqlite", "PRAGMA defer_foreign_keys = ON; DELETE FROM parent;", "cccc" },
        { 0 },
    };
    struct migration_result result;
    assert_int_equal(migrate(fixture, rebuild, &result, NULL), ERR_CHECK);
    assert_int_equal(result.version_after, 2);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT count(*) FROM child JOIN parent ON "
                                                    "parent.id = child.parent AND name = 'x'"),
                     1);
    assert_int_equal(migrations_in(fixture), 2);
}

static void the_built_in_migrations_apply_to_an_empty_database(void **state)
{
    struct db_fixture *fixture = *state;
    int last = 0;
    for (const struct migration *at = built_in_migrations; at->version != 0; at++) {
        assert_int_equal(strlen(at->sha256), SHA256_HEX_SIZE - 1);
        last = at->version;
    }
    struct migration_result result;
    assert_int_equal(migrate(fixture, built_in_migrations, &result, NULL), 0);
    assert_true(result.version_after <= last);
    assert_int_equal(migrations_in(fixture), result.applied_count);
}

/* Up to the one before `version`. */
static void migrate_to_before(struct db_fixture *fixture, int version)
{
    struct migration older[64] = { 0 };
    for (int i = 0; built_in_migrations[i].version != 0 && built_in_migrations[i].version < version;
         i++)
        older[i] = built_in_migrations[i];
    assert_int_equal(migrate(fixture, older, NULL, NULL), 0);
}

/* 0014 makes the table of jobs anew where a constraint can't be changed. */
static void jobs_of_an_older_version_are_still_to_be_sent(void **state)
{
    struct db_fixture *fixture = *state;
    migrate_to_before(fixture, 14);
    assert_int_equal(
        db_fixture_run(fixture->db,
                       "INSERT INTO outbox (id, kind, subject, interaction_id, application_id, "
                       "guild_id, request_id, version, is_final, is_reposted, is_started, content, "
                       "state, tries, available_at, expires_at, created_at, changed_at, sent_at) "
                       "VALUES (9, 'edit', 2, 3, 4, 5, 'r', 7, 0, 1, 0, CAST('sealed' AS BLOB), "
                       "'queued', 8, 10, 11, 12, 13, 14)"),
        0);
    assert_int_equal(migrate(fixture, built_in_migrations, NULL, NULL), 0);
    assert_int_equal(
        db_fixture_number(fixture->db,
                          "SELECT COUNT(*) FROM outbox WHERE id = 9 AND kind = 'edit' AND subject "
                          "= 2 AND interaction_id = 3 AND application_id = 4 AND guild_id = 5 AND "
                          "request_id = 'r' AND version = 7 AND is_final = 0 AND is_reposted = 1 "
                          "AND is_started = 0 AND content = CAST('sealed' AS BLOB) AND state = "
                          "'queued' AND reason IS NULL AND tries = 8 AND owner IS NULL AND "
                          "available_at = 10 AND expires_at = 11 AND created_at = 12 AND "
                          "changed_at = 13 AND sent_at = 14 AND channel_id IS NULL"),
        1);
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, db_fixture_setup, db_fixture_teardown)

int main(void)
{
    if (test_engine_is_postgres()) {
        three[0].sql = accounts_for_postgres;
        three[1].engine = "sqlite";
        three[2].engine = "postgres";
    }
    const struct CMUnitTest tests[] = {
        TEST(missing_migrations_are_applied_in_order_and_once),
        TEST(an_older_database_gets_what_is_new),
        TEST(a_database_from_the_future_is_refused),
        TEST(a_changed_migration_is_refused_before_anything_is_applied),
        TEST(a_migration_missing_below_the_latest_is_refused),
        TEST(a_list_out_of_order_is_refused),
        TEST(a_half_failed_migration_leaves_nothing),
        TEST(a_migration_cannot_leave_its_transaction),
        TEST(the_built_in_migrations_apply_to_an_empty_database),
        TEST(jobs_of_an_older_version_are_still_to_be_sent),
    };
    const struct CMUnitTest tests_of_sqlite[] = {
        TEST(a_migration_may_rebuild_a_table_others_refer_to),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (!test_engine_is_postgres())
        failed += cmocka_run_group_tests(tests_of_sqlite, NULL, NULL);
    return failed;
}
