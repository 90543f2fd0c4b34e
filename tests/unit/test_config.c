/* Settings: a wrong value is one line that names the variable and what is accepted, and never shows
 * a secret; the environment wins over .env; a key that verifies nothing never starts the bot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/config.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEY "DISCORD_PUBLIC_KEY=d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
#define APP "DISCORD_APPLICATION_ID=123456789012345678"

static int load(const char *const *environment, const char *dotenv, struct config *config,
                struct config_report *report)
{
    struct config_sources sources = { .environment = environment, .dotenv = str_from(dotenv) };
    struct err err = { 0 };
    return config_load(config, &sources, true, report, &err);
}

static void defaults_are_those_of_the_contract(void **state)
{
    (void)state;
    const char *const environment[] = { APP, KEY, NULL };
    struct config config;
    assert_int_equal(load(environment, NULL, &config, NULL), 0);
    assert_true(config.application_id == INT64_C(123456789012345678));
    assert_int_equal(config.public_keys.count, 1);
    assert_string_equal(config.api_url, "https://discord.com/api/v10");
    assert_string_equal(config.listen.text, "127.0.0.1");
    assert_int_equal(config.listen.port, 8080);
    assert_int_equal(config.admin_listen.port, 9464);
    assert_string_equal(config.database_url, "sqlite:bronxbot.db");
    assert_string_equal(config.redis_url, "");
    assert_int_equal(config.db_pool_min, 5);
    assert_int_equal(config.db_pool_max, 50);
    assert_int_equal(config.defer_after_ms, 1000);
    assert_int_equal(config.signature_max_age_seconds, 300);
    assert_int_equal(config.signature_max_skew_seconds, 30);
    assert_int_equal(config.max_body_bytes, 262144);
    assert_int_equal(config.usage_flush_seconds, 300);
    assert_int_equal(config.edit_floor_ms, 1000);
    assert_int_equal(config.log_level, LOG_LEVEL_INFO);
    assert_int_equal(config.log_format, LOG_FORMAT_TEXT);
}

struct wrong_value {
    const char *line;
    const char *complaint; /* a part of the line the operator sees */
    const char *hidden;    /* must not be in it */
};

static void an_address_with_a_zero_byte_is_refused(void **state)
{
    (void)state;
    struct listen_address address;
    assert_int_equal(listen_address_parse(STR("unix:/run/a\0b"), &address), ERR_INVALID);
    assert_int_equal(listen_address_parse(STR("127.0.0.1\0x:80"), &address), ERR_INVALID);
}

static void only_the_path_of_a_database_is_printed(void **state)
{
    (void)state;
    const char *const environment[] = { APP, KEY, "DATABASE_URL=sqlite:/var/lib/b.db",
                                        "DISCORD_BOT_TOKEN=sqlite:token", NULL };
    struct config config;
    CLEANUP(buf_free) struct buf printed = { 0 };
    assert_int_equal(load(environment, NULL, &config, NULL), 0);
    config_print(&config, &printed);
    assert_non_null(strstr(printed.data, "sqlite:/var/lib/b.db"));
    assert_null(strstr(printed.data, "sqlite:token"));
}

static void a_wrong_value_is_one_line_that_names_the_variable(void **state)
{
    (void)state;
    static const struct wrong_value wrong[] = {
        { "DEFER_AFTER_MS=soon", "DEFER_AFTER_MS is 'soon': accepted is 0 to 2500", NULL },
        { "DEFER_AFTER_MS=3000", "DEFER_AFTER_MS is '3000'", NULL },
        { "DB_POOL_MIN=60", "DB_POOL_MIN is 60", NULL },
        { "LISTEN=8080", "LISTEN is '8080'", NULL },
        { "LISTEN=localhost:8080", "LISTEN is 'localhost:8080'", NULL },
        { "LISTEN=127.0.0.1:65536", "LISTEN is", NULL },
        { "ADMIN_LISTEN=unix:", "ADMIN_LISTEN is 'unix:'", NULL },
        { "OWNER_IDS=1,x", "OWNER_IDS is '1,x'", NULL },
        { "OWNER_GUILD_ID=0", "OWNER_GUILD_ID is '0'", NULL },
        { "DATABASE_URL=mysql://root:hunter22@db", "DATABASE_URL is wrong (value hidden)",
          "hunter22" },
        { "DATABASE_URL=postgresql://", "DATABASE_URL is wrong (value hidden)", NULL },
        { "DATABASE_URL=postgres://bot:hunter22@db/x y", "DATABASE_URL is wrong (value hidden)",
          "hunter22" },
        { "REDIS_URL=http://:hunter22@x", "REDIS_URL is wrong (value hidden)", "hunter22" },
        { "SERVER_SECRET=hunter22", "SERVER_SECRET is wrong (value hidden)", "hunter22" },
        { "DISCORD_BOT_TOKEN=hunter22 x", "DISCORD_BOT_TOKEN is wrong", "hunter22" },
        { "DISCORD_BOT_TOKEN_FILE=/nowhere/token", "DISCORD_BOT_TOKEN_FILE: can't read", NULL },
        /* Else a secret that got lost would start the bot on another database. */
        { "DATABASE_URL_FILE=/dev/null", "DATABASE_URL_FILE: can't read '/dev/null'", NULL },
        { "DISCORD_API_URL=ftp://discord.com", "DISCORD_API_URL is", NULL },
        { "DISCORD_CA_FILE=/nowhere/ca.pem", "DISCORD_CA_FILE is '/nowhere/ca.pem'", NULL },
        { "DISCORD_CA_FILE=/tmp", "DISCORD_CA_FILE is '/tmp': accepted is a file of", NULL },
        { "LOG_LEVEL=loud", "LOG_LEVEL is 'loud': accepted is debug, info, warning or error",
          NULL },
        { "LOG_FORMAT=xml", "LOG_FORMAT is 'xml'", NULL },
        { "CLOCK_SHIFT_FILE=/tmp/x", "CLOCK_SHIFT_FILE is set", NULL },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        const char *const environment[] = { APP, KEY, wrong[i].line, NULL };
        struct config config;
        struct config_report report = { 0 };
        assert_int_equal(load(environment, NULL, &config, &report), ERR_CONFIG);
        if (!strstr(report.errors.data, wrong[i].complaint))
            fail_msg("%s gave: %s", wrong[i].line, report.errors.data);
        assert_ptr_equal(strchr(report.errors.data, '\n'),
                         report.errors.data + report.errors.length - 1);
        if (wrong[i].hidden)
            assert_null(strstr(report.errors.data, wrong[i].hidden));
        config_report_free(&report);
    }
}

