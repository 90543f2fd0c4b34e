/* Decisions about the terms, and the commands they blocked. Stateless; see
 * migrations/0004_terms.sql. */
#include "bronx/tos.h"

#include "bronx/erasure.h"
#include "bronx/ledger.h"
#include "bronx/services.h"

#include "services/terms.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define GRANT_WELCOME "tos_bonus"

const struct tos_version *tos_current(void)
{
    const struct tos_version *newest = tos_versions;
    while (newest[1].version)
        newest++;
    return newest;
}

static const char sql_status[] =
    "SELECT version, decision, decided_at, guild_id, locale FROM tos_decision "
    "WHERE user_id = $1 ORDER BY decided_at, interaction_id";

static void read_decision(struct call *call, struct tos_status *status, const struct db_rows *rows,
                          int row)
{
    bool is_current = str_equal(db_rows_text(rows, row, 0), str_from(tos_current()->version));
    bool is_accepted = str_equal(db_rows_text(rows, row, 1), STR("accepted"));
    int64_t decided_at_ms = db_rows_int(rows, row, 2);
    if (is_accepted) {
        status->acceptance_count++;
        status->accepted_version = arena_copy(call->arena, db_rows_text(rows, row, 0));
        status->accepted_at_ms = decided_at_ms;
        status->guild_id = db_rows_int(rows, row, 3);
        status->locale = arena_copy(call->arena, db_rows_text(rows, row, 4));
    } else {
        status->decline_count++;
    }
    /* Once accepted, an old prompt's "Decline" takes nothing back. */
    if (is_current && status->decision != TOS_ACCEPTED) {
        status->decision = is_accepted ? TOS_ACCEPTED : TOS_DECLINED;
        status->decided_at_ms = decided_at_ms;
    }
}

int tos_status(struct call *call, struct tos_status *status, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct db_statement statement = {
        .sql = sql_status,
        .parameters = { DB_INT(call->interaction->user.id) },
        .parameter_count = 1,
    };
    int result = db_query(call->services->db, &statement, &rows, err);
    if (result != 0)
        return err_wrap(err, "reading decisions about the terms");
    *status = (struct tos_status){ .decision = TOS_UNDECIDED };
    for (int i = 0; i < db_rows_count(rows); i++)
        read_decision(call, status, rows, i);
    return 0;
}

#define ACCEPTANCE_KEY_SIZE 64

/* In the cache, with the version, so that new terms ask again. On the caller's stack: forgetting
 * must not fail for want of memory. */
static struct str_view acceptance_key(int64_t user_id, char text[ACCEPTANCE_KEY_SIZE])
{
    snprintf(text, ACCEPTANCE_KEY_SIZE, "terms:%" PRId64 ":%s", user_id, tos_current()->version);
    return str_from(text);
}

struct acceptance_load {
    const struct call *call;
    bool was_made; /* by this caller, and not by an earlier one */
};

static int load_acceptance(void *context, struct arena *arena, struct str_view *value,
                           struct err *err)
{
    (void)arena;
    struct acceptance_load *load = context;
    const struct call *call = load->call;
    load->was_made = true;
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct db_statement statement = {
        .sql = "SELECT 1 FROM tos_decision "
               "WHERE user_id = $1 AND version = $2 AND decision = 'accepted'",
        .parameters = { DB_INT(call->interaction->user.id),
                        DB_TEXT(str_from(tos_current()->version)) },
        .parameter_count = 2,
    };
    int result = db_query(call->services->db, &statement, &rows, err);
    if (result != 0)
        return result;
    *value = STR("accepted");
    return db_rows_count(rows) > 0 ? 1 : 0;
}

/* A remembered "no" is asked again: the acceptance may be a commit that nobody knew of when it was
 * loaded. It costs a read for those only who are stopped anyway. */
int tos_has_accepted(struct call *call, struct err *err)
{
    char key[ACCEPTANCE_KEY_SIZE];
    struct str_view value;
    struct acceptance_load load = { .call = call };
    int result = cache_get(call->services->cache, CACHE_USER,
                           acceptance_key(call->interaction->user.id, key), load_acceptance, &load,
                           call->arena, &value, err);
    if (result == 0 && !load.was_made) {
        result = load_acceptance(&load, call->arena, &value, err);
        if (result == 1)
            tos_forget(call->services, call->interaction->user.id);
    }
    return result < 0 ? err_wrap(err, "asking whether the terms were accepted") : result;
}

static struct db_statement decision_statement(const struct call *call, const char *decision)
{
    const struct tos_version *terms = tos_current();
    const struct interaction *interaction = call->interaction;
    return (struct db_statement){
        .sql = "INSERT INTO tos_decision (interaction_id, user_id, version, text_sha256, decision, "
               "decided_at, guild_id, locale) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
               "ON CONFLICT DO NOTHING",
        .parameters = { DB_INT(call->effect_id), DB_INT(interaction->user.id),
                        DB_TEXT(str_from(terms->version)), DB_TEXT(str_from(terms->sha256)),
                        DB_TEXT(str_from(decision)), DB_INT(call->now_ms),
                        DB_ID(interaction->guild_id),
                        interaction->locale.data ? DB_TEXT(interaction->locale) : DB_NULL },
        .parameter_count = 8,
    };
}

