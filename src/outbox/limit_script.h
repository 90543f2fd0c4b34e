/* What the thread of limit_share.c says to Redis and reads from its answers: the scripts, their
 * arguments, and lessons as text. Stateless. */
#ifndef OUTBOX_LIMIT_SCRIPT_H
#define OUTBOX_LIMIT_SCRIPT_H

#include "outbox/limit_holding.h"
#include "redis/connection.h"

#define LIMIT_MEMBER_SIZE  17 /* 16 hexadecimal digits */
#define LIMIT_KEY_SIZE     96
#define LIMIT_SHA_SIZE     41
/* Lessons told by one call. */
#define LIMIT_TOLD_MAX     8
/* Lessons that are in force when a process comes to Redis, at most. */
#define LIMIT_IN_FORCE_MAX 1000

/* One run of one Redis server. */
struct limit_server {
    redisContext *context; /* borrowed */
    const char *member;    /* our name among the others */
    const char *channel;
    char members_key[LIMIT_KEY_SIZE], closed_key[LIMIT_KEY_SIZE];
    char deal_sha[LIMIT_SHA_SIZE], tell_sha[LIMIT_SHA_SIZE], recall_sha[LIMIT_SHA_SIZE];
    /* Redis's clock, as it was at a moment of ours. */
    int64_t server_ms, server_at_us;
};

/* Names the keys, teaches the scripts and reads the clock. `now_us` is ours. */
int limit_server_meet(struct limit_server *server, const char *name_space, const char *run_id,
                      int64_t now_us, struct err *err) MUST_CHECK;

/* Asks. 1: `answer->is_given` with its parts; 0: Redis takes us to be late, and its clock is known
 * anew. */
int limit_server_deal(struct limit_server *server, const struct limit_rules *rules,
                      const struct limit_ask *ask, int64_t now_us, struct limit_answer *answer,
                      struct err *err) MUST_CHECK;

/* Tells at most LIMIT_TOLD_MAX lessons to those who listen now and those who come while they hold.
 */
int limit_server_tell(struct limit_server *server, const struct limiter_lesson *lessons,
                      size_t count, int64_t now_us, struct err *err) MUST_CHECK;

typedef void limit_heard(void *context, const struct limiter_lesson *lesson);

/* All lessons that are in force. */
int limit_server_recall(struct limit_server *server, limit_heard *heard, void *context,
                        struct err *err) MUST_CHECK;

/* False for what is not understood, and for what `member` has said itself. */
bool limit_message_read(struct str_view message, const char *member, struct limiter_lesson *lesson);

#endif
