/* Hash tables with chains; their keys are keyed hashes, so nobody can aim at a slot. Buckets for
 * which nothing is under way are in the idle list, the one used longest ago first: only those are
 * ever forgotten. */
#include "discord/rate_limiter_bucket.h"

#include "discord/rate_limiter.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define ROUTE_SLOTS   256
/* One call of the sweep forgets at most so many. */
#define SWEEP_MAX     1000
/* How many of those idle the longest are looked at for one that nothing closes. */
#define FORGET_TRIES  8
#define BUCKETS_LIMIT ((size_t)1 << 26)

struct hash_keys {
    unsigned char route[crypto_shorthash_siphashx24_KEYBYTES];
    unsigned char hash[crypto_shorthash_siphashx24_KEYBYTES];
    unsigned char major[crypto_shorthash_siphashx24_KEYBYTES];
    unsigned char bucket[crypto_shorthash_siphashx24_KEYBYTES];
};

static_assert(sizeof(struct hash_keys) <= crypto_generichash_BYTES_MAX, "keys are one hash");

struct bucket_table {
    struct hash_keys keys;
    struct limiter_known_route *routes[ROUTE_SLOTS];
    size_t route_count;
    struct bucket **slots;
    size_t slot_mask, count, buckets_max;
    struct bucket idle; /* the list's head */
};

static_assert(sizeof(struct limiter_key) == crypto_shorthash_siphashx24_BYTES, "a hash is a key");

/* 0, or negative when libsodium refuses. */
static int make_keys(struct hash_keys *keys, const unsigned char *share_key)
{
    static const unsigned char purpose[] = "buckets of rate limits";
    if (share_key)
        return crypto_generichash((unsigned char *)keys, sizeof(*keys), purpose, sizeof(purpose),
                                  share_key, LIMITER_SHARE_KEY_BYTES);
    randombytes_buf(keys, sizeof(*keys));
    return 0;
}

int bucket_table_new(struct bucket_table **table, size_t buckets_max,
                     const unsigned char *share_key, struct err *err)
{
    *table = NULL;
    if (buckets_max == 0 || buckets_max > BUCKETS_LIMIT)
        return err_set(err, ERR_LIMIT, "a rate limiter for %zu buckets", buckets_max);
    size_t slots = 1;
    while (slots < buckets_max)
        slots *= 2;
    struct bucket_table *made = calloc(1, sizeof(*made));
    if (!made)
        return err_set(err, ERR_MEMORY, "rate limiter");
    made->slots = calloc(slots, sizeof(struct bucket *));
    if (!made->slots || make_keys(&made->keys, share_key) != 0) {
        free(made->slots);
        free(made);
        return err_set(err, ERR_MEMORY, "rate limiter");
    }
    made->slot_mask = slots - 1;
    made->buckets_max = buckets_max;
    made->idle.idle_next = made->idle.idle_before = &made->idle;
    *table = made;
    return 0;
}

void bucket_table_free(struct bucket_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i <= table->slot_mask; i++)
        for (struct bucket *bucket = table->slots[i], *next; bucket; bucket = next) {
            next = bucket->next_in_slot;
            free(bucket);
        }
    for (size_t i = 0; i < ROUTE_SLOTS; i++)
        for (struct limiter_known_route *route = table->routes[i], *next; route; route = next) {
            next = route->next;
            free(route);
        }
    free(table->slots);
    sodium_memzero(table, sizeof(*table));
    free(table);
}

size_t bucket_table_count(const struct bucket_table *table)
{
    return table->count;
}

