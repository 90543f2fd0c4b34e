/* The journal: nothing handed to it is lost or reordered, and a job has one owner at a time. The
 * clock stands still unless a test moves it or waits; the database can be taken away, and one
 * instance's heartbeats can be muted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbox_store_fixture.h"

#include "outbox/outbox_admin.h"
#include "outbox/outbox_journal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define JOBS_MAX      2000
#define THREADS       8
#define TICK_MS       5
#define TICKS_MAX     6000 /* a wait that would be longer fails the test */
#define LEFT_BEHIND   INT64_C(77)
#define A_LONG_TIME   (20 * MS_PER_SECOND)
#define HEARTBEATS    (JOURNAL_LEASE_MS / JOURNAL_HEARTBEAT_MS + 1)
#define ROOM_FOR_MANY 100000
#define SWEEP_DUE_MS  MS_PER_MINUTE
/* In a short time by a journal that sleeps in between; one that does not looks 100,000 times. */
#define LOOKS_MAX     5000

static const struct outbox_content content = { .token = { "a-token", 7 },
                                               .json = { "{\"a\":1}", 7 } };

/* --- A database that can be away --- */

static struct {
    const struct db_engine *lower;
    struct db_engine upper;
    atomic_bool is_away;
    _Atomic int64_t muted; /* the instance whose heartbeats fail */
    _Atomic int64_t heard; /* the instance whose heartbeats are counted ... */
    atomic_int heartbeats; /* ... here */
} database;

static bool is_heartbeat_of(const struct db_statement *statement, int64_t instance_id)
{
    return strstr(statement->sql, "INSERT INTO instance") &&
           statement->parameters[0].integer == instance_id;
}

static int query(struct db *db, const struct db_statement *statement, struct db_rows **rows,
                 struct err *err)
{
    if (database.is_away || is_heartbeat_of(statement, database.muted))
        return err_set(err, ERR_UNAVAILABLE, "away for a test");
    int result = database.lower->query(db, statement, rows, err);
    if (is_heartbeat_of(statement, database.heard))
        database.heartbeats++;
    return result;
}

static int atomic(struct db *db, const struct db_statement *statements, int count,
                  struct db_rows **results, struct err *err)
{
    if (database.is_away)
        return err_set(err, ERR_UNAVAILABLE, "away for a test");
    return database.lower->atomic(db, statements, count, results, err);
}

static void wrap_engine(struct db *db, bool is_exclusive)
{
    database.lower = db->engine;
    database.upper = *db->engine;
    database.upper.query = query;
    database.upper.atomic = atomic;
    database.upper.is_exclusive = is_exclusive;
    database.is_away = false;
    database.muted = database.heard = 0;
    db->engine = &database.upper;
}

/* --- A process's journal, and what it says --- */

struct world {
    struct db_fixture *fixture;
    struct clock clock;
    int64_t begun_ms;
    _Atomic int64_t now_ms; /* since then */
    atomic_int looks;       /* at the monotonic clock */
    pthread_mutex_t lock;   /* guards what the journals say */
    int ended_count;
};

struct process {
    struct world *world;
    struct journal *journal;
    int lost_count, loaded_count;
    int room;                     /* so many claimed jobs more */
    struct outbox_record *loaded; /* newest first */
};

struct job {
    struct journal_entry entry;
    struct outbox_record record;
    struct world *world;
    int place; /* among those that ended, from 1; 0: not yet */
    enum journal_result result;
};

static int64_t wall_ms(const struct clock *clock)
{
    struct world *world = CONTAINER_OF(clock, struct world, clock);
    return world->begun_ms + world->now_ms;
}

static int64_t monotonic_us(const struct clock *clock)
{
    struct world *world = CONTAINER_OF(clock, struct world, clock);
    world->looks++;
    return world->now_ms * 1000;
}

static int room_left(void *context)
{
    struct process *process = context;
    pthread_mutex_lock(&process->world->lock);
    int room = process->room - process->loaded_count;
    pthread_mutex_unlock(&process->world->lock);
    return room;
}

static void on_loaded(void *context, struct outbox_record *record)
{
    struct process *process = context;
    pthread_mutex_lock(&process->world->lock);
    record->next = process->loaded;
    process->loaded = record;
    process->loaded_count++;
    pthread_mutex_unlock(&process->world->lock);
}

