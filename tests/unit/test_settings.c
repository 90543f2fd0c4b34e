/* Settings on a real database: what is saved is read, two who edit at once, replays, history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/clock.h"
#include "bronx/settings.h"

#include "cache/cache.h"
#include "fake_outbox.h"
#include "service_fixture.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define ALICE  INT64_C(412345678901234567)
#define BOB    INT64_C(498765432109876543)
#define HARLEM INT64_C(300000000000000001)

static const struct settings_owner of_harlem = { SETTINGS_OF_SERVER, HARLEM };
static const struct settings_owner of_alice = { SETTINGS_OF_USER, ALICE };

static struct outbox told; /* in the channels */

static int open_fixture(void **state)
{
    static struct service_fixture fixture;
    *state = &fixture;
    int result = service_fixture_open(&fixture);
    fake_outbox_init(&told);
    fixture.services.outbox = &told;
    return result;
}

static int close_fixture(void **state)
{
    service_fixture_close(*state);
    fake_outbox_fini(&told);
    return 0;
}

/* An interaction of this moment, so that times chosen in it are to come. */
static int64_t fresh_id(const struct service_fixture *fixture)
{
    static int64_t serial;
    return ((fixture->now_ms - DISCORD_EPOCH_MS) << 22) + ++serial;
}

static void begin(struct service_call *call, struct service_fixture *fixture, int64_t id,
                  int64_t user_id)
{
    static const struct command none = { .name = "none" };
    service_call_begin(call, fixture, &none, id, user_id);
    call->interaction.guild_id = HARLEM;
}

/* --- In short --- */

static int place_of(enum settings_scope scope, const char *key)
{
    const struct field *fields = settings_fields(scope);
    const struct field *field = field_find(fields, str_from(key));
    assert_non_null(field);
    return (int)(field - fields);
}

/* What there is, with `key` at `value` (NULL: absent), saved against `revision`. */
static int save_as(struct service_fixture *fixture, int64_t id, int64_t user_id,
                   struct settings_owner owner, int64_t revision, const char *key,
                   const char *value)
{
    struct service_call call;
    struct field_values values;
    struct err err = { 0 };
    int64_t there;
    begin(&call, fixture, id, user_id);
    assert_int_equal(settings_read(&call.call, owner, &there, &values, NULL), 0);
    values.values[place_of(owner.scope, key)] = str_from(value);
    int result = settings_save(&call.call, owner, revision, &values, &err);
    service_call_end(&call);
    return result;
}

static int save(struct service_fixture *fixture, struct settings_owner owner, int64_t revision,
                const char *key, const char *value)
{
    return save_as(fixture, fresh_id(fixture), ALICE, owner, revision, key, value);
}

static void assert_value(struct service_fixture *fixture, struct settings_owner owner,
                         const char *key, const char *expected)
{
    struct service_call call;
    struct field_values values;
    int64_t revision;
    begin(&call, fixture, fresh_id(fixture), BOB);
    assert_int_equal(settings_read(&call.call, owner, &revision, &values, NULL), 0);
    struct str_view value = values.values[place_of(owner.scope, key)];
    if (!str_equal(value, str_from(expected)) || !value.data != !expected)
        fail_msg("%s is \"%.*s\"", key, STR_ARGS(value));
    service_call_end(&call);
}

static void run_sql(struct service_fixture *fixture, const char *sql)
{
    const struct db_statement statement = { .sql = sql };
    struct err err = { 0 };
    if (db_query(fixture->db, &statement, NULL, &err) != 0)
        fail_msg("%s: %s", sql, err.message);
}

/* --- Reading --- */

static void a_new_call_has_the_defaults_of_the_tables(void **state)
{
    struct service_call call;
    begin(&call, *state, 1, ALICE);
    assert_int_equal(call.call.server->max_bet, 100000);
    assert_int_equal(call.call.server->pay_daily_cap, 50000);
    assert_true(call.call.server->has_economy && call.call.server->has_games);
    assert_false(call.call.server->has_voteban);
    assert_int_equal(call.call.server->voteban_minutes, 7 * 24 * 60);
    assert_int_equal(call.call.server->channels.count, 0);
    assert_true(str_equal(call.call.person->time_zone, STR("UTC")));
    assert_int_equal(call.call.person->privacy, PRIVACY_PUBLIC);
    assert_int_equal(call.call.person->cool_off_until_ms, 0);
    service_call_end(&call);
}

