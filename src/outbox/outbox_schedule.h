/* Which job is sent next: pure, for one thread, with the time passed in.
 *
 * A job in the schedule waits for its turn: for its time, for the job before it with the same
 * token, and for its guild's turn. Guilds take turns, however many jobs each has; within a guild
 * the token that ends first goes first; and whoever's token ends within SCHEDULE_URGENT_MS goes
 * before all others, earliest first. All operations cost O(log n). */
#ifndef OUTBOX_OUTBOX_SCHEDULE_H
#define OUTBOX_OUTBOX_SCHEDULE_H

#include "bronx/err.h"

#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_URGENT_MS 60000

struct schedule;

enum schedule_place {
    SCHEDULE_OUT,
    SCHEDULE_BEHIND,
    SCHEDULE_WAITING,
    SCHEDULE_READY,
    SCHEDULE_TAKEN
};

/* Embedded in a job. The first fields are set by the caller before schedule_add; the rest is the
 * schedule's. */
struct schedule_entry {
    int64_t interaction_id; /* jobs of one token are taken one at a time, in the order added */
    int64_t guild_id;
    int64_t expires_at_ms; /* UTC: when the token ends */
    int64_t due_us;        /* monotonic: not before; INT64_MAX: until schedule_set_due says when */

    enum schedule_place place;
    struct schedule_entry *successor; /* the next of the same token */
    size_t heap_index;
    void *line; /* of its guild or token */
};

/* ERR_MEMORY. Room for `capacity` entries is made at once: later operations don't fail. */
int schedule_new(struct schedule **schedule, size_t capacity, struct err *err) MUST_CHECK;
void schedule_free(struct schedule *schedule); /* entries are the caller's; NULL allowed */

/* False when it is full. */
bool schedule_add(struct schedule *schedule, struct schedule_entry *entry) MUST_CHECK;
void schedule_set_due(struct schedule *schedule, struct schedule_entry *entry, int64_t due_us);

/* The next job whose time has come, or NULL. It stays in the schedule as TAKEN, and holds back
 * those behind it, until it is put back or removed. */
struct schedule_entry *schedule_take(struct schedule *schedule, int64_t now_us, int64_t now_ms);
/* A taken one waits again, at its old place, until `due_us`. */
void schedule_put_back(struct schedule *schedule, struct schedule_entry *entry, int64_t due_us);
/* From any place; the one behind it moves up. */
void schedule_remove(struct schedule *schedule, struct schedule_entry *entry);

/* When schedule_take may next have something: `now_us` or earlier for at once, INT64_MAX. */
int64_t schedule_next_us(const struct schedule *schedule);
/* The waiting or ready entry whose token ends first, or NULL: for giving up what is over. */
struct schedule_entry *schedule_first_to_expire(const struct schedule *schedule);

size_t schedule_count(const struct schedule *schedule);

#endif