static void on_lost(void *context)
{
    struct process *process = context;
    pthread_mutex_lock(&process->world->lock);
    process->lost_count++;
    pthread_mutex_unlock(&process->world->lock);
}

static void on_ended(struct journal_entry *entry, enum journal_result result)
{
    struct job *job = CONTAINER_OF(entry, struct job, entry);
    pthread_mutex_lock(&job->world->lock);
    job->result = result;
    job->place = ++job->world->ended_count;
    pthread_mutex_unlock(&job->world->lock);
}

static int read_locked(struct world *world, const int *number)
{
    pthread_mutex_lock(&world->lock);
    int value = *number;
    pthread_mutex_unlock(&world->lock);
    return value;
}

static void tick(struct world *world)
{
    const struct timespec pause = { .tv_nsec = TICK_MS * 1000000 };
    nanosleep(&pause, NULL);
    world->now_ms += TICK_MS;
}

static void wait_for(struct world *world, const int *number, int wanted)
{
    for (int i = 0; i < TICKS_MAX && read_locked(world, number) < wanted; i++)
        tick(world);
    assert_int_equal(read_locked(world, number), wanted);
}

/* Time for what should not happen. */
static void linger(struct world *world)
{
    for (int i = 0; i < 20; i++)
        tick(world);
}

static struct journal_settings process_init(struct process *process, struct world *world, int room)
{
    *process = (struct process){ .world = world, .room = room };
    struct journal_settings settings = {
        .db = world->fixture->db,
        .role = "serve",
        .clock = &world->clock,
        .metrics = world->fixture->metrics,
        .log = world->fixture->log,
        .poll_ms = TICK_MS,
        .room = room_left,
        .loaded = on_loaded,
        .lost = on_lost,
        .context = process,
    };
    memcpy(settings.key, outbox_store_fixture_key, sizeof(settings.key));
    return settings;
}

static void process_begin(struct process *process, const struct journal_settings *settings)
{
    struct err err = { 0 };
    if (journal_new(&process->journal, settings, &err) != 0)
        fail_msg("%s", err.message);
}

static void give_room(struct process *process, int room)
{
    pthread_mutex_lock(&process->world->lock);
    process->room = room;
    pthread_mutex_unlock(&process->world->lock);
}

static void process_start(struct process *process, struct world *world, int room)
{
    const struct journal_settings settings = process_init(process, world, room);
    process_begin(process, &settings);
}

/* Lives for long without a heartbeat: the clock may jump. */
static void process_start_steady(struct process *process, struct world *world, int room)
{
    struct journal_settings settings = process_init(process, world, room);
    settings.heartbeat_ms = MS_PER_HOUR;
    settings.lease_ms = MS_PER_DAY;
    process_begin(process, &settings);
}

/* It looks for jobs only when it is called: by itself not within a test's time. */
static void process_start_lazy(struct process *process, struct world *world, int room)
{
    struct journal_settings settings = process_init(process, world, room);
    settings.poll_ms = settings.heartbeat_ms = MS_PER_HOUR;
    settings.lease_ms = MS_PER_DAY;
    process_begin(process, &settings);
}

static void process_stop(struct process *process)
{
    journal_free(process->journal, A_LONG_TIME);
    while (process->loaded) {
        struct outbox_record *record = process->loaded;
        process->loaded = record->next;
        outbox_record_free(record);
    }
}

static void prepare(const struct process *process, struct job *job, enum journal_change change,
                    int64_t number)
{
    *job = (struct job){
        .entry = { .change = change, .record = &job->record, .tries = 1, .ended = on_ended },
        .record = outbox_store_fixture_record(process->world->fixture, OUTBOX_KIND_RUN, number),
        .world = process->world,
    };
    if (change == JOURNAL_STORE_RUN)
        job->entry.sealed = outbox_store_fixture_seal(&content);
    if (change == JOURNAL_DEAD)
        job->entry.reason = "refused";
    if (change == JOURNAL_LOAD)
        job->entry.interaction_id = number;
}

static void submit(struct process *process, struct job *job, enum journal_change change,
                   int64_t number)
{
    prepare(process, job, change, number);
    journal_submit(process->journal, &job->entry);
}

/* Runs 1 to `count`, leased by the process. */
static void store_runs(struct process *process, struct job *jobs, int count)
{
    int before = read_locked(process->world, &process->world->ended_count);
    for (int i = 0; i < count; i++)
        submit(process, &jobs[i], JOURNAL_STORE_RUN, i + 1);
    wait_for(process->world, &process->world->ended_count, before + count);
}

