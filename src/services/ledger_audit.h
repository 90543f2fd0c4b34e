/* What holds for all money at any time, asked of a database however it is reached: not everybody
 * who looks has a struct db. */
#ifndef SERVICES_LEDGER_AUDIT_H
#define SERVICES_LEDGER_AUDIT_H

#include "bronx/err.h"

#include <stdint.h>

/* The one number that `sql`, in the common SQL of both engines, has for an answer. */
typedef int ledger_ask(void *side, const char *sql, int64_t *number, struct err *err);

/* ERR_INTERNAL names the first rule that does not hold; other errors are those of `ask`. */
int ledger_audit(ledger_ask *ask, void *side, struct err *err) MUST_CHECK;

#endif
