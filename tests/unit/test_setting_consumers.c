/* Every setting is in force: each row of `consumers` asks something through the router, changes one
 * setting for real, asks the same again, and sees another answer. A setting without a row fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/clock.h"
#include "bronx/language.h"
#include "bronx/settings.h"
#include "bronx/tos.h"

#include "commands.h"
#include "router_fixture.h"
#include "wager.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NOW_MS   INT64_C(1790000000000) /* 2026-09-21, 13:33 in UTC, the day after in Kiritimati */
#define PERSON   INT64_C(21)
#define OTHER    INT64_C(22)
#define RAISER   INT64_C(28)
/* A Discord account of a day. */
#define NEWCOMER ((NOW_MS - MS_PER_DAY - DISCORD_EPOCH_MS) << 22)
#define RICH     INT64_C(1000000000)

static int64_t fresh_id(void)
{
    static int64_t id = 5000;
    return ++id;
}

/* --- Commands of every category, as small as can be --- */

static int run_earn(struct call *call, struct err *err)
{
    (void)err;
    reply_text(call->reply, "earned %.*s", STR_ARGS(currency_show(call, 1000)));
    return 0;
}

static int show_end_of_day(struct call *call, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = {
        .sql = "SELECT ends_at FROM game_losses WHERE user_id = $1",
        .parameters = { DB_INT(call->interaction->user.id) },
        .parameter_count = 1,
    };
    int result = db_query(call->services->db, &statement, &rows, err);
    reply_text(call->reply, "until %" PRId64, db_rows_int(rows, 0, 0) / MS_PER_HOUR % 24);
    return result;
}

/* A game that is always lost. */
static int run_bet(struct call *call, struct err *err)
{
    struct wager wager;
    int may = wager_read(call, call_text(call, "bet"), RICH, &wager, err);
    if (may != 1)
        return may;
    struct db_statement statement = wager_stake(call, &wager);
    int result = db_query(call->services->db, &statement, NULL, err);
    if (result == ERR_EXPECTATION)
        return wager_refuse_losses(call, err);
    if (result == 0)
        reply_text(call->reply, "lost %" PRId64, wager.stake);
    return result == 0 ? show_end_of_day(call, err) : result;
}

static const struct option bet_options[] = {
    { .name = "bet", .description = "How much", .type = OPTION_STRING, .is_required = true },
    { .name = NULL },
};

static const struct command earn = {
    .name = "earn", .description = "Earn", .category = CATEGORY_ECONOMY, .run = run_earn
};
static const struct command bet = { .name = "bet",
                                    .description = "Bet",
                                    .category = CATEGORY_GAMES,
                                    .options = bet_options,
                                    .run = run_bet };
static const struct command buy = {
    .name = "buy", .description = "Buy", .category = CATEGORY_SHOP, .run = run_earn
};
static const struct command vote = {
    .name = "vote", .description = "Vote", .category = CATEGORY_VOTING, .run = run_earn
};

static const struct command *const commands[] = { &earn,        &bet, &buy, &vote, &balance_command,
                                                  &pay_command, NULL };

/* --- What is asked --- */

#define SIMPLE(name) "{\"id\":\"1\",\"type\":1,\"name\":\"" name "\"}"
#define BET(amount)                                                                                \
    "{\"id\":\"1\",\"type\":1,\"name\":\"bet\",\"options\":[{\"type\":3,\"name\":\"bet\","         \
    "\"value\":\"" amount "\"}]}"
#define OTHER_USER                                                                                 \
    "\"resolved\":{\"users\":{\"22\":{\"id\":\"22\",\"username\":\"other\",\"bot\":false}}}"
#define BALANCE_OF_OTHER                                                                           \
    "{\"id\":\"1\",\"type\":1,\"name\":\"balance\",\"options\":[{\"type\":6,\"name\":\"user\","    \
    "\"value\":\"22\"}]," OTHER_USER "}"
#define PAY_OTHER                                                                                  \
    "{\"id\":\"1\",\"type\":1,\"name\":\"pay\",\"options\":[{\"type\":6,\"name\":\"user\","        \
    "\"value\":\"22\"},{\"type\":3,\"name\":\"amount\",\"value\":\"20\"}]," OTHER_USER "}"

