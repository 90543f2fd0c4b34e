/* The scripts take their time from Redis alone: what is sent says when that was by Redis's clock,
 * as its last answer told it, so that Redis can tell what was held up on its way. */
#include "outbox/limit_script.h"

#include "bronx/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US_PER_MS      INT64_C(1000)
#define RUN_IN_KEY     8 /* digits of the run id in a key */
#define NUMBER_SIZE    24
#define HEX_DIGITS     16
#define LESSON_SIZE    80
/* A closure beyond is not Discord's. */
#define CLOSED_MAX_MS  86400000
#define DEAL_ARGUMENTS (4 + 5 + LIMIT_KINDS * 7)

static_assert(DEAL_ARGUMENTS <= REDIS_ARGUMENTS_MAX, "an ask is one command");
static_assert(4 + 3 + LIMIT_TOLD_MAX * 2 <= REDIS_ARGUMENTS_MAX, "lessons are one command");

/* Deals out. KEYS: a hash with a row for each member, and `born`. ARGV: our name, when we sent this
 * by this server's clock, how late it may be, how long a grant holds, instances; then for each
 * kind: all parts, window, most instances in it, what we have, want and use, whether others leave
 * us our share.
 *
 * The pool is all there is when every instance is a member; else the shares of members that are
 * settled: what the others use, they use without asking. A member whose lease has ended keeps what
 * it held for a window, but brings nothing. Our row says the larger of what we have and what we
 * get: we may not have heard the answer. Who has more than its share gives it back when somebody is
 * short of one. A server that was born a moment ago gives nothing more: grants of before may hold.
 */
static const char script_deal[] =
    "if redis.replicate_commands then redis.replicate_commands() end "
    "local t=redis.call('TIME') local now=t[1]*1000+math.floor(t[2]/1000) "
    "if math.abs(now-ARGV[2])>tonumber(ARGV[3]) then return {now} end "
    "local grant=tonumber(ARGV[4]) local here=tonumber(ARGV[5]) local live=1 "
    "local kinds={} local longest=0 "
    "for i=6,#ARGV,7 do local k={total=tonumber(ARGV[i]),window=tonumber(ARGV[i+1]),"
    "most=tonumber(ARGV[i+2]),have=tonumber(ARGV[i+3]),want=tonumber(ARGV[i+4]),"
    "used=tonumber(ARGV[i+5]),settled=tonumber(ARGV[i+6]),held=0,short=false} "
    "k.all_settled=k.settled k.all_used=k.used k.own_most=k.most "
    "kinds[#kinds+1]=k longest=math.max(longest,k.window) end "
    "local instances=here local born "
    "local rows=redis.call('HGETALL',KEYS[1]) "
    "for i=1,#rows,2 do "
    "if rows[i]=='born' then born=tonumber(rows[i+1]) "
    "elseif rows[i]~=ARGV[1] then "
    "local v={} for n in string.gmatch(rows[i+1],'%d+') do v[#v+1]=tonumber(n) end "
    "local is_live=v[1]>=now "
    "if is_live then live=live+1 instances=math.max(instances,v[2]) end "
    "if v[1]+longest<now then redis.call('HDEL',KEYS[1],rows[i]) end "
    "for j,k in ipairs(kinds) do local a=2+(j-1)*5 "
    "if v[1]+k.window>=now then k.held=k.held+v[a+2] k.all_used=k.all_used+v[a+3] end "
    "if is_live then k.most=math.max(k.most,v[a+1]) k.all_settled=k.all_settled+v[a+4] "
    "if v[a+5]==1 then k.short=true end end end end end "
    "if not born then born=now redis.call('HSET',KEYS[1],'born',now) end "
    "local reply={now,live,kinds[#kinds].all_used} local row={now+grant,here} "
    "for j,k in ipairs(kinds) do "
    "local share=math.max(1,math.floor(k.total/k.most)) "
    "local pool=k.total if live<instances then pool=math.min(k.total,share*k.all_settled) end "
    "local part=k.want if k.short and part>share then part=share end "
    "if now-born<2*grant+1000 then part=math.min(part,k.have) end "
    "part=math.max(0,math.min(part,pool-k.held)) "
    "local is_short=0 if part<k.want and part<share then is_short=1 end "
    "row[#row+1]=k.own_most row[#row+1]=math.max(k.have,part) row[#row+1]=k.used "
    "row[#row+1]=k.settled row[#row+1]=is_short reply[#reply+1]=part end "
    "redis.call('HSET',KEYS[1],ARGV[1],table.concat(row,' ')) "
    "redis.call('PEXPIRE',KEYS[1],2*longest+grant) "
    "return reply";

