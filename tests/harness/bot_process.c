/* Starting and ending the bot. All functions run on the thread that called harness_bot_launch: the
 * kernel kills the child when that thread ends (PR_SET_PDEATHSIG). */
#include "harness/bot_process.h"

#include "harness/child.h"
#include "harness/folder.h"
#include "harness/http_client.h"
#include "harness/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POLL_INTERVAL_MS 5
#define LOG_TAIL_BYTES   16384
#define SOCKET_BACKLOG   4096 /* as in bronxbot.socket */

static int64_t clock_ms(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(long milliseconds)
{
    const struct timespec pause = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

int harness_hold_port(uint16_t *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof(address);
    const int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)&address, length) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

uint16_t harness_free_port(void)
{
    uint16_t port = 0;
    (void)harness_hold_port(&port); /* until the program ends */
    return port;
}

static void choose_address(const struct harness_bot *bot, const char *socket_name,
                           struct listen_address *address)
{
    *address = (struct listen_address){ .is_unix = !bot->options.uses_tcp };
    if (address->is_unix) {
        snprintf(address->text, sizeof(address->text), "%s/%s", bot->folder, socket_name);
        return;
    }
    snprintf(address->text, sizeof(address->text), "127.0.0.1");
    address->port = harness_free_port();
}

static int make_clock_file(struct harness_bot *bot, struct err *err)
{
    char *path = must_format("%s/clock", bot->folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(path);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, errno, "the clock file");
    void *memory = MAP_FAILED;
    if (ftruncate(fd, sizeof(int64_t)) == 0)
        memory = mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int number = errno;
    close(fd);
    if (memory == MAP_FAILED)
        return err_set_errno(err, ERR_IO, number, "the clock file");
    bot->shift_ms = memory;
    return 0;
}

/* What systemd does for bronxbot.socket. */
static int open_socket(struct harness_bot *bot, struct err *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", bot->listen.text);
    bot->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bot->listen_fd < 0 ||
        bind(bot->listen_fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(bot->listen_fd, SOCKET_BACKLOG) != 0)
        return err_set_errno(err, ERR_IO, errno, "%s", bot->listen.text);
    return 0;
}

int harness_bot_init(struct harness_bot *bot, const struct harness_bot_options *options,
                     struct err *err)
{
    *bot = (struct harness_bot){ .options = *options, .listen_fd = -1 };
    if (!harness_folder_make(bot->folder, sizeof(bot->folder), "bronxbot-harness"))
        return err_set_errno(err, ERR_IO, errno, "a temporary folder");
    snprintf(bot->log_path, sizeof(bot->log_path), "%s/bot.log", bot->folder);
    harness_keys_make(&bot->keys, options->key_seed);
    choose_address(bot, "http.sock", &bot->listen);
    choose_address(bot, "admin.sock", &bot->admin_listen);
    int result = make_clock_file(bot, err);
    return result != 0 || !options->keeps_socket ? result : open_socket(bot, err);
}

/* --- The child's environment --- */

struct environment {
    char **lines; /* ended by NULL */
    size_t count;
};

static void environment_add(struct environment *environment, char *line)
{
    must_grow(&environment->lines, environment->count, sizeof(char *));
    environment->lines[environment->count++] = line;
}

/* A later line of the same name replaces an earlier one. */
static void environment_set(struct environment *environment, const char *line)
{
    size_t name_length = strcspn(line, "=") + 1;
    for (size_t i = 0; i < environment->count; i++) {
        if (strncmp(environment->lines[i], line, name_length) == 0) {
            free(environment->lines[i]);
            environment->lines[i] = must_copy(str_from(line));
            return;
        }
    }
    environment_add(environment, must_copy(str_from(line)));
}

static void environment_free(struct environment *environment)
{
    for (size_t i = 0; i < environment->count; i++)
        free(environment->lines[i]);
    free(environment->lines);
}

static char *address_line(const char *name, const struct listen_address *address)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    listen_address_print(address, &text);
    return must_format("%s=%s", name, text.data ? text.data : "");
}

/* Returns where the process id belongs, NULL when no socket is handed over. */
static char *add_socket(const struct harness_bot *bot, struct environment *environment)
{
    if (bot->listen_fd < 0)
        return NULL;
    char *line = must_copy(STR(HARNESS_LISTEN_PID_ROOM));
    environment_add(environment, line);
    environment_add(environment, must_copy(STR("LISTEN_FDS=1")));
    environment_add(environment, must_copy(STR("LISTEN_FDNAMES=http")));
    return line + HARNESS_LISTEN_PID_NAME;
}

/* Nothing of the caller's environment reaches the bot but what a program needs to run. Returns what
 * add_socket does. */
