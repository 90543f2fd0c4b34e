/* Starting threads the one way this program does: signals blocked (they are the main thread's), the
 * condition variables' clock monotonic. */
#ifndef CORE_THREAD_H
#define CORE_THREAD_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum thread_kind { THREAD_JOINED, THREAD_DETACHED };

/* Runs `function(argument)` on a new thread. 0, or the errno of the failure. `thread` may be NULL
 * for a detached one; `stack_bytes` 0 takes the system's standard. */
int thread_start(pthread_t *thread, enum thread_kind kind, size_t stack_bytes,
                 void *(*function)(void *argument), void *argument);

/* The clock of those waits, microseconds, and a moment of it as pthread_cond_timedwait wants it. */
int64_t thread_now_us(void);
struct timespec thread_time_at(int64_t at_us);

/* A condition variable whose timed waits are against CLOCK_MONOTONIC. */
void thread_cond_init(pthread_cond_t *cond);

#endif
