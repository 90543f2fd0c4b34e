/* The doctor against a real bot, a scripted Discord and a front that lies: all lines are ok while
 * all is well, and each turns red when the thing it looks at is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "doctor_fakes.h"
#include "harness/bot_process.h"
#include "harness/memory.h"

#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN       "MTAwMDAwMDAwMDAwMDAwMDAwMQ.Gabc12.0123456789abcdefghijklmnopqrstuvwxyzAB"
#define OTHER_TOKEN "MTAwMDAwMDAwMDAwMDAwMDAwMQ.Gabc12.zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
#define OTHER_KEY   "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
#define MORE_MAX    8

struct ward {
    struct harness_bot bot;
    struct fake_discord discord;
    struct fake_front front;
    char api_line[64];
    char front_url[64];
    char secret_path[128];
    const char *environment[8];
};

/* One visit: what is different this time, and what came of it. */
struct visit {
    const char *more[MORE_MAX]; /* environment */
    const char *url;            /* --url, or NULL */
    const char *shell;          /* runs "$0 doctor --json" in a shell after this; NULL: without */
    int exit_code;
    json_object *report;
    struct buf text;
};

static void visit_free(struct visit *visit)
{
    json_release(&visit->report);
    buf_free(&visit->text);
}

static void call_doctor(const struct ward *ward, struct visit *visit)
{
    char script[256];
    struct err err = { 0 };
    const char *direct[] = { "doctor", "--json", visit->url ? "--url" : NULL, visit->url, NULL };
    const char *shelled[] = { "-c", script, BRONXBOT_BINARY, NULL };
    snprintf(script, sizeof(script), "%s; exec \"$0\" doctor --json",
             visit->shell ? visit->shell : "");
    visit->exit_code =
        visit->shell
            ? harness_bot_run(&ward->bot, "/bin/sh", shelled, visit->more, &visit->text, &err)
            : harness_bot_run(&ward->bot, BRONXBOT_BINARY, direct, visit->more, &visit->text, &err);
    if (visit->exit_code < 0)
        fail_msg("the doctor did not run: %s", err.message);
    visit->report = json_tokener_parse(visit->text.data ? visit->text.data : "");
    if (!json_object_is_type(visit->report, json_type_array))
        fail_msg("exit code %d, no report: %s", visit->exit_code, visit->text.data);
}

static const char *field(json_object *row, const char *name)
{
    json_object *value = NULL;
    json_object_object_get_ex(row, name, &value);
    return json_object_get_string(value);
}

static json_object *row_of(const struct visit *visit, const char *check)
{
    for (size_t i = 0; i < json_object_array_length(visit->report); i++) {
        json_object *row = json_object_array_get_idx(visit->report, i);
        if (strcmp(field(row, "check"), check) == 0)
            return row;
    }
    fail_msg("no line %s in %s", check, visit->text.data);
    return NULL;
}

/* `red` names those that fail, separated by ","; a failure always says what to do. */
static void expect_red(const struct visit *visit, const char *red)
{
    char wanted[256];
    CLEANUP(buf_free) struct buf found = { 0 };
    for (size_t i = 0; i < json_object_array_length(visit->report); i++) {
        json_object *row = json_object_array_get_idx(visit->report, i);
        if (strcmp(field(row, "state"), "fail") != 0)
            continue;
        buf_append_format(&found, "%s%s", found.length ? "," : "", field(row, "check"));
        assert_true(strlen(field(row, "advice")) > 5);
        assert_true(strlen(field(row, "detail")) > 2);
    }
    snprintf(wanted, sizeof(wanted), "%s", red);
    if (strcmp(found.data ? found.data : "", wanted) != 0)
        fail_msg("red: '%s', expected '%s'\n%s", found.data ? found.data : "", red,
                 visit->text.data);
    assert_int_equal(visit->exit_code, red[0] ? 69 : 0);
}

static void expect_state(const struct visit *visit, const char *check, const char *state)
{
    json_object *row = row_of(visit, check);
    if (strcmp(field(row, "state"), state) != 0)
        fail_msg("%s is %s (%s)", check, field(row, "state"), field(row, "detail"));
}

