/* Chance that can be replayed and checked: every draw is a keyed hash of (server secret,
 * interaction id, draw number), so a second run of the same interaction has the same outcome, and
 * nobody without the secret can foretell it. */
#ifndef BRONX_CHANCE_H
#define BRONX_CHANCE_H

#include <stdint.h>

#define CHANCE_KEY_BYTES 32

struct chance {
    unsigned char key[CHANCE_KEY_BYTES];
};

/* A uniformly distributed integer within low..high, both included (low <= high). */
int64_t chance_between(const struct chance *chance, int64_t interaction_id, uint32_t draw,
                       int64_t low, int64_t high);

#endif
