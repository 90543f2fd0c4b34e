/* Signed interactions at a steady rate over TLS, as Discord sends them: a request is due at its
 * time whether those before it were answered or not. Runs on threads of its own. */
#ifndef HARNESS_LOAD_H
#define HARNESS_LOAD_H

#include "harness/bot_process.h"
#include "harness/front.h"

struct harness_load_options {
    const struct harness_front *front;
    const struct harness_bot *bot; /* whose key and clock sign */
    int per_second;
    int count; /* requests in all */
    /* Writes the body of the request `number` (from 0) with the interaction id `id`. From any
     * thread. */
    void (*write)(int number, int64_t id, struct buf *body);
    /* Whether `body` answers the request `number`. From any thread. */
    bool (*is_answer)(int number, struct str_view body);
};

struct harness_load_result {
    int sent, failed;
    int64_t median_us, p99_us, longest_us; /* of an answer, from when its request was due */
    char first_failure[256];               /* "" when there is none */
};

struct harness_load;

struct harness_load *harness_load_start(const struct harness_load_options *options);

/* Requests that were due so far. */
int harness_load_progress(struct harness_load *load);

/* Waits for the last answer and frees the load. */
void harness_load_finish(struct harness_load *load, struct harness_load_result *result);

#endif
