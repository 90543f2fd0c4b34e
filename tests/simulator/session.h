/* One simulated Discord with one bot: the world, what everybody sees, and the newest answers. A
 * session belongs to one thread; `together` and `replay` use more, but only for sending. */
#ifndef SIMULATOR_SESSION_H
#define SIMULATOR_SESSION_H

#include "harness/bot_process.h"
#include "harness/http_client.h"
#include "simulator/catalogue.h"
#include "simulator/judge.h"
#include "simulator/message_store.h"
#include "simulator/modal.h"
#include "simulator/render.h"
#include "simulator/rest_server.h"
#include "simulator/script.h"
#include "simulator/world.h"

/* Somebody somewhere. */
struct actor {
    const struct person *person;
    struct place place;
    uint64_t permissions;
};

/* The bot's DEFER_AFTER_MS. A scene is not about how fast this machine is: as long as may be, so
 * that its answers come at once; when one does not, see session_await_late. */
#define SESSION_DEFER_MS 2500

enum {
    INTERACTION_PING = 1,
    INTERACTION_COMMAND = 2,
    INTERACTION_COMPONENT = 3,
    INTERACTION_AUTOCOMPLETE = 4,
    INTERACTION_MODAL_SUBMIT = 5,
};

/* One interaction from its request to what people see of its answer. */
struct delivery {
    struct actor actor;
    int type;
    int64_t interaction_id;
    char *command_name;      /* full name, for commands; else NULL */
    int64_t message_id;      /* components and their modals: the message clicked on; else 0 */
    int focused_option_type; /* autocomplete */
    struct buf body;
    struct harness_signature signature;
    struct http_answer answer; /* status 0: there was none */
    json_object *json;         /* the judged answer; NULL when Discord would show nothing */
    int64_t took_ms;           /* as far as the bot is to blame */
    int64_t original_id;       /* the message an answer made, by the REST API's number; 0: none */
    int64_t shown_message_id;  /* what it created or changed; 0: none */
    bool has_opened_form;
    bool is_late_taken; /* see session_await_late */
};

struct deliveries {
    struct delivery *items;
    size_t count;
};

/* A form on somebody's screen; each person has at most one. */
struct open_form {
    int64_t person_id;
    struct modal modal;
};

struct variable {
    char *name, *value;
};

struct session {
    const struct catalogue *offered;   /* what the bot would register */
    const struct catalogue *catalogue; /* `offered`, or `registered` once there is something */
    struct catalogue registered;       /* what it has registered */
    unsigned registered_version;
    struct rest_server *rest; /* what the bot calls */
    struct harness_bot bot;
    struct http_client *client;
    struct world world;
    struct message_store store;
    struct violations violations;
    struct open_form **forms;
    struct variable *variables;
    size_t form_count, variable_count;
    struct actor actor;          /* who acts unless a step says otherwise */
    struct deliveries newest;    /* the newest answers: one, or those of a `together` */
    struct yardstick *yardstick; /* a bot is excused while the machine stands still; NULL: never */
    bool is_pseudo;              /* the bot speaks the pseudo-language: see pseudo.h */
    struct buf spoken, verbatim; /* what may stand in its texts all the same */
    unsigned sequence;           /* tells snowflakes of one millisecond apart */
    char owner_line[64];         /* OWNER_IDS=... */
    char api_line[96];           /* DISCORD_API_URL=... */
    char defer_line[32];         /* DEFER_AFTER_MS=... */
    const char *environment[7];
    bool has_colour;
};

/* Starts a bot with an empty database. alice is in server harlem. After a failure session_end is
 * still due. */
int session_start(struct session *session, const char *bot_binary,
                  const struct catalogue *catalogue, struct err *err) MUST_CHECK;

/* Stops the bot gracefully (a bad exit code is an error) and frees everything. */
int session_end(struct session *session, struct err *err) MUST_CHECK;

/* A fresh id, and the view of what people see now. */
int64_t session_snowflake(struct session *session);
struct view session_view(const struct session *session);

/* The form on this person's screen; made (not open) when there is none. */
struct modal *session_form(struct session *session, int64_t person_id);

/* `$NAME`; NULL when nothing was remembered under it. */
const char *session_variable(const struct session *session, struct str_view name);
void session_remember(struct session *session, struct str_view name, struct str_view value);

/* Does one step (without `together` blocks) and appends what a person then sees to `out`. A
 * failure's reason says what was expected and what there was instead. */
int session_step(struct session *session, const struct step *step, struct buf *out,
                 struct err *err) MUST_CHECK;

