/* Both directions are streams of messages: a type, a length, a body; only the client's first has no
 * type. Messages are passed on when they are complete. */
#include "harness/postgres_relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME ".s.PGSQL.5432"
#define PAIRS_MAX   64
#define STREAM_MAX  65536

struct stream {
    int from, to;
    bool is_first; /* the next message has no type */
    size_t length;
    unsigned char bytes[STREAM_MAX];
};

struct pair {
    struct stream up, down; /* to the server, to the client */
    bool loses_answer;
};

struct harness_relay {
    enum relay_fault (*choose)(void *context);
    void *context;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char server_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int listener;
    int stop_fds[2];
    pthread_t thread;
    long bytes_left; /* until the cut; 0: none is due */
    struct pair *pairs[PAIRS_MAX];
    int count;
};

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return address;
}

static void accept_one(struct harness_relay *relay)
{
    struct sockaddr_un address = address_of(relay->server_path);
    int client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pair *pair = calloc(1, sizeof(*pair));
    if (client < 0 || server < 0 || !pair || relay->count == PAIRS_MAX ||
        connect(server, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(client);
        close(server);
        free(pair);
        return;
    }
    pair->up = (struct stream){ .from = client, .to = server, .is_first = true };
    pair->down.from = server;
    pair->down.to = client;
    relay->pairs[relay->count++] = pair;
}

static bool send_bytes(int fd, const unsigned char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* 0 while it is not complete. */
static size_t message_length(const struct stream *stream)
{
    size_t head = stream->is_first ? 0 : 1;
    uint32_t length;
    if (stream->length < head + sizeof(length))
        return 0;
    memcpy(&length, stream->bytes + head, sizeof(length));
    size_t whole = head + ntohl(length);
    return stream->length >= whole ? whole : 0;
}

/* Parse of an unnamed COMMIT, and the server's CommandComplete for it. */
static bool is_commit(const unsigned char *message, size_t length)
{
    static const char text[] = "\0COMMIT";
    return length >= 5 + sizeof(text) && message[0] == 'P' &&
           memcmp(message + 5, text, sizeof(text)) == 0;
}

static bool is_committed(const unsigned char *message, size_t length)
{
    return length == 5 + sizeof("COMMIT") && message[0] == 'C' &&
           memcmp(message + 5, "COMMIT", sizeof("COMMIT")) == 0;
}

/* False when the connection is to be cut. What follows a lost COMMIT is lost, too. */
static bool pass_message(struct harness_relay *relay, struct pair *pair, struct stream *stream,
                         size_t length)
{
    bool is_up = stream == &pair->up;
    if (is_up && !stream->is_first && is_commit(stream->bytes, length)) {
        switch (relay->choose(relay->context)) {
        case RELAY_LOSES_COMMIT:
            return false;
        case RELAY_LOSES_ANSWER:
            pair->loses_answer = true;
            break;
        case RELAY_LOSES_TOUCH:
            /* All of it, for the client sent it in one piece. */
            (void)send_bytes(stream->to, stream->bytes, stream->length);
            return false;
        default:
            break;
        }
    }
    if (!is_up && pair->loses_answer && is_committed(stream->bytes, length))
        return false;
    stream->is_first = false;
    return send_bytes(stream->to, stream->bytes, length);
}

/* True when the cut is due with these bytes. */
static bool is_cut(struct harness_relay *relay, long bytes)
{
    long left = __atomic_load_n(&relay->bytes_left, __ATOMIC_RELAXED);
    if (left == 0)
        return false;
    __atomic_store_n(&relay->bytes_left, bytes < left ? left - bytes : 0, __ATOMIC_RELAXED);
    return bytes >= left;
}

static bool pass(struct harness_relay *relay, struct pair *pair, struct stream *stream)
{
    ssize_t got = recv(stream->from, stream->bytes + stream->length,
                       sizeof(stream->bytes) - stream->length, 0);
    if (got <= 0 || (stream == &pair->up && is_cut(relay, got)))
        return false;
    stream->length += (size_t)got;
    for (size_t length; (length = message_length(stream)) > 0;) {
        if (!pass_message(relay, pair, stream, length))
            return false;
        stream->length -= length;
        memmove(stream->bytes, stream->bytes + length, stream->length);
    }
    return true;
}

static void drop(struct harness_relay *relay, int position)
{
    struct pair *pair = relay->pairs[position];
    close(pair->up.from);
    close(pair->down.from);
    free(pair);
    relay->pairs[position] = relay->pairs[--relay->count];
}

static void *run(void *argument)
{
    struct harness_relay *relay = argument;
    for (;;) {
        struct pollfd watched[2 * PAIRS_MAX + 2];
        for (int i = 0; i < relay->count; i++) {
            watched[2 * i] = (struct pollfd){ relay->pairs[i]->up.from, POLLIN, 0 };
            watched[2 * i + 1] = (struct pollfd){ relay->pairs[i]->down.from, POLLIN, 0 };
        }
        int pairs = relay->count;
        watched[2 * pairs] = (struct pollfd){ relay->listener, POLLIN, 0 };
        watched[2 * pairs + 1] = (struct pollfd){ relay->stop_fds[0], POLLIN, 0 };
        if (poll(watched, (nfds_t)(2 * pairs + 2), -1) < 0)
            continue;
        if (watched[2 * pairs + 1].revents)
            return NULL;
        /* From the end: dropping one moves the last into its place. */
        for (int i = pairs - 1; i >= 0; i--) {
            struct pair *pair = relay->pairs[i];
            if ((watched[2 * i].revents && !pass(relay, pair, &pair->up)) ||
                (watched[2 * i + 1].revents && !pass(relay, pair, &pair->down)))
                drop(relay, i);
        }
        if (watched[2 * pairs].revents)
            accept_one(relay);
    }
}

struct harness_relay *harness_relay_start(const char *folder, const char *server_folder,
                                          enum relay_fault (*choose)(void *context), void *context)
{
    struct harness_relay *relay = calloc(1, sizeof(*relay));
    if (!relay)
        return NULL;
    relay->choose = choose;
    relay->context = context;
    snprintf(relay->path, sizeof(relay->path), "%s/" SOCKET_NAME, folder);
    snprintf(relay->server_path, sizeof(relay->server_path), "%s/" SOCKET_NAME, server_folder);
    struct sockaddr_un address = address_of(relay->path);
    relay->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (relay->listener < 0 || pipe(relay->stop_fds) != 0 ||
        bind(relay->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(relay->listener, PAIRS_MAX) != 0 ||
        pthread_create(&relay->thread, NULL, run, relay) != 0) {
        free(relay);
        return NULL;
    }
    return relay;
}

void harness_relay_cut_after(struct harness_relay *relay, long bytes)
{
    __atomic_store_n(&relay->bytes_left, bytes, __ATOMIC_RELAXED);
}

void harness_relay_stop(struct harness_relay *relay)
{
    if (!relay)
        return;
    (void)!write(relay->stop_fds[1], "x", 1);
    pthread_join(relay->thread, NULL);
    while (relay->count > 0)
        drop(relay, relay->count - 1);
    close(relay->listener);
    close(relay->stop_fds[0]);
    close(relay->stop_fds[1]);
    unlink(relay->path);
    free(relay);
}
