/* What the cache asks of Redis. See redis.h for how values, tickets and epochs work together. */
#include "cache/redis_internal.h"

#include "core/thread.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Longer than any load; what a load stores after it is refused. */
#define TICKET_TTL_MS "30000"
#define RUN_IN_KEY    8 /* digits of the run id in a key */
#define KEY_ROOM      (REDIS_NAMESPACE_SIZE + RUN_IN_KEY + 64 + CACHE_KEY_MAX)
#define BATCH         16
#define SCAN_COUNT    "1000"
#define VALUE_MARK    'v'
#define ABSENT_MARK   'n'
#define TICKET_MARK   't'
#define KEEPER_STACK  ((size_t)256 * 1024)

/* KEYS: value, epoch; ARGV: ticket, its ttl, epoch. The value or ticket that is there, or ours; 0
 * in another epoch. */
static const char script_take[] =
    "if (redis.call('GET',KEYS[2]) or '0')~=ARGV[3] then return 0 end "
    "local v=redis.call('GET',KEYS[1]) if v then return v end "
    "redis.call('SET',KEYS[1],ARGV[1],'PX',ARGV[2]) return ARGV[1]";

/* KEYS: value; ARGV: ticket, value, its ttl. */
static const char script_fill[] =
    "if redis.call('GET',KEYS[1])==ARGV[1] then "
    "redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) return 1 end return 0";

/* --- life --- */

static int set_up(struct redis *redis, const struct redis_settings *settings, struct err *err)
{
    unsigned char random[(REDIS_INSTANCE_SIZE - 1) / 2];
    redis->settings = *settings;
    int result = redis_address_parse(str_from(settings->url), &redis->address, err);
    if (result != 0)
        return err_wrap(err, "REDIS_URL");
    redis->address.timeout_ms = settings->timeout_ms;
    randombytes_buf(random, sizeof(random));
    sodium_bin2hex(redis->instance, sizeof(redis->instance), random, sizeof(random));
    snprintf(redis->name_space, sizeof(redis->name_space), "%s", settings->name_space);
    snprintf(redis->epoch_key, sizeof(redis->epoch_key), "%s:epoch", redis->name_space);
    /* Databases have keys of their own, channels are everybody's. */
    snprintf(redis->channel, sizeof(redis->channel), "%s:%d:cache", redis->name_space,
             redis->address.database);
    redis->log = log_of(settings->log);
    redis->lost = 1; /* perhaps: what ran here before may have died */
    return 0;
}

static void clean_up(struct redis *redis)
{
    close(redis->wake_fd);
    pthread_cond_destroy(&redis->available);
    pthread_mutex_destroy(&redis->lock);
    sodium_memzero(&redis->address, sizeof(redis->address));
    sodium_memzero(&redis->resolved, sizeof(redis->resolved));
    free(redis);
}

int redis_new(struct redis **out, const struct redis_settings *settings, struct err *err)
{
    struct redis *redis = calloc(1, sizeof(*redis));
    if (!redis)
        return err_set(err, ERR_MEMORY, "Redis");
    int result = set_up(redis, settings, err);
    if (result == 0) {
        redis->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (redis->wake_fd < 0)
            result = err_set(err, ERR_IO, "an eventfd");
    }
    if (result != 0) {
        free(redis);
        return result;
    }
    pthread_mutex_init(&redis->lock, NULL);
    thread_cond_init(&redis->available);
    int number = thread_start(&redis->keeper, THREAD_JOINED, KEEPER_STACK, redis_keep, redis);
    if (number != 0) {
        clean_up(redis);
        return err_set_errno(err, ERR_MEMORY, number, "a thread for Redis");
    }
    *out = redis;
    return 0;
}

void redis_free(struct redis *redis)
{
    if (!redis)
        return;
    atomic_store(&redis->is_stopping, true);
    eventfd_write(redis->wake_fd, 1);
    pthread_join(redis->keeper, NULL);
    redis_close_idle(redis);
    clean_up(redis);
}

