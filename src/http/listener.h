/* Listening sockets: made here, served by server.c. A server only borrows a descriptor, so that one
 * inherited from a supervisor or from the process before serves as well as one made here. */
#ifndef HTTP_LISTENER_H
#define HTTP_LISTENER_H

#include "core/config.h"

/* A listening, non-blocking, close-on-exec descriptor the caller owns. A unix socket nobody answers
 * on is replaced; any other file at its path is left alone and refused. ERR_IO, ERR_UNAVAILABLE
 * when somebody else listens there. */
int listener_open(const struct listen_address *address, int *fd, struct err *err) MUST_CHECK;

/* Closes `fd` and removes the unix socket it was bound to. */
void listener_close(const struct listen_address *address, int fd);

/* Where `fd` listens: differs from the setting when that left the port to the system. */
int listener_address(int fd, struct listen_address *address, struct err *err) MUST_CHECK;

/* Lets this process open `connections` sockets beside `reserved` other files, by raising the soft
 * limit up to the hard one. ERR_CONFIG, naming HTTP_CONNECTIONS, when the hard limit is too low. */
int listener_raise_file_limit(int64_t connections, int64_t reserved, struct err *err) MUST_CHECK;

#endif
