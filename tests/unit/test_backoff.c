/* Pauses between tries: within their step, spread over all of it, and never above the cap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/backoff.h"

#include <limits.h>
#include <sodium.h>

#define DRAWS 2000

static void assert_spread(int64_t base, int64_t cap, int doublings, int64_t step)
{
    int64_t smallest = INT64_MAX, largest = INT64_MIN;
    for (int i = 0; i < DRAWS; i++) {
        int64_t drawn = backoff_draw(base, cap, doublings);
        smallest = drawn < smallest ? drawn : smallest;
        largest = drawn > largest ? drawn : largest;
    }
    assert_in_range(smallest, 0, step / 10);
    assert_in_range(largest, step - step / 10, step);
}

static void a_step_doubles_until_it_meets_the_cap(void **state)
{
    (void)state;
    assert_spread(1000, 60000, 0, 1000);
    assert_spread(1000, 60000, 1, 2000);
    assert_spread(1000, 60000, 5, 32000);
    assert_spread(1000, 60000, 6, 60000);
    assert_spread(1000, 60000, INT_MAX, 60000);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_step_doubles_until_it_meets_the_cap) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
