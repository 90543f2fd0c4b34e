/* Amounts as people type them: understood exactly or refused, never rounded up, never overflowed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/amount.h"
#include "bronx/arena.h"
#include "bronx/command.h"
#include "bronx/language.h"
#include "bronx/ledger.h"

#include <stdio.h>

struct typed {
    const char *text;
    int64_t whole;
    enum amount_refusal refusal;
    int64_t amount;
};

static void amounts_are_understood_exactly_or_refused(void **state)
{
    (void)state;
    static const struct typed table[] = {
        { "250", 0, AMOUNT_OK, 250 },
        { " 250 ", 0, AMOUNT_OK, 250 },
        { "1k", 0, AMOUNT_OK, 1000 },
        { "1K", 0, AMOUNT_OK, 1000 },
        { "2.5m", 0, AMOUNT_OK, 2500000 },
        { "2.5 m", 0, AMOUNT_OK, 2500000 },
        { "2,5m", 0, AMOUNT_OK, 2500000 },
        { ".5k", 0, AMOUNT_OK, 500 },
        { "0.001k", 0, AMOUNT_OK, 1 },
        { "1.2340k", 0, AMOUNT_OK, 1234 },
        { "3b", 0, AMOUNT_OK, INT64_C(3000000000) },
        { "1,000", 0, AMOUNT_OK, 1000 },
        { "1,234,567", 0, AMOUNT_OK, 1234567 },
        { "1,234.5k", 0, AMOUNT_OK, 1234500 },
        { "1.234,5k", 0, AMOUNT_OK, 1234500 },
        { "1 234,5k", 0, AMOUNT_OK, 1234500 },
        { "1,234,567.8k", 0, AMOUNT_OK, 1234567800 },
        { "1.500k", 0, AMOUNT_OK, 1500 },
        { "0,001k", 0, AMOUNT_OK, 1 },
        { "1.000", 0, AMOUNT_OK, 1000 },
        { "100.000", 0, AMOUNT_OK, 100000 },
        { "1.234.567", 0, AMOUNT_OK, 1234567 },
        { "1 000", 0, AMOUNT_OK, 1000 },
        { "12\u202f345\u202f678", 0, AMOUNT_OK, 12345678 },
        { "10\u00a0000", 0, AMOUNT_OK, 10000 },
        { "5.0", 0, AMOUNT_OK, 5 },
        { "5,00", 0, AMOUNT_OK, 5 },
        { "all", 777, AMOUNT_OK, 777 },
        { "MAX", 777, AMOUNT_OK, 777 },
        { "half", 777, AMOUNT_OK, 388 },
        { "10%", 777, AMOUNT_OK, 77 },
        { "12.5 %", 800, AMOUNT_OK, 100 },
        { "12,5 %", 800, AMOUNT_OK, 100 },
        { "100%", 777, AMOUNT_OK, 777 },
        { "33.33%", LEDGER_AMOUNT_MAX, AMOUNT_OK, INT64_C(3002099511605172) },
        { "9007199254740991", 0, AMOUNT_OK, LEDGER_AMOUNT_MAX },

        { "0", 0, AMOUNT_NOT_POSITIVE, 0 },
        { "-5", 100, AMOUNT_NOT_POSITIVE, 0 },
        { "all", 0, AMOUNT_NOT_POSITIVE, 0 },
        { "half", 1, AMOUNT_NOT_POSITIVE, 0 },
        { "1%", 99, AMOUNT_NOT_POSITIVE, 0 },

        { "9007199254740992", 0, AMOUNT_TOO_LARGE, 0 },
        { "99999999999999999999", 0, AMOUNT_TOO_LARGE, 0 },
        { "9223372036854775807k", 0, AMOUNT_TOO_LARGE, 0 },
        { "9999999999b", 0, AMOUNT_TOO_LARGE, 0 },

        { "", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "  ", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "k", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "%", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { ".", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1.5", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1.05", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1,500k", 5, AMOUNT_NOT_UNDERSTOOD, 0 }, /* 1.5 million to some, 1,500 to others */
        { "1,500%", 5000, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1,005.5", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1.000,5", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1,000.000", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1,000 000", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1.234,567,8k", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1234,567", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1234,567,890", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "0,500", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1,,000", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1  000", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1\xe2\x80", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1.0005k", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1.2.3k", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "2,5", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1,0000", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { ",100", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "1e3", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "0x10", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "101%", 500, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "10 00", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
        { "twelve", 5, AMOUNT_NOT_UNDERSTOOD, 0 },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        int64_t amount = -1;
        enum amount_refusal refusal =
            amount_parse(str_from(table[i].text), table[i].whole, &amount);
        if (refusal != table[i].refusal || (refusal == AMOUNT_OK && amount != table[i].amount))
            fail_msg("'%s' of %lld gave %d, %lld", table[i].text, (long long)table[i].whole,
                     (int)refusal, (long long)amount);
    }
}

static void a_share_is_never_more_than_the_whole(void **state)
{
    (void)state;
    for (int64_t whole = 1; whole < LEDGER_AMOUNT_MAX / 3; whole = whole * 3 + 1) {
        for (int hundredths = 1; hundredths <= 10000; hundredths += 37) {
            char text[32];
            snprintf(text, sizeof(text), "%d.%02d%%", hundredths / 100, hundredths % 100);
            int64_t amount = 0;
            if (amount_parse(str_from(text), whole, &amount) == AMOUNT_OK)
                assert_true(amount >= 1 && amount <= whole);
        }
    }
}

static void assert_shown(const char *locale, int64_t amount, const char *shown)
{
    CLEANUP(arena_free) struct arena arena = { 0 };
    const struct call call = { .arena = &arena, .language = language_of(str_from(locale)) };
    assert_string_equal(amount_show(&call, amount).data, shown);
    int64_t again = 0;
    if (amount > 0)
        assert_int_equal(amount_parse(str_from(shown), 0, &again), AMOUNT_OK);
    assert_int_equal(again, amount > 0 ? amount : 0);
}

static void amounts_are_shown_as_the_language_groups_them_and_can_be_typed_again(void **state)
{
    (void)state;
    assert_shown("en-US", 0, "0");
    assert_shown("en-US", 999, "999");
    assert_shown("en-US", 1000, "1,000");
    assert_shown("en-US", -999, "-999");
    assert_shown("en-US", -123456, "-123,456");
    assert_shown("en-US", LEDGER_AMOUNT_MAX, "9,007,199,254,740,991");
    assert_shown("es-ES", 0, "0");
    assert_shown("es-ES", 9999, "9999");
    assert_shown("es-419", 10000, "10\u202f000");
    assert_shown("es-ES", -1234, "-1234");
    assert_shown("es-ES", -12345678, "-12\u202f345\u202f678");
    assert_shown("es-ES", LEDGER_AMOUNT_MAX, "9\u202f007\u202f199\u202f254\u202f740\u202f991");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_are_understood_exactly_or_refused),
        cmocka_unit_test(a_share_is_never_more_than_the_whole),
        cmocka_unit_test(amounts_are_shown_as_the_language_groups_them_and_can_be_typed_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