/* Every field of both tables, at a value that is not its default, comes back in its member. */
static void what_was_saved_is_loaded(void **state)
{
    struct service_fixture *fixture = *state;
    static const char *const server[] = { "currency_name", "gems",  "currency_symbol", "💎",
                                          "economy",       "off",   "max_bet",         "5",
                                          "channels",      "11,12", "voteban_minutes", "90" };
    struct service_call call;
    for (size_t i = 0; i < ARRAY_LENGTH(server); i += 2)
        assert_int_equal(save(fixture, of_harlem, (int64_t)i / 2, server[i], server[i + 1]),
                         SETTINGS_SAVED);
    assert_int_equal(save(fixture, of_alice, 0, "time_zone", "Asia/Tokyo"), SETTINGS_SAVED);
    assert_int_equal(save(fixture, of_alice, 1, "privacy", "private"), SETTINGS_SAVED);
    assert_int_equal(save(fixture, of_alice, 2, "notifications", "none"), SETTINGS_SAVED);
    begin(&call, fixture, fresh_id(fixture), ALICE);
    assert_int_equal(settings_load(&call.call, NULL), 0);
    const struct server_settings *loaded = call.call.server;
    assert_int_equal(loaded->revision, 6);
    assert_true(str_equal(loaded->currency_name, STR("gems")));
    assert_true(str_equal(loaded->currency_symbol, STR("💎")));
    assert_false(loaded->has_economy);
    assert_true(loaded->has_games);
    assert_int_equal(loaded->max_bet, 5);
    assert_int_equal(loaded->channels.count, 2);
    assert_int_equal(loaded->channels.ids[1], 12);
    assert_int_equal(loaded->log_channel.count, 0);
    assert_int_equal(loaded->voteban_minutes, 90);
    assert_int_equal(call.call.person->revision, 3);
    assert_true(str_equal(call.call.person->time_zone, STR("Asia/Tokyo")));
    assert_int_equal(call.call.person->privacy, PRIVACY_PRIVATE);
    assert_int_equal(call.call.person->notifications, NOTIFY_NONE);
    service_call_end(&call);
}

static void a_direct_message_has_no_servers_settings(void **state)
{
    struct service_fixture *fixture = *state;
    struct service_call call;
    assert_int_equal(
        save(fixture, (struct settings_owner){ SETTINGS_OF_SERVER, 0 }, 0, "games", "off"),
        SETTINGS_SAVED);
    begin(&call, fixture, fresh_id(fixture), ALICE);
    call.interaction.guild_id = 0;
    assert_int_equal(settings_load(&call.call, NULL), 0);
    assert_true(call.call.server->has_games);
    service_call_end(&call);
}

static void settings_of_somebody_else_are_theirs(void **state)
{
    struct service_fixture *fixture = *state;
    struct service_call call;
    const struct user_settings *settings;
    assert_int_equal(save(fixture, of_alice, 0, "privacy", "private"), SETTINGS_SAVED);
    begin(&call, fixture, fresh_id(fixture), BOB);
    assert_int_equal(settings_of_user(&call.call, ALICE, &settings, NULL), 0);
    assert_int_equal(settings->privacy, PRIVACY_PRIVATE);
    assert_int_equal(settings_of_user(&call.call, BOB, &settings, NULL), 0);
    assert_int_equal(settings->privacy, PRIVACY_PUBLIC);
    service_call_end(&call);
}

