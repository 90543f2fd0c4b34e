/* The reply budget: how long a handler may take before its interaction is answered "deferred".
 *
 * Every entry waits equally long, so a list in order of arrival is in order of deadline: starting,
 * cancelling and expiring cost the same however many wait. */
#ifndef ROUTER_BUDGET_H
#define ROUTER_BUDGET_H

#include "bronx/clock.h"

#include <stdbool.h>

struct budget;

/* Embedded in whatever waits. */
struct budget_entry {
    void (*expired)(struct budget_entry *entry); /* on the budget's thread; must not block */
    struct budget_entry *previous, *next;
    int64_t deadline_us; /* monotonic */
    bool is_waiting;
};

/* Starts the thread. ERR_MEMORY, ERR_IO. */
int budget_new(struct budget **budget, int64_t delay_ms, const struct clock *clock,
               struct err *err) MUST_CHECK;

void budget_start(struct budget *budget, struct budget_entry *entry);

/* True: `expired` will never be called. False: it was called or is being called, or the entry never
 * waited. */
bool budget_cancel(struct budget *budget, struct budget_entry *entry);

/* Expires what still waits, ends the thread. NULL allowed. */
void budget_free(struct budget *budget);

#endif
