/* PostgreSQL: what needs it is refused politely, the rest goes on, and nothing is lost. */
#include "degradation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FLAPS     3
#define FLAP_MS   400
#define FROZEN_MS 5000

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
    { .row = NULL },
};

/* What the table's introduction says about a stop. */
const struct trouble stop_meanwhile = {
    .row = "(a stop meanwhile)",
    .parts = STAGE_POSTGRES,
    .flags = APOLOGIES,
    .part = "database",
    .state = "down",
    .begin = freeze,
    .end = thaw,
};