static void a_stored_value_that_is_not_allowed_any_more_is_the_default(void **state)
{
    struct service_fixture *fixture = *state;
    struct service_call call;
    run_sql(fixture, "INSERT INTO server_settings VALUES (300000000000000001, 4, "
                     "'max_bet=-3\nvoteban_votes=1000\ngames=off\n')");
    begin(&call, fixture, fresh_id(fixture), ALICE);
    assert_int_equal(settings_load(&call.call, NULL), 0);
    assert_int_equal(call.call.server->max_bet, 100000);
    assert_int_equal(call.call.server->voteban_votes, 25);
    assert_false(call.call.server->has_games);
    service_call_end(&call);
    assert_value(fixture, of_harlem, "max_bet", NULL);
    assert_int_equal(save(fixture, of_harlem, 4, "shop", "off"), SETTINGS_SAVED);
}

static void lines_of_a_newer_version_are_kept(void **state)
{
    struct service_fixture *fixture = *state;
    run_sql(fixture, "INSERT INTO server_settings VALUES (300000000000000001, 1, "
                     "'new_one=1\ngames=off\nother=a=b\n')");
    assert_int_equal(save(fixture, of_harlem, 1, "games", "on"), SETTINGS_SAVED);
    assert_int_equal(save(fixture, of_harlem, 2, "shop", "off"), SETTINGS_SAVED);
    assert_int_equal(service_fixture_count(fixture, "SELECT COUNT(*) FROM server_settings WHERE "
                                                    "content = 'games=on\nshop=off\nnew_one=1\n"
                                                    "other=a=b\n'"),
                     1);
}

/* --- Two at once --- */

static void the_second_of_two_is_told_and_changes_nothing(void **state)
{
    struct service_fixture *fixture = *state;
    assert_int_equal(save(fixture, of_harlem, 0, "max_bet", "1"), SETTINGS_SAVED);
    assert_int_equal(save(fixture, of_harlem, 0, "shop", "off"), SETTINGS_CONFLICT);
    assert_int_equal(save(fixture, of_harlem, 2, "shop", "off"), SETTINGS_CONFLICT);
    assert_value(fixture, of_harlem, "shop", NULL);
    assert_int_equal(service_fixture_count(fixture, "SELECT COUNT(*) FROM server_settings_change"),
                     1);
    assert_int_equal(save(fixture, of_harlem, 1, "shop", "off"), SETTINGS_SAVED);
}

static void a_revision_that_is_gone_is_a_conflict(void **state)
{
    struct service_fixture *fixture = *state;
    assert_int_equal(save(fixture, of_harlem, 0, "max_bet", "1"), SETTINGS_SAVED);
    run_sql(fixture, "DELETE FROM server_settings");
    assert_int_equal(save(fixture, of_harlem, 1, "shop", "off"), SETTINGS_CONFLICT);
    assert_int_equal(save(fixture, of_harlem, 0, "shop", "off"), SETTINGS_SAVED);
}

struct saver {
    struct service_fixture *fixture;
    int64_t id;
    int64_t revision;
    char value[8];
    int result;
};

static void *save_at_once(void *argument)
{
    struct saver *saver = argument;
    saver->result = save_as(saver->fixture, saver->id, ALICE, of_harlem, saver->revision, "max_bet",
                            saver->value);
    return NULL;
}

#define SAVERS 6
#define ROUNDS 20

/* Three interactions, each delivered twice, all against one revision. */
static void of_many_at_the_same_instant_one_interaction_saves(void **state)
{
    struct service_fixture *fixture = *state;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[SAVERS];
        struct saver savers[SAVERS];
        int saved = 0;
        for (int i = 0; i < SAVERS; i++) {
            savers[i] = (struct saver){ .fixture = fixture, .revision = round };
            savers[i].id = i % 2 == 0 ? fresh_id(fixture) : savers[i - 1].id;
            snprintf(savers[i].value, sizeof(savers[i].value), "%d", 1000 + 10 * round + i / 2);
            assert_int_equal(pthread_create(&threads[i], NULL, save_at_once, &savers[i]), 0);
        }
        for (int i = 0; i < SAVERS; i++) {
            pthread_join(threads[i], NULL);
            assert_true(savers[i].result == SETTINGS_SAVED ||
                        savers[i].result == SETTINGS_CONFLICT);
            saved += savers[i].result == SETTINGS_SAVED;
            if (i % 2 == 1)
                assert_int_equal(savers[i].result, savers[i - 1].result);
        }
        assert_int_equal(saved, 2);
    }
    assert_int_equal(service_fixture_count(fixture, "SELECT revision FROM server_settings"),
                     ROUNDS);
    assert_int_equal(service_fixture_count(fixture, "SELECT COUNT(*) FROM server_settings_change"),
                     ROUNDS);
}

