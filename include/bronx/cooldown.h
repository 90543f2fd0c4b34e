/* Cooldowns: stored, so they survive restarts and hold across processes. A cooldown is used up only
 * by a call that did something: it commits with the money (ledger_post), or by itself after
 * success. */
#ifndef BRONX_COOLDOWN_H
#define BRONX_COOLDOWN_H

#include "bronx/command.h"

/* The key of a command's cooldown: its path with spaces, "interest claim"; STR_NONE
 * without memory. */
struct str_view cooldown_key(const struct call *call);

/* 0 when the command may run (also for a replay of the interaction that used the cooldown), else
 * when it is over, in UTC milliseconds. */
int cooldown_ready_at(struct call *call, int64_t *ready_at_ms, struct err *err) MUST_CHECK;

/* The statement that uses the cooldown up, for the transaction of its command; expects one row, so
 * that of two concurrent calls one fails. */
struct db_statement cooldown_statement(const struct call *call);

/* Uses it up on its own; ERR_EXPECTATION when a concurrent call was first. */
int cooldown_use(struct call *call, struct err *err) MUST_CHECK;

#endif
