/* Who sends forged requests, and how many: a peer that spends its budget of failed verifications is
 * refused before any curve arithmetic until it has calmed down. A flood thereby costs time, never a
 * genuine answer: a peer that has sent a genuine request is never refused by this. */
#ifndef HTTP_PEER_LIMITER_H
#define HTTP_PEER_LIMITER_H

#include "http/peer.h"

struct peer_limiter;

/* Failed verifications a peer may have at once. Discord's own probes with wrong signatures are a
 * handful, and somebody who tries out their front by hand makes some dozen; at 50 microseconds each
 * a hundred of them are nothing. */
#define PEER_FAILURES_MAX        100
/* One more for each second that passes: a peer that only errs now and then is never refused. */
#define PEER_FAILURE_FORGIVEN_US INT64_C(1000000)
/* A genuine request is proof that Discord speaks from this address, alone or (behind a second
 * proxy that names only itself) with others: for a day nothing from it is refused unverified. Too
 * long costs verification time, too short would cost answers of a bot that is seldom used. */
#define PEER_GENUINE_FOR_US      (INT64_C(24) * 3600 * 1000000)
/* Peers remembered: sets of PEER_SET_SIZE in PEER_SETS places, 200 kB in all. Discord sends from
 * some hundred addresses. A flood from more peers than that forgets some and verifies more. */
#define PEER_SETS                256
#define PEER_SET_SIZE            16

/* NULL without memory. */
struct peer_limiter *peer_limiter_new(void);
void peer_limiter_free(struct peer_limiter *limiter); /* NULL allowed */

/* Any thread; `now_us` is monotonic. */

/* Whether a request of `peer` may be verified. */
bool peer_limiter_allows(struct peer_limiter *limiter, const struct peer *peer,
                         int64_t now_us) MUST_CHECK;

/* A signature was wrong. True when this one was the last of the peer's budget. */
bool peer_limiter_failed(struct peer_limiter *limiter, const struct peer *peer, int64_t now_us);

/* A signature was Discord's: the whole budget is back. */
void peer_limiter_succeeded(struct peer_limiter *limiter, const struct peer *peer, int64_t now_us);

#endif
