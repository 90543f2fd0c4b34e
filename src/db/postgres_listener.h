/* struct db_listener of engine.h: a connection of its own that hears what is said on one channel.
 */
#ifndef DB_POSTGRES_LISTENER_H
#define DB_POSTGRES_LISTENER_H

#include "db/engine.h"
#include "db/postgres_connection.h"

struct postgres_listener_settings {
    const struct postgres_target *target; /* outlives it */
    const char *channel;                  /* an SQL identifier; static storage */
    db_heard *heard;
    void *context;
    struct metrics *metrics; /* may be NULL */
    struct log_sink *log;    /* may be NULL */
};

/* Puts one before those in `*listeners` and starts its thread, which connects. ERR_MEMORY, ERR_IO.
 */
int postgres_listener_new(struct db_listener **listeners,
                          const struct postgres_listener_settings *settings,
                          struct err *err) MUST_CHECK;

/* `heard` is not called any more; the thread ends when it can. */
void postgres_listener_stop(struct db_listener *listener);

/* All in the list, once their threads have ended: one may just be opening a connection. */
void postgres_listener_free_all(struct db_listener *listeners);

/* Whether what others say now is heard. From any thread. */
bool postgres_listener_is_hearing(const struct db_listener *listener);

#endif
