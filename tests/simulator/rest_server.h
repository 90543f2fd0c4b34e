/* The part of Discord that a bot calls: its REST API over plain HTTP on a port of 127.0.0.1.
 * https://docs.discord.com/developers/interactions/receiving-and-responding#followup-messages and
 * https://docs.discord.com/developers/interactions/application-commands
 *
 *   POST                      /webhooks/{application}/{token}                      follow-up
 *   GET, PATCH, DELETE        /webhooks/{application}/{token}/messages/{@original or id}
 *   POST                      /channels/{id}/messages
 *   GET, PUT                  /applications/{id}/commands, /applications/{id}/guilds/{id}/commands
 *   GET                       /applications/@me, /users/@me
 *
 * In a test:
 *
 *     struct rest_server *server;
 *     rest_server_start(&server, &(struct rest_server_settings){ 0 }, &err);
 *     ... DISCORD_API_URL is rest_server_url(server), DISCORD_BOT_TOKEN REST_SERVER_BOT_TOKEN ...
 *     const struct rest_interaction asked = { .id = id, .token = token, .type = 2 };
 *     rest_server_ask(server, &asked);                           the interaction is on its way
 *     rest_server_answered(server, id, STR("{\"type\":5}"));    its token is good from here on
 *     ... the bot sends its edit ...
 *     rest_server_wait_edits(server, id, 1, 5000);
 *     rest_server_original(server, id, &json_text);
 *     rest_server_first_violation(server, &text);                "" when no rule was broken
 *     rest_server_stop(server);
 *
 * Faults: rest_server_add_fault(server, &(struct rest_fault){ .count = 2, .kind = FAULT_STATUS,
 * .status = 502 }). Every function may be called from any thread; the server's own threads, one for
 * each connection, only touch what its lock protects. */
#ifndef SIMULATOR_REST_SERVER_H
#define SIMULATOR_REST_SERVER_H

#include "bronx/err.h"
#include "harness/interaction_json.h"
#include "simulator/message_store.h"
#include "simulator/violations.h"

#define REST_SERVER_BOT_TOKEN  "MTAwMDAwMDAwMDAwMDAwMDAwMQ.simulated.bot-token"
#define REST_SERVER_TOKEN_MS   (15 * 60 * 1000) /* a token's life, from the interaction's id on */
/* For how long a message is known again by its nonce: Discord says "the past few minutes". */
#define REST_SERVER_NONCE_MS   (2 * 60 * 1000)
#define REST_SERVER_BURST      5    /* requests of one token ... */
#define REST_SERVER_BURST_MS   2000 /* ... in this time */
/* https://docs.discord.com/developers/topics/rate-limits#global-rate-limit */
#define REST_SERVER_GLOBAL     50 /* requests as the bot ... */
#define REST_SERVER_GLOBAL_MS  1000
/* .../rate-limits#invalid-request-limit-aka-cloudflare-bans */
#define REST_SERVER_INVALID    10000
#define REST_SERVER_INVALID_MS (10 * 60 * 1000)
#define REST_SERVER_BAN_MS     (60 * 60 * 1000) /* "temporarily": how long is not documented */
#define REST_SERVER_STALL_MS   60000            /* longest stall */
/* Whose bytes came first can't be told from outside when they are this close; a busy test needs
 * longer to say rest_server_answered. */
#define REST_SERVER_CLOSE_MS   100
#define REST_SERVER_TOKEN_SIZE 256

struct rest_server;

/* What Discord allows; 0 stands for the numbers above. */
struct rest_limits {
    int burst, burst_ms;               /* requests of one token, or of one route of the bot's */
    int shared_burst, shared_burst_ms; /* of all tokens together; 0: no such limit */
    int global, global_ms;             /* requests as the bot */
    int invalid, invalid_ms;           /* answers 401, 403 and 429 (but shared ones) ... */
    int ban_ms;                        /* ... one more, and nothing is answered for this long */
    int token_ms;                      /* a token's life */
};

struct rest_server_settings {
    int64_t application_id;  /* 0: HARNESS_APPLICATION_ID */
    const char *bot_token;   /* NULL: REST_SERVER_BOT_TOKEN; copied */
    const char *verify_key;  /* the application's public key, in hex; NULL: zeros; copied */
    const int64_t *shift_ms; /* milliseconds the bot's clock is ahead (see harness_bot); NULL: 0 */
    int close_ms;            /* 0: REST_SERVER_CLOSE_MS */
    struct rest_limits limits;
    /* For tens of thousands of requests: neither arrivals nor changes are kept, only counted. */
    bool counts_only;
};

int rest_server_start(struct rest_server **server, const struct rest_server_settings *settings,
                      struct err *err) MUST_CHECK;
/* Ends stalled and delayed requests, too. NULL allowed. */
void rest_server_stop(struct rest_server *server);
void rest_server_release(struct rest_server **server); /* fit for CLEANUP */

