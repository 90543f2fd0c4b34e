/* Killed processes, a second process, a full disk: what was acknowledged is there, what was not is
 * there as a whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLS           20
#define WRITERS         4
#define IDS_OF_WRITER   INT64_C(1000000)
#define CHILD_FAILED    3
#define KILL_AFTER_ACKS 40 /* at most, of a random number */

static int setup(void **state)
{
    struct db_fixture *fixture = malloc(sizeof(*fixture));
    if (!fixture)
        abort();
    db_fixture_init(fixture);
    *state = fixture;
    return 0;
}

static void open_db(struct db_fixture *fixture)
{
    assert_int_equal(db_open(&fixture->db, &fixture->settings, NULL), 0);
}

static void make_tables(struct db_fixture *fixture)
{
    open_db(fixture);
    assert_int_equal(
        db_fixture_run(fixture->db, "CREATE TABLE a (id BIGINT PRIMARY KEY, filler BYTEA)"), 0);
    assert_int_equal(db_fixture_run(fixture->db, "CREATE TABLE b (id BIGINT PRIMARY KEY)"), 0);
}

/* A row in each table, or none. */
static int insert_pair(struct db *db, int64_t id)
{
    static const char filler[1500];
    struct db_statement statements[] = {
        { .sql = "INSERT INTO a (id, filler) VALUES ($1, $2)",
          .parameters = { DB_INT(id), DB_BLOB(((struct str_view){ filler, sizeof(filler) })) },
          .parameter_count = 2,
          .expect = DB_ONE_ROW },
        { .sql = "INSERT INTO b (id) VALUES ($1)",
          .parameters = { DB_INT(id) },
          .parameter_count = 1,
          .expect = DB_ONE_ROW },
    };
    return db_atomic(db, statements, 2, NULL, NULL);
}

static bool has_pair(struct db *db, int64_t id)
{
    struct db_statement statement = {
        .sql = "SELECT a.id FROM a JOIN b ON b.id = a.id WHERE a.id = $1",
        .parameters = { DB_INT(id) },
        .parameter_count = 1,
        .expect = DB_ONE_ROW,
    };
    return db_query(db, &statement, NULL, NULL) == 0;
}

static int64_t pairs_in(struct db *db)
{
    int64_t a = db_fixture_number(db, "SELECT count(*) FROM a");
    int64_t b = db_fixture_number(db, "SELECT count(*) FROM b");
    assert_int_equal(a, b);
    return a;
}

static void assert_is_sound(struct db *db)
{
    struct db_statement statement = { .sql = "PRAGMA integrity_check", .expect = DB_ONE_ROW };
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    assert_int_equal(db_query(db, &statement, &rows, NULL), 0);
    assert_true(str_equal(db_rows_text(rows, 0, 0), STR("ok")));
}

struct child_writer {
    struct db *db;
    int64_t first_id;
    int pipe_fd;
};

static void *insert_and_tell(void *argument)
{
    struct child_writer *self = argument;
    for (int64_t id = self->first_id;; id++)
        if (insert_pair(self->db, id) != 0 ||
            write(self->pipe_fd, &id, sizeof(id)) != (ssize_t)sizeof(id))
            _exit(CHILD_FAILED);
    return NULL;
}

static _Noreturn void be_child(struct db_fixture *fixture, int round, int pipe_fd)
{
    struct child_writer writers[WRITERS];
    pthread_t threads[WRITERS];
    if (db_open(&fixture->db, &fixture->settings, NULL) != 0)
        _exit(CHILD_FAILED);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct child_writer){ .db = fixture->db,
                                            .first_id = (round * WRITERS + i) * IDS_OF_WRITER,
                                            .pipe_fd = pipe_fd };
        if (pthread_create(&threads[i], NULL, insert_and_tell, &writers[i]) != 0)
            _exit(CHILD_FAILED);
    }
    for (;;)
        pause();
}

