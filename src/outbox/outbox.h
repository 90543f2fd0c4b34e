/* The outbox: edits and follow-ups that are sent to Discord after an interaction was answered
 * "deferred".
 * https://docs.discord.com/developers/interactions/receiving-and-responding#followup-messages
 *
 * A message is handed over when the deferred answer has been written out, never before: a follow-up
 * that overtakes the answer gets 404. Sending goes on in the background, is repeated where that is
 * harmless, and ends at the latest when the interaction's token does (15 minutes after its
 * snowflake). */
#ifndef OUTBOX_OUTBOX_H
#define OUTBOX_OUTBOX_H

#include "bronx/clock.h"
#include "bronx/reply.h"

#include "core/log_sink.h"
#include "core/metrics.h"

struct outbox;

struct outbox_settings {
    const char *api_url; /* DISCORD_API_URL */
    const struct clock *clock;
    struct metrics *metrics; /* NULL: not counted */
    struct log_sink *log;
};

enum outbox_method {
    OUTBOX_EDIT_ORIGINAL, /* PATCH .../messages/@original: repeated freely */
    OUTBOX_FOLLOW_UP,     /* POST: repeated only when it certainly had no effect */
};

struct outbox_message {
    int64_t interaction_id; /* names the message in logs; dates its token */
    int64_t application_id;
    struct str_view token; /* secret: never logged */
    enum outbox_method method;
    struct str_view body;                 /* JSON, of reply_serialize_edit */
    const struct reply_attachment *files; /* sent as multipart when there are any */
    int file_count;
    int64_t answered_us; /* monotonic: when the deferred answer was written out */
    char request_id[REQUEST_ID_SIZE];
};

/* Starts the sending thread. ERR_MEMORY, ERR_IO. */
int outbox_new(struct outbox **outbox, const struct outbox_settings *settings,
               struct err *err) MUST_CHECK;

/* Copies the message and sends it in the background. From any thread; never blocks on the network.
 * ERR_BUSY when too much waits, ERR_STOPPED, ERR_MEMORY: it will not be sent. */
int outbox_send(struct outbox *outbox, const struct outbox_message *message,
                struct err *err) MUST_CHECK;

/* Takes no more messages, sends what waits for at most `deadline_ms`, ends. What is left is logged,
 * each with its request id. NULL allowed. */
void outbox_free(struct outbox *outbox, int64_t deadline_ms);

#endif
