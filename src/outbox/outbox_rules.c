/* The rules as a sequence of questions, the surest first. */
#include "outbox/outbox_rules.h"

#include "core/backoff.h"

#include <assert.h>

static_assert(OUTBOX_REPEAT_WINDOW_MS + REST_TOTAL_MS <= OUTBOX_NONCE_KNOWN_MS,
              "Discord knows again what is repeated");

const struct outbox_rules outbox_rules_default = {
    .not_yet_ms = { 250, 500, 1000, 2000, 4000 },
    .not_yet_window_ms = 10000,
    .backoff_base_ms = 1000,
    .backoff_cap_ms = 60000,
    .repeat_window_ms = OUTBOX_REPEAT_WINDOW_MS,
    .ban_ms = 60000,
    .connect_ms = REST_CONNECT_MS,
    .total_ms = REST_TOTAL_MS,
    .count_max = 4096,
    .bytes_max = (size_t)64 * 1024 * 1024, /* six messages with as many files as allowed */
    .under_way_max = 256,
    .patience_ms = OUTBOX_STORE_PATIENCE_MS,
};

static const char *const retry_words[] = {
    [OUTBOX_RETRY_NOT_YET] = "not_yet", [OUTBOX_RETRY_RATE_LIMITED] = "rate_limited",
    [OUTBOX_RETRY_BANNED] = "banned",   [OUTBOX_RETRY_SERVER_ERROR] = "server_error",
    [OUTBOX_RETRY_NETWORK] = "network",
};

static const char *const loss_words[] = {
    [OUTBOX_LOSS_TOKEN_DEAD] = "token_dead",     [OUTBOX_LOSS_EXPIRED] = "expired",
    [OUTBOX_LOSS_REFUSED] = "refused",           [OUTBOX_LOSS_MESSAGE_GONE] = "message_gone",
    [OUTBOX_LOSS_UNCERTAIN] = "uncertain",       [OUTBOX_LOSS_RUN_FAILED] = "run_failed",
    [OUTBOX_LOSS_NOT_STORED] = "not_stored",     [OUTBOX_LOSS_CHANNEL_CLOSED] = "channel_closed",
    [OUTBOX_LOSS_NO_BOT_TOKEN] = "no_bot_token",
};

const char *outbox_retry_word(enum outbox_retry retry)
{
    return retry_words[retry];
}

const char *outbox_loss_word(enum outbox_loss loss)
{
    return loss_words[loss];
}

bool outbox_is_post(enum outbox_method method)
{
    return method == OUTBOX_FOLLOW_UP || method == OUTBOX_CHANNEL_MESSAGE;
}

bool outbox_has_nonce(enum outbox_method method)
{
    return method == OUTBOX_CHANNEL_MESSAGE;
}

static struct outbox_verdict lost(enum outbox_loss loss)
{
    return (struct outbox_verdict){ .kind = OUTBOX_LOST, .loss = loss };
}

static struct outbox_verdict again(enum outbox_retry retry, int64_t delay_ms)
{
    return (struct outbox_verdict){ .kind = OUTBOX_AGAIN, .retry = retry, .delay_ms = delay_ms };
}

static int64_t backoff_ms(const struct outbox_rules *rules, int failure_count)
{
    return backoff_draw(rules->backoff_base_ms, rules->backoff_cap_ms, failure_count);
}

/* 404 with code 10015: Discord does not know the token, yet or any more. */
static struct outbox_verdict judge_unknown_token(const struct outbox_rules *rules,
                                                 const struct outbox_try *attempt)
{
    int64_t left_ms = rules->not_yet_window_ms - attempt->since_answer_ms;
    if (left_ms <= 0)
        return lost(OUTBOX_LOSS_TOKEN_DEAD);
    /* After the last pause one more try, at the end of the window, decides. */
    int64_t delay_ms = left_ms;
    if (attempt->not_yet_count < OUTBOX_NOT_YET_TRIES &&
        rules->not_yet_ms[attempt->not_yet_count] < left_ms)
        delay_ms = rules->not_yet_ms[attempt->not_yet_count];
    return again(OUTBOX_RETRY_NOT_YET, delay_ms);
}

static struct outbox_verdict judge_429(const struct outbox_rules *rules,
                                       const struct outbox_try *attempt)
{
    const struct rest_response *response = attempt->response;
    int64_t wait_ms = rest_wait_ms(response, attempt->error);
    if (rest_is_banned(response, attempt->error))
        return again(OUTBOX_RETRY_BANNED, wait_ms > 0 ? wait_ms : rules->ban_ms);
    return again(OUTBOX_RETRY_RATE_LIMITED,
                 wait_ms >= 0 ? wait_ms : backoff_ms(rules, attempt->failure_count));
}

/* 404 with code 10008: somebody has deleted the message. */
static struct outbox_verdict judge_unknown_message(const struct outbox_try *attempt)
{
    if (attempt->method == OUTBOX_DELETE)
        return (struct outbox_verdict){ .kind = OUTBOX_SENT };
    /* Of a new message: Discord knew its nonce, somebody has deleted what had arrived. */
    if (outbox_has_nonce(attempt->method) && attempt->may_have_arrived)
        return (struct outbox_verdict){ .kind = OUTBOX_SENT };
    if (attempt->method == OUTBOX_EDIT && attempt->is_reposted)
        return (struct outbox_verdict){ .kind = OUTBOX_REPOST };
    return lost(OUTBOX_LOSS_MESSAGE_GONE);
}

static struct outbox_verdict judge_failure(const struct outbox_rules *rules,
                                           const struct outbox_try *attempt,
                                           enum outbox_retry retry, bool is_without_effect)
{
    struct outbox_verdict verdict = again(retry, backoff_ms(rules, attempt->failure_count));
    verdict.may_have_arrived = outbox_is_post(attempt->method) && !is_without_effect;
    if (!verdict.may_have_arrived)
        return verdict;
    if (!outbox_has_nonce(attempt->method))
        return lost(OUTBOX_LOSS_UNCERTAIN);
    /* Nobody says what Discord does with two at once: the first shall have come to rest. */
    verdict.delay_ms += rules->backoff_base_ms;
    return verdict;
}

struct outbox_verdict outbox_judge(const struct outbox_rules *rules,
                                   const struct outbox_try *attempt)
{
    const struct rest_response *response = attempt->response;
    int status = response->status;
    int64_t code = attempt->error->code;
    if (response->result != REST_ANSWERED)
        return judge_failure(rules, attempt, OUTBOX_RETRY_NETWORK,
                             rest_was_without_effect(response->result));
    if (status >= 200 && status < 300)
        return (struct outbox_verdict){ .kind = OUTBOX_SENT };
    if (status == 404 && code == REST_UNKNOWN_MESSAGE)
        return judge_unknown_message(attempt);
    if (attempt->method == OUTBOX_CHANNEL_MESSAGE && (status == 403 || status == 404))
        return lost(OUTBOX_LOSS_CHANNEL_CLOSED);
    if (status == 404 && code == REST_UNKNOWN_WEBHOOK)
        return judge_unknown_token(rules, attempt);
    if (status == 401 && code == REST_INVALID_WEBHOOK_TOKEN)
        return lost(OUTBOX_LOSS_TOKEN_DEAD);
    if (status == 429)
        return judge_429(rules, attempt);
    if (status >= 500)
        return judge_failure(rules, attempt, OUTBOX_RETRY_SERVER_ERROR, false);
    return lost(OUTBOX_LOSS_REFUSED);
}
