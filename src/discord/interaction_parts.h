/* The parts of the interaction parser, one file each. Used by interaction_*.c only.
 *
 * Bounds are generous beside Discord's own, so that a raised limit there does not break us, and
 * small enough that no body fills the memory. */
#ifndef DISCORD_INTERACTION_PARTS_H
#define DISCORD_INTERACTION_PARTS_H

#include "bronx/interaction.h"

#include "discord/interaction_json.h"

#define INTERACTION_OPTIONS_MAX      100  /* Discord: 25 */
#define INTERACTION_FIELDS_MAX       100  /* Discord: 5 labels, or 5 rows of 5 */
#define INTERACTION_VALUES_MAX       100  /* Discord: 25 */
#define INTERACTION_RESOLVED_MAX     500  /* of each kind; Discord: 25 values in each component */
#define INTERACTION_ROLES_MAX        1000 /* of a member; Discord: 250 roles in a guild */
#define INTERACTION_ENTITLEMENTS_MAX 2000 /* one each purchase that was not consumed */

/* What interaction_parse allocates: the public part, the memory it borrows from, and what is needed
 * to run it later. Lives in its own arena. */
struct parsed_interaction {
    struct interaction interaction;
    struct arena arena;
    struct str_view json; /* as Discord wrote it; absent for a PING */
    struct str_view data; /* a command's, as Discord wrote it */
};

/* interaction_people.c */
int interaction_parse_user(const struct json_reader *reader, const struct json_place *place,
                           struct user *user) MUST_CHECK;
int interaction_parse_member(const struct json_reader *reader, const struct json_place *place,
                             const struct member **member) MUST_CHECK;
int interaction_parse_channel(const struct json_reader *reader, const struct json_place *place,
                              struct channel *channel) MUST_CHECK;
int interaction_parse_message(const struct json_reader *reader, const struct json_place *place,
                              struct message *message) MUST_CHECK;

/* interaction_resolved.c: the `resolved` member of `data`, when there. */
int interaction_parse_resolved(const struct json_reader *reader, const struct json_place *data,
                               struct resolved *resolved) MUST_CHECK;

/* interaction_command.c, interaction_fields.c: `data` by type of interaction. */
int interaction_parse_command(const struct json_reader *reader, const struct json_place *data,
                              struct interaction *interaction) MUST_CHECK;
int interaction_parse_component(const struct json_reader *reader, const struct json_place *data,
                                struct interaction *interaction) MUST_CHECK;
int interaction_parse_modal(const struct json_reader *reader, const struct json_place *data,
                            struct interaction *interaction) MUST_CHECK;

#endif
