/* Posting and reading money. Stateless: any executor thread may be in here; the database's
 * constraints decide, this file words what they said.
 *
 * A post is one list of statements: the entry first (its key refuses a second run), the cooldown,
 * what the command adds, then accounts and balances, and the transfers with the balances they led
 * to. Two updates of one transfer are made in the order of their owners, so that two people paying
 * each other lock rows in the same order. */
#include "bronx/ledger.h"

#include "bronx/cooldown.h"
#include "bronx/services.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static const char *const kind_words[] = {
    [ACCOUNT_WALLET] = "wallet",
    [ACCOUNT_BANK] = "bank",
    [ACCOUNT_HOUSE] = "house",
};

static const char sql_entry[] =
    "INSERT INTO ledger_entry (interaction_id, operation, guild_id, grant_owner_id, grant_name, "
    "detail, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";

static const char sql_open_account[] =
    "INSERT INTO account (id, owner_id, kind, balance, balance_limit) VALUES ($1, $2, $3, 0, $4) "
    "ON CONFLICT (owner_id, kind) DO NOTHING";

static const char sql_move[] =
    "UPDATE account SET balance = balance + $1 WHERE owner_id = $2 AND kind = $3";

static const char sql_transfer[] =
    "INSERT INTO ledger_transfer (interaction_id, operation, position, from_account, to_account, "
    "amount, from_balance, to_balance) "
    "SELECT $1, $2, $3, payer.id, payee.id, $4, payer.balance, payee.balance "
    "FROM account payer, account payee "
    "WHERE payer.owner_id = $5 AND payer.kind = $6 AND payee.owner_id = $7 AND payee.kind = $8";

#define POST_STATEMENTS_MAX (2 + LEDGER_ALSO_MAX + 5 * LEDGER_TRANSFERS_MAX)
static_assert(POST_STATEMENTS_MAX <= DB_MAX_STATEMENTS, "a post fits one transaction");

/* The statements of one post, and where its parts are. */
struct post {
    struct db_statement statements[POST_STATEMENTS_MAX];
    int count;
    int cooldown_index; /* -1: none */
    int also_first, also_end;
};

static void add(struct post *post, struct db_statement statement)
{
    post->statements[post->count++] = statement;
}

static struct db_value kind_of(struct account_ref account)
{
    return DB_TEXT(str_from(kind_words[account.kind]));
}

static void add_entry(struct post *post, const struct call *call, const struct ledger_entry *entry)
{
    add(post, (struct db_statement){
                  .sql = sql_entry,
                  .parameters = { DB_INT(call->effect_id), DB_TEXT(str_from(entry->operation)),
                                  DB_ID(call->interaction->guild_id), DB_ID(entry->grant_owner_id),
                                  entry->grant ? DB_TEXT(str_from(entry->grant)) : DB_NULL,
                                  entry->detail.data ? DB_TEXT(entry->detail) : DB_NULL,
                                  DB_INT(call->now_ms) },
                  .parameter_count = 7,
              });
}

static void add_opening(struct post *post, struct account_ref account)
{
    if (account.kind == ACCOUNT_HOUSE)
        return;
    int64_t id;
    randombytes_buf(&id, sizeof(id));
    add(post,
        (struct db_statement){
            .sql = sql_open_account,
            .parameters = { DB_INT(id & INT64_MAX), DB_INT(account.owner_id), kind_of(account),
                            account.kind == ACCOUNT_BANK ? DB_INT(LEDGER_BANK_LIMIT) : DB_NULL },
            .parameter_count = 4,
        });
}

static void add_move(struct post *post, struct account_ref account, int64_t amount)
{
    if (account.kind == ACCOUNT_HOUSE)
        return;
    add(post, (struct db_statement){
                  .sql = sql_move,
                  .parameters = { DB_INT(amount), DB_INT(account.owner_id), kind_of(account) },
                  .parameter_count = 3,
                  .expect = DB_ONE_ROW,
              });
}

static void add_transfer(struct post *post, const struct call *call,
                         const struct ledger_entry *entry, int position)
{
    const struct transfer *transfer = &entry->transfers[position];
    bool is_from_first = transfer->from.owner_id <= transfer->to.owner_id;
    add_opening(post, is_from_first ? transfer->from : transfer->to);
    add_opening(post, is_from_first ? transfer->to : transfer->from);
    if (is_from_first)
        add_move(post, transfer->from, -transfer->amount);
    add_move(post, transfer->to, transfer->amount);
    if (!is_from_first)
        add_move(post, transfer->from, -transfer->amount);
    add(post, (struct db_statement){
                  .sql = sql_transfer,
                  .parameters = { DB_INT(call->effect_id), DB_TEXT(str_from(entry->operation)),
                                  DB_INT(position), DB_INT(transfer->amount),
                                  DB_INT(transfer->from.owner_id), kind_of(transfer->from),
                                  DB_INT(transfer->to.owner_id), kind_of(transfer->to) },
                  .parameter_count = 8,
                  .expect = DB_ONE_ROW,
              });
}

static void build(struct post *post, const struct call *call, const struct ledger_entry *entry)
{
    post->count = 0;
    post->cooldown_index = -1;
    add_entry(post, call, entry);
    if (command_cooldown_ms(call) > 0 && !call->is_cooldown_used) {
        post->cooldown_index = post->count;
        add(post, cooldown_statement(call));
    }
    post->also_first = post->count;
    for (int i = 0; i < entry->also_count; i++)
        add(post, entry->also[i]);
    post->also_end = post->count;
    for (int i = 0; i < entry->transfer_count; i++)
        add_transfer(post, call, entry, i);
}

