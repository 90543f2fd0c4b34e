/* The operating system's clock, optionally shifted: the simulator moves the time of a bot under
 * test by writing a number of milliseconds into a shared file (setting CLOCK_SHIFT_FILE, which only
 * a bot that talks to a simulated Discord accepts). */
#ifndef CORE_SYSTEM_CLOCK_H
#define CORE_SYSTEM_CLOCK_H

#include "bronx/clock.h"

struct system_clock {
    struct clock clock;
    const volatile int64_t *shift_ms; /* mapped file, or NULL */
};

/* `shift_path` is NULL or a file of at least 8 bytes, read as a native int64_t at every look. */
int system_clock_init(struct system_clock *system_clock, const char *shift_path,
                      struct err *err) MUST_CHECK;
void system_clock_fini(struct system_clock *system_clock);

#endif
