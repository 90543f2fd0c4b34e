/* Who is let in: the form of a request, then its peer's record, then its signature. */
#ifndef HTTP_ADMISSION_H
#define HTTP_ADMISSION_H

#include "http/peer_limiter.h"
#include "http/probe.h"
#include "http/signature.h"

struct admission {
    struct signature_policy policy;
    struct peer_limiter *limiter; /* NULL: peers are not limited */
    const struct probe *probe;    /* NULL: none is accepted */
    const struct clock *clock;
    struct metrics *metrics;
};

enum admitted {
    ADMITTED_NOBODY, /* answered with 401 already */
    ADMITTED_DISCORD,
    ADMITTED_PROBE, /* the body is PROBE_BODY: a PING; only where `may_be_probe` */
};

enum admitted admission_check(const struct admission *admission, struct http_exchange *exchange,
                              bool may_be_probe) MUST_CHECK;

#endif