/* Starts a child, kills it at a random moment, and returns how many ids it had acknowledged. */
static int run_and_kill(struct db_fixture *fixture, int round, int64_t *ids, int ids_max)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(fds[0]);
        be_child(fixture, round, fds[1]);
    }
    close(fds[1]);
    int count = 0, kill_at = 1 + rand() % KILL_AFTER_ACKS;
    ssize_t got;
    while (count < ids_max && (got = read(fds[0], &ids[count], sizeof(*ids))) != 0) {
        assert_int_equal(got, sizeof(*ids));
        if (++count == kill_at) {
            usleep((useconds_t)(rand() % 3000));
            kill(child, SIGKILL);
        }
    }
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return count;
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    enum { IDS_MAX = 100000 };
    struct db_fixture *fixture = *state;
    int64_t *ids = calloc(IDS_MAX, sizeof(*ids));
    assert_non_null(ids);
    make_tables(fixture);
    int64_t before = 0;
    for (int round = 0; round < KILLS; round++) {
        db_close(STEAL(fixture->db));
        int acknowledged = run_and_kill(fixture, round, ids, IDS_MAX);
        open_db(fixture);
        for (int i = 0; i < acknowledged; i++)
            assert_true(has_pair(fixture->db, ids[i]));
        int64_t pairs = pairs_in(fixture->db);
        /* Each writer may have had one commit it could not tell us about. */
        assert_in_range(pairs - before, acknowledged, acknowledged + WRITERS);
        assert_is_sound(fixture->db);
        before = pairs;
    }
    free(ids);
}

/* The child holds the database until it is killed. */
static void a_second_process_is_refused(void **state)
{
    struct db_fixture *fixture = *state;
    int fds[2];
    char byte = 0;
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (db_open(&fixture->db, &fixture->settings, NULL) != 0 || write(fds[1], &byte, 1) != 1)
            _exit(CHILD_FAILED);
        for (;;)
            pause();
    }
    close(fds[1]);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    close(fds[0]);
    struct err err;
    assert_int_equal(db_open(&fixture->db, &fixture->settings, &err), ERR_UNAVAILABLE);
    assert_null(fixture->db);
    assert_non_null(strstr(err.message, fixture->database.path));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    open_db(fixture);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

struct full_disk_writer {
    struct db *db;
    int64_t next_id;
    int64_t acknowledged[200];
    int acknowledged_count;
    int last_result;
};

static void *insert_until_refused(void *argument)
{
    struct full_disk_writer *self = argument;
    while (self->acknowledged_count < (int)ARRAY_LENGTH(self->acknowledged)) {
        int64_t id = self->next_id++;
        self->last_result = insert_pair(self->db, id);
        if (self->last_result != 0)
            break;
        self->acknowledged[self->acknowledged_count++] = id;
    }
    return NULL;
}

/* A file-size limit takes the part of the full disk. The WAL meets it first, then the file. */
static void a_full_disk_is_reported_and_survived(void **state)
{
    struct db_fixture *fixture = *state;
    struct full_disk_writer *writers = calloc(WRITERS, sizeof(*writers));
    assert_non_null(writers);
    make_tables(fixture);
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(150000);
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i].db = fixture->db;
        writers[i].next_id = i * IDS_OF_WRITER;
        assert_int_equal(pthread_create(&threads[i], NULL, insert_until_refused, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    int64_t acknowledged = 0;
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(writers[i].last_result, ERR_UNAVAILABLE);
        acknowledged += writers[i].acknowledged_count;
        for (int j = 0; j < writers[i].acknowledged_count; j++)
            assert_true(has_pair(fixture->db, writers[i].acknowledged[j]));
    }
    assert_true(acknowledged > 0);
    assert_int_equal(pairs_in(fixture->db), acknowledged);

    limit_file_size(RLIM_INFINITY);
    for (int64_t id = -1; id > -20; id--, acknowledged++)
        assert_int_equal(insert_pair(fixture->db, id), 0);
    assert_int_equal(pairs_in(fixture->db), acknowledged);
    assert_int_equal(db_fixture_reopen(fixture, NULL), 0);
    assert_int_equal(pairs_in(fixture->db), acknowledged);
    assert_is_sound(fixture->db);
    free(writers);
}

/* The WAL alone is at its limit: bringing it into the file makes room in it again. */
static void a_wal_at_its_limit_is_emptied(void **state)
{
    struct db_fixture *fixture = *state;
    make_tables(fixture);
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(400000);
    int64_t acknowledged = 0;
    int failures = 0;
    for (int64_t id = 0; acknowledged < 60 && failures < 10; id++) {
        int result = insert_pair(fixture->db, id);
        acknowledged += result == 0;
        failures += result != 0;
        assert_true(result == 0 || result == ERR_UNAVAILABLE);
    }
    limit_file_size(RLIM_INFINITY);
    assert_true(failures > 0);
    assert_int_equal(acknowledged, 60);
    assert_int_equal(pairs_in(fixture->db), acknowledged);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_acknowledged_survives_kill_9),
        TEST(a_second_process_is_refused),
        TEST(a_full_disk_is_reported_and_survived),
        TEST(a_wal_at_its_limit_is_emptied),
    };
    const char *given = getenv("DB_CRASH_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)getpid();
    print_message("DB_CRASH_SEED=%u\n", seed);
    srand(seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
