/* The bot under test as a process of its own: a temporary folder with its database, sockets and
 * log; started, stopped, killed and started again on the same data.
 *
 * The bot's clock is the system's plus `*shift_ms`, a shared file both map (CLOCK_SHIFT_FILE).
 * The process dies with its parent. One thread at a time, except harness_bot_now_ms. */
#ifndef HARNESS_BOT_PROCESS_H
#define HARNESS_BOT_PROCESS_H

#include "bronx/err.h"
#include "core/config.h"
#include "harness/keys.h"

#include <sys/types.h>

#define HARNESS_APPLICATION_ID INT64_C(1000000000000000001)
#define HARNESS_READY_MS       60000 /* from start to ready: far longer than it takes */
#define HARNESS_STOP_MS                                                                            \
    30000 /* the bot promises to leave within 10 s of SIGTERM; machines stand still */

struct harness_bot_options {
    const char *binary;             /* path of bronxbot */
    const unsigned char *key_seed;  /* see harness_keys_make; NULL: random */
    bool uses_tcp;                  /* LISTEN on a free port of 127.0.0.1, else a unix socket */
    const char *const *environment; /* more "NAME=value" lines ended by NULL (may be NULL); they
                                       win over the harness's own */
    bool is_worker;                 /* `bronxbot worker`: it has no LISTEN */
    bool keeps_socket;              /* the harness holds the listening unix socket and hands it to
                                       each start, as systemd does */
    bool keeps_folder;              /* leave the folder behind for a look */
};

struct harness_bot {
    struct harness_bot_options options; /* what it points at outlives the bot */
    struct harness_keys keys;
    struct listen_address listen, admin_listen;
    char folder[64];   /* temporary; also the bot's working directory */
    char log_path[96]; /* everything the bot writes to stdout and stderr */
    int64_t *shift_ms; /* milliseconds the bot's clock is ahead: see harness_bot_shift */
    int listen_fd;     /* the socket with keeps_socket, else -1 */
    pid_t pid;         /* 0 while not running */
    int64_t ready_ms;  /* how long the last start took */
};

/* Makes the folder, the keys, the addresses and the clock file; starts nothing. After a failure
 * harness_bot_fini is still due. */
int harness_bot_init(struct harness_bot *bot, const struct harness_bot_options *options,
                     struct err *err) MUST_CHECK;

/* Starts `bronxbot serve`, or `worker`, and waits until GET /readyz answers 200 on ADMIN_LISTEN.
 * The reason of a failure ends with the last lines of the bot's log. */
int harness_bot_launch(struct harness_bot *bot, struct err *err) MUST_CHECK;

/* SIGTERM, then waits. `*exit_code` (may be NULL) gets the exit code, or 128 + the signal that
 * ended it. ERR_BUSY when it had to be killed after HARNESS_STOP_MS. */
int harness_bot_stop(struct harness_bot *bot, int *exit_code, struct err *err) MUST_CHECK;

/* harness_bot_stop, which must end cleanly, then harness_bot_launch. */
int harness_bot_restart(struct harness_bot *bot, struct err *err) MUST_CHECK;

/* Sends `signal_number`; waits for the end only when it is SIGKILL. */
void harness_bot_kill(struct harness_bot *bot, int signal_number);

/* False when the process has ended by itself (then `pid` becomes 0). */
bool harness_bot_is_running(struct harness_bot *bot);

/* Kills what runs and removes the folder; fit for CLEANUP. */
void harness_bot_fini(struct harness_bot *bot);

/* The bot's wall clock, and moving it forward. */
int64_t harness_bot_now_ms(const struct harness_bot *bot);
void harness_bot_shift(struct harness_bot *bot, int64_t more_ms);

/* The last `max_lines` lines of the bot's log, appended. */
void harness_bot_log_tail(const struct harness_bot *bot, int max_lines, struct buf *out);

/* Removes `path` and everything in it. */
void harness_remove_folder(const char *path);

/* A TCP port of 127.0.0.1 on which nobody listens, held so that nobody else is given it, nor a
 * connection made from it (which on loopback may even find itself): whoever listens there says
 * SO_REUSEADDR, as servers do. Returns the descriptor that holds it; -1 when there is none. */
int harness_hold_port(uint16_t *port);

/* The same for the rest of this program's life; 0 when there is none. */
uint16_t harness_free_port(void);

/* Runs another program of the bot's, in its folder and with its environment, to its end: as
 * harness_run. `more` ("NAME=value" lines ended by NULL; may be NULL) wins over the environment. */
int harness_bot_run(const struct harness_bot *bot, const char *binary, const char *const *arguments,
                    const char *const *more, struct buf *out, struct err *err) MUST_CHECK;

/* Runs `binary` with `arguments` (ended by NULL, without the program's name) in `folder` (NULL:
 * here) to its end and appends its stdout to `out`. Returns its exit code, 128 + signal, or a
 * negative enum err_code. */
int harness_run(const char *binary, const char *const *arguments, const char *folder,
                struct buf *out, struct err *err) MUST_CHECK;

#endif