/* A visit with one more line of environment. */
static void expect_red_with(const struct ward *ward, const char *line, const char *red)
{
    CLEANUP(visit_free) struct visit visit = { .more = { line } };
    call_doctor(ward, &visit);
    expect_red(&visit, red);
}

static void all_lines_are_ok_while_all_is_well(void **state)
{
    struct ward *ward = *state;
    CLEANUP(visit_free) struct visit visit = { 0 };
    call_doctor(ward, &visit);
    expect_red(&visit, "");
    assert_int_equal(json_object_array_length(visit.report), 25);
    for (size_t i = 0; i < json_object_array_length(visit.report); i++) {
        json_object *row = json_object_array_get_idx(visit.report, i);
        /* How full the disk of this machine is, is not for the test to say. */
        if (strcmp(field(row, "state"), "ok") != 0 && strcmp(field(row, "check"), "disk space"))
            fail_msg("%s: %s", field(row, "check"), field(row, "detail"));
    }
    assert_null(strstr(visit.text.data, "0123456789abcdef"));
}

static void lines_for_people_say_the_same_and_hide_control_characters(void **state)
{
    struct ward *ward = *state;
    static const char *const arguments[] = { "doctor", NULL };
    CLEANUP(buf_free) struct buf text = { 0 };
    assert_int_equal(harness_bot_run(&ward->bot, BRONXBOT_BINARY, arguments, NULL, &text, NULL), 0);
    assert_non_null(strstr(text.data, "ok    good ping"));
    assert_non_null(strstr(text.data, "bronx?[2J"));
    assert_null(strstr(text.data, "0123456789abcdef"));
}

/* --- this machine --- */

static void settings_that_are_wrong_end_the_visit_with_78(void **state)
{
    struct ward *ward = *state;
    CLEANUP(visit_free) struct visit visit = { .more = { "GUILD_COUNT=many" } };
    call_doctor(ward, &visit);
    assert_int_equal(visit.exit_code, 78);
    assert_int_equal(json_object_array_length(visit.report), 1);
    expect_state(&visit, "settings", "fail");
}

static void secret_files_open_to_others_are_red(void **state)
{
    struct ward *ward = *state;
    assert_int_equal(chmod(ward->secret_path, 0644), 0);
    expect_red_with(ward, NULL, "secret files");
    assert_int_equal(chmod(ward->secret_path, 0600), 0);
}

