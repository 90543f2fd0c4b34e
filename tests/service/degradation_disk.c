/* A disk is full, or somebody else holds SQLite's file: reads go on, writes are refused politely,
 * and nothing needs a restart. */
#include "degradation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>

#define APOLOGIES_SEEN 3
#define SETTLE_MS      500
#define HELD_MS        4000
#define FLAPS          4
#define FLAP_MS        500

static void fill(struct stage *stage)
{
    stage_fill_disk(stage, stage->disk);
}

/* What is written over goes on for a while: the WAL begins anew as long as the file need not grow.
 */
static void fill_until_it_shows(struct stage *stage)
{
    fill(stage);
    stage_wait_apologies(stage, APOLOGIES_SEEN);
}

static void make_room(struct stage *stage)
{
    stage_free_disk(stage, stage->disk);
}

/* The WAL is written over for a while; when it must grow the server may go down altogether. */
static void fill_server(struct stage *stage)
{
    stage_fill_disk(stage, stage->disk);
    stage_wait_apologies(stage, APOLOGIES_SEEN);
}

/* It may have given up to start again, which is for its supervisor to do. */
static void make_room_for_server(struct stage *stage)
{
    stage_free_disk(stage, stage->disk);
    stage_pause(SETTLE_MS);
    if (!harness_postgres_is_running(&stage->postgres))
        assert_true(harness_postgres_restart(&stage->postgres));
}

/* What an operator's tool that writes does to us. */
static void hold(struct stage *stage)
{
    sqlite3 *database;
    char path[128];
    snprintf(path, sizeof(path), "%s/bronxbot.db", stage->bot.folder);
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    sqlite3_busy_timeout(database, DEGRADATION_WAIT_MS);
    assert_int_equal(sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    stage_pause(HELD_MS);
    stage_wait_answers(stage, stage->asker_count);
    assert_int_equal(sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

static void flap(struct stage *stage)
{
    for (int i = 0; i < FLAPS; i++) {
        fill(stage);
        stage_pause(FLAP_MS);
        make_room(stage);
        stage_pause(FLAP_MS);
    }
}

const struct trouble disk_troubles[] = {
    { .row = "SQLite's disk full",
      .parts = STAGE_SMALL_DISK,
      .flags = APOLOGIES | READS_GO_ON,
      .part = "database",
      .state = "degraded",
      .says = "error   the database takes no writes",
      .begin = fill_until_it_shows,
      .end = make_room },
    { .row = "PostgreSQL's disk full",
      .parts = STAGE_POSTGRES | STAGE_SMALL_DISK,
      .flags = APOLOGIES,
      .part = "database",
      .begin = fill_server,
      .end = make_room_for_server },
    { .row = "SQLite slow", .flags = APOLOGIES | READS_GO_ON, .begin = hold },
    { .row = "SQLite flapping",
      .parts = STAGE_SMALL_DISK,
      .flags = APOLOGIES | READS_GO_ON | FLEETING,
      .says = "error   the database takes no writes",
      .says_max = FLAPS,
      .begin = flap },
    { .row = NULL },
};
