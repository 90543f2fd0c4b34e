/* The executor: an elastic pool of threads for work that may block. */
#ifndef CORE_EXECUTOR_H
#define CORE_EXECUTOR_H

#include "bronx/clock.h"
#include "core/metrics.h"

struct executor;

/* Embedded in whatever the work is about; owned by the submitter until `run` is called, by `run`
 * from then on. */
struct task {
    void (*run)(struct task *task);
    struct task *next;
    int64_t submitted_us; /* monotonic */
};

struct executor_settings {
    int threads_min; /* kept when idle, >= 1 */
    int threads_max;
    int queue_max; /* tasks waiting; more are refused */
    const struct clock *clock;
    struct metrics *metrics; /* may be NULL */
};

int executor_new(struct executor **executor, const struct executor_settings *settings,
                 struct err *err) MUST_CHECK;

/* 0 and the task will run; ERR_BUSY when the queue is full, ERR_STOPPED while stopping: it won't.
 */
int executor_submit(struct executor *executor, struct task *task) MUST_CHECK;

/* Runs all tasks that wait, joins the threads, frees. Nobody may be submitting any more, tasks
 * excepted. NULL allowed. */
void executor_free(struct executor *executor);

#endif