bool redis_is_trusted(const struct redis *redis)
{
    return atomic_load(&redis->is_up) &&
           clock_monotonic_us(redis->settings.clock) >= atomic_load(&redis->trusted_at_us);
}

/* --- keys --- */

struct key {
    char text[KEY_ROOM];
    size_t length;
    char epoch[24]; /* as Redis writes it */
};

static struct str_view key_view(const struct key *key)
{
    return (struct str_view){ key->text, key->length };
}

static int64_t key_begin(struct redis *redis, struct key *key)
{
    pthread_mutex_lock(&redis->lock);
    int64_t epoch = redis->epoch;
    key->length = (size_t)snprintf(key->text, sizeof(key->text), "%s:%.*s:%" PRId64 ":",
                                   redis->name_space, RUN_IN_KEY, redis->run_id, epoch);
    pthread_mutex_unlock(&redis->lock);
    snprintf(key->epoch, sizeof(key->epoch), "%" PRId64, epoch);
    return epoch;
}

static void key_append(struct key *key, struct str_view text)
{
    memcpy(key->text + key->length, text.data, text.length);
    key->length += text.length;
}

static int64_t key_of(struct redis *redis, const struct cache_name *name, struct key *key)
{
    int64_t epoch = key_begin(redis, key);
    key_append(key, str_from(cache_category_info(name->category)->word));
    key_append(key, STR(":"));
    key_append(key, name->key);
    return epoch;
}

/* --- replies --- */

static bool is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING && reply->len > 0;
}

/* The epoch as Redis has it; a missing one is 0. */
static int64_t epoch_in(const redisReply *reply)
{
    int64_t epoch = 0;
    if (reply->type == REDIS_REPLY_STRING &&
        str_to_uint63((struct str_view){ reply->str, reply->len }, &epoch) != 0)
        epoch = 0;
    return epoch;
}

/* What a key held: an entry, or a ticket to fill it. */
static enum redis_fetch read_held(const redisReply *reply, const struct cache_name *name,
                                  char ticket[REDIS_TICKET_SIZE], struct memory_entry **entry)
{
    if (!is_text(reply))
        return REDIS_MISS;
    if (reply->str[0] == TICKET_MARK && reply->len == REDIS_TICKET_SIZE - 1) {
        memcpy(ticket, reply->str, REDIS_TICKET_SIZE);
        return REDIS_MISS;
    }
    if (reply->str[0] != VALUE_MARK && reply->str[0] != ABSENT_MARK)
        return REDIS_MISS;
    *entry = memory_entry_new(name, reply->str[0] == ABSENT_MARK,
                              (struct str_view){ reply->str + 1, reply->len - 1 });
    return *entry ? REDIS_FOUND : REDIS_MISS;
}

/* --- reading --- */

static enum redis_fetch take_ticket(struct redis *redis, const struct cache_name *name,
                                    const struct key *key, char ticket[REDIS_TICKET_SIZE],
                                    struct memory_entry **entry)
{
    unsigned char random[(REDIS_TICKET_SIZE - 2) / 2];
    char own[REDIS_TICKET_SIZE] = { TICKET_MARK };
    struct redis_words words = { 0 };
    redisReply *reply;
    randombytes_buf(random, sizeof(random));
    sodium_bin2hex(own + 1, sizeof(own) - 1, random, sizeof(random));
    redis_word(&words, STR("EVAL"));
    redis_word(&words, str_from(script_take));
    redis_word(&words, STR("2"));
    redis_word(&words, key_view(key));
    redis_word(&words, str_from(redis->epoch_key));
    redis_word(&words, str_from(own));
    redis_word(&words, STR(TICKET_TTL_MS));
    redis_word(&words, str_from(key->epoch));
    const struct redis_command command = redis_command_of(&words);
    if (redis_run(redis, &command, 1, &reply, NULL) != 0)
        return REDIS_AWAY;
    enum redis_fetch result = read_held(reply, name, ticket, entry);
    redis_free_replies(&reply, 1);
    return result;
}

