/* `data.resolved`: the users, roles, channels, attachments and messages that options and selects
 * speak of, as maps from id to object.
 * https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object-resolved-data-structure
 * Any thread; results live in the reader's arena. */
#include "discord/interaction_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef int parse_entry(const struct json_reader *reader, const struct json_place *place,
                        void *entry);

static int parse_user_entry(const struct json_reader *reader, const struct json_place *place,
                            void *entry)
{
    struct resolved_user *resolved = entry;
    return interaction_parse_user(reader, place, &resolved->user);
}

static int parse_channel_entry(const struct json_reader *reader, const struct json_place *place,
                               void *entry)
{
    return interaction_parse_channel(reader, place, entry);
}

static int parse_message_entry(const struct json_reader *reader, const struct json_place *place,
                               void *entry)
{
    return interaction_parse_message(reader, place, entry);
}

static int parse_role_entry(const struct json_reader *reader, const struct json_place *place,
                            void *entry)
{
    static const struct json_field fields[] = {
        JSON_NEEDED(struct role, id, JSON_ID),
        JSON_NEEDED(struct role, name, JSON_TEXT),
        JSON_FIELD(struct role, permissions, JSON_BITS),
        JSON_FIELD(struct role, position, JSON_INT),
    };
    return json_get_object(reader, place, fields, ARRAY_LENGTH(fields), entry);
}

static int parse_attachment_entry(const struct json_reader *reader, const struct json_place *place,
                                  void *entry)
{
    static const struct json_field fields[] = {
        JSON_NEEDED(struct attachment, id, JSON_ID),
        JSON_NEEDED(struct attachment, filename, JSON_TEXT),
        JSON_FIELD(struct attachment, content_type, JSON_TEXT),
        JSON_NEEDED(struct attachment, url, JSON_TEXT),
        JSON_NEEDED(struct attachment, size, JSON_INT64),
    };
    return json_get_object(reader, place, fields, ARRAY_LENGTH(fields), entry);
}

enum kind { USERS, ROLES, CHANNELS, ATTACHMENTS, MESSAGES, KIND_COUNT };

static const struct {
    const char *key;
    size_t entry_size;
    parse_entry *parse;
} kinds[KIND_COUNT] = {
    [USERS] = { "users", sizeof(struct resolved_user), parse_user_entry },
    [ROLES] = { "roles", sizeof(struct role), parse_role_entry },
    [CHANNELS] = { "channels", sizeof(struct channel), parse_channel_entry },
    [ATTACHMENTS] = { "attachments", sizeof(struct attachment), parse_attachment_entry },
    [MESSAGES] = { "messages", sizeof(struct message), parse_message_entry },
};

_Static_assert(offsetof(struct resolved_user, user.id) == 0 && offsetof(struct role, id) == 0 &&
                   offsetof(struct channel, id) == 0 && offsetof(struct attachment, id) == 0 &&
                   offsetof(struct message, id) == 0,
               "parse_map compares the id at the start of an entry with its key");

struct entries {
    void *first;
    int count;
};

static int parse_map(const struct json_reader *reader, const struct json_place *resolved_place,
                     enum kind kind, struct entries *entries)
{
    struct json_place list = json_member(resolved_place, kinds[kind].key);
    size_t count;
    int code = json_count_members(reader, &list, INTERACTION_RESOLVED_MAX, &count);
    if (code < 0 || count == 0)
        return code;
    char *entry = arena_allocate_array(reader->arena, count, kinds[kind].entry_size);
    if (!entry)
        return err_set(reader->err, ERR_MEMORY, "no memory for an interaction");
    *entries = (struct entries){ entry, (int)count };
    for (size_t i = 0; i < count; i++) {
        struct json_place place = json_item(&list, i);
        int64_t key_id, id;
        code = json_parse_id(reader, &place, str_from(place.key), &key_id);
        if (code == 0)
            code = kinds[kind].parse(reader, &place, entry);
        if (code < 0)
            return code;
        memcpy(&id, entry, sizeof(id));
        if (id != key_id)
            return json_fault(reader, &place, "the id inside is another one");
        entry += kinds[kind].entry_size;
    }
    return 0;
}

/* Members come in a map of their own, under the ids of their users. */
static int join_members(const struct json_reader *reader, const struct json_place *resolved_place,
                        const struct entries *users)
{
    struct json_place list = json_member(resolved_place, "members");
    size_t count;
    int code = json_count_members(reader, &list, INTERACTION_RESOLVED_MAX, &count);
    if (code < 0 || count == 0)
        return code;
    struct resolved_user *resolved = users->first;
    for (int i = 0; i < users->count && code == 0; i++) {
        char key[24]; /* an int64_t has at most 20 characters */
        snprintf(key, sizeof(key), "%" PRId64, resolved[i].user.id);
        struct json_place place = json_member(&list, key);
        if (place.value)
            code = interaction_parse_member(reader, &place, &resolved[i].member);
    }
    return code;
}

int interaction_parse_resolved(const struct json_reader *reader, const struct json_place *data,
                               struct resolved *resolved)
{
    struct json_place place = json_member(data, "resolved");
    if (!place.value)
        return 0;
    struct entries lists[KIND_COUNT] = { 0 };
    int code = json_need_object(reader, &place);
    for (size_t i = 0; i < KIND_COUNT && code == 0; i++)
        code = parse_map(reader, &place, (enum kind)i, &lists[i]);
    if (code == 0)
        code = join_members(reader, &place, &lists[USERS]);
    *resolved = (struct resolved){
        .users = lists[USERS].first,
        .user_count = lists[USERS].count,
        .roles = lists[ROLES].first,
        .role_count = lists[ROLES].count,
        .channels = lists[CHANNELS].first,
        .channel_count = lists[CHANNELS].count,
        .attachments = lists[ATTACHMENTS].first,
        .attachment_count = lists[ATTACHMENTS].count,
        .messages = lists[MESSAGES].first,
        .message_count = lists[MESSAGES].count,
    };
    return code;
}