/* --- Again --- */

static void a_replay_is_saved_and_changes_nothing(void **state)
{
    struct service_fixture *fixture = *state;
    int64_t id = fresh_id(fixture);
    assert_int_equal(save_as(fixture, id, ALICE, of_harlem, 0, "games", "off"), SETTINGS_SAVED);
    assert_int_equal(save_as(fixture, id, ALICE, of_harlem, 0, "games", "off"), SETTINGS_SAVED);
    /* As a handler does that reads the revision anew. */
    assert_int_equal(save_as(fixture, id, ALICE, of_harlem, 1, "games", "off"), SETTINGS_SAVED);
    /* Even when somebody else has saved meanwhile. */
    assert_int_equal(save(fixture, of_harlem, 1, "games", "on"), SETTINGS_SAVED);
    assert_int_equal(save_as(fixture, id, ALICE, of_harlem, 2, "games", "off"), SETTINGS_SAVED);
    assert_value(fixture, of_harlem, "games", "on");
    assert_int_equal(service_fixture_count(fixture, "SELECT revision FROM server_settings"), 2);
}

static void saving_what_is_there_makes_no_revision(void **state)
{
    struct service_fixture *fixture = *state;
    assert_int_equal(save(fixture, of_harlem, 0, "games", "on"), SETTINGS_UNCHANGED); /* default */
    assert_int_equal(save(fixture, of_harlem, 0, "games", "off"), SETTINGS_SAVED);
    assert_int_equal(save(fixture, of_harlem, 1, "games", "off"), SETTINGS_UNCHANGED);
    assert_int_equal(service_fixture_count(fixture, "SELECT revision FROM server_settings"), 1);
}

static void the_call_that_saved_goes_on_with_the_new_settings(void **state)
{
    struct service_fixture *fixture = *state;
    for (int run = 0; run < 2; run++) {
        struct service_call call;
        struct field_values values = { 0 };
        begin(&call, fixture, ((fixture->now_ms - DISCORD_EPOCH_MS) << 22) + 999999, ALICE);
        assert_int_equal(settings_load(&call.call, NULL), 0);
        values.values[place_of(SETTINGS_OF_SERVER, "max_bet")] = STR("77");
        assert_int_equal(settings_save(&call.call, of_harlem, 0, &values, NULL), SETTINGS_SAVED);
        assert_int_equal(call.call.server->max_bet, 77);
        assert_int_equal(call.call.server->revision, 1);
        service_call_end(&call);
    }
}

static void a_value_that_is_not_allowed_is_never_saved(void **state)
{
    struct service_fixture *fixture = *state;
    static const char *const wrong[] = { "max_bet",  "-1",    "max_bet",       "1k",
                                         "games",    "yes",   "currency_name", "a\nb=c",
                                         "channels", "1,2,x", "voteban_votes", "0" };
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i += 2)
        assert_int_equal(save(fixture, of_harlem, 0, wrong[i], wrong[i + 1]), ERR_INVALID);
    assert_int_equal(service_fixture_count(fixture, "SELECT COUNT(*) FROM server_settings"), 0);
}

/* --- A break from games --- */

