/* A job as its row says, and its content: what is sealed in there.
 *
 * The content of a row is one secretbox (random nonce, then the box) over a version byte, the
 * token, and either the message (method, message id, JSON, files) or the interaction's JSON
 * (runs). Sizes are checked before memory is asked for; what can't be opened is ERR_INVALID. */
#ifndef OUTBOX_OUTBOX_RECORD_H
#define OUTBOX_OUTBOX_RECORD_H

#include "outbox/outbox.h"

enum outbox_kind {
    OUTBOX_KIND_RUN,
    OUTBOX_KIND_EDIT,
    OUTBOX_KIND_FOLLOW_UP,
    OUTBOX_KIND_CHANNEL_MESSAGE,
};

const char *outbox_kind_word(enum outbox_kind kind); /* as in the table */

struct outbox_content {
    struct str_view token;     /* absent: the bot's */
    struct str_view json;      /* the message, or the interaction of a run */
    enum outbox_method method; /* edit rows: OUTBOX_EDIT or OUTBOX_DELETE */
    int64_t message_id;        /* 0: @original */
    const struct reply_attachment *files;
    int file_count;
};

struct outbox_record {
    int64_t id; /* the row's */
    enum outbox_kind kind;
    int64_t subject; /* 0 for new messages */
    int64_t interaction_id, application_id, guild_id;
    int64_t channel_id; /* CHANNEL_MESSAGE: where it goes; else 0 */
    int64_t effect_id;  /* CHANNEL_MESSAGE that names its author: what keys that which it tells of;
                         * else 0. Not read back from the row */
    char request_id[REQUEST_ID_SIZE];
    int64_t version;
    bool is_final, is_reposted;
    bool is_started;       /* a POST may have reached Discord */
    int64_t started_at_ms; /* is_started: when it began, UTC; 0: nobody knows */
    int64_t tries;         /* before this process had it */
    int64_t expires_at_ms; /* UTC */
    int64_t created_at_ms; /* UTC */
    int64_t sent_at_ms;    /* UTC; 0: never */
    struct outbox_content content;
    size_t size;                /* of the one piece of memory that holds it all */
    struct outbox_record *next; /* in a list of its owner's ... */
    uint64_t order;             /* ... and when it came there */
};

/* Both wipe what they had of the token. ERR_LIMIT when it is more than any message can be. */
int outbox_content_seal(const unsigned char key[OUTBOX_KEY_BYTES],
                        const struct outbox_content *content, struct buf *sealed,
                        struct err *err) MUST_CHECK;

/* A record in one piece of memory, content included; the caller owns it: outbox_record_free. */
int outbox_record_new(const struct outbox_record *row, const struct outbox_content *content,
                      struct outbox_record **record, struct err *err) MUST_CHECK;
int outbox_record_open(const unsigned char key[OUTBOX_KEY_BYTES], const struct outbox_record *row,
                       struct str_view sealed, struct outbox_record **record,
                       struct err *err) MUST_CHECK;
void outbox_record_free(struct outbox_record *record); /* wipes it; NULL allowed */

/* When the token of an interaction ends, UTC. */
int64_t outbox_token_end_ms(int64_t interaction_id);

#endif
