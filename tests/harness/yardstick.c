#include "harness/yardstick.h"

#include "harness/memory.h"

#include "core/thread.h"

#include <stdlib.h>
#include <time.h>

#define EVERY_MS 20
#define BUSY_MS  100 /* it takes 1 ms on a machine that is not */

struct moment {
    int64_t from_ms, to_ms;
};

struct yardstick {
    const struct harness_front *front;
    pthread_t thread;
    pthread_mutex_t lock;
    struct moment *busy; /* with the lock held, as all below */
    size_t busy_count;
    int64_t since_ms; /* when what is being measured began */
    bool is_over;
};

static int64_t now_ms(void)
{
    return thread_now_us() / 1000;
}

/* What was measured ends, and what is measured next begins. */
static void note(struct yardstick *yardstick, bool is_answered)
{
    pthread_mutex_lock(&yardstick->lock);
    int64_t from_ms = yardstick->since_ms;
    yardstick->since_ms = now_ms();
    if (!is_answered || yardstick->since_ms - from_ms > EVERY_MS + BUSY_MS) {
        must_grow(&yardstick->busy, yardstick->busy_count, sizeof(struct moment));
        yardstick->busy[yardstick->busy_count++] = (struct moment){ from_ms, yardstick->since_ms };
    }
    pthread_mutex_unlock(&yardstick->lock);
}

static bool is_over(struct yardstick *yardstick)
{
    pthread_mutex_lock(&yardstick->lock);
    bool is_over = yardstick->is_over;
    pthread_mutex_unlock(&yardstick->lock);
    return is_over;
}

static void *measure(void *context)
{
    static const struct http_request request = { .method = "GET", .path = "/" };
    static const struct timespec pause = { .tv_nsec = EVERY_MS * 1000000L };
    struct yardstick *yardstick = context;
    CLEANUP(http_client_release)
    struct http_client *client = yardstick->front ? harness_front_client(yardstick->front) : NULL;
    while (!is_over(yardstick)) {
        CLEANUP(http_answer_free) struct http_answer answer = { 0 };
        nanosleep(&pause, NULL);
        bool is_answered = !client || http_client_send(client, &request, &answer, NULL) == 0;
        note(yardstick, is_answered);
    }
    return NULL;
}

struct yardstick *yardstick_start(const struct harness_front *front)
{
    struct yardstick *yardstick = must_allocate(1, sizeof(*yardstick));
    yardstick->front = front;
    yardstick->since_ms = now_ms();
    pthread_mutex_init(&yardstick->lock, NULL);
    if (pthread_create(&yardstick->thread, NULL, measure, yardstick) != 0)
        abort();
    return yardstick;
}

bool yardstick_was_busy(struct yardstick *yardstick, int64_t from_ms, int64_t to_ms)
{
    pthread_mutex_lock(&yardstick->lock);
    /* Whoever asks may be awake again before our thread is. */
    bool was_busy = !yardstick->is_over && yardstick->since_ms <= to_ms &&
                    now_ms() - yardstick->since_ms > EVERY_MS + BUSY_MS;
    for (size_t i = 0; i < yardstick->busy_count && !was_busy; i++)
        was_busy = yardstick->busy[i].from_ms <= to_ms && yardstick->busy[i].to_ms >= from_ms;
    pthread_mutex_unlock(&yardstick->lock);
    return was_busy;
}

size_t yardstick_busy_moments(struct yardstick *yardstick)
{
    pthread_mutex_lock(&yardstick->lock);
    size_t count = yardstick->busy_count;
    pthread_mutex_unlock(&yardstick->lock);
    return count;
}

void yardstick_stop(struct yardstick *yardstick)
{
    pthread_mutex_lock(&yardstick->lock);
    yardstick->is_over = true;
    pthread_mutex_unlock(&yardstick->lock);
    pthread_join(yardstick->thread, NULL);
}

void yardstick_free(struct yardstick *yardstick)
{
    if (!yardstick)
        return;
    if (!is_over(yardstick))
        yardstick_stop(yardstick);
    pthread_mutex_destroy(&yardstick->lock);
    free(yardstick->busy);
    free(yardstick);
}