/* One round trip: the epoch, what the key holds, how long it will. `*epoch` is the one in Redis. */
static enum redis_fetch read_key(struct redis *redis, const struct cache_name *name,
                                 const struct key *key, int64_t *epoch,
                                 char ticket[REDIS_TICKET_SIZE], struct memory_entry **entry,
                                 int64_t *ttl_us)
{
    struct redis_words words[2] = { 0 };
    redisReply *replies[2];
    redis_word(&words[0], STR("MGET"));
    redis_word(&words[0], str_from(redis->epoch_key));
    redis_word(&words[0], key_view(key));
    redis_word(&words[1], STR("PTTL"));
    redis_word(&words[1], key_view(key));
    const struct redis_command commands[2] = { redis_command_of(&words[0]),
                                               redis_command_of(&words[1]) };
    if (redis_run(redis, commands, 2, replies, NULL) != 0)
        return REDIS_AWAY;
    enum redis_fetch result = REDIS_AWAY;
    if (replies[0]->type == REDIS_REPLY_ARRAY && replies[0]->elements == 2 &&
        replies[1]->type == REDIS_REPLY_INTEGER) {
        *epoch = epoch_in(replies[0]->element[0]);
        result = read_held(replies[0]->element[1], name, ticket, entry);
        *ttl_us = replies[1]->integer > 0 ? replies[1]->integer * 1000 : 0;
    }
    redis_free_replies(replies, 2);
    return result;
}

/* One try; false when the epoch turned out to be another one. */
static bool fetch(struct redis *redis, const struct cache_name *name,
                  char ticket[REDIS_TICKET_SIZE], struct memory_entry **entry, int64_t *ttl_us,
                  enum redis_fetch *result)
{
    struct key key;
    int64_t epoch = 0, expected = key_of(redis, name, &key);
    ticket[0] = '\0';
    *result = read_key(redis, name, &key, &epoch, ticket, entry, ttl_us);
    if (*result != REDIS_AWAY && epoch != expected) {
        memory_entry_release(STEAL(*entry));
        ticket[0] = '\0';
        redis_adopt_epoch(redis, epoch);
        *result = REDIS_MISS;
        return false;
    }
    if (*result == REDIS_MISS && !ticket[0]) {
        *ttl_us = 0;
        *result = take_ticket(redis, name, &key, ticket, entry);
    }
    return true;
}

enum redis_fetch redis_fetch(struct redis *redis, const struct cache_name *name,
                             char ticket[REDIS_TICKET_SIZE], struct memory_entry **entry,
                             int64_t *ttl_us)
{
    enum redis_fetch result = REDIS_AWAY;
    if (redis_is_trusted(redis) && !fetch(redis, name, ticket, entry, ttl_us, &result))
        fetch(redis, name, ticket, entry, ttl_us, &result);
    return result;
}

bool redis_fill(struct redis *redis, const struct cache_name *name,
                const char ticket[REDIS_TICKET_SIZE], const struct memory_entry *entry,
                int64_t ttl_ms)
{
    CLEANUP(buf_free) struct buf value = { 0 };
    struct key key;
    char ttl[24];
    struct redis_words words = { 0 };
    redisReply *reply;
    key_of(redis, name, &key);
    buf_append_char(&value, entry->is_absent ? ABSENT_MARK : VALUE_MARK);
    buf_append(&value, memory_entry_value(entry));
    if (value.has_failed)
        return true;
    snprintf(ttl, sizeof(ttl), "%" PRId64, ttl_ms);
    redis_word(&words, STR("EVAL"));
    redis_word(&words, str_from(script_fill));
    redis_word(&words, STR("1"));
    redis_word(&words, key_view(&key));
    redis_word(&words, str_from(ticket));
    redis_word(&words, buf_view(&value));
    redis_word(&words, str_from(ttl));
    const struct redis_command command = redis_command_of(&words);
    if (redis_run(redis, &command, 1, &reply, NULL) != 0)
        return true;
    bool was_refused = reply->type == REDIS_REPLY_INTEGER && reply->integer == 0;
    redis_free_replies(&reply, 1);
    return !was_refused;
}

