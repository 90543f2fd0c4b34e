/* Inner parts of the REST server. Everything below `lock` is touched only while it is held; a
 * struct rest_call belongs to the thread of its connection. */
#ifndef SIMULATOR_REST_INTERNAL_H
#define SIMULATOR_REST_INTERNAL_H

#include "simulator/rest_server.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

enum token_state {
    TOKEN_ASKED,    /* the bot has not answered yet */
    TOKEN_ANSWERED, /* good from `known_us` on, for 15 minutes */
    TOKEN_DEAD,     /* not answered in time */
};

/* Full again `period_ms` after the first request. */
struct rest_bucket {
    int limit, remaining;
    int64_t reset_us;  /* when it is full again */
    int64_t told_us;   /* awake: since when the bot knows that nothing remains; 0: it does not */
    int64_t closed_us; /* a 429 was sent, at `closed_told_us` (awake): closed until then */
    int64_t closed_told_us;
    bool is_closed_shared; /* by others */
};

struct rest_follow_up {
    int64_t message_id;
    uint64_t content; /* its hash */
};

struct rest_token {
    char text[REST_SERVER_TOKEN_SIZE];
    struct rest_interaction interaction; /* its pointers are NULL or owned */
    enum token_state state;
    int64_t known_us;    /* monotonic */
    int64_t clicked_id;  /* the message a component is on; 0: none */
    int64_t original_id; /* 0: none */
    struct rest_follow_up *follow_ups;
    size_t follow_up_count, edits;
    size_t under_way; /* requests */
    struct rest_bucket bucket;
    int64_t counted_us; /* awake: when one was last added to `under_way` */
    int64_t refused_us; /* awake: the bot was told that it is dead; 0: it was not */
    bool is_in_doubt;   /* the bot may believe that it has answered */
};

struct rest_scope {
    int64_t guild_id;
    json_object *commands; /* as they are returned */
    unsigned created;
};

struct rest_planned_fault {
    struct rest_fault fault;
    int64_t until_us; /* 0: it has no end */
};

/* Invalid requests of the time that ends at `reset_us`. */
struct rest_invalid {
    int count;
    int64_t reset_us;
};

struct rest_server {
    struct MHD_Daemon *daemon;
    char url[64];
    uint16_t port;
    int port_fd; /* holds it */
    char *bot_token, *verify_key;
    int64_t application_id;
    const int64_t *shift_ms;
    int close_ms;
    bool counts_only;
    struct rest_limits limits, first_limits; /* now, at the start; no zeros in them */

    pthread_t pulse;
    bool has_pulse;
    atomic_bool is_pulse_over;

    pthread_mutex_t lock;
    pthread_cond_t changed;         /* anything: an answer, an arrival, the end */
    int64_t beat_us, beat_awake_us; /* the pulse's last beat, by both clocks */
    int64_t awake_us;               /* what was last read */
    bool is_stopping;
    struct rest_token **tokens;
    struct message_store store;
    struct rest_bucket **route_buckets;
    struct rest_scope *scopes;
    int64_t *channels; /* that there are */
    struct rest_planned_fault *faults;
    struct rest_arrival *arrivals;
    struct rest_change *changes;
    struct lookup tokens_by_text, tokens_by_interaction, buckets_by_route;
    struct rest_chaos chaos;
    unsigned chance; /* of rand_r */
    struct rest_bucket shared_bucket, global_bucket;
    struct rest_invalid invalid;
    struct rest_statistics statistics;
    int64_t clock_error_ms;
    int64_t forgotten_us; /* awake: what the bot was told until then it does not know */
    size_t token_count, bucket_count, scope_count, fault_count, arrival_count, ended_count;
    size_t change_count, change_next, channel_count;
    struct violations violations;
    int intake_ms;
    unsigned sequence, registrations;
    int64_t all_closed_us; /* a 429 for everything was sent, at `all_told_us`: closed until then */
    int64_t all_told_us;   /* awake */
    bool is_banned;        /* ... by Cloudflare */
};

/* A file of a multipart body. */
struct rest_file {
    int number; /* n of files[n] */
    size_t size;
    struct buf bytes; /* owned */
};

#define REST_FILES_MAX 10
/* https://docs.discord.com/developers/reference#uploading-files: 10 MiB a file; all together 25. */
#define REST_FILE_MAX  ((size_t)10 * 1024 * 1024)
#define REST_BODY_MAX  ((size_t)25 * 1024 * 1024)

/* One request under way. */
struct rest_call {
    struct rest_server *server;
    struct MHD_Connection *connection;
    const char *method;
    char *path;      /* behind /api/v10 */
    struct buf body; /* as received */
    bool is_too_large;
    bool is_multipart;
    struct buf payload; /* the JSON: the body, or payload_json */
    struct rest_file files[REST_FILES_MAX];
    size_t file_count;
    const char *form_problem; /* NULL: the form was well made */

    enum rest_route route;
    int64_t guild_id;                         /* of commands; 0: global */
    int64_t channel_id;                       /* 0: the path names none */
    struct str_view token_text, message_word; /* within `path` */
    struct rest_token *token;                 /* NULL: unknown */
    struct rest_bucket *bucket;
    bool is_as_bot; /* its route needs the bot's token */
    struct rest_arrival arrival;
    size_t arrival_number;     /* its index among those that are kept */
    bool is_counted_for_token; /* in its `under_way`, since ... */
    int64_t counted_us;        /* ... then, awake */

