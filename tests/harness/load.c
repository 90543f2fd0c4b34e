/* Threads take the requests in turn, sleep until theirs is due and wait for its answer. There are
 * enough of them that a request hardly waits for a free one: an answer takes 1.3 s when an instance
 * hangs. All have made their connection before the first request is due. */
#include "harness/load.h"

#include "harness/interaction_json.h"
#include "harness/memory.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECONDS_BUSY 1.6 /* how long all may wait for an answer */
#define STACK_BYTES  ((size_t)256 * 1024)

struct harness_load {
    struct harness_load_options options;
    struct timespec start;
    int next;            /* atomic: the next request nobody has taken */
    int64_t *elapsed_us; /* of each request; -1: failed */
    pthread_t *threads;
    int thread_count;
    pthread_barrier_t connected;
    pthread_mutex_t lock;
    char first_failure[256]; /* with the lock held */
};

static struct timespec due_at(const struct harness_load *load, int number)
{
    int64_t nanoseconds =
        load->start.tv_nsec + (int64_t)number * INT64_C(1000000000) / load->options.per_second;
    return (struct timespec){ .tv_sec = load->start.tv_sec + nanoseconds / 1000000000,
                              .tv_nsec = nanoseconds % 1000000000 };
}

static int64_t microseconds_since(const struct timespec *then)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)(now.tv_sec - then->tv_sec) * 1000000 + (now.tv_nsec - then->tv_nsec) / 1000;
}

static void note_failure(struct harness_load *load, int number, int status, const char *reason)
{
    pthread_mutex_lock(&load->lock);
    if (!load->first_failure[0])
        snprintf(load->first_failure, sizeof(load->first_failure), "request %d: status %d, %.150s",
                 number, status, reason);
    pthread_mutex_unlock(&load->lock);
}

static bool send_one(struct harness_load *load, struct http_client *client, int number)
{
    const struct harness_load_options *options = &load->options;
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    struct harness_signature signature;
    struct err err = { 0 };
    int64_t now_ms = harness_bot_now_ms(options->bot);
    options->write(number, snowflake_at(now_ms, 0) + number, &body);
    harness_sign(&options->bot->keys, now_ms / 1000, buf_view(&body), &signature);
    if (http_client_post_signed(client, &signature, buf_view(&body), &answer, &err) != 0)
        note_failure(load, number, 0, err.message);
    else if (answer.status != 200)
        note_failure(load, number, answer.status, answer.body.data ? answer.body.data : "");
    else if (!options->is_answer(number, buf_view(&answer.body)))
        note_failure(load, number, 200, answer.body.data ? answer.body.data : "");
    else
        return true;
    return false;
}

static void *send_in_turn(void *context)
{
    struct harness_load *load = context;
    CLEANUP(http_client_release)
    struct http_client *client = harness_front_client(load->options.front);
    CLEANUP(http_answer_free) struct http_answer nothing = { 0 };
    const struct http_request hello = { .method = "GET", .path = "/" };
    struct err err = { 0 };
    if (http_client_send(client, &hello, &nothing, &err) != 0)
        note_failure(load, -1, 0, err.message);
    pthread_barrier_wait(&load->connected); /* the clock starts */
    pthread_barrier_wait(&load->connected);
    for (;;) {
        int number = __atomic_fetch_add(&load->next, 1, __ATOMIC_RELAXED);
        if (number >= load->options.count)
            return NULL;
        struct timespec due = due_at(load, number);
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        bool is_good = send_one(load, client, number);
        load->elapsed_us[number] = is_good ? microseconds_since(&due) : -1;
    }
}

struct harness_load *harness_load_start(const struct harness_load_options *options)
{
    struct harness_load *load = must_allocate(1, sizeof(*load));
    load->options = *options;
    load->elapsed_us = must_allocate((size_t)options->count, sizeof(int64_t));
    load->thread_count = (int)(options->per_second * SECONDS_BUSY);
    load->threads = must_allocate((size_t)load->thread_count, sizeof(pthread_t));
    pthread_mutex_init(&load->lock, NULL);
    pthread_barrier_init(&load->connected, NULL, (unsigned)load->thread_count + 1);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (int i = 0; i < load->thread_count; i++)
        if (pthread_create(&load->threads[i], &attributes, send_in_turn, load) != 0)
            abort();
    pthread_attr_destroy(&attributes);
    pthread_barrier_wait(&load->connected);
    clock_gettime(CLOCK_MONOTONIC, &load->start);
    pthread_barrier_wait(&load->connected);
    return load;
}

int harness_load_progress(struct harness_load *load)
{
    int64_t due = microseconds_since(&load->start) * load->options.per_second / 1000000;
    return due < load->options.count ? (int)due : load->options.count;
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

void harness_load_finish(struct harness_load *load, struct harness_load_result *result)
{
    for (int i = 0; i < load->thread_count; i++)
        pthread_join(load->threads[i], NULL);
    int count = load->options.count;
    qsort(load->elapsed_us, (size_t)count, sizeof(int64_t), compare);
    *result = (struct harness_load_result){ .sent = count };
    while (result->failed < count && load->elapsed_us[result->failed] < 0)
        result->failed++;
    const int64_t *good = load->elapsed_us + result->failed;
    int good_count = count - result->failed;
    if (good_count > 0) {
        result->median_us = good[good_count / 2];
        result->p99_us = good[good_count * 99 / 100];
        result->longest_us = good[good_count - 1];
    }
    snprintf(result->first_failure, sizeof(result->first_failure), "%s", load->first_failure);
    pthread_barrier_destroy(&load->connected);
    pthread_mutex_destroy(&load->lock);
    free(load->threads);
    free(load->elapsed_us);
    free(load);
}
