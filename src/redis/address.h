/* REDIS_URL taken apart. */
#ifndef REDIS_ADDRESS_H
#define REDIS_ADDRESS_H

#include "bronx/err.h"
#include "bronx/text.h"

#define REDIS_PORT_DEFAULT    6379
#define REDIS_HOST_SIZE       256 /* a DNS name has at most 253 characters */
#define REDIS_CREDENTIAL_SIZE 256
#define REDIS_DATABASE_MAX    1023

struct redis_address {
    bool is_unix;
    char host[REDIS_HOST_SIZE]; /* name, IPv4, IPv6 without brackets, or the socket's path */
    int port;
    int database;
    char user[REDIS_CREDENTIAL_SIZE];     /* "": Redis's default user */
    char password[REDIS_CREDENTIAL_SIZE]; /* "": no AUTH */
    int timeout_ms; /* no part of the URL: how long an answer may take; 0: REDIS_TIMEOUT_MS */
};

/* `redis://[[user]:password@]host[:port][/database]` or
 * `unix://[[user]:password@]/path[?db=database]`, user and password with %XX. ERR_CONFIG with a
 * reason that quotes nothing of the URL, also for rediss://. */
int redis_address_parse(struct str_view url, struct redis_address *address,
                        struct err *err) MUST_CHECK;

#endif
