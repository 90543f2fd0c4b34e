/* Lists of named things; look-ups are linear, a scene names few. */
#include "simulator/world.h"

#include "harness/memory.h"

#include <stdlib.h>
#include <string.h>

#define BIRTH_MS       INT64_C(1577836800000) /* 2020-01-01: every name is born in that year */
#define YEAR_MS        INT64_C(31536000000)

#define DEFAULT_LOCALE "en-US"

/* FNV-1a over the kind and the name: a stable id that looks like a real one. */
static int64_t id_of(const char *kind, struct str_view name)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const char *byte = kind; *byte; byte++)
        hash = (hash ^ (unsigned char)*byte) * UINT64_C(1099511628211);
    for (size_t i = 0; i < name.length; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * UINT64_C(1099511628211);
    return snowflake_at(BIRTH_MS + (int64_t)(hash >> 24) % YEAR_MS, (unsigned)hash & 0x3fffff);
}

static bool is_name(struct str_view name)
{
    if (name.length < 1 || name.length > WORLD_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.length; i++)
        if (!memchr("abcdefghijklmnopqrstuvwxyz0123456789_.-", name.data[i], 39))
            return false;
    return true;
}

const struct person *world_person(struct world *world, struct str_view name)
{
    if (!is_name(name))
        return NULL;
    for (size_t i = 0; i < world->person_count; i++)
        if (str_equal(str_from(world->people[i]->name), name))
            return world->people[i];
    struct person *person = must_allocate(1, sizeof(*person));
    person->name = must_copy(name);
    person->id = id_of("person", name);
    person->locale = DEFAULT_LOCALE;
    person->is_bot = name.length > 3 && memcmp(name.data + name.length - 3, "bot", 3) == 0;
    must_grow(&world->people, world->person_count, sizeof(struct person *));
    world->people[world->person_count++] = person;
    return person;
}

const struct guild *world_guild(struct world *world, struct str_view name)
{
    if (!is_name(name))
        return NULL;
    for (size_t i = 0; i < world->guild_count; i++)
        if (str_equal(str_from(world->guilds[i]->name), name))
            return world->guilds[i];
    struct guild *guild = must_allocate(1, sizeof(*guild));
    guild->name = must_copy(name);
    guild->id = id_of("guild", name);
    guild->locale = DEFAULT_LOCALE;
    must_grow(&world->guilds, world->guild_count, sizeof(struct guild *));
    world->guilds[world->guild_count++] = guild;
    return guild;
}

const struct place *world_channel(struct world *world, int64_t guild_id, struct str_view name)
{
    if (!is_name(name))
        return NULL;
    for (size_t i = 0; i < world->channel_count; i++)
        if (world->channels[i]->guild_id == guild_id &&
            str_equal(str_from(world->channels[i]->channel_name), name))
            return world->channels[i];
    struct place *channel = must_allocate(1, sizeof(*channel));
    channel->guild_id = guild_id;
    channel->channel_id = guild_id ^ (id_of("channel", name) & 0x3fffff);
    channel->channel_name = must_copy(name);
    channel->guild_locale = DEFAULT_LOCALE;
    for (size_t i = 0; i < world->guild_count; i++)
        if (world->guilds[i]->id == guild_id)
            channel->guild_locale = world->guilds[i]->locale;
    must_grow(&world->channels, world->channel_count, sizeof(struct place *));
    world->channels[world->channel_count++] = channel;
    return channel;
}

const struct guild_role *world_role(struct world *world, struct str_view name)
{
    if (!is_name(name))
        return NULL;
    for (size_t i = 0; i < world->role_count; i++)
        if (str_equal(str_from(world->roles[i]->name), name))
            return world->roles[i];
    struct guild_role *role = must_allocate(1, sizeof(*role));
    role->name = must_copy(name);
    role->id = id_of("role", name);
    must_grow(&world->roles, world->role_count, sizeof(struct guild_role *));
    world->roles[world->role_count++] = role;
    return role;
}

struct place world_direct(const struct person *person)
{
    return (struct place){ .channel_id = id_of("direct", str_from(person->name)) };
}

const struct person *world_person_by_id(const struct world *world, int64_t id)
{
    for (size_t i = 0; i < world->person_count; i++)
        if (world->people[i]->id == id)
            return world->people[i];
    return NULL;
}

const struct place *world_channel_by_id(const struct world *world, int64_t id)
{
    for (size_t i = 0; i < world->channel_count; i++)
        if (world->channels[i]->channel_id == id)
            return world->channels[i];
    return NULL;
}

const struct guild_role *world_role_by_id(const struct world *world, int64_t id)
{
    for (size_t i = 0; i < world->role_count; i++)
        if (world->roles[i]->id == id)
            return world->roles[i];
    return NULL;
}

/* https://docs.discord.com/developers/reference#locales; NULL for others. */
static const char *known_locale(struct str_view locale)
{
    static const char *const locales[] = {
        "id", "da", "de", "en-GB", "en-US", "es-ES", "es-419", "fr",    "hr",    "it", "lt",
        "hu", "nl", "no", "pl",    "pt-BR", "ro",    "fi",     "sv-SE", "vi",    "tr", "cs",
        "el", "bg", "ru", "uk",    "hi",    "th",    "zh-CN",  "ja",    "zh-TW", "ko",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(locales); i++)
        if (str_equal(locale, str_from(locales[i])))
            return locales[i];
    return NULL;
}

bool world_set_locale(struct world *world, const struct person *person, struct str_view locale)
{
    const char *known = known_locale(locale);
    for (size_t i = 0; i < world->person_count && known; i++)
        if (world->people[i] == person)
            world->people[i]->locale = known;
    return known != NULL;
}

bool world_set_guild_locale(struct world *world, const struct guild *guild, struct str_view locale)
{
    const char *known = known_locale(locale);
    for (size_t i = 0; i < world->guild_count && known; i++)
        if (world->guilds[i] == guild)
            world->guilds[i]->locale = known;
    for (size_t i = 0; i < world->channel_count && known; i++)
        if (world->channels[i]->guild_id == guild->id)
            world->channels[i]->guild_locale = known;
    return known != NULL;
}

/* https://docs.discord.com/developers/topics/permissions#permissions-bitwise-permission-flags */
static const struct {
    const char *word;
    int bit;
} permissions[] = {
    { "kick_members", 1 },    { "ban_members", 2 },       { "administrator", 3 },
    { "manage_channels", 4 }, { "manage_guild", 5 },      { "manage_messages", 13 },
    { "manage_roles", 28 },   { "moderate_members", 40 },
};

uint64_t permission_bit(struct str_view word)
{
    for (size_t i = 0; i < ARRAY_LENGTH(permissions); i++)
        if (str_equal(word, str_from(permissions[i].word)))
            return UINT64_C(1) << permissions[i].bit;
    return 0;
}

static void free_name(const char *name)
{
    free((void *)(uintptr_t)name);
}

void world_free(struct world *world)
{
    for (size_t i = 0; i < world->person_count; i++) {
        free_name(world->people[i]->name);
        free(world->people[i]);
    }
    for (size_t i = 0; i < world->guild_count; i++) {
        free(world->guilds[i]->name);
        free(world->guilds[i]);
    }
    for (size_t i = 0; i < world->channel_count; i++) {
        free_name(world->channels[i]->channel_name);
        free(world->channels[i]);
    }
    for (size_t i = 0; i < world->role_count; i++) {
        free_name(world->roles[i]->name);
        free(world->roles[i]);
    }
    free(world->people);
    free(world->guilds);
    free(world->channels);
    free(world->roles);
    *world = (struct world){ 0 };
}
