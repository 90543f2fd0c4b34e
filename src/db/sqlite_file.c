/* The lock is a flock on a file of its own. It must not be taken on the database file: closing any
 * descriptor of that file drops the POSIX locks by which SQLite protects it, so that file is opened
 * by SQLite alone, save for the moment it is created. */
#include "db/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_SUFFIX  ".lock"
/* MAX_PATHNAME of SQLite's os_unix.c is 512, "-journal" and the zero byte included. */
#define PATH_LONGEST 500
#define SECRET_MODE  0600

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The folder of a file that does not exist yet, resolved, with the file's name behind it. */
static int resolve_new(struct sqlite_file *file, const char *path, struct err *err)
{
    char folder[PATH_LONGEST + 1];
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    if (name[0] == '\0')
        return err_set(err, ERR_CONFIG, "%s is a folder; accepted is sqlite:PATH", path);
    if (!realpath(folder, file->path))
        return err_set_errno(err, ERR_UNAVAILABLE, errno, "folder of database %s", path);
    size_t length = strlen(file->path);
    const char *separator = length > 1 ? "/" : "";
    snprintf(file->path + length, sizeof(file->path) - length, "%s%s", separator, name);
    return 0;
}

static int resolve(struct sqlite_file *file, struct str_view path, struct err *err)
{
    char text[PATH_LONGEST + 1];
    if (path.length == 0 || path.length > PATH_LONGEST || path.data[0] == ':')
        return err_set(err, ERR_CONFIG,
                       "accepted is sqlite:PATH with the path of a file of 1 to %d bytes",
                       PATH_LONGEST);
    memcpy(text, path.data, path.length);
    text[path.length] = '\0';
    struct stat status;
    int result = 0;
    if (!realpath(text, file->path))
        result = errno == ENOENT ? resolve_new(file, text, err)
                                 : err_set_errno(err, ERR_UNAVAILABLE, errno, "database %s", text);
    else if (stat(file->path, &status) != 0 || !S_ISREG(status.st_mode))
        result = err_set(err, ERR_CONFIG, "%s is not a file", text);
    if (result == 0 && strlen(file->path) > PATH_LONGEST)
        result = err_set(err, ERR_CONFIG, "the whole path is longer than %d bytes", PATH_LONGEST);
    return result;
}

static int lock(struct sqlite_file *file, struct err *err)
{
    char name[PATH_MAX + sizeof(LOCK_SUFFIX)];
    snprintf(name, sizeof(name), "%s" LOCK_SUFFIX, file->path);
    file->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, SECRET_MODE);
    if (file->lock_fd < 0)
        return err_set_errno(err, ERR_UNAVAILABLE, errno, "lock file %s", name);
    if (flock(file->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    int number = errno;
    close_fd(&file->lock_fd);
    if (number == EWOULDBLOCK)
        return err_set(err, ERR_UNAVAILABLE, "database %s is in use by another process",
                       file->path);
    return err_set_errno(err, ERR_UNAVAILABLE, number, "locking %s", name);
}

/* After a power loss the new name must be there, not only the contents. */
static int sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path) + 1, path);
    CLEANUP(close_fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fsync(fd) : -1;
}

static int create(const struct sqlite_file *file, struct err *err)
{
    if (access(file->path, F_OK) == 0)
        return 0;
    int fd = open(file->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, SECRET_MODE);
    if (fd < 0)
        return err_set_errno(err, ERR_UNAVAILABLE, errno, "creating database %s", file->path);
    close(fd);
    if (sync_folder(file->path) != 0)
        return err_set_errno(err, ERR_UNAVAILABLE, errno, "folder of database %s", file->path);
    return 0;
}

int sqlite_file_claim(struct sqlite_file *file, struct str_view path, struct err *err)
{
    file->lock_fd = -1;
    int result = resolve(file, path, err);
    if (result == 0)
        result = lock(file, err);
    if (result == 0)
        result = create(file, err);
    if (result != 0)
        sqlite_file_release(file);
    return result;
}

int sqlite_file_claim_existing(struct sqlite_file *file, struct str_view path, struct err *err)
{
    file->lock_fd = -1;
    int result = resolve(file, path, err);
    /* Before the lock, which would leave a file of its own beside none. */
    if (result == 0 && access(file->path, F_OK) != 0)
        result = err_set_errno(err, ERR_CONFIG, errno, "database %s", file->path);
    return result == 0 ? lock(file, err) : result;
}

void sqlite_file_release(struct sqlite_file *file)
{
    close_fd(&file->lock_fd);
}
