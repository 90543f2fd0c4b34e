/* Commands as data. A slash command is one file in handlers/ that fills one `struct command` and
 * one line in handlers/commands.c. The same table feeds option parsing, /help and registration; a
 * table Discord would refuse stops the start (command_list_check).
 * https://docs.discord.com/developers/interactions/application-commands */
#ifndef BRONX_COMMAND_H
#define BRONX_COMMAND_H

#include "bronx/arena.h"
#include "bronx/custom_id.h"
#include "bronx/db.h"
#include "bronx/err.h"
#include "bronx/interaction.h"
#include "bronx/log.h"
#include "bronx/reply.h"

struct command;
struct language;
struct router;
struct server_settings;
struct services;
struct user_settings;
struct wizard;

/* What came of a call; counted per command. */
enum outcome {
    OUTCOME_OK,
    OUTCOME_USER_ERROR, /* the person asked for something that can't be: told so */
    OUTCOME_COOLDOWN,
    OUTCOME_GATED,
    OUTCOME_INTERNAL_ERROR,
    OUTCOME_COUNT,
};

/* One run of a handler: who asked what, where to answer, and the means to do it. Used by one
 * thread; everything in it lives until the answer has been serialized. */
struct call {
    const struct interaction *interaction;
    const struct command *command;    /* whose handler runs */
    const struct option *sub_command; /* NULL when the command has none */
    struct custom_id custom_id;       /* components and modals: the parsed custom_id */
    struct reply *reply;
    struct arena *arena;
    const struct services *services;
    struct router *router; /* whose call this is */
    struct log log;
    const struct language *language;      /* of the person who reads the answer */
    const struct server_settings *server; /* settings_load: never NULL, the defaults before it */
    const struct user_settings *person;   /* the same */
    int64_t now_ms;                       /* wall clock when the call began */
    int64_t effect_id; /* what this call's effects are keyed by: the interaction's id, or that of
                          the blocked command which runs after the terms were accepted */
    enum outcome outcome;
    struct str_view preface; /* shown before whatever the handler answers; usually absent */
    bool is_cooldown_used;   /* the handler's own transaction has stored the cooldown */
    bool has_messages;       /* it has stored messages that are sent after its answer */
};

/* A handler fills call->reply and returns 0. To tell the person "no", it returns call_refuse(...).
 * A negative return is a fault of ours: the person gets one sentence with an error id, the log the
 * reason in `err`. A handler may run twice for one interaction (replay, retry): every effect must
 * be keyed by call->effect_id and the second run must give the same answer. */
typedef int handler(struct call *call, struct err *err);

enum {
    IN_GUILD = 1 << 0,
    IN_BOT_DM = 1 << 1,
    IN_PRIVATE_CHANNEL = 1 << 2,
    IN_GUILD_AND_DM = IN_GUILD | IN_BOT_DM,
    IN_ALL = IN_GUILD | IN_BOT_DM | IN_PRIVATE_CHANNEL,
};

enum {
    INSTALLED_IN_GUILD = 1 << 0,
    INSTALLED_BY_USER = 1 << 1,
};

/* Names are translated by the catalogues (po/), under the context "name"; names of choices and
 * descriptions are TR texts like others. */
struct choice {
    const char *name; /* TR, shown; NULL ends the list */
    const char *text; /* value of a STRING option */
    int64_t integer;  /* value of an INTEGER option */
    double number;    /* value of a NUMBER option */
};

struct option {
    const char *name;        /* NULL ends the list */
    const char *description; /* TR */
    enum option_type type;
    bool is_required;
    bool has_autocomplete;
    bool has_min, has_max;        /* min and max are meant (0 is a possible bound) */
    int64_t min, max;             /* INTEGER, NUMBER: value; STRING: length, 0-6000 */
    const struct choice *choices; /* at most 25, ended by name == NULL */
    const int *channel_types;     /* CHANNEL: ended by -1; NULL for all */

    /* SUB_COMMAND_GROUP and SUB_COMMAND */
    const struct option *options;
    /* SUB_COMMAND: replaces the command's own */
    handler *run;
    handler *autocomplete;
    int64_t cooldown_ms;
    bool has_deferral;
    uint64_t needed_permissions; /* checked here alone: Discord knows those of whole commands */
};

