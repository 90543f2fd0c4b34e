/* Chance: the same for the same interaction, different for others, uniform, within its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/chance.h"
#include "services/secret.h"

#include <sodium.h>

static struct chance chance_of(unsigned char seed)
{
    struct chance chance;
    unsigned char key[SERVER_KEY_BYTES] = { seed };
    chance_init(&chance, key);
    return chance;
}

static void a_second_run_draws_the_same(void **state)
{
    (void)state;
    struct chance chance = chance_of(1), other = chance_of(2);
    int same_for_other_key = 0, same_for_other_draw = 0, same_for_other_interaction = 0;
    for (int64_t id = 1; id <= 200; id++) {
        int64_t value = chance_between(&chance, id, 0, 0, 999999);
        assert_true(value == chance_between(&chance, id, 0, 0, 999999));
        same_for_other_key += value == chance_between(&other, id, 0, 0, 999999);
        same_for_other_draw += value == chance_between(&chance, id, 1, 0, 999999);
        same_for_other_interaction += value == chance_between(&chance, id + 1000, 0, 0, 999999);
    }
    assert_true(same_for_other_key < 3);
    assert_true(same_for_other_draw < 3);
    assert_true(same_for_other_interaction < 3);
}

#define SIDES 6
#define DRAWS 60000

static void every_side_of_a_die_is_equally_likely(void **state)
{
    (void)state;
    struct chance chance = chance_of(3);
    int counts[SIDES] = { 0 };
    for (int64_t id = 0; id < DRAWS; id++) {
        int64_t side = chance_between(&chance, id, 7, 1, SIDES);
        assert_true(side >= 1 && side <= SIDES);
        counts[side - 1]++;
    }
    /* Chi-squared with 5 degrees of freedom: 20.5 is passed once in a thousand fair dice; the key
     * is fixed, so this test always gives the same. */
    double chi = 0, expected = (double)DRAWS / SIDES;
    for (int i = 0; i < SIDES; i++)
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    assert_true(chi < 20.5);
}

static void bounds_at_the_ends_of_the_range_hold(void **state)
{
    (void)state;
    struct chance chance = chance_of(4);
    assert_true(chance_between(&chance, 1, 0, 5, 5) == 5);
    for (int64_t id = 0; id < 100; id++) {
        assert_true(chance_between(&chance, id, 0, INT64_MIN, INT64_MIN + 1) <= INT64_MIN + 1);
        assert_true(chance_between(&chance, id, 0, INT64_MAX - 1, INT64_MAX) >= INT64_MAX - 1);
        (void)chance_between(&chance, id, 0, INT64_MIN, INT64_MAX);
    }
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_run_draws_the_same),
        cmocka_unit_test(every_side_of_a_die_is_equally_likely),
        cmocka_unit_test(bounds_at_the_ends_of_the_range_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
