/* This process's part of what Discord counts for all processes of a bot together: requests with the
 * bot's token in a second, invalid requests in ten minutes. Pure, for one thread.
 *
 * An account that counts what is under way and what was heard of in the last window is within
 * Discord's limit however requests are delayed (rate_limiter.c). The same is true of several such
 * accounts whose limits, their parts, add up to no more than Discord's. So nothing is counted in
 * common: only the parts are dealt out, and a part may grow only after another has become smaller
 * and its window has passed.
 *
 *   alone     the limit divided by the number of instances, as the database knows it
 *   together  what Redis grants, for a short time (limit_share.h): who needs little holds little
 *
 * In between, each keeps the smaller of both until what the others may still believe has lapsed: a
 * newcomer until all have counted it, one that Redis has forgotten until no grant is left that was
 * made of its share. No clock but each one's own matters, and neither does who can reach Redis. */
#ifndef OUTBOX_LIMIT_HOLDING_H
#define OUTBOX_LIMIT_HOLDING_H

#include "discord/rate_limiter.h"

enum limit_kind { LIMIT_GLOBAL, LIMIT_INVALID, LIMIT_KINDS };

struct limit_rule {
    int total; /* of all parts together */
    int least; /* a newcomer's, beside `total`: what is left to the limit is for some of them */
    int kept;  /* is not lent to others while unused, or half of the part if that is less */
    int spare; /* asked for beyond what is used */
    int64_t window_us;
};

struct limit_rules {
    struct limit_rule of[LIMIT_KINDS];
    int64_t grant_us;   /* how long what Redis has granted may be used */
    int64_t unknown_us; /* after so long all instances have counted a newcomer, or send nothing */
};

extern const struct limit_rules limit_rules_default;

/* Redis takes no ask that was sent longer ago: one that lay in a buffer would speak of old times.
 */
#define LIMIT_LATE_MS 1000

/* For Redis. */
struct limit_ask {
    int64_t made_us; /* monotonic */
    int instances;
    struct {
        int most; /* instances in the last window */
        int have; /* not to be given to others before this ask is answered */
        int want, used;
        bool is_settled; /* the others leave it its share */
    } of[LIMIT_KINDS];
};

struct limit_answer {
    bool is_given;   /* else nobody knows what came of it */
    int64_t sent_us; /* when it was sent, or was given up unsent */
    int parts[LIMIT_KINDS];
    int members; /* processes that Redis knows */
    int invalid; /* requests of all of them */
};

struct limit_holding {
    const struct limit_rules *rules;
    struct {
        int part;
        int most, next_most; /* instances: the most in the last window, and since it was read */
        int64_t most_us;
        int64_t settled_us; /* since when the others leave it its share */
    } of[LIMIT_KINDS];
    bool was_counted, is_asking;
    int instances;
    int64_t shared_until_us, attempted_us;
    int members, invalid; /* as the last answer said */
};

void limit_holding_init(struct limit_holding *holding, const struct limit_rules *rules);

/* The instances that are alive, this one included, as the database knows them. Must come at least
 * as often as `unknown_us`, or limit_holding_restart. */
void limit_holding_count(struct limit_holding *holding, int instances, int64_t now_us);
/* The others may have forgotten us. */
void limit_holding_restart(struct limit_holding *holding);

/* What to ask Redis for. What is not needed is given up at once. limit_holding_answered is due. */
void limit_holding_ask(struct limit_holding *holding, const struct limiter_use *use, int64_t now_us,
                       struct limit_ask *ask);
void limit_holding_answered(struct limit_holding *holding, const struct limit_answer *answer);
/* An ask may have reached Redis at that time, or later through a delay that Redis notices. */
void limit_holding_attempted(struct limit_holding *holding, int64_t at_us);

bool limit_holding_is_shared(const struct limit_holding *holding, int64_t now_us);
/* What the limiter may do from now on. To be called before it is used, each time. */
void limit_holding_part(struct limit_holding *holding, int64_t now_us, struct limiter_part *part);

#endif
