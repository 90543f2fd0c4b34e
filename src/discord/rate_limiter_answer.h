/* What an answer says to the limiter. */
#ifndef DISCORD_RATE_LIMITER_ANSWER_H
#define DISCORD_RATE_LIMITER_ANSWER_H

#include "discord/rest.h"

/* What an answer means for the account. */
enum effect {
    EFFECT_NONE,    /* certainly not counted */
    EFFECT_COUNTED, /* counted, with headers that say how */
    EFFECT_BLIND,   /* maybe counted; nothing says so */
    EFFECT_CLOSED,  /* a 429 of this bucket */
    EFFECT_GLOBAL,  /* a 429 of all requests */
    EFFECT_BANNED,
};

enum effect answer_effect(const struct rest_response *response, const struct rest_error *error);

/* Whether it says how the bucket is; what can't be so is as if it were absent. */
bool answer_has_headers(const struct rest_response *response);
int64_t answer_reset_us(const struct rest_response *response);

/* Whether Discord counts it as an invalid request.
 * https://docs.discord.com/developers/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans
 */
bool answer_is_invalid(const struct rest_response *response);

/* How long a 429 asks to wait; `otherwise_ms` when it does not say. */
int64_t answer_wait_us(const struct rest_response *response, const struct rest_error *error,
                       int64_t otherwise_ms);

#endif
