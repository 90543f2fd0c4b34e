/* The executor: everything submitted runs once, quick tasks don't wait behind slow ones, a full
 * queue says so, stopping loses nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/executor.h"
#include "core/system_clock.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

struct counted {
    struct task task;
    int *runs;
};

struct gated {
    struct task task;
    sem_t *has_begun, *may_end;
};

static void count(struct task *task)
{
    struct counted *self = CONTAINER_OF(task, struct counted, task);
    __atomic_fetch_add(self->runs, 1, __ATOMIC_RELAXED);
    free(self);
}

static void wait_for_gate(struct task *task)
{
    struct gated *self = CONTAINER_OF(task, struct gated, task);
    sem_post(self->has_begun);
    sem_wait(self->may_end);
}

static struct executor *new_executor(const struct clock *clock, struct metrics *metrics, int min,
                                     int max, int queue)
{
    struct executor *executor = NULL;
    const struct executor_settings settings = { .threads_min = min,
                                                .threads_max = max,
                                                .queue_max = queue,
                                                .clock = clock,
                                                .metrics = metrics };
    assert_int_equal(executor_new(&executor, &settings, NULL), 0);
    return executor;
}

static int submit_counted(struct executor *executor, int *runs)
{
    struct counted *counted = calloc(1, sizeof(*counted));
    counted->task.run = count;
    counted->runs = runs;
    int result = executor_submit(executor, &counted->task);
    if (result != 0)
        free(counted);
    return result;
}

static void everything_submitted_runs_once_even_while_stopping(void **state)
{
    (void)state;
    struct system_clock clock;
    assert_int_equal(system_clock_init(&clock, NULL, NULL), 0);
    struct metrics *metrics = metrics_new();
    struct executor *executor = new_executor(&clock.clock, metrics, 2, 8, 100000);
    int runs = 0;
    for (int i = 0; i < 20000; i++)
        assert_int_equal(submit_counted(executor, &runs), 0);
    executor_free(executor);
    assert_int_equal(runs, 20000);
    assert_int_equal(metrics_read(metrics, METRIC_EXECUTOR_QUEUE, 0), 0);
    assert_int_equal(metrics_read(metrics, METRIC_EXECUTOR_THREADS, 0), 0);
    assert_int_equal(metrics_read(metrics, METRIC_EXECUTOR_WAIT, 0), 20000);
    metrics_free(metrics);
}

#define SLOW_TASKS 6

static void tasks_behind_slow_ones_get_threads_of_their_own(void **state)
{
    (void)state;
    struct system_clock clock;
    assert_int_equal(system_clock_init(&clock, NULL, NULL), 0);
    struct executor *executor = new_executor(&clock.clock, NULL, 1, SLOW_TASKS, 100);
    sem_t has_begun, may_end;
    sem_init(&has_begun, 0, 0);
    sem_init(&may_end, 0, 0);
    struct gated slow[SLOW_TASKS];
    for (int i = 0; i < SLOW_TASKS; i++) {
        slow[i] = (struct gated){ { .run = wait_for_gate }, &has_begun, &may_end };
        assert_int_equal(executor_submit(executor, &slow[i].task), 0);
    }
    /* Would hang if a task waited for another to end. */
    for (int i = 0; i < SLOW_TASKS; i++)
        sem_wait(&has_begun);
    for (int i = 0; i < SLOW_TASKS; i++)
        sem_post(&may_end);
    executor_free(executor);
    sem_destroy(&has_begun);
    sem_destroy(&may_end);
}

static void a_full_queue_refuses_and_leaves_the_task_to_its_owner(void **state)
{
    (void)state;
    struct system_clock clock;
    assert_int_equal(system_clock_init(&clock, NULL, NULL), 0);
    struct executor *executor = new_executor(&clock.clock, NULL, 1, 1, 2);
    sem_t has_begun, may_end;
    sem_init(&has_begun, 0, 0);
    sem_init(&may_end, 0, 0);
    struct gated slow = { { .run = wait_for_gate }, &has_begun, &may_end };
    assert_int_equal(executor_submit(executor, &slow.task), 0);
    sem_wait(&has_begun);
    int runs = 0;
    assert_int_equal(submit_counted(executor, &runs), 0);
    assert_int_equal(submit_counted(executor, &runs), 0);
    assert_int_equal(submit_counted(executor, &runs), ERR_BUSY);
    sem_post(&may_end);
    executor_free(executor);
    assert_int_equal(runs, 2);
    sem_destroy(&has_begun);
    sem_destroy(&may_end);
}

struct submitter {
    struct executor *executor;
    int *runs;
    int accepted;
};

static void *submit_many(void *argument)
{
    struct submitter *self = argument;
    for (int i = 0; i < 5000; i++)
        if (submit_counted(self->executor, self->runs) == 0)
            self->accepted++;
    return NULL;
}

static void many_submitters_lose_nothing(void **state)
{
    (void)state;
    struct system_clock clock;
    assert_int_equal(system_clock_init(&clock, NULL, NULL), 0);
    struct executor *executor = new_executor(&clock.clock, NULL, 1, 4, 1000);
    int runs = 0, accepted = 0;
    struct submitter submitters[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        submitters[i] = (struct submitter){ executor, &runs, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &submitters[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        accepted += submitters[i].accepted;
    }
    executor_free(executor);
    assert_int_equal(runs, accepted);
    assert_true(accepted > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_submitted_runs_once_even_while_stopping),
        cmocka_unit_test(tasks_behind_slow_ones_get_threads_of_their_own),
        cmocka_unit_test(a_full_queue_refuses_and_leaves_the_task_to_its_owner),
        cmocka_unit_test(many_submitters_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
