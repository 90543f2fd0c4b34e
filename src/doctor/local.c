/* Checks of this machine: files, limits, the database. Nothing is changed, and a database that is
 * being served is not touched at all. */
#include "doctor/check.h"

#include "db/migrate.h"
#include "serve.h"

#include "bronx/time_zone.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Below the first, writes will soon fail; below the second it is time to look. */
#define DISK_FREE_NEEDED (INT64_C(64) * 1024 * 1024)
#define DISK_FREE_WANTED (INT64_C(1024) * 1024 * 1024)

/* Anybody on the machine may read or write it, or its group write. */
#define TOO_OPEN_MODE    (S_IROTH | S_IWOTH | S_IXOTH | S_IWGRP)

#define SQLITE_SCHEME    "sqlite:"

static void look_at_secret(struct finding *finding, const char *what, const char *path, int *count)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return;
    *count += 1;
    if (status.st_mode & TOO_OPEN_MODE)
        finding_add(finding, FINDING_FAIL, "chmod 600 it, and replace secrets others could read",
                    "%s (%s) has mode %03o", what, path, (unsigned)status.st_mode & 0777);
}

void check_secret_files(struct doctor *doctor, struct finding *finding)
{
    struct config_secret_file file;
    int count = 0;
    look_at_secret(finding, "settings", ".env", &count);
    for (size_t position = 0; config_next_secret_file(doctor->sources, &position, &file);)
        look_at_secret(finding, file.name, file.path, &count);
    if (finding->state == FINDING_OK)
        finding_add(finding, FINDING_OK, NULL, "%d, none open to others", count);
}

void check_open_files(struct doctor *doctor, struct finding *finding)
{
    struct rlimit limit;
    int64_t needed = doctor->config.http_connections + SERVE_OTHER_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        finding_add(finding, FINDING_WARN, NULL, "the limit can't be read");
        return;
    }
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < (rlim_t)needed)
        finding_add(finding, FINDING_FAIL,
                    "raise the hard limit (LimitNOFILE= in the unit), or lower HTTP_CONNECTIONS",
                    "%ju allowed, %" PRId64 " needed", (uintmax_t)limit.rlim_max, needed);
    else
        finding_add(finding, FINDING_OK, NULL, "%" PRId64 " needed, allowed", needed);
}

/* --- The database ------------------------------------------------------------------------------
 */

/* False when the data is not in a file. */
static bool database_path(const struct doctor *doctor, const char **path)
{
    *path = doctor->config.database_url + strlen(SQLITE_SCHEME);
    return strncmp(doctor->config.database_url, SQLITE_SCHEME, strlen(SQLITE_SCHEME)) == 0;
}

static bool folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) + 1 : 0;
    if (length >= PATH_MAX)
        return false;
    memcpy(folder, length ? path : ".", length ? length : 1);
    folder[length ? length : 1] = '\0';
    return true;
}

/* What the system says about `path`, by errno. */
static void add_refusal(struct finding *finding, enum finding_state state, const char *advice,
                        const char *path)
{
    struct err err;
    err_set_errno(&err, ERR_IO, errno, "%s", path);
    finding_add(finding, state, advice, "%s", err.message);
}

void check_database_file(struct doctor *doctor, struct finding *finding)
{
    static const char ownership[] = "give file and folder to the user the bot runs as";
    const char *path;
    char folder[PATH_MAX];
    struct stat status;
    if (!database_path(doctor, &path)) {
        finding_add(finding, FINDING_OK, NULL, "none: PostgreSQL keeps the data");
        return;
    }
    if (!folder_of(path, folder)) {
        finding_add(finding, FINDING_FAIL, "correct DATABASE_URL", "the path is too long");
        return;
    }
    if (access(folder, W_OK | X_OK) != 0)
        add_refusal(finding, FINDING_FAIL, ownership, folder);
    if (stat(path, &status) != 0) {
        add_refusal(finding, errno == ENOENT ? FINDING_WARN : FINDING_FAIL,
                    "`bronxbot serve` makes it; if it should exist, correct DATABASE_URL", path);
        return;
    }
    if (!S_ISREG(status.st_mode))
        finding_add(finding, FINDING_FAIL, "correct DATABASE_URL", "%s is no file", path);
    else if (access(path, R_OK | W_OK) != 0)
        add_refusal(finding, FINDING_FAIL, ownership, path);
    if (status.st_mode & TOO_OPEN_MODE)
        finding_add(finding, FINDING_FAIL, "chmod 600 it", "%s has mode %03o", path,
                    (unsigned)status.st_mode & 0777);
    if (finding->state == FINDING_OK)
        finding_add(finding, FINDING_OK, NULL, "%s, %jd kB", path, (intmax_t)status.st_size / 1024);
}

