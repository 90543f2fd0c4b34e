/* What operators see of the outbox and can do to it: `bronxbot outbox` and the admin endpoints. */
#ifndef OUTBOX_OUTBOX_ADMIN_H
#define OUTBOX_OUTBOX_ADMIN_H

#include "bronx/db.h"

#define OUTBOX_LIST_MAX 200

/* Whether `word` is one of a job's states: queued, leased, done, expired, dead. */
bool outbox_admin_is_state(struct str_view word);

/* Jobs as JSON, newest change first: of `state`, or of all but done when that is absent. What a
 * dead process holds counts as queued. No content is shown:
 *
 *     {"jobs":[{"id", "kind", "state", "reason", "tries", "is_started", "interaction_id",
 *               "guild_id", "request_id", "created_at", "changed_at", "expires_at"}], "has_more"}
 *
 * Ids are strings, times UTC milliseconds; "reason" is there for dead ones. ERR_INVALID for an
 * unknown state; those of db_query; ERR_MEMORY. */
int outbox_admin_list(struct db *db, struct str_view state, int64_t now_ms, struct buf *json,
                      struct err *err) MUST_CHECK;

/* dead -> queued, as if it had never been tried. ERR_NOT_FOUND when there is no such job;
 * ERR_INVALID, with the reason in words, when it is not dead or its token is over. */
int outbox_admin_retry(struct db *db, int64_t id, int64_t now_ms, struct err *err) MUST_CHECK;

/* Deletes a job that is over, queued or dead; one that is leased is being sent: ERR_BUSY.
 * ERR_NOT_FOUND when there is none. */
int outbox_admin_drop(struct db *db, int64_t id, int64_t now_ms, struct err *err) MUST_CHECK;

#endif
