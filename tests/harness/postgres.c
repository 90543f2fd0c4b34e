/* The data of a new server is a copy of a template made once in each build folder: initdb takes a
 * second, a copy a tenth of one. The server is our child and gets SIGQUIT when we die; a watcher,
 * which reads a pipe nobody writes to, outlives us to remove the folder. */
#include "harness/postgres.h"

#include "harness/child.h"
#include "harness/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_SECONDS  60 /* under a sanitizer, on a busy machine */
#define STEP_MS        5
#define SHELL_LINE_MAX 1024

extern char **environ;

static bool complain(const char *what)
{
    fprintf(stderr, "PostgreSQL for tests: %s\n", what);
    return false;
}

static void sleep_ms(long milliseconds)
{
    struct timespec pause = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

/* Debian keeps the programs out of the PATH. */
static bool find_programs(char folder[PATH_MAX])
{
    glob_t found;
    bool is_found = glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) == 0;
    if (is_found) {
        const char *newest = found.gl_pathv[found.gl_pathc - 1];
        snprintf(folder, PATH_MAX, "%.*s", (int)(strlen(newest) - strlen("/postgres")), newest);
    }
    globfree(&found);
    return is_found || complain("not installed (package postgresql)");
}

static int run_program(const char *const *arguments)
{
    pid_t child = fork();
    int status = 0;
    if (child == 0) {
        execvp(arguments[0], (char *const *)arguments);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return harness_exit_code(status);
}

static int run(const char *line)
{
    const char *const arguments[] = { "sh", "-c", line, NULL };
    return run_program(arguments);
}

/* As the user the servers run as. */
static int run_as_user(const char *line)
{
    const char *const arguments[] = {
        "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "sh", "-c", line, NULL
    };
    return geteuid() == 0 ? run_program(arguments) : run(line);
}

/* A temporary folder that belongs to the server's user. */
static bool make_folder(char folder[HARNESS_POSTGRES_PATH])
{
    char line[SHELL_LINE_MAX];
    if (!harness_folder_make(folder, HARNESS_POSTGRES_PATH, "bronxbot-pg"))
        return complain("mkdtemp");
    snprintf(line, sizeof(line), "chown postgres:postgres %s", folder);
    return geteuid() != 0 || run(line) == 0 || complain("there is no user postgres");
}

/* Made in a temporary folder, for the server's user may not write (or even look) into the build
 * folder. */
static bool make_template(const char *programs)
{
    char folder[HARNESS_POSTGRES_PATH], line[2 * PATH_MAX];
    if (!make_folder(folder))
        return false;
    snprintf(line, sizeof(line),
             "%s/initdb -D %s/data -U bronxbot -A trust -E UTF8 --locale=C.UTF-8 --wal-segsize=1 "
             "--no-sync >%s/log 2>&1 || { cat %s/log >&2; false; }",
             programs, folder, folder, folder);
    bool is_made = run_as_user(line) == 0;
    if (is_made) {
        snprintf(line, sizeof(line), "cp -a %s/data %s.new && mv %s.new %s", folder,
                 TEST_POSTGRES_TEMPLATE, TEST_POSTGRES_TEMPLATE, TEST_POSTGRES_TEMPLATE);
        is_made = run(line) == 0;
    }
    snprintf(line, sizeof(line), "rm -rf %s", folder);
    (void)run(line);
    return is_made || complain("initdb failed");
}

/* Several test programs start at once. */
static bool have_template(const char *programs)
{
    int lock = open(TEST_POSTGRES_TEMPLATE ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock < 0 || flock(lock, LOCK_EX) != 0)
        return complain("the template's lock");
    bool is_there = access(TEST_POSTGRES_TEMPLATE "/PG_VERSION", F_OK) == 0;
    bool result = is_there || make_template(programs);
    close(lock);
    return result;
}

static bool mount_disk(const struct harness_postgres *server)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/data", server->folder);
    return mkdir(path, 0700) == 0 && mount("none", path, "tmpfs", 0, server->disk) == 0;
}

static bool copy_template(const struct harness_postgres *server)
{
    char line[2 * PATH_MAX];
    if (server->disk && !mount_disk(server))
        return complain("mounting its disk");
    snprintf(line, sizeof(line), "cp -aT --reflink=auto %s %s/data", TEST_POSTGRES_TEMPLATE,
             server->folder);
    return run(line) == 0 || complain("copying the template");
}

/* Reads until we are gone, then removes the folder; the server may need a moment to end. */
static void be_watcher(const char *folder, int fd)
{
    char byte;
    setsid();
    while (read(fd, &byte, 1) < 0 && errno == EINTR)
        continue;
    execlp("sh", "sh", "-c",
           "for i in 1 2 3 4 5 6 7 8 9; do rm -rf \"$0\" && exit 0; sleep 0.3; done", folder, NULL);
    _exit(127);
}

static bool start_watcher(struct harness_postgres *server)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return complain("pipe");
    server->watcher = fork();
    if (server->watcher == 0) {
        close(fds[1]);
        be_watcher(server->folder, fds[0]);
    }
    close(fds[0]);
    server->watcher_fd = fds[1];
    return server->watcher > 0 || complain("fork");
}

