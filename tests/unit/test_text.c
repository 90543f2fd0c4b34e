/* Text rules: cutting never splits a character, numbers are whole or refused, buffers fail for
 * good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/arena.h"
#include "bronx/text.h"

#include <string.h>

static void a_prefix_never_ends_inside_a_character(void **state)
{
    (void)state;
    struct str_view text =
        STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"); /* 1 + 2 + 3 + 4 + 1 bytes */
    const size_t expected[] = { 0, 1, 3, 6, 6, 10, 11, 11 };
    for (size_t units = 0; units < ARRAY_LENGTH(expected); units++) {
        struct str_view prefix = utf8_prefix(text, units);
        assert_int_equal(prefix.length, expected[units]);
        assert_true(utf8_is_valid(prefix));
    }
    assert_int_equal(utf8_units(text), 6);
}

static void a_prefix_of_bytes_never_ends_inside_a_character(void **state)
{
    (void)state;
    struct str_view text =
        STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"); /* 1 + 2 + 3 + 4 + 1 bytes */
    const size_t expected[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11 };
    for (size_t bytes = 0; bytes < ARRAY_LENGTH(expected); bytes++)
        assert_int_equal(utf8_prefix_bytes(text, bytes).length, expected[bytes]);
    assert_int_equal(utf8_prefix_bytes(STR("\xff\xff\xff"), 2).length, 2);
    assert_int_equal(utf8_prefix_bytes(STR_NONE, 5).length, 0);
}

static void a_part_is_found_whatever_the_case_of_its_letters(void **state)
{
    (void)state;
    assert_true(str_contains_ignoring_case(STR("Europe/Madrid"), STR("MADRID")));
    assert_true(str_contains_ignoring_case(STR("Europe/Madrid"), STR("eUROPE/")));
    assert_true(str_contains_ignoring_case(STR("aab"), STR("ab")));
    assert_true(str_contains_ignoring_case(STR_NONE, STR_NONE));
    assert_true(str_contains_ignoring_case(STR("x"), STR("")));
    assert_false(str_contains_ignoring_case(STR("Madrid"), STR("Madrid ")));
    assert_false(str_contains_ignoring_case(STR_NONE, STR("x")));
}

static void invalid_utf8_is_recognised(void **state)
{
    (void)state;
    const struct str_view bad[] = {
        STR("\xc0\x80"),         STR("\xed\xa0\x80"), STR("\xf4\x90\x80\x80"),
        STR("\xe2\x82"),         STR("\x80"),         STR("\xff"),
        STR("\xf0\x80\x80\x80"), STR("\xe0\x9f\xbf"), STR("ok \xc3"),
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(utf8_is_valid(bad[i]));
    assert_true(utf8_is_valid(STR("")));
    assert_true(utf8_is_valid(STR("\xf4\x8f\xbf\xbf\xed\x9f\xbf")));
}

static void numbers_are_whole_or_refused(void **state)
{
    (void)state;
    int64_t value = 7;
    assert_int_equal(str_to_int64(STR("-9223372036854775808"), &value), 0);
    assert_true(value == INT64_MIN);
    assert_int_equal(str_to_int64(STR("9223372036854775807"), &value), 0);
    assert_true(value == INT64_MAX);
    const struct str_view bad[] = {
        STR(""),
        STR("-"),
        STR("+1"),
        STR(" 1"),
        STR("1 "),
        STR("0x1"),
        STR("1e3"),
        STR("9223372036854775808"),
        STR("-9223372036854775809"),
        STR("1\0"),
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_not_equal(str_to_int64(bad[i], &value), 0);
    assert_int_not_equal(str_to_uint63(STR("-1"), &value), 0);
    assert_int_not_equal(str_to_uint63(STR("00000000000000000001"), &value), 0);
    assert_true(value == INT64_MAX);
}

static void splitting_keeps_empty_parts(void **state)
{
    (void)state;
    struct str_view rest = STR("a,,b,"), part;
    const char *const expected[] = { "a", "", "b", "" };
    size_t count = 0;
    while (str_split(&rest, ',', &part))
        assert_true(str_equal(part, str_from(expected[count++])));
    assert_int_equal(count, 4);
}

static void a_full_buffer_stays_failed_and_unchanged(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf buf = { .limit = 5 };
    buf_append(&buf, STR("abc"));
    buf_append(&buf, STR("def"));
    assert_true(buf.has_failed);
    buf_append(&buf, STR("d"));
    assert_true(str_equal(buf_view(&buf), STR("abc")));
    buf_clear(&buf);
    buf_append_format(&buf, "%d", 12345);
    assert_false(buf.has_failed);
    assert_string_equal(buf.data, "12345");
}

static void arena_refuses_beyond_its_limit(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena arena = { .limit = 4096 };
    assert_non_null(arena_allocate(&arena, 4000));
    assert_null(arena_allocate(&arena, 200));
    assert_null(arena_allocate_array(&arena, SIZE_MAX / 2, 4));
    struct str_view text = arena_format(&arena, "%s-%d", "x", 5);
    assert_string_equal(text.data, "x-5");
}

static void what_was_not_built_whole_fails_the_arena(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena arena = { 0 };
    CLEANUP(buf_free) struct buf buf = { .limit = 4 };
    assert_int_equal(arena_keep(&arena, &buf).length, 0);
    buf_append(&buf, STR("four"));
    assert_true(str_equal(arena_keep(&arena, &buf), STR("four")));
    assert_false(arena.has_failed);
    buf_append(&buf, STR("five"));
    assert_null(arena_keep(&arena, &buf).data);
    assert_true(arena.has_failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_never_ends_inside_a_character),
        cmocka_unit_test(a_prefix_of_bytes_never_ends_inside_a_character),
        cmocka_unit_test(a_part_is_found_whatever_the_case_of_its_letters),
        cmocka_unit_test(invalid_utf8_is_recognised),
        cmocka_unit_test(numbers_are_whole_or_refused),
        cmocka_unit_test(splitting_keeps_empty_parts),
        cmocka_unit_test(a_full_buffer_stays_failed_and_unchanged),
        cmocka_unit_test(arena_refuses_beyond_its_limit),
        cmocka_unit_test(what_was_not_built_whole_fails_the_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
