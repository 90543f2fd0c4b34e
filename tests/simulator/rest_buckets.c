/* Rate limits: a bucket for each interaction token, one for each route of the application and
 * each channel, one that all tokens share, one for all that is sent as the bot. A bucket is full
 * again some time after its first request.
 *
 * What the bot can't know is no violation: what was told to a bot that was killed since, and what
 * was still on its way to it when the next request was sent, by the clock that stands still while
 * the machine does.
 * https://docs.discord.com/developers/topics/rate-limits */
#include "simulator/rest_internal.h"

#include "harness/memory.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* An answer can still be on its way when the next request of its token is sent ... */
#define NOTICE_US     INT64_C(50000)
/* ... and more requests are when it is about all of them. */
#define ALL_NOTICE_US INT64_C(250000)
/* In which a bot has written down how long a job is to wait, so that its successor knows, however
 * busy the machine. */
#define WRITING_US    INT64_C(2000000)

/* --- Finding --- */

static struct rest_bucket *route_bucket(struct rest_call *call)
{
    struct rest_server *server = call->server;
    uint64_t key = ((uint64_t)(call->guild_id | call->channel_id) << 4) + call->route;
    struct rest_bucket *bucket = lookup_find(&server->buckets_by_route, key);
    if (bucket)
        return bucket;
    bucket = must_allocate(1, sizeof(*bucket));
    must_grow(&server->route_buckets, server->bucket_count, sizeof(struct rest_bucket *));
    server->route_buckets[server->bucket_count++] = bucket;
    lookup_add(&server->buckets_by_route, key, bucket);
    return bucket;
}

void rest_bucket_find(struct rest_call *call)
{
    call->bucket = call->token ? &call->token->bucket : route_bucket(call);
}

/* --- Taking --- */

bool rest_bot_listens(const struct rest_call *call)
{
    struct pollfd peer = {
        .fd = MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CONNECTION_FD)
                  ->connect_fd,
        .events = POLLRDHUP,
    };
    return poll(&peer, 1, 0) == 0;
}

/* When the bot was told: now, or 0 where nobody listens. */
static int64_t told_now(const struct rest_call *call)
{
    return rest_bot_listens(call) ? rest_awake_us(call->server) : 0;
}

bool rest_bot_knows(const struct rest_server *server, int64_t told_us)
{
    return told_us > server->forgotten_us;
}

static void refuse(struct rest_call *call, int64_t until_us, const char *scope)
{
    int64_t now_us = rest_now_us();
    call->retry_after_ms = until_us > now_us ? (until_us - now_us + 999) / 1000 : 1;
    call->scope = scope;
    rest_answer_error(call, 429, 0);
}

bool rest_bucket_is_open_for_all(struct rest_call *call)
{
    struct rest_server *server = call->server;
    int64_t now_us = rest_now_us();
    if (server->all_closed_us <= now_us)
        return true;
    if (rest_bot_knows(server, server->all_told_us) &&
        rest_awake_us(server) > server->all_told_us + ALL_NOTICE_US)
        rest_complain(call, server->is_banned
                                ? "sent while Discord's front bans the address"
                                : "sent before the Retry-After of a 429 for everything was over");
    call->is_cloudflare = server->is_banned;
    refuse(call, server->all_closed_us, "global");
    return false;
}

/* False when nothing remains. */
static bool take_one(struct rest_bucket *bucket, int limit, int period_ms)
{
    int64_t now_us = rest_now_us();
    if (bucket->reset_us <= now_us) {
        bucket->reset_us = now_us + (int64_t)period_ms * 1000;
        bucket->limit = bucket->remaining = limit;
        bucket->told_us = 0;
    }
    if (bucket->remaining == 0)
        return false;
    bucket->remaining--;
    return true;
}

static void close_bucket(const struct rest_call *call, int64_t until_us)
{
    struct rest_bucket *bucket = call->bucket;
    bucket->remaining = 0;
    bucket->reset_us = bucket->closed_us = until_us;
    bucket->closed_told_us = told_now(call);
    bucket->is_closed_shared = false;
}

/* What remains for this token alone stays as it is, and so do its headers. */
static void close_shared(const struct rest_call *call, int64_t until_us)
{
    struct rest_bucket *bucket = call->bucket;
    bucket->closed_us = until_us;
    bucket->closed_told_us = told_now(call);
    bucket->is_closed_shared = true;
}

static bool take_global(struct rest_call *call)
{
    const struct rest_limits *limits = &call->server->limits;
    struct rest_bucket *bucket = &call->server->global_bucket;
    if (!call->is_as_bot || take_one(bucket, limits->global, limits->global_ms))
        return true;
    rest_complain(call, "more than %d requests as the bot in %d ms", limits->global,
                  limits->global_ms);
    refuse(call, bucket->reset_us, "global");
    return false;
}