enum command_category {
    CATEGORY_START,
    CATEGORY_ECONOMY,
    CATEGORY_GAMES,
    CATEGORY_SHOP,
    CATEGORY_VOTING,
    CATEGORY_SETTINGS,
    CATEGORY_OWNER,
};

struct command {
    const char *name;        /* NULL ends a list */
    const char *description; /* TR */
    const char *details;     /* TR, Markdown for /help, or NULL */
    enum command_type type;  /* 0 means COMMAND_CHAT_INPUT */
    enum command_category category;
    const struct option *options;
    unsigned contexts;                   /* IN_*; 0 means IN_GUILD_AND_DM */
    unsigned integration_types;          /* INSTALLED_*; 0 means INSTALLED_IN_GUILD */
    uint64_t default_member_permissions; /* needed in guilds, checked here too; 0 means none */
    bool is_owner_only;  /* registered in the owner guild, refused to all but OWNER_IDS */
    bool needs_tos;      /* refused until the current terms are accepted */
    int64_t cooldown_ms; /* 0 means none */
    bool has_deferral;   /* known to be slow: acknowledged first */
    bool is_ephemeral;   /* how a deferral is shown */
    bool is_reposted;    /* a late reply whose message somebody has deleted is sent anew */

    handler *run;
    handler *autocomplete;
    /* Components and modals whose custom_id begins with `name`: */
    handler *component;
    handler *modal;
    const struct wizard *const *wizards; /* ended by NULL; both handlers are wizard_click then */
    int component_version;               /* clicks on other versions are refused politely */
    bool is_open_to_everyone;            /* others than the invoker may click (games, polls) */
};

/* Tells the person why not, in one sentence, ephemerally; the call counts as a user error and its
 * cooldown is not used up. Returns 0: `return call_refuse(call, "You can't pay yourself.");` */
int call_refuse(struct call *call, const char *format, ...) PRINTF_LIKE(2, 3);

/* Says when the command may be used again; the call counts as stopped by its cooldown. */
int call_refuse_cooldown(struct call *call, struct err *err) MUST_CHECK;

/* Options that passed the table's types and bounds. Absent optional ones give the fallback. */
bool call_has_option(const struct call *call, const char *name);
struct str_view call_text(const struct call *call, const char *name); /* STR_NONE when absent */
int64_t call_integer(const struct call *call, const char *name, int64_t fallback);
/* USER option; NULL when absent. */
const struct resolved_user *call_user(const struct call *call, const char *name);
/* AUTOCOMPLETE: the name of the option being typed into, and what was typed so far. */
struct str_view call_focused(const struct call *call, struct str_view *typed);

/* Whether this person has all of PERMISSION_* here; nobody has any in a direct message. */
bool call_has_permissions(const struct call *call, uint64_t permissions);

/* Says which permissions the command, or that sub-command of it (NULL: none), needs here. */
int call_refuse_permissions(struct call *call, uint64_t permissions, const char *sub_command);

/* Begins an answer for this person alone: a message of its own to a command, in place of the
 * message they clicked on to a click or to the form it opened. */
void call_begin_private_answer(struct call *call);

/* A custom_id for this command's own buttons and modals; copied into the call's arena. `row_id` is
 * the database row the click is about, or 0. */
struct str_view call_custom_id(const struct call *call, int64_t row_id, const char *argument);

/* The command of a COMMAND interaction as JSON, in the call's arena; absent for other interactions.
 */
struct str_view call_command_json(const struct call *call);

/* Runs the command in `data` (as stored when the terms blocked it), as if this person had just sent
 * it with interaction id `blocked_id`, through all gates; its answer becomes this call's reply. */
int call_run_blocked(struct call *call, int64_t blocked_id, struct str_view data,
                     struct err *err) MUST_CHECK;

/* The command of that name in a list ended by NULL; NULL when unknown. */
const struct command *command_find(const struct command *const *commands, struct str_view name);

/* Finds what Discord or the router would refuse in the tables: the first fault as ERR_INVALID with
 * the path in words ("pay.amount: required after an optional option"). */
int command_list_check(const struct command *const *commands, struct err *err) MUST_CHECK;

const char *command_category_name(enum command_category category); /* "Economy" */

/* Of the command or sub-command this call runs; 0 when it has none. */
static inline int64_t command_cooldown_ms(const struct call *call)
{
    return call->sub_command && call->sub_command->cooldown_ms ? call->sub_command->cooldown_ms
                                                               : call->command->cooldown_ms;
}

#endif
