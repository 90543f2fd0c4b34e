/* Several processes that are one bot: on one PostgreSQL and one Redis, behind one nginx. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet.h"
#include "payments.h"

#include "harness/memory.h"

#include <sodium.h>

static void a_bot_comes_back_by_itself_after_redis_and_postgresql_were_away(void **state)
{
    (void)state;
    static struct fleet fleet;
    const struct fleet_options options = { .binary = BRONXBOT_BINARY, .bot_count = 1 };
    fleet_open(&fleet, &options);
    fleet_launch_all(&fleet);
    fleet_await_part(&fleet, 0, "cache", "ok");
    harness_redis_stop(&fleet.redis);
    fleet_await_part(&fleet, 0, "cache", "degraded");
    harness_postgres_stop(&fleet.postgres);
    fleet_await_part(&fleet, 0, "database", "down");
    fleet_start_postgres(&fleet);
    fleet_await_part(&fleet, 0, "database", "ok");
    fleet_start_redis(&fleet);
    fleet_await_part(&fleet, 0, "cache", "ok");
    fleet_stop(&fleet, 0);
    fleet_close(&fleet);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bot_comes_back_by_itself_after_redis_and_postgresql_were_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
