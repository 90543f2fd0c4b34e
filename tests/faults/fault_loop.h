/* How the loops of fault tests go on: every event of a long run when FAULTS_ALL is set
 * (./dev check), else each of the first ones and then fewer and fewer (./dev test). */
#ifndef FAULTS_FAULT_LOOP_H
#define FAULTS_FAULT_LOOP_H

#include "faults.h"

#include <stdlib.h>

/* So many are tried one by one; then the step grows with the distance. */
#define FAULT_STRIDE_FROM 40

static inline int64_t fault_next(int64_t nth)
{
    return nth + (getenv("FAULTS_ALL") ? 1 : 1 + nth / FAULT_STRIDE_FROM);
}

/* For runs of thousands of events that take milliseconds each. */
static inline int64_t fault_next_of_many(int64_t nth)
{
    return nth + 1 + nth / (getenv("FAULTS_ALL") ? 10 * FAULT_STRIDE_FROM : FAULT_STRIDE_FROM / 2);
}

#endif
