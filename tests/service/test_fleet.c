/* Several processes that are one bot: on one PostgreSQL and one Redis, behind one nginx with TLS.
 *
 * A bad day for a fleet of three: people from 2,000 servers use it while one process is killed, one
 * is restarted, Redis goes away for a sixth of the time, and PostgreSQL is restarted. Everybody
 * gets an answer within 3 s; only while PostgreSQL is away may it be "try again". No coin is lost
 * or doubled, no edit is lost, no rule of Discord's is broken.
 *
 * BRONXBOT_FLEET_SECONDS is how long the day is (20). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crowd.h"
#include "fleet.h"
#include "newcomers.h"
#include "payments.h"

#include "harness/front.h"
#include "harness/lookup.h"
#include "harness/memory.h"
#include "harness/yardstick.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif

/* A fifth of what two cores bear, or less: an answer's time is not a matter of luck. */
#ifdef IS_SANITIZED
#define PER_SECOND 20
#else
#define PER_SECOND 100
#endif
#define SECONDS            20
#define SECONDS_MAX        600
#define SLOWER             10 /* so many times as long may a day last */
#define BOTS               3
#define REDIS_AWAY_SHARE   6  /* of the day, one part in so many */
#define HIT_PERCENT        80 /* of reads of user data, while Redis and PostgreSQL are there */
#define LOOK_MS            10
#define LAST_SEQUENCE      4100000 /* of interaction ids, after the crowd's and the newcomers' */
#define TRIES_MAX          10000
#define STORY_PAUSE_FACTOR 100000 /* a newcomer for each 100 commands */

/* --- What the caches say --- */

struct reads {
    int64_t hits, shared_hits, misses;
};

enum phase { ALL_THERE, PART_AWAY, PHASES }; /* Redis or PostgreSQL is away */

struct day {
    struct fleet fleet;
    struct harness_front front;
    struct yardstick *yardstick;
    struct crowd_options load;
    int asked;               /* commands */
    struct reads seen[BOTS]; /* counters of a process when they were last looked at */
    struct reads reads[PHASES];
    int64_t redis_losses;                       /* seen by the processes there are at the end */
    int64_t postgres_gone_ms, postgres_back_ms; /* monotonic */
    int polite, edits, late, excused;
    int64_t *receipts; /* interactions that were told of a payment */
    size_t receipt_count;
};

static void look_at_cache(struct day *day, int bot, enum phase phase)
{
    const struct reads now = {
        .hits = fleet_metric(&day->fleet, bot, "bronxbot_cache_hits_total{category=\"user\"}"),
        .shared_hits =
            fleet_metric(&day->fleet, bot, "bronxbot_cache_shared_hits_total{category=\"user\"}"),
        .misses = fleet_metric(&day->fleet, bot, "bronxbot_cache_misses_total{category=\"user\"}"),
    };
    struct reads *sum = &day->reads[phase], *seen = &day->seen[bot];
    sum->hits += now.hits - seen->hits;
    sum->shared_hits += now.shared_hits - seen->shared_hits;
    sum->misses += now.misses - seen->misses;
    *seen = now;
}

static void look_at_all_caches(struct day *day, enum phase phase)
{
    for (int i = 0; i < BOTS; i++)
        look_at_cache(day, i, phase);
}

static double hit_percent(const struct reads *reads)
{
    int64_t hits = reads->hits + reads->shared_hits, all = hits + reads->misses;
    return all > 0 ? 100.0 * (double)hits / (double)all : 0;
}

/* --- What goes wrong --- */

static void await_everywhere(struct day *day, const char *part, const char *state)
{
    for (int i = 0; i < BOTS; i++)
        fleet_await_part(&day->fleet, i, part, state);
}

static void sleep_ms(int milliseconds)
{
    const struct timespec pause = { milliseconds / 1000, milliseconds % 1000 * 1000000L };
    nanosleep(&pause, NULL);
}

