/* `bronxbot serve` and `bronxbot worker`: all parts together, from the first setting to the last
 * answer. */
#ifndef SERVE_H
#define SERVE_H

#include "core/config.h"

/* Descriptors that are not connections: database, logs, event loops, listening sockets. */
#define SERVE_OTHER_FILES 256

/* Serves until SIGTERM or SIGINT, which must be blocked in every thread; returns 0 after a clean
 * stop, or a negative code and the reason why the bot could not start. */
int serve(const struct config *config, struct err *err) MUST_CHECK;

/* The same without the webhook: runs and sends what processes that share the database have stored.
 * ERR_UNAVAILABLE when the database can't be shared and is taken. */
int work(const struct config *config, struct err *err) MUST_CHECK;

#endif