/* Without a bonus. */
static int record_acceptance(struct call *call, const struct erasure_fingerprint *fingerprint,
                             struct err *err)
{
    const struct db_statement statements[] = { decision_statement(call, "accepted"),
                                               erasure_is_open(call, fingerprint) };
    int result = db_settle(call->services->db, statements, ARRAY_LENGTH(statements), NULL, err);
    if (result == ERR_EXPECTATION)
        return TOS_CLOSED;
    return result != 0 ? err_wrap(err, "recording an acceptance") : TOS_RECORDED;
}

static int accept_terms(struct call *call, bool *was_granted, struct err *err)
{
    struct erasure_fingerprint fingerprint;
    erasure_fingerprint(call->services->erasure_key, call->interaction->user.id, &fingerprint);
    const struct db_statement also[] = { decision_statement(call, "accepted"),
                                         erasure_allows_bonus(call, &fingerprint) };
    struct ledger_entry bonus = {
        .operation = GRANT_WELCOME,
        .grant = GRANT_WELCOME,
        .grant_owner_id = call->interaction->user.id,
        .transfers = { { HOUSE(HOUSE_REWARDS), WALLET_OF(call->interaction->user.id),
                         TOS_WELCOME_BONUS } },
        .transfer_count = 1,
        .also = also,
        .also_count = ARRAY_LENGTH(also),
    };
    struct ledger_receipt receipt;
    int result = ledger_post(call, &bonus, &receipt, err);
    if (result < 0)
        return result;
    if (was_granted)
        *was_granted = result == LEDGER_DONE;
    if (result == LEDGER_DONE)
        return TOS_RECORDED;
    /* The bonus is an earlier acceptance's, and this one may be of newer terms; or there is none
     * because of an erasure. */
    if (result == LEDGER_ALREADY_GRANTED || result == LEDGER_ALSO_REFUSED)
        return record_acceptance(call, &fingerprint, err);
    return err_set(err, ERR_INTERNAL, "the welcome bonus was refused (%d)", result);
}

void tos_forget(const struct services *services, int64_t user_id)
{
    char key[ACCEPTANCE_KEY_SIZE];
    cache_invalidate(services->cache, CACHE_USER, acceptance_key(user_id, key));
}

int tos_accept(struct call *call, bool *was_granted, struct err *err)
{
    int result = accept_terms(call, was_granted, err);
    /* After a failure, too: the commit may have happened and its answer been lost. */
    tos_forget(call->services, call->interaction->user.id);
    return result;
}

int tos_decline(struct call *call, struct err *err)
{
    struct db_statement decision = decision_statement(call, "declined");
    int result = db_settle(call->services->db, &decision, 1, NULL, err);
    return result != 0 ? err_wrap(err, "recording a decline") : 0;
}

int tos_block(struct call *call, struct str_view data, struct err *err)
{
    const struct db_statement statements[] = {
        {
            .sql = "INSERT INTO tos_blocked (interaction_id, user_id, data, expires_at) "
                   "VALUES ($1, $2, $3, $4) ON CONFLICT (interaction_id) DO NOTHING",
            .parameters = { DB_INT(call->effect_id), DB_INT(call->interaction->user.id),
                            DB_TEXT(data), DB_INT(call->now_ms + TOS_BLOCKED_DAYS * MS_PER_DAY) },
            .parameter_count = 4,
        },
        {
            .sql = "DELETE FROM tos_blocked WHERE expires_at < $1",
            .parameters = { DB_INT(call->now_ms) },
            .parameter_count = 1,
        },
    };
    int result = db_settle(call->services->db, statements, ARRAY_LENGTH(statements), NULL, err);
    return result != 0 ? err_wrap(err, "remembering a blocked command") : 0;
}

int tos_blocked_find(struct call *call, int64_t blocked_id, struct tos_blocked *blocked,
                     struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct db_statement statement = {
        .sql = "SELECT data FROM tos_blocked "
               "WHERE interaction_id = $1 AND user_id = $2 AND expires_at >= $3",
        .parameters = { DB_INT(blocked_id), DB_INT(call->interaction->user.id),
                        DB_INT(call->now_ms) },
        .parameter_count = 3,
    };
    int result = db_query(call->services->db, &statement, &rows, err);
    if (result != 0)
        return err_wrap(err, "looking for a blocked command");
    if (db_rows_count(rows) == 0)
        return 0;
    blocked->id = blocked_id;
    blocked->data = arena_copy(call->arena, db_rows_text(rows, 0, 0));
    return blocked->data.data ? 1 : err_set(err, ERR_MEMORY, "a blocked command");
}
