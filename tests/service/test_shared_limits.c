/* Two processes of one bot, with a real PostgreSQL and a real Redis between them, and a Discord
 * that counts both together: what one hears of its limits, the other keeps to; without Redis each
 * has half. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deferrals.h"

#include "harness/postgres.h"
#include "harness/redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EDITS     10
#define WAIT_MS   60000 /* far longer than it takes: nothing is asserted on time */
#define LOOK_MS   20
#define LINE_SIZE 160

struct fleet {
    struct harness_postgres postgres;
    struct harness_redis redis;
    struct deferrals bots[2];
    char database_line[LINE_SIZE], redis_line[LINE_SIZE];
};

static void launch_redis(struct fleet *fleet)
{
    struct err err = { 0 };
    if (harness_redis_launch(&fleet->redis, &err) != 0)
        fail_msg("%s", err.message);
}

static int setup(void **state)
{
    const struct harness_redis_options options = { 0 };
    char url[LINE_SIZE - 16];
    struct fleet *fleet = calloc(1, sizeof(*fleet));
    assert_non_null(fleet);
    *state = fleet;
    assert_true(harness_postgres_start(&fleet->postgres, false));
    assert_int_equal(harness_redis_init(&fleet->redis, &options, NULL), 0);
    launch_redis(fleet);
    harness_redis_url(&fleet->redis, 0, url, sizeof(url));
    snprintf(fleet->redis_line, LINE_SIZE, "REDIS_URL=%s", url);
    snprintf(fleet->database_line, LINE_SIZE,
             "DATABASE_URL=postgresql://bronxbot@/postgres?host=%s", fleet->postgres.folder);
    deferrals_init(&fleet->bots[0], NULL);
    deferrals_init_beside(&fleet->bots[1], &fleet->bots[0]);
    for (int i = 0; i < 2; i++) {
        deferrals_set(&fleet->bots[i], fleet->database_line);
        deferrals_set(&fleet->bots[i], fleet->redis_line);
        deferrals_launch(&fleet->bots[i]);
    }
    return 0;
}

static int teardown(void **state)
{
    struct fleet *fleet = *state;
    deferrals_fini(&fleet->bots[1]);
    deferrals_fini(&fleet->bots[0]);
    harness_redis_fini(&fleet->redis);
    harness_postgres_fini(&fleet->postgres);
    free(fleet);
    return 0;
}

static bool has_text(const char *said, const char *text, int64_t least)
{
    const char *found = said ? strstr(said, text) : NULL;
    return found && (least == 0 || strtoll(found + strlen(text), NULL, 10) >= least);
}

/* Waits until what the bot says to operators at `path` contains `text`; `least` above 0: and then a
 * number that is not less. */
static void await_text(const struct deferrals *bot, const char *path, const char *text,
                       int64_t least)
{
    const struct http_request request = { .method = "GET", .path = path };
    const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
    struct http_client *client = http_client_new(&bot->bot.admin_listen);
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    bool is_there = false;
    for (int waited = 0; waited < WAIT_MS && !is_there; waited += LOOK_MS) {
        if (http_client_send(client, &request, &answer, NULL) == 0)
            is_there = has_text(answer.body.data, text, least);
        if (!is_there)
            nanosleep(&pause, NULL);
    }
    http_client_free(client);
    if (!is_there)
        fail_msg("%s never said %s: %s", path, text, answer.body.data ? answer.body.data : "");
}

static void expect_edits(struct fleet *fleet)
{
    for (int i = 0; i < 2; i++) {
        int64_t ids[EDITS];
        for (int n = 0; n < EDITS; n++)
            ids[n] = deferrals_ask(&fleet->bots[i]);
        assert_int_equal(deferrals_arrived(&fleet->bots[i], ids, EDITS), EDITS);
    }
    deferrals_assert_no_violation(&fleet->bots[0]);
}

static void what_one_process_hears_the_other_keeps_to(void **state)
{
    static const char *const faults[] = {
        "1 edit status 429 after 3s global",
        "1 edit status 429 after 3s cloudflare",
    };
    struct fleet *fleet = *state;
    for (int i = 0; i < 2; i++)
        await_text(&fleet->bots[i], "/readyz", "shared by Redis among 2", 0);
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        deferrals_fault(&fleet->bots[0], faults[i]);
        int64_t id = deferrals_ask(&fleet->bots[0]);
        await_text(&fleet->bots[1], "/metrics",
                   "\nbronxbot_limits_lessons_total{direction=\"heard\"} ", (int64_t)i + 1);
        expect_edits(fleet);
        assert_int_equal(deferrals_arrived(&fleet->bots[0], &id, 1), 1);
    }
}

static void without_redis_both_send_and_say_so_and_share_again_when_it_is_back(void **state)
{
    struct fleet *fleet = *state;
    harness_redis_kill(&fleet->redis);
    for (int i = 0; i < 2; i++)
        await_text(&fleet->bots[i], "/readyz", "Redis is away: divided among 2", 0);
    expect_edits(fleet);
    launch_redis(fleet);
    for (int i = 0; i < 2; i++)
        await_text(&fleet->bots[i], "/readyz", "shared by Redis among 2", 0);
    expect_edits(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_process_hears_the_other_keeps_to),
        cmocka_unit_test(without_redis_both_send_and_say_so_and_share_again_when_it_is_back),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
