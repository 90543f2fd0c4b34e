/* Sets up without asserting: a fixture that can't be made ends the program. */
#include "db_fixture.h"

#include <stdlib.h>
#include <unistd.h>

void db_fixture_init(struct db_fixture *fixture)
{
    *fixture = (struct db_fixture){ 0 };
    test_database_new(&fixture->database);
    if (system_clock_init(&fixture->clock, NULL, NULL) != 0)
        abort();
    fixture->metrics = metrics_new();
    fixture->log =
        log_sink_new(STDERR_FILENO, LOG_LEVEL_WARNING, LOG_FORMAT_TEXT, &fixture->clock.clock);
    if (!fixture->metrics || !fixture->log)
        abort();
    fixture->settings = (struct db_settings){
        .url = fixture->database.url,
        .pool_min = 1,
        .pool_max = 4,
        .clock = &fixture->clock.clock,
        .metrics = fixture->metrics,
        .log = fixture->log,
    };
}

void db_fixture_fini(struct db_fixture *fixture)
{
    db_close(fixture->db);
    metrics_free(fixture->metrics);
    log_sink_free(fixture->log);
    system_clock_fini(&fixture->clock);
    test_database_remove(&fixture->database);
}

int db_fixture_setup(void **state)
{
    struct db_fixture *fixture = malloc(sizeof(*fixture));
    if (!fixture)
        abort();
    db_fixture_init(fixture);
    *state = fixture;
    return db_open(&fixture->db, &fixture->settings, NULL);
}

int db_fixture_teardown(void **state)
{
    db_fixture_fini(*state);
    free(*state);
    return 0;
}

int db_fixture_reopen(struct db_fixture *fixture, struct err *err)
{
    db_close(fixture->db);
    return db_open(&fixture->db, &fixture->settings, err);
}

int db_fixture_run(struct db *db, const char *sql)
{
    struct db_statement statement = { .sql = sql };
    return db_query(db, &statement, NULL, NULL);
}

int64_t db_fixture_number(struct db *db, const char *sql)
{
    struct db_statement statement = { .sql = sql, .expect = DB_ONE_ROW };
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    return db_query(db, &statement, &rows, NULL) == 0 ? db_rows_int(rows, 0, 0) : -1;
}
