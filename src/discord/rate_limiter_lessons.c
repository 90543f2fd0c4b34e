/* A short list: it is emptied at every turn of its owner. Used by one thread. */
#include "discord/rate_limiter_lessons.h"

#include <string.h>

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The last places are for what is about more than a bucket, of which there is one of a kind. */
void lessons_add(struct lessons *lessons, const struct limiter_lesson *lesson, int64_t until_us)
{
    size_t room = LIMITER_LESSONS_MAX - (lesson->kind == LESSON_BUCKET ? LESSON_KINDS : 0);
    for (size_t i = 0; i < lessons->count; i++) {
        struct limiter_lesson *known = &lessons->list[i];
        if (known->kind != lesson->kind ||
            memcmp(known->bucket, lesson->bucket, sizeof(known->bucket)) != 0)
            continue;
        known->wait_us = later(known->wait_us, until_us);
        return;
    }
    if (lessons->count >= room)
        return;
    lessons->list[lessons->count] = *lesson;
    lessons->list[lessons->count++].wait_us = until_us;
}

size_t lessons_take(struct lessons *lessons, int64_t now_us, struct limiter_lesson *taken,
                    size_t max)
{
    size_t count = 0;
    for (; count < max && lessons->count > 0; count++) {
        taken[count] = lessons->list[--lessons->count];
        taken[count].wait_us = later(taken[count].wait_us - now_us, 0);
    }
    return count;
}
