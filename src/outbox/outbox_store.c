/* One function, one statement. Constant texts; nothing here waits or remembers.
 *
 * Concurrent processes: under PostgreSQL's READ COMMITTED an UPDATE that waited for another's lock
 * looks at its WHERE once more, so each repeats the state it expects outside its sub-query, too. */
#include "outbox/outbox_store.h"

#include "db/engine.h"

#include <string.h>

#define ALIVE " (SELECT id FROM instance WHERE lease_until > "
/* What a dead owner holds waits like what is queued; $1 is the time. */
#define SEEN_STATE                                                                                 \
    "CASE WHEN state = 'leased' AND owner NOT IN" ALIVE "$1) THEN 'queued' ELSE state END "

/* In the order in which outbox_store_read_row reads them. */
#define ROW                                                                                        \
    "id, kind, subject, interaction_id, application_id, guild_id, request_id, version, is_final, " \
    "is_reposted, is_started, tries, expires_at, created_at, sent_at, content, channel_id, "       \
    "started_at"

/* The same row once more, after a commit whose answer was lost, is no second one. */
static const char sql_run[] =
    "INSERT INTO outbox (id, kind, subject, interaction_id, application_id, guild_id, request_id, "
    "version, is_final, is_reposted, is_started, content, state, tries, owner, available_at, "
    "expires_at, created_at, changed_at) "
    "VALUES ($1, 'run', $2, $2, $3, $4, $5, 0, 1, 0, 0, $6, 'leased', 0, $7, $8, $9, $8, $8) "
    "ON CONFLICT (kind, subject) DO UPDATE SET id = excluded.id, state = excluded.state, "
    "owner = excluded.owner, request_id = excluded.request_id, content = excluded.content, "
    "reason = NULL, is_started = 0, started_at = NULL, tries = 0, "
    "available_at = excluded.available_at, created_at = excluded.created_at, "
    "changed_at = excluded.changed_at "
    "WHERE outbox.state IN ('dead', 'expired') "
    "OR (outbox.id = excluded.id AND outbox.owner = excluded.owner)";

struct db_statement outbox_store_run(const struct outbox_record *record, struct str_view sealed,
                                     int64_t owner, int64_t now_ms)
{
    return (struct db_statement){
        .sql = sql_run,
        .parameters = { DB_INT(record->id), DB_INT(record->interaction_id),
                        DB_INT(record->application_id), DB_INT(record->guild_id),
                        DB_TEXT(str_from(record->request_id)), DB_BLOB(sealed), DB_INT(owner),
                        DB_INT(now_ms), DB_INT(record->expires_at_ms) },
        .parameter_count = 9,
    };
}

static const char sql_done[] =
    "UPDATE outbox SET state = 'done', owner = NULL, content = NULL, tries = $1, changed_at = $2, "
    "sent_at = $2 WHERE id = $3 AND version = $4 AND state = 'leased' AND owner = $5";

struct db_statement outbox_store_done(const struct outbox_record *record, int64_t tries,
                                      int64_t owner, int64_t now_ms)
{
    return (struct db_statement){
        .sql = sql_done,
        .parameters = { DB_INT(tries), DB_INT(now_ms), DB_INT(record->id), DB_INT(record->version),
                        DB_INT(owner) },
        .parameter_count = 5,
    };
}

static const char sql_expired[] =
    "UPDATE outbox SET state = 'expired', owner = NULL, content = NULL, tries = $1, "
    "changed_at = $2 WHERE id = $3 AND version = $4 AND state = 'leased' AND owner = $5";

static const char sql_dead[] =
    "UPDATE outbox SET state = 'dead', reason = $6, owner = NULL, tries = $1, changed_at = $2 "
    "WHERE id = $3 AND version = $4 AND state = 'leased' AND owner = $5";

struct db_statement outbox_store_end(const struct outbox_record *record, const char *reason,
                                     int64_t tries, int64_t owner, int64_t now_ms)
{
    return (struct db_statement){
        .sql = reason ? sql_dead : sql_expired,
        .parameters = { DB_INT(tries), DB_INT(now_ms), DB_INT(record->id), DB_INT(record->version),
                        DB_INT(owner), DB_TEXT(str_from(reason ? reason : "")) },
        .parameter_count = reason ? 6 : 5,
    };
}

