/* Shards of a hash table and a queue, evicted by SIEVE (Zhang et al., NSDI 2024): new entries go to
 * the queue's young end; a hit only sets a mark; a hand walks from old to young, takes marks away
 * and evicts the first entry without one. What is read once leaves soon, what is read again stays,
 * and a hit moves nothing in a list, which LRU would have to. On traces of web caches it misses
 * less than LRU and ARC. Each step of the hand takes a mark that one hit has set: O(1) for each
 * operation.
 *
 *     young ── e ── e* ── e ── e* ── old        * marked
 *                    ^hand: goes left, then begins at the old end again
 *
 * Flights are the loads under way, each known to the shard of its key from before its loader runs.
 * Dropping a key makes its flight stale: it is no longer found, and keeps nothing. That is the
 * whole protection of this level against a load that began before a change. A flight is counted by
 * references: its leader's and one for each follower. */
#include "cache/memory.h"

#include "cache/glob.h"
#include "core/thread.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Room in the table for entries of this size. */
#define ENTRY_SIZE_GUESS  256
/* One entry may take this part of its shard. */
#define ENTRY_SHARE       4
#define PATTERN_NAME_SIZE (CACHE_KEY_MAX + 16)

struct flight {
    struct flight *next; /* in its shard */
    uint64_t hash;
    enum cache_category category;
    int references;
    bool is_stale, has_landed;
    int result;
    struct err err;
    struct memory_entry *entry;
    pthread_cond_t landed;
    size_t key_length;
    char key[CACHE_KEY_MAX];
};

struct shard {
    pthread_mutex_t lock;
    struct memory_entry **buckets;
    struct memory_entry *youngest, *oldest, *hand;
    struct flight *flights; /* those that are not stale; as few as threads */
    int64_t bytes[CACHE_CATEGORY_COUNT];
    int64_t bytes_total;
};

struct memory {
    const struct clock *clock;
    struct metrics *metrics;
    unsigned char key[crypto_shorthash_KEYBYTES];
    size_t bucket_count; /* of a shard; a power of two */
    int64_t shard_limit;
    size_t shard_count;
    struct shard shards[];
};

static struct memory *allocate(const struct memory_settings *settings)
{
    size_t limit = settings->limit_bytes;
    size_t shard_count = settings->shard_count ? (size_t)settings->shard_count : MEMORY_SHARDS;
    if (limit < MEMORY_LIMIT_MIN)
        limit = MEMORY_LIMIT_MIN;
    struct memory *memory = calloc(1, sizeof(*memory) + shard_count * sizeof(struct shard));
    if (!memory)
        return NULL;
    memory->clock = settings->clock;
    memory->metrics = settings->metrics;
    memory->bucket_count = 1;
    while (memory->bucket_count < limit / shard_count / ENTRY_SIZE_GUESS)
        memory->bucket_count *= 2;
    size_t tables = memory->bucket_count * sizeof(struct memory_entry *);
    memory->shard_limit = (int64_t)(limit / shard_count - tables);
    memory->shard_count = shard_count;
    return memory;
}

struct memory *memory_new(const struct memory_settings *settings)
{
    struct memory *memory = allocate(settings);
    if (!memory)
        return NULL;
    crypto_shorthash_keygen(memory->key);
    for (size_t i = 0; i < memory->shard_count; i++) {
        struct shard *shard = &memory->shards[i];
        pthread_mutex_init(&shard->lock, NULL);
        shard->buckets = calloc(memory->bucket_count, sizeof(struct memory_entry *));
        if (!shard->buckets) {
            memory->shard_count = i + 1;
            memory_free(memory);
            return NULL;
        }
    }
    return memory;
}

void memory_free(struct memory *memory)
{
    if (!memory)
        return;
    for (size_t i = 0; i < memory->shard_count; i++) {
        struct shard *shard = &memory->shards[i];
        for (struct memory_entry *entry = shard->youngest, *older; entry; entry = older) {
            older = entry->older;
            memory_entry_release(entry);
        }
        free(shard->buckets);
        pthread_mutex_destroy(&shard->lock);
    }
    free(memory);
}

/* --- entries --- */

