/* PostgreSQL: what needs it is refused politely, the rest goes on, and nothing is lost. */
#include "degradation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define APOLOGIES_SEEN 3
#define SETTLE_MS      500
#define FLAPS          3
#define FLAP_MS        400
#define FROZEN_MS      5000

static void stop(struct stage *stage)
{
    harness_postgres_stop(&stage->postgres);
}

static void start(struct stage *stage)
{
    assert_true(harness_postgres_restart(&stage->postgres));
}

static void freeze(struct stage *stage)
{
    harness_postgres_freeze(&stage->postgres);
}

static void thaw(struct stage *stage)
{
    stage_pause(FROZEN_MS);
    harness_postgres_thaw(&stage->postgres);
}

static void flap(struct stage *stage)
{
    for (int i = 0; i < FLAPS; i++) {
        harness_postgres_kill(&stage->postgres);
        stage_pause(FLAP_MS);
        start(stage);
        stage_pause(FLAP_MS);
    }
}

/* The WAL is written over for a while; when it must grow the server may go down altogether. */
static void fill(struct stage *stage)
{
    stage_fill_disk(stage, stage->disk);
    stage_wait_apologies(stage, APOLOGIES_SEEN);
}

/* It may have given up to start again, which is for its supervisor to do. */
static void make_room(struct stage *stage)
{
    stage_free_disk(stage, stage->disk);
    stage_pause(SETTLE_MS);
    if (!harness_postgres_is_running(&stage->postgres))
        start(stage);
}

const struct trouble postgres_troubles[] = {
    { .row = "PostgreSQL down",
      .parts = STAGE_POSTGRES,
      .flags = APOLOGIES,
      .part = "database",
      .state = "down",
      .says = "warning PostgreSQL can't be reached",
      .begin = stop,
      .end = start },
    { .row = "PostgreSQL slow",
      .parts = STAGE_POSTGRES,
      .flags = APOLOGIES,
      .part = "database",
      .state = "down",
      .begin = freeze,
      .end = thaw },
    { .row = "PostgreSQL flapping",
      .parts = STAGE_POSTGRES,
      .flags = APOLOGIES | FLEETING,
      .part = "database",
      .state = "down",
      .says = "warning PostgreSQL can't be reached",
      .says_max = FLAPS,
      .begin = flap },
    { .row = "PostgreSQL's disk full",
      .parts = STAGE_POSTGRES | STAGE_SMALL_DISK,
      .flags = APOLOGIES,
      .part = "database",
      .begin = fill,
      .end = make_room },
    { .row = NULL },
};
