#include "outbox_store_fixture.h"

#include "db/migrate.h"

#include <stdlib.h>
#include <string.h>

#define DISCORD_EPOCH_MS INT64_C(1420070400000)

const unsigned char outbox_store_fixture_key[OUTBOX_KEY_BYTES] = "a key of thirty-two bytes";

int outbox_store_fixture_setup(void **state)
{
    struct migration_result migrated;
    int result = db_fixture_setup(state);
    struct db_fixture *fixture = *state;
    if (result == 0)
        result = db_migrate(fixture->db, built_in_migrations, clock_wall_ms(&fixture->clock.clock),
                            &migrated, NULL);
    return result;
}

int64_t outbox_store_fixture_snowflake(int64_t at_ms, int64_t number)
{
    return (at_ms - DISCORD_EPOCH_MS) << 22 | number;
}

struct outbox_record outbox_store_fixture_record(const struct db_fixture *fixture,
                                                 enum outbox_kind kind, int64_t number)
{
    int64_t now_ms = clock_wall_ms(&fixture->clock.clock);
    struct outbox_record record = {
        .id = number,
        .kind = kind,
        .subject = kind == OUTBOX_KIND_FOLLOW_UP ? 0 : number,
        .interaction_id = number,
        .application_id = 5,
        .guild_id = 7,
        .request_id = "abcdefghijk",
        .is_final = kind != OUTBOX_KIND_EDIT,
        .expires_at_ms = now_ms + 15 * MS_PER_MINUTE,
        .created_at_ms = now_ms,
    };
    return record;
}

struct buf outbox_store_fixture_seal(const struct outbox_content *content)
{
    struct buf sealed = { 0 };
    if (outbox_content_seal(outbox_store_fixture_key, content, &sealed, NULL) != 0)
        abort();
    return sealed;
}
