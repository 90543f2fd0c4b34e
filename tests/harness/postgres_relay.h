/* A relay before a PostgreSQL server that loses COMMITs: it reads enough of the protocol to find
 * them and cuts the connection at one of three moments. Threads: one of its own. */
#ifndef HARNESS_POSTGRES_RELAY_H
#define HARNESS_POSTGRES_RELAY_H

#include <stdbool.h>

enum relay_fault {
    RELAY_PASSES,
    RELAY_LOSES_COMMIT, /* the server never gets it */
    RELAY_LOSES_ANSWER, /* the server has committed; its answer is swallowed */
    RELAY_LOSES_TOUCH,  /* the server gets it, the client is cut off at once */
    RELAY_FAULTS
};

struct harness_relay;

/* Listens in `folder`, which must exist, as a server does and passes on to the one in
 * `server_folder`. NULL when it can't. `choose` is asked at each COMMIT, by the relay's thread. */
struct harness_relay *harness_relay_start(const char *folder, const char *server_folder,
                                          enum relay_fault (*choose)(void *context), void *context);
/* The connection that sends them is cut when so many more bytes have gone to the server; once. */
void harness_relay_cut_after(struct harness_relay *relay, long bytes);
void harness_relay_stop(struct harness_relay *relay); /* NULL allowed */

#endif
