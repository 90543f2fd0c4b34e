/* Payload shapes follow the examples of Discord's documentation field by field. No state. */
#include "harness/interaction_json.h"

#include "harness/memory.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ATTACHMENT_SIZE_LIMIT  (10 * 1024 * 1024) /* bytes; a person without Nitro */
#define APP_PERMISSIONS_GUILD  "2248473465835073"
#define APP_PERMISSIONS_BOT_DM "442368" /* attach files, embed links, mention everyone, emojis */

enum {
    TYPE_LABEL = 18,
    CHANNEL_TEXT = 0,
    CHANNEL_DM = 1,
    MESSAGE_COMMAND = 20,
    MESSAGE_REPLY = 19
};

int64_t snowflake_at(int64_t now_ms, unsigned sequence)
{
    /* Worker and process bits say nothing here; the low 22 bits tell ids apart. */
    return (now_ms - SNOWFLAKE_EPOCH_MS) * (INT64_C(1) << 22) + (int64_t)(sequence & 0x3fffff);
}

static void put_text(json_object *object, const char *key, const char *text)
{
    must_put(object, key, text ? must_text(str_from(text)) : NULL);
}

/* ISO 8601 as Discord writes it. */
static void put_time(json_object *object, const char *key, int64_t ms)
{
    char text[64], whole[32];
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, sizeof(text), "%s.%03d000+00:00", whole, (int)(ms % 1000));
    put_text(object, key, text);
}

void interaction_token(int64_t id, char *token, size_t size)
{
    snprintf(token, size, "aW50ZXJhY3Rpb246%" PRId64, id);
}

json_object *user_json(const struct person *person)
{
    char shown[64];
    snprintf(shown, sizeof(shown), "%s", person->name);
    shown[0] = (char)toupper((unsigned char)shown[0]);
    json_object *user = must_object();
    must_put(user, "id", must_id(person->id));
    put_text(user, "username", person->name);
    put_text(user, "discriminator", "0");
    put_text(user, "global_name", person->is_bot ? NULL : shown);
    put_text(user, "avatar", NULL);
    must_put(user, "avatar_decoration_data", NULL);
    must_put(user, "clan", NULL);
    must_put(user, "collectibles", NULL);
    must_put(user, "primary_guild", NULL);
    must_put(user, "public_flags", must_integer(0));
    if (person->is_bot)
        must_put(user, "bot", must_boolean(true));
    return user;
}

static void put_permissions(json_object *object, uint64_t permissions)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, permissions);
    put_text(object, "permissions", text);
}

json_object *member_json(const struct person *person, uint64_t permissions, bool with_user)
{
    json_object *member = must_object();
    if (with_user) {
        must_put(member, "user", user_json(person));
        must_put(member, "deaf", must_boolean(false));
        must_put(member, "mute", must_boolean(false));
    }
    must_put(member, "avatar", NULL);
    must_put(member, "banner", NULL);
    must_put(member, "communication_disabled_until", NULL);
    must_put(member, "flags", must_integer(0));
    put_text(member, "joined_at", "2021-04-11T15:02:37.442000+00:00");
    must_put(member, "nick", NULL);
    must_put(member, "pending", must_boolean(false));
    put_permissions(member, permissions);
    must_put(member, "premium_since", NULL);
    must_put(member, "roles", must_array());
    must_put(member, "unusual_dm_activity_until", NULL);
    return member;
}

json_object *channel_json(const struct place *place, uint64_t permissions)
{
    json_object *channel = must_object();
    must_put(channel, "id", must_id(place->channel_id));
    must_put(channel, "flags", must_integer(0));
    must_put(channel, "last_message_id", NULL);
    if (place->guild_id == 0) {
        must_put(channel, "type", must_integer(CHANNEL_DM));
        return channel;
    }
    must_put(channel, "type", must_integer(CHANNEL_TEXT));
    must_put(channel, "guild_id", must_id(place->guild_id));
    put_text(channel, "name", place->channel_name);
    must_put(channel, "nsfw", must_boolean(false));
    must_put(channel, "parent_id", NULL);
    put_permissions(channel, permissions);
    must_put(channel, "position", must_integer(0));
    must_put(channel, "rate_limit_per_user", must_integer(0));
    must_put(channel, "topic", NULL);
    return channel;
}

json_object *role_json(const struct guild_role *role)
{
    json_object *json = must_object();
    must_put(json, "id", must_id(role->id));
    put_text(json, "name", role->name);
    must_put(json, "color", must_integer(0));
    must_put(json, "hoist", must_boolean(false));
    must_put(json, "position", must_integer(1));
    put_text(json, "permissions", "0");
    must_put(json, "managed", must_boolean(false));
    must_put(json, "mentionable", must_boolean(false));
    must_put(json, "flags", must_integer(0));
    return json;
}

