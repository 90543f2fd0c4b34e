/* Is this request from Discord? The signature over timestamp and body, and how old it may be.
 * https://docs.discord.com/developers/interactions/overview#validating-security-request-headers */
#ifndef HTTP_SIGNATURE_H
#define HTTP_SIGNATURE_H

#include "core/config.h"

#define SIGNATURE_BYTES         64
#define SIGNATURE_HEX_LENGTH    128
/* Longest timestamp accepted: the digits of INT64_MAX. */
#define SIGNATURE_TIMESTAMP_MAX 19

/* Why a request was refused: the positions, counted from one, of METRIC_REFUSED's label values. */
enum signature_refusal {
    SIGNATURE_ACCEPTED = 0,
    REFUSED_HEADER_MISSING,
    REFUSED_HEADER_REPEATED,
    REFUSED_SIGNATURE_FORM,
    REFUSED_TIMESTAMP_FORM,
    REFUSED_TIMESTAMP_STALE,
    REFUSED_BODY_EMPTY,
    REFUSED_BODY_SIZE, /* by the server, before the body was read */
    REFUSED_SIGNATURE_WRONG,
    REFUSED_PEER_LIMITED, /* not looked at: the peer sent too many wrong ones (peer_limiter.h) */
};

struct signature_policy {
    struct public_keys keys; /* any one of them will do: while a key is rotated there are two */
    int64_t max_age_seconds;
    int64_t max_skew_seconds; /* how far ahead of our clock a timestamp may be */
};

struct signed_request {
    struct str_view signature; /* X-Signature-Ed25519; absent: data == NULL */
    struct str_view timestamp; /* X-Signature-Timestamp */
    bool is_signature_repeated;
    bool is_timestamp_repeated;
    /* The raw body. SIGNATURE_TIMESTAMP_MAX bytes in front of it belong to the caller too and are
     * overwritten: what was signed must lie in one piece. */
    char *body;
    size_t body_length;
};

/* A request whose form and age are right: what was signed, and the signature. */
struct signed_message {
    struct str_view text; /* timestamp and body, in the request's memory */
    size_t timestamp_length;
    unsigned char signature[SIGNATURE_BYTES];
};

/* Everything that needs no curve arithmetic, in the order of the enum; SIGNATURE_ACCEPTED when the
 * signature is worth a look. */
enum signature_refusal signature_prepare(const struct signature_policy *policy,
                                         const struct signed_request *request, int64_t now_ms,
                                         struct signed_message *message) MUST_CHECK;

/* Whether the message was signed by any of `keys`. */
bool signature_is_of_any(const struct public_keys *keys,
                         const struct signed_message *message) MUST_CHECK;

/* Both. */
enum signature_refusal signature_check(const struct signature_policy *policy,
                                       const struct signed_request *request,
                                       int64_t now_ms) MUST_CHECK;

/* Whether `signature` is `key`'s over `message`. */
bool signature_verify(const unsigned char key[ED25519_KEY_BYTES], struct str_view message,
                      const unsigned char signature[SIGNATURE_BYTES]) MUST_CHECK;

#endif
