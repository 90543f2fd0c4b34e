/* An outbox with a database of its own, and a Discord that misbehaves as a test says. */
#ifndef TESTS_SENDER_FIXTURE_H
#define TESTS_SENDER_FIXTURE_H

#include "db_fixture.h"
#include "harness/script_server.h"
#include "outbox/outbox_internal.h"

#define TOKENS_MAX      64
#define APPLICATION_ID  INT64_C(4242)
#define BOT_TOKEN       "the-bots-own"
#define FREE_MS         60000 /* longer than anything here takes */
#define SENDER_LEASE_MS FREE_MS
#define NOT_YET         "{\"message\":\"Unknown Webhook\",\"code\":10015}"
#define DEAD            "{\"message\":\"Invalid Webhook Token\",\"code\":50027}"
#define NONCES_MAX      16 /* of one channel's messages */
#define GONE            "{\"message\":\"Unknown Message\",\"code\":10008}"

/* What the fake Discord knows about one token. */
struct token {
    int number;
    int tries;
    char methods[16];   /* of these, their first letters: "P" for PATCH, "p" for POST, "D" */
    int effects;        /* requests that Discord has taken in */
    int posts, deletes; /* of these */
    char last[64];      /* what the last message said */
    int64_t last_us;    /* when the last PATCH with an effect arrived ... */
    int64_t closest_us; /* ... and the smallest distance between two */
    bool is_disordered; /* a message said less than the one before */
    bool has_overlap;   /* two requests at the same time */
    char nonces[NONCES_MAX][26]; /* of a channel's messages that Discord knows again ... */
    int nonce_count, repeats;    /* ... and of how many requests it did */
};

typedef void fault(struct token *token, struct script_answer *answer, bool *has_effect);

struct sender_fixture {
    struct db_fixture base;
    struct clock clock; /* the outbox's: the base's, which leaps when a lease is to end */
    _Atomic int64_t leaps_us;
    struct log_sink *log;
    int log_fd;
    struct outbox_rules rules;
    int64_t edit_floor_ms;
    const char *bot_token;
    struct outbox *outbox;
    struct script_server *server;
    struct token tokens[TOKENS_MAX];
    fault *fault;
    int64_t begun_ms;
    int requests;
    bool has_other_requests; /* not made by this test's messages */
    atomic_int told[4];      /* how often each enum outbox_stored was heard */
};

/* Once for each program: a cmocka group's setup. */
int sender_setup(void **state);

void sender_begin(struct sender_fixture *fixture, fault *wrong);
void sender_end(struct sender_fixture *fixture);
void sender_open_at(struct sender_fixture *fixture, const char *url);
void sender_open(struct sender_fixture *fixture);
/* An outbox that never beats again, as if its process had been killed; it is fixture->outbox until
 * the next is opened. Freed by the caller. */
struct outbox *sender_open_mortal(struct sender_fixture *fixture);
/* Ends the leases that are SENDER_LEASE_MS long, and waits until the outbox has lost its own: at a
 * moment of the test's, not of a clock's. */
void sender_end_lease(struct sender_fixture *fixture, const struct outbox *outbox);
/* The same, and others see that it is dead. */
void sender_kill(struct sender_fixture *fixture, const struct outbox *outbox);
/* Sends what waits. */
void sender_close(struct sender_fixture *fixture);

/* The fake Discord, for scripts of one's own. */
script sender_discord;
void refuse_with(struct script_answer *answer, bool *has_effect, int status, const char *body);
fault no_fault;

int64_t id_of_token(const struct sender_fixture *fixture, int token);
/* The interaction of a token whose message says `id`. */
struct interaction sender_interaction(const struct sender_fixture *fixture, int token,
                                      char name[16]);

/* A deferral of the token's interaction: both its ends are the caller's. */
struct outbox_deferred *defer(struct sender_fixture *fixture, int token, enum outbox_run_mode mode);
/* ... and its whole life: deferred, answered and finished with this. */
void send_reply(struct sender_fixture *fixture, int token, enum outbox_method method,
                const char *body);
/* The same, but the answer is for one person only: it says "answer", @original "notice" or "sorry".
 */
void send_private_reply(struct sender_fixture *fixture, int token);

/* What authors do, from outside a call. */
enum author_action { FRAME, FINAL, FOLLOW, DELETE };
struct outbox_target target_of_token(const struct sender_fixture *fixture, int token,
                                     char name[16]);
int act(struct sender_fixture *fixture, int token, enum author_action action, const char *text);
int act_on(struct sender_fixture *fixture, const struct outbox_target *target,
           enum author_action action, const char *text);

/* A message for the channel of that number, caused by the token's interaction. What the fake
 * Discord knows about the channel is in fixture->tokens[channel]. */
int post(struct sender_fixture *fixture, int token, int channel, const char *text);

int64_t sent(const struct sender_fixture *fixture);
int64_t given_up(const struct sender_fixture *fixture, enum outbox_loss loss);
int64_t retried(const struct sender_fixture *fixture, enum outbox_retry retry);
#define ROWS_WHERE(fixture, condition)                                                             \
    db_fixture_number((fixture)->base.db, "SELECT COUNT(*) FROM outbox WHERE " condition)

/* Waits until the number a query gives is `count` or more. */
void await_number(const struct sender_fixture *fixture, const char *sql, int64_t count);
#define AWAIT_ROWS(fixture, condition, count)                                                      \
    await_number(fixture, "SELECT COUNT(*) FROM outbox WHERE " condition, count)

/* The whole log; freed by the caller. */
char *read_log(const struct sender_fixture *fixture);
int count_lines_with(const char *log, const char *first, const char *second);

#endif