static void resolved_put(json_object *resolved, const char *map_name, int64_t id,
                         json_object *value_taken)
{
    char key[24];
    json_object *map;
    snprintf(key, sizeof(key), "%" PRId64, id);
    if (!json_object_object_get_ex(resolved, map_name, &map)) {
        map = must_object();
        must_put(resolved, map_name, map);
    }
    must_put(map, key, value_taken);
}

void resolved_add_user(json_object *resolved, const struct person *person,
                       const struct place *place)
{
    resolved_put(resolved, "users", person->id, user_json(person));
    if (place->guild_id != 0)
        resolved_put(resolved, "members", person->id, member_json(person, 0, false));
}

void resolved_add_channel(json_object *resolved, const struct place *channel)
{
    resolved_put(resolved, "channels", channel->channel_id, channel_json(channel, 0));
}

void resolved_add_role(json_object *resolved, const struct guild_role *role)
{
    resolved_put(resolved, "roles", role->id, role_json(role));
}

json_object *option_json(const char *name, int type, json_object *value_taken)
{
    json_object *option = must_object();
    put_text(option, "name", name);
    must_put(option, "type", must_integer(type));
    must_put(option, "value", value_taken);
    return option;
}

json_object *sub_command_json(const char *name, int type, json_object *options_taken)
{
    json_object *option = must_object();
    put_text(option, "name", name);
    must_put(option, "type", must_integer(type));
    must_put(option, "options", options_taken ? options_taken : must_array());
    return option;
}

json_object *message_json(const struct bot_message *message)
{
    const struct person bot = { message->application_id, "bronxbot", true };
    json_object *json = must_object(), *metadata = must_object(), *owners = must_object();
    must_put(json, "id", must_id(message->id));
    must_put(json, "application_id", must_id(message->application_id));
    must_put(json, "channel_id", must_id(message->channel_id));
    must_put(json, "author", user_json(&bot));
    put_text(json, "content", message->content ? message->content : "");
    put_time(json, "timestamp", message->created_ms);
    if (message->is_edited)
        put_time(json, "edited_timestamp", message->created_ms);
    else
        must_put(json, "edited_timestamp", NULL);
    must_put(json, "tts", must_boolean(false));
    must_put(json, "mention_everyone", must_boolean(false));
    must_put(json, "mentions", must_array());
    must_put(json, "mention_roles", must_array());
    must_put(json, "attachments", must_array());
    must_put(json, "embeds", must_array());
    must_put(json, "components",
             message->components ? json_object_get(message->components) : must_array());
    must_put(json, "pinned", must_boolean(false));
    must_put(json, "type",
             must_integer(message->interaction_type == 2 ? MESSAGE_COMMAND : MESSAGE_REPLY));
    must_put(json, "flags", must_integer(message->flags));
    must_put(json, "webhook_id", must_id(message->application_id));
    must_put(metadata, "id", must_id(message->interaction_id));
    must_put(metadata, "type", must_integer(message->interaction_type));
    must_put(metadata, "user", user_json(&message->invoker));
    if (message->command_name) {
        put_text(metadata, "name", message->command_name);
        must_put(metadata, "command_type", must_integer(1));
    }
    must_put(owners, "0", must_id(0));
    must_put(metadata, "authorizing_integration_owners", owners);
    must_put(json, "interaction_metadata", metadata);
    return json;
}

/* --- Whole interactions --- */

enum { PING = 1, COMMAND = 2, COMPONENT = 3, AUTOCOMPLETE = 4, MODAL_SUBMIT = 5 };

static json_object *interaction_json(const struct envelope *envelope, int type)
{
    char token[64];
    interaction_token(envelope->id, token, sizeof(token));
    json_object *json = must_object();
    must_put(json, "id", must_id(envelope->id));
    must_put(json, "application_id", must_id(envelope->application_id));
    must_put(json, "type", must_integer(type));
    put_text(json, "token", envelope->token ? envelope->token : token);
    must_put(json, "version", must_integer(1));
    must_put(json, "entitlements", must_array());
    return json;
}

static void put_guild(json_object *json, const struct envelope *envelope)
{
    const struct place *place = &envelope->place;
    json_object *guild = must_object();
    must_put(guild, "id", must_id(place->guild_id));
    put_text(guild, "locale", place->guild_locale ? place->guild_locale : "en-US");
    must_put(guild, "features", must_array());
    must_put(json, "guild", guild);
    must_put(json, "guild_id", must_id(place->guild_id));
    put_text(json, "guild_locale", place->guild_locale ? place->guild_locale : "en-US");
    must_put(json, "member", member_json(&envelope->person, envelope->permissions, true));
    put_text(json, "app_permissions", APP_PERMISSIONS_GUILD);
}

