/* A job in memory: its record, where it stands, and the request that is under way for it.
 *
 *   run:   STORING ----> RUNNABLE ----> RUNNING --+       (stored by outbox_defer, or loaded)
 *                                                 v  again
 *   edit, follow-up:                           WAITING <----+-------------+
 *   (loaded)                                    |  |        |             |
 *                             a POST: MARKING <-+  +---> SENDING        NOTING
 *                                        |                 ^ |  |         ^
 *                                        +-----------------+ |  +---------+ a POST that had no
 *                                                            v              effect, a 429
 *                                                         ENDING ---> FORGOTTEN
 *
 * ENDING comes from each phase, when the job's end is known. STORING, MARKING, NOTING and ENDING
 * wait for the journal; a job has one change of its row under way at most. All of it belongs to the
 * sender, except where a comment says otherwise. */
#ifndef OUTBOX_OUTBOX_JOB_H
#define OUTBOX_OUTBOX_JOB_H

#include "discord/rate_limiter.h"
#include "discord/rest.h"
#include "outbox/outbox_journal.h"
#include "outbox/outbox_rules.h"
#include "outbox/outbox_schedule.h"

enum job_phase {
    JOB_NEW,
    JOB_STORING,
    JOB_RUNNABLE,
    JOB_RUNNING,
    JOB_WAITING,
    JOB_MARKING,
    JOB_SENDING,
    JOB_NOTING,
    JOB_ENDING,
    JOB_FORGOTTEN,
};

/* Of which request a job is at: one is all there is to most. A reply that only one person may see,
 * to a deferral that everybody sees, takes three. Discord can't hide @original, and a follow-up to
 * one that is still "thinking" would edit it:
 * https://docs.discord.com/developers/interactions/receiving-and-responding#create-followup-message
 *
 *   NOTICE ----> ANSWER ----> CLEAR     PATCH: "only you can see it"; the POST; DELETE
 *                  |
 *                  +--------> APOLOGY   PATCH: "it may not have reached you"
 *
 * Before the POST the row is marked as started, and it stays so in CLEAR and APOLOGY: whoever takes
 * it over begins at APOLOGY. */
enum job_step {
    STEP_ONLY,
    STEP_NOTICE,
    STEP_ANSWER,
    STEP_CLEAR,
    STEP_APOLOGY,
};

/* What other threads have to say about a job. */
enum job_news {
    NEWS_DEFERRED = 1 << 0, /* it is new */
    NEWS_WRITTEN = 1 << 1,  /* the change of its row has ended, with `result` */
    NEWS_ANSWERED = 1 << 2, /* outbox_answered */
    NEWS_FINISHED = 1 << 3, /* outbox_finish_run, with `reply` */
};

/* For lists a job can be taken out of wherever it is. */
struct job_link {
    struct job_link *previous, *next;
};

struct job {
    struct outbox *outbox;
    struct outbox_record *record; /* owned; NULL once forgotten */
    enum job_phase phase;
    bool is_run; /* part of a struct outbox_deferred */
    struct schedule_entry entry;
    struct journal_entry change;
    struct job *next_by_id, *next_by_token; /* in the table */

    bool is_stale;         /* the lease was lost since it was loaded */
    bool is_marked;        /* its row says that a POST was started */
    bool may_have_arrived; /* ... and it is repeated, for it has a nonce: the mark stays */
    bool is_reposted;      /* when the message is gone, it is sent anew ... */
    bool is_reposting;     /* ... and it is gone */
    bool is_reported;      /* that it is lost */
    enum job_step step;
    enum outbox_loss loss; /* APOLOGY: for what */
    int64_t known_us;      /* monotonic: when its interaction was answered, or when it was loaded */
    int64_t ready_us;      /* monotonic: when it could be sent first */
    int64_t again_us;      /* NOTING: when it is due afterwards */
    int64_t held_key;      /* SENDING: the message whose floor it holds; 0: none */
    int try_count, not_yet_count, failure_count;
    struct limiter_ticket ticket; /* MARKING, SENDING */
    struct rest_transfer transfer;

