/* The messages of the bot, as each person sees them: public ones by everybody in the channel,
 * ephemeral ones by one person. A deferred answer is a message that "thinks" until it is edited.
 * They remember the interaction they answer, by which later edits will find them. */
#ifndef SIMULATOR_MESSAGE_STORE_H
#define SIMULATOR_MESSAGE_STORE_H

#include "harness/interaction_json.h"
#include "harness/lookup.h"

struct stored_message {
    int64_t id;
    int64_t channel_id;
    int64_t viewer_id; /* the only one who sees it; 0: everybody */
    json_object *data; /* content, embeds, components, flags; owned */
    bool is_thinking;
    bool is_edited;
    bool is_deleted;        /* nobody sees it any more */
    int64_t interaction_id; /* that it answered; 0: none, the bot sent it to the channel */
    int interaction_type;
    char *command_name; /* "tos" or "setup server"; NULL unless it answered a command */
    struct person invoker;
    int64_t created_ms;
    int64_t edited_us; /* arrival of the newest edit; 0: none. Of the REST server's clock */
};

struct message_store {
    struct stored_message **messages; /* oldest first */
    size_t count;
    struct lookup by_id;
};

/* A new message; `message` is copied, its `data` gets a reference more, `command_name` is copied.
 */
struct stored_message *store_add(struct message_store *store, const struct stored_message *message);

/* Replaces what the message shows (fields that `data` does not name stay); edits end thinking. */
void store_edit(struct stored_message *message, json_object *data);

struct stored_message *store_find(const struct message_store *store, int64_t id); /* or NULL */

/* The newest that `person_id` sees in the channel and that `fits`
 * accepts (NULL: all); NULL when there is none. */
typedef bool message_filter(const struct stored_message *message, struct str_view name);
struct stored_message *store_newest(const struct message_store *store, int64_t channel_id,
                                    int64_t person_id, message_filter *fits, struct str_view name);

/* The `number`-th (from 1, oldest first) that `person_id` sees in the channel. */
struct stored_message *store_numbered(const struct message_store *store, int64_t channel_id,
                                      int64_t person_id, size_t number);

/* Numbers components as store_add and store_edit do; NULL allowed. */
void store_number(json_object *components);

/* As Discord sends it along with a click; the caller owns it. */
json_object *store_message_json(const struct stored_message *message);

void store_free(struct message_store *store);

#endif
