/* A parsed interaction: what Discord posted, as typed fields.
 * https://docs.discord.com/developers/interactions/receiving-and-responding
 *
 * Everything is borrowed from the interaction and stays valid until interaction_free. Ids are
 * snowflakes; 0 means absent (Discord has no id 0). Fields and types that are newer than this bot
 * are tolerated: unknown fields are skipped, unknown types keep their number. */
#ifndef BRONX_INTERACTION_H
#define BRONX_INTERACTION_H

#include "bronx/err.h"
#include "bronx/text.h"

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds of 1970-01-01 to Discord's first second (2015-01-01), the snowflakes' zero.
 * https://docs.discord.com/developers/reference#snowflakes */
#define DISCORD_EPOCH_MS    INT64_C(1420070400000)

/* Largest size of an INTEGER option, a choice or a bound: what JavaScript can count to.
 * https://docs.discord.com/developers/interactions/application-commands#application-command-object-application-command-option-type
 */
#define DISCORD_INTEGER_MAX ((INT64_C(1) << 53) - 1)

static inline int64_t snowflake_created_ms(int64_t id)
{
    return (id >> 22) + DISCORD_EPOCH_MS;
}

/* The first id of that millisecond; 0 for a time before all ids, INT64_MAX for one behind them. */
static inline int64_t snowflake_first_of(int64_t ms)
{
    if (ms <= DISCORD_EPOCH_MS)
        return 0;
    return ms - DISCORD_EPOCH_MS > INT64_MAX >> 22 ? INT64_MAX : (ms - DISCORD_EPOCH_MS) << 22;
}

enum interaction_type {
    INTERACTION_PING = 1,
    INTERACTION_COMMAND = 2,
    INTERACTION_COMPONENT = 3,
    INTERACTION_AUTOCOMPLETE = 4,
    INTERACTION_MODAL_SUBMIT = 5,
};

enum interaction_context {
    CONTEXT_GUILD = 0,
    CONTEXT_BOT_DM = 1,
    CONTEXT_PRIVATE_CHANNEL = 2,
    CONTEXT_UNKNOWN = -1, /* not sent, or newer than this bot */
};

enum command_type { COMMAND_CHAT_INPUT = 1, COMMAND_USER = 2, COMMAND_MESSAGE = 3 };

/* https://docs.discord.com/developers/interactions/application-commands#application-command-object-application-command-option-type
 */
enum option_type {
    OPTION_SUB_COMMAND = 1,
    OPTION_SUB_COMMAND_GROUP = 2,
    OPTION_STRING = 3,
    OPTION_INTEGER = 4,
    OPTION_BOOLEAN = 5,
    OPTION_USER = 6,
    OPTION_CHANNEL = 7,
    OPTION_ROLE = 8,
    OPTION_MENTIONABLE = 9,
    OPTION_NUMBER = 10,
    OPTION_ATTACHMENT = 11,
};

/* https://docs.discord.com/developers/components/reference#component-object-component-types */
enum component_type {
    COMPONENT_ACTION_ROW = 1,
    COMPONENT_BUTTON = 2,
    COMPONENT_STRING_SELECT = 3,
    COMPONENT_TEXT_INPUT = 4,
    COMPONENT_USER_SELECT = 5,
    COMPONENT_ROLE_SELECT = 6,
    COMPONENT_MENTIONABLE_SELECT = 7,
    COMPONENT_CHANNEL_SELECT = 8,
    COMPONENT_SECTION = 9,
    COMPONENT_TEXT_DISPLAY = 10,
    COMPONENT_THUMBNAIL = 11,
    COMPONENT_MEDIA_GALLERY = 12,
    COMPONENT_FILE = 13,
    COMPONENT_SEPARATOR = 14,
    COMPONENT_CONTAINER = 17,
    COMPONENT_LABEL = 18,
    COMPONENT_FILE_UPLOAD = 19,
    COMPONENT_RADIO_GROUP = 21,
    COMPONENT_CHECKBOX_GROUP = 22,
    COMPONENT_CHECKBOX = 23,
};

/* Bits of a permission set.
 * https://docs.discord.com/developers/topics/permissions#permissions-bitwise-permission-flags */
#define PERMISSION_ADMINISTRATOR    (UINT64_C(1) << 3)
#define PERMISSION_MANAGE_GUILD     (UINT64_C(1) << 5)
#define PERMISSION_MODERATE_MEMBERS (UINT64_C(1) << 40)

struct user {
    int64_t id;
    struct str_view username;
    struct str_view global_name; /* absent when the user has none */
    bool is_bot;
    bool is_system;
};

