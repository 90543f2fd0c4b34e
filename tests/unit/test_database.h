/* A database that is empty at first and belongs to one test, on the engine the environment variable
 * TEST_ENGINE names: "postgres", or SQLite. The PostgreSQL server is started for the first one and
 * ends with the program. */
#ifndef TESTS_TEST_DATABASE_H
#define TESTS_TEST_DATABASE_H

#include "harness/postgres.h"

#include <stdbool.h>

#define TEST_DATABASE_MAX 256

struct test_database {
    char folder[TEST_DATABASE_MAX / 2];
    char path[TEST_DATABASE_MAX]; /* of SQLite's file */
    char url[TEST_DATABASE_MAX + 8];
};

bool test_engine_is_postgres(void);

/* Ends the program when it can't be made. */
void test_database_new(struct test_database *database);
/* On an engine of one's own choice. */
void test_database_new_on(struct test_database *database, bool is_postgres);
void test_database_remove(struct test_database *database); /* it must be closed */

/* The server behind it, to be stopped and killed. */
struct harness_postgres *test_database_server(void);

/* The URL of a schema on the server; "public" is always there. */
void test_database_url(char *url, size_t size, const char *name);

#endif
