/* Settings of servers and of people: typed, with defaults in one table each, cached, and told to
 * all instances at once when they change. A setting is one line of server_fields or user_fields and
 * one member of its struct; docs/adding-a-setting.md is the checklist.
 *
 * Reading goes through the cache (call->server, call->person); whoever edits reads the row itself
 * with its revision and saves against it: of two who edit at once the second is told. */
#ifndef BRONX_SETTINGS_H
#define BRONX_SETTINGS_H

#include "bronx/wizard.h"

/* What a server's admins have decided. /setup server's pages: enum server_step. */
struct server_settings {
    int64_t revision;                /* 0: never saved */
    struct str_view currency_name;   /* "coins" stays absent: the plural is the language's */
    struct str_view currency_symbol; /* "" for none; or a custom emoji: bronx/emoji.h */
    bool has_economy, has_games, has_shop, has_voting;
    int64_t max_bet;              /* coins; 0: no limit */
    int64_t pay_daily_cap;        /* coins a person can pay to others a day (UTC); 0: no limit */
    int64_t min_account_age_days; /* of Discord accounts, by their snowflake */
    struct field_ids channels;    /* where economy, games, shop and voting answer; none: anywhere */
    struct field_ids announcement_channel; /* at most one */
    struct field_ids log_channel;          /* at most one */
    bool has_voteban;
    int64_t voteban_votes;   /* closes the vote */
    int64_t voteban_score;   /* needed for the time-out */
    int64_t voteban_minutes; /* length of the time-out */
};

enum server_step { SERVER_LOOK, SERVER_SWITCHES, SERVER_LIMITS, SERVER_PLACES, SERVER_VOTEBAN };

enum privacy { PRIVACY_PUBLIC, PRIVACY_PRIVATE };
enum notifications { NOTIFY_ALL, NOTIFY_IMPORTANT, NOTIFY_NONE };

/* What a person has decided about themself. */
struct user_settings {
    int64_t revision;
    struct str_view time_zone; /* "Europe/Madrid"; their day begins by it */
    int privacy;               /* enum privacy: may others see the balance */
    int notifications;         /* enum notifications: what pings them */
    int64_t max_bet;           /* coins; 0: no limit of one's own */
    int64_t loss_limit;        /* coins lost in games a day of one's time zone; 0: none */
    int64_t cool_off_until_ms; /* no games before; 0: none. Chosen as a length, kept as a time;
                                  can't be shortened */
};

enum user_step { USER_ABOUT, USER_LIMITS };

extern const struct field server_fields[];
extern const struct field user_fields[];

/* The pages of /setup, by which settings are grouped. */
extern const struct wizard_step server_steps[];
extern const struct wizard_step user_steps[];

/* Whose settings: a server's id or a person's. */
enum settings_scope { SETTINGS_OF_SERVER, SETTINGS_OF_USER };

struct settings_owner {
    enum settings_scope scope;
    int64_t id;
};

const struct field *settings_fields(enum settings_scope scope);
const struct wizard_step *settings_steps(enum settings_scope scope);

/* Both are the defaults: what a new call begins with. */
void settings_defaults(struct call *call);

/* Fills call->server and call->person through the cache; a DM's server has the defaults. Called by
 * the gates for everything but commands of CATEGORY_START that need no terms; those that want them
 * call it themselves. Twice is once. */
int settings_load(struct call *call, struct err *err) MUST_CHECK;

/* Somebody else's, through the cache. */
int settings_of_user(struct call *call, int64_t user_id, const struct user_settings **settings,
                     struct err *err) MUST_CHECK;

/* --- Editing --- */

/* The row itself: revision 0 and no values when there is none; values that are not allowed any more
 * are absent. They live in the call's arena. */
int settings_read(struct call *call, struct settings_owner owner, int64_t *revision,
                  struct field_values *values, struct err *err) MUST_CHECK;

enum settings_saving {
    SETTINGS_SAVED = 0,
    SETTINGS_UNCHANGED = 1, /* nothing differs: no revision, no line in the history */
    SETTINGS_CONFLICT = 2,  /* somebody saved after `revision`: nothing was written */
};

/* Saves `values` (absent ones become defaults) if `revision` is still the newest: the row, one line
 * of history for each field that differs, and in one transaction with them the log and announcement
 * channels' messages. Then every instance forgets the old ones, and this call goes on with the new
 * ones. A replay (call->effect_id) is SETTINGS_SAVED and changes nothing. A time of FIELD_UNTIL
 * that is still to come stays unless `values` have a later one. Returns an enum settings_saving or
 * a negative code. ERR_INVALID when a changed value is not what its field allows. */
int settings_save(struct call *call, struct settings_owner owner, int64_t revision,
                  const struct field_values *values, struct err *err) MUST_CHECK;

/* Who saved last: for the message about a conflict. 1 when there is such a row, else 0. */
struct settings_change {
    int64_t revision;
    int64_t changed_at_ms;
    int64_t interaction_id;               /* that saved it: what wizards save, opened them */
    int64_t changed_by;                   /* 0: somebody whose data was deleted */
    struct str_view key;                  /* a field this version may not know */
    struct str_view old_value, new_value; /* canonical; absent: the default */
};
int settings_last_change(struct call *call, struct settings_owner owner,
                         struct settings_change *change, struct err *err) MUST_CHECK;

/* Newest first, those of one save in the table's order: `limit` after skipping `offset`; the array
 * lives in the call's arena. */
int settings_history(struct call *call, struct settings_owner owner, int offset, int limit,
                     struct settings_change **changes, int *count, struct err *err) MUST_CHECK;

/* What this call (its effect_id) has saved; none: nothing. Answers are made of it, so that a replay
 * gives the same. */
int settings_saved(struct call *call, struct settings_owner owner, struct settings_change **changes,
                   int *count, struct err *err) MUST_CHECK;

/* After the rows of one owner changed by other means (erasure): the cache forgets them. */
void settings_forget(const struct services *services, struct settings_owner owner);

#endif
