/* Glob patterns of `cache clear`. That Redis means the same by them is tested in test_cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache/glob.h"

#include <string.h>

static void a_pattern_matches_what_it_says(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        { "temp:*", "temp:1", true },
        { "temp:*", "temp:", true },
        { "temp:*", "user:1", false },
        { "temp", "temp:1", false },
        { "*", "", true },
        { "", "", true },
        { "", "a", false },
        { "?", "", false },
        { "user:?", "user:1", true },
        { "user:?", "user:12", false },
        { "*:1*3", "user:123", true },
        { "*:1*3", "user:1243", true },
        { "*:1*3", "user:124", false },
        { "**a**", "bab", true },
        { "[a-c]x", "bx", true },
        { "[c-a]x", "bx", true },
        { "[^a-c]x", "bx", false },
        { "[^a-c]x", "dx", true },
        { "[abc", "b", true },
        { "[", "a", false },
        { "[\\]]", "]", true },
        { "a\\*", "a*", true },
        { "a\\*", "ab", false },
        { "a\\", "a\\", true },
        { "*[0-9]:*", "user:1:x", true },
        { "*aab", "aaaab", true },
        { "*[ab]c", "abac", true },
        { "a*b*c", "aXbYbZc", true },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        if (glob_matches(str_from(cases[i].pattern), str_from(cases[i].text)) != cases[i].matches)
            fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].text);
}

static void a_hostile_pattern_takes_no_longer_than_the_product_of_the_lengths(void **state)
{
    (void)state;
    char pattern[2001], text[4000];
    for (size_t i = 0; i < sizeof(pattern) - 1; i += 2)
        memcpy(pattern + i, "*a", 2);
    pattern[sizeof(pattern) - 1] = 'b';
    memset(text, 'a', sizeof(text));
    assert_false(glob_matches((struct str_view){ pattern, sizeof(pattern) },
                              (struct str_view){ text, sizeof(text) }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_matches_what_it_says),
        cmocka_unit_test(a_hostile_pattern_takes_no_longer_than_the_product_of_the_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
