/* From the body Discord posted to a struct interaction: the envelope, and who calls which part.
 *
 * The text becomes a tree (interaction_tree.c), the tree a typed struct whose texts and lists are
 * in one arena, with a copy of the text; then the tree is gone. The arena holds the struct as well,
 * so an interaction is freed at one stroke. Any thread; the caller owns what it gets. */
#include "discord/interaction_parse.h"

#include "discord/interaction_parts.h"

#include <string.h>

static int parse_owners(const struct json_reader *reader, const struct json_place *root,
                        struct interaction *interaction)
{
    /* Keys are installation types: 0 a guild ("0" when in the bot's DMs), 1 a user.
     * https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object-authorizing-integration-owners-object
     */
    static const struct json_field fields[] = {
        { .name = "0",
          .kind = JSON_ID_OR_0,
          .offset = offsetof(struct interaction, installed_in_guild_id) },
        { .name = "1",
          .kind = JSON_ID_OR_0,
          .offset = offsetof(struct interaction, installed_by_user_id) },
    };
    struct json_place owners = json_member(root, "authorizing_integration_owners");
    if (!owners.value)
        return 0;
    return json_get_object(reader, &owners, fields, ARRAY_LENGTH(fields), interaction);
}

static int parse_entitlements(const struct json_reader *reader, const struct json_place *root,
                              struct interaction *interaction)
{
    static const struct json_field fields[] = {
        JSON_NEEDED(struct entitlement, id, JSON_ID),
        JSON_NEEDED(struct entitlement, sku_id, JSON_ID),
        JSON_FIELD(struct entitlement, user_id, JSON_ID),
        JSON_FIELD(struct entitlement, guild_id, JSON_ID),
        JSON_NEEDED(struct entitlement, type, JSON_INT),
    };
    struct json_place list = json_member(root, "entitlements");
    size_t count;
    int code = json_count_items(reader, &list, INTERACTION_ENTITLEMENTS_MAX, &count);
    if (code < 0 || count == 0)
        return code;
    struct entitlement *entitlements =
        arena_allocate_array(reader->arena, count, sizeof(*entitlements));
    if (!entitlements)
        return err_set(reader->err, ERR_MEMORY, "no memory for an interaction");
    for (size_t i = 0; i < count && code == 0; i++) {
        struct json_place place = json_item(&list, i);
        code = json_get_object(reader, &place, fields, ARRAY_LENGTH(fields), &entitlements[i]);
    }
    interaction->entitlements = entitlements;
    interaction->entitlement_count = (int)count;
    return code;
}

/* In guilds the user is inside the member. */
static int parse_invoking_user(const struct json_reader *reader, const struct json_place *root,
                               struct interaction *interaction)
{
    struct json_place member = json_member(root, "member");
    if (!member.value) {
        struct json_place user = json_member(root, "user");
        return interaction_parse_user(reader, &user, &interaction->user);
    }
    int code = interaction_parse_member(reader, &member, &interaction->member);
    if (code < 0)
        return code;
    struct json_place user = json_member(&member, "user");
    return interaction_parse_user(reader, &user, &interaction->user);
}

static int parse_channel(const struct json_reader *reader, const struct json_place *root,
                         struct interaction *interaction)
{
    struct json_place channel = json_member(root, "channel");
    if (!channel.value)
        return 0;
    int code = interaction_parse_channel(reader, &channel, &interaction->channel);
    if (interaction->channel_id == 0)
        interaction->channel_id = interaction->channel.id;
    return code;
}

static int parse_message(const struct json_reader *reader, const struct json_place *root,
                         struct interaction *interaction)
{
    struct json_place place = json_member(root, "message");
    if (!place.value)
        return 0;
    struct message *message = arena_allocate(reader->arena, sizeof(*message));
    if (!message)
        return err_set(reader->err, ERR_MEMORY, "no memory for an interaction");
    interaction->message = message;
    return interaction_parse_message(reader, &place, message);
}

static int parse_data(const struct json_reader *reader, const struct json_place *data,
                      struct interaction *interaction)
{
    int code = json_need_object(reader, data);
    if (code < 0)
        return code;
    switch (interaction->type) {
    case INTERACTION_COMMAND:
    case INTERACTION_AUTOCOMPLETE:
        code = interaction_parse_command(reader, data, interaction);
        break;
    case INTERACTION_COMPONENT:
        code = interaction_parse_component(reader, data, interaction);
        break;
    case INTERACTION_MODAL_SUBMIT:
        code = interaction_parse_modal(reader, data, interaction);
        break;
    default:
        return 0; /* newer than this bot: nothing is known about its data */
    }
    return code < 0 ? code : interaction_parse_resolved(reader, data, &interaction->resolved);
}

