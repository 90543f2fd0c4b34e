/* Threads: one accepts, one serves each connection. `lock` guards everything in the server and is
 * held while a script runs. A stop shuts all sockets down, which wakes every thread. */
#include "harness/script_server.h"

#include "harness/memory.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define REQUEST_MAX     ((size_t)32 * 1024 * 1024)

struct script_server {
    script *run;
    void *context;
    int listen_fd;
    uint16_t port;
    char url[64];
    pthread_t accepter;
    pthread_mutex_t lock;
    pthread_cond_t has_changed;
    int fds[CONNECTIONS_MAX]; /* -1: ended */
    int connection_count;     /* ever */
    int open_count;
    bool is_stopping;
};

struct connection {
    struct script_server *server;
    int number; /* from 1 */
    int fd;
    struct buf input;
};

struct str_view script_header(const struct script_request *request, const char *name)
{
    struct str_view rest = request->head, line;
    while (str_split(&rest, '\n', &line)) {
        struct str_view field;
        if (str_split(&line, ':', &field) && str_equal_ignoring_case(field, str_from(name)))
            return str_trim(line);
    }
    return STR_NONE;
}

/* Reads more; false at the end of the connection. */
static bool receive(struct connection *connection)
{
    char bytes[16384];
    ssize_t got = recv(connection->fd, bytes, sizeof(bytes), 0);
    if (got <= 0 || connection->input.length > REQUEST_MAX)
        return false;
    buf_append_bytes(&connection->input, bytes, (size_t)got);
    must_hold(&connection->input);
    return true;
}

/* Waits for one whole request; `*size` is its length in the input. */
static bool read_request(struct connection *connection, struct script_request *request,
                         size_t *size)
{
    const char *end;
    struct buf *input = &connection->input;
    while (input->length == 0 || !(end = memmem(input->data, input->length, "\r\n\r\n", 4)))
        if (!receive(connection))
            return false;
    size_t head_length = (size_t)(end - input->data) + 4;
    int64_t body_length = 0;
    *request = (struct script_request){ .head = { input->data, head_length },
                                        .connection = connection->number };
    struct str_view length = script_header(request, "Content-Length");
    if (length.data && str_to_uint63(length, &body_length) != 0)
        return false;
    *size = head_length + (size_t)body_length;
    while (input->length < *size)
        if (!receive(connection))
            return false;
    request->head = (struct str_view){ input->data, head_length };
    request->body = (struct str_view){ input->data + head_length, (size_t)body_length };
    struct str_view line = request->head;
    return str_split(&line, ' ', &request->method) && str_split(&line, ' ', &request->path);
}

static bool send_answer(struct connection *connection, const struct script_answer *answer)
{
    CLEANUP(buf_free) struct buf out = { 0 };
    buf_append_format(&out, "HTTP/1.1 %d Scripted\r\n%sContent-Length: %zu\r\n\r\n",
                      answer->status ? answer->status : 200,
                      answer->headers ? answer->headers : "Content-Type: application/json\r\n",
                      answer->body.length);
    buf_append(&out, buf_view(&answer->body));
    must_hold(&out);
    for (size_t sent = 0; sent < out.length;) {
        ssize_t more = send(connection->fd, out.data + sent, out.length - sent, MSG_NOSIGNAL);
        if (more <= 0)
            return false;
        sent += (size_t)more;
    }
    return true;
}

static void reset(struct connection *connection)
{
    const struct linger linger = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* False when the connection is to be closed. */
static bool serve_one(struct connection *connection)
{
    struct script_server *server = connection->server;
    struct script_request request;
    size_t size;
    if (!read_request(connection, &request, &size))
        return false;
    struct script_answer answer = { 0 };
    pthread_mutex_lock(&server->lock);
    server->run(server->context, &request, &answer);
    pthread_cond_broadcast(&server->has_changed);
    pthread_mutex_unlock(&server->lock);
    memmove(connection->input.data, connection->input.data + size,
            connection->input.length - size + 1);
    connection->input.length -= size;
    bool goes_on = answer.fate == SCRIPT_ANSWER && send_answer(connection, &answer);
    if (answer.fate == SCRIPT_RESET)
        reset(connection);
    while (answer.fate == SCRIPT_STALL && receive(connection))
        continue;
    buf_free(&answer.body);
    return goes_on;
}

static void *serve_connection(void *argument)
{
    struct connection *connection = argument;
    struct script_server *server = connection->server;
    while (serve_one(connection))
        continue;
    pthread_mutex_lock(&server->lock);
    server->fds[connection->number - 1] = -1;
    close(connection->fd);
    server->open_count--;
    pthread_cond_broadcast(&server->has_changed);
    pthread_mutex_unlock(&server->lock);
    buf_free(&connection->input);
    free(connection);
    return NULL;
}

/* With the lock held. */
static void start_connection(struct script_server *server, int fd)
{
    if (server->is_stopping || server->connection_count == CONNECTIONS_MAX) {
        close(fd);
        return;
    }
    struct connection *connection = must_allocate(1, sizeof(*connection));
    server->fds[server->connection_count++] = fd;
    server->open_count++;
    *connection = (struct connection){ server, server->connection_count, fd, { 0 } };
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, serve_connection, connection) != 0)
        abort();
    pthread_attr_destroy(&attributes);
}

static void *accept_all(void *argument)
{
    struct script_server *server = argument;
    int fd;
    while ((fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        pthread_mutex_lock(&server->lock);
        start_connection(server, fd);
        pthread_mutex_unlock(&server->lock);
    }
    return NULL;
}

struct script_server *script_server_start(uint16_t port, script *run, void *context)
{
    struct script_server *server = must_allocate(1, sizeof(*server));
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    socklen_t length = sizeof(address);
    int on = 1;
    server->run = run;
    server->context = context;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(server->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(server->listen_fd, (const struct sockaddr *)&address, length) != 0 ||
        listen(server->listen_fd, SOMAXCONN) != 0 ||
        getsockname(server->listen_fd, (struct sockaddr *)&address, &length) != 0) {
        perror("script server");
        abort();
    }
    server->port = ntohs(address.sin_port);
    snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d/api", server->port);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->has_changed, NULL);
    if (pthread_create(&server->accepter, NULL, accept_all, server) != 0)
        abort();
    return server;
}

void script_server_stop(struct script_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->is_stopping = true;
    pthread_mutex_unlock(&server->lock);
    shutdown(server->listen_fd, SHUT_RDWR);
    pthread_join(server->accepter, NULL);
    pthread_mutex_lock(&server->lock);
    for (int i = 0; i < server->connection_count; i++)
        if (server->fds[i] >= 0)
            shutdown(server->fds[i], SHUT_RDWR);
    while (server->open_count > 0)
        pthread_cond_wait(&server->has_changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
    close(server->listen_fd);
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->has_changed);
    free(server);
}

uint16_t script_server_port(const struct script_server *server)
{
    return server->port;
}

const char *script_server_url(const struct script_server *server)
{
    return server->url;
}

void script_server_wait(struct script_server *server, bool (*is_true)(void *context))
{
    pthread_mutex_lock(&server->lock);
    while (!is_true(server->context))
        pthread_cond_wait(&server->has_changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
}
