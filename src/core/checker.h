/* A check that may hang, for those who must not: /readyz asks whether a server answers, and who
 * watches /readyz has no patience. The check runs on a thread of its own, one at a time. */
#ifndef CORE_CHECKER_H
#define CORE_CHECKER_H

#include "bronx/err.h"

struct checker;

/* 0, or a negative enum err_code with the reason. */
typedef int check(void *context, struct err *err);

int checker_new(struct checker **checker, check *run, void *context, struct err *err) MUST_CHECK;

/* The result of a check that began after this call. ERR_UNAVAILABLE when none has ended after
 * `patience_ms`; at once, while one hangs for so long already. From any thread. */
int checker_ask(struct checker *checker, int patience_ms, struct err *err) MUST_CHECK;

/* Waits for a check that is under way. Nobody may be asking. NULL allowed. */
void checker_free(struct checker *checker);

#endif
