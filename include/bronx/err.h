/* The error object: why something failed, in words for a programmer or an operator.
 *
 * Functions that can fail return 0 or a negative `enum err_code` and leave the reason in a
 * `struct err` the caller owns (usually on its stack). The sentence a person in Discord reads is a
 * different text: see command.h. */
#ifndef BRONX_ERR_H
#define BRONX_ERR_H

#include "bronx/cleanup.h"

/* name, value, the word used in logs */
#define ERR_CODES(X)                                                                               \
    X(ERR_MEMORY, -1, "out_of_memory")     /* an allocation failed */                              \
    X(ERR_INVALID, -2, "invalid")          /* the input breaks its own format */                   \
    X(ERR_LIMIT, -3, "limit")              /* larger than a named limit allows */                  \
    X(ERR_NOT_FOUND, -4, "not_found")      /* what was asked for does not exist */                 \
    X(ERR_DUPLICATE, -5, "duplicate")      /* a UNIQUE constraint said no */                       \
    X(ERR_CHECK, -6, "check")              /* a CHECK, NOT NULL or FOREIGN KEY said no */          \
    X(ERR_EXPECTATION, -7, "expectation")  /* a statement touched another number of rows */        \
    X(ERR_BUSY, -8, "busy")                /* a queue or lock is full or held: try again */        \
    X(ERR_UNAVAILABLE, -9, "unavailable")  /* a needed service can't be reached */                 \
    X(ERR_IO, -10, "io")                   /* the operating system refused */                      \
    X(ERR_CONFIG, -11, "config")           /* an operator's setting is wrong */                    \
    X(ERR_STOPPED, -12, "stopped")         /* the part is shutting down */                         \
    X(ERR_INTERNAL, -13, "internal")       /* a rule of our own was broken */                      \
    X(ERR_DEFERRAL, -14, "deferral")       /* an answer that can only be sent as an edit */        \
    X(ERR_UNKNOWN, -15, "outcome_unknown") /* done or not, nobody can tell: see bronx/db.h */

enum err_code {
#define X(name, value, word) name = (value),
    ERR_CODES(X)
#undef X
};

#define ERR_MESSAGE_SIZE 256

struct err {
    int code;  /* 0, or an enum err_code */
    int index; /* which of several items failed (a db_atomic statement), or -1 */
    char message[ERR_MESSAGE_SIZE]; /* UTF-8, cut at a character when too long */
};

/* Sets the reason and returns `code`, so that `return err_set(err, ERR_X, "...")` reads as one
 * step. A NULL `err` is allowed everywhere: the caller does not care why. */
int err_set(struct err *err, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " before the reason that is there and returns its code. */
int err_wrap(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Like err_set, with the reason for the operating system's error `number` (an errno) appended. */
int err_set_errno(struct err *err, int code, int number, const char *format, ...) PRINTF_LIKE(4, 5);

/* The word for a code ("duplicate"); "ok" for 0. Static storage. */
const char *err_code_word(int code);

#endif
