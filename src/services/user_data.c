/* The register itself, what counts by it, and what it forgets. user_data_export.c and
 * user_data_erase.c walk it, too. Stateless: any executor thread may be in here. */
#include "bronx/user_data.h"

#include "bronx/erasure.h"
#include "bronx/language.h"
#include "bronx/services.h"

#include <assert.h>

static const struct user_data_export export_account = {
    .sql = "SELECT kind, id, balance, balance_limit FROM account "
           "WHERE owner_id = $1 AND kind <> 'house' AND kind > $3 ORDER BY kind LIMIT $2",
    .key_columns = 1,
    .page_rows = 100,
    .fields = { { "kind", USER_DATA_TEXT },
                { "account_id", USER_DATA_ID },
                { "balance", USER_DATA_INTEGER },
                { "balance_limit", USER_DATA_INTEGER } },
};

static const struct user_data_export export_tos_decision = {
    .sql = "SELECT interaction_id, version, text_sha256, decision, decided_at, guild_id, locale "
           "FROM tos_decision WHERE user_id = $1 AND interaction_id > $3 "
           "ORDER BY interaction_id LIMIT $2",
    .key_columns = 1,
    .page_rows = 10000,
    .fields = { { "interaction_id", USER_DATA_ID },
                { "version", USER_DATA_TEXT },
                { "text_sha256", USER_DATA_TEXT },
                { "decision", USER_DATA_TEXT },
                { "decided_at", USER_DATA_TIME },
                { "guild_id", USER_DATA_ID },
                { "locale", USER_DATA_TEXT } },
};

static const struct user_data_export export_tos_blocked = {
    .sql = "SELECT interaction_id, data, expires_at FROM tos_blocked "
           "WHERE user_id = $1 AND interaction_id > $3 ORDER BY interaction_id LIMIT $2",
    .key_columns = 1,
    .page_rows = 100, /* of up to 256 KiB, what a request may have */
    .fields = { { "interaction_id", USER_DATA_ID },
                { "command", USER_DATA_COMMAND },
                { "expires_at", USER_DATA_TIME } },
};

static const struct user_data_export export_cooldown = {
    .sql = "SELECT command, ready_at, interaction_id FROM cooldown "
           "WHERE user_id = $1 AND command > $3 ORDER BY command LIMIT $2",
    .key_columns = 1,
    .page_rows = 10000,
    .fields = { { "command", USER_DATA_TEXT },
                { "ready_at", USER_DATA_TIME },
                { "interaction_id", USER_DATA_ID } },
};

static const struct user_data_export export_daily_streak = {
    .sql = "SELECT days, claimed_at FROM daily_streak WHERE user_id = $1 LIMIT $2",
    .page_rows = 1,
    .fields = { { "days", USER_DATA_INTEGER }, { "claimed_at", USER_DATA_TIME } },
};

static const struct user_data_export export_pay_day = {
    .sql = "SELECT guild_id, day, sent FROM pay_day "
           "WHERE user_id = $1 AND (guild_id, day) > ($3, $4) ORDER BY guild_id, day LIMIT $2",
    .key_columns = 2,
    .page_rows = 10000,
    .fields = { { "guild_id", USER_DATA_ID },
                { "day", USER_DATA_DAY },
                { "sent", USER_DATA_INTEGER } },
};

static const struct user_data_export export_game_losses = {
    .sql =
        "SELECT began_at, ends_at, lost, loss_limit FROM game_losses WHERE user_id = $1 LIMIT $2",
    .page_rows = 1,
    .fields = { { "began_at", USER_DATA_TIME },
                { "ends_at", USER_DATA_TIME },
                { "lost", USER_DATA_INTEGER },
                { "loss_limit", USER_DATA_INTEGER } },
};

static const struct user_data_export export_known_user = {
    .sql = "SELECT authorized_at, integration_type, scopes, deauthorized_at FROM known_user "
           "WHERE user_id = $1 LIMIT $2",
    .page_rows = 1,
    .fields = { { "authorized_at", USER_DATA_TIME },
                { "integration_type", USER_DATA_INTEGER },
                { "scopes", USER_DATA_TEXT },
                { "deauthorized_at", USER_DATA_TIME } },
};

static const struct user_data_export export_known_guild = {
    .sql = "SELECT guild_id, authorized_at, scopes FROM known_guild "
           "WHERE authorized_by = $1 AND guild_id > $3 ORDER BY guild_id LIMIT $2",
    .key_columns = 1,
    .page_rows = 10000,
    .fields = { { "guild_id", USER_DATA_ID },
                { "authorized_at", USER_DATA_TIME },
                { "scopes", USER_DATA_TEXT } },
};