static void a_break_that_runs_is_only_made_longer(void **state)
{
    struct service_fixture *fixture = *state;
    char week[24], month[24];
    struct service_call call;
    snprintf(week, sizeof(week), "%" PRId64, fixture->now_ms + 7 * MS_PER_DAY);
    snprintf(month, sizeof(month), "%" PRId64, fixture->now_ms + 30 * MS_PER_DAY);
    assert_int_equal(save(fixture, of_alice, 0, "cool_off", week), SETTINGS_SAVED);
    assert_int_equal(save(fixture, of_alice, 1, "cool_off", "0"), SETTINGS_UNCHANGED);
    assert_int_equal(save(fixture, of_alice, 1, "cool_off", NULL), SETTINGS_UNCHANGED);
    assert_int_equal(save(fixture, of_alice, 1, "cool_off", month), SETTINGS_SAVED);
    assert_int_equal(save(fixture, of_alice, 2, "cool_off", week), SETTINGS_UNCHANGED);
    begin(&call, fixture, fresh_id(fixture), ALICE);
    assert_int_equal(settings_load(&call.call, NULL), 0);
    assert_int_equal(call.call.person->cool_off_until_ms, fixture->now_ms + 30 * MS_PER_DAY);
    service_call_end(&call);

    fixture->now_ms += 31 * MS_PER_DAY; /* it is over, as if it had never been */
    assert_int_equal(save(fixture, of_alice, 2, "cool_off", "0"), SETTINGS_UNCHANGED);
    assert_int_equal(save(fixture, of_alice, 2, "max_bet", "5"), SETTINGS_SAVED);
    assert_int_equal(service_fixture_count(fixture, "SELECT COUNT(*) FROM user_settings_change "
                                                    "WHERE revision = 3"),
                     1);
}

/* Read before its end, as a draft does, and saved after it. */
static void a_break_that_ended_meanwhile_is_no_change(void **state)
{
    struct service_fixture *fixture = *state;
    struct service_call call;
    struct field_values values;
    char hour[24];
    int64_t revision;
    snprintf(hour, sizeof(hour), "%" PRId64, fixture->now_ms + MS_PER_HOUR);
    assert_int_equal(save(fixture, of_alice, 0, "cool_off", hour), SETTINGS_SAVED);
    begin(&call, fixture, fresh_id(fixture), ALICE);
    assert_int_equal(settings_read(&call.call, of_alice, &revision, &values, NULL), 0);
    call.call.now_ms += MS_PER_HOUR;
    assert_int_equal(settings_save(&call.call, of_alice, revision, &values, NULL),
                     SETTINGS_UNCHANGED);
    service_call_end(&call);
}

/* All at once, as a reset does: the rest goes, the break stays. */
static void a_reset_does_not_end_a_break(void **state)
{
    struct service_fixture *fixture = *state;
    struct service_call call;
    const struct field_values nothing = { 0 };
    char week[24];
    snprintf(week, sizeof(week), "%" PRId64, fixture->now_ms + 7 * MS_PER_DAY);
    assert_int_equal(save(fixture, of_alice, 0, "cool_off", week), SETTINGS_SAVED);
    assert_int_equal(save(fixture, of_alice, 1, "max_bet", "5"), SETTINGS_SAVED);
    begin(&call, fixture, fresh_id(fixture), ALICE);
    assert_int_equal(settings_save(&call.call, of_alice, 2, &nothing, NULL), SETTINGS_SAVED);
    service_call_end(&call);
    assert_value(fixture, of_alice, "max_bet", NULL);
    assert_value(fixture, of_alice, "cool_off", week);
}

/* --- History --- */

static void assert_change(const struct settings_change *change, int64_t revision, const char *key,
                          const char *before, const char *after)
{
    assert_int_equal(change->revision, revision);
    assert_true(str_equal(change->key, str_from(key)));
    assert_true(str_equal(change->old_value, str_from(before)));
    assert_true(!before == !change->old_value.data);
    assert_true(str_equal(change->new_value, str_from(after)));
    assert_true(!after == !change->new_value.data);
}