struct memory_entry *memory_entry_new(const struct cache_name *name, bool is_absent,
                                      struct str_view value)
{
    if (name->key.length > CACHE_KEY_MAX || value.length > CACHE_VALUE_MAX)
        return NULL;
    struct memory_entry *entry = malloc(sizeof(*entry) + name->key.length + value.length);
    if (!entry)
        return NULL;
    *entry = (struct memory_entry){ .references = 1,
                                    .is_absent = is_absent,
                                    .category = name->category,
                                    .key_length = name->key.length,
                                    .length = value.length };
    memcpy(entry->bytes, name->key.data, name->key.length);
    if (value.length > 0)
        memcpy(entry->bytes + name->key.length, value.data, value.length);
    return entry;
}

struct str_view memory_entry_value(const struct memory_entry *entry)
{
    return (struct str_view){ entry->bytes + entry->key_length, entry->length };
}

static struct memory_entry *hold(struct memory_entry *entry)
{
    if (entry)
        __atomic_fetch_add(&entry->references, 1, __ATOMIC_RELAXED);
    return entry;
}

void memory_entry_release(struct memory_entry *entry)
{
    if (entry && __atomic_sub_fetch(&entry->references, 1, __ATOMIC_ACQ_REL) == 0)
        free(entry);
}

/* Entries taken out under a lock, linked by `chain`, let go after it. */
static int64_t release_all(struct memory_entry *entries)
{
    int64_t count = 0;
    for (struct memory_entry *next; entries; entries = next, count++) {
        next = entries->chain;
        memory_entry_release(entries);
    }
    return count;
}

static int64_t cost_of(const struct memory_entry *entry)
{
    return (int64_t)(MEMORY_ENTRY_COST + entry->key_length + entry->length);
}

/* --- a shard; its lock is held --- */

static uint64_t hash_of(const struct memory *memory, const struct cache_name *name)
{
    unsigned char out[crypto_shorthash_BYTES];
    uint64_t hash;
    crypto_shorthash(out, (const unsigned char *)name->key.data, name->key.length, memory->key);
    memcpy(&hash, out, sizeof(hash));
    return hash + (uint64_t)name->category * UINT64_C(0x9e3779b97f4a7c15);
}

/* The low bits choose the shard, the high ones the bucket. */
static struct shard *shard_of(struct memory *memory, uint64_t hash)
{
    return &memory->shards[hash & (memory->shard_count - 1)];
}

static struct memory_entry **bucket_of(const struct memory *memory, struct shard *shard,
                                       uint64_t hash)
{
    return &shard->buckets[hash >> 32 & (memory->bucket_count - 1)];
}

/* The place that points at the entry, or at the NULL that ends its bucket. */
static struct memory_entry **find(const struct memory *memory, struct shard *shard, uint64_t hash,
                                  const struct cache_name *name)
{
    struct memory_entry **place = bucket_of(memory, shard, hash);
    for (; *place; place = &(*place)->chain) {
        const struct memory_entry *entry = *place;
        if (entry->hash == hash && entry->category == name->category &&
            str_equal((struct str_view){ entry->bytes, entry->key_length }, name->key))
            break;
    }
    return place;
}

static void account(struct memory *memory, struct shard *shard, const struct memory_entry *entry,
                    int64_t bytes)
{
    shard->bytes[entry->category] += bytes;
    shard->bytes_total += bytes;
    metrics_add_by(memory->metrics, METRIC_CACHE_BYTES, (int)entry->category, bytes);
}

/* Takes the entry `*place` points at out of the shard and puts it in front of `*removed`. */
static void take_out(struct memory *memory, struct shard *shard, struct memory_entry **place,
                     struct memory_entry **removed)
{
    struct memory_entry *entry = *place;
    if (shard->hand == entry)
        shard->hand = entry->newer;
    *(entry->newer ? &entry->newer->older : &shard->youngest) = entry->older;
    *(entry->older ? &entry->older->newer : &shard->oldest) = entry->newer;
    account(memory, shard, entry, -cost_of(entry));
    *place = entry->chain;
    entry->chain = *removed;
    *removed = entry;
}

static void evict_one(struct memory *memory, struct shard *shard, int64_t now_us,
                      struct memory_entry **removed)
{
    struct memory_entry *entry = shard->hand ? shard->hand : shard->oldest;
    while (entry->was_visited && entry->expires_us > now_us) {
        entry->was_visited = false;
        entry = entry->newer ? entry->newer : shard->oldest;
    }
    shard->hand = entry;
    struct memory_entry **place = bucket_of(memory, shard, entry->hash);
    while (*place != entry)
        place = &(*place)->chain;
    if (entry->expires_us > now_us)
        metrics_add_by(memory->metrics, METRIC_CACHE_EVICTIONS, (int)entry->category, 1);
    take_out(memory, shard, place, removed);
}