void check_disk_space(struct doctor *doctor, struct finding *finding)
{
    static const char advice[] = "make room: a full disk stops every command that writes";
    const char *path;
    char folder[PATH_MAX];
    struct statvfs space;
    int64_t free_bytes;
    if (!database_path(doctor, &path)) {
        finding_add(finding, FINDING_OK, NULL, "PostgreSQL's own affair");
        return;
    }
    if (!folder_of(path, folder) || statvfs(folder, &space) != 0) {
        finding_add(finding, FINDING_FAIL, "correct DATABASE_URL",
                    "the database's folder can't be looked at");
        return;
    }
    if (__builtin_mul_overflow(space.f_bavail, space.f_frsize, &free_bytes))
        free_bytes = INT64_MAX;
    enum finding_state state = free_bytes < DISK_FREE_NEEDED   ? FINDING_FAIL
                               : free_bytes < DISK_FREE_WANTED ? FINDING_WARN
                                                               : FINDING_OK;
    finding_add(finding, state, state == FINDING_OK ? NULL : advice, "%" PRId64 " MB free in %s",
                free_bytes / 1024 / 1024, folder);
}

static void compare_migrations(struct doctor *doctor, struct finding *finding)
{
    struct db *db = NULL;
    struct err err = { 0 };
    struct migration_result pending;
    const struct db_settings settings = { .url = doctor->config.database_url,
                                          .pool_min = 1,
                                          .pool_max = 1,
                                          .clock = &doctor->clock.clock };
    int result = db_open(&db, &settings, &err);
    if (result == 0)
        result = db_migrations_pending(db, built_in_migrations, &pending, &err);
    db_close(db);
    if (result != 0)
        finding_add(finding, FINDING_FAIL,
                    "if another process holds it, ask that one; else use the version that made it, "
                    "or restore a backup",
                    "%s", err.message);
    else if (pending.applied_count > 0)
        finding_add(finding, FINDING_WARN, "`bronxbot migrate`, or start the bot: it does so",
                    "%d are to be applied, from version %d to %d", pending.applied_count,
                    pending.version_before, pending.version_after);
    else
        finding_add(finding, FINDING_OK, NULL, "at version %d", pending.version_before);
}

/* A bot that serves has applied all, and holds the file: it is asked instead. */
void check_migrations(struct doctor *doctor, struct finding *finding)
{
    const char *path;
    doctor_ask_admin(doctor, "/readyz", &doctor->readiness);
    const struct fetch_answer *answer = &doctor->readiness;
    static const char good[] = "\"database\":{\"state\":\"ok\"";
    if (answer->result == FETCH_ANSWERED && (answer->status == 200 || answer->status == 503)) {
        bool is_good = answer->body.data && strstr(answer->body.data, good);
        finding_add(finding, is_good ? FINDING_OK : FINDING_FAIL,
                    is_good ? NULL : "look into the bot's log",
                    is_good ? "the serving bot's database is up to date"
                            : "the serving bot says that its database is not well");
    } else if (database_path(doctor, &path) && access(path, F_OK) != 0)
        finding_add(finding, FINDING_WARN, "`bronxbot serve` makes one", "there is no database");
    else
        compare_migrations(doctor, finding);
}

/* 12:00 in London in summer: an hour ahead of UTC. */
#define SUMMER_MS INT64_C(1782903600000)

void check_time_zones(struct doctor *doctor, struct finding *finding)
{
    (void)doctor;
    bool is_good = time_zone_offset(STR("Europe/London"), SUMMER_MS) == 3600;
    finding_add(finding, is_good ? FINDING_OK : FINDING_WARN,
                is_good ? NULL : "install tzdata, or put it where /usr/share/zoneinfo can be read",
                is_good ? "rules of time zones are there"
                        : "there are no rules of time zones: everybody's day begins by UTC");
}
