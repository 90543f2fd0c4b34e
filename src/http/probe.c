/* Signing and recognising probes. The key pair is constant after probe_init: any thread. */
#include "http/probe.h"

#include "core/json_out.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static_assert(PROBE_SECRET_BYTES == crypto_sign_SECRETKEYBYTES, "Ed25519");

void probe_init(struct probe *probe)
{
    crypto_sign_keypair(probe->public_key, probe->secret_key);
}

void probe_fini(struct probe *probe)
{
    sodium_memzero(probe, sizeof(*probe));
}

void probe_write(const struct probe *probe, int64_t seconds, struct buf *out)
{
    char message[SIGNATURE_TIMESTAMP_MAX + sizeof(PROBE_BODY)];
    char timestamp[SIGNATURE_TIMESTAMP_MAX + 1], hex[SIGNATURE_HEX_LENGTH + 1];
    unsigned char signature[SIGNATURE_BYTES];
    snprintf(timestamp, sizeof(timestamp), "%" PRId64, seconds < 0 ? 0 : seconds);
    int length = snprintf(message, sizeof(message), "%s%s", timestamp, PROBE_BODY);
    crypto_sign_detached(signature, NULL, (const unsigned char *)message,
                         (unsigned long long)length, probe->secret_key);
    sodium_bin2hex(hex, sizeof(hex), signature, sizeof(signature));
    struct json_out json = { .buf = out };
    json_object_begin(&json);
    json_key(&json, "timestamp");
    json_text(&json, str_from(timestamp));
    json_key(&json, "signature");
    json_text(&json, str_from(hex));
    json_key(&json, "body");
    json_text(&json, STR(PROBE_BODY));
    json_object_end(&json);
}

bool probe_accepts(const struct probe *probe, const struct signed_message *message)
{
    struct str_view body = { message->text.data + message->timestamp_length,
                             message->text.length - message->timestamp_length };
    return str_equal(body, STR(PROBE_BODY)) &&
           signature_verify(probe->public_key, message->text, message->signature);
}
