/* Configuration by replacing texts that must occur in the tree's files, so that what is tested is
 * what operators install. */
#include "harness/front.h"

#include "harness/bot_process.h"
#include "harness/child.h"
#include "harness/folder.h"
#include "harness/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NGINX            "/usr/sbin/nginx"
#define START_MS         60000
#define STOP_MS          30000
#define LOOK_MS          10
#define FILE_LIMIT       ((size_t)64 * 1024)
#define REPLACEMENTS_MAX 8

extern char **environ;

struct replacement {
    const char *from; /* must occur; NULL ends the list */
    char *to;         /* owned */
};

static void pause_ms(long milliseconds)
{
    const struct timespec pause = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

static int read_file(const char *path, struct buf *text, struct err *err)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return err_set_errno(err, ERR_IO, errno, "%s", path);
    char block[4096];
    size_t got;
    text->limit = FILE_LIMIT;
    while ((got = fread(block, 1, sizeof(block), file)) > 0)
        buf_append_bytes(text, block, got);
    fclose(file);
    must_hold(text);
    return 0;
}

static int write_file(const char *path, struct str_view text, struct err *err)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return err_set_errno(err, ERR_IO, errno, "%s", path);
    size_t written = fwrite(text.data, 1, text.length, file);
    if (fclose(file) != 0 || written != text.length)
        return err_set_errno(err, ERR_IO, errno, "%s", path);
    return 0;
}

static int replace_all(struct buf *text, const struct replacement *replacement, struct err *err)
{
    struct buf result = { 0 };
    const char *rest = text->data, *found;
    int count = 0;
    for (; (found = strstr(rest, replacement->from)); count++) {
        buf_append_bytes(&result, rest, (size_t)(found - rest));
        buf_append(&result, str_from(replacement->to));
        rest = found + strlen(replacement->from);
    }
    buf_append(&result, str_from(rest));
    must_hold(&result);
    buf_free(text);
    *text = result;
    return count > 0 ? 0 : err_set(err, ERR_NOT_FOUND, "no '%s' to replace", replacement->from);
}

/* Takes the replacements' texts. */
static int install(const struct harness_front *front, const char *source_folder, const char *source,
                   const char *name, struct replacement *replacements, struct err *err)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    char *from = must_format("%s/%s", source_folder, source);
    char *to = must_format("%s/%s", front->folder, name);
    int result = read_file(from, &text, err);
    for (struct replacement *each = replacements; each->from; each++) {
        if (result == 0)
            result = replace_all(&text, each, err);
        free(each->to);
    }
    if (result == 0)
        result = write_file(to, buf_view(&text), err);
    free(from);
    free(to);
    return result;
}

static int install_server(const struct harness_front *front, const char *source_folder,
                          struct err *err)
{
    struct replacement replacements[] = {
        { "/etc/nginx/bronxbot/", must_format("%s/", front->folder) },
        { "/var/log/nginx/", must_format("%s/", front->folder) },
        { "/etc/letsencrypt/live/" HARNESS_FRONT_HOST "/", must_format("%s/", front->folder) },
        { "/var/www/html", must_format("%s/acme", front->folder) },
        /* IPv6 is not everywhere where tests run. */
        { "listen [::]:80;", must_copy(STR("")) },
        { "listen [::]:443 ssl http2 backlog=4096;", must_copy(STR("")) },
        { "listen 80;", must_format("listen 127.0.0.1:%u;", (unsigned)front->http_address.port) },
        { "listen 443 ssl", must_format("listen 127.0.0.1:%u ssl", (unsigned)front->address.port) },
        { NULL, NULL },
    };
    return install(front, source_folder, "bronxbot.conf", "bronxbot.conf", replacements, err);
}

static int install_one(const struct harness_front *front,
                       const struct harness_front_options *options, struct err *err)
{
    struct replacement replacements[] = {
        { "/run/bronxbot/http.sock", must_copy(str_from(options->instances[0]->text)) },
        { NULL, NULL },
    };
    return install(front, options->nginx_folder, "upstream-one.conf", "upstream.conf", replacements,
                   err);
}