/* Tells. KEYS: a sorted set of lessons by their ends. ARGV: our name, the channel, when we sent
 * this; then a lesson and how long it held then, and so on. */
static const char script_tell[] =
    "if redis.replicate_commands then redis.replicate_commands() end "
    "local t=redis.call('TIME') local now=t[1]*1000+math.floor(t[2]/1000) "
    "local late=math.max(0,now-ARGV[3]) "
    "redis.call('ZREMRANGEBYSCORE',KEYS[1],'-inf',now) "
    "for i=4,#ARGV,2 do local left=math.floor(ARGV[i+1]-late) "
    "if left>0 then local ends=now+left local known=redis.call('ZSCORE',KEYS[1],ARGV[i]) "
    "if (known and tonumber(known)<ends) or "
    "(not known and redis.call('ZCARD',KEYS[1])<10000) then "
    "redis.call('ZADD',KEYS[1],ends,ARGV[i]) end "
    "redis.call('PUBLISH',ARGV[2],ARGV[1]..' '..left..' '..ARGV[i]) end end "
    "redis.call('PEXPIRE',KEYS[1],86400000) "
    "return now";

/* Recalls: how long each still holds, and the lesson; the longest first. ARGV: how many at most. */
static const char script_recall[] =
    "local t=redis.call('TIME') local now=t[1]*1000+math.floor(t[2]/1000) "
    "local found=redis.call('ZREVRANGEBYSCORE',KEYS[1],'+inf','('..now,'WITHSCORES',"
    "'LIMIT',0,ARGV[1]) local reply={} "
    "for i=1,#found,2 do reply[#reply+1]=math.floor(found[i+1]-now)..' '..found[i] end "
    "return reply";

/* --- Commands --- */

struct command {
    struct redis_words words;
    char numbers[REDIS_ARGUMENTS_MAX][NUMBER_SIZE];
};

static void number(struct command *command, int64_t value)
{
    char *text = command->numbers[command->words.count];
    snprintf(text, NUMBER_SIZE, "%" PRId64, value);
    redis_word(&command->words, str_from(text));
}

static int run(const struct limit_server *server, const struct command *command, redisReply **reply,
               struct err *err)
{
    const struct redis_command sent = redis_command_of(&command->words);
    int result = redis_exchange(server->context, &sent, 1, reply, err);
    if (result != 0 || (*reply)->type != REDIS_REPLY_ERROR)
        return result;
    result = strncmp((*reply)->str, "NOSCRIPT", strlen("NOSCRIPT")) == 0 ? ERR_NOT_FOUND
                                                                         : ERR_UNAVAILABLE;
    err_set(err, (enum err_code)result, "Redis: %s", (*reply)->str);
    redis_free_replies(reply, 1);
    return result;
}

static int load_script(const struct limit_server *server, const char *script,
                       char sha[LIMIT_SHA_SIZE], struct err *err)
{
    struct command command = { 0 };
    redisReply *reply = NULL;
    redis_word(&command.words, STR("SCRIPT"));
    redis_word(&command.words, STR("LOAD"));
    redis_word(&command.words, str_from(script));
    int result = run(server, &command, &reply, err);
    if (result != 0)
        return result;
    if (reply->type == REDIS_REPLY_STRING && reply->len == LIMIT_SHA_SIZE - 1)
        memcpy(sha, reply->str, LIMIT_SHA_SIZE);
    else
        result = err_set(err, ERR_UNAVAILABLE, "SCRIPT LOAD's answer is not understood");
    redis_free_replies(&reply, 1);
    return result;
}

static int load_scripts(struct limit_server *server, struct err *err)
{
    int result = load_script(server, script_deal, server->deal_sha, err);
    if (result == 0)
        result = load_script(server, script_tell, server->tell_sha, err);
    if (result == 0)
        result = load_script(server, script_recall, server->recall_sha, err);
    return result;
}

static void begin(struct command *command, const char *sha, const char *key)
{
    *command = (struct command){ 0 };
    redis_word(&command->words, STR("EVALSHA"));
    redis_word(&command->words, str_from(sha));
    redis_word(&command->words, STR("1"));
    redis_word(&command->words, str_from(key));
}

