/* The cache's first level: bounded memory of this process, and who loads what at the moment.
 *
 * Any thread enters. Keys are spread by a keyed hash over shards, each with its lock; nothing is
 * allocated, freed or copied under a lock. An entry's bytes never change and are counted by
 * references, so a reader copies them after it has let go of the lock. */
#ifndef CACHE_MEMORY_H
#define CACHE_MEMORY_H

#include "bronx/cache.h"
#include "bronx/clock.h"

#include "core/metrics.h"

struct memory;
struct flight;

struct memory_settings {
    size_t limit_bytes; /* of everything the level holds, its tables included */
    int shard_count;    /* a power of two; 0: MEMORY_SHARDS */
    const struct clock *clock;
    struct metrics *metrics;
};

#define MEMORY_SHARDS    16
#define MEMORY_LIMIT_MIN ((size_t)1024 * 1024)

/* A value or "there is none", with its name. */
struct memory_entry {
    struct memory_entry *chain;         /* in its bucket; the shard's lock */
    struct memory_entry *newer, *older; /* in the queue; the shard's lock */
    uint64_t hash;
    int64_t expires_us;
    uint32_t references; /* atomic */
    bool was_visited;    /* the shard's lock */
    bool is_absent;
    enum cache_category category;
    size_t key_length, length;
    char bytes[]; /* the key, then the value */
};

/* What an entry costs beside its bytes: itself and malloc's bookkeeping. */
#define MEMORY_ENTRY_COST (sizeof(struct memory_entry) + 16)

/* `limit_bytes` below MEMORY_LIMIT_MIN is raised to it. NULL without memory. */
struct memory *memory_new(const struct memory_settings *settings);
void memory_free(struct memory *memory); /* nobody may be inside */

/* NULL without memory. The caller has one reference. */
struct memory_entry *memory_entry_new(const struct cache_name *name, bool is_absent,
                                      struct str_view value);
struct str_view memory_entry_value(const struct memory_entry *entry);
void memory_entry_release(struct memory_entry *entry); /* NULL is fine */

enum memory_look {
    MEMORY_HIT,     /* `*entry`: the caller releases it */
    MEMORY_LEADS,   /* the caller loads, then calls memory_land with `*flight` */
    MEMORY_FOLLOWS, /* somebody loads: the caller calls memory_follow with `*flight` */
    MEMORY_ALONE,   /* no memory for a flight: the caller loads for itself and keeps nothing */
};

/* Looks an entry up (only with `may_serve`), or joins or begins its load. */
enum memory_look memory_look(struct memory *memory, const struct cache_name *name, bool may_serve,
                             struct memory_entry **entry, struct flight **flight);

struct landing {
    int result;                 /* 1, 0 or the loader's error */
    struct err err;             /* with an error */
    struct memory_entry *entry; /* with 1 and 0; borrowed; NULL when there was no memory for it */
    bool may_keep;
    int64_t ttl_us;
};

/* Hands the result to those who wait and keeps the entry, unless it was dropped since memory_look.
 * Frees the flight. True when it was kept. */
bool memory_land(struct memory *memory, struct flight *flight, const struct landing *landing);

#define MEMORY_NOT_SHARED 2

/* Waits for the leader: its result or error; with 1 and 0 the caller releases `*entry`.
 * MEMORY_NOT_SHARED when the value was too large to be handed on or memory was short: the caller
 * loads for itself. */
int memory_follow(struct memory *memory, struct flight *flight, struct memory_entry **entry,
                  struct err *err) MUST_CHECK;

/* Drops an entry; a load of it that is under way will keep nothing, and who comes now does not wait
 * for it. Returns the number of entries dropped. */
int64_t memory_drop(struct memory *memory, const struct cache_name *name);

/* The same for all whose `category:key` matches. */
int64_t memory_clear(struct memory *memory, struct str_view pattern);

/* Bytes held for a category, and for all with CACHE_CATEGORY_COUNT. */
int64_t memory_bytes(const struct memory *memory, enum cache_category category);

#endif
