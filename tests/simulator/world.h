/* Who and what there is in the simulated Discord: people, servers, channels and roles. Each comes
 * into being when it is first named; ids are made from the names, so they are the same in every
 * run. Names end in "bot" for bots. Pointers stay valid until world_free. */
#ifndef SIMULATOR_WORLD_H
#define SIMULATOR_WORLD_H

#include "bronx/err.h"
#include "harness/interaction_json.h"

#define WORLD_NAME_MAX  32 /* bytes */
#define DEFAULT_CHANNEL "general"
#define OWNER_NAME      "owner" /* the person in OWNER_IDS */

struct guild {
    int64_t id;
    char *name;
    const char *locale; /* of the server: what is said to all in it */
};

struct world {
    struct person **people;
    struct guild **guilds;
    struct place **channels;
    struct guild_role **roles;
    size_t person_count, guild_count, channel_count, role_count;
};

/* NULL for a name that is empty, too long or not of [a-z0-9_.-]. */
const struct person *world_person(struct world *world, struct str_view name);
const struct guild *world_guild(struct world *world, struct str_view name);
const struct place *world_channel(struct world *world, int64_t guild_id, struct str_view name);
const struct guild_role *world_role(struct world *world, struct str_view name);

/* The direct messages between `person` and the bot. */
struct place world_direct(const struct person *person);

/* Changes the language of a person's client, and of a server. False for a locale Discord has not.
 */
bool world_set_locale(struct world *world, const struct person *person, struct str_view locale);
bool world_set_guild_locale(struct world *world, const struct guild *guild, struct str_view locale);

/* By id; NULL when nobody has named it. */
const struct person *world_person_by_id(const struct world *world, int64_t id);
const struct place *world_channel_by_id(const struct world *world, int64_t id);
const struct guild_role *world_role_by_id(const struct world *world, int64_t id);

/* The bit of "manage_guild" and the like; 0 for an unknown word. */
uint64_t permission_bit(struct str_view word);

/* What everybody may do in a channel. */
#define PERMISSIONS_EVERYONE (UINT64_C(1) << 10 | UINT64_C(1) << 11 | UINT64_C(1) << 31)

void world_free(struct world *world);

#endif