/* A server that has lost its scripts (SCRIPT FLUSH) is taught them again. */
static int run_script(struct limit_server *server, const struct command *command,
                      redisReply **reply, struct err *err)
{
    int result = run(server, command, reply, err);
    if (result != ERR_NOT_FOUND)
        return result;
    result = load_scripts(server, err);
    return result == 0 ? run(server, command, reply, err) : result;
}

/* --- The server's clock --- */

static void set_clock(struct limit_server *server, int64_t server_ms, int64_t now_us)
{
    server->server_ms = server_ms;
    server->server_at_us = now_us;
}

static int64_t server_now_ms(const struct limit_server *server, int64_t now_us)
{
    return server->server_ms + (now_us - server->server_at_us) / US_PER_MS;
}

static int read_clock(struct limit_server *server, int64_t now_us, struct err *err)
{
    struct command command = { 0 };
    redisReply *reply = NULL;
    int64_t seconds = 0, micros = 0;
    redis_word(&command.words, STR("TIME"));
    int result = run(server, &command, &reply, err);
    if (result != 0)
        return result;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        str_to_int64(str_from(reply->element[0]->str), &seconds) == 0 &&
        str_to_int64(str_from(reply->element[1]->str), &micros) == 0)
        set_clock(server, seconds * MS_PER_SECOND + micros / US_PER_MS, now_us);
    else
        result = err_set(err, ERR_UNAVAILABLE, "TIME's answer is not understood");
    redis_free_replies(&reply, 1);
    return result;
}

int limit_server_meet(struct limit_server *server, const char *name_space, const char *run_id,
                      int64_t now_us, struct err *err)
{
    snprintf(server->members_key, LIMIT_KEY_SIZE, "%s:%.*s:limits", name_space, RUN_IN_KEY, run_id);
    snprintf(server->closed_key, LIMIT_KEY_SIZE, "%s:%.*s:closed", name_space, RUN_IN_KEY, run_id);
    int result = load_scripts(server, err);
    return result == 0 ? read_clock(server, now_us, err) : result;
}

/* --- Dealing out --- */

static int read_deal(const redisReply *reply, struct limit_answer *answer, int64_t *server_ms,
                     struct err *err)
{
    bool is_known = reply->type == REDIS_REPLY_ARRAY &&
                    (reply->elements == 1 || reply->elements == 3 + LIMIT_KINDS);
    for (size_t i = 0; is_known && i < reply->elements; i++)
        is_known = reply->element[i]->type == REDIS_REPLY_INTEGER &&
                   (i == 0 ||
                    (reply->element[i]->integer >= 0 && reply->element[i]->integer <= INT32_MAX));
    if (!is_known)
        return err_set(err, ERR_UNAVAILABLE, "the parts that Redis names are not understood");
    *server_ms = reply->element[0]->integer;
    if (reply->elements == 1)
        return 0;
    answer->is_given = true;
    answer->members = (int)reply->element[1]->integer;
    answer->invalid = (int)reply->element[2]->integer;
    for (int kind = 0; kind < LIMIT_KINDS; kind++)
        answer->parts[kind] = (int)reply->element[3 + kind]->integer;
    return 1;
}

int limit_server_deal(struct limit_server *server, const struct limit_rules *rules,
                      const struct limit_ask *ask, int64_t now_us, struct limit_answer *answer,
                      struct err *err)
{
    struct command command;
    redisReply *reply = NULL;
    int64_t server_ms = 0;
    begin(&command, server->deal_sha, server->members_key);
    redis_word(&command.words, str_from(server->member));
    number(&command, server_now_ms(server, now_us));
    number(&command, LIMIT_LATE_MS);
    number(&command, rules->grant_us / US_PER_MS);
    number(&command, ask->instances);
    for (int kind = 0; kind < LIMIT_KINDS; kind++) {
        number(&command, rules->of[kind].total);
        number(&command, rules->of[kind].window_us / US_PER_MS);
        number(&command, ask->of[kind].most);
        number(&command, ask->of[kind].have);
        number(&command, ask->of[kind].want);
        number(&command, ask->of[kind].used);
        number(&command, ask->of[kind].is_settled);
    }
    int result = run_script(server, &command, &reply, err);
    if (result != 0)
        return result;
    result = read_deal(reply, answer, &server_ms, err);
    if (result >= 0)
        set_clock(server, server_ms, now_us);
    redis_free_replies(&reply, 1);
    return result;
}

