/* How long to wait before the next try of what failed. */
#ifndef CORE_BACKOFF_H
#define CORE_BACKOFF_H

#include <stdint.h>

/* Full jitter: anything from nothing to the whole step, so that those who failed together don't
 * come back together. The step is `base`, doubled for each of `doublings`, at most `cap`; in the
 * unit of the caller's numbers, 1..2^31. */
int64_t backoff_draw(int64_t base, int64_t cap, int doublings);

#endif
