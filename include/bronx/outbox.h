/* The outbox, for authors: messages that are sent after an interaction was answered.
 * https://docs.discord.com/developers/interactions/receiving-and-responding#followup-messages
 *
 * An edit says what a message shall look like from now on. It is one row for each message: a newer
 * edit replaces one that still waits, edits of one message are never closer than EDIT_FLOOR_MS, and
 * what was wanted last is what stays. A *final* edit ends the message's animation: frames that come
 * after it are dropped. A follow-up is a new message and is sent at most once. A message to a
 * channel, which the bot sends by its own token, needs nobody's interaction to be young; nobody
 * sees it twice, but it may be sent again, for some minutes Discord knows it by its nonce.
 *
 * Every function stores before it returns, so nothing is lost by a crash; sending goes on in the
 * background. What a handler asks for during its call is sent after the call's answer was written
 * out, for a follow-up that overtakes the answer gets 404 from Discord.
 *
 * Threads: any but an HTTP event thread; they wait for the commit. Errors: those of db_query;
 * ERR_LIMIT or ERR_INVALID when Discord would refuse the message. */
#ifndef BRONX_OUTBOX_H
#define BRONX_OUTBOX_H

#include "bronx/command.h"

struct outbox;

/* Discord allows an app that is installed to a user only this many follow-ups for an interaction.
 * https://docs.discord.com/developers/interactions/receiving-and-responding#followup-messages */
#define OUTBOX_USER_FOLLOW_UPS         5

/* A message for a channel that could not be sent for so long is old news. */
#define OUTBOX_CHANNEL_MESSAGE_LIFE_MS (24 * MS_PER_HOUR)

/* A message that can be reached, and by which token. */
struct outbox_target {
    struct call *call; /* the call under way that it belongs to; NULL: it was answered before */
    int64_t interaction_id; /* whose token this is; it ends 15 minutes after this snowflake */
    int64_t application_id;
    int64_t guild_id;      /* 0 in a DM */
    int64_t message_id;    /* 0: the interaction's @original */
    int64_t message_key;   /* the same for all tokens that reach the message */
    bool is_reposted;      /* when somebody has deleted the message, send it anew */
    bool names_author;     /* a message to a channel: its text says who caused it, and when they
                            * delete their data it is withdrawn while it waits */
    struct str_view token; /* secret: never logged */
};

/* The message this call answers with or, for a click, the message that was clicked. Borrows from
 * the call. */
struct outbox_target outbox_target_of(struct call *call);

/* A target as bytes for a row of one's own, sealed, and back: a table of roulette is drawn by a
 * task, long after the call that opened it. Both live in `arena`. ERR_MEMORY; ERR_INVALID when the
 * bytes were not sealed by this server. */
int outbox_target_seal(struct outbox *outbox, const struct outbox_target *target,
                       struct arena *arena, struct str_view *sealed, struct err *err) MUST_CHECK;
int outbox_target_open(struct outbox *outbox, struct str_view sealed, struct arena *arena,
                       struct outbox_target *target, struct err *err) MUST_CHECK;

int outbox_edit_frame(struct outbox *outbox, const struct outbox_target *target,
                      const struct reply *reply, struct err *err) MUST_CHECK;
int outbox_edit_final(struct outbox *outbox, const struct outbox_target *target,
                      const struct reply *reply, struct err *err) MUST_CHECK;
int outbox_followup(struct outbox *outbox, const struct outbox_target *target,
                    const struct reply *reply, struct err *err) MUST_CHECK;
/* Deletes the message; edits of it that wait are dropped. */
int outbox_delete(struct outbox *outbox, const struct outbox_target *target,
                  struct err *err) MUST_CHECK;

/* --- Together with other rows ---
 * The same as a statement for the transaction the message belongs to (`.also` of a ledger entry, a
 * list for db_atomic). What it points to lives in `arena`. Outside a call, outbox_hand_over follows
 * the commit; in a call the router does it. Without the commit nothing is sent. */
int outbox_stage_final(struct outbox *outbox, const struct outbox_target *target,
                       const struct reply *reply, struct arena *arena,
                       struct db_statement *statement, struct err *err) MUST_CHECK;
int outbox_stage_followup(struct outbox *outbox, const struct outbox_target *target,
                          const struct reply *reply, struct arena *arena,
                          struct db_statement *statement, struct err *err) MUST_CHECK;
/* A new message in a channel of `target`'s server, as the bot: of the target only what it is caused
 * by counts (call, interaction, server), not its token. Everybody in the channel sees it.
 * Messages of one process to one channel come in their order. When there is no such channel (any
 * more), or the bot may not write there, it is given up with a line in the log.
 * https://docs.discord.com/developers/resources/message#create-message */
int outbox_stage_channel_message(struct outbox *outbox, const struct outbox_target *target,
                                 int64_t channel_id, const struct reply *reply, struct arena *arena,
                                 struct db_statement *statement, struct err *err) MUST_CHECK;
void outbox_hand_over(struct outbox *outbox, int64_t interaction_id);

/* --- What became of messages to channels ---
 * As far as rows that are over are kept: a week. */
enum outbox_obstacle {
    OUTBOX_NO_OBSTACLE,     /* none is known */
    OUTBOX_CHANNEL_CLOSED,  /* there is no such channel, or the bot may not write there */
    OUTBOX_NEEDS_BOT_TOKEN, /* by which alone channels can be written to */
};

struct outbox_channel {
    int64_t id; /* 0: none */
    enum outbox_obstacle obstacle;
    int64_t told_at_ms; /* when it was met last */
};

/* Fills in what stood in the way of the newest message to each channel, of those that were over
 * before `before_ms`: an answer that may be asked for twice names a time. One statement. */
#define OUTBOX_CHANNELS_ASKED 2
int outbox_ask_channels(struct db *db, struct outbox_channel channels[OUTBOX_CHANNELS_ASKED],
                        int64_t before_ms, struct err *err) MUST_CHECK;

#endif