/* Refuses connections, and cuts those there are, until it is opened again on its port. What is
 * known is kept, and may be asked and told meanwhile. One thread at a time; false when the port is
 * taken. */
void rest_server_close(struct rest_server *server);
bool rest_server_reopen(struct rest_server *server) MUST_CHECK;

/* "http://127.0.0.1:40001/api/v10", until rest_server_stop. */
const char *rest_server_url(const struct rest_server *server);
uint16_t rest_server_port(const struct rest_server *server);

/* From now on; buckets under way keep theirs until they are full again. */
void rest_server_set_limits(struct rest_server *server, const struct rest_limits *limits);

/* How far the clock of Date and X-RateLimit-Reset is ahead (negative: behind). Only what is
 * relative, Retry-After and X-RateLimit-Reset-After, stays right. */
void rest_server_set_clock_error(struct rest_server *server, int64_t error_ms);

/* --- Interactions and their tokens --- */

struct rest_interaction {
    int64_t id;        /* a snowflake; the token's 15 minutes begin with it */
    const char *token; /* NULL: the harness's own, see harness/interaction_json.h */
    int type;          /* 2 command, 3 component, 5 modal submit */
    int64_t channel_id;
    struct person person;
    /* The app was added by the person only, not in the server: 5 follow-ups are allowed. */
    bool is_user_installed;
    const char *command_name;             /* NULL unless a command */
    const struct stored_message *message; /* that a component is on; NULL otherwise. Copied */
};

/* The interaction is being sent to the bot. A request with its token before its answer is a
 * violation (unless the answer arrives within `close_ms`). */
void rest_server_ask(struct rest_server *server, const struct rest_interaction *interaction);

/* The bot answered with this body: its token is known from now on, or after the delay set by
 * rest_server_set_intake. Returns the id of the message that the answer created or changed (what
 * @original names), 0 when there is none. */
int64_t rest_server_answered(struct rest_server *server, int64_t interaction_id,
                             struct str_view body);

/* The bot gave no answer in time, or one that Discord refuses: the token never becomes good. */
void rest_server_unanswered(struct rest_server *server, int64_t interaction_id);

/* The bot was killed: what it was told before it can't know (a Retry-After, an empty bucket), and
 * it may have answered what is unanswered here, so requests with these tokens are no violation. The
 * same interactions may be sent again. */
void rest_server_bot_was_killed(struct rest_server *server);

/* The race everyone loses: how long it takes until Discord has taken in an answer; until then the
 * token gets 404 with code 10015. For answers from now on. */
void rest_server_set_intake(struct rest_server *server, int delay_ms);

/* There is such a channel, and the bot may write there. In all others it meets 404. */
void rest_server_add_channel(struct rest_server *server, int64_t channel_id);
/* Messages that were sent to it as the bot. */
size_t rest_server_channel_messages(struct rest_server *server, int64_t channel_id);

/* --- What arrived --- */

enum rest_route {
    ROUTE_UNKNOWN,
    ROUTE_FOLLOW_UP,
    ROUTE_GET_MESSAGE,
    ROUTE_EDIT,
    ROUTE_DELETE,
    ROUTE_GET_COMMANDS,
    ROUTE_PUT_COMMANDS,
    ROUTE_APPLICATION,
    ROUTE_USER,
    ROUTE_CHANNEL_MESSAGE,
    ROUTE_COUNT,
};

/* One request, in the order of their arrival. */
struct rest_arrival {
    enum rest_route route;
    int64_t interaction_id;     /* 0: of no token that was ever given */
    int64_t message_id;         /* that it edited, made or removed; 0: none */
    int64_t began_us, ended_us; /* monotonic; `ended_us` is 0 while it is under way */
    int status, code;           /* of the answer; status 0: the connection was cut */
    bool had_effect;
    bool has_broken_rule; /* recorded as a violation */
};

size_t rest_server_arrivals(struct rest_server *server);
/* False when there is no such one yet. */
bool rest_server_arrival(struct rest_server *server, size_t index, struct rest_arrival *arrival);

/* Since the start. */
struct rest_statistics {
    size_t requests, effects;
    size_t limited, shared_limited; /* 429: all of them, those with scope "shared" */
    size_t server_errors;           /* 5xx */
    size_t cut;                     /* connections that were reset; stalled ones too */
    size_t invalid;                 /* what Discord counts as such */
    size_t violations;
    size_t most_at_once;     /* requests of one token under way together */
    int64_t shortest_gap_us; /* between the arrivals of two edits of one message that both had
                                their effect; INT64_MAX: none had two */
};

void rest_server_statistics(struct rest_server *server, struct rest_statistics *statistics);

/* Waits until `count` requests have ended, or until @original of the interaction was changed
 * `count` times by edits (the end of "thinking" is the first). False after `timeout_ms`. */
bool rest_server_wait_arrivals(struct rest_server *server, size_t count, int timeout_ms);
bool rest_server_wait_edits(struct rest_server *server, int64_t interaction_id, size_t count,
                            int timeout_ms);