/* Everything but `type`. A PING needs no more than its type. */
static int parse_rest(const struct json_reader *reader, const struct json_place *root,
                      struct interaction *interaction)
{
    static const struct json_field needed_fields[] = {
        JSON_NEEDED(struct interaction, id, JSON_ID),
        JSON_NEEDED(struct interaction, application_id, JSON_ID),
        JSON_NEEDED(struct interaction, token, JSON_TEXT),
        JSON_FIELD(struct interaction, guild_id, JSON_ID),
        JSON_FIELD(struct interaction, channel_id, JSON_ID),
        JSON_FIELD(struct interaction, app_permissions, JSON_BITS),
        JSON_FIELD(struct interaction, locale, JSON_TEXT),
        JSON_FIELD(struct interaction, guild_locale, JSON_TEXT),
        JSON_FIELD(struct interaction, context, JSON_INT),
    };
    static const struct json_field ping_fields[] = {
        JSON_FIELD(struct interaction, id, JSON_ID),
        JSON_FIELD(struct interaction, application_id, JSON_ID),
        JSON_FIELD(struct interaction, token, JSON_TEXT),
    };
    if (interaction->type == INTERACTION_PING)
        return json_get_fields(reader, root, ping_fields, ARRAY_LENGTH(ping_fields), interaction);
    int code =
        json_get_fields(reader, root, needed_fields, ARRAY_LENGTH(needed_fields), interaction);
    if (code < 0)
        return code;
    if (interaction->context < CONTEXT_GUILD || interaction->context > CONTEXT_PRIVATE_CHANNEL)
        interaction->context = CONTEXT_UNKNOWN;
    bool is_known =
        interaction->type >= INTERACTION_COMMAND && interaction->type <= INTERACTION_MODAL_SUBMIT;
    struct json_place data = json_member(root, "data");
    if (is_known)
        code = parse_invoking_user(reader, root, interaction);
    if (code == 0)
        code = parse_channel(reader, root, interaction);
    if (code == 0)
        code = parse_owners(reader, root, interaction);
    if (code == 0)
        code = parse_entitlements(reader, root, interaction);
    if (code == 0)
        code = parse_message(reader, root, interaction);
    return code == 0 && is_known ? parse_data(reader, &data, interaction) : code;
}

static struct parsed_interaction *parsed_new(void)
{
    struct arena arena = { 0 };
    struct parsed_interaction *parsed = arena_allocate(&arena, sizeof(*parsed));
    if (!parsed)
        return NULL;
    parsed->arena = arena;
    parsed->interaction.context = CONTEXT_UNKNOWN;
    return parsed;
}

static void parsed_free(struct parsed_interaction **parsed)
{
    if (!*parsed)
        return;
    struct arena arena = (*parsed)->arena; /* the struct is inside its own arena */
    arena_free(&arena);
}

/* Keeps `body` as it was written. `data` is a part of it; an absent one stays absent. */
static int keep_text(struct parsed_interaction *parsed, struct str_view body, struct str_view data,
                     struct err *err)
{
    if (parsed->interaction.type == INTERACTION_PING)
        return 0;
    parsed->json = arena_copy(&parsed->arena, body);
    if (!parsed->json.data)
        return err_set(err, ERR_MEMORY, "no memory for an interaction");
    if (data.data && parsed->interaction.type == INTERACTION_COMMAND)
        parsed->data =
            (struct str_view){ parsed->json.data + (data.data - body.data), data.length };
    return 0;
}

int interaction_parse(struct str_view body, struct interaction **interaction, struct err *err)
{
    *interaction = NULL;
    CLEANUP(parsed_free) struct parsed_interaction *parsed = parsed_new();
    if (!parsed)
        return err_set(err, ERR_MEMORY, "no memory for an interaction");
    CLEANUP(arena_free) struct arena nodes = { 0 };
    struct json_tree tree = { 0 };
    int code = json_read_tree(body, &parsed->arena, &nodes, &tree, err);
    if (code < 0)
        return code;
    static const struct json_field type_field = JSON_NEEDED(struct interaction, type, JSON_INT);
    const struct json_reader reader = { .arena = &parsed->arena, .err = err };
    const struct json_place root = { .value = tree.root };
    code = json_get_fields(&reader, &root, &type_field, 1, &parsed->interaction);
    if (code == 0)
        code = parse_rest(&reader, &root, &parsed->interaction);
    if (code == 0)
        code = keep_text(parsed, body, tree.data, err);
    if (code < 0)
        return code;
    *interaction = &STEAL(parsed)->interaction;
    return 0;
}

void interaction_data_json(const struct interaction *interaction, struct buf *out)
{
    const struct parsed_interaction *parsed =
        CONTAINER_OF(interaction, struct parsed_interaction, interaction);
    buf_append(out, parsed->data.data ? parsed->data : STR("null"));
}

struct str_view interaction_json(const struct interaction *interaction)
{
    return CONTAINER_OF(interaction, struct parsed_interaction, interaction)->json;
}

int interaction_parse_data(struct str_view data, const struct interaction *by,
                           struct interaction **interaction, struct err *err)
{
    *interaction = NULL;
    CLEANUP(parsed_free) struct parsed_interaction *parsed = parsed_new();
    if (!parsed)
        return err_set(err, ERR_MEMORY, "no memory for an interaction");
    CLEANUP(arena_free) struct arena nodes = { 0 };
    struct json_tree tree = { 0 };
    int code = json_read_tree(data, &parsed->arena, &nodes, &tree, err);
    if (code < 0)
        return code;
    parsed->interaction = *by;
    struct interaction *copy = &parsed->interaction;
    copy->type = INTERACTION_COMMAND;
    copy->custom_id = STR_NONE;
    copy->fields = NULL;
    copy->field_count = 0;
    copy->message = NULL;
    copy->resolved = (struct resolved){ 0 };
    memset(&copy->command, 0, sizeof(copy->command));
    const struct json_reader reader = { .arena = &parsed->arena, .err = err };
    const struct json_place root = { .value = NULL };
    const struct json_place place = { .parent = &root, .key = "data", .value = tree.root };
    code = parse_data(&reader, &place, copy);
    if (code < 0)
        return code;
    parsed->data = arena_copy(&parsed->arena, str_trim(data));
    if (!parsed->data.data)
        return err_set(err, ERR_MEMORY, "no memory for an interaction");
    *interaction = &STEAL(parsed)->interaction;
    return 0;
}

void interaction_free(struct interaction *interaction)
{
    if (!interaction)
        return;
    struct parsed_interaction *parsed =
        CONTAINER_OF(interaction, struct parsed_interaction, interaction);
    parsed_free(&parsed);
}
