/* The signature check. Runs on the HTTP threads; keeps no state. libsodium is the only verifier: it
 * refuses small-order keys, non-canonical points and scalars that others let through. */
#include "http/signature.h"

#include "bronx/clock.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static_assert(SIGNATURE_BYTES == crypto_sign_BYTES, "Ed25519");
static_assert(ED25519_KEY_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519");
static_assert(SIGNATURE_HEX_LENGTH == 2 * SIGNATURE_BYTES, "two digits a byte");

static bool decode_signature(struct str_view hex, unsigned char signature[SIGNATURE_BYTES])
{
    size_t length = 0;
    /* Without an end pointer sodium_hex2bin fails on anything that is not a digit. */
    return hex.length == SIGNATURE_HEX_LENGTH &&
           sodium_hex2bin(signature, SIGNATURE_BYTES, hex.data, hex.length, NULL, &length, NULL) ==
               0 &&
           length == SIGNATURE_BYTES;
}

static bool is_fresh(const struct signature_policy *policy, int64_t timestamp, int64_t now_ms)
{
    /* Both are at least 0, so the difference can't overflow. */
    int64_t age = now_ms / MS_PER_SECOND - timestamp;
    return age <= policy->max_age_seconds && -age <= policy->max_skew_seconds;
}

enum signature_refusal signature_prepare(const struct signature_policy *policy,
                                         const struct signed_request *request, int64_t now_ms,
                                         struct signed_message *message)
{
    int64_t timestamp;
    if (!request->signature.data || !request->timestamp.data)
        return REFUSED_HEADER_MISSING;
    if (request->is_signature_repeated || request->is_timestamp_repeated)
        return REFUSED_HEADER_REPEATED;
    if (!decode_signature(request->signature, message->signature))
        return REFUSED_SIGNATURE_FORM;
    /* Nothing separates timestamp and body in what is signed: "12" + "3{}" has the signature of
     * "123" + "{}". Digits only, and fresh: no other split of what Discord signed is both. */
    if (str_to_uint63(request->timestamp, &timestamp) != 0)
        return REFUSED_TIMESTAMP_FORM;
    if (!is_fresh(policy, timestamp, now_ms))
        return REFUSED_TIMESTAMP_STALE;
    if (request->body_length == 0)
        return REFUSED_BODY_EMPTY;
    char *start = request->body - request->timestamp.length;
    memcpy(start, request->timestamp.data, request->timestamp.length);
    message->text = (struct str_view){ start, request->timestamp.length + request->body_length };
    message->timestamp_length = request->timestamp.length;
    return SIGNATURE_ACCEPTED;
}

bool signature_is_of_any(const struct public_keys *keys, const struct signed_message *message)
{
    for (int i = 0; i < keys->count; i++)
        if (signature_verify(keys->bytes[i], message->text, message->signature))
            return true;
    return false;
}

enum signature_refusal signature_check(const struct signature_policy *policy,
                                       const struct signed_request *request, int64_t now_ms)
{
    struct signed_message message;
    enum signature_refusal refusal = signature_prepare(policy, request, now_ms, &message);
    if (refusal != SIGNATURE_ACCEPTED)
        return refusal;
    return signature_is_of_any(&policy->keys, &message) ? SIGNATURE_ACCEPTED
                                                        : REFUSED_SIGNATURE_WRONG;
}

bool signature_verify(const unsigned char key[ED25519_KEY_BYTES], struct str_view message,
                      const unsigned char signature[SIGNATURE_BYTES])
{
    return crypto_sign_verify_detached(signature, (const unsigned char *)message.data,
                                       message.length, key) == 0;
}