static const char sql_started[] =
    "UPDATE outbox SET is_started = $1, started_at = $6, available_at = $2, changed_at = $3 "
    "WHERE id = $4 AND state = 'leased' AND owner = $5";

struct db_statement outbox_store_started(const struct outbox_record *record, bool is_started,
                                         int64_t available_ms, int64_t owner, int64_t now_ms)
{
    return (struct db_statement){
        .sql = sql_started,
        .parameters = { DB_INT(is_started), DB_INT(available_ms), DB_INT(now_ms),
                        DB_INT(record->id), DB_INT(owner),
                        is_started ? DB_INT(record->started_at_ms) : DB_NULL },
        .parameter_count = 6,
    };
}

static const char sql_release[] =
    "UPDATE outbox SET state = 'queued', owner = NULL, available_at = $1, tries = $2, "
    "changed_at = $3 WHERE id = $4 AND state = 'leased' AND owner = $5";

struct db_statement outbox_store_release(const struct outbox_record *record, int64_t available_ms,
                                         int64_t tries, int64_t owner, int64_t now_ms)
{
    return (struct db_statement){
        .sql = sql_release,
        .parameters = { DB_INT(available_ms), DB_INT(tries), DB_INT(now_ms), DB_INT(record->id),
                        DB_INT(owner) },
        .parameter_count = 5,
    };
}

/* --- By callers --- */

/* Whoever alive has the row keeps it, and finds the newer version when it is done with its own. A
 * final state is replaced by a final one only. */
static const char sql_edit[] =
    "INSERT INTO outbox (id, kind, subject, interaction_id, application_id, guild_id, request_id, "
    "version, is_final, is_reposted, is_started, content, state, tries, owner, available_at, "
    "expires_at, created_at, changed_at) "
    "VALUES ($1, 'edit', $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, 'leased', 0, $11, $12, $13, $12, "
    "$12) ON CONFLICT (kind, subject) DO UPDATE SET interaction_id = excluded.interaction_id, "
    "application_id = excluded.application_id, guild_id = excluded.guild_id, "
    "request_id = excluded.request_id, version = excluded.version, is_final = excluded.is_final, "
    "is_reposted = excluded.is_reposted, is_started = 0, started_at = NULL, "
    "content = excluded.content, state = 'leased', reason = NULL, "
    "tries = CASE WHEN outbox.state = 'leased' THEN outbox.tries ELSE 0 END, "
    "owner = CASE WHEN outbox.owner IN" ALIVE "$12) THEN outbox.owner ELSE excluded.owner END, "
    "available_at = CASE WHEN outbox.state = 'leased' "
    "AND outbox.available_at > excluded.available_at THEN outbox.available_at "
    "ELSE excluded.available_at END, expires_at = excluded.expires_at, "
    "created_at = CASE WHEN outbox.state = 'leased' THEN outbox.created_at "
    "ELSE excluded.created_at END, changed_at = excluded.changed_at "
    "WHERE outbox.is_final = 0 OR excluded.is_final = 1";

struct db_statement outbox_store_edit(const struct outbox_record *record, struct str_view sealed,
                                      int64_t owner, int64_t now_ms)
{
    return (struct db_statement){
        .sql = sql_edit,
        .parameters = { DB_INT(record->id), DB_INT(record->subject), DB_INT(record->interaction_id),
                        DB_INT(record->application_id), DB_INT(record->guild_id),
                        DB_TEXT(str_from(record->request_id)), DB_INT(record->version),
                        DB_INT(record->is_final), DB_INT(record->is_reposted), DB_BLOB(sealed),
                        DB_INT(owner), DB_INT(now_ms), DB_INT(record->expires_at_ms) },
        .parameter_count = 13,
    };
}

static const char sql_post[] =
    "INSERT INTO outbox (id, kind, interaction_id, application_id, guild_id, request_id, version, "
    "is_final, is_reposted, is_started, content, state, tries, owner, available_at, expires_at, "
    "created_at, changed_at, channel_id, effect_id) VALUES ($1, $10, $2, $3, $4, $5, 0, 1, 0, 0, "
    "$6, 'leased', 0, $7, $8, $9, $8, $8, $11, $12)";

