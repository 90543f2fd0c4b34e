/* Log lines: one write each, valid JSON whatever comes in, and no secret in any of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/log_sink.h"

#include <sodium.h>
#include <string.h>
#include <unistd.h>

static int64_t fixed_wall_ms(const struct clock *clock)
{
    (void)clock;
    return INT64_C(1700000000123);
}

static int64_t fixed_monotonic_us(const struct clock *clock)
{
    (void)clock;
    return 0;
}

static const struct clock fixed_clock = { fixed_wall_ms, fixed_monotonic_us };

/* What one line looks like that is written with these settings. */
static void line_of(enum log_format format, const char *event, const struct log_field *fields,
                    char *line, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct log_sink *sink = log_sink_new(ends[1], LOG_LEVEL_INFO, format, &fixed_clock);
    assert_int_equal(log_sink_hide(sink, STR("hunter22")), 0);
    assert_int_equal(log_sink_hide(sink, STR("pass\"word\\1")), 0);
    assert_int_equal(log_sink_hide_url(sink, STR("postgresql://u:correct%2Fhorse@h:5432/b")), 0);
    assert_int_equal(log_sink_hide_url(sink, STR("redis://:cache-pass@h/0")), 0);
    assert_int_equal(log_sink_hide_url(sink, STR("unix:///run/redis.sock")), 0);
    assert_int_equal(log_sink_hide(sink, STR("[hidde")), 0);
    struct log log = log_of_request(sink, "abcdefghijk");
    log_write(&log, LOG_LEVEL_DEBUG, "below the level", fields);
    log_write(&log, LOG_LEVEL_WARNING, event, fields);
    log_sink_free(sink);
    close(ends[1]);
    ssize_t got = read(ends[0], line, size - 1);
    close(ends[0]);
    assert_true(got > 0);
    line[got] = '\0';
}

static void a_text_line_has_time_level_event_request_and_fields(void **state)
{
    (void)state;
    char line[512];
    line_of(LOG_FORMAT_TEXT, "transfer refused",
            LOG_FIELDS_(LOG_INT("amount", -5), LOG_TEXT("why", STR("too poor")),
                        LOG_TEXT("word", STR("plain"))),
            line, sizeof(line));
    assert_string_equal(line, "2023-11-14T22:13:20.123Z warning transfer refused "
                              "request=abcdefghijk amount=-5 why=\"too poor\" word=plain\n");
}

static void a_json_line_escapes_whatever_comes_in(void **state)
{
    (void)state;
    char line[512];
    line_of(LOG_FORMAT_JSON, "e", LOG_FIELDS_(LOG_TEXT("x", STR("\"\\\n\x01\xff\xc3\xa9"))), line,
            sizeof(line));
    assert_string_equal(
        line, "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"warning\",\"event\":\"e\","
              "\"request\":\"abcdefghijk\",\"x\":\"\\\"\\\\\\n\\u0001\xef\xbf\xbd\xc3\xa9\"}\n");
}

static void secrets_and_tokens_are_hidden(void **state)
{
    (void)state;
    char line[512];
    line_of(LOG_FORMAT_TEXT, "call",
            LOG_FIELDS_(LOG_TEXT("url", STR("https://discord.com/api/v10/webhooks/123/"
                                            "aW50ZXJhY3Rpb24/messages/@original")),
                        LOG_TEXT("other", STR("/interactions/9/tok_en-1?x")),
                        LOG_TEXT("db", STR("postgresql://u:hunter22@h hunter22"))),
            line, sizeof(line));
    assert_null(strstr(line, "aW50ZXJhY3Rpb24"));
    assert_null(strstr(line, "tok_en"));
    assert_null(strstr(line, "hunter22"));
    assert_non_null(strstr(line, "/webhooks/123/[hidden]/messages/@original"));
    assert_non_null(strstr(line, "u:[hidden]@h [hidden]"));
}

static void the_password_of_a_url_is_hidden_alone_and_decoded_too(void **state)
{
    (void)state;
    char line[512];
    line_of(LOG_FORMAT_TEXT, "call",
            LOG_FIELDS_(LOG_TEXT("a", STR("password \"correct%2Fhorse\" is wrong")),
                        LOG_TEXT("b", STR("or correct/horse")), LOG_TEXT("c", STR("cache-pass"))),
            line, sizeof(line));
    assert_null(strstr(line, "correct"));
    assert_null(strstr(line, "cache-pass"));
    assert_non_null(strstr(line, "[hidden]"));
}

static void a_secret_that_looks_like_the_mark_ends_no_less(void **state)
{
    (void)state;
    char line[512];
    line_of(LOG_FORMAT_TEXT, "call", LOG_FIELDS_(LOG_TEXT("x", STR("[hidde [hidde hunter22"))),
            line, sizeof(line));
    assert_non_null(strstr(line, "x=\"[hidde [hidde [hidden]\""));
}

static void a_secret_is_hidden_where_json_escapes_it(void **state)
{
    (void)state;
    char line[512];
    line_of(LOG_FORMAT_JSON, "e", LOG_FIELDS_(LOG_TEXT("x", STR("pass\"word\\1 hunter22"))), line,
            sizeof(line));
    assert_null(strstr(line, "word"));
    assert_non_null(strstr(line, "\"x\":\"[hidden] [hidden]\""));
}

static void request_ids_differ_and_are_easy_to_read_out(void **state)
{
    (void)state;
    char first[REQUEST_ID_SIZE], second[REQUEST_ID_SIZE];
    request_id_new(first);
    request_id_new(second);
    assert_int_equal(strlen(first), REQUEST_ID_SIZE - 1);
    assert_string_not_equal(first, second);
    assert_int_equal(strspn(first, "23456789abcdefghijkmnpqrstuvwxyz"), REQUEST_ID_SIZE - 1);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_line_has_time_level_event_request_and_fields),
        cmocka_unit_test(a_json_line_escapes_whatever_comes_in),
        cmocka_unit_test(secrets_and_tokens_are_hidden),
        cmocka_unit_test(the_password_of_a_url_is_hidden_alone_and_decoded_too),
        cmocka_unit_test(a_secret_that_looks_like_the_mark_ends_no_less),
        cmocka_unit_test(a_secret_is_hidden_where_json_escapes_it),
        cmocka_unit_test(request_ids_differ_and_are_easy_to_read_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