static int check(const struct ledger_entry *entry, struct err *err)
{
    if (entry->transfer_count < 1 || entry->transfer_count > LEDGER_TRANSFERS_MAX ||
        entry->also_count < 0 || entry->also_count > LEDGER_ALSO_MAX)
        return err_set(err, ERR_INTERNAL, "%s: too many or no transfers", entry->operation);
    for (int i = 0; i < entry->transfer_count; i++)
        if (entry->transfers[i].amount < 1 || entry->transfers[i].amount > LEDGER_AMOUNT_MAX)
            return err_set(err, ERR_INTERNAL, "%s: amount of transfer %d is out of range",
                           entry->operation, i);
    return 0;
}

/* What a failed post means, in the words of enum ledger_refusal; a negative code is a fault. */
static int explain(const struct post *post, int code, const struct err *err)
{
    if (err->index >= post->also_first && err->index < post->also_end)
        return code == ERR_EXPECTATION || code == ERR_CHECK || code == ERR_DUPLICATE
                   ? LEDGER_ALSO_REFUSED
                   : code;
    if (code == ERR_EXPECTATION && err->index == post->cooldown_index)
        return LEDGER_ON_COOLDOWN;
    if (code == ERR_CHECK && strstr(err->message, "account_not_overdrawn"))
        return LEDGER_TOO_POOR;
    if (code == ERR_CHECK && (strstr(err->message, "account_within_limit") ||
                              strstr(err->message, "account_balance_is_exact")))
        return LEDGER_ABOVE_LIMIT;
    return code;
}

int ledger_post(struct call *call, const struct ledger_entry *entry, struct ledger_receipt *receipt,
                struct err *err)
{
    struct post *post = arena_allocate(call->arena, sizeof(*post));
    if (!post)
        return err_set(err, ERR_MEMORY, "posting to the ledger");
    int result = check(entry, err);
    if (result != 0)
        return result;
    build(post, call, entry);
    struct err failure = { 0 };
    bool was_unknown = false;
    /* The entry comes first: its key refuses a second run. */
    result = db_settle(call->services->db, post->statements, post->count, &was_unknown, &failure);
    /* After a failure, too: somebody else may have taken it. */
    if (post->cooldown_index >= 0)
        cooldown_forget(call->services, call->interaction->user.id);
    bool is_entry_taken = result == ERR_DUPLICATE && failure.index == 0;
    if (result == 0 || is_entry_taken) {
        int found = ledger_find(call, entry->operation, receipt, err);
        if (found < 0)
            return found;
        receipt->is_repeat = is_entry_taken && !was_unknown;
        if (found == 1)
            return LEDGER_DONE;
        if (entry->grant)
            return LEDGER_ALREADY_GRANTED;
    }
    int refusal = explain(post, result, &failure);
    if (err) {
        *err = failure;
        err->index -= post->also_first;
    }
    return refusal >= 0 ? refusal : err_wrap(err, "posting %s", entry->operation);
}

static const char sql_find[] =
    "SELECT e.created_at, e.detail, t.amount, t.from_balance, t.to_balance "
    "FROM ledger_entry e JOIN ledger_transfer t "
    "ON t.interaction_id = e.interaction_id AND t.operation = e.operation "
    "WHERE e.interaction_id = $1 AND e.operation = $2 ORDER BY t.position";

int ledger_find(struct call *call, const char *operation, struct ledger_receipt *receipt,
                struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct db_statement statement = {
        .sql = sql_find,
        .parameters = { DB_INT(call->effect_id), DB_TEXT(str_from(operation)) },
        .parameter_count = 2,
    };
    int result = db_query(call->services->db, &statement, &rows, err);
    if (result != 0)
        return err_wrap(err, "looking for %s", operation);
    int count = db_rows_count(rows);
    if (count == 0)
        return 0;
    *receipt = (struct ledger_receipt){ .is_repeat = true };
    receipt->created_at_ms = db_rows_int(rows, 0, 0);
    receipt->detail = arena_copy(call->arena, db_rows_text(rows, 0, 1));
    for (int i = 0; i < count && i < LEDGER_TRANSFERS_MAX; i++) {
        receipt->transfers[i].amount = db_rows_int(rows, i, 2);
        receipt->transfers[i].from_balance = db_rows_int(rows, i, 3);
        receipt->transfers[i].to_balance = db_rows_int(rows, i, 4);
        receipt->transfer_count = i + 1;
    }
    /* Its cooldown, if it has one, was taken when it was posted. */
    call->is_cooldown_used = true;
    return 1;
}

static const char sql_balances[] =
    "SELECT kind, balance, balance_limit FROM account WHERE owner_id = $1 AND kind <> 'house'";

int ledger_balances(struct call *call, int64_t user_id, struct balances *balances, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct db_statement statement = {
        .sql = sql_balances,
        .parameters = { DB_INT(user_id) },
        .parameter_count = 1,
    };
    int result = db_query(call->services->db, &statement, &rows, err);
    if (result != 0)
        return err_wrap(err, "reading balances");
    *balances = (struct balances){ .bank_limit = LEDGER_BANK_LIMIT };
    for (int i = 0; i < db_rows_count(rows); i++) {
        if (str_equal(db_rows_text(rows, i, 0), str_from(kind_words[ACCOUNT_WALLET]))) {
            balances->wallet = db_rows_int(rows, i, 1);
        } else {
            balances->bank = db_rows_int(rows, i, 1);
            balances->bank_limit = db_rows_int(rows, i, 2);
        }
    }
    return 0;
}