static void kill_one(struct day *day)
{
    look_at_cache(day, 0, ALL_THERE);
    fleet_kill(&day->fleet, 0);
    day->seen[0] = (struct reads){ 0 };
    fleet_launch(&day->fleet, 0);
}

static void restart_one(struct day *day)
{
    look_at_cache(day, 1, ALL_THERE);
    fleet_restart(&day->fleet, 1);
    day->seen[1] = (struct reads){ 0 };
}

static void restart_postgres(struct day *day)
{
    look_at_all_caches(day, ALL_THERE);
    day->postgres_gone_ms = crowd_now_ms();
    harness_postgres_stop(&day->fleet.postgres);
    await_everywhere(day, "database", "down");
    fleet_start_postgres(&day->fleet);
    await_everywhere(day, "database", "ok");
    day->postgres_back_ms = crowd_now_ms();
    look_at_all_caches(day, PART_AWAY);
    for (int i = 0; i < BOTS; i++)
        assert_true(harness_bot_is_running(&day->fleet.bots[i]));
}

static void take_redis_away_for_a_while(struct day *day)
{
    look_at_all_caches(day, ALL_THERE);
    harness_redis_stop(&day->fleet.redis);
    await_everywhere(day, "cache", "degraded");
    sleep_ms(day->load.count * 1000 / PER_SECOND / REDIS_AWAY_SHARE);
    fleet_start_redis(&day->fleet);
    await_everywhere(day, "cache", "ok");
    look_at_all_caches(day, PART_AWAY);
}

/* In quiet before each so many percent of the day. On a slow machine all of it takes longer, and so
 * the crowd stays longer. */
static const struct {
    int quiet_percent;
    void (*happen)(struct day *day);
} mishaps[] = {
    { 10, kill_one },
    { 15, restart_one },
    { 20, restart_postgres },
    { 10, take_redis_away_for_a_while },
};
#define LAST_QUIET_PERCENT 20

static void let_it_go_wrong(struct day *day, struct crowd *crowd)
{
    const int day_ms = day->load.count * 1000 / PER_SECOND;
    for (size_t i = 0; i < ARRAY_LENGTH(mishaps); i++) {
        sleep_ms(day_ms * mishaps[i].quiet_percent / 100);
        mishaps[i].happen(day);
    }
    sleep_ms(day_ms * LAST_QUIET_PERCENT / 100);
    crowd_await(crowd, day->load.count);
}

static struct crowd *live_through_the_day(struct day *day, struct newcomers_result *newcomers)
{
    const struct newcomers_options stories = { &day->fleet, &day->front,
                                               STORY_PAUSE_FACTOR / PER_SECOND };
    day->yardstick = yardstick_start(&day->front);
    struct crowd *crowd = crowd_start(&day->load);
    struct newcomers *people = newcomers_start(&stories);
    let_it_go_wrong(day, crowd);
    day->asked = crowd_join(crowd);
    newcomers_join(people, newcomers);
    yardstick_stop(day->yardstick);
    look_at_all_caches(day, ALL_THERE);
    for (int i = 0; i < BOTS; i++)
        day->redis_losses += fleet_metric(&day->fleet, i, "bronxbot_cache_breaker_opened_total");
    return crowd;
}

/* --- Answers and edits --- */

static bool is_postgres_away(const struct day *day, const struct crowd_ask *ask)
{
    return ask->began_ms <= day->postgres_back_ms && ask->ended_ms >= day->postgres_gone_ms;
}

/* A reply that was promised before PostgreSQL left may be made while it is away. */
static bool may_edit_be_polite(const struct day *day, const struct crowd_ask *ask)
{
    return ask->began_ms <= day->postgres_back_ms &&
           ask->ended_ms >= day->postgres_gone_ms - FLEET_DEADLINE_MS;
}

