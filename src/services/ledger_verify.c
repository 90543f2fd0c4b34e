/* The invariants of all money, as queries that find what breaks them. */
#include "bronx/ledger.h"

#include "services/ledger_invariants.h"

#include <inttypes.h>

const struct ledger_invariant ledger_invariants[] = {
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
    { NULL, NULL },
};

int ledger_verify(struct db *db, struct err *err)
{
    for (const struct ledger_invariant *invariant = ledger_invariants; invariant->rule;
         invariant++) {
        CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
        struct db_statement statement = { .sql = invariant->sql, .expect = DB_ONE_ROW };
        int result = db_query(db, &statement, &rows, err);
        if (result != 0)
            return err_wrap(err, "verifying the ledger");
        if (db_rows_int(rows, 0, 0) != 0)
            return err_set(err, ERR_INTERNAL, "the ledger breaks \"%s\" (%" PRId64 ")",
                           invariant->rule, db_rows_int(rows, 0, 0));
    }
    return 0;
}