size_t bucket_table_route_count(const struct bucket_table *table)
{
    return table->route_count;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* --- Keys --- */

static struct limiter_key hash_of(const unsigned char *key, const void *bytes, size_t length)
{
    struct limiter_key result;
    unsigned char nothing = 0;
    crypto_shorthash_siphashx24((unsigned char *)&result, length > 0 ? bytes : &nothing, length,
                                key);
    return result;
}

static bool is_same(struct limiter_key a, struct limiter_key b)
{
    return a.word[0] == b.word[0] && a.word[1] == b.word[1];
}

struct limiter_key bucket_table_key(const struct bucket_table *table, struct limiter_key base,
                                    struct str_view major)
{
    struct limiter_key parts[2] = { base, hash_of(table->keys.major, major.data, major.length) };
    return hash_of(table->keys.bucket, parts, sizeof(parts));
}

struct limiter_key bucket_table_route_key(const struct bucket_table *table, struct str_view route)
{
    return hash_of(table->keys.route, route.data, route.length);
}

struct limiter_known_route *bucket_table_route(struct bucket_table *table, struct str_view route)
{
    struct limiter_key key = bucket_table_route_key(table, route);
    struct limiter_known_route **slot = &table->routes[key.word[0] % ROUTE_SLOTS];
    for (struct limiter_known_route *known = *slot; known; known = known->next)
        if (is_same(known->key, key))
            return known;
    struct limiter_known_route *made = NULL;
    if (table->route_count < LIMITER_ROUTES_MAX)
        made = calloc(1, sizeof(*made));
    if (!made)
        return NULL;
    *made = (struct limiter_known_route){ .key = key, .next = *slot, .base = key, .previous = key };
    *slot = made;
    table->route_count++;
    return made;
}

void bucket_table_learn(const struct bucket_table *table, struct limiter_known_route *route,
                        struct str_view hash, int64_t reset_us)
{
    struct limiter_key base = hash_of(table->keys.hash, hash.data, hash.length);
    if (!is_same(base, route->base)) {
        route->previous = route->base;
        route->base = base;
        route->window_us = 0;
    }
    route->window_us = later(route->window_us, reset_us);
}

/* --- Buckets --- */

static void idle_add(struct bucket_table *table, struct bucket *bucket, int64_t now_us)
{
    bucket->used_us = now_us;
    bucket->idle_next = &table->idle;
    bucket->idle_before = table->idle.idle_before;
    bucket->idle_before->idle_next = bucket;
    table->idle.idle_before = bucket;
}

static void idle_remove(struct bucket *bucket)
{
    if (!bucket->idle_next)
        return;
    bucket->idle_before->idle_next = bucket->idle_next;
    bucket->idle_next->idle_before = bucket->idle_before;
    bucket->idle_next = bucket->idle_before = NULL;
}

static void forget(struct bucket_table *table, struct bucket *bucket)
{
    struct bucket **at = &table->slots[bucket->key.word[0] & table->slot_mask];
    while (*at != bucket)
        at = &(*at)->next_in_slot;
    *at = bucket->next_in_slot;
    idle_remove(bucket);
    table->count--;
    free(bucket);
}

static bool is_closed(const struct bucket *bucket, int64_t now_us)
{
    return !bucket->is_alias &&
           (bucket->closed_until_us > now_us || (bucket->counted > 0 && bucket->reset_us > now_us));
}

/* Back to the end of the list: what is closed is worth remembering. */
static void keep(struct bucket_table *table, struct bucket *bucket, int64_t now_us)
{
    idle_remove(bucket);
    idle_add(table, bucket, now_us);
}

static bool forget_one(struct bucket_table *table, int64_t now_us)
{
    struct bucket *oldest = table->idle.idle_next;
    for (int i = 0; i < FORGET_TRIES && is_closed(oldest, now_us); i++) {
        keep(table, oldest, now_us);
        oldest = table->idle.idle_next;
    }
    if (oldest == &table->idle)
        return false;
    forget(table, oldest);
    return true;
}

struct bucket *bucket_table_find(const struct bucket_table *table, struct limiter_key key)
{
    struct bucket *bucket = table->slots[key.word[0] & table->slot_mask];
    while (bucket && !is_same(bucket->key, key))
        bucket = bucket->next_in_slot;
    return bucket;
}

/* Aliases never form a circle: an account only moves to a bucket that then is none. */
struct bucket *bucket_table_resolve(const struct bucket_table *table, struct bucket *bucket)
{
    while (bucket && bucket->is_alias)
        bucket = bucket_table_find(table, bucket->target);
    return bucket;
}

struct bucket *bucket_table_make(struct bucket_table *table, struct limiter_key key, int64_t now_us)
{
    if (table->count >= table->buckets_max && !forget_one(table, now_us))
        return NULL;
    struct bucket *bucket = calloc(1, sizeof(*bucket));
    if (!bucket)
        return NULL;
    struct bucket **slot = &table->slots[key.word[0] & table->slot_mask];
    *bucket = (struct bucket){ .key = key, .next_in_slot = *slot, .taken_us = INT64_MIN };
    *slot = bucket;
    table->count++;
    idle_add(table, bucket, now_us);
    return bucket;
}

void bucket_table_move(struct bucket *from, struct bucket *to, uint64_t sequence)
{
    if (!to->is_known) {
        to->is_known = from->is_known;
        to->limit = from->limit;
    }
    to->is_alias = false;
    to->under_way += from->under_way; /* and still leads through `from` */
    if (to->under_way > 0)
        idle_remove(to);
    to->counted += from->counted;
    to->reset_us = later(to->reset_us, from->reset_us);
    to->closed_until_us = later(to->closed_until_us, from->closed_until_us);
    to->taken_us = later(to->taken_us, from->taken_us);
    to->taken_count += from->taken_count;
    from->is_alias = true;
    from->target = to->key;
    from->alias_since = sequence;
    from->counted = 0;
}

void bucket_table_restore(struct bucket *alias)
{
    assert(alias->under_way == 0);
    alias->is_alias = alias->is_known = false;
    alias->limit = alias->counted = 0;
    alias->reset_us = alias->closed_until_us = 0;
}

void bucket_table_take(struct bucket *account)
{
    idle_remove(account);
    account->under_way++;
}

static void let_go(struct bucket_table *table, struct bucket *bucket, int64_t now_us)
{
    assert(bucket->under_way > 0);
    if (--bucket->under_way == 0)
        idle_add(table, bucket, now_us);
}

struct bucket *bucket_table_heard(struct bucket_table *table, struct bucket *bucket, int64_t now_us)
{
    for (; bucket->is_alias; bucket = bucket_table_find(table, bucket->target))
        let_go(table, bucket, now_us);
    let_go(table, bucket, now_us);
    return bucket;
}

void bucket_table_sweep(struct bucket_table *table, int64_t idle_us, int64_t now_us)
{
    for (int i = 0; i < SWEEP_MAX; i++) {
        struct bucket *oldest = table->idle.idle_next;
        /* what was freed has left the idle list */ // NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
        if (oldest == &table->idle || now_us - oldest->used_us < idle_us)
            return;
        if (is_closed(oldest, now_us))
            keep(table, oldest, now_us);
        else
            forget(table, oldest);
    }
}
