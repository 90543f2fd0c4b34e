/* What operators see of the outbox and can do to it: `bronxbot outbox` and the admin endpoints. */
#ifndef OUTBOX_OUTBOX_ADMIN_H
#define OUTBOX_OUTBOX_ADMIN_H

#include "bronx/db.h"

#define OUTBOX_LIST_MAX 200

/* Jobs as JSON, newest change first: of `state`, or of all but done when that is absent. No
 * content is shown. ERR_INVALID for an unknown state; those of db_query. */
int outbox_admin_list(struct db *db, struct str_view state, struct buf *json,
                      struct err *err) MUST_CHECK;

/* dead -> queued. ERR_NOT_FOUND when there is none; ERR_INVALID, with the reason in words, when its
 * token is over. */
int outbox_admin_retry(struct db *db, int64_t id, int64_t now_ms, struct err *err) MUST_CHECK;

/* Deletes a job that is over, queued or dead; one that is leased is being sent: ERR_BUSY. */
int outbox_admin_drop(struct db *db, int64_t id, struct err *err) MUST_CHECK;

#endif
