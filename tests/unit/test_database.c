/* One server for a program, one schema for a test: a database would take a tenth of a second. */
#include "test_database.h"

#include "harness/folder.h"

#include <dirent.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct harness_postgres
    server; /* the program's one; cmocka's tests come one after another */
static int databases;

bool test_engine_is_postgres(void)
{
    const char *engine = getenv("TEST_ENGINE");
    return engine && strcmp(engine, "postgres") == 0;
}

static pid_t server_owner;

/* A forked child that exits is not the program's end. */
static void end_server(void)
{
    if (getpid() == server_owner)
        harness_postgres_fini(&server);
}

struct harness_postgres *test_database_server(void)
{
    if (server.process == 0 && server_owner == 0) {
        server_owner = getpid();
        if (!harness_postgres_start(&server, false))
            abort();
        atexit(end_server);
    }
    return &server;
}

void test_database_url(char *url, size_t size, const char *name)
{
    snprintf(url, size, "postgresql://bronxbot@/postgres?host=%s&options=-csearch_path%%3D%s",
             test_database_server()->folder, name);
}

static void run_on_server(const char *sql)
{
    char url[TEST_DATABASE_MAX];
    test_database_url(url, sizeof(url), "public");
    PGconn *connection = PQconnectdb(url);
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        fprintf(stderr, "%s: %s", sql, PQerrorMessage(connection));
        abort();
    }
    PQclear(result);
    PQfinish(connection);
}

static void make_postgres(struct test_database *database)
{
    char name[32], sql[64];
    snprintf(name, sizeof(name), "test_%d", ++databases);
    test_database_url(database->url, sizeof(database->url), name);
    snprintf(sql, sizeof(sql), "CREATE SCHEMA %s", name);
    run_on_server(sql);
}

void test_database_new(struct test_database *database)
{
    test_database_new_on(database, test_engine_is_postgres());
}

void test_database_new_on(struct test_database *database, bool is_postgres)
{
    *database = (struct test_database){ 0 };
    if (is_postgres) {
        make_postgres(database);
        return;
    }
    if (!harness_folder_make(database->folder, sizeof(database->folder), "bronxbot-db"))
        abort();
    snprintf(database->path, sizeof(database->path), "%s/test.db", database->folder);
    snprintf(database->url, sizeof(database->url), "sqlite:%s", database->path);
}

/* A schema on the server goes with the server. */
void test_database_remove(struct test_database *database)
{
    if (!database->folder[0])
        return;
    DIR *folder = opendir(database->folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        unlinkat(dirfd(folder), entry->d_name, 0); /* "." and ".." refuse */
    if (folder)
        closedir(folder);
    rmdir(database->folder);
}
