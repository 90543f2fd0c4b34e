/* Many people at once: mixed commands at a steady rate through a front, and what came of each. A
 * command is due at its time whether those before it were answered or not.
 *
 * People come and go: a few at a time use the bot, in turn, for a while each. Threads of its own
 * send; what they note is read after crowd_join. */
#ifndef TESTS_CROWD_H
#define TESTS_CROWD_H

#include "fleet.h"

#include "harness/front.h"

#define CROWD_SERVERS 2000
#define CROWD_PEOPLE  4000 /* some do no more than ask for help */

struct crowd_options {
    struct fleet *fleet;
    const struct harness_front *front;
    int per_second;
    int count;     /* commands in a day; a slow machine may need more time than that */
    int count_max; /* commands at most */
};

enum crowd_result {
    CROWD_UNANSWERED, /* within 3 s */
    CROWD_GOOD,
    CROWD_DEFERRED, /* an edit is owed */
    CROWD_TRY_AGAIN,
    CROWD_WRONG,
};

struct crowd_ask {
    int64_t id;                 /* the interaction's */
    const char *command;        /* "pay" */
    int64_t began_ms, ended_ms; /* monotonic */
    int64_t wait_us;            /* for the answer, from when the command was due */
    enum crowd_result result;
    char *wrong; /* what came instead of a good answer, or NULL */
};

struct crowd;

/* Who sends more than a question: PAYMENTS_FIRST_PERSON and so many after. They must have accepted
 * the terms and be rich. */
int crowd_spenders(const struct crowd_options *options);

struct crowd *crowd_start(const struct crowd_options *options);
void crowd_await(struct crowd *crowd, int count); /* until so many were due */
/* No more are sent, and the last one is answered: how many there were. */
int crowd_join(struct crowd *crowd);
const struct crowd_ask *crowd_asks(const struct crowd *crowd);
void crowd_free(struct crowd *crowd);

/* What a text shown for `command` is: CROWD_GOOD, CROWD_TRY_AGAIN or CROWD_WRONG. */
enum crowd_result crowd_judge(const char *command, const char *text);

int64_t crowd_now_ms(void); /* monotonic */

#endif