struct db_statement outbox_store_post(const struct outbox_record *record, struct str_view sealed,
                                      int64_t owner, int64_t now_ms)
{
    return (struct db_statement){
        .sql = sql_post,
        .parameters = { DB_INT(record->id), DB_INT(record->interaction_id),
                        DB_INT(record->application_id), DB_INT(record->guild_id),
                        DB_TEXT(str_from(record->request_id)), DB_BLOB(sealed), DB_INT(owner),
                        DB_INT(now_ms), DB_INT(record->expires_at_ms),
                        DB_TEXT(str_from(outbox_kind_word(record->kind))),
                        record->channel_id ? DB_INT(record->channel_id) : DB_NULL,
                        record->effect_id ? DB_INT(record->effect_id) : DB_NULL },
        .parameter_count = 12,
    };
}

/* --- Reading --- */

#define CLAIMABLE                                                                                  \
    "(available_at <= $2 AND (state = 'queued' OR (state = 'leased' AND owner NOT IN" ALIVE "$2))" \
    "))"

/* Something of `sequence` that waits as well and is older. */
#define NONE_OLDER(sequence)                                                                       \
    " AND NOT EXISTS (SELECT 1 FROM outbox AS older WHERE " sequence                               \
    " AND older.state IN ('queued', 'leased') AND (older.created_at < outbox.created_at "          \
    "OR (older.created_at = outbox.created_at AND older.id < outbox.id)))"
#define SAME_TOKEN                                                                                 \
    "older.interaction_id = outbox.interaction_id AND older.channel_id IS NULL "                   \
    "AND outbox.channel_id IS NULL"
#define SAME_CHANNEL "older.channel_id = outbox.channel_id"

/* Of a token, and of a channel, only the oldest: the others follow when that is over. MATERIALIZED:
 * the rows are looked for, and locked, once. */
#define CLAIM(lock)                                                                                \
    "WITH picked AS MATERIALIZED (SELECT id FROM outbox WHERE state IN ('queued', 'leased') "      \
    "AND expires_at > $2 AND " CLAIMABLE                                                           \
    NONE_OLDER(SAME_TOKEN) NONE_OLDER(                                                             \
        SAME_CHANNEL) " ORDER BY expires_at LIMIT $3" lock ") "                                    \
                      "UPDATE outbox SET state = 'leased', owner = $1, changed_at = $2 "           \
                      "WHERE id IN (SELECT id FROM picked) RETURNING " ROW

static const char sql_claim[] = CLAIM("");
/* What another process is just taking is its own: nobody waits for its commit. A row that changed
 * between the look and the lock is looked at once more by the server. */
static const char sql_claim_skipping[] = CLAIM(" FOR UPDATE SKIP LOCKED");

struct db_statement outbox_store_claim(const struct db *db, int64_t owner, int limit,
                                       int64_t now_ms)
{
    return (struct db_statement){
        .sql = db_has_row_locks(db) ? sql_claim_skipping : sql_claim,
        .parameters = { DB_INT(owner), DB_INT(now_ms), DB_INT(limit) },
        .parameter_count = 3,
    };
}

static const char sql_load[] = "SELECT " ROW " FROM outbox WHERE interaction_id = $1 "
                               "AND state = 'leased' AND owner = $2 ORDER BY created_at, id";

struct db_statement outbox_store_load(int64_t owner, int64_t interaction_id)
{
    return (struct db_statement){
        .sql = sql_load,
        .parameters = { DB_INT(interaction_id), DB_INT(owner) },
        .parameter_count = 2,
    };
}

static const char sql_held[] =
    "SELECT " ROW " FROM outbox WHERE state = 'leased' AND owner = $1 AND (created_at > $2 "
    "OR (created_at = $2 AND id > $3)) ORDER BY created_at, id LIMIT $4";

struct db_statement outbox_store_held(int64_t owner, const struct outbox_record *after, int limit)
{
    return (struct db_statement){
        .sql = sql_held,
        .parameters = { DB_INT(owner), DB_INT(after->created_at_ms), DB_INT(after->id),
                        DB_INT(limit) },
        .parameter_count = 4,
    };
}

static const char sql_reload[] =
    "SELECT " ROW " FROM outbox WHERE id = $1 AND state = 'leased' AND owner = $2";

