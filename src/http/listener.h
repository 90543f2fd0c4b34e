/* Listening sockets: made here, or inherited from the supervisor that started this process and
 * keeps them while one process follows another, so that nobody is refused in between. Served by
 * server.c, which only borrows the descriptor. */
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

/* The sockets this program serves, and what a supervisor calls them in LISTEN_FDNAMES. */
enum listener_use {
    LISTENER_WEBHOOK, /* "http", or whatever is not called otherwise here */
    LISTENER_ADMIN,   /* "admin" */
};

/* The descriptor a supervisor opened for this process and this use, as sd_listen_fds(3) describes:
 * listening, made non-blocking and close-on-exec. `*fd` -1 when there is none. ERR_CONFIG when it
 * can't be served, or when there is more than one for a use: it would never be answered. */
int listener_inherit(enum listener_use use, int *fd, struct err *err) MUST_CHECK;

struct listener {
    int fd;                        /* -1: none */
    bool is_inherited;             /* the supervisor's as well: its path stays when we leave */
    struct listen_address address; /* where it listens in fact */
};

#define LISTENER_NONE ((struct listener){ .fd = -1 })

/* The inherited socket for `use`, else one of our own on `setting`. After a failure
 * listener_release is still due. */
int listener_acquire(struct listener *listener, enum listener_use use,
                     const struct listen_address *setting, struct err *err) MUST_CHECK;
void listener_release(struct listener *listener);

/* Lets this process open `connections` sockets beside `reserved` other files, by raising the soft
 * limit up to the hard one. ERR_CONFIG, naming HTTP_CONNECTIONS, when the hard limit is too low. */
int listener_raise_file_limit(int64_t connections, int64_t reserved, struct err *err) MUST_CHECK;

#endif
