/* PgBouncer in transaction mode, which gives every transaction another process of the server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/system_clock.h"
#include "db/engine.h"
#include "harness/child.h"
#include "service_fixture.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW_MS  INT64_C(1790000000000)
#define CALLERS 6
#define POSTS   30

extern char **environ;

struct pooler {
    char folder[32];
    char url[TEST_DATABASE_MAX];
    pid_t process;
};

static void write_settings(const struct pooler *pooler, const char *path, const char *more)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "[databases]\npostgres = host=%s dbname=postgres user=bronxbot\n"
            "[pgbouncer]\nunix_socket_dir = %s\nlisten_addr =\nauth_type = any\n"
            "pool_mode = transaction\ndefault_pool_size = 3\nlogfile =\nlog_connections = 0\n"
            "log_disconnections = 0\nlog_pooler_errors = 0\n%s",
            test_database_server()->folder, pooler->folder, more);
    fclose(file);
}

static bool answers(const struct pooler *pooler)
{
    PGconn *connection = PQconnectdb(pooler->url);
    bool does = PQstatus(connection) == CONNECTION_OK;
    PQfinish(connection);
    return does;
}

/* It refuses to run as root, too. */
static void start_pooler(struct pooler *pooler, const char *more)
{
    char path[64];
    snprintf(pooler->folder, sizeof(pooler->folder), "/tmp/bronxbot-pooler-XXXXXX");
    assert_non_null(mkdtemp(pooler->folder));
    assert_int_equal(chmod(pooler->folder, 0777), 0);
    snprintf(path, sizeof(path), "%s/settings.ini", pooler->folder);
    snprintf(pooler->url, sizeof(pooler->url), "postgresql://bronxbot@/postgres?host=%s&port=6432",
             pooler->folder);
    write_settings(pooler, path, more);
    const char *const arguments[] = { "setpriv",
                                      "--reuid=postgres",
                                      "--regid=postgres",
                                      "--clear-groups",
                                      "--pdeathsig=TERM",
                                      "pgbouncer",
                                      "-q",
                                      path,
                                      NULL };
    int output = open("/dev/null", O_WRONLY | O_CLOEXEC);
    const struct harness_child child = {
        .binary = geteuid() == 0 ? "/usr/bin/setpriv" : "/usr/sbin/pgbouncer",
        .arguments = (char *const *)(geteuid() == 0 ? arguments : &arguments[5]),
        .environment = environ,
        .folder = pooler->folder,
        .output = output,
        .both_streams = true,
        .end_signal = SIGTERM,
    };
    pooler->process = harness_child_start(&child);
    close(output);
    for (int i = 0; i < 3000 && !answers(pooler); i++)
        usleep(10000);
}

static void stop_pooler(struct pooler *pooler)
{
    char line[64];
    kill(pooler->process, SIGTERM);
    waitpid(pooler->process, NULL, 0);
    snprintf(line, sizeof(line), "rm -rf %s", pooler->folder);
    assert_int_equal(system(line), 0);
}

struct poster {
    struct service_fixture *fixture;
    int number, wrong;
};

static void *post_gifts(void *argument)
{
    static const struct command plain = { .name = "plain" };
    struct poster *self = argument;
    for (int i = 0; i < POSTS; i++) {
        struct service_call call;
        struct ledger_receipt receipt;
        struct err err = { 0 };
        service_call_begin(&call, self->fixture, &plain, 1000 * self->number + i, self->number);
        const struct ledger_entry entry = {
            .operation = "gift",
            .transfers = { { HOUSE(HOUSE_REWARDS), WALLET_OF(self->number), 1 } },
            .transfer_count = 1,
        };
        int result = ledger_post(&call.call, &entry, &receipt, &err);
        if (result != LEDGER_DONE)
            fprintf(stderr, "%d: %s\n", result, err.message);
        self->wrong += result != LEDGER_DONE || receipt.transfers[0].to_balance != i + 1;
        service_call_end(&call);
    }
    return NULL;
}

static void work_through(struct pooler *pooler)
{
    struct service_fixture fixture;
    struct poster posters[CALLERS];
    pthread_t threads[CALLERS];
    struct err err = { 0 };
    assert_int_equal(service_fixture_open_at(&fixture, pooler->url, NOW_MS), 0);
    for (int i = 0; i < CALLERS; i++) {
        posters[i] = (struct poster){ .fixture = &fixture, .number = i + 1 };
        assert_int_equal(pthread_create(&threads[i], NULL, post_gifts, &posters[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(posters[i].wrong, 0);
    if (ledger_verify(fixture.db, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(service_fixture_count(&fixture, "SELECT COUNT(*) FROM ledger_entry"),
                     CALLERS * POSTS);
    service_fixture_close(&fixture);
}

static void empty_database(void)
{
    char url[TEST_DATABASE_MAX];
    test_database_url(url, sizeof(url), "public");
    PGconn *connection = PQconnectdb(url);
    PGresult *result = PQexec(connection, "SET client_min_messages = warning;"
                                          "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    PQfinish(connection);
}

static void everything_works_through_a_pooler_that_ignores_our_options(void **state)
{
    (void)state;
    struct pooler pooler;
    empty_database();
    start_pooler(&pooler, "ignore_startup_parameters = options\n");
    work_through(&pooler);
    stop_pooler(&pooler);
}

static void everything_works_through_a_pooler_that_refuses_our_options(void **state)
{
    (void)state;
    struct pooler pooler;
    empty_database();
    start_pooler(&pooler, "");
    work_through(&pooler);
    stop_pooler(&pooler);
}

static void on_heard(void *context, int64_t caller)
{
    (void)caller;
    ++*(int *)context;
}

/* Its session is another's after each transaction, so it says that it is deaf, and who waits for
 * something looks for it. */
static void nobody_is_heard_through_a_pooler(void **state)
{
    (void)state;
    struct pooler pooler;
    struct system_clock clock;
    struct db *db;
    struct db_listener *listener;
    char line[256] = "";
    int fds[2], calls = 0;
    start_pooler(&pooler, "ignore_startup_parameters = options\n");
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(system_clock_init(&clock, NULL, NULL), 0);
    struct log_sink *log = log_sink_new(fds[1], LOG_LEVEL_WARNING, LOG_FORMAT_TEXT, &clock.clock);
    const struct db_settings settings = {
        .url = pooler.url, .pool_max = 1, .clock = &clock.clock, .log = log
    };
    assert_int_equal(db_open(&db, &settings, NULL), 0);
    assert_int_equal(db_listen(db, "bronxbot_test", on_heard, &calls, &listener, NULL), 0);
    assert_true(read(fds[0], line, sizeof(line) - 1) > 0);
    assert_non_null(strstr(line, "a pooler stands before PostgreSQL"));
    assert_false(db_is_listening(listener));
    db_unlisten(listener);
    db_close(db);
    assert_int_equal(calls, 0);
    log_sink_free(log);
    system_clock_fini(&clock);
    close(fds[0]);
    close(fds[1]);
    stop_pooler(&pooler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_works_through_a_pooler_that_ignores_our_options),
        cmocka_unit_test(everything_works_through_a_pooler_that_refuses_our_options),
        cmocka_unit_test(nobody_is_heard_through_a_pooler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
