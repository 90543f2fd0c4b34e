/* What a gate is, and those that stand in files of their own. */
#ifndef ROUTER_GATE_H
#define ROUTER_GATE_H

#include "router/router.h"

enum verdict { STOP = 0, PASS = 1 };

/* Lets a call pass or answers it; a negative code is a fault. */
typedef int gate(const struct router_settings *settings, struct call *call, struct err *err);

/* After call_refuse: the call counts as stopped by a gate. Returns STOP. */
int gate_stop(struct call *call);

/* Server and person settings, for the gates below and for handlers (gates_settings.c). */
gate gate_settings;
/* What the server's admins decided. */
gate gate_switch, gate_channel, gate_account_age;
/* What the person decided: a break from games. */
gate gate_break;

#endif
