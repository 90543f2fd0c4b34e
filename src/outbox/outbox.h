/* The outbox as the router and the program see it; what authors use is bronx/outbox.h.
 *
 * Jobs are rows (migrations/0008_outbox.sql); this process holds some of them in memory, leased.
 * Two threads work on them: the journal (outbox_journal.h) is the only one that waits for the
 * database, the sender (outbox_sender.c) the only one that talks to Discord.
 *
 *   outbox_defer ----> journal: row stored ---> `stored`: the router answers "deferred"
 *   outbox_finish_run, outbox_answered -------> sender: PATCH or POST ---> journal: row done
 *   outbox_edit_frame ...: row stored by the caller
 *   outbox_hand_over -------> journal: loads it ---> sender
 *   another process died, or this one started ---> journal: takes jobs over ---> sender
 *                                            a run job ---> `run`: the router runs it
 */
#ifndef OUTBOX_OUTBOX_H
#define OUTBOX_OUTBOX_H

#include "bronx/clock.h"
#include "bronx/outbox.h"

#include "core/log_sink.h"
#include "core/metrics.h"

#define OUTBOX_KEY_BYTES 32 /* of a secretbox */

struct outbox_settings {
    struct db *db;
    const char *api_url; /* DISCORD_API_URL */
    const char *ca_file; /* DISCORD_CA_FILE; "" or NULL: none */
    const char
        *bot_token;   /* DISCORD_BOT_TOKEN, by which channels are written to; "" or NULL: none */
    const char *role; /* "serve", "worker": shown in the instance's row */
    unsigned char key[OUTBOX_KEY_BYTES]; /* seals tokens and messages at rest */
    int64_t edit_floor_ms;               /* EDIT_FLOOR_MS */
    const char *redis_url;  /* REDIS_URL, by which rate limits are shared; "" or NULL: divided */
    const char *name_space; /* what tells one bot from another on the same Redis; short */
    const struct clock *clock;
    struct metrics *metrics; /* NULL: not counted */
    struct log_sink *log;
};

/* Registers the instance, takes over what dead ones left and starts both threads. Errors: those of
 * db_query; ERR_MEMORY, ERR_IO. */
int outbox_new(struct outbox **outbox, const struct outbox_settings *settings,
               struct err *err) MUST_CHECK;

/* Takes no more, sends what is due for at most `deadline_ms`, hands back the rest as queued, ends.
 * Only what no row holds is lost, and logged. Every struct outbox_deferred must have met its ends.
 * NULL allowed. */
void outbox_free(struct outbox *outbox, int64_t deadline_ms);

/* Whether sending goes on, for /readyz. From any thread. */
enum outbox_condition {
    OUTBOX_WELL,
    OUTBOX_LEASE_LOST, /* the database was away for too long: others may have the jobs */
    OUTBOX_SHUT,       /* Discord or Cloudflare wants silence from this address */
    OUTBOX_UNREACHED,  /* Discord can't be reached, and something waits for it */
};
enum outbox_condition outbox_condition(const struct outbox *outbox);

/* How Discord's limits are kept by all processes together, for /readyz. From any thread. */
enum outbox_sharing {
    OUTBOX_SHARED,          /* Redis deals out their parts */
    OUTBOX_DIVIDED,         /* each has the same: there is no REDIS_URL */
    OUTBOX_DIVIDED_FOR_NOW, /* the same, until Redis is back */
};
enum outbox_sharing outbox_sharing(const struct outbox *outbox, int *instances);

/* --- Deferred commands: the router's side --- */

/* A deferral is stored before Discord hears of it, but Discord's 3 seconds come first: when the
 * database takes longer than there is time, the answer does not wait. This long at least. */
#define OUTBOX_STORE_PATIENCE_MS 150

enum outbox_stored {
    OUTBOX_STORED,     /* the row is there: this process owns the job */
    OUTBOX_DUPLICATE,  /* an earlier request of this interaction owns it: its reply is the one */
    OUTBOX_LATE,       /* not yet: it will be stored when the database is back */
    OUTBOX_NOT_STORED, /* memory is exhausted or the outbox stops: no edit will be sent */
};

