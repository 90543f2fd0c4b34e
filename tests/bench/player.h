/* One person who plays against the bot under measurement: makes signed requests, accepts the terms.
 */
#ifndef BENCH_PLAYER_H
#define BENCH_PLAYER_H

#include "harness/bot_process.h"
#include "load.h"

struct player {
    const struct harness_bot *bot;
    unsigned sequence; /* tells apart what was made in one millisecond */
};

enum player_request { REQUEST_PING, REQUEST_BALANCE, REQUEST_REFUSED };

/* `count` different requests, signed now (REQUEST_REFUSED: with another key). */
int player_requests(struct player *player, enum player_request kind, size_t count,
                    struct load_requests *requests, struct err *err) MUST_CHECK;

/* What is signed of a request of that kind: timestamp and body. */
void player_signed_bytes(struct player *player, enum player_request kind, struct buf *out);

/* Runs /balance, presses the button of the prompt that comes instead, submits the modal with its
 * box checked. ERR_INVALID when the bot answers something else. */
int player_accept_terms(struct player *player, struct err *err) MUST_CHECK;

#endif