/* What was promised, once it is there. */
static enum crowd_result await_edit(struct day *day, const struct crowd_ask *ask)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    enum fleet_reply reply = fleet_await_reply(&day->fleet, ask->id, &text);
    day->edits += reply == FLEET_REPLY_SHOWN;
    if (reply == FLEET_REPLY_SHOWN)
        return crowd_judge(ask->command, text.data);
    return reply == FLEET_REPLY_PRIVATE ? CROWD_TRY_AGAIN : CROWD_UNANSWERED;
}

static void explain(const struct day *day, const struct crowd_ask *ask, const char *what)
{
    CLEANUP(buf_free) struct buf tails = { 0 };
    for (int i = 0; i < BOTS; i++)
        harness_bot_log_tail(&day->fleet.bots[i], 10, &tails);
    fail_msg("/%s (PostgreSQL left %lld ms after it began, came back after %lld): %s %s\n%.*s",
             ask->command, (long long)(day->postgres_gone_ms - ask->began_ms),
             (long long)(day->postgres_back_ms - ask->began_ms), what, ask->wrong ? ask->wrong : "",
             STR_ARGS(buf_view(&tails)));
}

/* Nobody can be in time on a machine that stands still. */
static void blame(struct day *day, const struct crowd_ask *ask, const char *what)
{
    if (!yardstick_was_busy(day->yardstick, ask->began_ms, ask->ended_ms))
        explain(day, ask, what);
    day->excused++;
}

static void judge_ask(struct day *day, const struct crowd_ask *ask)
{
    enum crowd_result result = ask->result;
    bool may_be_polite = is_postgres_away(day, ask);
    if (result == CROWD_UNANSWERED) {
        day->late++;
        blame(day, ask, "no answer in time");
        return;
    }
    if (result == CROWD_DEFERRED) {
        may_be_polite = may_edit_be_polite(day, ask);
        result = await_edit(day, ask);
    }
    if (result == CROWD_UNANSWERED)
        explain(day, ask, "no edit");
    if (result == CROWD_WRONG)
        explain(day, ask, "a strange answer");
    if (result == CROWD_TRY_AGAIN && !may_be_polite)
        blame(day, ask, "\"try again\" with PostgreSQL there");
    day->polite += result == CROWD_TRY_AGAIN;
    if (result == CROWD_GOOD && strcmp(ask->command, "pay") == 0) {
        must_grow(&day->receipts, day->receipt_count, sizeof(int64_t));
        day->receipts[day->receipt_count++] = ask->id;
    }
}

/* --- The books --- */

static void assert_receipts_are_true(const struct day *day, struct service_fixture *database)
{
    CLEANUP(lookup_free) struct lookup paid = { 0 };
    payments_read(database, &paid);
    for (size_t i = 0; i < day->receipt_count; i++)
        if (!lookup_find(&paid, (uint64_t)day->receipts[i]))
            fail_msg("the ledger does not have what receipt %lld says",
                     (long long)day->receipts[i]);
}

