/* The table of peers: sets with a lock each, chosen by a keyed hash, so that event threads seldom
 * meet and nobody can aim at a set. All event threads share it: a budget is a peer's, not a
 * connection's. Between asking and reporting a failure no lock is held, so a peer may overrun its
 * budget by one request for each thread.
 *
 * The bucket is kept as one number, the time at which the peer's debt is paid: every failure moves
 * it on by what one costs, and the debt may reach to PEER_FAILURES_MAX of them from now. */
#include "http/peer_limiter.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define DEBT_MAX_US (PEER_FAILURES_MAX * PEER_FAILURE_FORGIVEN_US)

static_assert((PEER_SETS & (PEER_SETS - 1)) == 0, "the hash is cut to a set's number");

struct entry {
    struct peer peer;
    bool is_used;
    bool was_genuine;
    int64_t genuine_us; /* the last time; when was_genuine */
    int64_t paid_us;    /* when the debt is paid; in the past: none */
};

struct set {
    pthread_mutex_t lock;
    struct entry entries[PEER_SET_SIZE];
};

struct peer_limiter {
    unsigned char key[crypto_shorthash_KEYBYTES];
    struct set sets[PEER_SETS];
};

struct peer_limiter *peer_limiter_new(void)
{
    struct peer_limiter *limiter = calloc(1, sizeof(*limiter));
    if (!limiter)
        return NULL;
    crypto_shorthash_keygen(limiter->key);
    for (size_t i = 0; i < PEER_SETS; i++)
        pthread_mutex_init(&limiter->sets[i].lock, NULL);
    return limiter;
}

void peer_limiter_free(struct peer_limiter *limiter)
{
    if (!limiter)
        return;
    for (size_t i = 0; i < PEER_SETS; i++)
        pthread_mutex_destroy(&limiter->sets[i].lock);
    free(limiter);
}

static struct set *lock_set(struct peer_limiter *limiter, const struct peer *peer)
{
    uint64_t hash;
    static_assert(sizeof(hash) == crypto_shorthash_BYTES, "one hash, one number");
    crypto_shorthash((unsigned char *)&hash, peer->bytes, sizeof(peer->bytes), limiter->key);
    struct set *set = &limiter->sets[hash & (PEER_SETS - 1)];
    pthread_mutex_lock(&set->lock);
    return set;
}

static struct entry *find(struct set *set, const struct peer *peer)
{
    for (size_t i = 0; i < PEER_SET_SIZE; i++) {
        struct entry *entry = &set->entries[i];
        if (entry->is_used && memcmp(&entry->peer, peer, sizeof(*peer)) == 0)
            return entry;
    }
    return NULL;
}

static bool is_genuine(const struct entry *entry, int64_t now_us)
{
    return entry->was_genuine && now_us - entry->genuine_us < PEER_GENUINE_FOR_US;
}

/* Whether `entry` should be forgotten rather than `other`: first free places, then peers that are
 * not genuine, of those the one with the smallest debt, of genuine ones the one silent longest. */
static bool is_cheaper(const struct entry *entry, const struct entry *other, int64_t now_us)
{
    if (!entry->is_used || !other->is_used)
        return other->is_used;
    bool is_kept = is_genuine(entry, now_us);
    if (is_kept != is_genuine(other, now_us))
        return !is_kept;
    return is_kept ? entry->genuine_us < other->genuine_us : entry->paid_us < other->paid_us;
}

/* The peer's entry, made when there is none. NULL when every place belongs to a genuine peer and
 * `may_forget_genuine` is false. */
static struct entry *find_or_make(struct set *set, const struct peer *peer, bool may_forget_genuine,
                                  int64_t now_us)
{
    struct entry *found = find(set, peer);
    if (found)
        return found;
    struct entry *cheapest = &set->entries[0];
    for (size_t i = 1; i < PEER_SET_SIZE; i++)
        if (is_cheaper(&set->entries[i], cheapest, now_us))
            cheapest = &set->entries[i];
    if (cheapest->is_used && is_genuine(cheapest, now_us) && !may_forget_genuine)
        return NULL;
    *cheapest = (struct entry){ .peer = *peer, .is_used = true, .paid_us = now_us };
    return cheapest;
}

static bool has_budget(const struct entry *entry, int64_t now_us)
{
    /* Of a debt of less than the maximum, one more failure can be paid. */
    return entry->paid_us - now_us <= DEBT_MAX_US - PEER_FAILURE_FORGIVEN_US;
}

bool peer_limiter_allows(struct peer_limiter *limiter, const struct peer *peer, int64_t now_us)
{
    struct set *set = lock_set(limiter, peer);
    const struct entry *entry = find(set, peer);
    bool is_allowed = !entry || is_genuine(entry, now_us) || has_budget(entry, now_us);
    pthread_mutex_unlock(&set->lock);
    return is_allowed;
}

bool peer_limiter_failed(struct peer_limiter *limiter, const struct peer *peer, int64_t now_us)
{
    struct set *set = lock_set(limiter, peer);
    struct entry *entry = find_or_make(set, peer, false, now_us);
    bool is_last = false;
    if (entry && has_budget(entry, now_us)) {
        int64_t from_us = entry->paid_us > now_us ? entry->paid_us : now_us;
        entry->paid_us = from_us + PEER_FAILURE_FORGIVEN_US;
        is_last = !has_budget(entry, now_us) && !is_genuine(entry, now_us);
    }
    pthread_mutex_unlock(&set->lock);
    return is_last;
}

void peer_limiter_succeeded(struct peer_limiter *limiter, const struct peer *peer, int64_t now_us)
{
    struct set *set = lock_set(limiter, peer);
    struct entry *entry = find_or_make(set, peer, true, now_us);
    entry->was_genuine = true;
    entry->genuine_us = now_us;
    entry->paid_us = now_us;
    pthread_mutex_unlock(&set->lock);
}
