/* Stateless: any thread. */
#include "core/backoff.h"

#include <sodium.h>

int64_t backoff_draw(int64_t base, int64_t cap, int doublings)
{
    int64_t step = base;
    for (int i = 0; i < doublings && step < cap; i++)
        step *= 2;
    if (step > cap)
        step = cap;
    return (int64_t)randombytes_uniform((uint32_t)step + 1);
}