static void look_at_the_books(const struct day *day, struct service_fixture *database,
                              const struct newcomers_result *newcomers)
{
    struct err err = { 0 };
    char welcomed[160];
    if (ledger_verify(database->db, &err) != 0)
        fail_msg("%s", err.message);
    snprintf(welcomed, sizeof(welcomed),
             "SELECT COUNT(*) FROM ledger_entry WHERE operation = 'tos_bonus' AND interaction_id > "
             "%lld",
             1LL << 40); /* payments_prepare's ids are small */
    assert_int_equal(service_fixture_count(database, welcomed), newcomers->people);
    /* Discord takes no edit of what was answered too late. */
    if (day->late == 0)
        assert_int_equal(
            service_fixture_count(database, "SELECT COUNT(*) FROM outbox WHERE state <> 'done'"),
            0);
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void print_times(const struct crowd_ask *asks, int count)
{
    int64_t *waits = must_allocate((size_t)count, sizeof(int64_t));
    for (int i = 0; i < count; i++)
        waits[i] = asks[i].wait_us;
    qsort(waits, (size_t)count, sizeof(int64_t), compare);
    print_message("%d commands, %d a second: half within %.1f ms, 99 %% within %.1f ms, all within "
                  "%.1f ms\n",
                  count, PER_SECOND, (double)waits[count / 2] / 1000,
                  (double)waits[count * 99 / 100] / 1000, (double)waits[count - 1] / 1000);
    free(waits);
}

static void print_day(const struct day *day, const struct newcomers_result *newcomers)
{
    struct rest_statistics discord;
    const struct reads *there = &day->reads[ALL_THERE], *away = &day->reads[PART_AWAY];
    const struct reads all = { there->hits + away->hits, there->shared_hits + away->shared_hits,
                               there->misses + away->misses };
    rest_server_statistics(day->fleet.discord, &discord);
    print_message("PostgreSQL was away for %lld ms: %d \"try again\"; %d edits, %d receipts, %zu "
                  "requests to Discord, %zu of them got 429\n",
                  (long long)(day->postgres_back_ms - day->postgres_gone_ms), day->polite,
                  day->edits, (int)day->receipt_count, discord.requests, discord.limited);
    if (day->excused > 0)
        print_message("this machine did not keep up: %d commands are not judged, %d of them were "
                      "answered too late\n",
                      day->excused, day->late);
    print_message("%d newcomers; after accepting, %d times the terms once more\n",
                  newcomers->people, newcomers->asked_anew);
    print_message("reads of user data: %.1f %% hits (%lld in memory, %lld in Redis, %lld misses); "
                  "%.1f %% with those while Redis or PostgreSQL was away\n",
                  hit_percent(there), (long long)there->hits, (long long)there->shared_hits,
                  (long long)there->misses, hit_percent(&all));
}

static void judge_day(struct day *day, const struct crowd *crowd,
                      const struct newcomers_result *newcomers)
{
    struct service_fixture database;
    const struct crowd_ask *asks = crowd_asks(crowd);
    print_times(asks, day->asked);
    fleet_open_database(&day->fleet, &database);
    for (int i = 0; i < day->asked; i++)
        judge_ask(day, &asks[i]);
    print_day(day, newcomers);
    if (newcomers->failure[0])
        fail_msg("a newcomer: %s", newcomers->failure);
    assert_true(day->receipt_count > 0);
    assert_receipts_are_true(day, &database);
    assert_true(newcomers->people > 0);
    for (int i = 0; i < BOTS; i++)
        fleet_stop(&day->fleet, i);
    look_at_the_books(day, &database, newcomers);
    service_fixture_close(&database);
    fleet_assert_no_violation(&day->fleet);
    if (day->redis_losses > BOTS)
        print_message("Redis was given up %d times: this machine is too busy for a hit rate\n",
                      (int)day->redis_losses);
    else
        assert_true(hit_percent(&day->reads[ALL_THERE]) > HIT_PERCENT);
}

/* --- Clearing the caches --- */

static int64_t bytes_of_user_data(struct day *day, int bot)
{
    return fleet_metric(&day->fleet, bot, "bronxbot_cache_bytes{category=\"user\"}");
}

/* Asks until the process keeps something. */
static void warm(struct day *day, int bot)
{
    CLEANUP(http_client_release)
    struct http_client *client = http_client_new(&day->fleet.bots[bot].listen);
    for (int tries = 0; bytes_of_user_data(day, bot) == 0; tries++) {
        CLEANUP(http_answer_free) struct http_answer answer = { 0 };
        const struct envelope envelope = {
            .id = fleet_interaction_id(&day->fleet, 0) + LAST_SEQUENCE + tries,
            .application_id = HARNESS_APPLICATION_ID,
            .person = { .id = PAYMENTS_FIRST_PERSON, .name = "somebody" },
            .place = { .guild_id = 500, .channel_id = 501, .channel_name = "general" },
        };
        CLEANUP(json_release)
        json_object *interaction = command_interaction(&envelope, 42, "balance", NULL, NULL);
        (void)fleet_ask(&day->fleet, client, &envelope, interaction, &answer);
        assert_true(tries < TRIES_MAX);
    }
}

/* What is known of people lives for 300 s: longer than this waits, so it does not go by itself. */
static void clearing_reaches_all(struct day *day)
{
    static const char *const arguments[] = { "cache", "clear", "user:*", NULL };
    CLEANUP(buf_free) struct buf out = { 0 };
    struct err err = { 0 };
    await_everywhere(day, "cache", "ok");
    for (int i = 0; i < BOTS; i++)
        warm(day, i);
    int64_t began_ms = crowd_now_ms();
    if (harness_bot_run(&day->fleet.bots[0], BRONXBOT_BINARY, arguments, NULL, &out, &err) != 0)
        fail_msg("%.*s %s", STR_ARGS(buf_view(&out)), err.message);
    int64_t returned_ms = crowd_now_ms();
    for (int i = 0; i < BOTS; i++)
        while (bytes_of_user_data(day, i) > 0)
            if (crowd_now_ms() - began_ms > FLEET_PATIENCE_MS)
                fail_msg("bot %d has heard nothing", i);
    print_message("`cache clear` took %lld ms, and %lld ms after it the three caches were seen "
                  "empty; %.*s",
                  (long long)(returned_ms - began_ms), (long long)(crowd_now_ms() - returned_ms),
                  STR_ARGS(buf_view(&out)));
}

/* --- Tests --- */

static int day_seconds(void)
{
    const char *given = getenv("BRONXBOT_FLEET_SECONDS");
    int64_t seconds = 0;
    return given && str_to_int64(str_from(given), &seconds) == 0 && seconds > 0 &&
                   seconds <= SECONDS_MAX
               ? (int)seconds
               : SECONDS;
}

static void open_front(struct day *day)
{
    struct harness_front_options options = { .nginx_folder = NGINX_FOLDER };
    struct err err = { 0 };
    for (int i = 0; i < BOTS; i++)
        options.instances[i] = &day->fleet.bots[i].listen;
    if (harness_front_init(&day->front, &options, &err) != 0 ||
        harness_front_launch(&day->front, &err) != 0)
        fail_msg("%s", err.message);
}

static void prepare_people(struct day *day)
{
    struct service_fixture database;
    fleet_open_database(&day->fleet, &database);
    fleet_lift_cooldowns(&database);
    payments_prepare(&database, crowd_spenders(&day->load));
    service_fixture_close(&database);
}

static void nobody_notices_what_goes_wrong_in_a_fleet(void **state)
{
    static struct day day;
    static const char *const environment[] = { "GUILD_COUNT=2000", "DB_POOL_MAX=20",
                                               "LOG_LEVEL=warning", NULL };
    const struct fleet_options options = { .binary = BRONXBOT_BINARY,
                                           .bot_count = BOTS,
                                           .environment = environment };
    struct newcomers_result newcomers;
    *state = &day;
    fleet_open(&day.fleet, &options);
    open_front(&day);
    day.load = (struct crowd_options){ .fleet = &day.fleet,
                                       .front = &day.front,
                                       .per_second = PER_SECOND,
                                       .count = PER_SECOND * day_seconds(),
                                       .count_max = SLOWER * PER_SECOND * day_seconds() };
    prepare_people(&day);
    fleet_launch_all(&day.fleet);
    await_everywhere(&day, "cache", "ok");
    struct crowd *crowd = live_through_the_day(&day, &newcomers);
    clearing_reaches_all(&day);
    judge_day(&day, crowd, &newcomers);
    crowd_free(crowd);
}

static int close_day(void **state)
{
    struct day *day = *state;
    if (day) {
        free(day->receipts);
        yardstick_free(day->yardstick);
        harness_front_fini(&day->front);
        fleet_close(&day->fleet);
    }
    return 0;
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nobody_notices_what_goes_wrong_in_a_fleet, close_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
