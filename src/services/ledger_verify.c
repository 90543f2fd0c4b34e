/* The invariants of all money, as queries that find what breaks them. */
#include "bronx/ledger.h"

#include "services/ledger_audit.h"

#include <inttypes.h>

static const struct {
    const char *rule;
    const char *sql; /* 0 while the rule holds */
} invariants[] = {
    { "all legs sum to zero", "SELECT COALESCE(SUM(amount), 0) FROM ledger_leg" },
    { "each entry's legs sum to zero",
      "SELECT COUNT(*) FROM (SELECT 1 FROM ledger_leg GROUP BY interaction_id, operation "
      "HAVING SUM(amount) <> 0) broken" },
    { "each entry has transfers",
      "SELECT COUNT(*) FROM ledger_entry e WHERE NOT EXISTS (SELECT 1 FROM ledger_transfer t "
      "WHERE t.interaction_id = e.interaction_id AND t.operation = e.operation)" },
    { "a balance is the sum of its legs",
      "SELECT COUNT(*) FROM (SELECT a.id FROM account a LEFT JOIN ledger_leg l "
      "ON l.account_id = a.id WHERE a.kind <> 'house' GROUP BY a.id, a.balance "
      "HAVING a.balance <> COALESCE(SUM(l.amount), 0)) broken" },
    { "nobody is below zero, no bank above its limit",
      "SELECT COUNT(*) FROM account WHERE balance < 0 OR balance > balance_limit" },
    { "amounts are within 1..2^53-1",
      "SELECT COUNT(*) FROM ledger_transfer WHERE amount NOT BETWEEN 1 AND 9007199254740991" },
};

int ledger_audit(ledger_ask *ask, void *side, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(invariants); i++) {
        int64_t broken = 0;
        int result = ask(side, invariants[i].sql, &broken, err);
        if (result != 0)
            return result;
        if (broken != 0)
            return err_set(err, ERR_INTERNAL, "the ledger breaks \"%s\" (%" PRId64 ")",
                           invariants[i].rule, broken);
    }
    return 0;
}

static int ask_db(void *side, const char *sql, int64_t *number, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = { .sql = sql, .expect = DB_ONE_ROW };
    int result = db_query(side, &statement, &rows, err);
    if (result != 0)
        return err_wrap(err, "verifying the ledger");
    *number = db_rows_int(rows, 0, 0);
    return 0;
}

int ledger_verify(struct db *db, struct err *err)
{
    return ledger_audit(ask_db, db, err);
}
