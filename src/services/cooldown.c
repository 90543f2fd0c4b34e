/* Cooldowns: one row for each person and command. The row also names the interaction that used it,
 * so that running that interaction again is not refused by its own cooldown. */
#include "bronx/cooldown.h"

#include "bronx/services.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct str_view cooldown_key(const struct call *call)
{
    CLEANUP(buf_free) struct buf key = { 0 };
    const struct interaction *interaction = call->interaction;
    if (interaction->command.path_length <= 1)
        return str_from(call->command->name);
    for (int i = 0; i < interaction->command.path_length; i++) {
        if (i > 0)
            buf_append_char(&key, ' ');
        buf_append(&key, interaction->command.path[i]);
    }
    /* A part of it would be the key of another command; none is refused by NOT NULL. */
    return key.has_failed ? STR_NONE : arena_copy(call->arena, buf_view(&key));
}

/* --- What is in force, through the cache --- */

/* A value of the cache: VALUE_VERSION, then one of these for each cooldown, each followed by the
 * bytes of its key. */
struct hint {
    int64_t ready_at_ms, interaction_id;
    uint64_t key_length;
};

static_assert(sizeof(struct hint) == 24, "no padding goes to Redis");

#define VALUE_VERSION  '1'
#define CACHE_KEY_SIZE 32 /* "cooldown:" and a number */

static struct str_view cache_key(int64_t user_id, char key[CACHE_KEY_SIZE])
{
    int length = snprintf(key, CACHE_KEY_SIZE, "cooldown:%" PRId64, user_id);
    return (struct str_view){ key, (size_t)length };
}

void cooldown_forget(const struct services *services, int64_t user_id)
{
    char key[CACHE_KEY_SIZE];
    cache_invalidate(services->cache, CACHE_COOLDOWN, cache_key(user_id, key));
}

static const char sql_in_force[] =
    "SELECT command, ready_at, interaction_id FROM cooldown WHERE user_id = $1 AND ready_at > $2";

static int load_hints(void *context, struct arena *arena, struct str_view *value, struct err *err)
{
    const struct call *call = context;
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    CLEANUP(buf_free) struct buf hints = { 0 };
    struct db_statement statement = {
        .sql = sql_in_force,
        .parameters = { DB_INT(call->interaction->user.id), DB_INT(call->now_ms) },
        .parameter_count = 2,
    };
    int result = db_query(call->services->db, &statement, &rows, err);
    if (result != 0)
        return result;
    buf_append_char(&hints, VALUE_VERSION);
    for (int i = 0; i < db_rows_count(rows); i++) {
        struct str_view key = db_rows_text(rows, i, 0);
        const struct hint hint = { db_rows_int(rows, i, 1), db_rows_int(rows, i, 2), key.length };
        buf_append_bytes(&hints, &hint, sizeof(hint));
        buf_append(&hints, key);
    }
    *value = hints.has_failed ? STR_NONE : arena_copy(arena, buf_view(&hints));
    return value->data ? db_rows_count(rows) > 0 : err_set(err, ERR_MEMORY, "cooldowns");
}

/* False when the value has none for this key. */
static bool find_hint(struct str_view value, struct str_view key, struct hint *hint)
{
    if (value.length == 0 || value.data[0] != VALUE_VERSION)
        return false;
    for (size_t at = 1; value.length - at >= sizeof(*hint); at += hint->key_length) {
        memcpy(hint, value.data + at, sizeof(*hint));
        at += sizeof(*hint);
        if (hint->key_length > value.length - at)
            return false;
        if (str_equal((struct str_view){ value.data + at, hint->key_length }, key))
            return true;
    }
    return false;
}

/* --- What the database says --- */

/* A replayed interaction may pass: it used the cooldown itself, or has posted its money already and
 * will be answered from the ledger. */
static const char sql_ready_at[] =
    "SELECT ready_at FROM cooldown "
    "WHERE user_id = $1 AND command = $2 AND ready_at > $3 AND interaction_id <> $4 "
    "AND NOT EXISTS (SELECT 1 FROM ledger_entry WHERE ledger_entry.interaction_id = $4)";

static int read_ready_at(const struct call *call, struct str_view key, int64_t *ready_at_ms,
                         struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct db_statement statement = {
        .sql = sql_ready_at,
        .parameters = { DB_INT(call->interaction->user.id), DB_TEXT(key), DB_INT(call->now_ms),
                        DB_INT(call->effect_id) },
        .parameter_count = 4,
    };
    int result = db_query(call->services->db, &statement, &rows, err);
    if (result == 0)
        *ready_at_ms = db_rows_count(rows) > 0 ? db_rows_int(rows, 0, 0) : 0;
    return result;
}

/* An interaction that is older than the cooldown may have been answered before: the ledger knows.
 */
static bool may_be_replay(const struct call *call, const struct hint *hint)
{
    int64_t used_at_ms = hint->ready_at_ms - command_cooldown_ms(call);
    return call->effect_id < hint->interaction_id ||
           snowflake_created_ms(call->effect_id) <= used_at_ms;
}

int cooldown_ready_at(struct call *call, int64_t *ready_at_ms, struct err *err)
{
    char name[CACHE_KEY_SIZE];
    struct str_view key = cooldown_key(call), value = STR_NONE;
    struct hint hint;
    *ready_at_ms = 0;
    if (!key.data)
        return err_set(err, ERR_MEMORY, "the key of a cooldown");
    int result = cache_get(call->services->cache, CACHE_COOLDOWN,
                           cache_key(call->interaction->user.id, name), load_hints, call,
                           call->arena, &value, err);
    if (result < 0)
        return err_wrap(err, "reading cooldowns");
    if (result == 0 || !find_hint(value, key, &hint) || hint.ready_at_ms <= call->now_ms ||
        hint.interaction_id == call->effect_id)
        return 0;
    if (may_be_replay(call, &hint)) {
        result = read_ready_at(call, key, ready_at_ms, err);
        return result != 0 ? err_wrap(err, "reading a cooldown") : 0;
    }
    *ready_at_ms = hint.ready_at_ms;
    return 0;
}

/* --- Using it up --- */

static const char sql_use[] =
    "INSERT INTO cooldown (user_id, command, ready_at, interaction_id) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (user_id, command) DO UPDATE SET "
    "ready_at = CASE WHEN cooldown.interaction_id = excluded.interaction_id "
    "THEN cooldown.ready_at ELSE excluded.ready_at END, "
    "interaction_id = excluded.interaction_id "
    "WHERE cooldown.ready_at <= $5 OR cooldown.interaction_id = excluded.interaction_id";

struct db_statement cooldown_statement(const struct call *call)
{
    return (struct db_statement){
        .sql = sql_use,
        .parameters = { DB_INT(call->interaction->user.id), DB_TEXT(cooldown_key(call)),
                        DB_INT(call->now_ms + command_cooldown_ms(call)), DB_INT(call->effect_id),
                        DB_INT(call->now_ms) },
        .parameter_count = 5,
        .expect = DB_ONE_ROW,
    };
}

int cooldown_use(struct call *call, struct err *err)
{
    struct db_statement statement = cooldown_statement(call);
    int result = db_settle(call->services->db, &statement, 1, NULL, err);
    cooldown_forget(call->services, call->interaction->user.id);
    if (result == 0)
        call->is_cooldown_used = true;
    return result;
}
