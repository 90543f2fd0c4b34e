/* What the outbox's limiter has to do with the other processes' ones: see limit_keeper.h. */
#include "outbox/outbox_internal.h"

#include <sodium.h>

static const char key_purpose[] = "rate limits";

static bool has_redis(const struct outbox *outbox)
{
    return outbox->settings.redis_url && outbox->settings.redis_url[0];
}

const unsigned char *outbox_limits_key(const struct outbox *outbox,
                                       unsigned char key[LIMITER_SHARE_KEY_BYTES])
{
    if (!has_redis(outbox))
        return NULL;
    crypto_generichash(key, LIMITER_SHARE_KEY_BYTES, (const unsigned char *)key_purpose,
                       sizeof(key_purpose), outbox->settings.key, sizeof(outbox->settings.key));
    return key;
}

static void wake(void *context)
{
    outbox_wake(context);
}

int outbox_limits_start(struct outbox *outbox, struct err *err)
{
    const struct outbox_settings *settings = &outbox->settings;
    const struct limit_share_settings share = {
        .url = settings->redis_url,
        .name_space = settings->name_space,
        .rules = &limit_rules_default,
        .clock = settings->clock,
        .metrics = settings->metrics,
        .log = settings->log,
        .wake = wake,
        .context = outbox,
    };
    int result = has_redis(outbox) ? limit_share_new(&outbox->limit_share, &share, err) : 0;
    limit_keeper_init(&outbox->limits, outbox->limiter, outbox->limit_share, &limit_rules_default);
    return result;
}

void outbox_limits_stop(struct outbox *outbox)
{
    limit_share_free(STEAL(outbox->limit_share));
}

void outbox_limits_show(const struct outbox *outbox)
{
    const struct limit_keeper *limits = &outbox->limits;
    struct metrics *metrics = outbox->settings.metrics;
    metrics_gauge_set(metrics, METRIC_INSTANCES, limits->holding.instances);
    metrics_gauge_set(metrics, METRIC_LIMITS_SHARED, limit_keeper_is_shared(limits));
    metrics_gauge_set(metrics, METRIC_LIMITS_GLOBAL, limits->part.global_per_second);
    metrics_gauge_set(metrics, METRIC_LIMITS_INVALID, limits->part.invalid_max);
}

/* --- From any thread --- */

enum outbox_sharing outbox_sharing(const struct outbox *outbox, int *instances)
{
    *instances = atomic_load(&outbox->limits.instances);
    if (!outbox->limit_share)
        return OUTBOX_DIVIDED;
    return limit_keeper_is_shared(&outbox->limits) ? OUTBOX_SHARED : OUTBOX_DIVIDED_FOR_NOW;
}