/* Others use it up as well: no fault of the bot's, unless it does not wait. */
static bool take_shared(struct rest_call *call)
{
    const struct rest_limits *limits = &call->server->limits;
    struct rest_bucket *bucket = &call->server->shared_bucket;
    if (!call->token || limits->shared_burst == 0 ||
        take_one(bucket, limits->shared_burst, limits->shared_burst_ms))
        return true;
    close_shared(call, bucket->reset_us);
    refuse(call, bucket->reset_us, "shared");
    return false;
}

static bool take_own(struct rest_call *call)
{
    const struct rest_limits *limits = &call->server->limits;
    struct rest_bucket *bucket = call->bucket;
    if (take_one(bucket, limits->burst, limits->burst_ms))
        return true;
    if (bucket->told_us > 0 && rest_bot_knows(call->server, bucket->told_us) &&
        rest_awake_us(call->server) > bucket->told_us + NOTICE_US)
        rest_complain(call, "sent although X-RateLimit-Remaining was 0");
    close_bucket(call, bucket->reset_us);
    refuse(call, bucket->reset_us, "user");
    return false;
}

/* The wait of one token outlives the process that was told it, once it had time to write it. */
static bool must_know_wait(const struct rest_server *server, int64_t told_us)
{
    return rest_bot_knows(server, told_us) ||
           (told_us > 0 && told_us + WRITING_US < server->forgotten_us);
}

bool rest_bucket_take(struct rest_call *call)
{
    struct rest_bucket *bucket = call->bucket;
    if (bucket->closed_us > rest_now_us()) {
        if (must_know_wait(call->server, bucket->closed_told_us))
            rest_complain(call, "sent before the Retry-After of a 429 was over");
        refuse(call, bucket->closed_us, bucket->is_closed_shared ? "shared" : "user");
        return false;
    }
    return take_global(call) && take_own(call) && take_shared(call);
}

/* --- Telling --- */

static void add_milliseconds(struct MHD_Response *response, const char *name, int64_t milliseconds)
{
    char text[48];
    snprintf(text, sizeof(text), "%" PRId64 ".%03" PRId64, milliseconds / 1000,
             milliseconds % 1000);
    MHD_add_response_header(response, name, text);
}

void rest_bucket_tell(struct rest_call *call, struct MHD_Response *response)
{
    struct rest_server *server = call->server;
    struct rest_bucket *bucket = call->bucket;
    char text[64];
    if (!bucket)
        return;
    int64_t left_us = bucket->reset_us - rest_now_us();
    int64_t left_ms = left_us > 0 ? (left_us + 999) / 1000 : 0;
    snprintf(text, sizeof(text), "%d", bucket->limit);
    MHD_add_response_header(response, "X-RateLimit-Limit", text);
    snprintf(text, sizeof(text), "%d", bucket->remaining);
    MHD_add_response_header(response, "X-RateLimit-Remaining", text);
    add_milliseconds(response, "X-RateLimit-Reset",
                     rest_wall_ms(server) + server->clock_error_ms + left_ms);
    add_milliseconds(response, "X-RateLimit-Reset-After", left_ms);
    snprintf(text, sizeof(text), "51m%02xb0cke7", call->token ? 0 : (unsigned)call->route);
    MHD_add_response_header(response, "X-RateLimit-Bucket", text);
    if (bucket->remaining == 0 && bucket->told_us == 0)
        bucket->told_us = told_now(call);
}

/* --- Closing --- */

static void close_all(const struct rest_call *call, int64_t wait_ms, bool is_banned)
{
    struct rest_server *server = call->server;
    server->all_told_us = told_now(call);
    server->all_closed_us = rest_now_us() + wait_ms * 1000;
    server->is_banned = is_banned;
}

void rest_bucket_close(struct rest_call *call, const struct rest_fault *fault)
{
    int64_t until_us = rest_now_us() + (int64_t)fault->retry_after_ms * 1000;
    if (fault->is_global || fault->is_cloudflare)
        close_all(call, fault->retry_after_ms, fault->is_cloudflare);
    else if (call->bucket && !fault->is_shared)
        close_bucket(call, until_us);
    else if (call->bucket)
        close_shared(call, until_us);
}

/* https://docs.discord.com/developers/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans
 */
void rest_bucket_count_invalid(struct rest_call *call)
{
    struct rest_server *server = call->server;
    struct rest_invalid *invalid = &server->invalid;
    bool is_limited = call->status == 429,
         is_shared = is_limited && strcmp(call->scope, "shared") == 0;
    server->statistics.shared_limited += is_shared;
    if (is_shared || (!is_limited && call->status != 401 && call->status != 403))
        return;
    int64_t now_us = rest_now_us();
    if (server->is_banned && server->all_closed_us > now_us)
        return; /* nothing is counted behind a ban */
    if (invalid->reset_us <= now_us)
        *invalid =
            (struct rest_invalid){ .reset_us = now_us + (int64_t)server->limits.invalid_ms * 1000 };
    server->statistics.invalid++;
    if (++invalid->count <= server->limits.invalid)
        return;
    close_all(call, server->limits.ban_ms, true);
    invalid->reset_us = 0;
}
