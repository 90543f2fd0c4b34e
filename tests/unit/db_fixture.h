/* A database of a test's own on either engine, for tests of src/db. */
#ifndef TESTS_DB_FIXTURE_H
#define TESTS_DB_FIXTURE_H

#include "core/system_clock.h"
#include "db/engine.h"
#include "test_database.h"

struct db_fixture {
    struct test_database database;
    struct system_clock clock;
    struct metrics *metrics;
    struct log_sink *log;
    struct db_settings settings;
    struct db *db;
};

/* Fit for cmocka's setup and teardown: *state becomes an open struct db_fixture. */
int db_fixture_setup(void **state);
int db_fixture_teardown(void **state);

/* The same without cmocka and without opening. */
void db_fixture_init(struct db_fixture *fixture);
void db_fixture_fini(struct db_fixture *fixture);

/* Closes and opens again. */
int db_fixture_reopen(struct db_fixture *fixture, struct err *err);

/* Runs SQL without parameters and without a result: 0 or the error's code. */
int db_fixture_run(struct db *db, const char *sql);

/* The integer a query without parameters gives; -1 when it fails. */
int64_t db_fixture_number(struct db *db, const char *sql);

#endif
