/* Starting another program as a child that dies with its parent. */
#ifndef HARNESS_CHILD_H
#define HARNESS_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct harness_child {
    const char *binary;
    char *const *arguments;   /* with the program's name, ended by NULL */
    char *const *environment; /* ended by NULL */
    const char *folder;       /* its working directory; NULL: ours */
    int output;               /* becomes stdout, and stderr when both_streams */
    bool both_streams;
    int end_signal; /* what it gets when its parent's thread ends */
    /* A listening socket handed over as sd_listen_fds(3) describes: descriptor 3. `listen_pid` is
     * where the environment's LISTEN_PID has room for the digits of a process id: only the child
     * knows them. No socket: NULL. */
    int listen_fd;
    char *listen_pid;
};

#define HARNESS_LISTEN_PID_ROOM "LISTEN_PID=          "
#define HARNESS_LISTEN_PID_NAME 11 /* characters before the digits */

/* The child's process id, or -1 and errno. */
pid_t harness_child_start(const struct harness_child *child);

/* A status of waitpid as a shell shows it: the exit code, or 128 + the signal. */
int harness_exit_code(int status);

#endif