static json_object *sourced_json(const struct envelope *envelope, int type, json_object *data_taken)
{
    const struct place *place = &envelope->place;
    bool is_guild = place->guild_id != 0;
    json_object *json = interaction_json(envelope, type), *owners = must_object();
    must_put(json, "data", data_taken);
    if (is_guild) {
        put_guild(json, envelope);
    } else {
        must_put(json, "user", user_json(&envelope->person));
        put_text(json, "app_permissions", APP_PERMISSIONS_BOT_DM);
    }
    must_put(json, "channel_id", must_id(place->channel_id));
    must_put(json, "channel", channel_json(place, envelope->permissions));
    put_text(json, "locale", envelope->person.locale ? envelope->person.locale : "en-US");
    must_put(json, "context", must_integer(is_guild ? 0 : 1));
    must_put(owners, "0", must_id(place->guild_id));
    must_put(json, "authorizing_integration_owners", owners);
    must_put(json, "attachment_size_limit", must_integer(ATTACHMENT_SIZE_LIMIT));
    return json;
}

json_object *ping_interaction(const struct envelope *envelope)
{
    const struct person discord = { INT64_C(643945264868098049), "discord", false };
    json_object *json = interaction_json(envelope, PING);
    must_put(json, "user", user_json(&discord));
    must_put(json, "authorizing_integration_owners", must_object());
    return json;
}

static json_object *command_data(int64_t command_id, const char *name, json_object *options_taken,
                                 json_object *resolved_taken)
{
    json_object *data = must_object();
    must_put(data, "id", must_id(command_id));
    put_text(data, "name", name);
    must_put(data, "type", must_integer(1));
    if (options_taken)
        must_put(data, "options", options_taken);
    if (resolved_taken)
        must_put(data, "resolved", resolved_taken);
    return data;
}

json_object *command_interaction(const struct envelope *envelope, int64_t command_id,
                                 const char *name, json_object *options_taken,
                                 json_object *resolved_taken)
{
    return sourced_json(envelope, COMMAND,
                        command_data(command_id, name, options_taken, resolved_taken));
}

json_object *autocomplete_interaction(const struct envelope *envelope, int64_t command_id,
                                      const char *name, json_object *options_taken)
{
    return sourced_json(envelope, AUTOCOMPLETE,
                        command_data(command_id, name, options_taken, NULL));
}

json_object *component_interaction(const struct envelope *envelope, json_object *message_taken,
                                   const char *custom_id, int component_type, int component_id,
                                   json_object *values_taken, json_object *resolved_taken)
{
    json_object *data = must_object();
    must_put(data, "component_type", must_integer(component_type));
    must_put(data, "id", must_integer(component_id));
    put_text(data, "custom_id", custom_id);
    if (values_taken)
        must_put(data, "values", values_taken);
    if (resolved_taken)
        must_put(data, "resolved", resolved_taken);
    json_object *json = sourced_json(envelope, COMPONENT, data);
    must_put(json, "message", message_taken);
    return json;
}

json_object *modal_interaction(const struct envelope *envelope, const char *custom_id,
                               json_object *components_taken, json_object *resolved_taken,
                               json_object *message_taken)
{
    json_object *data = must_object();
    put_text(data, "custom_id", custom_id);
    must_put(data, "components", components_taken);
    if (resolved_taken)
        must_put(data, "resolved", resolved_taken);
    json_object *json = sourced_json(envelope, MODAL_SUBMIT, data);
    if (message_taken)
        must_put(json, "message", message_taken);
    return json;
}

json_object *submitted_label(int label_id, json_object *component_taken)
{
    json_object *label = must_object();
    must_put(label, "type", must_integer(TYPE_LABEL));
    must_put(label, "id", must_integer(label_id));
    must_put(label, "component", component_taken);
    return label;
}

json_object *submitted_field(int type, int id, const char *custom_id, const char *key,
                             json_object *value_taken)
{
    json_object *field = must_object();
    must_put(field, "type", must_integer(type));
    must_put(field, "id", must_integer(id));
    put_text(field, "custom_id", custom_id);
    must_put(field, key, value_taken);
    return field;
}

void interaction_bytes(json_object *interaction, struct buf *out)
{
    size_t length = 0;
    const char *text = json_object_to_json_string_length(
        interaction, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
    buf_append_bytes(out, text, text ? length : 0);
    must_hold(out);
}
