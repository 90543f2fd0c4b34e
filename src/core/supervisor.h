/* Telling whoever started this process how it is: the datagrams of sd_notify(3), so that systemd,
 * or a test that plays it, knows when a start is complete and when a stop has begun. */
#ifndef CORE_SUPERVISOR_H
#define CORE_SUPERVISOR_H

#include "bronx/err.h"

/* Sends `state`, lines such as "READY=1", to the socket NOTIFY_SOCKET names. 0 as well when the
 * variable is unset: nobody waits. ERR_CONFIG when it names no unix socket, ERR_IO. Must not be
 * called while the environment is being changed. */
int supervisor_notify(const char *state, struct err *err) MUST_CHECK;

#endif
