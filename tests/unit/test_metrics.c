/* Metrics: nothing that is counted gets lost between threads, and what Prometheus reads is well
 * formed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/metrics.h"

#include <pthread.h>
#include <string.h>

#define THREADS 20
#define ROUNDS  10000

static void *count(void *argument)
{
    struct metrics *metrics = argument;
    for (int i = 0; i < ROUNDS; i++) {
        metrics_add(metrics, METRIC_DB_BATCHES, 1);
        metrics_gauge_add(metrics, METRIC_EXECUTOR_QUEUE, i % 2 ? 1 : -1);
        metrics_observe_us(metrics, METRIC_HANDLING, i);
    }
    return NULL;
}

static void counts_of_many_threads_add_up(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, metrics), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metrics_read(metrics, METRIC_DB_BATCHES, 0), THREADS * ROUNDS);
    assert_int_equal(metrics_read(metrics, METRIC_EXECUTOR_QUEUE, 0), 0);
    assert_int_equal(metrics_read(metrics, METRIC_HANDLING, 0), THREADS * ROUNDS);
    metrics_free(metrics);
}

static void a_histogram_puts_a_value_into_its_bucket(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    metrics_observe_us(metrics, METRIC_HANDLING, 50);
    metrics_observe_us(metrics, METRIC_HANDLING, 51);
    metrics_observe_us(metrics, METRIC_HANDLING, 60000000);
    metrics_observe_us(metrics, METRIC_HANDLING, -1);
    CLEANUP(buf_free) struct buf out = { 0 };
    metrics_expose(metrics, &out);
    assert_non_null(strstr(out.data, "bronxbot_handling_seconds_bucket{le=\"5e-05\"} 2\n"));
    assert_non_null(strstr(out.data, "bronxbot_handling_seconds_bucket{le=\"0.0001\"} 3\n"));
    assert_non_null(strstr(out.data, "bronxbot_handling_seconds_bucket{le=\"10\"} 3\n"));
    assert_non_null(strstr(out.data, "bronxbot_handling_seconds_bucket{le=\"+Inf\"} 4\n"));
    assert_non_null(strstr(out.data, "bronxbot_handling_seconds_count 4\n"));
    assert_non_null(strstr(out.data, "bronxbot_handling_seconds_sum 60.000101\n"));
    metrics_free(metrics);
}

static void every_series_has_help_and_type_before_it(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    metrics_add_by(metrics, METRIC_HTTP_RESPONSES, 3, 7);
    metrics_add_by(metrics, METRIC_HTTP_RESPONSES, -1, 1);
    metrics_add_by(metrics, METRIC_HTTP_RESPONSES, 1000, 1);
    CLEANUP(buf_free) struct buf out = { 0 };
    metrics_expose(metrics, &out);
    struct str_view rest = buf_view(&out), line, name = STR_NONE;
    while (str_split(&rest, '\n', &line)) {
        if (str_starts_with(line, STR("# HELP "))) {
            struct str_view words = { line.data + 7, line.length - 7 };
            str_split(&words, ' ', &name);
            assert_true(words.length > 10);
        } else if (line.length > 0 && line.data[0] != '#') {
            assert_true(str_starts_with(line, name));
        }
    }
    assert_non_null(strstr(out.data, "bronxbot_http_responses_total{code=\"401\"} 7\n"));
    assert_non_null(strstr(out.data, "bronxbot_http_responses_total{code=\"other\"} 0\n"));
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_of_many_threads_add_up),
        cmocka_unit_test(a_histogram_puts_a_value_into_its_bucket),
        cmocka_unit_test(every_series_has_help_and_type_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