enum outbox_run_mode {
    OUTBOX_RUNS_HERE, /* the caller is running it and calls outbox_finish_run */
    OUTBOX_RUN_LATER, /* nobody runs it yet: the outbox asks `run` when there is room */
};

struct outbox_deferral {
    const struct interaction *interaction; /* copied */
    struct str_view json;                  /* the same as Discord sent it; copied */
    enum outbox_run_mode mode;
    char request_id[REQUEST_ID_SIZE];
    int64_t patience_ms; /* how long the answer may wait; 0: OUTBOX_STORE_PATIENCE_MS */
    /* Called exactly once, at the latest after `patience_ms`, from a thread of the outbox or,
     * NOT_STORED, before outbox_defer returns; must not block. */
    void (*stored)(void *context, enum outbox_stored stored);
    void *context;
};

/* One deferral, in the hands of whoever made it until its ends are met, each exactly once:
 * outbox_answered and, when the caller runs the command itself, outbox_finish_run; in any order and
 * from any thread. Two requests of one interaction have one each. */
struct outbox_deferred;

/* Stores a `run` job. `*deferred` is set before `stored` can be called; NULL without memory, which
 * outbox_answered and outbox_finish_run take. From any thread; never blocks. */
void outbox_defer(struct outbox *outbox, const struct outbox_deferral *deferral,
                  struct outbox_deferred **deferred);

/* The answer was written out, or it turned out that it can't be (another instance may have
 * answered, so the edit is tried all the same): the job may go on. Of messages the call has stored
 * (call->has_messages) it says nothing: outbox_hand_over, after the answer and, for a deferred
 * call, after outbox_finish_run. From any thread; never blocks. */
void outbox_answered(struct outbox *outbox, struct outbox_deferred *deferred);

enum outbox_method {
    OUTBOX_EDIT,            /* PATCH .../messages/...: repeated freely */
    OUTBOX_FOLLOW_UP,       /* POST: repeated only when it certainly had no effect */
    OUTBOX_DELETE,          /* DELETE .../messages/...: repeated freely */
    OUTBOX_CHANNEL_MESSAGE, /* POST /channels/.../messages as the bot: like a follow-up */
};

/* What a run came to; copied. */
struct outbox_message {
    enum outbox_method method; /* of @original, or a follow-up */
    bool is_reposted;
    struct str_view body;                 /* JSON, of reply_serialize_edit or _follow_up */
    const struct reply_attachment *files; /* sent as multipart when there are any */
    int file_count;
    /* Of a FOLLOW_UP that only one person may see, in the place of an @original that everybody
     * sees: first @original is edited to say `notice`, and when the message has arrived it is
     * deleted. When that is refused, or nobody knows whether it arrived, @original says `apology`
     * instead, and the job is dead. Bodies of edits; absent: @original is left alone. */
    struct str_view notice, apology;
};

/* The run has ended; `message` NULL: there is nothing to send. Of a DUPLICATE nothing is sent. From
 * any thread; never blocks. */
void outbox_finish_run(struct outbox *outbox, struct outbox_deferred *deferred,
                       const struct outbox_message *message);

/* A run job whose first run never ended, or never began. `json` is borrowed until the return. Must
 * not block; after a 0, outbox_finish_run with `deferred` is due (outbox_answered is not).
 * ERR_BUSY: asked again a little later. Other errors: the job is dead.
 * `is_started`: its run has ended, but who sent the reply's POST died and nobody knows whether it
 * arrived. Of the message only the `apology` is sent, and with it, or without, the job is dead. */
typedef int outbox_run(void *context, struct outbox_deferred *deferred, struct str_view json,
                       const char request_id[REQUEST_ID_SIZE], bool is_started, struct err *err);

/* From now on / no longer run jobs may be handed to `run`. Before the first call they wait. When
 * outbox_close_runs has returned, `run` is not called any more. */
void outbox_open_runs(struct outbox *outbox, outbox_run *run, void *context);
void outbox_close_runs(struct outbox *outbox);

#endif
