/* Opening, migrating and writing a database while memory or the disk fails. A failed start leaves a
 * file that a later start takes; a batch is done whole or not at all, and its caller knows which.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/user_data.h"

#include "db/migrate.h"
#include "fault_loop.h"
#include "service_fixture.h"
#include "services/secret.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int64_t no_time(const struct clock *clock)
{
    (void)clock;
    return 1;
}

static const struct clock clock_at_one = { no_time, no_time };

struct folder {
    char path[64];
    char url[80];
};

static void make_folder(struct folder *folder)
{
    snprintf(folder->path, sizeof(folder->path), "%s/bronxbot-faults-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(folder->path));
    snprintf(folder->url, sizeof(folder->url), "sqlite:%s/bot.db", folder->path);
}

static void remove_files(const struct folder *folder)
{
    static const char *const files[] = { "bot.db", "bot.db-wal", "bot.db-shm", "bot.db-journal",
                                         "bot.db.lock" };
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        char path[96];
        snprintf(path, sizeof(path), "%s/%s", folder->path, files[i]);
        unlink(path);
    }
}

/* What a start does. */
static int start(const struct folder *folder, struct db **db, struct err *err)
{
    const struct db_settings settings = {
        .url = folder->url, .pool_min = 1, .pool_max = 2, .clock = &clock_at_one
    };
    struct migration_result migrated;
    unsigned char key[SERVER_KEY_BYTES];
    int result = db_open(db, &settings, err);
    if (result == 0)
        result = db_migrate(*db, built_in_migrations, 1, &migrated, err);
    if (result == 0)
        result = server_key_load(*db, "", key, err);
    return result;
}

static bool start_once(enum fault_kind kind, int64_t nth, bool is_lasting)
{
    struct folder folder;
    struct err err = { 0 };
    struct db *db = NULL;
    make_folder(&folder);
    faults_arm(kind, nth, is_lasting);
    int result = start(&folder, &db, &err);
    db_close(db);
    bool has_struck = faults_disarm();
    if (result != 0 && err.message[0] == '\0')
        fail_msg("%s %" PRId64 ": failed without a reason", fault_words[kind], nth);
    /* Whatever happened, the next start is a good one. */
    struct err again = { 0 };
    if (start(&folder, &db, &again) != 0 || ledger_verify(db, &again) != 0)
        fail_msg("%s %" PRId64 ": %s, then %s", fault_words[kind], nth, err.message, again.message);
    db_close(db);
    remove_files(&folder);
    rmdir(folder.path);
    assert_true(has_struck || result == 0);
    return has_struck;
}

static void run_starts(enum fault_kind kind)
{
    for (int is_lasting = 0; is_lasting < 2; is_lasting++) {
        int64_t count = 0;
        for (int64_t nth = 1; start_once(kind, nth, is_lasting); nth = fault_next_of_many(nth))
            count++;
        print_message("start: %s, %" PRId64 " faults%s\n", fault_words[kind], count,
                      is_lasting ? ", lasting" : "");
        assert_true(count > 0);
    }
}

static void a_start_without_memory_leaves_a_good_file(void **state)
{
    (void)state;
    run_starts(FAULT_ALLOCATION);
}

static void a_start_on_a_failing_disk_leaves_a_good_file(void **state)
{
    (void)state;
    run_starts(FAULT_DISK);
}

/* --- Batches -----------------------------------------------------------------------------------
 */

static struct service_fixture fixture;

/* Two rows that belong together, and how many there are of the two. */
static bool write_once(enum fault_kind kind, int64_t nth, bool is_lasting)
{
    static int serial;
    char name[32], other[32], sql[160];
    snprintf(name, sizeof(name), "a%d", ++serial);
    snprintf(other, sizeof(other), "b%d", serial);
    const struct db_statement statements[] = {
        { .sql = "INSERT INTO bot_state (key, value) VALUES ($1, $2) RETURNING value",
          .parameters = { DB_TEXT(str_from(name)), DB_TEXT(STR("x")) },
          .parameter_count = 2,
          .expect = DB_ONE_ROW },
        { .sql = "INSERT INTO bot_state (key, value) VALUES ($1, $2) RETURNING key",
          .parameters = { DB_TEXT(str_from(other)), DB_TEXT(STR("y")) },
          .parameter_count = 2,
          .expect = DB_ONE_ROW },
    };
    struct db_rows *results[2];
    struct err err = { 0 };
    faults_arm(kind, nth, is_lasting);
    int result = db_atomic(fixture.db, statements, 2, results, &err);
    bool has_struck = faults_disarm();
    snprintf(sql, sizeof(sql), "SELECT COUNT(*) FROM bot_state WHERE key IN ('%s', '%s')", name,
             other);
    int64_t rows = service_fixture_count(&fixture, sql);
    if (result == ERR_UNKNOWN)
        assert_true(rows == 0 || rows == 2);
    else
        assert_int_equal(rows, result == 0 ? 2 : 0);
    if (result == 0)
        assert_true(str_equal(db_rows_text(results[1], 0, 0), str_from(other)));
    else
        assert_true(!results[0] && !results[1] && err.message[0]);
    db_rows_free(results[0]);
    db_rows_free(results[1]);
    return has_struck;
}

