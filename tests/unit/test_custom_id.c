/* custom_ids: formatting and parsing are exact inverses within Discord's 100 characters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/custom_id.h"

#include <limits.h>

static void a_custom_id_survives_the_way_there_and_back(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena arena = { 0 };
    const struct {
        struct custom_id id;
        const char *text;
    } cases[] = {
        { { STR("tos"), 0, 0, STR("") }, "tos:0:0:" },
        { { STR("pay"), 3, 77, STR("confirm") }, "pay:3:77:confirm" },
        { { STR("setup"), INT_MAX, INT64_MAX, STR("a:b::") },
          "setup:2147483647:9223372036854775807:a:b::" },
        { { STR("Report User"), 1, 5, STR("\xc3\xa9") }, "Report User:1:5:\xc3\xa9" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct str_view text = custom_id_format(&arena, &cases[i].id);
        assert_true(str_equal(text, str_from(cases[i].text)));
        struct custom_id parsed;
        assert_int_equal(custom_id_parse(text, &parsed), 0);
        assert_true(str_equal(parsed.route, cases[i].id.route));
        assert_int_equal(parsed.version, cases[i].id.version);
        assert_true(parsed.row_id == cases[i].id.row_id);
        assert_true(str_equal(parsed.argument, cases[i].id.argument));
    }
}

static void what_format_does_not_make_is_refused(void **state)
{
    (void)state;
    const struct str_view bad[] = {
        STR_NONE,
        STR(""),
        STR("tos"),
        STR("tos:1"),
        STR("tos:1:2"),
        STR(":1:2:x"),
        STR("tos::2:x"),
        STR("tos:1::x"),
        STR("tos:01:2:x"),
        STR("tos:1:02:x"),
        STR("tos:+1:2:x"),
        STR("tos:-1:2:x"),
        STR("tos:1:-2:x"),
        STR("tos: 1:2:x"),
        STR("tos:2147483648:2:x"),
        STR("tos:1:9223372036854775808:x"),
        STR("tos:1:2:\xff"),
        STR("tos:1:2:a\0b"),
        STR("tos:1:2:"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaa"),
    };
    struct custom_id id;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_equal(custom_id_parse(bad[i], &id), ERR_INVALID);
}

static void a_custom_id_that_would_break_the_rules_is_not_made(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena arena = { 0 };
    char longest[CUSTOM_ID_MAX];
    for (size_t i = 0; i < sizeof(longest); i++)
        longest[i] = 'x';
    struct custom_id id = { STR("tos"), 1, 2, { longest, CUSTOM_ID_MAX - 8 } };
    assert_int_equal(custom_id_format(&arena, &id).length, CUSTOM_ID_MAX);
    id.argument.length++;
    assert_null(custom_id_format(&arena, &id).data);
    const struct custom_id bad[] = {
        { STR(""), 1, 2, STR("x") },     { STR("a:b"), 1, 2, STR("x") },
        { STR("a"), -1, 2, STR("x") },   { STR("a"), 1, -2, STR("x") },
        { STR("a"), 1, 2, STR("\xff") }, { STR("a"), 1, 2, STR("x\0y") },
        { STR("a\0b"), 1, 2, STR("x") },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_null(custom_id_format(&arena, &bad[i]).data);
    CLEANUP(arena_free) struct arena full = { .limit = 1 };
    id.argument = STR("x");
    assert_null(custom_id_format(&full, &id).data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_custom_id_survives_the_way_there_and_back),
        cmocka_unit_test(what_format_does_not_make_is_refused),
        cmocka_unit_test(a_custom_id_that_would_break_the_rules_is_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