/* Does all steps of a script, blocks included; `*failed` (may be NULL) gets the step that failed.
 * `is_live` prints to stdout while it goes on, else everything is appended to `out`. */
int session_run(struct session *session, const struct script *script, bool is_live, struct buf *out,
                const struct step **failed, struct err *err) MUST_CHECK;

/* From here on the bot is expected to speak the pseudo-language, but for the texts in `verbatim`.
 */
void session_expect_pseudo(struct session *session, struct str_view verbatim);
/* Notes what a person typed: options of a command, or into a form. */
void session_hear(struct session *session, const struct word *words, size_t count);
/* What the bot sent, without the brackets of the pseudo-language. */
void session_unwrap(struct session *session, json_object *json);

/* --- Deliveries (prepare.c, delivery.c) --- */

/* Builds and signs what the words ask for: `/command ...`, `click`, `select`, `submit`, `complete`.
 * ERR_CHECK: Discord's client would not send that. */
bool is_delivery_verb(const struct word *word);
int delivery_prepare(struct session *session, const struct actor *actor, const struct word *words,
                     size_t count, struct delivery *delivery, struct err *err) MUST_CHECK;

/* Breaks the signature. */
void delivery_forge(struct delivery *delivery);

/* Whether only this machine made a deferred answer of it: its handler had more time than any needs.
 */
bool answer_is_late_deferral(const struct http_answer *answer);

/* Sends all at the same instant, each on a connection of its own (one: on the session's). */
void deliveries_send(struct session *session, struct delivery *deliveries, size_t count);

/* Sends the same bytes `times` times, `at_once` at a time. Answers that differ in status or bytes
 * are counted in `*different`; those without an answer too. */
void delivery_replay(struct session *session, const struct delivery *delivery, int times,
                     int at_once, int *different);

/* Judges the answer and changes what people see. */
void delivery_absorb(struct session *session, struct delivery *delivery);

/* What the person who acted now sees, as text. */
void delivery_show(const struct session *session, const struct delivery *delivery,
                   const struct view *view, struct buf *out);

/* Moves `deliveries` into session->newest. */
void session_take_newest(struct session *session, struct deliveries *deliveries);
void deliveries_free(struct deliveries *deliveries); /* fit for CLEANUP */

/* --- What the bot's requests changed (await.c) --- */

/* People see edits and follow-ups, and commands are known, from here on; what comes within
 * `timeout_ms` is waited for. False when nothing came. Steps other than `expect` begin with it. */
bool session_take_changes(struct session *session, int timeout_ms);

/* Moves the REST API's violations to the session's and notes them in `out`. */
void session_take_violations(struct session *session, struct buf *out);

/* Waits for what a bot still owes that had no time for it in time (answer_is_late_deferral), as if
 * it were the answer. False when it owes nothing. */
bool session_await_late(struct session *session);

/* `await [ephemeral | public | violation | in #channel] "text" [within TIME]`; shows what came. */
int session_await(struct session *session, const struct actor *actor, const struct word *words,
                  size_t count, struct buf *out, struct err *err) MUST_CHECK;

/* `#name` of the server that `actor` is in. ERR_INVALID. */
int session_read_channel(struct session *session, const struct actor *actor,
                         const struct word *word, int64_t *channel_id, struct err *err) MUST_CHECK;
/* How many messages in the channel that everybody sees show the text, and the newest of them (may
 * be NULL). channel.c */
size_t session_count_in_channel(const struct session *session, int64_t channel_id,
                                struct str_view text, int64_t *message_id);
/* `expect [not | once] in #channel "text"`, `mode` being the first word or "". */
int session_expect_in_channel(struct session *session, const char *mode, const struct word *channel,
                              const struct word *text, struct err *err) MUST_CHECK;

/* For the prompt: shows what came in the meantime, and while a newest answer thinks waits for it,
 * at most `timeout_ms`. */
void session_watch(struct session *session, int timeout_ms, struct buf *out);

/* --- Expectations (expect.c) --- */

/* Whether a newest answer shows the text; `kind` is "text", "ephemeral" or "public". */
bool session_shows(const struct session *session, const char *kind, struct str_view text);

/* `words` follow the word "expect". */
int session_expect(struct session *session, const struct word *words, size_t count,
                   struct err *err) MUST_CHECK;
/* `remember "regex" as NAME` */
int session_remember_match(struct session *session, const struct word *words, size_t count,
                           struct err *err) MUST_CHECK;

#endif
