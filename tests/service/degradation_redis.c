/* Redis is for what may be lost: people notice nothing. */
#include "degradation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FLAPS   6
#define FLAP_MS 250

static void launch(struct stage *stage)
{
    struct err err = { 0 };
    if (harness_redis_launch(&stage->redis, &err) != 0)
        fail_msg("%s", err.message);
}

static void stop(struct stage *stage)
{
    harness_redis_stop(&stage->redis);
}

static void freeze(struct stage *stage)
{
    harness_redis_freeze(&stage->redis);
}

static void thaw(struct stage *stage)
{
    harness_redis_thaw(&stage->redis);
}

static void flap(struct stage *stage)
{
    for (int i = 0; i < FLAPS; i++) {
        harness_redis_kill(&stage->redis);
        stage_pause(FLAP_MS);
        launch(stage);
        stage_pause(FLAP_MS);
    }
}

const struct trouble redis_troubles[] = {
    { .row = "Redis down",
      .parts = STAGE_REDIS | STAGE_POSTGRES,
      .part = "cache",
      .state = "degraded",
      .says = "warning Redis is away",
      .begin = stop,
      .end = launch },
    { .row = "Redis slow",
      .parts = STAGE_REDIS | STAGE_POSTGRES,
      .part = "cache",
      .state = "degraded",
      .says = "warning Redis is away",
      .begin = freeze,
      .end = thaw },
    { .row = "Redis flapping",
      .parts = STAGE_REDIS | STAGE_POSTGRES,
      .flags = FLEETING,
      .part = "cache",
      .state = "degraded",
      .says = "warning Redis is away",
      .says_max = FLAPS,
      .begin = flap },
    { .row = NULL },
};