struct db_statement outbox_store_reload(int64_t owner, int64_t id)
{
    return (struct db_statement){
        .sql = sql_reload,
        .parameters = { DB_INT(id), DB_INT(owner) },
        .parameter_count = 2,
    };
}

static enum outbox_kind kind_of(struct str_view word)
{
    enum outbox_kind kind = OUTBOX_KIND_RUN;
    while (kind < OUTBOX_KIND_CHANNEL_MESSAGE && !str_equal(word, str_from(outbox_kind_word(kind))))
        kind++;
    return kind;
}

void outbox_store_read_row(const struct db_rows *rows, int row, struct outbox_record *record,
                           struct str_view *sealed)
{
    struct str_view request_id = db_rows_text(rows, row, 6);
    *record = (struct outbox_record){
        .id = db_rows_int(rows, row, 0),
        .kind = kind_of(db_rows_text(rows, row, 1)),
        .subject = db_rows_int(rows, row, 2),
        .interaction_id = db_rows_int(rows, row, 3),
        .application_id = db_rows_int(rows, row, 4),
        .guild_id = db_rows_int(rows, row, 5),
        .version = db_rows_int(rows, row, 7),
        .is_final = db_rows_int(rows, row, 8) != 0,
        .is_reposted = db_rows_int(rows, row, 9) != 0,
        .is_started = db_rows_int(rows, row, 10) != 0,
        .tries = db_rows_int(rows, row, 11),
        .expires_at_ms = db_rows_int(rows, row, 12),
        .created_at_ms = db_rows_int(rows, row, 13),
        .sent_at_ms = db_rows_int(rows, row, 14),
        .channel_id = db_rows_int(rows, row, 16),
        .started_at_ms = db_rows_int(rows, row, 17),
    };
    if (request_id.length < REQUEST_ID_SIZE)
        memcpy(record->request_id, request_id.data, request_id.length);
    *sealed = db_rows_text(rows, row, 15);
}

bool outbox_store_call(const struct db *db, int64_t caller, struct db_statement *statement)
{
    return db_call(db, OUTBOX_CHANNEL, caller, statement);
}

/* --- Upkeep --- */

static const char sql_heartbeat[] =
    "INSERT INTO instance (id, role, host, process_id, version, started_at, lease_until) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7) "
    "ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until";

struct db_statement outbox_store_heartbeat(const struct outbox_instance *instance,
                                           int64_t lease_until_ms)
{
    return (struct db_statement){
        .sql = sql_heartbeat,
        .parameters = { DB_INT(instance->id), DB_TEXT(str_from(instance->role)),
                        DB_TEXT(str_from(instance->host)), DB_INT(instance->process_id),
                        DB_TEXT(str_from(BRONX_VERSION)), DB_INT(instance->started_at_ms),
                        DB_INT(lease_until_ms) },
        .parameter_count = 7,
    };
}

static const char sql_count_instances[] = "SELECT COUNT(*) FROM instance WHERE lease_until > $1";

struct db_statement outbox_store_count_instances(int64_t now_ms)
{
    return (struct db_statement){
        .sql = sql_count_instances,
        .parameters = { DB_INT(now_ms) },
        .parameter_count = 1,
    };
}

static const char sql_leave[] = "DELETE FROM instance WHERE id = $1";

struct db_statement outbox_store_leave(int64_t instance_id)
{
    return (struct db_statement){
        .sql = sql_leave,
        .parameters = { DB_INT(instance_id) },
        .parameter_count = 1,
    };
}

static const char sql_bury[] = "DELETE FROM instance WHERE lease_until <= $1";

struct db_statement outbox_store_bury(int64_t before_ms)
{
    return (struct db_statement){
        .sql = sql_bury,
        .parameters = { DB_INT(before_ms) },
        .parameter_count = 1,
    };
}

static const char sql_release_all[] =
    "UPDATE outbox SET state = 'queued', owner = NULL, changed_at = $1 "
    "WHERE owner = $2 AND state = 'leased'";

struct db_statement outbox_store_release_all(int64_t owner, int64_t now_ms)
{
    return (struct db_statement){
        .sql = sql_release_all,
        .parameters = { DB_INT(now_ms), DB_INT(owner) },
        .parameter_count = 2,
    };
}

