/* The limiter's memory: which hash each route has, and the buckets.
 *
 * Texts are kept as keyed 128-bit hashes only, so neither tokens nor ids are. A bucket whose hash
 * Discord renamed becomes an alias of the one that took over its account, so that routes which have
 * not heard of it yet, and requests under way, still reach the account. */
#ifndef DISCORD_RATE_LIMITER_BUCKET_H
#define DISCORD_RATE_LIMITER_BUCKET_H

#include "bronx/err.h"
#include "bronx/text.h"

#include <stdbool.h>
#include <stdint.h>

/* Routes come from the code, not from users: more are served without being remembered. */
#define LIMITER_ROUTES_MAX 1024

struct limiter_key {
    uint64_t word[2];
};

struct limiter_known_route {
    struct limiter_key key;
    struct limiter_known_route *next;
    struct limiter_key base;     /* of the hash, or of the route itself while that is unknown */
    struct limiter_key previous; /* the base before */
    int64_t window_us;           /* the longest reset that was heard of; 0: none yet */
};

struct bucket {
    struct limiter_key key;
    struct bucket *next_in_slot;
    struct bucket *idle_next, *idle_before; /* in the list of those nothing is under way for */
    int64_t used_us;
    int64_t under_way; /* requests whose ticket names this bucket, or an alias that leads here */

    bool is_alias;
    struct limiter_key target;
    uint64_t alias_since; /* the number of the last request taken before */

    /* The account: what may be counted by Discord at this moment is under_way + counted. */
    bool is_known; /* Discord named a limit */
    int64_t limit;
    int64_t counted;  /* heard of, since the last reset */
    int64_t reset_us; /* when none of the counted is counted any more */
    int64_t closed_until_us;
    int64_t taken_us;     /* the last time; INT64_MIN: never */
    uint64_t taken_count; /* requests ever */
};

struct bucket_table;

/* `share_key`: LIMITER_SHARE_KEY_BYTES that the names of buckets come from; NULL: random ones. */
int bucket_table_new(struct bucket_table **table, size_t buckets_max,
                     const unsigned char *share_key, struct err *err) MUST_CHECK;
void bucket_table_free(struct bucket_table *table); /* NULL allowed */
size_t bucket_table_count(const struct bucket_table *table);
size_t bucket_table_route_count(const struct bucket_table *table);

struct limiter_key bucket_table_key(const struct bucket_table *table, struct limiter_key base,
                                    struct str_view major);

/* The route, remembered from now on. NULL when there are too many or there is no memory. */
struct limiter_known_route *bucket_table_route(struct bucket_table *table, struct str_view route);
/* Its hash, and a reset that was heard of under it. */
void bucket_table_learn(const struct bucket_table *table, struct limiter_known_route *route,
                        struct str_view hash, int64_t reset_us);
/* The base of a route that can't be remembered. */
struct limiter_key bucket_table_route_key(const struct bucket_table *table, struct str_view route);

/* The bucket itself, an alias too; NULL. */
struct bucket *bucket_table_find(const struct bucket_table *table, struct limiter_key key);
/* Follows aliases to the account. NULL when it was forgotten. */
struct bucket *bucket_table_resolve(const struct bucket_table *table, struct bucket *bucket);
/* A new one; forgets another when there are too many. NULL when none can be forgotten or there is
 * no memory. */
struct bucket *bucket_table_make(struct bucket_table *table, struct limiter_key key,
                                 int64_t now_us);
/* Moves the account of `from` to `to` and makes `from` an alias of it; `sequence` is the number of
 * the last request taken. Both are accounts, and different. */
void bucket_table_move(struct bucket *from, struct bucket *to, uint64_t sequence);
/* An alias for which nothing is under way becomes an account of its own, of which nothing is known.
 */
void bucket_table_restore(struct bucket *alias);

/* A request goes, and has been heard of. What it leads to is not forgotten in between. */
void bucket_table_take(struct bucket *account);
/* `bucket` is the one its ticket names. Returns the account. */
struct bucket *bucket_table_heard(struct bucket_table *table, struct bucket *bucket,
                                  int64_t now_us);

void bucket_table_sweep(struct bucket_table *table, int64_t idle_us, int64_t now_us);

#endif
