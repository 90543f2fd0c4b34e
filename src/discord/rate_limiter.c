/* What a request has to wait for, and what an answer teaches.
 *
 * The account of a bucket holds for windows of any kind, and for answers in any order: a request
 * counts while it is under way, and after that until the reset its answer spoke of, measured from
 * when it was heard. Discord counted it before that, so it forgets it before we do; what it counts
 * at any moment is therefore never more than `under_way + counted`, and that is kept within the
 * limit. What others use shows in `remaining` and is added to `counted`. */
#include "discord/rate_limiter.h"

#include "discord/rate_limiter_answer.h"
#include "discord/rate_limiter_bucket.h"
#include "discord/rate_limiter_global.h"
#include "discord/rate_limiter_lessons.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MS_US          INT64_C(1000)
/* When only an answer under way can change something. */
#define POLL_US        (10 * MS_US)
/* When Cloudflare does not say for how long it bans. */
#define BAN_MS         60000
/* After a probe of a ban that was lost. */
#define PROBE_AGAIN_MS 1000
/* A 429 that does not say how long, and a bucket whose window is not known. */
#define WAIT_MS        1000
#define DELAY_MAX_MS   3600000
/* A setting beyond is a mistake. */
#define PER_SECOND_MAX 100000

struct limiter {
    struct bucket_table *table;
    struct gate gate;
    struct global_limit global;
    struct invalid_budget invalid;
    int64_t closed_until_us; /* for all: a global 429 without the bot's token */
    int64_t delay_us;
    int64_t under_way;
    uint64_t sequence;
    bool is_shared;
    struct lessons lessons;
};

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* --- Making --- */

static int check_settings(const struct limiter_settings *settings, struct err *err)
{
    if (settings->global_per_second < 1 || settings->global_per_second > PER_SECOND_MAX)
        return err_set(err, ERR_LIMIT, "%d requests a second", settings->global_per_second);
    if (settings->invalid_max < 2)
        return err_set(err, ERR_LIMIT, "%d invalid requests", settings->invalid_max);
    return 0;
}

int limiter_new(struct limiter **limiter, const struct limiter_settings *settings, struct err *err)
{
    *limiter = NULL;
    struct limiter_settings used = *settings;
    if (used.global_per_second == 0)
        used.global_per_second = LIMITER_GLOBAL_PER_SECOND;
    if (used.invalid_max == 0)
        used.invalid_max = LIMITER_INVALID_MAX;
    if (used.buckets_max == 0)
        used.buckets_max = LIMITER_BUCKETS_MAX;
    int result = check_settings(&used, err);
    if (result < 0)
        return result;
    if (sodium_init() < 0)
        return err_set(err, ERR_INTERNAL, "libsodium does not start");
    struct limiter *made = calloc(1, sizeof(*made));
    if (!made)
        return err_set(err, ERR_MEMORY, "rate limiter");
    made->is_shared = used.share_key != NULL;
    invalid_budget_init(&made->invalid, used.invalid_max);
    result = global_limit_init(&made->global, used.global_per_second, err);
    if (result == 0)
        result = bucket_table_new(&made->table, used.buckets_max, used.share_key, err);
    if (result < 0) {
        limiter_free(made);
        return result;
    }
    *limiter = made;
    return 0;
}

void limiter_free(struct limiter *limiter)
{
    if (!limiter)
        return;
    bucket_table_free(limiter->table);
    global_limit_fini(&limiter->global);
    free(limiter);
}

/* --- Before sending --- */

static int64_t gate_open_at_us(const struct limiter *limiter, int64_t now_us)
{
    int64_t opens_us = gate_opens_us(&limiter->gate);
    return opens_us == INT64_MAX ? now_us + POLL_US : opens_us; /* its probe is under way */
}

/* What counts for all buckets. */
static enum limiter_wait wait_for_all(struct limiter *limiter, bool is_as_bot, int64_t now_us,
                                      int64_t *ask_at_us)
{
    *ask_at_us = gate_open_at_us(limiter, now_us);
    if (*ask_at_us > now_us)
        return LIMITER_WAIT_BANNED;
    *ask_at_us = limiter->closed_until_us;
    if (is_as_bot)
        *ask_at_us = later(*ask_at_us, global_limit_opens_us(&limiter->global, now_us));
    if (*ask_at_us > now_us)
        return LIMITER_WAIT_GLOBAL;
    *ask_at_us = invalid_budget_opens_us(&limiter->invalid, limiter->under_way, now_us);
    return *ask_at_us > now_us ? LIMITER_WAIT_BRAKE : LIMITER_GO;
}

