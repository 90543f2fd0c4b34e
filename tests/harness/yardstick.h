/* How well the machine keeps up: a short sleep and, where there is an nginx, a request that it
 * answers by itself, over TLS, again and again. When even that takes a hundred times as long as it
 * should, the time others take says nothing about them. One thread of its own. */
#ifndef TESTS_HARNESS_YARDSTICK_H
#define TESTS_HARNESS_YARDSTICK_H

#include "harness/front.h"

struct yardstick;

struct yardstick *yardstick_start(const struct harness_front *front); /* NULL: no nginx */

/* Whether there was such a moment between these two (monotonic milliseconds). */
bool yardstick_was_busy(struct yardstick *yardstick, int64_t from_ms, int64_t to_ms);

/* How many such moments there were. */
size_t yardstick_busy_moments(struct yardstick *yardstick);

void yardstick_stop(struct yardstick *yardstick); /* ends its thread; it may still be asked */
void yardstick_free(struct yardstick *yardstick); /* the same first; NULL is fine */

#endif
