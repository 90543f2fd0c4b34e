/* The outbox's parts that share its struct: outbox.c, where other threads come in; outbox_sender.c,
 * the loop around requests; outbox_jobs.c, outbox_runs.c, outbox_news.c and outbox_verdict.c, what
 * becomes of each job; outbox_author.c. */
#ifndef OUTBOX_OUTBOX_INTERNAL_H
#define OUTBOX_OUTBOX_INTERNAL_H

#include "discord/rest_loop.h"
#include "outbox/limit_keeper.h"
#include "outbox/outbox_floor.h"
#include "outbox/outbox_job.h"
#include "outbox/outbox_reach.h"

#include <pthread.h>

/* Tokens known to be dead; older ones are found dead again by one request. */
#define OUTBOX_DEAD_TOKENS 256
/* Interactions whose messages are to be loaded and whose loading found no memory. */
#define OUTBOX_MISSED_MAX  256

struct outbox {
    struct outbox_settings settings;
    struct outbox_rules rules;
    struct rest_settings rest;
    struct rest_loop *loop; /* the sender's, except for waking it */
    pthread_t thread;
    struct journal *journal;

    atomic_int count; /* of jobs in memory, and their size */
    atomic_size_t bytes;
    atomic_int changing; /* changes of rows and loads that the journal has not ended */

    atomic_ullong next_id;
    atomic_llong delay_ms; /* the operator's pause between requests, as the journal last read it */
    atomic_bool is_shut;   /* the limiter lets nothing through */
    struct reach reach;

    pthread_mutex_t lock; /* guards the following */
    struct job *news, **news_end;
    struct outbox_record *loaded, **loaded_end;
    int loaded_count; /* of those that are no jobs in memory yet, and their size */
    size_t loaded_bytes;
    uint64_t order; /* counts both: they are taken in the order they came */
    int64_t missed[OUTBOX_MISSED_MAX];
    int missed_count;
    bool is_lost;   /* the lease was lost: forget what is not under way */
    bool has_come;  /* something, since the sender looked */
    bool is_asleep; /* the sender; nobody has woken it yet */
    bool is_stopping;
    int64_t stop_us; /* monotonic: when the sender gives up what is left */

    pthread_mutex_t runs_lock; /* held while `run` is called */
    outbox_run *run;           /* NULL: runs are closed */
    void *run_context;

    /* The sender's. */
    struct rest_idle idle;
    struct job_table table;
    struct schedule *schedule;
    struct limiter *limiter;
    struct limit_keeper limits;
    struct limit_share *limit_share; /* NULL: there is no REDIS_URL */
    struct floors floors;
    struct job_link unstored; /* runs by `patience_us`, until `stored` was called */
    struct job_link runnable;
    struct job_link running;
    struct outbox_record *unborn; /* loaded, and no memory for a job: tried again */
    int64_t run_again_us;         /* monotonic: when runs are handed on again after ERR_BUSY */
    int64_t upkeep_us;            /* monotonic: the next look at what needs no hurry */
    int under_way;
    int64_t dead_tokens[OUTBOX_DEAD_TOKENS]; /* interaction ids, a ring */
    unsigned dead_count;
};

/* Like outbox_new, with rules of one's own (copied), for tests. */
int outbox_new_with_rules(struct outbox **outbox, const struct outbox_settings *settings,
                          const struct outbox_rules *rules, struct err *err) MUST_CHECK;

/* --- outbox.c, for all threads --- */

/* Tells the sender something about a job. */
void outbox_tell(struct outbox *outbox, struct job *job, unsigned news);
void outbox_wake(struct outbox *outbox);
/* Calls `stored` unless it was called. */
bool outbox_tell_stored(struct outbox_deferred *deferred, enum outbox_stored stored);
/* Gives a change of job->record's row to the journal; its end is news. */
void outbox_submit(struct outbox *outbox, struct job *job, enum journal_change change);
/* ERR_MEMORY. */
int outbox_load(struct outbox *outbox, int64_t interaction_id, struct err *err) MUST_CHECK;

void outbox_free_records(struct outbox_record *record); /* a list of them */

/* --- outbox_author.c --- */

/* What the message is known by that the interaction's @original is, the same for all tokens that
 * reach it. */
int64_t outbox_key_of_original(const struct interaction *interaction);
/* For a row: counted up from a random start, so that rows of one millisecond keep their order. */
int64_t outbox_next_id(struct outbox *outbox);

/* --- outbox_sender.c --- */

/* The sending thread; `argument` is the outbox. Ends when it is stopping. */
void *outbox_send_all(void *argument);
/* Begins the request of a taken job whose ticket is there. */
void outbox_start_request(struct outbox *outbox, struct job *job);

