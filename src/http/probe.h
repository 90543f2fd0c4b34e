/* The probe: how an operator's check sends this process a PING that it accepts.
 *
 * Whether a good request passes the front can only be seen by sending one, and only Discord can
 * sign it. So each process makes a key pair of its own when it starts and hands out freshly signed
 * PINGs on ADMIN_LISTEN (GET /probe); /interactions accepts them beside Discord's. Why that opens
 * nothing:
 * - the secret key never leaves the process's memory and is gone with it;
 * - it signs one text, PROBE_BODY, and is asked about no other: the body of a request is compared
 *   with that text, byte by byte, before the key is tried. No command, no event, no other PING can
 *   be signed by it, so who holds an answer of /probe can do nothing but be told {"type":1}, which
 *   changes nothing;
 * - Discord's keys are tried first, freshness and header forms are checked the same way, and a
 *   probe is counted by itself: it is no sign of Discord to anybody. */
#ifndef HTTP_PROBE_H
#define HTTP_PROBE_H

#include "http/signature.h"

#define PROBE_BODY                                                                                 \
    "{\"id\":\"1\",\"application_id\":\"1\",\"type\":1,\"token\":\"probe\",\"version\":1}"
#define PROBE_SECRET_BYTES    64
/* Older ones are of no use: SIGNATURE_MAX_AGE_SECONDS is at most a day. */
#define PROBE_AGE_MAX_SECONDS 200000

struct probe {
    unsigned char public_key[ED25519_KEY_BYTES];
    unsigned char secret_key[PROBE_SECRET_BYTES];
};

void probe_init(struct probe *probe); /* a fresh pair */
void probe_fini(struct probe *probe);

/* {"timestamp": "...", "signature": hex, "body": PROBE_BODY}, signed as of `seconds`. */
void probe_write(const struct probe *probe, int64_t seconds, struct buf *out);

/* Whether `message`, which passed signature_prepare, is a PING of this probe. */
bool probe_accepts(const struct probe *probe, const struct signed_message *message) MUST_CHECK;

#endif