static const char sql_expire[] =
    "UPDATE outbox SET state = 'expired', owner = NULL, content = NULL, changed_at = $1 "
    "WHERE expires_at <= $1 AND (state = 'queued' OR (state = 'leased' "
    "AND (expires_at <= $2 OR owner NOT IN" ALIVE "$1)))) RETURNING id, request_id";

struct db_statement outbox_store_expire(int64_t now_ms)
{
    return (struct db_statement){
        .sql = sql_expire,
        .parameters = { DB_INT(now_ms), DB_INT(now_ms - OUTBOX_FORGOTTEN_MS) },
        .parameter_count = 2,
    };
}

static const char sql_purge_content[] = "UPDATE outbox SET content = NULL WHERE state = 'dead' "
                                        "AND content IS NOT NULL AND expires_at <= $1";

struct db_statement outbox_store_purge_content(int64_t now_ms)
{
    return (struct db_statement){
        .sql = sql_purge_content,
        .parameters = { DB_INT(now_ms) },
        .parameter_count = 1,
    };
}

/* No index is kept for this: what was over before then was begun before then, and ids of
 * interactions count up with time. A message that arrived says that its channel is open as long as
 * an older one that did not could say the opposite. */
static const char sql_purge_rows[] =
    "DELETE FROM outbox WHERE interaction_id < $3 "
    "AND ((state IN ('done', 'expired') AND channel_id IS NULL AND changed_at <= $1) "
    "OR (state IN ('done', 'expired', 'dead') AND changed_at <= $2))";

struct db_statement outbox_store_purge_rows(int64_t now_ms)
{
    return (struct db_statement){
        .sql = sql_purge_rows,
        .parameters = { DB_INT(now_ms - OUTBOX_KEEP_DONE_MS), DB_INT(now_ms - OUTBOX_KEEP_DEAD_MS),
                        DB_INT((now_ms - OUTBOX_KEEP_DONE_MS - DISCORD_EPOCH_MS) << 22) },
        .parameter_count = 3,
    };
}

static const char sql_census[] =
    "SELECT word, COUNT(*), MIN(created_at) FROM (SELECT created_at, " SEEN_STATE "AS word "
    "FROM outbox WHERE state IN ('queued', 'leased', 'dead')) AS census GROUP BY word";

struct db_statement outbox_store_census(int64_t now_ms)
{
    return (struct db_statement){
        .sql = sql_census,
        .parameters = { DB_INT(now_ms) },
        .parameter_count = 1,
    };
}

/* --- Operators --- */

static const char sql_list[] =
    "SELECT id, kind, word, reason, tries, is_started, interaction_id, guild_id, channel_id, "
    "request_id, created_at, changed_at, expires_at FROM (SELECT id, kind, reason, tries, "
    "is_started, interaction_id, guild_id, channel_id, request_id, created_at, changed_at, "
    "expires_at, " SEEN_STATE
    "AS word FROM outbox) AS job WHERE word = $2 OR ($2 = '' AND word <> 'done') "
    "ORDER BY changed_at DESC, id LIMIT $3";

struct db_statement outbox_store_list(struct str_view state, int limit, int64_t now_ms)
{
    return (struct db_statement){
        .sql = sql_list,
        .parameters = { DB_INT(now_ms), DB_TEXT(state.data ? state : STR("")), DB_INT(limit) },
        .parameter_count = 3,
    };
}

static const char sql_retry[] =
    "UPDATE outbox SET state = 'queued', reason = NULL, is_started = 0, started_at = NULL, "
    "tries = 0, available_at = $2, changed_at = $2 "
    "WHERE id = $1 AND state = 'dead' AND content IS NOT NULL AND expires_at > $2 RETURNING id";

struct db_statement outbox_store_retry(int64_t id, int64_t now_ms)
{
    return (struct db_statement){
        .sql = sql_retry,
        .parameters = { DB_INT(id), DB_INT(now_ms) },
        .parameter_count = 2,
    };
}

static const char sql_drop[] = "DELETE FROM outbox WHERE id = $1 AND (state <> 'leased' "
                               "OR owner NOT IN" ALIVE "$2)) RETURNING id";

struct db_statement outbox_store_drop(int64_t id, int64_t now_ms)
{
    return (struct db_statement){
        .sql = sql_drop,
        .parameters = { DB_INT(id), DB_INT(now_ms) },
        .parameter_count = 2,
    };
}