static void keys_that_verify_nothing_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "DISCORD_PUBLIC_KEY=",
        "DISCORD_PUBLIC_KEY=d75a98",
        "DISCORD_PUBLIC_KEY=d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511azz",
        "DISCORD_PUBLIC_KEY=d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f70751zz",
        /* the neutral element, a point of order 8, a point off the curve */
        "DISCORD_PUBLIC_KEY=0100000000000000000000000000000000000000000000000000000000000000",
        "DISCORD_PUBLIC_KEY=c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "DISCORD_PUBLIC_KEY=0200000000000000000000000000000000000000000000000000000000000000",
        KEY ",",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        const char *const environment[] = { APP, bad[i], NULL };
        struct config config;
        assert_int_equal(load(environment, NULL, &config, NULL), ERR_CONFIG);
    }
}

static void several_keys_are_accepted_while_one_is_rotated(void **state)
{
    (void)state;
    const char *const environment[] = {
        APP, KEY ", 3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", NULL
    };
    struct config config;
    assert_int_equal(load(environment, NULL, &config, NULL), 0);
    assert_int_equal(config.public_keys.count, 2);
    assert_int_equal(config.public_keys.bytes[1][0], 0x3d);
}

static void the_environment_wins_over_dotenv(void **state)
{
    (void)state;
    const char *const environment[] = { APP, KEY, "DEFER_AFTER_MS=700", NULL };
    const char dotenv[] = "# comment\n\nexport DEFER_AFTER_MS=600\nEDIT_FLOOR_MS = \"1500\"\r\n"
                          "USAGE_FLUSH='60'\n";
    struct config config;
    struct config_report report = { 0 };
    assert_int_equal(load(environment, dotenv, &config, &report), 0);
    assert_int_equal(config.defer_after_ms, 700);
    assert_int_equal(config.edit_floor_ms, 1500);
    assert_string_equal(report.warnings.data, "USAGE_FLUSH in .env is not a setting of bronxbot\n");
    config_report_free(&report);
}

static void secrets_come_from_files_and_are_never_printed(void **state)
{
    (void)state;
    char path[] = "/tmp/bronxbot-secret-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "token-from-file\n", 16), 16);
    close(fd);
    char line[128];
    snprintf(line, sizeof(line), "DISCORD_BOT_TOKEN_FILE=%s", path);
    const char *const environment[] = { APP, KEY, line, "SERVER_SECRET=0123456789abcdef0123",
                                        NULL };
    struct config config;
    assert_int_equal(load(environment, NULL, &config, NULL), 0);
    assert_string_equal(config.bot_token, "token-from-file");
    CLEANUP(buf_free) struct buf printed = { 0 };
    config_print(&config, &printed);
    assert_null(strstr(printed.data, "token-from-file"));
    assert_null(strstr(printed.data, "0123456789abcdef0123"));
    assert_non_null(strstr(printed.data, "(set, hidden)"));
    assert_non_null(strstr(printed.data, "sqlite:bronxbot.db"));
    const char *const both[] = { APP, KEY, line, "DISCORD_BOT_TOKEN=other-token", NULL };
    assert_int_equal(load(both, NULL, &config, NULL), ERR_CONFIG);
    unlink(path);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_contract),
        cmocka_unit_test(an_address_with_a_zero_byte_is_refused),
        cmocka_unit_test(only_the_path_of_a_database_is_printed),
        cmocka_unit_test(a_wrong_value_is_one_line_that_names_the_variable),
        cmocka_unit_test(keys_that_verify_nothing_are_refused),
        cmocka_unit_test(several_keys_are_accepted_while_one_is_rotated),
        cmocka_unit_test(the_environment_wins_over_dotenv),
        cmocka_unit_test(secrets_come_from_files_and_are_never_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
