/* See the header. No text from here quotes what was sent: it may be a password. */
#include "redis/connection.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

int redis_timeout_ms(const struct redis_address *address)
{
    return address->timeout_ms ? address->timeout_ms : REDIS_TIMEOUT_MS;
}

static int set_trouble(const redisContext *context, struct err *err)
{
    bool was_slow = context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EINPROGRESS);
    if (was_slow || strstr(context->errstr, "temporarily unavailable"))
        return err_set(err, ERR_BUSY, "no answer within %d ms", REDIS_TIMEOUT_MS);
    return err_set(err, ERR_UNAVAILABLE, "%s", context->errstr);
}

void redis_word(struct redis_words *words, struct str_view word)
{
    words->arguments[words->count] = word.data;
    words->lengths[words->count++] = word.length;
}

struct redis_command redis_command_of(const struct redis_words *words)
{
    return (struct redis_command){ words->count, words->arguments, words->lengths };
}

void redis_free_replies(redisReply **replies, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (replies[i])
            freeReplyObject(replies[i]);
        replies[i] = NULL;
    }
}

int redis_exchange(redisContext *context, const struct redis_command *commands, size_t count,
                   redisReply **replies, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        replies[i] = NULL;
    for (size_t i = 0; i < count; i++)
        if (redisAppendCommandArgv(context, commands[i].count,
                                   (const char **)(uintptr_t)commands[i].arguments,
                                   commands[i].lengths) != REDIS_OK)
            return err_set(err, ERR_MEMORY, "a command for Redis");
    for (size_t i = 0; i < count; i++) {
        void *reply = NULL;
        errno = 0;
        if (redisGetReply(context, &reply) != REDIS_OK || !reply) {
            redis_free_replies(replies, i);
            return set_trouble(context, err);
        }
        replies[i] = reply;
    }
    return 0;
}

/* The first reply that is an error, as one. */
static int first_refusal(redisReply *const *replies, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (replies[i] && replies[i]->type == REDIS_REPLY_ERROR)
            return err_set(err, ERR_UNAVAILABLE, "Redis: %s", replies[i]->str);
    return 0;
}

static int read_run_id(const redisReply *info, char run_id[REDIS_RUN_ID_SIZE], struct err *err)
{
    static const char label[] = "run_id:";
    /* after a success each command has its reply */ // NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
    const char *found = info->type == REDIS_REPLY_STRING ? strstr(info->str, label) : NULL;
    size_t length = found ? strspn(found + strlen(label), "0123456789abcdef") : 0;
    if (length == 0 || length >= REDIS_RUN_ID_SIZE)
        return err_set(err, ERR_UNAVAILABLE, "Redis does not tell its run id (INFO server)");
    memcpy(run_id, found + strlen(label), length);
    run_id[length] = '\0';
    return 0;
}

static int introduce(redisContext *context, const struct redis_address *address,
                     char run_id[REDIS_RUN_ID_SIZE], struct err *err)
{
    enum { STEPS = 3 };
    struct redis_words words[STEPS] = { 0 };
    struct redis_command commands[STEPS];
    redisReply *replies[STEPS];
    char database[16];
    size_t count = 0;
    if (address->password[0]) {
        redis_word(&words[count], STR("AUTH"));
        if (address->user[0])
            redis_word(&words[count], str_from(address->user));
        redis_word(&words[count++], str_from(address->password));
    }
    if (address->database > 0) {
        snprintf(database, sizeof(database), "%d", address->database);
        redis_word(&words[count], STR("SELECT"));
        redis_word(&words[count++], str_from(database));
    }
    redis_word(&words[count], STR("INFO"));
    redis_word(&words[count++], STR("server"));
    for (size_t i = 0; i < count; i++)
        commands[i] = redis_command_of(&words[i]);
    int result = redis_exchange(context, commands, count, replies, err);
    if (result != 0)
        return result;
    result = first_refusal(replies, count, err);
    if (result == 0)
        result = read_run_id(replies[count - 1], run_id, err);
    redis_free_replies(replies, count);
    return result;
}

