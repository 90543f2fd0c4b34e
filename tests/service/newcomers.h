/* People who come one after the other, each with the same story: a command, the terms in its place,
 * the terms accepted, the command again. Each step goes to whichever instance the front chooses, so
 * what one has learned of a person the others must know. One thread of its own. */
#ifndef TESTS_NEWCOMERS_H
#define TESTS_NEWCOMERS_H

#include "fleet.h"

#include "harness/front.h"

#define NEWCOMERS_FIRST_PERSON INT64_C(8000000000000000001)

struct newcomers_options {
    struct fleet *fleet;
    const struct harness_front *front;
    int pause_ms; /* between two people */
};

/* Read after newcomers_join. */
struct newcomers_result {
    int people;        /* whose story was told to its end */
    int asked_anew;    /* times somebody who had accepted was asked once more */
    int refused;       /* times somebody was politely told to try again, or not answered in time */
    char failure[256]; /* the first, "" when there is none */
};

struct newcomers;

struct newcomers *newcomers_start(const struct newcomers_options *options);
void newcomers_join(struct newcomers *newcomers, struct newcomers_result *result); /* and frees */

#endif
