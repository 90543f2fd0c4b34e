/* The pseudo-language: what never went through the catalogue is found, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/memory.h"
#include "simulator/pseudo.h"

#include <stdio.h>
#include <string.h>

static const struct pseudo_allowed allowed = {
    .spoken = { "for the coffee\ngems", sizeof("for the coffee\ngems") - 1 },
    .verbatim = { "## Terms\nYour data and coins.", sizeof("## Terms\nYour data and coins.") - 1 },
};

/* Unwraps {"content": text}; how many violations there were. */
static size_t unwrap(const char *key, const char *text, char *bare, size_t size)
{
    struct violations violations = { 0 };
    json_object *json = must_object();
    must_put(json, key, must_text(str_from(text)));
    pseudo_unwrap(json, &allowed, &violations);
    size_t count = violations.count;
    snprintf(bare, size, "%s", json_object_get_string(json_object_object_get(json, key)));
    json_object_put(json);
    violations_free(&violations);
    return count;
}

static void what_is_in_brackets_or_is_no_text_passes(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "⟦Try again⟧",
        "### ⟦Your reward: ⟧⟦5 coins⟧⟦.⟧",
        "**5,000** → 7",
        "<@123> · <t:456:R> <#7>",
        "⟦Ready <t:⟧456⟦:R>.⟧",
        "`/⟦pay⟧ <⟦user⟧>` ⟦Pays⟧",
        "⟦Run `/⟧⟦setup⟧⟦ ⟧⟦server⟧⟦` again.⟧",
        "⟦Error id: `⟧abcdef⟦`⟧",
        "> for the coffee",
        "> for the cof\\fee",
        "⟦Read it:⟧\nYour data and coins.\n⟦Or not.⟧",
        "⟦coins⟧ → gems",
        "America/New\\_York",
        "⟦until⟧ 12:00 UTC",
    };
    char bare[128];
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        if (unwrap("content", texts[i], bare, sizeof(bare)) != 0)
            fail_msg("%s is a violation", texts[i]);
        assert_null(strstr(bare, "⟦"));
        assert_null(strstr(bare, "⟧"));
    }
}

static void letters_outside_of_brackets_are_found(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "Try again",
        "⟦Wallet:⟧ 5 coins",
        "(optional)",
        "⟦a⟧b",
        "for the tea",
        "/help me",
        "Page 2",
        "⟦Kept ⟧until it is gone⟦.⟧",
        "⟦Run `/⟧setup⟦` again.⟧",
        "`/pay`",
        "<time>",
        "offee", /* not a word of what was typed */
        "coins", /* not a line of what is shown as it is */
    };
    static const char *const keys[] = { "content", "label",       "placeholder",
                                        "title",   "description", "name" };
    char bare[128];
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(keys); j++)
            assert_int_equal(unwrap(keys[j], texts[i], bare, sizeof(bare)), 1);
    assert_int_equal(unwrap("custom_id", "tos:1:2:read", bare, sizeof(bare)), 0);
}

static void brackets_are_taken_off(void **state)
{
    (void)state;
    char bare[128];
    unwrap("content", "### ⟦Your reward: ⟦5 coins⟧⟧!", bare, sizeof(bare));
    assert_string_equal(bare, "### Your reward: 5 coins!");
    unwrap("value", "⟦é⟧", bare, sizeof(bare));
    assert_string_equal(bare, "é");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_brackets_or_is_no_text_passes),
        cmocka_unit_test(letters_outside_of_brackets_are_found),
        cmocka_unit_test(brackets_are_taken_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
