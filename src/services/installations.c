/* The rows of known_user and known_guild. Each statement keeps the maximum in a total order that
 * begins with the event's time; the rest of the order only decides between events of one
 * millisecond, the same way whichever came first.
 *
 * Somebody who takes the application away is known by the times alone from then on: what the
 * authorisation said goes, whichever of the two events is told first. In the same transaction goes
 * what waited for them (the register of user data says what). Nothing of it is cached. */
#include "bronx/installations.h"

#include "bronx/user_data.h"

/* Discord repeats events for minutes: what happened before somebody deleted their data does not
 * bring their id back. */
#define IS_ERASED "EXISTS (SELECT 1 FROM erasure WHERE fingerprint = $3 AND erased_at >= $2) "

static const char sql_authorize_user[] =
    "INSERT INTO known_user (user_id, authorized_at, integration_type, scopes) "
    "SELECT $1, $2, $4, $5 WHERE NOT " IS_ERASED
    "ON CONFLICT (user_id) DO UPDATE SET authorized_at = excluded.authorized_at, "
    "integration_type = excluded.integration_type, scopes = excluded.scopes "
    "WHERE known_user.authorized_at IS NULL "
    "OR excluded.authorized_at > known_user.authorized_at "
    "OR (excluded.authorized_at = known_user.authorized_at "
    "AND (excluded.integration_type > known_user.integration_type "
    "OR (excluded.integration_type = known_user.integration_type "
    "AND excluded.scopes > known_user.scopes)))";

static const char sql_deauthorize_user[] =
    "INSERT INTO known_user (user_id, deauthorized_at) SELECT $1, $2 WHERE NOT " IS_ERASED
    "ON CONFLICT (user_id) DO UPDATE SET deauthorized_at = excluded.deauthorized_at "
    "WHERE known_user.deauthorized_at IS NULL "
    "OR excluded.deauthorized_at > known_user.deauthorized_at";

/* Behind either of the two above. */
static const char sql_forget_authorization[] =
    "UPDATE known_user SET integration_type = -1, scopes = '' "
    "WHERE user_id = $1 AND authorized_at <= deauthorized_at "
    "AND (integration_type <> -1 OR scopes <> '')";

static const char sql_authorize_guild[] =
    "INSERT INTO known_guild (guild_id, authorized_at, authorized_by, scopes) "
    "SELECT $1, $2, CASE WHEN " IS_ERASED "THEN 0 ELSE $4 END, $5 WHERE TRUE "
    "ON CONFLICT (guild_id) DO UPDATE SET authorized_at = excluded.authorized_at, "
    "authorized_by = excluded.authorized_by, scopes = excluded.scopes "
    "WHERE excluded.authorized_at > known_guild.authorized_at "
    "OR (excluded.authorized_at = known_guild.authorized_at "
    "AND (excluded.authorized_by > known_guild.authorized_by "
    "OR (excluded.authorized_by = known_guild.authorized_by "
    "AND excluded.scopes > known_guild.scopes)))";

static struct db_statement forget_authorization(const struct installation_change *change)
{
    return (struct db_statement){ .sql = sql_forget_authorization,
                                  .parameters = { DB_INT(change->user_id) },
                                  .parameter_count = 1 };
}

static int record_authorization(struct db *db, const struct installation_change *change,
                                struct db_value fingerprint, struct err *err)
{
    /* An absent text would be NULL. */
    struct db_value scopes = DB_TEXT(change->scopes.data ? change->scopes : STR(""));
    const struct db_statement statements[] = {
        { .sql = sql_authorize_user,
          .parameters = { DB_INT(change->user_id), DB_INT(change->occurred_at_ms), fingerprint,
                          DB_INT(change->integration_type), scopes },
          .parameter_count = 5 },
        forget_authorization(change),
        { .sql = sql_authorize_guild,
          .parameters = { DB_INT(change->guild_id), DB_INT(change->occurred_at_ms), fingerprint,
                          DB_INT(change->user_id), scopes },
          .parameter_count = 5 },
    };
    return db_settle(db, statements, change->guild_id != 0 ? 3 : 2, NULL, err);
}

#define OWN_STATEMENTS 2

static int record_deauthorization(struct db *db, const struct installation_change *change,
                                  struct db_value fingerprint, struct err *err)
{
    struct db_statement statements[OWN_STATEMENTS + USER_DATA_TABLES_MAX] = {
        { .sql = sql_deauthorize_user,
          .parameters = { DB_INT(change->user_id), DB_INT(change->occurred_at_ms), fingerprint },
          .parameter_count = 3 },
        forget_authorization(change),
    };
    int count =
        user_data_forget(change->user_id, change->occurred_at_ms, statements + OWN_STATEMENTS);
    return db_settle(db, statements, OWN_STATEMENTS + count, NULL, err);
}

int installations_record(struct db *db, const struct erasure_key *key,
                         const struct installation_change *change, struct err *err)
{
    struct erasure_fingerprint fingerprint;
    erasure_fingerprint(key, change->user_id, &fingerprint);
    struct db_value erased = erasure_value(&fingerprint);
    int result = change->is_authorized ? record_authorization(db, change, erased, err)
                                       : record_deauthorization(db, change, erased, err);
    return result == 0 ? 0 : err_wrap(err, "recording an installation");
}

/* 1 with a row in `rows`, 0 without. */
static int find(struct db *db, const char *sql, int64_t id, struct db_rows **rows, struct err *err)
{
    const struct db_statement statement = { .sql = sql,
                                            .parameters = { DB_INT(id) },
                                            .parameter_count = 1 };
    int result = db_query(db, &statement, rows, err);
    if (result != 0)
        return err_wrap(err, "reading an installation");
    return db_rows_count(*rows) > 0;
}

static int keep_text(struct arena *arena, struct str_view text, struct str_view *kept,
                     struct err *err)
{
    *kept = text.length > 0 ? arena_copy(arena, text) : STR_NONE;
    return text.length == 0 || kept->data ? 1 : err_set(err, ERR_MEMORY, "an installation");
}

int installations_find_user(struct db *db, int64_t user_id, struct arena *arena,
                            struct known_user *user, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    int result = find(db,
                      "SELECT authorized_at, deauthorized_at, integration_type, scopes "
                      "FROM known_user WHERE user_id = $1",
                      user_id, &rows, err);
    if (result <= 0)
        return result;
    *user = (struct known_user){
        .authorized_at_ms = db_rows_int(rows, 0, 0),
        .deauthorized_at_ms = db_rows_int(rows, 0, 1),
        .integration_type = (int)db_rows_int(rows, 0, 2),
    };
    user->is_authorized = user->authorized_at_ms > user->deauthorized_at_ms;
    return keep_text(arena, db_rows_text(rows, 0, 3), &user->scopes, err);
}

int installations_find_guild(struct db *db, int64_t guild_id, struct arena *arena,
                             struct known_guild *guild, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    int result = find(db,
                      "SELECT authorized_at, authorized_by, scopes FROM known_guild "
                      "WHERE guild_id = $1",
                      guild_id, &rows, err);
    if (result <= 0)
        return result;
    *guild = (struct known_guild){ .authorized_at_ms = db_rows_int(rows, 0, 0),
                                   .authorized_by = db_rows_int(rows, 0, 1) };
    return keep_text(arena, db_rows_text(rows, 0, 2), &guild->scopes, err);
}
