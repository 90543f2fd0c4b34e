/* Interactions as Discord sends them, with the fields a real payload has, as json-c values.
 * https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object
 *
 * Functions that return a json_object give the caller one reference; parameters named `..._taken`
 * pass theirs on (NULL where the text says so). */
#ifndef HARNESS_INTERACTION_JSON_H
#define HARNESS_INTERACTION_JSON_H

#include "bronx/text.h"

#include <json-c/json.h>

/* Milliseconds from 1970-01-01 to the snowflakes' zero.
 * https://docs.discord.com/developers/reference#snowflakes */
#define SNOWFLAKE_EPOCH_MS INT64_C(1420070400000)

struct person {
    int64_t id;
    const char *name; /* username; shown with a capital as global_name */
    bool is_bot;
    const char *locale; /* of their client; NULL: "en-US" */
};

struct place {
    int64_t guild_id; /* 0 in a direct message with the bot */
    int64_t channel_id;
    const char *channel_name; /* NULL in direct messages */
    const char *guild_locale; /* NULL in direct messages */
};

struct guild_role {
    int64_t id;
    const char *name;
};

/* Who sends an interaction, from where; borrowed while it is built. */
struct envelope {
    int64_t id; /* of the interaction: a fresh snowflake */
    int64_t application_id;
    const char *token; /* NULL: one is made from the id */
    struct person person;
    struct place place;
    uint64_t permissions; /* of the person, in that channel */
};

/* A snowflake made at `now_ms`; `sequence` tells those of one millisecond apart. */
int64_t snowflake_at(int64_t now_ms, unsigned sequence);

/* The token that an interaction without one of its own gets. */
void interaction_token(int64_t id, char *token, size_t size);

/* --- Parts --- */

json_object *user_json(const struct person *person);
/* `with_user` is false in `resolved`, where members come without. */
json_object *member_json(const struct person *person, uint64_t permissions, bool with_user);
json_object *channel_json(const struct place *place, uint64_t permissions);
json_object *role_json(const struct guild_role *role);

/* resolved.users (and .members in a guild), .channels, .roles; the map is made when missing. */
void resolved_add_user(json_object *resolved, const struct person *person,
                       const struct place *place);
void resolved_add_channel(json_object *resolved, const struct place *channel);
void resolved_add_role(json_object *resolved, const struct guild_role *role);

/* A given option: a value, or (sub-command, group) more options (NULL: none). */
json_object *option_json(const char *name, int type, json_object *value_taken);
json_object *sub_command_json(const char *name, int type, json_object *options_taken);

/* A message of the bot as it stands in a component's interaction. */
struct bot_message {
    int64_t id;
    int64_t application_id;
    int64_t channel_id;
    int64_t flags;
    const char *content;      /* NULL: "" (always so with Components V2) */
    json_object *components;  /* borrowed; NULL: none */
    int64_t interaction_id;   /* the interaction it answered */
    int interaction_type;     /* its type: 2, 3 or 5 */
    const char *command_name; /* full name for type 2, else NULL */
    struct person invoker;    /* who caused it */
    int64_t created_ms;       /* UTC */
    bool is_edited;
};

json_object *message_json(const struct bot_message *message);

/* --- Whole interactions --- */

json_object *ping_interaction(const struct envelope *envelope);

/* `options_taken`, `resolved_taken`: NULL when there are none. */
json_object *command_interaction(const struct envelope *envelope, int64_t command_id,
                                 const char *name, json_object *options_taken,
                                 json_object *resolved_taken);

/* The same with one option focused, marked "focused": true. */
json_object *autocomplete_interaction(const struct envelope *envelope, int64_t command_id,
                                      const char *name, json_object *options_taken);

/* `values_taken` is NULL for a button, an array for selects. */
json_object *component_interaction(const struct envelope *envelope, json_object *message_taken,
                                   const char *custom_id, int component_type, int component_id,
                                   json_object *values_taken, json_object *resolved_taken);

/* `components_taken`: the labels with their submitted components (see submitted_label);
 * `message_taken`: where a component opened the modal, else NULL. */
json_object *modal_interaction(const struct envelope *envelope, const char *custom_id,
                               json_object *components_taken, json_object *resolved_taken,
                               json_object *message_taken);

/* A label as submitted: {"type":18,"id":..,"component":{...}} around `component_taken`. */
json_object *submitted_label(int label_id, json_object *component_taken);
/* A field as submitted; `key` is "value" or "values". */
json_object *submitted_field(int type, int id, const char *custom_id, const char *key,
                             json_object *value_taken);

/* The bytes to sign and send. */
void interaction_bytes(json_object *interaction, struct buf *out);

#endif