static char *build_environment(const struct harness_bot *bot, struct environment *environment)
{
    static const char *const inherited[] = {
        "PATH",         "HOME",          "LANG",        "TZ", "LD_LIBRARY_PATH",
        "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"
    };
    for (size_t i = 0; i < ARRAY_LENGTH(inherited); i++)
        if (getenv(inherited[i]))
            environment_add(environment, must_format("%s=%s", inherited[i], getenv(inherited[i])));
    environment_add(environment,
                    must_format("DISCORD_APPLICATION_ID=%" PRId64, HARNESS_APPLICATION_ID));
    environment_add(environment, must_format("DISCORD_PUBLIC_KEY=%s", bot->keys.public_key_hex));
    /* The discard port: no REST API is there. */
    environment_add(environment, must_copy(STR("DISCORD_API_URL=http://127.0.0.1:9")));
    environment_add(environment, address_line("LISTEN", &bot->listen));
    environment_add(environment, address_line("ADMIN_LISTEN", &bot->admin_listen));
    environment_add(environment, must_format("DATABASE_URL=sqlite:%s/bronxbot.db", bot->folder));
    environment_add(environment, must_format("CLOCK_SHIFT_FILE=%s/clock", bot->folder));
    for (const char *const *line = bot->options.environment; line && *line; line++)
        environment_set(environment, *line);
    char *listen_pid = add_socket(bot, environment);
    environment_add(environment, NULL);
    return listen_pid;
}

/* --- Starting --- */

bool harness_bot_is_running(struct harness_bot *bot)
{
    if (bot->pid != 0 && waitpid(bot->pid, NULL, WNOHANG) != 0)
        bot->pid = 0;
    return bot->pid != 0;
}

static bool is_ready(struct http_client *client)
{
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    const struct http_request request = { .method = "GET", .path = "/readyz" };
    return http_client_send(client, &request, &answer, NULL) == 0 && answer.status == 200;
}

static int wait_until_ready(struct harness_bot *bot, struct err *err)
{
    int64_t started = clock_ms(CLOCK_MONOTONIC);
    CLEANUP(http_client_release)
    struct http_client *client = http_client_new(&bot->admin_listen);
    const char *what = "is not ready in time";
    while (clock_ms(CLOCK_MONOTONIC) - started < HARNESS_READY_MS) {
        if (!harness_bot_is_running(bot)) {
            what = "ended before it was ready";
            break;
        }
        bool ready = is_ready(client);
        bot->ready_ms = clock_ms(CLOCK_MONOTONIC) - started;
        if (ready)
            return 0;
        pause_ms(POLL_INTERVAL_MS);
    }
    harness_bot_kill(bot, SIGKILL);
    CLEANUP(buf_free) struct buf tail = { 0 };
    harness_bot_log_tail(bot, 3, &tail);
    return err_set(err, ERR_UNAVAILABLE, "%s %s: %s", bot->options.binary, what,
                   tail.data ? tail.data : "its log is empty");
}

int harness_bot_launch(struct harness_bot *bot, struct err *err)
{
    /* The folder becomes the working directory, so a relative path would lead nowhere. */
    char *binary = realpath(bot->options.binary, NULL);
    if (!binary)
        return err_set_errno(err, ERR_NOT_FOUND, errno, "the bot %s", bot->options.binary);
    int log = open(bot->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) {
        free(binary);
        return err_set_errno(err, ERR_IO, errno, "%s", bot->log_path);
    }
    struct environment environment = { 0 };
    char *listen_pid = build_environment(bot, &environment);
    char name[] = "bronxbot", serve[] = "serve", worker[] = "worker";
    char *const arguments[] = { name, bot->options.is_worker ? worker : serve, NULL };
    const struct harness_child child = {
        .binary = binary,
        .arguments = arguments,
        .environment = environment.lines,
        .folder = bot->folder,
        .output = log,
        .both_streams = true,
        .end_signal = SIGKILL,
        .listen_fd = bot->listen_fd,
        .listen_pid = listen_pid,
    };
    bot->pid = harness_child_start(&child);
    environment_free(&environment);
    close(log);
    free(binary);
    if (bot->pid < 0) {
        bot->pid = 0;
        return err_set_errno(err, ERR_IO, errno, "fork");
    }
    return wait_until_ready(bot, err);
}

/* --- Ending --- */

void harness_bot_kill(struct harness_bot *bot, int signal_number)
{
    if (bot->pid == 0)
        return;
    kill(bot->pid, signal_number);
    if (signal_number != SIGKILL)
        return;
    waitpid(bot->pid, NULL, 0);
    bot->pid = 0;
}

