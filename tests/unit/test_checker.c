/* The checker: a check that hangs holds up nobody for longer than their patience. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/checker.h"

#include <pthread.h>
#include <semaphore.h>

#define LONG_MS 60000

struct checked {
    sem_t has_begun, may_end;
    int runs;
    int code;
};

static int check_quickly(void *context, struct err *err)
{
    struct checked *checked = context;
    __atomic_fetch_add(&checked->runs, 1, __ATOMIC_SEQ_CST);
    return checked->code == 0 ? 0 : err_set(err, checked->code, "the reason");
}

static int hang(void *context, struct err *err)
{
    struct checked *checked = context;
    (void)err;
    __atomic_fetch_add(&checked->runs, 1, __ATOMIC_SEQ_CST);
    sem_post(&checked->has_begun);
    sem_wait(&checked->may_end);
    return 0;
}

static struct checker *checker_of(check *run, struct checked *checked)
{
    struct checker *checker = NULL;
    sem_init(&checked->has_begun, 0, 0);
    sem_init(&checked->may_end, 0, 0);
    assert_int_equal(checker_new(&checker, run, checked, NULL), 0);
    return checker;
}

static void each_question_gets_a_check_of_its_own(void **state)
{
    struct checked checked = { 0 };
    struct err err = { 0 };
    (void)state;
    struct checker *checker = checker_of(check_quickly, &checked);
    assert_int_equal(checker_ask(checker, LONG_MS, &err), 0);
    checked.code = ERR_BUSY; /* nothing is under way */
    assert_int_equal(checker_ask(checker, LONG_MS, &err), ERR_BUSY);
    assert_string_equal(err.message, "the reason");
    checked.code = 0;
    assert_int_equal(checker_ask(checker, LONG_MS, &err), 0);
    assert_int_equal(checked.runs, 3);
    checker_free(checker);
}

static void a_check_that_hangs_is_an_answer_and_runs_once(void **state)
{
    struct checked checked = { 0 };
    struct err err = { 0 };
    (void)state;
    struct checker *checker = checker_of(hang, &checked);
    assert_int_equal(checker_ask(checker, 10, &err), ERR_UNAVAILABLE);
    sem_wait(&checked.has_begun);
    for (int i = 0; i < 5; i++)
        assert_int_equal(checker_ask(checker, 10, &err), ERR_UNAVAILABLE);
    assert_string_equal(err.message, "no answer within 10 ms");
    assert_int_equal(__atomic_load_n(&checked.runs, __ATOMIC_SEQ_CST), 1);
    /* The one that hung, whose result is too old; one that was asked for meanwhile; ours. */
    for (int i = 0; i < 3; i++)
        sem_post(&checked.may_end);
    assert_int_equal(checker_ask(checker, LONG_MS, &err), 0);
    checker_free(checker);
}

static void *ask(void *checker)
{
    return (void *)(intptr_t)checker_ask(checker, LONG_MS, NULL);
}

static void several_may_ask_at_once(void **state)
{
    struct checked checked = { 0 };
    pthread_t threads[8];
    void *result;
    (void)state;
    struct checker *checker = checker_of(check_quickly, &checked);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, checker), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++) {
        pthread_join(threads[i], &result);
        assert_null(result);
    }
    checker_free(checker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_question_gets_a_check_of_its_own),
        cmocka_unit_test(a_check_that_hangs_is_an_answer_and_runs_once),
        cmocka_unit_test(several_may_ask_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
