/* Whether Discord can be reached: three requests without an answer in a row say no, any answer of
 * Discord's own says yes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbox/outbox_reach.h"

static void note(struct reach *reach, enum rest_result result, int status)
{
    const struct rest_response response = { .result = result, .status = status };
    reach_note(reach, &response, NULL);
}

static void one_failure_between_answers_is_everyday(void **state)
{
    struct reach reach = { 0 };
    (void)state;
    for (int i = 0; i < 10; i++) {
        note(&reach, REST_NOT_CONNECTED, 0);
        note(&reach, REST_ANSWERED, 502);
        note(&reach, REST_ANSWERED, 200);
        assert_false(reach_is_away(&reach));
    }
}

static void three_failures_in_a_row_are_not(void **state)
{
    struct reach reach = { 0 };
    (void)state;
    note(&reach, REST_NOT_CONNECTED, 0);
    note(&reach, REST_ANSWERED, 503);
    note(&reach, REST_NOT_CONNECTED, 0);
    assert_true(reach_is_away(&reach));
}

static void a_refusal_is_an_answer(void **state)
{
    static const int statuses[] = { 200, 401, 404, 429 };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++) {
        struct reach reach = { 0 };
        for (int k = 0; k < 3; k++)
            note(&reach, REST_NOT_CONNECTED, 0);
        note(&reach, REST_ANSWERED, statuses[i]);
        assert_false(reach_is_away(&reach));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_failure_between_answers_is_everyday),
        cmocka_unit_test(three_failures_in_a_row_are_not),
        cmocka_unit_test(a_refusal_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
