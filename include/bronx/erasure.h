/* Who has deleted their data, for as long as beginning anew would be worth something: neither the
 * welcome bonus nor the end of a cooldown or of a break from games is to be had by deleting. What
 * is kept names nobody: a hash of the user's id under a key that is derived from SERVER_SECRET, and
 * two times. */
#ifndef BRONX_ERASURE_H
#define BRONX_ERASURE_H

#include "bronx/command.h"
#include "bronx/db.h"

/* The terms can't be accepted again for at least so long: the day that the server's limit of
 * payments goes by is over then, too. */
#define ERASURE_CLOSED_MS         MS_PER_DAY
/* Whoever accepts them within so many days of the erasure gets no welcome bonus. */
#define ERASURE_BONUS_DAYS        30

#define ERASURE_KEY_BYTES         32
#define ERASURE_FINGERPRINT_BYTES 32
#define ERASURE_STATEMENTS        2

struct erasure_key {
    unsigned char bytes[ERASURE_KEY_BYTES];
};

struct erasure_fingerprint {
    unsigned char bytes[ERASURE_FINGERPRINT_BYTES];
};

void erasure_fingerprint(const struct erasure_key *key, int64_t user_id,
                         struct erasure_fingerprint *fingerprint);

/* As a parameter; borrows it. */
struct db_value erasure_value(const struct erasure_fingerprint *fingerprint);

struct erasure {
    struct erasure_fingerprint fingerprint;
    int64_t user_id;
    int64_t erased_at_ms;
    int64_t closed_until_ms; /* at least; the person's cooldowns are looked up */
};

/* The statements that remember an erasure, for its own transaction, before cooldowns are deleted.
 * Of two erasures the later times stay; rows that have served go. They borrow `erasure`. */
void erasure_record(const struct erasure *erasure,
                    struct db_statement statements[ERASURE_STATEMENTS]);

/* The person of this call: 1 when they deleted their data and that still counts, else 0. */
int erasure_find(struct call *call, struct erasure *erasure, struct err *err) MUST_CHECK;

static inline bool erasure_is_closed(const struct erasure *erasure, int64_t now_ms)
{
    return now_ms < erasure->closed_until_ms;
}

/* Both refuse (ERR_EXPECTATION) the transaction they are part of: of somebody who may not begin
 * anew yet; or of somebody who may, but gets no bonus yet. Behind the statement that such a
 * transaction may have to wait at, for only then do they see what that waited for. */
struct db_statement erasure_is_open(const struct call *call,
                                    const struct erasure_fingerprint *fingerprint);
struct db_statement erasure_allows_bonus(const struct call *call,
                                         const struct erasure_fingerprint *fingerprint);

#endif