struct consumer {
    enum settings_scope scope;
    const char *key;
    const char *value;          /* canonical; "break" is a time to come */
    const char *data;           /* of the command */
    const char *before, *after; /* what the answer holds */
    int64_t asker;              /* PERSON when 0 */
    int64_t set_by;             /* whose setting, PERSON when 0 */
    bool is_next_day;           /* when it takes effect */
    const char *scene;          /* instead of all that: where a message in a channel is seen */
};

static const struct consumer consumers[] = {
    { SETTINGS_OF_SERVER, "currency_name", "gems", SIMPLE("earn"), "1,000 coins", "1,000 gems" },
    { SETTINGS_OF_SERVER, "currency_symbol", "$", SIMPLE("earn"), "earned 1,000", "$ 1,000" },
    { SETTINGS_OF_SERVER, "economy", "off", SIMPLE("earn"), "earned", "economy is switched off" },
    { SETTINGS_OF_SERVER, "games", "off", BET("1"), "lost 1", "Games are switched off" },
    { SETTINGS_OF_SERVER, "shop", "off", SIMPLE("buy"), "earned", "shop is switched off" },
    { SETTINGS_OF_SERVER, "voting", "off", SIMPLE("vote"), "earned", "Voting is switched off" },
    { SETTINGS_OF_SERVER, "max_bet", "100", BET("101"), "lost 101",
      "highest bet in this server is 100 coins" },
    { SETTINGS_OF_SERVER, "pay_daily_cap", "10", PAY_OTHER, "paid", "You can pay others 10 coins" },
    { SETTINGS_OF_SERVER, "min_account_age_days", "2", SIMPLE("earn"), "earned", "too young",
      .asker = NEWCOMER },
    { SETTINGS_OF_SERVER, "channels", "77,78", SIMPLE("earn"), "earned",
      "works in these channels only: <#77>, <#78>" },
    { SETTINGS_OF_SERVER, "announcement_channel", .scene = "settings_announcements" },
    { SETTINGS_OF_SERVER, "log_channel", .scene = "settings_log" },
    { SETTINGS_OF_USER, "time_zone", "Pacific/Kiritimati", BET("1"), "until 0", "until 10",
      .is_next_day = true },
    { SETTINGS_OF_USER, "privacy", "private", BALANCE_OF_OTHER, "Balance of", "balance private",
      .set_by = OTHER },
    { SETTINGS_OF_USER, "notifications", "important", PAY_OTHER, "\"users\":[\"22\"]",
      "\"users\":[],", .set_by = OTHER },
    { SETTINGS_OF_USER, "max_bet", "50", BET("51"), "lost 51", "Your own limit for a bet is 50" },
    { SETTINGS_OF_USER, "loss_limit", "60", BET("50"), "lost 50", "lose more today than the 60" },
    { SETTINGS_OF_USER, "cool_off", "break", BET("1"), "lost 1", "taking a break from games" },
};

/* --- Doing it --- */

static int open_fixture(void **state)
{
    static struct router_fixture fixture;
    *state = &fixture;
    return router_fixture_open(&fixture, commands, 1, 4);
}

static int close_fixture(void **state)
{
    router_fixture_close(*state);
    return 0;
}

static void begin(struct service_call *call, struct router_fixture *fixture, int64_t user_id)
{
    static const struct command none = { .name = "none" };
    service_call_begin(call, &fixture->base, &none, fresh_id(), user_id);
    call->interaction.guild_id = FIXTURE_GUILD;
}

static void accept_terms(struct router_fixture *fixture, int64_t user_id)
{
    struct service_call call;
    begin(&call, fixture, user_id);
    assert_int_equal(tos_accept(&call.call, NULL, NULL), 0);
    service_call_end(&call);
}

/* `value` STR_NONE: the default again. */
static void set(struct router_fixture *fixture, const struct consumer *consumer,
                struct str_view value)
{
    struct service_call call;
    struct err err = { 0 };
    int64_t person = consumer->set_by ? consumer->set_by : PERSON;
    struct settings_owner owner = { consumer->scope, consumer->scope == SETTINGS_OF_SERVER
                                                         ? FIXTURE_GUILD
                                                         : person };
    const struct field *fields = settings_fields(consumer->scope);
    const struct field *field = field_find(fields, str_from(consumer->key));
    struct field_values values;
    int64_t revision;
    begin(&call, fixture, person);
    assert_non_null(field);
    assert_int_equal(settings_read(&call.call, owner, &revision, &values, &err), 0);
    values.values[field - fields] = value;
    int result = settings_save(&call.call, owner, revision, &values, &err);
    if (result != SETTINGS_SAVED)
        fail_msg("%s: %d, %s", consumer->key, result, err.message);
    service_call_end(&call);
}

