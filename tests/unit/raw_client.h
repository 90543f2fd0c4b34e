/* A plain blocking HTTP client for tests: sends exactly the bytes it is told to. */
#ifndef TESTS_RAW_CLIENT_H
#define TESTS_RAW_CLIENT_H

#include "core/config.h"

/* A connected socket, or -1. Reading gives up after some seconds, so that a server that does not
 * answer fails the test instead of hanging it. */
int client_connect(const struct listen_address *address);

bool client_send(int fd, const char *text);

/* Reads one answer. Its status, or 0 when the connection was closed instead; -1 when neither came.
 * `head` and `body` (NULL allowed) are overwritten. */
int client_read(int fd, struct buf *head, struct buf *body);

/* client_send and client_read. */
int client_ask(int fd, const char *text, struct buf *body);

/* Whether the server closes the connection. Skips what it sends before: libmicrohttpd 0.9.75 writes
 * the head of its own 400 for a malformed Content-Length twice. */
bool client_sees_close(int fd);

#endif
