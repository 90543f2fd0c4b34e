/* SQLite's own file system with a few of its functions replaced. The methods of a file are a table
 * it points at: each such table gets a copy that knows the original. Tables are made while the
 * first database is opened, by one thread. */
#include "faults.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define TABLES_MAX 8

static struct table {
    sqlite3_io_methods upper;
    const sqlite3_io_methods *lower;
} tables[TABLES_MAX];

static sqlite3_vfs *lower_files;
static sqlite3_vfs upper_files;

static const sqlite3_io_methods *lower_of(const sqlite3_file *file)
{
    return CONTAINER_OF(file->pMethods, const struct table, upper)->lower;
}

static int read_file(sqlite3_file *file, void *bytes, int count, sqlite3_int64 at)
{
    return faults_strike(FAULT_DISK) ? SQLITE_IOERR_READ
                                     : lower_of(file)->xRead(file, bytes, count, at);
}

static int write_file(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 at)
{
    return faults_strike(FAULT_DISK) ? SQLITE_FULL : lower_of(file)->xWrite(file, bytes, count, at);
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size)
{
    return faults_strike(FAULT_DISK) ? SQLITE_IOERR_TRUNCATE
                                     : lower_of(file)->xTruncate(file, size);
}

static int sync_file(sqlite3_file *file, int flags)
{
    return faults_strike(FAULT_DISK) ? SQLITE_IOERR_FSYNC : lower_of(file)->xSync(file, flags);
}

static int map_shared(sqlite3_file *file, int page, int size, int extend, void volatile **memory)
{
    return faults_strike(FAULT_DISK) ? SQLITE_IOERR_SHMMAP
                                     : lower_of(file)->xShmMap(file, page, size, extend, memory);
}

static const sqlite3_io_methods *upper_of(const sqlite3_io_methods *lower)
{
    for (size_t i = 0; i < TABLES_MAX; i++) {
        struct table *table = &tables[i];
        if (!table->lower) {
            table->upper = *lower;
            table->upper.xRead = read_file;
            table->upper.xWrite = write_file;
            table->upper.xTruncate = truncate_file;
            table->upper.xSync = sync_file;
            if (lower->iVersion >= 2 && lower->xShmMap)
                table->upper.xShmMap = map_shared;
            table->lower = lower;
        }
        if (table->lower == lower)
            return &table->upper;
    }
    abort();
}

static int open_file(sqlite3_vfs *files, const char *name, sqlite3_file *file, int flags,
                     int *flags_used)
{
    int status = lower_files->xOpen(files, name, file, flags, flags_used);
    if (status == SQLITE_OK && file->pMethods)
        file->pMethods = upper_of(file->pMethods);
    return status;
}

void faults_wrap_files(void)
{
    lower_files = sqlite3_vfs_find(NULL);
    if (!lower_files)
        abort();
    upper_files = *lower_files;
    upper_files.zName = "faults";
    upper_files.xOpen = open_file;
    if (sqlite3_vfs_register(&upper_files, 1) != SQLITE_OK)
        abort();
}