static bool answer_holds(struct router_fixture *fixture, const struct consumer *consumer,
                         const char *text)
{
    CLEANUP(buf_free) struct buf body = { 0 };
    fixture->base.now_ms += 4 * MS_PER_SECOND; /* past the cooldown of /pay */
    router_fixture_ask(fixture,
                       &(struct ask){ .type = INTERACTION_COMMAND,
                                      .id = fresh_id(),
                                      .user_id = consumer->asker ? consumer->asker : PERSON,
                                      .guild_id = FIXTURE_GUILD,
                                      .data = consumer->data },
                       &body);
    assert_non_null(body.data);
    if (!strstr(body.data, text))
        print_error("%s: \"%s\" is not in %s\n", consumer->key, text, body.data);
    return strstr(body.data, text) != NULL;
}

static void assert_in_force(struct router_fixture *fixture, const struct consumer *consumer)
{
    char until[24];
    snprintf(until, sizeof(until), "%" PRId64, fixture->base.now_ms + MS_PER_DAY);
    bool is_break = strcmp(consumer->value, "break") == 0;
    assert_true(answer_holds(fixture, consumer, consumer->before));
    set(fixture, consumer, str_from(is_break ? until : consumer->value));
    if (consumer->is_next_day) {
        assert_true(answer_holds(fixture, consumer, consumer->before));
        fixture->base.now_ms += MS_PER_DAY;
    }
    assert_true(answer_holds(fixture, consumer, consumer->after));
    if (!is_break) { /* which can't be taken back */
        set(fixture, consumer, STR_NONE);
    }
}

static const struct consumer *find_consumer(enum settings_scope scope, const char *key)
{
    for (size_t i = 0; i < ARRAY_LENGTH(consumers); i++)
        if (consumers[i].scope == scope && strcmp(consumers[i].key, key) == 0)
            return &consumers[i];
    return NULL;
}

static bool is_asked_for(struct router_fixture *fixture, const struct field *field)
{
    struct service_call call;
    const struct field_values none = { 0 };
    begin(&call, fixture, PERSON);
    bool applies = !field->applies || field->applies(&call.call, &none);
    service_call_end(&call);
    return applies;
}

static void every_setting_is_in_force_on_the_next_interaction(void **state)
{
    struct router_fixture *fixture = *state;
    accept_terms(fixture, PERSON);
    for (size_t i = 0; i < ARRAY_LENGTH(consumers); i++)
        if (!consumers[i].scene)
            assert_in_force(fixture, &consumers[i]);
}

static void assert_all_consumed(struct router_fixture *fixture, enum settings_scope scope)
{
    const struct field *fields = settings_fields(scope);
    for (const struct field *field = fields; field->key; field++)
        if (is_asked_for(fixture, field) && !find_consumer(scope, field->key))
            fail_msg("nothing honours the setting %s", field->key);
}

static void no_setting_is_asked_for_that_nothing_honours(void **state)
{
    assert_all_consumed(*state, SETTINGS_OF_SERVER);
    assert_all_consumed(*state, SETTINGS_OF_USER);
}

/* Each sets it, and then looks into a channel. */
static void scenes_show_the_settings_whose_effect_is_in_a_channel(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(consumers); i++) {
        char path[256], wanted[64], text[8192];
        if (!consumers[i].scene)
            continue;
        snprintf(path, sizeof(path), "%s/%s.scene", SCENES, consumers[i].scene);
        snprintf(wanted, sizeof(wanted), "field:server.%s\n", consumers[i].key);
        FILE *scene = fopen(path, "r");
        assert_non_null(scene);
        text[fread(text, 1, sizeof(text) - 1, scene)] = '\0';
        fclose(scene);
        const char *setting = strstr(text, wanted);
        assert_non_null(setting);
        assert_non_null(strstr(setting, "await in #"));
    }
}

