/* The outbox's SQL: each function is one statement on the tables of migrations/0008_outbox.sql
 * and 0014_channel_messages; only outbox_channels.c has one of its own, which reads. The statements
 * that move a job from one state to another are these and no others; each names the
 * state it expects. Those that make a struct db_statement borrow from their arguments. */
#ifndef OUTBOX_OUTBOX_STORE_H
#define OUTBOX_OUTBOX_STORE_H

#include "outbox/outbox_record.h"

/* Rows of jobs that are over: kept so that a late replay of their interaction finds them, and so
 * that operators can look. Those of messages to channels stay as long as the dead. */
#define OUTBOX_KEEP_DONE_MS (1 * MS_PER_HOUR)
#define OUTBOX_KEEP_DEAD_MS (7 * MS_PER_DAY)
/* Its owner ends a job when its token is over; one that is leased for so long after was forgotten:
 * stored for a transaction that nobody announced. */
#define OUTBOX_FORGOTTEN_MS MS_PER_MINUTE

/* Where processes call each other when jobs wait that none of them has. */
#define OUTBOX_CHANNEL      "bronxbot_outbox"

/* A process at work on the outbox. */
struct outbox_instance {
    int64_t id;
    const char *role; /* "serve", "worker" */
    char host[256];
    int64_t process_id;
    int64_t started_at_ms;
};

/* --- By the journal, in batches. `now_ms` is UTC. Each touches one row
 * (db_rows_touched), or none when there was nothing to do. --- */

/* A new run, leased by `owner`. No row: the interaction has another already, unless that is dead or
 * expired: then this one takes its place. */
struct db_statement outbox_store_run(const struct outbox_record *record, struct str_view sealed,
                                     int64_t owner, int64_t now_ms);
/* leased -> done, unless an edit has got a newer version meanwhile. Wipes the content. */
struct db_statement outbox_store_done(const struct outbox_record *record, int64_t tries,
                                      int64_t owner, int64_t now_ms);
/* leased -> expired (`reason` NULL) or dead. Keeps a dead one's content: it may be tried again. Not
 * when an edit has got a newer version. */
struct db_statement outbox_store_end(const struct outbox_record *record, const char *reason,
                                     int64_t tries, int64_t owner, int64_t now_ms);
/* leased, `is_started` set, since the record's `started_at_ms`, or taken back; nobody who takes the
 * job over tries before `available_ms`. */
struct db_statement outbox_store_started(const struct outbox_record *record, bool is_started,
                                         int64_t available_ms, int64_t owner, int64_t now_ms);
/* leased -> queued. */
struct db_statement outbox_store_release(const struct outbox_record *record, int64_t available_ms,
                                         int64_t tries, int64_t owner, int64_t now_ms);

/* --- By callers, in their own transaction --- */

/* An edit row in its newest version, leased by `owner` unless somebody alive has it; dropped when a
 * frame comes after a final one. `record->version` is random. */
struct db_statement outbox_store_edit(const struct outbox_record *record, struct str_view sealed,
                                      int64_t owner, int64_t now_ms);
/* A follow-up or a channel's message, leased by `owner`. */
struct db_statement outbox_store_post(const struct outbox_record *record, struct str_view sealed,
                                      int64_t owner, int64_t now_ms);

/* --- Reading. Rows have the columns of outbox_store_read_row, in its order. --- */

/* Waiting jobs for `owner`, at most `limit`, earliest end first: those queued and available, and
 * those whose owner is not alive. Only the oldest of a token, and of a channel. In the words of
 * `db`'s engine: of processes that claim at the same time none waits for another. */
struct db_statement outbox_store_claim(const struct db *db, int64_t owner, int limit,
                                       int64_t now_ms);
/* What `owner` holds of an interaction, oldest first. */
struct db_statement outbox_store_load(int64_t owner, int64_t interaction_id);
/* All that `owner` holds, oldest first, at most `limit` after `after` (created_at_ms and id). */
struct db_statement outbox_store_held(int64_t owner, const struct outbox_record *after, int limit);
/* The one row, if `owner` holds it. */
struct db_statement outbox_store_reload(int64_t owner, int64_t id);
/* `*sealed` is borrowed from `rows`. */
void outbox_store_read_row(const struct db_rows *rows, int row, struct outbox_record *record,
                           struct str_view *sealed);

/* Calls the other processes to look for jobs; `caller` is the instance, 0: none. False where there
 * are no others. */
bool outbox_store_call(const struct db *db, int64_t caller, struct db_statement *statement);

/* --- Upkeep --- */

/* The instance lives until `lease_until_ms`. */
struct db_statement outbox_store_heartbeat(const struct outbox_instance *instance,
                                           int64_t lease_until_ms);
/* How many instances are alive. */
struct db_statement outbox_store_count_instances(int64_t now_ms);
struct db_statement outbox_store_leave(int64_t instance_id); /* it is no more */
struct db_statement outbox_store_bury(int64_t before_ms);    /* those dead since before then */
struct db_statement outbox_store_release_all(int64_t owner, int64_t now_ms); /* leased -> queued */
/* queued, of a dead owner or forgotten, and over -> expired. Returns (id, request_id). */
struct db_statement outbox_store_expire(int64_t now_ms);
/* Of dead rows whose token is over. */
struct db_statement outbox_store_purge_content(int64_t now_ms);
struct db_statement outbox_store_purge_rows(int64_t now_ms); /* over for long */
/* (state, count, oldest created_at) of those queued, leased and dead; what a dead owner holds
 * counts as queued. */
struct db_statement outbox_store_census(int64_t now_ms);

/* --- By operators --- */

/* The columns of outbox_admin.c's table, newest change first: of `state`, or of all but done when
 * that is absent. */
struct db_statement outbox_store_list(struct str_view state, int limit, int64_t now_ms);
/* dead -> queued, while its token lives. Returns the id, or nothing. */
struct db_statement outbox_store_retry(int64_t id, int64_t now_ms);
/* Gone, unless a living owner has it. Returns the id, or nothing. */
struct db_statement outbox_store_drop(int64_t id, int64_t now_ms);

#endif