/* The lines of instances that are not there become comments. */
static int install_fleet(const struct harness_front *front,
                         const struct harness_front_options *options, struct err *err)
{
    static const char *const lines[HARNESS_FRONT_INSTANCES] = {
        "server unix:/run/bronxbot/1.sock",
        "server unix:/run/bronxbot/2.sock",
        "server unix:/run/bronxbot/3.sock",
    };
    struct replacement replacements[HARNESS_FRONT_INSTANCES + 1] = { 0 };
    for (size_t i = 0; i < HARNESS_FRONT_INSTANCES; i++) {
        const struct listen_address *instance = options->instances[i];
        replacements[i].from = lines[i];
        replacements[i].to =
            instance ? must_format("server unix:%s", instance->text) : must_copy(STR("#"));
    }
    return install(front, options->nginx_folder, "upstream-fleet.conf", "upstream.conf",
                   replacements, err);
}

/* What Debian's /etc/nginx/nginx.conf does, in a folder of its own, around `inner`. */
static int write_main(const struct harness_front *front, const char *inner, struct err *err)
{
    static const char *const kinds[] = { "client_body", "proxy", "fastcgi", "uwsgi", "scgi" };
    CLEANUP(buf_free) struct buf text = { 0 };
    buf_append_format(&text,
                      "daemon off;\nworker_processes 2;\n%s"
                      "pid %s/nginx.pid;\nerror_log %s warn;\n"
                      "worker_rlimit_nofile 8192;\n"
                      "events { worker_connections 4096; }\nhttp {\n",
                      geteuid() == 0 ? "user root;\n" : "", front->folder, front->error_log);
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        buf_append_format(&text, "%s_temp_path %s/temporary;\n", kinds[i], front->folder);
    buf_append_format(&text, "%s}\n", inner);
    must_hold(&text);
    return write_file(front->configuration, buf_view(&text), err);
}

static int write_including_main(const struct harness_front *front, struct err *err)
{
    char *inner = must_format("include %s/bronxbot.conf;\n", front->folder);
    int result = write_main(front, inner, err);
    free(inner);
    return result;
}

/* A connection to the server for each request would be counted as one for each. */
static int write_plain_main(const struct harness_front *front, uint16_t port, struct err *err)
{
    char *inner = must_format("log_format short '$server_protocol $connection $request_method';\n"
                              "access_log %s short;\n"
                              "upstream rest { server 127.0.0.1:%u; keepalive 64; }\n"
                              "server {\n"
                              "listen 127.0.0.1:%u ssl http2;\n"
                              "ssl_certificate %s/fullchain.pem;\n"
                              "ssl_certificate_key %s/privkey.pem;\n"
                              "location / {\n"
                              "proxy_pass http://rest;\n"
                              "proxy_http_version 1.1;\n"
                              "proxy_set_header Connection '';\n"
                              "}\n}\n",
                              front->access_log, (unsigned)port, (unsigned)front->address.port,
                              front->folder, front->folder);
    int result = write_main(front, inner, err);
    free(inner);
    return result;
}

static int make_certificate(const struct harness_front *front, const char *source_folder,
                            struct err *err)
{
    CLEANUP(buf_free) struct buf output = { 0 };
    char *script = must_format("%s/self-signed", source_folder);
    const char *const arguments[] = { front->folder, front->tls.host, NULL };
    int result = harness_run(script, arguments, NULL, &output, err);
    free(script);
    return result > 0 ? err_set(err, ERR_IO, "the certificate script left with %d", result)
                      : result;
}

