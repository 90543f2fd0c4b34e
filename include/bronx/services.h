/* What a handler can reach through call->services. Constant after start; the parts lock themselves.
 */
#ifndef BRONX_SERVICES_H
#define BRONX_SERVICES_H

#include "bronx/cache.h"
#include "bronx/chance.h"
#include "bronx/clock.h"
#include "bronx/command.h"
#include "bronx/db.h"
#include "bronx/erasure.h"
#include "bronx/outbox.h"

struct services {
    struct db *db;
    struct cache *cache; /* may be NULL: every read is a load */
    const struct clock *clock;
    const struct chance *chance;
    const struct erasure_key *erasure_key;
    struct outbox *outbox;
    const struct command *const *commands; /* all of them, ended by NULL: for /help */
};

#endif
