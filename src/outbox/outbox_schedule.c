/* Which job is sent next.
 *
 * Of each token only the first entry takes part; the others hang behind it in a list. Firsts wait
 * in a heap by their time. When it has come they move into the line of their guild, a heap by the
 * end of the token. Lines that have somebody ready form a ring, in which they take turns, and a
 * heap by their earliest token, from which the urgent are taken. A guild without anybody ready has
 * no line, and joins the ring at its end when it gets one again.
 *
 * Invariant: an entry is in by_turn of exactly one heap and in by_end while it is WAITING or READY,
 * else in none. Used by one thread. */
#include "outbox/outbox_schedule.h"

#include <assert.h>
#include <stdlib.h>

/* Far more than a process can send before the tokens end. */
#define SCHEDULE_CAPACITY_MAX ((size_t)1 << 24)

struct schedule_line {
    int64_t guild_id;
    struct heap ready;                             /* by the token's end; never empty */
    struct heap_node by_first;                     /* by the earliest of `ready` */
    struct schedule_line *ring_next, *ring_before; /* next: also of the unused ones */
    struct schedule_line *next_in_slot;
};

struct schedule {
    size_t capacity, count;
    struct heap waiting;            /* by_turn, by time */
    struct heap ends;               /* by_end: waiting and ready */
    struct heap firsts;             /* of lines, by_first */
    struct schedule_line *turn;     /* whose turn it is, of a ring; NULL: nobody is ready */
    struct schedule_entry **tokens; /* slots by interaction: the firsts */
    struct schedule_line **guilds;  /* slots by guild: lines */
    size_t slot_mask;
    struct schedule_line *lines; /* one for each entry there can be */
    size_t lines_touched;        /* those from there on were never used */
    struct schedule_line *unused;
};

/* --- Orders: total, so that nothing depends on chance --- */

static bool ends_before(const struct schedule_entry *a, const struct schedule_entry *b)
{
    if (a->expires_at_ms != b->expires_at_ms)
        return a->expires_at_ms < b->expires_at_ms;
    return a->sequence < b->sequence;
}

static struct schedule_entry *entry_by_turn(const struct heap_node *node)
{
    return CONTAINER_OF(node, struct schedule_entry, by_turn);
}

static bool is_due_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct schedule_entry *first = entry_by_turn(a), *second = entry_by_turn(b);
    if (first->due_us != second->due_us)
        return first->due_us < second->due_us;
    return ends_before(first, second);
}

static bool is_ready_before(const struct heap_node *a, const struct heap_node *b)
{
    return ends_before(entry_by_turn(a), entry_by_turn(b));
}

static bool has_end_before(const struct heap_node *a, const struct heap_node *b)
{
    return ends_before(CONTAINER_OF(a, struct schedule_entry, by_end),
                       CONTAINER_OF(b, struct schedule_entry, by_end));
}

static struct schedule_entry *first_of(const struct schedule_line *line)
{
    return entry_by_turn(line->ready.root);
}

static bool has_first_before(const struct heap_node *a, const struct heap_node *b)
{
    return ends_before(first_of(CONTAINER_OF(a, struct schedule_line, by_first)),
                       first_of(CONTAINER_OF(b, struct schedule_line, by_first)));
}

/* --- Making --- */

int schedule_new(struct schedule **schedule, size_t capacity, struct err *err)
{
    *schedule = NULL;
    if (capacity == 0 || capacity > SCHEDULE_CAPACITY_MAX)
        return err_set(err, ERR_LIMIT, "a schedule for %zu jobs", capacity);
    size_t slots = 1;
    while (slots < capacity)
        slots *= 2;
    struct schedule *made = calloc(1, sizeof(*made));
    if (!made)
        return err_set(err, ERR_MEMORY, "schedule");
    *made = (struct schedule){
        .capacity = capacity,
        .waiting.is_before = is_due_before,
        .ends.is_before = has_end_before,
        .firsts.is_before = has_first_before,
        .tokens = calloc(slots, sizeof(struct schedule_entry *)),
        .guilds = calloc(slots, sizeof(struct schedule_line *)),
        .lines = calloc(capacity, sizeof(struct schedule_line)),
        .slot_mask = slots - 1,
    };
    if (!made->tokens || !made->guilds || !made->lines) {
        schedule_free(made);
        return err_set(err, ERR_MEMORY, "schedule");
    }
    *schedule = made;
    return 0;
}

