/* Messages: content, embeds, mentions, flags. */
#include "simulator/judge_rules.h"

#include "harness/memory.h"

#include <inttypes.h>
#include <string.h>

#define EMBED_TEXT_MAX 6000 /* of all embeds of a message together */

#define NONCE_MAX      25

/* clang-format off */
#define MESSAGE_RULES                                                                              \
    { "tts", FIELD_BOOLEAN },                                                                      \
    { "content", FIELD_TEXT, NULLABLE, 0, 2000 },                                                  \
    { "embeds", FIELD_LIST, NULLABLE, 0, 10 },                                                     \
    { "allowed_mentions", FIELD_OBJECT, REQUIRED },                                                \
    { "flags", FIELD_INTEGER, 0, 0, INT32_MAX },                                                   \
    { "components", FIELD_LIST, NULLABLE, 0, JUDGE_COMPONENTS_MAX },                               \
    { "attachments", FIELD_LIST, NULLABLE, 0, 10 }
/* clang-format on */

static const struct field_rule message_rules[] = { MESSAGE_RULES, { NULL } };

/* https://docs.discord.com/developers/resources/message#create-message */
static const struct field_rule channel_message_rules[] = {
    MESSAGE_RULES,
    { "nonce", FIELD_ANY },
    { "enforce_nonce", FIELD_BOOLEAN },
    { NULL },
};

static const struct field_rule deferred_rules[] = {
    { "flags", FIELD_INTEGER, 0, 0, INT32_MAX },
    { "allowed_mentions", FIELD_OBJECT },
    { NULL },
};

static const struct field_rule mentions_rules[] = {
    { "parse", FIELD_LIST, 0, 0, 3 },
    { "users", FIELD_LIST, 0, 0, 100 },
    { "roles", FIELD_LIST, 0, 0, 100 },
    { "replied_user", FIELD_BOOLEAN },
    { NULL },
};

static const struct field_rule embed_rules[] = {
    { "title", FIELD_TEXT, 0, 1, 256 },
    { "description", FIELD_TEXT, 0, 1, 4096 },
    { "url", FIELD_URL, 0, 1, 2048 },
    { "timestamp", FIELD_TEXT, 0, 1, 64 },
    { "color", FIELD_INTEGER, 0, 0, 0xffffff },
    { "footer", FIELD_OBJECT },
    { "image", FIELD_OBJECT },
    { "thumbnail", FIELD_OBJECT },
    { "author", FIELD_OBJECT },
    { "fields", FIELD_LIST, 0, 0, 25 },
    { NULL },
};

static const struct field_rule footer_rules[] = {
    { "text", FIELD_TEXT, REQUIRED, 1, 2048 },
    { "icon_url", FIELD_URL, 0, 1, 2048 },
    { NULL },
};

static const struct field_rule author_rules[] = {
    { "name", FIELD_TEXT, REQUIRED, 1, 256 },
    { "url", FIELD_URL, 0, 1, 2048 },
    { "icon_url", FIELD_URL, 0, 1, 2048 },
    { NULL },
};

static const struct field_rule image_rules[] = {
    { "url", FIELD_URL, REQUIRED, 1, 2048 },
    { NULL },
};

static const struct field_rule embed_field_rules[] = {
    { "name", FIELD_TEXT, REQUIRED, 1, 256 },
    { "value", FIELD_TEXT, REQUIRED, 1, 1024 },
    { "inline", FIELD_BOOLEAN },
    { NULL },
};

/* Objects within an embed; `text` is the field that counts towards the sum. */
static const struct {
    const char *name;
    const struct field_rule *rules;
    const char *text;
} embed_parts[] = {
    { "footer", footer_rules, "text" },
    { "author", author_rules, "name" },
    { "image", image_rules, NULL },
    { "thumbnail", image_rules, NULL },
};

static void judge_ids(struct judgement *judgement, json_object *mentions, const char *name)
{
    size_t mark = judge_enter(judgement, name);
    json_object *list = get(mentions, name);
    for (size_t i = 0; i < list_length(get(mentions, name)); i++)
        if (!is_snowflake(json_object_array_get_idx(list, i)))
            judge_complain(judgement, "item %zu is not a snowflake", i);
    judge_leave(judgement, mark);
}

static void judge_mentions(struct judgement *judgement, json_object *mentions)
{
    size_t mark = judge_enter(judgement, "allowed_mentions");
    if (mentions && judge_object(judgement, mentions, mentions_rules)) {
        json_object *parse = get(mentions, "parse");
        for (size_t i = 0; i < list_length(get(mentions, "parse")); i++)
            judge_complain(judgement, "parse allows a mass ping of %s",
                           json_object_to_json_string(json_object_array_get_idx(parse, i)));
        judge_ids(judgement, mentions, "users");
        judge_ids(judgement, mentions, "roles");
    }
    judge_leave(judgement, mark);
}

static size_t units_of(json_object *object, const char *name)
{
    return name ? utf8_units(field_text(object, name)) : 0;
}

static size_t judge_embed_parts(struct judgement *judgement, json_object *embed)
{
    size_t units = units_of(embed, "title") + units_of(embed, "description");
    for (size_t i = 0; i < ARRAY_LENGTH(embed_parts); i++) {
        json_object *part = get(embed, embed_parts[i].name);
        size_t mark = judge_enter(judgement, embed_parts[i].name);
        if (part && judge_object(judgement, part, embed_parts[i].rules))
            units += units_of(part, embed_parts[i].text);
        judge_leave(judgement, mark);
    }
    return units;
}

