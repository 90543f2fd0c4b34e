/* Live messages, as a table of roulette has them: 500 at once, each edited ten times by whoever is
 * at it, against a Discord that counts. Whatever is left out on the way, the final frame arrives,
 * it is the last, and no two edits of one message are closer than the floor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/outbox.h"
#include "core/system_clock.h"
#include "core/thread.h"
#include "db/engine.h"
#include "db/migrate.h"
#include "harness/bot_process.h"
#include "harness/folder.h"
#include "harness/lookup.h"
#include "harness/memory.h"
#include "outbox/outbox.h"
#include "simulator/rest_server.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGES   500
#define FRAMES     10 /* the last is the final one */
#define PAINTERS   8
#define FLOOR_MS   300
#define PAUSE_MS   400   /* at most, between two frames of a painter's messages */
#define ARRIVAL_MS 60000 /* far more than it takes: nothing is asserted on time */
#define STOP_MS    5000

struct painting {
    int64_t id; /* of the interaction whose @original it is */
    char token[64];
    size_t edits;
    int64_t last_us; /* when the last edit arrived */
};

struct frames {
    struct rest_server *server;
    struct system_clock clock;
    struct log_sink *log;
    char folder[64];
    struct db *db;
    struct outbox *outbox;
    struct painting paintings[MESSAGES];
};

struct painter {
    struct frames *frames;
    pthread_t thread;
    int first; /* and every PAINTERS-th from there */
    unsigned seed;
};

/* --- A day at the tables --- */

static void open_all(struct frames *frames)
{
    char url[96];
    struct err err = { 0 };
    struct migration_result migrated;
    assert_true(harness_folder_make(frames->folder, sizeof(frames->folder), "bronxbot-frames"));
    snprintf(url, sizeof(url), "sqlite:%s/bronxbot.db", frames->folder);
    assert_int_equal(system_clock_init(&frames->clock, NULL, &err), 0);
    assert_int_equal(rest_server_start(&frames->server, &(struct rest_server_settings){ 0 }, &err),
                     0);
    const struct clock *clock = &frames->clock.clock;
    frames->log = log_sink_new(STDERR_FILENO, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, clock);
    const struct db_settings database = {
        .url = url, .pool_min = 1, .pool_max = 4, .clock = clock, .log = frames->log
    };
    assert_int_equal(db_open(&frames->db, &database, &err), 0);
    assert_int_equal(db_migrate(frames->db, built_in_migrations, 1, &migrated, &err), 0);
    const struct outbox_settings settings = { .db = frames->db,
                                              .role = "test",
                                              .api_url = rest_server_url(frames->server),
                                              .edit_floor_ms = FLOOR_MS,
                                              .clock = clock,
                                              .log = frames->log };
    assert_int_equal(outbox_new(&frames->outbox, &settings, &err), 0);
}

static void close_all(struct frames *frames)
{
    db_close(frames->db);
    harness_remove_folder(frames->folder);
    rest_server_stop(frames->server);
    log_sink_free(frames->log);
    system_clock_fini(&frames->clock);
}

static void hang_up(struct frames *frames, int number)
{
    struct painting *painting = &frames->paintings[number];
    painting->id = snowflake_at(clock_wall_ms(&frames->clock.clock), (unsigned)number + 1);
    interaction_token(painting->id, painting->token, sizeof(painting->token));
    const struct rest_interaction asked = {
        .id = painting->id, .type = 2, .channel_id = 7, .person = { 5, "alice", false }
    };
    rest_server_ask(frames->server, &asked);
    rest_server_answered(
        frames->server, painting->id,
        STR("{\"type\":4,\"data\":{\"flags\":32768,\"components\":[{\"type\":10,\"content\":"
            "\"Place your bets\"}]}}"));
}