static void assert_all(const struct job *jobs, int count, enum journal_result result)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(jobs[i].result, result);
}

static int64_t number_of(struct world *world, const char *sql)
{
    return db_fixture_number(world->fixture->db, sql);
}

static int count_in(struct world *world, const char *state)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct db_statement statement = { .sql = "SELECT COUNT(*) FROM outbox WHERE state = $1",
                                      .parameters = { DB_TEXT(str_from(state)) },
                                      .parameter_count = 1 };
    assert_int_equal(db_query(world->fixture->db, &statement, &rows, NULL), 0);
    return (int)db_rows_int(rows, 0, 0);
}

static int store(struct world *world, struct db_statement statement)
{
    return db_query(world->fixture->db, &statement, NULL, NULL);
}

/* What the router stores: a follow-up of interaction 1, or a state of message 1. */
static void store_follow_up(struct world *world, int64_t id, int64_t owner)
{
    struct outbox_record record =
        outbox_store_fixture_record(world->fixture, OUTBOX_KIND_FOLLOW_UP, 1);
    CLEANUP(buf_free) struct buf sealed = outbox_store_fixture_seal(&content);
    record.id = id;
    assert_int_equal(store(world, outbox_store_post(&record, buf_view(&sealed), owner, id)), 0);
}

static void store_edit(struct world *world, int64_t version, int64_t owner)
{
    struct outbox_record record = outbox_store_fixture_record(world->fixture, OUTBOX_KIND_EDIT, 1);
    CLEANUP(buf_free) struct buf sealed = outbox_store_fixture_seal(&content);
    record.version = version;
    assert_int_equal(store(world, outbox_store_edit(&record, buf_view(&sealed), owner,
                                                    clock_wall_ms(&world->clock))),
                     0);
}

/* --- Entries --- */

static void what_is_submitted_is_written_in_its_order(void **state)
{
    struct world *world = *state;
    struct process process;
    static struct job jobs[100];
    process_start(&process, world, 0);
    for (int i = 0; i < 100; i++)
        submit(&process, &jobs[i], i % 2 ? JOURNAL_DONE : JOURNAL_STORE_RUN, i / 2 + 1);
    wait_for(world, &world->ended_count, 100);
    assert_all(jobs, 100, JOURNAL_WRITTEN);
    assert_int_equal(count_in(world, "done"), 50);
    process_stop(&process);
}

static void while_the_database_is_away_nothing_is_lost_or_reordered(void **state)
{
    struct world *world = *state;
    struct process process;
    static struct job jobs[100];
    process_start(&process, world, 0);
    database.is_away = true;
    for (int i = 0; i < 100; i++)
        submit(&process, &jobs[i], i % 2 ? JOURNAL_DONE : JOURNAL_STORE_RUN, i / 2 + 1);
    linger(world);
    assert_int_equal(read_locked(world, &world->ended_count), 0);
    database.is_away = false;
    wait_for(world, &world->ended_count, 100);
    assert_all(jobs, 100, JOURNAL_WRITTEN);
    for (int i = 0; i < 100; i++)
        assert_int_equal(jobs[i].place, i + 1);
    assert_int_equal(count_in(world, "done"), 50);
    process_stop(&process);
}

static void of_a_batch_only_what_can_never_be_written_is_lost(void **state)
{
    struct world *world = *state;
    struct process process;
    static struct job jobs[20];
    process_start(&process, world, 0);
    database.is_away = true; /* so that they wait together */
    for (int i = 0; i < 20; i++) {
        prepare(&process, &jobs[i], JOURNAL_STORE_RUN, i + 1);
        if (i == 7)
            memcpy(jobs[i].record.request_id, "\xff", 2); /* no text for a database */
        journal_submit(process.journal, &jobs[i].entry);
    }
    database.is_away = false;
    wait_for(world, &world->ended_count, 20);
    for (int i = 0; i < 20; i++)
        assert_int_equal(jobs[i].result, i == 7 ? JOURNAL_LOST : JOURNAL_WRITTEN);
    assert_int_equal(count_in(world, "leased"), 19);
    process_stop(&process);
}

