/* A PostgreSQL server of a test's own: in a temporary folder, on a unix socket, as an unprivileged
 * user (PostgreSQL refuses root). It dies with the process that started it, whatever way that ends,
 * and its folder is removed then. One thread at a time; the one that starts it must outlive it. */
#ifndef HARNESS_POSTGRES_H
#define HARNESS_POSTGRES_H

#include <stdbool.h>
#include <sys/types.h>

#define HARNESS_POSTGRES_PATH 64

struct harness_postgres {
    char folder[HARNESS_POSTGRES_PATH]; /* the socket's, with the data below */
    pid_t process;                      /* 0: not running */
    int watcher_fd;                     /* closed by our end, which removes the folder */
    pid_t watcher;
    bool has_fsync;
    const char *disk; /* see harness_postgres_start_on */
};

/* Starts an empty server (role "bronxbot", database "postgres", no password) and returns when it
 * takes connections. False, with a line on stderr, when it can't. Without `has_fsync` it is faster
 * and forgets what it had when the machine, not it, is killed. */
bool harness_postgres_start(struct harness_postgres *server, bool has_fsync);

/* The same with its data on a small file system of its own, mounted with these options of tmpfs
 * ("size=96m"); NULL: without. The caller may mount. */
bool harness_postgres_start_on(struct harness_postgres *server, bool has_fsync, const char *disk);

/* False when it has ended by itself. */
bool harness_postgres_is_running(struct harness_postgres *server);

/* Stops it like an operator does, and starts it again with the same data. */
void harness_postgres_stop(struct harness_postgres *server);
void harness_postgres_kill(struct harness_postgres *server); /* all of its processes, SIGKILL */
bool harness_postgres_restart(struct harness_postgres *server);

/* SIGSTOP and SIGCONT to all of its processes: it accepts connections and says nothing. */
void harness_postgres_freeze(struct harness_postgres *server);
void harness_postgres_thaw(struct harness_postgres *server);

/* Ends it and removes its folder. Never started (all zero) allowed. */
void harness_postgres_fini(struct harness_postgres *server);

#endif
