#include "harness/redis.h"

#include "harness/bot_process.h"
#include "harness/child.h"
#include "harness/folder.h"
#include "harness/http_client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REDIS_SERVER "/usr/bin/redis-server"
#define START_MS     60000
#define LOOK_MS      5

extern char **environ;

int harness_redis_init(struct harness_redis *redis, const struct harness_redis_options *options,
                       struct err *err)
{
    *redis = (struct harness_redis){ .options = *options };
    if (!harness_folder_make(redis->folder, sizeof(redis->folder), "bronxbot-redis"))
        return err_set_errno(err, ERR_IO, errno, "a temporary folder");
    snprintf(redis->socket, sizeof(redis->socket), "%s/redis.sock", redis->folder);
    snprintf(redis->log_path, sizeof(redis->log_path), "%s/redis.log", redis->folder);
    if (options->uses_tcp)
        redis->port = harness_free_port();
    return 0;
}

static int wait_until_it_listens(struct harness_redis *redis, struct err *err)
{
    struct listen_address address = { .is_unix = true };
    snprintf(address.text, sizeof(address.text), "%s", redis->socket);
    for (int waited = 0; waited < START_MS; waited += LOOK_MS) {
        int fd = http_raw_connect(&address, NULL);
        if (fd >= 0) {
            close(fd);
            return 0;
        }
        if (waitpid(redis->pid, NULL, WNOHANG) != 0) {
            redis->pid = 0;
            break;
        }
        const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
        nanosleep(&pause, NULL);
    }
    return err_set(err, ERR_UNAVAILABLE, "redis-server does not listen; see %s", redis->log_path);
}

int harness_redis_launch(struct harness_redis *redis, struct err *err)
{
    char port[8], name[] = "redis-server", port_option[] = "--port", bind[] = "--bind";
    char loopback[] = "127.0.0.1", socket_option[] = "--unixsocket", folder_option[] = "--dir";
    char save[] = "--save", nothing[] = "", password_option[] = "--requirepass";
    char password[128];
    snprintf(port, sizeof(port), "%u", (unsigned)redis->port);
    snprintf(password, sizeof(password), "%s",
             redis->options.password ? redis->options.password : "");
    char *const arguments[] = { name,          port_option,   port,          bind,
                                loopback,      socket_option, redis->socket, folder_option,
                                redis->folder, save,          nothing,       password_option,
                                password,      NULL };
    unlink(redis->socket); /* one that was killed leaves it behind */
    int output = open(redis->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (output < 0)
        return err_set_errno(err, ERR_IO, errno, "%s", redis->log_path);
    const struct harness_child child = {
        .binary = REDIS_SERVER,
        .arguments = arguments,
        .environment = environ,
        .output = output,
        .both_streams = true,
        .end_signal = SIGKILL, /* reaches one that is frozen, too */
    };
    redis->pid = harness_child_start(&child);
    close(output);
    if (redis->pid < 0) {
        redis->pid = 0;
        return err_set_errno(err, ERR_IO, errno, "fork");
    }
    return wait_until_it_listens(redis, err);
}

void harness_redis_freeze(const struct harness_redis *redis)
{
    if (redis->pid > 0)
        kill(redis->pid, SIGSTOP);
}

void harness_redis_thaw(const struct harness_redis *redis)
{
    if (redis->pid > 0)
        kill(redis->pid, SIGCONT);
}

static void end(struct harness_redis *redis, int signal_number)
{
    if (redis->pid > 0) {
        kill(redis->pid, signal_number);
        waitpid(redis->pid, NULL, 0);
    }
    redis->pid = 0;
}

void harness_redis_stop(struct harness_redis *redis)
{
    end(redis, SIGTERM);
}

void harness_redis_kill(struct harness_redis *redis)
{
    end(redis, SIGKILL);
}

void harness_redis_url(const struct harness_redis *redis, int database, char *out, size_t size)
{
    const char *password = redis->options.password;
    char credentials[128] = "";
    if (password)
        snprintf(credentials, sizeof(credentials), ":%s@", password);
    if (redis->port)
        snprintf(out, size, "redis://%s127.0.0.1:%u/%d", credentials, (unsigned)redis->port,
                 database);
    else
        snprintf(out, size, "unix://%s%s?db=%d", credentials, redis->socket, database);
}

void harness_redis_fini(struct harness_redis *redis)
{
    end(redis, SIGKILL);
    if (redis->folder[0])
        harness_remove_folder(redis->folder);
    redis->folder[0] = '\0';
}