void schedule_free(struct schedule *schedule)
{
    if (!schedule)
        return;
    free(schedule->tokens);
    free(schedule->guilds);
    free(schedule->lines);
    free(schedule);
}

size_t schedule_count(const struct schedule *schedule)
{
    return schedule->count;
}

/* --- Lines of guilds --- */

/* Snowflakes differ in their high bits most: those are mixed into the low ones. */
static size_t slot_of(const struct schedule *schedule, int64_t id)
{
    uint64_t mixed = (uint64_t)id;
    mixed = (mixed ^ (mixed >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    mixed = (mixed ^ (mixed >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (size_t)(mixed ^ (mixed >> 33)) & schedule->slot_mask;
}

static struct schedule_line *line_make(struct schedule *schedule, int64_t guild_id)
{
    struct schedule_line *line = schedule->unused;
    if (line)
        schedule->unused = line->ring_next;
    else
        line = &schedule->lines[schedule->lines_touched++];
    *line = (struct schedule_line){ .guild_id = guild_id, .ready.is_before = is_ready_before };
    struct schedule_line **slot = &schedule->guilds[slot_of(schedule, guild_id)];
    line->next_in_slot = *slot;
    *slot = line;
    if (!schedule->turn) {
        schedule->turn = line->ring_next = line->ring_before = line;
        return line;
    }
    line->ring_next = schedule->turn; /* the end: before the one whose turn it is */
    line->ring_before = schedule->turn->ring_before;
    line->ring_before->ring_next = line;
    line->ring_next->ring_before = line;
    return line;
}

static void line_drop(struct schedule *schedule, struct schedule_line *line)
{
    struct schedule_line **at = &schedule->guilds[slot_of(schedule, line->guild_id)];
    while (*at != line)
        at = &(*at)->next_in_slot;
    *at = line->next_in_slot;
    if (schedule->turn == line)
        schedule->turn = line->ring_next == line ? NULL : line->ring_next;
    line->ring_before->ring_next = line->ring_next;
    line->ring_next->ring_before = line->ring_before;
    line->ring_next = schedule->unused;
    schedule->unused = line;
}

static void line_join(struct schedule *schedule, struct schedule_entry *entry)
{
    struct schedule_line *line = schedule->guilds[slot_of(schedule, entry->guild_id)];
    while (line && line->guild_id != entry->guild_id)
        line = line->next_in_slot;
    if (line)
        heap_remove(&schedule->firsts, &line->by_first);
    else
        line = line_make(schedule, entry->guild_id);
    heap_add(&line->ready, &entry->by_turn);
    heap_add(&schedule->firsts, &line->by_first);
    entry->line = line;
}

static void line_leave(struct schedule *schedule, struct schedule_entry *entry)
{
    struct schedule_line *line = entry->line;
    heap_remove(&schedule->firsts, &line->by_first);
    heap_remove(&line->ready, &entry->by_turn);
    if (line->ready.root)
        heap_add(&schedule->firsts, &line->by_first);
    else
        line_drop(schedule, line);
    entry->line = NULL;
}

/* --- Places --- */

static bool takes_part(enum schedule_place place)
{
    return place == SCHEDULE_WAITING || place == SCHEDULE_READY;
}

/* The one function that changes an entry's place and the heaps with it. */
static void move(struct schedule *schedule, struct schedule_entry *entry, enum schedule_place place)
{
    if (entry->place == SCHEDULE_WAITING)
        heap_remove(&schedule->waiting, &entry->by_turn);
    if (entry->place == SCHEDULE_READY)
        line_leave(schedule, entry);
    if (takes_part(entry->place) && !takes_part(place))
        heap_remove(&schedule->ends, &entry->by_end);
    if (!takes_part(entry->place) && takes_part(place))
        heap_add(&schedule->ends, &entry->by_end);
    entry->place = place;
    if (place == SCHEDULE_WAITING)
        heap_add(&schedule->waiting, &entry->by_turn);
    if (place == SCHEDULE_READY)
        line_join(schedule, entry);
}

/* Where the table of tokens points to the first entry of the token; to NULL when it has none. */
static struct schedule_entry **token_of(const struct schedule *schedule, int64_t sequence)
{
    struct schedule_entry **at = &schedule->tokens[slot_of(schedule, sequence)];
    while (*at && (*at)->sequence != sequence)
        at = &(*at)->next_in_slot;
    return at;
}

bool schedule_add(struct schedule *schedule, struct schedule_entry *entry)
{
    if (schedule->count == schedule->capacity)
        return false;
    schedule->count++;
    entry->place = SCHEDULE_OUT;
    entry->predecessor = entry->successor = entry->next_in_slot = NULL;
    entry->line = NULL;
    struct schedule_entry **first = token_of(schedule, entry->sequence);
    if (*first) {
        entry->predecessor = (*first)->last;
        entry->predecessor->successor = entry;
        (*first)->last = entry;
        move(schedule, entry, SCHEDULE_BEHIND);
    } else {
        entry->last = entry;
        *first = entry;
        move(schedule, entry, SCHEDULE_WAITING);
    }
    return true;
}

void schedule_set_due(struct schedule *schedule, struct schedule_entry *entry, int64_t due_us)
{
    bool has_to_wait = takes_part(entry->place);
    if (has_to_wait)
        move(schedule, entry, SCHEDULE_TAKEN); /* out of the heap ordered by its time */
    entry->due_us = due_us;
    if (has_to_wait)
        move(schedule, entry, SCHEDULE_WAITING);
}

struct schedule_entry *schedule_take(struct schedule *schedule, int64_t now_us, int64_t now_ms)
{
    while (schedule->waiting.root && entry_by_turn(schedule->waiting.root)->due_us <= now_us)
        move(schedule, entry_by_turn(schedule->waiting.root), SCHEDULE_READY);
    if (!schedule->turn)
        return NULL;
    struct schedule_entry *entry =
        first_of(CONTAINER_OF(schedule->firsts.root, struct schedule_line, by_first));
    if (entry->expires_at_ms - now_ms > SCHEDULE_URGENT_MS) {
        entry = first_of(schedule->turn);
        schedule->turn = schedule->turn->ring_next;
    }
    move(schedule, entry, SCHEDULE_TAKEN);
    return entry;
}

void schedule_put_back(struct schedule *schedule, struct schedule_entry *entry, int64_t due_us)
{
    assert(entry->place == SCHEDULE_TAKEN);
    entry->due_us = due_us;
    move(schedule, entry, SCHEDULE_WAITING);
}

/* Takes the first of a token off; the one behind it moves up. */
static void remove_first(struct schedule *schedule, struct schedule_entry *entry)
{
    struct schedule_entry **at = token_of(schedule, entry->sequence);
    struct schedule_entry *next = entry->successor;
    if (!next) {
        *at = entry->next_in_slot;
        return;
    }
    next->predecessor = NULL;
    next->last = entry->last;
    next->next_in_slot = entry->next_in_slot;
    *at = next;
    move(schedule, next, SCHEDULE_WAITING);
}

void schedule_remove(struct schedule *schedule, struct schedule_entry *entry)
{
    if (entry->place == SCHEDULE_OUT)
        return;
    move(schedule, entry, SCHEDULE_OUT);
    schedule->count--;
    if (!entry->predecessor) {
        remove_first(schedule, entry);
        return;
    }
    entry->predecessor->successor = entry->successor;
    if (entry->successor)
        entry->successor->predecessor = entry->predecessor;
    else
        /* an entry that is in has its token's line */ // NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
        (*token_of(schedule, entry->sequence))->last = entry->predecessor;
}

int64_t schedule_next_us(const struct schedule *schedule)
{
    if (schedule->turn)
        return INT64_MIN;
    return schedule->waiting.root ? entry_by_turn(schedule->waiting.root)->due_us : INT64_MAX;
}

struct schedule_entry *schedule_first_to_expire(const struct schedule *schedule)
{
    const struct heap_node *root = schedule->ends.root;
    return root ? CONTAINER_OF(root, struct schedule_entry, by_end) : NULL;
}