static void what_the_row_does_not_allow_is_refused(void **state)
{
    struct world *world = *state;
    struct process process;
    static struct job stored[3], again, another, late[3];
    static const enum journal_change ends[] = { JOURNAL_DONE, JOURNAL_EXPIRED, JOURNAL_DEAD };
    process_start(&process, world, 0);
    store_runs(&process, stored, 3);
    submit(&process, &again, JOURNAL_STORE_RUN, 1);
    prepare(&process, &another, JOURNAL_STORE_RUN, 1);
    another.record.id = 99;
    journal_submit(process.journal, &another.entry);
    for (int i = 0; i < 3; i++)
        submit(&process, &stored[i], ends[i], i + 1);
    for (int i = 0; i < 3; i++)
        submit(&process, &late[i], JOURNAL_DONE, i + 1);
    wait_for(world, &world->ended_count, 11);
    assert_int_equal(again.result, JOURNAL_WRITTEN);
    assert_int_equal(another.result, JOURNAL_REFUSED);
    assert_all(stored, 3, JOURNAL_WRITTEN);
    assert_all(late, 3, JOURNAL_REFUSED);
    assert_int_equal(count_in(world, "done"), 1);
    assert_int_equal(count_in(world, "expired"), 1);
    assert_int_equal(count_in(world, "dead"), 1);
    process_stop(&process);
}

static void a_post_is_marked_before_and_unmarked(void **state)
{
    struct world *world = *state;
    struct process process;
    static struct job job;
    process_start(&process, world, 0);
    store_runs(&process, &job, 1);
    submit(&process, &job, JOURNAL_STARTED, 1);
    wait_for(world, &world->ended_count, 2);
    assert_int_equal(number_of(world, "SELECT is_started FROM outbox"), 1);
    submit(&process, &job, JOURNAL_NOT_STARTED, 1);
    wait_for(world, &world->ended_count, 3);
    assert_int_equal(number_of(world, "SELECT is_started FROM outbox"), 0);
    process_stop(&process);
}

static void a_load_sees_what_was_submitted_before_it(void **state)
{
    struct world *world = *state;
    struct process process;
    static struct job done, load;
    process_start(&process, world, 0);
    store_follow_up(world, 1, journal_instance_id(process.journal));
    store_follow_up(world, 2, journal_instance_id(process.journal));
    submit(&process, &done, JOURNAL_DONE, 1);
    submit(&process, &load, JOURNAL_LOAD, 1);
    wait_for(world, &world->ended_count, 2);
    assert_int_equal(process.loaded_count, 1);
    assert_int_equal(process.loaded->id, 2);
    assert_true(str_equal(process.loaded->content.token, content.token));
    process_stop(&process);
}

static void an_edit_that_got_newer_meanwhile_is_loaded(void **state)
{
    struct world *world = *state;
    struct process process;
    static struct job load, done, newest;
    process_start(&process, world, 0);
    int64_t me = journal_instance_id(process.journal);
    store_edit(world, 11, me);
    submit(&process, &load, JOURNAL_LOAD, 1);
    wait_for(world, &process.loaded_count, 1);
    store_edit(world, 12, me);
    done = (struct job){ .entry = { .change = JOURNAL_DONE,
                                    .record = process.loaded,
                                    .tries = 1,
                                    .ended = on_ended },
                         .world = world };
    journal_submit(process.journal, &done.entry);
    wait_for(world, &process.loaded_count, 2);
    assert_int_equal(done.result, JOURNAL_REFUSED);
    assert_int_equal(process.loaded->version, 12);
    newest = done;
    newest.entry.record = process.loaded;
    journal_submit(process.journal, &newest.entry);
    wait_for(world, &world->ended_count, 3);
    assert_int_equal(newest.result, JOURNAL_WRITTEN);
    assert_int_equal(process.loaded_count, 2);
    process_stop(&process);
}

struct submitter {
    struct process *process;
    struct job *jobs;
    int first;
};

static void *submit_many(void *argument)
{
    const struct submitter *submitter = argument;
    for (int i = 0; i < JOBS_MAX / THREADS; i++)
        submit(submitter->process, &submitter->jobs[i], JOURNAL_STORE_RUN,
               submitter->first + i + 1);
    return NULL;
}

