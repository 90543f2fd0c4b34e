/* Group commit. Callers put batches, which live on their stacks, into a queue and sleep. The
 * thread takes what waits, runs it in one transaction, commits with one fsync and wakes the
 * callers; while it waits for the disk the next group gathers.
 *
 *     BEGIN IMMEDIATE
 *       SAVEPOINT  batch 1  RELEASE
 *       SAVEPOINT  batch 2  ROLLBACK TO, RELEASE      <- a failed batch goes alone
 *       SAVEPOINT  batch 3  RELEASE
 *     COMMIT                                          <- only now anybody hears of success
 *
 * What no savepoint survives (disk full, I/O error, a deferred constraint that fails at COMMIT)
 * undoes the group; then each batch runs again in a transaction of its own and gets its own
 * verdict.
 *
 * Checkpoints are made by this thread only, after callers were woken: SQLite before 3.51.3 may
 * lose a commit when two connections write and checkpoint at once (the WAL-reset bug).
 *
 * Threads: sqlite_writer_run from any; the queue belongs to the lock's holder, a batch to its
 * caller until it is in the queue and again after `done`, everything else to the thread. */
#include "db/sqlite_writer.h"

#include "core/thread.h"
#include "db/rows.h"
#include "db/sqlite_statement.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

/* A longer group makes its first caller wait; the fsync is well shared by then. */
#define GROUP_MAX             64
/* Pages in the WAL: SQLite's own default, done as soon as nobody waits; and the most we let it
 * grow while they do (16 MiB of 4 KiB pages). */
#define CHECKPOINT_PAGES      1000
#define CHECKPOINT_LATE_PAGES 4000
/* After so long without work the WAL is brought in and cut to nothing. */
#define IDLE_SECONDS          5
#define THREAD_STACK_BYTES    ((size_t)512 * 1024)

struct batch {
    const struct sqlite_work *work;
    struct batch *next;
    struct err *err;
    int result;
    sem_t done;
};

struct sqlite_writer {
    struct sqlite_writer_settings settings;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the queue */
    pthread_cond_t has_work;
    struct batch *first, *last;
    int waiting;
    bool is_stopping;

    struct sqlite_connection connection;
    int wal_pages;              /* after the latest commit or checkpoint */
    int next_checkpoint;        /* pages at which to try the next one */
    bool has_lost_a_group;      /* perhaps for want of space, which a checkpoint may give back */
    bool is_checkpoint_failing; /* the log has it */
};

/* SQLite tells after each commit how long the WAL has become. */
static int note_wal_pages(void *context, sqlite3 *handle, const char *name, int pages)
{
    (void)handle;
    (void)name;
    struct sqlite_writer *writer = context;
    if (pages < writer->wal_pages) /* all was in the file: it began anew */
        writer->next_checkpoint = CHECKPOINT_PAGES;
    writer->wal_pages = pages;
    return SQLITE_OK;
}

static void *write_groups(void *argument);

static int start_thread(struct sqlite_writer *writer, struct err *err)
{
    int status =
        thread_start(&writer->thread, THREAD_JOINED, THREAD_STACK_BYTES, write_groups, writer);
    if (status != 0)
        return err_set_errno(err, ERR_IO, status, "starting the database writer");
    return 0;
}

static void free_writer(struct sqlite_writer *writer)
{
    sqlite_connection_close(&writer->connection);
    pthread_mutex_destroy(&writer->lock);
    pthread_cond_destroy(&writer->has_work);
    free(writer);
}

int sqlite_writer_start(struct sqlite_writer **out, const struct sqlite_writer_settings *settings,
                        struct err *err)
{
    struct sqlite_writer *writer = calloc(1, sizeof(*writer));
    if (!writer)
        return err_set(err, ERR_MEMORY, "the database writer");
    writer->settings = *settings;
    writer->wal_pages = 1; /* unknown: a killed process may have left some */
    writer->next_checkpoint = CHECKPOINT_PAGES;
    pthread_mutex_init(&writer->lock, NULL);
    thread_cond_init(&writer->has_work);
    int result =
        sqlite_connection_open(&writer->connection, settings->path, SQLITE_ROLE_WRITER, err);
    if (result == 0) {
        /* Replaces SQLite's own hook, which checkpoints within COMMIT. */
        sqlite3_wal_hook(writer->connection.handle, note_wal_pages, writer);
        result = start_thread(writer, err);
    }
    if (result != 0) {
        free_writer(writer);
        return result;
    }
    *out = writer;
    return 0;
}

static int enqueue(struct sqlite_writer *writer, struct batch *batch, struct err *err)
{
    int result = 0;
    pthread_mutex_lock(&writer->lock);
    if (writer->is_stopping)
        result = err_set(err, ERR_STOPPED, "the database is closing");
    else if (writer->waiting >= writer->settings.queue_max)
        result =
            err_set(err, ERR_BUSY, "%d batches wait for the database already", writer->waiting);
    else {
        if (writer->last)
            writer->last->next = batch;
        else
            writer->first = batch;
        writer->last = batch;
        writer->waiting++;
        pthread_cond_signal(&writer->has_work);
    }
    pthread_mutex_unlock(&writer->lock);
    return result;
}

