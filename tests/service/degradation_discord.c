/* Discord's REST API: answers go on, edits wait. */
#include "degradation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SLOW_MS 3000
#define FLAPS   4
#define FLAP_MS 500

static void close_api(struct stage *stage)
{
    rest_server_close(stage->discord);
}

static void open_api(struct stage *stage)
{
    assert_true(rest_server_reopen(stage->discord));
}

static void slow_down(struct stage *stage)
{
    rest_server_add_fault(stage->discord,
                          &(struct rest_fault){ .kind = FAULT_DELAY, .delay_ms = SLOW_MS });
}

static void be_well(struct stage *stage)
{
    rest_server_clear_faults(stage->discord);
}

static void flap(struct stage *stage)
{
    static const struct rest_fault fails = { .kind = FAULT_STATUS, .status = 503 };
    static const struct rest_fault cuts = { .kind = FAULT_RESET_AFTER };
    for (int i = 0; i < FLAPS; i++) {
        rest_server_add_fault(stage->discord, i % 2 == 0 ? &fails : &cuts);
        stage_pause(FLAP_MS);
        rest_server_clear_faults(stage->discord);
        stage_pause(FLAP_MS);
    }
}

const struct trouble discord_troubles[] = {
    { .row = "Discord down",
      .part = "outbox",
      .state = "degraded",
      .says = "warning Discord can't be reached",
      .begin = close_api,
      .end = open_api },
    { .row = "Discord slow", .begin = slow_down, .end = be_well },
    { .row = "Discord flapping",
      .flags = FLEETING,
      .part = "outbox",
      .state = "degraded",
      .begin = flap },
    { .row = NULL },
};
