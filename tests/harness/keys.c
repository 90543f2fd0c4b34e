/* Signing with libsodium. No state: any thread may sign with the same keys. */
#include "harness/keys.h"

#include "harness/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static_assert(HARNESS_SECRET_KEY_BYTES == crypto_sign_SECRETKEYBYTES, "Ed25519 secret key");
static_assert(HARNESS_SEED_BYTES == crypto_sign_SEEDBYTES, "Ed25519 seed");
static_assert(HARNESS_SIGNATURE_HEX == 2 * crypto_sign_BYTES, "Ed25519 signature in hexadecimal");

void harness_keys_make(struct harness_keys *keys, const unsigned char *seed)
{
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
    if (sodium_init() < 0) {
        fputs("libsodium can't start\n", stderr);
        abort();
    }
    if (seed)
        crypto_sign_seed_keypair(public_key, keys->secret_key, seed);
    else
        crypto_sign_keypair(public_key, keys->secret_key);
    sodium_bin2hex(keys->public_key_hex, sizeof(keys->public_key_hex), public_key,
                   sizeof(public_key));
}

void harness_sign(const struct harness_keys *keys, int64_t seconds, struct str_view body,
                  struct harness_signature *signature)
{
    unsigned char bytes[crypto_sign_BYTES];
    snprintf(signature->timestamp, sizeof(signature->timestamp), "%" PRId64, seconds);
    CLEANUP(buf_free) struct buf message = { 0 };
    buf_append(&message, str_from(signature->timestamp));
    buf_append(&message, body);
    must_hold(&message);
    crypto_sign_detached(bytes, NULL, (const unsigned char *)message.data, message.length,
                         keys->secret_key);
    sodium_bin2hex(signature->hex, sizeof(signature->hex), bytes, sizeof(bytes));
}
