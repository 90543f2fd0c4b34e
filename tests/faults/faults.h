/* Faults on demand: allocations, statements of the database, and its input and output. Nothing of
 * this is in the bot: malloc and its kin are overridden by the test program's own symbols, the
 * database's engine is wrapped, SQLite gets a file system of its own.
 *
 * One kind at a time: faults_arm, run, faults_disarm. Counting is over all threads. */
#ifndef FAULTS_FAULTS_H
#define FAULTS_FAULTS_H

#include "db/engine.h"

enum fault_kind {
    FAULT_ALLOCATION,       /* malloc, calloc, realloc, strdup... gives NULL */
    FAULT_STATEMENT_BEFORE, /* db_query, db_atomic: nothing was done */
    FAULT_STATEMENT_AFTER,  /* the same, but it was done and the answer is lost */
    FAULT_DISK,             /* SQLite reads, writes, syncs: an input/output error */
    FAULT_KINDS
};

extern const char *const fault_words[FAULT_KINDS];

/* The `nth` (from 1) event of this kind fails, and with `is_lasting` all that come after it. */
void faults_arm(enum fault_kind kind, int64_t nth, bool is_lasting);

/* Whether any failed since. */
bool faults_disarm(void);

/* Wraps the engine of `db` for FAULT_STATEMENT_*; one database at a time. */
void faults_wrap_engine(struct db *db);

/* Before the first database is opened: for FAULT_DISK. */
void faults_wrap_files(void);

/* For what makes faults: whether this event fails. */
bool faults_strike(enum fault_kind kind);

#endif