static void a_dotenv_open_to_others_is_red(void **state)
{
    struct ward *ward = *state;
    char path[128];
    snprintf(path, sizeof(path), "%s/.env", ward->bot.folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("NO_SUCH_SETTING=1\n", file);
    fclose(file);
    assert_int_equal(chmod(path, 0604), 0);
    CLEANUP(visit_free) struct visit visit = { 0 };
    call_doctor(ward, &visit);
    unlink(path);
    expect_red(&visit, "secret files");
    expect_state(&visit, "settings", "warn");
}

static void a_lowered_file_limit_is_red(void **state)
{
    struct ward *ward = *state;
    CLEANUP(visit_free) struct visit visit = { .shell = "ulimit -n 500" };
    call_doctor(ward, &visit);
    expect_red(&visit, "open files");
}

static void a_database_nobody_can_write_is_red(void **state)
{
    struct ward *ward = *state;
    CLEANUP(visit_free)
    struct visit visit = { .more = { "DATABASE_URL=sqlite:/nonexistent/x.db" } };
    call_doctor(ward, &visit);
    expect_red(&visit, "database file,disk space");
    if (geteuid() != 0) { /* root may write what it likes */
        char path[128];
        snprintf(path, sizeof(path), "%s/bronxbot.db", ward->bot.folder);
        assert_int_equal(chmod(path, 0400), 0);
        expect_red_with(ward, NULL, "database file");
        assert_int_equal(chmod(path, 0600), 0);
    }
}

static void a_database_open_to_others_is_red(void **state)
{
    struct ward *ward = *state;
    char path[128];
    snprintf(path, sizeof(path), "%s/bronxbot.db", ward->bot.folder);
    assert_int_equal(chmod(path, 0644), 0);
    expect_red_with(ward, NULL, "database file");
    assert_int_equal(chmod(path, 0600), 0);
}

static void a_folder_as_database_is_red(void **state)
{
    struct ward *ward = *state;
    char line[128];
    snprintf(line, sizeof(line), "DATABASE_URL=sqlite:%s", ward->bot.folder);
    expect_red_with(ward, line, "database file");
}

/* /proc is a file system without room. */
static void a_full_disk_is_red(void **state)
{
    struct ward *ward = *state;
    CLEANUP(visit_free) struct visit visit = { .more = { "DATABASE_URL=sqlite:/proc/self/x.db" } };
    call_doctor(ward, &visit);
    expect_state(&visit, "disk space", "fail");
}

/* Changes a database of its own by `sql` after `bronxbot migrate` has made it. */
static void look_at_database(struct ward *ward, const char *name, const char *sql,
                             struct visit *visit)
{
    static const char *const migrate[] = { "migrate", NULL };
    char path[128], *line;
    CLEANUP(buf_free) struct buf text = { 0 };
    sqlite3 *database = NULL;
    snprintf(path, sizeof(path), "%s/%s", ward->bot.folder, name);
    line = must_format("DATABASE_URL=sqlite:%s", path);
    visit->more[0] = line;
    visit->more[1] = "ADMIN_LISTEN=unix:/nonexistent/admin.sock";
    assert_int_equal(
        harness_bot_run(&ward->bot, BRONXBOT_BINARY, migrate, visit->more, &text, NULL), 0);
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
    call_doctor(ward, visit);
    free(line);
}

static void a_database_from_the_future_is_red(void **state)
{
    CLEANUP(visit_free) struct visit visit = { 0 };
    look_at_database(*state, "future.db",
                     "INSERT INTO schema_migration VALUES (9999, 'future', 'x', 1)", &visit);
    expect_state(&visit, "migrations", "fail");
}

static void migrations_to_come_are_told(void **state)
{
    CLEANUP(visit_free) struct visit visit = { 0 };
    look_at_database(*state, "past.db",
                     "DELETE FROM schema_migration WHERE version = "
                     "(SELECT max(version) FROM schema_migration)",
                     &visit);
    expect_state(&visit, "migrations", "warn");
    assert_non_null(strstr(field(row_of(&visit, "migrations"), "detail"), "1 are to be applied"));
}

static void a_database_another_process_holds_is_red_when_that_one_is_silent(void **state)
{
    struct ward *ward = *state;
    CLEANUP(visit_free)
    struct visit visit = { .more = { "ADMIN_LISTEN=unix:/nonexistent/admin.sock" } };
    call_doctor(ward, &visit);
    expect_red(&visit, "migrations,health,readiness");
    expect_state(&visit, "good ping", "warn");
    expect_state(&visit, "stale timestamp", "warn");
}

/* --- Discord --- */

static void a_name_without_address_is_red(void **state)
{
    struct ward *ward = *state;
    CLEANUP(visit_free)
    struct visit visit = { .more = { "CLOCK_SHIFT_FILE=",
                                     "DISCORD_API_URL=https://discord.invalid/api/v10" } };
    call_doctor(ward, &visit);
    expect_red(&visit, "dns");
    expect_state(&visit, "token", "warn");
}

static void tls_that_can_not_be_trusted_is_red(void **state)
{
    struct ward *ward = *state;
    char line[96];
    snprintf(line, sizeof(line), "DISCORD_API_URL=https://127.0.0.1:%u", ward->discord.port);
    CLEANUP(visit_free) struct visit visit = { .more = { "CLOCK_SHIFT_FILE=", line } };
    call_doctor(ward, &visit);
    expect_red(&visit, "tls");
}

static void an_unencrypted_way_to_discord_is_red_and_gets_no_token(void **state)
{
    struct ward *ward = *state;
    char line[96];
    snprintf(line, sizeof(line), "DISCORD_API_URL=http://0.0.0.0:%u", ward->discord.port);
    CLEANUP(visit_free) struct visit visit = { .more = { "CLOCK_SHIFT_FILE=", line } };
    call_doctor(ward, &visit);
    expect_red(&visit, "tls");
    expect_state(&visit, "token", "warn");
}

static void an_unreachable_discord_is_red(void **state)
{
    struct ward *ward = *state;
    expect_red_with(ward, "DISCORD_API_URL=http://127.0.0.1:9", "tls");
}

static void a_clock_that_is_off_is_red(void **state)
{
    struct ward *ward = *state;
    harness_bot_shift(&ward->bot, -60000);
    expect_red_with(ward, NULL, "clock");
    harness_bot_shift(&ward->bot, 60000 + 400000);
    expect_red_with(ward, NULL, "clock");
    harness_bot_shift(&ward->bot, 20000 - 400000);
    CLEANUP(visit_free) struct visit visit = { 0 };
    call_doctor(ward, &visit);
    harness_bot_shift(&ward->bot, -20000);
    expect_red(&visit, "");
    expect_state(&visit, "clock", "warn");
}

static void something_else_than_a_token_is_red(void **state)
{
    struct ward *ward = *state;
    static const char *const wrong[] = {
        "DISCORD_BOT_TOKEN=not-a-token",  "DISCORD_BOT_TOKEN=a.b",
        "DISCORD_BOT_TOKEN=YWJj.def.ghi", "DISCORD_BOT_TOKEN=" TOKEN ".x",
        "DISCORD_BOT_TOKEN=" TOKEN ".",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        CLEANUP(visit_free)
        struct visit visit = { .more = { "DISCORD_BOT_TOKEN_FILE=", wrong[i] } };
        call_doctor(ward, &visit);
        expect_red(&visit, "token form,token,application");
    }
}

static void a_token_discord_refuses_is_red(void **state)
{
    struct ward *ward = *state;
    CLEANUP(visit_free)
    struct visit visit = { .more = { "DISCORD_BOT_TOKEN_FILE=",
                                     "DISCORD_BOT_TOKEN=" OTHER_TOKEN } };
    call_doctor(ward, &visit);
    expect_red(&visit, "token,application");
    assert_non_null(strstr(field(row_of(&visit, "token"), "detail"), "refuses"));
    assert_null(strstr(visit.text.data, "zzzz"));
    ward->discord.users_status = 503;
    expect_red_with(ward, NULL, "token");
    ward->discord.users_status = 0;
}

static void an_application_of_somebody_else_is_red(void **state)
{
    struct ward *ward = *state;
    ward->discord.application_id = 5;
    expect_red_with(ward, NULL, "application");
    ward->discord.application_id = HARNESS_APPLICATION_ID;
}

static void a_public_key_discord_does_not_use_is_red(void **state)
{
    struct ward *ward = *state;
    ward->discord.verify_key = OTHER_KEY;
    expect_red_with(ward, NULL, "public key");
    ward->discord.verify_key = ward->bot.keys.public_key_hex;
    char line[256];
    snprintf(line, sizeof(line), "DISCORD_PUBLIC_KEY=%s,%s", OTHER_KEY,
             ward->bot.keys.public_key_hex);
    CLEANUP(visit_free) struct visit visit = { .more = { line } };
    call_doctor(ward, &visit);
    expect_red(&visit, "");
    expect_state(&visit, "public key", "warn");
}

static void urls_the_bot_does_not_serve_are_red(void **state)
{
    struct ward *ward = *state;
    ward->discord.interactions_url = "https://bot.example/webhook";
    expect_red_with(ward, NULL, "interactions url");
    ward->discord.interactions_url = NULL;
    CLEANUP(visit_free) struct visit visit = { 0 };
    call_doctor(ward, &visit);
    expect_state(&visit, "interactions url", "warn");
    ward->discord.interactions_url = "https://bot.example/interactions";
    ward->discord.events_url = "https://bot.example/webhook";
    expect_red_with(ward, NULL, "events url");
    ward->discord.events_url = "https://bot.example/events";
    ward->discord.events_status = 3;
    expect_red_with(ward, NULL, "events url");
    ward->discord.events_status = 2;
}

/* --- the bot --- */

static void a_bot_that_is_not_ready_is_red(void **state)
{
    struct ward *ward = *state;
    char line[64];
    snprintf(line, sizeof(line), "ADMIN_LISTEN=127.0.0.1:%u", ward->discord.port);
    ward->discord.ready_status = 503;
    expect_red_with(ward, line, "migrations,readiness");
    ward->discord.ready_status = 0;
}

static void a_bot_that_is_down_is_red(void **state)
{
    struct ward *ward = *state;
    struct err err = { 0 };
    assert_int_equal(harness_bot_stop(&ward->bot, NULL, &err), 0);
    expect_red_with(ward, NULL, "health,readiness,front");
    if (harness_bot_launch(&ward->bot, &err) != 0)
        fail_msg("%s", err.message);
}

/* --- the front --- */

static void ask_liar(struct ward *ward, enum lie lie, struct visit *visit)
{
    ward->front.lie = lie;
    ward->front.now_s = harness_bot_now_ms(&ward->bot) / 1000;
    visit->url = ward->front_url;
    call_doctor(ward, visit);
    ward->front.lie = LIE_NONE;
}

static void a_front_that_passes_requests_on_is_fine(void **state)
{
    struct ward *ward = *state;
    static const char *const kept[] = { "good ping",       "bad signature", "missing headers",
                                        "stale timestamp", "wrong method",  "unknown path" };
    CLEANUP(visit_free) struct visit visit = { 0 };
    ask_liar(ward, LIE_NONE, &visit);
    expect_red(&visit, "");
    expect_state(&visit, "front", "warn"); /* no TLS in this test */
    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++)
        expect_state(&visit, kept[i], "ok");
}

