/* Letting requests in. Runs on the HTTP threads; the only state is the limiter's. Every refusal
 * looks the same from outside: Discord probes with wrong signatures and expects 401, others learn
 * nothing. */
#include "http/admission.h"

#include "core/metrics.h"

#include <assert.h>

static enum signature_refusal prepare(const struct admission *admission,
                                      struct http_exchange *exchange,
                                      struct signed_message *message)
{
    struct signed_request request;
    request.signature =
        http_header(exchange, "X-Signature-Ed25519", &request.is_signature_repeated);
    request.timestamp =
        http_header(exchange, "X-Signature-Timestamp", &request.is_timestamp_repeated);
    static_assert(HTTP_BODY_HEADROOM >= SIGNATURE_TIMESTAMP_MAX, "the timestamp goes there");
    request.body = http_body(exchange, &request.body_length);
    return signature_prepare(&admission->policy, &request, clock_wall_ms(admission->clock),
                             message);
}

/* Curve arithmetic, and what the limiter learns from it. */
static enum signature_refusal verify(const struct admission *admission,
                                     const struct signed_message *message, const struct peer *peer,
                                     bool may_be_probe, enum admitted *admitted)
{
    int64_t now_us = clock_monotonic_us(admission->clock);
    if (peer && !peer_limiter_allows(admission->limiter, peer, now_us))
        return REFUSED_PEER_LIMITED;
    if (signature_is_of_any(&admission->policy.keys, message)) {
        if (peer)
            peer_limiter_succeeded(admission->limiter, peer, now_us);
        *admitted = ADMITTED_DISCORD;
        return SIGNATURE_ACCEPTED;
    }
    if (may_be_probe && admission->probe && probe_accepts(admission->probe, message)) {
        metrics_add(admission->metrics, METRIC_PROBES, 1);
        *admitted = ADMITTED_PROBE;
        return SIGNATURE_ACCEPTED;
    }
    if (peer && peer_limiter_failed(admission->limiter, peer, now_us))
        metrics_add(admission->metrics, METRIC_PEERS_LIMITED, 1);
    return REFUSED_SIGNATURE_WRONG;
}

enum admitted admission_check(const struct admission *admission, struct http_exchange *exchange,
                              bool may_be_probe)
{
    struct signed_message message;
    struct peer peer;
    enum admitted admitted = ADMITTED_NOBODY;
    enum signature_refusal refusal = prepare(admission, exchange, &message);
    if (refusal == SIGNATURE_ACCEPTED) {
        bool is_named = admission->limiter && peer_of_request(exchange, &peer);
        refusal = verify(admission, &message, is_named ? &peer : NULL, may_be_probe, &admitted);
    }
    if (refusal == SIGNATURE_ACCEPTED)
        return admitted;
    metrics_add_by(admission->metrics, METRIC_REFUSED, (int)refusal - 1, 1);
    http_respond_text(exchange, 401, HTTP_JSON, STR("{\"error\":\"invalid request signature\"}"));
    return ADMITTED_NOBODY;
}