    /* The answer. */
    int status, code;
    struct buf answer;
    int64_t retry_after_ms; /* of a 429 */
    const char *scope;      /* of a 429: "user", "shared", "global" */
    bool is_cloudflare, is_cut;
};

/* rest_server.c; `lock` is held in all of these. */
int64_t rest_now_us(void); /* monotonic; needs no lock */
/* What the bot had time for: monotonic, too, but it stands still while the machine does. Each read
 * is later than the last. */
int64_t rest_awake_us(struct rest_server *server);
int64_t rest_wall_ms(const struct rest_server *server); /* the bot's clock; needs no lock */
int64_t rest_new_id(struct rest_server *server);
struct rest_token *rest_find_token(struct rest_server *server, struct str_view text);
struct rest_token *rest_find_interaction(struct rest_server *server, int64_t id);
/* Deep: values of json-c must not be shared between threads. NULL gives NULL. */
json_object *rest_copy_json(json_object *json);
/* Waits at most until `until_us`; false when it is over or the server stops. */
bool rest_wait(struct rest_server *server, int64_t until_us);
/* The same by the clock that stands still with the machine. */
bool rest_wait_awake(struct rest_server *server, int64_t until_us);
/* Waits, without leaving early for a change. */
void rest_pause(struct rest_server *server, int64_t until_us);
/* `data` (may be NULL) is copied, for another thread. */
void rest_add_change(struct rest_server *server, const struct rest_change *change,
                     json_object *data);
void rest_complain(struct rest_call *call, const char *format, ...) PRINTF_LIKE(2, 3);

/* rest_answer.c: bodies as Discord writes them. */
void rest_answer_error(struct rest_call *call, int status, int code);
/* 400, code 50035, with the judge's findings as nested `errors`; they become violations. Takes
 * `findings`. */
void rest_answer_form_errors(struct rest_call *call, struct violations *findings);
void rest_answer_json(struct rest_call *call, int status, json_object *json_taken);
/* Queues what was decided, with its headers. Without the lock. */
enum MHD_Result rest_answer_send(struct rest_call *call);

/* rest_body.c: makes `payload` and `files` of the body. Without the lock. */
void rest_read_body(struct rest_call *call);

const char *rest_route_name(enum rest_route route);
/* rest_routes.c: finds the route, asks the gates, serves. Takes the lock. */
void rest_serve(struct rest_call *call);

/* rest_buckets.c */
/* False: nothing is let in now, the call is answered 429. */
bool rest_bucket_is_open_for_all(struct rest_call *call);
void rest_bucket_find(struct rest_call *call);
bool rest_bucket_take(struct rest_call *call); /* false: answered 429 */
/* Adds the headers, which are on their way from here on. */
void rest_bucket_tell(struct rest_call *call, struct MHD_Response *response);
/* A 429 by a fault is about to be answered. */
void rest_bucket_close(struct rest_call *call, const struct rest_fault *fault);
/* Counts the call's answer; after too many invalid ones nothing is let in. */
void rest_bucket_count_invalid(struct rest_call *call);
/* Whether who sent this still waits for the answer: what a bot that was killed had on its way is
 * served all the same. */
bool rest_bot_listens(const struct rest_call *call);
/* Whether the bot, which may have been started since, knows what it was told then. */
bool rest_bot_knows(const struct rest_server *server, int64_t told_us);

/* rest_limits.c */
void rest_fill_limits(struct rest_limits *limits); /* zeros become the standard numbers */
void rest_change_limits(struct rest_server *server,
                        const struct rest_limits *wanted); /* zeros stay as they are */

/* rest_faults.c: delays are waited for; false when the call was answered or cut by a fault.
 * `*cut_after` says that the effect happens and the answer is lost. */
bool rest_faults_pass(struct rest_call *call, bool *cut_after);

/* rest_routes.c: the call no longer counts as under way. */
void rest_leave_token(struct rest_call *call);

/* rest_webhooks.c, for all messages. NULL: the call has been answered with what is wrong. `edited`
 * NULL: a new one. */
json_object *rest_read_message(struct rest_call *call, const struct stored_message *edited);
void rest_keep_attachments(struct rest_call *call, json_object *data);
void rest_answer_message(struct rest_call *call, const struct stored_message *message);

/* rest_webhooks.c, rest_channels.c, rest_commands.c: the routes' work. */
void rest_serve_follow_up(struct rest_call *call);
void rest_serve_get_message(struct rest_call *call);
void rest_serve_edit(struct rest_call *call);
void rest_serve_delete(struct rest_call *call);
void rest_serve_channel_message(struct rest_call *call);
void rest_serve_get_commands(struct rest_call *call);
void rest_serve_put_commands(struct rest_call *call);
void rest_serve_application(struct rest_call *call);
void rest_serve_user(struct rest_call *call);

/* rest_command_rules.c: what Discord refuses in a set of commands. */
void rest_judge_commands(json_object *list, struct violations *findings);

#endif
