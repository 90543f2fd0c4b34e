/* What other people are told about a save. Any thread. */
#include "services/settings_internal.h"

int settings_notices_stage(struct call *call, struct settings_owner owner,
                           const struct field_values *before, const struct field_values *after,
                           struct db_statement *statements, int *count, struct err *err)
{
    (void)call;
    (void)owner;
    (void)before;
    (void)after;
    (void)statements;
    (void)err;
    *count = 0;
    return 0;
}