/* --- outbox_limits.c --- */

/* What buckets are named by in all processes: `key`, or NULL where nobody is told of them. */
const unsigned char *outbox_limits_key(const struct outbox *outbox,
                                       unsigned char key[LIMITER_SHARE_KEY_BYTES]);
int outbox_limits_start(struct outbox *outbox, struct err *err) MUST_CHECK;
void outbox_limits_stop(struct outbox *outbox);
/* The sender's: metrics. */
void outbox_limits_show(const struct outbox *outbox);

/* --- outbox_jobs.c; this and all below is for the sender's thread --- */

/* A run whose reply found no room here is left to others for so long before it is run again. */
#define RERUN_PAUSE_MS 1000

int64_t jobs_now_us(const struct outbox *outbox);
int64_t jobs_now_ms(const struct outbox *outbox);
/* From here on the job takes room, until it is forgotten. The one that is for every thread: a
 * deferral counts before the sender has heard of it, so that a burst finds the bound. */
void jobs_count(struct outbox *outbox, const struct job *job);
bool jobs_are_too_many(const struct outbox *outbox);
/* Into the schedule as its record says; false when that is full. */
bool jobs_schedule(struct outbox *outbox, struct job *job, int64_t due_us) MUST_CHECK;
/* The same, after a pause, unless its token is dead or there are too many. */
void jobs_enqueue(struct outbox *outbox, struct job *job, int64_t pause_ms);
/* When the message of the job may be edited; `now_us` or earlier for at once. */
int64_t jobs_floor_us(const struct outbox *outbox, const struct job *job, int64_t now_us);
/* A taken job has a ticket, but is a POST: first its row says so. outbox_start_request follows,
 * unless the row is over. A repeat asks once more: it may have been withdrawn meanwhile. */
void jobs_mark(struct outbox *outbox, struct job *job);
/* Whether what may have arrived of it may be sent once more at that time: Discord will know it. */
bool jobs_may_repeat(const struct outbox *outbox, const struct job *job, int64_t at_ms);
/* A taken job goes back into the schedule; first the mark of a POST that had no effect is taken
 * back. */
void jobs_wait_until(struct outbox *outbox, struct job *job, int64_t due_us);
/* The same, known to whoever takes the job over from us. */
void jobs_note_wait(struct outbox *outbox, struct job *job, int64_t due_us);
void jobs_end(struct outbox *outbox, struct job *job, enum journal_change change);
/* To whoever has room, this process later included. */
void jobs_release(struct outbox *outbox, struct job *job, int64_t pause_ms);
/* `error` is what Discord said in the end; NULL when the reason is another. */
void jobs_report_loss(struct outbox *outbox, const struct job *job, enum outbox_loss loss,
                      const struct rest_error *error);
/* It ends: one whose answer has arrived as done, one that apologises for what it was lost for. */
void jobs_lose(struct outbox *outbox, struct job *job, enum outbox_loss loss,
               const struct rest_error *error);
/* What is left of it is to say that it is lost. */
void jobs_apologise(struct job *job, enum outbox_loss loss);
/* With all that waits for the same token. */
void jobs_lose_token(struct outbox *outbox, struct job *job, const struct rest_error *error);
/* No change of its row may be under way. */
void jobs_forget(struct outbox *outbox, struct job *job);
void jobs_free_when_done(struct outbox_deferred *deferred);
void jobs_end_expired(struct outbox *outbox);
/* The sender stops; for a job that waits or is under way, whose POST may arrive. */
void jobs_abandon(struct outbox *outbox, struct job *job);
/* At the very end: the sender has stopped, the journal has ended. */
void jobs_free_all(struct outbox *outbox);

/* --- outbox_runs.c --- */

void jobs_move_to(struct outbox_deferred *deferred, struct job_link *list, enum job_phase phase);
/* Does what can be done next for a stored run that nobody sends yet. */
void jobs_advance(struct outbox *outbox, struct outbox_deferred *deferred);
/* Hands runs to whoever runs them. */
void jobs_hand_on_runs(struct outbox *outbox, int64_t now_us);
/* Calls the `stored` of those who have waited long enough. */
void jobs_end_patience(struct outbox *outbox, int64_t now_us);
void jobs_end_expired_runs(struct outbox *outbox);

/* --- outbox_news.c --- */

/* Takes in all that was told and loaded. */
void jobs_take_news(struct outbox *outbox);
/* What needs no hurry: runs that are over, and what found no memory. */
void jobs_upkeep(struct outbox *outbox);

/* --- outbox_verdict.c --- */

/* The request of a job has ended; job->transfer has the response. */
void jobs_judge(struct outbox *outbox, struct job *job);

#endif
