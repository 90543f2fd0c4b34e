/* Rate limits: a bucket for each interaction token, one for each route of the application. A bucket
 * is full again `burst_ms` after its first request.
 * https://docs.discord.com/developers/topics/rate-limits */
#include "simulator/rest_internal.h"

#include "harness/memory.h"

#include <inttypes.h>
#include <stdio.h>

/* An answer can still be on its way when the next request is sent. */
#define NOTICE_US INT64_C(50000)

static struct rest_bucket *bucket_of(struct rest_server *server, const char *key, unsigned family)
{
    uint64_t hash = lookup_hash(str_from(key));
    struct rest_bucket *bucket = lookup_find(&server->buckets_by_key, hash);
    if (bucket)
        return bucket;
    bucket = must_allocate(1, sizeof(*bucket));
    snprintf(bucket->key, sizeof(bucket->key), "%s", key);
    snprintf(bucket->name, sizeof(bucket->name), "51m%02xb0cke7", family);
    must_grow(&server->buckets, server->bucket_count, sizeof(struct rest_bucket *));
    server->buckets[server->bucket_count++] = bucket;
    lookup_add(&server->buckets_by_key, hash, bucket);
    return bucket;
}

void rest_bucket_find(struct rest_call *call)
{
    char key[REST_SERVER_TOKEN_SIZE + 32];
    if (call->token)
        snprintf(key, sizeof(key), "webhook %s", call->token->text);
    else
        snprintf(key, sizeof(key), "route %d of %" PRId64, (int)call->route, call->guild_id);
    call->bucket = bucket_of(call->server, key, call->token ? 0 : (unsigned)call->route);
}

static void refuse(struct rest_call *call, int64_t until_us, const char *scope)
{
    int64_t now_us = rest_now_us();
    call->retry_after_ms = until_us > now_us ? (until_us - now_us + 999) / 1000 : 1;
    call->scope = scope;
    rest_answer_error(call, 429, 0);
}

bool rest_bucket_take(struct rest_call *call)
{
    struct rest_server *server = call->server;
    struct rest_bucket *bucket = call->bucket;
    int64_t now_us = rest_now_us();
    bool is_global = server->global_closed_us > now_us;
    if (is_global || bucket->closed_us > now_us) {
        rest_complain(call, "sent before the Retry-After of a 429 was over");
        call->is_cloudflare = is_global && server->is_banned;
        refuse(call, is_global ? server->global_closed_us : bucket->closed_us,
               is_global ? "global" : "user");
        return false;
    }
    if (bucket->reset_us <= now_us) {
        bucket->reset_us = now_us + (int64_t)server->burst_ms * 1000;
        bucket->remaining = server->burst;
        bucket->told_us = 0;
    }
    if (bucket->remaining > 0) {
        bucket->remaining--;
        return true;
    }
    if (bucket->told_us > 0 && now_us > bucket->told_us + NOTICE_US)
        rest_complain(call, "sent although X-RateLimit-Remaining was 0");
    bucket->closed_us = bucket->reset_us;
    refuse(call, bucket->reset_us, "user");
    return false;
}

void rest_bucket_told(struct rest_call *call)
{
    struct rest_bucket *bucket = call->bucket;
    if (bucket && bucket->remaining == 0 && bucket->told_us == 0)
        bucket->told_us = rest_now_us();
}

void rest_bucket_headers(const struct rest_call *call, struct MHD_Response *response)
{
    const struct rest_bucket *bucket = call->bucket;
    char text[64];
    if (!bucket)
        return;
    int64_t left_us = bucket->reset_us - rest_now_us();
    int64_t left_ms = left_us > 0 ? (left_us + 999) / 1000 : 0;
    int64_t reset_ms = rest_wall_ms(call->server) + left_ms;
    snprintf(text, sizeof(text), "%d", call->server->burst);
    MHD_add_response_header(response, "X-RateLimit-Limit", text);
    snprintf(text, sizeof(text), "%d", bucket->remaining);
    MHD_add_response_header(response, "X-RateLimit-Remaining", text);
    snprintf(text, sizeof(text), "%" PRId64 ".%03" PRId64, reset_ms / 1000, reset_ms % 1000);
    MHD_add_response_header(response, "X-RateLimit-Reset", text);
    snprintf(text, sizeof(text), "%" PRId64 ".%03" PRId64, left_ms / 1000, left_ms % 1000);
    MHD_add_response_header(response, "X-RateLimit-Reset-After", text);
    MHD_add_response_header(response, "X-RateLimit-Bucket", bucket->name);
}

void rest_bucket_close(struct rest_call *call, const struct rest_fault *fault)
{
    int64_t until_us = rest_now_us() + (int64_t)fault->retry_after_ms * 1000;
    if (fault->is_global || fault->is_cloudflare) {
        call->server->global_closed_us = until_us;
        call->server->is_banned = fault->is_cloudflare;
    } else {
        call->bucket->closed_us = until_us;
    }
}
