/* The gates before a handler: each may let a call pass or answer it. */
#ifndef ROUTER_GATES_H
#define ROUTER_GATES_H

#include "router/router.h"

/* 1 when every gate let the call pass, 0 when one has answered it, or a negative code for a fault.
 */
int gates_pass(const struct router_settings *settings, struct call *call,
               struct err *err) MUST_CHECK;

#endif