/* --- Lessons --- */

static void write_lesson(const struct limiter_lesson *lesson, char text[LESSON_SIZE])
{
    snprintf(text, LESSON_SIZE, "%d %016" PRIx64 "%016" PRIx64 "%016" PRIx64 "%016" PRIx64,
             (int)lesson->kind, lesson->bucket[0], lesson->bucket[1], lesson->route[0],
             lesson->route[1]);
}

static bool take_hex(struct str_view *text, uint64_t *value)
{
    *value = 0;
    if (text->length < HEX_DIGITS)
        return false;
    for (size_t i = 0; i < HEX_DIGITS; i++) {
        char digit = text->data[i];
        bool is_decimal = digit >= '0' && digit <= '9', is_letter = digit >= 'a' && digit <= 'f';
        if (!is_decimal && !is_letter)
            return false;
        *value = *value << 4 | (uint64_t)(is_decimal ? digit - '0' : digit - 'a' + 10);
    }
    *text = (struct str_view){ text->data + HEX_DIGITS, text->length - HEX_DIGITS };
    return true;
}

/* What stands before the next space, which goes too. */
static struct str_view take_word(struct str_view *text)
{
    const char *space = text->length ? memchr(text->data, ' ', text->length) : NULL;
    size_t length = space ? (size_t)(space - text->data) : text->length;
    struct str_view word = { text->data, length };
    size_t gone = space ? length + 1 : length;
    *text = (struct str_view){ text->data + gone, text->length - gone };
    return word;
}

/* "MILLISECONDS KIND HASHES". */
static bool read_lesson(struct str_view text, struct limiter_lesson *lesson)
{
    int64_t left_ms, kind;
    if (str_to_uint63(take_word(&text), &left_ms) != 0 || left_ms > CLOSED_MAX_MS ||
        str_to_uint63(take_word(&text), &kind) != 0 || kind >= LESSON_KINDS)
        return false;
    *lesson = (struct limiter_lesson){ .kind = (enum limiter_lesson_kind)kind,
                                       .wait_us = left_ms * US_PER_MS };
    return take_hex(&text, &lesson->bucket[0]) && take_hex(&text, &lesson->bucket[1]) &&
           take_hex(&text, &lesson->route[0]) && take_hex(&text, &lesson->route[1]) &&
           text.length == 0;
}

bool limit_message_read(struct str_view message, const char *member, struct limiter_lesson *lesson)
{
    return !str_equal(take_word(&message), str_from(member)) && read_lesson(message, lesson);
}

int limit_server_tell(struct limit_server *server, const struct limiter_lesson *lessons,
                      size_t count, int64_t now_us, struct err *err)
{
    struct command command;
    char texts[LIMIT_TOLD_MAX][LESSON_SIZE];
    redisReply *reply = NULL;
    begin(&command, server->tell_sha, server->closed_key);
    redis_word(&command.words, str_from(server->member));
    redis_word(&command.words, str_from(server->channel));
    number(&command, server_now_ms(server, now_us));
    for (size_t i = 0; i < count && i < LIMIT_TOLD_MAX; i++) {
        write_lesson(&lessons[i], texts[i]);
        redis_word(&command.words, str_from(texts[i]));
        /* rounded up: rather too long than too short */
        number(&command, lessons[i].wait_us / US_PER_MS + 1);
    }
    int result = run_script(server, &command, &reply, err);
    if (result == 0)
        redis_free_replies(&reply, 1);
    return result;
}

int limit_server_recall(struct limit_server *server, limit_heard *heard, void *context,
                        struct err *err)
{
    struct command command;
    redisReply *reply = NULL;
    begin(&command, server->recall_sha, server->closed_key);
    number(&command, LIMIT_IN_FORCE_MAX);
    int result = run_script(server, &command, &reply, err);
    if (result != 0)
        return result;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        const redisReply *each = reply->element[i];
        struct limiter_lesson lesson;
        if (each->type == REDIS_REPLY_STRING &&
            read_lesson((struct str_view){ each->str, each->len }, &lesson))
            heard(context, &lesson);
    }
    redis_free_replies(&reply, 1);
    return 0;
}
