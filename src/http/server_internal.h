/* What server.c, event_loop.c, exchange.c and answer.c share.
 *
 * Everything of an event thread - its daemon, its connections, the exchanges on them - is touched
 * by that thread alone. Others reach it through one door: struct answer_queue. */
#ifndef HTTP_SERVER_INTERNAL_H
#define HTTP_SERVER_INTERNAL_H

#include "http/server.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

/* What a connection is waiting for. Each phase has one time-out, so a list in order of entry is in
 * order of deadline, and the sweep looks at the first of each.
 *
 *     HEADER -> BODY -> WORKING -> ANSWER -> IDLE -> BODY ...
 *
 * WORKING has no time-out: what takes long there is us. */
enum phase { PHASE_HEADER, PHASE_BODY, PHASE_ANSWER, PHASE_IDLE, PHASE_WORKING, PHASE_COUNT };

struct connection {
    struct event_thread *thread;
    struct http_exchange *exchange; /* the request being served, or NULL */
    int fd;
    int phase; /* PHASE_COUNT: in no list, it has been shut down */
    int64_t deadline_us;
    struct connection *previous, *next;
};

struct connection_list {
    struct connection *first, *last;
};

/* Answers made on other threads, for one event thread to send. Lives until the thread and all its
 * exchanges have let go of it. */
struct answer_queue {
    atomic_int references;
    pthread_t owner; /* set by the event thread before its first exchange */
    int wake_fd;     /* eventfd the event thread polls */
    pthread_mutex_t lock;
    /* below: with the lock held */
    struct http_exchange *first, *last;
    bool is_owner_asleep; /* it polls, or is about to: wake it */
};

/* An answer that is always the same; see answer.c. */
#define KEPT_RESPONSES 8
struct kept_response {
    const char *text, *content_type; /* what it is known by */
    struct MHD_Response *response;
};

struct event_thread {
    struct server *server;
    struct MHD_Daemon *daemon;
    int epoll_fd; /* the daemon's */
    struct answer_queue *answers;
    pthread_t thread;
    bool is_started;
    atomic_bool is_quiesced; /* accepts nothing any more */
    bool has_room;           /* a connection was closed in the last run */
    int64_t now_us;          /* when the current turn of the loop began */
    struct connection_list phases[PHASE_COUNT];
    struct kept_response kept[KEPT_RESPONSES];
    atomic_int in_flight; /* exchanges whose answer was not sent yet */
    atomic_int unspoken;  /* connections in PHASE_HEADER: accepted, and not a request yet */
};

enum server_state { SERVER_RUNNING, SERVER_DRAINING, SERVER_STOPPING };

struct server {
    struct server_settings settings;
    atomic_int state; /* enum server_state, only ever grows */
    int thread_count;
    struct event_thread threads[];
};

/* The two owners of an exchange; see answer.c. */
#define EXCHANGE_OWNERS 2

struct http_exchange {
    atomic_int references;
    struct answer_queue *answers;
    struct http_exchange *next; /* in the queue */

    /* the event thread's */
    struct event_thread *thread;
    struct connection *connection;
    struct MHD_Connection *mhd; /* valid until is_gone */
    const struct http_route *route;
    const char *method, *path;
    int error_status;   /* to be answered instead of calling the handler, or 0 */
    bool is_dispatched; /* the handler was called */
    bool is_in_handler;
    bool is_suspended;
    bool is_ready; /* the answer may be sent */
    bool is_sent;  /* completely */
    int64_t arrived_us;
    struct buf body; /* HTTP_BODY_HEADROOM bytes, then the body */

    /* the handler's, then the answering thread's */
    char request_id[REQUEST_ID_SIZE];
    http_sent *on_sent;
    void *on_sent_context;
    int status;
    const char *content_type;
    struct buf answer;
    struct str_view answer_text; /* instead of `answer` */

    bool is_gone; /* the connection has ended; with answers->lock held */
};

/* server.c */
void answer_queue_release(struct answer_queue *answers);
void answer_queue_wake(struct answer_queue *answers);

/* event_loop.c */
void *event_loop_run(void *event_thread);
void event_loop_take_answers(struct answer_queue *answers);
void connection_enter(struct connection *connection, enum phase phase);
void event_loop_on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                              enum MHD_ConnectionNotificationCode code);

/* exchange.c */
enum MHD_Result exchange_on_request(void *event_thread, struct MHD_Connection *mhd, const char *url,
                                    const char *method, const char *version, const char *data,
                                    size_t *data_size, void **context);
void exchange_on_completed(void *event_thread, struct MHD_Connection *mhd, void **context,
                           enum MHD_RequestTerminationCode code);

/* answer.c */
/* The answer has come: wakes the connection, or forgets the exchange when that is gone. */
void exchange_answered(struct http_exchange *exchange);
/* MHD_NO without memory: libmicrohttpd then closes the connection. */
enum MHD_Result exchange_send_answer(struct http_exchange *exchange);
void exchange_release(struct http_exchange *exchange); /* one of its two owners lets go */
void exchange_count_response(const struct event_thread *thread, int status);
void exchange_free_kept_responses(struct event_thread *thread);

#endif