int redis_connect(const struct redis_address *address, redisContext **context,
                  char run_id[REDIS_RUN_ID_SIZE], struct err *err)
{
    int timeout_ms = redis_timeout_ms(address);
    const struct timeval timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000L };
    errno = 0;
    *context = address->is_unix ? redisConnectUnixWithTimeout(address->host, timeout)
                                : redisConnectWithTimeout(address->host, address->port, timeout);
    if (!*context)
        return err_set(err, ERR_MEMORY, "a connection to Redis");
    int result = 0;
    if ((*context)->err)
        result = set_trouble(*context, err);
    else if (redisSetTimeout(*context, timeout) != REDIS_OK)
        result = err_set(err, ERR_IO, "a time-out for Redis");
    if (result == 0)
        result = introduce(*context, address, run_id, err);
    if (result != 0) {
        redisFree(*context);
        *context = NULL;
    }
    return result;
}

int redis_resolve(const struct redis_address *address, struct redis_address *resolved,
                  struct err *err)
{
    *resolved = *address;
    if (address->is_unix)
        return 0;
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    int trouble = getaddrinfo(address->host, NULL, &hints, &found);
    if (trouble == 0) {
        trouble = getnameinfo(found->ai_addr, found->ai_addrlen, resolved->host,
                              sizeof(resolved->host), NULL, 0, NI_NUMERICHOST);
        freeaddrinfo(found);
    }
    return trouble ? err_set(err, ERR_UNAVAILABLE, "the host's name: %s", gai_strerror(trouble))
                   : 0;
}

/* --- a subscription --- */

int redis_subscribe(redisContext *context, struct str_view channel, struct err *err)
{
    struct redis_words words = { 0 };
    redisReply *reply;
    redis_word(&words, STR("SUBSCRIBE"));
    redis_word(&words, channel);
    const struct redis_command command = redis_command_of(&words);
    int result = redis_exchange(context, &command, 1, &reply, err);
    if (result != 0)
        return result;
    result = first_refusal(&reply, 1, err);
    redis_free_replies(&reply, 1);
    return result;
}

int redis_send_ping(redisContext *context, struct err *err)
{
    int is_done = 0;
    if (redisAppendCommand(context, "PING") != REDIS_OK)
        return err_set(err, ERR_MEMORY, "a command for Redis");
    while (!is_done)
        if (redisBufferWrite(context, &is_done) != REDIS_OK)
            return err_set(err, ERR_UNAVAILABLE, "the subscription: %s", context->errstr);
    return 0;
}

/* Replies on a subscription: "message", "pong" and the like. */
static void hear_reply(const redisReply *reply, redis_heard *heard, void *heard_context,
                       bool *has_pong)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING)
        return;
    const redisReply *last = reply->element[reply->elements - 1];
    if (strcmp(reply->element[0]->str, "pong") == 0)
        *has_pong = true;
    else if (strcmp(reply->element[0]->str, "message") == 0 && last->type == REDIS_REPLY_STRING)
        heard(heard_context, (struct str_view){ last->str, last->len });
}

int redis_read_messages(redisContext *context, redis_heard *heard, void *heard_context,
                        bool *has_pong, struct err *err)
{
    void *reply = NULL;
    if (redisBufferRead(context) != REDIS_OK)
        return err_set(err, ERR_UNAVAILABLE, "the subscription: %s", context->errstr);
    do {
        if (redisGetReplyFromReader(context, &reply) != REDIS_OK)
            return err_set(err, ERR_UNAVAILABLE, "the subscription: %s", context->errstr);
        if (reply) {
            hear_reply(reply, heard, heard_context, has_pong);
            freeReplyObject(reply);
        }
    } while (reply);
    return 0;
}