static void run_writes(enum fault_kind kind)
{
    assert_int_equal(service_fixture_open(&fixture), 0);
    /* Memory that lasts away takes the pool's connections away, which is an outage of seconds. */
    int ends = test_engine_is_postgres() ? 1 : 2;
    for (int is_lasting = 0; is_lasting < ends; is_lasting++) {
        int64_t count = 0;
        while (write_once(kind, count + 1, is_lasting))
            count++;
        print_message("batch: %s, %" PRId64 " faults%s\n", fault_words[kind], count,
                      is_lasting ? ", lasting" : "");
        assert_true(count > 0);
    }
    service_fixture_close(&fixture);
}

static void a_batch_without_memory_is_whole_or_nothing(void **state)
{
    (void)state;
    run_writes(FAULT_ALLOCATION);
}

static void a_batch_on_a_failing_disk_is_whole_or_nothing(void **state)
{
    (void)state;
    run_writes(FAULT_DISK);
}

/* --- Exports -----------------------------------------------------------------------------------
 */

#define EXPORTED INT64_C(34)

static void fill(void)
{
    static const char *const inserts[] = {
        "INSERT INTO daily_streak VALUES (34, 3, 1)",
        "INSERT INTO pay_day VALUES (34, 7, 20000, 5)",
        ("INSERT INTO tos_blocked VALUES "
         "(1, 34, '{\"name\":\"pay\",\"resolved\":{},\"type\":1}', 2)"),
    };
    for (size_t i = 0; i < ARRAY_LENGTH(inserts); i++) {
        const struct db_statement statement = { .sql = inserts[i] };
        assert_int_equal(db_query(fixture.db, &statement, NULL, NULL), 0);
    }
}

/* `whole`: the export without a fault, which every one that succeeds is like. */
static bool export_once(int64_t nth, bool is_lasting, struct buf *whole)
{
    CLEANUP(buf_free) struct buf json = { 0 };
    const struct user_data_request request = { .user_id = EXPORTED,
                                               .now_ms = 1,
                                               .max_bytes = USER_DATA_FILE_MAX };
    struct user_data_result result;
    struct err err = { 0 };
    faults_arm(FAULT_ALLOCATION, nth, is_lasting);
    int code = user_data_export(&fixture.services, &request, &json, &result, &err);
    bool has_struck = faults_disarm();
    if (whole->length == 0)
        buf_append(whole, buf_view(&json));
    assert_true(code == 0 ? result.is_whole && str_equal(buf_view(&json), buf_view(whole))
                          : has_struck && err.message[0]);
    return has_struck;
}

static void an_export_without_memory_is_whole_or_says_why_not(void **state)
{
    CLEANUP(buf_free) struct buf whole = { 0 };
    (void)state;
    assert_int_equal(service_fixture_open(&fixture), 0);
    fill();
    assert_false(export_once(INT64_MAX, false, &whole));
    for (int is_lasting = 0; is_lasting < 2; is_lasting++) {
        int64_t count = 0;
        while (export_once(count + 1, is_lasting, &whole))
            count++;
        print_message("export: %" PRId64 " faults%s\n", count, is_lasting ? ", lasting" : "");
        assert_true(count > 0);
    }
    service_fixture_close(&fixture);
}

int main(void)
{
    faults_wrap_files();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_without_memory_is_whole_or_nothing),
        cmocka_unit_test(a_batch_on_a_failing_disk_is_whole_or_nothing),
        cmocka_unit_test(an_export_without_memory_is_whole_or_says_why_not),
        cmocka_unit_test(a_start_without_memory_leaves_a_good_file),
        cmocka_unit_test(a_start_on_a_failing_disk_leaves_a_good_file),
    };
    const struct CMUnitTest tests_of_postgres[] = {
        cmocka_unit_test(a_batch_without_memory_is_whole_or_nothing),
    };
    if (test_engine_is_postgres())
        return cmocka_run_group_tests(tests_of_postgres, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
