/* The ledger: all money, by double entry.
 *
 * An entry is one operation of one interaction; it consists of transfers, each of which takes an
 * amount from one account and puts it into another, so legs always sum to zero. Balances of users
 * are kept by the same transaction; house accounts (where coins are minted and burnt) have no
 * balance of their own. Overdrafts, doubled operations and doubled grants are impossible by
 * constraint, not by checking first: see migrations/0002_ledger.sql. */
#ifndef BRONX_LEDGER_H
#define BRONX_LEDGER_H

#include "bronx/command.h"

/* Largest amount of one transfer: what Discord's integers and JSON numbers carry exactly. */
#define LEDGER_AMOUNT_MAX    INT64_C(9007199254740991)
/* What a bank account holds at first. */
#define LEDGER_BANK_LIMIT    INT64_C(10000)

#define LEDGER_TRANSFERS_MAX 4
#define LEDGER_ALSO_MAX      4

enum account_kind { ACCOUNT_WALLET, ACCOUNT_BANK, ACCOUNT_HOUSE };

/* House accounts: each has a fixed id, see migrations/0002_ledger.sql. */
enum house_account { HOUSE_REWARDS = 1, HOUSE_FEES = 2 };

struct account_ref {
    enum account_kind kind;
    int64_t owner_id; /* user id, or an enum house_account */
};

#define WALLET_OF(user_id) ((struct account_ref){ ACCOUNT_WALLET, (user_id) })
#define BANK_OF(user_id)   ((struct account_ref){ ACCOUNT_BANK, (user_id) })
#define HOUSE(account)     ((struct account_ref){ ACCOUNT_HOUSE, (account) })

struct transfer {
    struct account_ref from, to;
    int64_t amount; /* coins, 1..LEDGER_AMOUNT_MAX */
};

struct ledger_entry {
    const char *operation;  /* "pay": with the effect id unique for ever */
    const char *grant;      /* a one-time grant, "tos_bonus": once per owner for ever; or NULL */
    int64_t grant_owner_id; /* with a grant: the user who gets it */
    struct transfer transfers[LEDGER_TRANSFERS_MAX];
    int transfer_count;
    struct str_view detail; /* facts for the receipt, any text <= 500 bytes; absent allowed */
    /* Statements of the command's own that commit together with the money. */
    const struct db_statement *also;
    int also_count;
};

/* What an entry did, the same at every reading. */
struct ledger_receipt {
    bool is_repeat; /* the entry was there already: this run is a replay */
    int64_t created_at_ms;
    struct str_view detail; /* in the call's arena */
    struct {
        int64_t amount;
        int64_t from_balance, to_balance; /* afterwards; 0 for house accounts */
    } transfers[LEDGER_TRANSFERS_MAX];
    int transfer_count;
};

/* Why an entry was refused; the caller words it. */
enum ledger_refusal {
    LEDGER_DONE = 0,
    LEDGER_TOO_POOR,        /* an account would have gone below zero */
    LEDGER_ABOVE_LIMIT,     /* a bank account would have gone above its limit */
    LEDGER_ALREADY_GRANTED, /* the grant was given to an earlier interaction */
    LEDGER_ON_COOLDOWN,     /* the command's cooldown was taken by a concurrent interaction */
    LEDGER_ALSO_REFUSED,    /* one of `also` did not do what it expects: err->index tells which */
};

/* Posts `entry` for this call in one transaction, together with the command's cooldown. When the
 * same operation of the same interaction was posted before, nothing changes and the receipt is the
 * old one. Returns an enum ledger_refusal, or a negative code for a fault. Accounts are opened as
 * needed.
 *
 * ERR_UNKNOWN: the database went away while it committed, and has not come back yet. Posting the
 * same operation of the same interaction again tells what became of it. */
int ledger_post(struct call *call, const struct ledger_entry *entry, struct ledger_receipt *receipt,
                struct err *err) MUST_CHECK;

/* 1 and the receipt when this call's `operation` has been posted already, 0 when not. A handler
 * asks first, so that a replay is answered from the ledger and not from what the world looks like
 * now. */
int ledger_find(struct call *call, const char *operation, struct ledger_receipt *receipt,
                struct err *err) MUST_CHECK;

struct balances {
    int64_t wallet, bank, bank_limit;
};

/* Zeroes and the first limit for someone who has no accounts yet. */
int ledger_balances(struct call *call, int64_t user_id, struct balances *balances,
                    struct err *err) MUST_CHECK;

/* The invariants of all money; 0 when they hold, else ERR_INTERNAL with the first that is broken.
 */
int ledger_verify(struct db *db, struct err *err) MUST_CHECK;

#endif