static void a_thread_belongs_to_its_channel(void **state)
{
    struct router_fixture *fixture = *state;
    const struct consumer channel = { SETTINGS_OF_SERVER, "channels", .scene = NULL };
    CLEANUP(buf_free) struct buf json = { 0 };
    CLEANUP(buf_free) struct buf body = { 0 };
    set(fixture, &channel, STR("77"));
    buf_append_format(&json,
                      "{\"type\":2,\"id\":\"%" PRId64 "\",\"application_id\":\"2\",\"token\":\"t\","
                      "\"channel_id\":\"5\",\"channel\":{\"id\":\"5\",\"type\":11,\"name\":\"t\","
                      "\"parent_id\":\"77\"},\"locale\":\"en-US\",\"guild_id\":\"%" PRId64 "\","
                      "\"context\":0,\"member\":{\"roles\":[],\"permissions\":\"0\",\"user\":"
                      "{\"id\":\"21\",\"username\":\"someone\"}},\"data\":" SIMPLE("earn") "}",
                      fresh_id(), FIXTURE_GUILD);
    assert_int_equal(router_fixture_post(fixture, buf_view(&json), &body), 0);
    assert_non_null(strstr(body.data, "earned 1,000"));
    set(fixture, &channel, STR_NONE);
}

/* Discord's clock and ours need not agree. */
static void any_account_is_old_enough_where_no_age_is_asked_for(void **state)
{
    struct router_fixture *fixture = *state;
    const struct consumer nothing_set = { .data = SIMPLE("earn"),
                                          .asker = NEWCOMER + (MS_PER_DAY * 2 << 22) };
    assert_true(answer_holds(fixture, &nothing_set, "earned"));
}

static void what_a_game_pays_out_is_not_lost(void **state)
{
    struct router_fixture *fixture = *state;
    const struct consumer limit = { SETTINGS_OF_USER, "loss_limit", .data = BET("60"),
                                    .asker = OTHER, .set_by = OTHER };
    set(fixture, &limit, STR("100"));
    assert_true(answer_holds(fixture, &limit, "lost 60"));
    struct db_statement payout = wager_payout(OTHER, fixture->base.now_ms, 60);
    assert_true(answer_holds(fixture, &limit, "lose more today than the 100"));
    assert_int_equal(db_query(fixture->base.db, &payout, NULL, NULL), 0);
    assert_true(answer_holds(fixture, &limit, "lost 60"));
}

static void a_loss_limit_that_is_raised_counts_from_the_next_day_on(void **state)
{
    struct router_fixture *fixture = *state;
    const struct consumer limit = { SETTINGS_OF_USER, "loss_limit", .data = BET("60"),
                                    .asker = RAISER, .set_by = RAISER };
    set(fixture, &limit, STR("100"));
    assert_true(answer_holds(fixture, &limit, "lost 60"));
    set(fixture, &limit, STR("1000"));
    assert_true(
        answer_holds(fixture, &limit, "more today than the 100 coins you allowed yourself"));
    set(fixture, &limit, STR("0"));
    assert_true(answer_holds(fixture, &limit, "Your higher limit counts from midnight in UTC on."));
    set(fixture, &limit, STR("119"));
    assert_true(answer_holds(fixture, &limit, "you allowed yourself"));
    set(fixture, &limit, STR("90"));
    assert_true(answer_holds(fixture, &limit, "more today than the 90 coins you allow yourself"));
    set(fixture, &limit, STR("130"));
    fixture->base.now_ms += MS_PER_DAY;
    assert_true(answer_holds(fixture, &limit, "lost 60"));
    assert_true(answer_holds(fixture, &limit, "lost 60"));
    assert_true(answer_holds(fixture, &limit, "more today than the 130 coins you allow yourself"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_is_in_force_on_the_next_interaction),
        cmocka_unit_test(no_setting_is_asked_for_that_nothing_honours),
        cmocka_unit_test(scenes_show_the_settings_whose_effect_is_in_a_channel),
        cmocka_unit_test(a_thread_belongs_to_its_channel),
        cmocka_unit_test(any_account_is_old_enough_where_no_age_is_asked_for),
        cmocka_unit_test(what_a_game_pays_out_is_not_lost),
        cmocka_unit_test(a_loss_limit_that_is_raised_counts_from_the_next_day_on),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