/* The server writes its state into its own file. */
static bool is_ready(const struct harness_postgres *server)
{
    char path[PATH_MAX], text[512] = "";
    snprintf(path, sizeof(path), "%s/data/postmaster.pid", server->folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool has_text = read(fd, text, sizeof(text) - 1) > 0;
    close(fd);
    return has_text && atol(text) == (long)server->process && strstr(text, "ready");
}

static bool start_process(struct harness_postgres *server, const char *programs)
{
    char binary[PATH_MAX + 16], data[PATH_MAX], log[PATH_MAX];
    snprintf(binary, sizeof(binary), "%s/postgres", programs);
    snprintf(data, sizeof(data), "%s/data", server->folder);
    snprintf(log, sizeof(log), "%s/log", server->folder);
    const char *const arguments[] = { "setpriv",
                                      "--reuid=postgres",
                                      "--regid=postgres",
                                      "--clear-groups",
                                      "--pdeathsig=QUIT", /* changing the user clears ours */
                                      binary,
                                      "-D",
                                      data,
                                      "-k",
                                      server->folder,
                                      "-c",
                                      "listen_addresses=",
                                      "-c",
                                      server->has_fsync ? "fsync=on" : "fsync=off",
                                      "-c",
                                      "shared_buffers=32MB",
                                      "-c",
                                      "max_connections=120",
                                      "-c",
                                      "autovacuum=off",
                                      "-c",
                                      "jit=off",
                                      NULL };
    int output = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (output < 0)
        return complain("its log");
    const struct harness_child child = {
        .binary = geteuid() == 0 ? "/usr/bin/setpriv" : binary,
        .arguments = (char *const *)(geteuid() == 0 ? arguments : &arguments[5]),
        .environment = environ,
        .folder = server->folder,
        .output = output,
        .both_streams = true,
        .end_signal = SIGQUIT,
    };
    server->process = harness_child_start(&child);
    close(output);
    return server->process > 0 || complain("fork");
}

static bool wait_until_ready(struct harness_postgres *server)
{
    char line[SHELL_LINE_MAX];
    for (int i = 0; i < START_SECONDS * 1000 / STEP_MS; i++) {
        if (is_ready(server))
            return true;
        if (waitpid(server->process, NULL, WNOHANG) != 0) {
            server->process = 0;
            break;
        }
        sleep_ms(STEP_MS);
    }
    snprintf(line, sizeof(line), "tail -20 %s/log >&2", server->folder);
    (void)run(line);
    return complain("it does not start");
}

/* Children of a postmaster that was killed, or that has given up, may outlive it for a moment: as
 * long as one of them has its shared memory, a new one refuses to start. Its file names that memory
 * in line 7: a key, and the number asked for here. */
static bool has_orphans(const struct harness_postgres *server)
{
    char path[PATH_MAX], line[512];
    int number = -1;
    struct shmid_ds memory;
    snprintf(path, sizeof(path), "%s/data/postmaster.pid", server->folder);
    FILE *file = fopen(path, "re");
    for (int i = 1; file && fgets(line, sizeof(line), file); i++)
        if (i == 7 && sscanf(line, "%*s %d", &number) != 1)
            number = -1;
    if (file)
        fclose(file);
    return number >= 0 && shmctl(number, IPC_STAT, &memory) == 0 && memory.shm_nattch > 0;
}

bool harness_postgres_restart(struct harness_postgres *server)
{
    char programs[PATH_MAX];
    for (int i = 0; i < START_SECONDS * 1000 / STEP_MS && has_orphans(server); i++)
        sleep_ms(STEP_MS);
    return find_programs(programs) && start_process(server, programs) && wait_until_ready(server);
}

bool harness_postgres_start(struct harness_postgres *server, bool has_fsync)
{
    return harness_postgres_start_on(server, has_fsync, NULL);
}

bool harness_postgres_start_on(struct harness_postgres *server, bool has_fsync, const char *disk)
{
    char programs[PATH_MAX];
    *server = (struct harness_postgres){ .has_fsync = has_fsync, .disk = disk, .watcher_fd = -1 };
    return find_programs(programs) && have_template(programs) && make_folder(server->folder) &&
           start_watcher(server) && copy_template(server) && harness_postgres_restart(server);
}

static void wait_for_end(struct harness_postgres *server)
{
    while (waitpid(server->process, NULL, 0) < 0 && errno == EINTR)
        continue;
    server->process = 0;
}

bool harness_postgres_is_running(struct harness_postgres *server)
{
    if (server->process > 0 && waitpid(server->process, NULL, WNOHANG) != 0)
        server->process = 0;
    return server->process > 0;
}

void harness_postgres_stop(struct harness_postgres *server)
{
    if (server->process <= 0)
        return;
    kill(server->process, SIGINT); /* "fast": connections are closed */
    wait_for_end(server);
}

/* To the postmaster and its children, each of which leads a session of its own. It stands still
 * meanwhile: what it would fork after the look is missed. */
static void signal_all(const struct harness_postgres *server, int number)
{
    char line[SHELL_LINE_MAX];
    snprintf(line, sizeof(line), "kill -STOP %d; kill -%d %d $(ps -o pid= --ppid %d)",
             (int)server->process, number, (int)server->process, (int)server->process);
    (void)run(line);
}

void harness_postgres_kill(struct harness_postgres *server)
{
    if (server->process <= 0)
        return;
    signal_all(server, SIGKILL);
    wait_for_end(server);
}

void harness_postgres_freeze(struct harness_postgres *server)
{
    signal_all(server, SIGSTOP);
}

void harness_postgres_thaw(struct harness_postgres *server)
{
    signal_all(server, SIGCONT);
}

void harness_postgres_fini(struct harness_postgres *server)
{
    if (server->process > 0) {
        kill(server->process, SIGQUIT); /* at once: nobody needs the data */
        wait_for_end(server);
    }
    if (server->disk) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s/data", server->folder);
        umount2(path, MNT_DETACH);
    }
    if (server->watcher > 0) {
        close(server->watcher_fd);
        while (waitpid(server->watcher, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    *server = (struct harness_postgres){ .watcher_fd = -1 };
}