/* Takes a reference of its own. */
static bool put(struct memory *memory, struct shard *shard, struct memory_entry *entry,
                int64_t now_us, struct memory_entry **removed)
{
    if (cost_of(entry) > memory->shard_limit / ENTRY_SHARE)
        return false;
    const struct cache_name name = { entry->category, { entry->bytes, entry->key_length } };
    struct memory_entry **place = find(memory, shard, entry->hash, &name);
    if (*place)
        take_out(memory, shard, place, removed);
    while (shard->bytes_total + cost_of(entry) > memory->shard_limit)
        evict_one(memory, shard, now_us, removed);
    hold(entry);
    place = bucket_of(memory, shard, entry->hash);
    entry->chain = *place;
    *place = entry;
    entry->older = shard->youngest;
    *(shard->youngest ? &shard->youngest->newer : &shard->oldest) = entry;
    shard->youngest = entry;
    account(memory, shard, entry, cost_of(entry));
    return true;
}

/* --- flights --- */

static struct flight *flight_new(const struct cache_name *name, uint64_t hash)
{
    struct flight *flight = malloc(sizeof(*flight));
    if (!flight)
        return NULL;
    *flight = (struct flight){
        .hash = hash, .category = name->category, .references = 1, .key_length = name->key.length
    };
    memcpy(flight->key, name->key.data, name->key.length);
    thread_cond_init(&flight->landed);
    return flight;
}

static void flight_free(struct flight *flight)
{
    if (!flight)
        return;
    memory_entry_release(flight->entry);
    pthread_cond_destroy(&flight->landed);
    free(flight);
}

static struct flight **find_flight(struct shard *shard, uint64_t hash,
                                   const struct cache_name *name)
{
    struct flight **place = &shard->flights;
    for (; *place; place = &(*place)->next) {
        const struct flight *flight = *place;
        if (flight->hash == hash && flight->category == name->category &&
            str_equal((struct str_view){ flight->key, flight->key_length }, name->key))
            break;
    }
    return place;
}

static void make_stale(struct flight **place)
{
    (*place)->is_stale = true;
    *place = (*place)->next;
}

/* With the lock held: MEMORY_ALONE when there is neither entry nor flight. */
static enum memory_look look(struct memory *memory, struct shard *shard, uint64_t hash,
                             const struct cache_name *name, bool may_serve,
                             struct memory_entry **found, struct flight **flight,
                             struct memory_entry **removed)
{
    struct memory_entry **place = may_serve ? find(memory, shard, hash, name) : NULL;
    if (place && *place) {
        if ((*place)->expires_us > clock_monotonic_us(memory->clock)) {
            (*place)->was_visited = true;
            *found = hold(*place);
            return MEMORY_HIT;
        }
        take_out(memory, shard, place, removed);
    }
    *flight = *find_flight(shard, hash, name);
    if (!*flight)
        return MEMORY_ALONE;
    (*flight)->references++;
    return MEMORY_FOLLOWS;
}

enum memory_look memory_look(struct memory *memory, const struct cache_name *name, bool may_serve,
                             struct memory_entry **entry, struct flight **flight)
{
    uint64_t hash = hash_of(memory, name);
    struct shard *shard = shard_of(memory, hash);
    struct memory_entry *removed = NULL;
    pthread_mutex_lock(&shard->lock);
    enum memory_look result = look(memory, shard, hash, name, may_serve, entry, flight, &removed);
    pthread_mutex_unlock(&shard->lock);
    release_all(STEAL(removed));
    if (result != MEMORY_ALONE)
        return result;
    struct flight *own = flight_new(name, hash);
    if (!own)
        return MEMORY_ALONE;
    pthread_mutex_lock(&shard->lock);
    result = look(memory, shard, hash, name, may_serve, entry, flight, &removed);
    if (result == MEMORY_ALONE) {
        own->next = shard->flights;
        *flight = shard->flights = STEAL(own);
        result = MEMORY_LEADS;
    }
    pthread_mutex_unlock(&shard->lock);
    release_all(removed);
    flight_free(own);
    return result;
}

