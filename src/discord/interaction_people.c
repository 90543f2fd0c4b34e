/* Users, members, channels and messages as they occur inside an interaction.
 * https://docs.discord.com/developers/resources/user#user-object
 * https://docs.discord.com/developers/resources/guild#guild-member-object
 * https://docs.discord.com/developers/resources/channel#channel-object
 * https://docs.discord.com/developers/resources/message#message-object
 * Any thread; results live in the reader's arena. */
#include "discord/interaction_parts.h"

int interaction_parse_user(const struct json_reader *reader, const struct json_place *place,
                           struct user *user)
{
    static const struct json_field fields[] = {
        { .name = "bot", .kind = JSON_BOOL, .offset = offsetof(struct user, is_bot) },
        { .name = "system", .kind = JSON_BOOL, .offset = offsetof(struct user, is_system) },
        JSON_NEEDED(struct user, id, JSON_ID),
        JSON_NEEDED(struct user, username, JSON_TEXT),
        JSON_FIELD(struct user, global_name, JSON_TEXT),
    };
    return json_get_object(reader, place, fields, ARRAY_LENGTH(fields), user);
}

static int parse_role_ids(const struct json_reader *reader, const struct json_place *member_place,
                          struct member *member)
{
    struct json_place roles = json_member(member_place, "roles");
    size_t count;
    int code = json_count_items(reader, &roles, INTERACTION_ROLES_MAX, &count);
    if (code < 0 || count == 0)
        return code;
    int64_t *ids = arena_allocate_array(reader->arena, count, sizeof(*ids));
    if (!ids)
        return err_set(reader->err, ERR_MEMORY, "no memory for an interaction");
    for (size_t i = 0; i < count && code == 0; i++) {
        struct json_place place = json_item(&roles, i);
        code = json_get_id(reader, &place, &ids[i]);
    }
    member->role_ids = ids;
    member->role_count = (int)count;
    return code;
}

int interaction_parse_member(const struct json_reader *reader, const struct json_place *place,
                             const struct member **member)
{
    static const struct json_field fields[] = {
        JSON_FIELD(struct member, nick, JSON_TEXT),
        JSON_FIELD(struct member, permissions, JSON_BITS),
        { .name = "joined_at",
          .kind = JSON_TIMESTAMP,
          .offset = offsetof(struct member, joined_at_ms) },
        { .name = "communication_disabled_until",
          .kind = JSON_TIMESTAMP,
          .offset = offsetof(struct member, timed_out_until_ms) },
    };
    int code = json_need_object(reader, place);
    if (code < 0)
        return code;
    struct member *parsed = arena_allocate(reader->arena, sizeof(*parsed));
    if (!parsed)
        return err_set(reader->err, ERR_MEMORY, "no memory for an interaction");
    *member = parsed;
    code = json_get_fields(reader, place, fields, ARRAY_LENGTH(fields), parsed);
    return code < 0 ? code : parse_role_ids(reader, place, parsed);
}

int interaction_parse_channel(const struct json_reader *reader, const struct json_place *place,
                              struct channel *channel)
{
    static const struct json_field fields[] = {
        JSON_NEEDED(struct channel, id, JSON_ID),
        JSON_FIELD(struct channel, type, JSON_INT),
        JSON_FIELD(struct channel, name, JSON_TEXT),
        JSON_FIELD(struct channel, parent_id, JSON_ID),
        JSON_FIELD(struct channel, permissions, JSON_BITS),
    };
    return json_get_object(reader, place, fields, ARRAY_LENGTH(fields), channel);
}

/* The id at message.<key>.user.id, when all of it is there. */
static int parse_invoker(const struct json_reader *reader, const struct json_place *message,
                         const char *key, int64_t *id)
{
    struct json_place metadata = json_member(message, key);
    if (!metadata.value)
        return 0;
    int code = json_need_object(reader, &metadata);
    if (code < 0)
        return code;
    struct json_place user = json_member(&metadata, "user");
    if (!user.value)
        return 0;
    code = json_need_object(reader, &user);
    if (code < 0)
        return code;
    struct json_place user_id = json_member(&user, "id");
    return json_get_id(reader, &user_id, id);
}

/* A follow-up names the message it follows; an answer does not.
 * https://docs.discord.com/developers/resources/message#message-interaction-metadata-object */
static int parse_answered(const struct json_reader *reader, const struct json_place *message,
                          int64_t *id)
{
    struct json_place metadata = json_member(message, "interaction_metadata");
    if (!metadata.value || json_member(&metadata, "original_response_message_id").value)
        return 0;
    struct json_place answered = json_member(&metadata, "id");
    return answered.value ? json_get_id(reader, &answered, id) : 0;
}

/* What is not made as we know it has no text: newer messages are no reason to refuse. */
static struct str_view last_text(const struct json_place *message)
{
    struct json_place components = json_member(message, "components");
    struct str_view text = STR_NONE;
    if (!json_is(&components, JSON_TYPE_ARRAY))
        return STR_NONE;
    for (size_t i = 0; i < components.value->count; i++) {
        struct json_place component = json_item(&components, i);
        if (!json_is(&component, JSON_TYPE_OBJECT))
            continue;
        struct json_place content = json_member(&component, "content");
        if (json_is(&content, JSON_TYPE_TEXT))
            text = content.value->text;
    }
    return text;
}

int interaction_parse_message(const struct json_reader *reader, const struct json_place *place,
                              struct message *message)
{
    static const struct json_field fields[] = {
        JSON_NEEDED(struct message, id, JSON_ID),
        JSON_FIELD(struct message, channel_id, JSON_ID),
        JSON_FIELD(struct message, content, JSON_TEXT),
        JSON_FIELD(struct message, flags, JSON_FLAGS),
    };
    int code = json_get_object(reader, place, fields, ARRAY_LENGTH(fields), message);
    if (code < 0)
        return code;
    struct json_place author = json_member(place, "author");
    if (author.value) {
        code = json_need_object(reader, &author);
        struct json_place author_id = json_member(&author, "id");
        if (code == 0)
            code = json_get_id(reader, &author_id, &message->author_id);
        if (code < 0)
            return code;
    }
    code = parse_invoker(reader, place, "interaction_metadata", &message->invoker_id);
    /* What came before interaction_metadata, still sent beside it. */
    if (code == 0 && message->invoker_id == 0)
        code = parse_invoker(reader, place, "interaction", &message->invoker_id);
    if (code == 0)
        code = parse_answered(reader, place, &message->answers_id);
    message->last_text = last_text(place);
    return code;
}