/* The account a request of `route` counts on; NULL without memory for it. */
static struct bucket *account_of(struct limiter *limiter, const struct limiter_route *route,
                                 int64_t now_us)
{
    struct bucket_table *table = limiter->table;
    const struct limiter_known_route *known = bucket_table_route(table, route->route);
    struct limiter_key base = known ? known->base : bucket_table_route_key(table, route->route);
    struct limiter_key key = bucket_table_key(table, base, route->major);
    struct bucket *bucket = bucket_table_find(table, key);
    struct bucket *account = bucket_table_resolve(table, bucket);
    if (account)
        return account;
    if (bucket)
        bucket_table_restore(bucket);
    else
        bucket = bucket_table_make(table, key, now_us);
    if (!bucket || !known)
        return bucket;
    /* What was counted under the route's hash before. */
    struct bucket *before = bucket_table_resolve(
        table, bucket_table_find(table, bucket_table_key(table, known->previous, route->major)));
    if (before && before != bucket)
        bucket_table_move(before, bucket, limiter->sequence);
    return bucket;
}

static void forget_reset(struct bucket *account, int64_t now_us)
{
    if (account->reset_us <= now_us)
        account->counted = 0;
}

static int64_t account_opens_us(const struct limiter *limiter, struct bucket *account,
                                int64_t now_us)
{
    forget_reset(account, now_us);
    int64_t opens_us =
        later(later(now_us, account->closed_until_us), account->taken_us + limiter->delay_us);
    int64_t limit = account->is_known ? account->limit : 1;
    if (account->under_way + account->counted < limit)
        return opens_us;
    return later(opens_us, account->under_way < limit ? account->reset_us : now_us + POLL_US);
}

enum limiter_wait limiter_take(struct limiter *limiter, const struct limiter_route *route,
                               int64_t now_us, struct limiter_ticket *ticket, int64_t *ask_at_us)
{
    enum limiter_wait wait = wait_for_all(limiter, route->is_as_bot, now_us, ask_at_us);
    if (wait != LIMITER_GO)
        return wait;
    struct bucket *account = account_of(limiter, route, now_us);
    *ask_at_us = account ? account_opens_us(limiter, account, now_us) : now_us + POLL_US;
    if (*ask_at_us > now_us)
        return LIMITER_WAIT_BUCKET;

    *ticket = (struct limiter_ticket){
        .bucket = { account->key.word[0], account->key.word[1] },
        .sequence = ++limiter->sequence,
        .in_bucket = ++account->taken_count,
        .is_as_bot = route->is_as_bot,
    };
    bool is_open = gate_pass(&limiter->gate, now_us, &ticket->is_probe);
    assert(is_open);
    (void)is_open;
    if (route->is_as_bot)
        global_limit_take(&limiter->global);
    invalid_budget_take(&limiter->invalid, now_us);
    limiter->under_way++;
    account->taken_us = now_us;
    bucket_table_take(account);
    return LIMITER_GO;
}

/* --- After the answer --- */

static void teach_for_all(struct limiter *limiter, enum limiter_lesson_kind kind, int64_t until_us)
{
    if (limiter->is_shared)
        lessons_add(&limiter->lessons, &(struct limiter_lesson){ .kind = kind }, until_us);
}

static void teach_bucket(struct limiter *limiter, const struct limiter_route *route,
                         const struct bucket *account, int64_t until_us)
{
    if (!limiter->is_shared)
        return;
    struct limiter_key by_route = bucket_table_key(
        limiter->table, bucket_table_route_key(limiter->table, route->route), route->major);
    const struct limiter_lesson lesson = {
        .kind = LESSON_BUCKET,
        .bucket = { account->key.word[0], account->key.word[1] },
        .route = { by_route.word[0], by_route.word[1] },
    };
    lessons_add(&limiter->lessons, &lesson, until_us);
}

