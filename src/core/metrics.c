/* Sharded counters. Any thread may add; a thread keeps the shard it was given at its first count.
 * Readers sum the shards without stopping anybody: a look may miss what is added meanwhile. */
#include "core/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS           16
#define LABEL_VALUES_MAX 12
#define CACHE_LINE       64

enum kind { KIND_COUNTER, KIND_COUNTER_BY, KIND_GAUGE, KIND_GAUGE_BY, KIND_HISTOGRAM };

struct metric_row {
    enum kind kind;
    const char *name;
    const char *label;        /* COUNTER_BY, GAUGE_BY */
    const char *label_values; /* separated by spaces */
    const char *help;
};

static const struct metric_row rows[METRIC_COUNT] = {
#define COUNTER(id, name, help) [id] = { KIND_COUNTER, name, NULL, NULL, help },
#define COUNTER_BY(id, name, label, values, help)                                                  \
    [id] = { KIND_COUNTER_BY, name, label, values, help },
#define GAUGE(id, name, help)                   [id] = { KIND_GAUGE, name, NULL, NULL, help },
#define GAUGE_BY(id, name, label, values, help) [id] = { KIND_GAUGE_BY, name, label, values, help },
#define HISTOGRAM(id, name, help)               [id] = { KIND_HISTOGRAM, name, NULL, NULL, help },
#include "core/metrics.def.h"
#undef COUNTER
#undef COUNTER_BY
#undef GAUGE
#undef GAUGE_BY
#undef HISTOGRAM
};

/* Upper bounds in microseconds; a last bucket takes the rest. */
static const int64_t bucket_bounds[] = {
    50,    100,    200,    500,    1000,    2000,    5000,    10000,   20000,
    50000, 100000, 200000, 500000, 1000000, 2000000, 3000000, 5000000, 10000000,
};
#define BUCKETS (ARRAY_LENGTH(bucket_bounds) + 1)
#define SLOTS   (BUCKETS + 1) /* a histogram's last slot is the sum; counters use the first ones */
static_assert(LABEL_VALUES_MAX <= SLOTS, "label values share the slots of a histogram");

struct shard {
    alignas(CACHE_LINE) int64_t slots[METRIC_COUNT][SLOTS];
};

struct metrics {
    struct shard shards[SHARDS];
};

static unsigned next_shard;
static _Thread_local unsigned own_shard; /* 0: none yet; else number + 1 */

struct metrics *metrics_new(void)
{
    struct metrics *metrics = aligned_alloc(alignof(struct metrics), sizeof(*metrics));
    if (metrics)
        memset(metrics, 0, sizeof(*metrics));
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    free(metrics);
}

static void add(struct metrics *metrics, enum metric metric, size_t slot, int64_t amount)
{
    if (!metrics)
        return;
    if (own_shard == 0)
        own_shard = __atomic_fetch_add(&next_shard, 1, __ATOMIC_RELAXED) % SHARDS + 1;
    int64_t *place = &metrics->shards[own_shard - 1].slots[metric][slot];
    __atomic_fetch_add(place, amount, __ATOMIC_RELAXED);
}

void metrics_add(struct metrics *metrics, enum metric metric, int64_t amount)
{
    add(metrics, metric, 0, amount);
}

void metrics_add_by(struct metrics *metrics, enum metric metric, int label_value, int64_t amount)
{
    if (label_value >= 0 && label_value < LABEL_VALUES_MAX)
        add(metrics, metric, (size_t)label_value, amount);
}

void metrics_observe_us(struct metrics *metrics, enum metric metric, int64_t microseconds)
{
    if (microseconds < 0)
        microseconds = 0;
    size_t bucket = 0;
    while (bucket < BUCKETS - 1 && microseconds > bucket_bounds[bucket])
        bucket++;
    add(metrics, metric, bucket, 1);
    add(metrics, metric, SLOTS - 1, microseconds);
}

void metrics_gauge_add(struct metrics *metrics, enum metric metric, int64_t amount)
{
    add(metrics, metric, 0, amount);
}

void metrics_gauge_set(struct metrics *metrics, enum metric metric, int64_t value)
{
    if (metrics)
        __atomic_store_n(&metrics->shards[0].slots[metric][0], value, __ATOMIC_RELAXED);
}

static int64_t sum(const struct metrics *metrics, enum metric metric, size_t slot)
{
    int64_t total = 0;
    for (size_t i = 0; i < SHARDS; i++)
        total += __atomic_load_n(&metrics->shards[i].slots[metric][slot], __ATOMIC_RELAXED);
    return total;
}

int64_t metrics_read(const struct metrics *metrics, enum metric metric, int label_value)
{
    if (rows[metric].kind != KIND_HISTOGRAM)
        return sum(metrics, metric, (size_t)label_value);
    int64_t total = 0;
    for (size_t bucket = 0; bucket < BUCKETS; bucket++)
        total += sum(metrics, metric, bucket);
    return total;
}

static void expose_by(const struct metrics *metrics, enum metric metric, struct buf *out)
{
    struct str_view rest = str_from(rows[metric].label_values);
    struct str_view value;
    for (size_t i = 0; str_split(&rest, ' ', &value); i++)
        buf_append_format(out, "%s{%s=\"%.*s\"} %" PRId64 "\n", rows[metric].name,
                          rows[metric].label, STR_ARGS(value), sum(metrics, metric, i));
}

static void expose_histogram(const struct metrics *metrics, enum metric metric, struct buf *out)
{
    const char *name = rows[metric].name;
    int64_t total = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(bucket_bounds); i++) {
        total += sum(metrics, metric, i);
        buf_append_format(out, "%s_bucket{le=\"%g\"} %" PRId64 "\n", name,
                          (double)bucket_bounds[i] / 1e6, total);
    }
    total += sum(metrics, metric, BUCKETS - 1);
    buf_append_format(out, "%s_bucket{le=\"+Inf\"} %" PRId64 "\n", name, total);
    buf_append_format(out, "%s_sum %.6f\n", name, (double)sum(metrics, metric, SLOTS - 1) / 1e6);
    buf_append_format(out, "%s_count %" PRId64 "\n", name, total);
}

void metrics_expose(const struct metrics *metrics, struct buf *out)
{
    static const char *const types[] = { "counter", "counter", "gauge", "gauge", "histogram" };
    for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
        const struct metric_row *row = &rows[metric];
        buf_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
                          types[row->kind]);
        if (row->kind == KIND_COUNTER_BY || row->kind == KIND_GAUGE_BY)
            expose_by(metrics, metric, out);
        else if (row->kind == KIND_HISTOGRAM)
            expose_histogram(metrics, metric, out);
        else
            buf_append_format(out, "%s %" PRId64 "\n", row->name, sum(metrics, metric, 0));
    }
}