/* --- changes --- */

static int expect_no_refusal(redisReply *const *replies, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (replies[i]->type == REDIS_REPLY_ERROR)
            return err_set(err, ERR_UNAVAILABLE, "Redis: %s", replies[i]->str);
    return 0;
}

struct message {
    char text[REDIS_INSTANCE_SIZE + CACHE_KEY_MAX + 32];
    size_t length;
};

static void write_change(const struct redis *redis, const struct cache_name *name,
                         struct message *message)
{
    int length = snprintf(message->text, sizeof(message->text), "%s d %s:", redis->instance,
                          cache_category_info(name->category)->word);
    memcpy(message->text + length, name->key.data, name->key.length);
    message->length = (size_t)length + name->key.length;
}

/* In one round trip: the epoch, one UNLINK for all, one PUBLISH for each. */
static int send_changes(struct redis *redis, const struct cache_name *names, size_t count,
                        int64_t *expected, int64_t *epoch, struct err *err)
{
    struct key keys[BATCH];
    struct message messages[BATCH];
    const char *unlinked[BATCH + 1] = { "UNLINK" };
    size_t lengths[BATCH + 1] = { strlen("UNLINK") };
    struct redis_words words[BATCH + 1] = { 0 };
    struct redis_command commands[BATCH + 2];
    redisReply *replies[BATCH + 2];
    redis_word(&words[BATCH], STR("GET"));
    redis_word(&words[BATCH], str_from(redis->epoch_key));
    commands[0] = redis_command_of(&words[BATCH]);
    for (size_t i = 0; i < count; i++) {
        int64_t of_key = key_of(redis, &names[i], &keys[i]);
        *expected = i == 0 || of_key == *expected ? of_key : -1;
        unlinked[i + 1] = keys[i].text;
        lengths[i + 1] = keys[i].length;
        write_change(redis, &names[i], &messages[i]);
        redis_word(&words[i], STR("PUBLISH"));
        redis_word(&words[i], str_from(redis->channel));
        redis_word(&words[i], (struct str_view){ messages[i].text, messages[i].length });
        commands[i + 2] = redis_command_of(&words[i]);
    }
    commands[1] = (struct redis_command){ (int)count + 1, unlinked, lengths };
    int result = redis_run(redis, commands, count + 2, replies, err);
    if (result != 0)
        return result;
    result = expect_no_refusal(replies, count + 2, err);
    *epoch = epoch_in(replies[0]);
    redis_free_replies(replies, count + 2);
    return result;
}

static void invalidate_batch(struct redis *redis, const struct cache_name *names, size_t count)
{
    struct err err = { 0 };
    int64_t expected = 0, epoch = 0;
    redis_await_healing(redis);
    int result = send_changes(redis, names, count, &expected, &epoch, &err);
    /* In another epoch the keys have other names. One that begins after the answer is younger than
     * the change, and so is all that is in it. */
    for (int tries = 0; result == 0 && epoch != expected; tries++) {
        redis_adopt_epoch(redis, epoch);
        result = tries < 3 ? send_changes(redis, names, count, &expected, &epoch, &err)
                           : err_set(&err, ERR_BUSY, "the epoch changes all the time");
    }
    if (result != 0)
        redis_lose(redis, &err);
}

void redis_invalidate(struct redis *redis, const struct cache_name *names, size_t count)
{
    for (size_t done = 0; done < count; done += BATCH)
        invalidate_batch(redis, names + done, count - done < BATCH ? count - done : BATCH);
}

/* --- clearing --- */

