/* Cooldowns: stored, so they survive restarts and hold across processes. A cooldown is used up only
 * by a call that did something: it commits with the money (ledger_post), or by itself after
 * success. */
#ifndef BRONX_COOLDOWN_H
#define BRONX_COOLDOWN_H

#include "bronx/command.h"

struct services;

/* The key of a command's cooldown: its path with spaces, "interest claim"; STR_NONE
 * without memory. */
struct str_view cooldown_key(const struct call *call);

/* 0 when the command may run (also for a replay of the interaction that used the cooldown), else
 * when it is over, in UTC milliseconds. Through the cache: a refusal is true, that it may run is
 * for the transaction to decide. */
int cooldown_ready_at(struct call *call, int64_t *ready_at_ms, struct err *err) MUST_CHECK;

/* The statement that uses the cooldown up, for the transaction of its command; expects one row, so
 * that of two concurrent calls one fails. cooldown_forget follows, whatever came of it. */
struct db_statement cooldown_statement(const struct call *call);

/* After a change of a person's cooldowns: the cache forgets what it knew of them. */
void cooldown_forget(const struct services *services, int64_t user_id);

/* Uses it up on its own; ERR_EXPECTATION when a concurrent call was first. */
int cooldown_use(struct call *call, struct err *err) MUST_CHECK;

#endif