static const struct user_data_export export_user_settings = {
    .sql = "SELECT revision, content FROM user_settings WHERE user_id = $1 LIMIT $2",
    .page_rows = 1,
    .fields = { { "revision", USER_DATA_INTEGER }, { "content", USER_DATA_TEXT } },
};

static const struct user_data_export export_user_settings_change = {
    .sql = "SELECT revision, key, old_value, new_value, changed_at, interaction_id "
           "FROM user_settings_change WHERE user_id = $1 AND (revision, key) > ($3, $4) "
           "ORDER BY revision, key LIMIT $2",
    .key_columns = 2,
    .page_rows = 10000,
    .fields = { { "revision", USER_DATA_INTEGER },
                { "key", USER_DATA_TEXT },
                { "old_value", USER_DATA_TEXT },
                { "new_value", USER_DATA_TEXT },
                { "changed_at", USER_DATA_TIME },
                { "interaction_id", USER_DATA_ID } },
};

static const struct user_data_export export_server_settings_change = {
    .sql = "SELECT guild_id, revision, key, old_value, new_value, changed_at, interaction_id "
           "FROM server_settings_change "
           "WHERE changed_by = $1 AND (guild_id, revision, key) > ($3, $4, $5) "
           "ORDER BY guild_id, revision, key LIMIT $2",
    .key_columns = 3,
    .page_rows = 10000,
    .fields = { { "guild_id", USER_DATA_ID },
                { "revision", USER_DATA_INTEGER },
                { "key", USER_DATA_TEXT },
                { "old_value", USER_DATA_TEXT },
                { "new_value", USER_DATA_TEXT },
                { "changed_at", USER_DATA_TIME },
                { "interaction_id", USER_DATA_ID } },
};

static const struct user_data_export export_wizard_draft = {
    .sql = "SELECT id, wizard, guild_id, state, base, answers, mistakes, interaction_id, "
           "expires_at FROM wizard_draft WHERE user_id = $1 AND id > $3 ORDER BY id LIMIT $2",
    .key_columns = 1,
    .page_rows = 1000, /* of up to 100 KiB */
    .fields = { { "id", USER_DATA_ID },
                { "wizard", USER_DATA_TEXT },
                { "guild_id", USER_DATA_ID },
                { "state", USER_DATA_TEXT },
                { "base", USER_DATA_TEXT },
                { "answers", USER_DATA_TEXT },
                { "mistakes", USER_DATA_TEXT },
                { "interaction_id", USER_DATA_ID },
                { "expires_at", USER_DATA_TIME } },
};

static const struct user_data_export export_erasure = {
    .sql = "SELECT erased_at, closed_until FROM erasure WHERE fingerprint = $1 LIMIT $2",
    .page_rows = 1,
    .fields = { { "erased_at", USER_DATA_TIME }, { "closed_until", USER_DATA_TIME } },
};

/* One leg: what it did to `mine`, and who was at the other end. The view ledger_leg would be read
 * whole; this goes by the indexes of both ends. */
#define LEDGER_LEG(is_incoming, mine, sign, other)                                                 \
    "SELECT t.interaction_id, t.operation, t.position, " is_incoming ", a.kind, " sign "t.amount," \
    " t." mine "_balance, o.kind, "                                                                \
    "CASE WHEN o.kind = 'house' OR o.owner_id < 0 THEN NULL ELSE o.owner_id END, e.guild_id, "     \
    "CASE WHEN e.grant_owner_id = a.owner_id THEN e.grant_name END, e.detail, e.created_at "       \
    "FROM account a JOIN ledger_transfer t ON t." mine "_account = a.id "                          \
    "JOIN account o ON o.id = t." other "_account "                                                \
    "JOIN ledger_entry e ON e.interaction_id = t.interaction_id AND e.operation = t.operation "    \
    "WHERE a.owner_id = $1 AND a.kind <> 'house' "                                                 \
    "AND (t.interaction_id, t.operation, t.position, " is_incoming ") > ($3, $4, $5, $6) "

static const struct user_data_export export_ledger = {
    .sql = LEDGER_LEG("CAST(0 AS BIGINT)", "from", "-", "to") "UNION ALL " LEDGER_LEG(
        "CAST(1 AS BIGINT)", "to", "", "from") "ORDER BY 1, 2, 3, 4 LIMIT $2",
    .key_columns = 4,
    .page_rows = 10000,
    .is_continuable = true,
    .fields = { { "interaction_id", USER_DATA_ID },
                { "operation", USER_DATA_TEXT },
                { "position", USER_DATA_INTEGER },
                { "is_incoming", USER_DATA_HIDDEN },
                { "account", USER_DATA_TEXT },
                { "amount", USER_DATA_INTEGER },
                { "balance_after", USER_DATA_INTEGER },
                { "other_account", USER_DATA_TEXT },
                { "other_user_id", USER_DATA_ID },
                { "guild_id", USER_DATA_ID },
                { "grant", USER_DATA_TEXT },
                { "detail", USER_DATA_TEXT },
                { "created_at", USER_DATA_TIME } },
};