static void name_files(struct harness_front *front)
{
    const struct {
        char *path;
        size_t size;
        const char *name;
    } files[] = {
        { front->certificate, sizeof(front->certificate), "fullchain.pem" },
        { front->configuration, sizeof(front->configuration), "nginx.conf" },
        { front->access_log, sizeof(front->access_log), "bronxbot.access.log" },
        { front->error_log, sizeof(front->error_log), "bronxbot.error.log" },
        { front->output, sizeof(front->output), "nginx.out" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
        snprintf(files[i].path, files[i].size, "%s/%s", front->folder, files[i].name);
}

static int make_folder(struct harness_front *front, const char *host, const char *nginx_folder,
                       struct err *err)
{
    *front = (struct harness_front){ .address = { .text = "127.0.0.1" },
                                     .http_address = { .text = "127.0.0.1" } };
    if (!harness_folder_make(front->folder, sizeof(front->folder), "bronxbot-front"))
        return err_set_errno(err, ERR_IO, errno, "a temporary folder");
    name_files(front);
    front->address.port = harness_free_port();
    front->http_address.port = harness_free_port();
    front->tls = (struct http_tls){ .host = host, .ca_path = front->certificate };
    return make_certificate(front, nginx_folder, err);
}

int harness_front_init(struct harness_front *front, const struct harness_front_options *options,
                       struct err *err)
{
    int result = make_folder(front, HARNESS_FRONT_HOST, options->nginx_folder, err);
    if (result == 0)
        result = options->instances[1] ? install_fleet(front, options, err)
                                       : install_one(front, options, err);
    if (result == 0)
        result = install_server(front, options->nginx_folder, err);
    return result == 0 ? write_including_main(front, err) : result;
}

int harness_front_init_plain(struct harness_front *front, const char *nginx_folder, uint16_t port,
                             struct err *err)
{
    int result = make_folder(front, HARNESS_FRONT_LOCALHOST, nginx_folder, err);
    return result == 0 ? write_plain_main(front, port, err) : result;
}

int harness_front_check(const struct harness_front *front, struct err *err)
{
    CLEANUP(buf_free) struct buf output = { 0 };
    const char *const arguments[] = { "-q", "-t", "-c", front->configuration, NULL };
    int result = harness_run(NGINX, arguments, NULL, &output, err);
    return result > 0 ? err_set(err, ERR_CONFIG, "nginx -t left with %d", result) : result;
}

static int wait_until_it_listens(struct harness_front *front, struct err *err)
{
    for (int waited = 0; waited < START_MS; waited += LOOK_MS) {
        int fd = http_raw_connect(&front->address, NULL);
        if (fd >= 0) {
            close(fd);
            return 0;
        }
        if (waitpid(front->pid, NULL, WNOHANG) != 0) {
            front->pid = 0;
            break;
        }
        pause_ms(LOOK_MS);
    }
    CLEANUP(buf_free) struct buf output = { 0 };
    return read_file(front->output, &output, err) != 0
               ? ERR_UNAVAILABLE
               : err_set(err, ERR_UNAVAILABLE, "nginx does not listen: %s",
                         output.data ? output.data : "");
}

int harness_front_launch(struct harness_front *front, struct err *err)
{
    int output = open(front->output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (output < 0)
        return err_set_errno(err, ERR_IO, errno, "%s", front->output);
    char name[] = "nginx", option[] = "-c";
    char *const arguments[] = { name, option, front->configuration, NULL };
    const struct harness_child child = {
        .binary = NGINX,
        .arguments = arguments,
        .environment = environ,
        .output = output,
        .both_streams = true,
        .end_signal = SIGTERM, /* SIGKILL would leave its workers behind */
    };
    front->pid = harness_child_start(&child);
    close(output);
    if (front->pid < 0) {
        front->pid = 0;
        return err_set_errno(err, ERR_IO, errno, "fork");
    }
    return wait_until_it_listens(front, err);
}

void harness_front_fini(struct harness_front *front)
{
    if (front->pid > 0) {
        kill(front->pid, SIGTERM);
        int waited = 0;
        while (waitpid(front->pid, NULL, WNOHANG) == 0 && waited < STOP_MS) {
            pause_ms(LOOK_MS);
            waited += LOOK_MS;
        }
        if (waited >= STOP_MS) {
            kill(front->pid, SIGKILL);
            waitpid(front->pid, NULL, 0);
        }
        front->pid = 0;
    }
    if (front->folder[0])
        harness_remove_folder(front->folder);
    front->folder[0] = '\0';
}

struct http_client *harness_front_client(const struct harness_front *front)
{
    struct http_client *client = http_client_new(&front->address);
    http_client_use_tls(client, &front->tls);
    return client;
}
