/* Connections are given out last in, first out: the one used most recently has the warmest cache,
 * and those at the bottom show by their age that they aren't needed. Any thread enters; the lock is
 * held for a few instructions only, connections are opened and closed outside of it. */
#include "db/sqlite_reader.h"

#include "core/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define IDLE_SECONDS 60

struct idle_reader {
    struct sqlite_connection *connection;
    time_t since; /* monotonic seconds */
};

struct sqlite_readers {
    const char *path;
    int pool_min, pool_max;
    pthread_mutex_t lock;
    pthread_cond_t has_idle;
    int open;                  /* idle, taken, or being opened */
    int idle_count;            /* of `idle`, the longest unused one first */
    struct idle_reader idle[]; /* pool_max places */
};

static void free_reader(struct sqlite_connection *connection)
{
    if (connection)
        sqlite_connection_close(connection);
    free(connection);
}

static int open_reader(const char *path, struct sqlite_connection **out, struct err *err)
{
    struct sqlite_connection *connection = calloc(1, sizeof(*connection));
    if (!connection)
        return err_set(err, ERR_MEMORY, "a database connection");
    int result = sqlite_connection_open(connection, path, SQLITE_ROLE_READER, err);
    if (result == 0)
        *out = connection;
    else
        free(connection);
    return result;
}

int sqlite_readers_new(struct sqlite_readers **out, const char *path, int pool_min, int pool_max,
                       struct err *err)
{
    size_t places = (size_t)pool_max * sizeof(struct idle_reader);
    struct sqlite_readers *readers = calloc(1, sizeof(*readers) + places);
    if (!readers)
        return err_set(err, ERR_MEMORY, "a pool of %d readers", pool_max);
    readers->path = path;
    readers->pool_min = pool_min;
    readers->pool_max = pool_max;
    pthread_mutex_init(&readers->lock, NULL);
    thread_cond_init(&readers->has_idle);
    struct sqlite_connection *first;
    int result = sqlite_readers_take(readers, &first, err);
    if (result == 0) {
        sqlite_readers_return(readers, first, 0);
        *out = readers;
        return 0;
    }
    sqlite_readers_free(readers);
    return result;
}

void sqlite_readers_free(struct sqlite_readers *readers)
{
    if (!readers)
        return;
    for (int i = 0; i < readers->idle_count; i++)
        free_reader(readers->idle[i].connection);
    pthread_mutex_destroy(&readers->lock);
    pthread_cond_destroy(&readers->has_idle);
    free(readers);
}

static struct timespec now_monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now;
}

/* With the lock held: waits for an idle connection or the right to open one. */
static int wait_for_place(struct sqlite_readers *readers, struct err *err)
{
    struct timespec until = now_monotonic();
    until.tv_sec += SQLITE_READER_WAIT_SECONDS;
    int status = 0;
    while (readers->idle_count == 0 && readers->open >= readers->pool_max && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&readers->has_idle, &readers->lock, &until);
    if (readers->idle_count > 0 || readers->open < readers->pool_max)
        return 0;
    return err_set(err, ERR_BUSY, "all %d database readers are taken", readers->pool_max);
}

static void give_up_place(struct sqlite_readers *readers)
{
    pthread_mutex_lock(&readers->lock);
    readers->open--;
    pthread_cond_signal(&readers->has_idle);
    pthread_mutex_unlock(&readers->lock);
}

int sqlite_readers_take(struct sqlite_readers *readers, struct sqlite_connection **connection,
                        struct err *err)
{
    *connection = NULL;
    pthread_mutex_lock(&readers->lock);
    int result = 0;
    if (readers->idle_count == 0 && readers->open >= readers->pool_max)
        result = wait_for_place(readers, err);
    if (result == 0 && readers->idle_count > 0)
        *connection = readers->idle[--readers->idle_count].connection;
    else if (result == 0)
        readers->open++;
    pthread_mutex_unlock(&readers->lock);
    if (result != 0 || *connection)
        return result;
    result = open_reader(readers->path, connection, err);
    if (result != 0)
        give_up_place(readers);
    return result;
}

/* With the lock held: the bottom connection if nobody has needed it for long. */
static struct sqlite_connection *remove_unneeded(struct sqlite_readers *readers, time_t now)
{
    if (readers->open <= readers->pool_min || readers->idle_count < 2 ||
        now - readers->idle[0].since < IDLE_SECONDS)
        return NULL;
    struct sqlite_connection *connection = readers->idle[0].connection;
    readers->idle_count--;
    memmove(&readers->idle[0], &readers->idle[1],
            (size_t)readers->idle_count * sizeof(readers->idle[0]));
    readers->open--;
    return connection;
}

void sqlite_readers_return(struct sqlite_readers *readers, struct sqlite_connection *connection,
                           int result)
{
    if (result == ERR_UNAVAILABLE) {
        free_reader(connection);
        give_up_place(readers);
        return;
    }
    time_t now = now_monotonic().tv_sec;
    pthread_mutex_lock(&readers->lock);
    readers->idle[readers->idle_count++] = (struct idle_reader){ connection, now };
    struct sqlite_connection *unneeded = remove_unneeded(readers, now);
    pthread_cond_signal(&readers->has_idle);
    pthread_mutex_unlock(&readers->lock);
    free_reader(unneeded);
}