static void paint(struct frames *frames, int number, int frame)
{
    const struct painting *painting = &frames->paintings[number];
    const struct interaction interaction = { .id = painting->id, .type = INTERACTION_COMMAND };
    const struct outbox_target target = {
        .interaction_id = painting->id,
        .application_id = HARNESS_APPLICATION_ID,
        .guild_id = number % 20 + 1,
        .message_key = painting->id,
        .token = str_from(painting->token),
    };
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct err err = { 0 };
    struct reply *reply = reply_new(&arena, &interaction);
    bool is_final = frame == FRAMES - 1;
    reply_text(reply, is_final ? "The ball fell on %d" : "The ball rolls past %d", frame);
    int result = is_final ? outbox_edit_final(frames->outbox, &target, reply, &err)
                          : outbox_edit_frame(frames->outbox, &target, reply, &err);
    if (result != 0)
        fail_msg("%s", err.message);
}

static void *paint_all(void *argument)
{
    struct painter *painter = argument;
    for (int frame = 0; frame < FRAMES; frame++) {
        for (int number = painter->first; number < MESSAGES; number += PAINTERS)
            paint(painter->frames, number, frame);
        usleep((unsigned)(rand_r(&painter->seed) % PAUSE_MS) * 1000);
    }
    /* Somebody is late: nobody shall see it. */
    for (int number = painter->first; number < MESSAGES; number += PAINTERS)
        paint(painter->frames, number, 0);
    return NULL;
}

/* --- What Discord has seen --- */

static void assert_floor_is_kept(struct frames *frames)
{
    struct lookup by_id = { 0 };
    size_t edits = 0, arrivals = rest_server_arrivals(frames->server);
    int64_t closest_us = INT64_MAX;
    for (int i = 0; i < MESSAGES; i++)
        lookup_add(&by_id, (uint64_t)frames->paintings[i].id, &frames->paintings[i]);
    for (size_t i = 0; i < arrivals; i++) {
        struct rest_arrival arrival;
        assert_true(rest_server_arrival(frames->server, i, &arrival));
        struct painting *painting = lookup_find(&by_id, (uint64_t)arrival.interaction_id);
        assert_non_null(painting);
        if (painting->edits++ > 0 && arrival.began_us - painting->last_us < closest_us)
            closest_us = arrival.began_us - painting->last_us;
        painting->last_us = arrival.began_us;
        edits++;
    }
    lookup_free(&by_id);
    print_message("%d messages, %d frames: %zu edits; the closest two of a message %lld ms apart, "
                  "the floor is %d\n",
                  MESSAGES, MESSAGES * FRAMES, edits, (long long)(closest_us / 1000), FLOOR_MS);
    assert_true(closest_us >= FLOOR_MS * INT64_C(1000));
    assert_true(edits > MESSAGES && edits <= MESSAGES * FRAMES);
}

static void assert_final_frames_are_shown(struct frames *frames)
{
    for (int i = 0; i < MESSAGES; i++) {
        CLEANUP(buf_free) struct buf shown = { 0 };
        assert_true(rest_server_original(frames->server, frames->paintings[i].id, &shown));
        if (!strstr(shown.data, "The ball fell on 9"))
            fail_msg("message %d ends as %s", i, shown.data);
    }
}

static void the_final_frame_is_the_last_and_the_floor_is_kept(void **state)
{
    (void)state;
    static struct frames frames;
    struct painter painters[PAINTERS];
    CLEANUP(buf_free) struct buf violation = { 0 };
    open_all(&frames);
    for (int i = 0; i < MESSAGES; i++)
        hang_up(&frames, i);
    for (int i = 0; i < PAINTERS; i++) {
        painters[i] = (struct painter){ .frames = &frames, .first = i, .seed = (unsigned)i + 1 };
        assert_int_equal(
            thread_start(&painters[i].thread, THREAD_JOINED, 0, paint_all, &painters[i]), 0);
    }
    for (int i = 0; i < PAINTERS; i++)
        pthread_join(painters[i].thread, NULL);
    outbox_free(frames.outbox, ARRIVAL_MS);
    rest_server_first_violation(frames.server, &violation);
    if (violation.length > 0)
        fail_msg("%s", violation.data);
    assert_final_frames_are_shown(&frames);
    assert_floor_is_kept(&frames);
    close_all(&frames);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_final_frame_is_the_last_and_the_floor_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
