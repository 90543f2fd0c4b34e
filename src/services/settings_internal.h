/* What the files of settings share: see bronx/settings.h. */
#ifndef SERVICES_SETTINGS_INTERNAL_H
#define SERVICES_SETTINGS_INTERNAL_H

#include "bronx/db.h"
#include "bronx/settings.h"

/* After a save: the call goes on with what is in force now, if the owner is its server or person.
 */
int settings_adopt(struct call *call, struct settings_owner owner, int64_t revision,
                   const struct field_values *values, struct err *err) MUST_CHECK;

/* Messages about a save, for its transaction: at most SETTINGS_NOTICES_MAX `statements`, their
 * number into `*count`. `before` and `after` are whole. */
#define SETTINGS_NOTICES_MAX 3
int settings_notices_stage(struct call *call, struct settings_owner owner,
                           const struct field_values *before, const struct field_values *after,
                           struct db_statement *statements, int *count, struct err *err) MUST_CHECK;

#endif