static size_t judge_embed_fields(struct judgement *judgement, json_object *embed)
{
    size_t units = 0, mark = judge_enter(judgement, "fields");
    for (size_t i = 0; i < list_length(get(embed, "fields")); i++) {
        json_object *field = json_object_array_get_idx(get(embed, "fields"), i);
        size_t item = judge_enter_index(judgement, i);
        if (judge_object(judgement, field, embed_field_rules))
            units += units_of(field, "name") + units_of(field, "value");
        judge_leave(judgement, item);
    }
    judge_leave(judgement, mark);
    return units;
}

static void judge_embeds(struct judgement *judgement, json_object *data)
{
    size_t units = 0, mark = judge_enter(judgement, "embeds");
    for (size_t i = 0; i < list_length(get(data, "embeds")); i++) {
        json_object *embed = json_object_array_get_idx(get(data, "embeds"), i);
        size_t item = judge_enter_index(judgement, i);
        if (judge_object(judgement, embed, embed_rules))
            units += judge_embed_parts(judgement, embed) + judge_embed_fields(judgement, embed);
        judge_leave(judgement, item);
    }
    if (units > EMBED_TEXT_MAX)
        judge_complain(judgement, "%zu characters together, at most %d", units, EMBED_TEXT_MAX);
    judge_leave(judgement, mark);
}

static void judge_flags(struct judgement *judgement, json_object *data, int64_t allowed)
{
    int64_t flags = get_integer(data, "flags", 0);
    if (flags & ~allowed) {
        size_t mark = judge_enter(judgement, "flags");
        judge_complain(judgement, "%" PRId64 " has bits that can't be set here", flags & ~allowed);
        judge_leave(judgement, mark);
    }
}

static bool is_edit(const struct judgement *judgement)
{
    return judgement->webhook && judgement->webhook->is_edit;
}

static void judge_v2_only(struct judgement *judgement, json_object *data)
{
    static const char *const refused[] = { "content", "embeds", "tts" };
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++)
        if (get(data, refused[i]))
            judge_complain(judgement, "%s can't be used with IS_COMPONENTS_V2", refused[i]);
    /* An edit leaves alone what it does not name. */
    bool is_kept = is_edit(judgement) && !json_object_object_get_ex(data, "components", NULL);
    if (list_length(get(data, "components")) == 0 && !is_kept)
        judge_complain(judgement, "an empty message: no components");
}

static void judge_legacy_only(struct judgement *judgement, json_object *data)
{
    if (judgement->callback_type == CALLBACK_MESSAGE && field_text(data, "content").length == 0 &&
        list_length(get(data, "embeds")) == 0 && list_length(get(data, "components")) == 0)
        judge_complain(judgement, "an empty message");
    if (judgement->question->message_is_v2 && judgement->callback_type == CALLBACK_UPDATE)
        judge_complain(judgement, "an update can't take IS_COMPONENTS_V2 away");
}

/* EPHEMERAL is decided when a message is made. */
static int64_t flags_allowed(const struct judgement *judgement)
{
    int64_t flags = FLAG_SUPPRESS_EMBEDS | FLAG_COMPONENTS_V2;
    return is_edit(judgement) ? flags : flags | FLAG_EPHEMERAL | FLAG_SUPPRESS_NOTIFICATIONS;
}

static bool is_components_v2(const struct judgement *judgement, json_object *data)
{
    if (is_edit(judgement) && !get(data, "flags"))
        return judgement->webhook->message_is_v2;
    return get_integer(data, "flags", 0) & FLAG_COMPONENTS_V2;
}

/* An integer or a text. */
static void judge_nonce(struct judgement *judgement, json_object *data)
{
    json_object *nonce = get(data, "nonce");
    size_t mark = judge_enter(judgement, "nonce");
    bool is_one =
        json_object_is_type(nonce, json_type_int) || json_object_is_type(nonce, json_type_string);
    if (nonce && !is_one)
        judge_complain(judgement, "is neither an integer nor a text");
    else if (nonce && utf8_units(str_from(json_object_get_string(nonce))) > NONCE_MAX)
        judge_complain(judgement, "is longer than %d characters", NONCE_MAX);
    else if (!nonce && json_object_get_boolean(get(data, "enforce_nonce")))
        judge_complain(judgement, "is missing, and to be enforced");
    judge_leave(judgement, mark);
}

void judge_message(struct judgement *judgement, json_object *data)
{
    bool is_in_channel = judgement->webhook && judgement->webhook->is_channel;
    if (!judge_object(judgement, data, is_in_channel ? channel_message_rules : message_rules))
        return;
    if (is_in_channel)
        judge_nonce(judgement, data);
    judge_flags(judgement, data, flags_allowed(judgement));
    bool is_v2 = is_components_v2(judgement, data);
    if (is_v2)
        judge_v2_only(judgement, data);
    else
        judge_legacy_only(judgement, data);
    judge_mentions(judgement, get(data, "allowed_mentions"));
    judge_embeds(judgement, data);
    if (judgement->webhook)
        judge_attachments(judgement, data);
    else if (list_length(get(data, "attachments")) > 0 &&
             judgement->callback_type == CALLBACK_MESSAGE)
        judge_complain(judgement, "attachments need a multipart body: defer and edit");
    judge_message_components(judgement, get(data, "components"), is_v2);
}

void judge_deferred(struct judgement *judgement, json_object *data)
{
    if (!judge_object(judgement, data, deferred_rules))
        return;
    judge_flags(judgement, data, FLAG_EPHEMERAL);
    judge_mentions(judgement, get(data, "allowed_mentions"));
}