    /* Guarded by the outbox's lock. */
    struct job *next_news;
    uint64_t news_order;
    unsigned news; /* enum job_news; in the list when not 0 */
    enum journal_result result;
};

/* A struct outbox_message of its own, with all it points to in the same memory. */
struct job_reply {
    struct outbox_content content;
    struct str_view notice, apology;
};

/* A run, in the hands of whoever deferred or runs it. */
struct outbox_deferred {
    struct job job;
    enum outbox_run_mode mode;
    int64_t floor_key;    /* the message its reply edits */
    unsigned ends_due;    /* news that must still come before it can be freed */
    struct job_link link; /* among those unstored, runnable, or running */
    int64_t patience_us;  /* monotonic: when `stored` is called whatever the journal says */
    atomic_bool is_told;  /* `stored` was called */
    bool is_answered;
    bool is_handed_on;       /* RUN_LATER: to `run` */
    bool has_finished;       /* its run has; `reply` is what came of it */
    bool is_reply_lost;      /* there was no memory for it */
    struct job_reply *reply; /* owned; NULL: nothing to be sent */
    size_t reply_size;
    void (*stored)(void *context, enum outbox_stored stored);
    void *context;

    /* Guarded by the outbox's lock, with NEWS_FINISHED. */
    struct job_reply *new_reply;
    size_t new_reply_size;
    bool is_new_reply_lost, is_new_reply_reposted;
};

/* Changes the phase; only the arrows above are allowed. */
void job_transition(struct job *job, enum job_phase phase);

/* The same for steps. What earlier ones have tried is forgotten. */
void job_take_step(struct job *job, enum job_step step);

/* A POST of it may have arrived, and whatever comes of that must not be repeated by anybody. */
bool job_is_past_post(const struct job *job);

struct outbox_deferred *job_deferred(struct job *job); /* NULL when it is no run */

/* The token and message that are to be sent. */
struct outbox_content job_content(const struct job *job);
enum outbox_method job_method(const struct job *job);
/* Which jobs it is one of that are sent one after the other: those of a token, or of a channel. */
int64_t job_sequence(const struct job *job);
/* It ends with its interaction's token. */
bool job_needs_token(const struct job *job);
/* Which message it edits, for the floor; 0 when it edits none. */
int64_t job_floor_key(const struct job *job);

/* A copy of a message in one piece of memory of `*size`; NULL without memory, or when it is larger
 * than any message can be. Freed by job_wipe_reply. */
struct job_reply *job_copy_reply(const struct outbox_message *message, size_t *size);
void job_wipe_reply(struct job_reply *reply, size_t size);

/* What its request counts against; borrows `major`, which is wiped by the caller. */
#define JOB_MAJOR_SIZE 1024
struct limiter_route job_route(const struct job *job, char major[JOB_MAJOR_SIZE]);

/* Prepares job->transfer. After a failure rest_transfer_fini is still due. */
int job_prepare(struct job *job, const struct rest_settings *settings, struct err *err) MUST_CHECK;

/* --- All jobs in memory, by their rows' ids and by their tokens --- */

#define JOB_TABLE_SLOTS 8192

struct job_table {
    struct job *by_id[JOB_TABLE_SLOTS];
    struct job *by_token[JOB_TABLE_SLOTS];
};

void job_table_add(struct job_table *table, struct job *job);
void job_table_remove(struct job_table *table, struct job *job);
struct job *job_table_find(const struct job_table *table, int64_t id);
/* The first job of an interaction behind `after` (NULL: from the start), or NULL. */
struct job *job_table_next(const struct job_table *table, int64_t interaction_id,
                           const struct job *after);

/* --- Lists: the head is a link, too --- */

void job_list_init(struct job_link *list);
void job_list_append(struct job_link *list, struct job_link *link);
void job_list_remove(struct job_link *link); /* allowed when it is in none */

#endif