static void many_threads_submit_at_once(void **state)
{
    struct world *world = *state;
    struct process process;
    static struct job jobs[JOBS_MAX];
    struct submitter submitters[THREADS];
    pthread_t threads[THREADS];
    process_start(&process, world, 0);
    for (int i = 0; i < THREADS; i++) {
        int first = i * JOBS_MAX / THREADS;
        submitters[i] = (struct submitter){ &process, jobs + first, first };
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &submitters[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    wait_for(world, &world->ended_count, JOBS_MAX);
    assert_all(jobs, JOBS_MAX, JOURNAL_WRITTEN);
    for (int i = 1; i < JOBS_MAX; i++)
        if (i % (JOBS_MAX / THREADS) != 0)
            assert_true(jobs[i - 1].place < jobs[i].place);
    assert_int_equal(count_in(world, "leased"), JOBS_MAX);
    assert_true(metrics_read(world->fixture->metrics, METRIC_JOURNAL_BATCHES, 0) < JOBS_MAX);
    process_stop(&process);
    assert_int_equal(count_in(world, "queued"), JOBS_MAX);
}

/* --- Ownership --- */

static void a_stop_hands_back_and_the_next_start_takes_over(void **state)
{
    struct world *world = *state;
    struct process process;
    static struct job jobs[5];
    process_start(&process, world, 0);
    store_runs(&process, jobs, 5);
    process_stop(&process);
    assert_int_equal(count_in(world, "queued"), 5);
    assert_int_equal(number_of(world, "SELECT COUNT(*) FROM instance"), 0);
    process_start(&process, world, ROOM_FOR_MANY);
    wait_for(world, &process.loaded_count, 5);
    assert_int_equal(count_in(world, "leased"), 5);
    process_stop(&process);
}

static void no_more_is_taken_than_there_is_room_for(void **state)
{
    struct world *world = *state;
    struct process process;
    static struct job jobs[5];
    process_start(&process, world, 0);
    store_runs(&process, jobs, 5);
    process_stop(&process);
    process_start(&process, world, 0);
    linger(world);
    assert_int_equal(read_locked(world, &process.loaded_count), 0);
    give_room(&process, 3);
    wait_for(world, &process.loaded_count, 3);
    linger(world);
    assert_int_equal(read_locked(world, &process.loaded_count), 3);
    give_room(&process, ROOM_FOR_MANY);
    wait_for(world, &process.loaded_count, 5);
    process_stop(&process);
}

static void who_alone_can_have_the_database_inherits_at_once(void **state)
{
    struct world *world = *state;
    struct process process;
    const struct outbox_instance crashed = { .id = LEFT_BEHIND, .role = "serve", .host = "" };
    assert_int_equal(store(world, outbox_store_heartbeat(&crashed, INT64_MAX)), 0);
    store_follow_up(world, 1, LEFT_BEHIND);
    process_start(&process, world, ROOM_FOR_MANY);
    wait_for(world, &process.loaded_count, 1);
    assert_int_equal(number_of(world, "SELECT COUNT(*) FROM instance"), 1);
    process_stop(&process);
}

static void what_can_not_be_opened_is_dead(void **state)
{
    struct world *world = *state;
    struct process process;
    static struct job load;
    process_start(&process, world, 0);
    store_follow_up(world, 1, journal_instance_id(process.journal));
    assert_int_equal(db_fixture_run(world->fixture->db, "UPDATE outbox SET content = 'no'"), 0);
    submit(&process, &load, JOURNAL_LOAD, 1);
    wait_for(world, &world->ended_count, 1);
    assert_int_equal(number_of(world, "SELECT COUNT(*) FROM outbox WHERE reason = 'unreadable'"),
                     1);
    assert_int_equal(process.loaded_count, 0);
    process_stop(&process);
}

/* `living` goes on while time passes. */
static void outlive_a_lease(struct world *world, struct process *living)
{
    database.heard = journal_instance_id(living->journal);
    for (int64_t i = 0; i < HEARTBEATS; i++) {
        int before = database.heartbeats;
        world->now_ms += JOURNAL_HEARTBEAT_MS;
        for (int ticks = 0; ticks < TICKS_MAX && database.heartbeats == before; ticks++)
            tick(world);
        assert_true(database.heartbeats > before);
    }
}

static void the_jobs_of_a_silent_process_are_taken_over(void **state)
{
    struct world *world = *state;
    struct process silent, living;
    static struct job stored[3], late[3], taken[3];
    process_start(&silent, world, 0);
    process_start(&living, world, ROOM_FOR_MANY);
    store_runs(&silent, stored, 3);
    linger(world);
    assert_int_equal(read_locked(world, &living.loaded_count), 0);
    database.muted = journal_instance_id(silent.journal);
    outlive_a_lease(world, &living);
    wait_for(world, &silent.lost_count, 1);
    assert_false(journal_has_lease(silent.journal));
    wait_for(world, &living.loaded_count, 3);
    for (int i = 0; i < 3; i++)
        submit(&silent, &late[i], JOURNAL_DONE, i + 1);
    wait_for(world, &world->ended_count, 6);
    assert_all(late, 3, JOURNAL_REFUSED);
    database.muted = 0;
    for (int i = 0; i < 3; i++)
        submit(&living, &taken[i], JOURNAL_DONE, i + 1);
    wait_for(world, &world->ended_count, 9);
    assert_all(taken, 3, JOURNAL_WRITTEN);
    assert_int_equal(count_in(world, "done"), 3);
    assert_int_equal(living.lost_count, 0);
    process_stop(&silent);
    process_stop(&living);
}

/* More than a batch waits when the lease comes back. */
static void after_a_lost_lease_what_is_still_held_is_loaded(void **state)
{
    struct world *world = *state;
    struct process process;
    static struct job stored[100], done[98];
    process_start(&process, world, ROOM_FOR_MANY);
    store_runs(&process, stored, 100);
    database.is_away = true;
    for (int i = 0; i < 98; i++)
        submit(&process, &done[i], JOURNAL_DONE, i + 1);
    world->now_ms += A_LONG_TIME;
    wait_for(world, &process.lost_count, 1);
    database.is_away = false;
    wait_for(world, &world->ended_count, 198);
    assert_all(done, 98, JOURNAL_WRITTEN);
    wait_for(world, &process.loaded_count, 2);
    linger(world);
    assert_true(journal_has_lease(process.journal));
    assert_int_equal(process.loaded_count, 2);
    assert_int_equal(process.lost_count, 1);
    assert_int_equal(count_in(world, "done"), 98);
    assert_int_equal(count_in(world, "leased"), 2);
    process_stop(&process);
}

/* Though much is due. */
static void without_a_lease_the_journal_sleeps(void **state)
{
    struct world *world = *state;
    struct process process;
    static struct job job;
    process_start(&process, world, 0);
    store_runs(&process, &job, 1);
    submit(&process, &job, JOURNAL_RELEASE, 1);
    wait_for(world, &world->ended_count, 2);
    database.is_away = true;
    world->now_ms += 2 * SWEEP_DUE_MS;
    wait_for(world, &process.lost_count, 1);
    int before = world->looks;
    linger(world);
    assert_true(world->looks - before < LOOKS_MAX);
    database.is_away = false;
    process_stop(&process);
}

static void a_stop_without_a_database_loses_aloud(void **state)
{
    struct world *world = *state;
    struct process process;
    static struct job jobs[40];
    process_start(&process, world, 0);
    database.is_away = true;
    for (int i = 0; i < 40; i++)
        submit(&process, &jobs[i], JOURNAL_STORE_RUN, i + 1);
    journal_free(process.journal, 0);
    assert_int_equal(world->ended_count, 40);
    assert_all(jobs, 40, JOURNAL_LOST);
}

/* --- Duties --- */

static void wait_until_number_is(struct world *world, const char *sql, int64_t wanted)
{
    for (int i = 0; i < TICKS_MAX && number_of(world, sql) != wanted; i++)
        tick(world);
    assert_int_equal(number_of(world, sql), wanted);
}

static void one_process_of_all_sweeps(void **state)
{
    struct world *world = *state;
    struct process processes[2];
    static struct job jobs[2];
    for (int i = 0; i < 2; i++)
        process_start_steady(&processes[i], world, 0);
    world->now_ms += SWEEP_DUE_MS;
    wait_until_number_is(world, "SELECT MAX(number) FROM duty WHERE name = 'sweep'", 1);
    world->now_ms += SWEEP_DUE_MS;
    linger(world);
    assert_int_equal(number_of(world, "SELECT number FROM duty"), 1);
    int64_t holder = number_of(world, "SELECT instance_id FROM duty");
    int first = journal_instance_id(processes[0].journal) == holder ? 0 : 1;
    assert_true(journal_instance_id(processes[first].journal) == holder);
    store_runs(&processes[first], jobs, 2);
    process_stop(&processes[first]);
    world->now_ms += 20 * MS_PER_MINUTE; /* the jobs' tokens are over */
    wait_until_number_is(world, "SELECT number FROM duty", 2);
    wait_until_number_is(world, "SELECT COUNT(*) FROM outbox WHERE state = 'expired'", 2);
    assert_true(number_of(world, "SELECT instance_id FROM duty") ==
                journal_instance_id(processes[1 - first].journal));
    process_stop(&processes[1 - first]);
}

/* --- Calls from process to process --- */

static void wait_until_hearing(struct world *world, int listeners)
{
    for (int i = 0;
         i < TICKS_MAX && metrics_read(world->fixture->metrics, METRIC_DB_HEARING, 0) < listeners;
         i++)
        tick(world);
    assert_int_equal(metrics_read(world->fixture->metrics, METRIC_DB_HEARING, 0), listeners);
}

static void start_two(struct world *world, struct process *giver, struct process *taker)
{
    process_start_lazy(giver, world, 0);
    process_start_lazy(taker, world, ROOM_FOR_MANY);
    wait_until_hearing(world, 2);
}

static void release_all(struct process *process, struct job *jobs, int count)
{
    struct world *world = process->world;
    int before = read_locked(world, &world->ended_count);
    for (int i = 0; i < count; i++)
        submit(process, &jobs[i], JOURNAL_RELEASE, i + 1);
    wait_for(world, &world->ended_count, before + count);
    assert_all(jobs, count, JOURNAL_WRITTEN);
}

static void what_is_handed_back_others_take_without_looking_for_it(void **state)
{
    struct world *world = *state;
    struct process giver, taker;
    static struct job jobs[40]; /* more than a batch */
    if (!test_engine_is_postgres())
        skip();
    start_two(world, &giver, &taker);
    store_runs(&giver, jobs, 40);
    release_all(&giver, jobs, 40);
    wait_for(world, &taker.loaded_count, 40);
    assert_int_equal(metrics_read(world->fixture->metrics, METRIC_OUTBOX_CLAIMED, 0), 40);
    process_stop(&giver);
    process_stop(&taker);
}

static void what_a_leaving_process_held_is_taken_at_once(void **state)
{
    struct world *world = *state;
    struct process giver, taker;
    static struct job jobs[3];
    if (!test_engine_is_postgres())
        skip();
    start_two(world, &giver, &taker);
    store_runs(&giver, jobs, 3);
    process_stop(&giver);
    wait_for(world, &taker.loaded_count, 3);
    process_stop(&taker);
}

static void what_an_operator_queues_again_is_taken_at_once(void **state)
{
    struct world *world = *state;
    struct process giver, taker;
    static struct job job;
    if (!test_engine_is_postgres())
        skip();
    start_two(world, &giver, &taker);
    store_runs(&giver, &job, 1);
    submit(&giver, &job, JOURNAL_DEAD, 1);
    wait_for(world, &world->ended_count, 2);
    assert_int_equal(outbox_admin_retry(world->fixture->db, 1, clock_wall_ms(&world->clock), NULL),
                     0);
    wait_for(world, &taker.loaded_count, 1);
    process_stop(&giver);
    process_stop(&taker);
}

/* What the process was called for so far, it has looked for: nobody calls meanwhile, so the first
 * round takes in the last call, and later ones outlast every pause. */
static void settle(struct process *process)
{
    struct world *world = process->world;
    static struct job load;
    for (int round = 0; round < 4; round++) {
        int before = read_locked(world, &world->ended_count);
        linger(world);
        submit(process, &load, JOURNAL_LOAD, LEFT_BEHIND);
        wait_for(world, &world->ended_count, before + 1);
        linger(world);
    }
}

static void hear_oneself(struct process *process)
{
    struct world *world = process->world;
    struct db_statement call;
    assert_true(
        outbox_store_call(world->fixture->db, journal_instance_id(process->journal), &call));
    assert_int_equal(store(world, call), 0);
    for (int i = 0; i < TICKS_MAX && metrics_read(world->fixture->metrics, METRIC_DB_HEARD, 0) == 0;
         i++)
        tick(world);
    assert_int_equal(metrics_read(world->fixture->metrics, METRIC_DB_HEARD, 0), 1);
}

static void a_process_does_not_take_at_once_what_it_hands_back(void **state)
{
    struct world *world = *state;
    struct process process;
    static struct job job;
    if (!test_engine_is_postgres())
        skip();
    process_start_lazy(&process, world, ROOM_FOR_MANY);
    wait_until_hearing(world, 1);
    hear_oneself(&process);
    settle(&process);
    store_runs(&process, &job, 1);
    release_all(&process, &job, 1);
    settle(&process);
    assert_int_equal(read_locked(world, &process.loaded_count), 0);
    process_stop(&process);
}

/* The call comes while nobody hears, or after; either way nobody looks before it hears again. */
static void who_was_deaf_for_a_while_looks_when_it_hears_again(void **state)
{
    struct world *world = *state;
    struct process giver, taker;
    static struct job jobs[3];
    if (!test_engine_is_postgres())
        skip();
    start_two(world, &giver, &taker);
    store_runs(&giver, jobs, 3);
    assert_true(number_of(world, "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity "
                                 "WHERE query LIKE 'LISTEN%'") >= 2);
    release_all(&giver, jobs, 3);
    wait_for(world, &taker.loaded_count, 3);
    process_stop(&giver);
    process_stop(&taker);
}

/* No heartbeat counts for it. */
static void who_can_hear_nobody_looks_at_each_poll(void **state)
{
    struct world *world = *state;
    struct process process;
    if (test_engine_is_postgres())
        skip();
    process_start_steady(&process, world, ROOM_FOR_MANY);
    for (int job = 1; job <= 3; job++) {
        linger(world);
        store_follow_up(world, job, LEFT_BEHIND);
        wait_for(world, &process.loaded_count, job);
        assert_int_equal(db_fixture_run(world->fixture->db, "DELETE FROM outbox"), 0);
    }
    process_stop(&process);
}

/* --- */

static int setup_world(void **state, bool is_exclusive)
{
    struct world *world = calloc(1, sizeof(*world));
    if (!world || outbox_store_fixture_setup((void **)&world->fixture) != 0)
        return -1;
    pthread_mutex_init(&world->lock, NULL);
    world->clock = (struct clock){ wall_ms, monotonic_us };
    world->begun_ms = clock_wall_ms(&world->fixture->clock.clock);
    wrap_engine(world->fixture->db, is_exclusive);
    *state = world;
    return 0;
}

static int setup(void **state)
{
    return setup_world(state, true);
}

/* As with a database server: the process is one of several. */
static int setup_shared(void **state)
{
    return setup_world(state, false);
}

static int teardown(void **state)
{
    struct world *world = *state;
    database.is_away = false;
    pthread_mutex_destroy(&world->lock);
    void *fixture = world->fixture;
    free(world);
    return db_fixture_teardown(&fixture);
}

int main(void)
{
#define ALONE(test)  cmocka_unit_test_setup_teardown(test, setup, teardown)
#define SHARED(test) cmocka_unit_test_setup_teardown(test, setup_shared, teardown)
    const struct CMUnitTest tests[] = {
        ALONE(what_is_submitted_is_written_in_its_order),
        ALONE(while_the_database_is_away_nothing_is_lost_or_reordered),
        ALONE(of_a_batch_only_what_can_never_be_written_is_lost),
        ALONE(what_the_row_does_not_allow_is_refused),
        ALONE(a_post_is_marked_before_and_unmarked),
        ALONE(a_load_sees_what_was_submitted_before_it),
        ALONE(an_edit_that_got_newer_meanwhile_is_loaded),
        ALONE(many_threads_submit_at_once),
        ALONE(a_stop_hands_back_and_the_next_start_takes_over),
        ALONE(no_more_is_taken_than_there_is_room_for),
        ALONE(who_alone_can_have_the_database_inherits_at_once),
        ALONE(what_can_not_be_opened_is_dead),
        SHARED(the_jobs_of_a_silent_process_are_taken_over),
        ALONE(after_a_lost_lease_what_is_still_held_is_loaded),
        ALONE(without_a_lease_the_journal_sleeps),
        ALONE(a_stop_without_a_database_loses_aloud),
        SHARED(one_process_of_all_sweeps),
        SHARED(what_is_handed_back_others_take_without_looking_for_it),
        SHARED(what_a_leaving_process_held_is_taken_at_once),
        SHARED(what_an_operator_queues_again_is_taken_at_once),
        SHARED(a_process_does_not_take_at_once_what_it_hands_back),
        SHARED(who_was_deaf_for_a_while_looks_when_it_hears_again),
        SHARED(who_can_hear_nobody_looks_at_each_poll),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