#define UNTIL_DELETED TR("until you delete your data")
#define FOR_EVER_NOBODYS                                                                           \
    TR("for ever; after you delete your data under an alias that nobody can trace")

/* Also what was written beside the user's movements: a note says who somebody is. Goes by accounts,
 * so it runs before they lose their owner. */
static const char sql_erase_entries[] =
    "UPDATE ledger_entry SET detail = NULL, grant_owner_id = "
    "CASE WHEN grant_owner_id = $1 THEN $2 ELSE grant_owner_id END "
    "WHERE (interaction_id, operation) IN ("
    "SELECT interaction_id, operation FROM ledger_entry WHERE grant_owner_id = $1 UNION ALL "
    "SELECT t.interaction_id, t.operation FROM account a "
    "JOIN ledger_transfer t ON t.from_account = a.id "
    "WHERE a.owner_id = $1 AND a.kind <> 'house' UNION ALL "
    "SELECT t.interaction_id, t.operation FROM account a "
    "JOIN ledger_transfer t ON t.to_account = a.id "
    "WHERE a.owner_id = $1 AND a.kind <> 'house')";

/* Notices that say whose doing it was, and that no channel has yet: whoever holds one in memory
 * marks its row before it sends it, and finds it over. Goes by the changes they tell of, so it runs
 * before those lose their author. */
static const char sql_withdraw_notices[] =
    "UPDATE outbox SET state = 'dead', reason = COALESCE(reason, 'withdrawn'), owner = NULL, "
    "content = NULL WHERE content IS NOT NULL AND effect_id IN ("
    "SELECT interaction_id FROM server_settings_change WHERE changed_by = $1)";

/* Rows whose key is the interaction that made them, if it was before the person took the
 * application away, and they have not given it back since. What they began afterwards stays,
 * however late the event comes and however often. */
#define FORGET_EARLIER(table, key)                                                                 \
    "DELETE FROM " table " WHERE user_id = $1 AND " key " < $2 AND EXISTS ("                       \
    "SELECT 1 FROM known_user WHERE known_user.user_id = $1 "                                      \
    "AND deauthorized_at >= COALESCE(authorized_at, 0))"

