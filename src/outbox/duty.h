/* Duties: work that one process of all on a database does, such as sweeping (migrations/0010_duty).
 *
 * Whoever holds a duty keeps it while it renews it in time. Each new holder gets a higher number,
 * and a statement of the duty goes into one db_atomic behind duty_fence: a holder that stood still
 * and does not know that another has taken over changes nothing.
 *
 *     struct duty duty = { .name = "sweep", .instance_id = id };
 *     if (duty_hold(db, &duty, now_ms, hold_ms, &err) == 0 && duty_is_held(&duty)) {
 *         const struct db_statement statements[] = { duty_fence(&duty), ... };
 *         ... db_atomic(db, statements, ...) ...      ERR_EXPECTATION, index 0: it is another's
 *     }
 *
 * A struct duty belongs to one thread. */
#ifndef OUTBOX_DUTY_H
#define OUTBOX_DUTY_H

#include "bronx/db.h"

struct duty {
    const char *name;
    int64_t instance_id; /* a row of `instance` while it lives */
    int64_t number;      /* 0: not held, as far as this process knows */
};

/* Takes the duty, or renews it, until `hold_ms` from now, if nobody else holds it who lives.
 * Whether it is held now, duty_is_held tells. Errors: those of db_query; then it is not. */
int duty_hold(struct db *db, struct duty *duty, int64_t now_ms, int64_t hold_ms,
              struct err *err) MUST_CHECK;

static inline bool duty_is_held(const struct duty *duty)
{
    return duty->number != 0;
}

/* Fails, and with it all of its db_atomic, when the duty is not ours any more. Until the commit
 * nobody can take it. */
struct db_statement duty_fence(const struct duty *duty);

/* The statement that gives it up for others to take at once; of a duty that is not held, it does
 * nothing. */
struct db_statement duty_release(const struct duty *duty);

#endif