struct member {
    struct str_view nick; /* absent when none */
    const int64_t *role_ids;
    int role_count;
    uint64_t permissions;       /* in the interaction's channel */
    int64_t joined_at_ms;       /* 0 when unknown */
    int64_t timed_out_until_ms; /* 0 when not timed out */
};

struct role {
    int64_t id;
    struct str_view name;
    uint64_t permissions;
    int position;
};

struct channel {
    int64_t id;
    int type;
    struct str_view name; /* absent in DMs */
    int64_t parent_id;
    uint64_t permissions; /* of the invoking user */
};

struct attachment {
    int64_t id;
    struct str_view filename;
    struct str_view content_type; /* absent when unknown */
    struct str_view url;
    int64_t size; /* bytes */
};

struct message {
    int64_t id;
    int64_t channel_id;
    int64_t author_id;
    struct str_view content;
    struct str_view last_text; /* of the texts at its top, with Components V2; absent when none */
    uint64_t flags;
    /* Who ran the command (or pressed the button) this message answered; 0 when it answers none.
     * message.interaction_metadata.user.id */
    int64_t invoker_id;
    /* The interaction whose @original it is; 0 when it is none's.
     * message.interaction_metadata.id, unless original_response_message_id says it is a follow-up
     */
    int64_t answers_id;
};

/* A user chosen by somebody, with membership when the guild knows it. */
struct resolved_user {
    struct user user;
    const struct member *member; /* NULL outside the guild */
};

struct resolved {
    const struct resolved_user *users;
    const struct role *roles;
    const struct channel *channels;
    const struct attachment *attachments;
    const struct message *messages;
    int user_count, role_count, channel_count, attachment_count, message_count;
};

/* One option as given; sub-commands have been unwrapped into interaction.command.path. */
struct option_value {
    struct str_view name;
    int type; /* enum option_type */
    bool is_focused;
    struct str_view text; /* STRING; for a focused option of any type: what was typed so far */
    int64_t integer;      /* INTEGER, BOOLEAN (0/1), and the id for USER, CHANNEL, ROLE, ... */
    double number;        /* NUMBER and INTEGER */
};

/* One submitted modal field, or the one component that was used. */
struct field_value {
    struct str_view custom_id;
    int type;                      /* enum component_type */
    struct str_view value;         /* TEXT_INPUT, RADIO_GROUP (absent when nothing chosen) */
    bool is_checked;               /* CHECKBOX */
    const struct str_view *values; /* selects, CHECKBOX_GROUP, FILE_UPLOAD (ids) */
    int value_count;
};

struct entitlement {
    int64_t id;
    int64_t sku_id;
    int64_t user_id;
    int64_t guild_id;
    int type;
};

#define COMMAND_PATH_MAX 3 /* command, group, sub-command */

struct interaction {
    int64_t id;
    int64_t application_id;
    int type;              /* enum interaction_type, or a newer number */
    struct str_view token; /* secret for 15 minutes: never log it */
    int64_t guild_id;      /* 0 in DMs */
    int64_t channel_id;
    struct channel channel;      /* partial; id 0 when not sent */
    struct user user;            /* who did it; in guilds taken from the member */
    const struct member *member; /* NULL in DMs */
    uint64_t app_permissions;
    struct str_view locale;        /* of the user: "en-US" */
    struct str_view guild_locale;  /* absent in DMs */
    int context;                   /* enum interaction_context */
    int64_t installed_by_user_id;  /* authorizing_integration_owners["1"], 0 when absent */
    int64_t installed_in_guild_id; /* authorizing_integration_owners["0"], 0 when absent */
    const struct entitlement *entitlements;
    int entitlement_count;

    /* COMMAND and AUTOCOMPLETE */
    struct {
        int64_t id;
        int64_t guild_id;                       /* of a guild command, else 0 */
        int type;                               /* enum command_type */
        struct str_view path[COMMAND_PATH_MAX]; /* "setup", "server" */
        int path_length;
        const struct option_value *options;
        int option_count;
        int64_t target_id; /* USER and MESSAGE commands */
    } command;

    /* COMPONENT: custom_id of the component, one field. MODAL_SUBMIT: custom_id of the modal, its
     * fields in order, whatever labels or rows they were nested in. */
    struct str_view custom_id;
    const struct field_value *fields;
    int field_count;

    const struct message *message; /* COMPONENT, and MODAL_SUBMIT opened from one; else NULL */
    struct resolved resolved;
};

/* Look-ups; NULL when absent. */
const struct option_value *interaction_option(const struct interaction *interaction,
                                              const char *name);
const struct field_value *interaction_field(const struct interaction *interaction,
                                            const char *custom_id);
const struct resolved_user *interaction_resolved_user(const struct interaction *interaction,
                                                      int64_t id);

#endif