int harness_bot_stop(struct harness_bot *bot, int *exit_code, struct err *err)
{
    int status = 0;
    if (bot->pid == 0)
        return err_set(err, ERR_NOT_FOUND, "the bot is not running");
    kill(bot->pid, SIGTERM);
    int64_t deadline = clock_ms(CLOCK_MONOTONIC) + HARNESS_STOP_MS;
    while (waitpid(bot->pid, &status, WNOHANG) == 0) {
        if (clock_ms(CLOCK_MONOTONIC) >= deadline) {
            harness_bot_kill(bot, SIGKILL);
            return err_set(err, ERR_BUSY, "the bot did not leave within %d ms of SIGTERM",
                           HARNESS_STOP_MS);
        }
        pause_ms(POLL_INTERVAL_MS);
    }
    bot->pid = 0;
    if (exit_code)
        *exit_code = harness_exit_code(status);
    return 0;
}

int harness_bot_restart(struct harness_bot *bot, struct err *err)
{
    int exit_code = 0;
    int result = harness_bot_stop(bot, &exit_code, err);
    if (result != 0)
        return result;
    if (exit_code != 0)
        return err_set(err, ERR_UNAVAILABLE, "the bot left with %d", exit_code);
    return harness_bot_launch(bot, err);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

void harness_remove_folder(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void harness_bot_fini(struct harness_bot *bot)
{
    harness_bot_kill(bot, SIGKILL);
    if (bot->folder[0] && bot->listen_fd >= 0)
        close(bot->listen_fd);
    if (bot->shift_ms)
        munmap(bot->shift_ms, sizeof(int64_t));
    bot->shift_ms = NULL;
    if (bot->folder[0] && !bot->options.keeps_folder)
        harness_remove_folder(bot->folder);
    bot->folder[0] = '\0';
}

/* --- Clock and log --- */

int64_t harness_bot_now_ms(const struct harness_bot *bot)
{
    return clock_ms(CLOCK_REALTIME) + __atomic_load_n(bot->shift_ms, __ATOMIC_RELAXED);
}

void harness_bot_shift(struct harness_bot *bot, int64_t more_ms)
{
    __atomic_fetch_add(bot->shift_ms, more_ms, __ATOMIC_RELAXED);
}

void harness_bot_log_tail(const struct harness_bot *bot, int max_lines, struct buf *out)
{
    int fd = open(bot->log_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    char *bytes = must_allocate(LOG_TAIL_BYTES, 1);
    off_t size = lseek(fd, 0, SEEK_END);
    off_t start = size > LOG_TAIL_BYTES ? size - LOG_TAIL_BYTES : 0;
    ssize_t got = pread(fd, bytes, LOG_TAIL_BYTES, start);
    close(fd);
    ssize_t from = got > 0 ? got : 0;
    for (int lines = 0; from > 0; from--) {
        if (bytes[from - 1] == '\n' && from < got && ++lines >= max_lines)
            break;
    }
    if (got > from)
        buf_append_bytes(out, bytes + from, (size_t)(got - from));
    free(bytes);
}

static int run_in(const char *binary, const char *const *arguments, char *const *environment,
                  const char *folder, struct buf *out, struct err *err)
{
    int ends[2], status = 0;
    char *path = realpath(binary, NULL);
    if (!path)
        return err_set_errno(err, ERR_NOT_FOUND, errno, "%s", binary);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        free(path);
        return err_set_errno(err, ERR_IO, errno, "pipe");
    }
    struct environment words = { 0 };
    environment_add(&words, must_copy(str_from(binary)));
    for (const char *const *argument = arguments; *argument; argument++)
        environment_add(&words, must_copy(str_from(*argument)));
    environment_add(&words, NULL);
    const struct harness_child child = { .binary = path,
                                         .arguments = words.lines,
                                         .environment = environment,
                                         .folder = folder,
                                         .output = ends[1],
                                         .end_signal = SIGKILL };
    pid_t pid = harness_child_start(&child);
    int number = errno;
    environment_free(&words);
    free(path);
    close(ends[1]);
    char bytes[4096];
    for (ssize_t got; pid > 0 && (got = read(ends[0], bytes, sizeof(bytes))) > 0;)
        buf_append_bytes(out, bytes, (size_t)got);
    close(ends[0]);
    if (pid < 0)
        return err_set_errno(err, ERR_IO, number, "fork");
    if (waitpid(pid, &status, 0) < 0)
        return err_set_errno(err, ERR_IO, errno, "waitpid");
    return harness_exit_code(status);
}

int harness_run(const char *binary, const char *const *arguments, const char *folder,
                struct buf *out, struct err *err)
{
    return run_in(binary, arguments, environ, folder, out, err);
}

int harness_bot_run(const struct harness_bot *bot, const char *binary, const char *const *arguments,
                    const char *const *more, struct buf *out, struct err *err)
{
    struct environment environment = { 0 };
    build_environment(bot, &environment);
    environment.count--; /* the NULL at the end */
    for (; more && *more; more++)
        environment_set(&environment, *more);
    environment_add(&environment, NULL);
    int result = run_in(binary, arguments, environment.lines, bot->folder, out, err);
    environment_free(&environment);
    return result;
}
