/* Checks are counted: whoever asks waits for the next one to begin after its question, so several
 * who ask at once share it. The lock guards everything but `run` and its context. */
#include "core/checker.h"

#include "core/thread.h"

#include <stdbool.h>
#include <stdlib.h>

struct checker {
    check *run;
    void *context;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_stopping;
    uint64_t begun, ended; /* checks; `ended` is `begun`, or one less while one is running */
    uint64_t wanted;       /* the last that somebody waits for */
    int64_t began_us;
    struct err result; /* of the last that ended; code 0: well */
};

static void check_once(struct checker *checker)
{
    struct err result = { 0 };
    checker->begun++;
    checker->began_us = thread_now_us();
    pthread_mutex_unlock(&checker->lock);
    int code = checker->run(checker->context, &result);
    pthread_mutex_lock(&checker->lock);
    result.code = code;
    checker->result = result;
    checker->ended = checker->begun;
    pthread_cond_broadcast(&checker->changed);
}

static void *check_when_asked(void *argument)
{
    struct checker *checker = argument;
    pthread_mutex_lock(&checker->lock);
    while (!checker->is_stopping) {
        if (checker->begun < checker->wanted)
            check_once(checker);
        else
            pthread_cond_wait(&checker->changed, &checker->lock);
    }
    pthread_mutex_unlock(&checker->lock);
    return NULL;
}

static void destroy(struct checker *checker)
{
    pthread_cond_destroy(&checker->changed);
    pthread_mutex_destroy(&checker->lock);
    free(checker);
}

int checker_new(struct checker **out, check *run, void *context, struct err *err)
{
    struct checker *checker = calloc(1, sizeof(*checker));
    if (!checker)
        return err_set(err, ERR_MEMORY, "a checker");
    checker->run = run;
    checker->context = context;
    pthread_mutex_init(&checker->lock, NULL);
    thread_cond_init(&checker->changed);
    int number = thread_start(&checker->thread, THREAD_JOINED, 0, check_when_asked, checker);
    if (number != 0) {
        destroy(checker);
        return err_set_errno(err, ERR_IO, number, "starting a checker");
    }
    *out = checker;
    return 0;
}

/* With the lock held. The one under way counts: nobody waits longer than it may hang. */
static int64_t patience_ends_us(const struct checker *checker, int64_t asked_us, int patience_ms)
{
    bool is_running = checker->ended < checker->begun;
    int64_t since_us = is_running ? checker->began_us : asked_us;
    return since_us + (int64_t)patience_ms * 1000;
}

int checker_ask(struct checker *checker, int patience_ms, struct err *err)
{
    int64_t asked_us = thread_now_us();
    pthread_mutex_lock(&checker->lock);
    uint64_t mine = checker->begun + 1;
    checker->wanted = mine;
    pthread_cond_broadcast(&checker->changed);
    while (checker->ended < mine) {
        int64_t until_us = patience_ends_us(checker, asked_us, patience_ms);
        if (thread_now_us() >= until_us)
            break;
        struct timespec until = thread_time_at(until_us);
        pthread_cond_timedwait(&checker->changed, &checker->lock, &until);
    }
    bool has_result = checker->ended >= mine;
    struct err result = checker->result;
    pthread_mutex_unlock(&checker->lock);
    if (!has_result)
        return err_set(err, ERR_UNAVAILABLE, "no answer within %d ms", patience_ms);
    if (result.code != 0)
        return err_set(err, result.code, "%s", result.message);
    return 0;
}

void checker_free(struct checker *checker)
{
    if (!checker)
        return;
    pthread_mutex_lock(&checker->lock);
    checker->is_stopping = true;
    pthread_cond_broadcast(&checker->changed);
    pthread_mutex_unlock(&checker->lock);
    pthread_join(checker->thread, NULL);
    destroy(checker);
}
