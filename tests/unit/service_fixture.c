#include "service_fixture.h"

#include "bronx/settings.h"

#include "db/migrate.h"
#include "services/secret.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t fixture_wall_ms(const struct clock *clock)
{
    return __atomic_load_n(&CONTAINER_OF(clock, const struct service_fixture, clock)->now_ms,
                           __ATOMIC_RELAXED);
}

static int64_t fixture_monotonic_us(const struct clock *clock)
{
    return fixture_wall_ms(clock) * 1000;
}

void service_fixture_clock(struct service_fixture *fixture)
{
    fixture->clock = (struct clock){ fixture_wall_ms, fixture_monotonic_us };
}

int service_fixture_open_at(struct service_fixture *fixture, const char *url, int64_t now_ms)
{
    *fixture = (struct service_fixture){ .now_ms = now_ms };
    service_fixture_clock(fixture);
    const struct db_settings settings = {
        .url = url, .pool_min = 1, .pool_max = 8, .clock = &fixture->clock
    };
    struct err err = { 0 };
    struct migration_result migrated;
    if (sodium_init() < 0)
        return 1;
    if (db_open(&fixture->db, &settings, &err) != 0 ||
        db_migrate(fixture->db, built_in_migrations, now_ms, &migrated, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const unsigned char key[SERVER_KEY_BYTES] = { 1 };
    chance_init(&fixture->chance, key);
    erasure_key_derive(&fixture->erasure_key, key);
    fixture->services = (struct services){ .db = fixture->db,
                                           .clock = &fixture->clock,
                                           .chance = &fixture->chance,
                                           .erasure_key = &fixture->erasure_key };
    return 0;
}

int service_fixture_open(struct service_fixture *fixture)
{
    struct test_database database;
    test_database_new(&database);
    int result = service_fixture_open_at(fixture, database.url, INT64_C(1790000000000));
    fixture->database = database;
    return result;
}

void service_fixture_close(struct service_fixture *fixture)
{
    db_close(fixture->db);
    test_database_remove(&fixture->database);
}

int64_t service_fixture_count(struct service_fixture *fixture, const char *sql)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct db_statement statement = { .sql = sql };
    if (db_query(fixture->db, &statement, &rows, NULL) != 0 || db_rows_count(rows) == 0)
        return -1;
    return db_rows_int(rows, 0, 0);
}

void service_call_begin(struct service_call *call, struct service_fixture *fixture,
                        const struct command *command, int64_t id, int64_t user_id)
{
    *call = (struct service_call){ 0 };
    call->interaction.id = id;
    call->interaction.type = INTERACTION_COMMAND;
    call->interaction.user.id = user_id;
    call->interaction.locale = STR("en-US");
    call->call = (struct call){
        .interaction = &call->interaction,
        .command = command,
        .arena = &call->arena,
        .services = &fixture->services,
        .language = language_of(call->interaction.locale),
        .now_ms = fixture->now_ms,
        .effect_id = id,
    };
    settings_defaults(&call->call);
}

void service_call_end(struct service_call *call)
{
    arena_free(&call->arena);
}
