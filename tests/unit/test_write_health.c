/* Whether the database takes writes: one failure tells, and one write that succeeds beside failing
 * ones does not make it well again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/write_health.h"

static void note(struct write_health *health, int result)
{
    struct err err = { 0 };
    if (result != 0)
        err_set(&err, result, "the reason");
    write_health_note(health, result, &err, NULL);
}

static void what_the_statement_is_to_blame_for_is_no_failure(void **state)
{
    static const int codes[] = { 0, ERR_DUPLICATE, ERR_CHECK, ERR_EXPECTATION, ERR_BUSY };
    struct write_health health;
    (void)state;
    write_health_init(&health);
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++)
        note(&health, codes[i]);
    assert_true(write_health_is_good(&health));
    write_health_fini(&health);
}

static void a_success_beside_failures_is_not_the_end_of_them(void **state)
{
    struct write_health health;
    (void)state;
    write_health_init(&health);
    note(&health, ERR_UNAVAILABLE);
    note(&health, 0);
    assert_false(write_health_is_good(&health));
    health.failed_us -= INT64_C(60000000); /* a minute later */
    assert_false(write_health_is_good(&health));
    note(&health, 0);
    assert_true(write_health_is_good(&health));
    write_health_fini(&health);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_statement_is_to_blame_for_is_no_failure),
        cmocka_unit_test(a_success_beside_failures_is_not_the_end_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
