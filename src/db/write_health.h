/* Whether the database takes writes, as its latest ones showed: a full disk, or a server that has
 * become a standby, still answers every read. Said in the log once when it begins and once when it
 * is over. Any thread may enter; a write that succeeds while all is well costs one look. */
#ifndef DB_WRITE_HEALTH_H
#define DB_WRITE_HEALTH_H

#include "bronx/err.h"

#include "core/log_sink.h"

#include <pthread.h>
#include <stdatomic.h>

struct write_health {
    atomic_bool is_failing;
    pthread_mutex_t lock; /* guards the following, and changes of is_failing */
    int64_t failed_us;    /* monotonic: the latest failure */
};

void write_health_init(struct write_health *health);
void write_health_fini(struct write_health *health);

/* A write has ended: 0, or a negative enum err_code with its reason. `log` may be NULL. */
void write_health_note(struct write_health *health, int result, const struct err *err,
                       struct log_sink *log);

bool write_health_is_good(const struct write_health *health);

#endif
