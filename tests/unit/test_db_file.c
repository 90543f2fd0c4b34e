/* The file behind a URL: where it is, who may read it, who may open it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db_fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char note_table[] = "CREATE TABLE note (id BIGINT PRIMARY KEY)";

static void the_file_is_kept_as_the_design_asks(void **state)
{
    struct db_fixture *fixture = *state;
    struct db_rows *results[3];
    struct db_statement statements[] = {
        { .sql = "PRAGMA journal_mode" },
        { .sql = "PRAGMA synchronous" },
        { .sql = "PRAGMA foreign_keys" },
    };
    assert_int_equal(db_atomic(fixture->db, statements, 3, results, NULL), 0);
    assert_true(str_equal(db_rows_text(results[0], 0, 0), STR("wal")));
    assert_int_equal(db_rows_int(results[1], 0, 0), 2); /* FULL */
    assert_int_equal(db_rows_int(results[2], 0, 0), 1);
    for (int i = 0; i < 3; i++)
        db_rows_free(results[i]);
}

static void a_new_file_is_for_its_owner_only(void **state)
{
    struct db_fixture *fixture = *state;
    static const char *const suffixes[] = { "", "-wal", "-shm", ".lock" };
    assert_int_equal(db_fixture_run(fixture->db, note_table), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
        char name[TEST_DATABASE_MAX + 8];
        struct stat status;
        snprintf(name, sizeof(name), "%s%s", fixture->database.path, suffixes[i]);
        assert_int_equal(stat(name, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
    }
}

static void urls_no_engine_takes_are_refused(void **state)
{
    struct db_fixture *fixture = *state;
    static const struct {
        const char *url;
        int code;
    } cases[] = {
        { "", ERR_CONFIG },
        { "mysql://root:hunter22@host/x", ERR_CONFIG },
        { "postgresql://root:hunter22@[host/x", ERR_CONFIG },
        { "sqlite:", ERR_CONFIG },
        { "sqlite::memory:", ERR_CONFIG },
        { "sqlite:/tmp", ERR_CONFIG },
        { "sqlite:/tmp/", ERR_CONFIG },
        { "sqlite:/dev/null", ERR_CONFIG },
        { "sqlite:/nowhere/at/all.db", ERR_UNAVAILABLE },
        { "sqlite:/dev/null/x.db", ERR_UNAVAILABLE },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct db_settings settings = fixture->settings;
        settings.url = cases[i].url;
        struct db *db;
        struct err err;
        assert_int_equal(db_open(&db, &settings, &err), cases[i].code);
        assert_null(db);
        assert_null(strstr(err.message, "hunter22"));
        assert_null(strchr(err.message, '\n'));
    }
}

static void a_file_that_is_no_database_is_refused_unharmed(void **state)
{
    struct db_fixture *fixture = *state;
    static const char text[] = "Dear diary, this is not a database, although it is long enough "
                               "to be taken for the header of one by somebody careless, and so on.";
    char path[TEST_DATABASE_MAX], url[TEST_DATABASE_MAX + 8], back[sizeof(text)] = { 0 };
    snprintf(path, sizeof(path), "%s/diary.txt", fixture->database.folder);
    snprintf(url, sizeof(url), "sqlite:%s", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, sizeof(text), 1, file), 1);
    fclose(file);
    struct db_settings settings = fixture->settings;
    settings.url = url;
    struct db *db;
    assert_int_equal(db_open(&db, &settings, NULL), ERR_UNAVAILABLE);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(back, sizeof(back), 1, file), 1);
    fclose(file);
    assert_string_equal(back, text);
}

static void a_relative_path_starts_in_the_working_directory(void **state)
{
    struct db_fixture *fixture = *state;
    char before[TEST_DATABASE_MAX], path[TEST_DATABASE_MAX];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(fixture->database.folder), 0);
    struct db_settings settings = fixture->settings;
    settings.url = "sqlite:relative.db";
    settings.pool_min = 0;
    struct db *db;
    assert_int_equal(db_open(&db, &settings, NULL), 0);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(db_fixture_run(db, note_table), 0);
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM note"), 0);
    db_close(db);
    snprintf(path, sizeof(path), "%s/relative.db", fixture->database.folder);
    assert_int_equal(access(path, F_OK), 0);
}

static void one_file_under_two_names_is_opened_once(void **state)
{
    struct db_fixture *fixture = *state;
    char other[TEST_DATABASE_MAX], url[TEST_DATABASE_MAX + 8];
    snprintf(other, sizeof(other), "%s/alias.db", fixture->database.folder);
    snprintf(url, sizeof(url), "sqlite:%s", other);
    assert_int_equal(symlink(fixture->database.path, other), 0);
    struct db_settings settings = fixture->settings;
    settings.url = url;
    struct db *db;
    struct err err;
    assert_int_equal(db_open(&db, &settings, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, fixture->database.path));
    assert_int_equal(db_fixture_run(fixture->db, note_table), 0);
}

static void a_closed_database_is_one_whole_file(void **state)
{
    struct db_fixture *fixture = *state;
    char wal[TEST_DATABASE_MAX + 8];
    snprintf(wal, sizeof(wal), "%s-wal", fixture->database.path);
    assert_int_equal(db_fixture_run(fixture->db, note_table), 0);
    assert_int_equal(db_fixture_run(fixture->db, "INSERT INTO note VALUES (30)"), 0);
    db_close(STEAL(fixture->db));
    assert_int_not_equal(access(wal, F_OK), 0);
    assert_int_equal(db_fixture_reopen(fixture, NULL), 0);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT id FROM note"), 30);
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, db_fixture_setup, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_file_is_kept_as_the_design_asks),
        TEST(a_new_file_is_for_its_owner_only),
        TEST(urls_no_engine_takes_are_refused),
        TEST(a_file_that_is_no_database_is_refused_unharmed),
        TEST(a_relative_path_starts_in_the_working_directory),
        TEST(one_file_under_two_names_is_opened_once),
        TEST(a_closed_database_is_one_whole_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