/* In the order of the export and of the erasure. The ledger comes last: it may not fit a file. */
const struct user_data_table user_data_tables[] = {
    { .name = "tos_decision",
      .purpose = TR("Proof of when you accepted or declined which Terms of Service."),
      .retention = UNTIL_DELETED,
      .owner = "user_id",
      .personal = "interaction_id version text_sha256 decision decided_at guild_id locale",
      .export = &export_tos_decision,
      .erase = "DELETE FROM tos_decision WHERE user_id = $1" },
    { .name = "tos_blocked",
      .purpose = TR("The commands the Terms of Service stopped, to run them once you accept."),
      .retention = TR("7 days, and then until the terms next stop somebody"),
      .owner = "user_id",
      .personal = "interaction_id data expires_at",
      .export = &export_tos_blocked,
      /* Also those of others that name this person. */
      .erase = "DELETE FROM tos_blocked WHERE user_id = $1 "
               "OR data LIKE '%' || CAST($1 AS TEXT) || '%'",
      .forget = FORGET_EARLIER("tos_blocked", "interaction_id") },
    { .name = "cooldown",
      .purpose = TR("When you may use a command again."),
      .retention = UNTIL_DELETED,
      .owner = "user_id",
      .personal = "command ready_at interaction_id",
      .export = &export_cooldown,
      .erase = "DELETE FROM cooldown WHERE user_id = $1" },
    { .name = "daily_streak",
      .purpose = TR("On how many days in a row you took the daily reward: it sets the bonus."),
      .retention = UNTIL_DELETED,
      .owner = "user_id",
      .personal = "days claimed_at",
      .export = &export_daily_streak,
      .erase = "DELETE FROM daily_streak WHERE user_id = $1" },
    { .name = "pay_day",
      .purpose =
          TR("What you paid to others on a day in a server: it keeps the server's daily limit."),
      .retention = TR("until you next pay somebody on another day, or delete your data"),
      .owner = "user_id",
      .personal = "guild_id day sent",
      .export = &export_pay_day,
      .erase = "DELETE FROM pay_day WHERE user_id = $1" },
    { .name = "game_losses",
      .purpose = TR("What you lost in games today: it keeps your own daily limit."),
      .retention = TR("until you next play on another day, or delete your data"),
      .owner = "user_id",
      .personal = "began_at ends_at lost loss_limit",
      .export = &export_game_losses,
      .erase = "DELETE FROM game_losses WHERE user_id = $1" },
    { .name = "known_user",
      .purpose = TR("When you authorised this application, as Discord told."),
      .retention = UNTIL_DELETED,
      .owner = "user_id",
      .personal = "authorized_at integration_type scopes deauthorized_at",
      .export = &export_known_user,
      .erase = "DELETE FROM known_user WHERE user_id = $1" },
    { .name = "known_guild",
      .purpose = TR("The servers you added this application to, as Discord told."),
      .retention = TR("for ever; your id in it until you delete your data"),
      .owner = "authorized_by",
      .personal = "guild_id authorized_at scopes",
      .export = &export_known_guild,
      .erase = "UPDATE known_guild SET authorized_by = 0 WHERE authorized_by = $1" },
    { .name = "user_settings",
      .purpose = TR("What you have set: time zone, privacy, notifications, limits of your own."),
      .retention = UNTIL_DELETED,
      .owner = "user_id",
      .personal = "revision content",
      .export = &export_user_settings,
      .erase = "DELETE FROM user_settings WHERE user_id = $1" },
    { .name = "user_settings_change",
      .purpose = TR("What you changed in your settings, and when: `/settings history` shows it."),
      .retention = TR("your newest 500 changes, until you delete your data"),
      .owner = "user_id",
      .personal = "revision key old_value new_value changed_at interaction_id",
      .export = &export_user_settings_change,
      .erase = "DELETE FROM user_settings_change WHERE user_id = $1" },
    { .name = "outbox",
      .purpose = TR("Answers and notices that are still to be sent to Discord."),
      .retention = TR("15 minutes, notices for channels a day, and then until the next clean-up"),
      .impersonal = "id kind subject interaction_id application_id guild_id request_id version "
                    "is_final is_reposted is_started state reason tries owner available_at "
                    "expires_at created_at changed_at sent_at channel_id started_at "
                    "effect_id",
      .sealed = "content",
      .erase = sql_withdraw_notices },
    { .name = "server_settings_change",
      .purpose = TR("What you changed in a server's settings: its admins see who changed what."),
      .retention =
          TR("the server's newest 500 changes; your id in them until you delete your data"),
      .owner = "changed_by",
      .personal = "guild_id revision key old_value new_value changed_at interaction_id",
      .export = &export_server_settings_change,
      .erase = "UPDATE server_settings_change SET changed_by = NULL WHERE changed_by = $1" },
    { .name = "server_settings", .impersonal = "guild_id revision content" },
    { .name = "wizard_draft",
      .purpose = TR("What you have answered in /setup."),
      .retention = TR("5 minutes, and then until somebody next uses /setup"),
      .owner = "user_id",
      .personal = "id wizard guild_id state base answers mistakes interaction_id expires_at",
      .impersonal = "page version base_revision",
      .export = &export_wizard_draft,
      .erase = "DELETE FROM wizard_draft WHERE user_id = $1",
      .forget = FORGET_EARLIER("wizard_draft", "id") },
    { .name = "erasure",
      .purpose = TR("That you deleted your data, under a hash instead of your id: deleting it must "
                    "not bring coins or end a wait or a break."),
      .retention = TR("30 days, or until a longer wait or break is over, and then until somebody "
                      "next deletes their data"),
      .owner = "fingerprint",
      .personal = "erased_at closed_until",
      .export = &export_erasure,
      .is_fingerprinted = true },
    { .name = "ledger_entry",
      .purpose = TR("What moved coins, and the rewards that are given once only."),
      .retention = FOR_EVER_NOBODYS,
      .owner = "grant_owner_id",
      .personal = "interaction_id operation guild_id grant_name detail created_at",
      .exported_with = "ledger_transfer",
      .erase = sql_erase_entries,
      .is_aliased = true },
    { .name = "account",
      .purpose = TR("Your wallet and your bank account."),
      .retention = FOR_EVER_NOBODYS,
      .owner = "owner_id",
      .personal = "id kind balance balance_limit",
      .export = &export_account,
      .erase = "UPDATE account SET owner_id = $2 WHERE owner_id = $1 AND kind <> 'house'",
      .is_aliased = true },
    { .name = "ledger_transfer",
      .purpose = TR("Every movement of your coins, with the balance it led to."),
      .retention = FOR_EVER_NOBODYS,
      .owner = "from_account to_account",
      .personal = "interaction_id operation position amount from_balance to_balance",
      .export = &export_ledger },
    { .name = "instance", .impersonal = "id role host process_id version started_at lease_until" },
    { .name = "duty", .impersonal = "name instance_id number held_until" },
    { .name = "bot_state", .impersonal = "key value" },
    { .name = "schema_migration", .impersonal = "version name sha256 applied_at" },
    { .name = NULL },
};