static void hear_for_all(struct limiter *limiter, const struct limiter_ticket *ticket,
                         enum effect effect, const struct rest_response *response,
                         const struct rest_error *error, int64_t now_us)
{
    limiter->under_way--;
    if (answer_is_invalid(response))
        invalid_budget_add(&limiter->invalid, now_us);
    if (ticket->is_as_bot)
        global_limit_heard(&limiter->global, effect != EFFECT_NONE, now_us);
    if (effect == EFFECT_GLOBAL) {
        int64_t *closed_until_us =
            ticket->is_as_bot ? &limiter->global.closed_until_us : &limiter->closed_until_us;
        int64_t until_us = now_us + answer_wait_us(response, error, WAIT_MS);
        *closed_until_us = later(*closed_until_us, until_us);
        teach_for_all(limiter, ticket->is_as_bot ? LESSON_BOT : LESSON_ALL, until_us);
    }
    if (effect == EFFECT_BANNED) {
        int64_t until_us = now_us + answer_wait_us(response, error, BAN_MS);
        gate_shut(&limiter->gate, until_us);
        teach_for_all(limiter, LESSON_BANNED, until_us);
    } else if (ticket->is_probe && response->result != REST_ANSWERED) {
        gate_shut(&limiter->gate, now_us + PROBE_AGAIN_MS * MS_US);
    }
    if (ticket->is_probe)
        gate_probe_ended(&limiter->gate, response->result == REST_ANSWERED);
}

/* The account that Discord named in its answer, which may teach us the route's hash. `account` is
 * the one the request was taken from. */
static struct bucket *account_named(struct limiter *limiter, const struct limiter_route *route,
                                    const struct limiter_ticket *ticket,
                                    const struct rest_response *response, struct bucket *account,
                                    int64_t now_us)
{
    struct bucket_table *table = limiter->table;
    struct str_view hash = str_from(response->bucket);
    struct limiter_known_route *known = bucket_table_route(table, route->route);
    if (!known || hash.length == 0)
        return account;
    bucket_table_learn(table, known, hash, answer_reset_us(response));
    struct limiter_key key = bucket_table_key(table, known->base, route->major);
    struct bucket *bucket = bucket_table_find(table, key);
    /* A request taken after its hash was renamed would not be answered with the old one: there are
     * two buckets, between which Discord changes. */
    if (bucket && bucket->is_alias && bucket->under_way == 0 &&
        ticket->sequence > bucket->alias_since)
        bucket_table_restore(bucket);
    struct bucket *named = bucket_table_resolve(table, bucket);
    bool is_new = !named;
    if (!bucket)
        named = bucket_table_make(table, key, now_us);
    else if (is_new)
        bucket_table_restore(named = bucket);
    if (!named)
        return account;
    if (named != account && (is_new || !account->is_known))
        bucket_table_move(account, named, limiter->sequence);
    return named;
}

/* `others`: requests under way that Discord may not have counted yet when it answered. */
static void read_headers(struct bucket *account, const struct rest_response *response,
                         int64_t others, int64_t now_us)
{
    if (account->limit != response->limit) { /* another bucket, or another rule for it */
        account->counted = 0;
        account->reset_us = now_us;
        others = later(others, account->under_way);
    }
    account->is_known = true;
    account->limit = response->limit;
    int64_t used = response->limit - response->remaining + others;
    if (account->counted + account->under_way < used)
        account->counted = used - account->under_way;
    account->reset_us = later(account->reset_us, now_us + answer_reset_us(response));
}

static void count_blindly(struct limiter *limiter, const struct limiter_route *route,
                          struct bucket *account, const struct rest_response *response,
                          int64_t now_us)
{
    /* A route without limits is answered without headers. */
    if (!account->is_known && response->result == REST_ANSWERED && response->status < 500)
        return;
    const struct limiter_known_route *known = bucket_table_route(limiter->table, route->route);
    int64_t window_us = known ? known->window_us : 0;
    account->counted++;
    account->reset_us =
        later(account->reset_us, now_us + (window_us > 0 ? window_us : WAIT_MS * MS_US));
}

void limiter_heard(struct limiter *limiter, const struct limiter_route *route,
                   const struct limiter_ticket *ticket, const struct rest_response *response,
                   const struct rest_error *error, int64_t now_us)
{
    enum effect effect = answer_effect(response, error);
    hear_for_all(limiter, ticket, effect, response, error, now_us);

    struct bucket_table *table = limiter->table;
    struct bucket *holder =
        bucket_table_find(table, (struct limiter_key){ { ticket->bucket[0], ticket->bucket[1] } });
    struct bucket *account = bucket_table_resolve(table, holder);
    assert(holder && account); /* what is under way holds both */
    bool has_news =
        answer_has_headers(response) && (effect == EFFECT_COUNTED || effect == EFFECT_CLOSED);
    struct bucket *named = account;
    if (has_news)
        named = account_named(limiter, route, ticket, response, account, now_us);
    account = bucket_table_heard(table, holder, now_us);

    forget_reset(named, now_us);
    if (effect == EFFECT_COUNTED) {
        named->counted++;
    } else if (effect == EFFECT_BLIND) {
        count_blindly(limiter, route, named, response, now_us);
    } else if (effect == EFFECT_CLOSED) {
        int64_t until_us = now_us + answer_wait_us(response, error, WAIT_MS);
        named->closed_until_us = later(named->closed_until_us, until_us);
        teach_bucket(limiter, route, named, until_us);
    }
    if (!has_news)
        return;
    if (effect == EFFECT_COUNTED && response->remaining == 0)
        teach_bucket(limiter, route, named, now_us + answer_reset_us(response));
    int64_t taken_after = (int64_t)(account->taken_count - ticket->in_bucket);
    int64_t others = account->under_way < taken_after ? account->under_way : taken_after;
    if (named != account)
        others = account->under_way + named->under_way;
    read_headers(named, response, others, now_us);
}