int sqlite_writer_run(struct sqlite_writer *writer, const struct sqlite_work *work, struct err *err)
{
    struct batch batch = { .work = work, .err = err };
    sem_init(&batch.done, 0, 0);
    int result = enqueue(writer, &batch, err);
    if (result == 0) {
        while (sem_wait(&batch.done) != 0)
            continue; /* a signal came */
        result = batch.result;
    }
    sem_destroy(&batch.done);
    return result;
}

/* With the lock held and a queue that is not empty: up to GROUP_MAX batches; a migration comes
 * alone. */
static int take_group(struct sqlite_writer *writer, struct batch *group[GROUP_MAX])
{
    int count = 0;
    while (writer->first && count < GROUP_MAX) {
        if (writer->first->work->script && count > 0)
            break;
        struct batch *batch = writer->first;
        writer->first = batch->next;
        group[count++] = batch;
        if (batch->work->script)
            break;
    }
    if (!writer->first)
        writer->last = NULL;
    writer->waiting -= count;
    return count;
}

static int control(struct sqlite_writer *writer, enum sqlite_control what, struct err *err)
{
    return sqlite_connection_control(&writer->connection, what, err);
}

static int run_work(struct sqlite_writer *writer, const struct batch *batch)
{
    const struct sqlite_work *work = batch->work;
    struct err *err = batch->err;
    int result = work->script ? sqlite_script_run(&writer->connection, work->script, err) : 0;
    for (int i = 0; i < work->count && result == 0; i++)
        result = sqlite_statement_run(&writer->connection, &work->statements[i], i,
                                      work->results ? &work->results[i] : NULL, err);
    if (result != 0)
        rows_free_all(work->results, work->count);
    return result;
}

static int commit(struct sqlite_writer *writer, int batches, struct err *err)
{
    const struct sqlite_writer_settings *settings = &writer->settings;
    int64_t begin_us = clock_monotonic_us(settings->clock);
    int result = control(writer, SQLITE_CONTROL_COMMIT, err);
    if (result != 0)
        return result;
    metrics_observe_us(settings->metrics, METRIC_DB_COMMIT,
                       clock_monotonic_us(settings->clock) - begin_us);
    metrics_add(settings->metrics, METRIC_DB_COMMITS, 1);
    metrics_add(settings->metrics, METRIC_DB_BATCHES, batches);
    return 0;
}

/* SQLite may have rolled back by itself. A ROLLBACK that fails leaves a transaction in which BEGIN
 * fails: nothing is reported as done by mistake. */
static void roll_back(struct sqlite_writer *writer)
{
    struct err unread;
    if (sqlite_connection_is_in_transaction(&writer->connection))
        (void)control(writer, SQLITE_CONTROL_ROLLBACK, &unread);
}

/* One batch in a transaction of its own. */
static void run_alone(struct sqlite_writer *writer, struct batch *batch)
{
    batch->result = control(writer, SQLITE_CONTROL_BEGIN, batch->err);
    if (batch->result != 0) {
        roll_back(writer);
        return;
    }
    batch->result = run_work(writer, batch);
    if (batch->result == 0)
        batch->result = commit(writer, 1, batch->err);
    if (batch->result == 0)
        return;
    roll_back(writer);
    rows_free_all(batch->work->results, batch->work->count);
    writer->has_lost_a_group |= batch->result == ERR_UNAVAILABLE;
}

/* Whether the rest of the group can go on after this failure. SQLite advises to roll back after
 * errors of these kinds even if it has not done so. */
static bool has_lost_transaction(struct sqlite_writer *writer, int result)
{
    return result == ERR_UNAVAILABLE || result == ERR_MEMORY || result == ERR_BUSY ||
           !sqlite_connection_is_in_transaction(&writer->connection);
}

/* A statement that breaks a constraint undoes itself, and only itself. */
static bool undoes_itself(const struct sqlite_work *work)
{
    return !work->script && work->count == 1 && work->statements[0].expect == DB_ANY_ROWS;
}

/* False when the whole transaction is lost, or may hold a part of what failed. */
static bool run_without_savepoint(struct sqlite_writer *writer, struct batch *batch)
{
    batch->result = run_work(writer, batch);
    if (batch->result != 0 && batch->result != ERR_DUPLICATE && batch->result != ERR_CHECK)
        return false;
    return sqlite_connection_is_in_transaction(&writer->connection);
}

