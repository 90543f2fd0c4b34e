/* Connections to Redis by hiredis, with time-outs: what the cache and the shared rate limits have
 * in common. Stateless; a context belongs to one thread at a time. */
#ifndef REDIS_CONNECTION_H
#define REDIS_CONNECTION_H

#include "redis/address.h"

#include <hiredis/hiredis.h>

/* Three round trips of a read take less than a third of the 3 s Discord waits. */
#define REDIS_TIMEOUT_MS  200
#define REDIS_RUN_ID_SIZE 41

struct redis_command {
    int count;
    const char *const *arguments;
    const size_t *lengths;
};

/* What is waited for an answer. */
int redis_timeout_ms(const struct redis_address *address);

/* Connects, authenticates, selects the database, and reads the server's run id. */
int redis_connect(const struct redis_address *address, redisContext **context,
                  char run_id[REDIS_RUN_ID_SIZE], struct err *err) MUST_CHECK;

/* Sends all, then reads as many replies. On a failure there are no replies. An error as a reply is
 * a reply. */
int redis_exchange(redisContext *context, const struct redis_command *commands, size_t count,
                   redisReply **replies, struct err *err) MUST_CHECK;
void redis_free_replies(redisReply **replies, size_t count);

/* `address` with its host as a number. May take as long as the system's resolver. */
int redis_resolve(const struct redis_address *address, struct redis_address *resolved,
                  struct err *err) MUST_CHECK;

/* --- A subscription, which is read as messages come --- */

int redis_subscribe(redisContext *context, struct str_view channel, struct err *err) MUST_CHECK;

/* Asks for a sign of life, without waiting for it. */
int redis_send_ping(redisContext *context, struct err *err) MUST_CHECK;

/* Calls `heard` with each message that has come, after something has: `*has_pong` becomes true when
 * a sign of life was among it. */
typedef void redis_heard(void *heard_context, struct str_view message);
int redis_read_messages(redisContext *context, redis_heard *heard, void *heard_context,
                        bool *has_pong, struct err *err) MUST_CHECK;

/* --- Commands, word by word --- */

#define REDIS_ARGUMENTS_MAX 24
struct redis_words {
    const char *arguments[REDIS_ARGUMENTS_MAX];
    size_t lengths[REDIS_ARGUMENTS_MAX];
    int count;
};
void redis_word(struct redis_words *words, struct str_view word);
struct redis_command redis_command_of(const struct redis_words *words);

#endif
