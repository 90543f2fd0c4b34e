/* Metrics: counters, gauges and histograms as one documented table (metrics.def.h). Names, units
 * and help texts come from it; adding a metric is one row.
 *
 * Counting is wait-free: each thread adds to its own shard, shards are summed when somebody looks.
 */
#ifndef CORE_METRICS_H
#define CORE_METRICS_H

#include "bronx/text.h"

struct metrics;

enum metric {
#define COUNTER(id, name, help)                   id,
#define COUNTER_BY(id, name, label, values, help) id,
#define GAUGE(id, name, help)                     id,
#define GAUGE_BY(id, name, label, values, help)   id,
#define HISTOGRAM(id, name, help)                 id,
#include "core/metrics.def.h"
#undef COUNTER
#undef COUNTER_BY
#undef GAUGE
#undef GAUGE_BY
#undef HISTOGRAM
    METRIC_COUNT
};

struct metrics *metrics_new(void); /* NULL without memory */
void metrics_free(struct metrics *metrics);

/* COUNTER. NULL metrics are allowed everywhere: nobody counts. */
void metrics_add(struct metrics *metrics, enum metric metric, int64_t amount);
/* COUNTER_BY, GAUGE_BY: `label_value` is the position in the row's list of values. */
void metrics_add_by(struct metrics *metrics, enum metric metric, int label_value, int64_t amount);
/* HISTOGRAM: microseconds; buckets from 50 us to 10 s. */
void metrics_observe_us(struct metrics *metrics, enum metric metric, int64_t microseconds);
/* GAUGE: moves up and down, or is set by its only writer. */
void metrics_gauge_add(struct metrics *metrics, enum metric metric, int64_t amount);
void metrics_gauge_set(struct metrics *metrics, enum metric metric, int64_t value);

/* The sum over all shards (COUNTER, GAUGE), of one label value (COUNTER_BY,
 * GAUGE_BY), or the number of
 * observations (HISTOGRAM). */
int64_t metrics_read(const struct metrics *metrics, enum metric metric, int label_value);

/* Prometheus text exposition format 0.0.4. */
void metrics_expose(const struct metrics *metrics, struct buf *out);

#endif
