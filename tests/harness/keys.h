/* The simulated Discord's key pair and the two headers of a signed request.
 * https://docs.discord.com/developers/interactions/overview#setting-up-an-endpoint-validating-security-request-headers
 */
#ifndef HARNESS_KEYS_H
#define HARNESS_KEYS_H

#include "bronx/text.h"

#define HARNESS_SECRET_KEY_BYTES 64
#define HARNESS_PUBLIC_KEY_HEX   64
#define HARNESS_SIGNATURE_HEX    128
#define HARNESS_SEED_BYTES       32

struct harness_keys {
    unsigned char secret_key[HARNESS_SECRET_KEY_BYTES];
    char public_key_hex[HARNESS_PUBLIC_KEY_HEX + 1]; /* the setting DISCORD_PUBLIC_KEY */
};

/* What a request carries beside its body. */
struct harness_signature {
    char hex[HARNESS_SIGNATURE_HEX + 1]; /* X-Signature-Ed25519 */
    char timestamp[24];                  /* X-Signature-Timestamp: decimal seconds */
};

/* `seed` (HARNESS_SEED_BYTES) gives the same pair every time; NULL a random one. */
void harness_keys_make(struct harness_keys *keys, const unsigned char *seed);

/* Signs timestamp and body as Discord does. Any thread. */
void harness_sign(const struct harness_keys *keys, int64_t seconds, struct str_view body,
                  struct harness_signature *signature);

#endif
