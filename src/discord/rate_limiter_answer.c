/* Discord's answers as facts for the limiter: pure. */
#include "discord/rate_limiter_answer.h"

#include <string.h>

/* Limits beyond are not Discord's. */
#define LIMIT_MAX 1000000
#define MS_US     INT64_C(1000)

static bool has_scope(const struct rest_response *response, const char *scope)
{
    return strcmp(response->scope, scope) == 0;
}

enum effect answer_effect(const struct rest_response *response, const struct rest_error *error)
{
    if (response->result != REST_ANSWERED)
        return rest_was_without_effect(response->result) ? EFFECT_NONE : EFFECT_BLIND;
    if (response->status != 429)
        return answer_has_headers(response) ? EFFECT_COUNTED : EFFECT_BLIND;
    if (rest_is_banned(response, error))
        return EFFECT_BANNED;
    bool is_global = response->is_global || error->is_global || has_scope(response, "global");
    return is_global ? EFFECT_GLOBAL : EFFECT_CLOSED;
}

bool answer_has_headers(const struct rest_response *response)
{
    return response->limit >= 1 && response->limit <= LIMIT_MAX && response->remaining >= 0 &&
           response->remaining <= response->limit && response->reset_after_ms >= 0;
}

int64_t answer_reset_us(const struct rest_response *response)
{
    int64_t reset_ms = response->reset_after_ms;
    return (reset_ms < REST_WAIT_MAX_MS ? reset_ms : REST_WAIT_MAX_MS) * MS_US;
}

bool answer_is_invalid(const struct rest_response *response)
{
    if (response->result != REST_ANSWERED)
        return false;
    return response->status == 401 || response->status == 403 ||
           (response->status == 429 && !has_scope(response, "shared"));
}

int64_t answer_wait_us(const struct rest_response *response, const struct rest_error *error,
                       int64_t otherwise_ms)
{
    int64_t wait_ms = rest_wait_ms(response, error);
    if (wait_ms <= 0)
        wait_ms = otherwise_ms;
    return (wait_ms < REST_WAIT_MAX_MS ? wait_ms : REST_WAIT_MAX_MS) * MS_US;
}
