/* Which job is sent next: pure, for one thread, with the time passed in.
 *
 * A job in the schedule waits for its turn: for its time, for the job before it with the same
 * token, and for its guild's turn. Guilds take turns, however many jobs each has; within a guild
 * the token that ends first goes first; and whoever's token ends within SCHEDULE_URGENT_MS goes
 * before all others, earliest first. For messages to a channel that is what a token is for others.
 * All operations cost O(log n), amortised. */
#ifndef OUTBOX_OUTBOX_SCHEDULE_H
#define OUTBOX_OUTBOX_SCHEDULE_H

#include "bronx/err.h"
#include "outbox/pairing_heap.h"

#include <stdint.h>

#define SCHEDULE_URGENT_MS 60000

struct schedule;

/*        schedule_add                 the time has come           schedule_take
 *   OUT --------------> WAITING <------------------------> READY ---------------> TAKEN
 *       \                  ^  ^      schedule_set_due                                |
 *        \-> BEHIND -------+  +------------------- schedule_put_back ----------------+
 *             the one before left                                 any -> OUT: schedule_remove
 */
enum schedule_place {
    SCHEDULE_OUT,
    SCHEDULE_BEHIND, /* another of the same token */
    SCHEDULE_WAITING,
    SCHEDULE_READY,
    SCHEDULE_TAKEN
};

/* Embedded in a job. The first fields are set by the caller before schedule_add; the rest is the
 * schedule's. */
struct schedule_entry {
    int64_t
        sequence; /* jobs of one token, or channel, are taken one at a time, in the order added */
    int64_t guild_id;
    int64_t expires_at_ms; /* UTC: when the token ends, or the news is old */
    int64_t due_us;        /* monotonic: not before; INT64_MAX: until schedule_set_due says when */

    enum schedule_place place;
    struct schedule_entry *predecessor, *successor; /* of the same token */
    struct schedule_entry *last;                    /* of the token: kept by its first */
    struct schedule_entry *next_in_slot;            /* of the table of tokens: firsts only */
    struct schedule_line *line;                     /* READY: of its guild */
    struct heap_node by_turn;                       /* WAITING: by time; READY: in its guild */
    struct heap_node by_end;                        /* WAITING and READY: by the token's end */
};

/* ERR_MEMORY. Room for `capacity` entries is made at once: later operations don't fail. */
int schedule_new(struct schedule **schedule, size_t capacity, struct err *err) MUST_CHECK;
void schedule_free(struct schedule *schedule); /* entries are the caller's; NULL allowed */

/* False when it is full. */
bool schedule_add(struct schedule *schedule, struct schedule_entry *entry) MUST_CHECK;
/* Of any place; a taken one's is set when it is put back. */
void schedule_set_due(struct schedule *schedule, struct schedule_entry *entry, int64_t due_us);

/* The next job whose time has come, or NULL. It stays in the schedule as TAKEN, and holds back
 * those behind it, until it is put back or removed. */
struct schedule_entry *schedule_take(struct schedule *schedule, int64_t now_us, int64_t now_ms);
/* A taken one waits again, at its old place, until `due_us`. */
void schedule_put_back(struct schedule *schedule, struct schedule_entry *entry, int64_t due_us);
/* From any place; the one behind it moves up. */
void schedule_remove(struct schedule *schedule, struct schedule_entry *entry);

/* When schedule_take may next have something; INT64_MIN: at once; INT64_MAX: not by itself. */
int64_t schedule_next_us(const struct schedule *schedule);
/* The waiting or ready entry whose token ends first, or NULL: for giving up what is over. */
struct schedule_entry *schedule_first_to_expire(const struct schedule *schedule);

size_t schedule_count(const struct schedule *schedule);

#endif
