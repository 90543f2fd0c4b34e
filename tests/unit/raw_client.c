#include "raw_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define GIVE_UP_SECONDS 20

int client_connect(const struct listen_address *address)
{
    const struct timeval give_up = { .tv_sec = GIVE_UP_SECONDS };
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
        struct sockaddr_un path;
    } target = { 0 };
    socklen_t size;
    if (address->is_unix) {
        target.path.sun_family = AF_UNIX;
        memcpy(target.path.sun_path, address->text, strlen(address->text) + 1);
        size = sizeof(target.path);
    } else if (address->is_ipv6) {
        target.ipv6.sin6_family = AF_INET6;
        target.ipv6.sin6_port = htons(address->port);
        inet_pton(AF_INET6, address->text, &target.ipv6.sin6_addr);
        size = sizeof(target.ipv6);
    } else {
        target.ipv4.sin_family = AF_INET;
        target.ipv4.sin_port = htons(address->port);
        inet_pton(AF_INET, address->text, &target.ipv4.sin_addr);
        size = sizeof(target.ipv4);
    }
    int fd = socket(target.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &give_up, sizeof(give_up));
    if (connect(fd, &target.any, size) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

bool client_send(int fd, const char *text)
{
    size_t length = strlen(text);
    return send(fd, text, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static int read_byte(int fd, struct buf *into)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);
    if (got == 1)
        buf_append_char(into, byte);
    return got == 1 ? 1 : got == 0 ? 0 : -1;
}

int client_read(int fd, struct buf *head_out, struct buf *body_out)
{
    CLEANUP(buf_free) struct buf own_head = { 0 };
    CLEANUP(buf_free) struct buf own_body = { 0 };
    struct buf *head = head_out ? head_out : &own_head;
    struct buf *body = body_out ? body_out : &own_body;
    buf_clear(head);
    buf_clear(body);
    while (!head->data || !strstr(head->data, "\r\n\r\n")) {
        int got = read_byte(fd, head);
        if (got <= 0)
            return head->length == 0 && got == 0 ? 0 : -1;
    }
    const char *length_line = strcasestr(head->data, "\r\nContent-Length: ");
    long length = length_line ? strtol(length_line + 18, NULL, 10) : 0;
    while ((long)body->length < length)
        if (read_byte(fd, body) <= 0)
            return -1;
    return str_starts_with(buf_view(head), STR("HTTP/1.1 ")) ? (int)strtol(head->data + 9, NULL, 10)
                                                             : -1;
}

int client_ask(int fd, const char *text, struct buf *body)
{
    return client_send(fd, text) ? client_read(fd, NULL, body) : -1;
}

bool client_sees_close(int fd)
{
    char bytes[256];
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        ;
    /* A reset: the server had not read everything. */
    return got == 0 || errno == ECONNRESET;
}