/* False when the whole transaction is lost. */
static bool run_in_savepoint(struct sqlite_writer *writer, struct batch *batch)
{
    struct err unread;
    if (control(writer, SQLITE_CONTROL_SAVE, &unread) != 0)
        return false;
    batch->result = run_work(writer, batch);
    if (batch->result != 0) {
        if (has_lost_transaction(writer, batch->result))
            return false;
        if (control(writer, SQLITE_CONTROL_ROLLBACK_TO_SAVE, &unread) != 0)
            return false;
    }
    return control(writer, SQLITE_CONTROL_RELEASE, &unread) == 0;
}

/* False when the group is undone and no verdict is known. */
static bool run_together(struct sqlite_writer *writer, struct batch *group[], int count)
{
    struct err unread;
    if (control(writer, SQLITE_CONTROL_BEGIN, &unread) != 0)
        return false;
    int succeeded = 0;
    for (int i = 0; i < count; i++) {
        if (undoes_itself(group[i]->work) ? !run_without_savepoint(writer, group[i])
                                          : !run_in_savepoint(writer, group[i]))
            return false;
        succeeded += group[i]->result == 0;
    }
    if (succeeded == 0) {
        roll_back(writer);
        return true;
    }
    return commit(writer, succeeded, &unread) == 0;
}

static void run_group(struct sqlite_writer *writer, struct batch *group[], int count)
{
    if (count > 1) {
        if (run_together(writer, group, count))
            return;
        roll_back(writer);
        for (int i = 0; i < count; i++)
            rows_free_all(group[i]->work->results, group[i]->work->count);
    }
    for (int i = 0; i < count; i++)
        run_alone(writer, group[i]);
}

static void wake_group(struct batch *group[], int count)
{
    for (int i = 0; i < count; i++)
        sem_post(&group[i]->done); /* the batch is its caller's from here on */
}

static void checkpoint(struct sqlite_writer *writer, int mode)
{
    sqlite3 *handle = writer->connection.handle;
    /* Never let readers that are slow hold up the next group. */
    sqlite3_busy_timeout(handle, 0);
    int status = sqlite3_wal_checkpoint_v2(handle, NULL, mode, NULL, NULL);
    sqlite3_busy_timeout(handle, SQLITE_BUSY_MS);
    if (status == SQLITE_OK && mode == SQLITE_CHECKPOINT_TRUNCATE)
        writer->wal_pages = 0;
    /* While a reader keeps the WAL from beginning anew, ask again only for more of it. */
    writer->next_checkpoint = writer->wal_pages + CHECKPOINT_PAGES;
    if ((status & 0xff) == SQLITE_BUSY)
        return;
    bool is_news = status != SQLITE_OK && !writer->is_checkpoint_failing;
    writer->is_checkpoint_failing = status != SQLITE_OK;
    struct log log = log_of(writer->settings.log);
    if (is_news)
        log_warning(&log, "checkpoint failed", LOG_TEXT("why", str_from(sqlite3_errmsg(handle))));
}

static void checkpoint_if_due(struct sqlite_writer *writer, bool has_more_work)
{
    int due = writer->next_checkpoint;
    if (has_more_work)
        due += CHECKPOINT_LATE_PAGES - CHECKPOINT_PAGES;
    if (writer->wal_pages >= due || writer->has_lost_a_group)
        checkpoint(writer, SQLITE_CHECKPOINT_PASSIVE);
    writer->has_lost_a_group = false;
}

/* With the lock held: waits for work or the end. */
static void wait_for_work(struct sqlite_writer *writer)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SECONDS;
    bool is_cut = writer->wal_pages == 0;
    while (!writer->first && !writer->is_stopping) {
        if (is_cut) {
            pthread_cond_wait(&writer->has_work, &writer->lock);
        } else if (pthread_cond_timedwait(&writer->has_work, &writer->lock, &until) == ETIMEDOUT) {
            pthread_mutex_unlock(&writer->lock);
            checkpoint(writer, SQLITE_CHECKPOINT_TRUNCATE);
            pthread_mutex_lock(&writer->lock);
            is_cut = true; /* tried once: the next work comes before the next try */
        }
    }
}

static void *write_groups(void *argument)
{
    struct sqlite_writer *writer = argument;
    struct batch *group[GROUP_MAX];
    pthread_mutex_lock(&writer->lock);
    for (;;) {
        wait_for_work(writer);
        if (!writer->first)
            break;
        int count = take_group(writer, group);
        pthread_mutex_unlock(&writer->lock);
        run_group(writer, group, count);
        wake_group(group, count);
        pthread_mutex_lock(&writer->lock);
        bool has_more_work = writer->first != NULL;
        pthread_mutex_unlock(&writer->lock);
        checkpoint_if_due(writer, has_more_work);
        pthread_mutex_lock(&writer->lock);
    }
    pthread_mutex_unlock(&writer->lock);
    checkpoint(writer, SQLITE_CHECKPOINT_TRUNCATE);
    return NULL;
}

void sqlite_writer_stop(struct sqlite_writer *writer)
{
    if (!writer)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->is_stopping = true;
    pthread_cond_signal(&writer->has_work);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    free_writer(writer);
}
