/* The gate all sending goes through: shut while Discord or Cloudflare wants silence from this
 * address.
 *
 *          shut                 the time is over              the probe was let through
 *   OPEN ---------> SHUT --------------------------> PROBING ---------------------------> OPEN
 *                    ^  \_ shut again: for longer       |
 *                    +----------------------------------+ the probe met a ban again
 */
#ifndef DISCORD_RATE_LIMITER_GATE_H
#define DISCORD_RATE_LIMITER_GATE_H

#include <stdbool.h>
#include <stdint.h>

enum gate_state { GATE_OPEN, GATE_SHUT, GATE_PROBING };

struct gate {
    enum gate_state state;
    int64_t shut_until_us; /* monotonic */
    bool has_probe;        /* PROBING: the one request is under way */
};

/* Lets nothing pass before `until_us`. */
void gate_shut(struct gate *gate, int64_t until_us);

/* Whether a request may start now; `*is_probe` when it is the one that tries the gate. */
bool gate_pass(struct gate *gate, int64_t now_us, bool *is_probe);

/* The probe has ended; `was_heard` when the answer shows that the ban is over. */
void gate_probe_ended(struct gate *gate, bool was_heard);

/* When a request may next start: `now_us` or earlier for at once, INT64_MAX while a probe is under
 * way. */
int64_t gate_opens_us(const struct gate *gate);

#endif