/* --- Together with others --- */

void limiter_set_part(struct limiter *limiter, const struct limiter_part *part)
{
    struct global_limit *global = &limiter->global;
    global->per_second =
        part->global_per_second < global->room ? part->global_per_second : global->room;
    limiter->invalid.max = part->invalid_max;
    limiter->invalid.brake = part->invalid_brake;
    limiter->invalid.pause_us = part->brake_us;
}

struct limiter_use limiter_use(struct limiter *limiter, int64_t now_us)
{
    struct limiter_use use = {
        .global = global_limit_use(&limiter->global, now_us),
        .invalid = invalid_budget_count(&limiter->invalid, now_us) + (int)limiter->under_way,
        .is_global_short = limiter->global.was_short,
        .is_invalid_short = limiter->invalid.was_short,
    };
    limiter->global.was_short = limiter->invalid.was_short = false;
    return use;
}

size_t limiter_take_lessons(struct limiter *limiter, int64_t now_us, struct limiter_lesson *lessons,
                            size_t max)
{
    return lessons_take(&limiter->lessons, now_us, lessons, max);
}

/* A bucket that nobody here has used is remembered for its closure. */
static void close_bucket(struct limiter *limiter, const uint64_t word[2], int64_t until_us,
                         int64_t now_us)
{
    struct limiter_key key = { { word[0], word[1] } };
    struct bucket *bucket = bucket_table_find(limiter->table, key);
    struct bucket *account = bucket_table_resolve(limiter->table, bucket);
    if (!bucket)
        account = bucket_table_make(limiter->table, key, now_us);
    if (account)
        account->closed_until_us = later(account->closed_until_us, until_us);
}

void limiter_learn(struct limiter *limiter, const struct limiter_lesson *lesson, int64_t now_us)
{
    int64_t longest_us = REST_WAIT_MAX_MS * MS_US;
    int64_t until_us = now_us + (lesson->wait_us < longest_us ? lesson->wait_us : longest_us);
    switch (lesson->kind) {
    case LESSON_BOT:
        limiter->global.closed_until_us = later(limiter->global.closed_until_us, until_us);
        break;
    case LESSON_ALL:
        limiter->closed_until_us = later(limiter->closed_until_us, until_us);
        break;
    case LESSON_BANNED:
        gate_shut(&limiter->gate, until_us);
        break;
    default:
        close_bucket(limiter, lesson->bucket, until_us, now_us);
        if (memcmp(lesson->bucket, lesson->route, sizeof(lesson->bucket)) != 0)
            close_bucket(limiter, lesson->route, until_us, now_us);
    }
}

/* --- Upkeep --- */

void limiter_set_delay(struct limiter *limiter, int64_t delay_ms)
{
    int64_t bounded_ms = delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS;
    limiter->delay_us = later(bounded_ms, 0) * MS_US;
}

void limiter_sweep(struct limiter *limiter, int64_t now_us)
{
    bucket_table_sweep(limiter->table, LIMITER_IDLE_MS * MS_US, now_us);
}

void limiter_state(const struct limiter *limiter, int64_t now_us, struct limiter_state *state)
{
    int64_t shut_until_us = limiter->closed_until_us;
    if (limiter->gate.state != GATE_OPEN)
        shut_until_us = later(shut_until_us, gate_open_at_us(limiter, now_us));
    *state = (struct limiter_state){
        .buckets = bucket_table_count(limiter->table),
        .routes = bucket_table_route_count(limiter->table),
        .invalid = invalid_budget_count(&limiter->invalid, now_us),
        .shut_until_us = shut_until_us > now_us ? shut_until_us : 0,
        .is_braked = invalid_budget_is_braked(&limiter->invalid, now_us),
    };
}
