/* A real nginx in front of bots under test, with the configuration of the tree's nginx/ folder:
 * only its addresses, paths and certificate are replaced by those of a temporary folder. It runs as
 * the current user and ends with its parent. One thread at a time. */
#ifndef HARNESS_FRONT_H
#define HARNESS_FRONT_H

#include "harness/http_client.h"

#include <sys/types.h>

#define HARNESS_FRONT_HOST      "bot.example.org" /* as the files in nginx/ say */
#define HARNESS_FRONT_LOCALHOST "localhost"
#define HARNESS_FRONT_INSTANCES 3

struct harness_front_options {
    const char *nginx_folder; /* the tree's */
    /* Bots on unix sockets, those that are not there NULL: upstream-one.conf for one,
     * upstream-fleet.conf for more. */
    const struct listen_address *instances[HARNESS_FRONT_INSTANCES];
};

struct harness_front {
    struct listen_address address;      /* HTTPS */
    struct listen_address http_address; /* what is port 80 outside of tests */
    struct http_tls tls;                /* for clients */
    char folder[64];
    char certificate[128], configuration[96], access_log[96], error_log[96];
    char output[96]; /* what nginx says before it has a log */
    pid_t pid;
};

/* Makes the folder, the certificate and the configuration. After a failure harness_front_fini is
 * still due. */
int harness_front_init(struct harness_front *front, const struct harness_front_options *options,
                       struct err *err) MUST_CHECK;

/* Instead of harness_front_init: TLS with HTTP/2 in front of what listens on `port` of 127.0.0.1,
 * as Discord's own front is, under the name HARNESS_FRONT_LOCALHOST. A line of access_log is
 * "PROTOCOL CONNECTION METHOD". */
int harness_front_init_plain(struct harness_front *front, const char *nginx_folder, uint16_t port,
                             struct err *err) MUST_CHECK;

/* `nginx -t`: ERR_CONFIG when it refuses the configuration; the reason is on stderr. */
int harness_front_check(const struct harness_front *front, struct err *err) MUST_CHECK;

/* Starts nginx and waits until it accepts connections. */
int harness_front_launch(struct harness_front *front, struct err *err) MUST_CHECK;

/* Ends nginx and removes the folder; fit for CLEANUP. */
void harness_front_fini(struct harness_front *front);

/* A client that speaks HTTPS to it. */
struct http_client *harness_front_client(const struct harness_front *front);

#endif
