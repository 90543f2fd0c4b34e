/* What is remembered of those who deleted their data. Stateless; see migrations/0015_erasure.sql.
 *
 * Accepting the terms and deleting may happen at once. The acceptance inserts first and asks here
 * afterwards: either its insertion met what the erasure deletes, waited for the commit and then
 * sees the new row here, or there was nothing to delete and nothing to gain. */
#include "bronx/erasure.h"

#include "bronx/services.h"

#include "services/secret.h"

#include <assert.h>
#include <sodium.h>

static_assert(ERASURE_FINGERPRINT_BYTES == crypto_generichash_BYTES, "a hash of the usual size");

void erasure_fingerprint(const struct erasure_key *key, int64_t user_id,
                         struct erasure_fingerprint *fingerprint)
{
    unsigned char message[8];
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (unsigned char)((uint64_t)user_id >> (8 * i));
    crypto_generichash(fingerprint->bytes, sizeof(fingerprint->bytes), message, sizeof(message),
                       key->bytes, sizeof(key->bytes));
}

struct db_value erasure_value(const struct erasure_fingerprint *fingerprint)
{
    const struct str_view bytes = { (const char *)fingerprint->bytes, sizeof(fingerprint->bytes) };
    return DB_BLOB(bytes);
}

/* Erased at or before this, somebody is as good as new. */
static int64_t bonus_horizon(int64_t now_ms)
{
    return now_ms - ERASURE_BONUS_DAYS * MS_PER_DAY;
}

static const char sql_record[] =
    "INSERT INTO erasure (fingerprint, erased_at, closed_until) "
    "SELECT $1, $2, MAX(ends.at) FROM (SELECT CAST($3 AS BIGINT) AS at UNION ALL "
    "SELECT ready_at FROM cooldown WHERE user_id = $4) AS ends WHERE TRUE "
    "ON CONFLICT (fingerprint) DO UPDATE SET "
    "erased_at = CASE WHEN erasure.erased_at > excluded.erased_at "
    "THEN erasure.erased_at ELSE excluded.erased_at END, "
    "closed_until = CASE WHEN erasure.closed_until > excluded.closed_until "
    "THEN erasure.closed_until ELSE excluded.closed_until END";

void erasure_record(const struct erasure *erasure,
                    struct db_statement statements[ERASURE_STATEMENTS])
{
    statements[0] = (struct db_statement){
        .sql = "DELETE FROM erasure WHERE erased_at <= $1 AND closed_until <= $2",
        .parameters = { DB_INT(bonus_horizon(erasure->erased_at_ms)),
                        DB_INT(erasure->erased_at_ms) },
        .parameter_count = 2,
    };
    statements[1] = (struct db_statement){
        .sql = sql_record,
        .parameters = { erasure_value(&erasure->fingerprint), DB_INT(erasure->erased_at_ms),
                        DB_INT(erasure->closed_until_ms), DB_INT(erasure->user_id) },
        .parameter_count = 4,
    };
}

/* The row as long as it counts. */
static struct db_statement find(const struct call *call,
                                const struct erasure_fingerprint *fingerprint,
                                enum db_expectation expect)
{
    return (struct db_statement){
        .sql = "SELECT erased_at, closed_until FROM erasure "
               "WHERE fingerprint = $1 AND (closed_until > $2 OR erased_at > $3)",
        .parameters = { erasure_value(fingerprint), DB_INT(call->now_ms),
                        DB_INT(bonus_horizon(call->now_ms)) },
        .parameter_count = 3,
        .expect = expect,
    };
}

int erasure_find(struct call *call, struct erasure *erasure, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    *erasure = (struct erasure){ .user_id = call->interaction->user.id };
    erasure_fingerprint(call->services->erasure_key, erasure->user_id, &erasure->fingerprint);
    const struct db_statement statement = find(call, &erasure->fingerprint, DB_ANY_ROWS);
    int result = db_query(call->services->db, &statement, &rows, err);
    if (result != 0)
        return err_wrap(err, "asking whether somebody deleted their data");
    if (db_rows_count(rows) == 0)
        return 0;
    erasure->erased_at_ms = db_rows_int(rows, 0, 0);
    erasure->closed_until_ms = db_rows_int(rows, 0, 1);
    return 1;
}

struct db_statement erasure_is_open(const struct call *call,
                                    const struct erasure_fingerprint *fingerprint)
{
    return (struct db_statement){
        .sql = "SELECT 1 FROM erasure WHERE fingerprint = $1 AND closed_until > $2",
        .parameters = { erasure_value(fingerprint), DB_INT(call->now_ms) },
        .parameter_count = 2,
        .expect = DB_NO_ROWS,
    };
}

struct db_statement erasure_allows_bonus(const struct call *call,
                                         const struct erasure_fingerprint *fingerprint)
{
    return find(call, fingerprint, DB_NO_ROWS);
}