static void each_lie_of_the_front_turns_its_line_red(void **state)
{
    struct ward *ward = *state;
    static const struct {
        enum lie lie;
        const char *red;
    } rows[] = {
        { LIE_STRIPS_SIGNATURES, "good ping" },
        { LIE_ALTERS_BODY, "good ping" },
        { LIE_PLAIN_TEXT, "good ping" },
        { LIE_PASSES_FORGERIES, "bad signature" },
        { LIE_PASSES_UNSIGNED, "missing headers" },
        { LIE_PASSES_STALE, "stale timestamp" },
        { LIE_ANSWERS_GET, "wrong method" },
        { LIE_ANSWERS_ANY_PATH, "unknown path" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        CLEANUP(visit_free) struct visit visit = { 0 };
        ask_liar(ward, rows[i].lie, &visit);
        expect_red(&visit, rows[i].red);
    }
}

static void a_front_that_is_down_or_has_no_certificate_is_red(void **state)
{
    struct ward *ward = *state;
    char url[64];
    CLEANUP(visit_free) struct visit down = { .url = "http://127.0.0.1:9" };
    call_doctor(ward, &down);
    expect_red(&down, "front");
    snprintf(url, sizeof(url), "https://127.0.0.1:%u", ward->front.port);
    CLEANUP(visit_free) struct visit plain = { .url = url };
    call_doctor(ward, &plain);
    expect_red(&plain, "front");
    assert_non_null(strstr(field(row_of(&plain, "front"), "advice"), "certificate"));
}

static void wrong_usage_is_told_so(void **state)
{
    struct ward *ward = *state;
    static const char *const wrong[] = { "doctor", "--url", NULL };
    CLEANUP(buf_free) struct buf text = { 0 };
    assert_int_equal(harness_bot_run(&ward->bot, BRONXBOT_BINARY, wrong, NULL, &text, NULL), 64);
}

/* --- the ward --- */

static void write_secret(const struct ward *ward)
{
    FILE *file = fopen(ward->secret_path, "we");
    assert_non_null(file);
    fputs(TOKEN "\n", file);
    fclose(file);
    assert_int_equal(chmod(ward->secret_path, 0600), 0);
}

static int open_ward(void **state)
{
    static struct ward ward;
    static char secret_line[192];
    *state = &ward;
    struct err err = { 0 };
    const struct harness_bot_options options = { .binary = BRONXBOT_BINARY,
                                                 .environment = ward.environment };
    if (sodium_init() < 0 || harness_bot_init(&ward.bot, &options, &err) != 0)
        return 1;
    ward.discord = (struct fake_discord){ .token = TOKEN,
                                          .application_id = HARNESS_APPLICATION_ID,
                                          .verify_key = ward.bot.keys.public_key_hex,
                                          .interactions_url = "https://bot.example/interactions",
                                          .events_url = "https://bot.example/events",
                                          .events_status = 2 };
    ward.front.bot = ward.bot.listen;
    fake_discord_start(&ward.discord);
    fake_front_start(&ward.front);
    snprintf(ward.api_line, sizeof(ward.api_line), "DISCORD_API_URL=http://127.0.0.1:%u",
             ward.discord.port);
    snprintf(ward.front_url, sizeof(ward.front_url), "http://127.0.0.1:%u/interactions",
             ward.front.port);
    snprintf(ward.secret_path, sizeof(ward.secret_path), "%s/token", ward.bot.folder);
    snprintf(secret_line, sizeof(secret_line), "DISCORD_BOT_TOKEN_FILE=%s", ward.secret_path);
    write_secret(&ward);
    ward.environment[0] = ward.api_line;
    ward.environment[1] = secret_line;
    if (harness_bot_launch(&ward.bot, &err) == 0)
        return 0;
    fprintf(stderr, "%s\n", err.message);
    return 1;
}

static int close_ward(void **state)
{
    struct ward *ward = *state;
    int exit_code = -1;
    struct err err = { 0 };
    int result = harness_bot_stop(&ward->bot, &exit_code, &err);
    fake_front_stop(&ward->front);
    fake_discord_stop(&ward->discord);
    harness_bot_fini(&ward->bot);
    return result != 0 || exit_code != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_lines_are_ok_while_all_is_well),
        cmocka_unit_test(lines_for_people_say_the_same_and_hide_control_characters),
        cmocka_unit_test(settings_that_are_wrong_end_the_visit_with_78),
        cmocka_unit_test(secret_files_open_to_others_are_red),
        cmocka_unit_test(a_dotenv_open_to_others_is_red),
        cmocka_unit_test(a_lowered_file_limit_is_red),
        cmocka_unit_test(a_database_nobody_can_write_is_red),
        cmocka_unit_test(a_database_open_to_others_is_red),
        cmocka_unit_test(a_folder_as_database_is_red),
        cmocka_unit_test(a_full_disk_is_red),
        cmocka_unit_test(a_database_from_the_future_is_red),
        cmocka_unit_test(migrations_to_come_are_told),
        cmocka_unit_test(a_database_another_process_holds_is_red_when_that_one_is_silent),
        cmocka_unit_test(a_name_without_address_is_red),
        cmocka_unit_test(tls_that_can_not_be_trusted_is_red),
        cmocka_unit_test(an_unencrypted_way_to_discord_is_red_and_gets_no_token),
        cmocka_unit_test(an_unreachable_discord_is_red),
        cmocka_unit_test(a_clock_that_is_off_is_red),
        cmocka_unit_test(something_else_than_a_token_is_red),
        cmocka_unit_test(a_token_discord_refuses_is_red),
        cmocka_unit_test(an_application_of_somebody_else_is_red),
        cmocka_unit_test(a_public_key_discord_does_not_use_is_red),
        cmocka_unit_test(urls_the_bot_does_not_serve_are_red),
        cmocka_unit_test(a_bot_that_is_not_ready_is_red),
        cmocka_unit_test(a_bot_that_is_down_is_red),
        cmocka_unit_test(a_front_that_passes_requests_on_is_fine),
        cmocka_unit_test(each_lie_of_the_front_turns_its_line_red),
        cmocka_unit_test(a_front_that_is_down_or_has_no_certificate_is_red),
        cmocka_unit_test(wrong_usage_is_told_so),
    };
    return cmocka_run_group_tests(tests, open_ward, close_ward);
}
