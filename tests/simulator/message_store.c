/* Messages are never removed: a scene is short. */
#include "simulator/message_store.h"

#include "harness/bot_process.h"
#include "harness/memory.h"
#include "simulator/components.h"
#include "simulator/json_read.h"

#include <stdlib.h>

struct stored_message *store_add(struct message_store *store, const struct stored_message *message)
{
    struct stored_message *added = must_allocate(1, sizeof(*added));
    *added = *message;
    added->data = message->data ? json_object_get(message->data) : must_object();
    added->command_name = message->command_name ? must_copy(str_from(message->command_name)) : NULL;
    components_number(get(added->data, "components"));
    must_grow(&store->messages, store->count, sizeof(struct stored_message *));
    store->messages[store->count++] = added;
    lookup_add(&store->by_id, (uint64_t)added->id, added);
    return added;
}

void store_edit(struct stored_message *message, json_object *data)
{
    json_object_object_foreach(data, name, value)
    {
        must_put(message->data, name, json_object_get(value));
    }
    components_number(get(message->data, "components"));
    message->is_edited = !message->is_thinking; /* an answer that comes late is no edit */
    message->is_thinking = false;
}

struct stored_message *store_find(const struct message_store *store, int64_t id)
{
    return lookup_find(&store->by_id, (uint64_t)id);
}

static bool is_visible(const struct stored_message *message, int64_t channel_id, int64_t person_id)
{
    return !message->is_deleted && message->channel_id == channel_id &&
           (message->viewer_id == 0 || message->viewer_id == person_id);
}

struct stored_message *store_newest(const struct message_store *store, int64_t channel_id,
                                    int64_t person_id, message_filter *fits, struct str_view name)
{
    for (size_t i = store->count; i-- > 0;) {
        struct stored_message *message = store->messages[i];
        if (is_visible(message, channel_id, person_id) && (!fits || fits(message, name)))
            return message;
    }
    return NULL;
}

struct stored_message *store_numbered(const struct message_store *store, int64_t channel_id,
                                      int64_t person_id, size_t number)
{
    for (size_t i = 0; i < store->count; i++)
        if (is_visible(store->messages[i], channel_id, person_id) && --number == 0)
            return store->messages[i];
    return NULL;
}

json_object *store_message_json(const struct stored_message *message)
{
    const struct bot_message described = {
        .id = message->id,
        .application_id = HARNESS_APPLICATION_ID,
        .channel_id = message->channel_id,
        .flags = get_integer(message->data, "flags", 0),
        .content = get_text(message->data, "content"),
        .components = get(message->data, "components"),
        .interaction_id = message->interaction_id,
        .interaction_type = message->interaction_type,
        .command_name = message->command_name,
        .invoker = message->invoker,
        .created_ms = message->created_ms,
        .is_edited = message->is_edited,
    };
    return message_json(&described);
}

void store_free(struct message_store *store)
{
    for (size_t i = 0; i < store->count; i++) {
        json_object_put(store->messages[i]->data);
        free(store->messages[i]->command_name);
        free(store->messages[i]);
    }
    free(store->messages);
    lookup_free(&store->by_id);
    *store = (struct message_store){ 0 };
}