static void history_tells_who_changed_what_newest_first(void **state)
{
    struct service_fixture *fixture = *state;
    struct service_call call;
    struct settings_change *changes, last;
    struct field_values values = { 0 };
    int count;
    begin(&call, fixture, fresh_id(fixture), BOB);
    assert_int_equal(settings_last_change(&call.call, of_harlem, &last, NULL), 0);
    values.values[place_of(SETTINGS_OF_SERVER, "games")] = STR("off");
    values.values[place_of(SETTINGS_OF_SERVER, "currency_name")] = STR("gems");
    assert_int_equal(settings_save(&call.call, of_harlem, 0, &values, NULL), SETTINGS_SAVED);
    fixture->now_ms += 1000;
    assert_int_equal(save(fixture, of_harlem, 1, "currency_name", ""), SETTINGS_SAVED);
    assert_int_equal(save(fixture, of_harlem, 2, "games", NULL), SETTINGS_SAVED);

    assert_int_equal(settings_history(&call.call, of_harlem, 0, 10, &changes, &count, NULL), 0);
    assert_int_equal(count, 4);
    assert_change(&changes[0], 3, "games", "off", NULL);
    assert_change(&changes[1], 2, "currency_name", "gems", "");
    assert_change(&changes[2], 1, "currency_name", NULL, "gems");
    assert_change(&changes[3], 1, "games", NULL, "off");
    assert_int_equal(changes[0].changed_by, ALICE);
    assert_int_equal(changes[0].changed_at_ms, fixture->now_ms);
    assert_int_equal(changes[3].changed_by, BOB);
    assert_int_equal(changes[3].changed_at_ms, fixture->now_ms - 1000);

    assert_int_equal(settings_history(&call.call, of_harlem, 1, 2, &changes, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_int_equal(changes[0].revision, 2);
    assert_int_equal(settings_last_change(&call.call, of_harlem, &last, NULL), 1);
    assert_change(&last, 3, "games", "off", NULL);
    service_call_end(&call);
}

static void history_tells_changes_of_one_save_in_the_order_of_the_table(void **state)
{
    struct service_fixture *fixture = *state;
    struct service_call call;
    struct settings_change *changes;
    struct field_values values = { 0 };
    int count;
    begin(&call, fixture, fresh_id(fixture), BOB);
    values.values[place_of(SETTINGS_OF_SERVER, "voting")] = STR("off");
    values.values[place_of(SETTINGS_OF_SERVER, "max_bet")] = STR("5");
    values.values[place_of(SETTINGS_OF_SERVER, "channels")] = STR("7");
    assert_int_equal(settings_save(&call.call, of_harlem, 0, &values, NULL), SETTINGS_SAVED);
    assert_int_equal(save(fixture, of_harlem, 1, "games", "off"), SETTINGS_SAVED);

    static const char *const keys[] = { "games", "voting", "max_bet", "channels" };
    for (int offset = 0; offset <= 4; offset++) {
        assert_int_equal(settings_history(&call.call, of_harlem, offset, 2, &changes, &count, NULL),
                         0);
        assert_int_equal(count, offset <= 2 ? 2 : 4 - offset);
        for (int i = 0; i < count; i++)
            assert_true(str_equal(changes[i].key, str_from(keys[offset + i])));
    }
    assert_int_equal(settings_history(&call.call, of_harlem, 900, 2, &changes, &count, NULL), 0);
    assert_int_equal(count, 0);
    assert_int_equal(settings_saved(&call.call, of_harlem, &changes, &count, NULL), 0);
    for (int i = 0; i < count; i++)
        assert_true(str_equal(changes[i].key, str_from(keys[i + 1])));
    assert_int_equal(count, 3);
    service_call_end(&call);
}

static void of_history_the_newest_500_changes_stay(void **state)
{
    struct service_fixture *fixture = *state;
    run_sql(fixture, "INSERT INTO server_settings VALUES (300000000000000001, 600, 'games=off\n')");
    run_sql(fixture,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) "
            "INSERT INTO server_settings_change SELECT 300000000000000001, i, 'games', 'on', "
            "'off', i, 1, i FROM n");
    run_sql(fixture, "INSERT INTO server_settings_change VALUES (7, 1, 'games', 'on', 'off', 1, 1, "
                     "1)");
    assert_int_equal(save(fixture, of_harlem, 600, "games", "on"), SETTINGS_SAVED);
    assert_int_equal(service_fixture_count(fixture, "SELECT COUNT(*) FROM server_settings_change "
                                                    "WHERE guild_id <> 7"),
                     500);
    assert_int_equal(service_fixture_count(fixture, "SELECT MIN(revision) FROM "
                                                    "server_settings_change WHERE guild_id <> 7"),
                     102);
    assert_int_equal(service_fixture_count(
                         fixture, "SELECT COUNT(*) FROM server_settings_change WHERE guild_id = 7"),
                     1);
}

/* --- The cache --- */

static void a_save_is_seen_by_the_next_call_through_a_cache(void **state)
{
    struct service_fixture *fixture = *state;
    struct cache *cache = NULL;
    const struct cache_settings settings = { .redis_url = "",
                                             .name_space = "test",
                                             .memory_bytes = 1024 * 1024,
                                             .is_only_process = true,
                                             .clock = &fixture->clock };
    assert_int_equal(cache_new(&cache, &settings, NULL), 0);
    fixture->services.cache = cache;
    for (int i = 0; i < 4; i++) {
        struct service_call call;
        begin(&call, fixture, fresh_id(fixture), ALICE);
        assert_int_equal(settings_load(&call.call, NULL), 0);
        assert_int_equal(call.call.server->revision, i);
        assert_int_equal(call.call.server->has_games, i % 2 == 0);
        service_call_end(&call);
        assert_int_equal(save(fixture, of_harlem, i, "games", i % 2 == 0 ? "off" : "on"),
                         SETTINGS_SAVED);
    }
    fixture->services.cache = NULL;
    cache_free(cache);
}

/* It may have died between its commit and telling anybody. */
static void a_replay_tells_the_cache_again(void **state)
{
    struct service_fixture *fixture = *state;
    struct cache *cache = NULL;
    struct service_call call;
    int64_t id = fresh_id(fixture);
    const struct cache_settings settings = { .redis_url = "",
                                             .name_space = "test",
                                             .memory_bytes = 1024 * 1024,
                                             .is_only_process = true,
                                             .clock = &fixture->clock };
    assert_int_equal(cache_new(&cache, &settings, NULL), 0);
    fixture->services.cache = cache;
    begin(&call, fixture, fresh_id(fixture), ALICE);
    assert_int_equal(settings_load(&call.call, NULL), 0);
    service_call_end(&call);
    fixture->services.cache = NULL;
    assert_int_equal(save_as(fixture, id, ALICE, of_harlem, 0, "games", "off"), SETTINGS_SAVED);
    fixture->services.cache = cache;
    assert_int_equal(save_as(fixture, id, ALICE, of_harlem, 0, "games", "off"), SETTINGS_SAVED);
    begin(&call, fixture, fresh_id(fixture), ALICE);
    assert_int_equal(settings_load(&call.call, NULL), 0);
    assert_false(call.call.server->has_games);
    service_call_end(&call);
    fixture->services.cache = NULL;
    cache_free(cache);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_call_has_the_defaults_of_the_tables),
        TEST(what_was_saved_is_loaded),
        TEST(a_direct_message_has_no_servers_settings),
        TEST(settings_of_somebody_else_are_theirs),
        TEST(a_stored_value_that_is_not_allowed_any_more_is_the_default),
        TEST(lines_of_a_newer_version_are_kept),
        TEST(the_second_of_two_is_told_and_changes_nothing),
        TEST(a_revision_that_is_gone_is_a_conflict),
        TEST(of_many_at_the_same_instant_one_interaction_saves),
        TEST(a_replay_is_saved_and_changes_nothing),
        TEST(saving_what_is_there_makes_no_revision),
        TEST(the_call_that_saved_goes_on_with_the_new_settings),
        TEST(a_value_that_is_not_allowed_is_never_saved),
        TEST(a_break_that_runs_is_only_made_longer),
        TEST(a_break_that_ended_meanwhile_is_no_change),
        TEST(a_reset_does_not_end_a_break),
        TEST(history_tells_who_changed_what_newest_first),
        TEST(history_tells_changes_of_one_save_in_the_order_of_the_table),
        TEST(of_history_the_newest_500_changes_stay),
        TEST(a_save_is_seen_by_the_next_call_through_a_cache),
        TEST(a_replay_tells_the_cache_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