bool memory_land(struct memory *memory, struct flight *flight, const struct landing *landing)
{
    struct shard *shard = shard_of(memory, flight->hash);
    struct memory_entry *entry = landing->entry, *removed = NULL;
    int64_t now_us = clock_monotonic_us(memory->clock);
    bool is_kept = false;
    if (entry) {
        entry->hash = flight->hash;
        entry->expires_us = now_us + landing->ttl_us;
    }
    pthread_mutex_lock(&shard->lock);
    flight->result = landing->result;
    flight->err = landing->err;
    flight->entry = hold(entry);
    flight->has_landed = true;
    if (!flight->is_stale) {
        struct flight **place = &shard->flights;
        while (*place != flight)
            place = &(*place)->next;
        *place = flight->next;
        if (entry && landing->may_keep && landing->ttl_us > 0)
            is_kept = put(memory, shard, entry, now_us, &removed);
    }
    pthread_cond_broadcast(&flight->landed);
    bool is_last = --flight->references == 0;
    pthread_mutex_unlock(&shard->lock);
    release_all(removed);
    if (is_last)
        flight_free(flight);
    return is_kept;
}

int memory_follow(struct memory *memory, struct flight *flight, struct memory_entry **entry,
                  struct err *err)
{
    struct shard *shard = shard_of(memory, flight->hash);
    pthread_mutex_lock(&shard->lock);
    while (!flight->has_landed)
        pthread_cond_wait(&flight->landed, &shard->lock);
    int result = flight->result;
    *entry = hold(flight->entry);
    if (result < 0 && err)
        *err = flight->err;
    bool is_last = --flight->references == 0;
    pthread_mutex_unlock(&shard->lock);
    if (is_last)
        flight_free(flight);
    return result >= 0 && !*entry ? MEMORY_NOT_SHARED : result;
}

/* --- dropping --- */

int64_t memory_drop(struct memory *memory, const struct cache_name *name)
{
    uint64_t hash = hash_of(memory, name);
    struct shard *shard = shard_of(memory, hash);
    struct memory_entry *removed = NULL;
    pthread_mutex_lock(&shard->lock);
    struct memory_entry **place = find(memory, shard, hash, name);
    if (*place)
        take_out(memory, shard, place, &removed);
    struct flight **flight = find_flight(shard, hash, name);
    if (*flight)
        make_stale(flight);
    pthread_mutex_unlock(&shard->lock);
    return release_all(removed);
}

static bool name_matches(struct str_view pattern, enum cache_category category, const char *key,
                         size_t key_length)
{
    char text[PATTERN_NAME_SIZE];
    struct str_view word = str_from(cache_category_info(category)->word);
    memcpy(text, word.data, word.length);
    text[word.length] = ':';
    memcpy(text + word.length + 1, key, key_length);
    return glob_matches(pattern, (struct str_view){ text, word.length + 1 + key_length });
}

static int64_t clear_shard(struct memory *memory, struct shard *shard, struct str_view pattern)
{
    struct memory_entry *removed = NULL;
    pthread_mutex_lock(&shard->lock);
    for (size_t i = 0; i < memory->bucket_count; i++) {
        struct memory_entry **place = &shard->buckets[i];
        while (*place) {
            const struct memory_entry *entry = *place;
            if (name_matches(pattern, entry->category, entry->bytes, entry->key_length))
                take_out(memory, shard, place, &removed);
            else
                place = &(*place)->chain;
        }
    }
    struct flight **flight = &shard->flights;
    while (*flight)
        if (name_matches(pattern, (*flight)->category, (*flight)->key, (*flight)->key_length))
            make_stale(flight);
        else
            flight = &(*flight)->next;
    pthread_mutex_unlock(&shard->lock);
    return release_all(removed);
}

int64_t memory_clear(struct memory *memory, struct str_view pattern)
{
    int64_t count = 0;
    for (size_t i = 0; i < memory->shard_count; i++)
        count += clear_shard(memory, &memory->shards[i], pattern);
    return count;
}

int64_t memory_bytes(const struct memory *memory, enum cache_category category)
{
    int64_t total = 0;
    for (size_t i = 0; i < memory->shard_count; i++) {
        struct shard *shard = (struct shard *)&memory->shards[i];
        pthread_mutex_lock(&shard->lock);
        total += category == CACHE_CATEGORY_COUNT ? shard->bytes_total : shard->bytes[category];
        pthread_mutex_unlock(&shard->lock);
    }
    return total;
}
