/* The signature check. An input is a byte of flags, the two headers (each with its length before
 * it), and the body. Nobody guesses a signature, so a flag has the target sign what is given. */
#include "fuzz.h"

#include "http/signature.h"

#include <sodium.h>
#include <string.h>

#define NOW_SECONDS INT64_C(1790000000)
#define MAX_AGE     300
#define MAX_SKEW    30

enum {
    HAS_SIGNATURE = 1 << 0,
    HAS_TIMESTAMP = 1 << 1,
    SIGNATURE_TWICE = 1 << 2,
    TIMESTAMP_TWICE = 1 << 3,
    IS_SIGNED = 1 << 4,     /* by the key, whatever was given as a signature */
    IS_UPPER_CASE = 1 << 5, /* hexadecimal digits of that signature */
    IS_SPLIT_ANEW = 1 << 6, /* the body's first byte becomes the timestamp's last */
};

/* The rule for a timestamp, written down a second time. */
static bool is_fresh_timestamp(struct str_view text)
{
    unsigned long long value = 0;
    if (text.length < 1 || text.length > 19)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (unsigned long long)(text.data[i] - '0');
    }
    return value >= NOW_SECONDS - MAX_AGE && value <= NOW_SECONDS + MAX_SKEW;
}

static void sign(const unsigned char secret[crypto_sign_SECRETKEYBYTES], struct str_view timestamp,
                 struct str_view body, bool is_upper_case, char hex[SIGNATURE_HEX_LENGTH + 1])
{
    unsigned char signature[SIGNATURE_BYTES];
    CLEANUP(buf_free) struct buf message = { 0 };
    buf_append(&message, timestamp);
    buf_append(&message, body);
    crypto_sign_detached(signature, NULL, (const unsigned char *)(message.data ? message.data : ""),
                         message.length, secret);
    sodium_bin2hex(hex, SIGNATURE_HEX_LENGTH + 1, signature, sizeof(signature));
    for (size_t i = 0; is_upper_case && hex[i]; i++)
        if (hex[i] >= 'a')
            hex[i] = (char)(hex[i] - 'a' + 'A');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char seed[crypto_sign_SEEDBYTES] = "a key pair that everybody knows";
    struct signature_policy policy = { .keys.count = 1,
                                       .max_age_seconds = MAX_AGE,
                                       .max_skew_seconds = MAX_SKEW };
    unsigned char secret[crypto_sign_SECRETKEYBYTES];
    char good[SIGNATURE_HEX_LENGTH + 1];
    FUZZ_CHECK(sodium_init() >= 0);
    crypto_sign_seed_keypair(policy.keys.bytes[0], secret, seed);

    struct fuzz_input input = { data, size };
    unsigned flags = fuzz_byte(&input);
    struct str_view signature = fuzz_short_text(&input);
    struct str_view timestamp = fuzz_short_text(&input);
    struct str_view body = fuzz_text(&input, input.left);
    sign(secret, timestamp, body, flags & IS_UPPER_CASE, good);
    if (flags & IS_SIGNED)
        signature = str_from(good);
    bool was_fresh = is_fresh_timestamp(timestamp), is_split_anew = false;
    /* Timestamp and body lie side by side in the input, too. */
    if (flags & IS_SPLIT_ANEW && body.length > 0) {
        timestamp.length++, body.data++, body.length--;
        is_split_anew = true;
    }

    char *copy = malloc(SIGNATURE_TIMESTAMP_MAX + body.length);
    FUZZ_CHECK(copy);
    if (body.length > 0)
        memcpy(copy + SIGNATURE_TIMESTAMP_MAX, body.data, body.length);
    const struct signed_request request = {
        .signature = flags & HAS_SIGNATURE ? signature : STR_NONE,
        .timestamp = flags & HAS_TIMESTAMP ? timestamp : STR_NONE,
        .is_signature_repeated = flags & SIGNATURE_TWICE,
        .is_timestamp_repeated = flags & TIMESTAMP_TWICE,
        .body = copy + SIGNATURE_TIMESTAMP_MAX,
        .body_length = body.length,
    };
    enum signature_refusal refusal = signature_check(&policy, &request, NOW_SECONDS * 1000);
    bool is_complete = (flags & HAS_SIGNATURE) && (flags & HAS_TIMESTAMP) &&
                       !(flags & (SIGNATURE_TWICE | TIMESTAMP_TWICE));
    bool is_formal = is_complete && is_fresh_timestamp(timestamp) && body.length > 0;
    FUZZ_CHECK(is_formal || refusal != SIGNATURE_ACCEPTED);
    /* What is made up is not accepted, what is signed is. */
    if (!(flags & IS_SIGNED))
        FUZZ_CHECK(refusal != SIGNATURE_ACCEPTED ||
                   str_equal_ignoring_case(signature, str_from(good)));
    else if (!is_split_anew)
        FUZZ_CHECK((refusal == SIGNATURE_ACCEPTED) == is_formal);
    else if (was_fresh) /* Discord signs nothing that is not */
        FUZZ_CHECK(refusal != SIGNATURE_ACCEPTED);
    FUZZ_CHECK(body.length == 0 ||
               memcmp(copy + SIGNATURE_TIMESTAMP_MAX, body.data, body.length) == 0);
    free(copy);
    return 0;
}