static int publish_clear(struct redis *redis, struct str_view pattern, int64_t *epoch,
                         struct err *err)
{
    struct message message;
    struct redis_words words[2] = { 0 };
    redisReply *replies[2];
    int length = snprintf(message.text, sizeof(message.text), "%s c ", redis->instance);
    memcpy(message.text + length, pattern.data, pattern.length);
    redis_word(&words[0], STR("GET"));
    redis_word(&words[0], str_from(redis->epoch_key));
    redis_word(&words[1], STR("PUBLISH"));
    redis_word(&words[1], str_from(redis->channel));
    redis_word(&words[1], (struct str_view){ message.text, (size_t)length + pattern.length });
    const struct redis_command commands[] = { redis_command_of(&words[0]),
                                              redis_command_of(&words[1]) };
    int result = redis_run(redis, commands, 2, replies, err);
    if (result != 0)
        return result;
    result = expect_no_refusal(replies, 2, err);
    *epoch = epoch_in(replies[0]);
    redis_free_replies(replies, 2);
    return result;
}

static int unlink_found(struct redis *redis, const redisReply *found, int64_t *count,
                        struct err *err)
{
    if (found->elements == 0)
        return 0;
    CLEANUP(cleanup_free) const char **arguments = calloc(found->elements + 1, sizeof(char *));
    CLEANUP(cleanup_free) size_t *lengths = calloc(found->elements + 1, sizeof(size_t));
    if (!arguments || !lengths)
        /* freed by CLEANUP */ // NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
        return err_set(err, ERR_MEMORY, "keys to clear");
    arguments[0] = "UNLINK";
    lengths[0] = strlen(arguments[0]);
    for (size_t i = 0; i < found->elements; i++) {
        arguments[i + 1] = found->element[i]->str;
        lengths[i + 1] = found->element[i]->len;
    }
    const struct redis_command command = { (int)found->elements + 1, arguments, lengths };
    redisReply *reply;
    int result = redis_run(redis, &command, 1, &reply, err);
    if (result != 0)
        return result;
    result = expect_no_refusal(&reply, 1, err);
    if (result == 0)
        *count += reply->integer;
    redis_free_replies(&reply, 1);
    return result;
}

/* One step of SCAN; `cursor` becomes the next one, "0" at the end. */
static int clear_step(struct redis *redis, const struct key *match, char cursor[24], int64_t *count,
                      struct err *err)
{
    struct redis_words words = { 0 };
    redisReply *reply;
    redis_word(&words, STR("SCAN"));
    redis_word(&words, str_from(cursor));
    redis_word(&words, STR("MATCH"));
    redis_word(&words, key_view(match));
    redis_word(&words, STR("COUNT"));
    redis_word(&words, STR(SCAN_COUNT));
    const struct redis_command command = redis_command_of(&words);
    int result = redis_run(redis, &command, 1, &reply, err);
    if (result != 0)
        return result;
    result = expect_no_refusal(&reply, 1, err);
    if (result == 0 && (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
                        !is_text(reply->element[0]) || reply->element[0]->len >= 24))
        result = err_set(err, ERR_UNAVAILABLE, "SCAN's answer is not understood");
    if (result == 0) {
        memcpy(cursor, reply->element[0]->str, reply->element[0]->len + 1);
        result = unlink_found(redis, reply->element[1], count, err);
    }
    redis_free_replies(&reply, 1);
    return result;
}

int redis_clear(struct redis *redis, struct str_view pattern, int64_t *count, struct err *err)
{
    struct err own = { 0 };
    struct key match;
    char cursor[24] = "0";
    int64_t epoch = 0;
    if (!err)
        err = &own;
    *count = 0;
    /* Once before, so that all drop theirs at once; once after, for what they read meanwhile. */
    int result = publish_clear(redis, pattern, &epoch, err);
    if (result == 0 && epoch != key_begin(redis, &match))
        redis_adopt_epoch(redis, epoch);
    key_begin(redis, &match);
    key_append(&match, pattern);
    do {
        if (result == 0)
            result = clear_step(redis, &match, cursor, count, err);
    } while (result == 0 && strcmp(cursor, "0") != 0);
    if (result == 0)
        result = publish_clear(redis, pattern, &epoch, err);
    if (result != 0)
        redis_lose(redis, err);
    return result;
}
