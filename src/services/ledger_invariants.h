/* What holds for all money at any time, as queries: for whoever looks at a database in another way
 * than through struct db. */
#ifndef SERVICES_LEDGER_INVARIANTS_H
#define SERVICES_LEDGER_INVARIANTS_H

struct ledger_invariant {
    const char *rule;
    const char *sql; /* one number, 0 while the rule holds; the common SQL of both engines */
};

/* Ended by a rule of NULL. */
extern const struct ledger_invariant ledger_invariants[];

#endif