/* How often @original was changed by edits; the JSON of what it now shows, appended (false when
 * there is no such message, or it thinks). */
size_t rest_server_edits(struct rest_server *server, int64_t interaction_id);
bool rest_server_original(struct rest_server *server, int64_t interaction_id, struct buf *out);
/* Follow-ups of this interaction. */
size_t rest_server_follow_ups(struct rest_server *server, int64_t interaction_id);

/* Moves what was broken since the last call into `into`. */
void rest_server_take_violations(struct rest_server *server, struct violations *into);
/* The first that is recorded, appended; nothing when there is none. */
void rest_server_first_violation(struct rest_server *server, struct buf *text);

/* What requests changed for people, oldest first; taken by the simulator's session. */
enum rest_change_kind { CHANGE_EDIT, CHANGE_NEW, CHANGE_DELETE };

struct rest_change {
    enum rest_change_kind kind;
    int64_t message_id;
    json_object *data;             /* CHANGE_EDIT: the fields that changed; owned */
    struct stored_message message; /* CHANGE_NEW: `data` and `command_name` owned */
};

/* False when nothing came within `timeout_ms`. The caller owns the parts. */
bool rest_server_take_change(struct rest_server *server, int timeout_ms,
                             struct rest_change *change);
void rest_change_free(struct rest_change *change); /* fit for CLEANUP */

/* --- Commands --- */

/* The set that was last PUT for this guild (0: global), with ids; the caller owns it. NULL when
 * there never was one. */
json_object *rest_server_commands(struct rest_server *server, int64_t guild_id);

/* All sets together when one was PUT since `*version` (0 at first), which is brought up to date;
 * else NULL. The caller owns it. */
json_object *rest_server_registered(struct rest_server *server, unsigned *version);

/* --- Faults --- */

enum rest_fault_kind {
    FAULT_STATUS,       /* answered with a status, without effect */
    FAULT_DELAY,        /* held for a while, then served; other faults may follow */
    FAULT_RESET_BEFORE, /* the connection is cut, without effect */
    FAULT_RESET_AFTER,  /* the connection is cut after the effect, without an answer */
    FAULT_STALL,        /* no answer and no effect, until the client hangs up */
};

#define ROUTE_BIT(route) (1U << (route))

struct rest_fault {
    int count;       /* requests it hits; 0: all, until rest_server_clear_faults */
    unsigned routes; /* ROUTE_BIT(...) of those it hits; 0: all */
    enum rest_fault_kind kind;
    int status;         /* FAULT_STATUS: 400-599 */
    int code;           /* of the body; 0: what Discord sends with that status */
    int delay_ms;       /* FAULT_DELAY; FAULT_STALL: the longest, 0: REST_SERVER_STALL_MS */
    int retry_after_ms; /* status 429: until then its bucket stays closed */
    bool is_global;     /* status 429: for all routes */
    bool is_shared;     /* status 429: others have used up what is there for everybody */
    bool is_cloudflare; /* a body that is no JSON, and no Via header */
    int per_thousand;   /* of those that it fits it hits so many, at random; 0: all */
    int lasts_ms;       /* 0: until it is used up or cleared */
};

/* The oldest that fits a request and is not used up is the one that hits it. */
void rest_server_add_fault(struct rest_server *server, const struct rest_fault *fault);
void rest_server_clear_faults(struct rest_server *server);

/* A bad day: of a thousand webhook requests so many meet each of these, at random. */
struct rest_chaos {
    unsigned seed;
    int rate_limited; /* 429 without effect; the token's bucket stays closed for `retry_after_ms` */
    int server_error; /* 502 without effect */
    int reset_before, reset_after;
    int stall; /* nothing for `stall_ms`, then the connection is cut, without effect */
    int retry_after_ms, stall_ms;
};

/* From now on; zeroes end it. */
void rest_server_set_chaos(struct rest_server *server, const struct rest_chaos *chaos);

/* Faults as words of the scene language, without the word `fault`:
 *
 *   [N] [P% of] [WHAT] status CODE [code N] [after TIME] [global | shared | cloudflare] [for TIME]
 *   [N] [P% of] [WHAT] delay TIME | reset before effect | reset after effect | stall    [for TIME]
 *   answers delay TIME                                        see rest_server_set_intake
 *   clocks ahead TIME | clocks behind TIME                    see rest_server_set_clock_error
 *   tokens live TIME                                          see struct rest_limits for these
 *   limit token N in TIME | limit shared N in TIME | limit global N in TIME
 *   ban after N for TIME
 *   none                                                      ends all of them
 *
 * WHAT: request, webhook, edit, follow-up, delete, get, channel-message, register (each with or
 * without s).
 * ERR_INVALID names the word that is wrong. */
int rest_server_read_fault(struct rest_server *server, const char *const *words, size_t count,
                           struct err *err) MUST_CHECK;

#endif
