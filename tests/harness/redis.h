/* A real redis-server of a test's own: a temporary folder, a unix socket and, when asked, a port of
 * loopback. It ends with the test's thread that started it. One thread at a time. */
#ifndef HARNESS_REDIS_H
#define HARNESS_REDIS_H

#include "bronx/err.h"
#include "core/config.h"

#include <sys/types.h>

struct harness_redis_options {
    const char *password; /* of the default user; NULL: none is asked for */
    bool uses_tcp;
};

struct harness_redis {
    struct harness_redis_options options; /* what it points at outlives the server */
    char folder[64], socket[96], log_path[96];
    uint16_t port; /* 0 without uses_tcp */
    pid_t pid;     /* 0 while not running */
};

/* Makes the folder; starts nothing. harness_redis_fini is due also after a failure. */
int harness_redis_init(struct harness_redis *redis, const struct harness_redis_options *options,
                       struct err *err) MUST_CHECK;

/* Starts the server on what is in the folder, and waits until it accepts connections. */
int harness_redis_launch(struct harness_redis *redis, struct err *err) MUST_CHECK;

/* SIGSTOP and SIGCONT. */
void harness_redis_freeze(const struct harness_redis *redis);
void harness_redis_thaw(const struct harness_redis *redis);

/* SIGTERM (which saves nothing) or SIGKILL, and waits for the end. */
void harness_redis_stop(struct harness_redis *redis);
void harness_redis_kill(struct harness_redis *redis);

/* `unix://[:password@]SOCKET?db=database` or, with uses_tcp, its redis:// counterpart. */
void harness_redis_url(const struct harness_redis *redis, int database, char *out, size_t size);

/* Kills what runs and removes the folder; fit for CLEANUP. */
void harness_redis_fini(struct harness_redis *redis);

#endif