static_assert(ARRAY_LENGTH(user_data_tables) <= USER_DATA_TABLES_MAX + 1, "counts have a place");

const struct user_data_table *user_data_find(struct str_view name)
{
    for (const struct user_data_table *table = user_data_tables; table->name; table++)
        if (str_equal(str_from(table->name), name))
            return table;
    return NULL;
}

/* --- Counting --- */

static const char sql_counts[] =
    "SELECT 'account', COUNT(*) FROM account WHERE owner_id = $1 AND kind <> 'house' "
    "UNION ALL SELECT 'tos_decision', COUNT(*) FROM tos_decision WHERE user_id = $1 "
    "UNION ALL SELECT 'tos_blocked', COUNT(*) FROM tos_blocked WHERE user_id = $1 "
    "UNION ALL SELECT 'cooldown', COUNT(*) FROM cooldown WHERE user_id = $1 "
    "UNION ALL SELECT 'daily_streak', COUNT(*) FROM daily_streak WHERE user_id = $1 "
    "UNION ALL SELECT 'pay_day', COUNT(*) FROM pay_day WHERE user_id = $1 "
    "UNION ALL SELECT 'game_losses', COUNT(*) FROM game_losses WHERE user_id = $1 "
    "UNION ALL SELECT 'known_user', COUNT(*) FROM known_user WHERE user_id = $1 "
    "UNION ALL SELECT 'known_guild', COUNT(*) FROM known_guild WHERE authorized_by = $1 "
    "UNION ALL SELECT 'user_settings', COUNT(*) FROM user_settings WHERE user_id = $1 "
    "UNION ALL SELECT 'user_settings_change', COUNT(*) FROM user_settings_change "
    "WHERE user_id = $1 "
    "UNION ALL SELECT 'server_settings_change', COUNT(*) FROM server_settings_change "
    "WHERE changed_by = $1 "
    "UNION ALL SELECT 'erasure', COUNT(*) FROM erasure WHERE fingerprint = $2 "
    "UNION ALL SELECT 'wizard_draft', COUNT(*) FROM wizard_draft WHERE user_id = $1 "
    "UNION ALL SELECT 'ledger_entry', COUNT(*) FROM ledger_entry WHERE grant_owner_id = $1 "
    "UNION ALL SELECT 'ledger_transfer', "
    "(SELECT COUNT(*) FROM account a JOIN ledger_transfer t ON t.from_account = a.id "
    "WHERE a.owner_id = $1 AND a.kind <> 'house') + "
    "(SELECT COUNT(*) FROM account a JOIN ledger_transfer t ON t.to_account = a.id "
    "WHERE a.owner_id = $1 AND a.kind <> 'house')";

int user_data_count(const struct services *services, int64_t user_id,
                    struct user_data_counts *counts, struct err *err)
{
    struct erasure_fingerprint fingerprint;
    erasure_fingerprint(services->erasure_key, user_id, &fingerprint);
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = { .sql = sql_counts,
                                            .parameters = { DB_INT(user_id),
                                                            erasure_value(&fingerprint) },
                                            .parameter_count = 2 };
    int result = db_query(services->db, &statement, &rows, err);
    if (result != 0)
        return err_wrap(err, "counting what is stored about somebody");
    *counts = (struct user_data_counts){ 0 };
    for (int i = 0; i < db_rows_count(rows); i++) {
        const struct user_data_table *table = user_data_find(db_rows_text(rows, i, 0));
        if (table)
            counts->rows[table - user_data_tables] = db_rows_int(rows, i, 1);
    }
    return 0;
}

/* --- Forgetting --- */

int user_data_forget(int64_t user_id, int64_t gone_at_ms,
                     struct db_statement statements[USER_DATA_TABLES_MAX])
{
    int count = 0;
    for (const struct user_data_table *table = user_data_tables; table->name; table++)
        if (table->forget)
            statements[count++] = (struct db_statement){
                .sql = table->forget,
                .parameters = { DB_INT(user_id), DB_INT(snowflake_first_of(gone_at_ms)) },
                .parameter_count = 2,
            };
    return count;
}
