/* Erasing a person, as the register says. Stateless: any executor thread may be in here.
 *
 * It takes a random negative alias for the owner of accounts: no user or house account has a
 * negative id, and since the alias is made for one erasure and written down nowhere else, nobody
 * can say whose it was.
 *
 * Before anything goes, what would be worth deleting for is remembered without a name, see
 * erasure.h. Cooldowns are read by the transaction itself; a break is in the settings, which are
 * read before it, so the transaction begins by holding their row, and is tried again when it was
 * saved meanwhile. */
#include "bronx/cooldown.h"
#include "bronx/services.h"
#include "bronx/settings.h"
#include "bronx/tos.h"
#include "bronx/user_data.h"

#include <assert.h>
#include <sodium.h>

#define ERASE_TRIES    8 /* while the same person saves settings */
#define STATEMENTS_MAX (1 + ERASURE_STATEMENTS + USER_DATA_TABLES_MAX)

static_assert(STATEMENTS_MAX <= DB_MAX_STATEMENTS, "an erasure fits one transaction");

/* 0: none. Times of FIELD_UNTIL are those that nobody can make shorter for themself. */
static int64_t end_of_breaks(const struct field_values *values)
{
    int64_t end_ms = 0, at_ms;
    for (int i = 0; user_fields[i].key; i++)
        if (user_fields[i].kind == FIELD_UNTIL && str_to_uint63(values->values[i], &at_ms) == 0 &&
            at_ms > end_ms)
            end_ms = at_ms;
    return end_ms;
}

static struct erasure what_is_remembered(const struct call *call, const struct field_values *values)
{
    int64_t now_ms = clock_wall_ms(call->services->clock);
    int64_t a_day_on_ms = now_ms + ERASURE_CLOSED_MS, breaks_end_ms = end_of_breaks(values);
    struct erasure erasure = {
        .user_id = call->interaction->user.id,
        .erased_at_ms = now_ms,
        .closed_until_ms = a_day_on_ms > breaks_end_ms ? a_day_on_ms : breaks_end_ms,
    };
    erasure_fingerprint(call->services->erasure_key, erasure.user_id, &erasure.fingerprint);
    return erasure;
}

/* What the register says; returns how many statements. */
static int add_tables(int64_t user_id, struct db_statement *statements)
{
    int count = 0;
    int64_t alias;
    randombytes_buf(&alias, sizeof(alias));
    alias |= INT64_MIN;
    for (const struct user_data_table *table = user_data_tables; table->name; table++)
        if (table->erase)
            statements[count++] = (struct db_statement){
                .sql = table->erase,
                .parameters = { DB_INT(user_id), DB_INT(alias) },
                .parameter_count = table->is_aliased ? 2 : 1,
            };
    return count;
}

/* Makes the row if there is none, so that somebody who saves now waits for the erasure's end. */
static const char sql_hold_settings[] =
    "INSERT INTO user_settings (user_id, revision, content) VALUES ($1, 1, '') "
    "ON CONFLICT (user_id) DO UPDATE SET revision = user_settings.revision "
    "WHERE user_settings.revision = $2";

/* ERR_EXPECTATION when the settings were saved meanwhile, for they may have begun a break. */
static int try_to_erase(struct call *call, int64_t user_id, struct err *err)
{
    struct db_statement statements[STATEMENTS_MAX] = { 0 };
    struct field_values values;
    int64_t revision;
    int result = settings_read(call, (struct settings_owner){ SETTINGS_OF_USER, user_id },
                               &revision, &values, err);
    if (result != 0)
        return result;
    const struct erasure erasure = what_is_remembered(call, &values);
    statements[0] = (struct db_statement){
        .sql = sql_hold_settings,
        .parameters = { DB_INT(user_id), DB_INT(revision) },
        .parameter_count = 2,
        .expect = DB_ONE_ROW,
    };
    erasure_record(&erasure, statements + 1);
    int count = 1 + ERASURE_STATEMENTS;
    count += add_tables(user_id, statements + count);
    return db_settle(call->services->db, statements, count, NULL, err);
}

int user_data_erase(struct call *call, struct err *err)
{
    int64_t user_id = call->interaction->user.id;
    int result = ERR_EXPECTATION;
    for (int i = 0; i < ERASE_TRIES && result == ERR_EXPECTATION; i++)
        result = try_to_erase(call, user_id, err);
    /* After a failure, too: the commit may have happened and its answer been lost. */
    tos_forget(call->services, user_id);
    cooldown_forget(call->services, user_id);
    settings_forget(call->services, (struct settings_owner){ SETTINGS_OF_USER, user_id });
    return result == 0 ? 0 : err_wrap(err, "erasing somebody");
}
